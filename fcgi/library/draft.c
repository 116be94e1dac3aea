/* draft.c: see draft.h. */
#include "library/draft.h"

#include "base/limits.h"
#include "library/config_profile.h"
#include "store/id.h"
#include "wire/encode.h"
#include "wire/sign.h"

#include <stdio.h>

#define PURPOSE "LibraryDraft"

/* What is told of the file without opening it: its identifier, and its name where it has none. */
static enum outcome head_read(struct arena *a, struct draft *d, struct bytes file, struct err *err)
{
    const char *signed_by, *identifier, *name;
    struct bytes plist;
    pl root = NULL;
    enum outcome o = file.n > 0 && file.n <= LIM_PROFILE
                         ? config_profile_unwrap(a, file, &plist, &signed_by, err)
                         : err_set(err, INVALID, "a profile has 1 to %u octets", LIM_PROFILE);

    if (o == OK)
        o = pl_parse(plist, &root, err);
    if (o != OK)
        return o;
    identifier = pl_get_str(root, "PayloadIdentifier");
    name = pl_get_str(root, "PayloadDisplayName");
    if (name == NULL || name[0] == '\0')
        name = pl_get_str(root, "Name");
    if (identifier == NULL)
        identifier = name;
    d->identifier = arena_strdup(a, identifier != NULL ? identifier : "");
    if (name != NULL && name[0] != '\0')
        d->name = arena_strdup(a, name);
    else if (d->name == NULL || d->name[0] == '\0')
        d->name = d->identifier;
    d->size = (int64_t)file.n;
    pl_free(&root);
    return d->identifier != NULL && d->name != NULL ? OK : err_set(err, ERROR, "out of memory");
}

/* The item that has the file's identifier already, if there is one. */
static enum outcome item_find(struct db *db, struct arena *a, struct draft *d, struct err *err)
{
    struct library_version *newest;
    struct library_item i;
    size_t n;
    enum outcome o = NOT_FOUND;

    for (int kind = LIBRARY_PROFILE; o == NOT_FOUND && kind <= LIBRARY_PROVISIONING; kind++)
        o = library_find(db, kind, d->identifier, a, &i, err);
    if (o != OK)
        return o == NOT_FOUND ? OK : o;
    o = library_versions(db, i.id, 0, 1, a, &newest, &n, err);
    d->item_id = i.id;
    d->base = o == OK && n > 0 ? newest[0].number : 0;
    return o;
}

enum outcome profile_draft_new(struct db *db, const struct conf *conf, struct arena *a,
                               struct draft *d, struct bytes file, const char *actor, int64_t now,
                               struct err *err)
{
    struct bytes sealed;
    enum outcome o = head_read(a, d, file, err);

    d->id = id_new();
    if (o == OK && d->item_id == 0)
        o = item_find(db, a, d, err);
    if (o == OK)
        o = profile_seal(conf, a, file, PURPOSE, d->id, &sealed, err);
    return o == OK ? draft_add(db, d, sealed, actor, now, err) : o;
}

enum outcome profile_draft_of(struct db *db, const struct conf *conf, struct arena *a,
                              const struct library_item *item, int number, const char *actor,
                              int64_t now, struct draft *d, struct err *err)
{
    struct buf file = BUF_INIT(LIM_PROFILE);
    struct library_version *newest;
    size_t n;
    enum outcome o = library_versions(db, item->id, 0, 1, a, &newest, &n, err);

    if (o == OK)
        o = profile_content(db, a, item, number, &file, err);
    *d = (struct draft){
        .item_id = item->id, .base = o == OK && n > 0 ? newest[0].number : 0, .name = item->name};
    if (o == OK)
        o = profile_draft_new(db, conf, a, d, buf_bytes(&file), actor, now, err);
    buf_wipe(&file);
    return o;
}

enum outcome profile_draft_open(struct db *db, struct arena *a, int64_t id, struct draft *d,
                                struct buf *file, struct err *err)
{
    char owner[24];
    struct bytes sealed;
    enum outcome o = draft_get(db, id, a, d, &sealed, err);

    snprintf(owner, sizeof owner, "%lld", (long long)id);
    return o == OK ? sign_unseal(PURPOSE, owner, sealed, bytes_of(NULL, 0), "", file, err) : o;
}

enum outcome profile_draft_keep(struct db *db, const struct conf *conf, struct arena *a,
                                struct draft *d, struct bytes file, const char *actor, int64_t now,
                                struct err *err)
{
    struct bytes sealed;
    enum outcome o = head_read(a, d, file, err);

    if (o == OK)
        o = profile_seal(conf, a, file, PURPOSE, d->id, &sealed, err);
    return o == OK ? draft_store(db, d, sealed, actor, now, err) : o;
}

enum outcome profile_draft_publish(struct db *db, const struct conf *conf, struct arena *a,
                                   const struct draft *d, struct bytes file, struct profile_put *p,
                                   struct err *err)
{
    enum outcome o;

    p->file = file;
    p->item_id = d->item_id;
    p->signing = -1;
    o = profile_put(db, conf, a, p, err);
    return o == OK ? draft_delete(db, d->id, d->revision, p->actor, "published", err) : o;
}

enum outcome profile_draft_same(struct db *db, struct arena *a, int64_t item_id, struct bytes file,
                                int *newest, bool *same, struct err *err)
{
    struct library_version *v = NULL;
    uint8_t digest[SHA256_LEN];
    size_t n = 0;
    enum outcome o = library_versions(db, item_id, 0, 1, a, &v, &n, err);
    bool any = o == OK && n > 0;

    sha256(file, digest);
    *newest = any ? v[0].number : 0;
    *same = any && memcmp(v[0].sha256, digest, sizeof digest) == 0;
    return o;
}

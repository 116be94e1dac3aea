/* standing.c: see standing.h. */
#include "library/standing.h"

#include "base/clock.h"
#include "base/limits.h"
#include "command/build.h"
#include "command/consent.h"
#include "command/plist_json.h"
#include "command/secrets.h"
#include "library/edit.h"
#include "store/id.h"
#include "wire/seal.h"

#include <stdio.h>

#define KEYS_MAX (256u * LIM_KB)

/* ---- one command ---- */

static pl mark(const char *key, const char *parent, pl value, void *arg)
{
    (void)key, (void)parent, (void)value, (void)arg;
    return pl_new_str(STANDING_SECRET);
}

static enum outcome sealed_with(const struct conf *conf, const char *purpose, int64_t id,
                                struct bytes text, struct arena *a, struct bytes *out,
                                struct err *err)
{
    struct buf sealed = BUF_INIT(LIM_BODY_API + SEAL_OVERHEAD);
    const char *label = arena_fmt(a, "%s:%lld", purpose, (long long)id);
    uint8_t pub[SEAL_KEY_LEN];
    enum outcome o = label != NULL ? seal_public_load(conf->signer_dir, pub, err)
                                   : err_set(err, ERROR, "out of memory");

    if (o == OK)
        o = seal(pub, label, text, &sealed, err);
    *out = o == OK ? arena_bytes(a, buf_bytes(&sealed)) : bytes_of(NULL, 0);
    buf_free(&sealed);
    return o == OK && out->p == NULL ? err_set(err, ERROR, "out of memory") : o;
}

/* The keys as they are shown, and sealed where there is a secret among them. */
static enum outcome keys_split(const struct conf *conf, struct arena *a, pl root, js keys,
                               struct standing *out, struct err *err)
{
    struct buf text = BUF_INIT(KEYS_MAX);
    pl command = pl_get(root, "Command");
    enum outcome o = OK;

    if (keys != NULL && js_write(keys, false, &text) != OK)
        o = err_set(err, INVALID, "the keys of a group's command have at most %u octets", KEYS_MAX);
    if (o == OK && secrets_replace(command, catalogue_find(out->request_type), CATALOGUE_KEY, mark,
                                   NULL, a) > 0)
        o = sealed_with(conf, "StandingOrder", out->id, buf_bytes(&text), a, &out->sealed, err);
    if (o == OK && out->sealed.n == 0)
        out->keys = keys != NULL ? arena_strdup(a, buf_cstr(&text)) : "{}";
    else if (o == OK) {
        pl_remove(command, "RequestType");
        out->keys = plist_json_text(command, KEYS_MAX, a);
    }
    buf_wipe(&text);
    return o == OK && out->keys == NULL ? err_set(err, ERROR, "out of memory") : o;
}

static enum outcome particulars(struct db *db, const struct conf *conf, struct arena *a,
                                const struct standing_put *p, struct standing *out, struct err *err)
{
    cat row = p->request_type != NULL ? catalogue_find(p->request_type) : NULL;

    if (row == NULL)
        return err_set(err, INVALID, "there is no request type \"%.64s\"",
                       p->request_type != NULL ? p->request_type : "");
    if (strcmp(p->request_type, "ClearPasscode") == 0)
        return err_set(err, INVALID,
                       "ClearPasscode needs a leave for each device: it is sent by a person");
    *out = (struct standing){.id = id_new(),
                             .group_id = p->group_id,
                             .request_type = arena_strdup(a, p->request_type),
                             .policy = standing_policy_read(p->policy),
                             .reason = p->reason != NULL ? arena_strdup(a, p->reason) : "",
                             .state = STANDING_DRAFT};
    if (out->policy == 0)
        return err_set(err, INVALID, "a policy is \"join\", \"enrol\" or \"every\"");
    if (out->policy == STANDING_EVERY && (p->every_days < 1 || p->every_days > STANDING_DAYS_MAX))
        return err_set(err, INVALID, "a command is repeated after 1 to %d days", STANDING_DAYS_MAX);
    out->every_days = out->policy == STANDING_EVERY ? (int)p->every_days : 0;
    if (out->request_type == NULL || out->reason == NULL)
        return err_set(err, ERROR, "out of memory");
    if (strlen(out->reason) > ORDER_REASON_MAX)
        return err_set(err, INVALID, "a reason has at most %u octets", ORDER_REASON_MAX);
    if (out->reason[0] == '\0' && command_sensitive(db, conf, a, out->request_type,
                                                    command_removes(out->request_type, p->keys)))
        return err_set(err, INVALID, "%.64s is a sensitive command: say the reason",
                       out->request_type);
    return OK;
}

bool standing_sensitive(struct db *db, const struct conf *conf, struct arena *a,
                        const struct standing *s)
{
    const char *removes = NULL;
    struct err ignored;
    js keys = NULL;
    bool yes;

    if (s->keys != NULL && js_parse(bytes_str(s->keys), &keys, &ignored) == OK)
        removes = command_removes(s->request_type, keys);
    yes = command_sensitive(db, conf, a, s->request_type, removes);
    js_free(&keys);
    return yes;
}

enum outcome standing_make(struct db *db, const struct conf *conf, struct arena *a,
                           const struct standing_put *p, struct standing *out,
                           struct findings *found, struct err *err)
{
    const struct device_facts unknown = DEVICE_FACTS_UNKNOWN;
    char uuid[UUID_LEN + 1];
    pl root = NULL;
    enum outcome o = particulars(db, conf, a, p, out, err);

    *found = (struct findings){0};
    if (o == OK)
        o = command_build(a, p->request_type, p->keys, &root, uuid, found, err);
    if (o == OK)
        o = command_validate(a, root, &unknown, found, err);
    if (o == OK)
        o = keys_split(conf, a, root, p->keys, out, err);
    pl_free(&root);
    return o;
}

/* ---- a blueprint ---- */

static bool in_force(const struct blueprint *b, int64_t id)
{
    for (size_t i = 0; i < b->norders; i++)
        if (b->orders[i] == id)
            return true;
    return false;
}

/* The sensitive orders of a blueprint that are not in force, of both lists. */
static enum outcome new_sensitive(struct db *db, const struct conf *conf, struct arena *a,
                                  const struct blueprint *b, const struct standing *add,
                                  size_t nadd, const struct standing ***out, size_t *n,
                                  struct err *err)
{
    struct blueprint now;
    enum outcome o = blueprint_now(db, b->group_id, a, &now, err);

    *n = 0;
    *out = arena_array(a, b->norders + nadd + 1, sizeof **out);
    if (o == OK && *out == NULL)
        return err_set(err, ERROR, "out of memory");
    for (size_t i = 0; o == OK && i < nadd; i++)
        if (standing_sensitive(db, conf, a, &add[i]))
            (*out)[(*n)++] = &add[i];
    for (size_t i = 0; o == OK && i < b->norders; i++) {
        struct standing *s = arena_alloc(a, sizeof *s);

        if (in_force(&now, b->orders[i]))
            continue;
        o = s != NULL ? standing_get(db, b->group_id, b->orders[i], a, s, err)
                      : err_set(err, ERROR, "out of memory");
        if (o == OK && standing_sensitive(db, conf, a, s))
            (*out)[(*n)++] = s;
    }
    return o;
}

enum outcome blueprint_sensitive(struct db *db, const struct conf *conf, struct arena *a,
                                 const struct blueprint *b, const struct standing *add, size_t nadd,
                                 bool *sensitive, struct err *err)
{
    const struct standing **list;
    size_t n;
    enum outcome o = new_sensitive(db, conf, a, b, add, nadd, &list, &n, err);

    *sensitive = o == OK && n > 0;
    return o;
}

enum outcome standing_harms(struct db *db, const struct conf *conf, struct arena *a,
                            int64_t group_id, const char *tag, bool *harms, struct err *err)
{
    struct standing *list;
    size_t n;
    enum outcome o = standing_in_force(db, group_id, tag, a, &list, &n, err);

    *harms = false;
    for (size_t i = 0; o == OK && i < n; i++)
        *harms |= standing_sensitive(db, conf, a, &list[i]);
    return o;
}

enum outcome blueprint_put(struct db *db, const struct conf *conf, struct arena *a,
                           struct blueprint_save *s, struct err *err)
{
    const struct standing **list = NULL;
    struct blueprint_ask *asks;
    size_t n = 0;
    enum outcome o = OK;

    if (strcmp(conf->command_approval, "sensitive") == 0)
        o = new_sensitive(db, conf, a, &s->b, s->add, s->nadd, &list, &n, err);
    asks = arena_array(a, n + 1, sizeof *asks);
    if (o == OK && asks == NULL)
        return err_set(err, ERROR, "out of memory");
    s->nasks = 0;
    for (size_t i = 0; i < n; i++)
        asks[s->nasks++] = (struct blueprint_ask){
            .order = list[i],
            .approval = {.id = id_new(),
                         .expires_at = s->now + conf->command_approval_hours * HOUR_US}};
    s->asks = asks;
    return o == OK ? blueprint_save(db, s, err) : o;
}

/* deliver.c: see deliver.h. What is the same for all devices is remembered by the process: the file
 * as the signer opened it, and the signed profile where nothing in it is personal. */
#include "library/deliver.h"

#include "base/limits.h"
#include "library/config_profile.h"
#include "library/profiles.h"
#include "library/variables.h"
#include "store/enrollment.h"
#include "wire/cms.h"
#include "wire/encode.h"
#include "wire/plist.h"
#include "wire/sign.h"

#include <pthread.h>
#include <stdlib.h>

#define ARENA (16u * LIM_MB + 4u * LIM_PROFILE)
#define COMMAND_MAX (3u * LIM_PROFILE)
#define KEPT 8
#define KEPT_OCTETS (16u * LIM_MB)

enum form { FORM_FILE, FORM_SIGNED };

/* ---- what is remembered ---- */

static struct kept {
    int64_t version_id; /* 0: free */
    enum form form;
    uint8_t *p;
    size_t n;
    uint64_t used;
} kept[KEPT];
static uint64_t clock_hand;
static pthread_mutex_t kept_lock = PTHREAD_MUTEX_INITIALIZER;

static void kept_drop(struct kept *k)
{
    if (k->p != NULL)
        secret_wipe(k->p, k->n);
    free(k->p);
    *k = (struct kept){0};
}

/* False: it is not remembered, or there is no memory for a copy. */
static bool kept_find(int64_t version_id, enum form form, struct arena *a, struct bytes *out)
{
    bool found = false;

    pthread_mutex_lock(&kept_lock);
    for (size_t i = 0; !found && i < KEPT; i++)
        if (kept[i].version_id == version_id && kept[i].form == form) {
            kept[i].used = ++clock_hand;
            *out = arena_bytes(a, bytes_of(kept[i].p, kept[i].n));
            found = out->p != NULL;
        }
    pthread_mutex_unlock(&kept_lock);
    return found;
}

/* The place of the one that was used least recently; of those, as many go as are too many octets.
 */
static struct kept *kept_room(size_t n)
{
    for (;;) {
        struct kept *old = NULL, *room = NULL;
        size_t all = n;

        for (size_t i = 0; i < KEPT; i++) {
            all += kept[i].n;
            if (kept[i].version_id == 0)
                room = &kept[i];
            else if (old == NULL || kept[i].used < old->used)
                old = &kept[i];
        }
        if (room != NULL && all <= KEPT_OCTETS)
            return room;
        if (old == NULL)
            return NULL;
        kept_drop(old);
    }
}

static void kept_add(int64_t version_id, enum form form, struct bytes b)
{
    uint8_t *copy = b.n <= KEPT_OCTETS / 2 ? malloc(b.n + 1) : NULL;
    struct kept *k;

    if (copy == NULL)
        return;
    memcpy(copy, b.p, b.n);
    pthread_mutex_lock(&kept_lock);
    for (size_t i = 0; i < KEPT; i++)
        if (kept[i].version_id == version_id && kept[i].form == form)
            kept_drop(&kept[i]);
    k = kept_room(b.n);
    if (k != NULL)
        *k = (struct kept){version_id, form, copy, b.n, ++clock_hand};
    else
        free(copy);
    pthread_mutex_unlock(&kept_lock);
}

/* ---- making it ---- */

struct delivery {
    struct db *db;
    const struct conf *conf;
    const char *ident;
    struct arena *a;
    struct library_item item; /* `current` is the version that is delivered */
    struct enrollment device; /* once it is asked for */
    bool has_device;
};

static enum outcome device_take(struct delivery *d, struct err *err)
{
    enum outcome o =
        d->has_device ? OK : enrollment_get_whole(d->db, d->ident, d->a, &d->device, err);

    d->has_device = o == OK;
    return o;
}

static enum outcome file_take(struct delivery *d, struct bytes *file, struct err *err)
{
    struct buf plain = BUF_INIT(LIM_PROFILE);
    struct library_item again;
    struct bytes sealed;
    enum outcome o;

    if (kept_find(d->item.current.id, FORM_FILE, d->a, file))
        return OK;
    o = library_for_delivery(d->db, d->item.current.id, d->a, &again, &sealed, err);
    if (o == OK)
        o = profile_open(d->item.current.id, sealed, &plain, err);
    if (o == OK && (*file = arena_bytes(d->a, buf_bytes(&plain))).p == NULL)
        o = err_set(err, ERROR, "out of memory");
    if (o == OK)
        kept_add(d->item.current.id, FORM_FILE, *file);
    buf_wipe(&plain);
    return o;
}

/* Puts the payloads into an envelope that the device alone can open. */
static enum outcome encrypt(struct delivery *d, pl root, struct err *err)
{
    struct buf xml = BUF_INIT(2 * LIM_PROFILE), der = BUF_INIT(2 * LIM_PROFILE + 64 * LIM_KB);
    pl content = pl_get(root, "PayloadContent");
    enum outcome o = device_take(d, err);

    if (o == OK && d->device.cert_der.n == 0)
        o = err_set(err, NOT_FOUND,
                    "the device's certificate is not known: nothing can be "
                    "encrypted for it");
    if (o == OK && pl_type_of(content) != PL_ARRAY)
        o = err_set(err, INVALID, "the profile has no payloads that could be encrypted");
    if (o == OK && pl_to_xml(content, &xml) != OK)
        o = err_set(err, INVALID, "the profile is too long with this device's values");
    if (o == OK)
        o = cms_encrypt(buf_bytes(&xml), d->device.cert_der, &der, err);
    if (o == OK) {
        pl_remove(root, "PayloadContent");
        pl_set_data(root, "EncryptedPayloadContent", buf_bytes(&der));
        pl_set_bool(root, "IsEncrypted", true);
    }
    buf_wipe(&xml);
    buf_free(&der);
    return o;
}

/* The property list with everything that is personal; as it stands in the file where nothing is. */
static enum outcome plist_make(struct delivery *d, struct bytes file, struct bytes *out,
                               struct err *err)
{
    struct buf xml = BUF_INIT(2 * LIM_PROFILE);
    struct variables v;
    const char *signed_by;
    pl root = NULL, filled = NULL;
    enum outcome o = config_profile_unwrap(d->a, file, out, &signed_by, err);

    if (o != OK || (d->item.current.variables == 0 && !d->item.encrypt))
        return o;
    o = pl_parse(*out, &root, err);
    if (o == OK)
        o = device_take(d, err);
    if (o == OK) {
        variables_of(&d->device, d->conf->organization, &v);
        o = variables_fill(root, &v, 2 * LIM_PROFILE, &filled, err);
    }
    if (o == OK && d->item.encrypt)
        o = encrypt(d, filled, err);
    if (o == OK && pl_to_xml(filled, &xml) != OK)
        o = err_set(err, INVALID, "the profile is too long with this device's values");
    if (o == OK && (*out = arena_bytes(d->a, buf_bytes(&xml))).p == NULL)
        o = err_set(err, ERROR, "out of memory");
    pl_free(&root);
    pl_free(&filled);
    buf_wipe(&xml);
    return o;
}

static enum outcome profile_make(struct delivery *d, struct bytes *out, struct err *err)
{
    bool personal = d->item.current.variables != 0 || d->item.encrypt;
    bool sign = d->item.kind == LIBRARY_PROFILE && d->item.signing == LIBRARY_SIGNED;
    struct bytes file, plist;
    enum outcome o;

    if (sign && !personal && kept_find(d->item.current.id, FORM_SIGNED, d->a, out))
        return OK;
    o = file_take(d, &file, err);
    if (o != OK)
        return o;
    *out = file;
    if (d->item.kind != LIBRARY_PROFILE || (d->item.signing == LIBRARY_AS_UPLOADED && !personal))
        return OK;
    o = plist_make(d, file, &plist, err);
    if (o == OK)
        *out = plist;
    if (o == OK && sign)
        o = sign_profile(d->a, plist, out, err);
    if (o == OK && sign && !personal)
        kept_add(d->item.current.id, FORM_SIGNED, *out);
    return o;
}

static enum outcome command_fill(const struct delivery *d, struct bytes payload, struct bytes body,
                                 struct buf *out, struct err *err)
{
    pl root = NULL, command;
    enum outcome o = pl_parse(body, &root, err);

    command = pl_get(root, "Command");
    if (o == OK && pl_type_of(command) != PL_DICT)
        o = err_set(err, ERROR, "the stored command has no Command dictionary");
    if (o == OK) {
        pl_set_data(command, d->item.kind == LIBRARY_PROFILE ? "Payload" : "ProvisioningProfile",
                    payload);
        o = pl_to_xml(root, out);
        if (o != OK)
            err_set(err, ERROR, "the command with its profile is too long");
    }
    pl_free(&root);
    return o;
}

enum outcome library_deliver(struct db *db, const struct conf *conf, const char *ident,
                             int64_t version_id, struct bytes body, struct buf *out,
                             struct err *err)
{
    struct delivery d = {.db = db, .conf = conf, .ident = ident, .a = arena_new(ARENA)};
    struct bytes payload = {0};
    enum outcome o = d.a != NULL ? library_delivery_item(db, version_id, d.a, &d.item, err)
                                 : err_set(err, ERROR, "out of memory");

    if (o == OK)
        o = profile_make(&d, &payload, err);
    if (o == OK)
        o = command_fill(&d, payload, body, out, err);
    if (d.a != NULL)
        arena_wipe(d.a);
    arena_free(&d.a);
    return o;
}

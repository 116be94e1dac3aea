/* app_upload.c: see app_upload.h. */
#include "library/app_upload.h"

#include "assets/assets.h"
#include "base/clock.h"
#include "base/limits.h"
#include "library/app_file.h"
#include "library/app_sweep.h"
#include "library/apps.h"

#include <strings.h>

#define READ_US (2 * MINUTE_US) /* who reads it for longer has died of it */

static bool named_as_app(const char *name)
{
    size_t n = strlen(name);

    return n > 4 &&
           (strcasecmp(name + n - 4, ".ipa") == 0 || strcasecmp(name + n - 4, ".pkg") == 0);
}

enum outcome app_upload_begin(struct db *db, const struct conf *conf, struct arena *a,
                              struct upload *u, struct err *err)
{
    char *asset = arena_alloc(a, ASSET_NAME_LEN + 1);
    struct library_item i;
    enum outcome o = db_whole(db, err);

    if (o != OK)
        return o;
    if (!named_as_app(u->filename))
        return err_set(err, INVALID, "the file of an app ends with .ipa or .pkg");
    if (u->size < 1 || u->size > conf->assets_max_mb * LIM_MB)
        return err_set(err, INVALID, "a file has 1 octet to %lld MB ([assets] max_mb)",
                       (long long)conf->assets_max_mb);
    if (u->item_id != 0 && (o = library_get(db, u->item_id, a, &i, err)) == OK &&
        i.kind != LIBRARY_APP)
        o = err_set(err, NOT_FOUND, "%.200s is no app", i.name);
    app_sweep(db, conf, u->started_at);
    if (o == OK)
        o = upload_purge(db, u->started_at - DAY_US, err);
    if (o == OK && asset == NULL)
        o = err_set(err, ERROR, "out of memory");
    if (o == OK)
        o = asset_begin(conf, a, asset, err);
    u->asset = asset;
    return o == OK ? upload_add(db, u, err) : o;
}

/* The app that the file is a version of: the one it was uploaded for, or one that has its
 * identifier. *known: it is there with this very file: it was stored before. */
static enum outcome item_of(struct db *db, const struct conf *conf, struct arena *a,
                            const struct upload *u, int64_t *item_id, bool *known, struct err *err)
{
    const char *path = asset_path(conf, a, u->asset);
    struct library_item i;
    struct app_file f;
    enum outcome o = path != NULL ? app_file_read(a, path, &f, err)
                                  : err_set(err, INVALID, "the file is not there any more");

    *item_id = u->item_id;
    *known = false;
    if (o != OK || u->item_id != 0)
        return o;
    o = library_find(db, LIBRARY_APP, f.bundle_id, a, &i, err);
    if (o == NOT_FOUND)
        return OK;
    if (o == OK) {
        *item_id = i.id;
        *known = strstr(i.current.details, u->asset) != NULL;
    }
    return o;
}

/* All of it is there. */
static enum outcome finish(struct db *db, const struct conf *conf, struct arena *a,
                           struct upload *u, int64_t now, struct err *err)
{
    struct app_put p = {.file = u->asset, .actor = u->started_by, .now = now};
    struct err why = {0};
    bool known = false, moved;
    enum outcome o = item_of(db, conf, a, u, &p.item_id, &known, &why);

    p.stage = p.item_id != 0;
    p.stored_id = p.item_id;
    if (o == OK && !known)
        o = app_put(db, conf, a, &p, &why);
    if (o == UNAVAILABLE || o == ERROR) {
        *err = why; /* it can be tried again */
        return upload_move(db, u->id, UPLOAD_READING, UPLOAD_OPEN, "", 0, now, &moved, err) == OK
                   ? o
                   : err->outcome;
    }
    u->state = o == OK ? UPLOAD_DONE : UPLOAD_FAILED;
    u->why = o == OK ? "" : arena_strdup(a, why.msg);
    u->done_item = o == OK ? p.stored_id : 0;
    if (u->why == NULL)
        u->why = "";
    o = upload_move(db, u->id, UPLOAD_READING, u->state, u->why, u->done_item, now, &moved, err);
    if (o == OK && u->state == UPLOAD_FAILED && asset_remove(conf, a, u->asset, &why) != OK)
        u->state = UPLOAD_FAILED; /* the sweep takes it away later */
    return o;
}

/* One request alone reads it. */
static enum outcome finish_once(struct db *db, const struct conf *conf, struct arena *a,
                                struct upload *u, int64_t now, struct err *err)
{
    bool mine = false;
    int from = u->state;
    enum outcome o = OK;

    if (from == UPLOAD_OPEN || (from == UPLOAD_READING && now - u->changed_at > READ_US))
        o = upload_move(db, u->id, from, UPLOAD_READING, "", 0, now, &mine, err);
    if (o != OK || !mine)
        return o == OK ? upload_get(db, u->id, u->started_by, a, u, err) : o;
    u->state = UPLOAD_READING;
    return finish(db, conf, a, u, now, err);
}

enum outcome app_upload_part(struct db *db, const struct conf *conf, struct arena *a, int64_t id,
                             const char *by, int64_t offset, struct bytes octets, int64_t now,
                             struct upload *u, struct err *err)
{
    int64_t size = 0;
    enum outcome o = upload_get(db, id, by, a, u, err);

    if (o != OK || u->state == UPLOAD_DONE || u->state == UPLOAD_FAILED)
        return o;
    if (u->state == UPLOAD_STOPPED)
        return err_set(err, CONFLICT, "the upload was stopped");
    if (u->state == UPLOAD_OPEN) {
        if (offset > u->size || offset + (int64_t)octets.n > u->size)
            return err_set(err, INVALID, "the file was to have %lld octets", (long long)u->size);
        o = asset_add(conf, a, u->asset, offset, octets, &size, err);
        if (o == CONFLICT)
            u->received = size;
        if (o == NOT_FOUND) /* it has not grown for a day, or was read by one that died */
            size = asset_path(conf, a, u->asset) != NULL ? u->size : 0;
        if (o == NOT_FOUND && size != 0)
            o = OK;
        if (o == OK)
            o = upload_grew(db, id, size, now, err);
        if (o != OK)
            return o;
        u->received = size;
    }
    return u->received == u->size ? finish_once(db, conf, a, u, now, err) : OK;
}

enum outcome app_upload_stop(struct db *db, const struct conf *conf, struct arena *a, int64_t id,
                             const char *by, int64_t now, struct err *err)
{
    struct upload u;
    bool moved = false;
    enum outcome o = upload_get(db, id, by, a, &u, err);

    if (o == OK)
        o = upload_move(db, id, UPLOAD_OPEN, UPLOAD_STOPPED, "", 0, now, &moved, err);
    if (o == OK && !moved && u.state != UPLOAD_STOPPED)
        return err_set(err, CONFLICT, "the upload has ended already");
    return o == OK ? asset_remove(conf, a, u.asset, err) : o;
}

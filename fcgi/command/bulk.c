/* bulk.c: see bulk.h. */
#include "command/bulk.h"

#include "base/clock.h"
#include "base/limits.h"
#include "command/build.h"
#include "command/checked.h"
#include "command/retry.h"
#include "store/bulk.h"
#include "store/failed.h"
#include "store/queue.h"
#include "store/wanted.h"

#define SLICE 200
#define RETRIES 50 /* each may be a command of its own */
#define ITEMS 2000
#define PUSH_KEEP_MIN (7 * 86400)

const char *const bulk_commands[] = {"DeviceInformation",
                                     "SecurityInfo",
                                     "InstalledApplicationList",
                                     "ProfileList",
                                     "CertificateList",
                                     "Restrictions",
                                     "ManagedApplicationList",
                                     "AvailableOSUpdates",
                                     "RestartDevice",
                                     "ShutDownDevice",
                                     "UserList",
                                     "ProvisioningProfileList",
                                     NULL};

/* What those need that cannot do without keys. */
static const char INFORMATION[] =
    "{\"Queries\":[\"DeviceName\",\"OSVersion\",\"BuildVersion\",\"ModelName\",\"ProductName\","
    "\"SerialNumber\",\"DeviceCapacity\",\"AvailableDeviceCapacity\",\"BatteryLevel\","
    "\"IsSupervised\",\"IsActivationLockEnabled\",\"WiFiMAC\"]}";

bool bulk_command_known(const char *request_type)
{
    const char *const *c = bulk_commands;
    while (*c && strcmp(*c, request_type) != 0)
        c++;
    return *c != NULL;
}

struct turn {
    const struct conf *conf;
    struct arena *a;
    struct bulk_job job;
    bool more, apart; /* apart: not in the unit in which the job was read */
};

static enum outcome command_make(struct arena *a, const char *type, struct raw_command *out,
                                 struct err *err)
{
    struct findings found;
    struct buf xml = BUF_INIT(LIM_MB);
    char uuid[UUID_LEN + 1];
    js keys = NULL;
    pl root = NULL;
    if (!bulk_command_known(type))
        return err_set(err, INVALID, "%s is not sent to many devices at once", type);
    if (strcmp(type, "DeviceInformation") != 0)
        return raw_command_simple(a, type, out, err);
    enum outcome o = js_parse(bytes_str(INFORMATION), &keys, err);
    if (o == OK)
        o = command_build(a, type, keys, &root, uuid, &found, err);
    if (o == OK)
        o = pl_to_xml(root, &xml) == OK ? raw_command_read(a, buf_bytes(&xml), out, err)
                                        : err_set(err, ERROR, "out of memory");
    js_free(&keys);
    pl_free(&root);
    buf_free(&xml);
    return o;
}

/* Those of the slice that can have the command, by what is known of them. */
static enum outcome fit(struct db *db, struct turn *t, struct bulk_job *j,
                        const struct bulk_device *d, size_t n, const char **idents, size_t *fits,
                        struct err *err)
{
    cat command = catalogue_find(j->request_type);
    const struct enrollment_filter f = {.idents = idents, .nidents = n};
    struct enrollment_cursor at = {0, 0};
    struct enrollment *e;
    size_t found;
    bool more;
    for (size_t i = 0; i < n; i++)
        idents[i] = d[i].ident;
    enum outcome o = enrollment_list(db, &f, ENROLLMENT_BY_ID, &at, 0, LIM_PAGE, false, t->a, &e,
                                     &found, &more, err);
    *fits = 0;
    for (size_t i = 0; o == OK && i < found; i++) {
        struct device_facts facts = device_facts_of(&e[i]);
        const char *why;
        if (e[i].state == ENROLLMENT_ENROLLED && command_has(t->a, command, &facts, &why))
            idents[(*fits)++] = e[i].ident;
    }
    j->refused += o == OK ? (int64_t)(n - *fits) : 0;
    return o;
}

static enum outcome queue_slice(struct db *db, struct turn *t, struct bulk_job *j,
                                const char *const *idents, size_t n, struct err *err)
{
    struct raw_command c;
    struct enqueue e = {.request_type = j->request_type,
                        .idents = idents,
                        .n = n,
                        .actor = j->created_by,
                        .push = true,
                        .push_keep_s = t->conf->apns_expiration_s > 0 ? t->conf->apns_expiration_s
                                                                      : PUSH_KEEP_MIN,
                        .outcomes = arena_array(t->a, n, sizeof *e.outcomes),
                        .enrollment_ids = arena_array(t->a, n, sizeof *e.enrollment_ids),
                        .now = clock_now()};
    if (!e.outcomes || !e.enrollment_ids)
        return err_set(err, ERROR, "out of memory");
    enum outcome o = command_make(t->a, j->request_type, &c, err);
    if (o != OK)
        return o;
    e.uuid = c.uuid;
    e.body = c.xml;
    o = queue_add_within(db, &e, t->a, err);
    if (o != OK && o != NOT_FOUND)
        return o;
    for (size_t i = 0; i < n; i++) {
        bool took = o == OK && e.outcomes[i] == ENQUEUE_OK;
        j->queued += took;
        j->refused += !took;
    }
    return OK;
}

static enum outcome command_slice(struct db *db, struct turn *t, struct bulk_job *j,
                                  struct err *err)
{
    struct bulk_device *d;
    size_t n, fits = 0;
    enum outcome o = bulk_slice(db, j, SLICE, t->a, &d, &n, err);
    if (o != OK)
        return o;
    const char **idents = arena_array(t->a, n + 1, sizeof *idents);
    if (!idents)
        return err_set(err, ERROR, "out of memory");
    if (n)
        o = fit(db, t, j, d, n, idents, &fits, err);
    if (o == OK && fits)
        o = queue_slice(db, t, j, idents, fits, err);
    j->last_id = n ? d[n - 1].id : j->last_id;
    t->more = n == SLICE;
    return o;
}

static enum outcome item_slice(struct db *db, struct turn *t, struct bulk_job *j, struct err *err)
{
    uint64_t n = 0;
    db_scope(db, j->scope);
    enum outcome o = wanted_retry_some(db, j->item_id, j->created_at, ITEMS, clock_now(), &n, err);
    db_scope(db, 0);
    j->queued += (int64_t)n;
    t->more = n == ITEMS;
    return o;
}

/* What is left of it, and the next of these; each is sent in a unit of its own. */
static enum outcome failed_slice(struct db *db, struct turn *t, struct bulk_job *j, struct err *err)
{
    struct failed_filter f = {.since = j->failed_since,
                              .before = j->last_id ? j->last_id : j->failed_before,
                              .request_type = *j->request_type ? j->request_type : NULL,
                              .not_again = true};
    struct retry r = {.reason = j->reason, .push = !j->no_push, .no_wait = true, .many = true};
    struct failed *list;
    size_t n = 0;
    int64_t next = 0;
    enum outcome o = j->total < 0 ? failed_count(db, &f, t->a, &j->total, err) : OK;
    if (o == OK)
        o = failed_list(db, &f, RETRIES, t->a, &list, &n, &next, err);
    if (o == OK && !(r.list = arena_array(t->a, n + 1, sizeof *r.list)))
        return err_set(err, ERROR, "out of memory");
    for (; o == OK && r.n < n; r.n++)
        r.list[r.n] = (struct retry_one){.ident = list[r.n].ident, .uuid = list[r.n].uuid};
    if (o == OK && n)
        o = retry_run(db, t->conf, t->a, j->created_by, clock_now(), &r, err);
    j->queued += (int64_t)(r.counts[RETRY_QUEUED] + r.counts[RETRY_OPEN]);
    j->refused += (int64_t)(r.counts[RETRY_REFUSED] + r.counts[RETRY_ASKED]);
    j->last_id = next;
    t->more = next != 0;
    return o;
}

/* What is the same at every turn ends the job. */
static enum outcome note(struct db *db, struct turn *t, enum outcome o, struct err *err)
{
    const char *why = NULL;
    if (o == INVALID) {
        why = arena_strdup(t->a, err->msg);
        t->more = false;
    } else if (o != OK) {
        return o;
    }
    t->job.state = why ? BULK_FAILED : t->more ? BULK_OPEN : BULK_DONE;
    return bulk_progress(db, &t->job, why, clock_now(), err);
}

static enum outcome turn_unit(struct db *db, void *arg, struct err *err)
{
    struct turn *t = arg;
    t->more = false;
    arena_reset(t->a);
    enum outcome o = bulk_next(db, t->a, &t->job, err);
    if (o != OK || (t->apart = t->job.task == BULK_FAILED_AGAIN))
        return o;
    o = bulk_lock(db, t->job.id, t->a, err);
    if (o != OK)
        return o;
    o = t->job.task == BULK_ITEM ? item_slice(db, t, &t->job, err)
                                 : command_slice(db, t, &t->job, err);
    return note(db, t, o, err);
}

enum outcome bulk_turn(struct db *db, const struct conf *conf, bool *more, struct err *err)
{
    struct turn t = {.conf = conf, .a = arena_new(32 * LIM_MB)};
    enum outcome o = t.a ? db_unit(db, turn_unit, &t, err) : err_set(err, ERROR, "out of memory");
    if (o == OK && t.apart) {
        db_scope(db, t.job.scope);
        o = failed_slice(db, &t, &t.job, err);
        db_scope(db, 0);
        o = note(db, &t, o, err);
    }
    *more = o == OK && t.more;
    arena_free(&t.a);
    return o == NOT_FOUND ? OK : o;
}

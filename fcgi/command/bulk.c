/* bulk.c: see bulk.h. */
#include "command/bulk.h"

#include "base/clock.h"
#include "base/limits.h"
#include "command/build.h"
#include "command/checked.h"
#include "store/bulk.h"
#include "store/queue.h"

#define SLICE 200
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
    bool more;
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

static enum outcome turn_unit(struct db *db, void *arg, struct err *err)
{
    struct turn *t = arg;
    struct bulk_job j;
    struct bulk_device *d;
    size_t n, fits = 0;
    t->more = false;
    arena_reset(t->a);
    enum outcome o = bulk_next(db, t->a, &j, err);
    if (o == OK)
        o = bulk_slice(db, &j, SLICE, t->a, &d, &n, err);
    if (o != OK)
        return o;
    const char **idents = arena_array(t->a, n + 1, sizeof *idents);
    if (!idents)
        return err_set(err, ERROR, "out of memory");
    if (n)
        o = fit(db, t, &j, d, n, idents, &fits, err);
    if (o == OK && fits)
        o = queue_slice(db, t, &j, idents, fits, err);
    if (o == INVALID) { /* it would be the same at every turn */
        j.state = BULK_FAILED;
        return bulk_progress(db, &j, err->msg, clock_now(), err);
    }
    if (o != OK)
        return o;
    j.last_id = n ? d[n - 1].id : j.last_id;
    j.state = n < SLICE ? BULK_DONE : BULK_OPEN;
    t->more = j.state == BULK_OPEN;
    return bulk_progress(db, &j, NULL, clock_now(), err);
}

enum outcome bulk_turn(struct db *db, const struct conf *conf, bool *more, struct err *err)
{
    struct turn t = {.conf = conf, .a = arena_new(32 * LIM_MB)};
    enum outcome o = t.a ? db_unit(db, turn_unit, &t, err) : err_set(err, ERROR, "out of memory");
    *more = o == OK && t.more;
    arena_free(&t.a);
    return o == NOT_FOUND ? OK : o;
}

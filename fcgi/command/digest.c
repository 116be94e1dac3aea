/* digest.c: the list of reports is worked off: see digest.h. */
#include "command/digest.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "command/digest_int.h"
#include "command/secrets.h"
#include "store/inventory_ahead.h"
#include "store/queue_state.h"

#define LOOK 256                      /* reports that are looked at in one turn */
#define TOGETHER 32                   /* reports of one unit of work */
#define TOGETHER_OCTETS (8u * LIM_MB) /* and their size, unless it is one alone */
#define ARENA_MAX (512u * LIM_MB)     /* the largest report, read and compared */
#define BACK (2 * MINUTE_US)          /* clocks of hosts, and commits that come late */
#define LOOK_AT_ALL (5 * MINUTE_US)   /* late results of commands that were closed long ago */

static const struct {
    const char *request_type;
    digest_fn *fn;
    bool errors_too; /* also when the status is not Acknowledged */
} readers[] = {
    {"EnableLostMode", digest_lost_mode_on, false},
    {"DisableLostMode", digest_lost_mode_off, false},
    {"DeviceInformation", digest_device_information, false},
    {"SecurityInfo", digest_security_info, false},
    {"ProfileList", digest_profiles, false},
    {"ProvisioningProfileList", digest_provisioning, false},
    {"CertificateList", digest_certificates, false},
    {"InstalledApplicationList", digest_apps, false},
    {"ManagedApplicationList", digest_managed_apps, false},
    {"InstallApplication", digest_install_app, true},
    {"RemoveApplication", digest_remove_app, false},
    {"ApplyRedemptionCode", digest_redemption, true},
    {"ManagedApplicationConfiguration", digest_app_configuration, false},
    {"ManagedApplicationAttributes", digest_app_attributes, false},
    {"ManagedApplicationFeedback", digest_app_feedback, false},
    {"Restrictions", digest_restrictions, false},
    {"UserList", digest_users, false},
    {"AvailableOSUpdates", digest_updates, false},
    {"OSUpdateStatus", digest_update_status, false},
    {"Settings", digest_settings, true},
};

/* ---- one report ---- */

/* A secret goes into its own table, sealed as it came; one that is not (a report from before they
 * were) goes nowhere. */
static pl take_secret(const char *key, const char *parent, pl value, void *arg)
{
    struct digesting *d = arg;
    size_t mark = sizeof SECRET_SEALED - 1;
    bool of_app = strcmp(key, "UnusedRedemptionCode") == 0;
    struct bytes sealed;

    if (d->secrets_outcome != OK || !pl_data(value, &sealed) || sealed.n <= mark ||
        memcmp(sealed.p, SECRET_SEALED, mark) != 0)
        return NULL;
    sealed = bytes_of(sealed.p + mark, sealed.n - mark);
    if (of_app && digest_code_back(d, digest_key(d, parent, 255)))
        return NULL;
    if (strcmp(key, "UnlockToken") == 0)
        d->secrets_outcome = inv_unlock_token(d->db, &d->src, sealed, d->err);
    else
        d->secrets_outcome = inv_secret_put(
            d->db, &d->src, key, of_app ? digest_key(d, parent, 255) : "", sealed, d->err);
    return NULL;
}

static enum outcome read_answer(struct digesting *d)
{
    bool good = d->r->state == QUEUE_ACKNOWLEDGED;

    secrets_replace(d->root, catalogue_find(d->r->request_type), CATALOGUE_ANSWER, take_secret, d,
                    d->a);
    if (d->secrets_outcome != OK)
        return d->secrets_outcome;
    for (size_t i = 0; i < sizeof readers / sizeof *readers; i++)
        if (strcmp(readers[i].request_type, d->r->request_type) == 0)
            return good || readers[i].errors_too ? readers[i].fn(d) : OK;
    return good ? digest_answer(d) : OK;
}

static enum outcome read_trees(struct digesting *d, pl *command_root)
{
    enum outcome o = pl_parse(d->r->report, &d->root, d->err);

    if (o == OK && pl_type_of(d->root) != PL_DICT)
        o = err_set(d->err, INVALID, "the report is no dictionary");
    if (o == OK && d->r->command.n > 0 && pl_parse(d->r->command, command_root, d->err) == OK)
        d->command = pl_get(*command_root, "Command");
    return o;
}

static enum outcome whole(const struct digesting *d)
{
    int64_t octets;

    if (d->r->state != QUEUE_ACKNOWLEDGED || !pl_get_int(d->root, DIGEST_LEFT_OUT, &octets))
        return OK;
    return err_set(d->err, INVALID,
                   "the device sent %lld octets, more than can be kept: only what is short was",
                   (long long)octets);
}

static enum outcome read_report(struct db *db, const struct digest_report *r,
                                struct inv_ahead *ahead, struct arena *a, struct err *err)
{
    struct digesting d = {.db = db,
                          .a = a,
                          .r = r,
                          .src = {r->enrollment_id, r->command_id, r->reported_at, ahead},
                          .err = err};
    pl command_root = NULL;
    enum outcome o = OK;

    if (r->report.n == 0)
        return OK;
    o = read_trees(&d, &command_root);
    if (o == OK)
        o = whole(&d);
    if (o == OK)
        o = digest_errors(&d, d.root, 0);
    if (o == OK)
        o = read_answer(&d);
    if (o == OK)
        o = inv_events_write(db, &d.src, &d.events, a, err);
    pl_free(&d.root);
    pl_free(&command_root);
    return o;
}

/* ---- some together, in one unit ---- */

struct some {
    const struct digest_item *items;
    size_t n;
    struct arena *a;
};

static enum outcome some_unit(struct db *db, void *arg, struct err *err)
{
    struct some *s = arg;
    struct digest_report *r = NULL;
    struct inv_ahead *ahead = NULL;
    int64_t id[TOGETHER];
    size_t n = 0;
    enum outcome o;

    arena_reset(s->a);
    o = digest_take(db, s->items, s->n, s->a, &r, &n, err);
    for (size_t i = 0; o == OK && i < n; i++)
        id[i] = r[i].enrollment_id;
    if (o == OK)
        o = inv_ahead_open(db, id, n, s->a, &ahead, err);
    for (size_t i = 0; o == OK && i < n; i++)
        o = read_report(db, &r[i], ahead, s->a, err);
    if (o == OK)
        o = inv_ahead_close(ahead, db, err);
    return o == OK ? digest_done(db, r, n, s->a, err) : o;
}

/* A report that cannot be read must not keep the others: it is found by doing each alone. */
static enum outcome do_each(struct db *db, const struct some *s, struct err *err)
{
    for (size_t i = 0; i < s->n; i++) {
        struct some one = {&s->items[i], 1, s->a};
        enum outcome o = db_unit(db, some_unit, &one, err);

        if (o == OK)
            continue;
        if (o == UNAVAILABLE)
            return o;
        log_err(LOG_LEVEL_WARNING, "digest.set_aside", err);
        o = digest_set_aside(db, one.items, err->msg, clock_now(), err);
        if (o != OK)
            return o;
    }
    return OK;
}

static enum outcome do_some(struct db *db, struct some *s, struct err *err)
{
    enum outcome o = db_unit(db, some_unit, s, err);

    return o == OK || o == UNAVAILABLE ? o : do_each(db, s, err);
}

static size_t how_many(const struct digest_item *items, size_t n)
{
    size_t k = 1, octets = items[0].size;

    while (k < n && k < TOGETHER && octets + items[k].size <= TOGETHER_OCTETS)
        octets += items[k++].size;
    return k;
}

static enum outcome do_all(struct db *db, const struct digest_item *items, size_t n, size_t *done,
                           struct err *err)
{
    struct arena *a = arena_new(ARENA_MAX);
    enum outcome o = OK;

    if (a == NULL)
        return err_set(err, ERROR, "out of memory");
    while (o == OK && *done < n) {
        struct some s = {items + *done, how_many(items + *done, n - *done), a};

        o = do_some(db, &s, err);
        if (o == OK)
            *done += s.n;
    }
    arena_free(&a);
    return o;
}

enum outcome digest_turn(struct db *db, struct digest_place *place, size_t *done, struct err *err)
{
    struct arena *a = arena_new(LIM_MB);
    struct digest_item *items = NULL;
    int64_t now = clock_mono();
    size_t n = 0;
    enum outcome o;

    *done = 0;
    if (a == NULL)
        return err_set(err, ERROR, "out of memory");
    if (place->looked_at == 0 || now - place->looked_at > LOOK_AT_ALL) {
        place->from = 0;
        place->looked_at = now;
    }
    o = digest_waiting(db, place->from, LOOK, a, &items, &n, err);
    if (o == OK && n > 0)
        place->oldest_at = items[0].closed_at;
    if (o == OK && n > 0)
        o = do_all(db, items, n, done, err);
    if (o == OK && n > 0 && items[n - 1].closed_at - BACK > place->from)
        place->from = items[n - 1].closed_at - BACK;
    arena_free(&a);
    return o;
}

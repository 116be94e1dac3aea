/* converge_act.c: what is due becomes commands: see converge.h. */
#include "library/converge_int.h"

#include "base/log.h"
#include "base/uuid.h"
#include "command/checked.h"
#include "library/apps.h"
#include "library/config_profile.h"
#include "store/library.h"
#include "store/who.h"

#include <stdio.h>
#include <stdlib.h>

#define CHECK_US (10 * MINUTE_US) /* an open command is looked up so often */
#define WAIT_US (10 * MINUTE_US)  /* what waits looks again, unless it is woken */
#define AWAY_US HOUR_US           /* a device that is not enrolled */
#define HALT_MIN 5                /* failures */
#define WAVE_TIMES 10
#define WAVE_US DAY_US /* devices that are away do not hold a wave up for longer */

/* Rows that get the same: an item in a version, to be installed or removed. */
struct batch_of {
    const struct wanted_due **d;
    size_t n;
    struct library_version version;
    bool known; /* the version was found */
};

static int by_item(const void *a, const void *b)
{
    const struct wanted_due *x = *(const struct wanted_due *const *)a;
    const struct wanted_due *y = *(const struct wanted_due *const *)b;

    if (x->item_id != y->item_id)
        return x->item_id < y->item_id ? -1 : 1;
    if (x->wanted != y->wanted)
        return x->wanted ? 1 : -1;
    if (x->version != y->version)
        return x->version < y->version ? -1 : 1;
    if (x->tell != y->tell)
        return x->tell < y->tell ? -1 : 1;
    return (x->enrollment_id > y->enrollment_id) - (x->enrollment_id < y->enrollment_id);
}

static enum outcome note_one(struct converge *c, const struct wanted_due *d, int state,
                             int64_t due_at, const char *reason, struct err *err)
{
    c->did++;
    return wanted_note(c->db, &d, 1, state, due_at, reason, c->a, err);
}

static struct device_facts facts_of(const struct wanted_due *d)
{
    const struct fleet_target t = {.kind = d->enrollment_kind,
                                   .product_name = d->product_name,
                                   .os_version = d->os_version,
                                   .rights = -1,
                                   .supervised = d->supervised,
                                   .dep = -1,
                                   .shared_ipad = d->shared_ipad,
                                   .user_enrolment = -1};

    return device_facts_told(&t);
}

/* ---- what stands in the way of one device ---- */

static enum outcome passcode_wait(struct converge *c, const struct wanted_due *d, int64_t now,
                                  struct err *err)
{
    enum outcome o = OK;

    if (d->security_at < now - WAIT_US)
        o = converge_command(c, "SecurityInfo", d->device_ident, "converge:SecurityInfo", now, err);
    return o == OK ? note_one(c, d, WANTED_PENDING, now + WAIT_US,
                              "waits until the passcode is compliant", err)
                   : o;
}

/* Why the device cannot have it; NULL: it can, as far as is known. */
static const char *refused(struct converge *c, const struct batch_of *b,
                           const struct device_facts *facts)
{
    if (b->d[0]->kind == LIBRARY_APP)
        return facts->platform != PLATFORM_UNKNOWN && b->version.platforms != 0 &&
                       !(b->version.platforms & (1u << facts->platform))
                   ? "the app is not for this platform"
                   : NULL;
    return config_profile_refused(c->a, b->version.types, facts);
}

/* True: it may go ahead. */
static bool clear(struct converge *c, const struct wanted_due *d, const struct batch_of *b,
                  int64_t now, enum outcome *o, struct err *err)
{
    struct device_facts facts = facts_of(d);
    const char *why;

    if (d->enrollment_state != ENROLLMENT_ENROLLED)
        *o = d->wanted
                 ? note_one(c, d, WANTED_PENDING, now + AWAY_US, "the device is not enrolled", err)
                 : note_one(c, d, WANTED_REMOVED, now, "the device left", err);
    else if (!d->wanted && d->installed_version == 0 && !d->command_open)
        *o = note_one(c, d, WANTED_REMOVED, now, "", err);
    else if (!d->wanted)
        return true;
    else if (!b->known)
        *o = note_one(c, d, WANTED_FAILED, now + DAY_US, "the version is not in the library", err);
    else if ((why = refused(c, b, &facts)) != NULL)
        *o = note_one(c, d, WANTED_REFUSED, now, why, err);
    else if (d->after_id != 0 && !d->after_installed)
        *o = note_one(c, d, WANTED_PENDING, now + WAIT_US, "waits for another item to be installed",
                      err);
    else if (d->after_passcode && d->passcode_ok != 1)
        *o = passcode_wait(c, d, now, err);
    else
        return true;
    return false;
}

/* ---- waves ---- */

/* How many more devices may get a version now; those beyond wait for the next wave. */
static enum outcome allowance(struct converge *c, const struct wanted_due *d, size_t want,
                              int64_t now, size_t *out, const char **why, struct err *err)
{
    struct rollout r;
    enum outcome o = rollout_get(c->db, d->item_id, d->version, c->a, &r, err);
    int64_t settled = r.installed + r.failed, begun = settled + r.queued;
    bool fresh = false;

    *out = 0;
    if (o != OK)
        return o;
    if (r.halted_at == 0 && d->halt_percent > 0 && r.failed - r.forgiven >= HALT_MIN &&
        (r.failed - r.forgiven) * 100 >= settled * d->halt_percent) {
        char text[128];

        snprintf(text, sizeof text, "version %d failed on %lld of %lld devices", d->version,
                 (long long)r.failed, (long long)settled);
        o = rollout_halt(c->db, d->item_id, d->version, text, now, &fresh, err);
        r.halted_at = now;
        if (fresh)
            log_msg(LOG_LEVEL_ERROR, "converge.halted", "%.200s: %s", d->identifier, text);
    }
    *why = "too many devices failed: halted until somebody resumes it";
    if (o != OK || r.halted_at != 0)
        return o;
    *out = want;
    if (d->wave_first == 0)
        return OK;
    if (r.released == 0 || (begun >= r.released && settled * 2 >= r.released) ||
        (begun >= r.released && now - r.wave_at >= WAVE_US)) {
        r.released = r.released == 0 ? d->wave_first : r.released * WAVE_TIMES;
        o = rollout_release(c->db, d->item_id, d->version, r.released, now, err);
    }
    *why = "waits for its wave";
    if (begun + (int64_t)want > r.released)
        *out = r.released > begun ? (size_t)(r.released - begun) : 0;
    return o;
}

/* ---- commands ---- */

static enum outcome queue_batch(struct converge *c, const struct batch_of *b, int64_t now,
                                struct err *err)
{
    const struct wanted_due *d = b->d[0];
    char uuid[UUID_LEN + 1], key[48];
    bool file = d->wanted && d->kind != LIBRARY_APP;
    size_t queued = 0;
    struct bytes body;
    enum outcome o;

    uuid_v4(uuid);
    snprintf(key, sizeof key, "item:%lld", (long long)d->item_id);
    if (d->tell & WANTED_TELL_NOTHING)
        return wanted_told(c->db, b->d, b->n, now, c->a, err);
    o = converge_item_command(c, d, &b->version, uuid, &body, err);
    if (o == INVALID) /* settings that were taken once and are none any more */
        return wanted_note(c->db, b->d, b->n, WANTED_FAILED, now + DAY_US, err->msg, c->a, err);
    struct enqueue e = {.uuid = uuid,
                        .request_type = converge_request_type(d),
                        .body = body,
                        .fill = file                                 ? COMMAND_FILL_FILE
                                : d->wanted && d->app.variables != 0 ? COMMAND_FILL_VALUES
                                                                     : 0,
                        .fill_from = file ? b->version.id : 0,
                        .dedupe_key = key,
                        .dedupe = DEDUPE_SUPERSEDE,
                        .actor = CONVERGE_ACTOR,
                        .push = true,
                        .push_keep_s = c->conf->apns_expiration_s,
                        .now = now};
    if (o == OK)
        o = wanted_queue(c->db, b->d, b->n, &e, now + CHECK_US, &queued, err);
    if (queued > 0)
        log_msg(LOG_LEVEL_INFO, "converge.queued", "%s %.128s version %d for %zu devices",
                e.request_type, d->identifier, d->version, queued);
    c->did += queued;
    return o;
}

static enum outcome batch_run(struct converge *c, struct batch_of *b, int64_t now, struct err *err)
{
    const char *why = "";
    size_t n = 0, allowed;
    enum outcome o =
        library_version_any(c->db, b->d[0]->item_id, b->d[0]->version, c->a, &b->version, err);

    b->known = o == OK;
    o = o == NOT_FOUND ? OK : o;
    for (size_t i = 0; o == OK && i < b->n; i++)
        if (clear(c, b->d[i], b, now, &o, err))
            b->d[n++] = b->d[i];
    allowed = n;
    if (o == OK && n > 0 && b->d[0]->wanted)
        o = allowance(c, b->d[0], n, now, &allowed, &why, err);
    if (o == OK && allowed < n)
        o = wanted_note(c->db, b->d + allowed, n - allowed, WANTED_PENDING, now + MINUTE_US, why,
                        c->a, err);
    b->n = allowed;
    return o == OK && allowed > 0 ? queue_batch(c, b, now, err) : o;
}

/* A Mac has no attributes of apps, and an app that is not managed has no settings. */
static void tell_less(struct wanted_due *d)
{
    enum platform platform = platform_of(d->product_name);

    if (d->tell == 0)
        return;
    if (platform == PLATFORM_MACOS)
        d->tell &= ~WANTED_TELL_ATTRIBUTES;
    if (d->tell == 0 || !app_is_managed(d->settings, platform))
        d->tell = WANTED_TELL_NOTHING;
}

static enum outcome act_on(struct converge *c, int state, int64_t now, struct err *err)
{
    struct wanted_due *list = NULL;
    const struct wanted_due **d;
    size_t n = 0;
    enum outcome o;

    arena_reset(c->a);
    o = wanted_due(c->db, state, now, CONVERGE_SOME, c->a, &list, &n, err);
    if (o != OK || n == 0)
        return o;
    d = arena_array(c->a, n, sizeof *d);
    if (d == NULL)
        return err_set(err, ERROR, "out of memory");
    for (size_t i = 0; i < n; i++) {
        tell_less(&list[i]);
        d[i] = &list[i];
    }
    qsort(d, n, sizeof *d, by_item);
    for (size_t from = 0, k; o == OK && from < n; from += k) {
        struct batch_of b = {.d = d + from};

        for (k = 1; from + k < n && d[from + k]->item_id == d[from]->item_id &&
                    d[from + k]->wanted == d[from]->wanted &&
                    d[from + k]->version == d[from]->version && d[from + k]->tell == d[from]->tell;)
            k++;
        b.n = k;
        o = batch_run(c, &b, now, err);
    }
    return o;
}

enum outcome converge_act(struct converge *c, int64_t now, struct err *err)
{
    enum outcome o = act_on(c, WANTED_PENDING, now, err);

    return o == OK ? act_on(c, WANTED_FAILED, now, err) : o;
}

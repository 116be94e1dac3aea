/* errands.c: see errands.h. */
#include "enrollment/errands.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/utf8.h"
#include "base/uuid.h"
#include "command/order.h"
#include "command/platform.h"
#include "enrollment/remove.h"
#include "store/enrollprofile.h"
#include "store/errand.h"
#include "store/offer.h"

#define BATCH 20
#define LEAVE_WAIT_US (7 * DAY_US) /* to remove the profile; then it is ended with 401 */

struct turn {
    struct db *db;
    const struct conf *conf;
    struct arena *a;
    const struct errand *e;
    const struct own_device *device;
    const char *actor, *reason;
    const char *refused; /* why it was not done; NULL: it was */
};

/* Taking and giving back: one unit with the end of the errand. */
static enum outcome choose_unit(struct db *db, void *arg, struct err *err)
{
    struct turn *t = arg;
    const struct errand *e = t->e;
    enum outcome o = e->what == ERRAND_TAKE
                         ? offer_take(db, e->enrollment_id, e->item_id, clock_now(), t->a, err)
                         : offer_give_back(db, e->enrollment_id, e->item_id, err);
    t->refused = NULL;
    if (o == NOT_FOUND) {
        t->refused = arena_strdup(t->a, err->msg);
        o = OK;
    }
    return o == OK ? errand_close(db, e->id, t->refused, clock_now(), err) : o;
}

/* A Mac is locked with a PIN, which the organisation has (sealed) and tells when the Mac is found.
 */
static void pin_make(char pin[7])
{
    uint32_t n;
    random_bytes(&n, sizeof n);
    snprintf(pin, 7, "%06u", (unsigned)(n % 1000000));
}

static const char *first_finding(const struct order *o, const struct err *err)
{
    for (size_t i = 0; i < o->checked.n; i++)
        for (size_t k = 0; k < o->checked.groups[i]->found.n; k++)
            if (o->checked.groups[i]->found.list[k].error)
                return o->checked.groups[i]->found.list[k].text;
    return err->msg;
}

static enum outcome lock(struct turn *t, struct err *err)
{
    const struct errand *e = t->e;
    struct order o = {.request_type = "DeviceLock",
                      .keys = js_object(),
                      .ids = &e->ident,
                      .n = 1,
                      .push = true,
                      .reason = t->reason,
                      .approved = true, /* by whose device it is */
                      .seed = arena_fmt(t->a, "errand:%lld", (long long)e->id)};
    char pin[7] = "";
    if (e->message[0])
        js_set_str(o.keys, "Message", e->message);
    if (e->phone[0])
        js_set_str(o.keys, "PhoneNumber", e->phone);
    if (platform_of(t->device->product_name) == PLATFORM_MACOS) {
        pin_make(pin);
        js_set_str(o.keys, "PIN", pin);
    }
    enum outcome out = order_run(t->db, t->conf, t->a, t->actor, clock_now(), &o, err);
    if (out == INVALID || (out == OK && o.checked.refused > 0)) {
        t->refused = arena_strdup(t->a, first_finding(&o, err));
        out = OK;
    }
    for (size_t i = 0; out == OK && !t->refused && i < o.nparts; i++) {
        const struct sending *s = &o.parts[i].send;
        t->refused = s->command_error ? s->command_error
                     : s->n           ? s->targets[0].command_error
                                      : NULL;
    }
    js_free(&o.keys);
    explicit_bzero(pin, sizeof pin);
    return out;
}

static enum outcome leave(struct turn *t, struct err *err)
{
    enum outcome o;
    if (t->device->removal != ENROLL_REMOVAL_ALLOWED) {
        t->refused = "the organisation does not let its users end management of this device";
        return OK;
    }
    o = enrollment_remove(t->db, t->conf, t->e->ident, LEAVE_WAIT_US, t->actor, t->reason, t->a,
                          err);
    if (o == INVALID || o == NOT_FOUND)
        t->refused = arena_strdup(t->a, err->msg);
    return o == INVALID || o == NOT_FOUND || o == CONFLICT ? OK : o; /* CONFLICT: on its way out */
}

static enum outcome errand_do(struct turn *t, struct err *err)
{
    const struct errand *e = t->e;
    struct own_device *d;
    size_t n;
    enum outcome o = own_devices(t->db, &e->who, e->ident, 0, 1, t->a, &d, &n, err);
    if (o != OK)
        return o;
    t->device = d;
    t->refused = n == 0 ? "the device is not this person's any more" : NULL;
    t->actor = arena_fmt(t->a, "user:%.*s", (int)utf8_prefix(e->who.account, 120), e->who.account);
    t->reason = arena_fmt(t->a, "asked for by the device's user, %.*s",
                          (int)utf8_prefix(e->who.account, 120), e->who.account);
    if (!t->actor || !t->reason)
        return err_set(err, ERROR, "out of memory");
    if (n > 0 && (e->what == ERRAND_TAKE || e->what == ERRAND_GIVE_BACK))
        return db_unit(t->db, choose_unit, t, err);
    if (n > 0)
        o = e->what == ERRAND_LOCK ? lock(t, err) : leave(t, err);
    return o == OK ? errand_close(t->db, e->id, t->refused, clock_now(), err) : o;
}

enum outcome errands_turn(struct db *db, const struct conf *conf, size_t *n, struct err *err)
{
    struct arena *a = arena_new(4 * LIM_MB);
    struct errand *list;
    size_t todo = 0;
    enum outcome o =
        a ? errand_todo(db, BATCH, a, &list, &todo, err) : err_set(err, ERROR, "out of memory");
    for (*n = 0; o == OK && *n < todo; ++*n) {
        struct turn t = {.db = db, .conf = conf, .a = a, .e = &list[*n]};
        o = errand_do(&t, err);
        if (o == OK || o == UNAVAILABLE)
            continue;
        /* one that cannot be done keeps none of the others waiting */
        log_err(LOG_LEVEL_ERROR, "errand.failed", err);
        o = errand_close(db, list[*n].id, "internal error; the log of the agent says more",
                         clock_now(), err);
    }
    arena_free(&a);
    return o;
}

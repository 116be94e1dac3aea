/* own.c: see own.h. */
#include "enrollment/own.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/utf8.h"
#include "command/platform.h"
#include "enrollment/web_int.h"
#include "library/edit.h"
#include "store/errand.h"
#include "store/library.h"
#include "store/offer.h"
#include "store/wanted.h"
#include "wire/encode.h"

#define PATH "/enroll/me"
#define ERRANDS_SHOWN 20

/* ---- who, and which device ---- */

/* False: it was answered. */
static bool begin(struct visit *v, struct app *app, struct req *req, struct resp *resp)
{
    if (!app->enroll) {
        resp_text(resp, 503, "The page cannot be shown: its files are not installed.");
        return false;
    }
    visit_begin(v, app, req, resp);
    v->page = "own";
    value_set_text(v->root, "enroll", "/enroll");
    if (!visit_open(v))
        return false;
    if (visit_login_is(v, "no")) {
        err_set(&v->err, NOT_FOUND, "[enroll] login is no: nobody can have devices here");
        visit_message(v, 404, "own_off_title", "own_off");
        return false;
    }
    return true;
}

/* Somebody who has logged in. False: it was answered, with the login. */
static bool known(struct visit *v)
{
    enum outcome o = visit_who(v);
    if (o == OK)
        return true;
    if (o == DENIED) {
        value_set_text(v->root, "login_lead", visit_text(v, "own_login"));
        visit_nobody(v, 200);
    } else {
        visit_fail(v);
    }
    return false;
}

static struct owner owner_of(const struct visit *v)
{
    return (struct owner){.kind = v->kind, .account = v->account};
}

/* The one that the query or the form names. False: it was answered: there is none of that name, or
 * it is somebody else's, which is told alike. */
static bool device_find(struct visit *v, const char *ident, struct own_device *out)
{
    struct owner who = owner_of(v);
    struct own_device *d;
    size_t n = 0;
    enum outcome o = *ident ? own_devices(v->db, &who, ident, 0, 1, v->a, &d, &n, &v->err) : OK;
    if (o == OK && n > 0) {
        *out = d[0];
        return true;
    }
    if (o == OK) {
        err_set(&v->err, NOT_FOUND, "not a device of %.100s", v->account);
        visit_message(v, 404, "own_none_title", "own_not_yours");
    } else {
        visit_fail(v);
    }
    return false;
}

static const char *device_path(struct visit *v, const char *ident, const char *done)
{
    struct buf b = BUF_INIT(4 * LIM_KB);
    buf_str(&b, PATH "?device=");
    url_encode_add(&b, ident);
    if (done) {
        buf_str(&b, "&done=");
        url_encode_add(&b, done);
    }
    const char *path = buf_failed(&b) ? NULL : arena_strdup(v->a, buf_cstr(&b));
    buf_free(&b);
    return path ? path : PATH;
}

/* ---- what is shown ---- */

static void set_time(struct visit *v, struct value *at, const char *key, int64_t us)
{
    char text[CLOCK_TEXT_MAX];
    if (us <= 0)
        return;
    const char *iso = arena_strdup(v->a, clock_rfc3339(us, false, text));
    struct value *t = value_set_dict(at, key);
    value_set_text(t, "iso", iso);
    value_set_text(t, "text", iso ? arena_fmt(v->a, "%.10s %.5s UTC", iso, iso + 11) : NULL);
}

static void set_device(struct visit *v, struct value *at, const struct own_device *d)
{
    const char *model = d->model_name[0] ? d->model_name : d->product_name;
    value_set_text(at, "name", d->device_name[0] ? d->device_name : model[0] ? model : d->ident);
    value_set_text(at, "ident", d->ident);
    value_set_text(at, "link", device_path(v, d->ident, NULL));
    value_set_text(at, "model", model);
    value_set_text(at, "serial", d->serial);
    value_set_text(at, "os", d->os_version);
    set_time(v, at, "enrolled", d->enrolled_at);
    set_time(v, at, "seen", d->last_seen_at);
}

/* The foot of each page: whose devices these are. */
static void set_person(struct visit *v)
{
    value_set_text(v->root, "account", v->account);
    value_set_bool(v->root, "can_sign_out", v->kind == ACCOUNT_LOCAL);
}

static void show_list(struct visit *v)
{
    struct owner who = owner_of(v);
    struct own_device *d;
    size_t n;
    if (own_devices(v->db, &who, NULL, 0, LIM_PAGE, v->a, &d, &n, &v->err) != OK) {
        visit_fail(v);
        return;
    }
    struct value *list = value_set_list(v->root, "devices");
    for (size_t i = 0; i < n; i++)
        set_device(v, value_append_dict(list), &d[i]);
    value_set_bool(v->root, "none", n == 0);
    value_set_bool(v->root, "list", true);
    value_set_text(v->root, "title", visit_text(v, "own_title"));
    set_person(v);
    visit_show(v, 200);
}

/* The parts of the inventory, in the words of the rights that open them. */
static const char *area_key(int area)
{
    static const char *const keys[] = {NULL,
                                       "own_area_device",
                                       "own_area_network",
                                       "own_area_security",
                                       "own_area_profiles",
                                       "own_area_provisioning",
                                       "own_area_certificates",
                                       "own_area_apps",
                                       "own_area_managed_apps",
                                       "own_area_restrictions",
                                       "own_area_users",
                                       "own_area_updates"};
    return area > 0 && (size_t)area < sizeof keys / sizeof *keys ? keys[area] : NULL;
}

static enum outcome set_told(struct visit *v, struct value *at, const struct own_device *d)
{
    struct own_area *x;
    size_t n;
    enum outcome o = own_areas(v->db, d->id, v->a, &x, &n, &v->err);
    if (o != OK)
        return o;
    struct value *list = value_set_list(at, "told");
    for (size_t i = 0; i < n; i++) {
        const char *key = area_key(x[i].area);
        if (!key)
            continue;
        struct value *one = value_append_dict(list);
        value_set_text(one, "text", visit_text(v, key));
        if (x[i].items > 0)
            value_set_text(one, "items", arena_fmt(v->a, "%lld", (long long)x[i].items));
        set_time(v, one, "at", x[i].reported_at);
        value_set_bool(at, "any_told", true);
    }
    return OK;
}

static const char *offer_state(const struct offered *x)
{
    switch (x->state) {
    case WANTED_INSTALLED:
        return x->taken || x->required ? "own_installed" : "own_leaving";
    case WANTED_FAILED:
        return "own_failed";
    case WANTED_REFUSED:
        return "own_refused";
    case WANTED_QUEUED:
    case WANTED_INSTALLING:
    case WANTED_PENDING:
        return x->taken || x->required ? "own_coming" : "own_leaving";
    default:
        return x->taken ? "own_coming" : "own_free";
    }
}

static const struct errand *open_errand(const struct errand *e, size_t n, int what, int64_t item)
{
    for (size_t i = 0; i < n; i++)
        if (!e[i].done_at && e[i].what == what && e[i].item_id == item)
            return &e[i];
    return NULL;
}

static enum outcome set_offers(struct visit *v, struct value *at, const struct own_device *d,
                               const struct errand *e, size_t ne)
{
    struct offered *x;
    size_t n;
    enum outcome o = offer_of_device(v->db, d->id, v->a, &x, &n, &v->err);
    if (o != OK)
        return o;
    struct value *list = value_set_list(at, "offers");
    for (size_t i = 0; i < n; i++) {
        struct value *one = value_append_dict(list);
        bool waits = open_errand(e, ne, ERRAND_TAKE, x[i].item_id) ||
                     open_errand(e, ne, ERRAND_GIVE_BACK, x[i].item_id);
        const char *kind = x[i].kind == LIBRARY_APP ? "own_app" : "own_profile";
        value_set_text(one, "item", arena_fmt(v->a, "%lld", (long long)x[i].item_id));
        value_set_text(one, "name", x[i].name);
        value_set_text(one, "kind", visit_text(v, kind));
        value_set_text(one, "state", visit_text(v, waits ? "own_waits" : offer_state(&x[i])));
        value_set_text(one, "reason", x[i].taken ? x[i].reason : "");
        value_set_bool(one, "can_take", !waits && !x[i].taken && !x[i].required);
        value_set_bool(one, "can_give_back", !waits && x[i].taken && !x[i].required);
    }
    value_set_bool(at, "any_offers", n > 0);
    return OK;
}

static void set_errands(struct visit *v, struct value *at, const struct errand *e, size_t n)
{
    struct value *list = value_set_list(at, "errands");
    for (size_t i = 0; i < n; i++) {
        const char *what = arena_fmt(v->a, "own_errand_%s", errand_name(e[i].what));
        struct value *one = value_append_dict(list);
        value_set_text(one, "text", what ? visit_text(v, what) : "");
        value_set_text(one, "state",
                       visit_text(v, e[i].refused   ? "own_errand_refused"
                                     : e[i].done_at ? "own_errand_done"
                                                    : "own_errand_open"));
        value_set_text(one, "item", e[i].item);
        value_set_text(one, "why", e[i].outcome);
        set_time(v, one, "asked", e[i].asked_at);
        value_set_bool(at, "any_errands", true);
    }
}

/* status: 200, or that of a form which is shown again with v->bad. */
static void show_device(struct visit *v, const struct own_device *d, int status)
{
    struct value *at = value_set_dict(v->root, "device");
    const struct owner who = owner_of(v);
    struct errand *e = NULL;
    size_t n = 0;
    enum outcome o = errand_list(v->db, d->id, &who, ERRANDS_SHOWN, v->a, &e, &n, &v->err);
    if (o == OK)
        o = set_told(v, at, d);
    if (o == OK)
        o = set_offers(v, at, d, e, n);
    if (o != OK) {
        visit_fail(v);
        return;
    }
    set_device(v, at, d);
    set_errands(v, at, e, n);
    v->e.c.access_rights = d->access_rights;
    v->e.c.organization = d->organization;
    visit_rights(v);
    value_set_bool(at, "can_lock", (d->access_rights & RIGHT_LOCK) != 0);
    value_set_bool(at, "mac", platform_of(d->product_name) == PLATFORM_MACOS);
    value_set_bool(at, "can_leave", d->removal == ENROLL_REMOVAL_ALLOWED);
    value_set_bool(at, "asks_password", v->kind == ACCOUNT_LOCAL);
    value_set_text(v->root, "bad", v->bad);
    value_set_text(v->root, "title", visit_text(v, "own_device_title"));
    value_set_text(v->root, "back", PATH);
    set_person(v);
    visit_show(v, status);
}

void own_handle(struct app *app, struct req *req, const struct caller *caller, struct resp *resp)
{
    struct visit v;
    struct own_device d;
    const char *ident = req_query(req, "device"), *done = req_query(req, "done");
    (void)caller;
    if (!begin(&v, app, req, resp) || !known(&v))
        return;
    if (!ident) {
        show_list(&v);
        return;
    }
    if (!device_find(&v, ident, &d))
        return;
    if (done && (strcmp(done, "take") == 0 || strcmp(done, "give-back") == 0 ||
                 strcmp(done, "lock") == 0 || strcmp(done, "leave") == 0))
        value_set_text(v.root, "done", visit_text(&v, arena_fmt(v.a, "own_done_%s", done)));
    show_device(&v, &d, 200);
}

/* ---- what is asked for ---- */

static const char *field(struct visit *v, const char *name, size_t chars, const char *too_long)
{
    const char *s = req_form(v->req, name);
    if (!s || !utf8_valid(bytes_str(s)))
        return "";
    if (utf8_prefix(s, chars) < strlen(s))
        v->bad = visit_text(v, too_long);
    return s;
}

/* Locking and leaving want the password once more, of a person who has one here. */
static bool proved(struct visit *v, const struct own_device *d)
{
    struct enroluser user;
    const char *bad = NULL;
    int status = 403;
    enum outcome o = OK;
    if (v->kind == ACCOUNT_LOCAL)
        o = visit_judge(v, v->account, req_form(v->req, "password"), &user, &bad, &status);
    if (o == OK)
        return true;
    if (o == DENIED) {
        v->err.outcome = OK;
        v->bad = bad;
        show_device(v, d, status);
    } else {
        visit_fail(v);
    }
    return false;
}

static void ask(struct visit *v, const struct own_device *d, int what)
{
    struct errand e = {.enrollment_id = d->id,
                       .ident = d->ident,
                       .who = owner_of(v),
                       .what = what,
                       .address = v->req->remote_addr,
                       .asked_at = v->req->now,
                       .message = "",
                       .phone = ""};
    const char *item = req_form(v->req, "item");
    if ((what == ERRAND_TAKE || what == ERRAND_GIVE_BACK) &&
        (!item || !library_id_read(item, &e.item_id)))
        v->bad = visit_text(v, "own_bad_item");
    if (what == ERRAND_LOCK) {
        e.message = field(v, "message", ERRAND_MESSAGE_MAX, "own_bad_message");
        e.phone = field(v, "phone", ERRAND_PHONE_MAX, "own_bad_phone");
        value_set_text(v->root, "message_was", e.message);
        value_set_text(v->root, "phone_was", e.phone);
    }
    if ((what == ERRAND_LOCK || what == ERRAND_LEAVE) && !req_form(v->req, "sure"))
        v->bad = visit_text(v, "own_bad_sure");
    if ((what == ERRAND_LEAVE && d->removal != ENROLL_REMOVAL_ALLOWED) ||
        (what == ERRAND_LOCK && !(d->access_rights & RIGHT_LOCK)))
        v->bad = visit_text(v, "own_bad_right");
    if (v->bad) {
        show_device(v, d, 400);
        return;
    }
    if ((what == ERRAND_LOCK || what == ERRAND_LEAVE) && !proved(v, d))
        return;
    if (errand_ask(v->db, &e, &v->err) != OK)
        visit_fail(v);
    else
        visit_go(v, device_path(v, d->ident, errand_name(what)));
}

void own_post(struct app *app, struct req *req, const struct caller *caller, struct resp *resp)
{
    struct visit v;
    struct own_device d;
    const char *does = req_form(req, "do"), *ident = req_form(req, "device");
    int what = 0;
    (void)caller;
    if (!begin(&v, app, req, resp))
        return;
    bool good = visit_form_good(&v);
    if (good && does && strcmp(does, "login") == 0 && visit_login_is(&v, "local")) {
        visit_session_start(&v, ident && *ident ? device_path(&v, ident, NULL) : PATH);
        return;
    }
    if (good && does && strcmp(does, "out") == 0) {
        visit_session_end(&v, PATH);
        return;
    }
    if (!known(&v))
        return;
    if (!device_find(&v, ident ? ident : "", &d))
        return;
    for (int k = ERRAND_TAKE; does && k <= ERRAND_LEAVE; k++)
        if (strcmp(errand_name(k), does) == 0)
            what = k;
    if (good && what)
        ask(&v, &d, what);
    else
        show_device(&v, &d, good ? 400 : 403);
}

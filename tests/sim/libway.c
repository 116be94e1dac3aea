/*
 * libway.c: the ways to an enrolment profile other than a link. In each the device signs what it
 * says of itself with its built-in identity (libattest.c), which is made first.
 *
 *   configuration URL    POST; a 401 with a Digest challenge is answered once; the profile
 *   web view of it       GET with the message in a header; the page's forms; the profile
 *   Profile Service      the first address gave a payload with a challenge: POST, SCEP, POST with
 *                        the identity from there, the profile encrypted to it
 *   account-driven       discovery, POST, 401, the web page, POST with the access token (with OAuth
 *                        2, liboauth.c, the page gives a code for it), the profile
 */
#include "libattest.h"
#include "libenrol.h"

#include "base/limits.h"
#include "libdigest.h"
#include "wire/encode.h"
#include "wire/json.h"
#include <stdarg.h>
#include <stdlib.h>

#define TYPE_SIGNED "Content-Type: application/pkcs7-signature\r\n"
#define CALLBACK "apple-remotemanagement-user-login://authentication-results?access-token="

static void gave_up(struct simdev *d, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void gave_up(struct simdev *d, const char *fmt, ...)
{
    char why[240];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(why, sizeof why, fmt, ap);
    va_end(ap);
    simdev_error(d, "%s: %s", d->enrolment->url ? d->enrolment->url : "enrolment", why);
    enrol_failed(d, true, -1);
}

static char *copy(const char *s)
{
    char *c = strdup(s);
    if (!c)
        abort();
    return c;
}

/* POSTs what the device says of itself to e->address. */
static void tell(struct simdev *d, const struct identity *id, enum attest_kind kind,
                 const char *headers, httpc_fn *fn)
{
    struct enrolment *e = d->enrolment;
    struct err err = {0};
    struct buf body = BUF_INIT(64 * LIM_KB), lines = BUF_INIT(8 * LIM_KB);
    buf_fmt(&lines, TYPE_SIGNED "%s", headers);
    if (attest_sign(d, id, kind, e->challenge, &body, &err) != OK)
        gave_up(d, "%s", err.msg);
    else
        enrol_ask(d, e->address, buf_cstr(&lines), buf_bytes(&body), fn);
    buf_free(&body);
    buf_free(&lines);
}

/* Takes a profile out of its wrapping and goes on with it. */
static void take_wrapped(struct simdev *d, struct bytes profile, const struct identity *id)
{
    struct err err = {0};
    struct buf xml = BUF_INIT(LIM_MB);
    pl root = NULL;
    enum outcome o = attest_open(profile, id, &root, &err);
    if (o == OK)
        o = pl_to_xml(root, &xml);
    if (o == OK)
        enrol_take(d, buf_bytes(&xml));
    else
        gave_up(d, "%s", err.msg);
    pl_free(&root);
    buf_wipe(&xml);
}

/* ------------------------------------------------------------------ configuration URL */

static void on_ade(void *arg, const struct httpc_result *r)
{
    struct simdev *d = arg;
    struct enrolment *e = d->enrolment;
    const struct fleet_options *o = &d->fleet->opt;
    char header[1024], answer[900];
    const char *path = strstr(e->address, "://");
    path = path ? strchr(path + 3, '/') : NULL;
    const struct digest_reply reply = {.challenge = r->authenticate,
                                       .name = o->user_name ? o->user_name : "",
                                       .password = o->user_password ? o->user_password : "",
                                       .method = "POST",
                                       .uri = path ? path : "/",
                                       .count = 2};
    if (r->outcome == OK && r->status == 401 && e->logins++ == 0 &&
        digest_reply(&reply, answer, sizeof answer)) {
        message_seen(d, e->url, r);
        snprintf(header, sizeof header, "Authorization: %s\r\n", answer);
        tell(d, &e->born, ATTEST_MACHINE_INFO, header, on_ade);
    } else if (enrol_good(d, r)) {
        take_wrapped(d, r->body, &e->born);
    }
}

/* ------------------------------------------------------------------ Profile Service */

static void on_final(void *arg, const struct httpc_result *r)
{
    struct simdev *d = arg;
    struct enrolment *e = d->enrolment;
    struct identity id = e->id;
    if (!enrol_good(d, r))
        return;
    /* the enrolment profile brings an identity of its own */
    e->id = (struct identity){0};
    e->service = false;
    mobileconfig_free(&e->profile);
    scepclient_ca_free(&e->ca);
    scepclient_request_free(&e->request);
    e->ca = (struct scep_ca){0};
    e->request = (struct scep_request){0};
    EVP_PKEY_free(e->key);
    e->key = NULL;
    take_wrapped(d, r->body, &id);
    identity_free(&id);
}

void way_identity(struct simdev *d)
{
    tell(d, &d->enrolment->id, ATTEST_SERVICE, "", on_final);
}

static void on_scep_payload(void *arg, const struct httpc_result *r)
{
    struct simdev *d = arg;
    struct enrolment *e = d->enrolment;
    struct err err = {0};
    if (!enrol_good(d, r))
        return;
    if (mobileconfig_read(r->body, &e->profile, &err) != OK || !e->profile.has_scep) {
        gave_up(d, "%s", err.msg[0] ? err.msg : "no SCEP payload");
        return;
    }
    e->service = true;
    enrol_scep(d);
}

/* ------------------------------------------------------------------ account-driven */

static void on_account(void *arg, const struct httpc_result *r);

static void with_token(struct simdev *d)
{
    struct enrolment *e = d->enrolment;
    char header[400] = "";
    if (e->token)
        snprintf(header, sizeof header, "Authorization: Bearer %s\r\n", e->token);
    else if (d->oauth.access)
        snprintf(header, sizeof header, "Authorization: Bearer %s\r\n", d->oauth.access);
    tell(d, &e->born, ATTEST_ACCOUNT, header, on_account);
}

/* The value of an attribute of the tag at p, "" when it has none. */
static void attribute(const char *p, const char *name, char *out, size_t max)
{
    const char *end = p + strcspn(p, ">");
    char look[40];
    snprintf(look, sizeof look, " %s=\"", name);
    const char *at = strstr(p, look);
    *out = '\0';
    if (at && at < end) {
        at += strlen(look);
        snprintf(out, max, "%.*s", (int)strcspn(at, "\""), at);
        for (char *amp = out; (amp = strstr(amp, "&amp;")) != NULL; amp++)
            memmove(amp + 1, amp + 5, strlen(amp + 5) + 1);
    }
}

/* Fills the page's form in: what it holds already, name and password where it asks for them. */
static void fill_form(const struct fleet_options *o, const char *form, struct buf *out)
{
    const char *end = strstr(form, "</form>");
    for (const char *p = form; (p = strstr(p, "<input")) && (!end || p < end); p++) {
        char name[100], type[40], value[1024];
        attribute(p, "name", name, sizeof name);
        attribute(p, "type", type, sizeof type);
        attribute(p, "value", value, sizeof value);
        const char *v = value;
        if (strcmp(type, "password") == 0)
            v = o->user_password ? o->user_password : "";
        else if (strcmp(type, "hidden") != 0)
            v = o->user_name ? o->user_name : value;
        if (!name[0])
            continue;
        buf_fmt(out, "%s", out->len ? "&" : "");
        url_encode_add(out, name);
        buf_char(out, '=');
        url_encode_add(out, v);
    }
}

/* Asks as the web view does. */
static void view(struct simdev *d, const char *url, const char *headers, struct bytes form,
                 httpc_fn *fn)
{
    struct buf lines = BUF_INIT(64 * LIM_KB);
    buf_fmt(&lines, "Accept: text/html,application/xhtml+xml\r\n%s", headers);
    if (form.n)
        buf_str(&lines, "Content-Type: application/x-www-form-urlencoded\r\n");
    if (d->enrolment->cookie)
        buf_fmt(&lines, "Cookie: %s\r\n", d->enrolment->cookie);
    enrol_ask(d, url, buf_cstr(&lines), form, fn);
    buf_wipe(&lines);
}

static void keep_cookie(struct enrolment *e, const struct httpc_result *r)
{
    if (r->cookie[0]) {
        free(e->cookie);
        e->cookie = copy(r->cookie);
    }
}

/* Sends the page's form, filled in. False: there is none. */
static bool submit(struct simdev *d, struct bytes body, httpc_fn *fn)
{
    struct enrolment *e = d->enrolment;
    char action[1024], *page, *to = NULL;
    struct buf form = BUF_INIT(16 * LIM_KB);
    if (asprintf(&page, "%.*s", (int)body.n, (const char *)body.p) < 0)
        abort();
    const char *at = strstr(page, "<form"), *path = strstr(e->url, "://");
    path = path ? strchr(path + 3, '/') : NULL;
    if (at && path) {
        attribute(at, "action", action, sizeof action);
        fill_form(&d->fleet->opt, at, &form);
        if (asprintf(&to, "%.*s%s", action[0] == '/' ? (int)(path - e->url) : 0, e->url,
                     action[0] ? action : e->url) < 0)
            abort();
        view(d, to, "", buf_bytes(&form), fn);
    }
    free(page);
    buf_wipe(&form);
    bool sent = to != NULL;
    free(to);
    return sent;
}

static void on_tokens(void *arg, const struct httpc_result *r)
{
    struct simdev *d = arg;
    if (!enrol_good(d, r))
        return;
    if (oauth_take(d, r))
        with_token(d);
    else
        gave_up(d, "the answer to the code has no access token");
}

/* Changes the code for tokens. */
static void change_code(struct simdev *d, const char *code)
{
    struct buf form = BUF_INIT(8 * LIM_KB);
    oauth_form(d, code, &form);
    enrol_ask(d, d->oauth.token_url, "Content-Type: application/x-www-form-urlencoded\r\n",
              buf_bytes(&form), on_tokens);
    buf_wipe(&form);
}

/* The web view ends with the token, or a code, in an address of its own. */
static void on_page(void *arg, const struct httpc_result *r)
{
    struct simdev *d = arg;
    struct enrolment *e = d->enrolment;
    char code[200];
    if (r->outcome == OK && r->status == 308 && oauth_code(d, r->location, code, sizeof code)) {
        message_seen(d, e->url, r);
        change_code(d, code);
        return;
    }
    if (r->outcome == OK && r->status == 308 &&
        strncmp(r->location, CALLBACK, strlen(CALLBACK)) == 0) {
        message_seen(d, e->url, r);
        e->token = copy(r->location + strlen(CALLBACK));
        with_token(d);
        return;
    }
    if (!enrol_good(d, r))
        return;
    keep_cookie(e, r);
    if (e->logins++ > 2 || !submit(d, r->body, on_page))
        gave_up(d, "the web page leads nowhere");
}

static void on_account(void *arg, const struct httpc_result *r)
{
    struct simdev *d = arg;
    struct enrolment *e = d->enrolment;
    char method[40], page[1024];
    struct buf url = BUF_INIT(4 * LIM_KB);
    if (!(r->outcome == OK && r->status == 401 && !e->token && !d->oauth.access)) {
        if (enrol_good(d, r))
            take_wrapped(d, r->body, &e->born);
        return;
    }
    message_seen(d, e->url, r);
    if (oauth_begin(d, r->authenticate, &url)) {
        view(d, buf_cstr(&url), "", bytes_of(NULL, 0), on_page);
        buf_free(&url);
        return;
    }
    if (strncmp(r->authenticate, "Bearer ", 7) != 0 ||
        !challenge_value(r->authenticate, "method", method, sizeof method) ||
        strcmp(method, "apple-as-web") != 0 ||
        !challenge_value(r->authenticate, " url", page, sizeof page)) {
        gave_up(d, "the challenge \"%s\" is not understood", r->authenticate);
        return;
    }
    buf_fmt(&url, "%s%cuser-identifier=", page, strchr(page, '?') ? '&' : '?');
    url_encode_add(&url, d->fleet->opt.account);
    view(d, buf_cstr(&url), "", bytes_of(NULL, 0), on_page);
    buf_free(&url);
}

static void on_discovery(void *arg, const struct httpc_result *r)
{
    struct simdev *d = arg;
    struct enrolment *e = d->enrolment;
    struct err err;
    js root = NULL;
    if (!enrol_good(d, r))
        return;
    const char *base = js_parse(r->body, &root, &err) == OK
                           ? js_get_str(js_at(js_get(root, "Servers"), 0), "BaseURL")
                           : NULL;
    if (base) {
        e->address = copy(base);
        with_token(d);
    } else {
        gave_up(d, "the discovery names no server");
    }
    js_free(&root);
}

static void discover(struct simdev *d)
{
    static const char *const families[] = {"iPhone", "iPad", "Mac", "AppleTV"};
    struct buf url = BUF_INIT(4 * LIM_KB);
    oauth_free(&d->oauth);
    buf_fmt(&url,
            "%s/.well-known/com.apple.remotemanagement?user-identifier=", d->fleet->opt.enroll_url);
    url_encode_add(&url, d->fleet->opt.account);
    buf_fmt(&url, "&model-family=%s", families[d->hw.kind]);
    enrol_ask(d, buf_cstr(&url), "", bytes_of(NULL, 0), on_discovery);
    buf_free(&url);
}

/* ------------------------------------------------------------------ the web view of a device */

static void on_view(void *arg, const struct httpc_result *r)
{
    struct simdev *d = arg;
    struct enrolment *e = d->enrolment;
    if (!enrol_good(d, r))
        return;
    keep_cookie(e, r);
    if (strcmp(r->content_type, "application/x-apple-aspen-config") == 0)
        take_wrapped(d, r->body, &e->born);
    else if (e->logins++ > 3 || !submit(d, r->body, on_view))
        gave_up(d, "the web page leads nowhere");
}

/* The first page is asked for with what the device says of itself, in a header. */
static void view_begin(struct simdev *d)
{
    struct err err = {0};
    struct buf cms = BUF_INIT(64 * LIM_KB), header = BUF_INIT(64 * LIM_KB);
    if (attest_sign(d, &d->enrolment->born, ATTEST_MACHINE_INFO, NULL, &cms, &err) != OK) {
        gave_up(d, "%s", err.msg);
    } else {
        buf_str(&header, "x-apple-aspen-deviceinfo: ");
        base64_add(&header, buf_bytes(&cms));
        buf_str(&header, "\r\n");
        view(d, d->enrolment->address, buf_cstr(&header), bytes_of(NULL, 0), on_view);
    }
    buf_free(&cms);
    buf_free(&header);
}

/* ------------------------------------------------------------------ the beginning */

static void on_born(void *arg, EVP_PKEY *key)
{
    struct enrolment *e = arg;
    struct simdev *d = e->device;
    struct err err = {0};
    enum outcome o = OK;
    e->waits_for_key = false;
    if (!d) { /* abandoned meanwhile */
        enrol_forget(e);
        EVP_PKEY_free(key);
        return;
    }
    o = key ? attest_issue(d->fleet->apple, d->hw.udid, key, &e->born, &err)
            : err_set(&err, ERROR, "no key pair could be made");
    EVP_PKEY_free(key);
    if (o != OK)
        gave_up(d, "%s", err.msg);
    else if (e->challenge)
        tell(d, &e->born, ATTEST_SERVICE, "", on_scep_payload);
    else if (d->fleet->opt.account)
        discover(d);
    else if (d->fleet->opt.web)
        view_begin(d);
    else
        tell(d, &e->born, ATTEST_MACHINE_INFO, "", on_ade);
}

/* Makes the built-in identity and goes on. */
static void be_born(struct simdev *d)
{
    if (!d->fleet->apple) {
        gave_up(d, "a built-in identity is needed, and there is no --apple-ca");
        return;
    }
    d->enrolment->waits_for_key = true;
    keys_ask(d->fleet->keys, ATTEST_KEY_BITS, on_born, d->enrolment);
}

void way_begin(struct simdev *d)
{
    if (!d->fleet->opt.account)
        d->enrolment->address = copy(d->fleet->opt.enroll_url);
    be_born(d);
}

bool way_service(struct simdev *d, struct bytes profile)
{
    struct enrolment *e = d->enrolment;
    struct err err = {0};
    pl root = NULL;
    if (attest_open(profile, &(struct identity){0}, &root, &err) != OK)
        return false; /* whoever reads it next says why */
    const char *type = pl_get_str(root, "PayloadType");
    pl content = pl_get(root, "PayloadContent");
    const char *url = pl_get_str(content, "URL"), *challenge = pl_get_str(content, "Challenge");
    bool service = type && strcmp(type, "Profile Service") == 0;
    if (service && url && challenge) {
        e->address = copy(url);
        e->challenge = copy(challenge);
    }
    pl_free(&root);
    if (!service)
        return false;
    if (e->address)
        be_born(d);
    else
        gave_up(d, "the profile-service payload lacks URL or Challenge");
    return true;
}

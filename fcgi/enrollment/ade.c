/*
 * ade.c: the configuration URL: "Request to a Configuration URL" of the MDM protocol reference,
 * MachineInfo and ErrorCodeSoftwareUpdateRequired of Apple's schema. The checks come in the order
 * of what they cost and tell: signature, what contradicts, assignment, system, login.
 */
#include "enrollment/ade.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "command/platform.h"
#include "enrollment/way.h"
#include "store/assigned.h"
#include "store/audit.h"
#include "store/enroll_session.h"
#include "store/login.h"
#include "wire/encode.h"
#include "wire/json.h"
#include "wire/plist.h"

#define PREFIX "/enroll/ade"
#define NONCE_US (5 * MINUTE_US) /* a person types the password meanwhile */
#define UPDATE_CODE "com.apple.softwareupdate.required"
#define UPDATE_WHY "the device's system is older than this server takes"

/* ---- the system's version ---- */

/* What a device must do before it may enrol. */
struct update {
    const char *os_version; /* the least; "" for none */
    const char *text;       /* for the person at the device */
};

/* Adds the answer com.apple.softwareupdate.required, as JSON or as a property list. */
static enum outcome update_write(const struct update *u, bool as_plist, struct buf *out)
{
    enum outcome o;
    if (as_plist) {
        pl root = pl_new_dict(), details = pl_new_dict();
        pl_set_str(root, "code", UPDATE_CODE);
        pl_set_str(root, "description", UPDATE_WHY);
        pl_set_str(root, "message", u->text);
        pl_set_str(details, "OSVersion", u->os_version);
        pl_set(root, "details", details);
        o = pl_to_xml(root, out);
        pl_free(&root);
        return o;
    }
    js root = js_object(), details = js_object();
    js_set_str(root, "code", UPDATE_CODE);
    js_set_str(root, "description", UPDATE_WHY);
    js_set_str(root, "message", u->text);
    js_set_str(details, "OSVersion", u->os_version);
    js_set(root, "details", details);
    o = js_write(root, false, out);
    js_free(&root);
    return o;
}

/* The least version for this device; "" for any. Apple knows the answer on iOS and macOS only. */
static const char *least_version(const struct way *w)
{
    switch (platform_of(w->device.info.product)) {
    case PLATFORM_IOS:
        return w->profile.minimum_ios;
    case PLATFORM_MACOS:
        return w->profile.minimum_macos;
    default:
        return "";
    }
}

/* A device that is too old and understands the answer updates itself first. One that does not
 * (before iOS 17 and macOS 14) could do nothing with a refusal, so it is let in. */
static bool version_admit(struct way *w)
{
    const struct machine_info *m = &w->device.info;
    struct update u = {.os_version = least_version(w)};
    char text[200];
    struct err why;
    if (!u.os_version[0] || !m->can_request_software_update || !m->os_version[0] ||
        version_read(m->os_version) >= version_read(u.os_version))
        return true;
    snprintf(text, sizeof text, "This device must be updated to version %.20s first.",
             u.os_version);
    u.text = text;
    const char *accept = req_var(w->req, "HTTP_ACCEPT");
    bool as_plist = accept && strstr(accept, "xml") && !strstr(accept, "json");
    err_set(&why, DENIED, "version %.40s is older than %.40s", m->os_version, u.os_version);
    way_refuse(w, 403, &why, "%s", text);
    buf_clear(&w->resp->body);
    w->resp->content_type = as_plist ? "application/xml" : "application/json";
    if (update_write(&u, as_plist, &w->resp->body) != OK)
        resp_bare(w->resp, 500, "out of memory");
    return false;
}

/* ---- login ---- */

/* Asks for a login; text stands above the device's own prompt. */
static void challenge(struct way *w, bool stale, const char *text)
{
    char nonce[ENROLL_SESSION_LEN + 1];
    struct buf header = BUF_INIT(512);
    enum digest_algorithm a;
    struct err err = {.outcome = OK};
    if (!digest_algorithm_read(w->app->conf->digest_algorithm, &a))
        a = DIGEST_MD5;
    if (enroll_nonce_new(w->db, w->device.info.udid, w->req->now, w->req->now + NONCE_US, nonce,
                         &err) != OK) {
        way_fault(w, &err);
        return;
    }
    digest_challenge(&header, a, nonce);
    if (stale)
        buf_str(&header, ", stale=true");
    resp_text(w->resp, 401, "%s", text);
    resp_header(w->resp, "WWW-Authenticate", buf_cstr(&header));
    buf_free(&header);
}

static void ask_for_login(struct way *w)
{
    char text[300];
    const char *own = w->profile.login_text;
    snprintf(text, sizeof text, "Sign in to let %.200s manage this device.",
             w->profile.organization);
    challenge(w, false, own[0] ? own : text);
}

/* Is the answer for this address? What stands behind the host counts. */
static bool for_this_address(const struct way *w, const char *uri)
{
    const char *path = strncmp(uri, "https://", 8) == 0 ? strchr(uri + 8, '/') : uri;
    size_t n = strlen(w->req->path);
    return path && strncmp(path, w->req->path, n) == 0 && (path[n] == '\0' || path[n] == '?');
}

static void wrong_login(struct way *w, const struct digest_answer *d, const struct err *why)
{
    char actor[128], detail[400];
    struct err err = {.outcome = OK};
    snprintf(actor, sizeof actor, "user:%.100s", d->username);
    snprintf(detail, sizeof detail, "address=%.60s why=%.200s", w->req->remote_addr, why->msg);
    log_event(LOG_LEVEL_WARNING, "login.failed", "account", d->username, "address",
              w->req->remote_addr, "why", why->msg, NULL);
    if (audit_add_rarely(w->db, MINUTE_US, actor, "login.failed", w->subject, detail, &err) != OK)
        log_err(LOG_LEVEL_WARNING, "audit.failed", &err);
    challenge(w, false, "User name or password is wrong, or there were too many attempts.");
    resp_note(w->resp, "%s", why->msg);
}

/* True: somebody has logged in; the account is in order. */
static bool login(struct way *w, struct profile_order *order)
{
    const char *authorization = req_var(w->req, "HTTP_AUTHORIZATION");
    struct digest_answer d;
    struct enroluser user;
    struct err err = {.outcome = OK};
    if (!authorization || strncasecmp(authorization, "Digest ", 7) != 0) {
        ask_for_login(w);
        return false;
    }
    enum outcome o = digest_read(w->req->arena, authorization, &d, &err);
    if (o == OK && !for_this_address(w, d.uri))
        o = err_set(&err, INVALID, "the login is for another address");
    if (o == INVALID) {
        way_refuse(w, 400, &err, "This is no login as it was asked for.");
        return false;
    }
    if (o == OK)
        o = enroll_nonce_take(w->db, d.nonce, w->device.info.udid, d.count, w->req->now, &err);
    if (o == DENIED) {
        way_refuse(w, 401, &err, "The login took too long. Sign in again.");
        challenge(w, true, "The login took too long. Sign in again.");
        return false;
    }
    if (o == OK)
        o = login_digest(w->db, &d, "POST", w->req->remote_addr, w->req->now, w->req->arena, &user,
                         &err);
    if (o == OK) {
        log_event(LOG_LEVEL_INFO, "login.done", "account", d.username, NULL);
        order->account_kind = ACCOUNT_LOCAL;
        order->account = user.name;
    } else if (o == DENIED) {
        wrong_login(w, &d, &err);
    } else {
        way_fault(w, &err);
    }
    return o == OK;
}

/* ---- the request ---- */

static bool load_profile(struct way *w)
{
    struct err err = {.outcome = OK};
    const char *name = way_name(w->req, PREFIX);
    enum outcome o = name
                         ? profile_load(w->app->conf, w->db, w->req->arena, name, &w->profile, &err)
                         : err_set(&err, NOT_FOUND, "that is no name of a profile");
    if (o == NOT_FOUND)
        way_refuse(w, 404, &err, "There is no such enrolment profile.");
    else if (o != OK)
        way_fault(w, &err);
    return o == OK;
}

static bool assigned(struct way *w)
{
    struct err err = {.outcome = OK};
    if (!w->profile.assigned_only)
        return true;
    enum outcome o = assigned_check(w->db, w->device.info.serial, w->req->arena, &err);
    if (o == NOT_FOUND)
        way_refuse(w, 403, &err, "This device is not assigned to this server.");
    else if (o != OK)
        way_fault(w, &err);
    return o == OK;
}

bool ade_admit(struct way *w)
{
    return load_profile(w) && way_claim(w) && assigned(w) && version_admit(w);
}

void ade_handle(struct app *app, struct req *req, const struct caller *caller, struct resp *resp)
{
    struct way w = {
        .app = app, .req = req, .resp = resp, .kind = WAY_CONFIGURATION_URL, .subject = ""};
    struct profile_order order = {.account_kind = ACCOUNT_NONE};
    struct err err = {.outcome = OK};
    (void)caller;
    if (way_open(&w, bytes_of(NULL, 0), MACHINE_INFO_DEVICE, true) && ade_admit(&w)) {
        if (w.profile.login == ENROLL_LOGIN_WEB) {
            err_set(&err, DENIED,
                    "the profile demands a login by web page (configuration_web_url)");
            way_refuse(&w, 403, &err, "Your administrator has to set this server's web page.");
        } else if (w.profile.login != ENROLL_LOGIN_DIGEST || login(&w, &order)) {
            if (w.profile.encrypt)
                order.recipient = w.device.signer;
            way_hand_out(&w, &order, NULL);
        }
    }
    way_close(&w);
}

/*
 * account.c: see account.h. Apple, "Implementing the simple authentication account-driven
 * enrollment flow", and the same of OAuth 2 (oauth.c). The access token is good for this server's
 * enrolment profile in the mode it was made for, and belongs to the device that shows it first.
 * With later messages the identity certificate says who they are from; a token of OAuth 2 says that
 * its person still is who logged in (http/bearer.h).
 */
#include "enrollment/account.h"

#include <stdio.h>

#include "enrollment/way.h"
#include "http/bearer.h"
#include "store/oauth.h"
#include "wire/encode.h"
#include "wire/json.h"

#define PREFIX "/enroll/account"
#define CALLBACK "apple-remotemanagement-user-login://authentication-results?access-token="
#define FAILED_CODE "com.apple.well-known.failed"

static const struct account_mode MODES[] = {{"BYOD", "byod", "mdm-byod"},
                                            {"ADDE", "adde", "mdm-adde"}};

const struct account_mode *account_mode_find(const char *path)
{
    for (size_t i = 0; i < sizeof MODES / sizeof *MODES; i++)
        if (strcmp(MODES[i].path, path) == 0)
            return &MODES[i];
    return NULL;
}

/* ---- which mode ---- */

static bool listed(const char *words, const char *word)
{
    size_t n = strlen(word);
    for (const char *p = words; *p; p += strcspn(p, " ,"), p += strspn(p, " ,"))
        if (strcspn(p, " ,") == n && strncmp(p, word, n) == 0)
            return n > 0;
    return false;
}

/* The mode for a model family; NULL: none. */
static const struct account_mode *mode_for(const struct conf *conf, const char *family)
{
    if (listed(conf->account_user_enrollment, family))
        return &MODES[0];
    return listed(conf->account_device_enrollment, family) ? &MODES[1] : NULL;
}

/* The only mode there is; NULL: none, or two. */
static const struct account_mode *sole_mode(const struct conf *conf)
{
    bool user = conf->account_user_enrollment[0], device = conf->account_device_enrollment[0];
    return user == device ? NULL : &MODES[user ? 0 : 1];
}

/* "iPhone" of "iPhone12,1". "Mac" stands for every Mac. */
static const char *family_of(const struct machine_info *m)
{
    static const char *const families[] = {"iPhone", "iPad", "AppleTV", "RealityDevice", "Watch"};
    for (size_t i = 0; i < sizeof families / sizeof *families; i++)
        if (strncmp(m->product, families[i], strlen(families[i])) == 0)
            return families[i];
    return "Mac";
}

/* ---- discovery ---- */

static void discovery_failed(struct resp *resp, const char *message)
{
    js root = js_object();
    js_set_str(root, "code", FAILED_CODE);
    js_set_str(root, "description", message);
    js_set_str(root, "message", message);
    resp->status = 403;
    resp->content_type = "application/json";
    if (js_write(root, false, &resp->body) != OK)
        resp_bare(resp, 500, "out of memory");
    resp_note(resp, "%s", message);
    js_free(&root);
}

/* NAME@DOMAIN, the form that devices insist on. */
static bool is_account(const char *s)
{
    const char *at = s ? strrchr(s, '@') : NULL;
    return at && at > s && strchr(at, '.') && strlen(s) <= 255 && strpbrk(s, " \t\r\n\"\\") == NULL;
}

void account_discover(struct app *app, struct req *req, const struct caller *caller,
                      struct resp *resp)
{
    const char *family = req_query(req, "model-family"), *name = req_query(req, "user-identifier");
    /* a device that was sent here from its domain says neither, unless the redirection does */
    const struct account_mode *mode = family ? mode_for(app->conf, family) : sole_mode(app->conf);
    (void)caller;
    if (name && !is_account(name)) {
        discovery_failed(resp, "This is no address of an account.");
        return;
    }
    if (!mode) {
        discovery_failed(resp, "Devices of this kind cannot be enrolled with an account here.");
        return;
    }
    js root = js_object(), servers = js_array(), server = js_object();
    js_set_str(server, "Version", mode->version);
    js_set_str(server, "BaseURL",
               arena_fmt(req->arena, "%s" PREFIX "/%s", app->conf->device_url, mode->path));
    js_append(servers, server);
    js_set(root, "Servers", servers);
    resp->content_type = "application/json";
    if (js_write(root, false, &resp->body) != OK)
        resp_bare(resp, 500, "out of memory");
    js_free(&root);
}

/* ---- the token ---- */

enum outcome account_managed_check(const char *account, const char *managed_account,
                                   struct err *err)
{
    return is_account(managed_account)
               ? OK
               : err_set(err, INVALID, "\"%.100s\" has no Managed Apple Account", account);
}

enum outcome account_token_new(struct db *db, const struct account_mode *mode, int64_t account_kind,
                               const char *account, const char *managed_account, int64_t now,
                               char token[ENROLL_SESSION_LEN + 1], struct err *err)
{
    struct enroll_session s = {.kind = SESSION_ACCESS,
                               .account_kind = account_kind,
                               .account = account,
                               .managed_account = managed_account,
                               .mode = mode->enrollment_mode,
                               .created_at = now,
                               .expires_at = now + ACCOUNT_TOKEN_US};
    return enroll_session_new(db, &s, token, err);
}

void account_redirect(struct resp *resp, const char *token)
{
    char url[sizeof CALLBACK + ENROLL_SESSION_LEN];
    snprintf(url, sizeof url, "%s%s", CALLBACK, token);
    resp->status = 308;
    resp->no_body = true;
    resp_header(resp, "Location", url);
    secret_wipe(url, sizeof url);
}

/* ---- enrolment ---- */

/* The grant of an access token of OAuth 2. False: resp holds the answer. */
static bool grant_of(struct way *w, const struct account_mode *mode, const char *token,
                     struct oauth_grant *g)
{
    struct err err = {.outcome = OK};
    if (oauth_look(w->db, token, w->req->now, w->req->arena, g, &err) != OK) {
        way_fault(w, &err);
        return false;
    }
    if (g->state == OAUTH_GOOD && strcmp(g->mode, mode->enrollment_mode) == 0)
        return true;
    if (g->state == OAUTH_GOOD) {
        err_set(&err, DENIED, "the access token is for the mode %s", g->mode);
        way_refuse(w, 403, &err, "The sign-in was for another kind of enrolment. Begin anew.");
    } else {
        bearer_challenge(w->app->conf, w->req, w->resp, mode->path,
                         g->state == OAUTH_STALE ? "the access token has run out"
                                                 : "the access token is of no use");
    }
    return false;
}

static enum outcome load(struct way *w, struct err *err)
{
    return profile_load(w->app->conf, w->db, w->req->arena, w->app->conf->account_profile,
                        &w->profile, err);
}

static void enrol_by_grant(struct way *w, const struct account_mode *mode, const char *token)
{
    struct err err = {.outcome = OK};
    struct oauth_grant g;
    char device[SHA256_HEX_LEN + 1];
    if (!grant_of(w, mode, token, &g))
        return;
    if (load(w, &err) != OK) {
        way_fault(w, &err);
        return;
    }
    w->subject = g.account;
    w->profile.enrollment_mode = mode->enrollment_mode;
    w->profile.managed_account = g.managed_account;
    struct profile_order order = {.account_kind = (enum account_kind)g.account_kind,
                                  .account = g.account};
    sha256_hex(w->device.signer, device);
    way_hand_out(w, &order, &(struct way_pass){.id = g.id, .grant = true, .device = device});
}

static void enrol(struct way *w, const struct account_mode *mode, const char *token)
{
    struct err err = {.outcome = OK};
    struct enroll_session s;
    char device[SHA256_HEX_LEN + 1];
    enum outcome o =
        enroll_session_find(w->db, SESSION_ACCESS, token, w->req->now, w->req->arena, &s, &err);
    if (o == OK && strcmp(s.mode, mode->enrollment_mode) != 0)
        o = err_set(&err, DENIED, "the access token is for the mode %s", s.mode);
    if (o == NOT_FOUND || o == DENIED) {
        way_refuse(w, 403, &err, "The sign-in has expired. Begin anew.");
        return;
    }
    if (o == OK)
        o = load(w, &err);
    if (o != OK) {
        way_fault(w, &err);
        return;
    }
    w->subject = s.account;
    w->profile.enrollment_mode = mode->enrollment_mode;
    w->profile.managed_account = s.managed_account;
    struct profile_order order = {.account_kind = (enum account_kind)s.account_kind,
                                  .account = s.account};
    sha256_hex(w->device.signer, device); /* a user enrolment tells no UDID */
    way_hand_out(w, &order, &(struct way_pass){.id = s.id, .device = device});
}

void account_handle(struct app *app, struct req *req, const struct caller *caller,
                    struct resp *resp)
{
    struct way w = {
        .app = app, .req = req, .resp = resp, .kind = WAY_ACCOUNT_DRIVEN, .subject = ""};
    const char *name = way_name(req, PREFIX);
    const struct account_mode *mode = name ? account_mode_find(name) : NULL;
    const char *token = bearer_token(req);
    struct err why = {.outcome = OK};
    (void)caller;
    if (!mode) {
        resp_text(resp, 404, "Not found");
        return;
    }
    if (way_open(&w, bytes_of(NULL, 0), MACHINE_INFO_ACCOUNT, true)) {
        if (mode_for(app->conf, family_of(&w.device.info)) != mode) {
            err_set(&why, DENIED, "%.60s is not enrolled in the mode %s", w.device.info.product,
                    mode->enrollment_mode);
            way_refuse(&w, 403, &why, "Devices of this kind cannot be enrolled so here.");
        } else if (!token) {
            bearer_challenge(app->conf, req, resp, mode->path, "an access token is asked for");
        } else if (bearer_oauth(app->conf)) {
            enrol_by_grant(&w, mode, token);
        } else {
            enrol(&w, mode, token);
        }
    }
    way_close(&w);
}

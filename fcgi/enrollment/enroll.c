/* enroll.c: the link that gives the enrolment profile. */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "enrollment/profile.h"
#include "store/invitation.h"
#include "store/pushcert.h"
#include "store/scep.h"
#include "wire/sign.h"

#define PATH_PREFIX "/enroll"
#define TYPE_PROFILE "application/x-apple-aspen-config"
#define PROFILE_MAX (512u * LIM_KB)
#define CERTS_FILE_MAX (256u * LIM_KB)
/* A person may install what was fetched some time later; a day is enough for that. */
#define CHALLENGE_US DAY_US

/* One profile being given out. The parts that need no transaction are there before it begins. */
struct handout {
    const struct conf *conf;
    struct arena *a;
    const char *token; /* of the invitation; NULL: open to anybody */
    struct profile profile;
    struct bytes der; /* the signed profile */
};

static enum outcome load_certs(const struct conf *conf, struct arena *a, struct profile *p,
                               struct err *err)
{
    const char *path = conf->enroll_certificates;
    if (!path[0])
        return OK;
    uint8_t *text = arena_alloc(a, CERTS_FILE_MAX);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 || !text ? -1 : read(fd, text, CERTS_FILE_MAX);
    enum outcome o;
    if (n < 0)
        o = err_set(err, ERROR, "[enroll] certificates %s: %m", path);
    else
        o = cert_from_pem(a, bytes_of(text, (size_t)n), p->certs, PROFILE_CERTS_MAX, &p->ncerts,
                          err);
    if (fd >= 0)
        close(fd);
    if (o == INVALID)
        return err_set(err, ERROR, "[enroll] certificates %s holds no sound PEM certificates",
                       path);
    return o;
}

/* The configured topic, or that of the only push certificate. */
static enum outcome find_topic(const struct conf *conf, struct db *db, struct arena *a,
                               struct profile *p, struct err *err)
{
    p->topic = conf->enroll_topic;
    if (p->topic[0])
        return OK;
    enum outcome o = pushcert_sole_topic(db, a, &p->topic, err);
    if (o != NOT_FOUND && o != CONFLICT)
        return o;
    err_prefix(err, "[enroll] topic names none");
    return UNAVAILABLE;
}

enum outcome profile_of_site(const struct conf *conf, struct db *db, struct arena *a,
                             const char *topic, struct profile *p, struct err *err)
{
    *p = (struct profile){.device_url = conf->device_url,
                          .organization = conf->organization,
                          .topic = topic,
                          .access_rights = conf->enroll_access_rights,
                          .sign_message = conf->enroll_sign_message};
    enum outcome o = load_certs(conf, a, p, err);
    if (o == OK && !topic)
        o = find_topic(conf, db, a, p, err);
    if (o == OK)
        o = sign_certificate(a, "ca", &p->ca_der, err);
    return o;
}

/* Uses the invitation, makes the challenge, signs: all in one unit, so that a signer that is away
 * costs nobody a use of the link. Run again, it does the same with another challenge. */
static enum outcome handout_unit(struct db *db, void *arg, struct err *err)
{
    struct handout *h = arg;
    struct invitation inv = {.note = ""};
    char challenge[SCEP_CHALLENGE_LEN + 1] = "", note[64];
    struct buf xml = BUF_INIT(PROFILE_MAX);
    enum outcome o = OK;
    if (h->token)
        o = invitation_consume(db, h->token, h->a, &inv, err);
    if (o != OK)
        return o;
    if (h->token)
        snprintf(note, sizeof note, "invitation %lld", (long long)inv.id);
    else
        snprintf(note, sizeof note, "open enrolment");
    o = scep_challenge_new(db, note, 0, clock_now() + CHALLENGE_US, challenge, err);
    h->profile.challenge = challenge;
    if (o == OK)
        o = profile_build(&h->profile, h->a, &xml, err);
    if (o == INVALID) { /* our configuration, not the caller's request */
        err_prefix(err, "the enrolment profile");
        o = ERROR;
    }
    if (o == OK)
        o = sign_profile(h->a, buf_bytes(&xml), &h->der, err);
    h->profile.challenge = "";
    secret_wipe(challenge, sizeof challenge);
    buf_wipe(&xml);
    return o;
}

static void answer(struct handout *h, enum outcome o, struct resp *resp, const struct err *err)
{
    switch (o) {
    case OK:
        resp->content_type = TYPE_PROFILE;
        resp->secret = true;
        resp_header(resp, "Cache-Control", "no-store");
        resp_header(resp, "Content-Disposition", "attachment; filename=\"enroll.mobileconfig\"");
        buf_add(&resp->body, h->der.p, h->der.n);
        log_event(LOG_LEVEL_INFO, "enroll.profile", "by", h->token ? "invitation" : "open", NULL);
        return;
    case NOT_FOUND:
        resp_text(resp, 404, "This link is unknown. Ask who gave it to you for another.");
        return;
    case DENIED:
        resp_text(resp, 410, "This link has expired or was used already. Ask for another.");
        break;
    default:
        resp_text(resp, o == UNAVAILABLE ? 503 : 500,
                  "The profile cannot be made at the moment. Try again later.");
        log_err(LOG_LEVEL_ERROR, "enroll.fault", err);
    }
    snprintf(resp->note, sizeof resp->note, "%.150s", err->msg);
}

/* The token of /enroll/TOKEN; NULL for /enroll; "" for anything that cannot be one. */
static const char *token_of(const struct req *req)
{
    const char *rest = req->path + strlen(PATH_PREFIX);
    if (!*rest || strcmp(rest, "/") == 0)
        return NULL;
    size_t n = strlen(rest + 1);
    return *rest == '/' && n == INVITATION_TOKEN_LEN &&
                   strspn(rest + 1, "0123456789abcdef") == INVITATION_TOKEN_LEN
               ? rest + 1
               : "";
}

void enroll_handle(struct app *app, struct req *req, const struct caller *caller, struct resp *resp)
{
    (void)caller;
    struct err err = {.outcome = OK};
    struct db *db = NULL;
    struct handout h = {.conf = app->conf, .a = req->arena, .token = token_of(req)};
    enum outcome o = OK;
    if (h.token ? !h.token[0] : !app->conf->enroll_open)
        o = err_set(&err, NOT_FOUND, "no invitation");
    if (o == OK)
        o = db_pool_take(app->pool, &db, &err);
    if (o == OK)
        o = profile_of_site(app->conf, db, h.a, NULL, &h.profile, &err);
    if (o == OK)
        o = db_unit(db, handout_unit, &h, &err);
    db_pool_give(app->pool, &db);
    answer(&h, o, resp, &err);
}

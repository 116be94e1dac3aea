/* device.c: see device.h. */
#include "http/device.h"

#include "base/clock.h"
#include "base/log.h"
#include "http/bearer.h"
#include "store/audit.h"
#include "store/readmit.h"
#include "store/unknown.h"
#include "store/userauth.h"
#include "wire/encode.h"
#include "wire/x509.h"

#include <stdarg.h>
#include <stdio.h>

void device_refuse(struct message *m, int status, const char *fmt, ...)
{
    char why[240];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(why, sizeof(why), fmt, ap);
    va_end(ap);
    resp_bare(m->resp, status, "%s", why);
    log_event(status == 401 ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO, "device.refused", "message",
              m->word, "why", why, NULL);
}

void device_fail(struct message *m, const struct err *err)
{
    log_err(LOG_LEVEL_ERROR, "device.failed", err);
    resp_bare(m->resp, err->outcome == UNAVAILABLE ? 503 : 500, "%s", err->msg);
    if (err->outcome == UNAVAILABLE)
        resp_header(m->resp, "Retry-After", "60");
}

/* The AuthToken of a user who logged in with a password; a device's own messages cost nothing. */
static bool user_allowed(struct message *m)
{
    const char *type = pl_get_str(m->root, "MessageType");
    struct err err = {0};
    struct db *db = NULL;
    enum outcome o;

    if (!ident_is_user(&m->id) || strcmp(m->app->conf->user_authenticate, "digest") != 0 ||
        (type != NULL && strcmp(type, "UserAuthenticate") == 0))
        return true;
    o = db_pool_take(m->app->pool, &db, &err);
    if (o == OK)
        o = userauth_check(db, m->id.name, pl_get_str(m->root, "AuthToken"), m->req->arena, &err);
    db_pool_give(m->app->pool, &db);
    if (o == DENIED)
        device_refuse(m, 403, "%s", err.msg);
    else if (o != OK)
        device_fail(m, &err);
    return o == OK;
}

/* An expired identity may fetch its renewal, where that is configured: see connect.c. */
static bool grace_lane(struct message *m)
{
    return m->app->conf->renewal_grace && !ident_is_user(&m->id) &&
           pl_get(m->root, "MessageType") == NULL && pl_get(m->root, "Status") != NULL;
}

/* Does the person's login hold, where the message tells of it? False: resp holds the answer. */
static bool login_holds(struct message *m)
{
    struct err err = {.outcome = OK};
    enum outcome o = bearer_admit(m, &err);

    if (o != OK && o != DENIED)
        device_fail(m, &err);
    return o == OK;
}

bool device_message_read(struct message *m)
{
    struct err err = {0};
    enum outcome o = pl_parse(m->req->body, &m->root, &err);

    m->word = "";
    if (o == OK && pl_type_of(m->root) != PL_DICT)
        o = err_set(&err, INVALID, "the message is no dictionary");
    if (o == OK)
        o = ident_read(m->root, &m->id, &err);
    if (o != OK) {
        if (o == INVALID)
            device_refuse(m, 400, "%s", err.msg);
        else
            device_fail(m, &err);
        return false;
    }
    log_context_enrollment(m->id.name);
    if (m->caller->expired && !grace_lane(m)) {
        device_refuse(m, 403, "the identity certificate has expired");
        return false;
    }
    return user_allowed(m) && login_holds(m);
}

void device_message_free(struct message *m)
{
    pl_free(&m->root);
}

/* ---- turning away ---- */

/* Refusals reach the audit log once in this time for each device. */
#define AUDIT_EVERY HOUR_US

static void audit_refusal(struct message *m, struct db *db, const char *action, const char *why)
{
    char hex[SHA256_HEX_LEN + 1], actor[160], detail[400];
    struct err err = {0};

    hex_encode(bytes_of(m->caller->cert_sha256, 32), hex);
    snprintf(actor, sizeof(actor), "device:%s", hex);
    snprintf(detail, sizeof(detail), "message=%.40s why=%s", m->word, why);
    if (audit_add_rarely(db, AUDIT_EVERY, actor, action, m->id.name, detail, &err) != OK)
        log_err(LOG_LEVEL_WARNING, "audit.failed", &err);
}

static const char *subject_of(struct message *m)
{
    struct err err = {0};
    struct cert_info info;
    struct bytes der;

    if (caller_cert(m->caller, m->req, &der, &err) != OK ||
        cert_info_read(m->req->arena, der, &info, &err) != OK)
        return "";
    return info.subject;
}

static bool turn_unknown_away(struct message *m, struct db *db)
{
    enum unknown_answer answer = UNKNOWN_HOLD;
    struct err err = {0};

    if (unknown_note(db, m->app->conf, &m->id, m->caller->cert_sha256, subject_of(m),
                     pl_get_str(m->root, "Topic"), m->word, m->req->now, m->req->arena, &answer,
                     &err) != OK) {
        device_fail(m, &err);
        return false;
    }
    if (answer == UNKNOWN_ACCEPT)
        return true;
    if (answer == UNKNOWN_END) {
        device_refuse(m, 401, "this unknown device was ended by decision");
        return false;
    }
    device_refuse(m, 503, "unknown device with a valid certificate: held for decision");
    resp_header(m->resp, "Retry-After", "3600");
    return false;
}

bool device_turn_away(struct message *m, const struct who *who)
{
    static const struct {
        const char *action, *why;
    } refusal[] = {
        [WHO_OLD] = {"identity.old", "the identity is of an earlier enrolment of this device"},
        [WHO_MISMATCH] = {"identity.mismatch", "the identity certificate is not this enrollment's"},
        [WHO_NOT_ATTESTED] = {"identity.not_attested",
                              "the device signed for another UDID or serial number when it was "
                              "given its profile"},
        [WHO_REVOKED] = {"identity.revoked", "the identity certificate was revoked"},
    };
    struct err err = {0};
    struct db *db = NULL;
    bool again = false, waits = false;
    enum outcome o;

    if (who->verdict == WHO_ENDED) {
        device_refuse(m, 401, "the enrollment was ended by decision");
        return false;
    }
    if (db_pool_take(m->app->pool, &db, &err) != OK) {
        device_fail(m, &err);
        return false;
    }
    o = who->verdict == WHO_MISMATCH && who->stranger
            ? readmit_waits(db, m->id.device, bytes_of(m->caller->cert_sha256, 32), m->req->arena,
                            &waits, &err)
            : OK;
    if (o != OK) {
        device_fail(m, &err);
    } else if (who->verdict == WHO_UNBOUND || waits) {
        again = turn_unknown_away(m, db);
    } else {
        audit_refusal(m, db, refusal[who->verdict].action, refusal[who->verdict].why);
        device_refuse(m, 403, "%s", refusal[who->verdict].why);
    }
    db_pool_give(m->app->pool, &db);
    return again;
}

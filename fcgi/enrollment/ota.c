/*
 * ota.c: see ota.h. Apple, "Over-the-Air Profile Delivery and Configuration". An enrolment is a row
 * of store/enroll_session.h, named by the challenge; it belongs to the first device that shows the
 * challenge. The identity of phase 2 is issued for that row, by which phase 3 finds it again.
 */
#include "enrollment/ota.h"

#include "base/clock.h"
#include "base/log.h"
#include "enrollment/payload.h"
#include "enrollment/enroll.h"
#include "enrollment/way.h"
#include "store/enroll_session.h"
#include "store/invitation.h"
#include "store/scep_challenge.h"
#include "store/trust_set.h"
#include "wire/encode.h"
#include "wire/sign.h"

#define PREFIX "/enroll/ota"
#define SESSION_US DAY_US /* a person may install the payload some time later */

static const char *const ATTRIBUTES[] = {"UDID",   "VERSION",     "PRODUCT",
                                         "SERIAL", "DEVICE_NAME", "IMEI",
                                         "MEID",   "ICCID",       "MAC_ADDRESS_EN0"};

/* ---- phase 1 ---- */

struct beginning {
    struct app *app;
    struct req *req;
    const char *token; /* of the invitation; NULL: open to anybody */
    struct bytes der;
};

static enum outcome service_write(struct beginning *b, const struct profile *p,
                                  const char *challenge, struct buf *xml)
{
    struct arena *a = b->req->arena;
    pl root = payload_new(a, "Profile Service", p->identifier, "profile-service", p->title, NULL);
    pl content = pl_new_dict(), attributes = pl_new_array();
    for (size_t i = 0; i < sizeof ATTRIBUTES / sizeof *ATTRIBUTES; i++)
        pl_append(attributes, pl_new_str(ATTRIBUTES[i]));
    pl_set_str(content, "URL", arena_fmt(a, "%s" PREFIX, b->app->conf->device_url));
    pl_set(content, "DeviceAttributes", attributes);
    pl_set_str(content, "Challenge", challenge);
    pl_set_str(root, "PayloadOrganization", p->organization);
    pl_set_str(root, "PayloadDescription", p->description);
    pl_set(root, "PayloadContent", content);
    enum outcome o = pl_to_xml(root, xml);
    pl_free(&root);
    return o;
}

static enum outcome begin_unit(struct db *db, void *arg, struct err *err)
{
    struct beginning *b = arg;
    struct invitation inv = {.note = ""};
    struct profile p;
    struct enroll_session s = {
        .kind = SESSION_SERVICE, .created_at = b->req->now, .expires_at = b->req->now + SESSION_US};
    char challenge[ENROLL_SESSION_LEN + 1] = "";
    struct buf xml = BUF_INIT(PROFILE_MAX);
    enum outcome o = OK;
    if (b->token)
        o = invitation_find(db, b->token, b->req->arena, &inv, err);
    if (o == OK) {
        o = inv.profile_id
                ? profile_load_id(b->app->conf, db, b->req->arena, inv.profile_id, &p, err)
                : profile_load(b->app->conf, db, b->req->arena, NULL, &p, err);
        if (o == NOT_FOUND || o == INVALID)
            o = err->outcome = ERROR;
    }
    s.profile_id = inv.profile_id;
    s.invitation_id = inv.id;
    if (o == OK)
        o = enroll_session_new(db, &s, challenge, err);
    if (o == OK && service_write(b, &p, challenge, &xml) != OK)
        o = err_set(err, ERROR, "the profile-service payload cannot be written");
    if (o == OK)
        o = sign_profile(b->req->arena, buf_bytes(&xml), &b->der, err);
    secret_wipe(challenge, sizeof challenge);
    buf_wipe(&xml);
    return o;
}

void ota_begin(struct app *app, struct req *req, const struct caller *caller, struct resp *resp)
{
    struct err err = {.outcome = OK};
    struct beginning b = {.app = app, .req = req};
    struct db *db = NULL;
    (void)caller;
    enum outcome o = enroll_token(app->conf, req, PREFIX, &b.token, &err);
    if (o == OK)
        o = db_pool_take(app->pool, &db, &err);
    if (o == OK)
        o = db_unit(db, begin_unit, &b, &err);
    db_pool_give(app->pool, &db);
    enroll_answer(resp, o, b.der, "profile-service.mobileconfig", &err);
    if (o == OK)
        log_event(LOG_LEVEL_INFO, "enroll.service", "by", b.token ? "invitation" : "open", NULL);
}

/* ---- phase 2 ---- */

struct phase {
    struct way *w;
    struct enroll_session session;
    struct bytes der;
};

static enum outcome identity_write(struct way *w, const char *challenge, struct buf *xml,
                                   struct err *err)
{
    struct arena *a = w->req->arena;
    char uuid[UUID_LEN + 1];
    /* whatever the enrolment profile says: only SCEP gives an identity whose key can decrypt */
    struct profile p = w->profile;
    p.identity = ENROLL_IDENTITY_SCEP;
    p.key_type = "RSA";
    p.key_size = p.least_key_size;
    pl root = payload_new(a, "Configuration", p.identifier, "profile-service", p.title, NULL);
    pl content = pl_new_array();
    pl_set_str(root, "PayloadOrganization", p.organization);
    pl_set_str(root, "PayloadDescription", p.description);
    enum outcome o = payload_add_identity(
        content, a, &p, &(struct profile_secrets){.challenge = challenge}, uuid, err);
    pl_set(root, "PayloadContent", content);
    if (o == OK && pl_to_xml(root, xml) != OK)
        o = err_set(err, ERROR, "the SCEP payload cannot be written");
    pl_free(&root);
    return o;
}

/* The invitation is used by the first device that shows itself, and not by whoever looked at the
 * link before. */
static enum outcome invitation_use(struct db *db, struct phase *ph, struct err *err)
{
    struct enroll_session s;
    enum outcome o = enroll_session_get(db, SESSION_SERVICE, ph->session.id, ph->w->req->now,
                                        ph->w->req->arena, &s, err);
    return o == OK && s.uses == 1 && s.invitation_id
               ? invitation_consume_id(db, s.invitation_id, err)
               : o;
}

static enum outcome identity_unit(struct db *db, void *arg, struct err *err)
{
    struct phase *ph = arg;
    struct way *w = ph->w;
    const struct machine_info *m = &w->device.info;
    char challenge[SCEP_CHALLENGE_LEN + 1] = "";
    struct buf xml = BUF_INIT(PROFILE_MAX);
    enum outcome o = enroll_session_use(db, ph->session.id, m->udid, m->serial, w->device.signer,
                                        WAY_SESSION_USES, err);
    if (o == OK)
        o = invitation_use(db, ph, err);
    if (o == OK)
        o = scep_challenge_new(db, "profile service", 0, ph->session.id, ph->session.expires_at,
                               challenge, err);
    if (o == OK)
        o = identity_write(w, challenge, &xml, err);
    if (o == OK)
        o = sign_profile(w->req->arena, buf_bytes(&xml), &ph->der, err);
    secret_wipe(challenge, sizeof challenge);
    buf_wipe(&xml);
    return o;
}

static void refuse(struct way *w, const struct err *err)
{
    if (err->outcome == DENIED || err->outcome == NOT_FOUND)
        way_refuse(w, 403, err, "This enrolment has expired or belongs to another device.");
    else
        way_fault(w, err);
}

static void issue(struct way *w, struct phase *ph)
{
    struct err err = {.outcome = OK};
    enum outcome o = enroll_session_find(w->db, SESSION_SERVICE, w->device.info.challenge,
                                         w->req->now, w->req->arena, &ph->session, &err);
    if (o == NOT_FOUND)
        err_set(&err, DENIED, "nobody made this challenge");
    if (o == OK && !way_claim(w))
        return;
    if (o == OK)
        o = way_load(w, ph->session.profile_id, &err);
    if (o == OK)
        o = db_unit(w->db, identity_unit, ph, &err);
    if (o != OK) {
        refuse(w, &err);
        return;
    }
    w->resp->content_type = PROFILE_TYPE;
    w->resp->secret = true;
    resp_header(w->resp, "Cache-Control", "no-store");
    buf_add(&w->resp->body, ph->der.p, ph->der.n);
    log_event(LOG_LEVEL_INFO, "enroll.attested", "subject", w->subject, NULL);
}

/* ---- phase 3 ---- */

/* Does the identity count still? */
static enum outcome identity_check(struct way *w, struct err *err)
{
    const struct attested *d = &w->device;
    enum trust_verdict verdict = TRUST_BROKEN;
    const char *why = "";
    enum outcome o = trust_set_check(w->app->trust, d->signer, d->chain, d->nchain, w->req->now,
                                     &verdict, &why, err);
    if (o == OK && verdict != TRUST_GOOD)
        o = err_set(err, DENIED, "the identity does not count: %s", why);
    return o;
}

static void finish(struct way *w, struct phase *ph)
{
    struct err err = {.outcome = OK};
    const struct enroll_session *s = &ph->session;
    const struct machine_info *m = &w->device.info;
    struct profile_order order = {.account_kind = (enum account_kind)s->account_kind,
                                  .account = s->account[0] ? s->account : NULL,
                                  .invitation_id = s->invitation_id,
                                  .recipient = w->device.signer};
    enum outcome o = identity_check(w, &err);
    if (o == OK)
        way_believe(w);
    if (o == OK && strcmp(s->udid, m->udid) != 0)
        o = err_set(&err, DENIED, "the attributes are of another device than the identity");
    if (o == OK && !way_claim(w))
        return;
    if (o == OK)
        o = way_load(w, s->profile_id, &err);
    if (o != OK)
        refuse(w, &err);
    else
        way_hand_out(w, &order, &(struct way_pass){.id = s->id, .device = m->udid});
}

void ota_handle(struct app *app, struct req *req, const struct caller *caller, struct resp *resp)
{
    struct way w = {
        .app = app, .req = req, .resp = resp, .kind = WAY_PROFILE_SERVICE, .subject = ""};
    struct phase ph = {.w = &w};
    struct err err = {.outcome = OK};
    uint8_t sum[SHA256_LEN];
    (void)caller;
    if (!way_open(&w, bytes_of(NULL, 0), MACHINE_INFO_SERVICE, false))
        return;
    sha256(w.device.signer, sum);
    enum outcome o = enroll_session_of_identity(w.db, sum, req->now, req->arena, &ph.session, &err);
    if (o == OK)
        finish(&w, &ph);
    else if (o == NOT_FOUND && way_by_apple(&w))
        issue(&w, &ph);
    else if (o != NOT_FOUND)
        refuse(&w, &err);
    way_close(&w);
}

/* handout.c: from the object to the profile of one device; see profile.h. */
#include <stdio.h>

#include "base/clock.h"
#include "base/secretfile.h"
#include "base/uuid.h"
#include "command/sensitive.h"
#include "enrollment/profile.h"
#include "store/id.h"
#include "store/scep.h"
#include "store/scep_challenge.h"
#include "wire/encode.h"
#include "wire/sign.h"

#define SECRET_MAX 512u

/* ---- the object ---- */

static enum outcome certificates(const struct enroll_content *c, struct arena *a, struct profile *p,
                                 struct err *err)
{
    size_t n = 0;
    enum outcome o = sign_certificate(a, "ca", &p->certs[0], err);
    if (o == OK && c->certificates[strspn(c->certificates, " \t\r\n")])
        o = cert_from_pem(a, bytes_str(c->certificates), p->certs + 1, PROFILE_CERTS_MAX - 1, &n,
                          err);
    p->ncerts = n + 1;
    return o == INVALID ? err_set(err, ERROR, "the profile's certificates are no sound PEM") : o;
}

/* What a device makes by SCEP is of 2048 or 4096 bits; [scep] min_rsa may be more than the first,
 * and than what the enrolment profile says, whose devices would be refused. */
static void scep_of(const struct conf *conf, const struct enroll_content *c, const char *base,
                    struct arena *a, struct profile *p)
{
    bool other = c->identity == ENROLL_IDENTITY_EXTERNAL;
    p->least_key_size = conf->scep_min_rsa > 2048 ? 4096 : 2048;
    if (c->identity == ENROLL_IDENTITY_SCEP || c->identity == ENROLL_IDENTITY_STATIC)
        p->key_size = c->key_size > p->least_key_size ? c->key_size : p->least_key_size;
    p->scep_url = other ? c->scep_url : arena_fmt(a, "%s/scep", base);
    p->scep_name = other ? c->scep_name : "Drover";
    p->scep_subject = other ? c->scep_subject : "";
    p->scep_fingerprint = other ? c->scep_fingerprint : "";
    p->scep_challenge = c->scep_challenge;
}

static enum outcome fill(const struct conf *conf, struct db *db, struct arena *a,
                         const struct enrollprofile *e, struct profile *p, struct err *err)
{
    const struct enroll_content *c = &e->c;
    const char *base = c->server_url[0] ? c->server_url : conf->device_url;
    const char *org = c->organization[0] ? c->organization : conf->organization;
    *p = (struct profile){
        .id = e->id,
        .version = e->version,
        .web = c->web,
        .login = c->login,
        .login_text = c->login_text,
        .minimum_ios = c->minimum_ios,
        .minimum_macos = c->minimum_macos,
        .encrypt = c->encrypt,
        .assigned_only = c->assigned_only,
        .identifier = profile_identifier(a, conf->device_url),
        .organization = org[0] ? org : "Drover",
        .title = c->title,
        .description = c->description,
        .consent = c->consent,
        .removal = c->removal,
        .removal_password = c->removal_password,
        .server_url = arena_fmt(a, "%s/mdm/connect", base),
        .checkin_url = arena_fmt(a, "%s/mdm/checkin", c->checkin_url[0] ? c->checkin_url : base),
        .server_capabilities = c->server_capabilities,
        .access_rights = c->access_rights,
        .sign_message = c->sign_message,
        .check_out_when_removed = c->check_out_when_removed,
        .use_development_apns = c->use_development_apns,
        .identity = c->identity,
        .key_type = c->key_type,
        .key_size = c->key_size};
    scep_of(conf, c, base, a, p);
    if (!p->identifier || !p->server_url || !p->checkin_url || !p->scep_url)
        return err_set(err, ERROR, "out of memory");
    enum outcome o = enroll_content_topic(db, conf, c, a, &p->topic, err);
    if (o == NOT_FOUND || o == CONFLICT) {
        err_prefix(err, "neither the enrolment profile nor [enroll] topic names a topic");
        o = UNAVAILABLE;
    }
    return o == OK ? certificates(c, a, p, err) : o;
}

enum outcome profile_load(const struct conf *conf, struct db *db, struct arena *a, const char *name,
                          struct profile *p, struct err *err)
{
    struct enrollprofile e;
    enum outcome o =
        enrollprofile_find(db, conf, name && name[0] ? name : ENROLLPROFILE_DEFAULT, a, &e, err);
    return o == OK ? fill(conf, db, a, &e, p, err) : o;
}

enum outcome profile_load_id(const struct conf *conf, struct db *db, struct arena *a, int64_t id,
                             struct profile *p, struct err *err)
{
    struct enrollprofile e;
    enum outcome o = enrollprofile_get(db, id, a, &e, err);
    return o == OK ? fill(conf, db, a, &e, p, err) : o;
}

void profile_keep(struct profile *p, const struct handout *h)
{
    p->topic = h->topic;
    p->server_url = h->server_url;
    p->checkin_url = h->checkin_url;
    p->access_rights = h->access_rights;
    p->managed_account = h->managed_account;
    p->enrollment_mode = h->enrollment_mode;
    bool was = strstr(h->server_capabilities, "per-user-connections");
    if (was != (strstr(p->server_capabilities, "per-user-connections") != NULL))
        p->server_capabilities = h->server_capabilities;
}

/* ---- one that is given out ---- */

struct making {
    const struct conf *conf;
    struct db *db;
    const struct profile *p; /* with the CheckInURL of this one */
    const struct profile_order *order;
    struct arena *a;
    int64_t id; /* of the handout */
    char challenge[SCEP_CHALLENGE_LEN + SCEP_STATIC_MAX + 1];
    struct buf secret[2]; /* opened: the external challenge, the removal password */
    struct profile_secrets out;
};

static enum outcome unseal(struct making *m, int i, const char *purpose, struct bytes sealed,
                           const char **out, struct err *err)
{
    const char *owner = arena_fmt(m->a, "%lld", (long long)m->p->id);
    if (!sealed.n)
        return OK;
    enum outcome o =
        owner ? sign_unseal(purpose, owner, sealed, bytes_of("", 0), "", &m->secret[i], err)
              : err_set(err, ERROR, "out of memory");
    *out = buf_cstr(&m->secret[i]);
    return o;
}

static enum outcome pkcs12_make(struct making *m, struct err *err)
{
    char uuid[UUID_LEN + 1];
    struct bytes der;
    struct cert_info info;
    int64_t now = clock_now();
    uuid_v4(uuid);
    struct sign_pkcs12 ask = {.key_type = m->p->key_type,
                              .key_size = m->p->key_size,
                              .common_name = arena_fmt(m->a, "Device %s", uuid),
                              .not_before = now - HOUR_US,
                              .not_after = now + m->conf->scep_validity_days * DAY_US};
    enum outcome o = ask.common_name ? sign_pkcs12(m->a, &ask, &der, &m->out.pkcs12,
                                                   &m->out.pkcs12_password, err)
                                     : err_set(err, ERROR, "out of memory");
    if (o == OK)
        o = cert_info_read(m->a, der, &info, err);
    if (o != OK)
        return o;
    struct scep_issue issue = {.why = "pkcs12",
                               .renews_device_id = m->order->device_id,
                               .cert_der = der,
                               .serial = info.serial,
                               .subject = info.subject,
                               .issuer = info.issuer,
                               .not_before = info.not_before,
                               .not_after = info.not_after};
    memcpy(issue.cert_sha256, info.sha256, sizeof issue.cert_sha256);
    memcpy(issue.key_sha256, info.key_sha256, sizeof issue.key_sha256);
    return scep_identity_record(m->db, &issue, m->id, err);
}

/* What renews an identity of Drover's is Drover's own, wherever new devices get theirs. */
static int64_t source(const struct making *m)
{
    int64_t s = m->p->identity;
    return m->order->device_id && s != ENROLL_IDENTITY_PKCS12 ? ENROLL_IDENTITY_SCEP : s;
}

static enum outcome identity_make(struct making *m, struct err *err)
{
    const char *path = m->conf->scep_challenge_file;
    enum outcome o;
    m->out.challenge = m->challenge;
    switch (source(m)) {
    case ENROLL_IDENTITY_PKCS12:
        return pkcs12_make(m, err);
    case ENROLL_IDENTITY_EXTERNAL:
        return unseal(m, 0, ENROLLPROFILE_CHALLENGE_PURPOSE, m->p->scep_challenge,
                      &m->out.challenge, err);
    case ENROLL_IDENTITY_STATIC:
        o = path[0] ? secretfile_read(path, SCEP_STATIC_MIN, SCEP_STATIC_MAX, m->challenge, err)
                    : err_set(err, ERROR,
                              "the profile takes the static challenge, and there is no "
                              "[scep] challenge_file");
        return o;
    default:
        return scep_challenge_new(m->db, m->order->note, m->order->device_id, m->id,
                                  clock_now() + m->order->keep_us, m->challenge, err);
    }
}

static enum outcome record(struct making *m, const char *token, struct err *err)
{
    const struct profile *p = m->p;
    const struct profile_order *order = m->order;
    struct handout h = {.id = m->id,
                        .profile_id = p->id,
                        .version = p->version,
                        .way = order->way,
                        .token = token,
                        .topic = p->topic,
                        .server_url = p->server_url,
                        .checkin_url = p->checkin_url,
                        .server_capabilities = p->server_capabilities,
                        .access_rights = p->access_rights,
                        .managed_account = p->managed_account,
                        .enrollment_mode = p->enrollment_mode,
                        .account_kind = order->account_kind,
                        .account = order->account,
                        .invitation_id = order->invitation_id,
                        .address = order->address,
                        .made_at = clock_now(),
                        .udid = order->udid,
                        .serial = order->serial};
    return handout_add(m->db, &h, err);
}

static enum outcome make(struct making *m, struct buf *xml, struct bytes *der, struct err *err)
{
    enum outcome o = identity_make(m, err);
    if (o == OK && m->p->removal == ENROLL_REMOVAL_PASSWORD)
        o = unseal(m, 1, ENROLLPROFILE_REMOVAL_PURPOSE, m->p->removal_password,
                   &m->out.removal_password, err);
    if (o == OK)
        o = profile_build(m->p, &m->out, m->order->recipient, m->a, xml, err);
    return o == OK ? sign_profile(m->a, buf_bytes(xml), der, err) : o;
}

enum outcome profile_hand_out(const struct conf *conf, struct db *db, const struct profile *p,
                              const struct profile_order *order, struct arena *a, struct bytes *der,
                              struct err *err)
{
    char token[HANDOUT_TOKEN_LEN + 1];
    struct profile mine = *p;
    struct making m = {.conf = conf,
                       .db = db,
                       .p = &mine,
                       .order = order,
                       .a = a,
                       .id = id_new(),
                       .secret = {BUF_INIT(SECRET_MAX), BUF_INIT(SECRET_MAX)},
                       .out = {.challenge = "", .pkcs12_password = "", .removal_password = ""}};
    struct buf xml = BUF_INIT(PROFILE_MAX);
    bool marked = source(&m) == ENROLL_IDENTITY_STATIC || source(&m) == ENROLL_IDENTITY_EXTERNAL;
    secret_new(HANDOUT_TOKEN_LEN / 2, token);
    if (marked)
        mine.checkin_url = arena_fmt(a, "%s?" HANDOUT_TOKEN_QUERY "=%s", p->checkin_url, token);
    enum outcome o = mine.checkin_url ? record(&m, marked ? token : NULL, err)
                                      : err_set(err, ERROR, "out of memory");
    if (o == OK)
        o = make(&m, &xml, der, err);
    if (o == INVALID) { /* our object or configuration, not the caller's request */
        err_prefix(err, "the enrolment profile");
        o = err->outcome = ERROR;
    }
    secret_wipe(m.challenge, sizeof m.challenge);
    buf_wipe(&m.secret[0]);
    buf_wipe(&m.secret[1]);
    buf_wipe(&xml);
    return o;
}

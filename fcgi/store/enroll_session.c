/* enroll_session.c: see enroll_session.h. */
#include "store/enroll_session.h"

#include "store/id.h"
#include "wire/digest.h"
#include "wire/encode.h"

#define COLUMNS                                                                                    \
    "id, kind, profile_id, invitation_id, account_kind, account, managed_account, mode, udid, "    \
    "serial, cert_der, created_at, expires_at, uses"
#define S_COLUMNS                                                                                  \
    "s.id, s.kind, s.profile_id, s.invitation_id, s.account_kind, s.account, s.managed_account, "  \
    "s.mode, s.udid, s.serial, s.cert_der, s.created_at, s.expires_at, s.uses"

static const struct sql NEW = {"enroll_session_new",
                               "INSERT INTO enroll_session (" COLUMNS ", secret_sha256) VALUES "
                               "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                               0};
static const struct sql FIND = {
    "enroll_session_find",
    "SELECT " COLUMNS " FROM enroll_session WHERE secret_sha256 = ? AND kind = ?", 0};
static const struct sql GET = {
    "enroll_session_get", "SELECT " COLUMNS " FROM enroll_session WHERE id = ? AND kind = ?", 0};
static const struct sql OF_IDENTITY = {"enroll_session_of_identity",
                                       "SELECT " S_COLUMNS
                                       ", i.revoked_at FROM identity_cert i JOIN enroll_session s "
                                       "ON s.id = i.handout_id WHERE i.sha256 = ? AND s.kind = ?",
                                       0};
static const struct sql USE = {
    "enroll_session_use",
    "UPDATE enroll_session SET udid = ?, serial = ?, cert_der = ?, uses = uses + 1 WHERE id = ? "
    "AND uses < ? AND (udid IS NULL OR udid = ?)",
    0};
static const struct sql PERSON = {
    "enroll_session_person", "UPDATE enroll_session SET account_kind = ?, account = ? WHERE id = ?",
    0};
static const struct sql TAKE = {
    "enroll_nonce_take",
    "UPDATE enroll_session SET uses = ? WHERE secret_sha256 = ? AND kind = ? AND udid = ? AND "
    "expires_at > ? AND uses < ?",
    0};

static struct val digest(const char *secret, uint8_t sum[SHA256_LEN])
{
    sha256(bytes_str(secret), sum);
    return val_secret(bytes_of(sum, SHA256_LEN));
}

/* "" is stored as NULL. */
static struct val text(const char *s)
{
    return s && *s ? val_str(s) : val_null();
}

static enum outcome insert(struct db *db, struct enroll_session *s, const char *secret,
                           struct err *err)
{
    uint8_t sum[SHA256_LEN];
    s->id = id_new();
    return db_exec(db, &NEW,
                   (struct val[]){val_int(s->id), val_int(s->kind), val_id(s->profile_id),
                                  val_id(s->invitation_id), val_int(s->account_kind),
                                  text(s->account), text(s->managed_account), text(s->mode),
                                  text(s->udid), text(s->serial), val_bin(s->cert_der),
                                  val_int(s->created_at), val_int(s->expires_at), val_int(s->uses),
                                  digest(secret, sum)},
                   15, NULL, err);
}

enum outcome enroll_session_new(struct db *db, struct enroll_session *s,
                                char secret[ENROLL_SESSION_LEN + 1], struct err *err)
{
    secret_new(ENROLL_SESSION_LEN / 2, secret);
    return insert(db, s, secret, err);
}

static enum outcome take_row(const struct rows *r, int64_t now, struct enroll_session *out,
                             struct err *err)
{
    if (r->n == 0)
        return err_set(err, NOT_FOUND, "no such enrolment is under way");
    const struct val *v = row_at(r, 0, 0);
    *out = (struct enroll_session){.id = v[0].i,
                                   .kind = (enum enroll_session_kind)v[1].i,
                                   .profile_id = val_or_0(&v[2]),
                                   .invitation_id = val_or_0(&v[3]),
                                   .account_kind = v[4].i,
                                   .account = val_text(&v[5]),
                                   .managed_account = val_text(&v[6]),
                                   .mode = val_text(&v[7]),
                                   .udid = val_text(&v[8]),
                                   .serial = val_text(&v[9]),
                                   .created_at = v[11].i,
                                   .expires_at = v[12].i,
                                   .uses = v[13].i};
    if (!val_is_null(&v[10]))
        out->cert_der = val_bytes(&v[10]);
    return out->expires_at > now ? OK : err_set(err, DENIED, "the enrolment took too long");
}

enum outcome enroll_session_find(struct db *db, enum enroll_session_kind kind, const char *secret,
                                 int64_t now, struct arena *a, struct enroll_session *out,
                                 struct err *err)
{
    uint8_t sum[SHA256_LEN];
    struct rows r;
    enum outcome o =
        db_select(db, &FIND, (struct val[]){digest(secret, sum), val_int(kind)}, 2, a, &r, err);
    return o == OK ? take_row(&r, now, out, err) : o;
}

enum outcome enroll_session_get(struct db *db, enum enroll_session_kind kind, int64_t id,
                                int64_t now, struct arena *a, struct enroll_session *out,
                                struct err *err)
{
    struct rows r;
    enum outcome o = db_select(db, &GET, (struct val[]){val_int(id), val_int(kind)}, 2, a, &r, err);
    return o == OK ? take_row(&r, now, out, err) : o;
}

enum outcome enroll_session_of_identity(struct db *db, const uint8_t cert_sha256[32], int64_t now,
                                        struct arena *a, struct enroll_session *out,
                                        struct err *err)
{
    struct rows r;
    enum outcome o =
        db_select(db, &OF_IDENTITY,
                  (struct val[]){val_bin(bytes_of(cert_sha256, 32)), val_int(SESSION_SERVICE)}, 2,
                  a, &r, err);
    if (o == OK)
        o = take_row(&r, now, out, err);
    if (o == OK && !val_is_null(row_at(&r, 0, 14)))
        o = err_set(err, DENIED, "the identity was revoked");
    return o;
}

enum outcome enroll_session_use(struct db *db, int64_t id, const char *udid, const char *serial,
                                struct bytes cert_der, int64_t uses_max, struct err *err)
{
    uint64_t rows;
    enum outcome o = db_exec(db, &USE,
                             (struct val[]){text(udid), text(serial), val_bin(cert_der),
                                            val_int(id), val_int(uses_max), text(udid)},
                             6, &rows, err);
    if (o == OK && rows == 0)
        return err_set(err, DENIED,
                       "another device has begun this enrolment, or it was repeated "
                       "too often");
    return o;
}

enum outcome enroll_session_person(struct db *db, int64_t id, int64_t account_kind,
                                   const char *account, struct err *err)
{
    return db_exec(db, &PERSON,
                   (struct val[]){val_int(account_kind), val_str(account), val_int(id)}, 3, NULL,
                   err);
}

enum outcome enroll_nonce_new(struct db *db, const char *udid, int64_t now, int64_t expires_at,
                              char nonce[ENROLL_SESSION_LEN + 1], struct err *err)
{
    struct enroll_session s = {
        .kind = SESSION_DIGEST, .udid = udid, .created_at = now, .expires_at = expires_at};
    secret_new(DIGEST_NONCE_LEN / 2, nonce);
    return insert(db, &s, nonce, err);
}

enum outcome enroll_nonce_take(struct db *db, const char *nonce, const char *udid, uint32_t count,
                               int64_t now, struct err *err)
{
    uint8_t sum[SHA256_LEN];
    uint64_t rows;
    struct val nc = val_int(count);
    enum outcome o = db_exec(db, &TAKE,
                             (struct val[]){nc, digest(nonce, sum), val_int(SESSION_DIGEST),
                                            val_str(udid), val_int(now), nc},
                             6, &rows, err);
    if (o == OK && rows == 0)
        return err_set(err, DENIED, "the nonce is not this device's, expired, or its nc was seen");
    return o;
}

enum outcome enroll_session_end(struct db *db, enum enroll_session_kind kind, const char *secret,
                                struct err *err)
{
    static const struct sql END = {
        "enroll_session_end",
        "UPDATE enroll_session SET expires_at = 0 WHERE secret_sha256 = ? AND kind = ?", 0};
    uint8_t sum[SHA256_LEN];
    sha256(bytes_str(secret), sum);
    return db_exec(db, &END, (struct val[]){val_bin(bytes_of(sum, sizeof sum)), val_int(kind)}, 2,
                   NULL, err);
}

/* scep.c: the statements of SCEP; see scep.h. */
#include "store/scep.h"

#include "base/clock.h"
#include "store/audit.h"
#include "store/who.h"

#include <stdio.h>

#define SUBJECT_MAX 512

static const struct sql CHALLENGE_NEW = {
    .name = "scep_challenge_new",
    .text = "INSERT INTO scep_challenge (sha256, created_at, expires_at, device_id, note, "
            "handout_id) VALUES (?, ?, ?, ?, ?, ?)"};
static const struct sql CHALLENGE_FIND = {
    .name = "scep_challenge_find",
    .text = "SELECT expires_at, used_at, transaction_id, device_id, handout_id FROM scep_challenge "
            "WHERE sha256 = ?"};
static const struct sql CHALLENGE_USE = {
    .name = "scep_challenge_use",
    .text = "UPDATE scep_challenge SET used_at = ?, transaction_id = ? "
            "WHERE sha256 = ? AND used_at IS NULL AND expires_at > ?"};
static const struct sql ANSWERED = {.name = "scep_answered",
                                    .text = "SELECT c.der, c.revoked_at FROM scep_transaction t "
                                            "JOIN identity_cert c ON c.sha256 = t.cert_sha256 "
                                            "WHERE t.transaction_sha256 = ? AND t.key_sha256 = ?"};
static const struct sql TRANSACTION_NEW = {
    .name = "scep_transaction_new",
    .text = "INSERT INTO scep_transaction "
            "(transaction_sha256, key_sha256, transaction_id, cert_sha256, created_at) "
            "VALUES (?, ?, ?, ?, ?)"};
static const struct sql IDENTITY_FIND = {
    .name = "scep_identity_find",
    .text = "SELECT COALESCE(i.device_id, i.renews_device_id), i.revoked_at, "
            "e.state FROM identity_cert i LEFT JOIN enrollment e "
            "ON e.id = COALESCE(i.device_id, i.renews_device_id) "
            "WHERE i.sha256 = ? AND i.issued_at IS NOT NULL"};
static const struct sql IDENTITY_NEW = {
    .name = "scep_identity_new",
    .text = "INSERT INTO identity_cert (sha256, der, serial, subject, key_sha256, not_before, "
            "not_after, issued_at, renews_device_id, handout_id) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"};

static struct val val_digest(const uint8_t sum[SHA256_LEN])
{
    return val_bin(bytes_of(sum, SHA256_LEN));
}

enum outcome scep_challenge_new(struct db *db, const char *note, int64_t device_id,
                                int64_t handout_id, int64_t expires_at,
                                char challenge[SCEP_CHALLENGE_LEN + 1], struct err *err)
{
    uint8_t sum[SHA256_LEN];
    secret_new(SCEP_CHALLENGE_LEN / 2, challenge);
    sha256(bytes_str(challenge), sum);
    return db_exec(db, &CHALLENGE_NEW,
                   (struct val[]){val_digest(sum), val_int(clock_now()), val_int(expires_at),
                                  val_id(device_id), val_str(note), val_id(handout_id)},
                   6, NULL, err);
}

struct challenge {
    int64_t expires_at, used_at;   /* used_at 0: not used */
    const char *used_by;           /* transactionID, NULL unless used */
    int64_t device_id, handout_id; /* 0: none */
};

static enum outcome challenge_find(struct db *db, const char *challenge, struct arena *a,
                                   struct challenge *out, struct err *err)
{
    uint8_t sum[SHA256_LEN];
    struct rows r;
    sha256(bytes_str(challenge), sum);
    enum outcome o = db_select(db, &CHALLENGE_FIND, (struct val[]){val_digest(sum)}, 1, a, &r, err);
    if (o != OK)
        return o;
    if (r.n == 0)
        return err_set(err, DENIED, "nobody made this challenge");
    *out = (struct challenge){.expires_at = row_at(&r, 0, 0)->i,
                              .used_at = row_at(&r, 0, 1)->i,
                              .used_by = row_at(&r, 0, 2)->s,
                              .device_id = row_at(&r, 0, 3)->i,
                              .handout_id = row_at(&r, 0, 4)->i};
    return OK;
}

static enum outcome challenge_judge(const struct challenge *c, const char *transaction_id,
                                    struct err *err)
{
    char when[CLOCK_TEXT_MAX];
    if (c->used_at && c->used_by && strcmp(c->used_by, transaction_id) == 0)
        return err_set(err, CONFLICT, "the challenge was used by this transaction already");
    if (c->used_at)
        return err_set(err, DENIED, "the challenge was used at %s by another transaction",
                       clock_rfc3339(c->used_at, false, when));
    if (c->expires_at <= clock_now())
        return err_set(err, DENIED, "the challenge expired at %s",
                       clock_rfc3339(c->expires_at, false, when));
    return OK;
}

enum outcome scep_challenge_check(struct db *db, const char *challenge, const char *transaction_id,
                                  struct arena *a, struct err *err)
{
    struct challenge c;
    enum outcome o = challenge_find(db, challenge, a, &c, err);
    return o == OK ? challenge_judge(&c, transaction_id, err) : o;
}

enum outcome scep_answered(struct db *db, const char *transaction_id,
                           const uint8_t key_sha256[SHA256_LEN], struct arena *a,
                           struct bytes *cert_der, struct err *err)
{
    uint8_t sum[SHA256_LEN];
    struct rows r;
    sha256(bytes_str(transaction_id), sum);
    enum outcome o = db_select(
        db, &ANSWERED, (struct val[]){val_digest(sum), val_digest(key_sha256)}, 2, a, &r, err);
    if (o != OK)
        return o;
    if (r.n == 0 || val_is_null(row_at(&r, 0, 0)))
        return err_set(err, NOT_FOUND, "no answer to this transaction and key");
    if (!val_is_null(row_at(&r, 0, 1)))
        return err_set(err, DENIED, "the certificate of this transaction has been revoked");
    *cert_der = val_bytes(row_at(&r, 0, 0));
    return OK;
}

enum outcome scep_identity_find(struct db *db, const uint8_t cert_sha256[SHA256_LEN],
                                struct arena *a, struct scep_identity *out, struct err *err)
{
    struct rows r;
    enum outcome o =
        db_select(db, &IDENTITY_FIND, (struct val[]){val_digest(cert_sha256)}, 1, a, &r, err);
    if (o != OK)
        return o;
    if (r.n == 0)
        return err_set(err, NOT_FOUND, "this identity was not issued here");
    *out = (struct scep_identity){.device_id = row_at(&r, 0, 0)->i,
                                  .revoked = !val_is_null(row_at(&r, 0, 1)),
                                  .ended = row_at(&r, 0, 2)->i == ENROLLMENT_ENDED};
    return OK;
}

struct record {
    const struct scep_issue *issue;
    struct arena *a;
};

/* Uses the challenge up; *device_id is the device it renews, *handout_id the profile it stood in,
 * or 0. */
static enum outcome challenge_use(struct db *db, const struct record *rec, int64_t *device_id,
                                  int64_t *handout_id, struct err *err)
{
    const struct scep_issue *i = rec->issue;
    uint8_t sum[SHA256_LEN];
    struct challenge c;
    uint64_t used;
    int64_t now = clock_now();
    sha256(bytes_str(i->challenge), sum);
    enum outcome o = db_exec(
        db, &CHALLENGE_USE,
        (struct val[]){val_int(now), val_str(i->transaction_id), val_digest(sum), val_int(now)}, 4,
        &used, err);
    if (o == OK)
        o = challenge_find(db, i->challenge, rec->a, &c, err);
    if (o == OK && !used) {
        o = challenge_judge(&c, i->transaction_id, err);
        return o == OK ? err_set(err, DENIED, "the challenge is used up") : o;
    }
    if (o == OK) {
        *device_id = c.device_id;
        *handout_id = c.handout_id;
    }
    return o;
}

static enum outcome identity_add(struct db *db, const struct scep_issue *i, int64_t device_id,
                                 int64_t handout_id, struct err *err)
{
    char detail[200];
    enum outcome o =
        db_exec(db, &IDENTITY_NEW,
                (struct val[]){val_digest(i->cert_sha256), val_bin(i->cert_der), val_str(i->serial),
                               val_cut(i->subject, SUBJECT_MAX), val_digest(i->key_sha256),
                               val_int(i->not_before), val_int(i->not_after), val_int(clock_now()),
                               val_id(device_id), val_id(handout_id)},
                10, NULL, err);
    if (o != OK)
        return o;
    snprintf(detail, sizeof detail, "serial=%s by=%s", i->serial, i->why);
    return audit_add(db, "scep", "identity.issue", i->subject, detail, err);
}

static enum outcome record_unit(struct db *db, void *arg, struct err *err)
{
    const struct record *rec = arg;
    const struct scep_issue *i = rec->issue;
    uint8_t sum[SHA256_LEN];
    int64_t device_id = i->renews_device_id, handout_id = 0;
    enum outcome o = OK;
    sha256(bytes_str(i->transaction_id), sum);
    if (i->challenge)
        o = challenge_use(db, rec, &device_id, &handout_id, err);
    if (o == OK)
        o = db_exec(db, &TRANSACTION_NEW,
                    (struct val[]){val_digest(sum), val_digest(i->key_sha256),
                                   val_str(i->transaction_id), val_digest(i->cert_sha256),
                                   val_int(clock_now())},
                    5, NULL, err);
    return o == OK ? identity_add(db, i, device_id, handout_id, err) : o;
}

enum outcome scep_identity_record(struct db *db, const struct scep_issue *issue, int64_t handout_id,
                                  struct err *err)
{
    return identity_add(db, issue, issue->renews_device_id, handout_id, err);
}

enum outcome scep_issue_record(struct db *db, const struct scep_issue *issue, struct arena *a,
                               struct err *err)
{
    struct record rec = {issue, a};
    return db_unit(db, record_unit, &rec, err);
}

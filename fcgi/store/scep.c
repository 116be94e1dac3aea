/* scep.c: the statements of SCEP; see scep.h. */
#include "store/scep.h"

#include "base/clock.h"
#include "store/audit.h"
#include "store/scep_challenge.h"
#include "store/scep_request.h"
#include "store/who.h"

#include <stdio.h>

#define SUBJECT_MAX 512
#define ISSUER_MAX 255

static const struct sql ANSWERED = {.name = "scep_answered",
                                    .text = "SELECT c.der, c.revoked_at FROM scep_transaction t "
                                            "JOIN identity_cert c ON c.sha256 = t.cert_sha256 "
                                            "WHERE t.transaction_sha256 = ? AND t.key_sha256 = ?"};
static const struct sql TRANSACTION_NEW = {
    .name = "scep_transaction_new",
    .text = "INSERT INTO scep_transaction "
            "(transaction_sha256, key_sha256, transaction_id, cert_sha256, created_at) "
            "VALUES (?, ?, ?, ?, ?)"};
/* Of two requests at the same moment the second waits here for the first one's end. */
static const struct sql KEY_TAKE = {
    .name = "scep_key_take", .text = "INSERT INTO issued_key (key_sha256, at) VALUES (?, ?)"};
static const struct sql KEY_NOTE = {
    .name = "scep_key_note",
    .text = "INSERT IGNORE INTO issued_key (key_sha256, at) VALUES (?, ?)"};
static const struct sql KEY_KNOWN = {
    .name = "scep_key_known",
    .text = "SELECT serial FROM identity_cert WHERE key_sha256 = ? AND issued_at IS NOT NULL "
            "LIMIT 1"};
static const struct sql IDENTITY_FIND = {
    .name = "scep_identity_find",
    .text = "SELECT COALESCE(i.device_id, i.renews_device_id), i.revoked_at, "
            "e.state FROM identity_cert i LEFT JOIN enrollment e "
            "ON e.id = COALESCE(i.device_id, i.renews_device_id) "
            "WHERE i.sha256 = ? AND i.issued_at IS NOT NULL"};
static const struct sql CERT_FIND = {
    .name = "scep_cert_find",
    .text = "SELECT der FROM identity_cert WHERE serial = ? AND issued_at IS NOT NULL "
            "AND (issuer = ? OR issuer IS NULL) AND der IS NOT NULL LIMIT 1"};
static const struct sql IDENTITY_NEW = {
    .name = "scep_identity_new",
    .text = "INSERT INTO identity_cert (sha256, der, serial, subject, issuer, key_sha256, "
            "not_before, not_after, issued_at, renews_device_id, handout_id) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"};

static struct val val_digest(const uint8_t sum[SHA256_LEN])
{
    return val_bin(bytes_of(sum, SHA256_LEN));
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

enum outcome scep_cert_find(struct db *db, const char *issuer, const char *serial, struct arena *a,
                            struct bytes *der, struct err *err)
{
    struct rows r;
    enum outcome o =
        db_select(db, &CERT_FIND, (struct val[]){val_str(serial), val_str(issuer)}, 2, a, &r, err);
    if (o == OK && r.n == 0)
        return err_set(err, NOT_FOUND, "no certificate %s of %s was issued here", serial, issuer);
    if (o == OK)
        *der = val_bytes(row_at(&r, 0, 0));
    return o;
}

struct record {
    const struct scep_issue *issue;
    struct arena *a;
};

static enum outcome identity_add(struct db *db, const struct scep_issue *i, int64_t device_id,
                                 int64_t handout_id, struct err *err)
{
    char detail[400];
    enum outcome o = db_exec(
        db, &IDENTITY_NEW,
        (struct val[]){val_digest(i->cert_sha256), val_bin(i->cert_der), val_str(i->serial),
                       val_cut(i->subject, SUBJECT_MAX), val_cut(i->issuer, ISSUER_MAX),
                       val_digest(i->key_sha256), val_int(i->not_before), val_int(i->not_after),
                       val_int(clock_now()), val_id(device_id), val_id(handout_id)},
        11, NULL, err);
    if (o != OK)
        return o;
    snprintf(detail, sizeof detail, "serial=%s by=%s", i->serial, i->why);
    return audit_add(db, "scep", "identity.issue", i->subject, detail, err);
}

/* The key is this certificate's from now on. */
static enum outcome key_take(struct db *db, const struct record *rec, struct err *err)
{
    struct val args[] = {val_digest(rec->issue->key_sha256), val_int(clock_now())};
    struct rows r;
    if (rec->issue->key_may_be_old)
        return db_exec(db, &KEY_NOTE, args, 2, NULL, err);
    enum outcome o = db_exec(db, &KEY_TAKE, args, 2, NULL, err);
    if (o != CONFLICT)
        return o;
    o = db_select(db, &KEY_KNOWN, args, 1, rec->a, &r, err);
    if (o != OK)
        return o;
    return err_set(err, DENIED,
                   "this key has a certificate already (serial %s): the device must make a new one",
                   r.n > 0 ? row_at(&r, 0, 0)->s : "of before");
}

static enum outcome record_unit(struct db *db, void *arg, struct err *err)
{
    const struct record *rec = arg;
    const struct scep_issue *i = rec->issue;
    uint8_t sum[SHA256_LEN];
    struct scep_challenge c = {.device_id = i->renews_device_id, .handout_id = i->handout_id};
    enum outcome o = OK;
    sha256(bytes_str(i->transaction_id), sum);
    if (i->challenge)
        o = scep_challenge_use(db, i->challenge, i->transaction_id, rec->a, &c, err);
    if (o == OK && i->request_id)
        o = scep_request_issued(db, i->request_id, err);
    /* before the key: one request that came twice is a transaction that is known, no second use */
    if (o == OK)
        o = db_exec(db, &TRANSACTION_NEW,
                    (struct val[]){val_digest(sum), val_digest(i->key_sha256),
                                   val_str(i->transaction_id), val_digest(i->cert_sha256),
                                   val_int(clock_now())},
                    5, NULL, err);
    if (o == OK)
        o = key_take(db, rec, err);
    return o == OK ? identity_add(db, i, c.device_id, c.handout_id, err) : o;
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

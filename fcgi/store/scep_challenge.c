/* scep_challenge.c: see scep_challenge.h. */
#include "store/scep_challenge.h"

#include "base/clock.h"
#include "store/audit.h"

#include <stdio.h>

#define NOTE_MAX 255
#define COMMON_NAME_MAX 64

static const struct sql CHALLENGE_NEW = {
    .name = "scep_challenge_new",
    .text = "INSERT INTO scep_challenge (sha256, created_at, created_by, expires_at, device_id, "
            "common_name, san, approve, note, handout_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"};
static const struct sql CHALLENGE_FIND = {
    .name = "scep_challenge_find",
    .text =
        "SELECT expires_at, used_at, transaction_id, device_id, common_name, san, approve, note, "
        "handout_id FROM scep_challenge WHERE sha256 = ?"};
static const struct sql CHALLENGE_USE = {
    .name = "scep_challenge_use",
    .text = "UPDATE scep_challenge SET used_at = ?, transaction_id = ? "
            "WHERE sha256 = ? AND used_at IS NULL AND expires_at > ?"};

static struct val val_digest(const uint8_t sum[SHA256_LEN])
{
    return val_bin(bytes_of(sum, SHA256_LEN));
}

static enum outcome challenge_valid(const struct scep_challenge *c, struct err *err)
{
    size_t names = 0;
    for (const char *p = c->san; p && *p; names++)
        p += strcspn(p, "\n") + (strchr(p, '\n') != NULL);
    if (names > SCEP_NAMES_MAX)
        return err_set(err, INVALID, "a challenge is bound to %d names at most", SCEP_NAMES_MAX);
    if (c->common_name && (!*c->common_name || strlen(c->common_name) > COMMON_NAME_MAX))
        return err_set(err, INVALID, "a common name has 1 to %d octets", COMMON_NAME_MAX);
    return OK;
}

enum outcome scep_challenge_make(struct db *db, const struct scep_challenge *c,
                                 char challenge[SCEP_CHALLENGE_LEN + 1], struct err *err)
{
    uint8_t sum[SHA256_LEN];
    enum outcome o = challenge_valid(c, err);
    if (o != OK)
        return o;
    secret_new(SCEP_CHALLENGE_LEN / 2, challenge);
    sha256(bytes_str(challenge), sum);
    o = db_exec(db, &CHALLENGE_NEW,
                (struct val[]){val_digest(sum), val_int(clock_now()), val_str(c->by ? c->by : ""),
                               val_int(c->expires_at), val_id(c->device_id),
                               val_str(c->common_name), val_str(c->san), val_int(c->approve),
                               val_cut(c->note, NOTE_MAX), val_id(c->handout_id)},
                10, NULL, err);
    if (o == OK && c->by)
        o = audit_add(db, c->by, "challenge.new", c->note, c->common_name, err);
    return o;
}

enum outcome scep_challenge_new(struct db *db, const char *note, int64_t device_id,
                                int64_t handout_id, int64_t expires_at,
                                char challenge[SCEP_CHALLENGE_LEN + 1], struct err *err)
{
    struct scep_challenge c = {
        .note = note, .device_id = device_id, .handout_id = handout_id, .expires_at = expires_at};
    return scep_challenge_make(db, &c, challenge, err);
}

struct found {
    struct scep_challenge c;
    int64_t used_at;     /* 0: not used */
    const char *used_by; /* transactionID, NULL unless used */
};

static enum outcome challenge_find(struct db *db, const char *challenge, struct arena *a,
                                   struct found *out, struct err *err)
{
    uint8_t sum[SHA256_LEN];
    struct rows r;
    sha256(bytes_str(challenge), sum);
    enum outcome o = db_select(db, &CHALLENGE_FIND, (struct val[]){val_digest(sum)}, 1, a, &r, err);
    if (o != OK)
        return o;
    if (r.n == 0)
        return err_set(err, DENIED, "nobody made this challenge");
    const struct val *v = row_at(&r, 0, 0);
    *out = (struct found){.c = {.note = v[7].s,
                                .device_id = v[3].i,
                                .handout_id = v[8].i,
                                .expires_at = v[0].i,
                                .common_name = v[4].s,
                                .san = v[5].s,
                                .approve = v[6].i != 0},
                          .used_at = v[1].i,
                          .used_by = v[2].s};
    return OK;
}

static enum outcome challenge_judge(const struct found *f, const char *transaction_id,
                                    struct err *err)
{
    char when[CLOCK_TEXT_MAX];
    if (f->used_at && f->used_by && strcmp(f->used_by, transaction_id) == 0)
        return err_set(err, CONFLICT, "the challenge was used by this transaction already");
    if (f->used_at)
        return err_set(err, DENIED, "the challenge was used at %s by another transaction",
                       clock_rfc3339(f->used_at, false, when));
    if (f->c.expires_at <= clock_now())
        return err_set(err, DENIED, "the challenge expired at %s",
                       clock_rfc3339(f->c.expires_at, false, when));
    return OK;
}

enum outcome scep_challenge_check(struct db *db, const char *challenge, const char *transaction_id,
                                  struct arena *a, struct scep_challenge *out, struct err *err)
{
    struct found f;
    enum outcome o = challenge_find(db, challenge, a, &f, err);
    if (o == OK)
        o = challenge_judge(&f, transaction_id, err);
    if (o == OK)
        *out = f.c;
    return o;
}

enum outcome scep_challenge_use(struct db *db, const char *challenge, const char *transaction_id,
                                struct arena *a, struct scep_challenge *out, struct err *err)
{
    uint8_t sum[SHA256_LEN];
    struct found f;
    uint64_t used;
    int64_t now = clock_now();
    sha256(bytes_str(challenge), sum);
    enum outcome o = db_exec(
        db, &CHALLENGE_USE,
        (struct val[]){val_int(now), val_str(transaction_id), val_digest(sum), val_int(now)}, 4,
        &used, err);
    if (o == OK)
        o = challenge_find(db, challenge, a, &f, err);
    if (o == OK && !used) {
        o = challenge_judge(&f, transaction_id, err);
        return o == OK ? err_set(err, DENIED, "the challenge is used up") : o;
    }
    if (o == OK)
        *out = f.c;
    return o;
}

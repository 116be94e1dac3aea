/* userauth.c: see userauth.h. */
#include "store/userauth.h"

#include "wire/encode.h"

static const struct sql CHALLENGE = {
    .name = "userauth_challenge",
    .text = "INSERT INTO user_auth (ident, device_id, life_id, nonce_sha256, nonce_expires_at) "
            "VALUES (?, ?, ?, ?, ?) ON DUPLICATE KEY UPDATE device_id = VALUES(device_id), "
            "life_id = VALUES(life_id), nonce_sha256 = VALUES(nonce_sha256), "
            "nonce_expires_at = VALUES(nonce_expires_at), nonce_count = 0, token_sha256 = NULL, "
            "account = NULL"};
static const struct sql TAKE = {
    .name = "userauth_take",
    .text = "UPDATE user_auth SET nonce_count = ? WHERE ident = ? AND nonce_sha256 = ? "
            "AND nonce_expires_at > ? AND nonce_count < ?"};
static const struct sql LOGIN = {
    .name = "userauth_login",
    .text = "UPDATE user_auth SET nonce_sha256 = NULL, token_sha256 = ?, account = ?, "
            "token_at = ?, life_id = ? WHERE ident = ? AND nonce_sha256 = ?"};
static const struct sql CHECK = {
    .name = "userauth_check",
    .text = "SELECT a.token_sha256, a.life_id = e.life_id FROM user_auth a "
            "LEFT JOIN enrollment e ON e.id = a.device_id WHERE a.ident = ?"};

static struct val digest(const char *secret, uint8_t sum[SHA256_LEN])
{
    sha256(bytes_str(secret), sum);
    return val_secret(bytes_of(sum, SHA256_LEN));
}

enum outcome userauth_challenge(struct db *db, const char *ident, int64_t device_id,
                                int64_t life_id, int64_t now, char nonce[DIGEST_NONCE_LEN + 1],
                                struct err *err)
{
    uint8_t sum[SHA256_LEN];
    secret_new(DIGEST_NONCE_LEN / 2, nonce);
    return db_exec(db, &CHALLENGE,
                   (struct val[]){val_str(ident), val_int(device_id), val_int(life_id),
                                  digest(nonce, sum), val_int(now + USERAUTH_NONCE_US)},
                   5, NULL, err);
}

enum outcome userauth_nonce_take(struct db *db, const char *ident, const char *nonce,
                                 uint32_t count, int64_t now, struct err *err)
{
    uint8_t sum[SHA256_LEN];
    uint64_t rows;
    struct val nc = val_int(count);
    enum outcome o =
        db_exec(db, &TAKE, (struct val[]){nc, val_str(ident), digest(nonce, sum), val_int(now), nc},
                5, &rows, err);
    if (o == OK && rows == 0)
        return err_set(err, DENIED,
                       "the nonce is not this user's, used up, expired, or its nc was seen");
    return o;
}

enum outcome userauth_login(struct db *db, const char *ident, const char *nonce, int64_t life_id,
                            const char *account, int64_t now, char token[USERAUTH_TOKEN_LEN + 1],
                            struct err *err)
{
    uint8_t nonce_sum[SHA256_LEN], token_sum[SHA256_LEN];
    uint64_t rows = 0;
    secret_new(USERAUTH_TOKEN_LEN / 2, token);
    enum outcome o =
        db_exec(db, &LOGIN,
                (struct val[]){digest(token, token_sum), val_str(account), val_int(now),
                               val_int(life_id), val_str(ident), digest(nonce, nonce_sum)},
                6, &rows, err);
    if (o == OK && rows == 0)
        o = err_set(err, DENIED, "the nonce was used up meanwhile");
    if (o != OK)
        secret_wipe(token, USERAUTH_TOKEN_LEN + 1);
    return o;
}

enum outcome userauth_check(struct db *db, const char *ident, const char *token, struct arena *a,
                            struct err *err)
{
    uint8_t sum[SHA256_LEN];
    struct rows r;
    enum outcome o = db_select(db, &CHECK, (struct val[]){val_str(ident)}, 1, a, &r, err);
    if (o != OK || r.n == 0)
        return o;
    if (!token || !token[0])
        return err_set(err, DENIED, "the message has no AuthToken");
    const struct val *v = row_at(&r, 0, 0);
    sha256(bytes_str(token), sum);
    if (val_is_null(&v[0]) || !secret_equal(val_bytes(&v[0]), bytes_of(sum, sizeof sum)))
        return err_set(err, DENIED, "the AuthToken is not this user's");
    if (val_is_null(&v[1]) || v[1].i == 0)
        return err_set(err, DENIED, "the AuthToken is of an earlier enrolment of the device");
    return OK;
}

/* idempotency.c: see idempotency.h. */
#include "store/idempotency.h"

#include "base/clock.h"
#include "base/limits.h"
#include "wire/encode.h"

static const struct sql BEGIN = {
    "idempotency_begin",
    "INSERT INTO idempotency (key_sha256, request_sha256, begun_at) VALUES (?,?,?)", 0};
static const struct sql LOOK = {
    "idempotency_look",
    "SELECT request_sha256, begun_at, status, answer FROM idempotency WHERE key_sha256 = ?", 0};
static const struct sql AGAIN = {
    "idempotency_again",
    "UPDATE idempotency SET begun_at = ? WHERE key_sha256 = ? AND status IS NULL AND begun_at = ?",
    0};
static const struct sql END = {
    "idempotency_end", "UPDATE idempotency SET status = ?, answer = ? WHERE key_sha256 = ?", 0};
static const struct sql FORGET = {"idempotency_forget",
                                  "DELETE FROM idempotency WHERE key_sha256 = ?", 0};

#define STALE_US MINUTE_US

static void key_digest(const struct idempotency *x, uint8_t out[SHA256_LEN])
{
    struct buf b = BUF_INIT(4096);

    buf_str(&b, x->actor);
    buf_char(&b, '\n');
    buf_str(&b, x->key);
    sha256(buf_bytes(&b), out);
    buf_free(&b);
}

static enum outcome look(struct db *db, struct idempotency *x, struct bytes key,
                         const uint8_t request[SHA256_LEN], struct arena *a, struct err *err)
{
    struct rows r;
    const struct val *v;
    uint64_t hit = 0;
    enum outcome o = db_select(db, &LOOK, (struct val[]){val_bin(key)}, 1, a, &r, err);

    if (o != OK)
        return o;
    if (r.n == 0)
        return err_set(err, CONFLICT, "a request with this Idempotency-Key has just failed");
    v = row_at(&r, 0, 0);
    if (memcmp(v[0].s, request, SHA256_LEN) != 0)
        return err_set(err, CONFLICT, "this Idempotency-Key came with another request before");
    if (!val_is_null(&v[2])) {
        x->answered = true;
        x->status = (int)v[2].i;
        x->answer = val_bytes(&v[3]);
        return OK;
    }
    if (v[1].i + STALE_US > x->now)
        return err_set(err, CONFLICT, "a request with this Idempotency-Key is being worked on");
    o = db_exec(db, &AGAIN, (struct val[]){val_int(x->now), val_bin(key), v[1]}, 3, &hit, err);
    return o == OK && hit == 0
               ? err_set(err, CONFLICT, "a request with this Idempotency-Key is being worked on")
               : o;
}

enum outcome idempotency_begin(struct db *db, struct idempotency *x, struct arena *a,
                               struct err *err)
{
    uint8_t key[SHA256_LEN], request[SHA256_LEN];
    char hex[2 * SHA256_LEN + 1];
    struct err taken;
    enum outcome o;

    x->answered = false;
    key_digest(x, key);
    sha256(x->request, request);
    hex_encode(bytes_of(key, sizeof key), hex);
    x->seed = arena_strdup(a, hex);
    if (x->seed == NULL)
        return err_set(err, ERROR, "out of memory");
    o = db_exec(db, &BEGIN,
                (struct val[]){val_bin(bytes_of(key, sizeof key)),
                               val_bin(bytes_of(request, sizeof request)), val_int(x->now)},
                3, NULL, &taken);
    if (o == CONFLICT)
        return look(db, x, bytes_of(key, sizeof key), request, a, err);
    if (o != OK)
        *err = taken;
    return o;
}

enum outcome idempotency_end(struct db *db, const struct idempotency *x, int status,
                             struct bytes answer, struct err *err)
{
    uint8_t key[SHA256_LEN];
    struct val k;

    key_digest(x, key);
    k = val_bin(bytes_of(key, sizeof key));
    if (status >= 500 || answer.n > IDEMPOTENCY_ANSWER_MAX)
        return db_exec(db, &FORGET, &k, 1, NULL, err);
    return db_exec(db, &END, (struct val[]){val_int(status), val_bin(answer), k}, 3, NULL, err);
}

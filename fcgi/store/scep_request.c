/* scep_request.c: see scep_request.h. */
#include "store/scep_request.h"

#include "base/clock.h"
#include "store/audit.h"
#include "store/id.h"
#include "store/scep_challenge.h"

#include <stdio.h>

#define COLUMNS                                                                                    \
    "id, transaction_id, key_sha256, subject, common_name, san, key_text, proof, note, "           \
    "remote_addr, device_id, state, created_at, expires_at, decided_at, decided_by, decided_why, " \
    "handout_id"
enum {
    C_ID,
    C_TRANSACTION,
    C_KEY,
    C_SUBJECT,
    C_CN,
    C_SAN,
    C_KEY_TEXT,
    C_PROOF,
    C_NOTE,
    C_ADDR,
    C_DEVICE,
    C_STATE,
    C_CREATED,
    C_EXPIRES,
    C_DECIDED,
    C_BY,
    C_WHY,
    C_HANDOUT,
    C_CSR
};

static const struct sql FIND = {"scep_request_find",
                                "SELECT " COLUMNS
                                ", csr_sealed FROM scep_request WHERE transaction_sha256 = ? "
                                "AND key_sha256 = ?",
                                0};
static const struct sql GET = {"scep_request_get",
                               "SELECT " COLUMNS " FROM scep_request WHERE id = ? FOR UPDATE", 0};
static const struct sql WAITING = {"scep_request_waiting",
                                   "SELECT COUNT(*) FROM scep_request WHERE state = 1 AND "
                                   "expires_at > ?",
                                   0};
static const struct sql ADD = {
    "scep_request_add",
    "INSERT INTO scep_request (id, transaction_sha256, key_sha256, transaction_id, csr_sealed, "
    "subject, common_name, san, key_text, proof, note, device_id, handout_id, remote_addr, state, "
    "created_at, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1, ?, ?)",
    0};
static const struct sql DECIDE = {
    "scep_request_decide",
    "UPDATE scep_request SET state = ?, decided_at = ?, decided_by = ?, decided_why = ? "
    "WHERE id = ?",
    0};
static const struct sql ISSUED = {
    "scep_request_issued", "UPDATE scep_request SET state = 4 WHERE id = ? AND state = 2", 0};
static const struct sql LIST = {"scep_request_list",
                                "SELECT " COLUMNS " FROM scep_request WHERE (? = 0 OR state = ?) "
                                "AND id > ? ORDER BY id LIMIT ?",
                                0};

static const char *const states[SCEP_REQUEST__MAX] = {"", "waits", "approved", "denied", "issued"};

const char *scep_request_state_name(int state)
{
    return state > 0 && state < SCEP_REQUEST__MAX ? states[state] : "-";
}

int scep_request_state_read(const char *word)
{
    for (int i = 1; i < SCEP_REQUEST__MAX; i++)
        if (strcmp(states[i], word) == 0)
            return i;
    return 0;
}

enum outcome scep_request_label(struct arena *a, const uint8_t key_sha256[SHA256_LEN],
                                const char **out, struct err *err)
{
    char hex[SHA256_HEX_LEN + 1];
    hex_encode(bytes_of(key_sha256, SHA256_LEN), hex);
    *out = arena_fmt(a, SCEP_REQUEST_LABEL ":%s", hex);
    return *out ? OK : err_set(err, ERROR, "out of memory");
}

static struct scep_waiting waiting_of(const struct val *v)
{
    struct scep_waiting w = {.id = v[C_ID].i,
                             .transaction_id = v[C_TRANSACTION].s,
                             .subject = v[C_SUBJECT].s,
                             .common_name = v[C_CN].s,
                             .san = v[C_SAN].s,
                             .key_text = v[C_KEY_TEXT].s,
                             .proof = v[C_PROOF].s,
                             .note = v[C_NOTE].s,
                             .remote_addr = v[C_ADDR].s,
                             .device_id = v[C_DEVICE].i,
                             .handout_id = v[C_HANDOUT].i,
                             .state = (int)v[C_STATE].i,
                             .created_at = v[C_CREATED].i,
                             .expires_at = v[C_EXPIRES].i,
                             .decided_at = v[C_DECIDED].i,
                             .decided_by = val_text(&v[C_BY]),
                             .decided_why = val_text(&v[C_WHY])};
    if (v[C_KEY].n == SHA256_LEN)
        memcpy(w.key_sha256, v[C_KEY].s, SHA256_LEN);
    return w;
}

enum outcome scep_request_find(struct db *db, const char *transaction_id,
                               const uint8_t key_sha256[SHA256_LEN], struct arena *a,
                               struct scep_waiting *out, struct err *err)
{
    uint8_t sum[SHA256_LEN];
    struct rows r;
    sha256(bytes_str(transaction_id), sum);
    enum outcome o = db_select(db, &FIND,
                               (struct val[]){val_bin(bytes_of(sum, sizeof sum)),
                                              val_bin(bytes_of(key_sha256, SHA256_LEN))},
                               2, a, &r, err);
    if (o == OK && r.n == 0)
        return err_set(err, NOT_FOUND, "no request of this transaction and key waits");
    if (o == OK) {
        *out = waiting_of(row_at(&r, 0, 0));
        out->csr_sealed = val_bytes(row_at(&r, 0, C_CSR));
    }
    return o;
}

struct add {
    struct scep_waiting *w;
    const char *challenge;
    struct arena *a;
};

static enum outcome row_add(struct db *db, const struct scep_waiting *w, struct err *err)
{
    uint8_t sum[SHA256_LEN];
    sha256(bytes_str(w->transaction_id), sum);
    return db_exec(
        db, &ADD,
        (struct val[]){val_int(w->id), val_bin(bytes_of(sum, sizeof sum)),
                       val_bin(bytes_of(w->key_sha256, SHA256_LEN)), val_str(w->transaction_id),
                       val_secret(w->csr_sealed), val_cut(w->subject, 512), val_str(w->common_name),
                       val_str(w->san), val_str(w->key_text), val_str(w->proof),
                       val_cut(w->note, 255), val_id(w->device_id), val_id(w->handout_id),
                       val_cut(w->remote_addr, 64), val_int(w->created_at), val_int(w->expires_at)},
        16, NULL, err);
}

static enum outcome add_unit(struct db *db, void *arg, struct err *err)
{
    struct add *x = arg;
    struct scep_waiting *w = x->w;
    struct scep_challenge c = {.note = ""};
    struct rows r;
    char detail[400];
    enum outcome o =
        db_select(db, &WAITING, (struct val[]){val_int(w->created_at)}, 1, x->a, &r, err);
    if (o == OK && row_at(&r, 0, 0)->i >= SCEP_REQUESTS_MAX)
        return err_set(err, DENIED, "%d requests wait already: decide those first (droverctl scep)",
                       SCEP_REQUESTS_MAX);
    if (o == OK && x->challenge)
        o = scep_challenge_use(db, x->challenge, w->transaction_id, x->a, &c, err);
    if (o != OK)
        return o;
    w->id = id_new();
    w->note = c.note;
    w->device_id = c.device_id;
    w->handout_id = c.handout_id;
    o = row_add(db, w, err);
    snprintf(detail, sizeof detail, "request=%lld proof=%s from=%s", (long long)w->id, w->proof,
             w->remote_addr);
    return o == OK ? audit_add(db, "scep", "identity.request", w->subject, detail, err) : o;
}

enum outcome scep_request_add(struct db *db, struct scep_waiting *w, const char *challenge,
                              struct arena *a, struct err *err)
{
    struct add x = {w, challenge, a};
    return db_unit(db, add_unit, &x, err);
}

struct decide {
    int64_t id, now;
    bool approve;
    const char *by, *why;
    struct arena *a;
    struct scep_waiting *out;
};

static enum outcome decide_unit(struct db *db, void *arg, struct err *err)
{
    struct decide *x = arg;
    struct rows r;
    char detail[400];
    enum outcome o = db_select(db, &GET, (struct val[]){val_int(x->id)}, 1, x->a, &r, err);
    if (o == OK && r.n == 0)
        return err_set(err, NOT_FOUND, "there is no request %lld", (long long)x->id);
    if (o != OK)
        return o;
    *x->out = waiting_of(row_at(&r, 0, 0));
    if (x->out->state == SCEP_REQUEST_ISSUED)
        return err_set(err, CONFLICT, "its certificate is issued; revoke that");
    if (x->out->expires_at <= x->now)
        return err_set(err, CONFLICT, "the request expired; the device must send a new one");
    x->out->state = x->approve ? SCEP_REQUEST_APPROVED : SCEP_REQUEST_DENIED;
    x->out->decided_at = x->now;
    x->out->decided_by = x->by;
    x->out->decided_why = x->why;
    o = db_exec(db, &DECIDE,
                (struct val[]){val_int(x->out->state), val_int(x->now), val_cut(x->by, 128),
                               val_cut(x->why, 255), val_int(x->id)},
                5, NULL, err);
    snprintf(detail, sizeof detail, "request=%lld why=%.300s", (long long)x->id, x->why);
    return o == OK ? audit_add(db, x->by, x->approve ? "identity.approve" : "identity.deny",
                               x->out->subject, detail, err)
                   : o;
}

enum outcome scep_request_decide(struct db *db, int64_t id, bool approve, const char *by,
                                 const char *why, int64_t now, struct arena *a,
                                 struct scep_waiting *out, struct err *err)
{
    struct decide x = {id, now, approve, by, why, a, out};
    return db_unit(db, decide_unit, &x, err);
}

enum outcome scep_request_issued(struct db *db, int64_t id, struct err *err)
{
    uint64_t n;
    enum outcome o = db_exec(db, &ISSUED, (struct val[]){val_int(id)}, 1, &n, err);
    return o == OK && n == 0 ? err_set(err, CONFLICT, "the request was decided otherwise meanwhile")
                             : o;
}

enum outcome scep_request_list(struct db *db, int state, int64_t after, size_t max, struct arena *a,
                               struct scep_waiting **out, size_t *n, struct err *err)
{
    struct rows r;
    enum outcome o = db_select(
        db, &LIST,
        (struct val[]){val_int(state), val_int(state), val_int(after), val_int((int64_t)max)}, 4, a,
        &r, err);
    *n = 0;
    if (o != OK)
        return o;
    *out = arena_array(a, r.n + 1, sizeof **out);
    if (!*out)
        return err_set(err, ERROR, "out of memory");
    for (; *n < r.n; ++*n)
        (*out)[*n] = waiting_of(row_at(&r, *n, 0));
    return OK;
}

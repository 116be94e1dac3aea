/* audit_chain.c: see audit_chain.h. */
#include "store/audit_chain.h"

#include "base/clock.h"
#include "base/limits.h"
#include "wire/json.h"

#define LATE_MAX 10000

/* Two agents at once are kept apart by the primary key: the later one's links are refused. */
static const struct sql HEAD = {
    "audit_chain_head", "SELECT seq, digest, audit_id FROM audit_chain ORDER BY seq DESC LIMIT 1",
    0};
#define ENTRY "a.id, a.at, a.actor, a.action, a.subject, a.detail"
static const struct sql UNLINKED = {"audit_chain_unlinked",
                                    "SELECT " ENTRY
                                    " FROM audit a LEFT JOIN audit_chain c ON c.audit_id = a.id "
                                    "WHERE a.id > ? AND c.audit_id IS NULL ORDER BY a.id LIMIT ?",
                                    0};
static const struct sql ADD = {
    "audit_chain_add", "INSERT INTO audit_chain (seq, audit_id, digest) VALUES (?, ?, ?)", 0};
static const struct sql PAGE = {"audit_chain_page",
                                "SELECT c.seq, c.digest, " ENTRY
                                " FROM audit_chain c LEFT JOIN audit a ON a.id = c.audit_id "
                                "WHERE c.seq > ? ORDER BY c.seq LIMIT ?",
                                0};
static const struct sql COUNT_UNLINKED = {
    "audit_chain_count",
    "SELECT COUNT(*) FROM audit a LEFT JOIN audit_chain c ON c.audit_id = a.id "
    "WHERE c.audit_id IS NULL",
    0};

/* The digest of a link. Lengths keep two entries from reading alike. */
static enum outcome link_digest(const uint8_t before[SHA256_LEN], const struct val *entry,
                                uint8_t out[SHA256_LEN], struct err *err)
{
    struct buf b = BUF_INIT(LIM_MB);
    buf_add(&b, before, SHA256_LEN);
    buf_fmt(&b, "%lld %lld", (long long)entry[0].i, (long long)entry[1].i);
    for (int i = 2; i < 6; i++) {
        const char *s = val_text(&entry[i]);
        buf_fmt(&b, " %zu:", strlen(s));
        buf_str(&b, s);
    }
    bool whole = !buf_failed(&b);
    if (whole)
        sha256(buf_bytes(&b), out);
    buf_free(&b);
    return whole ? OK : err_set(err, ERROR, "out of memory");
}

static void head_of(const struct rows *r, struct audit_head *head, int64_t *entry)
{
    *head = (struct audit_head){0};
    *entry = 0;
    if (r->n == 0)
        return;
    const struct val *v = row_at(r, 0, 0);
    head->seq = v[0].i;
    memcpy(head->digest, v[1].s, v[1].n < SHA256_LEN ? v[1].n : SHA256_LEN);
    *entry = v[2].i;
}

struct extension {
    struct arena *a;
    struct audit_head head;
    size_t n;
};

static enum outcome extend_unit(struct db *db, void *arg, struct err *err)
{
    struct extension *x = arg;
    struct rows r;
    int64_t last;
    arena_reset(x->a);
    enum outcome o = db_select(db, &HEAD, NULL, 0, x->a, &r, err);
    if (o != OK)
        return o;
    head_of(&r, &x->head, &last);
    o = db_select(db, &UNLINKED,
                  (struct val[]){val_int(last - LATE_MAX), val_int(AUDIT_CHAIN_STEP)}, 2, x->a, &r,
                  err);
    struct val *rows = o == OK ? arena_array(x->a, r.n + 1, 3 * sizeof *rows) : NULL;
    uint8_t *digests = o == OK ? arena_array(x->a, r.n + 1, SHA256_LEN) : NULL;
    if (o == OK && (!rows || !digests))
        o = err_set(err, ERROR, "out of memory");
    for (size_t i = 0; o == OK && i < r.n; i++) {
        uint8_t *digest = digests + i * SHA256_LEN;
        o = link_digest(x->head.digest, row_at(&r, i, 0), digest, err);
        memcpy(x->head.digest, digest, SHA256_LEN);
        rows[3 * i] = val_int(++x->head.seq);
        rows[3 * i + 1] = val_int(row_at(&r, i, 0)->i);
        rows[3 * i + 2] = val_bin(bytes_of(digest, SHA256_LEN));
    }
    x->n = o == OK ? r.n : 0;
    return o == OK ? db_exec_many(db, &ADD, rows, 3, r.n, NULL, err) : o;
}

enum outcome audit_chain_extend(struct db *db, struct audit_head *head, size_t *n, struct err *err)
{
    struct extension x = {.a = arena_new(32 * LIM_MB)};
    enum outcome o = x.a ? db_unit(db, extend_unit, &x, err) : err_set(err, ERROR, "out of memory");
    *head = x.head;
    *n = o == OK ? x.n : 0;
    arena_free(&x.a);
    return o;
}

/* The next link; false: it is wrong, which was noted. */
static bool follows(struct audit_check *c, const struct val *row, const struct audit_head *known,
                    struct err *err)
{
    uint8_t want[SHA256_LEN];
    const char *bad = NULL;
    if (row[0].i != c->head.seq + 1)
        bad = "links before it are missing";
    else if (val_is_null(&row[2]))
        bad = "its entry is missing";
    else if (link_digest(c->head.digest, row + 2, want, err) != OK || row[1].n != SHA256_LEN ||
             memcmp(want, row[1].s, SHA256_LEN) != 0)
        bad = "its entry, or the link, was changed";
    if (bad) {
        c->bad_seq = row[0].i;
        c->bad = bad;
        return false;
    }
    c->head.seq = row[0].i;
    memcpy(c->head.digest, want, SHA256_LEN);
    c->links++;
    if (known && known->seq == c->head.seq)
        c->known_found = memcmp(known->digest, want, SHA256_LEN) == 0;
    return true;
}

enum outcome audit_chain_verify_some(struct db *db, const struct audit_head *known,
                                     int64_t budget_us, struct audit_check *c, bool *done,
                                     struct err *err)
{
    struct arena *a = arena_new(64 * LIM_MB);
    struct rows r = {.n = AUDIT_CHAIN_STEP};
    int64_t end = clock_mono() + budget_us;
    enum outcome o = a ? OK : err_set(err, ERROR, "out of memory");
    *done = false;
    while (o == OK && r.n == AUDIT_CHAIN_STEP && !c->bad_seq && clock_mono() < end) {
        arena_reset(a);
        o = db_select(db, &PAGE, (struct val[]){val_int(c->head.seq), val_int(AUDIT_CHAIN_STEP)}, 2,
                      a, &r, err);
        for (size_t i = 0; o == OK && i < r.n; i++)
            if (!follows(c, row_at(&r, i, 0), known, err))
                break;
    }
    *done = o == OK && (r.n < AUDIT_CHAIN_STEP || c->bad_seq);
    if (*done)
        o = db_select(db, &COUNT_UNLINKED, NULL, 0, a, &r, err);
    if (*done && o == OK)
        c->unlinked = row_at(&r, 0, 0)->i;
    arena_free(&a);
    return o;
}

enum outcome audit_chain_verify(struct db *db, const struct audit_head *known,
                                struct audit_check *out, struct err *err)
{
    bool done = false;
    enum outcome o = OK;
    *out = (struct audit_check){0};
    while (o == OK && !done)
        o = audit_chain_verify_some(db, known, MINUTE_US, out, &done, err);
    return o;
}

/* ---- what was found ---- */

enum outcome audit_check_write(const struct audit_check *c, struct buf *out, struct err *err)
{
    char hex[SHA256_HEX_LEN + 1];
    js o = js_object();
    hex_encode(bytes_of(c->head.digest, SHA256_LEN), hex);
    js_set_int(o, "links", c->links);
    js_set_int(o, "unlinked", c->unlinked);
    js_set_int(o, "bad_seq", c->bad_seq);
    js_set_str(o, "bad", c->bad ? c->bad : "");
    js_set_int(o, "seq", c->head.seq);
    js_set_str(o, "digest", hex);
    enum outcome x = js_write(o, false, out);
    js_free(&o);
    return x == OK ? OK : err_set(err, ERROR, "out of memory");
}

enum outcome audit_check_read(struct bytes json, struct arena *a, struct audit_check *out,
                              struct err *err)
{
    struct bytes digest;
    js o = NULL;
    enum outcome x = js_parse(json, &o, err);
    *out = (struct audit_check){0};
    const char *bad = js_get_str(o, "bad"), *hex = js_get_str(o, "digest");
    if (x == OK &&
        (!js_get_int(o, "links", &out->links) || !js_get_int(o, "unlinked", &out->unlinked) ||
         !js_get_int(o, "bad_seq", &out->bad_seq) || !js_get_int(o, "seq", &out->head.seq) ||
         !bad || !hex || hex_decode(a, hex, &digest) != OK || digest.n != SHA256_LEN))
        x = err_set(err, INVALID, "this is no report of the audit log");
    if (x == OK) {
        memcpy(out->head.digest, digest.p, SHA256_LEN);
        out->bad = arena_strdup(a, bad);
    }
    js_free(&o);
    return x;
}

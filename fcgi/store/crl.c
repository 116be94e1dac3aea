/* crl.c: see crl.h. */
#include "store/crl.h"

#define COLUMNS "generation, number, entries, made_at, next_at, issuer, der"

static const struct sql GET = {"crl_get", "SELECT " COLUMNS " FROM crl WHERE generation = ?", 0};
static const struct sql OF_ISSUER = {
    "crl_of_issuer",
    "SELECT " COLUMNS " FROM crl WHERE issuer = ? ORDER BY generation DESC LIMIT 1", 0};
static const struct sql PUT = {
    "crl_put",
    "INSERT INTO crl (generation, number, entries, made_at, next_at, issuer, der) "
    "VALUES (?, ?, ?, ?, ?, ?, ?) ON DUPLICATE KEY UPDATE number = VALUES(number), "
    "entries = VALUES(entries), made_at = VALUES(made_at), next_at = VALUES(next_at), "
    "issuer = VALUES(issuer), der = VALUES(der)",
    0};
#define OF_CA                                                                                      \
    "revoked_at IS NOT NULL AND issued_at IS NOT NULL AND (issuer = ? OR (? = 1 AND issuer IS "    \
    "NULL))"
static const struct sql LAST = {
    "crl_last", "SELECT COALESCE(MAX(revoked_at), 0) FROM identity_cert WHERE " OF_CA, 0};
static const struct sql ENTRIES = {"crl_entries",
                                   "SELECT serial, revoked_at FROM identity_cert WHERE " OF_CA
                                   " AND not_after > ? AND serial <> '' "
                                   "ORDER BY revoked_at DESC LIMIT ?",
                                   0};
static const struct sql IN_USE = {
    "issuers_in_use",
    "SELECT COALESCE(c.issuer, ''), COUNT(*) FROM identity_cert c JOIN enrollment e "
    "ON e.id = c.device_id AND e.device_id = e.id AND e.state = 2 AND e.life_id = c.life_id "
    "WHERE c.issued_at IS NOT NULL AND c.revoked_at IS NULL GROUP BY 1",
    0};

static enum outcome one(struct db *db, const struct sql *sql, struct val key, struct arena *a,
                        struct crl_row *out, struct err *err)
{
    struct rows r;
    enum outcome o = db_select(db, sql, &key, 1, a, &r, err);
    if (o != OK)
        return o;
    if (r.n == 0)
        return err_set(err, NOT_FOUND, "no revocation list was made yet");
    const struct val *v = row_at(&r, 0, 0);
    *out = (struct crl_row){.generation = v[0].i,
                            .number = v[1].i,
                            .entries = v[2].i,
                            .made_at = v[3].i,
                            .next_at = v[4].i,
                            .issuer = v[5].s,
                            .der = val_bytes(&v[6])};
    return OK;
}

enum outcome crl_get(struct db *db, int64_t generation, struct arena *a, struct crl_row *out,
                     struct err *err)
{
    return one(db, &GET, val_int(generation), a, out, err);
}

enum outcome crl_of_issuer(struct db *db, const char *issuer, struct arena *a, struct crl_row *out,
                           struct err *err)
{
    return one(db, &OF_ISSUER, val_str(issuer), a, out, err);
}

enum outcome crl_put(struct db *db, const struct crl_row *row, struct err *err)
{
    return db_exec(db, &PUT,
                   (struct val[]){val_int(row->generation), val_int(row->number),
                                  val_int(row->entries), val_int(row->made_at),
                                  val_int(row->next_at), val_cut(row->issuer, 255),
                                  val_bin(row->der)},
                   7, NULL, err);
}

enum outcome crl_last_revocation(struct db *db, const char *issuer, bool first, struct arena *a,
                                 int64_t *at, struct err *err)
{
    struct rows r;
    enum outcome o =
        db_select(db, &LAST, (struct val[]){val_str(issuer), val_int(first)}, 2, a, &r, err);
    *at = o == OK ? row_at(&r, 0, 0)->i : 0;
    return o;
}

enum outcome crl_entries(struct db *db, const char *issuer, bool first, int64_t ends, size_t max,
                         struct arena *a, struct crl_entry **out, size_t *n, struct err *err)
{
    struct rows r;
    struct val args[] = {val_str(issuer), val_int(first), val_int(ends), val_int((int64_t)max)};
    enum outcome o = db_select(db, &ENTRIES, args, 4, a, &r, err);
    *n = 0;
    if (o != OK)
        return o;
    *out = arena_array(a, r.n + 1, sizeof **out);
    if (!*out)
        return err_set(err, ERROR, "out of memory");
    for (; *n < r.n; ++*n)
        (*out)[*n] = (struct crl_entry){row_at(&r, *n, 0)->s, row_at(&r, *n, 1)->i};
    return OK;
}

enum outcome issuers_in_use(struct db *db, struct arena *a, struct issuer_use **out, size_t *n,
                            struct err *err)
{
    struct rows r;
    enum outcome o = db_select(db, &IN_USE, NULL, 0, a, &r, err);
    *n = 0;
    if (o != OK)
        return o;
    *out = arena_array(a, r.n + 1, sizeof **out);
    if (!*out)
        return err_set(err, ERROR, "out of memory");
    for (; *n < r.n; ++*n)
        (*out)[*n] = (struct issuer_use){row_at(&r, *n, 0)->s, row_at(&r, *n, 1)->i};
    return OK;
}

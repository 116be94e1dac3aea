/* trust.c: table trust_ca. */
#include "store/trust.h"

#include "base/clock.h"
#include "base/limits.h"
#include "store/audit.h"
#include "wire/encode.h"

#define ARENA_MAX (64u * LIM_MB)

static const struct sql TRUST_MOVED = {
    .name = "trust_moved", .text = "UPDATE site SET version = version + 1 WHERE name = 'trust'"};
static const struct sql TRUST_LIST = {
    .name = "trust_ca_list",
    .text = "SELECT sha256, der, subject, not_after, added_at, added_by FROM trust_ca "
            "ORDER BY added_at, sha256"};
static const struct sql TRUST_ADD = {
    .name = "trust_ca_add",
    .text = "INSERT INTO trust_ca (sha256, der, subject, not_after, added_at, added_by) "
            "VALUES (?, ?, ?, ?, ?, ?)"};
static const struct sql TRUST_REMOVE = {
    .name = "trust_ca_remove",
    .text = "DELETE c, r FROM trust_ca c LEFT JOIN trust_crl r ON r.ca_sha256 = c.sha256 "
            "WHERE c.sha256 = ?"};

enum outcome trust_ca_list(struct db *db, struct arena *a, struct trust_ca **out, size_t *n,
                           struct err *err)
{
    struct rows r;
    enum outcome o = db_select(db, &TRUST_LIST, NULL, 0, a, &r, err);
    *n = 0;
    *out = NULL;
    if (o != OK)
        return o;
    *out = arena_array(a, r.n, sizeof **out);
    if (!*out)
        return err_set(err, ERROR, "no memory for the trusted CAs");
    for (size_t i = 0; i < r.n; i++) {
        struct trust_ca *c = &(*out)[i];
        if (row_at(&r, i, 0)->n != CERT_SHA256_LEN)
            return err_set(err, ERROR, "trust_ca holds a digest of the wrong length");
        memcpy(c->sha256, row_at(&r, i, 0)->s, CERT_SHA256_LEN);
        c->der = val_bytes(row_at(&r, i, 1));
        c->subject = row_at(&r, i, 2)->s;
        c->not_after = row_at(&r, i, 3)->i;
        c->added_at = row_at(&r, i, 4)->i;
        c->added_by = row_at(&r, i, 5)->s;
    }
    *n = r.n;
    return OK;
}

/* One change of the table, with the counter and the audit entry. */
struct change {
    const struct sql *sql;
    struct val args[6];
    size_t nargs;
    const char *by, *action, *digest;
};

static enum outcome change_unit(struct db *db, void *arg, struct err *err)
{
    struct change *c = arg;
    uint64_t rows;
    enum outcome o = db_exec(db, c->sql, c->args, c->nargs, &rows, err);
    if (o == CONFLICT)
        return err_set(err, CONFLICT, "the CA %s is trusted already", c->digest);
    if (o == OK && rows == 0)
        return err_set(err, NOT_FOUND, "no CA %s is trusted", c->digest);
    if (o == OK)
        o = db_exec(db, &TRUST_MOVED, NULL, 0, NULL, err);
    return o == OK ? audit_add(db, c->by, c->action, c->digest, NULL, err) : o;
}

enum outcome trust_ca_add(struct db *db, struct bytes der, const char *by, struct err *err)
{
    struct cert_info info;
    char digest[SHA256_HEX_LEN + 1];
    struct trust *probe = NULL;
    enum outcome o;
    struct arena *a = arena_new(ARENA_MAX);
    if (!a)
        return err_set(err, ERROR, "out of memory");
    o = cert_info_read(a, der, &info, err);
    if (o == OK)
        o = trust_new(&probe, err);
    if (o == OK)
        o = trust_add(probe, der, err); /* refuses what is no CA */
    if (o != OK)
        goto out;
    hex_encode(bytes_of(info.sha256, sizeof info.sha256), digest);
    struct change c = {.sql = &TRUST_ADD,
                       .args = {val_bin(bytes_of(info.sha256, sizeof info.sha256)), val_bin(der),
                                val_str(info.subject), val_int(info.not_after),
                                val_int(clock_now()), val_str(by)},
                       .nargs = 6,
                       .by = by,
                       .action = "ca.trust",
                       .digest = digest};
    o = db_unit(db, change_unit, &c, err);
out:
    trust_free(&probe);
    arena_free(&a);
    return o;
}

enum outcome trust_ca_remove(struct db *db, const uint8_t sha256[CERT_SHA256_LEN], const char *by,
                             struct err *err)
{
    char digest[SHA256_HEX_LEN + 1];
    hex_encode(bytes_of(sha256, CERT_SHA256_LEN), digest);
    struct change c = {.sql = &TRUST_REMOVE,
                       .args = {val_bin(bytes_of(sha256, CERT_SHA256_LEN))},
                       .nargs = 1,
                       .by = by,
                       .action = "ca.distrust",
                       .digest = digest};
    return db_unit(db, change_unit, &c, err);
}

enum outcome trust_own_changed(struct db *db, const char *action, const char *what, const char *by,
                               struct err *err)
{
    struct change c = {
        .sql = &TRUST_MOVED, .by = by, .action = action, .digest = what, .args = {val_null()}};
    return db_unit(db, change_unit, &c, err);
}

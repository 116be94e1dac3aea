/* pushrequest.c: see pushrequest.h. */
#include "store/pushrequest.h"

#include "base/clock.h"
#include "base/limits.h"
#include "store/audit.h"
#include "store/id.h"

#include <stdio.h>

#define COLUMNS "id, purpose, name, topic, csr, key_sha256, created_at, done_at, created_by"
enum { C_ID, C_PURPOSE, C_NAME, C_TOPIC, C_CSR, C_KEY, C_CREATED, C_DONE, C_BY, C_SEALED };

static const struct sql ADD = {
    "push_request_add",
    "INSERT INTO push_request (id, purpose, name, csr, key_sha256, key_sealed, topic, created_at, "
    "created_by) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
    0};
static const struct sql GET = {"push_request_get",
                               "SELECT " COLUMNS ", key_sealed FROM push_request WHERE id = ?", 0};
static const struct sql OF_KEY = {
    "push_request_of_key",
    "SELECT " COLUMNS ", key_sealed FROM push_request WHERE key_sha256 = ? AND done_at IS NULL", 0};
static const struct sql DONE = {
    "push_request_done", "UPDATE push_request SET done_at = ?, key_sealed = '' WHERE id = ?", 0};
static const struct sql LIST = {"push_request_list",
                                "SELECT " COLUMNS " FROM push_request ORDER BY id DESC LIMIT ?", 0};
static const struct sql VENDOR_PUT = {
    "vendor_cert_put",
    "INSERT INTO vendor_cert (sha256, subject, chain_pem, key_sealed, not_after, added_at, "
    "added_by) VALUES (?, ?, ?, ?, ?, ?, ?) ON DUPLICATE KEY UPDATE chain_pem = VALUES(chain_pem), "
    "key_sealed = VALUES(key_sealed), added_at = VALUES(added_at), added_by = VALUES(added_by)",
    0};
#define VENDOR_LIGHT "sha256, subject, not_after, added_at, added_by"
static const struct sql VENDOR_LATEST = {"vendor_cert_latest",
                                         "SELECT " VENDOR_LIGHT ", chain_pem, key_sealed "
                                         "FROM vendor_cert ORDER BY not_after DESC LIMIT 1",
                                         0};
static const struct sql VENDOR_LIST = {
    "vendor_cert_list",
    "SELECT " VENDOR_LIGHT " FROM vendor_cert ORDER BY not_after DESC LIMIT 100", 0};

static struct push_request request_of(const struct val *v)
{
    struct push_request r = {.id = v[C_ID].i,
                             .purpose = (int)v[C_PURPOSE].i,
                             .name = v[C_NAME].s,
                             .topic = val_text(&v[C_TOPIC]),
                             .csr = val_bytes(&v[C_CSR]),
                             .created_at = v[C_CREATED].i,
                             .done_at = val_or_0(&v[C_DONE]),
                             .created_by = v[C_BY].s};
    memcpy(r.key_sha256, v[C_KEY].s, sizeof r.key_sha256);
    return r;
}

static enum outcome add_unit(struct db *db, void *arg, struct err *err)
{
    struct push_request *r = arg;
    r->id = id_new();
    enum outcome o = db_exec(
        db, &ADD,
        (struct val[]){val_int(r->id), val_int(r->purpose), val_str(r->name), val_bin(r->csr),
                       val_bin(bytes_of(r->key_sha256, SHA256_LEN)), val_secret(r->key_sealed),
                       r->topic[0] ? val_str(r->topic) : val_null(), val_int(clock_now()),
                       val_cut(r->created_by, 128)},
        9, NULL, err);
    return o == OK ? audit_add(db, r->created_by, "pushcert.request", r->name,
                               r->topic[0] ? r->topic : NULL, err)
                   : o;
}

enum outcome push_request_add(struct db *db, struct push_request *r, struct err *err)
{
    return db_unit(db, add_unit, r, err);
}

static enum outcome one(struct db *db, const struct sql *sql, struct val key, struct arena *a,
                        struct push_request *out, struct err *err)
{
    struct rows r;
    enum outcome o = db_select(db, sql, &key, 1, a, &r, err);
    if (o == OK && r.n == 0)
        return err_set(err, NOT_FOUND, "there is no such request");
    if (o == OK) {
        *out = request_of(row_at(&r, 0, 0));
        out->key_sealed = val_bytes(row_at(&r, 0, C_SEALED));
    }
    return o;
}

enum outcome push_request_get(struct db *db, int64_t id, struct arena *a, struct push_request *out,
                              struct err *err)
{
    return one(db, &GET, val_int(id), a, out, err);
}

enum outcome push_request_of_key(struct db *db, const uint8_t key_sha256[SHA256_LEN],
                                 struct arena *a, struct push_request *out, struct err *err)
{
    return one(db, &OF_KEY, val_bin(bytes_of(key_sha256, SHA256_LEN)), a, out, err);
}

enum outcome push_request_done(struct db *db, int64_t id, int64_t now, struct err *err)
{
    return db_exec(db, &DONE, (struct val[]){val_int(now), val_int(id)}, 2, NULL, err);
}

enum outcome push_request_list(struct db *db, struct arena *a, struct push_request **out, size_t *n,
                               struct err *err)
{
    struct rows r;
    struct val max = val_int(LIM_PAGE);
    enum outcome o = db_select(db, &LIST, &max, 1, a, &r, err);
    *n = 0;
    if (o != OK)
        return o;
    *out = arena_array(a, r.n + 1, sizeof **out);
    if (!*out)
        return err_set(err, ERROR, "out of memory");
    for (; *n < r.n; ++*n)
        (*out)[*n] = request_of(row_at(&r, *n, 0));
    return OK;
}

/* --- vendor certificates --- */

static struct vendor_cert vendor_of(const struct val *v)
{
    struct vendor_cert c = {
        .subject = v[1].s, .not_after = v[2].i, .added_at = v[3].i, .added_by = v[4].s};
    memcpy(c.sha256, v[0].s, sizeof c.sha256);
    return c;
}

static enum outcome vendor_unit(struct db *db, void *arg, struct err *err)
{
    const struct vendor_cert *v = arg;
    enum outcome o = db_exec(db, &VENDOR_PUT,
                             (struct val[]){val_bin(bytes_of(v->sha256, SHA256_LEN)),
                                            val_cut(v->subject, 512), val_bin(v->chain_pem),
                                            val_secret(v->key_sealed), val_int(v->not_after),
                                            val_int(clock_now()), val_cut(v->added_by, 128)},
                             7, NULL, err);
    return o == OK ? audit_add(db, v->added_by, "vendorcert.store", v->subject, NULL, err) : o;
}

enum outcome vendor_cert_put(struct db *db, const struct vendor_cert *v, struct err *err)
{
    struct vendor_cert copy = *v;
    return db_unit(db, vendor_unit, &copy, err);
}

enum outcome vendor_cert_latest(struct db *db, struct arena *a, struct vendor_cert *out,
                                struct err *err)
{
    struct rows r;
    enum outcome o = db_select(db, &VENDOR_LATEST, NULL, 0, a, &r, err);
    if (o == OK && r.n == 0)
        return err_set(err, NOT_FOUND,
                       "there is no MDM signing certificate: add the vendor's (droverctl pushcert "
                       "vendor), or have the request signed by your vendor");
    if (o == OK) {
        *out = vendor_of(row_at(&r, 0, 0));
        out->chain_pem = val_bytes(row_at(&r, 0, 5));
        out->key_sealed = val_bytes(row_at(&r, 0, 6));
    }
    return o;
}

enum outcome vendor_cert_list(struct db *db, struct arena *a, struct vendor_cert **out, size_t *n,
                              struct err *err)
{
    struct rows r;
    enum outcome o = db_select(db, &VENDOR_LIST, NULL, 0, a, &r, err);
    *n = 0;
    if (o != OK)
        return o;
    *out = arena_array(a, r.n + 1, sizeof **out);
    if (!*out)
        return err_set(err, ERROR, "out of memory");
    for (; *n < r.n; ++*n)
        (*out)[*n] = vendor_of(row_at(&r, *n, 0));
    return OK;
}

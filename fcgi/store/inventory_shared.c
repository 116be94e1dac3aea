/* inventory_shared.c: what many devices have in common (versions of apps, certificates), and what
 * stands beside the inventory's lists: data of managed apps, ErrorChains. */
#include "store/inventory.h"
#include "store/inventory_ahead.h"

#include "base/clock.h"
#include "base/utf8.h"
#include "wire/encode.h"

#include <stdlib.h>

#define CHUNK 512

/* seen_at is true to a day, so that a version that all have is not written by all. */
static const struct sql ADD_SOFTWARE = {
    "software_add",
    "INSERT INTO software (id, identifier, version, short_version, name, seen_at) VALUES "
    "(?,?,?,?,?,?) ON DUPLICATE KEY UPDATE seen_at = IF(seen_at + 86400000000 < VALUES(seen_at), "
    "VALUES(seen_at), seen_at)",
    0};
#define SOFTWARE_ARGS 6
static const struct sql GET_SOFTWARE = {
    "software_get",
    "SELECT id, identifier, version, short_version, name FROM software WHERE id IN (%IN%)", 1};
static const struct sql KNOWN_CERTIFICATES = {
    "seen_certificate_known",
    "SELECT sha256 FROM seen_certificate WHERE sha256 IN (%IN%) LOCK IN SHARE MODE", 1};
static const struct sql ADD_CERTIFICATE = {
    "seen_certificate_add",
    "INSERT INTO seen_certificate (sha256, der, subject, issuer, serial, not_before, not_after, "
    "is_ca, key_type, key_bits) VALUES (?,?,?,?,?,?,?,?,?,?) ON DUPLICATE KEY UPDATE sha256 = "
    "VALUES(sha256)",
    0};
#define CERTIFICATE_ARGS 10
/* A few devices tell what is the same on all that have it. */
static const struct sql PROFILE_MANAGES = {
    "inv_profile_manages",
    "SELECT COALESCE(MAX(t.extra LIKE '%\"com.apple.mdm\"%'), 0) FROM (SELECT extra FROM "
    "inv_profile "
    "WHERE identifier = ? LIMIT 50) t",
    0};
static const struct sql PUT_APP_DATA = {
    "inv_app_data",
    "INSERT INTO inv_app_data (enrollment_id, identifier, kind, at, content) VALUES (?,?,?,?,?) "
    "ON DUPLICATE KEY UPDATE content = IF(at <= VALUES(at), VALUES(content), content), "
    "at = GREATEST(at, VALUES(at))",
    0};
#define APP_DATA_ARGS 5
static const struct sql PUT_ANSWER = {
    "inv_answer",
    "INSERT INTO inv_answer (enrollment_id, request_type, reported_at, command_id, content) VALUES "
    "(?,?,?,?,?) ON DUPLICATE KEY UPDATE "
    "content = IF(reported_at <= VALUES(reported_at), VALUES(content), content), "
    "command_id = IF(reported_at <= VALUES(reported_at), VALUES(command_id), command_id), "
    "reported_at = GREATEST(reported_at, VALUES(reported_at))",
    0};
static const struct sql PUT_SECRET = {
    "inv_secret_put",
    "INSERT INTO inv_secret (enrollment_id, kind, about, sealed, at, command_id) VALUES "
    "(?,?,?,?,?,?) ON DUPLICATE KEY UPDATE sealed = IF(at <= VALUES(at), VALUES(sealed), sealed), "
    "command_id = IF(at <= VALUES(at), VALUES(command_id), command_id), "
    "at = GREATEST(at, VALUES(at))",
    0};
static const struct sql PUT_TOKEN = {"inv_unlock_token",
                                     "UPDATE life l JOIN enrollment e ON e.life_id = l.id SET "
                                     "l.unlock_token = ?, l.unlock_sha256 = NULL WHERE e.id = ?",
                                     0};
static const struct sql PUT_LOST = {
    "inv_lost_mode",
    "INSERT INTO inv_device (enrollment_id, is_mdm_lost_mode_enabled) VALUES (?,?) "
    "ON DUPLICATE KEY UPDATE is_mdm_lost_mode_enabled = VALUES(is_mdm_lost_mode_enabled)",
    0};
static const struct sql PUT_ERRORS = {
    "result_errors",
    "INSERT INTO result_error (enrollment_id, command_id, item, position, domain, code, localized, "
    "english) VALUES (?,?,?,?,?,?,?,?) ON DUPLICATE KEY UPDATE domain = VALUES(domain), code = "
    "VALUES(code), localized = VALUES(localized), english = VALUES(english)",
    0};
#define ERROR_ARGS 8

static const char *or_empty(const char *s)
{
    return s != NULL ? s : "";
}

static enum outcome no_memory(struct err *err)
{
    return err_set(err, ERROR, "out of memory");
}

/* ---- software ---- */

static const char *trimmed(const char *s, size_t max, struct arena *a)
{
    size_t n = s != NULL ? utf8_prefix(s, max) : 0;

    while (n > 0 && s[n - 1] == ' ')
        n--;
    return arena_strndup(a, n > 0 ? s : "", n);
}

int64_t software_id(struct software *s, struct arena *a)
{
    struct buf b = BUF_INIT(8192);
    uint8_t digest[SHA256_LEN];
    const char **text[] = {&s->identifier, &s->version, &s->short_version, &s->name};
    static const size_t max[] = {255, 64, 64, 255};

    for (size_t i = 0; i < 4; i++) {
        *text[i] = trimmed(*text[i], max[i], a);
        if (*text[i] == NULL)
            *text[i] = "";
        buf_add(&b, *text[i], strlen(*text[i]) + 1);
    }
    sha256(buf_bytes(&b), digest);
    buf_free(&b);
    memcpy(&s->id, digest, sizeof s->id);
    return s->id;
}

static int by_id(const void *a, const void *b)
{
    const struct software *x = a, *y = b;

    return (x->id > y->id) - (x->id < y->id);
}

enum outcome software_add(struct db *db, const struct software *s, size_t n, int64_t now,
                          struct arena *a, struct err *err)
{
    struct software *sorted = arena_array(a, n + 1, sizeof *sorted);
    struct val *args = arena_array(a, n * SOFTWARE_ARGS + 1, sizeof *args);

    if (sorted == NULL || args == NULL)
        return no_memory(err);
    if (n > 0)
        memcpy(sorted, s, n * sizeof *s);
    qsort(sorted, n, sizeof *sorted, by_id); /* one order for all: no deadlocks */
    for (size_t i = 0; i < n; i++) {
        struct val *v = args + i * SOFTWARE_ARGS;

        v[0] = val_int(sorted[i].id);
        v[1] = val_str(sorted[i].identifier);
        v[2] = val_str(sorted[i].version);
        v[3] = val_str(sorted[i].short_version);
        v[4] = val_str(sorted[i].name);
        v[5] = val_int(now);
    }
    return db_exec_many(db, &ADD_SOFTWARE, args, SOFTWARE_ARGS, n, NULL, err);
}

/* Gathers the rows of several SELECTs. */
static enum outcome rows_add(struct rows *all, const struct rows *more, struct arena *a,
                             struct err *err)
{
    struct val *v;

    if (all->n == 0) {
        *all = *more;
        return OK;
    }
    if (more->n == 0)
        return OK;
    v = arena_array(a, (all->n + more->n) * all->cols, sizeof *v);
    if (v == NULL)
        return no_memory(err);
    memcpy(v, all->v, all->n * all->cols * sizeof *v);
    memcpy(v + all->n * all->cols, more->v, more->n * all->cols * sizeof *v);
    all->v = v;
    all->n += more->n;
    return OK;
}

static enum outcome select_chunks(struct db *db, const struct sql *sql, const struct val *list,
                                  size_t n, struct arena *a, struct rows *out, struct err *err)
{
    enum outcome o = OK;

    *out = (struct rows){0};
    for (size_t from = 0, k; o == OK && from < n; from += k) {
        struct rows r;

        k = n - from < CHUNK ? n - from : CHUNK;
        o = db_select_in(db, sql, NULL, 0, list + from, k, NULL, 0, a, &r, err);
        if (o == OK)
            o = rows_add(out, &r, a, err);
    }
    return o;
}

enum outcome software_get(struct db *db, const int64_t *ids, size_t n, struct arena *a,
                          struct rows *out, struct err *err)
{
    struct val *list = arena_array(a, n + 1, sizeof *list);

    if (list == NULL)
        return no_memory(err);
    for (size_t i = 0; i < n; i++)
        list[i] = val_int(ids[i]);
    return select_chunks(db, &GET_SOFTWARE, list, n, a, out, err);
}

/* ---- certificates ---- */

enum outcome seen_certificate_known(struct db *db, const uint8_t (*sha256)[32], size_t n,
                                    struct arena *a, struct rows *out, struct err *err)
{
    struct val *list = arena_array(a, n + 1, sizeof *list);

    if (list == NULL)
        return no_memory(err);
    for (size_t i = 0; i < n; i++)
        list[i] = val_bin(bytes_of(sha256[i], 32));
    return select_chunks(db, &KNOWN_CERTIFICATES, list, n, a, out, err);
}

enum outcome seen_certificate_add(struct db *db, const struct seen_certificate *c, size_t n,
                                  struct arena *a, struct err *err)
{
    struct val *args = arena_array(a, n * CERTIFICATE_ARGS + 1, sizeof *args);

    if (args == NULL)
        return no_memory(err);
    for (size_t i = 0; i < n; i++) {
        struct val *v = args + i * CERTIFICATE_ARGS;

        v[0] = val_bin(bytes_of(c[i].sha256, 32));
        v[1] = val_bin(c[i].der);
        v[2] = val_cut(or_empty(c[i].subject), 512);
        v[3] = val_cut(or_empty(c[i].issuer), 512);
        v[4] = val_cut(or_empty(c[i].serial), 64);
        v[5] = val_int(c[i].not_before);
        v[6] = val_int(c[i].not_after);
        v[7] = val_int(c[i].is_ca);
        v[8] = val_cut(or_empty(c[i].key_type), 16);
        v[9] = val_int(c[i].key_bits);
    }
    return db_exec_many(db, &ADD_CERTIFICATE, args, CERTIFICATE_ARGS, n, NULL, err);
}

/* ---- managed apps' data, ErrorChains ---- */

enum outcome inv_app_data(struct db *db, const struct inv_source *s, int kind,
                          const char *const *identifiers, const char *const *content, size_t n,
                          struct arena *a, struct err *err)
{
    struct val *args = arena_array(a, n * APP_DATA_ARGS + 1, sizeof *args);

    if (args == NULL)
        return no_memory(err);
    for (size_t i = 0; i < n; i++) {
        struct val *v = args + i * APP_DATA_ARGS;

        v[0] = val_int(s->enrollment_id);
        v[1] = val_str(trimmed(identifiers[i], 255, a));
        v[2] = val_int(kind);
        v[3] = val_int(s->reported_at);
        v[4] = val_str(content[i]);
    }
    return db_exec_many(db, &PUT_APP_DATA, args, APP_DATA_ARGS, n, NULL, err);
}

enum outcome inv_answer(struct db *db, const struct inv_source *s, const char *request_type,
                        const char *content, struct err *err)
{
    return db_exec(db, &PUT_ANSWER,
                   (struct val[]){val_int(s->enrollment_id), val_str(request_type),
                                  val_int(s->reported_at), val_int(s->command_id),
                                  val_str(content)},
                   5, NULL, err);
}

enum outcome inv_secret_put(struct db *db, const struct inv_source *s, const char *kind,
                            const char *about, struct bytes sealed, struct err *err)
{
    return db_exec(db, &PUT_SECRET,
                   (struct val[]){val_int(s->enrollment_id), val_cut(kind, 64),
                                  val_cut(about != NULL ? about : "", 255), val_secret(sealed),
                                  val_int(s->reported_at), val_int(s->command_id)},
                   6, NULL, err);
}

enum outcome inv_unlock_token(struct db *db, const struct inv_source *s, struct bytes sealed,
                              struct err *err)
{
    return db_exec(db, &PUT_TOKEN, (struct val[]){val_secret(sealed), val_int(s->enrollment_id)}, 2,
                   NULL, err);
}

enum outcome inv_lost_mode(struct db *db, const struct inv_source *s, bool on, struct err *err)
{
    inv_ahead_changed(s->ahead, s->enrollment_id, INV_DEVICE);
    return db_exec(db, &PUT_LOST, (struct val[]){val_int(s->enrollment_id), val_int(on)}, 2, NULL,
                   err);
}

enum outcome result_errors_write(struct db *db, const struct inv_source *s,
                                 const struct result_error *e, size_t n, struct arena *a,
                                 struct err *err)
{
    struct val *args = arena_array(a, n * ERROR_ARGS + 1, sizeof *args);

    if (args == NULL)
        return no_memory(err);
    for (size_t i = 0; i < n; i++) {
        struct val *v = args + i * ERROR_ARGS;

        v[0] = val_int(s->enrollment_id);
        v[1] = val_int(s->command_id);
        v[2] = val_int(e[i].item);
        v[3] = val_int(e[i].position);
        v[4] = val_cut(e[i].domain, 128);
        v[5] = val_int(e[i].code);
        v[6] = val_cut(e[i].localized, 1000);
        v[7] = val_cut(e[i].english, 1000);
    }
    return db_exec_many(db, &PUT_ERRORS, args, ERROR_ARGS, n, NULL, err);
}

enum outcome inv_profile_manages(struct db *db, const char *identifier, struct arena *a, bool *yes,
                                 struct err *err)
{
    struct rows r;
    enum outcome o =
        db_select(db, &PROFILE_MANAGES, (struct val[]){val_str(identifier)}, 1, a, &r, err);

    if (o == OK)
        *yes = r.n > 0 && row_at(&r, 0, 0)->i != 0;
    return o;
}

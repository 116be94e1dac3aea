/* factor.c: see factor.h. */
#include "store/factor.h"

#include <ctype.h>
#include <stdio.h>

#include "base/limits.h"
#include "base/uuid.h"
#include "store/audit.h"
#include "store/change.h"
#include "store/session.h"
#include "wire/encode.h"
#include "wire/seal.h"
#include "wire/sign.h"
#include "wire/totp.h"

#define CODE_DIGITS 16 /* hexadecimal: 64 bits, each guess throttled and in the signer's log */
#define GIVEN_MAX 64

static const struct sql BEGIN = {
    "factor_begin", "UPDATE admin SET totp_pending = ? WHERE name = ? AND origin = 'local'", 0};
static const struct sql READ = {
    "factor_read", "SELECT id, totp_secret, totp_pending, totp_step FROM admin WHERE name = ?", 0};
static const struct sql CONFIRM = {
    "factor_confirm",
    "UPDATE admin SET totp_secret = totp_pending, totp_pending = NULL, totp_step = ? "
    "WHERE name = ? AND totp_pending IS NOT NULL",
    0};
static const struct sql TAKE = {"factor_take",
                                "UPDATE admin SET totp_step = ? WHERE id = ? AND totp_step < ?", 0};
static const struct sql OFF = {
    "factor_off", "UPDATE admin SET totp_secret = NULL, totp_pending = NULL WHERE name = ?", 0};
static const struct sql CODES_VOID = {
    "factor_codes_void",
    "DELETE FROM admin_recovery WHERE admin_id = (SELECT id FROM admin WHERE name = ?)", 0};
static const struct sql CODE_ADD = {"factor_code_add",
                                    "INSERT INTO admin_recovery (sha256, admin_id, created_at) "
                                    "SELECT ?, id, ? FROM admin WHERE name = ?",
                                    0};
static const struct sql CODE_USE = {
    "factor_code_use",
    "UPDATE admin_recovery SET used_at = ? WHERE sha256 = ? AND admin_id = ? AND used_at IS NULL",
    0};
static const struct sql LEFT = {"factor_left",
                                "SELECT COUNT(*) FROM admin_recovery r JOIN admin a ON "
                                "a.id = r.admin_id WHERE a.name = ? AND r.used_at IS NULL",
                                0};

enum outcome factor_begin(struct db *db, const char *signer_dir, const char *name,
                          char text[FACTOR_SECRET_TEXT], struct err *err)
{
    uint8_t pub[SEAL_KEY_LEN], secret[TOTP_SECRET_LEN];
    struct buf label = BUF_INIT(512), sealed = BUF_INIT(TOTP_SECRET_LEN + SEAL_OVERHEAD);
    uint64_t rows = 0;
    random_bytes(secret, sizeof secret);
    buf_fmt(&label, SIGN_TOTP_LABEL, name);
    enum outcome o = buf_failed(&label) ? err_set(err, ERROR, "out of memory")
                                        : seal_public_load(signer_dir, pub, err);
    if (o == OK)
        o = seal(pub, buf_cstr(&label), bytes_of(secret, sizeof secret), &sealed, err);
    if (o == OK)
        o = db_exec(db, &BEGIN, (struct val[]){val_secret(buf_bytes(&sealed)), val_str(name)}, 2,
                    &rows, err);
    if (o == OK && rows == 0)
        o = err_set(err, NOT_FOUND, "\"%s\" signs in without a password of Drover", name);
    if (o == OK)
        base32(bytes_of(secret, sizeof secret), text);
    secret_wipe(secret, sizeof secret);
    buf_free(&label);
    buf_free(&sealed);
    return o;
}

/* ---- recovery codes ---- */

struct set {
    const char *name, *action;
    int64_t now, step;
    bool confirm;
    const struct session *keep; /* of confirm */
    char (*codes)[FACTOR_CODE_TEXT];
};

static enum outcome code_add(struct db *db, const struct set *s, char out[FACTOR_CODE_TEXT],
                             struct err *err)
{
    char hex[CODE_DIGITS + 1];
    uint8_t sum[SHA256_LEN];
    secret_new(CODE_DIGITS / 2, hex);
    snprintf(out, FACTOR_CODE_TEXT, "%.4s-%.4s-%.4s-%.4s", hex, hex + 4, hex + 8, hex + 12);
    sha256(bytes_str(hex), sum);
    secret_wipe(hex, sizeof hex);
    return db_exec(
        db, &CODE_ADD,
        (struct val[]){val_secret(bytes_of(sum, sizeof sum)), val_int(s->now), val_str(s->name)}, 3,
        NULL, err);
}

static enum outcome set_unit(struct db *db, void *arg, struct err *err)
{
    const struct set *s = arg;
    const struct val name = val_str(s->name);
    uint64_t rows = 1;
    enum outcome o = OK;
    if (s->confirm)
        o = db_exec(db, &CONFIRM, (struct val[]){val_int(s->step), name}, 2, &rows, err);
    if (o == OK && rows == 0)
        o = err_set(err, NOT_FOUND, "no second factor was begun");
    if (o == OK)
        o = db_exec(db, &CODES_VOID, &name, 1, NULL, err);
    for (int i = 0; o == OK && i < FACTOR_CODES; i++)
        o = code_add(db, s, s->codes[i], err);
    if (o == OK && s->confirm)
        o = session_end_rest(db, s->name, s->keep, err);
    return o == OK ? audit_add(db, s->name, s->action, s->name, NULL, err) : o;
}

enum outcome factor_codes(struct db *db, const char *name, int64_t now,
                          char codes[FACTOR_CODES][FACTOR_CODE_TEXT], struct err *err)
{
    struct set s = {.name = name, .action = "admin.recovery_codes", .now = now, .codes = codes};
    return db_unit(db, set_unit, &s, err);
}

/* ---- codes of the app ---- */

struct factor {
    int64_t id, step;
    struct bytes secret, pending; /* sealed; p NULL: none */
};

static enum outcome read_factor(struct db *db, const char *name, struct arena *a, struct factor *f,
                                struct err *err)
{
    struct rows r;
    enum outcome o = db_select(db, &READ, (struct val[]){val_str(name)}, 1, a, &r, err);
    if (o == OK && r.n == 0)
        return err_set(err, NOT_FOUND, "there is no \"%s\"", name);
    if (o != OK)
        return o;
    const struct val *v = row_at(&r, 0, 0);
    *f = (struct factor){.id = v[0].i, .step = v[3].i};
    if (!val_is_null(&v[1]))
        f->secret = val_bytes(&v[1]);
    if (!val_is_null(&v[2]))
        f->pending = val_bytes(&v[2]);
    return OK;
}

static bool is_app_code(const char *s)
{
    return strlen(s) == TOTP_DIGITS && strspn(s, "0123456789") == TOTP_DIGITS;
}

/* What the person typed without blanks and dashes, in lower case. */
static void plain(const char *given, char out[GIVEN_MAX])
{
    size_t n = 0;
    for (; *given && n < GIVEN_MAX - 1; given++)
        if (*given != '-' && !isspace((unsigned char)*given))
            out[n++] = (char)tolower((unsigned char)*given);
    out[n] = '\0';
}

enum outcome factor_confirm(struct db *db, const char *name, const char *code,
                            const struct session *keep, int64_t now,
                            char codes[FACTOR_CODES][FACTOR_CODE_TEXT], struct err *err)
{
    char typed[GIVEN_MAX];
    struct arena *a = arena_new(LIM_MB);
    struct factor f;
    struct set s = {.name = name,
                    .action = "admin.factor_on",
                    .now = now,
                    .confirm = true,
                    .keep = keep,
                    .codes = codes};
    plain(code, typed);
    enum outcome o = a ? read_factor(db, name, a, &f, err) : err_set(err, ERROR, "out of memory");
    if (o == OK && !f.pending.p)
        o = err_set(err, NOT_FOUND, "no second factor was begun");
    if (o == OK)
        o = sign_totp_check(name, f.pending, typed, now, &s.step, err);
    if (o == OK)
        o = db_unit(db, set_unit, &s, err);
    arena_free(&a);
    return o;
}

static enum outcome recovery(struct db *db, const char *name, int64_t id, const char *typed,
                             int64_t now, struct err *err)
{
    uint8_t sum[SHA256_LEN];
    uint64_t rows = 0;
    sha256(bytes_str(typed), sum);
    enum outcome o =
        db_exec(db, &CODE_USE,
                (struct val[]){val_int(now), val_secret(bytes_of(sum, sizeof sum)), val_int(id)}, 3,
                &rows, err);
    if (o == OK && rows == 0)
        return err_set(err, DENIED, "another code");
    return o == OK ? audit_add(db, name, "admin.recovery_used", name, NULL, err) : o;
}

enum outcome factor_check(struct db *db, const char *name, const char *code, int64_t now,
                          struct err *err)
{
    char typed[GIVEN_MAX];
    struct arena *a = arena_new(LIM_MB);
    struct factor f;
    int64_t step;
    uint64_t rows = 0;
    plain(code, typed);
    enum outcome o = a ? read_factor(db, name, a, &f, err) : err_set(err, ERROR, "out of memory");
    if (o == OK && !f.secret.p)
        o = err_set(err, NOT_FOUND, "\"%s\" has no second factor", name);
    if (o == OK && !is_app_code(typed)) {
        o = recovery(db, name, f.id, typed, now, err);
    } else if (o == OK) {
        o = sign_totp_check(name, f.secret, typed, now, &step, err);
        if (o == OK)
            o = db_exec(db, &TAKE, (struct val[]){val_int(step), val_int(f.id), val_int(step)}, 3,
                        &rows, err);
        if (o == OK && rows == 0)
            o = err_set(err, DENIED, "a code that was used already");
    }
    arena_free(&a);
    return o;
}

static enum outcome off_unit(struct db *db, void *arg, struct err *err)
{
    const struct change *c = arg;
    const struct val name = val_str(c->name);
    enum outcome o = change_do(db, c, err);
    return o == OK ? db_exec(db, &CODES_VOID, &name, 1, NULL, err) : o;
}

enum outcome factor_off(struct db *db, const char *name, struct err *err)
{
    struct change c = {.sql = &OFF,
                       .args = {val_str(name)},
                       .nargs = 1,
                       .by = name,
                       .action = "admin.factor_off",
                       .name = name};
    return db_unit(db, off_unit, &c, err);
}

enum outcome factor_left(struct db *db, const char *name, int64_t *n, struct err *err)
{
    struct arena *a = arena_new(LIM_MB);
    struct rows r;
    enum outcome o = a ? db_select(db, &LEFT, (struct val[]){val_str(name)}, 1, a, &r, err)
                       : err_set(err, ERROR, "out of memory");
    *n = o == OK ? row_at(&r, 0, 0)->i : 0;
    arena_free(&a);
    return o;
}

/* fleet.c: see fleet.h. */
#include "store/fleet_int.h"

#include "base/limits.h"

#include <stdio.h>

#define ERRORS_MAX 4096 /* of one page of results */
#define TARGETS_CHUNK 512

static const struct sql GET = {
    "fleet_get", FLEET_SELECTED FLEET_FROM "WHERE e.ident = ? AND %SCOPE e.device_id%", 0};
/* A user's channel goes by its device's facts. Lost: in Lost Mode, or to be put into it. */
static const struct sql TARGETS = {
    "fleet_targets",
    "SELECT e.id, e.ident, COALESCE(d.product_name, v.product_name, ''), "
    "COALESCE(d.os_version, v.os_version, ''), e.kind, e.state, d.is_supervised, d.is_multi_user, "
    "s.enrolled_via_dep, s.is_user_enrollment, d.is_mdm_lost_mode_enabled, h.access_rights "
    "FROM enrollment e JOIN enrollment v ON v.id = e.device_id LEFT JOIN inv_device d "
    "ON d.enrollment_id = v.id LEFT JOIN inv_security s ON s.enrollment_id = v.id "
    "LEFT JOIN life l ON l.id = v.life_id LEFT JOIN handout h ON h.id = l.handout_id "
    "WHERE e.ident IN (%IN%) AND %SCOPE e.device_id%",
    1};
static const struct sql LOST = {
    "fleet_lost",
    "SELECT e.ident FROM enrollment e LEFT JOIN inv_device d ON d.enrollment_id = e.device_id "
    "WHERE "
    "e.ident IN (%IN%) AND %SCOPE e.device_id% AND (d.is_mdm_lost_mode_enabled = 1 OR EXISTS "
    "(SELECT 1 FROM queue q JOIN "
    "command c ON c.id = q.command_id WHERE q.enrollment_id = e.device_id AND c.request_type = "
    "'EnableLostMode') OR EXISTS (SELECT 1 FROM result r JOIN command c ON c.id = r.command_id "
    "WHERE r.enrollment_id = e.device_id AND r.state = 4 AND r.digest = 1 AND c.request_type = "
    "'EnableLostMode'))",
    1};
static const struct sql AREAS = {"fleet_areas",
                                 "SELECT area, reported_at, changed_at, items FROM inv_area WHERE "
                                 "enrollment_id = ? ORDER BY area",
                                 0};
#define PAGE " LIMIT ? OFFSET ?"
static const struct sql APPS = {
    "fleet_apps",
    "SELECT s.identifier, s.name, s.version, s.short_version, a.bundle_size, a.dynamic_size, "
    "a.external_version, a.known, a.flags, a.extra FROM inv_app a JOIN software s ON s.id = "
    "a.software_id WHERE a.enrollment_id = ? ORDER BY s.identifier, s.id" PAGE,
    0};
static const struct sql CERTIFICATES = {
    "fleet_certificates",
    "SELECT HEX(c.sha256), i.common_name, i.is_identity, c.subject, c.issuer, c.serial, "
    "c.not_before, c.not_after, c.is_ca, c.key_type, c.key_bits, i.extra FROM inv_certificate i "
    "JOIN seen_certificate c ON c.sha256 = i.sha256 WHERE i.enrollment_id = ? ORDER BY "
    "i.common_name, i.sha256" PAGE,
    0};
static const struct sql APP_DATA = {"fleet_app_data",
                                    "SELECT identifier, kind, at, content FROM inv_app_data WHERE "
                                    "enrollment_id = ? ORDER BY identifier, kind" PAGE,
                                    0};
static const struct sql ANSWERS = {"fleet_answers",
                                   "SELECT request_type, reported_at, content FROM inv_answer "
                                   "WHERE enrollment_id = ? ORDER BY request_type" PAGE,
                                   0};
static const struct sql SECRETS = {"fleet_secrets",
                                   "SELECT kind, about, at FROM inv_secret WHERE enrollment_id = ? "
                                   "ORDER BY kind, about" PAGE,
                                   0};
static const struct sql SECRET = {
    "fleet_secret",
    "SELECT sealed, at FROM inv_secret WHERE enrollment_id = ? AND kind = ? AND about = ?", 0};
static const struct sql EVENTS = {
    "fleet_events",
    "SELECT id, at, area, happened, subject, was, became FROM inv_event WHERE enrollment_id = ? "
    "AND id < ? ORDER BY id DESC LIMIT ?",
    0};
static const struct sql ERRORS = {
    "fleet_errors",
    "SELECT command_id, item, position, domain, code, localized, english FROM result_error WHERE "
    "enrollment_id = ? AND command_id BETWEEN ? AND ? ORDER BY command_id, item, position LIMIT ?",
    0};

void fleet_from_row(const struct val *v, struct fleet_device *out)
{
    *out = (struct fleet_device){.id = v[0].i,
                                 .ident = v[1].s,
                                 .serial = val_text(&v[2]),
                                 .udid = val_text(&v[3]),
                                 .name = val_text(&v[4]),
                                 .product_name = val_text(&v[5]),
                                 .model_name = val_text(&v[6]),
                                 .os_version = val_text(&v[7]),
                                 .build_version = val_text(&v[8]),
                                 .state = (int)v[9].i,
                                 .platform = (int)val_or_0(&v[10]),
                                 .supervised = val_is_null(&v[11]) ? -1 : (int)v[11].i,
                                 .last_seen_at = v[12].i,
                                 .enrolled_at = val_or_0(&v[13])};
}

enum outcome fleet_get(struct db *db, const char *ident, struct arena *a, struct fleet_device *out,
                       struct err *err)
{
    struct rows r;
    enum outcome o = db_select(db, &GET, (struct val[]){val_str(ident)}, 1, a, &r, err);

    if (o == OK && r.n == 0)
        return err_set(err, NOT_FOUND, "there is no device %.255s", ident);
    if (o == OK)
        fleet_from_row(row_at(&r, 0, 0), out);
    return o;
}

static int known_or_minus(const struct val *v)
{
    return val_is_null(v) ? -1 : (int)v->i;
}

/* Of many devices most are alike: their texts are kept once. */
static const char *same_text(const char *last, const char *s, struct arena *a)
{
    return last != NULL && strcmp(last, s) == 0 ? last : arena_strdup(a, s);
}

/* last: the one before, or NULL. False: no memory. */
static bool target_from_row(const struct val *v, const struct fleet_target *last, struct arena *a,
                            struct fleet_target *t)
{
    *t = (struct fleet_target){.id = v[0].i,
                               .ident = arena_strdup(a, v[1].s),
                               .product_name =
                                   same_text(last ? last->product_name : NULL, v[2].s, a),
                               .os_version = same_text(last ? last->os_version : NULL, v[3].s, a),
                               .kind = (int)v[4].i,
                               .state = (int)v[5].i,
                               .supervised = known_or_minus(&v[6]),
                               .shared_ipad = known_or_minus(&v[7]),
                               .dep = known_or_minus(&v[8]),
                               .user_enrolment = known_or_minus(&v[9]),
                               .lost = known_or_minus(&v[10]),
                               .rights = val_is_null(&v[11]) ? -1 : v[11].i};
    return t->ident != NULL && t->product_name != NULL && t->os_version != NULL;
}

static enum outcome targets_chunk(struct db *db, const char *const *idents, size_t n,
                                  struct arena *scratch, struct arena *a, struct fleet_target *out,
                                  size_t *nout, struct err *err)
{
    struct val list[TARGETS_CHUNK];
    struct rows r;
    enum outcome o;

    for (size_t i = 0; i < n; i++)
        list[i] = val_str(idents[i]);
    o = db_select_in(db, &TARGETS, NULL, 0, list, n, NULL, 0, scratch, &r, err);
    for (size_t i = 0; o == OK && i < r.n && i < n; i++, ++*nout)
        if (!target_from_row(row_at(&r, i, 0), *nout > 0 ? &out[*nout - 1] : NULL, a, &out[*nout]))
            o = err_set(err, ERROR, "out of memory");
    return o;
}

enum outcome fleet_targets(struct db *db, const char *const *idents, size_t n, struct arena *a,
                           struct fleet_target **out, size_t *nout, struct err *err)
{
    struct arena *scratch = arena_new(LIM_ARENA_REQUEST);
    enum outcome o = OK;

    *nout = 0;
    *out = arena_array(a, n + 1, sizeof **out);
    if (*out == NULL || scratch == NULL)
        o = err_set(err, ERROR, "out of memory");
    for (size_t from = 0, k; o == OK && from < n; from += k) {
        k = n - from < TARGETS_CHUNK ? n - from : TARGETS_CHUNK;
        arena_reset(scratch);
        o = targets_chunk(db, idents + from, k, scratch, a, *out, nout, err);
    }
    arena_free(&scratch);
    return o;
}

enum outcome fleet_lost(struct db *db, const char *const *idents, size_t n, struct arena *a,
                        const char ***out, size_t *nout, struct err *err)
{
    struct val list[TARGETS_CHUNK];
    enum outcome o = OK;

    *nout = 0;
    *out = arena_array(a, n + 1, sizeof **out);
    if (*out == NULL)
        return err_set(err, ERROR, "out of memory");
    for (size_t from = 0, k; o == OK && from < n; from += k) {
        struct rows r;

        k = n - from < TARGETS_CHUNK ? n - from : TARGETS_CHUNK;
        for (size_t i = 0; i < k; i++)
            list[i] = val_str(idents[from + i]);
        o = db_select_in(db, &LOST, NULL, 0, list, k, NULL, 0, a, &r, err);
        for (size_t i = 0; o == OK && i < r.n && *nout < n; i++)
            (*out)[(*nout)++] = row_at(&r, i, 0)->s;
    }
    return o;
}

enum outcome fleet_areas(struct db *db, int64_t enrollment_id, struct arena *a, struct rows *out,
                         struct err *err)
{
    return db_select(db, &AREAS, (struct val[]){val_int(enrollment_id)}, 1, a, out, err);
}

static enum outcome page_read(struct db *db, const struct sql *sql, int64_t enrollment_id,
                              size_t offset, size_t max, struct arena *a, struct rows *out,
                              struct err *err)
{
    return db_select(
        db, sql, (struct val[]){val_int(enrollment_id), val_page(max), val_int((int64_t)offset)}, 3,
        a, out, err);
}

enum outcome fleet_rows(struct db *db, const struct inv_table *t, int64_t enrollment_id,
                        size_t offset, size_t max, struct arena *a, struct rows *out,
                        struct err *err)
{
    return page_read(db, &t->page, enrollment_id, offset, max, a, out, err);
}

enum outcome fleet_apps(struct db *db, int64_t enrollment_id, size_t offset, size_t max,
                        struct arena *a, struct rows *out, struct err *err)
{
    return page_read(db, &APPS, enrollment_id, offset, max, a, out, err);
}

enum outcome fleet_certificates(struct db *db, int64_t enrollment_id, size_t offset, size_t max,
                                struct arena *a, struct rows *out, struct err *err)
{
    return page_read(db, &CERTIFICATES, enrollment_id, offset, max, a, out, err);
}

enum outcome fleet_app_data(struct db *db, int64_t enrollment_id, size_t offset, size_t max,
                            struct arena *a, struct rows *out, struct err *err)
{
    return page_read(db, &APP_DATA, enrollment_id, offset, max, a, out, err);
}

enum outcome fleet_answers(struct db *db, int64_t enrollment_id, size_t offset, size_t max,
                           struct arena *a, struct rows *out, struct err *err)
{
    return page_read(db, &ANSWERS, enrollment_id, offset, max, a, out, err);
}

enum outcome fleet_secrets(struct db *db, int64_t enrollment_id, size_t offset, size_t max,
                           struct arena *a, struct rows *out, struct err *err)
{
    return page_read(db, &SECRETS, enrollment_id, offset, max, a, out, err);
}

enum outcome fleet_secret(struct db *db, int64_t enrollment_id, const char *kind, const char *about,
                          struct arena *a, struct bytes *sealed, int64_t *at, struct err *err)
{
    struct rows r;
    enum outcome o = db_select(
        db, &SECRET, (struct val[]){val_int(enrollment_id), val_str(kind), val_str(about)}, 3, a,
        &r, err);

    if (o == OK && r.n == 0)
        return err_set(err, NOT_FOUND, "no %.64s of this device is kept", kind);
    if (o == OK) {
        *sealed = val_bytes(row_at(&r, 0, 0));
        *at = row_at(&r, 0, 1)->i;
    }
    return o;
}

enum outcome fleet_events(struct db *db, int64_t enrollment_id, int64_t before, size_t max,
                          struct arena *a, struct rows *out, struct err *err)
{
    return db_select(db, &EVENTS,
                     (struct val[]){val_int(enrollment_id),
                                    val_int(before != 0 ? before : INT64_MAX), val_page(max)},
                     3, a, out, err);
}

enum outcome fleet_errors(struct db *db, int64_t enrollment_id, int64_t from, int64_t to,
                          struct arena *a, struct rows *out, struct err *err)
{
    return db_select(
        db, &ERRORS,
        (struct val[]){val_int(enrollment_id), val_int(from), val_int(to), val_int(ERRORS_MAX)}, 4,
        a, out, err);
}

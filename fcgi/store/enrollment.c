/* enrollment.c: see enrollment.h. */
#include "store/enrollment.h"

#include "base/limits.h"
#include "wire/json.h"

#define CHUNK 512 /* names in one statement of enrollment_briefs() */

/* A device that was seen since is back, whether the sweep has noticed or not. */
#define INACTIVE_AT "IF(e.state = 2 AND e.last_seen_at < e.inactive_at, e.inactive_at, NULL)"
#define COLUMNS                                                                                    \
    "e.id, e.ident, d.ident, e.kind, e.state, e.udid, e.user_id, e.user_short_name, "              \
    "e.user_long_name, e.serial, e.device_name, e.product_name, e.model, e.model_name, "           \
    "e.os_version, e.build_version, e.imei, e.meid, e.created_at, e.enrolled_at, e.last_seen_at, " \
    "l.token_update_tally, e.ended_at, e.ended_by, e.ended_why, e.pending_life_id, l.topic, "      \
    "IF(l.push_token IS NULL, NULL, l.token_at), l.push_dead_at, l.push_dead_why, "                \
    "l.awaiting_configuration, l.not_on_console, l.unlock_token IS NOT NULL, "                     \
    "l.bootstrap_token IS NOT NULL, l.cert_sha256, e.nudged_at, " INACTIVE_AT                      \
    ", h.access_rights, h.way, COALESCE(p.name, IF(h.id IS NULL, NULL, 'default')), "              \
    "h.profile_version, h.account_kind, h.account "
#define FROM                                                                                       \
    " FROM enrollment e LEFT JOIN life l ON l.id = e.life_id "                                     \
    "LEFT JOIN enrollment d ON d.id = e.device_id AND d.id <> e.id "                               \
    "LEFT JOIN life f ON f.id = IF(d.id IS NULL, e.life_id, d.life_id) "                           \
    "LEFT JOIN handout h ON h.id = f.handout_id "                                                  \
    "LEFT JOIN enroll_profile p ON p.id = h.profile_id "

enum {
    C_ID,
    C_IDENT,
    C_DEVICE,
    C_KIND,
    C_STATE,
    C_UDID,
    C_USER,
    C_SHORT,
    C_LONG,
    C_SERIAL,
    C_NAME,
    C_PRODUCT,
    C_MODEL,
    C_MODEL_NAME,
    C_OS,
    C_BUILD,
    C_IMEI,
    C_MEID,
    C_CREATED,
    C_ENROLLED,
    C_SEEN,
    C_TALLY,
    C_ENDED,
    C_ENDED_BY,
    C_ENDED_WHY,
    C_PENDING,
    C_TOPIC,
    C_TOKEN,
    C_DEAD,
    C_DEAD_WHY,
    C_AWAITING,
    C_NOT_CONSOLE,
    C_UNLOCK,
    C_BOOTSTRAP,
    C_SHA,
    C_NUDGED,
    C_INACTIVE,
    C_RIGHTS,
    C_WAY,
    C_PROFILE,
    C_VERSION,
    C_ACCOUNT_KIND,
    C_ACCOUNT
};

/* The list that can be looked up by an index takes %IN%'s place; all three are asked for again as
 * JSON arrays, so that every combination is one of these statements. */
#define FILTER                                                                                     \
    "((? >> e.kind) & 1) AND ((? >> e.state) & 1) AND %SCOPE e.device_id% "                        \
    "AND (? IS NULL OR JSON_CONTAINS(?, JSON_QUOTE(e.ident))) "                                    \
    "AND (? IS NULL OR JSON_CONTAINS(?, JSON_QUOTE(e.serial))) "                                   \
    "AND (? IS NULL OR JSON_CONTAINS(?, JSON_QUOTE(e.user_short_name))) "                          \
    "AND (? = 0 OR " INACTIVE_AT " IS NOT NULL) AND (? = 0 OR l.push_dead_at IS NOT NULL) "
#define FILTER_ARGS 10
#define BY_ID FILTER "AND e.id > ? ORDER BY e.id LIMIT ? OFFSET ?"
#define BY_SEEN                                                                                    \
    FILTER "AND (e.last_seen_at < ? OR (e.last_seen_at = ? AND e.id < ?)) "                        \
           "ORDER BY e.last_seen_at DESC, e.id DESC LIMIT ? OFFSET ?"

enum driver { BY_ALL, BY_IDENT, BY_SERIAL, BY_SHORT_NAME };

static const struct sql LIST_ID[] = {
    {"enrollment_list", "SELECT " COLUMNS FROM "WHERE " BY_ID, 0},
    {"enrollment_list_ident", "SELECT " COLUMNS FROM "WHERE e.ident IN (%IN%) AND " BY_ID, 1},
    {"enrollment_list_serial", "SELECT " COLUMNS FROM "WHERE e.serial IN (%IN%) AND " BY_ID, 1},
    {"enrollment_list_user", "SELECT " COLUMNS FROM "WHERE e.user_short_name IN (%IN%) AND " BY_ID,
     1}};
static const struct sql LIST_SEEN[] = {
    {"enrollment_seen", "SELECT " COLUMNS FROM "WHERE " BY_SEEN, 0},
    {"enrollment_seen_ident", "SELECT " COLUMNS FROM "WHERE e.ident IN (%IN%) AND " BY_SEEN, 1},
    {"enrollment_seen_serial", "SELECT " COLUMNS FROM "WHERE e.serial IN (%IN%) AND " BY_SEEN, 1},
    {"enrollment_seen_user",
     "SELECT " COLUMNS FROM "WHERE e.user_short_name IN (%IN%) AND " BY_SEEN, 1}};
static const struct sql GET = {"enrollment_get",
                               "SELECT " COLUMNS FROM "WHERE e.ident=? AND %SCOPE e.device_id%", 0};
static const struct sql CERTS = {
    "enrollment_certs",
    "SELECT sha256, der FROM identity_cert WHERE der IS NOT NULL AND sha256 IN (%IN%)", 1};
static const struct sql COUNT = {"enrollment_count",
                                 "SELECT state, COUNT(*) FROM enrollment GROUP BY state", 0};
static const struct sql BRIEFS = {
    "enrollment_briefs",
    "SELECT e.id, e.ident, e.state, l.push_token IS NOT NULL, l.unlock_token IS NOT NULL "
    "FROM enrollment e "
    "LEFT JOIN life l ON l.id = e.life_id WHERE e.ident IN (%IN%) AND %SCOPE e.device_id%",
    1};

const char *enrollment_state_name(int state)
{
    static const char *const name[] = {NULL, "pending", "enrolled", "left", "ended"};

    return state >= 1 && state <= 4 ? name[state] : NULL;
}

static void from_row(const struct val *v, struct enrollment *e)
{
    *e = (struct enrollment){.id = v[C_ID].i,
                             .ident = v[C_IDENT].s,
                             .device_ident =
                                 val_text(&v[val_is_null(&v[C_DEVICE]) ? C_IDENT : C_DEVICE]),
                             .kind = (int)v[C_KIND].i,
                             .state = (int)v[C_STATE].i,
                             .udid = val_text(&v[C_UDID]),
                             .user_id = val_text(&v[C_USER]),
                             .user_short_name = val_text(&v[C_SHORT]),
                             .user_long_name = val_text(&v[C_LONG]),
                             .serial = val_text(&v[C_SERIAL]),
                             .device_name = val_text(&v[C_NAME]),
                             .product_name = val_text(&v[C_PRODUCT]),
                             .model = val_text(&v[C_MODEL]),
                             .model_name = val_text(&v[C_MODEL_NAME]),
                             .os_version = val_text(&v[C_OS]),
                             .build_version = val_text(&v[C_BUILD]),
                             .imei = val_text(&v[C_IMEI]),
                             .meid = val_text(&v[C_MEID]),
                             .created_at = v[C_CREATED].i,
                             .enrolled_at = val_or_0(&v[C_ENROLLED]),
                             .last_seen_at = v[C_SEEN].i,
                             .token_update_tally = val_or_0(&v[C_TALLY]),
                             .ended_at = val_or_0(&v[C_ENDED]),
                             .ended_by = val_text(&v[C_ENDED_BY]),
                             .ended_why = val_text(&v[C_ENDED_WHY]),
                             .nudged_at = val_or_0(&v[C_NUDGED]),
                             .inactive_at = val_or_0(&v[C_INACTIVE]),
                             .access_rights = val_is_null(&v[C_RIGHTS]) ? -1 : v[C_RIGHTS].i,
                             .way = val_or_0(&v[C_WAY]),
                             .profile = val_text(&v[C_PROFILE]),
                             .profile_version = val_or_0(&v[C_VERSION]),
                             .account_kind = val_or_0(&v[C_ACCOUNT_KIND]),
                             .account = val_text(&v[C_ACCOUNT]),
                             .pending = !val_is_null(&v[C_PENDING]),
                             .topic = val_text(&v[C_TOPIC]),
                             .token_at = val_or_0(&v[C_TOKEN]),
                             .push_dead_at = val_or_0(&v[C_DEAD]),
                             .push_dead_why = val_text(&v[C_DEAD_WHY]),
                             .awaiting_configuration = val_or_0(&v[C_AWAITING]) != 0,
                             .not_on_console = val_or_0(&v[C_NOT_CONSOLE]) != 0,
                             .has_unlock_token = val_or_0(&v[C_UNLOCK]) != 0,
                             .has_bootstrap_token = val_or_0(&v[C_BOOTSTRAP]) != 0,
                             .cert_sha256 = val_bytes(&v[C_SHA])};
}

static enum outcome add_certs(struct db *db, struct enrollment *e, size_t n, struct arena *a,
                              struct err *err)
{
    struct val *list = arena_array(a, n + 1, sizeof(*list));
    size_t k = 0;
    struct rows r;
    enum outcome o;

    if (list == NULL)
        return err_set(err, ERROR, "out of memory");
    for (size_t i = 0; i < n; i++)
        if (e[i].cert_sha256.n > 0)
            list[k++] = val_bin(e[i].cert_sha256);
    if (k == 0)
        return OK;
    if ((o = db_select_in(db, &CERTS, NULL, 0, list, k, NULL, 0, a, &r, err)) != OK)
        return o;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < r.n; j++)
            if (bytes_equal(e[i].cert_sha256, val_bytes(row_at(&r, j, 0))))
                e[i].cert_der = val_bytes(row_at(&r, j, 1));
    return OK;
}

static enum outcome from_rows(const struct rows *r, struct arena *a, struct enrollment **out,
                              size_t *n, struct err *err)
{
    *n = r->n;
    *out = arena_array(a, r->n + 1, sizeof(**out));
    if (*out == NULL)
        return err_set(err, ERROR, "out of memory");
    for (size_t i = 0; i < r->n; i++)
        from_row(row_at(r, i, 0), &(*out)[i]);
    return OK;
}

/* A list as a JSON array in a; SQL NULL when it is the driver's own, or none. */
static enum outcome json_list(const char *const *list, size_t n, bool driver, struct arena *a,
                              struct val *out, struct err *err)
{
    struct buf b = BUF_INIT(LIM_RESPONSE);
    struct bytes copy;
    js array;
    enum outcome o;

    *out = val_null();
    if (list == NULL || driver)
        return OK;
    array = js_array();
    for (size_t i = 0; i < n; i++)
        js_append(array, js_new_str(list[i]));
    o = js_write(array, false, &b);
    js_free(&array);
    copy = o == OK ? arena_bytes(a, buf_bytes(&b)) : (struct bytes){NULL, 0};
    buf_free(&b);
    if (copy.p == NULL)
        return err_set(err, ERROR, "out of memory for a list of %zu names", n);
    *out = val_strn((const char *)copy.p, copy.n);
    return OK;
}

struct names {
    const char *const *list;
    size_t n;
};

static enum driver choose_driver(const struct enrollment_filter *f, struct names *names)
{
    const struct names known[] = {{NULL, 0},
                                  {f->idents, f->nidents},
                                  {f->serials, f->nserials},
                                  {f->user_short_names, f->nuser_short_names}};

    for (int d = BY_IDENT; d <= BY_SHORT_NAME; d++)
        if (known[d].list != NULL) {
            *names = known[d];
            return (enum driver)d;
        }
    *names = known[0];
    return BY_ALL;
}

/* The arguments of FILTER. */
static enum outcome filter_args(const struct enrollment_filter *f, enum driver d, struct arena *a,
                                struct val *args, struct err *err)
{
    enum outcome o;

    args[0] = val_int(f->kinds != 0 ? (int64_t)f->kinds : 0xff);
    args[1] = val_int(f->states != 0 ? (int64_t)f->states : 0xff);
    if ((o = json_list(f->idents, f->nidents, d == BY_IDENT, a, &args[2], err)) != OK ||
        (o = json_list(f->serials, f->nserials, d == BY_SERIAL, a, &args[4], err)) != OK ||
        (o = json_list(f->user_short_names, f->nuser_short_names, d == BY_SHORT_NAME, a, &args[6],
                       err)) != OK)
        return o;
    args[3] = args[2];
    args[5] = args[4];
    args[7] = args[6];
    args[8] = val_int(f->inactive);
    args[9] = val_int(f->push_dead);
    return OK;
}

enum outcome enrollment_list(struct db *db, const struct enrollment_filter *f,
                             enum enrollment_order order, struct enrollment_cursor after,
                             size_t offset, size_t max, bool with_cert, struct arena *a,
                             struct enrollment **out, size_t *n, struct err *err)
{
    struct val args[FILTER_ARGS + 5], *list;
    const struct sql *sql;
    struct names names;
    struct rows r;
    size_t k = FILTER_ARGS;
    enum driver d = choose_driver(f, &names);
    enum outcome o;

    *n = 0;
    *out = NULL;
    if (d != BY_ALL && names.n == 0)
        return OK;
    if ((o = filter_args(f, d, a, args, err)) != OK)
        return o;
    sql = order == ENROLLMENT_BY_LAST_SEEN ? &LIST_SEEN[d] : &LIST_ID[d];
    if (order == ENROLLMENT_BY_LAST_SEEN) {
        int64_t seen = after.id != 0 ? after.last_seen_at : INT64_MAX;

        args[k++] = val_int(seen);
        args[k++] = val_int(seen);
    }
    args[k++] = val_int(after.id);
    args[k++] = val_int(max < LIM_PAGE ? (int64_t)max : LIM_PAGE);
    args[k++] = val_int((int64_t)offset);
    list = arena_array(a, names.n + 1, sizeof(*list));
    if (list == NULL)
        return err_set(err, ERROR, "out of memory");
    for (size_t i = 0; i < names.n; i++)
        list[i] = val_str(names.list[i]);
    o = d == BY_ALL ? db_select(db, sql, args, k, a, &r, err)
                    : db_select_in(db, sql, NULL, 0, list, names.n, args, k, a, &r, err);
    if (o == OK)
        o = from_rows(&r, a, out, n, err);
    return o == OK && with_cert ? add_certs(db, *out, *n, a, err) : o;
}

enum outcome enrollment_get(struct db *db, const char *ident, struct arena *a,
                            struct enrollment *out, struct err *err)
{
    struct rows r;
    enum outcome o = db_select(db, &GET, (struct val[]){val_str(ident)}, 1, a, &r, err);

    if (o == OK && r.n == 0)
        return err_set(err, NOT_FOUND, "there is no enrollment %s", ident);
    if (o != OK)
        return o;
    from_row(row_at(&r, 0, 0), out);
    return add_certs(db, out, 1, a, err);
}

enum outcome enrollment_get_whole(struct db *db, const char *ident, struct arena *a,
                                  struct enrollment *out, struct err *err)
{
    struct enrollment user;
    enum outcome o = enrollment_get(db, ident, a, out, err);

    if (o != OK || strcmp(out->ident, out->device_ident) == 0)
        return o;
    user = *out;
    o = enrollment_get(db, user.device_ident, a, out, err);
    if (o != OK)
        return o;
    user.serial = out->serial;
    user.device_name = out->device_name;
    user.product_name = out->product_name;
    user.model = out->model;
    user.model_name = out->model_name;
    user.os_version = out->os_version;
    user.build_version = out->build_version;
    user.imei = out->imei;
    user.meid = out->meid;
    user.cert_sha256 = out->cert_sha256;
    user.cert_der = out->cert_der;
    *out = user;
    return OK;
}

enum outcome enrollment_count(struct db *db, struct arena *a, int64_t counts[5], struct err *err)
{
    struct rows r;
    enum outcome o = db_select(db, &COUNT, NULL, 0, a, &r, err);

    memset(counts, 0, 5 * sizeof(counts[0]));
    for (size_t i = 0; o == OK && i < r.n; i++)
        if (row_at(&r, i, 0)->i >= 1 && row_at(&r, i, 0)->i <= 4)
            counts[row_at(&r, i, 0)->i] = row_at(&r, i, 1)->i;
    return o;
}

enum outcome enrollment_briefs(struct db *db, const char *const *idents, size_t n, struct arena *a,
                               struct enrollment_brief **out, size_t *nout, struct err *err)
{
    struct val list[CHUNK];
    enum outcome o = OK;

    *nout = 0;
    *out = arena_array(a, n + 1, sizeof(**out));
    if (*out == NULL)
        return err_set(err, ERROR, "out of memory");
    for (size_t from = 0, k; o == OK && from < n; from += k) {
        struct rows r;

        k = n - from < CHUNK ? n - from : CHUNK;
        for (size_t i = 0; i < k; i++)
            list[i] = val_str(idents[from + i]);
        if ((o = db_select_in(db, &BRIEFS, NULL, 0, list, k, NULL, 0, a, &r, err)) != OK)
            return o;
        for (size_t i = 0; i < r.n; i++) {
            const struct val *v = row_at(&r, i, 0);

            (*out)[(*nout)++] =
                (struct enrollment_brief){v[0].i, v[1].s, (int)v[2].i, v[3].i != 0, v[4].i != 0};
        }
    }
    return o;
}

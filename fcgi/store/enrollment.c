/* enrollment.c: see enrollment.h. */
#include "store/enrollment_int.h"

#define CHUNK 512 /* names in one statement of enrollment_briefs() */

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

static const struct sql GET = {
    "enrollment_get",
    "SELECT " ENROLLMENT_COLUMNS ENROLLMENT_FROM "WHERE e.ident=? AND %SCOPE e.device_id%", 0};
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

enum outcome enrollment_add_certs(struct db *db, struct enrollment *e, size_t n, struct arena *a,
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

enum outcome enrollment_from_rows(const struct rows *r, struct arena *a, struct enrollment **out,
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
    return enrollment_add_certs(db, out, 1, a, err);
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

/* queue_read.c: what is in a queue and what came of it, for people and the HTTP API. */
#include "store/queue.h"

#include "base/limits.h"

static const struct sql ENROLLMENT = {
    "queue_enrollment", "SELECT id FROM enrollment WHERE ident=? AND %SCOPE device_id%", 0};
/* Both give the same columns, so that one function reads them. */
#define OPEN_COLUMNS                                                                               \
    "q.command_id, c.uuid, c.request_type, q.state, -q.urgency, q.queued_at, q.not_before, "       \
    "q.expires_at, q.sent_at, q.notnow_at, NULL, NULL, q.sent_count, q.notnow_count, NULL, "       \
    "c.created_by, c.dropped, c.reason, (SELECT o.uuid FROM command o WHERE o.id = c.retry_of)"
#define CLOSED_COLUMNS                                                                             \
    "r.command_id, c.uuid, c.request_type, r.state, 0, r.queued_at, 0, NULL, r.sent_at, "          \
    "r.notnow_at, r.closed_at, r.reported_at, r.sent_count, r.notnow_count, r.closed_why, "        \
    "c.created_by, c.dropped, c.reason, (SELECT o.uuid FROM command o WHERE o.id = c.retry_of)"
enum {
    C_ID,
    C_UUID,
    C_TYPE,
    C_STATE,
    C_PRIORITY,
    C_QUEUED,
    C_NOT_BEFORE,
    C_EXPIRES,
    C_SENT,
    C_NOTNOW,
    C_CLOSED,
    C_REPORTED,
    C_SENT_COUNT,
    C_NOTNOW_COUNT,
    C_WHY,
    C_BY,
    C_DROPPED,
    C_REASON,
    C_RETRY_OF,
    C_BLOB, /* the body of an open one, the report of a closed one */
    C_BODY,
    C_ASIDE
};

static const struct sql OPEN = {
    "queue_list",
    "SELECT " OPEN_COLUMNS ", IF(LENGTH(c.body) <= ?, c.body, NULL) FROM queue q JOIN command c "
    "ON c.id = q.command_id WHERE q.enrollment_id=? AND (q.urgency > ? OR (q.urgency = ? AND "
    "(q.queued_at > ? OR (q.queued_at = ? AND q.command_id > ?)))) "
    "ORDER BY q.urgency, q.queued_at, q.command_id LIMIT ?",
    0};
static const struct sql CLOSED = {
    "queue_results",
    "SELECT " CLOSED_COLUMNS
    ", IF(LENGTH(r.report) <= ?, r.report, NULL) FROM result r JOIN command c "
    "ON c.id = r.command_id WHERE r.enrollment_id=? AND r.command_id < ? "
    "ORDER BY r.command_id DESC LIMIT ?",
    0};
static const struct sql ONE_OPEN = {"queue_get_open",
                                    "SELECT " OPEN_COLUMNS
                                    ", c.body FROM enrollment e JOIN command c JOIN queue q "
                                    "ON q.enrollment_id = e.id AND q.command_id = c.id WHERE "
                                    "e.ident=? AND c.uuid=? AND %SCOPE e.device_id%",
                                    0};
static const struct sql ONE_CLOSED = {
    "queue_get_closed",
    "SELECT " CLOSED_COLUMNS
    ", r.report, c.body, IF(r.digest = 2, (SELECT f.why FROM digest_failure f WHERE "
    "f.enrollment_id = r.enrollment_id AND f.command_id = r.command_id), NULL) FROM enrollment e "
    "JOIN command c JOIN result r "
    "ON r.enrollment_id = e.id AND r.command_id = c.id WHERE e.ident=? AND c.uuid=? AND %SCOPE "
    "e.device_id%",
    0};

static void item_from_row(const struct val *v, bool open, struct queue_item *out)
{
    *out = (struct queue_item){.command_id = v[C_ID].i,
                               .uuid = v[C_UUID].s,
                               .request_type = v[C_TYPE].s,
                               .state = (int)v[C_STATE].i,
                               .priority = (int)v[C_PRIORITY].i,
                               .queued_at = v[C_QUEUED].i,
                               .not_before = v[C_NOT_BEFORE].i,
                               .expires_at = val_or_0(&v[C_EXPIRES]),
                               .sent_at = val_or_0(&v[C_SENT]),
                               .notnow_at = val_or_0(&v[C_NOTNOW]),
                               .closed_at = val_or_0(&v[C_CLOSED]),
                               .reported_at = val_or_0(&v[C_REPORTED]),
                               .sent_count = (int)v[C_SENT_COUNT].i,
                               .notnow_count = (int)v[C_NOTNOW_COUNT].i,
                               .closed_why = val_text(&v[C_WHY]),
                               .created_by = v[C_BY].s,
                               .dropped = val_text(&v[C_DROPPED]),
                               .reason = val_text(&v[C_REASON]),
                               .retry_of = val_text(&v[C_RETRY_OF]),
                               .aside = ""};
    *(open ? &out->body : &out->report) = val_bytes(&v[C_BLOB]);
}

static enum outcome enrollment_id(struct db *db, const char *ident, struct arena *a,
                                  struct val *out, struct err *err)
{
    struct rows r;
    enum outcome o = db_select(db, &ENROLLMENT, (struct val[]){val_str(ident)}, 1, a, &r, err);

    if (o == OK && r.n == 0)
        return err_set(err, NOT_FOUND, "there is no enrollment %s", ident);
    if (o == OK)
        *out = *row_at(&r, 0, 0);
    return o;
}

static enum outcome items(const struct rows *r, bool open, struct arena *a, struct queue_item **out,
                          size_t *n, struct err *err)
{
    *n = r->n;
    *out = arena_array(a, r->n + 1, sizeof(**out));
    if (*out == NULL)
        return err_set(err, ERROR, "out of memory");
    for (size_t i = 0; i < r->n; i++)
        item_from_row(row_at(r, i, 0), open, &(*out)[i]);
    return OK;
}

enum outcome queue_list(struct db *db, const char *ident, const struct queue_item *after,
                        size_t max, size_t body_max, struct arena *a, struct queue_item **out,
                        size_t *n, struct err *err)
{
    struct val urgency = val_int(after != NULL ? -after->priority : INT32_MIN), id;
    struct val queued = val_int(after != NULL ? after->queued_at : 0);
    struct rows r;
    enum outcome o;

    *n = 0;
    if ((o = enrollment_id(db, ident, a, &id, err)) != OK)
        return o;
    o = db_select(db, &OPEN,
                  (struct val[]){val_int((int64_t)body_max), id, urgency, urgency, queued, queued,
                                 val_int(after != NULL ? after->command_id : 0), val_page(max)},
                  8, a, &r, err);
    return o == OK ? items(&r, true, a, out, n, err) : o;
}

enum outcome queue_results(struct db *db, const char *ident, int64_t before, size_t max,
                           size_t report_max, struct arena *a, struct queue_item **out, size_t *n,
                           struct err *err)
{
    struct rows r;
    struct val id;
    enum outcome o;

    *n = 0;
    if ((o = enrollment_id(db, ident, a, &id, err)) != OK)
        return o;
    o = db_select(db, &CLOSED,
                  (struct val[]){val_int((int64_t)report_max), id,
                                 val_int(before != 0 ? before : INT64_MAX), val_page(max)},
                  4, a, &r, err);
    return o == OK ? items(&r, false, a, out, n, err) : o;
}

enum outcome queue_get(struct db *db, const char *ident, const char *uuid, struct arena *a,
                       struct queue_item *out, struct err *err)
{
    struct val args[] = {val_str(ident), val_str(uuid)};
    struct rows r;
    enum outcome o = db_select(db, &ONE_OPEN, args, 2, a, &r, err);

    if (o == OK && r.n > 0) {
        item_from_row(row_at(&r, 0, 0), true, out);
        return OK;
    }
    if (o == OK)
        o = db_select(db, &ONE_CLOSED, args, 2, a, &r, err);
    if (o == OK && r.n == 0)
        return err_set(err, NOT_FOUND, "%s has no command %s", ident, uuid);
    if (o == OK) {
        item_from_row(row_at(&r, 0, 0), false, out);
        out->body = val_bytes(row_at(&r, 0, C_BODY));
        out->aside = val_text(row_at(&r, 0, C_ASIDE));
    }
    return o;
}

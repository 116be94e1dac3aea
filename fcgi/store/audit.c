/* audit.c: the audit log's statements. */
#include "store/audit.h"

#include "base/clock.h"
#include "base/limits.h"

#define ACTOR_MAX 128
#define SUBJECT_MAX 255

static const struct sql ADD = {
    .name = "audit_add",
    .text = "INSERT INTO audit (at, actor, action, subject, detail) VALUES (?, ?, ?, ?, ?)"};

static const struct sql ADD_RARELY = {
    .name = "audit_add_rarely",
    .text = "INSERT INTO audit (at, actor, action, subject, detail) SELECT ?, ?, ?, ?, ? FROM DUAL "
            "WHERE NOT EXISTS (SELECT 1 FROM audit WHERE subject = ? AND action = ? AND at > ?)"};

enum outcome audit_add(struct db *db, const char *actor, const char *action, const char *subject,
                       const char *detail, struct err *err)
{
    return db_exec(db, &ADD,
                   (struct val[]){val_int(clock_now()), val_cut(actor, ACTOR_MAX), val_str(action),
                                  val_cut(subject, SUBJECT_MAX), val_str(detail)},
                   5, NULL, err);
}

enum outcome audit_add_rarely(struct db *db, int64_t every, const char *actor, const char *action,
                              const char *subject, const char *detail, struct err *err)
{
    int64_t now = clock_now();
    struct val what = val_str(action), whom = val_cut(subject, SUBJECT_MAX);

    return db_exec(db, &ADD_RARELY,
                   (struct val[]){val_int(now), val_cut(actor, ACTOR_MAX), what, whom,
                                  val_str(detail), whom, what, val_int(now - every)},
                   8, NULL, err);
}

/* The index of the most telling condition; which one is known before the statement is made. */
#define LIST_COLUMNS "SELECT id, at, actor, action, subject, detail FROM audit "
#define LIST_REST                                                                                  \
    "(? IS NULL OR actor = ?) AND (? IS NULL OR action LIKE CONCAT(?, '%')) AND id > ? AND id < "  \
    "? AND at >= ? AND at < ? AND "                                                                \
    "(%OWN 0% OR actor = ? OR subject IN (SELECT ident FROM enrollment WHERE %SCOPE device_id%)) " \
    "ORDER BY id DESC LIMIT ?"
static const struct sql LIST = {"audit_list", LIST_COLUMNS "WHERE " LIST_REST, 0};
static const struct sql LIST_SUBJECT = {"audit_list_subject",
                                        LIST_COLUMNS "WHERE subject = ? AND " LIST_REST, 0};
static const struct sql LIST_ACTOR = {"audit_list_actor",
                                      LIST_COLUMNS "WHERE actor = ? AND " LIST_REST, 0};

/* Entries of a time have ids near each other: one is later than its id by as long as its
 * transaction took, in which fewer than LATE others came. */
#define LATE 10000
static const struct sql FIRST = {"audit_first",
                                 "SELECT id FROM audit WHERE at >= ? ORDER BY at, id LIMIT 1", 0};
static const struct sql LAST = {
    "audit_last", "SELECT id FROM audit WHERE at < ? ORDER BY at DESC, id DESC LIMIT 1", 0};

/* What was done to a channel, and to the commands that it was sent. */
#define OF_DEVICE(from)                                                                            \
    "(SELECT a.id, a.at, a.actor, a.action, a.subject, a.detail FROM " from                        \
    " a.id < ? ORDER BY a.id DESC LIMIT ?)"
#define OF_COMMANDS(table)                                                                         \
    OF_DEVICE(table " q JOIN command c ON c.id = q.command_id JOIN audit a ON a.subject = c.uuid " \
                    "WHERE q.enrollment_id = ? AND")
static const struct sql LIST_DEVICE = {
    "audit_list_device",
    OF_DEVICE("audit a WHERE a.subject = ? AND") " UNION ALL " OF_COMMANDS(
        "queue") " UNION ALL " OF_COMMANDS("result") " ORDER BY id DESC LIMIT ?",
    0};

static enum outcome entries(const struct rows *r, struct arena *a, struct audit_entry **out,
                            size_t *n, struct err *err)
{
    *out = arena_array(a, r->n + 1, sizeof **out);
    if (!*out)
        return err_set(err, ERROR, "out of memory");
    for (*n = 0; *n < r->n; ++*n) {
        const struct val *v = row_at(r, *n, 0);
        (*out)[*n] = (struct audit_entry){v[0].i, v[1].i, v[2].s, v[3].s, v[4].s, val_text(&v[5])};
    }
    return OK;
}

enum outcome audit_of_device(struct db *db, const char *ident, int64_t enrollment_id,
                             int64_t before, size_t max, struct arena *a, struct audit_entry **out,
                             size_t *n, struct err *err)
{
    struct val from = val_int(before ? before : INT64_MAX), id = val_int(enrollment_id);
    struct val limit = val_page(max);
    struct rows r;
    *n = 0;
    enum outcome o = db_select(
        db, &LIST_DEVICE,
        (struct val[]){val_str(ident), from, limit, id, from, limit, id, from, limit, limit}, 10, a,
        &r, err);
    return o == OK ? entries(&r, a, out, n, err) : o;
}

/* The ids between which the entries of the filter's time are, exclusive. */
static enum outcome bounds(struct db *db, const struct audit_filter *f, struct arena *a,
                           int64_t *above, int64_t *below, struct err *err)
{
    struct rows r = {0};
    enum outcome o = OK;

    *above = 0;
    if (f->since > 0) {
        o = db_select(db, &FIRST, (struct val[]){val_int(f->since)}, 1, a, &r, err);
        *above = o == OK && r.n > 0 ? row_at(&r, 0, 0)->i - LATE : INT64_MAX;
    }
    if (o == OK && f->until > 0) {
        o = db_select(db, &LAST, (struct val[]){val_int(f->until)}, 1, a, &r, err);
        int64_t last = o == OK && r.n > 0 ? row_at(&r, 0, 0)->i + LATE : 0;
        *below = last < *below ? last : *below;
    }
    return o;
}

enum outcome audit_list(struct db *db, const struct audit_filter *f, int64_t before, size_t max,
                        struct arena *a, struct audit_entry **out, size_t *n, struct err *err)
{
    int64_t above, below = before ? before : INT64_MAX;
    struct val args[11];
    size_t k = 0;
    struct rows r;
    const struct sql *sql = &LIST;
    if (f->subject || f->actor) {
        sql = f->subject ? &LIST_SUBJECT : &LIST_ACTOR;
        args[k++] = val_str(f->subject ? f->subject : f->actor);
    }
    args[k++] = val_str(f->actor);
    args[k++] = val_str(f->actor);
    args[k++] = val_str(f->action);
    args[k++] = val_str(f->action);
    *n = 0;
    enum outcome o = bounds(db, f, a, &above, &below, err);
    if (o != OK)
        return o;
    args[k++] = val_int(above);
    args[k++] = val_int(below);
    args[k++] = val_int(f->since);
    args[k++] = val_int(f->until > 0 ? f->until : INT64_MAX);
    args[k++] = val_str(f->own);
    args[k++] = val_page(max);
    o = db_select(db, sql, args, k, a, &r, err);
    return o == OK ? entries(&r, a, out, n, err) : o;
}

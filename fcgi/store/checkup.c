/* checkup.c: see checkup.h. */
#include "store/checkup.h"

#include "store/script.h"

#include <ctype.h>

#define NOW_US "CAST(UNIX_TIMESTAMP(NOW(6)) * 1000000 AS SIGNED)"

static const struct sql CLOCK = {"checkup_clock", "SELECT " NOW_US, 0};
static const struct sql PACKET = {"checkup_packet", "SELECT @@max_allowed_packet", 0};
/* An account sees its own rights here. */
static const struct sql RIGHTS = {
    "checkup_rights",
    "SELECT table_name, privilege_type FROM information_schema.table_privileges "
    "WHERE table_schema = DATABASE() UNION ALL "
    "SELECT table_name, CONCAT(privilege_type, ' (', column_name, ')') "
    "FROM information_schema.column_privileges WHERE table_schema = DATABASE() UNION ALL "
    "SELECT '*', privilege_type FROM information_schema.schema_privileges "
    "WHERE table_schema = DATABASE() UNION ALL "
    "SELECT '*', privilege_type FROM information_schema.user_privileges "
    "WHERE privilege_type <> 'USAGE'",
    0};
static const struct sql AGENT = {
    "checkup_agent", "SELECT holder, expires_at - " NOW_US " FROM lease WHERE name = 'agent'", 0};
static const struct sql NUMBERS = {
    "checkup_numbers",
    "SELECT (SELECT COUNT(*) FROM queue), (SELECT COUNT(*) FROM queue WHERE state = 2), "
    "(SELECT MIN(queued_at) FROM queue), "
    "(SELECT COUNT(*) FROM push WHERE state IN (1, 2)), "
    "(SELECT COUNT(*) FROM push WHERE state = 1 AND due_at < " NOW_US " - 60000000), "
    "(SELECT COUNT(*) FROM push WHERE state = 4), (SELECT COUNT(*) FROM push WHERE state = 5), "
    "(SELECT COUNT(*) FROM unknown_device WHERE decision = 0)",
    0};
/* The same of the devices of a scope and their users. */
#define OWN_OF(table, more)                                                                        \
    " FROM " table " x JOIN enrollment e ON e.id = x.enrollment_id WHERE %SCOPE "                  \
    "e.device_id% " more
#define OWN_COUNT(table, more) "(SELECT COUNT(*)" OWN_OF(table, more) ")"
static const struct sql OWN_NUMBERS = {
    "checkup_own_numbers",
    "SELECT " OWN_COUNT("queue", "") ", " OWN_COUNT(
        "queue",
        "AND x.state = 2") ", (SELECT "
                           "MIN(x.queued_at)" OWN_OF("queue", "") "), " OWN_COUNT(
                               "push",
                               "AND "
                               "x."
                               "stat"
                               "e "
                               "IN "
                               "(1, "
                               "2)") ", " OWN_COUNT("push",
                                                    "AND x.state = 1 AND x.due_at < " NOW_US
                                                    " - 60000000") ", " OWN_COUNT("push",
                                                                                  "AND x.state = "
                                                                                  "4") ","
                                                                                       " " OWN_COUNT(
                                                                                           "push",
                                                                                           "AND "
                                                                                           "x."
                                                                                           "state "
                                                                                           "= 5") ", 0",
    0};
static const struct sql WAITING = {
    "checkup_waiting",
    "SELECT (SELECT COUNT(*) FROM approval WHERE state = 1 AND expires_at > " NOW_US "), "
    "(SELECT COUNT(*) FROM scep_request WHERE state = 1 AND expires_at > " NOW_US "), "
    "(SELECT COUNT(*) FROM rollout r JOIN library_item i ON i.id = r.item_id AND i.version = "
    "r.version WHERE r.halted_at IS NOT NULL)",
    0};

enum outcome checkup_clock(struct db *db, struct arena *a, int64_t *now, struct err *err)
{
    struct rows r;
    enum outcome o = db_select(db, &CLOCK, NULL, 0, a, &r, err);

    *now = o == OK ? row_at(&r, 0, 0)->i : 0;
    return o;
}

enum outcome checkup_packet(struct db *db, struct arena *a, int64_t *octets, struct err *err)
{
    struct rows r;
    enum outcome o = db_select(db, &PACKET, NULL, 0, a, &r, err);

    *octets = o == OK ? row_at(&r, 0, 0)->i : 0;
    return o;
}

/* ---- rights ---- */

struct rights {
    struct arena *a;
    struct rows has;
    bool *wanted; /* one for each row of has */
    struct buf *missing;
};

static void note(struct buf *b, const char *right, const char *table)
{
    buf_fmt(b, "%s%s on %s", b->len > 0 ? ", " : "", right, table);
}

static void want(struct rights *x, const char *table, const char *right)
{
    bool found = false;

    for (size_t i = 0; i < x->has.n; i++) {
        const struct val *v = row_at(&x->has, i, 0);
        bool all = strcmp(v[0].s, "*") == 0;

        if ((all || strcmp(v[0].s, table) == 0) && strcmp(v[1].s, right) == 0) {
            found = true;
            x->wanted[i] |= !all;
        }
    }
    if (!found)
        note(x->missing, right, table);
}

/* "SELECT (topic, version)": a right on each column. */
static void want_columns(struct rights *x, const char *table, const char *right, const char *list,
                         size_t n)
{
    for (size_t i = 0, k; i < n; i += k + 1) {
        i += strspn(list + i, " ");
        k = strcspn(list + i, ",)");
        want(x, table,
             arena_fmt(x->a, "%s (%.*s)", right, (int)k,
                       list + i)); /* NULL is not expected: small */
    }
}

/* One statement "GRANT right[, right (column, ...)] ON @db@.table TO mark". */
static enum outcome want_statement(struct rights *x, const char *s, const char *mark,
                                   struct err *err)
{
    static const char grant[] = "GRANT ", on[] = " ON @db@.", to[] = " TO ";
    const char *rights, *at, *end;
    char *table;

    s += strspn(s, " \t\r\n");
    if (strncmp(s, grant, sizeof(grant) - 1) != 0)
        return OK;
    rights = s + sizeof(grant) - 1;
    at = strstr(rights, on);
    end = at != NULL ? strstr(at, to) : NULL;
    if (end == NULL)
        return err_set(err, INVALID, "the grants file has a statement of another form: %.60s", s);
    if (strncmp(end + sizeof(to) - 1, mark, strlen(mark)) != 0)
        return OK;
    table = arena_strndup(x->a, at + sizeof(on) - 1, (size_t)(end - at) - sizeof(on) + 1);
    for (const char *p = rights; table != NULL && p < at;) {
        size_t n;
        char *right;

        p += strspn(p, " ,");
        n = strspn(p, "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
        right = arena_strndup(x->a, p, n);
        p += n;
        if (right == NULL || n == 0)
            break;
        if (strncmp(p, " (", 2) == 0) {
            size_t k = strcspn(p, ")");

            want_columns(x, table, right, p + 2, k - 2);
            p += k + 1;
        } else {
            want(x, table, right);
        }
    }
    return OK;
}

enum outcome checkup_rights(struct db *db, const char *grants, const char *mark, struct arena *a,
                            struct buf *missing, struct buf *excess, struct err *err)
{
    struct rights x = {.a = a, .missing = missing};
    struct script_statement *st;
    int n;
    enum outcome o = script_read(grants, grants, a, &st, &n, err);

    if (o == OK)
        o = db_select(db, &RIGHTS, NULL, 0, a, &x.has, err);
    if (o != OK)
        return o;
    x.wanted = arena_array(a, x.has.n + 1, sizeof(*x.wanted));
    if (x.wanted == NULL)
        return err_set(err, ERROR, "out of memory");
    for (int i = 0; o == OK && i < n; i++)
        o = want_statement(&x, st[i].text, mark, err);
    for (size_t i = 0; o == OK && i < x.has.n; i++)
        if (!x.wanted[i])
            note(excess, row_at(&x.has, i, 1)->s, row_at(&x.has, i, 0)->s);
    return o;
}

enum outcome checkup_agent(struct db *db, struct arena *a, const char **holder, int64_t *left,
                           struct err *err)
{
    struct rows r;
    enum outcome o = db_select(db, &AGENT, NULL, 0, a, &r, err);

    if (o == OK && r.n == 0)
        return err_set(err, NOT_FOUND, "no agent has ever worked");
    if (o == OK) {
        *holder = row_at(&r, 0, 0)->s;
        *left = row_at(&r, 0, 1)->i;
    }
    return o;
}

enum outcome checkup_numbers(struct db *db, struct arena *a, struct checkup_numbers *out,
                             struct err *err)
{
    struct rows r;
    enum outcome o = db_select(db, db_scoped(db) ? &OWN_NUMBERS : &NUMBERS, NULL, 0, a, &r, err);

    if (o != OK)
        return o;
    const struct val *v = row_at(&r, 0, 0);
    *out = (struct checkup_numbers){v[0].i, v[1].i, val_or_0(&v[2]), v[3].i,
                                    v[4].i, v[5].i, v[6].i,          v[7].i};
    return OK;
}

enum outcome checkup_waiting(struct db *db, struct arena *a, struct checkup_waiting *out,
                             struct err *err)
{
    struct rows r;
    enum outcome o = db_select(db, &WAITING, NULL, 0, a, &r, err);

    if (o != OK)
        return o;
    const struct val *v = row_at(&r, 0, 0);
    *out = (struct checkup_waiting){v[0].i, v[1].i, v[2].i};
    return OK;
}

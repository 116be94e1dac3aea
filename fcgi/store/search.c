/* search.c: see search.h. What the agent does is in search_follow.c. */
#include "store/search.h"

#include "base/limits.h"
#include "store/search_words.h"

/* The most that is asked for of a device, or of a user on it, where its words do not follow yet. */
#define TOLD                                                                                       \
    "CONCAT_WS('\n', u.serial, u.device_name, u.ident, u.udid, u.model_name, u.product_name, "     \
    "u.user_short_name, u.user_long_name, i.device_name, i.serial_number, i.imei) COLLATE "        \
    "utf8mb4_general_ci LIKE ?"
#define TOLD_OF(index)                                                                             \
    "FROM enrollment u FORCE INDEX (" index ") LEFT JOIN inv_device i ON i.enrollment_id = u.id "

#define IS_DUE "u.search_due = 1 AND " TOLD

static const struct sql ANY_DUE = {
    "search_any_due",
    "SELECT 1 FROM enrollment FORCE INDEX (search_due) WHERE search_due = 1 LIMIT 1", 0};
/* Two statements: to count within a LIMIT the server would put all of them into a table first. */
static const struct sql ARE_MANY = {
    "search_are_many",
    "SELECT 1 FROM device_word FORCE INDEX (word) WHERE backward = 0 AND word LIKE ? LIMIT 1 "
    "OFFSET ?",
    0};
static const struct sql HOW_MANY = {
    "search_how_many",
    "SELECT COUNT(*) FROM device_word FORCE INDEX (word) WHERE backward = 0 AND word LIKE ?", 0};

const char *search_pattern(const char *before, const char *text, const char *after, struct arena *a)
{
    struct buf b = BUF_INIT(LIM_KB);
    const char *copy;

    buf_str(&b, before);
    for (; *text != '\0'; text++) {
        if (*text == '%' || *text == '_' || *text == '\\')
            buf_char(&b, '\\');
        buf_char(&b, *text);
    }
    buf_str(&b, after);
    copy = buf_failed(&b) ? NULL : arena_strdup(a, buf_cstr(&b));
    buf_free(&b);
    return copy;
}

static enum outcome pieces_read(const char *text, struct arena *a, struct search *out,
                                struct err *err)
{
    const char *piece, *word, *back;
    bool any = false;

    while (out->n < SEARCH_PIECES_MAX && search_piece(&text, a, &piece, &word, &back)) {
        struct search_piece *p = &out->piece[out->n];

        any = true;
        if (piece == NULL || word == NULL || back == NULL)
            return err_set(err, ERROR, "out of memory");
        if (*word == '\0')
            continue; /* "Anna - iPad": the dash says nothing */
        p->begins = search_pattern("", word, "%", a);
        p->ends = *back != '\0' ? search_pattern("", back, "%", a) : NULL;
        p->contains = search_pattern("%", piece, "%", a);
        if (p->begins == NULL || p->contains == NULL)
            return err_set(err, ERROR, "out of memory");
        out->n++;
    }
    out->nothing = any && out->n == 0;
    return OK;
}

/* Those that end with it are not counted: they are hardly ever more. */
static enum outcome measure(struct db *db, struct search *s, struct arena *a, struct err *err)
{
    struct rows r;
    enum outcome o = db_select(db, &ANY_DUE, NULL, 0, a, &r, err);

    s->due = o == OK && r.n > 0;
    for (size_t i = 0; o == OK && i < s->n; i++) {
        const struct val v[] = {val_str(s->piece[i].begins), val_int(SEARCH_MANY - 1)};

        s->piece[i].devices = SEARCH_MANY;
        o = db_select(db, &ARE_MANY, v, 2, a, &r, err);
        if (o == OK && r.n == 0 && (o = db_select(db, &HOW_MANY, v, 1, a, &r, err)) == OK)
            s->piece[i].devices = row_at(&r, 0, 0)->i;
        if (o != OK)
            break;
        if (s->rarest < 0 || s->piece[i].devices < s->piece[s->rarest].devices)
            s->rarest = (int)i;
    }
    return o;
}

enum outcome search_read(struct db *db, const char *text, struct arena *a, struct search *out,
                         struct err *err)
{
    enum outcome o;

    *out = (struct search){.rarest = -1};
    if (text == NULL)
        return OK;
    if (strlen(text) > SEARCH_MAX)
        return err_set(err, INVALID, "at most %d octets can be searched for", SEARCH_MAX);
    o = pieces_read(text, a, out, err);
    return o == OK && out->n > 0 ? measure(db, out, a, err) : o;
}

void search_table(const struct search *s, struct buf *sql, struct val *args, size_t *n)
{
    const struct search_piece *p = &s->piece[s->rarest];

    buf_str(sql, "(SELECT w.device_id AS id FROM device_word w FORCE INDEX (word) WHERE "
                 "w.backward = 0 AND w.word LIKE ? ");
    args[(*n)++] = val_str(p->begins);
    if (p->ends != NULL) {
        buf_str(sql, "UNION SELECT w.device_id FROM device_word w FORCE INDEX (word) WHERE "
                     "w.backward = 1 AND w.word LIKE ? ");
        args[(*n)++] = val_str(p->ends);
    }
    buf_str(sql, "UNION SELECT u.device_id " TOLD_OF("search_due") "WHERE " IS_DUE ")");
    args[(*n)++] = val_str(p->contains);
}

#define COLLECTED "e.id IN (SELECT w.device_id FROM device_word w FORCE INDEX (word) WHERE "

/* Beginnings and ends are two lists: one that has both takes the server half as long again. */
static void say_collected(const struct search *s, const struct search_piece *p, struct buf *sql,
                          struct val *args, size_t *n)
{
    buf_str(sql, "AND (" COLLECTED "w.backward = 0 AND w.word LIKE ?) ");
    args[(*n)++] = val_str(p->begins);
    if (p->ends != NULL) {
        buf_str(sql, "OR " COLLECTED "w.backward = 1 AND w.word LIKE ?) ");
        args[(*n)++] = val_str(p->ends);
    }
    if (s->due) {
        buf_str(sql, "OR e.id IN (SELECT u.device_id " TOLD_OF("search_due") "WHERE " IS_DUE ")");
        args[(*n)++] = val_str(p->contains);
    }
    buf_str(sql, ") ");
}

/* With LIMITs, so that the optimizer does not collect after all. */
static void say_each(const struct search *s, const struct search_piece *p, struct buf *sql,
                     struct val *args, size_t *n)
{
    buf_str(sql, "AND ((SELECT 1 FROM device_word w FORCE INDEX (PRIMARY) WHERE w.device_id = e.id "
                 "AND (w.backward = 0 AND w.word LIKE ?");
    args[(*n)++] = val_str(p->begins);
    if (p->ends != NULL) {
        buf_str(sql, " OR w.backward = 1 AND w.word LIKE ?");
        args[(*n)++] = val_str(p->ends);
    }
    buf_str(sql, ") LIMIT 1) IS NOT NULL ");
    if (s->due) {
        buf_str(sql, "OR (SELECT 1 " TOLD_OF("device") "WHERE u.device_id = e.id AND " IS_DUE
                                                       " LIMIT 1) IS NOT NULL");
        args[(*n)++] = val_str(p->contains);
    }
    buf_str(sql, ") ");
}

void search_conditions(const struct search *s, enum search_way way, bool but_rarest,
                       struct buf *sql, struct val *args, size_t *n)
{
    for (int i = 0; i < (int)s->n; i++) {
        bool collect =
            way == SEARCH_COLLECT || (way == SEARCH_BY_SIZE && s->piece[i].devices < SEARCH_MANY);

        if (!but_rarest || i != s->rarest)
            (collect ? say_collected : say_each)(s, &s->piece[i], sql, args, n);
    }
}

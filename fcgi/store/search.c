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

static const struct sql HOW_MANY = {
    "search_how_many",
    "SELECT COUNT(*) FROM (SELECT 1 FROM device_word FORCE INDEX (word) WHERE backward = 0 AND "
    "word LIKE ? LIMIT ?) AS some",
    0};

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

enum outcome search_read(const char *text, struct arena *a, struct search *out, struct err *err)
{
    const char *piece, *word, *back;
    bool any = false;

    *out = (struct search){0};
    if (text == NULL)
        return OK;
    if (strlen(text) > SEARCH_MAX)
        return err_set(err, INVALID, "at most %d octets can be searched for", SEARCH_MAX);
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

enum outcome search_rarest(struct db *db, const struct search *s, int64_t many, struct arena *a,
                           int *out, struct err *err)
{
    int64_t least = many;
    enum outcome o = OK;

    *out = -1;
    for (size_t i = 0; o == OK && i < s->n && least > 0; i++) {
        struct rows r;

        o = db_select(db, &HOW_MANY, (struct val[]){val_str(s->piece[i].begins), val_int(least)}, 2,
                      a, &r, err);
        if (o == OK && row_at(&r, 0, 0)->i < least) {
            least = row_at(&r, 0, 0)->i;
            *out = (int)i;
        }
    }
    return o;
}

void search_table(const struct search *s, int i, struct buf *sql, struct val *args, size_t *n)
{
    const struct search_piece *p = &s->piece[i];

    buf_str(sql, "(SELECT w.device_id AS id FROM device_word w FORCE INDEX (word) WHERE "
                 "w.backward = 0 AND w.word LIKE ? ");
    args[(*n)++] = val_str(p->begins);
    if (p->ends != NULL) {
        buf_str(sql, "UNION SELECT w.device_id FROM device_word w FORCE INDEX (word) WHERE "
                     "w.backward = 1 AND w.word LIKE ? ");
        args[(*n)++] = val_str(p->ends);
    }
    buf_str(sql,
            "UNION SELECT u.device_id " TOLD_OF("search_due") "WHERE "
                                                              "u.search_due = 1 AND " TOLD ")");
    args[(*n)++] = val_str(p->contains);
}

/* Sub-selects with a LIMIT are asked for the device at hand: the optimizer would rather collect
 * every device that has a common word, once for each page. */
void search_conditions(const struct search *s, int i, struct buf *sql, struct val *args, size_t *n)
{
    for (int k = 0; k < (int)s->n; k++) {
        const struct search_piece *p = &s->piece[k];

        if (k == i)
            continue;
        buf_str(sql, "AND ((SELECT 1 FROM device_word w FORCE INDEX (PRIMARY) WHERE w.device_id = "
                     "e.id AND w.backward = 0 AND w.word LIKE ? LIMIT 1) IS NOT NULL ");
        args[(*n)++] = val_str(p->begins);
        if (p->ends != NULL) {
            buf_str(sql, "OR (SELECT 1 FROM device_word w FORCE INDEX (PRIMARY) WHERE w.device_id "
                         "= e.id AND w.backward = 1 AND w.word LIKE ? LIMIT 1) IS NOT NULL ");
            args[(*n)++] = val_str(p->ends);
        }
        buf_str(sql, "OR (SELECT 1 " TOLD_OF("device") "WHERE u.device_id = e.id "
                                                       "AND u.search_due = 1 AND " TOLD
                                                       " LIMIT 1) IS NOT NULL) ");
        args[(*n)++] = val_str(p->contains);
    }
}

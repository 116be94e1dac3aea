/* identity_follow.c: the words of subjects by which identities are found: see identity.h. A subject
 * never changes, so that what was written stays. */
#include "store/identity.h"

#include "base/limits.h"
#include "store/search_words.h"

#define CHUNK 512
#define ARENA_MAX (16u * LIM_MB)

/* Rows that a message is just writing are left for the next turn. */
static const struct sql DUE = {
    "identity_due",
    "SELECT sha256, subject FROM identity_cert FORCE INDEX (word_due) WHERE word_due = 1 LIMIT ? "
    "FOR UPDATE SKIP LOCKED",
    0};
/* Two words that the collation takes for one are one row. */
static const struct sql ADD = {
    "identity_word_add",
    "INSERT INTO identity_word (word, sha256) VALUES (?,?) ON DUPLICATE KEY UPDATE word = word", 0};
static const struct sql DONE = {
    "identity_word_done",
    "UPDATE identity_cert FORCE INDEX (PRIMARY) SET word_due = 0 WHERE sha256 IN (%IN%)", 1};

struct follow {
    size_t max, n;
    struct arena *a;
};

static enum outcome words_write(struct db *db, const struct rows *r, struct arena *a,
                                struct err *err)
{
    struct search_words *w = arena_array(a, r->n, sizeof *w);
    struct val *args;
    size_t all = 0, k = 0;

    if (w == NULL)
        return err_set(err, ERROR, "out of memory");
    for (size_t i = 0; i < r->n; i++) {
        w[i] = (struct search_words){.a = a};
        search_words_add(&w[i], val_text(row_at(r, i, 1)), false);
        search_words_sort(&w[i]);
        if (w[i].failed)
            return err_set(err, ERROR, "out of memory");
        all += w[i].n;
    }
    args = arena_array(a, 2 * all + 1, sizeof *args);
    if (args == NULL)
        return err_set(err, ERROR, "out of memory");
    for (size_t i = 0; i < r->n; i++)
        for (size_t j = 0; j < w[i].n; j++) {
            args[k++] = val_str(w[i].list[j].word);
            args[k++] = *row_at(r, i, 0);
        }
    return db_exec_many(db, &ADD, args, 2, all, NULL, err);
}

static enum outcome follow_unit(struct db *db, void *arg, struct err *err)
{
    struct follow *f = arg;
    struct val list[CHUNK];
    struct rows r;
    enum outcome o;

    arena_reset(f->a);
    f->n = 0;
    o = db_select(db, &DUE, (struct val[]){val_int((int64_t)(f->max < CHUNK ? f->max : CHUNK))}, 1,
                  f->a, &r, err);
    if (o != OK || r.n == 0)
        return o;
    for (size_t i = 0; i < r.n; i++)
        list[i] = *row_at(&r, i, 0);
    o = words_write(db, &r, f->a, err);
    if (o == OK)
        o = db_exec_in(db, &DONE, NULL, 0, list, r.n, f->a, NULL, err);
    f->n = r.n;
    return o;
}

enum outcome identity_follow(struct db *db, size_t max, size_t *done, struct err *err)
{
    struct follow f = {.max = max, .a = arena_new(ARENA_MAX)};
    enum outcome o =
        f.a != NULL ? db_unit(db, follow_unit, &f, err) : err_set(err, ERROR, "out of memory");

    *done = o == OK ? f.n : 0;
    arena_free(&f.a);
    return o;
}

/* rowlock.c: see rowlock.h. */
#include "store/rowlock.h"

#include <stdlib.h>

#define CHUNK 512

static int by_number(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

/* The ids that the statement found, for a search. */
static int64_t *ids_of(const struct rows *r, struct arena *a)
{
    int64_t *ids = arena_array(a, r->n + 1, sizeof *ids);

    for (size_t i = 0; ids != NULL && i < r->n; i++)
        ids[i] = row_at(r, i, 0)->i;
    return ids;
}

enum outcome rowlock_take(struct db *db, const struct sql *lock, const struct rowlock *rows,
                          size_t n, size_t width, struct arena *a, const char ***idents,
                          size_t *nidents, struct err *err)
{
    struct val *list = arena_array(a, CHUNK * width, sizeof *list);
    enum outcome o = OK;

    *nidents = 0;
    *idents = arena_array(a, n + 1, sizeof **idents);
    if (list == NULL || *idents == NULL)
        return err_set(err, ERROR, "out of memory");
    for (size_t from = 0, k; o == OK && from < n; from += k) {
        struct rows r;
        int64_t *ids;

        k = n - from < CHUNK ? n - from : CHUNK;
        for (size_t i = 0; i < k; i++)
            memcpy(list + i * width, rows[from + i].key, width * sizeof *list);
        o = db_select_in(db, lock, NULL, 0, list, k, NULL, 0, a, &r, err);
        ids = o == OK ? ids_of(&r, a) : NULL;
        if (o == OK && ids == NULL)
            return err_set(err, ERROR, "out of memory");
        for (size_t i = 0; o == OK && i < k; i++)
            if (bsearch(&rows[from + i].key[0].i, ids, r.n, sizeof *ids, by_number))
                (*idents)[(*nidents)++] = rows[from + i].ident;
    }
    return o;
}

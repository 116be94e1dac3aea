/* making.c: see making.h. */
#include "store/making.h"

void making_say_all(struct making *m, const char *sql, struct val v, size_t times)
{
    buf_str(&m->sql, sql);
    for (size_t i = 0; i < times && m->n < MAKING_ARGS; i++)
        m->args[m->n++] = v;
}

void making_say(struct making *m, const char *sql, struct val v)
{
    making_say_all(m, sql, v, 1);
}

void making_bits(struct making *m, const char *column, unsigned bits, int last)
{
    buf_fmt(&m->sql, "%s IN (0", column);
    for (int i = 1; i <= last; i++)
        if (bits >> i & 1)
            buf_fmt(&m->sql, ", %d", i);
    buf_str(&m->sql, ") ");
}

enum outcome making_run(struct db *db, struct making *m, const char *name, struct arena *a,
                        struct rows *out, struct err *err)
{
    struct sql sql = {.name = name, .text = buf_cstr(&m->sql)};
    enum outcome o = buf_failed(&m->sql) ? err_set(err, ERROR, "out of memory")
                                         : db_select(db, &sql, m->args, m->n, a, out, err);

    db_forget(db, &sql);
    buf_free(&m->sql);
    return o;
}

/* making.h: a statement that is made of pieces at run time, with its arguments. */
#ifndef DROVER_STORE_MAKING_H
#define DROVER_STORE_MAKING_H

#include "base/buf.h"
#include "base/limits.h"
#include "store/db.h"

#define MAKING_ARGS 64
#define MAKING_INIT                                                                                \
    {                                                                                              \
        .sql = BUF_INIT(16u * LIM_KB)                                                              \
    }

struct making {
    struct buf sql;
    struct val args[MAKING_ARGS];
    size_t n;
};

/* Adds a piece of fixed text with one placeholder, and what stands for it. */
void making_say(struct making *m, const char *sql, struct val v);
/* The same with a placeholder more than once, for the same value: as many as times. */
void making_say_all(struct making *m, const char *sql, struct val v, size_t times);
/* Says "column IN (...) " for the bits 1 to last of a set; column may begin with AND. */
void making_bits(struct making *m, const char *column, unsigned bits, int last);
/* Runs it once and forgets it; the statement is freed. Outcomes as db_select(). */
enum outcome making_run(struct db *db, struct making *m, const char *name, struct arena *a,
                        struct rows *out, struct err *err) MUST_USE;

#endif

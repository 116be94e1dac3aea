/*
 * owner.h: one database with the real schema, its owner's connection, and words to fill it and to
 * look into it, for tests of the store. For test programs only; one for each.
 */
#ifndef DROVER_TESTS_UNIT_OWNER_H
#define DROVER_TESTS_UNIT_OWNER_H

#include "testdb.h"

#include "base/limits.h"
#include "store/migrate.h"

static struct conf *conf;
static struct arena *arena;
static struct db *db;
static struct err err;

/* database: "drover_" and a word. */
static inline void owner_up(const char *database)
{
    int applied;
    arena = arena_new(64 * LIM_MB);
    conf = testdb_conf(TESTDB_DIR, database);
    assert_ok(db_new(conf, DB_OWNER, &db, &err), err);
    assert_ok(migrate_run(db, "sql/schema", false, &applied, &err), err);
}

static inline void owner_down(void)
{
    db_free(&db);
    arena_free(&arena);
}

/* Runs a statement. */
static inline void sql(const char *text)
{
    assert_ok(db_run(db, "sql", text, &err), err);
}

/* The first column of the first row, a number. */
static inline int64_t number(const char *text)
{
    static struct sql kept[96]; /* a statement is known by its address */
    static size_t used;
    struct rows r;
    assert_true(used < sizeof kept / sizeof *kept);
    struct sql *one = &kept[used++];
    *one = (struct sql){.name = "number", .text = text};
    assert_ok(db_select(db, one, NULL, 0, arena, &r, &err), err);
    return row_at(&r, 0, 0)->i;
}

#endif

/*
 * db.h: one connection to MariaDB: prepared statements, transactions, outcomes. The only users
 * of mysql.h are the db*.c files; SQL text stands in store/ only, one file per noun.
 *
 * A statement is a static `struct sql`; its address is the key under which a connection keeps it
 * prepared. Arguments are `struct val`; results are rows of `struct val` in an arena.
 *
 *     static const struct sql FIND = {.name = "enrollment_find",
 *                                     .text = "SELECT id FROM enrollment WHERE ident=?"};
 *     struct rows r;
 *     enum outcome o = db_select(db, &FIND, (struct val[]){val_str(ident)}, 1, arena, &r, err);
 */
#ifndef DROVER_STORE_DB_H
#define DROVER_STORE_DB_H

#include "base/arena.h"
#include "base/conf.h"
#include "store/rows.h"

struct db;

/* Makes the handle; connects at the first use. conf must outlive it. */
enum outcome db_new(const struct conf *conf, enum db_role role, struct db **out,
                    struct err *err) MUST_USE;
void db_free(struct db **db);
/* Before the first use: the connection is for units alone. It is in a transaction from one COMMIT
 * to the next, so that a unit takes no round trip to begin. A statement outside a unit is an
 * ERROR: nothing would end what it began. */
void db_units_only(struct db *db);
/* Before the first use: the connection waits for a lock that another holds for a second at most,
 * and a unit of work that waited so in vain is not run again; see db_unit_rivalled(). */
void db_impatient(struct db *db);
/* Connects now if not connected. UNAVAILABLE: no host of the list answers. */
enum outcome db_ping(struct db *db, struct err *err) MUST_USE;

/* Outside db_unit() a statement is its own transaction. Each returns:
 * OK; CONFLICT (duplicate key); INVALID (a foreign key or CHECK refuses it, data too long);
 * UNAVAILABLE (connection lost, server away, and, inside a unit, deadlock, lock timeout,
 * certification failure: db_unit() runs the unit again); ERROR. */
enum outcome db_select(struct db *db, const struct sql *sql, const struct val *args, size_t nargs,
                       struct arena *a, struct rows *out, struct err *err) MUST_USE;
/* Lets go of what the connection keeps prepared for a statement that was made at run time; to be
 * called before the struct is gone, as its address is the key. */
void db_forget(struct db *db, const struct sql *sql);
/* sql->text with %IN% widened to n elements (rounded up to a power of two, of tuples to two at
 * least, the last repeated): `before` arguments stand before the list, `list` has n * tuple values
 * (for each %IN% in turn, where there are several), `after` follow. n >= 1. */
enum outcome db_select_in(struct db *db, const struct sql *sql, const struct val *before,
                          size_t nbefore, const struct val *list, size_t n, const struct val *after,
                          size_t nafter, struct arena *a, struct rows *out,
                          struct err *err) MUST_USE;
/* affected may be NULL; counts rows matched and changed as the server does (found rows). */
enum outcome db_exec(struct db *db, const struct sql *sql, const struct val *args, size_t nargs,
                     uint64_t *affected, struct err *err) MUST_USE;
/* An UPDATE, DELETE or INSERT ... SELECT with %IN%, as in db_select_in(): one statement for many
 * rows that get the same values costs a tenth of db_exec_many(). `before` arguments stand before
 * the list. */
enum outcome db_exec_in(struct db *db, const struct sql *sql, const struct val *before,
                        size_t nbefore, const struct val *list, size_t n, struct arena *a,
                        uint64_t *affected, struct err *err) MUST_USE;
/* One INSERT, UPDATE or DELETE for n rows of nargs values, array-bound in one round trip. All
 * rows of a column have the same type, or are NULL. n may be 0 (nothing is sent). */
enum outcome db_exec_many(struct db *db, const struct sql *sql, const struct val *args,
                          size_t nargs, size_t n, uint64_t *affected, struct err *err) MUST_USE;
/* The AUTO_INCREMENT value of the last db_exec. */
int64_t db_insert_id(struct db *db);

/* A unit of work: fn runs inside one transaction (READ COMMITTED), committed when it returns OK,
 * rolled back for any other outcome. Deadlock, lock timeout, Galera certification failure and a
 * lost connection run it again, up to 5 times with growing pauses; so fn has no effect but its
 * writes and what it puts in arg, which it must set afresh at each run. Units do not nest. */
typedef enum outcome db_unit_fn(struct db *db, void *arg, struct err *err);
#define db_unit(db, fn, arg, err) db_unit_at((db), (fn), (arg), (err), __FILE__, __LINE__)
enum outcome db_unit_at(struct db *db, db_unit_fn *fn, void *arg, struct err *err, const char *file,
                        int line) MUST_USE;
/* Was the last unit given up over locks that others hold? The database is there then. */
bool db_unit_rivalled(const struct db *db);

/* fn(arg) is called each time a unit of work has said all and only its COMMIT is left. */
void db_at_commit(struct db *db, void (*fn)(void *arg), void *arg);

/* Runs one statement that is only known as text (a line of a schema file), on the text protocol;
 * rows it gives are thrown away. Never run twice. name: what it is called in messages. Outcomes as
 * db_exec(); besides, CONFLICT when what it makes exists, NOT_FOUND when what it drops or revokes
 * does not. */
enum outcome db_run(struct db *db, const char *name, const char *text, struct err *err) MUST_USE;
/* Takes the server's lock of this name (GET_LOCK; one for each database), waiting up to wait_s
 * seconds. CONFLICT: somebody else holds it. From then on a lost connection, and the lock with it,
 * is not made again: everything is UNAVAILABLE until db_unlock(). */
enum outcome db_lock(struct db *db, const char *name, int64_t wait_s, struct err *err) MUST_USE;
void db_unlock(struct db *db, const char *name);

/* How many round trips this connection has made; tests count with it. */
uint64_t db_round_trips(const struct db *db);

/* Limits what the connection's statements reach from here on to a scope (store/scope.h; 0: all). In
 * the text of a statement "%SCOPE column%" (a device's enrollment.id; "%EACH column%" asks about
 * each one, however few are in the scope), "%GROUP column%" (the id of a group that gives it
 * devices, or that it made) and "%OWN column%" (a number of a scope) become conditions for a scope,
 * and 1 without. */
void db_scope(struct db *db, int64_t scope);
/* The same for every connection that this thread takes from a pool until it is set again. */
void db_scope_thread(int64_t scope);
/* The scope of its statements; 0: all. */
int64_t db_scope_of(const struct db *db);
/* Whether its statements are limited. "%OWN 0%" in a statement is true when they are not. */
bool db_scoped(const struct db *db);
/* Are the devices that its statements reach few, so that a list had better begin at them? A
 * condition for a scope is written so that the optimizer can begin at few; in one of many it looks
 * whether each device is in it. Not limited: false. */
enum outcome db_scope_few(struct db *db, bool *few, struct err *err) MUST_USE;
/* For what concerns devices whatever their groups. DENIED: the connection is limited. */
enum outcome db_whole(const struct db *db, struct err *err) MUST_USE;

/* A pool of at most `max` connections of one role, for the threads of a process. */
struct db_pool;
enum outcome db_pool_new(const struct conf *conf, enum db_role role, size_t max,
                         struct db_pool **out, struct err *err) MUST_USE;
void db_pool_free(struct db_pool **p);
/* Takes a connection, waiting up to the configured time-out. UNAVAILABLE when none came free. */
enum outcome db_pool_take(struct db_pool *p, struct db **out, struct err *err) MUST_USE;
void db_pool_give(struct db_pool *p, struct db **db);

#endif

/*
 * scope.h: accounts and API keys that reach the devices of some groups and nothing else. Who is
 * limited carries a number, the owner of rows of scope_group; 0 is somebody who is not.
 *
 * The gate finds the number (route/gate.h), route_run() sets it for the thread, and each connection
 * that the request takes from the pool has it (store/db.h): statements about devices say
 * "%SCOPE column%", which becomes a condition for whoever is limited, and 1 for all others. What is
 * outside does not exist: it is not found, rather than refused. A row of the route table that does
 * not say REACH_SCOPED is closed to limited callers.
 *
 * Nobody widens the own reach: who is in a group that limits somebody is decided by those who are
 * not limited. Who is limited may make groups (device_group.owner) of devices that are reached,
 * which give no reach to anybody; a device that is not reached any more leaves them in the unit of
 * work that took it away, or when the agent looks next (group_trim()). Tags by which a group that
 * limits somebody finds its devices are closed to who is limited.
 */
#ifndef DROVER_STORE_SCOPE_H
#define DROVER_STORE_SCOPE_H

#include "store/db.h"

#define SCOPE_GROUPS 100u /* of one account or key */

/* The devices (id) that a limited caller reaches, for a statement that begins at them where they
 * are few (db_scope_few()). */
#define SCOPE_DEVICES                                                                              \
    "SELECT DISTINCT scm.device_id AS id FROM scope_group scg JOIN group_member scm ON "           \
    "scm.group_id = scg.group_id WHERE %OWN scg.owner% "

/* How many devices a limited caller reaches, up to max. */
enum outcome scope_measure(struct db *db, struct arena *a, int64_t max, int64_t *n,
                           struct err *err) MUST_USE;
/* The first and the last id of the devices that the caller reaches; not limited: of all. What goes
 * through devices by their ids begins and ends there. */
enum outcome scope_range(struct db *db, struct arena *a, int64_t *first, int64_t *last,
                         struct err *err) MUST_USE;

/* The devices that a limited caller reaches, ascending: to count by where they are many, as asking
 * the database about each of them costs ten times as much. */
struct scope_set {
    int64_t *ids;
    size_t n;
};
enum outcome scope_set_read(struct db *db, struct arena *a, struct scope_set *out,
                            struct err *err) MUST_USE;
/* How many of the devices that a statement tells, their ids ascending, are in it. */
enum outcome scope_set_count(struct db *db, const struct scope_set *s, const struct sql *sql,
                             const struct val *args, size_t nargs, int64_t *n,
                             struct err *err) MUST_USE;

enum scope_kind { SCOPE_ADMIN, SCOPE_KEY };

/* The number of a limited account or key. */
int64_t scope_number(enum scope_kind kind, int64_t id);

struct scope {
    bool limited;
    const int64_t *groups; /* ids; ascending; if not limited, those of the last time it was */
    size_t n;
};
/* What an account or key is limited to. NOT_FOUND: none of that name. */
enum outcome scope_get(struct db *db, enum scope_kind kind, const char *name, struct arena *a,
                       struct scope *out, struct err *err) MUST_USE;
/* Limits it to groups, or (not limited) lets it reach all; audited. NOT_FOUND: no account or key of
 * that name, or no such group, or one that a limited account made. INVALID: more than SCOPE_GROUPS.
 * CONFLICT: the last administrator with a password cannot be limited. */
enum outcome scope_set(struct db *db, enum scope_kind kind, const char *name,
                       const struct scope *scope, const char *by, struct err *err) MUST_USE;
/* The same in the caller's unit of work; what is read is put into a. */
enum outcome scope_put(struct db *db, enum scope_kind kind, const char *name,
                       const struct scope *scope, const char *by, struct arena *a,
                       struct err *err) MUST_USE;

#endif

/* choice.h: how an account of the console wants its pages: saved filters of the list of devices,
 * and what else it chose. */
#ifndef DROVER_STORE_CHOICE_H
#define DROVER_STORE_CHOICE_H

#include "store/db.h"

#define CHOICE_VALUE_MAX 4000 /* characters */
#define FILTER_NAME_MAX 64    /* characters */
#define FILTER_QUERY_MAX 2000 /* characters */
#define FILTERS_MAX 50        /* of one account */

/* What the account chose, in a; "" when it chose nothing. what: "columns". */
enum outcome choice_get(struct db *db, const char *admin, const char *what, struct arena *a,
                        const char **value, struct err *err) MUST_USE;
/* INVALID: longer than CHOICE_VALUE_MAX. */
enum outcome choice_set(struct db *db, const char *admin, const char *what, const char *value,
                        struct err *err) MUST_USE;

struct saved_filter {
    int64_t id;
    const char *owner, *name, *query;
    bool shared;
};
/* The account's own and those that others share, by name, at most LIM_PAGE; in a. */
enum outcome saved_filter_list(struct db *db, const char *admin, struct arena *a,
                               struct saved_filter **out, size_t *n, struct err *err) MUST_USE;
/* Saves one; of the same owner and name it replaces the one before. INVALID: no name, too long, or
 * the account has FILTERS_MAX of them. */
enum outcome saved_filter_put(struct db *db, const struct saved_filter *f, int64_t now,
                              struct err *err) MUST_USE;
/* Deletes one of the account's own. NOT_FOUND: it has none of that id. */
enum outcome saved_filter_drop(struct db *db, const char *admin, int64_t id,
                               struct err *err) MUST_USE;

#endif

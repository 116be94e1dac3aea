/* audit.h: who did what. Entries are only added. */
#ifndef DROVER_STORE_AUDIT_H
#define DROVER_STORE_AUDIT_H

#include "store/db.h"

/* Adds an entry; inside a unit of work it is part of it. actor: a person, API key, rule or device
 * (at most 128 characters). action: "area.verb". subject: to what (at most 255 characters).
 * detail: the rest as key=value, or NULL; never a secret. Longer actor and subject are cut. */
enum outcome audit_add(struct db *db, const char *actor, const char *action, const char *subject,
                       const char *detail, struct err *err) MUST_USE;

/* The same, unless an entry of this action and subject was added within `every` microseconds: for
 * what a device or an attacker can repeat at will. A unit of its own. */
enum outcome audit_add_rarely(struct db *db, int64_t every, const char *actor, const char *action,
                              const char *subject, const char *detail, struct err *err) MUST_USE;

struct audit_entry {
    int64_t id, at;
    const char *actor, *action, *subject;
    const char *detail; /* "" when there is none */
};
struct audit_filter {
    const char *actor, *subject; /* exactly; NULL: any */
    const char *action;          /* its beginning; NULL: any */
    int64_t since, until;        /* from the one to before the other; 0: any */
    const char *own;             /* who asks, as an actor: who is limited to groups (store/scope.h)
                                  * sees the own acts, and what is about the own devices */
};
/* At most max (LIM_PAGE) entries, the latest first, of those with an id less than before (0: from
 * the start); in a. */
enum outcome audit_list(struct db *db, const struct audit_filter *f, int64_t before, size_t max,
                        struct arena *a, struct audit_entry **out, size_t *n,
                        struct err *err) MUST_USE;

/* The same for a channel, with what was done to the commands it was sent. */
enum outcome audit_of_device(struct db *db, const char *ident, int64_t enrollment_id,
                             int64_t before, size_t max, struct arena *a, struct audit_entry **out,
                             size_t *n, struct err *err) MUST_USE;

#endif

/* approval.h: sensitive commands that wait for a second person. */
#ifndef DROVER_STORE_APPROVAL_H
#define DROVER_STORE_APPROVAL_H

#include "store/db.h"

enum approval_state { APPROVAL_WAITS = 1, APPROVAL_APPROVED, APPROVAL_REFUSED, APPROVAL_EXPIRED };
/* "waiting", "approved", "refused", "expired"; "?" for anything else. */
const char *approval_state_name(int state);

struct approval {
    int64_t id;
    int state; /* one that waits past its time tells as expired */
    const char *request_type, *first_target, *reason, *asked_by;
    int64_t targets, asked_at, expires_at, decided_at; /* decided_at: 0: not yet */
    const char *decided_by, *decided_why;              /* "" when absent */
    struct bytes request; /* sealed with the label "Order" and the id; empty in a list */
    /* what it is about, when it is stored: */
    int64_t group_id;          /* a group; 0: enrollments */
    const char *const *idents; /* of these */
    size_t nidents;
};

/* Stores one that waits, with an entry in the audit log; x->id must be set (store/id.h). Of the
 * enrollments, those are kept that are there and that who asks reaches (store/scope.h); the rest is
 * not asked about. INVALID: that leaves none. */
enum outcome approval_ask(struct db *db, const struct approval *x, struct err *err) MUST_USE;
/* The same in the caller's unit of work. */
enum outcome approval_ask_within(struct db *db, const struct approval *x, struct err *err) MUST_USE;
/* NOT_FOUND: there is none of that id. */
enum outcome approval_get(struct db *db, int64_t id, struct arena *a, struct approval *out,
                          struct err *err) MUST_USE;
/* The latest first, of those with an id below before (0: from the start), at most max. */
enum outcome approval_list(struct db *db, bool waiting, int64_t before, size_t max, struct arena *a,
                           struct approval **out, size_t *n, struct err *err) MUST_USE;
/* The enrollments that one is about; none: it is about a group. */
enum outcome approval_idents(struct db *db, int64_t id, struct arena *a, const char *const **out,
                             size_t *n, struct err *err) MUST_USE;
/* Decides, once, with an entry in the audit log. DENIED: by whom it was asked for, or by somebody
 * of the same name in another way in (console, API key, shell), or by an API key that this person
 * made; CONFLICT: it is decided or expired, or was asked for before its
 * enrollments were kept; NOT_FOUND: there is none, or it is about devices that who decides does not
 * reach, all of them or some. */
enum outcome approval_decide(struct db *db, int64_t id, bool approve, const char *by,
                             const char *why, int64_t now, struct err *err) MUST_USE;

#endif

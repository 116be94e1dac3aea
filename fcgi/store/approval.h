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
    /* what it is about: */
    int64_t group_id, order_id; /* a group and its command (store/standing.h); 0: enrollments */
    const char *placed_by;      /* those of its devices that this actor brought in; NULL: all, or
                                 * those of whom it is not known */
    /* when it is stored: */
    const char *const *idents; /* of these */
    size_t nidents;
    int64_t retry_of;     /* command.id of the one in whose place it would be sent; 0: none */
    const char *filed_by; /* for the audit log, where it is not who asked; NULL: it is */
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
/* The enrollments that one is about, without those that enrolled anew since it was asked for: who
 * has them now is not whom it was about. None: it is about a group, and not approved. */
enum outcome approval_idents(struct db *db, int64_t id, struct arena *a, const char *const **out,
                             size_t *n, struct err *err) MUST_USE;
/* All of them, page by page: at most max (LIM_PAGE) with ids above after. */
struct approval_target {
    int64_t enrollment_id;
    const char *ident, *name; /* name: what lists call it */
};
enum outcome approval_targets(struct db *db, int64_t id, int64_t after, size_t max, struct arena *a,
                              struct approval_target **out, size_t *n, struct err *err) MUST_USE;
/* Rows of enrollment.id, ident and name, as the outcome of the statement was. */
enum outcome approval_targets_read(const struct rows *r, enum outcome o, struct arena *a,
                                   struct approval_target **out, size_t *n,
                                   struct err *err) MUST_USE;

/* What `actor` asked for, of that name, about one enrollment: one that is approved and not void
 * yet, else one that waits. NOT_FOUND: neither; what was asked for before the device enrolled anew
 * does not count. */
enum outcome approval_of(struct db *db, const char *actor, const char *request_type,
                         const char *ident, int64_t now, struct arena *a, struct approval *out,
                         struct err *err) MUST_USE;

struct approval_decision {
    int64_t id;
    bool approve;
    const char *by, *why;
    int64_t now;
    int64_t seen_at; /* of a group: when who decides looked at its devices; 0: it is not told */
};
/* Decides, once, with an entry in the audit log, one that is about enrollments; of a group:
 * standing_decide(). DENIED: by whom it was asked for, or by somebody of the same name in another
 * way in (console, API key, shell), or by an API key that this person made, or that root made,
 * which may be anybody, or with an account that this person made or reset within a day, or
 * by a key of an account that is disabled; CONFLICT: it is decided, the message says by whom and
 * when, or expired, or was asked for before its enrollments were kept; NOT_FOUND: there is none, or
 * it is about devices that who decides does not reach, all of them or some. */
enum outcome approval_decide(struct db *db, const struct approval_decision *d,
                             struct err *err) MUST_USE;
/* The same in the caller's unit of work; a: scratch memory. */
enum outcome approval_decide_within(struct db *db, const struct approval_decision *d,
                                    struct arena *a, struct err *err) MUST_USE;
/* Whether two actors are one person, as approval_decide() sees it. */
enum outcome approval_same_person(struct db *db, const char *one, const char *other,
                                  struct arena *a, bool *same, struct err *err) MUST_USE;

#endif

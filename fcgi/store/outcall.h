/*
 * outcall.h: calls of other services whose answer somebody waits for. Only the agent opens outgoing
 * connections: who wants a call leaves it here, and the answer is put beside it.
 */
#ifndef DROVER_STORE_OUTCALL_H
#define DROVER_STORE_OUTCALL_H

#include "store/db.h"

struct outcall {
    int64_t id;
    const char *service, *topic;
    struct bytes request; /* sealed; the label ends in the id */
};
struct outcall_answer {
    int status;               /* HTTP status; 0: none came, and error says why */
    const char *content_type; /* "" when none was told */
    struct bytes body;
    const char *error;
};

/* Asks for a call; c->id is id_new(). */
enum outcome outcall_add(struct db *db, const struct outcall *c, int64_t now,
                         struct err *err) MUST_USE;
/* Waits for the answer and removes the call. In a. UNAVAILABLE: none came in timeout_ms; err says
 * whether the agent had begun. */
enum outcome outcall_wait(struct db *db, int64_t id, int timeout_ms, struct arena *a,
                          struct outcall_answer *out, struct err *err) MUST_USE;

/* --- for the agent --- */

/* Takes at most max calls that nobody has begun. In a. */
enum outcome outcall_claim(struct db *db, size_t max, struct arena *a, struct outcall **out,
                           size_t *n, struct err *err) MUST_USE;
/* NOT_FOUND: nobody waits for it any more. */
enum outcome outcall_answered(struct db *db, int64_t id, const struct outcall_answer *answer,
                              struct err *err) MUST_USE;

#endif

/*
 * queue.h: commands: queued for enrollments, listed, cancelled, expired. Delivery and results are
 * in exchange.h.
 */
#ifndef DROVER_STORE_QUEUE_H
#define DROVER_STORE_QUEUE_H

#include "store/db.h"
#include "store/queue_state.h"

enum dedupe {
    DEDUPE_SKIP,     /* an open command with the same key stays, the new one is not queued */
    DEDUPE_SUPERSEDE /* open ones that were never sent are cancelled, the new one is queued */
};

/* What is to stand in the audit log too when the command is queued, in the same unit of work. */
struct enqueue_note {
    const char *action, *subject, *detail;
};

struct enqueue {
    /* in */
    const char *uuid; /* CommandUUID */
    const char *request_type;
    struct bytes body;   /* the property list */
    struct bytes sealed; /* the same with its secrets, sealed; empty: body holds none */
    const char *dropped; /* JSON array of queries that were left out; NULL: none */
    const char *reason;  /* why it is sent; NULL: none was asked for */
    int64_t retry_of;    /* command.id of the one in whose place it is sent; 0: none */
    int fill;            /* COMMAND_FILL_* */
    int64_t fill_from;   /* library_version.id with COMMAND_FILL_FILE, redemption_code.id with
                          * COMMAND_FILL_CODE; 0: none */
    const char *const *idents;
    size_t n;               /* at most LIM_IDS */
    int priority;           /* -100 to 100; higher goes first; 0 is the custom */
    int64_t not_before;     /* 0: at once */
    int64_t expires_at;     /* 0: never */
    const char *dedupe_key; /* NULL: none */
    enum dedupe dedupe;
    const char *actor; /* for the audit log */
    const struct enqueue_note *notes;
    size_t nnotes;
    bool push; /* want a push for each, when not_before has come */
    int64_t push_keep_s;
    const char *const *apns_ids; /* one for each ident, or NULL */
    const struct bytes *tickets; /* one for each ident, or NULL */
    int64_t now;
    /* out */
    enum enqueue_outcome {
        ENQUEUE_OK,
        ENQUEUE_UNKNOWN,  /* no such enrollment */
        ENQUEUE_ENDED,    /* it left, was ended, or never finished enrolling */
        ENQUEUE_DUPLICATE /* an open command with that dedupe key stays */
    } *
        outcomes;            /* room for n, the caller's */
    int64_t *enrollment_ids; /* room for n; 0 where unknown */
    int64_t command_id;      /* the command's own */
};

/* Queues one command for n enrollments in one unit of work; a bad one does not keep the others
 * from it. CONFLICT: the CommandUUID was used before (nothing is queued). NOT_FOUND: no enrollment
 * took it (nothing is stored). */
enum outcome queue_add(struct db *db, struct enqueue *e, struct err *err) MUST_USE;

/* The same inside the caller's unit of work; what it allocates is in a. */
enum outcome queue_add_within(struct db *db, struct enqueue *e, struct arena *a,
                              struct err *err) MUST_USE;

/* An open or closed command of an enrollment. */
struct queue_item {
    int64_t command_id;
    const char *uuid, *request_type;
    int state; /* enum queue_state */
    int priority;
    int64_t queued_at, not_before, expires_at, sent_at, notnow_at, closed_at,
        reported_at; /* 0: none */
    int sent_count, notnow_count;
    const char *closed_why; /* "" when absent */
    const char *dropped;    /* JSON array; "" when absent */
    const char *reason;     /* "" when absent */
    const char *retry_of;   /* CommandUUID of the one in whose place it was sent; "" when absent */
    const char *created_by;
    const char
        *aside; /* why its report was set aside (store/digest.h); "" unless from queue_get() */
    const char *withheld;      /* why its report is not told to who asks; NULL */
    struct bytes body, report; /* empty unless asked for */
};

/* The open commands in the order in which they would be offered, at most max (LIM_PAGE) of them.
 * after: the last item of the page before (its command_id, priority and queued_at count), or NULL:
 * a command that is queued or closed meanwhile neither hides another nor shows it twice. Bodies of
 * at most body_max octets come along (0: none).
 * NOT_FOUND: no such enrollment. */
enum outcome queue_list(struct db *db, const char *ident, const struct queue_item *after,
                        size_t max, size_t body_max, struct arena *a, struct queue_item **out,
                        size_t *n, struct err *err) MUST_USE;
/* Closed commands, the command that was made last first; at most max (LIM_PAGE) of those whose
 * command_id is less than before (0: from the start), with reports of at most report_max octets
 * (0: none). NOT_FOUND: no such enrollment. */
enum outcome queue_results(struct db *db, const char *ident, int64_t before, size_t max,
                           size_t report_max, struct arena *a, struct queue_item **out, size_t *n,
                           struct err *err) MUST_USE;
/* One command of one enrollment, open or closed, with body and report. NOT_FOUND: neither. */
enum outcome queue_get(struct db *db, const char *ident, const char *uuid, struct arena *a,
                       struct queue_item *out, struct err *err) MUST_USE;
#define QUEUE_WHY_MAX 255 /* characters of a reason that are kept */
/* Cancels open commands of an enrollment: the one of that UUID, or all (uuid NULL). A command that
 * was sent is cancelled too: it is not offered again, but the device may have done it; *sent counts
 * those. NOT_FOUND: no such enrollment, or no open command of that UUID. */
enum outcome queue_cancel(struct db *db, const char *ident, const char *uuid, const char *actor,
                          const char *why, int64_t now, size_t *cancelled, size_t *sent,
                          struct err *err) MUST_USE;
/* Closes open commands past their expiry, at most max at a time. */
enum outcome queue_expire(struct db *db, int64_t now, size_t max, size_t *expired,
                          struct err *err) MUST_USE;

#endif

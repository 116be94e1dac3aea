/* bulk.h: what is done for many devices: jobs that the agent works off in slices (command/bulk.h).
 */
#ifndef DROVER_STORE_BULK_H
#define DROVER_STORE_BULK_H

#include "store/device.h"

enum bulk_state { BULK_OPEN = 1, BULK_DONE, BULK_STOPPED, BULK_FAILED };
/* "open", "done", "stopped", "failed"; "?" for anything else. */
const char *bulk_state_name(int state);

enum bulk_task {
    BULK_COMMAND = 1,  /* a command for devices */
    BULK_FAILED_AGAIN, /* commands that failed are sent again (command/retry.h) */
    BULK_ITEM          /* an item is tried again on the devices where it failed */
};
/* "command", "failed", "item"; "?" for anything else. */
const char *bulk_task_name(int task);

/* Strings are "" and times 0 when absent. */
struct bulk_job {
    int64_t id;
    int task;                 /* enum bulk_task; 0: a command */
    const char *request_type; /* of BULK_FAILED_AGAIN only those, "": all */
    int64_t failed_since, failed_before;
    int64_t item_id;
    const char *item;   /* its name */
    const char *reason; /* of BULK_FAILED_AGAIN, in place of that of the first sending; NULL */
    bool no_push;
    int state;
    bool picked;                 /* the targets count, not the filter */
    struct device_filter filter; /* strings in the arena */
    int64_t total;               /* -1: not counted yet */
    int64_t queued, refused, last_id;
    int64_t created_at, ended_at;
    const char *created_by, *ended_why;
    int64_t scope; /* of who made it, store/scope.h; 0: all */
};

/* Adds a job and sets its total, and its id unless it has one (of id_new()); audited. Of a command,
 * picked: at most LIM_PAGE enrollment ids (idents), NULL: those of the filter. NOT_FOUND: that is
 * no device, or there is no such item. CONFLICT: there is a job of that id. */
enum outcome bulk_add(struct db *db, struct bulk_job *job, const char *const *picked, size_t n,
                      int64_t now, struct err *err) MUST_USE;
enum outcome bulk_get(struct db *db, int64_t id, struct arena *a, struct bulk_job *out,
                      struct err *err) MUST_USE;
/* The latest first, at most LIM_PAGE, of those with an id below before (0: all). */
enum outcome bulk_list(struct db *db, int64_t before, size_t max, struct arena *a,
                       struct bulk_job **out, size_t *n, struct err *err) MUST_USE;
/* Nothing more is queued; what is stays. CONFLICT: it is over; audited. */
enum outcome bulk_stop(struct db *db, int64_t id, const char *by, int64_t now,
                       struct err *err) MUST_USE;

/* --- for the agent --- */

/* The oldest open job. NOT_FOUND: there is none. */
enum outcome bulk_next(struct db *db, struct arena *a, struct bulk_job *out,
                       struct err *err) MUST_USE;
/* Holds it until the unit of work ends. NOT_FOUND: it is over. */
enum outcome bulk_lock(struct db *db, int64_t id, struct arena *a, struct err *err) MUST_USE;
/* The next devices of a command, by id. */
struct bulk_device {
    int64_t id;
    const char *ident;
};
enum outcome bulk_slice(struct db *db, const struct bulk_job *job, size_t max, struct arena *a,
                        struct bulk_device **out, size_t *n, struct err *err) MUST_USE;
/* Stores total, queued, refused, last_id and, unless somebody stopped it, state of the job; why: of
 * a failure. */
enum outcome bulk_progress(struct db *db, const struct bulk_job *job, const char *why, int64_t now,
                           struct err *err) MUST_USE;

#endif

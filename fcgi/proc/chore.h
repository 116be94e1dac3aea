/*
 * chore.h: work of the agent's that has a thread and a database connection of its own, so that
 * pushes do not wait for it. It goes on while the agent has the lease.
 */
#ifndef DROVER_PROC_CHORE_H
#define DROVER_PROC_CHORE_H

#include "store/db.h"

struct chore_kind {
    const char *name; /* in the log, when it fails: "agent.NAME" */
    /* Makes what the thread keeps; NULL with err set when it cannot. */
    void *(*open)(const struct conf *conf, struct db *db, struct err *err);
    /* Does some of it; nothing may begin at until (clock_mono()) or later. *rest_ms: how long to
     * rest before the next turn. A failure is logged once, and tried again, with growing pauses. */
    enum outcome (*turn)(void *work, int64_t until, int *rest_ms, struct err *err);
    void (*idle)(void *work);  /* another agent may work meanwhile */
    void (*close)(void *work); /* the agent ends */
};

struct chore;

/* Starts the thread, which waits for chore_work_until(). */
enum outcome chore_start(const struct conf *conf, const struct chore_kind *kind, struct chore **out,
                         struct err *err) MUST_USE;
/* It may work until that moment of clock_mono(); 0: not now. */
void chore_work_until(struct chore *c, int64_t mono);
/* Ends the thread after its present turn; NULL is accepted. */
void chore_stop(struct chore **c);

#endif

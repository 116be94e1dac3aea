/*
 * bodies.h: commands as they are delivered, kept by the process. A command's row never changes and
 * its id is never used again, and one command is often sent to a whole fleet at once: its body is
 * read once and not with every delivery.
 */
#ifndef DROVER_STORE_BODIES_H
#define DROVER_STORE_BODIES_H

#include "store/db.h"

struct body {
    int64_t command_id;
    const char *uuid, *request_type;
    struct bytes body, sealed; /* sealed: the command with its secrets; empty: it has none */
    int64_t fill, fill_from;   /* COMMAND_FILL_*; as of the command (store/queue.h), 0: none */
};

/* The commands of ids[n], no id twice, in their order, all memory in `a`. At most one round trip,
 * none when the process has them all. ERROR: a command has no row. Callable from any thread. */
enum outcome bodies_get(struct db *db, const int64_t *ids, size_t n, struct arena *a,
                        struct body *out, struct err *err) MUST_USE;

#endif

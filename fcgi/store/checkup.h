/* checkup.h: what the operator's check-up and status ask the database. */
#ifndef DROVER_STORE_CHECKUP_H
#define DROVER_STORE_CHECKUP_H

#include "base/buf.h"
#include "store/db.h"

/* The database's clock, microseconds since 1970. */
enum outcome checkup_clock(struct db *db, struct arena *a, int64_t *now, struct err *err) MUST_USE;

/* The longest packet that the server takes and gives, in octets: its max_allowed_packet. */
enum outcome checkup_packet(struct db *db, struct arena *a, int64_t *octets,
                            struct err *err) MUST_USE;

/* Compares the rights of db's account with those that the grants file (sql/grants.sql) gives mark
 * ("@mdm@"): adds "INSERT on queue, ..." to missing, and to excess what is beyond them. */
enum outcome checkup_rights(struct db *db, const char *grants, const char *mark, struct arena *a,
                            struct buf *missing, struct buf *excess, struct err *err) MUST_USE;

/* Which agent works: its holder, in a, and how long its lease still lasts (microseconds; negative:
 * it is over). NOT_FOUND: none ever did. */
enum outcome checkup_agent(struct db *db, struct arena *a, const char **holder, int64_t *left,
                           struct err *err) MUST_USE;

struct checkup_numbers {
    int64_t open_commands, sent_commands; /* of these, delivered and not answered */
    int64_t oldest_open_at;               /* 0: there is none */
    int64_t pushes_waiting, pushes_late;  /* late: due for more than a minute */
    int64_t pushes_failed, pushes_dead;
    int64_t unknown_open;
};
/* Who is limited (store/scope.h) counts the own devices; unknown ones are nobody's. */
enum outcome checkup_numbers(struct db *db, struct arena *a, struct checkup_numbers *out,
                             struct err *err) MUST_USE;

/* What waits for a person: sensitive commands to approve, certificate requests to decide, roll-outs
 * that were halted. */
struct checkup_waiting {
    int64_t approvals, requests, halted;
};
enum outcome checkup_waiting(struct db *db, struct arena *a, struct checkup_waiting *out,
                             struct err *err) MUST_USE;

#endif

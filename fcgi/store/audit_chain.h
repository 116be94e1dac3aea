/*
 * audit_chain.h: the audit log as a chain of digests. Entries come from many programs at once, so
 * the agent links them afterwards, in the order in which it sees them. Whoever can write to the
 * database could make a whole new chain: the newest link's digest therefore also stands in the
 * agent's log, and can be noted elsewhere and given to audit_chain_verify().
 */
#ifndef DROVER_STORE_AUDIT_CHAIN_H
#define DROVER_STORE_AUDIT_CHAIN_H

#include "store/db.h"
#include "wire/encode.h"

#define AUDIT_CHAIN_STEP 500 /* entries in one transaction */

struct audit_head {
    int64_t seq; /* 0: there is no link yet */
    uint8_t digest[SHA256_LEN];
};

/* Links entries that have no link, at most AUDIT_CHAIN_STEP: *n of them. Entries that come to light
 * late (their transaction was a long one) are linked too, as long as fewer than ten thousand were
 * added after them. */
enum outcome audit_chain_extend(struct db *db, struct audit_head *head, size_t *n,
                                struct err *err) MUST_USE;

/* What is wrong with the chain. */
struct audit_check {
    struct audit_head head;
    int64_t links, unlinked; /* unlinked: entries without a link, among them the newest */
    int64_t bad_seq;         /* the first link that is wrong; 0: none is */
    const char *bad;         /* what is wrong with it, in words */
    bool known_found;        /* the link that was asked for has the digest that was asked for */
};
/* Goes through it for about so long, from *c on; begin with an empty one. *done: to its end.
 * known: a link that was noted earlier, or NULL. */
enum outcome audit_chain_verify_some(struct db *db, const struct audit_head *known,
                                     int64_t budget_us, struct audit_check *c, bool *done,
                                     struct err *err) MUST_USE;
/* Goes through all of it. */
enum outcome audit_chain_verify(struct db *db, const struct audit_head *known,
                                struct audit_check *out, struct err *err) MUST_USE;

/* What was found, as kept in the table checkup (store/checkrun.h, CHECKRUN_AUDIT): written by the
 * agent, read by the console. INVALID: it is none. */
enum outcome audit_check_write(const struct audit_check *c, struct buf *out,
                               struct err *err) MUST_USE;
enum outcome audit_check_read(struct bytes json, struct arena *a, struct audit_check *out,
                              struct err *err) MUST_USE;

#endif

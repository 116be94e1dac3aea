/* auditor.h: the agent goes through the chain of the audit log, a little at each turn: once a day,
 * and when somebody asks for it (store/checkrun.h). */
#ifndef DROVER_PROC_AUDITOR_H
#define DROVER_PROC_AUDITOR_H

#include "store/audit_chain.h"

struct auditor {
    struct audit_check check;
    struct audit_head before; /* where the last check ended: that link must be there still */
    bool runs;
};
/* A tenth of a second of it; what is found when it is through is kept. A link that is wrong, or a
 * chain that was cut off or made anew since the last time, is an alarm, with an audit entry. */
enum outcome auditor_turn(struct auditor *r, struct db *db, struct err *err) MUST_USE;

#endif

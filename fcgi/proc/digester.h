/* digester.h: the agent's thread that makes inventory of reports (command/digest.h). It has a
 * connection of its own, so that a list of ten thousand apps keeps no push waiting. */
#ifndef DROVER_PROC_DIGESTER_H
#define DROVER_PROC_DIGESTER_H

#include "base/conf.h"
#include "base/err.h"

struct digester;

/* Starts the thread, which waits for leave to work. ERROR: it cannot be made. */
enum outcome digester_start(const struct conf *conf, struct digester **out,
                            struct err *err) MUST_USE;
/* It may begin turns until this moment of clock_mono(); 0: none any more. */
void digester_work_until(struct digester *d, int64_t mono);
/* Ends the thread after the turn it is at, and frees. */
void digester_stop(struct digester **d);

#endif

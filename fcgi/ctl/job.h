/* job.h: verbs whose work takes long leave it to the agent (store/bulk.h). */
#ifndef DROVER_CTL_JOB_H
#define DROVER_CTL_JOB_H

#include "ctl/ctl.h"
#include "store/bulk.h"

/* Adds the job and shows it; with wait once it is over, telling on standard error how far it is.
 * The status of the verb. */
int ctl_job_begin(struct ctl *c, struct db *db, struct bulk_job *job, bool wait, bool json);

#endif

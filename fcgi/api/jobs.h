/* jobs.h: requests that take long become jobs that the agent does (store/bulk.h). */
#ifndef DROVER_API_JOBS_H
#define DROVER_API_JOBS_H

#include "api/api.h"
#include "store/bulk.h"

/* Adds it in the name and reach of the key, and answers with it: 202. */
void api_job_begin(struct req *req, const struct caller *caller, struct resp *resp, struct db *db,
                   struct bulk_job *job);

#endif

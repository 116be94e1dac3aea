/* access.h: the access log. */
#ifndef DROVER_PROC_ACCESS_H
#define DROVER_PROC_ACCESS_H

#include "http/resp.h"

/* One line for an answered request: at info, at warning for 5xx. Tokens in paths are masked;
 * queries are not shown. */
void access_log(const struct req *req, const struct resp *resp, size_t bytes);

#endif

/* version.c: GET /version, for anybody, as NanoMDM answers it: compact and without a newline. */
#include "api/api.h"

void api_version(struct app *app, struct req *req, const struct caller *caller, struct resp *resp)
{
    (void)app, (void)req, (void)caller;
    resp->content_type = "application/json";
    buf_str(&resp->body, "{\"version\":\"" DROVER_VERSION "\"}");
}

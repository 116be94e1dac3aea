/* push.c: /v1/push/{ids}, any method, and POST /v1/push for a list: wakes enrollments. */
#include "api/result.h"

#include "base/limits.h"

void api_push(struct app *app, struct req *req, const struct caller *caller, struct resp *resp)
{
    struct sending s = {.push = true};

    if (!result_targets_path(req, resp, "/v1/push/", &s))
        return;
    s.command_error = NULL; /* there is no command */
    if (s.push_error != NULL)
        result_answer(resp, &s);
    else
        result_run(app, req, caller, resp, &s, false);
}

void api_push_bulk(struct app *app, struct req *req, const struct caller *caller, struct resp *resp)
{
    static const char *const known[] = {"ids"};
    struct sending s = {.push = true};
    js body = api_body(req, resp, known, 1);

    if (body != NULL && result_targets_list(req, resp, body, &s))
        result_run(app, req, caller, resp, &s, false);
    js_free(&body);
}

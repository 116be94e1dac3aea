/* push.c: /v1/push/{ids}, any method, and POST /v1/push for a list: wakes enrollments. */
#include "api/send.h"

#include "base/limits.h"

void api_push(struct app *app, struct req *req, const struct caller *caller, struct resp *resp)
{
    struct send s = {.push = true};

    if (!send_targets_path(req, resp, "/v1/push/", &s))
        return;
    s.command_error = NULL; /* there is no command */
    if (s.push_error != NULL)
        send_answer(resp, &s);
    else
        send_run(app, req, caller, resp, &s);
}

void api_push_bulk(struct app *app, struct req *req, const struct caller *caller, struct resp *resp)
{
    static const char *const known[] = {"ids"};
    struct send s = {.push = true};
    const char *const *ids;
    size_t n;
    js body = api_body(req, resp, known, 1);

    if (body == NULL)
        return;
    if (api_strings(req, resp, body, "ids", LIM_IDS, &ids, &n)) {
        if (n == 0)
            resp_json_error(resp, 400, "\"ids\" must name at least one enrollment");
        else if (send_targets_list(req, resp, ids, n, &s))
            send_run(app, req, caller, resp, &s);
    }
    js_free(&body);
}

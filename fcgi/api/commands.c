/* commands.c: GET /api/v1/commands, the command catalogue, and /api/v1/commands/{name}, a row. */
#include "api/api.h"

#include "command/catalogue.h"

void api_commands(struct app *app, struct req *req, const struct caller *caller, struct resp *resp)
{
    js root = js_object();

    (void)app, (void)req, (void)caller;
    js_set(root, "commands", catalogue_json_all());
    api_json(resp, 200, &root);
}

void api_command(struct app *app, struct req *req, const struct caller *caller, struct resp *resp)
{
    const char *name;
    size_t n;
    cat row;
    js root;

    (void)app, (void)caller;
    if (!api_segments(req, resp, "/api/v1/commands/", &name, 1, &n))
        return;
    row = catalogue_find(name);
    if (row == NULL) {
        resp_json_error(resp, 404, "there is no request type \"%.64s\"", name);
        return;
    }
    root = catalogue_json(row);
    api_json(resp, 200, &root);
}

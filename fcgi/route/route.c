/* route.c: finds the row of a request and enforces it, in this order: path, method, length, type,
 * what the gate can see, query, body, the rest of the gate, handler. */
#include "route/route.h"

#include <stdarg.h>
#include <stdio.h>

#include "console/console.h"
#include "route/gate.h"
#include "store/db.h"
#include "store/setting.h"

static const struct {
    enum method method;
    const char *name;
} NAMES[] = {{METHOD_GET, "GET"}, {METHOD_HEAD, "HEAD"},     {METHOD_POST, "POST"},
             {METHOD_PUT, "PUT"}, {METHOD_DELETE, "DELETE"}, {METHOD_PATCH, "PATCH"}};

/* A row that allows GET answers HEAD: http/resp.c leaves the body out. */
static int row_methods(const struct route *row)
{
    return row->methods & METHOD_GET ? row->methods | METHOD_HEAD : row->methods;
}

static bool path_matches(const char *pattern, const char *path)
{
    size_t n = strlen(pattern);
    if (n && pattern[n - 1] == '*')
        return strncmp(pattern, path, n - 1) == 0;
    return strcmp(pattern, path) == 0;
}

/* The first row of path and method. NULL: none; *allowed then has the methods of that path, and
 * *gate who asks there. */
static const struct route *find_row(enum program program, const struct req *req, int *allowed,
                                    enum gate *gate)
{
    *allowed = 0;
    *gate = GATE_OPEN;
    for (size_t i = 0; i < routes_n; i++) {
        const struct route *row = &routes[i];
        if (!(row->programs & (int)program) || !path_matches(row->path, req->path))
            continue;
        if (row_methods(row) & (int)req->method)
            return row;
        *allowed |= row_methods(row);
        *gate = row->gate;
    }
    return NULL;
}

/* Programs that speak JSON are refused in JSON. */
PRINTF_LIKE(4, 5)
static void refuse(enum gate gate, struct resp *resp, int status, const char *fmt, ...)
{
    char why[256];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(why, sizeof why, fmt, ap);
    va_end(ap);
    if (gate == GATE_API)
        resp_json_error(resp, status, "%s", why);
    else
        resp_text(resp, status, "%s", why);
}

static void answer_405(enum gate gate, struct resp *resp, int allowed)
{
    char list[64];
    size_t n = 0;
    list[0] = '\0';
    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++)
        if (allowed & (int)NAMES[i].method)
            n += (size_t)snprintf(list + n, sizeof list - n, "%s%s", n ? ", " : "", NAMES[i].name);
    refuse(gate, resp, 405, "Method not allowed; allowed: %s", list);
    resp_header(resp, "Allow", list);
}

/* Is it one of the words, which spaces separate? */
static bool among(const char *words, const char *s)
{
    size_t n = strlen(s);
    for (const char *p = words; n && *p; p += strspn(p, " ")) {
        size_t word = strcspn(p, " ");
        if (word == n && strncmp(p, s, n) == 0)
            return true;
        p += word;
    }
    return false;
}

static bool type_allowed(const struct route *row, struct req *req)
{
    return !row->types || !(req->method & (METHOD_POST | METHOD_PUT | METHOD_PATCH)) ||
           among(row->types, req_media_type(req));
}

struct asked {
    const char *taken, *stranger;
};

static bool parameter_taken(const char *name, const char *value, void *arg)
{
    struct asked *a = arg;
    (void)value;
    if (!among(a->taken, name))
        a->stranger = name;
    return a->stranger == NULL;
}

static bool admit_query(const struct route *row, struct req *req, struct resp *resp)
{
    struct asked a = {.taken = row->query};
    if (row->query)
        req_query_each(req, parameter_taken, &a);
    if (a.stranger)
        refuse(row->gate, resp, 400, "there is no parameter \"%.64s\" here; there are: %s",
               a.stranger, row->query);
    return !a.stranger;
}

static bool admit_length(struct app *app, const struct route *row, struct req *req,
                         struct resp *resp)
{
    if (req->content_length < 0 || (uint64_t)req->content_length <= row->body_max)
        return true;
    if (row->gate == GATE_CONSOLE && app->console) {
        console_too_long(app, req, row->body_max, resp);
        return false;
    }
    refuse(row->gate, resp, 413, "The body has %lld bytes; at most %zu are taken here.",
           (long long)req->content_length, row->body_max);
    return false;
}

static bool take_body(const struct route *row, struct req *req, struct resp *resp)
{
    struct err err = {.outcome = OK};
    switch (req_read_body(req, row->body_max, &err)) {
    case OK:
        return true;
    case DENIED:
        refuse(row->gate, resp, 413, "The body is too long; at most %zu bytes are taken here.",
               row->body_max);
        break;
    case INVALID:
        refuse(row->gate, resp, 400, "The body is broken: %s.", err.msg);
        break;
    case UNAVAILABLE:
        refuse(row->gate, resp, 408, "The body did not come: %s.", err.msg);
        break;
    default:
        resp_bare(resp, 500, "%s", err.msg);
        return false;
    }
    resp_note(resp, "%s", err.msg);
    return false;
}

void route_run(struct app *app, enum program program, struct req *req, struct resp *resp)
{
    int allowed;
    struct caller caller = {.source = IDENTITY_NONE};
    enum gate gate;
    const struct route *row = find_row(program, req, &allowed, &gate);
    resp->problem = strncmp(req->path, "/api/", 5) == 0;
    if (!row && !allowed) {
        const char *accept = req_var(req, "HTTP_ACCEPT");
        if (program == PROGRAM_CONSOLE && app->console && accept && strstr(accept, "text/html"))
            console_not_found(app, req, resp);
        else
            resp_text(resp, 404, "Not found");
        return;
    }
    if (!row) {
        answer_405(gate, resp, allowed);
        return;
    }
    if (!admit_length(app, row, req, resp))
        return;
    if (!type_allowed(row, req)) {
        refuse(row->gate, resp, 415, "Unsupported content type; expected: %s", row->types);
        return;
    }
    struct app live = *app; /* one request is answered by one state of the settings */
    if (app->settings)
        live.conf = settings_conf(app->settings, req->arena);
    if (!gate_enter(&live, row, req, &caller, resp) || !admit_query(row, req, resp) ||
        !take_body(row, req, resp) || !gate_admit(&live, row, req, &caller, resp))
        return;
    db_scope_thread(caller.scope);
    row->handler(&live, req, &caller, resp);
    db_scope_thread(0);
}

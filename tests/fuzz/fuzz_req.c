/*
 * fuzz_req.c: a request: lines of CGI variables, an empty line, the body. Through the dispatcher
 * and every row that needs no database. An answer is always whole and one header line each.
 */
#include "base/limits.h"
#include "fuzz.h"
#include "http/client_cert.h"
#include "http/resp.h"
#include "route/gate.h"
#include "route/route.h"
#include "store/trust_set.h"

#define VARS_MAX 64

static size_t feed_read(void *from, void *p, size_t n, bool *cut)
{
    struct bytes *f = from;
    size_t m = n < f->n ? n : f->n;
    if (m)
        memcpy(p, f->p, m);
    f->p += m;
    f->n -= m;
    *cut = false;
    return m;
}

static void handle(struct app *app, struct req *req, const struct caller *caller, struct resp *resp)
{
    (void)app;
    (void)caller;
    const char *q = req_query(req, "message");
    const char *c = req_cookie(req, "session");
    const char *f = req_form(req, "name"), *file = NULL;
    struct bytes content = {0};
    if (req_form_file(req, "file", &content, &file))
        resp_header(resp, "X-File", file);
    FUZZ_CHECK(!file ||
               (content.p >= req->body.p && content.p + content.n <= req->body.p + req->body.n));
    resp_text(resp, 200, "%s", q ? q : "");
    resp_header(resp, "X-Cookie", c ? c : "");
    if (f)
        resp_redirect(resp, 303, f);
}

const struct route routes[] = {
    {PROGRAM_MDM, METHOD_ANY, "/open/*", GATE_OPEN, handle, 4096, NULL, NULL},
    {PROGRAM_MDM, METHOD_POST, "/form", GATE_OPEN, handle, 4096,
     "application/x-www-form-urlencoded multipart/form-data", NULL},
    {PROGRAM_MDM, METHOD_PUT, "/mdm", GATE_DEVICE, handle, 4096, NULL, NULL},
};
const size_t routes_n = sizeof routes / sizeof routes[0];

static void check_answer(struct resp *resp, struct req *req)
{
    struct buf head = BUF_INIT(LIM_MB);
    resp_head(resp, req, &head);
    const char *h = buf_cstr(&head);
    FUZZ_CHECK(strncmp(h, "Status: ", 8) == 0 && strlen(h) == head.len);
    const char *end = strstr(h, "\r\n\r\n");
    FUZZ_CHECK(end && end[4] == '\0');
    for (const char *p = h; *p; p++)
        FUZZ_CHECK((*p != '\n' || p[-1] == '\r') && (*p != '\r' || p[1] == '\n'));
    FUZZ_CHECK(resp_payload(resp, req).n <= LIM_RESPONSE);
    buf_free(&head);
}

/* Cuts text into "name=value" lines; what follows the empty line is the body. */
static struct bytes split(char *text, size_t len, char *vars[VARS_MAX + 1])
{
    size_t n = 0;
    const char *end = text + len;
    while (*text && *text != '\n' && n < VARS_MAX) {
        char *line = text;
        text += strcspn(text, "\n");
        if (*text)
            *text++ = '\0';
        if (strchr(line, '='))
            vars[n++] = line;
    }
    vars[n] = NULL;
    if (*text == '\n')
        text++;
    return bytes_of(text, (size_t)(end - text));
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    static struct conf conf = {.path = "fuzz",
                               .proxy_header = "Client-Cert",
                               .proxy_trust = {{"192.0.2.0/24"}, 1},
                               .identity_variables = true,
                               .identity_signature = true};
    static struct app app = {.conf = &conf};
    static struct arena *a;
    struct err err = {0};
    struct trust *t;
    if (!a) {
        a = arena_new(LIM_ARENA_REQUEST);
        app.trust = trust_set_new();
        FUZZ_CHECK(a && app.trust && gate_new(&conf, &app.gate, &err) == OK);
        FUZZ_CHECK(trust_new(&t, &err) == OK);
        trust_set_install(app.trust, &t, 1);
    }
    char *vars[VARS_MAX + 1];
    char *text = arena_strndup(a, (const char *)p, n);
    struct bytes body = split(text, n, vars);
    struct req *req = NULL;
    struct resp resp;
    resp_init(&resp);
    enum outcome o = req_new(a, vars, (struct req_source){feed_read, &body}, &req, &err);
    FUZZ_CHECK(req && (o == OK || (o == INVALID && err.msg[0])));
    FUZZ_CHECK(req->path[0] == '/' || o == INVALID);
    if (o == OK)
        route_run(&app, PROGRAM_MDM, req, &resp);
    else
        resp_text(&resp, 400, "%s", err.msg);
    check_answer(&resp, req);
    resp_free(&resp);
    arena_reset(a);
    return 0;
}

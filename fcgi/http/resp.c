/* resp.c: answers, and the CGI header that goes before them. */
#include "http/resp.h"
#include "base/limits.h"
#include "wire/json.h"

#include <stdio.h>
#include <strings.h>

#define HEADERS_MAX (16u * LIM_KB)

static const struct {
    int status;
    const char *words;
} PHRASES[] = {
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {207, "Multi-Status"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {413, "Content Too Large"},
    {415, "Unsupported Media Type"},
    {422, "Unprocessable Content"},
    {429, "Too Many Requests"},
    {500, "Internal Server Error"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
};

const char *resp_phrase(int status)
{
    for (size_t i = 0; i < sizeof PHRASES / sizeof PHRASES[0]; i++)
        if (PHRASES[i].status == status)
            return PHRASES[i].words;
    return "Status";
}

void resp_init(struct resp *p)
{
    *p = (struct resp){.status = 200};
    buf_init(&p->body, LIM_RESPONSE);
    buf_init(&p->headers, HEADERS_MAX);
}

void resp_free(struct resp *p)
{
    if (p->secret)
        buf_wipe(&p->body);
    else
        buf_free(&p->body);
    buf_free(&p->headers);
}

/* Throws away what was built so far. */
static void resp_clear(struct resp *p, int status)
{
    p->status = status;
    p->content_type = NULL;
    p->no_body = false;
    if (p->secret)
        buf_wipe(&p->body);
    buf_clear(&p->body);
}

/* An error as JSON. detail NULL: the status says it all. */
static void error_body(struct resp *p, int status, const char *detail)
{
    js o = js_object();
    resp_clear(p, status);
    p->content_type = p->problem ? "application/problem+json" : "application/json";
    if (p->problem) {
        js_set_str(o, "type", "about:blank");
        js_set_str(o, "title", resp_phrase(status));
        js_set_int(o, "status", status);
        js_set_str(o, "detail", detail);
    } else {
        js_set_str(o, "error", detail);
    }
    if (js_write(o, true, &p->body) != OK)
        p->body.failed = true;
    buf_char(&p->body, '\n');
    js_free(&o);
}

static void error_fmt(struct resp *p, int status, const char *fmt, va_list ap)
{
    struct buf text = BUF_INIT(LIM_KB);
    buf_vfmt(&text, fmt, ap);
    error_body(p, status, buf_cstr(&text));
    buf_free(&text);
}

void resp_text(struct resp *p, int status, const char *fmt, ...)
{
    va_list ap;
    if (p->problem && status >= 400) {
        va_start(ap, fmt);
        error_fmt(p, status, fmt, ap);
        va_end(ap);
        return;
    }
    resp_clear(p, status);
    p->content_type = "text/plain; charset=utf-8";
    va_start(ap, fmt);
    buf_vfmt(&p->body, fmt, ap);
    va_end(ap);
    buf_char(&p->body, '\n');
}

void resp_bare(struct resp *p, int status, const char *why_fmt, ...)
{
    if (p->problem) {
        error_body(p, status, NULL);
    } else {
        resp_clear(p, status);
        p->no_body = true;
    }
    va_list ap;
    va_start(ap, why_fmt);
    vsnprintf(p->note, sizeof p->note, why_fmt, ap);
    va_end(ap);
}

void resp_note(struct resp *p, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(p->note, sizeof p->note, fmt, ap);
    va_end(ap);
}

void resp_json_error(struct resp *p, int status, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    error_fmt(p, status, fmt, ap);
    va_end(ap);
}

void resp_header(struct resp *p, const char *name, const char *value)
{
    size_t before = p->headers.len;
    buf_str(&p->headers, name);
    buf_str(&p->headers, ": ");
    for (; *value; value++)
        if ((unsigned char)*value >= 0x20 && *value != 0x7f)
            buf_char(&p->headers, *value);
    buf_str(&p->headers, "\r\n");
    if (buf_failed(&p->headers)) /* never half a line */
        p->headers.len = before;
}

#define POLICY(form)                                                                               \
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src "        \
    "'self'; "                                                                                     \
    "form-action 'self'" form "; base-uri 'none'; frame-ancestors 'none'"

static void page_headers(struct resp *p, const char *policy)
{
    resp_header(p, "Content-Security-Policy", policy);
    resp_header(p, "X-Content-Type-Options", "nosniff");
    resp_header(p, "X-Frame-Options", "DENY");
    resp_header(p, "Referrer-Policy", "same-origin");
    resp_header(p, "Permissions-Policy", "camera=(), geolocation=(), microphone=()");
}

void resp_asset(struct resp *p, const char *type, struct bytes body, bool packed)
{
    p->content_type = type;
    resp_header(p, "Cache-Control", "public, max-age=31536000, immutable");
    resp_header(p, "X-Content-Type-Options", "nosniff");
    resp_header(p, "Vary", "Accept-Encoding");
    if (packed)
        resp_header(p, "Content-Encoding", "gzip");
    buf_add(&p->body, body.p, body.n);
}

void resp_page_headers(struct resp *p)
{
    page_headers(p, POLICY(""));
}

void resp_sign_in_headers(struct resp *p)
{
    page_headers(p, POLICY(" apple-remotemanagement-user-login:"));
}

/* A path that a browser cannot take for another host: one slash, no backslash, no control. */
static bool is_local_path(const char *path)
{
    if (path[0] != '/' || path[1] == '/' || path[1] == '\\')
        return false;
    for (; *path; path++)
        if ((unsigned char)*path <= 0x20 || *path == 0x7f || *path == '\\')
            return false;
    return true;
}

void resp_redirect(struct resp *p, int status, const char *path)
{
    resp_clear(p, status == 302 ? 302 : 303);
    p->no_body = true;
    resp_header(p, "Location", is_local_path(path) ? path : "/");
}

/* Did the handler set that header? Every line begins with its name. */
static bool has_header(const struct resp *p, const char *name)
{
    size_t n = strlen(name);
    const char *line = buf_cstr(&p->headers);
    while (line && *line) {
        if (strncasecmp(line, name, n) == 0 && line[n] == ':')
            return true;
        line = strchr(line, '\n');
        line = line ? line + 1 : NULL;
    }
    return false;
}

static bool status_has_body(int status)
{
    return status != 204 && status != 304;
}

void resp_head(struct resp *p, const struct req *r, struct buf *out)
{
    if (buf_failed(&p->body) || buf_failed(&p->headers)) {
        buf_clear(&p->headers);
        resp_bare(p, 500, "the answer grew past its ceiling");
    }
    if (p->no_body)
        buf_clear(&p->body);
    buf_fmt(out, "Status: %d %s\r\n", p->status, resp_phrase(p->status));
    if (p->content_type && !p->no_body && status_has_body(p->status))
        buf_fmt(out, "Content-Type: %s\r\n", p->content_type);
    if (status_has_body(p->status))
        buf_fmt(out, "Content-Length: %zu\r\n", p->body.len);
    buf_fmt(out, "X-Request-Id: %s\r\n", r->id);
    if (!has_header(p, "Cache-Control"))
        buf_str(out, "Cache-Control: no-store\r\n");
    buf_add(out, p->headers.data, p->headers.len);
    buf_str(out, "\r\n");
}

struct bytes resp_payload(const struct resp *p, const struct req *r)
{
    if (r->method == METHOD_HEAD || p->no_body || !status_has_body(p->status))
        return bytes_of(NULL, 0);
    return buf_bytes(&p->body);
}

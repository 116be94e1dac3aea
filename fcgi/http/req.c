/*
 * req.c: CGI variables (RFC 3875) to a struct req.
 *
 * The path is taken from REQUEST_URI, which lighttpd and Apache both give as the client sent it.
 * SCRIPT_NAME and PATH_INFO are second best: lighttpd splits them by its own prefix, mod_proxy_fcgi
 * by its worker's, mod_fcgid by the file system, and all of them decode escapes first, so that
 * "%2F" within a path segment is lost.
 */
#include "http/req.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/uuid.h"
#include "http/multipart.h"
#include "wire/encode.h"

#include <ctype.h>
#include <stdlib.h>
#include <strings.h>

#define COOKIE_MAX 4096u

struct req_state {
    char *const *vars;
    struct req_source src;
    bool at_end; /* the web server has nothing more to say */
    bool split;  /* the body was split into parts: */
    struct part *parts;
    size_t nparts;
};

static const struct {
    const char *name;
    enum method method;
} METHODS[] = {{"GET", METHOD_GET}, {"HEAD", METHOD_HEAD},     {"POST", METHOD_POST},
               {"PUT", METHOD_PUT}, {"DELETE", METHOD_DELETE}, {"PATCH", METHOD_PATCH}};

static const char *vars_find(char *const *vars, const char *name)
{
    size_t n = strlen(name);
    for (; *vars; vars++)
        if ((*vars)[0] == name[0] && strncmp(*vars, name, n) == 0 && (*vars)[n] == '=')
            return *vars + n + 1;
    return NULL;
}

static const char *req_var_of(const struct req *r, const char *name)
{
    const struct req_state *s = r->env_;
    return vars_find(s->vars, name);
}

static const char *text_or_empty(const char *s)
{
    return s ? s : "";
}

static enum method method_of(const char *name)
{
    for (size_t i = 0; name && i < sizeof METHODS / sizeof METHODS[0]; i++)
        if (strcmp(name, METHODS[i].name) == 0)
            return METHODS[i].method;
    return METHOD_OTHER;
}

/* "http://host/path" of a request in absolute form: where the path begins. */
static const char *skip_authority(const char *uri)
{
    size_t scheme = strcspn(uri, ":/?");
    if (strncmp(uri + scheme, "://", 3) != 0)
        return uri;
    const char *path = uri + scheme + 3;
    path += strcspn(path, "/?");
    return *path == '/' ? path : "/";
}

static enum outcome set_target(struct req *r, struct err *err)
{
    const char *uri = req_var(r, "REQUEST_URI");
    const char *query = req_var(r, "QUERY_STRING");
    if (uri && *uri) {
        uri = skip_authority(uri);
        size_t n = strcspn(uri, "?#");
        r->path = arena_strndup(r->arena, uri, n);
        if (!query && uri[n] == '?')
            query = uri + n + 1;
    } else {
        r->path = arena_fmt(r->arena, "%s%s", text_or_empty(req_var(r, "SCRIPT_NAME")),
                            text_or_empty(req_var(r, "PATH_INFO")));
    }
    if (!r->path) {
        r->path = "/";
        return err_set(err, ERROR, "no memory for the path");
    }
    r->query = text_or_empty(query);
    if (r->path[0] != '/')
        return err_set(err, INVALID, "the path does not begin with a slash");
    if (strlen(r->path) > LIM_PATH)
        return err_set(err, INVALID, "the path is longer than %u bytes", LIM_PATH);
    if (strlen(r->query) > LIM_QUERY)
        return err_set(err, INVALID, "the query is longer than %u bytes", LIM_QUERY);
    return OK;
}

/* CONTENT_LENGTH is absent or empty without a body, and "-1" when lighttpd streams a chunked one.
 */
static enum outcome set_length(struct req *r, struct err *err)
{
    const char *s = req_var(r, "CONTENT_LENGTH");
    r->content_length = -1;
    if (!s || !*s || strcmp(s, "-1") == 0)
        return OK;
    int64_t n = 0;
    for (const char *p = s; *p; p++) {
        if (*p < '0' || *p > '9' || n > (INT64_MAX - 9) / 10)
            return err_set(err, INVALID, "the declared length is no number");
        n = n * 10 + (*p - '0');
    }
    r->content_length = n;
    return OK;
}

/* A request's name for the log: unlike all others, no secret. A generator for each thread
 * (splitmix64), seeded by the kernel, saves a system call. */
static uint64_t id_next(void)
{
    static _Thread_local uint64_t state;
    if (!state)
        random_bytes(&state, sizeof state);
    uint64_t z = state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

enum outcome req_new(struct arena *a, char *const *vars, struct req_source src, struct req **out,
                     struct err *err)
{
    struct req *r = *out = arena_alloc(a, sizeof *r);
    struct req_state *s = arena_alloc(a, sizeof *s);
    if (!r || !s) {
        *out = NULL;
        return err_set(err, ERROR, "no memory for a request");
    }
    _Static_assert(sizeof(uint64_t) * 2 == REQ_ID_LEN, "an id is 64 bits");
    s->vars = vars;
    s->src = src;
    r->arena = a;
    r->env_ = s;
    r->var = req_var_of;
    r->start = clock_mono();
    r->now = clock_now();
    uint64_t id = id_next();
    hex_encode(bytes_of(&id, sizeof id), r->id);
    r->method = method_of(req_var(r, "REQUEST_METHOD"));
    r->path = "/";
    r->query = "";
    r->content_type = text_or_empty(req_var(r, "CONTENT_TYPE"));
    r->remote_addr = text_or_empty(req_var(r, "REMOTE_ADDR"));
    r->host = text_or_empty(req_var(r, "HTTP_HOST"));
    const char *https = req_var(r, "HTTPS");
    r->https = https && strcasecmp(https, "on") == 0;
    enum outcome o = set_target(r, err);
    return o == OK ? set_length(r, err) : o;
}

/* Up to n octets to p; counts what is lost to a broken connection. */
static size_t take(struct req_state *s, void *p, size_t n, bool *cut)
{
    size_t got = s->src.read(s->src.from, p, n, cut);
    if (got < n && !*cut)
        s->at_end = true;
    return got;
}

/* The declared length is known: one allocation, one read, and one more octet to see the end. */
static enum outcome read_declared(struct req *r, size_t n, struct err *err)
{
    struct req_state *s = r->env_;
    char *p = arena_alloc(r->arena, n + 1);
    if (!p)
        return err_set(err, ERROR, "no memory for a body of %zu bytes", n);
    bool cut = false;
    size_t got = take(s, p, n + 1, &cut);
    if (cut)
        return err_set(err, UNAVAILABLE, "the connection ended within the body, after %zu bytes",
                       got);
    if (got != n)
        return err_set(err, INVALID, "the body is %s than the declared %zu bytes",
                       got < n ? "shorter" : "longer", n);
    p[n] = '\0';
    r->body = bytes_of(p, n);
    return OK;
}

static enum outcome read_undeclared(struct req *r, size_t max, struct err *err)
{
    struct req_state *s = r->env_;
    struct buf b = BUF_INIT(max + 1);
    enum outcome o = OK;
    bool cut = false;
    char first;
    if (take(s, &first, 1, &cut) == 1) /* the usual GET has no body, and costs no memory */
        buf_add(&b, &first, 1);
    for (size_t step = 8192; !s->at_end && !cut; step *= 2) {
        if (step > max + 1 - b.len)
            step = max + 1 - b.len;
        char *p = buf_room(&b, step);
        if (!p) {
            o = err_set(err, ERROR, "no memory for a body");
            goto out;
        }
        buf_grew(&b, take(s, p, step, &cut));
        if (b.len > max) {
            o = err_set(err, DENIED, "the body is longer than %zu bytes", max);
            goto out;
        }
    }
    r->body = arena_bytes(r->arena, buf_bytes(&b));
    if (cut)
        o = err_set(err, UNAVAILABLE, "the connection ended within the body");
    else if (!r->body.p)
        o = err_set(err, ERROR, "no memory for a body");
out:
    buf_wipe(&b);
    return o;
}

enum outcome req_read_body(struct req *r, size_t max, struct err *err)
{
    if (r->content_length < 0)
        return read_undeclared(r, max, err);
    if ((uint64_t)r->content_length > max)
        return err_set(err, DENIED, "the body is longer than %zu bytes", max);
    return read_declared(r, (size_t)r->content_length, err);
}

bool req_drained(struct req *r)
{
    struct req_state *s = r->env_;
    bool cut = false;
    char one;
    if (!s->at_end && r->content_length <= 0 && (r->method & (METHOD_GET | METHOD_HEAD)))
        take(s, &one, 1, &cut);
    return s->at_end;
}

/* Calls fn for each name=value of text, both decoded as a form's; bad escapes are passed over. */
static void pairs_each(struct req *r, struct bytes text,
                       bool (*fn)(const char *name, const char *value, void *arg), void *arg)
{
    const char *p = (const char *)text.p;
    const char *stop = p + text.n;
    while (p < stop) {
        const char *end = memchr(p, '&', (size_t)(stop - p));
        if (!end)
            end = stop;
        const char *eq = memchr(p, '=', (size_t)(end - p));
        struct bytes name = bytes_of(p, (size_t)((eq ? eq : end) - p));
        struct bytes value = eq ? bytes_of(eq + 1, (size_t)(end - eq - 1)) : bytes_of("", 0);
        char *n = NULL, *v = NULL;
        if ((name.n || value.n) && url_decode(r->arena, name, true, &n) == OK &&
            url_decode(r->arena, value, true, &v) == OK && !fn(n, v, arg))
            return;
        p = end + 1;
    }
}

struct wanted {
    const char *name;
    const char *value;
};

static bool is_wanted(const char *name, const char *value, void *arg)
{
    struct wanted *w = arg;
    if (strcmp(name, w->name) != 0)
        return true;
    w->value = value;
    return false;
}

const char *req_query(struct req *r, const char *name)
{
    struct wanted w = {name, NULL};
    pairs_each(r, bytes_str(r->query), is_wanted, &w);
    return w.value;
}

void req_query_each(struct req *r, bool (*fn)(const char *name, const char *value, void *arg),
                    void *arg)
{
    pairs_each(r, bytes_str(r->query), fn, arg);
}

/* The parts of a form with files, split at the first question; none when it is broken. */
static const struct part *parts_of(struct req *r, size_t *n)
{
    struct req_state *s = r->env_;
    struct err ignored = {.outcome = OK};
    if (!s->split &&
        multipart_read(r->arena, r->content_type, r->body, &s->parts, &s->nparts, &ignored) != OK)
        s->nparts = 0;
    s->split = true;
    *n = s->nparts;
    return s->parts;
}

void req_form_each(struct req *r, bool (*fn)(const char *name, const char *value, void *arg),
                   void *arg)
{
    const char *type = req_media_type(r);
    if (strcmp(type, "application/x-www-form-urlencoded") == 0)
        pairs_each(r, r->body, fn, arg);
    if (strcmp(type, "multipart/form-data") != 0)
        return;
    size_t n;
    const struct part *p = parts_of(r, &n);
    for (size_t i = 0; i < n; i++)
        if (p[i].text && !fn(p[i].name, p[i].text, arg))
            return;
}

const char *req_form(struct req *r, const char *name)
{
    struct wanted w = {name, NULL};
    req_form_each(r, is_wanted, &w);
    return w.value;
}

bool req_form_file(struct req *r, const char *name, struct bytes *out, const char **filename)
{
    size_t n = 0;
    const struct part *p = NULL;
    if (strcmp(req_media_type(r), "multipart/form-data") == 0)
        p = parts_of(r, &n);
    for (size_t i = 0; i < n; i++) {
        if (!p[i].filename || strcmp(p[i].name, name) != 0 || (!*p[i].filename && !p[i].body.n))
            continue;
        *out = p[i].body;
        if (filename)
            *filename = p[i].filename;
        return true;
    }
    return false;
}

/* RFC 6265 section 4.2: "name=value; name=value", a value possibly between quotes. */
const char *req_cookie(struct req *r, const char *name)
{
    const char *p = req_var(r, "HTTP_COOKIE");
    size_t n = strlen(name);
    while (p && *p) {
        p += strspn(p, " \t;");
        size_t len = strcspn(p, ";");
        if (len > n && strncmp(p, name, n) == 0 && p[n] == '=') {
            const char *value = p + n + 1;
            size_t vlen = len - n - 1;
            while (vlen && isspace((unsigned char)value[vlen - 1]))
                vlen--;
            if (vlen >= 2 && value[0] == '"' && value[vlen - 1] == '"') {
                value++;
                vlen -= 2;
            }
            return vlen <= COOKIE_MAX ? arena_strndup(r->arena, value, vlen) : NULL;
        }
        p += len;
    }
    return NULL;
}

const char *req_media_type(struct req *r)
{
    const char *s = r->content_type;
    s += strspn(s, " \t");
    char *type = arena_strndup(r->arena, s, strcspn(s, "; \t,"));
    if (!type)
        return "";
    for (char *p = type; *p; p++)
        *p = (char)tolower((unsigned char)*p);
    return type;
}

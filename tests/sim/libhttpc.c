/* libhttpc.c: see libhttpc.h. Requests, answers and redirections; the octets go through libpipe.c.
 */
#include "libhttpc.h"

#include "base/clock.h"
#include "base/limits.h"
#include "libpipe.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define HEAD_MAX (64 * LIM_KB)
#define REDIRECTS_MAX 5

struct httpc {
    struct loop *loop;
    struct pipe_ctx *tls;
};

enum phase { IDLE, OPENING, SENDING, READING };

struct httpc_conn {
    struct httpc *h;
    struct pipe *pipe; /* NULL: not connected */
    char origin[300];  /* what it is connected to: "https://host:port" */
    uint64_t shown;    /* a hash of the certificate it was opened with */
    enum phase phase;
    bool reused; /* the present request goes over a connection that was used before */
    int redirects;
    struct loop_timer timer, start;

    char *method, *url, *headers;
    struct buf body; /* of the request */
    uint8_t *cert, *key;
    size_t ncert, nkey;
    int64_t timeout_us;
    enum httpc_break breaking;
    struct buf out; /* head and body to send */
    size_t sent;

    struct buf in;   /* what has come */
    size_t head_len; /* octets of the head with its empty line; 0: not complete */
    int status;
    int64_t length; /* Content-Length; -1: none */
    bool chunked, close_after;
    size_t chunk_pos;  /* in `in`: where the next chunk's size line begins */
    struct buf answer; /* de-chunked body */
    int64_t taken;     /* octets of the body that were given to `take` */
    char range[96], content_type[128], location[2048], authenticate[1024], cookie[512];
    int retry_after;

    httpc_fn *fn;
    bool (*take)(void *arg, const struct httpc_piece *piece);
    void *arg;
};

static void drive(void *arg);
static void begin(struct httpc_conn *c);

enum outcome httpc_new(struct loop *l, const char *ca_file, struct httpc **out, struct err *err)
{
    struct httpc *h = calloc(1, sizeof *h);
    if (!h)
        return err_set(err, ERROR, "out of memory");
    h->loop = l;
    enum outcome o = pipe_ctx_new(l, ca_file, &h->tls, err);
    if (o != OK)
        httpc_free(&h);
    *out = h;
    return o;
}

void httpc_free(struct httpc **h)
{
    if (!*h)
        return;
    pipe_ctx_free(&(*h)->tls);
    free(*h);
    *h = NULL;
}

enum outcome httpc_trust(struct httpc *h, struct bytes der, struct err *err)
{
    return pipe_ctx_trust(h->tls, der, err);
}

static void forget_request(struct httpc_conn *c)
{
    free(c->method);
    free(c->url);
    free(c->headers);
    free(c->cert);
    free(c->key);
    c->method = c->url = c->headers = NULL;
    c->cert = c->key = NULL;
    buf_free(&c->body);
    buf_free(&c->out);
    buf_free(&c->in);
    buf_free(&c->answer);
}

void httpc_close(struct httpc_conn **cp)
{
    struct httpc_conn *c = *cp;
    if (!c)
        return;
    *cp = NULL;
    loop_timer_end(c->h->loop, &c->timer);
    loop_timer_end(c->h->loop, &c->start);
    pipe_free(&c->pipe);
    forget_request(c);
    free(c);
}

/* Tells the caller, who may send again or close: c is not touched afterwards. */
static void finish(struct httpc_conn *c, enum outcome o, const char *error)
{
    struct buf in = c->in, answer = c->answer, sent = c->body;
    struct bytes body = {0};
    if (o == OK)
        body =
            c->chunked ? buf_bytes(&answer) : bytes_of(in.data + c->head_len, in.len - c->head_len);
    char type[sizeof c->content_type], words[300];
    char authenticate[sizeof c->authenticate], location[sizeof c->location];
    char cookie[sizeof c->cookie];
    snprintf(type, sizeof type, "%s", c->content_type);
    snprintf(authenticate, sizeof authenticate, "%s", c->authenticate);
    snprintf(location, sizeof location, "%s", c->location);
    snprintf(cookie, sizeof cookie, "%s", c->cookie);
    snprintf(words, sizeof words, "%s", error ? error : "");
    struct httpc_result r = {.outcome = o,
                             .status = o == OK ? c->status : 0,
                             .body = body,
                             .sent = buf_bytes(&sent),
                             .content_type = type,
                             .retry_after = o == OK ? c->retry_after : -1,
                             .authenticate = o == OK ? authenticate : "",
                             .cookie = o == OK ? cookie : "",
                             .location = o == OK ? location : "",
                             .error = words};
    c->in = BUF_INIT(HEAD_MAX + LIM_RESPONSE);
    c->answer = BUF_INIT(LIM_RESPONSE);
    c->body = BUF_INIT(64 * LIM_MB);
    forget_request(c);
    loop_timer_end(c->h->loop, &c->timer);
    c->phase = IDLE;
    if (o != OK || c->close_after)
        pipe_free(&c->pipe);
    else if (c->pipe)
        pipe_rest(c->pipe);
    c->fn(c->arg, &r);
    buf_free(&in);
    buf_free(&answer);
    buf_free(&sent);
}

static void on_timeout(void *arg)
{
    finish(arg, UNAVAILABLE, "no answer in time");
}

/* A broken connection: once more on a fresh one if it had been kept from an earlier request. */
static void broken(struct httpc_conn *c, enum outcome o, const char *why)
{
    if (c->reused && c->in.len == 0) {
        pipe_free(&c->pipe);
        begin(c);
        return;
    }
    finish(c, o, why);
}

static void on_start(void *arg)
{
    begin(arg);
}

static char *copy_str(const char *s)
{
    char *d = strdup(s ? s : "");
    if (!d)
        abort();
    return d;
}

static uint8_t *copy_bytes(struct bytes b, size_t *n)
{
    *n = b.n;
    if (b.n == 0)
        return NULL;
    uint8_t *d = malloc(b.n);
    if (!d)
        abort();
    return memcpy(d, b.p, b.n);
}

void httpc_send(struct httpc *h, struct httpc_conn **cp, const struct httpc_request *r,
                httpc_fn *fn, void *arg)
{
    struct httpc_conn *c = *cp;
    if (!c) {
        c = calloc(1, sizeof *c);
        if (!c)
            abort();
        c->h = h;
        c->timer.fn = on_timeout;
        c->start.fn = on_start;
        c->timer.arg = c->start.arg = c;
        *cp = c;
    }
    c->method = copy_str(r->method);
    c->url = copy_str(r->url);
    c->headers = copy_str(r->headers);
    c->body = BUF_INIT(64 * LIM_MB);
    buf_add(&c->body, r->body.p, r->body.n);
    c->cert = copy_bytes(r->cert, &c->ncert);
    c->key = copy_bytes(r->key, &c->nkey);
    c->timeout_us = r->timeout_us;
    c->breaking = r->breaking;
    c->redirects = 0;
    c->take = r->take;
    c->fn = fn;
    c->arg = arg;
    loop_timer_set(h->loop, &c->timer, c->timeout_us);
    loop_timer_set(h->loop, &c->start, 0);
}

/* Splits "scheme://host[:port]/path" ; false when it is no such thing. */
static bool url_split(const char *url, bool *tls, char *host, size_t nhost, char *port,
                      size_t nport, const char **path)
{
    if (strncasecmp(url, "https://", 8) == 0)
        *tls = true, url += 8;
    else if (strncasecmp(url, "http://", 7) == 0)
        *tls = false, url += 7;
    else
        return false;
    size_t n = strcspn(url, "/?#");
    *path = url + n;
    const char *end = url + n, *host_end, *colon;
    if (*url == '[') {
        url++;
        host_end = memchr(url, ']', (size_t)(end - url));
        if (!host_end)
            return false;
        colon = host_end + 1 < end && host_end[1] == ':' ? host_end + 1 : NULL;
    } else {
        colon = memchr(url, ':', (size_t)(end - url));
        host_end = colon ? colon : end;
    }
    if (host_end == url || (size_t)(host_end - url) >= nhost)
        return false;
    snprintf(host, nhost, "%.*s", (int)(host_end - url), url);
    if (colon && (size_t)(end - colon - 1) < nport)
        snprintf(port, nport, "%.*s", (int)(end - colon - 1), colon + 1);
    else
        snprintf(port, nport, "%s", *tls ? "443" : "80");
    return true;
}

static void write_head(struct httpc_conn *c, const char *host, const char *port, bool tls,
                       const char *path)
{
    bool usual = strcmp(port, tls ? "443" : "80") == 0, six = strchr(host, ':') != NULL;
    const char *end = strchr(path, '#');
    buf_free(&c->out);
    c->out = BUF_INIT(65 * LIM_MB);
    buf_fmt(&c->out, "%s %s%.*s HTTP/1.1\r\nHost: %s%s%s%s%s\r\n", c->method,
            *path == '/' ? "" : "/", (int)(end ? (size_t)(end - path) : strlen(path)), path,
            six ? "[" : "", host, six ? "]" : "", usual ? "" : ":", usual ? "" : port);
    buf_str(&c->out, c->headers);
    if (c->body.len || strcmp(c->method, "GET") != 0)
        buf_fmt(&c->out, "Content-Length: %zu\r\n", c->body.len);
    buf_str(&c->out, "\r\n");
    buf_add(&c->out, c->body.data, c->body.len);
}

/* FNV-1a: tells one device's certificates apart, no more. */
static uint64_t hash_of(const uint8_t *p, size_t n)
{
    uint64_t h = 14695981039346656037u;
    for (size_t i = 0; i < n; i++)
        h = (h ^ p[i]) * 1099511628211u;
    return h;
}

/* Starts, or starts again after a redirection or a stale connection, the request in c. */
static void begin(struct httpc_conn *c)
{
    char host[256], port[8], origin[sizeof c->origin];
    const char *path;
    bool tls;
    if (!url_split(c->url, &tls, host, sizeof host, port, sizeof port, &path)) {
        finish(c, INVALID, "not an http or https URL");
        return;
    }
    snprintf(origin, sizeof origin, "%s://%s:%s", tls ? "https" : "http", host, port);
    write_head(c, host, port, tls, path);
    c->sent = c->head_len = c->chunk_pos = 0;
    c->status = 0;
    c->length = -1;
    c->taken = 0;
    c->chunked = c->close_after = false;
    c->retry_after = -1;
    c->range[0] = c->content_type[0] = c->location[0] = c->authenticate[0] = c->cookie[0] = '\0';
    buf_free(&c->in);
    buf_free(&c->answer);
    c->in = BUF_INIT(HEAD_MAX + LIM_RESPONSE);
    c->answer = BUF_INIT(LIM_RESPONSE);
    c->reused = c->pipe != NULL;
    uint64_t show = hash_of(c->cert, c->ncert);
    if (c->pipe && (strcmp(origin, c->origin) != 0 || show != c->shown)) {
        pipe_free(&c->pipe);
        c->reused = false;
    }
    if (!c->pipe) {
        struct err err = {0};
        struct pipe_to to = {.host = host,
                             .port = port,
                             .tls = tls,
                             .cert = {c->cert, c->ncert},
                             .key = {c->key, c->nkey}};
        if (pipe_open(c->h->tls, &to, drive, c, &c->pipe, &err) != OK) {
            finish(c, err.outcome, err.msg);
            return;
        }
        snprintf(c->origin, sizeof c->origin, "%s", origin);
        c->shown = show;
        c->phase = OPENING;
    } else {
        c->phase = SENDING;
    }
    drive(c);
}

/* ------------------------------------------------------------------ the answer */

static void header_line(struct httpc_conn *c, const char *line, size_t n)
{
    const char *colon = memchr(line, ':', n);
    if (!colon)
        return;
    size_t nname = (size_t)(colon - line);
    const char *v = colon + 1, *end = line + n;
    while (v < end && (*v == ' ' || *v == '\t'))
        v++;
    int nv = (int)(end - v);
#define IS(name) (nname == sizeof(name) - 1 && strncasecmp(line, name, nname) == 0)
    if (IS("Content-Length"))
        c->length = strtoll(v, NULL, 10);
    else if (IS("Transfer-Encoding"))
        c->chunked = nv >= 7 && strncasecmp(end - 7, "chunked", 7) == 0;
    else if (IS("Connection"))
        c->close_after = nv == 5 && strncasecmp(v, "close", 5) == 0;
    else if (IS("Content-Range"))
        snprintf(c->range, sizeof c->range, "%.*s", nv, v);
    else if (IS("Content-Type"))
        snprintf(c->content_type, sizeof c->content_type, "%.*s", nv, v);
    else if (IS("Location"))
        snprintf(c->location, sizeof c->location, "%.*s", nv, v);
    else if (IS("WWW-Authenticate"))
        snprintf(c->authenticate, sizeof c->authenticate, "%.*s", nv, v);
    else if (IS("Set-Cookie"))
        snprintf(c->cookie, sizeof c->cookie, "%.*s", (int)strcspn(v, ";\r"), v);
    else if (IS("Retry-After"))
        c->retry_after = (int)strtol(v, NULL, 10);
#undef IS
}

/* Reads the head if it is complete. False: it is no HTTP. */
static bool read_head(struct httpc_conn *c)
{
    char *end = c->in.len ? memmem(c->in.data, c->in.len, "\r\n\r\n", 4) : NULL;
    if (!end)
        return c->in.len < HEAD_MAX;
    c->head_len = (size_t)(end - c->in.data) + 4;
    int minor;
    if (sscanf(c->in.data, "HTTP/1.%1d %3d", &minor, &c->status) != 2)
        return false;
    c->close_after = minor == 0;
    const char *p = strstr(c->in.data, "\r\n") + 2;
    while (p < end) {
        const char *eol = strstr(p, "\r\n");
        header_line(c, p, (size_t)(eol - p));
        p = eol + 2;
    }
    if (c->status >= 100 && c->status < 200) { /* an interim answer: the real one follows */
        size_t rest = c->in.len - c->head_len;
        memmove(c->in.data, c->in.data + c->head_len, rest);
        c->in.len = rest;
        c->in.data[rest] = '\0';
        c->head_len = 0;
        c->length = -1;
        return read_head(c);
    }
    c->chunk_pos = c->head_len;
    return true;
}

enum progress { MORE, DONE, BAD, STOPPED };

static enum progress read_chunks(struct httpc_conn *c)
{
    for (;;) {
        char *at = c->in.data + c->chunk_pos;
        size_t left = c->in.len - c->chunk_pos;
        char *eol = memmem(at, left, "\r\n", 2);
        if (!eol)
            return left > 1024 ? BAD : MORE;
        char *end;
        unsigned long n = strtoul(at, &end, 16);
        if (end == at || n > LIM_RESPONSE)
            return BAD;
        size_t line = (size_t)(eol - at) + 2;
        if (n == 0) { /* trailers are not used; the last empty line ends it */
            if (left >= line + 2)
                return DONE;
            return MORE;
        }
        if (left < line + n + 2)
            return MORE;
        buf_add(&c->answer, at + line, n);
        c->chunk_pos += line + n + 2;
    }
}

static bool takes_pieces(const struct httpc_conn *c)
{
    return c->take && c->head_len && (c->status == 200 || c->status == 206);
}

static bool give(struct httpc_conn *c, struct bytes octets)
{
    struct httpc_piece piece = {
        .status = c->status, .length = c->length, .range = c->range, .octets = octets};
    loop_timer_set(c->h->loop, &c->timer, c->timeout_us);
    return octets.n == 0 || c->take(c->arg, &piece);
}

/* Gives away what has come of the body, so that it need not be kept. False: no more is wanted. */
static bool give_body(struct httpc_conn *c)
{
    if (!takes_pieces(c) || c->chunked)
        return true;
    size_t n = c->in.len - c->head_len;
    if (c->length >= 0 && (int64_t)n > c->length - c->taken)
        n = (size_t)(c->length - c->taken);
    struct bytes octets = bytes_of(c->in.data + c->head_len, n);
    c->taken += (int64_t)n;
    bool on = give(c, octets);
    c->in.len = c->head_len;
    return on;
}

static enum progress progress_of(struct httpc_conn *c, bool ended)
{
    if (!c->head_len && !read_head(c))
        return BAD;
    if (!c->head_len)
        return ended ? BAD : MORE;
    if (c->status == 204 || c->status == 304) {
        c->in.len = c->head_len;
        return DONE;
    }
    if (c->chunked) {
        enum progress p = read_chunks(c);
        return p == MORE && ended ? BAD : p;
    }
    if (!give_body(c))
        return STOPPED;
    size_t have = c->in.len - c->head_len, want = (size_t)(c->length - c->taken);
    if (c->length < 0) {
        c->close_after = true;
        return ended ? DONE : MORE;
    }
    if (have >= want) {
        c->in.len = c->head_len + want;
        return DONE;
    }
    return ended ? BAD : MORE;
}

static bool redirected(struct httpc_conn *c)
{
    if (c->status < 301 || c->status > 308 || (c->status > 303 && c->status < 307) ||
        !c->location[0] || c->redirects >= REDIRECTS_MAX)
        return false;
    char *to = NULL;
    if (c->location[0] == '/') {
        if (asprintf(&to, "%s%s", c->origin, c->location) < 0)
            abort();
    } else {
        to = copy_str(c->location);
    }
    /* From TLS back to plain HTTP is refused, as devices do. */
    if (strncasecmp(c->url, "https:", 6) == 0 && strncasecmp(to, "https:", 6) != 0) {
        free(to);
        return false;
    }
    free(c->url);
    c->url = to;
    c->redirects++;
    if (c->close_after)
        pipe_free(&c->pipe);
    begin(c);
    return true;
}

/* ------------------------------------------------------------------ driving */

/* 1: all sent, 0: wait, -1: finished or broken (c may be gone). */
static int drive_send(struct httpc_conn *c)
{
    size_t upto = c->out.len;
    if (c->breaking == HTTPC_CUT_BODY)
        upto -= c->body.len / 2 + (c->body.len ? 1 : 0);
    while (c->sent < upto) {
        ssize_t n = pipe_write(c->pipe, c->out.data + c->sent, upto - c->sent);
        if (n == PIPE_WAIT)
            return 0;
        if (n < 0) {
            /* The server may have answered and closed before it read everything. */
            c->phase = READING;
            return 1;
        }
        c->sent += (size_t)n;
    }
    if (c->breaking != HTTPC_WHOLE) {
        finish(c, UNAVAILABLE, "connection cut on purpose");
        return -1;
    }
    c->phase = READING;
    return 1;
}

static void drive_read(struct httpc_conn *c)
{
    for (;;) {
        char *room = buf_room(&c->in, 16 * LIM_KB);
        if (!room) {
            finish(c, INVALID, "the answer is too long");
            return;
        }
        ssize_t n = pipe_read(c->pipe, room, 16 * LIM_KB);
        if (n == PIPE_WAIT)
            return;
        if (n < 0) {
            broken(c, pipe_outcome(c->pipe), pipe_error(c->pipe));
            return;
        }
        buf_grew(&c->in, (size_t)n);
        if (n == 0 && c->in.len == 0) {
            broken(c, UNAVAILABLE, "connection closed without an answer");
            return;
        }
        enum progress p = progress_of(c, n == 0);
        if (p == MORE)
            continue;
        if (p == DONE && takes_pieces(c) && c->chunked) {
            p = give(c, buf_bytes(&c->answer)) ? DONE : STOPPED;
            c->answer.len = 0;
        }
        if (p == STOPPED)
            finish(c, UNAVAILABLE, "broken off on purpose");
        else if (p == BAD)
            finish(c, INVALID, "the answer is not HTTP, or is cut short");
        else if (!redirected(c))
            finish(c, OK, NULL);
        return;
    }
}

static void drive(void *arg)
{
    struct httpc_conn *c = arg;
    if (c->phase == OPENING) {
        int ready = pipe_ready(c->pipe);
        if (ready == 0)
            return;
        if (ready < 0) {
            finish(c, pipe_outcome(c->pipe), pipe_error(c->pipe));
            return;
        }
        c->phase = SENDING;
    }
    if (c->phase == SENDING && drive_send(c) <= 0)
        return;
    if (c->phase == READING)
        drive_read(c);
}

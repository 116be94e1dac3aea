/*
 * req.h: one HTTP request as the programs see it. http/req.c reads it from FastCGI, once, under
 * the ceilings; handlers see this struct and nothing of libfcgi.
 */
#ifndef DROVER_HTTP_REQ_H
#define DROVER_HTTP_REQ_H

#include "base/arena.h"
#include "base/err.h"

#define REQ_ID_LEN 16

enum method {
    METHOD_GET = 1,
    METHOD_HEAD = 2,
    METHOD_POST = 4,
    METHOD_PUT = 8,
    METHOD_DELETE = 16,
    METHOD_PATCH = 32,
    METHOD_OTHER = 64
};
#define METHOD_ANY 127

struct req {
    enum method method;
    const char *path;         /* as sent (SCRIPT_NAME + PATH_INFO or REQUEST_URI), still escaped,
                               * without the query; begins with '/' */
    const char *query;        /* raw, "" when absent */
    const char *content_type; /* "" when absent */
    struct bytes body;        /* whole; NULL until route_run has admitted its length */
    int64_t content_length;   /* as declared; -1 when absent */
    const char *remote_addr;  /* the peer of the web server */
    bool https;
    const char *host;
    char id[REQ_ID_LEN + 1]; /* random, in every log line and in the X-Request-Id answer */
    int64_t start;           /* clock_mono() at its beginning */
    int64_t now;             /* clock_now() at its beginning */
    struct arena *arena;     /* everything of this request */
    /* Server variables and headers: value or NULL. "SSL_CLIENT_CERT", "HTTP_MDM_SIGNATURE". */
    const char *(*var)(const struct req *r, const char *name);
    void *env_;
};

static inline const char *req_var(const struct req *r, const char *name)
{
    return r->var(r, name);
}

/* The value of the first query parameter of that name, decoded into the arena; NULL when absent.
 * INVALID escapes count as absent. */
const char *req_query(struct req *r, const char *name);
/* Every parameter in order; fn returns false to stop. */
void req_query_each(struct req *r, bool (*fn)(const char *name, const char *value, void *arg),
                    void *arg);
/* A field of a form's body, application/x-www-form-urlencoded or multipart/form-data; NULL when
 * absent. A file is no field. */
const char *req_form(struct req *r, const char *name);
/* Every field of such a body in order; fn returns false to stop. */
void req_form_each(struct req *r, bool (*fn)(const char *name, const char *value, void *arg),
                   void *arg);
/* A file of a form (multipart/form-data): its octets, within the body, and its name in *filename
 * (may be NULL). False: none was chosen. */
bool req_form_file(struct req *r, const char *name, struct bytes *out, const char **filename);
/* A cookie's value; NULL when absent. */
const char *req_cookie(struct req *r, const char *name);
/* The media type without parameters, lower case. */
const char *req_media_type(struct req *r);

/* Where a body comes from: read() gives up to n octets at p and returns how many; fewer than asked
 * for only at the end, and *cut says whether that end came too early (connection lost). */
struct req_source {
    size_t (*read)(void *from, void *p, size_t n, bool *cut);
    void *from;
};
/* Makes the request of a set of CGI variables (RFC 3875, "name=value", ended by NULL; they and
 * src outlive it). Everything else is in a. INVALID: a variable that cannot be (no path, a path
 * past LIM_PATH, a query past LIM_QUERY, a length that is no number); ERROR: memory. *out is set
 * in the INVALID case too, as far as it could be read, so that the refusal can be logged. */
enum outcome req_new(struct arena *a, char *const *vars, struct req_source src, struct req **out,
                     struct err *err) MUST_USE;
/* Reads the body, at most max octets. A length that was not declared (chunked transfer, as
 * lighttpd and Apache pass it on when they do not gather it first) is admitted up to max.
 * INVALID: shorter or longer than declared; DENIED: longer than max; UNAVAILABLE: the connection
 * ended within it; ERROR: memory. */
enum outcome req_read_body(struct req *r, size_t max, struct err *err) MUST_USE;
/* Was everything that the web server sent taken from src? For a request without a declared body
 * this looks whether the end is there. */
bool req_drained(struct req *r);

#endif

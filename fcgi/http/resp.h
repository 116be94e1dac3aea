/* resp.h: the answer to a request, whole before the first octet is sent. */
#ifndef DROVER_HTTP_RESP_H
#define DROVER_HTTP_RESP_H

#include "base/buf.h"
#include "http/req.h"

struct resp {
    int status;               /* 200 unless set */
    const char *content_type; /* NULL: no body is described */
    struct buf body;
    struct buf headers; /* "Name: value\r\n" lines */
    bool secret;        /* the body holds a secret: wiped after it was sent */
    bool no_body;       /* status and nothing else, not even a type: a device's bare 401, 403 */
    bool problem;       /* errors are told as RFC 9457 says: the API below /api/v1 */
    bool routine;       /* so ordinary that only a debug log has it: a poll with nothing to do */
    char note[320];     /* why, for the access log; never sent */
};

/* An empty answer with status 200. */
void resp_init(struct resp *p);
/* Frees; a secret body is wiped. */
void resp_free(struct resp *p);
/* The CGI header (RFC 3875 section 6.2) of the finished answer, empty line included: status, type,
 * length, X-Request-Id and, unless the handler set one, Cache-Control: no-store. An answer that
 * grew past its ceiling becomes a bare 500. */
void resp_head(struct resp *p, const struct req *r, struct buf *out);
/* The octets of the body to send after it: none for HEAD and for statuses without one. */
struct bytes resp_payload(const struct resp *p, const struct req *r);

/* An answer of text/plain with one line, ended by a newline; an error, where p->problem is set, as
 * resp_json_error(). */
void resp_text(struct resp *p, int status, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* A status without a body, and why (for the log); where p->problem is set, with a body that says no
 * more than the status. */
void resp_bare(struct resp *p, int status, const char *why_fmt, ...) PRINTF_LIKE(3, 4);
/* Why, for the access log, beside an answer that says something else or nothing. */
void resp_note(struct resp *p, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Adds a header; control characters in the value are left out. */
void resp_header(struct resp *p, const char *name, const char *value);
/* A file whose address changes with its content, which a browser keeps; packed: it is gzip. */
void resp_asset(struct resp *p, const char *type, struct bytes body, bool packed);
/* What goes before every HTML page: a content security policy without inline script and style, no
 * frames, no sniffing, no referrer for others. */
void resp_page_headers(struct resp *p);
/* The same for a page whose form may lead back to the settings of the device that shows it. */
void resp_sign_in_headers(struct resp *p);
/* {"error": "text"} as JSON (NanoMDM's form); where p->problem is set,
 * {"type", "title", "status", "detail"} as application/problem+json (RFC 9457). */
void resp_json_error(struct resp *p, int status, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* "Not Found" for 404; "Status" for one that is never sent. */
const char *resp_phrase(int status);
/* 302 or 303 to a path of this host; anything that is not a plain local path goes to "/". */
void resp_redirect(struct resp *p, int status, const char *path);

#endif

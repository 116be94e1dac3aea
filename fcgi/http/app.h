/*
 * app.h: what a handler is given beside request and answer: the process (configuration, database,
 * caches) and the caller whom the gate has identified.
 */
#ifndef DROVER_HTTP_APP_H
#define DROVER_HTTP_APP_H

#include "base/conf.h"
#include "http/req.h"
#include "http/resp.h"

struct db_pool;
struct batch;
struct gatekeeper;
struct trust_set;
struct console;
struct words_all;
struct enroll_web;
struct event_wants;
struct session;
struct settings;

/* One per process, shared by its threads. */
struct app {
    const struct conf *conf;   /* in force for the request (route/route.c) */
    struct settings *settings; /* store/setting.h (NULL: the file alone counts) */
    struct db_pool *pool;      /* for units outside the hot path */
    struct batch *batch;       /* the hot path's connection (mdm only, NULL elsewhere) */
    struct trust_set *trust; /* device CAs, store/trust.h; kept fresh (mdm only, NULL elsewhere) */
    struct gatekeeper *gate; /* what route/gate.c remembers */
    struct console *console; /* templates and texts (console only, NULL elsewhere) */
    const struct words_all *words; /* those texts, for what is no page (console only) */
    struct enroll_web *enroll;     /* those of the enrolment page (mdm only; NULL: not installed) */
    struct event_wants *events;    /* what webhooks want, store/event.h; kept fresh (mdm only) */
};

enum identity_source { IDENTITY_NONE, IDENTITY_VARIABLE, IDENTITY_SIGNATURE, IDENTITY_PROXY };

/* Who is asking; filled by the gate, lives as long as the request. */
struct caller {
    /* GATE_DEVICE: a certificate whose chain, key usage and signature hold. */
    enum identity_source source;
    uint8_t cert_sha256[32];
    struct bytes cert_text; /* as it came: PEM, RFC 9440, or DER; read it with caller_cert() */
    int64_t cert_not_after; /* microseconds; an expired certificate gets here (see expired) */
    bool expired;           /* past not_after: only a bound enrollment may renew with it */
    /* GATE_API */
    const char *key_name;
    int64_t key_id;
    const char *scopes;
    int64_t key_expires_at; /* 0: never */
    /* both that follow */
    int64_t scope; /* store/scope.h; 0: it reaches everything */
    /* GATE_CONSOLE */
    const char *admin;
    const struct session *session; /* store/session.h */
};

/* The certificate of GATE_DEVICE as DER, in the request's arena. It is decoded at each call: a poll
 * needs the fingerprint alone. ERROR: memory. */
enum outcome caller_cert(const struct caller *caller, struct req *req, struct bytes *der,
                         struct err *err) MUST_USE;

typedef void handler_fn(struct app *app, struct req *req, const struct caller *caller,
                        struct resp *resp);

#endif

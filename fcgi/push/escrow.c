/* escrow.c: see escrow.h. */
#include "push/escrow.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "store/outcall.h"
#include "store/pushcert.h"
#include "wire/encode.h"
#include "wire/https.h"
#include "wire/sign.h"

#include <stdio.h>
#include <stdlib.h>

#define CALLS_MAX 4
#define LOOK_US (200000)
#define TIMEOUT_MS 15000
#define ANSWER_MAX (256u * LIM_KB)
#define URL_MAX 2048
#define REQUEST_MAX (16u * LIM_KB)

/* A call in flight; the request keeps references into it. */
struct call {
    struct escrow *owner;
    int64_t id; /* 0: free */
    char url[URL_MAX];
    struct buf request, cert, key;
    struct https_tls tls;
};

struct escrow {
    const struct conf *conf;
    struct db *db;
    struct https *https;
    struct call calls[CALLS_MAX];
    int64_t next_look; /* clock_mono() */
};

enum outcome escrow_new(const struct conf *conf, struct db *db, struct escrow **out,
                        struct err *err)
{
    struct escrow *e = calloc(1, sizeof(*e));

    *out = NULL;
    if (e == NULL)
        return err_set(err, ERROR, "out of memory");
    e->conf = conf;
    e->db = db;
    if (https_new(CALLS_MAX, 1, &e->https, err) != OK) {
        free(e);
        return err->outcome;
    }
    *out = e;
    return OK;
}

static void call_end(struct call *c)
{
    buf_wipe(&c->request);
    buf_wipe(&c->key);
    buf_free(&c->cert);
    secret_wipe(c->url, sizeof(c->url)); /* a serial number, an IMEI */
    c->id = 0;
}

void escrow_free(struct escrow **e)
{
    if (*e == NULL)
        return;
    https_free(&(*e)->https);
    for (size_t i = 0; i < CALLS_MAX; i++)
        call_end(&(*e)->calls[i]);
    free(*e);
    *e = NULL;
}

void escrow_request_add(struct buf *out, const char *query, const char *form)
{
    buf_fmt(out, "%s\n%s", query, form);
}

static void record(struct call *c, const struct outcall_answer *answer)
{
    struct err err = {0};
    enum outcome o = outcall_answered(c->owner->db, c->id, answer, &err);

    if (o != OK)
        log_err(LOG_LEVEL_WARNING, "escrow.unrecorded", &err);
    log_msg(LOG_LEVEL_INFO, "escrow.answered", "status %d%s%s", answer->status,
            answer->error != NULL ? ": " : "", answer->error != NULL ? answer->error : "");
    call_end(c);
}

static void record_failure(struct call *c, const char *why)
{
    record(c, &(struct outcall_answer){.status = 0, .error = why});
}

static void done(const struct https_answer *a)
{
    struct call *c = a->arg;

    if (a->outcome == OK)
        record(c, &(struct outcall_answer){.status = a->status,
                                           .content_type = a->header(a, "content-type"),
                                           .body = a->body});
    else
        record_failure(c, a->error);
}

/* Certificate, key and request, each opened by the signer. */
static enum outcome open_all(struct call *c, const struct outcall *o, struct arena *a,
                             struct err *err)
{
    struct pushcert_row row;
    char owner[24];
    enum outcome r;

    snprintf(owner, sizeof(owner), "%lld", (long long)o->id);
    buf_init(&c->request, REQUEST_MAX);
    buf_init(&c->cert, LIM_BODY_SCEP);
    buf_init(&c->key, LIM_SECRET);
    if ((r = pushcert_get(c->owner->db, o->topic, a, &row, err)) != OK)
        return r;
    buf_add(&c->cert, row.cert_pem.p, row.cert_pem.n);
    if ((r = sign_unseal(ESCROW_PURPOSE, owner, o->request, bytes_of(NULL, 0), "", &c->request,
                         err)) != OK ||
        (r = sign_unseal("PushKey", o->topic, row.key_sealed, bytes_of(NULL, 0), "", &c->key,
                         err)) != OK)
        return r;
    return buf_failed(&c->cert) ? err_set(err, ERROR, "the push certificate is too long") : OK;
}

static enum outcome send(struct call *c, struct err *err)
{
    static const char *const headers[] = {"Content-Type: application/x-www-form-urlencoded"};
    const struct conf *conf = c->owner->conf;
    char *form = c->request.data != NULL ? strchr(c->request.data, '\n') : NULL;
    int n;

    if (form == NULL)
        return err_set(err, ERROR, "the request is damaged");
    *form++ = '\0';
    n = snprintf(c->url, sizeof(c->url), "%s?%s", conf->escrow_url, c->request.data);
    if (n < 0 || (size_t)n >= sizeof(c->url))
        return err_set(err, INVALID, "the query is too long");
    c->tls = (struct https_tls){.ca_file = conf->escrow_ca,
                                .client_cert = buf_bytes(&c->cert),
                                .client_key = buf_bytes(&c->key)};
    return https_send(c->owner->https,
                      &(struct https_request){.method = "POST",
                                              .url = c->url,
                                              .headers = headers,
                                              .nheaders = 1,
                                              .body = bytes_str(form),
                                              .tls = &c->tls,
                                              .timeout_ms = TIMEOUT_MS,
                                              .answer_max = ANSWER_MAX,
                                              .arg = c},
                      done, err);
}

static void begin(struct escrow *e, struct call *c, const struct outcall *o, struct arena *a)
{
    struct err err = {0};

    c->owner = e;
    c->id = o->id;
    if (open_all(c, o, a, &err) == OK && send(c, &err) == OK)
        return;
    log_err(LOG_LEVEL_WARNING, "escrow.failed", &err);
    record_failure(c, err.msg);
}

static enum outcome take_up(struct escrow *e, struct err *err)
{
    struct arena *a;
    struct outcall *list;
    size_t n = 0, room = 0, next = 0;
    enum outcome o;

    for (size_t i = 0; i < CALLS_MAX; i++)
        room += e->calls[i].id == 0;
    if (room == 0 || (a = arena_new(LIM_MB)) == NULL)
        return OK;
    o = outcall_claim(e->db, room, a, &list, &n, err);
    for (size_t i = 0; i < CALLS_MAX && next < n; i++)
        if (e->calls[i].id == 0)
            begin(e, &e->calls[i], &list[next++], a);
    arena_wipe(a);
    arena_free(&a);
    return o;
}

enum outcome escrow_turn(struct escrow *e, struct err *err)
{
    int64_t now = clock_mono();
    enum outcome o = OK;

    if (now >= e->next_look) {
        e->next_look = now + LOOK_US;
        o = take_up(e, err);
    }
    https_run(e->https, 0);
    return o;
}

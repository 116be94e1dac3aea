/*
 * https.c: the HTTP client: see https.h. The only user of libcurl. libcurl tells which sockets it
 * wants watched and when it wants to be called (curl_multi_socket_action); with curl_multi_perform
 * each turn would cost a visit to every request, also to those that wait for a stream.
 */
#include "wire/https.h"
#include "base/clock.h"
#include <arpa/inet.h>
#include <curl/curl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECT_MS 10000
#define IDLE_CONNECTION_S 3600L /* Apple asks that connections are kept */
#define UNACKED_MS 20000        /* octets nobody acknowledges for so long end a connection */
#define EVENTS 64
#define CORKED_MAX 4     /* HTTP/2 connections whose writes are gathered */
#define SPARE_MAX 512    /* finished easy handles kept for the next requests */
#define SPARE_BODY 65536 /* a larger body buffer is freed */
#define CUT_MAX 65536    /* octets past the wanted ones that are read, to keep the connection */

struct job {
    CURL *easy;
    struct job *prev, *next; /* in flight, or spare (next only) */
    struct curl_slist *headers;
    https_done_fn *done;
    void *arg;
    struct buf body;
    bool too_long, http2_only, cut, refused;
    size_t past; /* octets that were let go */
    bool (*admit)(void *arg, const char *address);
    void *admit_arg;
    char error[CURL_ERROR_SIZE], refusal[INET6_ADDRSTRLEN + 64];
};

struct https {
    CURLM *multi;
    struct job *flying, *spare;
    size_t nflying, nspare;
    int epoll, wake; /* wake: an eventfd */
    int64_t call_at; /* clock_mono() when libcurl wants to be called; -1: not at all */
    int corked[CORKED_MAX];
    size_t ncorked;
};

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;
static CURLcode curl_ready;

static void curl_start(void)
{
    curl_ready = curl_global_init(CURL_GLOBAL_DEFAULT);
}

/* libcurl wants fd watched, or no longer. */
static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *known)
{
    struct https *h = arg;
    struct epoll_event e = {.data.fd = fd};
    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        epoll_ctl(h->epoll, EPOLL_CTL_DEL, fd, NULL);
        return 0;
    }
    e.events = (what & CURL_POLL_IN ? EPOLLIN : 0u) | (what & CURL_POLL_OUT ? EPOLLOUT : 0u);
    if (known && epoll_ctl(h->epoll, EPOLL_CTL_MOD, fd, &e) == 0)
        return 0;
    curl_multi_assign(h->multi, fd, h); /* anything but NULL: known from now on */
    return epoll_ctl(h->epoll, EPOLL_CTL_ADD, fd, &e) == 0 ? 0 : -1;
}

static int on_timer(CURLM *multi, long ms, void *arg)
{
    struct https *h = arg;
    (void)multi;
    h->call_at = ms < 0 ? -1 : clock_mono() + (int64_t)ms * 1000;
    return 0;
}

static bool descriptors_open(struct https *h)
{
    struct epoll_event e = {.events = EPOLLIN};
    h->epoll = epoll_create1(EPOLL_CLOEXEC);
    h->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    e.data.fd = h->wake;
    return h->epoll >= 0 && h->wake >= 0 && epoll_ctl(h->epoll, EPOLL_CTL_ADD, h->wake, &e) == 0;
}

enum outcome https_new(size_t max_connections, size_t streams, struct https **out, struct err *err)
{
    *out = NULL;
    pthread_once(&curl_once, curl_start);
    struct https *h = curl_ready == CURLE_OK ? calloc(1, sizeof *h) : NULL;
    if (!h)
        return err_set(err, ERROR, "https: libcurl does not start");
    h->call_at = -1;
    if (!descriptors_open(h) || !(h->multi = curl_multi_init())) {
        https_free(&h);
        return err_set(err, ERROR, "https: no descriptor or memory for a client");
    }
    curl_multi_setopt(h->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(h->multi, CURLMOPT_SOCKETDATA, h);
    curl_multi_setopt(h->multi, CURLMOPT_TIMERFUNCTION, on_timer);
    curl_multi_setopt(h->multi, CURLMOPT_TIMERDATA, h);
    curl_multi_setopt(h->multi, CURLMOPT_PIPELINING, CURLPIPE_MULTIPLEX);
    curl_multi_setopt(h->multi, CURLMOPT_MAX_HOST_CONNECTIONS, (long)max_connections);
    curl_multi_setopt(h->multi, CURLMOPT_MAXCONNECTS, (long)max_connections * 4);
    curl_multi_setopt(h->multi, CURLMOPT_MAX_CONCURRENT_STREAMS, (long)streams);
    *out = h;
    return OK;
}

static void job_drop(struct job *j)
{
    curl_easy_cleanup(j->easy);
    curl_slist_free_all(j->headers);
    buf_free(&j->body);
    free(j);
}

void https_free(struct https **h)
{
    if (!h || !*h)
        return;
    struct job *j;
    while ((j = (*h)->flying)) {
        (*h)->flying = j->next;
        curl_multi_remove_handle((*h)->multi, j->easy);
        job_drop(j);
    }
    while ((j = (*h)->spare)) {
        (*h)->spare = j->next;
        job_drop(j);
    }
    if ((*h)->multi)
        curl_multi_cleanup((*h)->multi);
    if ((*h)->epoll >= 0)
        close((*h)->epoll);
    if ((*h)->wake >= 0)
        close((*h)->wake);
    free(*h);
    *h = NULL;
}

static struct job *job_take(struct https *h)
{
    struct job *j = h->spare;
    if (j) {
        h->spare = j->next;
        h->nspare--;
        return j;
    }
    j = calloc(1, sizeof *j);
    if (j && !(j->easy = curl_easy_init())) {
        free(j);
        j = NULL;
    }
    return j;
}

/* Keeps the handle for another request, without anything of this one. */
static void job_give(struct https *h, struct job *j)
{
    curl_slist_free_all(j->headers);
    j->headers = NULL;
    curl_easy_reset(j->easy);
    if (h->nspare >= SPARE_MAX) {
        job_drop(j);
        return;
    }
    if (j->body.cap > SPARE_BODY)
        buf_free(&j->body);
    j->next = h->spare;
    h->spare = j;
    h->nspare++;
}

static size_t body_write(char *p, size_t size, size_t n, void *arg)
{
    struct job *j = arg;
    if (j->cut) {
        size_t room = j->body.max - j->body.len, take = size * n < room ? size * n : room;
        buf_add(&j->body, p, take);
        j->past += size * n - take;
        return j->past <= CUT_MAX ? size * n : 0;
    }
    buf_add(&j->body, p, size * n);
    j->too_long = buf_failed(&j->body);
    return j->too_long ? 0 : size * n;
}

/* A peer that vanished without a word is noticed by the kernel, not by every request's time-out. */
static int socket_setup(void *arg, curl_socket_t fd, curlsocktype purpose)
{
    struct https *h = arg; /* NULL unless http2_only */
    unsigned ms = UNACKED_MS;
    int on = 1;
    (void)purpose;
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof ms);
    if (h && h->ncorked < CORKED_MAX && setsockopt(fd, IPPROTO_TCP, TCP_CORK, &on, sizeof on) == 0)
        h->corked[h->ncorked++] = fd;
    return CURL_SOCKOPT_OK;
}

/* Opens a socket to an address that may be connected to. */
static curl_socket_t socket_open(void *arg, curlsocktype purpose, struct curl_sockaddr *to)
{
    struct job *j = arg;
    char text[INET6_ADDRSTRLEN] = "";
    (void)purpose;
    if (to->family == AF_INET)
        inet_ntop(AF_INET, &((struct sockaddr_in *)&to->addr)->sin_addr, text, sizeof text);
    else if (to->family == AF_INET6)
        inet_ntop(AF_INET6, &((struct sockaddr_in6 *)&to->addr)->sin6_addr, text, sizeof text);
    if (!j->admit(j->admit_arg, text)) {
        j->refused = true;
        snprintf(j->refusal, sizeof j->refusal, "%s is an address that is not connected to", text);
        return CURL_SOCKET_BAD;
    }
    return socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
}

static int socket_close(void *arg, curl_socket_t fd)
{
    struct https *h = arg;
    for (size_t i = 0; i < h->ncorked; i++)
        if (h->corked[i] == fd)
            h->corked[i] = h->corked[--h->ncorked];
    return close(fd);
}

/* libcurl writes each frame of each stream by itself; what one turn wrote goes out together. */
static void corked_flush(const struct https *h)
{
    static const int off = 0, on = 1;
    for (size_t i = 0; i < h->ncorked; i++) {
        setsockopt(h->corked[i], IPPROTO_TCP, TCP_CORK, &off, sizeof off);
        setsockopt(h->corked[i], IPPROTO_TCP, TCP_CORK, &on, sizeof on);
    }
}

static bool header_is(const char *line, const char *name)
{
    size_t n = strlen(name);
    return strncasecmp(line, name, n) == 0 && line[n] == ':';
}

/* The request's headers, less what libcurl would add unasked. False: out of memory. */
static bool headers_build(struct job *j, const struct https_request *r)
{
    bool typed = false, ok = true;
    for (size_t i = 0; i < r->nheaders && ok; i++) {
        struct curl_slist *l = curl_slist_append(j->headers, r->headers[i]);
        ok = l != NULL;
        j->headers = l ? l : j->headers;
        typed = typed || header_is(r->headers[i], "Content-Type");
    }
    static const char *const none[] = {"Expect:", "Content-Type:"};
    for (size_t i = 0; i < (typed ? 1 : 2) && ok; i++) {
        struct curl_slist *l = curl_slist_append(j->headers, none[i]);
        ok = l != NULL;
        j->headers = l ? l : j->headers;
    }
    return ok;
}

#define SET(option, value) (ok = ok && curl_easy_setopt(j->easy, option, value) == CURLE_OK)

static bool method_set(struct job *j, const struct https_request *r)
{
    bool ok = true;
    if (strcmp(r->method, "HEAD") == 0) {
        SET(CURLOPT_NOBODY, 1L);
        return ok;
    }
    if (r->body.n > 0 || strcmp(r->method, "POST") == 0 || strcmp(r->method, "PUT") == 0) {
        SET(CURLOPT_POST, 1L);
        SET(CURLOPT_POSTFIELDS, r->body.n ? (const char *)r->body.p : "");
        SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body.n);
    }
    if (strcmp(r->method, "GET") != 0 && strcmp(r->method, "POST") != 0)
        SET(CURLOPT_CUSTOMREQUEST, r->method);
    return ok;
}

static bool tls_set(struct job *j, const struct https_tls *t)
{
    bool ok = true;
    bool any = t && t->any_certificate && t->client_cert.n == 0;
    SET(CURLOPT_SSL_VERIFYPEER, any ? 0L : 1L);
    SET(CURLOPT_SSL_VERIFYHOST, any ? 0L : 2L);
    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (t && t->ca_file && *t->ca_file)
        SET(CURLOPT_CAINFO, t->ca_file);
    if (t && t->client_cert.n > 0) {
        struct curl_blob cert = {(void *)t->client_cert.p, t->client_cert.n, CURL_BLOB_NOCOPY};
        struct curl_blob key = {(void *)t->client_key.p, t->client_key.n, CURL_BLOB_NOCOPY};
        SET(CURLOPT_SSLCERTTYPE, "PEM");
        SET(CURLOPT_SSLKEYTYPE, "PEM");
        SET(CURLOPT_SSLCERT_BLOB, &cert);
        SET(CURLOPT_SSLKEY_BLOB, &key);
    }
    return ok;
}

static bool job_set(struct https *h, struct job *j, const struct https_request *r)
{
    bool ok = headers_build(j, r);
    int64_t connect_ms = r->timeout_ms < CONNECT_MS ? r->timeout_ms : CONNECT_MS;
    SET(CURLOPT_PRIVATE, j);
    SET(CURLOPT_CERTINFO, r->tell_expiry ? 1L : 0L);
    SET(CURLOPT_ERRORBUFFER, j->error);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_PROTOCOLS_STR, r->http2_only ? "https" : "https,http");
    SET(CURLOPT_URL, r->url);
    SET(CURLOPT_PROXY, "");
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_HTTP_VERSION,
        (long)(r->http2_only ? CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE : CURL_HTTP_VERSION_2TLS));
    SET(CURLOPT_PIPEWAIT, r->http2_only ? 1L : 0L);
    SET(CURLOPT_USERAGENT, "drover/" DROVER_VERSION);
    SET(CURLOPT_CONNECTTIMEOUT_MS, (long)connect_ms);
    SET(CURLOPT_TIMEOUT_MS, (long)r->timeout_ms);
    SET(CURLOPT_MAXAGE_CONN, IDLE_CONNECTION_S);
    SET(CURLOPT_SOCKOPTFUNCTION, socket_setup);
    SET(CURLOPT_SOCKOPTDATA, r->http2_only ? h : NULL);
    if (r->admit) {
        SET(CURLOPT_OPENSOCKETFUNCTION, socket_open);
        SET(CURLOPT_OPENSOCKETDATA, j);
    }
    SET(CURLOPT_CLOSESOCKETFUNCTION, socket_close);
    SET(CURLOPT_CLOSESOCKETDATA, h);
    SET(CURLOPT_TCP_KEEPALIVE, 1L);
    SET(CURLOPT_WRITEFUNCTION, body_write);
    SET(CURLOPT_WRITEDATA, j);
    SET(CURLOPT_HTTPHEADER, j->headers);
    return ok && method_set(j, r) && tls_set(j, r->tls);
}

enum outcome https_send(struct https *h, const struct https_request *r, https_done_fn *done,
                        struct err *err)
{
    struct job *j = job_take(h);
    if (!j)
        return err_set(err, ERROR, "https: out of memory");
    j->done = done;
    j->arg = r->arg;
    j->too_long = j->refused = false;
    j->cut = r->answer_cut;
    j->past = 0;
    j->admit = r->admit;
    j->admit_arg = r->admit_arg;
    j->http2_only = r->http2_only;
    j->error[0] = '\0';
    buf_clear(&j->body);
    j->body.max = r->answer_max;
    if (!job_set(h, j, r) || curl_multi_add_handle(h->multi, j->easy) != CURLM_OK) {
        job_give(h, j);
        return err_set(err, ERROR, "https: libcurl refuses the request to %s", r->url);
    }
    j->prev = NULL;
    j->next = h->flying;
    if (h->flying)
        h->flying->prev = j;
    h->flying = j;
    h->nflying++;
    return OK;
}

static const char *header_get(const struct https_answer *a, const char *name)
{
    struct curl_header *found;
    const struct job *j = a->priv_;
    return curl_easy_header(j->easy, name, 0, CURLH_HEADER, -1, &found) == CURLHE_OK ? found->value
                                                                                     : NULL;
}

static bool error_has(const struct job *j, const char *word)
{
    return strstr(j->error, word) != NULL;
}

/* libcurl's result as an outcome. TLS 1.3 tells a client that its certificate is refused after
 * the handshake, as an alert that libcurl sees when it reads. */
static enum outcome outcome_of(const struct job *j, CURLcode c)
{
    switch (c) {
    case CURLE_OK:
        return OK;
    case CURLE_SSL_CONNECT_ERROR:
        return error_has(j, "SYSCALL") || error_has(j, "reset") ? UNAVAILABLE : DENIED;
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
        return error_has(j, "alert") ? DENIED : UNAVAILABLE;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CLIENTCERT:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS:
        return DENIED;
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
        return INVALID;
    case CURLE_WRITE_ERROR:
        return j->too_long ? INVALID : UNAVAILABLE;
    case CURLE_OUT_OF_MEMORY:
    case CURLE_FAILED_INIT:
        return ERROR;
    default:
        return UNAVAILABLE;
    }
}

/* An answer that was cut is one all the same; a refused address is no fault of the network. */
static enum outcome judge(const struct job *j, CURLcode *c)
{
    if (*c == CURLE_WRITE_ERROR && j->cut && j->past > CUT_MAX)
        *c = CURLE_OK;
    return *c != CURLE_OK && j->refused ? DENIED : outcome_of(j, *c);
}

static const char *expiry_get(CURL *easy)
{
    static const char name[] = "Expire date:";
    struct curl_certinfo *info = NULL;
    if (curl_easy_getinfo(easy, CURLINFO_CERTINFO, &info) != CURLE_OK || !info ||
        info->num_of_certs < 1)
        return NULL;
    for (struct curl_slist *l = info->certinfo[0]; l; l = l->next)
        if (strncmp(l->data, name, sizeof name - 1) == 0)
            return l->data + sizeof name - 1;
    return NULL;
}

static void job_finish(struct https *h, struct job *j, CURLcode c)
{
    struct https_answer a = {
        .outcome = judge(j, &c), .header = header_get, .priv_ = j, .arg = j->arg};
    long status = 0, version = 0;
    curl_off_t again = 0;
    if (c == CURLE_OK && j->http2_only) {
        /* a server that offers HTTP/1.1 alone makes libcurl forget what it was told */
        curl_easy_getinfo(j->easy, CURLINFO_HTTP_VERSION, &version);
        if (version != CURL_HTTP_VERSION_2_0) {
            a.outcome = UNAVAILABLE;
            snprintf(j->error, sizeof j->error, "the server does not speak HTTP/2");
        }
    }
    if (a.outcome == OK) {
        curl_easy_getinfo(j->easy, CURLINFO_RESPONSE_CODE, &status);
        a.status = (int)status;
        a.body = buf_bytes(&j->body);
        a.expiry = expiry_get(j->easy);
        if (curl_easy_getinfo(j->easy, CURLINFO_RETRY_AFTER, &again) == CURLE_OK)
            a.retry_after_s = again;
    } else {
        a.error = a.outcome == DENIED && j->refused ? j->refusal
                  : j->too_long                     ? "the answer is longer than allowed"
                                : (*j->error ? j->error : curl_easy_strerror(c));
    }
    curl_multi_remove_handle(h->multi, j->easy);
    if (j->prev)
        j->prev->next = j->next;
    else
        h->flying = j->next;
    if (j->next)
        j->next->prev = j->prev;
    h->nflying--;
    j->done(&a);
    job_give(h, j);
}

/* Calls done for what is finished. */
static void finish_all(struct https *h)
{
    CURLMsg *m;
    int left;
    while ((m = curl_multi_info_read(h->multi, &left))) {
        struct job *j;
        CURLcode c = m->data.result;
        curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &j);
        job_finish(h, j, c);
    }
}

/* How long to wait for an event, milliseconds rounded up. */
static int wait_ms(const struct https *h, int64_t now, int64_t end)
{
    int64_t until = h->call_at >= 0 && h->call_at < end ? h->call_at : end;
    return until <= now ? 0 : (int)((until - now + 999) / 1000);
}

/* Waits for events and passes them on. True: https_wake() was called. */
static bool turn(struct https *h, int64_t end)
{
    struct epoll_event e[EVENTS];
    int running;
    bool woken = false;
    corked_flush(h);
    int n = epoll_wait(h->epoll, e, EVENTS, wait_ms(h, clock_mono(), end));
    for (int i = 0; i < n; i++) {
        uint64_t count;
        if (e[i].data.fd == h->wake) {
            woken = read(h->wake, &count, sizeof count) > 0;
            continue;
        }
        int what = (e[i].events & EPOLLIN ? CURL_CSELECT_IN : 0) |
                   (e[i].events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
                   (e[i].events & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0);
        curl_multi_socket_action(h->multi, e[i].data.fd, what, &running);
    }
    if (h->call_at >= 0 && clock_mono() >= h->call_at) {
        h->call_at = -1;
        curl_multi_socket_action(h->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    }
    return woken;
}

size_t https_run(struct https *h, int timeout_ms)
{
    int64_t end = clock_mono() + (int64_t)timeout_ms * 1000;
    while (h->nflying > 0) {
        bool woken = turn(h, end);
        finish_all(h);
        if (woken || clock_mono() >= end)
            break;
    }
    return h->nflying;
}

void https_wake(struct https *h)
{
    uint64_t one = 1;
    if (write(h->wake, &one, sizeof one) < 0)
        return; /* the counter is full: it is awake */
}

struct once {
    struct arena *a;
    struct bytes body;
    enum outcome outcome;
    struct err *err;
    int status;
    bool done;
};

static void once_done(const struct https_answer *answer)
{
    struct once *o = answer->arg;
    o->done = true;
    o->outcome = answer->outcome;
    o->status = answer->status;
    if (answer->outcome != OK) {
        err_set(o->err, answer->outcome, "%s", answer->error);
        return;
    }
    o->body = arena_bytes(o->a, answer->body);
    if (answer->body.n > 0 && !o->body.p)
        o->outcome = err_set(o->err, ERROR, "https: out of memory");
}

enum outcome https_once(struct https *h, const struct https_request *r, struct arena *a,
                        int *status, struct bytes *body, struct err *err)
{
    struct once once = {.a = a, .err = err};
    struct https_request copy = *r;
    copy.arg = &once;
    enum outcome o = https_send(h, &copy, once_done, err);
    if (o != OK)
        return o;
    while (!once.done)
        https_run(h, 50);
    *status = once.status;
    *body = once.body;
    return once.outcome;
}

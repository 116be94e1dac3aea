/* libpipe.c: see libpipe.h. */
#include "libpipe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define NAMES_MAX 16

struct resolved {
    char name[300];
    struct sockaddr_storage addr;
    socklen_t len;
    int family;
};

struct pipe_ctx {
    struct loop *loop;
    SSL_CTX *ssl;
    struct resolved names[NAMES_MAX]; /* a ring: simulators talk to few hosts */
    size_t nnames;
};

struct pipe {
    struct pipe_ctx *ctx;
    struct loop_watch watch;
    SSL *ssl; /* NULL: plain */
    bool connected, secure;
    void (*fn)(void *arg);
    void *arg;
    enum outcome outcome;
    char error[300];
};

enum outcome pipe_ctx_new(struct loop *l, const char *ca_file, struct pipe_ctx **out,
                          struct err *err)
{
    struct pipe_ctx *c = calloc(1, sizeof *c);
    if (!c)
        return err_set(err, ERROR, "out of memory");
    c->loop = l;
    c->ssl = SSL_CTX_new(TLS_client_method());
    if (!c->ssl) {
        pipe_ctx_free(&c);
        return err_set(err, ERROR, "OpenSSL gives no TLS context");
    }
    SSL_CTX_set_min_proto_version(c->ssl, TLS1_2_VERSION);
    SSL_CTX_set_verify(c->ssl, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_mode(c->ssl, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                 SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_session_cache_mode(c->ssl, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_options(c->ssl, SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_default_verify_paths(c->ssl);
    /* A certificate trusted by a profile is an anchor even when it is no root. */
    X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(c->ssl), X509_V_FLAG_PARTIAL_CHAIN);
    if (ca_file && SSL_CTX_load_verify_locations(c->ssl, ca_file, NULL) != 1) {
        pipe_ctx_free(&c);
        return err_set(err, INVALID, "%s: no PEM certificates could be read", ca_file);
    }
    *out = c;
    return OK;
}

void pipe_ctx_free(struct pipe_ctx **c)
{
    if (!*c)
        return;
    SSL_CTX_free((*c)->ssl);
    free(*c);
    *c = NULL;
}

enum outcome pipe_ctx_trust(struct pipe_ctx *c, struct bytes der, struct err *err)
{
    const unsigned char *p = der.p;
    X509 *x = d2i_X509(NULL, &p, (long)der.n);
    if (!x) {
        ERR_clear_error();
        return err_set(err, INVALID, "not a certificate");
    }
    X509_STORE_add_cert(SSL_CTX_get_cert_store(c->ssl), x); /* adding twice does no harm */
    ERR_clear_error();
    X509_free(x);
    return OK;
}

static const struct resolved *resolve(struct pipe_ctx *c, const char *host, const char *port,
                                      struct err *err)
{
    char name[300];
    snprintf(name, sizeof name, "%s %s", host, port);
    for (size_t i = 0; i < NAMES_MAX && i < c->nnames; i++)
        if (strcmp(c->names[i].name, name) == 0)
            return &c->names[i];
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG}, *ai = NULL;
    if (strcmp(host, "localhost") == 0)
        host = "127.0.0.1";
    int rc = getaddrinfo(host, port, &hints, &ai);
    if (rc != 0) {
        err_set(err, UNAVAILABLE, "%s: %s", host, gai_strerror(rc));
        return NULL;
    }
    struct resolved *r = &c->names[c->nnames++ % NAMES_MAX];
    snprintf(r->name, sizeof r->name, "%s", name);
    memcpy(&r->addr, ai->ai_addr, ai->ai_addrlen);
    r->len = ai->ai_addrlen;
    r->family = ai->ai_family;
    freeaddrinfo(ai);
    return r;
}

static enum outcome use_identity(SSL *ssl, const struct pipe_to *to, struct err *err)
{
    const unsigned char *p = to->key.p;
    EVP_PKEY *key = d2i_AutoPrivateKey(NULL, &p, (long)to->key.n);
    bool good = key && SSL_use_certificate_ASN1(ssl, to->cert.p, (int)to->cert.n) == 1 &&
                SSL_use_PrivateKey(ssl, key) == 1;
    EVP_PKEY_free(key);
    if (good)
        return OK;
    ERR_clear_error();
    return err_set(err, INVALID, "the client certificate or its key cannot be used");
}

static enum outcome secure(struct pipe *p, const struct pipe_to *to, struct err *err)
{
    struct in6_addr ip;
    p->ssl = SSL_new(p->ctx->ssl);
    if (!p->ssl || SSL_set_fd(p->ssl, p->watch.fd) != 1)
        return err_set(err, ERROR, "out of memory");
    if (inet_pton(AF_INET, to->host, &ip) == 1 || inet_pton(AF_INET6, to->host, &ip) == 1) {
        X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(p->ssl), to->host);
    } else {
        SSL_set1_host(p->ssl, to->host);
        SSL_set_tlsext_host_name(p->ssl, to->host);
    }
    SSL_set_connect_state(p->ssl);
    return to->cert.n ? use_identity(p->ssl, to, err) : OK;
}

static void on_event(void *arg, int events)
{
    struct pipe *p = arg;
    (void)events;
    p->fn(p->arg);
}

enum outcome pipe_open(struct pipe_ctx *c, const struct pipe_to *to, void (*fn)(void *arg),
                       void *arg, struct pipe **out, struct err *err)
{
    const struct resolved *r = resolve(c, to->host, to->port, err);
    if (!r)
        return err->outcome;
    struct pipe *p = calloc(1, sizeof *p);
    if (!p)
        return err_set(err, ERROR, "out of memory");
    p->ctx = c;
    p->fn = fn;
    p->arg = arg;
    p->watch.fn = on_event;
    p->watch.arg = p;
    p->watch.fd = socket(r->family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    enum outcome o = OK;
    if (p->watch.fd < 0) {
        o = err_set(err, ERROR, "socket: %s", strerror(errno));
    } else if (connect(p->watch.fd, (const struct sockaddr *)&r->addr, r->len) != 0 &&
               errno != EINPROGRESS) {
        o = err_set(err, UNAVAILABLE, "connect to %s port %s: %s", to->host, to->port,
                    strerror(errno));
    } else {
        setsockopt(p->watch.fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
        o = to->tls ? secure(p, to, err) : OK;
    }
    if (o == OK)
        o = loop_watch_set(c->loop, &p->watch, LOOP_WRITE, err);
    if (o != OK)
        pipe_free(&p);
    *out = p;
    return o;
}

static int fail(struct pipe *p, enum outcome o, const char *what)
{
    p->outcome = o;
    snprintf(p->error, sizeof p->error, "%s", what);
    return -1;
}

static void wait_for(struct pipe *p, int events)
{
    struct err err = {0};
    if (loop_watch_set(p->ctx->loop, &p->watch, events, &err) != OK)
        fprintf(stderr, "%s\n", err.msg);
}

/* What an SSL_ call that returned rc wants: PIPE_WAIT, 0 for the end, or -1 with the reason. */
static int ssl_wants(struct pipe *p, int rc)
{
    int saved = errno;
    switch (SSL_get_error(p->ssl, rc)) {
    case SSL_ERROR_WANT_READ:
        wait_for(p, LOOP_READ);
        return PIPE_WAIT;
    case SSL_ERROR_WANT_WRITE:
        wait_for(p, LOOP_WRITE);
        return PIPE_WAIT;
    case SSL_ERROR_ZERO_RETURN:
        return 0;
    case SSL_ERROR_SYSCALL:
        ERR_clear_error();
        return fail(p, UNAVAILABLE, saved ? strerror(saved) : "connection closed");
    default:
        break;
    }
    long verified = SSL_get_verify_result(p->ssl);
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());
    char words[256];
    if (verified != X509_V_OK)
        snprintf(words, sizeof words, "the server's certificate: %s",
                 X509_verify_cert_error_string(verified));
    else
        snprintf(words, sizeof words, "TLS: %s", reason ? reason : "failed");
    ERR_clear_error();
    return fail(p, verified != X509_V_OK ? DENIED : UNAVAILABLE, words);
}

int pipe_ready(struct pipe *p)
{
    if (!p->connected) {
        int e = 0;
        socklen_t n = sizeof e;
        struct sockaddr_storage peer;
        socklen_t npeer = sizeof peer;
        getsockopt(p->watch.fd, SOL_SOCKET, SO_ERROR, &e, &n);
        if (e)
            return fail(p, UNAVAILABLE, strerror(e));
        if (getpeername(p->watch.fd, (struct sockaddr *)&peer, &npeer) != 0)
            return 0;
        p->connected = true;
    }
    if (!p->ssl || p->secure)
        return 1;
    ERR_clear_error();
    int rc = SSL_do_handshake(p->ssl);
    if (rc == 1) {
        p->secure = true;
        return 1;
    }
    int w = ssl_wants(p, rc);
    if (w == 0)
        return fail(p, UNAVAILABLE, "closed during the TLS handshake");
    return w == PIPE_WAIT ? 0 : -1;
}

static ssize_t plain_result(struct pipe *p, ssize_t n, int events)
{
    if (n >= 0)
        return n;
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) {
        wait_for(p, events);
        return PIPE_WAIT;
    }
    return fail(p, UNAVAILABLE, strerror(errno));
}

ssize_t pipe_read(struct pipe *p, void *to, size_t n)
{
    if (!p->ssl)
        return plain_result(p, recv(p->watch.fd, to, n, 0), LOOP_READ);
    ERR_clear_error();
    errno = 0;
    int rc = SSL_read(p->ssl, to, (int)n);
    return rc > 0 ? rc : ssl_wants(p, rc);
}

ssize_t pipe_write(struct pipe *p, const void *from, size_t n)
{
    if (!p->ssl)
        return plain_result(p, send(p->watch.fd, from, n, MSG_NOSIGNAL), LOOP_WRITE);
    ERR_clear_error();
    errno = 0;
    int rc = SSL_write(p->ssl, from, (int)(n > 1 << 20 ? 1 << 20 : n));
    if (rc > 0)
        return rc;
    int w = ssl_wants(p, rc);
    return w == 0 ? fail(p, UNAVAILABLE, "connection closed") : w;
}

void pipe_rest(struct pipe *p)
{
    loop_watch_end(p->ctx->loop, &p->watch);
}

enum outcome pipe_outcome(const struct pipe *p)
{
    return p && p->outcome != OK ? p->outcome : UNAVAILABLE;
}

const char *pipe_error(const struct pipe *p)
{
    return p ? p->error : "";
}

void pipe_free(struct pipe **pp)
{
    struct pipe *p = *pp;
    if (!p)
        return;
    *pp = NULL;
    loop_watch_end(p->ctx->loop, &p->watch);
    if (p->ssl) {
        if (p->secure)
            SSL_shutdown(p->ssl);
        SSL_free(p->ssl);
        ERR_clear_error();
    }
    if (p->watch.fd >= 0)
        close(p->watch.fd);
    free(p);
}

/*
 * apns: a simulator of Apple's push service: a FastCGI program behind lighttpd
 * (apns-lighttpd.conf.in, started by apns-start), which speaks HTTP/2 and asks for the client
 * certificate. apns.1 beside this file tells what it takes and answers, and the words of the wake
 * socket and of the control addresses.
 */
#include "libapns.h"
#include "base/uuid.h"
#include <fcgiapp.h>
#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#define BODY_MAX 65536   /* read at most */
#define PAYLOAD_MAX 4096 /* Apple's ceiling of a payload */
#define CONTROL_MAX (4u * LIM_MB)

static bool anonymous;

static const char *param(const FCGX_Request *r, const char *name)
{
    const char *v = FCGX_GetParam(name, r->envp);
    return v ? v : "";
}

/* Reads the body into b, whose ceiling decides; what is too much is thrown away. */
static void body_read(const FCGX_Request *r, struct buf *b)
{
    char chunk[8192];
    int n;
    while ((n = FCGX_GetStr(chunk, sizeof chunk, r->in)) > 0)
        if (!buf_failed(b))
            buf_add(b, chunk, (size_t)n);
}

static bool digits(const char *s)
{
    return *s && strspn(s, "0123456789") == strlen(s);
}

static struct verdict refuse(int status, const char *reason)
{
    struct verdict v = {.status = status};
    snprintf(v.reason, sizeof v.reason, "%s", reason);
    return v;
}

/* The path's token in lower case. False: it is no /3/device/HEX. */
static bool token_of(const char *path, char out[APNS_TOKEN_MAX + 1])
{
    static const char prefix[] = "/3/device/";
    if (strncmp(path, prefix, sizeof prefix - 1) != 0)
        return false;
    const char *t = path + sizeof prefix - 1;
    size_t n = strcspn(t, "?");
    if (n > APNS_TOKEN_MAX)
        return false;
    for (size_t i = 0; i < n; i++)
        out[i] = (char)(t[i] >= 'A' && t[i] <= 'F' ? t[i] - 'A' + 'a' : t[i]);
    out[n] = '\0';
    return true;
}

/* The PushMagic of a body that is exactly {"mdm": "..."}. False: it is not. */
static bool magic_of(const struct buf *body, char out[APNS_MAGIC_MAX + 1])
{
    js root = NULL;
    const char *mdm = NULL;
    if (js_parse(buf_bytes(body), &root, NULL) == OK && js_size(root) == 1)
        mdm = js_get_str(root, "mdm");
    bool ok = mdm && strlen(mdm) <= APNS_MAGIC_MAX;
    if (ok)
        snprintf(out, APNS_MAGIC_MAX + 1, "%s", mdm);
    js_free(&root);
    return ok;
}

/* What Apple would object to, status 200 when nothing. Fills p as far as it gets. */
static struct verdict request_check(const FCGX_Request *r, const struct buf *body, struct push *p)
{
    const char *verify = param(r, "SSL_CLIENT_VERIFY");
    const char *type = param(r, "HTTP_APNS_PUSH_TYPE");
    const char *expiration = param(r, "HTTP_APNS_EXPIRATION");
    const char *priority = param(r, "HTTP_APNS_PRIORITY");
    const char *id = param(r, "HTTP_APNS_ID");
    snprintf(p->topic, sizeof p->topic, "%s", param(r, "HTTP_APNS_TOPIC"));
    snprintf(p->serial, sizeof p->serial, "%s", param(r, "SSL_CLIENT_M_SERIAL"));
    p->expiration = digits(expiration) ? strtoll(expiration, NULL, 10) : -1;
    p->priority = digits(priority) ? atoi(priority) : -1;
    if (uuid_valid(id))
        snprintf(p->apns_id, sizeof p->apns_id, "%s", id);
    else
        uuid_v4(p->apns_id);
    if (strcmp(param(r, "REQUEST_METHOD"), "POST") != 0)
        return refuse(405, "MethodNotAllowed");
    bool anon = anonymous && (!*verify || strcmp(verify, "NONE") == 0);
    if (!anon && strcmp(verify, "SUCCESS") != 0)
        return refuse(403, strncmp(verify, "FAILED", 6) == 0 ? "BadCertificate"
                                                             : "MissingProviderToken");
    if (!token_of(param(r, "REQUEST_URI"), p->token))
        return refuse(404, "BadPath");
    if (!*p->token)
        return refuse(400, "MissingDeviceToken");
    if (strspn(p->token, "0123456789abcdef") != strlen(p->token) || strlen(p->token) % 2)
        return refuse(400, "BadDeviceToken");
    if (!*p->topic)
        return refuse(400, "MissingTopic");
    if (!anon && strcmp(p->topic, param(r, "SSL_CLIENT_S_DN_UID")) != 0)
        return refuse(400, "TopicDisallowed");
    if (strcmp(type, "mdm") != 0)
        return refuse(400, "InvalidPushType");
    if (*priority && strcmp(priority, "10") != 0 && strcmp(priority, "5") != 0)
        return refuse(400, "BadPriority");
    if (*expiration && p->expiration < 0)
        return refuse(400, "BadExpirationDate");
    if (*id && !uuid_valid(id))
        return refuse(400, "BadMessageId");
    if (body->len > PAYLOAD_MAX || buf_failed(body))
        return refuse(413, "PayloadTooLarge");
    if (body->len == 0)
        return refuse(400, "PayloadEmpty");
    if (!magic_of(body, p->magic))
        return refuse(400, "BadMdmPayload");
    return (struct verdict){.status = 200};
}

static void sleep_ms(int64_t ms)
{
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    nanosleep(&t, NULL);
}

static void verdict_write(FCGX_Request *r, const struct verdict *v, const struct push *p)
{
    FCGX_FPrintF(r->out, "Status: %d\r\napns-id: %s\r\n", v->status, p->apns_id);
    if (*v->retry_after)
        FCGX_FPrintF(r->out, "Retry-After: %s\r\n", v->retry_after);
    if (v->status == 200) {
        FCGX_FPrintF(r->out, "Content-Length: 0\r\n\r\n");
        return;
    }
    struct buf b = BUF_INIT(4096);
    js o = js_object();
    js_set_str(o, "reason", v->reason);
    if (v->timestamp)
        js_set_int(o, "timestamp", v->timestamp);
    if (js_write(o, false, &b) == OK)
        FCGX_FPrintF(r->out, "Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
                     (int)b.len, buf_cstr(&b));
    js_free(&o);
    buf_free(&b);
}

static void push_serve(FCGX_Request *r)
{
    struct push p = {.time_us = clock_now()};
    struct buf body = BUF_INIT(BODY_MAX);
    body_read(r, &body);
    struct verdict v = request_check(r, &body, &p);
    if (v.status == 200)
        rules_apply(&p, &v);
    buf_free(&body);
    if (v.delay_ms > 0)
        sleep_ms(v.delay_ms);
    pushes_add(&p, &v);
    if (v.reset) {
        /* Fewer octets than announced: the web server can only break the stream off. */
        FCGX_FPrintF(r->out, "Status: 200\r\nContent-Length: 1000\r\n\r\n{");
        return;
    }
    if (v.status == 200)
        wake_send(p.token, p.magic);
    verdict_write(r, &v, &p);
}

static void control_serve(FCGX_Request *r)
{
    struct buf body = BUF_INIT(CONTROL_MAX), out = BUF_INIT(64 * LIM_MB);
    body_read(r, &body);
    int status = buf_failed(&body)
                     ? 413
                     : control_answer(param(r, "REQUEST_METHOD"), param(r, "REQUEST_URI"),
                                      buf_bytes(&body), &out);
    FCGX_FPrintF(r->out, "Status: %d\r\nContent-Type: application/json\r\n\r\n", status);
    FCGX_PutStr(buf_cstr(&out), (int)out.len, r->out);
    buf_free(&body);
    buf_free(&out);
}

static void *serve(void *arg)
{
    FCGX_Request r;
    FCGX_InitRequest(&r, *(int *)arg, 0);
    while (FCGX_Accept_r(&r) == 0) {
        bool tls = strcasecmp(param(&r, "HTTPS"), "on") == 0;
        if (!tls && strncmp(param(&r, "REQUEST_URI"), "/control", 8) == 0)
            control_serve(&r);
        else
            push_serve(&r);
        FCGX_Finish_r(&r);
    }
    return NULL;
}

static int usage(FILE *to)
{
    fprintf(to, "usage: apns --socket PATH --wake PATH [--threads N] [--anonymous]\n"
                "A simulator of Apple's push service: a FastCGI program behind lighttpd, which\n"
                "apns-start sets up and starts, with certificates (apns-start --help).\n"
                "  --socket PATH  Unix socket on which lighttpd speaks FastCGI\n"
                "  --wake PATH    Unix socket on which simulated devices hear of pushes\n"
                "  --threads N    requests that are answered at the same time (16)\n"
                "  --anonymous    takes pushes of any topic without a client certificate too\n");
    return to == stdout ? 0 : 2;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"socket", required_argument, NULL, 's'},  {"wake", required_argument, NULL, 'w'},
        {"threads", required_argument, NULL, 't'}, {"anonymous", no_argument, NULL, 'a'},
        {"help", no_argument, NULL, 'h'},          {NULL, 0, NULL, 0}};
    const char *socket_path = NULL, *wake_path = NULL;
    int threads = 16, c;
    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (c == 's')
            socket_path = optarg;
        else if (c == 'w')
            wake_path = optarg;
        else if (c == 't')
            threads = atoi(optarg);
        else if (c == 'a')
            anonymous = true;
        else
            return usage(c == 'h' ? stdout : stderr);
    }
    if (!socket_path || !wake_path || threads < 1 || threads > 512 || optind != argc)
        return usage(stderr);
    signal(SIGPIPE, SIG_IGN);
    unlink(socket_path);
    int fd = -1;
    if (FCGX_Init() != 0 || (fd = FCGX_OpenSocket(socket_path, 1024)) < 0) {
        fprintf(stderr, "apns: cannot listen on %s\n", socket_path);
        return 1;
    }
    if (!wake_start(wake_path)) {
        fprintf(stderr, "apns: cannot listen on %s\n", wake_path);
        return 1;
    }
    for (int i = 1; i < threads; i++) {
        pthread_t t;
        if (pthread_create(&t, NULL, serve, &fd) != 0)
            return 1;
        pthread_detach(t);
    }
    serve(&fd);
    return 0;
}

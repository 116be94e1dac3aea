/*
 * libcontrol.c: the control socket, see mdmsim.1 for its words. One JSON object per
 * line; the answers come in order, one line each.
 */
#include "libsimdev.h"

#include "base/clock.h"
#include "base/limits.h"
#include "wire/encode.h"
#include "wire/json.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define CLIENTS_MAX 16

struct client {
    struct control *control;
    struct loop_watch watch; /* fd -1: free */
    struct buf in, out;
    struct simdev *waits_for;   /* answered when this device is idle, */
    bool waits_for_all;         /* or all of them; */
    struct loop_timer deadline; /* or late */
};

struct control {
    struct fleet *fleet;
    struct loop_watch watch;
    char path[108];
    struct client client[CLIENTS_MAX];
};

static void take_lines(struct client *c);

/* ------------------------------------------------------------------ answering */

static void client_end(struct client *c)
{
    struct loop *l = c->control->fleet->loop;
    loop_watch_end(l, &c->watch);
    loop_timer_end(l, &c->deadline);
    if (c->watch.fd >= 0)
        close(c->watch.fd);
    c->watch.fd = -1;
    c->waits_for = NULL;
    c->waits_for_all = false;
    buf_free(&c->in);
    buf_free(&c->out);
}

static void flush_out(struct client *c)
{
    struct err err;
    size_t at = 0;
    while (at < c->out.len) {
        ssize_t n = send(c->watch.fd, c->out.data + at, c->out.len - at, MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN)
            break;
        if (n <= 0) {
            client_end(c);
            return;
        }
        at += (size_t)n;
    }
    if (at) {
        memmove(c->out.data, c->out.data + at, c->out.len - at);
        c->out.len -= at;
    }
    if (loop_watch_set(c->control->fleet->loop, &c->watch,
                       c->out.len ? LOOP_READ | LOOP_WRITE : LOOP_READ, &err) != OK)
        client_end(c);
}

/* Takes o. */
static void answer(struct client *c, js o, const char *error)
{
    js_set_bool(o, "ok", error == NULL);
    if (error)
        js_set_str(o, "error", error);
    if (js_write(o, false, &c->out) != OK)
        buf_str(&c->out, "{\"ok\":false,\"error\":\"the answer is too long\"}");
    buf_char(&c->out, '\n');
    js_free(&o);
    flush_out(c);
}

static void refuse(struct client *c, const char *error)
{
    answer(c, js_object(), error);
}

static bool all_idle(const struct fleet *f)
{
    for (unsigned i = 0; i < f->n; i++)
        if (!simdev_idle(f->dev[i]))
            return false;
    return true;
}

static void waited(struct client *c, const char *error)
{
    struct simdev *d = c->waits_for;
    c->waits_for = NULL;
    c->waits_for_all = false;
    loop_timer_end(c->control->fleet->loop, &c->deadline);
    answer(c, d ? report_device(d) : report_fleet(c->control->fleet), error);
    if (c->watch.fd >= 0)
        take_lines(c);
}

static void on_deadline(void *arg)
{
    waited(arg, "not idle in time");
}

void control_idle(struct control *k, struct simdev *d)
{
    for (size_t i = 0; i < CLIENTS_MAX; i++) {
        struct client *c = &k->client[i];
        if (c->waits_for == d && simdev_idle(d))
            waited(c, NULL);
        else if (c->waits_for_all && all_idle(k->fleet))
            waited(c, NULL);
    }
}

/* Answers now, or when d (or, with NULL, every device) has nothing left to do. */
static void answer_when_idle(struct client *c, js request, struct simdev *d)
{
    bool wait = true;
    int64_t seconds = 30;
    js_get_bool(request, "wait", &wait);
    js_get_int(request, "timeout", &seconds);
    if (!wait || (d ? simdev_idle(d) : all_idle(c->control->fleet))) {
        answer(c, d ? report_device(d) : report_fleet(c->control->fleet), NULL);
        return;
    }
    c->waits_for = d;
    c->waits_for_all = d == NULL;
    loop_timer_set(c->control->fleet->loop, &c->deadline, seconds * SECOND_US);
}

/* ------------------------------------------------------------------ operations */

struct call {
    struct client *client;
    struct fleet *fleet;
    js request;
    struct simdev *device; /* for operations on one */
    unsigned channel;
};

static void op_enrol(struct call *k)
{
    int64_t count = 0;
    if (k->device) {
        simdev_do(k->device, job_new(JOB_ENROL, 0));
        answer_when_idle(k->client, k->request, k->device);
        return;
    }
    js_get_int(k->request, "count", &count);
    if (count < 1 || count > 1000000 || !fleet_grow(k->fleet, (unsigned)count)) {
        refuse(k->client, "enrol wants a device, or a count of new ones");
        return;
    }
    for (unsigned i = k->fleet->n - (unsigned)count; i < k->fleet->n; i++)
        simdev_do(k->fleet->dev[i], job_new(JOB_ENROL, 0));
    answer_when_idle(k->client, k->request, NULL);
}

static void op_poll(struct call *k)
{
    simdev_poll(k->device, k->channel);
    answer_when_idle(k->client, k->request, k->device);
}

static void op_checkout(struct call *k)
{
    struct job *j = job_new(JOB_MESSAGE, 0);
    j->message = MSG_CHECK_OUT;
    j->leave = true;
    simdev_do(k->device, j);
    answer_when_idle(k->client, k->request, k->device);
}

static void op_wipe(struct call *k)
{
    bool enrol = false;
    simdev_wipe(k->device);
    js_get_bool(k->request, "enrol", &enrol);
    if (enrol)
        simdev_do(k->device, job_new(JOB_ENROL, 0));
    answer_when_idle(k->client, k->request, k->device);
}

static void op_replace(struct call *k)
{
    simdev_do(k->device, job_new(JOB_REPLACE, 0));
    answer_when_idle(k->client, k->request, k->device);
}

/* A backup brings profile and identity back; the push token is another. */
static void op_restore(struct call *k)
{
    k->device->channel[0].token_count++;
    simdev_message(k->device, MSG_TOKEN_UPDATE, 0);
    answer_when_idle(k->client, k->request, k->device);
}

static void op_token(struct call *k)
{
    k->device->channel[k->channel].token_count++;
    simdev_message(k->device, MSG_TOKEN_UPDATE, k->channel);
    answer_when_idle(k->client, k->request, k->device);
}

static void op_message(struct call *k)
{
    static const struct {
        const char *name;
        enum message_kind kind;
    } kinds[] = {{"Authenticate", MSG_AUTHENTICATE},
                 {"TokenUpdate", MSG_TOKEN_UPDATE},
                 {"CheckOut", MSG_CHECK_OUT},
                 {"SetBootstrapToken", MSG_SET_BOOTSTRAP},
                 {"GetBootstrapToken", MSG_GET_BOOTSTRAP},
                 {"UserAuthenticate", MSG_USER_AUTHENTICATE}};
    const char *type = js_get_str(k->request, "type");
    for (size_t i = 0; type && i < sizeof kinds / sizeof kinds[0]; i++)
        if (strcmp(kinds[i].name, type) == 0) {
            simdev_message(k->device, kinds[i].kind, k->channel);
            answer_when_idle(k->client, k->request, k->device);
            return;
        }
    refuse(k->client, "message wants a type: Authenticate, TokenUpdate, CheckOut, "
                      "SetBootstrapToken, GetBootstrapToken or UserAuthenticate");
}

static void op_raw(struct call *k)
{
    const char *body = js_get_str(k->request, "body"), *url = js_get_str(k->request, "url"),
               *type = js_get_str(k->request, "content_type");
    struct arena *a = arena_new(64 * LIM_MB);
    struct bytes octets = {0};
    if (!a || !body || base64_decode(a, bytes_str(body), &octets) != OK) {
        refuse(k->client, "raw wants a body, in base64");
        arena_free(&a);
        return;
    }
    struct job *j = job_new(JOB_RAW, 0);
    j->content_type = strdup(type ? type : TYPE_CHECKIN);
    j->url = url ? strdup(url) : NULL;
    j->raw = malloc(octets.n + 1);
    if (!j->content_type || !j->raw)
        abort();
    if (octets.n)
        memcpy(j->raw, octets.p, octets.n);
    j->nraw = octets.n;
    arena_free(&a);
    simdev_do(k->device, j);
    answer_when_idle(k->client, k->request, k->device);
}

static void op_device(struct call *k)
{
    answer(k->client, report_device(k->device), NULL);
}

static void op_behave(struct call *k)
{
    const char *rule = js_get_str(k->request, "rule");
    bool clear = false;
    struct err err = {0};
    js_get_bool(k->request, "clear", &clear);
    if (clear)
        script_clear(k->fleet->script);
    if (rule && script_add(k->fleet->script, rule, &err) != OK)
        refuse(k->client, err.msg);
    else
        answer(k->client, js_object(), NULL);
}

static void op_stats(struct call *k)
{
    answer(k->client, report_fleet(k->fleet), NULL);
}

static void op_settle(struct call *k)
{
    answer_when_idle(k->client, k->request, k->device);
}

static void op_quit(struct call *k)
{
    answer(k->client, report_fleet(k->fleet), NULL);
    loop_stop(k->fleet->loop);
}

enum wants { FLEET, ONE, EITHER };
static const struct {
    const char *op;
    enum wants wants;
    void (*fn)(struct call *k);
} operations[] = {
    {"behave", FLEET, op_behave}, {"checkout", ONE, op_checkout}, {"device", ONE, op_device},
    {"enrol", EITHER, op_enrol},  {"message", ONE, op_message},   {"poll", ONE, op_poll},
    {"quit", FLEET, op_quit},     {"raw", ONE, op_raw},           {"replace", ONE, op_replace},
    {"restore", ONE, op_restore}, {"settle", EITHER, op_settle},  {"stats", FLEET, op_stats},
    {"token", ONE, op_token},     {"wipe", ONE, op_wipe},
};

static void run(struct client *c, js request)
{
    struct call k = {.client = c, .fleet = c->control->fleet, .request = request};
    const char *op = js_get_str(request, "op");
    int64_t device = -1, user = 0;
    bool has_device = js_get_int(request, "device", &device);
    if (has_device && device >= 0 && device < k.fleet->n)
        k.device = k.fleet->dev[device];
    js_get_int(request, "user", &user);
    for (size_t i = 0; op && i < sizeof operations / sizeof operations[0]; i++) {
        if (strcmp(operations[i].op, op) != 0)
            continue;
        if ((operations[i].wants == ONE || has_device) && operations[i].wants != FLEET &&
            !k.device) {
            refuse(c, "no such device");
            return;
        }
        if (user < 0 || (k.device && user >= k.device->nchannels)) {
            refuse(c, "no such user");
            return;
        }
        k.channel = (unsigned)user;
        operations[i].fn(&k);
        return;
    }
    refuse(c, "no such op");
}

/* ------------------------------------------------------------------ the socket */

static void take_lines(struct client *c)
{
    char *nl;
    while (c->watch.fd >= 0 && !c->waits_for && !c->waits_for_all && c->in.len &&
           (nl = memchr(c->in.data, '\n', c->in.len))) {
        size_t n = (size_t)(nl - c->in.data);
        struct err err = {0};
        js request = NULL;
        enum outcome o = js_parse(bytes_of(c->in.data, n), &request, &err);
        memmove(c->in.data, nl + 1, c->in.len - n - 1);
        c->in.len -= n + 1;
        if (o == OK && js_type_of(request) == JS_OBJECT)
            run(c, request);
        else
            refuse(c, o == OK ? "not a JSON object" : err.msg);
        js_free(&request);
    }
}

static void on_client(void *arg, int events)
{
    struct client *c = arg;
    if (events & LOOP_READ) {
        char *room = buf_room(&c->in, 65536);
        ssize_t n = room ? recv(c->watch.fd, room, 65536, 0) : 0;
        if (n < 0 && errno == EAGAIN)
            return;
        if (n <= 0) {
            client_end(c);
            return;
        }
        buf_grew(&c->in, (size_t)n);
        take_lines(c);
    }
    if (c->watch.fd >= 0)
        flush_out(c);
}

static void on_connect(void *arg, int events)
{
    struct control *k = arg;
    struct err err;
    (void)events;
    int fd = accept4(k->watch.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0)
        return;
    for (size_t i = 0; i < CLIENTS_MAX; i++) {
        struct client *c = &k->client[i];
        if (c->watch.fd >= 0)
            continue;
        memset(c, 0, sizeof *c);
        c->control = k;
        c->in = BUF_INIT(64 * LIM_MB);
        c->out = BUF_INIT(256 * LIM_MB);
        c->watch.fd = fd;
        c->watch.fn = on_client;
        c->watch.arg = c;
        c->deadline.fn = on_deadline;
        c->deadline.arg = c;
        if (loop_watch_set(k->fleet->loop, &c->watch, LOOP_READ, &err) != OK)
            client_end(c);
        return;
    }
    close(fd);
}

enum outcome control_new(struct fleet *f, const char *path, struct control **out, struct err *err)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    struct control *k = calloc(1, sizeof *k);
    if (!k)
        return err_set(err, ERROR, "out of memory");
    k->fleet = f;
    for (size_t i = 0; i < CLIENTS_MAX; i++)
        k->client[i].watch.fd = -1;
    enum outcome o = OK;
    if ((size_t)snprintf(at.sun_path, sizeof at.sun_path, "%s", path) >= sizeof at.sun_path)
        o = err_set(err, INVALID, "%s: too long for a socket", path);
    snprintf(k->path, sizeof k->path, "%s", at.sun_path);
    unlink(k->path);
    k->watch.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    k->watch.fn = on_connect;
    k->watch.arg = k;
    if (o == OK && (k->watch.fd < 0 || bind(k->watch.fd, (struct sockaddr *)&at, sizeof at) != 0 ||
                    listen(k->watch.fd, CLIENTS_MAX) != 0))
        o = err_set(err, INVALID, "%s: %s", path, strerror(errno));
    if (o == OK)
        o = loop_watch_set(f->loop, &k->watch, LOOP_READ, err);
    if (o != OK)
        control_free(&k);
    *out = k;
    return o;
}

void control_free(struct control **kp)
{
    struct control *k = *kp;
    if (!k)
        return;
    *kp = NULL;
    for (size_t i = 0; i < CLIENTS_MAX; i++)
        if (k->client[i].watch.fd >= 0)
            client_end(&k->client[i]);
    loop_watch_end(k->fleet->loop, &k->watch);
    if (k->watch.fd >= 0)
        close(k->watch.fd);
    unlink(k->path);
    free(k);
}

/*
 * load: the load generator of `make bench`.
 *
 *   load make        --crowd DIR --devices N [--identities K]
 *   load get         --url URL
 *   load idle        --url URL --crowd DIR     polls of random devices that have nothing queued
 *   load idle-signed --url URL --crowd DIR     the same with Mdm-Signature
 *   load tokenupdate --url URL --crowd DIR
 *   load enrol       --url URL --crowd DIR     Authenticate and TokenUpdate with the next identity
 *                                              of the next device
 *   load first       --url URL --crowd DIR     enrols every device that never was, once
 *   load cycle       --url URL --crowd DIR --refill COMMAND
 *                                              poll, command, report, empty answer. Each device is
 *                                              visited once; then the shell COMMAND (not measured)
 *                                              queues one command for each device, and so on
 *   load notnow      --url URL --crowd DIR     each device polls once, and answers NotNow to each
 *                                              command until there is none
 *
 *   [--seconds S] [--requests N] [--connections C] [--body TEXT]
 *
 * URL is http://ADDRESS:PORT/PATH: plain HTTP to a web server on this machine, the certificate in
 * a Client-Cert header as from a TLS-terminating proxy. One thread, C kept connections (32), one
 * request in flight on each. Requests are made before the clock starts, except reports, which hold
 * the command's UUID. --body: what a GET must answer.
 *
 * Prints one JSON object. A status that is not 200, or a body other than expected, is an error;
 * with an error the exit status is 1.
 */
#include "libload.h"

#include "base/limits.h"
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#define LANES_MAX 1024

enum mode { MAKE, GET, IDLE, IDLE_SIGNED, TOKEN_UPDATE, ENROL, FIRST, CYCLE, NOTNOW, MODES };
static const char *const mode_names[] = {"make",  "get",   "idle",  "idle-signed", "tokenupdate",
                                         "enrol", "first", "cycle", "notnow"};

struct lane_state {
    struct buf request; /* made for this lane */
    unsigned device, identity;
    int step; /* enrol: 1 Authenticate, 2 TokenUpdate; cycle: 1 Idle, 2 report */
};

struct load {
    enum mode mode;
    const char *url, *dir, *refill, *body;
    unsigned devices, identities, connections;
    double seconds;
    uint64_t requests;
    char host[256], port[8], path[2048], authority[300];

    struct crowd *crowd;
    struct crowd_route route;
    struct buf *made; /* one request for each device */
    struct buf get;
    uint64_t random;
    unsigned visit; /* cycle, first: the next device */
    uint64_t cycles, serial;
    struct lane_state lane[LANES_MAX];
};

static struct load load;

static void die(const char *words) __attribute__((noreturn));
static void die(const char *words)
{
    fprintf(stderr, "load: %s\n", words);
    exit(2);
}

static unsigned pick(struct load *l)
{
    l->random ^= l->random << 13; /* xorshift */
    l->random ^= l->random >> 7;
    l->random ^= l->random << 17;
    return (unsigned)(l->random % l->crowd->devices);
}

static void request(struct load *l, enum crowd_message m, unsigned device, unsigned identity,
                    const char *uuid, struct buf *out)
{
    struct err err = {0};
    buf_clear(out);
    if (crowd_request(l->crowd, &l->route, m, device, identity, uuid, (unsigned)l->serial++, out,
                      &err) != OK)
        die(err.msg);
}

/* ------------------------------------------------------------------ get, idle, tokenupdate */

static bool next_get(void *arg, unsigned lane, struct bytes *r)
{
    struct load *l = arg;
    (void)lane;
    *r = buf_bytes(&l->get);
    return true;
}

static bool done_get(void *arg, unsigned lane, const struct answer *a)
{
    struct load *l = arg;
    (void)lane;
    return a->status == 200 && (!l->body || bytes_equal(a->body, bytes_str(l->body)));
}

static bool next_made(void *arg, unsigned lane, struct bytes *r)
{
    struct load *l = arg;
    (void)lane;
    *r = buf_bytes(&l->made[pick(l)]);
    return true;
}

static bool done_empty(void *arg, unsigned lane, const struct answer *a)
{
    (void)arg;
    (void)lane;
    return a->status == 200 && a->body.n == 0;
}

static void make_all(struct load *l, enum crowd_message m)
{
    l->made = calloc(l->crowd->devices, sizeof *l->made);
    if (!l->made)
        die("out of memory");
    for (unsigned d = 0; d < l->crowd->devices; d++) {
        l->made[d] = BUF_INIT(LIM_MB);
        if (l->crowd->current[d] < 0)
            die("not every device is enrolled: run \"load first\"");
        request(l, m, d, (unsigned)l->crowd->current[d], NULL, &l->made[d]);
    }
}

/* ------------------------------------------------------------------ enrolment */

static bool next_enrol(void *arg, unsigned lane, struct bytes *r)
{
    struct load *l = arg;
    struct lane_state *s = &l->lane[lane];
    if (s->step == 0) {
        while (l->mode == FIRST && l->visit < l->crowd->devices && l->crowd->current[l->visit] >= 0)
            l->visit++;
        if (l->mode == FIRST && l->visit >= l->crowd->devices)
            return false;
        s->identity = l->mode == FIRST ? l->visit++ : l->crowd->next++ % l->crowd->identities;
        s->device = s->identity % l->crowd->devices;
        request(l, CROWD_AUTHENTICATE, s->device, s->identity, NULL, &s->request);
        s->step = 1;
    } else {
        request(l, CROWD_TOKEN_UPDATE, s->device, s->identity, NULL, &s->request);
        s->step = 2;
    }
    *r = buf_bytes(&s->request);
    return true;
}

static bool done_enrol(void *arg, unsigned lane, const struct answer *a)
{
    struct load *l = arg;
    struct lane_state *s = &l->lane[lane];
    bool good = a->status == 200 && a->body.n == 0;
    if (s->step == 2 && good) {
        l->crowd->current[s->device] = (int)s->identity;
        l->cycles++;
    }
    if (s->step == 2 || !good)
        s->step = 0;
    return good;
}

/* ------------------------------------------------------------------ cycles */

static bool next_cycle(void *arg, unsigned lane, struct bytes *r)
{
    struct load *l = arg;
    struct lane_state *s = &l->lane[lane];
    if (s->step == 0) {
        if (l->visit >= l->crowd->devices)
            return false;
        s->device = l->visit++;
        s->step = 1;
        *r = buf_bytes(&l->made[s->device]);
        return true;
    }
    *r = buf_bytes(&s->request);
    return true;
}

/* The CommandUUID of a command as XML. */
static bool command_uuid(struct bytes body, char out[LIM_COMMAND_UUID + 1])
{
    static const char key[] = "<key>CommandUUID</key>", open[] = "<string>";
    const char *p = memmem(body.p, body.n, key, sizeof key - 1),
               *end = (const char *)body.p + body.n;
    if (p)
        p = memmem(p, (size_t)(end - p), open, sizeof open - 1);
    if (!p)
        return false;
    p += sizeof open - 1;
    const char *close = memchr(p, '<', (size_t)(end - p));
    if (!close || close - p > (long)LIM_COMMAND_UUID)
        return false;
    memcpy(out, p, (size_t)(close - p));
    out[close - p] = '\0';
    return true;
}

static bool done_cycle(void *arg, unsigned lane, const struct answer *a)
{
    struct load *l = arg;
    struct lane_state *s = &l->lane[lane];
    char uuid[LIM_COMMAND_UUID + 1];
    if (s->step == 1) {
        s->step = 0;
        if (a->status != 200 || !command_uuid(a->body, uuid))
            return false;
        request(l, CROWD_ACKNOWLEDGED, s->device, (unsigned)l->crowd->current[s->device], uuid,
                &s->request);
        s->step = 2;
        return true;
    }
    s->step = 0;
    l->cycles++;
    return a->status == 200 && a->body.n == 0;
}

static enum outcome run_cycles(struct load *l, struct engine *e, const struct work *w,
                               struct err *err)
{
    enum outcome o = OK;
    do {
        int rc = system(l->refill);
        if (rc != 0)
            return err_set(err, ERROR, "the refill command failed");
        l->visit = 0;
        o = engine_run(e, w, 0, 0, err);
    } while (o == OK && engine_seconds(e) < l->seconds &&
             (!l->requests || engine_requests(e) < l->requests));
    return o;
}

/* ------------------------------------------------------------------ NotNow */

static bool done_not_now(void *arg, unsigned lane, const struct answer *a)
{
    struct load *l = arg;
    struct lane_state *s = &l->lane[lane];
    char uuid[LIM_COMMAND_UUID + 1];
    s->step = 0;
    if (a->status != 200)
        return false;
    if (a->body.n == 0) {
        l->cycles++;
        return true;
    }
    if (!command_uuid(a->body, uuid))
        return false;
    request(l, CROWD_NOT_NOW, s->device, (unsigned)l->crowd->current[s->device], uuid, &s->request);
    s->step = 2;
    return true;
}

/* ------------------------------------------------------------------ options */

static void read_url(struct load *l)
{
    const char *p = l->url;
    if (!p || strncmp(p, "http://", 7) != 0)
        die("--url wants http://ADDRESS:PORT/PATH");
    p += 7;
    size_t n = strcspn(p, "/");
    snprintf(l->authority, sizeof l->authority, "%.*s", (int)n, p);
    snprintf(l->path, sizeof l->path, "%s", p[n] ? p + n : "/");
    snprintf(l->host, sizeof l->host, "%.200s", l->authority);
    char *colon = strrchr(l->host, ':');
    if (colon)
        *colon = '\0';
    snprintf(l->port, sizeof l->port, "%.7s", colon ? colon + 1 : "80");
}

static void parse(struct load *l, int argc, char **argv)
{
    static const struct option options[] = {{"crowd", 1, 0, 'c'},      {"devices", 1, 0, 'd'},
                                            {"identities", 1, 0, 'i'}, {"url", 1, 0, 'u'},
                                            {"refill", 1, 0, 'r'},     {"seconds", 1, 0, 's'},
                                            {"requests", 1, 0, 'n'},   {"connections", 1, 0, 'k'},
                                            {"body", 1, 0, 'b'},       {0, 0, 0, 0}};
    if (argc < 2)
        die("which mode? The head of tests/bench/load.c names them");
    while (l->mode < MODES && strcmp(mode_names[l->mode], argv[1]) != 0)
        l->mode++;
    if (l->mode == MODES)
        die("no such mode; the head of tests/bench/load.c names them");
    optind = 2;
    for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (o) {
        case 'c':
            l->dir = optarg;
            break;
        case 'd':
            l->devices = (unsigned)atoi(optarg);
            break;
        case 'i':
            l->identities = (unsigned)atoi(optarg);
            break;
        case 'u':
            l->url = optarg;
            break;
        case 'r':
            l->refill = optarg;
            break;
        case 's':
            l->seconds = atof(optarg);
            break;
        case 'n':
            l->requests = strtoull(optarg, NULL, 10);
            break;
        case 'k':
            l->connections = (unsigned)atoi(optarg);
            break;
        case 'b':
            l->body = optarg;
            break;
        default:
            exit(2);
        }
    }
    if (l->mode != GET && !l->dir)
        die("--crowd is missing");
    if (l->connections < 1 || l->connections > LANES_MAX)
        die("--connections wants 1 to 1024");
    if (l->mode == CYCLE && !l->refill)
        die("--refill is missing");
    if (l->mode == MAKE && l->devices < 1)
        die("--devices is missing");
    if (l->mode != MAKE && l->mode != FIRST && l->seconds <= 0 && !l->requests)
        die("--seconds or --requests is missing");
}

/* What the mode asks for, made before the clock starts. */
static struct work prepare(struct load *l)
{
    struct work w = {.arg = l};
    l->route =
        (struct crowd_route){.host = l->authority, .path = l->path, .sign = l->mode == IDLE_SIGNED};
    switch (l->mode) {
    case GET:
        buf_fmt(&l->get, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", l->path, l->authority);
        w.next = next_get;
        w.done = done_get;
        break;
    case IDLE:
    case IDLE_SIGNED:
        make_all(l, CROWD_IDLE);
        w.next = next_made;
        w.done = done_empty;
        break;
    case TOKEN_UPDATE:
        make_all(l, CROWD_TOKEN_UPDATE);
        w.next = next_made;
        w.done = done_empty;
        break;
    case CYCLE:
        make_all(l, CROWD_IDLE);
        w.next = next_cycle;
        w.done = done_cycle;
        break;
    case NOTNOW:
        make_all(l, CROWD_IDLE);
        w.next = next_cycle;
        w.done = done_not_now;
        break;
    default:
        w.next = next_enrol;
        w.done = done_enrol;
        break;
    }
    return w;
}

static int measure(struct load *l)
{
    struct err err = {0};
    struct engine *e = NULL;
    struct buf out = BUF_INIT(LIM_MB);
    read_url(l);
    if (l->dir && crowd_load(l->dir, &l->crowd, &err) != OK)
        die(err.msg);
    struct work w = prepare(l);
    if (engine_new(l->host, l->port, l->connections, &e, &err) != OK)
        die(err.msg);
    enum outcome o = l->mode == CYCLE
                         ? run_cycles(l, e, &w, &err)
                         : engine_run(e, &w, l->mode == FIRST ? 0 : l->seconds, l->requests, &err);
    if (l->mode == FIRST && l->crowd->next < l->crowd->devices)
        l->crowd->next = l->crowd->devices;
    if (o == OK && (l->mode == ENROL || l->mode == FIRST))
        o = crowd_save(l->crowd, &err);
    if (o != OK)
        die(err.msg);
    buf_fmt(&out, "{\"mode\":\"%s\",", mode_names[l->mode]);
    engine_report(e, &out);
    buf_fmt(&out, ",\"cycles\":%llu}\n", (unsigned long long)l->cycles);
    fputs(buf_cstr(&out), stdout);
    int status = engine_errors(e) ? 1 : 0;
    buf_free(&out);
    engine_free(&e);
    crowd_free(&l->crowd);
    return status;
}

int main(int argc, char **argv)
{
    struct err err = {0};
    load.connections = 32;
    load.random = 0x9e3779b97f4a7c15u;
    load.get = BUF_INIT(LIM_MB);
    for (unsigned i = 0; i < LANES_MAX; i++)
        load.lane[i].request = BUF_INIT(LIM_MB);
    parse(&load, argc, argv);
    if (load.mode != MAKE)
        return measure(&load);
    if (crowd_make(load.dir, load.devices, load.identities, &err) != OK)
        die(err.msg);
    return 0;
}

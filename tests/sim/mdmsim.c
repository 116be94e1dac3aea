/*
 * mdmsim: simulated Apple devices, to try a management server with. mdmsim.1 beside this file tells
 * what they do, every option, and the words of the control socket (libcontrol.c).
 */
#include "libattest.h"
#include "libsimdev.h"

#include "base/clock.h"
#include "base/limits.h"
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

struct arguments {
    const char *apple_ca, *ca_file, *wake, *answers, *control, *trace;
    unsigned devices, threads;
    bool once;
};

static struct fleet fleet;
static struct loop_timer watcher;
static bool announced, end_once;
static int exit_status;

enum option_id {
    O_DEVICES = 256,
    O_KIND,
    O_USERS,
    O_SHARED,
    O_UNSUPERVISED,
    O_UE,
    O_UA,
    O_PASSWORD,
    O_ADE,
    O_WEB,
    O_ACCOUNT,
    O_USER_NAME,
    O_APPLE,
    O_SEED,
    O_STATE,
    O_SIGN,
    O_SHA1,
    O_PROXY,
    O_SERVER,
    O_CA,
    O_SCEP_GET,
    O_BINARY,
    O_CONCURRENCY,
    O_THREADS,
    O_TIMEOUT,
    O_BACKOFF,
    O_BACKOFF_MAX,
    O_TRIES,
    O_NOTNOW,
    O_WAKE,
    O_POLL,
    O_ANSWERS,
    O_CONTROL,
    O_TRACE,
    O_VERBOSE,
    O_ONCE,
    O_ENROLL,
    O_HELP
};

static const struct option options[] = {
    {"devices", 1, 0, O_DEVICES},
    {"kind", 1, 0, O_KIND},
    {"users", 1, 0, O_USERS},
    {"shared-ipad", 0, 0, O_SHARED},
    {"unsupervised", 0, 0, O_UNSUPERVISED},
    {"user-enrollment", 0, 0, O_UE},
    {"user-authenticate", 0, 0, O_UA},
    {"user-password", 1, 0, O_PASSWORD},
    {"ade", 0, 0, O_ADE},
    {"web", 0, 0, O_WEB},
    {"account", 1, 0, O_ACCOUNT},
    {"user-name", 1, 0, O_USER_NAME},
    {"apple-ca", 1, 0, O_APPLE},
    {"seed", 1, 0, O_SEED},
    {"state", 1, 0, O_STATE},
    {"sign", 0, 0, O_SIGN},
    {"sign-sha1", 0, 0, O_SHA1},
    {"proxy-header", 0, 0, O_PROXY},
    {"server", 1, 0, O_SERVER},
    {"ca-file", 1, 0, O_CA},
    {"scep-get", 0, 0, O_SCEP_GET},
    {"binary", 1, 0, O_BINARY},
    {"concurrency", 1, 0, O_CONCURRENCY},
    {"threads", 1, 0, O_THREADS},
    {"timeout", 1, 0, O_TIMEOUT},
    {"backoff", 1, 0, O_BACKOFF},
    {"backoff-max", 1, 0, O_BACKOFF_MAX},
    {"tries", 1, 0, O_TRIES},
    {"notnow", 1, 0, O_NOTNOW},
    {"wake", 1, 0, O_WAKE},
    {"poll", 1, 0, O_POLL},
    {"answers", 1, 0, O_ANSWERS},
    {"control", 1, 0, O_CONTROL},
    {"trace", 1, 0, O_TRACE},
    {"verbose", 0, 0, O_VERBOSE},
    {"once", 0, 0, O_ONCE},
    {"enroll-url", 1, 0, O_ENROLL},
    {"help", 0, 0, O_HELP},
    {0, 0, 0, 0},
};

static void usage(FILE *to)
{
    fprintf(to,
            "usage: mdmsim --enroll-url URL [--devices N] [--kind iphone|ipad|mac|appletv|mix]\n"
            "  [--users N] [--shared-ipad] [--unsupervised] [--user-enrollment]\n"
            "  [--user-authenticate]\n"
            "  [--user-password TEXT] [--seed N] [--ade [--web]] [--account NAME@DOMAIN]\n"
            "  [--user-name NAME] [--apple-ca FILE]\n"
            "  [--state DIR] [--sign] [--sign-sha1] [--proxy-header] [--server URL]\n"
            "  [--ca-file FILE] [--scep-get] [--binary PERCENT] [--concurrency N] [--threads N]\n"
            "  [--timeout S] [--backoff S] [--backoff-max S] [--tries N] [--notnow S]\n"
            "  [--wake SOCKET] [--poll S] [--answers FILE] [--control SOCKET] [--trace FILE]\n"
            "  [--verbose] [--once]\n"
            "Simulated devices that enrol with an MDM server and obey it; mdmsim(1) explains the\n"
            "options, the rules of --answers and the control socket.\n");
}

static void die(const char *fmt, ...) PRINTF_LIKE(1, 2) __attribute__((noreturn));
static void die(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fprintf(stderr, "mdmsim: ");
    vfprintf(stderr, fmt, ap);
    fprintf(stderr, "\n");
    va_end(ap);
    exit(2);
}

static double number(const char *name, const char *s, double min, double max)
{
    char *end;
    double v = strtod(s, &end);
    if (end == s || *end || !(v >= min && v <= max))
        die("--%s wants a number from %g to %g", name, min, max);
    return v;
}

static int64_t seconds(const char *name, const char *s)
{
    return (int64_t)(number(name, s, 0, 1e6) * SECOND_US);
}

static void set_option(int id, const char *v, struct arguments *a)
{
    struct fleet_options *o = &fleet.opt;
    switch ((enum option_id)id) {
    case O_DEVICES:
        a->devices = (unsigned)number("devices", v, 0, 1e6);
        break;
    case O_KIND:
        if (!hw_kind_parse(v, &o->kind))
            die("--kind wants iphone, ipad, mac, appletv or mix");
        break;
    case O_USERS:
        o->users = (unsigned)number("users", v, 0, SIMDEV_USERS_MAX);
        break;
    case O_SHARED:
        o->shared_ipad = true;
        break;
    case O_UNSUPERVISED:
        o->unsupervised = true;
        break;
    case O_UE:
        o->user_enrollment = true;
        break;
    case O_UA:
        o->user_authenticate = true;
        break;
    case O_PASSWORD:
        o->user_password = v;
        break;
    case O_ADE:
        o->ade = true;
        break;
    case O_WEB:
        o->web = true;
        break;
    case O_ACCOUNT:
        o->account = v;
        break;
    case O_USER_NAME:
        o->user_name = v;
        break;
    case O_APPLE:
        a->apple_ca = v;
        break;
    case O_SEED:
        o->seed = strtoull(v, NULL, 0);
        break;
    case O_STATE:
        o->state_dir = v;
        break;
    case O_SHA1:
        o->sign_sha1 = true; /* fall through */
    case O_SIGN:
        o->sign = true;
        break;
    case O_PROXY:
        o->proxy_header = true;
        break;
    case O_SERVER:
        o->server = v;
        break;
    case O_CA:
        a->ca_file = v;
        break;
    case O_SCEP_GET:
        o->scep_get = true;
        break;
    case O_BINARY:
        o->binary_percent = (unsigned)number("binary", v, 0, 100);
        break;
    case O_CONCURRENCY:
        o->concurrency = (unsigned)number("concurrency", v, 1, 10000);
        break;
    case O_THREADS:
        a->threads = (unsigned)number("threads", v, 1, 16);
        break;
    case O_TIMEOUT:
        o->timeout_us = seconds("timeout", v);
        break;
    case O_BACKOFF:
        o->backoff_us = seconds("backoff", v);
        break;
    case O_BACKOFF_MAX:
        o->backoff_max_us = seconds("backoff-max", v);
        break;
    case O_TRIES:
        o->tries = (unsigned)number("tries", v, 1, 1e6);
        break;
    case O_NOTNOW:
        o->notnow_us = seconds("notnow", v);
        break;
    case O_WAKE:
        a->wake = v;
        break;
    case O_POLL:
        o->poll_us = seconds("poll", v);
        break;
    case O_ANSWERS:
        a->answers = v;
        break;
    case O_CONTROL:
        a->control = v;
        break;
    case O_TRACE:
        a->trace = v;
        break;
    case O_VERBOSE:
        o->verbose = true;
        break;
    case O_ONCE:
        a->once = true;
        break;
    case O_ENROLL:
        o->enroll_url = v;
        break;
    case O_HELP:
        usage(stdout);
        exit(0);
    }
}

static void parse_options(int argc, char **argv, struct arguments *a)
{
    fleet.opt = (struct fleet_options){
        .kind = HW_MIX,
        .concurrency = 32,
        .seed = 1,
        .binary_percent = 20,
        .backoff_us = SECOND_US,
        .backoff_max_us = MINUTE_US,
        .notnow_us = 5 * SECOND_US,
        .timeout_us = MINUTE_US,
        .tries = 8,
    };
    *a = (struct arguments){.devices = 1, .threads = 1};
    for (int id; (id = getopt_long(argc, argv, "h", options, NULL)) != -1;) {
        if (id == '?') {
            usage(stderr);
            exit(2);
        }
        set_option(id == 'h' ? O_HELP : id, optarg, a);
    }
    if (optind < argc)
        die("\"%s\" is no option", argv[optind]);
    if (!fleet.opt.enroll_url && !fleet.opt.state_dir)
        die("--enroll-url is missing; mdmsim --help");
    end_once = a->once;
}

/* ------------------------------------------------------------------ running */

static void on_signal(void *arg, int events)
{
    struct loop_watch *w = arg;
    struct signalfd_siginfo info;
    (void)events;
    if (read(w->fd, &info, sizeof info) == sizeof info)
        loop_stop(fleet.loop);
}

static enum outcome watch_signals(struct loop_watch *w, struct err *err)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    w->fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    w->fn = on_signal;
    w->arg = w;
    return loop_watch_set(fleet.loop, w, LOOP_READ, err);
}

/* Tells, once, how the enrolment of all went. */
static void on_watch(void *arg)
{
    unsigned enrolled = 0, failed = 0, busy = 0, other = 0;
    (void)arg;
    for (unsigned i = 0; i < fleet.n; i++) {
        const struct simdev *d = fleet.dev[i];
        busy += !simdev_idle(d);
        enrolled += d->state == SIMDEV_ENROLLED;
        failed += d->state == SIMDEV_FAILED;
        other += d->state != SIMDEV_ENROLLED && d->state != SIMDEV_FAILED;
    }
    if (!busy && !announced) {
        announced = true;
        printf("{\"enrolled\":%u,\"failed\":%u,\"other\":%u}\n", enrolled, failed, other);
        fflush(stdout);
    }
    if (!busy && end_once) {
        exit_status = failed || other ? 1 : 0;
        loop_stop(fleet.loop);
        return;
    }
    loop_timer_set(fleet.loop, &watcher, announced && !end_once ? 60 * SECOND_US : SECOND_US / 5);
}

/* Enrols what is not enrolled; what is goes on where it was. */
static void start_devices(void)
{
    for (unsigned i = 0; i < fleet.n; i++) {
        struct simdev *d = fleet.dev[i];
        if (d->state == SIMDEV_NEW || d->state == SIMDEV_FAILED)
            simdev_do(d, job_new(JOB_ENROL, 0));
        if (d->state != SIMDEV_ENROLLED)
            continue;
        install_resume(d);
        for (unsigned c = 0; c < d->nchannels; c++) {
            if (!d->channel[c].enrolled)
                continue;
            if (fleet.apns)
                apnsc_subscribe(fleet.apns, d, c);
            if (d->channel[c].report)
                simdev_poll(d, c);
            else if (fleet.opt.poll_us)
                channel_later(d, c, fleet.opt.poll_us * (1 + i % 16) / 16);
        }
    }
}

static void room_for_connections(void)
{
    struct rlimit r;
    if (getrlimit(RLIMIT_NOFILE, &r) == 0) {
        r.rlim_cur = r.rlim_max;
        setrlimit(RLIMIT_NOFILE, &r);
    }
}

static enum outcome set_up(const struct arguments *a, struct loop_watch *signals, struct err *err)
{
    enum outcome o = loop_new(&fleet.loop, err);
    if (o == OK)
        o = watch_signals(signals, err);
    if (o == OK)
        o = httpc_new(fleet.loop, a->ca_file, &fleet.http, err);
    if (o == OK && a->apple_ca)
        o = attest_ca_load(a->apple_ca, &fleet.apple, err);
    if (o == OK)
        o = keys_new(fleet.loop, a->threads, &fleet.keys, err);
    if (o == OK)
        o = script_new(&fleet.script, err);
    if (o == OK && a->answers)
        o = script_load(fleet.script, a->answers, err);
    if (o == OK && a->trace && !(fleet.trace = fopen(a->trace, "ae")))
        o = err_set(err, INVALID, "%s: cannot be written", a->trace);
    if (o == OK && !fleet_grow(&fleet, a->devices))
        o = err_set(err, ERROR, "out of memory");
    if (o == OK)
        o = keep_load(&fleet, err);
    if (o == OK && a->wake)
        o = apnsc_new(&fleet, a->wake, &fleet.apns, err);
    if (o == OK && a->control)
        o = control_new(&fleet, a->control, &fleet.control, err);
    return o;
}

int main(int argc, char **argv)
{
    struct arguments a;
    struct err err = {0};
    struct loop_watch signals = {.fd = -1};
    parse_options(argc, argv, &a);
    room_for_connections();
    if (set_up(&a, &signals, &err) != OK)
        die("%s", err.msg);
    watcher.fn = on_watch;
    start_devices();
    loop_timer_set(fleet.loop, &watcher, SECOND_US / 10);
    loop_run(fleet.loop);
    control_free(&fleet.control);
    fleet_free(&fleet);
    apnsc_free(&fleet.apns);
    attest_ca_free(&fleet.apple);
    keys_free(&fleet.keys);
    script_free(&fleet.script);
    httpc_free(&fleet.http);
    loop_watch_end(fleet.loop, &signals);
    close(signals.fd);
    loop_free(&fleet.loop);
    if (fleet.trace)
        fclose(fleet.trace);
    return exit_status;
}

/*
 * libinhouse.c: in-house apps. The manifest is fetched before InstallApplication is answered, since
 * the answer names the app; the package after it, beside whatever else the device does. A package
 * that breaks off is asked for from there on. What goes wrong then is told by the status "Failed".
 */
#include "libmanifest.h"
#include "libsimdev.h"

#include "base/limits.h"
#include "library/app_file.h"
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

struct install {
    struct simdev *d;
    pl command, report; /* until it is answered; NULL afterwards, or when nobody asks any more */
    char *url;          /* of the manifest */
    char *identifier;   /* of the app; NULL until it is known */
    struct manifest *manifest;
    struct httpc_conn *conn;
    int fd;                /* what there is of the package; -1: nothing */
    int64_t got, size, at; /* octets there, in all (-1: not known), and of the present answer */
    bool loading;          /* counts among those of the fleet */
    bool waiting;          /* for its turn */
    bool cut;              /* to be broken off half way, once, as a rule says */
    bool wrong;            /* words are in err */
    struct err err;
    unsigned tries;
    struct loop_timer again;
    struct install *next, *next_waiting;
};

static void load(struct install *in);

/* ------------------------------------------------------------------ taking turns */

static void load_next(struct fleet *f)
{
    while (f->waiting && f->loading < f->opt.concurrency) {
        struct install *in = f->waiting;
        f->waiting = in->next_waiting;
        in->waiting = false;
        in->loading = true;
        f->loading++;
        load(in);
    }
}

static void load_in_turn(struct install *in)
{
    struct install **p = &in->d->fleet->waiting;
    while (*p)
        p = &(*p)->next_waiting;
    *p = in;
    in->next_waiting = NULL;
    in->waiting = true;
    load_next(in->d->fleet);
}

static void install_end(struct install *in)
{
    struct simdev *d = in->d;
    struct fleet *f = d->fleet;
    struct install **p = &d->installs, **w = &f->waiting;
    while (*p != in)
        p = &(*p)->next;
    *p = in->next;
    while (in->waiting && *w != in)
        w = &(*w)->next_waiting;
    if (in->waiting)
        *w = in->next_waiting;
    f->loading -= in->loading;
    httpc_close(&in->conn);
    loop_timer_end(f->loop, &in->again);
    manifest_free(&in->manifest);
    pl_free(&in->command);
    if (in->fd >= 0)
        close(in->fd);
    free(in->identifier);
    free(in->url);
    free(in);
}

void install_abandon(struct simdev *d, const char *identifier)
{
    for (struct install *in = d->installs, *next; in; in = next) {
        next = in->next;
        if (!identifier || (in->identifier && strcmp(in->identifier, identifier) == 0))
            install_end(in);
    }
    load_next(d->fleet);
}

bool install_under_way(const struct simdev *d, const char *identifier)
{
    for (const struct install *in = d->installs; in; in = in->next)
        if (in->identifier && strcmp(in->identifier, identifier) == 0)
            return true;
    return false;
}

/* The device has one thing less to do. */
static void install_over(struct install *in)
{
    struct simdev *d = in->d;
    struct fleet *f = d->fleet;
    install_end(in);
    keep_save(d);
    load_next(f);
    if (f->control)
        control_idle(f->control, d);
}

/* ------------------------------------------------------------------ the package */

static void failed(struct install *in, const char *why)
{
    char words[sizeof in->d->last_error];
    snprintf(words, sizeof words, "%s", why);
    in->d->fleet->stats.packages_refused++;
    simdev_error(in->d, "%s: %s", in->identifier, words);
    app_failed(in->d, in->identifier);
    install_over(in);
}

/* What the package itself says must be what the manifest promised, and of this device. */
static enum outcome package_judge(struct install *in, struct arena *a, struct app_file *f)
{
    const struct simdev *d = in->d;
    char path[40];
    snprintf(path, sizeof path, "/proc/self/fd/%d", in->fd);
    enum outcome o = app_file_read(a, path, f, &in->err);
    if (o != OK)
        return o;
    if (strcmp(f->bundle_id, in->identifier) != 0)
        return err_set(&in->err, INVALID, "the package is of %.200s", f->bundle_id);
    if (!(f->platforms & (1u << simdev_platform(d))))
        return err_set(&in->err, INVALID, "the package is not for this kind of device");
    if (f->minimum_os[0] && version_read(f->minimum_os) > version_read(d->hw.os))
        return err_set(&in->err, INVALID, "the package needs a newer system, %.20s", f->minimum_os);
    return OK;
}

static void installed(struct install *in)
{
    struct arena *a = arena_new(64 * LIM_MB);
    struct app_file f;
    enum outcome o = a ? package_judge(in, a, &f) : err_set(&in->err, ERROR, "out of memory");
    struct app *app = *app_place(in->d, in->identifier);
    if (o == OK && app) {
        app_is_there(app, f.version, f.short_version, f.name, in->got);
        in->d->fleet->stats.packages++;
    }
    char why[sizeof in->err.msg];
    snprintf(why, sizeof why, "%s", in->err.msg);
    arena_free(&a);
    if (o != OK)
        failed(in, why);
    else
        install_over(in);
}

static bool store(struct install *in, struct bytes b)
{
    while (b.n > 0) {
        ssize_t n = pwrite(in->fd, b.p, b.n, (off_t)in->got);
        if (n <= 0) {
            in->wrong = true;
            err_set(&in->err, ERROR, "the package cannot be kept: %m");
            return false;
        }
        in->got += n;
        b = bytes_of(b.p + n, b.n - (size_t)n);
    }
    return true;
}

static void begin_again(struct install *in)
{
    in->got = 0;
    in->size = -1;
    if (ftruncate(in->fd, 0) != 0)
        err_set(&in->err, ERROR, "%m");
    manifest_restart(in->manifest);
}

/* Before the first octet of an answer: where it begins, and how long the whole is. */
static bool answer_begins(struct install *in, const struct httpc_piece *p)
{
    long long from = 0, total = p->length;
    if (p->status == 206 && sscanf(p->range, "bytes %lld-%*d/%lld", &from, &total) != 2)
        return false;
    if (p->status == 200)
        begin_again(in);
    else if (from != in->got || (in->size >= 0 && total != in->size))
        return false;
    in->size = total;
    return true;
}

static bool on_piece(void *arg, const struct httpc_piece *p)
{
    struct install *in = arg;
    if (in->at == 0 && !answer_begins(in, p)) {
        in->wrong = true;
        err_set(&in->err, INVALID, "the server gives another part than was asked for");
        return false;
    }
    in->at += (int64_t)p->octets.n;
    in->d->fleet->stats.bytes_in += p->octets.n;
    in->wrong = manifest_check(in->manifest, p->octets, &in->err) != OK;
    if (in->wrong || !store(in, p->octets))
        return false;
    if (in->cut && in->size > 0 && in->got >= in->size / 2) {
        in->cut = false;
        return false;
    }
    return true;
}

static void on_again(void *arg)
{
    load(arg);
}

static void on_package(void *arg, const struct httpc_result *r)
{
    struct install *in = arg;
    struct simdev *d = in->d;
    const struct fleet_options *o = &d->fleet->opt;
    message_seen(d, in->manifest->url, r);
    httpc_close(&in->conn);
    if (in->wrong) {
        failed(in, in->err.msg);
    } else if (r->outcome == OK && (r->status == 200 || r->status == 206)) {
        if (manifest_check_end(in->manifest, &in->err) != OK)
            failed(in, in->err.msg);
        else
            installed(in);
    } else if (r->outcome == DENIED || (r->outcome == OK && r->status < 500) ||
               ++in->tries >= o->tries) {
        failed(in, d->last_error);
    } else {
        loop_timer_set(d->fleet->loop, &in->again, o->backoff_us);
    }
}

/* The package, or the rest of it. */
static void load(struct install *in)
{
    struct simdev *d = in->d;
    char headers[80] = "";
    const char *tmp = getenv("TMPDIR");
    if (in->fd < 0)
        in->fd = open(tmp ? tmp : "/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (in->fd < 0) {
        failed(in, "there is no room for the package");
        return;
    }
    in->at = 0;
    if (in->got > 0) {
        snprintf(headers, sizeof headers, "Range: bytes=%lld-\r\n", (long long)in->got);
        d->fleet->stats.packages_continued++;
    }
    struct httpc_request r = {.method = "GET",
                              .url = in->manifest->url,
                              .headers = headers,
                              .timeout_us = d->fleet->opt.timeout_us,
                              .take = on_piece};
    d->fleet->stats.requests++;
    httpc_send(d->fleet->http, &in->conn, &r, on_package, in);
}

/* ------------------------------------------------------------------ the manifest */

static enum outcome manifest_of(const struct httpc_result *r, struct manifest **out, int64_t *code,
                                struct err *err)
{
    *code = MDM_NO_APP_MANIFEST;
    if (r->outcome != OK)
        return err_set(err, INVALID, "it cannot be fetched: %s", r->error);
    if (r->status != 200)
        return err_set(err, INVALID, "it cannot be fetched: HTTP %d", r->status);
    return manifest_read(r->body, out, code, err);
}

static void on_manifest(void *arg, const struct httpc_result *r)
{
    struct install *in = arg;
    struct simdev *d = in->d;
    struct err err = {0};
    int64_t code;
    message_seen(d, in->url, r);
    enum outcome o = manifest_of(r, &in->manifest, &code, &err);
    httpc_close(&in->conn);
    if (o == OK && in->identifier && strcmp(in->identifier, in->manifest->bundle_id) != 0)
        o = err_set(&err, INVALID, "it is another app's now");
    if (o != OK) {
        simdev_error(d, "manifest %s: %s", in->url, err.msg);
        if (!in->report) { /* it was answered before a restart */
            failed(in, err.msg);
            return;
        }
        char text[sizeof err.msg + 40];
        snprintf(text, sizeof text, "The app's manifest: %s.", err.msg);
        enum answer a = app_reject(d, in->report, code, text);
        install_end(in);
        exchange_answered(d, a);
        return;
    }
    if (in->report) {
        enum answer a = app_accept(d, in->manifest->bundle_id, in->command, in->report, in->url);
        bool on = a == ANS_ACKNOWLEDGED;
        in->report = NULL;
        pl_free(&in->command);
        if (on && !(in->identifier = strdup(in->manifest->bundle_id)))
            abort();
        if (on)
            load_in_turn(in);
        else
            install_end(in);
        exchange_answered(d, a);
        return;
    }
    load_in_turn(in);
}

static struct install *install_new(struct simdev *d, const char *url)
{
    struct install *in = calloc(1, sizeof *in);
    if (!in || !(in->url = strdup(url)))
        abort();
    in->d = d;
    in->fd = -1;
    in->size = -1;
    in->again.fn = on_again;
    in->again.arg = in;
    in->next = d->installs;
    d->installs = in;
    return in;
}

static void manifest_fetch(struct install *in)
{
    struct fleet *f = in->d->fleet;
    struct httpc_request r = {
        .method = "GET", .url = in->url, .headers = "", .timeout_us = f->opt.timeout_us};
    f->stats.requests++;
    f->stats.manifests++;
    httpc_send(f->http, &in->conn, &r, on_manifest, in);
}

/* InstallEnterpriseApplication may hold the manifest itself. */
static void on_manifest_here(void *arg)
{
    struct install *in = arg;
    struct buf xml = BUF_INIT(4 * LIM_MB);
    struct httpc_result r = {.outcome = OK, .status = 200, .content_type = "", .error = ""};
    if (pl_to_xml(pl_get(in->command, "Manifest"), &xml) != OK)
        abort();
    r.body = buf_bytes(&xml);
    in->again.fn = on_again;
    on_manifest(in, &r);
    buf_free(&xml);
}

enum answer install_begin(struct simdev *d, pl command, pl report, bool cut)
{
    const char *url = pl_get_str(command, "ManifestURL");
    struct install *in = install_new(d, url ? url : "");
    in->command = pl_copy(command);
    in->report = report;
    in->cut = cut;
    if (url) {
        manifest_fetch(in);
    } else {
        in->again.fn = on_manifest_here;
        loop_timer_set(d->fleet->loop, &in->again, 0);
    }
    return ANS_LATER;
}

void install_resume(struct simdev *d)
{
    for (struct app *a = d->apps, *next; a; a = next) {
        next = a->next;
        if (!a->manifest_url)
            continue;
        if (!a->manifest_url[0]) { /* it was in the command, and is gone */
            app_failed(d, a->identifier);
            continue;
        }
        struct install *in = install_new(d, a->manifest_url);
        if (!(in->identifier = strdup(a->identifier)))
            abort();
        manifest_fetch(in);
    }
}

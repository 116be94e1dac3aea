/* libsimdev.c: the fleet: what devices are, their jobs, and whose turn it is. */
#include "libsimdev.h"

#include "base/clock.h"
#include <stdarg.h>
#include <stdlib.h>

const char *simdev_state_name(enum simdev_state s)
{
    static const char *const names[] = {"new", "enrolling", "enrolled", "gone", "erased", "failed"};
    return names[s];
}

void identity_free(struct identity *i)
{
    free(i->cert);
    free(i->key);
    *i = (struct identity){0};
}

/* ------------------------------------------------------------------ what follows from the seed */

void channel_token(const struct simdev *d, unsigned channel, uint8_t token[TOKEN_LEN])
{
    char purpose[40];
    snprintf(purpose, sizeof purpose, "token/%u/%u", d->life, channel);
    hw_octets(d->fleet->opt.seed, d->index, purpose, d->channel[channel].token_count, token,
              TOKEN_LEN);
}

void channel_magic(const struct simdev *d, unsigned channel, char magic[37])
{
    char purpose[40];
    snprintf(purpose, sizeof purpose, "magic/%u/%u", d->life, channel);
    hw_uuid(d->fleet->opt.seed, d->index, purpose, d->channel[channel].token_count, magic);
}

void simdev_unlock_token(const struct simdev *d, uint8_t out[UNLOCK_TOKEN_LEN])
{
    hw_octets(d->fleet->opt.seed, d->index, "unlock", d->life, out, UNLOCK_TOKEN_LEN);
    memcpy(out, "DATA\0\0\4\244VERS\0\0\0\4\0\0\0\4", 20); /* a keybag begins so */
}

/* Sent by phones and tablets that are not shared, when the server may remove passcodes. */
bool simdev_has_unlock_token(const struct simdev *d, const struct mdm_setup *m)
{
    return (d->hw.kind == HW_IPHONE || d->hw.kind == HW_IPAD) && (m->access_rights & 4) &&
           !d->user_enrollment && !(d->hw.kind == HW_IPAD && d->fleet->opt.shared_ipad);
}

void simdev_bootstrap_token(const struct simdev *d, uint8_t out[BOOTSTRAP_TOKEN_LEN])
{
    hw_octets(d->fleet->opt.seed, d->index, "bootstrap", d->life, out, BOOTSTRAP_TOKEN_LEN);
}

void simdev_users(struct simdev *d)
{
    const struct fleet_options *o = &d->fleet->opt;
    bool shared = d->hw.kind == HW_IPAD && o->shared_ipad;
    unsigned n = d->hw.kind == HW_MAC || shared ? o->users : 0;
    while (d->nchannels < 1 + n) {
        struct channel *c = &d->channel[d->nchannels];
        unsigned u = d->nchannels++;
        if (shared) {
            snprintf(c->user_id, sizeof c->user_id, "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF");
            snprintf(c->short_name, sizeof c->short_name, "user%u.%u@example.org", d->index + 1, u);
        } else {
            char purpose[16];
            snprintf(purpose, sizeof purpose, "user/%u", u);
            hw_uuid(o->seed, d->index, purpose, 0, c->user_id);
            snprintf(c->short_name, sizeof c->short_name, "user%u", u);
            snprintf(c->long_name, sizeof c->long_name, "User %u of %s", u, d->hw.name);
        }
    }
}

/* ------------------------------------------------------------------ the fleet */

static void on_backoff(void *arg);

static void on_again(void *arg)
{
    struct channel *c = arg;
    simdev_poll(c->device, (unsigned)(c - c->device->channel));
}

void channel_later(struct simdev *d, unsigned channel, int64_t delay_us)
{
    struct channel *c = &d->channel[channel];
    c->device = d;
    c->again.fn = on_again;
    c->again.arg = c;
    loop_timer_set(d->fleet->loop, &c->again, delay_us);
}

static struct simdev *simdev_new(struct fleet *f, unsigned index)
{
    struct simdev *d = calloc(1, sizeof *d);
    if (!d)
        return NULL;
    d->fleet = f;
    d->index = index;
    d->user_enrollment = f->opt.user_enrollment;
    d->passcode = true;
    d->nchannels = 1;
    hw_make(f->opt.seed, index, f->opt.kind, &d->hw);
    if (d->user_enrollment || f->opt.unsupervised)
        d->hw.supervised = false;
    d->backoff.fn = on_backoff;
    d->backoff.arg = d;
    simdev_users(d);
    return d;
}

bool fleet_grow(struct fleet *f, unsigned k)
{
    if (!f->ready_tail)
        f->ready_tail = &f->ready;
    if (f->n + k > f->cap) {
        unsigned cap = f->n + k + f->cap;
        struct simdev **dev = reallocarray(f->dev, cap, sizeof *dev);
        if (!dev)
            return false;
        f->dev = dev;
        f->cap = cap;
    }
    for (unsigned i = 0; i < k; i++) {
        f->dev[f->n] = simdev_new(f, f->n);
        if (!f->dev[f->n])
            return false;
        f->n++;
    }
    return true;
}

static void job_free(struct job *j)
{
    free(j->url);
    free(j->content_type);
    free(j->raw);
    free(j);
}

static void drop_jobs(struct simdev *d)
{
    loop_timer_end(d->fleet->loop, &d->backoff);
    enrol_abandon(d);
    exchange_unanswered(d);
    while (d->jobs) {
        struct job *j = d->jobs;
        d->jobs = j->next;
        job_free(j);
    }
    for (unsigned c = 0; c < d->nchannels; c++) {
        d->channel[c].awake = false;
        loop_timer_end(d->fleet->loop, &d->channel[c].again);
    }
    d->doing_uuid[0] = '\0';
}

static void forget_installed(struct simdev *d)
{
    install_abandon(d, NULL);
    while (d->profiles) {
        struct installed *p = d->profiles;
        d->profiles = p->next;
        free(p->identifier);
        free(p->summary);
        free(p);
    }
    while (d->provisioning) {
        struct installed *p = d->provisioning;
        d->provisioning = p->next;
        free(p->identifier);
        free(p->summary);
        free(p);
    }
    while (d->apps) {
        struct app *a = d->apps;
        d->apps = a->next;
        app_free(&a);
    }
    while (d->books) {
        struct book *b = d->books;
        d->books = b->next;
        book_free(&b);
    }
}

/* What outlives the enrolment, and does not outlive an erasure. */
static void forget_settings(struct simdev *d)
{
    free(d->device_name);
    free(d->settings.p);
    free(d->firmware_password);
    free(d->recovery_lock);
    d->device_name = d->firmware_password = d->recovery_lock = NULL;
    d->settings = (struct plist_octets){NULL, 0};
    d->remote_desktop = d->updating = false;
}

static void simdev_free(struct simdev *d)
{
    drop_jobs(d);
    httpc_close(&d->conn);
    forget_installed(d);
    identity_free(&d->id);
    mdm_setup_free(&d->mdm);
    oauth_free(&d->oauth);
    for (unsigned c = 0; c < d->nchannels; c++)
        exchange_forget(&d->channel[c]);
    for (unsigned i = 0; i < d->nheard; i++) {
        free(d->heard[i].uuid);
        free(d->heard[i].type);
    }
    free(d->heard);
    forget_settings(d);
    free(d->last_body);
    free(d);
}

void fleet_free(struct fleet *f)
{
    f->opt.concurrency = 0; /* nothing begins any more */
    for (unsigned i = 0; i < f->n; i++)
        simdev_free(f->dev[i]);
    free(f->dev);
    f->dev = NULL;
    f->n = f->cap = 0;
}

void simdev_error(struct simdev *d, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(d->last_error, sizeof d->last_error, fmt, ap);
    va_end(ap);
    if (d->fleet->opt.verbose)
        fprintf(stderr, "mdmsim: device %u: %s\n", d->index, d->last_error);
}

/* ------------------------------------------------------------------ jobs and turns */

static void run_ready(struct fleet *f)
{
    while (f->ready && f->active < f->opt.concurrency) {
        struct simdev *d = f->ready;
        f->ready = d->next_ready;
        if (!f->ready)
            f->ready_tail = &f->ready;
        d->queued = false;
        if (!d->jobs)
            continue;
        d->running = true;
        f->active++;
        switch (d->jobs->kind) {
        case JOB_ENROL:
        case JOB_REPLACE:
            enrol_run(d);
            break;
        case JOB_MESSAGE:
            checkin_run(d);
            break;
        case JOB_POLL:
            exchange_run(d);
            break;
        case JOB_RAW:
            raw_run(d);
            break;
        }
    }
}

static void make_ready(struct simdev *d)
{
    struct fleet *f = d->fleet;
    if (d->queued || d->running || d->backoff.place || !d->jobs)
        return;
    d->queued = true;
    d->next_ready = NULL;
    *f->ready_tail = d;
    f->ready_tail = &d->next_ready;
    run_ready(f);
}

static void on_backoff(void *arg)
{
    make_ready(arg);
}

struct job *job_new(enum job_kind kind, unsigned channel)
{
    struct job *j = calloc(1, sizeof *j);
    if (!j)
        abort();
    j->kind = kind;
    j->channel = channel;
    return j;
}

void simdev_do(struct simdev *d, struct job *j)
{
    struct job **p = &d->jobs;
    while (*p)
        p = &(*p)->next;
    *p = j;
    make_ready(d);
}

void simdev_poll(struct simdev *d, unsigned channel)
{
    struct channel *c = &d->channel[channel];
    if (channel >= d->nchannels || !d->mdm || c->awake)
        return;
    c->awake = true;
    simdev_do(d, job_new(JOB_POLL, channel));
}

void simdev_message(struct simdev *d, enum message_kind m, unsigned channel)
{
    struct job *j = job_new(JOB_MESSAGE, channel);
    j->message = m;
    simdev_do(d, j);
}

/* The device stops talking; the next one may. */
static void rest(struct simdev *d)
{
    if (d->running) {
        d->running = false;
        d->fleet->active--;
    }
}

static void pop_job(struct simdev *d)
{
    struct job *j = d->jobs;
    d->jobs = j->next;
    if (j->kind == JOB_POLL)
        d->channel[j->channel].awake = false;
    job_free(j);
}

bool simdev_idle(const struct simdev *d)
{
    if (d->jobs || d->running || d->installs)
        return false;
    for (unsigned c = 0; c < d->nchannels; c++)
        if (d->channel[c].report)
            return false;
    return true;
}

void job_done(struct simdev *d)
{
    pop_job(d);
    rest(d);
    if (d->jobs) {
        make_ready(d);
    } else {
        httpc_close(&d->conn);
        if (d->fleet->control)
            control_idle(d->fleet->control, d);
    }
    run_ready(d->fleet);
}

void job_again(struct simdev *d, int retry_after, unsigned tries)
{
    const struct fleet_options *o = &d->fleet->opt;
    struct job *j = d->jobs;
    j->tries++;
    if (tries && j->tries >= tries) {
        if (d->state == SIMDEV_ENROLLING)
            d->state = SIMDEV_FAILED;
        job_done(d);
        return;
    }
    int64_t wait = o->backoff_us << (j->tries < 12 ? j->tries - 1 : 11);
    if (wait > o->backoff_max_us)
        wait = o->backoff_max_us;
    if (retry_after > 0 && wait < retry_after * SECOND_US)
        wait = retry_after * SECOND_US;
    httpc_close(&d->conn);
    rest(d);
    /* Spread, so that a fleet does not come back in one moment. */
    uint8_t jitter;
    hw_octets(o->seed, d->index, "jitter", j->tries, &jitter, 1);
    loop_timer_set(d->fleet->loop, &d->backoff, wait + wait * jitter / 1024);
    run_ready(d->fleet);
}

void simdev_leave(struct simdev *d, enum simdev_state state)
{
    d->state = state;
    identity_free(&d->id);
    mdm_setup_free(&d->mdm);
    oauth_free(&d->oauth);
    forget_installed(d);
    for (unsigned c = 0; c < d->nchannels; c++) {
        exchange_forget(&d->channel[c]);
        d->channel[c].enrolled = false;
        loop_timer_end(d->fleet->loop, &d->channel[c].again);
    }
    /* What was still to be said to the server goes with the profile. */
    struct job **p = d->jobs ? &d->jobs->next : &d->jobs;
    while (*p) {
        struct job *j = *p;
        if (j->kind == JOB_ENROL || j->kind == JOB_RAW) {
            p = &j->next;
            continue;
        }
        *p = j->next;
        if (j->kind == JOB_POLL)
            d->channel[j->channel].awake = false;
        job_free(j);
    }
    keep_save(d);
}

void simdev_wipe(struct simdev *d)
{
    httpc_close(&d->conn);
    drop_jobs(d);
    rest(d);
    d->life++;
    for (unsigned c = 0; c < d->nchannels; c++)
        d->channel[c].token_count = 0, d->channel[c].auth_token[0] = '\0';
    forget_settings(d);
    for (unsigned c = 1; c < d->nchannels; c++)
        d->channel[c].deleted = false;
    d->locked = d->lost_mode = d->awaiting = false;
    d->passcode = true;
    simdev_leave(d, SIMDEV_NEW);
}

/* agent.c: the agent: the lease, the timed jobs, and the push outbox: see agent.h. */
#include "proc/agent.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "command/bulk.h"
#include "base/uuid.h"
#include "enrollment/ends.h"
#include "enrollment/errands.h"
#include "enrollment/renew.h"
#include "library/converge.h"
#include "proc/auditor.h"
#include "proc/checker.h"
#include "proc/digester.h"
#include "proc/hooks.h"
#include "push/escrow.h"
#include "push/outbox.h"
#include "store/activity.h"
#include "store/itemcount.h"
#include "store/audit_chain.h"
#include "store/device.h"
#include "store/history.h"
#include "scep/crl.h"
#include "store/inactive.h"
#include "store/later.h"
#include "store/lease.h"
#include "store/leaving.h"
#include "store/purge.h"
#include "store/push.h"
#include "store/queue.h"
#include "store/pushcert.h"
#include "store/renewal.h"
#include "store/setting.h"
#include "store/standing.h"
#include "store/webhook_send.h"
#include "wire/sign.h"
#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define LEASE "agent"
#define LEASE_US (10 * SECOND_US)
#define LEASE_MARGIN_US (2 * SECOND_US) /* sending ends so long before the lease does */
#define RENEW_US (2 * SECOND_US)
#define ASK_US (SECOND_US) /* how often one without the lease asks for it */
#define TURN_MS 200
#define GRACE_MS 5000
#define EXPIRE_MAX 500      /* commands that expire in one transaction */
#define EXPIRE_RUN_MAX 5000 /* and in one run: pushes wait meanwhile */
#define LATER_RUN_MAX 5000
#define JOB_RETRY_US (10 * SECOND_US) /* beside its period, of one that failed */
#define PAUSE_MIN_MS 100              /* after a failure; doubled up to PAUSE_MAX_MS */
#define PAUSE_MAX_MS 2000

/* What has a thread of its own. */
static const struct chore_kind *const CHORES[] = {&digester, &hooks};
#define NCHORES (sizeof CHORES / sizeof CHORES[0])

struct agent {
    const struct conf *conf; /* the one below */
    struct conf live;        /* with the settings in force */
    struct settings *settings;
    struct db *db;
    struct outbox *outbox;
    struct escrow *escrow;
    struct converge *converge;
    struct chore *chores[NCHORES];
    struct checker *checker;
    struct auditor auditor;
    char holder[128];
    bool working;         /* it has the lease */
    int64_t held_until;   /* clock_mono() */
    int64_t next_renewal; /* clock_mono() */
    int pause_ms;         /* 0: the last turn went well */
};

typedef enum outcome job_fn(struct agent *a, struct err *err);

static enum outcome job_certificates(struct agent *a, struct err *err)
{
    return outbox_reload(a->outbox, err);
}

/* The jobs and what they call read them in this thread alone. */
static enum outcome job_settings(struct agent *a, struct err *err)
{
    bool changed = false;
    enum outcome o = settings_refresh(a->settings, a->db, &changed, err);
    if (changed)
        settings_into(a->settings, &a->live);
    return o;
}

/* Checks of the installation that somebody has asked for. */
static enum outcome job_checkup(struct agent *a, struct err *err)
{
    return checker_turn(a->checker, a->db, err);
}

static enum outcome job_claims(struct agent *a, struct err *err)
{
    uint64_t n;
    return push_release(a->db, true, &n, err);
}

static enum outcome job_expiry(struct agent *a, struct err *err)
{
    size_t n = EXPIRE_MAX, all = 0;
    enum outcome o = OK;
    while (o == OK && n == EXPIRE_MAX && all < EXPIRE_RUN_MAX) {
        o = queue_expire(a->db, clock_now(), EXPIRE_MAX, &n, err);
        all += n;
    }
    if (all > 0)
        log_msg(LOG_LEVEL_INFO, "agent.expired", "%zu commands", all);
    return o;
}

/* Devices whose command waited for its moment. */
static enum outcome job_later(struct agent *a, struct err *err)
{
    size_t moved = LATER_BATCH, dropped = 0, all = 0;
    enum outcome o = OK;
    while (o == OK && moved + dropped == LATER_BATCH && all < LATER_RUN_MAX) {
        o = later_run(a->db, clock_now(), a->conf->apns_expiration_s, &moved, &dropped, err);
        all += moved + dropped;
    }
    if (all > 0)
        log_msg(LOG_LEVEL_INFO, "agent.later", "%zu pushes", all);
    return o;
}

static enum outcome job_inactive(struct agent *a, struct err *err)
{
    struct inactive_sweep s = {.now = clock_now(),
                               .after_us = a->conf->inactive_days * DAY_US,
                               .nudge_us = DAY_US,
                               .push_keep = a->conf->apns_expiration_s};
    enum outcome o = inactive_sweep(a->db, &s, err);
    if (s.nudged + s.inactive + s.returned > 0)
        log_msg(LOG_LEVEL_INFO, "agent.inactive", "%zu nudged, %zu inactive, %zu returned",
                s.nudged, s.inactive, s.returned);
    return o;
}

static enum outcome job_renewal_plan(struct agent *a, struct err *err)
{
    size_t planned = 0, changed = 0;
    int64_t start = clock_mono();
    enum outcome o =
        renewal_plan(a->db, clock_now(), a->conf->renewal_days * DAY_US, &planned, err);
    if (planned > 0)
        log_msg(LOG_LEVEL_INFO, "agent.renewal_plan", "%zu identities, in %lld ms", planned,
                (long long)((clock_mono() - start) / 1000));
    if (o == OK)
        o = renewal_plan_changed(a->db, clock_now(), &changed, err);
    return o;
}

static enum outcome job_ends(struct agent *a, struct err *err)
{
    return ends_look(a->db, a->conf, err);
}

/* A list that cannot be made, as while the signer is away, holds nothing else up. */
static enum outcome job_crl(struct agent *a, struct err *err)
{
    size_t made = 0;
    if (crl_run(a->db, a->conf, false, &made, err) != OK)
        log_err(LOG_LEVEL_WARNING, "agent.crl", err);
    if (made > 0)
        log_msg(LOG_LEVEL_INFO, "agent.crl", "%zu revocation lists", made);
    return OK;
}

static enum outcome job_renewals(struct agent *a, struct err *err)
{
    return renew_run(a->db, a->conf, err);
}

static enum outcome job_errands(struct agent *a, struct err *err)
{
    size_t n;
    enum outcome o = errands_turn(a->db, a->conf, &n, err);
    if (n > 0)
        log_msg(LOG_LEVEL_INFO, "agent.errands", "%zu", n);
    return o;
}

static enum outcome job_leaving(struct agent *a, struct err *err)
{
    size_t left, ended;
    enum outcome o = leaving_follow(a->db, clock_now(), &left, &ended, err);
    if (left + ended > 0)
        log_msg(LOG_LEVEL_INFO, "agent.leaving", "%zu left, %zu ended with 401", left, ended);
    return o;
}

static enum outcome job_converge(struct agent *a, struct err *err)
{
    return converge_turn(a->converge, clock_now(), err);
}

/* How far devices are with each item of the library, and each command of a group. */
static enum outcome job_items(struct agent *a, struct err *err)
{
    enum outcome o = item_count_turn(a->db, clock_now(), err);
    return o == OK ? standing_count_turn(a->db, clock_now(), err) : o;
}

static enum outcome job_topics(struct agent *a, struct err *err)
{
    return pushcert_topics_count(a->db, err);
}

/* What the console's overview shows. */
static enum outcome job_activity(struct agent *a, struct err *err)
{
    enum outcome o = activity_note(a->db, clock_now(), err);
    return o == OK ? device_groups_count(a->db, clock_now(), err) : o;
}

#define BULK_US (SECOND_US / 4)

/* Some slices at each turn, so that what else there is goes on meanwhile. */
static enum outcome job_bulk(struct agent *a, struct err *err)
{
    int64_t end = clock_mono() + BULK_US;
    bool more = true;
    enum outcome o = OK;
    while (o == OK && more && clock_mono() < end)
        o = bulk_turn(a->db, a->conf, &more, err);
    return o;
}

/* The newest link goes into the log, out of reach of whoever can write to the database. */
static enum outcome job_audit(struct agent *a, struct err *err)
{
    struct audit_head head;
    char hex[SHA256_HEX_LEN + 1];
    size_t n;
    enum outcome o = audit_chain_extend(a->db, &head, &n, err);
    hex_encode(bytes_of(head.digest, sizeof head.digest), hex);
    if (o == OK && n > 0)
        log_msg(LOG_LEVEL_INFO, "agent.audit", "%zu entries linked; newest link %lld:%s", n,
                (long long)head.seq, hex);
    return o;
}

static enum outcome job_audit_check(struct agent *a, struct err *err)
{
    return auditor_turn(&a->auditor, a->db, err);
}

static enum outcome job_purge(struct agent *a, struct err *err)
{
    uint64_t n = 0;
    enum outcome o = purge_run(a->db, &n, err);
    if (n > 0)
        log_msg(LOG_LEVEL_INFO, "agent.purged", "%llu rows", (unsigned long long)n);
    return o;
}

#define HISTORY_MAX 20000 /* rows of one sort in one run: pushes wait meanwhile */

static enum outcome job_history(struct agent *a, struct err *err)
{
    size_t n = 0;
    enum outcome o =
        history_purge(a->db, clock_now() - a->conf->history_days * DAY_US, HISTORY_MAX, &n, err);
    if (n > 0)
        log_msg(LOG_LEVEL_INFO, "agent.history", "%zu old rows deleted", n);
    return o;
}

static enum outcome job_webhooks(struct agent *a, struct err *err)
{
    int64_t now = clock_now();
    size_t n = LIM_PAGE, all = 0;
    enum outcome o = webhook_keys_end(a->db, now, err);
    while (o == OK && n == LIM_PAGE && all < HISTORY_MAX) {
        o = webhook_bury(a->db, now - a->conf->webhook_give_up_s * SECOND_US, &n, err);
        all += n;
    }
    if (all > 0)
        log_msg(LOG_LEVEL_WARNING, "agent.webhooks", "%zu deliveries were given up: too old", all);
    if (o == OK)
        o = webhook_purge(a->db, now - a->conf->webhook_keep_s * SECOND_US, HISTORY_MAX, &n, err);
    return o;
}

/* The timed jobs; all run when the lease is taken. Pushes are no row: they go all the time. */
static const struct job {
    const char *name;
    int64_t period_us;
    job_fn *fn;
} JOBS[] = {
    {"settings", 2 * SECOND_US, job_settings},
    {"checkup", SECOND_US, job_checkup},
    {"certificates", SECOND_US, job_certificates},
    {"claims", MINUTE_US, job_claims},
    {"later pushes", SECOND_US, job_later},
    {"expiry of commands", 10 * SECOND_US, job_expiry},
    {"inactive devices", HOUR_US, job_inactive},
    {"plan of renewals", HOUR_US, job_renewal_plan},
    {"renewals", 20 * SECOND_US, job_renewals},
    {"calendar of ends", HOUR_US, job_ends},
    {"revocation lists", 30 * SECOND_US, job_crl},
    {"errands of users", SECOND_US, job_errands},
    {"leaving devices", MINUTE_US, job_leaving},
    {"activity", MINUTE_US, job_activity},
    {"items", 5 * SECOND_US, job_items},
    {"topics", MINUTE_US, job_topics},
    {"commands for many", SECOND_US / 2, job_bulk},
    {"audit chain", 10 * SECOND_US, job_audit},
    {"check of the audit chain", SECOND_US, job_audit_check},
    {"purge", HOUR_US, job_purge},
    {"convergence", SECOND_US / 2, job_converge},
    {"history", 10 * MINUTE_US, job_history},
    {"webhooks", MINUTE_US, job_webhooks},
};
#define NJOBS (sizeof JOBS / sizeof JOBS[0])

static int64_t next_run[NJOBS]; /* clock_mono() */

static volatile sig_atomic_t stop_asked, reopen_asked, reload_asked;

static void on_signal(int signal)
{
    if (signal == SIGHUP || signal == SIGUSR1)
        reopen_asked = 1;
    else
        stop_asked = 1;
    if (signal == SIGHUP)
        reload_asked = 1;
}

/* Whoever started the agent starts it again, and what it has begun is done by then: it ends, unless
 * the configuration that is there now would not let it start. */
static void reload(const char *path)
{
    struct conf *fresh = NULL;
    struct err err = {.outcome = OK};
    if (conf_load(path, &fresh, &err) == OK) {
        log_msg(LOG_LEVEL_INFO, "agent.reload", "begins again with the configuration as it is now");
        stop_asked = 1;
    } else {
        err_prefix(&err, "the old configuration stays");
        log_err(LOG_LEVEL_ERROR, "reload", &err);
    }
    conf_free(&fresh);
}

static void signals_setup(void)
{
    struct sigaction act = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sigset_t none;
    sigemptyset(&none);
    sigemptyset(&act.sa_mask);
    sigaction(SIGTERM, &act, NULL);
    sigaction(SIGINT, &act, NULL);
    sigaction(SIGHUP, &act, NULL);
    sigaction(SIGUSR1, &act, NULL);
    act.sa_handler = SIG_IGN;
    sigaction(SIGPIPE, &act, NULL);
    pthread_sigmask(SIG_SETMASK, &none, NULL); /* main() held them back */
}

static void holder_name(char *out, size_t size)
{
    char host[64] = "", word[UUID_LEN + 1];
    gethostname(host, sizeof host - 1);
    uuid_v4(word);
    snprintf(out, size, "%s/%d/%s", host, (int)getpid(), word);
}

/* Anything may have been left by the one that had the lease before. */
static enum outcome work_begin(struct agent *a, struct err *err)
{
    uint64_t n = 0;
    enum outcome o = push_release(a->db, false, &n, err);
    if (o != OK)
        return o;
    a->working = true;
    for (size_t i = 0; i < NJOBS; i++)
        next_run[i] = 0;
    log_msg(LOG_LEVEL_INFO, "agent.working", "%llu pushes were left in flight by the one before",
            (unsigned long long)n);
    return OK;
}

static void work_until(struct agent *a, int64_t mono)
{
    outbox_send_until(a->outbox, mono);
    for (size_t i = 0; i < NCHORES; i++)
        chore_work_until(a->chores[i], mono);
}

static void work_end(struct agent *a, const char *why)
{
    work_until(a, 0);
    a->working = false;
    log_event(LOG_LEVEL_WARNING, "agent.lease_lost", "reason", why, NULL);
}

/* Takes or renews the lease when it is time. */
static enum outcome lease_turn(struct agent *a, struct err *err)
{
    int64_t now = clock_mono();
    bool held = false;
    enum outcome o = OK;
    if (now >= a->next_renewal) {
        o = lease_hold(a->db, LEASE, a->holder, LEASE_US, &held, err);
        a->next_renewal = now + (o == OK ? (held ? RENEW_US : ASK_US) : 0);
        if (o == OK && held) {
            a->held_until = now + LEASE_US - LEASE_MARGIN_US;
            if (!a->working)
                o = work_begin(a, err);
            if (o == OK)
                work_until(a, a->held_until);
        } else if (o == OK && a->working) {
            work_end(a, "another agent has it");
        }
    }
    if (a->working && clock_mono() >= a->held_until)
        work_end(a, "the database did not renew it in time");
    return o;
}

/* A job that cannot be done keeps no other from its turn, unless the database is away. */
static enum outcome jobs_turn(struct agent *a, struct err *err)
{
    for (size_t i = 0; i < NJOBS; i++) {
        if (clock_mono() < next_run[i])
            continue;
        enum outcome o = JOBS[i].fn(a, err);
        if (o == UNAVAILABLE) {
            err_prefix(err, "%s", JOBS[i].name);
            return o;
        }
        next_run[i] = clock_mono() + JOBS[i].period_us;
        if (o != OK) {
            err_prefix(err, "%s", JOBS[i].name);
            log_err(LOG_LEVEL_ERROR, "agent.failure", err);
            *err = (struct err){0};
            next_run[i] += JOB_RETRY_US;
        }
    }
    return OK;
}

static void sleep_ms(int ms)
{
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};
    nanosleep(&t, NULL);
}

static enum outcome turn(struct agent *a, struct err *err)
{
    enum outcome o = lease_turn(a, err);
    if (o == OK && a->working)
        o = jobs_turn(a, err);
    if (o == OK && a->working)
        o = escrow_turn(a->escrow, err);
    if (o == OK && a->working)
        o = outbox_turn(a->outbox, TURN_MS, err);
    else if (o == OK)
        sleep_ms(TURN_MS);
    return o;
}

/* One line when the trouble begins or changes the message's kind, one when it is over; in between
 * it waits, longer each time. */
static void trouble(struct agent *a, enum outcome o, const struct err *err)
{
    if (o == OK) {
        if (a->pause_ms > 0)
            log_event(LOG_LEVEL_INFO, "agent.recovered", NULL);
        a->pause_ms = 0;
        return;
    }
    if (a->pause_ms == 0)
        log_err(LOG_LEVEL_ERROR, "agent.failure", err);
    a->pause_ms = a->pause_ms ? a->pause_ms * 2 : PAUSE_MIN_MS;
    if (a->pause_ms > PAUSE_MAX_MS)
        a->pause_ms = PAUSE_MAX_MS;
    sleep_ms(a->pause_ms);
}

static void finish(struct agent *a)
{
    struct err err = {0};
    for (size_t i = 0; i < NCHORES; i++)
        chore_stop(&a->chores[i]);
    if (outbox_stop(a->outbox, GRACE_MS, &err) != OK)
        log_err(LOG_LEVEL_WARNING, "agent.unrecorded", &err);
    if (a->working && lease_release(a->db, LEASE, a->holder, &err) != OK)
        log_err(LOG_LEVEL_WARNING, "agent.lease", &err);
    log_event(LOG_LEVEL_INFO, "agent.stopped", NULL);
}

static enum outcome chores_start(struct agent *a, struct err *err)
{
    enum outcome o = OK;
    for (size_t i = 0; o == OK && i < NCHORES; i++)
        o = chore_start(a->conf, CHORES[i], &a->chores[i], err);
    return o;
}

int agent_main(const struct conf *conf)
{
    struct agent a = {.live = *conf};
    struct err err = {0};
    signals_setup();
    sign_client_setup(conf->run_dir, SIGN_AGENT);
    holder_name(a.holder, sizeof a.holder);
    a.conf = &a.live;
    a.settings = settings_new(conf);
    a.checker = checker_new(a.conf);
    conf = a.conf;
    if (!a.settings || !a.checker || db_new(conf, DB_AGENT, &a.db, &err) != OK ||
        outbox_new(conf, a.db, &a.outbox, &err) != OK ||
        escrow_new(conf, a.db, &a.escrow, &err) != OK ||
        converge_new(conf, a.db, &a.converge, &err) != OK || chores_start(&a, &err) != OK) {
        log_err(LOG_LEVEL_ERROR, "agent.start", &err);
        for (size_t i = 0; i < NCHORES; i++)
            chore_stop(&a.chores[i]);
        converge_free(&a.converge);
        escrow_free(&a.escrow);
        outbox_free(&a.outbox);
        db_free(&a.db);
        checker_free(&a.checker);
        settings_free(&a.settings);
        return 1;
    }
    log_event(LOG_LEVEL_INFO, "agent.started", "holder", a.holder, NULL);
    while (!stop_asked) {
        if (reopen_asked) {
            reopen_asked = 0;
            log_reopen();
        }
        if (reload_asked) {
            reload_asked = 0;
            reload(conf->path);
        }
        err = (struct err){0};
        trouble(&a, turn(&a, &err), &err);
    }
    finish(&a);
    converge_free(&a.converge);
    escrow_free(&a.escrow);
    outbox_free(&a.outbox);
    db_free(&a.db);
    checker_free(&a.checker);
    settings_free(&a.settings);
    return 0;
}

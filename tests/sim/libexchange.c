/*
 * libexchange.c: an exchange, from Idle or a result that waits to the empty answer.
 *
 * A result is kept until the server has taken it (HTTP 200), over lost connections and restarts, as
 * devices do; only EraseDevice's is not.
 */
#include "libsimdev.h"

#include "base/clock.h"
#include "base/limits.h"
#include <stdlib.h>

static void send_report(struct simdev *d);
static void end_exchange(struct simdev *d);

void exchange_forget(struct channel *c)
{
    free(c->report);
    c->report = NULL;
    c->nreport = 0;
}

struct heard *heard_of(struct simdev *d, const char *uuid, const char *type, unsigned channel)
{
    for (unsigned i = d->nheard; i-- > 0;)
        if (d->heard[i].user == channel && strcmp(d->heard[i].uuid, uuid) == 0)
            return &d->heard[i];
    if (d->nheard == HEARD_MAX) {
        free(d->heard[0].uuid);
        free(d->heard[0].type);
        memmove(d->heard, d->heard + 1, --d->nheard * sizeof *d->heard);
    }
    struct heard *h = reallocarray(d->heard, d->nheard + 1, sizeof *h);
    if (!h)
        abort();
    d->heard = h;
    h = &d->heard[d->nheard++];
    *h = (struct heard){.uuid = strdup(uuid), .type = strdup(type), .user = channel};
    if (!h->uuid || !h->type)
        abort();
    return h;
}

static const char *const answer_status[] = {"Acknowledged", "Error", "CommandFormatError"};

static void set_report(struct simdev *d, unsigned channel, const char *uuid, const char *status,
                       pl report)
{
    struct channel *c = &d->channel[channel];
    struct buf out = BUF_INIT(LIM_BODY_CONNECT);
    pl_set_str(report, "Status", status);
    if (uuid && *uuid)
        pl_set_str(report, "CommandUUID", uuid);
    message_ids(d, channel, report);
    exchange_forget(c);
    if (!message_serialise(d->fleet, report, &out)) {
        simdev_error(d, "the result of %s is too long", uuid ? uuid : "a command");
        buf_free(&out);
        return;
    }
    c->report = out.data;
    c->nreport = out.len;
    snprintf(c->report_uuid, sizeof c->report_uuid, "%s", uuid ? uuid : "");
    snprintf(c->report_status, sizeof c->report_status, "%s", status);
}

static void count_delivered(struct simdev *d, struct channel *c)
{
    struct fleet_stats *s = &d->fleet->stats;
    struct heard *h =
        c->report_uuid[0] ? heard_of(d, c->report_uuid, "", (unsigned)(c - d->channel)) : NULL;
    struct heard none = {0};
    if (!h)
        h = &none;
    if (strcmp(c->report_status, "Acknowledged") == 0)
        h->acknowledged++, s->acknowledged++;
    else if (strcmp(c->report_status, "Error") == 0)
        h->error++, s->error++;
    else if (strcmp(c->report_status, "NotNow") == 0)
        h->not_now++, s->not_now++;
    else
        h->format_error++, s->format_error++;
}

/* ------------------------------------------------------------------ a command came */

/* What comes of a command is to be reported; false when the exchange ends here. */
static bool conclude(struct simdev *d, const char *uuid, const struct behaviour *b, enum answer a,
                     enum aftermath after, pl report)
{
    unsigned channel = d->jobs->channel;
    struct channel *c = &d->channel[channel];
    set_report(d, channel, uuid, b->action == ACT_NOTNOW ? "NotNow" : answer_status[a], report);
    c->twice = b->action == ACT_TWICE;
    c->after = after;
    c->breaking = b->action == ACT_CUT_DURING  ? HTTPC_CUT_BODY
                  : b->action == ACT_CUT_AFTER ? HTTPC_CUT_ANSWER
                                               : HTTPC_WHOLE;
    keep_save(d);
    if (b->action == ACT_LATE || b->action == ACT_CUT_BEFORE) {
        /* Busy: what wakes it meanwhile finds a poll among the jobs already. */
        snprintf(d->doing_uuid, sizeof d->doing_uuid, "%s", uuid);
        c->late_us = b->action == ACT_LATE ? b->n : d->fleet->opt.backoff_us;
        return false;
    }
    return true;
}

void exchange_unanswered(struct simdev *d)
{
    pl_free(&d->unanswered.report);
}

void exchange_answered(struct simdev *d, enum answer a)
{
    pl report = d->unanswered.report;
    d->unanswered.report = NULL;
    bool on = conclude(d, d->unanswered.uuid, &d->unanswered.behaviour, a, AFTER_NOTHING, report);
    pl_free(&report);
    if (on)
        send_report(d);
    else
        end_exchange(d);
}

enum next { END, REPORT, WAIT };

/* Performs the command of the script's behaviour. */
static enum next perform(struct simdev *d, const char *uuid, const char *type, pl command)
{
    unsigned channel = d->jobs->channel;
    struct heard *h = heard_of(d, uuid, type, channel);
    struct behaviour b;
    enum aftermath after = AFTER_NOTHING;
    enum answer a = ANS_ACKNOWLEDGED;
    h->received++;
    d->fleet->stats.commands++;
    script_find(d->fleet->script, d->index, type, uuid, h->received, &b);
    if (b.action == ACT_NEVER)
        return END;
    pl report = pl_new_dict();
    d->cut_download = b.action == ACT_CUT_DOWNLOAD;
    if (b.action == ACT_ERROR) {
        answer_error(report, b.domain, b.n, b.text);
        a = ANS_ERROR;
    } else if (b.action == ACT_FORMAT_ERROR) {
        a = ANS_FORMAT_ERROR;
    } else if (b.action != ACT_NOTNOW) {
        a = answer_command(d, channel, type, command, report, &after);
    }
    if (a == ANS_LATER) {
        d->unanswered.report = report;
        d->unanswered.behaviour = b;
        snprintf(d->unanswered.uuid, sizeof d->unanswered.uuid, "%s", uuid);
        return WAIT;
    }
    bool on = conclude(d, uuid, &b, a, after, report);
    pl_free(&report);
    return on ? REPORT : END;
}

/* Reads the server's answer. */
static enum next take_command(struct simdev *d, struct bytes body)
{
    struct err err = {0};
    pl root = NULL;
    struct job *j = d->jobs;
    enum next next;
    if (pl_parse(body, &root, &err) != OK) {
        simdev_error(d, "the command is no property list: %s", err.msg);
        return END;
    }
    const char *uuid = pl_get_str(root, "CommandUUID");
    pl command = pl_get(root, "Command");
    const char *type = pl_get_str(command, "RequestType");
    if (uuid && type) {
        next = perform(d, uuid, type, command);
    } else {
        pl report = pl_new_dict();
        if (uuid)
            heard_of(d, uuid, type ? type : "", j->channel)->received++;
        set_report(d, j->channel, uuid, "CommandFormatError", report);
        pl_free(&report);
        next = REPORT;
    }
    pl_free(&root);
    return next;
}

/* ------------------------------------------------------------------ the exchange */

static void end_exchange(struct simdev *d)
{
    struct job *j = d->jobs;
    struct channel *c = &d->channel[j->channel];
    const struct fleet_options *o = &d->fleet->opt;
    if (c->late_us) {
        channel_later(d, j->channel, c->late_us);
        c->late_us = 0;
    } else if (c->refused) {
        channel_later(d, j->channel, o->notnow_us);
    } else if (o->poll_us) {
        channel_later(d, j->channel, o->poll_us);
    }
    c->refused = false;
    keep_save(d);
    job_done(d);
}

static void after_mdm_profile(struct simdev *d)
{
    bool tell = d->mdm && d->mdm->check_out;
    unsigned channel = d->jobs->channel;
    if (!tell) {
        simdev_leave(d, SIMDEV_GONE);
        job_done(d);
        return;
    }
    struct job *j = job_new(JOB_MESSAGE, 0);
    j->message = MSG_CHECK_OUT;
    j->leave = true;
    exchange_forget(&d->channel[channel]);
    simdev_do(d, j);
    job_done(d);
}

/* The report was taken by the server: false when the exchange is over. */
static bool delivered(struct simdev *d)
{
    struct channel *c = &d->channel[d->jobs->channel];
    count_delivered(d, c);
    c->refused |= strcmp(c->report_status, "NotNow") == 0;
    if (c->twice) {
        c->twice = false;
        send_report(d);
        return false;
    }
    enum aftermath after = c->after;
    c->after = AFTER_NOTHING;
    exchange_forget(c);
    if (after == AFTER_ERASED) {
        simdev_wipe(d);
        d->state = SIMDEV_ERASED;
        keep_save(d);
        if (d->fleet->control)
            control_idle(d->fleet->control, d);
        return false;
    }
    if (after == AFTER_LEFT) {
        after_mdm_profile(d);
        return false;
    }
    return true;
}

/* Refreshed: the same message once more. Otherwise the person would be asked; the device stays. */
static void on_refreshed(void *arg, const struct httpc_result *r)
{
    struct simdev *d = arg;
    message_seen(d, d->oauth.token_url, r);
    if (oauth_take(d, r)) {
        send_report(d);
        return;
    }
    if (r->outcome == OK && r->status == 400) {
        d->signed_out = true;
        simdev_error(d, "the person must sign in again");
        end_exchange(d);
    } else {
        job_again(d, r->retry_after, 0);
    }
}

static void on_answer(void *arg, const struct httpc_result *r)
{
    struct simdev *d = arg;
    struct channel *c = &d->channel[d->jobs->channel];
    message_seen(d, d->mdm->server_url, r);
    if (answer_ends_enrolment(r)) {
        simdev_leave(d, SIMDEV_GONE);
        job_done(d);
        return;
    }
    if (r->outcome == OK && r->status == 401) {
        if (d->signed_out || !oauth_refresh(d, on_refreshed))
            end_exchange(d);
        return;
    }
    if (!c->sent_idle && c->after == AFTER_ERASED && (r->outcome != OK || r->status != 200)) {
        delivered(d); /* the device is erased all the same, and does not say it again */
        return;
    }
    if (r->outcome != OK || r->status >= 500 || r->status == 429) {
        job_again(d, r->retry_after, 0);
        return;
    }
    d->jobs->tries = 0;
    if (r->status != 200) { /* refused for good: the report is of no use to this server */
        exchange_forget(c);
        end_exchange(d);
        return;
    }
    if (!c->sent_idle && !delivered(d))
        return;
    if (r->body.n == 0) {
        end_exchange(d);
        return;
    }
    enum next next = take_command(d, r->body);
    if (next == REPORT)
        send_report(d);
    else if (next == END)
        end_exchange(d);
}

static void send_report(struct simdev *d)
{
    struct channel *c = &d->channel[d->jobs->channel];
    struct buf out = BUF_INIT(LIM_BODY_CONNECT);
    bool sign = d->mdm->sign_message || d->fleet->opt.sign;
    enum httpc_break breaking = c->report ? c->breaking : HTTPC_WHOLE;
    c->breaking = HTTPC_WHOLE;
    c->sent_idle = c->report == NULL;
    if (c->sent_idle) {
        pl idle = pl_new_dict();
        pl_set_str(idle, "Status", "Idle");
        message_ids(d, d->jobs->channel, idle);
        if (!message_serialise(d->fleet, idle, &out))
            simdev_error(d, "out of memory");
        pl_free(&idle);
        d->fleet->stats.idle++;
    } else {
        buf_add(&out, c->report, c->nreport);
    }
    message_send(d, &d->id, sign, d->mdm->server_url, TYPE_CONNECT, buf_bytes(&out), breaking,
                 on_answer);
    buf_free(&out);
}

void exchange_run(struct simdev *d)
{
    struct channel *c = &d->channel[d->jobs->channel];
    if (!d->mdm) {
        job_done(d);
        return;
    }
    if (d->doing_uuid[0] && c->again.place) { /* woken while it works on a late command */
        job_done(d);
        return;
    }
    loop_timer_end(d->fleet->loop, &c->again);
    d->doing_uuid[0] = '\0';
    c->polls++;
    d->fleet->stats.polls++;
    send_report(d);
}

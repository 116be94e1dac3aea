/* libreport.c: devices and fleet as JSON, for the control socket. */
#include "libsimdev.h"

#include "base/limits.h"
#include "wire/encode.h"

static void set_b64(js o, const char *key, const void *p, size_t n)
{
    struct buf b = BUF_INIT(64 * LIM_MB);
    base64_add(&b, bytes_of(p, n));
    js_set_str(o, key, buf_cstr(&b));
    buf_wipe(&b);
    buf_free(&b);
}

static js channel_report(const struct simdev *d, unsigned channel)
{
    const struct channel *c = &d->channel[channel];
    uint8_t token[TOKEN_LEN];
    char hex[2 * TOKEN_LEN + 1], magic[37];
    js o = js_object();
    channel_token(d, channel, token);
    channel_magic(d, channel, magic);
    hex_encode(bytes_of(token, sizeof token), hex);
    js_set_bool(o, "enrolled", c->enrolled);
    js_set_str(o, "token", hex);
    js_set_str(o, "push_magic", magic);
    js_set_int(o, "polls", c->polls);
    js_set_bool(o, "report_waits", c->report != NULL);
    if (channel) {
        js profiles = js_array();
        for (struct installed *p = d->profiles; p; p = p->next)
            if (p->channel == channel)
                js_append(profiles, js_new_str(p->identifier));
        js_set(o, "profiles", profiles);
        js_set_str(o, "user_id", c->user_id);
        js_set_str(o, "short_name", c->short_name);
    }
    return o;
}

static js commands_report(const struct simdev *d)
{
    js list = js_array();
    for (unsigned i = 0; i < d->nheard; i++) {
        const struct heard *h = &d->heard[i];
        js o = js_object();
        js_set_str(o, "uuid", h->uuid);
        js_set_str(o, "type", h->type);
        js_set_int(o, "user", h->user);
        js_set_int(o, "received", h->received);
        js_set_int(o, "acknowledged", h->acknowledged);
        js_set_int(o, "error", h->error);
        js_set_int(o, "format_error", h->format_error);
        js_set_int(o, "not_now", h->not_now);
        js_append(list, o);
    }
    return list;
}

static void add_secrets(const struct simdev *d, js o)
{
    uint8_t unlock[UNLOCK_TOKEN_LEN], bootstrap[BOOTSTRAP_TOKEN_LEN];
    if (d->mdm && simdev_has_unlock_token(d, d->mdm)) {
        simdev_unlock_token(d, unlock);
        set_b64(o, "unlock_token", unlock, sizeof unlock);
    }
    if (d->mdm && d->hw.kind == HW_MAC && d->mdm->bootstrap_token) {
        simdev_bootstrap_token(d, bootstrap);
        set_b64(o, "bootstrap_token", bootstrap, sizeof bootstrap);
    }
    set_b64(o, "certificate", d->id.cert, d->id.ncert);
    set_b64(o, "key", d->id.key, d->id.nkey);
}

js report_device(const struct simdev *d)
{
    js o = js_object(), channels = js_array(), profiles = js_array(), apps = js_array();
    js_set_int(o, "device", d->index);
    js_set_str(o, "state", simdev_state_name(d->state));
    js_set_bool(o, "idle", simdev_idle(d));
    js_set_str(o, "kind", hw_kind_name(d->hw.kind));
    js_set_str(o, "udid", d->hw.udid);
    js_set_str(o, "serial", d->hw.serial);
    js_set_str(o, "enrollment_id", d->hw.enrollment_id);
    js_set_str(o, "ident", d->user_enrollment ? d->hw.enrollment_id : d->hw.udid);
    js_set_int(o, "life", d->life);
    if (d->mdm) {
        js_set_str(o, "topic", d->mdm->topic);
        js_set_str(o, "server_url", d->mdm->server_url);
        js_set_str(o, "checkin_url", d->mdm->checkin_url);
        js_set_int(o, "access_rights", d->mdm->access_rights);
    }
    for (unsigned c = 0; c < d->nchannels; c++)
        js_append(channels, channel_report(d, c));
    for (struct installed *p = d->profiles; p; p = p->next)
        if (p->channel == 0)
            js_append(profiles, js_new_str(p->identifier));
    for (struct app *a = d->apps; a; a = a->next)
        js_append(apps, js_new_str(a->identifier));
    js_set(o, "channels", channels);
    js_set(o, "profiles", profiles);
    js_set(o, "apps", apps);
    js_set_bool(o, "locked", d->locked);
    js_set_bool(o, "passcode", d->passcode);
    js_set_bool(o, "lost_mode", d->lost_mode);
    js_set_int(o, "passcode_cleared", d->passcode_cleared);
    js_set_int(o, "restarts", d->restarts);
    js_set_int(o, "pushes", d->pushes);
    js_set_int(o, "stale_pushes", d->stale_pushes);
    js_set_int(o, "exchanges", d->exchanges);
    js_set_int(o, "last_status", d->last_status);
    js_set_str(o, "last_error", d->last_error);
    set_b64(o, "last_body", d->last_body, d->nlast_body);
    js_set(o, "commands", commands_report(d));
    add_secrets(d, o);
    return o;
}

js report_fleet(const struct fleet *f)
{
    const struct fleet_stats *s = &f->stats;
    js o = js_object(), states = js_object(), http = js_object();
    int64_t in_state[SIMDEV_FAILED + 1] = {0}, busy = 0;
    for (unsigned i = 0; i < f->n; i++) {
        in_state[f->dev[i]->state]++;
        busy += !simdev_idle(f->dev[i]);
    }
    for (int i = 0; i <= SIMDEV_FAILED; i++)
        js_set_int(states, simdev_state_name((enum simdev_state)i), in_state[i]);
    for (int i = 0; i < 600; i++)
        if (s->status[i]) {
            char code[16];
            snprintf(code, sizeof code, "%d", i);
            js_set_int(http, code, (int64_t)s->status[i]);
        }
    js_set_int(o, "devices", f->n);
    js_set_int(o, "busy", busy);
    js_set(o, "states", states);
    js_set_int(o, "requests", (int64_t)s->requests);
    js_set_int(o, "failures", (int64_t)s->failures);
    js_set(o, "http", http);
    js_set_int(o, "polls", (int64_t)s->polls);
    js_set_int(o, "commands", (int64_t)s->commands);
    js_set_int(o, "acknowledged", (int64_t)s->acknowledged);
    js_set_int(o, "error", (int64_t)s->error);
    js_set_int(o, "format_error", (int64_t)s->format_error);
    js_set_int(o, "not_now", (int64_t)s->not_now);
    js_set_int(o, "manifests", (int64_t)s->manifests);
    js_set_int(o, "packages", (int64_t)s->packages);
    js_set_int(o, "packages_continued", (int64_t)s->packages_continued);
    js_set_int(o, "packages_refused", (int64_t)s->packages_refused);
    js_set_int(o, "bytes_out", (int64_t)s->bytes_out);
    js_set_int(o, "bytes_in", (int64_t)s->bytes_in);
    return o;
}

/*
 * libkeep.c: the state folder: a property list for each device, so that a second start goes on with
 * the same identities, tokens, profiles and undelivered results. Files are replaced whole.
 */
#include "libsimdev.h"

#include "base/limits.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static void set_octets(pl dict, const char *key, const void *p, size_t n)
{
    if (n)
        pl_set_data(dict, key, bytes_of(p, n));
}

static pl mdm_to_plist(const struct mdm_setup *m)
{
    pl d = pl_new_dict();
    pl_set_str(d, "ServerURL", m->server_url);
    pl_set_str(d, "CheckInURL", m->checkin_url);
    pl_set_str(d, "Topic", m->topic);
    pl_set_str(d, "Identifier", m->profile_identifier);
    pl_set_str(d, "UUID", m->profile_uuid ? m->profile_uuid : "");
    pl_set_int(d, "AccessRights", m->access_rights);
    pl_set_bool(d, "SignMessage", m->sign_message);
    pl_set_bool(d, "CheckOutWhenRemoved", m->check_out);
    pl_set_bool(d, "PerUser", m->per_user);
    pl_set_bool(d, "BootstrapToken", m->bootstrap_token);
    return d;
}

static pl oauth_to_plist(const struct oauth *o)
{
    pl d = pl_new_dict();
    pl_set_str(d, "TokenURL", o->token_url);
    pl_set_str(d, "Client", o->client);
    pl_set_str(d, "Access", o->access);
    if (o->refresh)
        pl_set_str(d, "Refresh", o->refresh);
    return d;
}

static pl channel_to_plist(const struct channel *c)
{
    pl d = pl_new_dict();
    pl_set_int(d, "TokenCount", c->token_count);
    pl_set_bool(d, "Enrolled", c->enrolled);
    if (c->auth_token[0])
        pl_set_str(d, "AuthToken", c->auth_token);
    if (c->report) {
        set_octets(d, "Report", c->report, c->nreport);
        pl_set_str(d, "ReportUUID", c->report_uuid);
        pl_set_str(d, "ReportStatus", c->report_status);
        pl_set_int(d, "After", c->after);
    }
    return d;
}

static void set_text(pl dict, const char *key, const char *s)
{
    if (s)
        pl_set_str(dict, key, s);
}

static pl app_to_plist(const struct app *a)
{
    pl d = pl_new_dict();
    pl_set_str(d, "Identifier", a->identifier);
    pl_set_bool(d, "Managed", a->managed);
    pl_set_bool(d, "There", a->there);
    pl_set_bool(d, "Waits", a->waits);
    pl_set_str(d, "State", a->state);
    pl_set_int(d, "Flags", a->flags);
    pl_set_int(d, "Size", a->size);
    set_text(d, "Version", a->version);
    set_text(d, "ShortVersion", a->short_version);
    set_text(d, "Name", a->name);
    set_text(d, "ManifestURL", a->manifest_url);
    set_octets(d, "Configuration", a->config.p, a->config.n);
    set_octets(d, "Attributes", a->attributes.p, a->attributes.n);
    return d;
}

static pl device_to_plist(const struct simdev *d)
{
    pl root = pl_new_dict(), channels = pl_new_array(), profiles = pl_new_array(),
       of = pl_new_array(), apps = pl_new_array();
    pl_set_int(root, "State", d->state);
    pl_set_int(root, "Life", d->life);
    pl_set_str(root, "UDID", d->hw.udid);
    pl_set_bool(root, "Passcode", d->passcode);
    set_text(root, "DeviceName", d->device_name);
    set_text(root, "FirmwarePassword", d->firmware_password);
    set_text(root, "RecoveryLock", d->recovery_lock);
    set_octets(root, "Settings", d->settings.p, d->settings.n);
    pl_set_bool(root, "RemoteDesktop", d->remote_desktop);
    pl_set_bool(root, "LostMode", d->lost_mode);
    set_octets(root, "Certificate", d->id.cert, d->id.ncert);
    set_octets(root, "Key", d->id.key, d->id.nkey);
    if (d->mdm)
        pl_set(root, "MDM", mdm_to_plist(d->mdm));
    if (d->oauth.access)
        pl_set(root, "OAuth", oauth_to_plist(&d->oauth));
    for (unsigned c = 0; c < d->nchannels; c++)
        pl_append(channels, channel_to_plist(&d->channel[c]));
    for (struct installed *p = d->profiles; p; p = p->next) {
        pl_append(profiles, pl_new_data(bytes_of(p->summary, p->n)));
        pl_append(of, pl_new_int(p->channel));
    }
    for (struct app *a = d->apps; a; a = a->next)
        pl_append(apps, app_to_plist(a));
    pl_set(root, "Channels", channels);
    pl_set(root, "Profiles", profiles);
    pl_set(root, "ProfileChannels", of);
    pl_set(root, "Apps", apps);
    return root;
}

static bool write_whole(const char *path, struct bytes b)
{
    char part[4200];
    snprintf(part, sizeof part, "%s.part", path);
    int fd = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return false;
    bool good = true;
    for (size_t at = 0; good && at < b.n;) {
        ssize_t n = write(fd, b.p + at, b.n - at);
        good = n > 0;
        at += n > 0 ? (size_t)n : 0;
    }
    return close(fd) == 0 && good && rename(part, path) == 0;
}

void keep_save(const struct simdev *d)
{
    const char *dir = d->fleet->opt.state_dir;
    char path[4096];
    struct buf out = BUF_INIT(64 * LIM_MB);
    if (!dir)
        return;
    snprintf(path, sizeof path, "%s/device-%06u.plist", dir, d->index);
    pl root = device_to_plist(d);
    if (pl_to_binary(root, &out) != OK || !write_whole(path, buf_bytes(&out)))
        fprintf(stderr, "mdmsim: %s: cannot be written: %s\n", path, strerror(errno));
    pl_free(&root);
    buf_wipe(&out);
    buf_free(&out);
}

/* ------------------------------------------------------------------ reading */

static uint8_t *get_octets(pl dict, const char *key, size_t *n)
{
    struct bytes b;
    *n = 0;
    if (!pl_get_data(dict, key, &b) || b.n == 0)
        return NULL;
    uint8_t *p = malloc(b.n);
    if (!p)
        abort();
    *n = b.n;
    return memcpy(p, b.p, b.n);
}

static char *get_text(pl dict, const char *key)
{
    const char *s = pl_get_str(dict, key);
    return s ? strdup(s) : NULL;
}

static unsigned get_count(pl dict, const char *key)
{
    int64_t n = 0;
    pl_get_int(dict, key, &n);
    return (unsigned)n;
}

static struct mdm_setup *mdm_from_plist(pl d)
{
    struct mdm_setup *m = calloc(1, sizeof *m);
    if (!m)
        abort();
    m->server_url = get_text(d, "ServerURL");
    m->checkin_url = get_text(d, "CheckInURL");
    m->topic = get_text(d, "Topic");
    m->profile_identifier = get_text(d, "Identifier");
    m->profile_uuid = get_text(d, "UUID");
    pl_get_int(d, "AccessRights", &m->access_rights);
    pl_get_bool(d, "SignMessage", &m->sign_message);
    pl_get_bool(d, "CheckOutWhenRemoved", &m->check_out);
    pl_get_bool(d, "PerUser", &m->per_user);
    pl_get_bool(d, "BootstrapToken", &m->bootstrap_token);
    if (!m->server_url || !m->checkin_url || !m->topic || !m->profile_identifier)
        mdm_setup_free(&m);
    return m;
}

static void channel_from_plist(struct channel *c, pl d)
{
    const char *uuid = pl_get_str(d, "ReportUUID"), *status = pl_get_str(d, "ReportStatus");
    const char *auth = pl_get_str(d, "AuthToken");
    c->token_count = get_count(d, "TokenCount");
    snprintf(c->auth_token, sizeof c->auth_token, "%s", auth ? auth : "");
    pl_get_bool(d, "Enrolled", &c->enrolled);
    c->report = (char *)get_octets(d, "Report", &c->nreport);
    snprintf(c->report_uuid, sizeof c->report_uuid, "%s", uuid ? uuid : "");
    snprintf(c->report_status, sizeof c->report_status, "%s", status ? status : "");
    c->after = (enum aftermath)get_count(d, "After");
}

static void profile_from_plist(struct simdev *d, pl data, pl channel)
{
    struct bytes b;
    struct err err;
    int64_t of = 0;
    pl summary = NULL;
    if (!pl_data(data, &b) || pl_parse(b, &summary, &err) != OK)
        return;
    struct installed *p = calloc(1, sizeof *p);
    if (!p || !(p->summary = malloc(b.n)))
        abort();
    p->identifier = get_text(summary, "PayloadIdentifier");
    if (pl_int(channel, &of) && of > 0 && of < d->nchannels)
        p->channel = (unsigned)of;
    memcpy(p->summary, b.p, b.n);
    p->n = b.n;
    p->next = d->profiles;
    d->profiles = p;
    pl_free(&summary);
}

static void app_from_plist(struct simdev *d, pl one)
{
    const char *state = pl_get_str(one, "State");
    struct app *a = calloc(1, sizeof *a);
    if (!a)
        abort();
    a->identifier = get_text(one, "Identifier");
    pl_get_bool(one, "Managed", &a->managed);
    pl_get_bool(one, "There", &a->there);
    pl_get_bool(one, "Waits", &a->waits);
    snprintf(a->state, sizeof a->state, "%s", state ? state : "");
    pl_get_int(one, "Flags", &a->flags);
    pl_get_int(one, "Size", &a->size);
    a->version = get_text(one, "Version");
    a->short_version = get_text(one, "ShortVersion");
    a->name = get_text(one, "Name");
    a->manifest_url = get_text(one, "ManifestURL");
    a->config.p = get_octets(one, "Configuration", &a->config.n);
    a->attributes.p = get_octets(one, "Attributes", &a->attributes.n);
    if (!a->identifier) {
        app_free(&a);
        return;
    }
    a->next = d->apps;
    d->apps = a;
}

static void device_from_plist(struct simdev *d, pl root)
{
    pl list = pl_get(root, "Channels");
    d->state = (enum simdev_state)get_count(root, "State");
    d->life = get_count(root, "Life");
    pl_get_bool(root, "Passcode", &d->passcode);
    d->device_name = get_text(root, "DeviceName");
    d->firmware_password = get_text(root, "FirmwarePassword");
    d->recovery_lock = get_text(root, "RecoveryLock");
    d->settings.p = get_octets(root, "Settings", &d->settings.n);
    pl_get_bool(root, "RemoteDesktop", &d->remote_desktop);
    pl_get_bool(root, "LostMode", &d->lost_mode);
    d->id.cert = get_octets(root, "Certificate", &d->id.ncert);
    d->id.key = get_octets(root, "Key", &d->id.nkey);
    if (pl_get(root, "MDM"))
        d->mdm = mdm_from_plist(pl_get(root, "MDM"));
    d->oauth.token_url = get_text(pl_get(root, "OAuth"), "TokenURL");
    d->oauth.client = get_text(pl_get(root, "OAuth"), "Client");
    d->oauth.access = get_text(pl_get(root, "OAuth"), "Access");
    d->oauth.refresh = get_text(pl_get(root, "OAuth"), "Refresh");
    for (unsigned c = 0; c < d->nchannels && c < pl_size(list); c++)
        channel_from_plist(&d->channel[c], pl_at(list, c));
    list = pl_get(root, "Profiles");
    for (size_t i = pl_size(list); i-- > 0;)
        profile_from_plist(d, pl_at(list, i), pl_at(pl_get(root, "ProfileChannels"), i));
    list = pl_get(root, "Apps");
    for (size_t i = 0; i < pl_size(list); i++)
        app_from_plist(d, pl_at(list, i));
    if (d->state == SIMDEV_ENROLLING || !d->mdm)
        d->state =
            d->state == SIMDEV_ENROLLED || d->state == SIMDEV_ENROLLING ? SIMDEV_NEW : d->state;
}

static enum outcome load_one(struct simdev *d, const char *path, struct err *err)
{
    struct buf in = BUF_INIT(64 * LIM_MB);
    enum outcome o = OK;
    pl root = NULL;
    FILE *f = fopen(path, "re");
    if (!f)
        return errno == ENOENT ? OK : err_set(err, INVALID, "%s: %s", path, strerror(errno));
    for (size_t n; (n = fread(buf_room(&in, 65536), 1, 65536, f)) > 0;)
        buf_grew(&in, n);
    fclose(f);
    o = pl_parse(buf_bytes(&in), &root, err);
    if (o == OK) {
        const char *udid = pl_get_str(root, "UDID");
        if (!udid || strcmp(udid, d->hw.udid) != 0)
            o = err_set(err, INVALID, "the state is of another --seed or --kind");
        else
            device_from_plist(d, root);
    }
    if (o != OK)
        err_prefix(err, "%s", path);
    pl_free(&root);
    buf_wipe(&in);
    buf_free(&in);
    return o;
}

enum outcome keep_load(struct fleet *f, struct err *err)
{
    char path[4096];
    enum outcome o = OK;
    if (!f->opt.state_dir)
        return OK;
    if (mkdir(f->opt.state_dir, 0700) != 0 && errno != EEXIST)
        return err_set(err, INVALID, "%s: %s", f->opt.state_dir, strerror(errno));
    for (unsigned i = 0; o == OK; i++) {
        snprintf(path, sizeof path, "%s/device-%06u.plist", f->opt.state_dir, i);
        if (i >= f->n) { /* more devices than asked for, from an earlier start */
            if (access(path, R_OK) != 0)
                break;
            if (!fleet_grow(f, 1))
                return err_set(err, ERROR, "out of memory");
        }
        o = load_one(f->dev[i], path, err);
    }
    return o;
}

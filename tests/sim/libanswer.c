/* libanswer.c: the commands that a device performs; the questions are in libquery.c. */
#include "libattest.h"

#include "base/limits.h"
#include <stdlib.h>

typedef enum answer answer_fn(struct simdev *d, unsigned channel, pl command, pl report);

static pl error_entry(const char *domain, int64_t code, const char *text)
{
    pl e = pl_new_dict();
    pl_set_str(e, "ErrorDomain", domain);
    pl_set_int(e, "ErrorCode", code);
    pl_set_str(e, "LocalizedDescription", text);
    pl_set_str(e, "USEnglishDescription", text);
    return e;
}

void answer_error(pl report, const char *domain, int64_t code, const char *text)
{
    pl chain = pl_new_array();
    pl_append(chain, error_entry(domain, code, text));
    pl_set(report, "ErrorChain", chain);
}

static enum answer refuse(pl report, int64_t code, const char *text)
{
    answer_error(report, "MCMDMErrorDomain", code, text);
    return ANS_ERROR;
}

/* ------------------------------------------------------------------ profiles */

static struct installed **profile_place(struct simdev *d, unsigned channel, const char *identifier)
{
    struct installed **p = &d->profiles;
    while (*p && ((*p)->channel != channel || strcmp((*p)->identifier, identifier) != 0))
        p = &(*p)->next;
    return p;
}

static void profile_drop(struct installed **p)
{
    struct installed *gone = *p;
    *p = gone->next;
    free(gone->identifier);
    free(gone->summary);
    free(gone);
}

void profile_install(struct simdev *d, unsigned channel, const struct mobileconfig *m, bool managed)
{
    struct buf out = BUF_INIT(LIM_BODY_CONNECT);
    pl summary = mobileconfig_summary(m, managed);
    struct installed *p = calloc(1, sizeof *p), **old = profile_place(d, channel, m->identifier);
    if (!p || pl_to_binary(summary, &out) != OK)
        abort();
    pl_free(&summary);
    if (*old)
        profile_drop(old);
    p->identifier = strdup(m->identifier);
    p->channel = channel;
    p->summary = (uint8_t *)out.data;
    p->n = out.len;
    p->next = d->profiles;
    d->profiles = p;
}

/* Out of its signature and, when it is encrypted to the device's identity, out of that. */
static enum outcome open_profile(struct simdev *d, struct bytes payload, struct buf *xml,
                                 struct err *err)
{
    pl root = NULL;
    enum outcome o = attest_open(payload, &d->id, &root, err);
    if (o == OK && pl_to_xml(root, xml) != OK)
        o = err_set(err, ERROR, "out of memory");
    pl_free(&root);
    return o;
}

static enum answer install_opened(struct simdev *d, unsigned channel, struct bytes payload,
                                  pl report)
{
    struct mobileconfig m;
    struct err err = {0};
    if (mobileconfig_read(payload, &m, &err) != OK) {
        pl chain = pl_new_array();
        pl_append(chain, error_entry("MCInstallationErrorDomain", 4001,
                                     "The profile could not be installed."));
        pl_append(chain, error_entry("MCProfileErrorDomain", 1000, err.msg));
        pl_set(report, "ErrorChain", chain);
        return ANS_ERROR;
    }
    if (m.has_mdm && strcmp(m.identifier, d->mdm->profile_identifier) != 0) {
        mobileconfig_free(&m);
        return refuse(report, 12001, "The profile holds a second MDM payload.");
    }
    if (m.has_mdm) { /* an update of its own: topic and server stay, rights do not grow */
        bool same = strcmp(m.mdm->topic, d->mdm->topic) == 0 &&
                    strcmp(m.mdm->server_url, d->mdm->server_url) == 0 &&
                    !(m.mdm->access_rights & ~d->mdm->access_rights);
        if (!same) {
            mobileconfig_free(&m);
            return refuse(report, 12009, "The replacement changes server, topic or rights.");
        }
    }
    profile_install(d, channel, &m, true);
    if (m.has_mdm &&
        (m.has_scep || m.pkcs12.n)) { /* the new identity, and the check-in that restarts with it */
        struct job *j = job_new(JOB_REPLACE, 0);
        j->raw = malloc(payload.n);
        if (!j->raw)
            abort();
        memcpy(j->raw, payload.p, payload.n);
        j->nraw = payload.n;
        simdev_do(d, j);
    }
    mobileconfig_free(&m);
    return ANS_ACKNOWLEDGED;
}

static enum answer install_profile(struct simdev *d, unsigned channel, pl command, pl report)
{
    struct bytes payload;
    struct buf xml = BUF_INIT(LIM_MB);
    struct err err = {0};
    if (!pl_get_data(command, "Payload", &payload))
        return ANS_FORMAT_ERROR;
    /* what cannot be opened is read as it is, which says why */
    enum outcome o = open_profile(d, payload, &xml, &err);
    enum answer answer = install_opened(d, channel, o == OK ? buf_bytes(&xml) : payload, report);
    buf_wipe(&xml);
    return answer;
}

static enum answer remove_profile(struct simdev *d, unsigned channel, pl command, pl report)
{
    const char *identifier = pl_get_str(command, "Identifier");
    if (!identifier)
        return ANS_FORMAT_ERROR;
    struct installed **p = profile_place(d, channel, identifier);
    if (!*p)
        return refuse(report, 12013, "The profile is not installed or not managed.");
    profile_drop(p);
    return ANS_ACKNOWLEDGED;
}

/* ------------------------------------------------------------------ lock, passcode, power */

static enum answer device_lock(struct simdev *d, unsigned channel, pl command, pl report)
{
    const char *pin = pl_get_str(command, "PIN"), *message = pl_get_str(command, "Message");
    (void)channel;
    if (d->hw.kind == HW_MAC && pin && strlen(pin) != 6)
        return refuse(report, 12008, "The PIN must have six digits.");
    d->locked = true;
    if (d->hw.kind != HW_MAC)
        pl_set_str(report, "MessageResult",
                   d->passcode ? message ? "Success" : "NoMessage" : "NoPasscodeSet");
    return ANS_ACKNOWLEDGED;
}

static enum answer clear_passcode(struct simdev *d, unsigned channel, pl command, pl report)
{
    struct bytes token;
    uint8_t own[UNLOCK_TOKEN_LEN];
    (void)channel;
    if (d->hw.kind == HW_MAC)
        return refuse(report, 12021, "ClearPasscode is not known to a Mac.");
    if (!pl_get_data(command, "UnlockToken", &token))
        return ANS_FORMAT_ERROR;
    simdev_unlock_token(d, own);
    if (!bytes_equal(token, bytes_of(own, sizeof own))) {
        answer_error(report, "MCPasscodeErrorDomain", 5013,
                     "The passcode could not be cleared: the token is not of this device.");
        return ANS_ERROR;
    }
    d->passcode = d->locked = false;
    d->passcode_cleared++;
    return ANS_ACKNOWLEDGED;
}

static enum answer restart(struct simdev *d, unsigned channel, pl command, pl report)
{
    (void)channel;
    (void)command;
    (void)report;
    d->restarts++;
    return ANS_ACKNOWLEDGED;
}

static enum answer lost_mode(struct simdev *d, unsigned channel, pl command, pl report)
{
    (void)channel;
    if (!d->hw.supervised)
        return refuse(report, 12078, "Lost mode wants a supervised device.");
    if (!pl_get_str(command, "Message") && !pl_get_str(command, "PhoneNumber"))
        return ANS_FORMAT_ERROR;
    d->lost_mode = true;
    return ANS_ACKNOWLEDGED;
}

static enum answer lost_mode_off(struct simdev *d, unsigned channel, pl command, pl report)
{
    (void)channel;
    (void)command;
    if (!d->lost_mode)
        return refuse(report, 12067, "The device is not in lost mode.");
    d->lost_mode = false;
    return ANS_ACKNOWLEDGED;
}

static enum answer location(struct simdev *d, unsigned channel, pl command, pl report)
{
    (void)channel;
    (void)command;
    if (!d->lost_mode)
        return refuse(report, 12067, "The device is not in lost mode.");
    pl_set(report, "Latitude", pl_new_real(52.52));
    pl_set(report, "Longitude", pl_new_real(13.405));
    pl_set(report, "HorizontalAccuracy", pl_new_real(65));
    return ANS_ACKNOWLEDGED;
}

/* ------------------------------------------------------------------ settings */

/* 0, or the code of what is wrong with a setting. */
static int64_t apply_setting(struct simdev *d, const char *item, pl one, const char **domain)
{
    const char *name = pl_get_str(one, "DeviceName");
    struct bytes image;

    *domain = "MCSettingsErrorDomain";
    if (!setting_known(d, item))
        return 28000;
    if (strcmp(item, "Wallpaper") == 0 && (!pl_get_data(one, "Image", &image) || image.n == 0))
        return 28001;
    if (strcmp(item, "DeviceName") == 0 && name) {
        free(d->device_name);
        d->device_name = strdup(name);
    }
    *domain = "MCMDMErrorDomain";
    if (strncmp(item, "Application", 11) == 0 && !app_set(d, one))
        return 12029;
    return 0;
}

static enum answer settings(struct simdev *d, unsigned channel, pl command, pl report)
{
    pl list = pl_get(command, "Settings"), results = pl_new_array();
    (void)channel;
    if (pl_type_of(list) != PL_ARRAY) {
        pl_free(&results);
        return ANS_FORMAT_ERROR;
    }
    for (size_t i = 0; i < pl_size(list); i++) {
        pl one = pl_at(list, i), result = pl_new_dict();
        const char *item = pl_get_str(one, "Item"), *domain;
        int64_t code = item ? apply_setting(d, item, one, &domain) : 0;
        pl_set_str(result, "Item", item ? item : "");
        if (pl_get_str(one, "Identifier"))
            pl_set_str(result, "Identifier", pl_get_str(one, "Identifier"));
        if (code != 0)
            answer_error(result, domain, code, "The setting cannot be applied.");
        pl_set_str(result, "Status",
                   !item       ? "CommandFormatError"
                   : code != 0 ? "Error"
                               : "Acknowledged");
        pl_append(results, result);
    }
    pl_set(report, "Settings", results);
    return ANS_ACKNOWLEDGED;
}

static enum answer configured(struct simdev *d, unsigned channel, pl command, pl report)
{
    (void)channel;
    (void)command;
    (void)report;
    d->awaiting = false;
    return ANS_ACKNOWLEDGED;
}

static enum answer yes(struct simdev *d, unsigned channel, pl command, pl report)
{
    (void)d;
    (void)channel;
    (void)command;
    (void)report;
    return ANS_ACKNOWLEDGED;
}

static enum answer unlock_token(struct simdev *d, unsigned channel, pl command, pl report)
{
    uint8_t own[UNLOCK_TOKEN_LEN];
    (void)channel;
    (void)command;
    simdev_unlock_token(d, own);
    pl_set_data(report, "UnlockToken", bytes_of(own, sizeof own));
    return ANS_ACKNOWLEDGED;
}

/* ------------------------------------------------------------------ the table */

#define PHONE (1 << HW_IPHONE)
#define PAD (1 << HW_IPAD)
#define MAC (1 << HW_MAC)
#define TV (1 << HW_APPLETV)
#define IOS (PHONE | PAD)
#define ALL (IOS | MAC | TV)

static const struct known {
    const char *type;
    int64_t rights; /* all of these bits of AccessRights */
    unsigned kinds;
    answer_fn *fn;
} known[] = {
    {"CertificateList", 1, ALL, query_certificate_list},
    {"ClearPasscode", 4, ALL, clear_passcode},
    {"DeviceConfigured", 0, ALL, configured},
    {"DeviceInformation", 0, ALL, query_device_information},
    {"DeviceLocation", 0, IOS, location},
    {"DeviceLock", 4, IOS | MAC, device_lock},
    {"DisableLostMode", 0, IOS, lost_mode_off},
    {"EnableLostMode", 0, IOS, lost_mode},
    {"EraseDevice", 8, ALL, yes},
    {"ApplyRedemptionCode", 4096, IOS, app_redeem},
    {"InstallApplication", 4096, IOS | TV, app_install},
    {"InstallApplication", 0, MAC, app_install},
    {"InstallProfile", 2, ALL, install_profile},
    {"InstallProvisioningProfile", 128, ALL, provisioning_install},
    {"InstalledApplicationList", 256, ALL, query_installed_apps},
    {"ManagedApplicationAttributes", 4096, IOS | TV, app_attributes},
    {"ManagedApplicationConfiguration", 4096, IOS | TV, app_configuration},
    {"ManagedApplicationFeedback", 4096, IOS | TV, app_feedback},
    {"ManagedApplicationList", 0, ALL, app_list_managed},
    {"ProfileList", 1, ALL, query_profile_list},
    {"ProvisioningProfileList", 64, ALL, provisioning_list},
    {"RemoveApplication", 0, ALL, app_remove},
    {"RemoveProfile", 2, ALL, remove_profile},
    {"RemoveProvisioningProfile", 128, ALL, provisioning_remove},
    {"RequestUnlockToken", 4, IOS, unlock_token},
    {"RestartDevice", 4, ALL, restart},
    {"Restrictions", 512, IOS | TV, query_restrictions},
    {"SecurityInfo", 1024, ALL, query_security_info},
    {"Settings", 2048, IOS | TV, settings},
    {"Settings", 0, MAC, settings},
    {"ShutDownDevice", 4, IOS | MAC, restart},
    {"UserConfigured", 0, PAD, yes},
    {"UserList", 0, PAD | MAC, query_users},
};

enum answer answer_command(struct simdev *d, unsigned channel, const char *type, pl command,
                           pl report, enum aftermath *after)
{
    const struct known *k = NULL;
    *after = AFTER_NOTHING;
    for (size_t i = 0; !k && i < sizeof known / sizeof known[0]; i++)
        if (strcmp(known[i].type, type) == 0 && (known[i].kinds & (1u << d->hw.kind)))
            k = &known[i];
    if (k && (d->mdm->access_rights & k->rights) != k->rights)
        return refuse(report, 12007, "The access rights do not allow this command.");
    if (d->hw.kind == HW_MAC)
        pl_set_str(report, "RequestType", type); /* as Macs do */
    const char *identifier = pl_get_str(command, "Identifier");
    bool own = strcmp(type, "RemoveProfile") == 0 && identifier &&
               strcmp(identifier, d->mdm->profile_identifier) == 0;
    enum answer a = k ? k->fn(d, channel, command, report)
                      : answer_plausibly(d, channel, type, command, report);
    if (a == ANS_ACKNOWLEDGED && own)
        *after = AFTER_LEFT;
    if (a == ANS_ACKNOWLEDGED && strcmp(type, "EraseDevice") == 0)
        *after = AFTER_ERASED;
    return a;
}

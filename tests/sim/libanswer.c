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
    (void)report;
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
    answer_plausibly(d, catalogue_find("DeviceLocation"), report);
    pl_set(report, "Latitude", pl_new_real(52.52));
    pl_set(report, "Longitude", pl_new_real(13.405));
    pl_set(report, "HorizontalAccuracy", pl_new_real(65));
    return ANS_ACKNOWLEDGED;
}

static enum answer lost_sound(struct simdev *d, unsigned channel, pl command, pl report)
{
    (void)channel;
    (void)command;
    return d->lost_mode ? ANS_ACKNOWLEDGED
                        : refuse(report, 12067, "The device is not in lost mode.");
}

/* ------------------------------------------------------------------ the rest */

static enum answer configured(struct simdev *d, unsigned channel, pl command, pl report)
{
    (void)channel;
    (void)command;
    (void)report;
    d->awaiting = false;
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

static enum answer erase(struct simdev *d, unsigned channel, pl command, pl report)
{
    const char *pin = pl_get_str(command, "PIN");
    (void)channel;
    return d->hw.kind == HW_MAC && pin && strlen(pin) != 6
               ? refuse(report, 12008, "The PIN must have six digits.")
               : ANS_ACKNOWLEDGED;
}

static enum answer invite(struct simdev *d, unsigned channel, pl command, pl report)
{
    const char *program = pl_get_str(command, "ProgramID");
    const char *url = pl_get_str(command, "InvitationURL");
    (void)d;
    (void)channel;
    pl_set_str(report, "InvitationResult",
               strcmp(program, "com.apple.cloudvpp") != 0 ? "InvalidProgramID"
               : strncmp(url, "https:", 6) != 0           ? "InvalidInvitationURL"
                                                          : "Acknowledged");
    return ANS_ACKNOWLEDGED;
}

/* ------------------------------------------------------------------ the table */

/* Commands that do something, or tell of what was done. The others are answered plausibly. */
static const struct known {
    const char *type;
    answer_fn *fn;
} known[] = {
    {"ApplyRedemptionCode", app_redeem},
    {"CertificateList", query_certificate_list},
    {"ClearPasscode", clear_passcode},
    {"DeleteUser", user_delete},
    {"DeviceConfigured", configured},
    {"DeviceInformation", query_device_information},
    {"DeviceLocation", location},
    {"DeviceLock", device_lock},
    {"DisableLostMode", lost_mode_off},
    {"DisableRemoteDesktop", remote_desktop_off},
    {"EnableLostMode", lost_mode},
    {"EnableRemoteDesktop", remote_desktop_on},
    {"EraseDevice", erase},
    {"InstallApplication", app_install},
    {"InstallEnterpriseApplication", app_install_enterprise},
    {"InstallMedia", media_install},
    {"InstallProfile", install_profile},
    {"InstallProvisioningProfile", provisioning_install},
    {"InstalledApplicationList", query_installed_apps},
    {"InviteToProgram", invite},
    {"ManagedApplicationAttributes", app_attributes},
    {"ManagedApplicationConfiguration", app_configuration},
    {"ManagedApplicationFeedback", app_feedback},
    {"ManagedApplicationList", app_list_managed},
    {"ManagedMediaList", media_list},
    {"OSUpdateStatus", update_status},
    {"PlayLostModeSound", lost_sound},
    {"ProfileList", query_profile_list},
    {"ProvisioningProfileList", provisioning_list},
    {"RemoveApplication", app_remove},
    {"RemoveMedia", media_remove},
    {"RemoveProfile", remove_profile},
    {"RemoveProvisioningProfile", provisioning_remove},
    {"RequestUnlockToken", unlock_token},
    {"RestartDevice", restart},
    {"Restrictions", query_restrictions},
    {"ScheduleOSUpdate", update_schedule},
    {"SecurityInfo", query_security_info},
    {"SetFirmwarePassword", firmware_password_set},
    {"SetRecoveryLock", recovery_lock_set},
    {"Settings", settings_apply},
    {"ShutDownDevice", restart},
    {"UnlockUserAccount", user_unlock},
    {"UserList", query_users},
    {"VerifyFirmwarePassword", firmware_password_verify},
    {"VerifyRecoveryLock", recovery_lock_verify},
};

static answer_fn *function_of(const char *type)
{
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strcmp(known[i].type, type) == 0)
            return known[i].fn;
    return NULL;
}

static enum answer take(struct simdev *d, unsigned channel, cat row, pl command, pl report)
{
    const char *domain;
    int64_t code = command_objection(d, row, channel, &domain);
    if (code != 0) {
        answer_error(report, domain, code, "The device does not take this command.");
        return ANS_ERROR;
    }
    if (!command_made(d, row, command))
        return ANS_FORMAT_ERROR;
    answer_fn *fn = function_of(catalogue_name(row));
    if (fn)
        return fn(d, channel, command, report);
    answer_plausibly(d, row, report);
    return ANS_ACKNOWLEDGED;
}

enum answer answer_command(struct simdev *d, unsigned channel, const char *type, pl command,
                           pl report, enum aftermath *after)
{
    const char *identifier = pl_get_str(command, "Identifier");
    bool own = strcmp(type, "RemoveProfile") == 0 && identifier &&
               strcmp(identifier, d->mdm->profile_identifier) == 0;
    *after = AFTER_NOTHING;
    if (d->hw.kind == HW_MAC)
        pl_set_str(report, "RequestType", type); /* as Macs do */
    enum answer a = take(d, channel, catalogue_find(type), command, report);
    if (a == ANS_ACKNOWLEDGED && own)
        *after = AFTER_LEFT;
    if (a == ANS_ACKNOWLEDGED && strcmp(type, "EraseDevice") == 0)
        *after = AFTER_ERASED;
    return a;
}

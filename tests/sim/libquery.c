/* libquery.c: what a device answers when it is asked about itself. */
#include "libsimdev.h"

#include "base/clock.h"
#include "wire/x509.h"
#include <stdlib.h>

/* ------------------------------------------------------------------ DeviceInformation */

static pl texts(const char *one)
{
    pl a = pl_new_array();
    pl_append(a, pl_new_str(one));
    return a;
}

/* False: it is none of these. *out NULL: the device has no such thing. */
static bool text_fact(const struct simdev *d, const char *key, pl *out)
{
    const struct hardware *h = &d->hw;
    const struct {
        const char *key, *value;
    } facts[] = {
        {"UDID", h->udid},
        {"DeviceID", h->ethernet_mac},
        {"DeviceName", d->device_name ? d->device_name : h->name},
        {"OSVersion", h->os},
        {"BuildVersion", h->build},
        {"ModelName", h->model_name},
        {"Model", h->model},
        {"ModelNumber", h->model},
        {"ProductName", h->product},
        {"SerialNumber", h->serial},
        {"IMEI", h->imei},
        {"MEID", h->meid},
        {"ModemFirmwareVersion", h->cellular ? "2.12.00" : ""},
        {"EASDeviceIdentifier", h->serial},
        {"HostName", h->host_name},
        {"LocalHostName", h->host_name},
        {"TimeZone", "Europe/Berlin"},
        {"ICCID", h->cellular ? "8949020000012345678" : ""},
        {"BluetoothMAC", h->bluetooth_mac},
        {"WiFiMAC", h->wifi_mac},
        {"CurrentCarrierNetwork", h->cellular ? "Example Mobile" : ""},
        {"PhoneNumber", h->cellular ? "+491700000000" : ""},
        {"SubscriberMCC", h->cellular ? "262" : ""},
        {"SubscriberMNC", h->cellular ? "01" : ""},
    };
    for (size_t i = 0; i < sizeof facts / sizeof facts[0]; i++)
        if (strcmp(facts[i].key, key) == 0) {
            *out = facts[i].value[0] ? pl_new_str(facts[i].value) : NULL;
            return true;
        }
    return false;
}

static pl truth_fact(const struct simdev *d, const char *key)
{
    const struct {
        const char *key;
        bool value;
    } facts[] = {
        {"AwaitingConfiguration", d->awaiting},
        {"iTunesStoreAccountIsActive", true},
        {"IsSupervised", d->hw.supervised},
        {"IsMultiUser", d->hw.kind == HW_IPAD && d->fleet->opt.shared_ipad},
        {"IsDeviceLocatorServiceEnabled", d->hw.kind == HW_IPHONE},
        {"IsActivationLockEnabled", false},
        {"IsDoNotDisturbInEffect", false},
        {"IsMDMLostModeEnabled", d->lost_mode},
        {"IsCloudBackupEnabled", true},
        {"IsAppleSilicon", strncmp(d->hw.product, "iMac", 4) != 0},
        {"SystemIntegrityProtectionEnabled", true},
        {"DataRoamingEnabled", false},
        {"VoiceRoamingEnabled", false},
        {"PersonalHotspotEnabled", false},
        {"IsRoaming", false},
        {"IsNetworkTethered", false},
        {"HasBattery", strstr(d->hw.product, "Book") != NULL},
        {"IsActivationLockSupported", true},
        {"SupportsLOMDevice", false},
        {"PINRequiredForEraseDevice", strncmp(d->hw.product, "iMac", 4) == 0},
        {"PINRequiredForDeviceLock", true},
        {"DiagnosticSubmissionEnabled", false},
        {"AppAnalyticsEnabled", false},
        {"TemporarySessionOnly", false},
    };
    for (size_t i = 0; i < sizeof facts / sizeof facts[0]; i++)
        if (strcmp(facts[i].key, key) == 0)
            return pl_new_bool(facts[i].value);
    return NULL;
}

static pl other_fact(const struct simdev *d, const char *key)
{
    if (strcmp(key, "DeviceCapacity") == 0)
        return pl_new_real(d->hw.capacity_gb);
    if (strcmp(key, "AvailableDeviceCapacity") == 0)
        return pl_new_real(d->hw.capacity_gb * 0.625);
    if (strcmp(key, "BatteryLevel") == 0)
        return pl_new_real(d->hw.kind == HW_APPLETV ? -1.0 : 0.75);
    if (strcmp(key, "CellularTechnology") == 0)
        return pl_new_int(d->hw.cellular ? 1 : 0);
    if (strcmp(key, "LastCloudBackupDate") == 0)
        return pl_new_date(clock_now() - DAY_US);
    if (strcmp(key, "Languages") == 0)
        return texts("en");
    if (strcmp(key, "Locales") == 0)
        return texts("en_US");
    if (strcmp(key, "EthernetMACs") == 0)
        return texts(d->hw.ethernet_mac);
    if (strcmp(key, "MDMOptions") == 0)
        return pl_new_dict();
    return NULL;
}

/* Whether the device knows the question and the server may ask it. */
static bool may_be_asked(const struct simdev *d, cat row)
{
    struct catalogue_support s = catalogue_support(row, simdev_platform(d));
    return simdev_has(d, row) && right_held((unsigned)d->mdm->access_rights, s.right) &&
           !(s.supervised && !d->hw.supervised) &&
           !(s.shared == MODE_REQUIRED && !d->fleet->opt.shared_ipad) &&
           !(d->user_enrollment && s.user_enrolment == MODE_FORBIDDEN);
}

static pl fact(const struct simdev *d, const char *key)
{
    /* The device has no such thing, or tells it only together with something else. */
    static const char *const nothing[] = {"DevicePropertiesAttestation",
                                          "PushToken",
                                          "OrganizationInfo",
                                          "SupplementalBuildVersion",
                                          "SupplementalOSVersionExtra",
                                          "ActiveManagedUsers",
                                          "AutoSetupAdminAccounts",
                                          "ServiceSubscriptions"};
    cat command = catalogue_find("DeviceInformation");
    cat row = catalogue_value(catalogue_item(catalogue_path(command, "Queries"), NULL), key);
    cat answer =
        catalogue_key(catalogue_path(command, "answer:QueryResponses"), CATALOGUE_KEY, key);
    pl v = NULL;
    if (!row || !may_be_asked(d, row))
        return NULL;
    if ((v = setting_fact(d, key)) || text_fact(d, key, &v) || (v = truth_fact(d, key)) ||
        (v = other_fact(d, key)))
        return v;
    for (size_t i = 0; i < sizeof nothing / sizeof nothing[0]; i++)
        if (strcmp(nothing[i], key) == 0)
            return NULL;
    return answer ? answer_made_up(d, answer) : NULL;
}

/* What is not known, not of this device or not allowed is left out. */
enum answer query_device_information(struct simdev *d, unsigned channel, pl command, pl report)
{
    pl asked = pl_get(command, "Queries"), out;
    (void)channel;
    if (pl_type_of(asked) != PL_ARRAY)
        return ANS_FORMAT_ERROR;
    out = pl_new_dict();
    for (size_t i = 0; i < pl_size(asked); i++) {
        const char *key = pl_str(pl_at(asked, i));
        pl v = key ? fact(d, key) : NULL;
        if (v)
            pl_set(out, key, v);
    }
    pl_set(report, "QueryResponses", out);
    return ANS_ACKNOWLEDGED;
}

/* ------------------------------------------------------------------ SecurityInfo and lists */

enum answer query_security_info(struct simdev *d, unsigned channel, pl command, pl report)
{
    pl s = pl_new_dict(), m = pl_new_dict();
    (void)channel;
    (void)command;
    if (d->hw.kind == HW_MAC) {
        pl firewall = pl_new_dict();
        pl_set_bool(s, "FDE_Enabled", true);
        pl_set_bool(s, "FDE_HasPersonalRecoveryKey", true);
        pl_set_bool(s, "FDE_HasInstitutionalRecoveryKey", false);
        pl_set_bool(s, "SystemIntegrityProtectionEnabled", true);
        pl_set_bool(s, "RemoteDesktopEnabled", d->remote_desktop);
        pl_set_bool(s, "IsRecoveryLockEnabled", d->recovery_lock != NULL);
        pl firmware = pl_new_dict();
        pl_set_bool(firmware, "PasswordExists", d->firmware_password != NULL);
        pl_set_bool(firmware, "ChangePending", false);
        pl_set_bool(firmware, "AllowOroms", false);
        pl_set(s, "FirmwarePasswordStatus", firmware);
        pl_set_bool(firewall, "FirewallEnabled", true);
        pl_set_bool(firewall, "BlockAllIncoming", false);
        pl_set_bool(firewall, "StealthMode", false);
        pl_set(s, "FirewallSettings", firewall);
    } else {
        pl_set_int(s, "HardwareEncryptionCaps", 3);
        pl_set_bool(s, "PasscodePresent", d->passcode);
        pl_set_bool(s, "PasscodeCompliant", true);
        pl_set_bool(s, "PasscodeCompliantWithProfiles", true);
        pl grace = setting_kept(d, "PasscodeLockGracePeriod", "PasscodeLockGracePeriod");
        pl_set(s, "PasscodeLockGracePeriod", grace ? grace : pl_new_int(0));
        pl_set_int(s, "PasscodeLockGracePeriodEnforced", 0);
    }
    pl_set_bool(m, "EnrolledViaDEP", false);
    pl_set_bool(m, "UserApprovedEnrollment", true);
    pl_set_bool(m, "IsUserEnrollment", d->user_enrollment);
    pl_set(s, "ManagementStatus", m);
    pl_set(report, "SecurityInfo", s);
    return ANS_ACKNOWLEDGED;
}

enum answer query_profile_list(struct simdev *d, unsigned channel, pl command, pl report)
{
    pl list = pl_new_array();
    bool managed_only = false, managed = false;
    pl_get_bool(command, "ManagedOnly", &managed_only);
    for (struct installed *p = d->profiles; p; p = p->next) {
        pl one = NULL;
        struct err err;
        if (p->channel != channel || pl_parse(bytes_of(p->summary, p->n), &one, &err) != OK)
            continue;
        pl_get_bool(one, "IsManaged", &managed);
        if (managed_only && !managed) {
            pl_free(&one);
            continue;
        }
        pl_remove(one, "Restrictions");
        pl_append(list, one);
    }
    pl_set(report, "ProfileList", list);
    return ANS_ACKNOWLEDGED;
}

enum answer query_certificate_list(struct simdev *d, unsigned channel, pl command, pl report)
{
    pl list = pl_new_array(), own = pl_new_dict();
    struct arena *a = arena_new(1 << 20);
    struct cert_info info;
    struct err err;
    struct bytes der = bytes_of(d->id.cert, d->id.ncert);
    (void)channel;
    (void)command;
    bool good = a && cert_info_read(a, der, &info, &err) == OK;
    pl_set_str(own, "CommonName", good ? info.common_name : "");
    pl_set_bool(own, "IsIdentity", true);
    pl_set_data(own, "Data", der);
    pl_append(list, own);
    pl_set(report, "CertificateList", list);
    arena_free(&a);
    return ANS_ACKNOWLEDGED;
}

static bool wanted(pl command, const char *identifier)
{
    pl list = pl_get(command, "Identifiers");
    for (size_t i = 0; i < pl_size(list); i++) {
        const char *s = pl_str(pl_at(list, i));
        if (s && strcmp(s, identifier) == 0)
            return true;
    }
    return list == NULL;
}

static pl app_entry(const char *identifier, const char *name)
{
    pl a = pl_new_dict();
    pl_set_str(a, "Identifier", identifier);
    pl_set_str(a, "Name", name);
    pl_set_str(a, "Version", "1204");
    pl_set_str(a, "ShortVersion", "12.4");
    pl_set_int(a, "BundleSize", 48234496);
    pl_set_int(a, "DynamicSize", 1052672);
    pl_set_bool(a, "HasUpdateAvailable", false);
    return a;
}

static pl app_of(const struct app *a)
{
    pl one = app_entry(a->identifier, a->name && a->name[0] ? a->name : a->identifier);
    if (a->version) {
        pl_set_str(one, "Version", a->version);
        pl_set_str(one, "ShortVersion", a->short_version ? a->short_version : "");
        pl_set_int(one, "BundleSize", a->size);
    } else if (!a->there) {
        pl_remove(one, "Version");
        pl_remove(one, "ShortVersion");
    }
    pl_set_bool(one, "HasUpdateAvailable", a->updates);
    pl_set_bool(one, "Installing", a->manifest_url != NULL);
    return one;
}

enum answer query_installed_apps(struct simdev *d, unsigned channel, pl command, pl report)
{
    pl list = pl_new_array();
    bool managed_only = false;
    const struct own_app *own;
    (void)channel;
    pl_get_bool(command, "ManagedAppsOnly", &managed_only);
    for (size_t i = 0; !managed_only && (own = app_own(i)); i++)
        if (wanted(command, own->identifier) && !*app_place(d, own->identifier))
            pl_append(list, app_entry(own->identifier, own->name));
    for (struct app *a = d->apps; a; a = a->next)
        if (wanted(command, a->identifier) && (a->managed || !managed_only) &&
            (a->there || a->manifest_url))
            pl_append(list, app_of(a));
    pl_set(report, "InstalledApplicationList", list);
    return ANS_ACKNOWLEDGED;
}

/* ------------------------------------------------------------------ Restrictions */

static bool add_restriction(const char *key, pl value, void *arg)
{
    pl one = pl_new_dict();
    bool truth = pl_type_of(value) == PL_BOOL;
    pl_set(one, "value", pl_copy(value));
    pl_set(pl_get(arg, truth ? "restrictedBool" : "restrictedValue"), key, one);
    return true;
}

static pl restrictions_new(void)
{
    pl r = pl_new_dict();
    pl_set(r, "restrictedBool", pl_new_dict());
    pl_set(r, "restrictedValue", pl_new_dict());
    return r;
}

enum answer query_restrictions(struct simdev *d, unsigned channel, pl command, pl report)
{
    pl global = restrictions_new(), each = pl_new_dict();
    bool per_profile = false;
    (void)channel;
    pl_get_bool(command, "ProfileRestrictions", &per_profile);
    for (struct installed *p = d->profiles; p; p = p->next) {
        pl one = NULL, mine;
        struct err err;
        if (pl_parse(bytes_of(p->summary, p->n), &one, &err) != OK)
            continue;
        mine = restrictions_new();
        pl_each(pl_get(one, "Restrictions"), add_restriction, global);
        pl_each(pl_get(one, "Restrictions"), add_restriction, mine);
        pl_set(each, p->identifier, mine);
        pl_free(&one);
    }
    pl_set(report, "GlobalRestrictions", global);
    if (per_profile)
        pl_set(report, "ProfileRestrictions", each);
    else
        pl_free(&each);
    return ANS_ACKNOWLEDGED;
}

/* ------------------------------------------------------------------ the rest */

enum answer query_users(struct simdev *d, unsigned channel, pl command, pl report)
{
    pl list = pl_new_array();
    (void)channel;
    (void)command;
    for (unsigned c = 1; c < d->nchannels; c++) {
        if (d->channel[c].deleted)
            continue;
        pl u = pl_new_dict();
        pl_set_str(u, "UserName", d->channel[c].short_name);
        pl_set_bool(u, "HasDataToSync", false);
        pl_set_bool(u, "IsLoggedIn", c == 1);
        if (d->hw.kind == HW_MAC) {
            pl_set_str(u, "UserGUID", d->channel[c].user_id);
            pl_set_str(u, "FullName", d->channel[c].long_name);
        }
        pl_append(list, u);
    }
    pl_set(report, "Users", list);
    return ANS_ACKNOWLEDGED;
}

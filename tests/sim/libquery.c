/* libquery.c: what a device answers when it is asked about itself. */
#include "libsimdev.h"

#include "base/clock.h"
#include "wire/x509.h"
#include <stdlib.h>

/* ------------------------------------------------------------------ DeviceInformation */

/* What a device can be asked, and who may ask it. */
static const struct question {
    const char *key;
    int64_t right;
    unsigned kinds; /* 0: all */
} questions[] = {
    {"UDID", 0, 0},
    {"Languages", 0, 1 << HW_APPLETV},
    {"Locales", 0, 1 << HW_APPLETV},
    {"DeviceID", 0, 1 << HW_APPLETV},
    {"LastCloudBackupDate", 0, 1 << HW_IPHONE | 1 << HW_IPAD},
    {"AwaitingConfiguration", 0, 0},
    {"MDMOptions", 0, 0},
    {"iTunesStoreAccountIsActive", 4096, 0},
    {"DeviceName", 16, 0},
    {"OSVersion", 16, 0},
    {"BuildVersion", 16, 0},
    {"ModelName", 16, 0},
    {"Model", 16, 0},
    {"ModelNumber", 16, 0},
    {"ProductName", 16, 0},
    {"SerialNumber", 16, 0},
    {"DeviceCapacity", 16, 0},
    {"AvailableDeviceCapacity", 16, 0},
    {"BatteryLevel", 16, 0},
    {"CellularTechnology", 16, 1 << HW_IPHONE | 1 << HW_IPAD},
    {"IMEI", 16, 1 << HW_IPHONE | 1 << HW_IPAD},
    {"MEID", 16, 1 << HW_IPHONE | 1 << HW_IPAD},
    {"ModemFirmwareVersion", 16, 1 << HW_IPHONE | 1 << HW_IPAD},
    {"IsSupervised", 16, 0},
    {"IsMultiUser", 16, 0},
    {"IsDeviceLocatorServiceEnabled", 16, 0},
    {"IsActivationLockEnabled", 16, 0},
    {"IsDoNotDisturbInEffect", 16, 1 << HW_IPHONE | 1 << HW_IPAD},
    {"IsMDMLostModeEnabled", 16, 1 << HW_IPHONE | 1 << HW_IPAD},
    {"IsCloudBackupEnabled", 16, 1 << HW_IPHONE | 1 << HW_IPAD},
    {"EASDeviceIdentifier", 16, 1 << HW_IPHONE | 1 << HW_IPAD},
    {"HostName", 16, 1 << HW_MAC},
    {"LocalHostName", 16, 1 << HW_MAC},
    {"IsAppleSilicon", 16, 1 << HW_MAC},
    {"SystemIntegrityProtectionEnabled", 16, 1 << HW_MAC},
    {"TimeZone", 16, 1 << HW_IPHONE | 1 << HW_IPAD | 1 << HW_APPLETV},
    {"ICCID", 32, 1 << HW_IPHONE | 1 << HW_IPAD},
    {"BluetoothMAC", 32, 0},
    {"WiFiMAC", 32, 0},
    {"EthernetMACs", 32, 1 << HW_MAC | 1 << HW_APPLETV},
    {"CurrentCarrierNetwork", 32, 1 << HW_IPHONE | 1 << HW_IPAD},
    {"PhoneNumber", 32, 1 << HW_IPHONE},
    {"DataRoamingEnabled", 32, 1 << HW_IPHONE | 1 << HW_IPAD},
    {"VoiceRoamingEnabled", 32, 1 << HW_IPHONE},
    {"PersonalHotspotEnabled", 32, 1 << HW_IPHONE},
    {"IsRoaming", 32, 1 << HW_IPHONE | 1 << HW_IPAD},
    {"SubscriberMCC", 32, 1 << HW_IPHONE | 1 << HW_IPAD},
    {"SubscriberMNC", 32, 1 << HW_IPHONE | 1 << HW_IPAD},
};

static pl texts(const char *one)
{
    pl a = pl_new_array();
    pl_append(a, pl_new_str(one));
    return a;
}

static pl text_fact(const struct simdev *d, const char *key)
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
        if (strcmp(facts[i].key, key) == 0)
            return facts[i].value[0] ? pl_new_str(facts[i].value) : NULL;
    return NULL;
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

static pl fact(const struct simdev *d, const char *key)
{
    static const char *const personal[] = {"UDID",  "SerialNumber", "IMEI",         "MEID",
                                           "ICCID", "WiFiMAC",      "BluetoothMAC", "PhoneNumber"};
    const struct question *q = NULL;
    for (size_t i = 0; !q && i < sizeof questions / sizeof questions[0]; i++)
        if (strcmp(questions[i].key, key) == 0)
            q = &questions[i];
    if (!q || (d->mdm->access_rights & q->right) != q->right ||
        (q->kinds && !(q->kinds & (1u << d->hw.kind))))
        return NULL;
    for (size_t i = 0; d->user_enrollment && i < sizeof personal / sizeof personal[0]; i++)
        if (strcmp(personal[i], key) == 0)
            return NULL;
    pl v = text_fact(d, key);
    if (!v)
        v = truth_fact(d, key);
    return v ? v : other_fact(d, key);
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
        pl_set_bool(s, "RemoteDesktopEnabled", false);
        pl_set_bool(firewall, "FirewallEnabled", true);
        pl_set_bool(firewall, "BlockAllIncoming", false);
        pl_set_bool(firewall, "StealthMode", false);
        pl_set(s, "FirewallSettings", firewall);
    } else {
        pl_set_int(s, "HardwareEncryptionCaps", 3);
        pl_set_bool(s, "PasscodePresent", d->passcode);
        pl_set_bool(s, "PasscodeCompliant", true);
        pl_set_bool(s, "PasscodeCompliantWithProfiles", true);
        pl_set_int(s, "PasscodeLockGracePeriod", 0);
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

static void add_app(pl list, const char *identifier, const char *name, bool updates)
{
    pl a = pl_new_dict();
    pl_set_str(a, "Identifier", identifier);
    pl_set_str(a, "Name", name);
    pl_set_str(a, "Version", "1204");
    pl_set_str(a, "ShortVersion", "12.4");
    pl_set_int(a, "BundleSize", 48234496);
    pl_set_int(a, "DynamicSize", 1052672);
    pl_set_bool(a, "HasUpdateAvailable", updates);
    pl_append(list, a);
}

enum answer query_installed_apps(struct simdev *d, unsigned channel, pl command, pl report)
{
    static const char *const own[][2] = {{"com.example.notes", "Notes"},
                                         {"com.example.weather", "Weather"},
                                         {"org.example.reader", "Reader"}};
    pl list = pl_new_array();
    bool managed_only = false;
    (void)channel;
    pl_get_bool(command, "ManagedAppsOnly", &managed_only);
    for (size_t i = 0; !managed_only && i < sizeof own / sizeof own[0]; i++)
        if (wanted(command, own[i][0]))
            add_app(list, own[i][0], own[i][1], false);
    for (struct app *a = d->apps; a; a = a->next)
        if (wanted(command, a->identifier))
            add_app(list, a->identifier, a->identifier, a->updates);
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

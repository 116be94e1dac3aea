/*
 * libsettings.c: the Settings command. Each entry has an outcome of its own; what was set is kept,
 * and DeviceInformation and SecurityInfo tell it.
 */
#include "libsimdev.h"

#include "base/limits.h"
#include "command/catalogue.h"
#include <stdlib.h>

/* What a device keeps of its settings: a dictionary by Item; the caller frees it. */
static pl settings_all(const struct simdev *d)
{
    struct err err;
    pl all = NULL;
    if (!d->settings.p || pl_parse(bytes_of(d->settings.p, d->settings.n), &all, &err) != OK)
        all = pl_new_dict();
    return all;
}

pl setting_kept(const struct simdev *d, const char *item, const char *key)
{
    pl all = settings_all(d), value = pl_copy(pl_get(pl_get(all, item), key));
    pl_free(&all);
    return value;
}

static void setting_keep(struct simdev *d, const char *item, pl one)
{
    struct buf out = BUF_INIT(LIM_MB);
    pl all = settings_all(d);
    pl_remove(all, item);
    pl_set(all, item, pl_copy(one));
    if (pl_to_binary(all, &out) != OK)
        abort();
    pl_free(&all);
    free(d->settings.p);
    d->settings.p = (uint8_t *)out.data;
    d->settings.n = out.len;
}

static void switch_keep(struct simdev *d, const char *item, bool on)
{
    pl one = pl_new_dict();
    pl_set_bool(one, "Enabled", on);
    setting_keep(d, item, one);
    pl_free(&one);
}

/* ------------------------------------------------------------------ what is refused */

/* The values that a key of the setting may have. */
static bool values_fit(const struct simdev *d, cat shape, pl one)
{
    for (cat key = catalogue_first(shape); key != NULL; key = catalogue_next(key)) {
        pl node = pl_get(one, catalogue_name(key));
        char number[24];
        int64_t n = 0;
        const char *s = pl_str(node);
        size_t values = catalogue_values(key), i = 0;
        if (!node || values == 0 || !simdev_has(d, key))
            continue;
        if (!s && pl_int(node, &n))
            snprintf(number, sizeof number, "%lld", (long long)n);
        while (i < values && strcmp(catalogue_value_at(key, i), s ? s : number) != 0)
            i++;
        if (i == values)
            return false;
    }
    return true;
}

static bool is_image(struct bytes b)
{
    return b.n > 8 &&
           (memcmp(b.p, "\x89PNG\r\n\x1a\n", 8) == 0 || memcmp(b.p, "\xff\xd8\xff", 3) == 0);
}

/* What a setting is refused for besides its form: 0 or a code, and its domain. */
static int64_t setting_refused(struct simdev *d, const char *item, pl one, const char **domain)
{
    struct bytes image;
    const char *word = pl_get_str(one, "Language");
    if (strcmp(item, "Wallpaper") == 0 &&
        (!pl_get_data(one, "Image", &image) || !is_image(image))) {
        *domain = "MCSettingsErrorDomain";
        return 28001;
    }
    if (strcmp(item, "Language") == 0 && strcmp(word, "en") != 0)
        return 12041;
    if (strcmp(item, "Locale") == 0 && strcmp(word, "en_US") != 0)
        return 12042;
    if (strncmp(item, "Application", 11) == 0 && !app_set(d, one))
        return 12029;
    return 0;
}

/* ------------------------------------------------------------------ what is done */

static void setting_done(struct simdev *d, const char *item, pl one)
{
    const char *name = pl_get_str(one, "DeviceName");
    bool on = false;
    pl_get_bool(one, "Enabled", &on);
    if (strcmp(item, "DeviceName") == 0) {
        free(d->device_name);
        d->device_name = strdup(name);
    }
    if (strncmp(item, "Application", 11) != 0 && strcmp(item, "Wallpaper") != 0)
        setting_keep(d, item, one);
    if (strcmp(item, "DataRoaming") == 0 && on) /* one does not go without the other */
        switch_keep(d, "VoiceRoaming", true);
    if (strcmp(item, "VoiceRoaming") == 0 && !on)
        switch_keep(d, "DataRoaming", false);
}

/* 0, or the code of what is wrong with a setting; -1: it has no form. */
static int64_t setting_apply(struct simdev *d, unsigned channel, const char *item, pl one,
                             const char **domain)
{
    cat list = catalogue_path(catalogue_find("Settings"), "Settings");
    cat shape = catalogue_item(list, item);
    int64_t code = command_objection(d, shape, channel, domain);
    if (code == 12021) {
        *domain = "MCSettingsErrorDomain";
        return 28000;
    }
    if (code == 0 && !command_made(d, shape, one))
        return -1;
    if (code == 0 && !values_fit(d, shape, one))
        return 12008;
    if (code == 0)
        code = setting_refused(d, item, one, domain);
    if (code == 0)
        setting_done(d, item, one);
    return code;
}

enum answer settings_apply(struct simdev *d, unsigned channel, pl command, pl report)
{
    pl list = pl_get(command, "Settings"), results = pl_new_array();
    for (size_t i = 0; i < pl_size(list); i++) {
        pl one = pl_at(list, i), result = pl_new_dict();
        const char *item = pl_get_str(one, "Item"), *domain = "MCMDMErrorDomain";
        int64_t code = item ? setting_apply(d, channel, item, one, &domain) : -1;
        pl_set_str(result, "Item", item ? item : "");
        if (pl_get_str(one, "Identifier"))
            pl_set_str(result, "Identifier", pl_get_str(one, "Identifier"));
        if (code != 0)
            answer_error(result, domain, code > 0 ? code : 12008, "The setting cannot be applied.");
        pl_set_str(result, "Status", code != 0 ? "Error" : "Acknowledged");
        pl_append(results, result);
    }
    pl_set(report, "Settings", results);
    return ANS_ACKNOWLEDGED;
}

/* ------------------------------------------------------------------ what is told of them */

/* Queries of DeviceInformation that tell what a setting set, or what held before. */
static const struct told {
    const char *query, *item, *key;
} told[] = {
    {"DataRoamingEnabled", "DataRoaming", "Enabled"},
    {"VoiceRoamingEnabled", "VoiceRoaming", "Enabled"},
    {"PersonalHotspotEnabled", "PersonalHotspot", "Enabled"},
    {"DiagnosticSubmissionEnabled", "DiagnosticSubmission", "Enabled"},
    {"AppAnalyticsEnabled", "AppAnalytics", "Enabled"},
    {"HostName", "HostName", "HostName"},
    {"LocalHostName", "HostName", "HostName"},
    {"TimeZone", "TimeZone", "TimeZone"},
    {"OrganizationInfo", "OrganizationInfo", "OrganizationInfo"},
    {"MDMOptions", "MDMOptions", "MDMOptions"},
    {"MaximumResidentUsers", "MaximumResidentUsers", "MaximumResidentUsers"},
    {"QuotaSize", "SharedDeviceConfiguration", "QuotaSize"},
    {"ResidentUsers", "SharedDeviceConfiguration", "ResidentUsers"},
    {"UserSessionTimeout", "SharedDeviceConfiguration", "UserSessionTimeout"},
    {"TemporarySessionTimeout", "SharedDeviceConfiguration", "TemporarySessionTimeout"},
    {"TemporarySessionOnly", "SharedDeviceConfiguration", "TemporarySessionOnly"},
    {"ManagedAppleIDDefaultDomains", "SharedDeviceConfiguration", "ManagedAppleIDDefaultDomains"},
    {"OnlineAuthenticationGracePeriod", "SharedDeviceConfiguration",
     "OnlineAuthenticationGracePeriod"},
    {"SkipLanguageAndLocaleSetupForNewUsers", "SharedDeviceConfiguration",
     "SkipLanguageAndLocaleSetupForNewUsers"},
};

pl setting_fact(const struct simdev *d, const char *query)
{
    bool whole =
        strcmp(query, "AccessibilitySettings") == 0 || strcmp(query, "SoftwareUpdateSettings") == 0;
    if (whole) { /* the whole entry, without its name */
        pl all = settings_all(d), one = pl_copy(pl_get(all, query));
        pl_free(&all);
        if (one)
            pl_remove(one, "Item");
        return one;
    }
    for (size_t i = 0; i < sizeof told / sizeof told[0]; i++)
        if (strcmp(told[i].query, query) == 0)
            return setting_kept(d, told[i].item, told[i].key);
    return NULL;
}

/* cell.c: what devices told, for people: with its unit, as a time, in words. */
#include "console/page.h"

#include <stdlib.h>

#include "store/inventory.h"

enum unit { UNIT_NONE, UNIT_SHARE, UNIT_GB, UNIT_MB, UNIT_OCTETS, UNIT_SECONDS, UNIT_DAYS };

/* Apple's keys whose number has a unit that it does not tell. */
static enum unit unit_of(const char *key)
{
    static const struct {
        const char *key;
        enum unit unit;
    } UNITS[] = {{"BatteryLevel", UNIT_SHARE},
                 {"DownloadPercentComplete", UNIT_SHARE},
                 {"DeviceCapacity", UNIT_GB},
                 {"AvailableDeviceCapacity", UNIT_GB},
                 {"QuotaSize", UNIT_MB},
                 {"BundleSize", UNIT_OCTETS},
                 {"DynamicSize", UNIT_OCTETS},
                 {"DownloadSize", UNIT_OCTETS},
                 {"InstallSize", UNIT_OCTETS},
                 {"DataQuota", UNIT_OCTETS},
                 {"DataUsed", UNIT_OCTETS},
                 {"AutoLockTime", UNIT_SECONDS},
                 {"PasscodeLockGracePeriod", UNIT_SECONDS},
                 {"PasscodeLockGracePeriodEnforced", UNIT_SECONDS},
                 {"UserSessionTimeout", UNIT_SECONDS},
                 {"TemporarySessionTimeout", UNIT_SECONDS},
                 {"OnlineAuthenticationGracePeriod", UNIT_DAYS}};
    for (size_t i = 0; i < sizeof UNITS / sizeof *UNITS; i++)
        if (strcmp(UNITS[i].key, key) == 0)
            return UNITS[i].unit;
    return UNIT_NONE;
}

/* 0.5 is 50 %; a device that does not know its battery says -1. */
static const char *share(struct page *p, const char *text)
{
    double d = strtod(text, NULL);
    return d < 0 || d > 1 ? text : arena_fmt(p->a, "%.0f %%", d * 100);
}

static const char *with_unit(struct page *p, const char *key, const char *text)
{
    switch (unit_of(key)) {
    case UNIT_SHARE:
        return share(p, text);
    case UNIT_GB:
        return arena_fmt(p->a, "%s GB", text);
    case UNIT_MB:
        return arena_fmt(p->a, "%s MB", text);
    case UNIT_OCTETS:
        return page_size(p, strtoll(text, NULL, 10));
    case UNIT_SECONDS:
        return arena_fmt(p->a, "%s s", text);
    case UNIT_DAYS:
        return words_count(p->w, p->a, "days_long", text);
    default:
        return text;
    }
}

void page_cell(struct page *p, struct value *v, const struct inv_column *c, const struct val *x)
{
    value_set_bool(v, "time", false);
    if (c->type == INV_DATE) {
        page_time(p, v, "time", val_or_0(x));
        return;
    }
    const char *text = inv_text(c, x, p->a);
    if (text && c->type == INV_BOOL)
        text = page_text(p, strcmp(text, "true") == 0 ? "yes" : "no");
    value_set_text(v, "text", text ? with_unit(p, c->key, text) : NULL);
}

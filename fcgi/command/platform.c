/* platform.c: see platform.h. */
#include "command/platform.h"

#include <stdio.h>
#include <string.h>

static const char *const names[PLATFORM__MAX] = {"unknown", "iOS",      "macOS",
                                                 "tvOS",    "visionOS", "watchOS"};

const char *platform_name(enum platform p)
{
    return (unsigned)p < PLATFORM__MAX ? names[p] : names[PLATFORM_UNKNOWN];
}

enum platform platform_of(const char *product_name)
{
    static const struct {
        const char *prefix;
        enum platform platform;
    } products[] = {
        {"iPhone", PLATFORM_IOS},      {"iPad", PLATFORM_IOS},
        {"iPod", PLATFORM_IOS},        {"AppleTV", PLATFORM_TVOS},
        {"Watch", PLATFORM_WATCHOS},   {"RealityDevice", PLATFORM_VISIONOS},
        {"Mac", PLATFORM_MACOS},       {"iMac", PLATFORM_MACOS},
        {"Xserve", PLATFORM_MACOS},    {"VirtualMac", PLATFORM_MACOS},
        {"Parallels", PLATFORM_MACOS}, {"VMware", PLATFORM_MACOS},
    };

    for (size_t i = 0; product_name != NULL && i < sizeof products / sizeof *products; i++)
        if (strncmp(product_name, products[i].prefix, strlen(products[i].prefix)) == 0)
            return products[i].platform;
    return PLATFORM_UNKNOWN;
}

/* A number, at most max; *s goes behind it. */
static unsigned number(const char **s, unsigned max)
{
    unsigned n = 0;

    for (; **s >= '0' && **s <= '9'; ++*s)
        if (n <= max)
            n = n * 10 + (unsigned)(**s - '0');
    return n > max ? max : n;
}

uint16_t version_read(const char *s)
{
    static const unsigned most[] = {126, 31, 15};
    unsigned part[3] = {0};

    if (s == NULL || *s < '0' || *s > '9')
        return 0;
    for (size_t i = 0; i < 3; i++) {
        part[i] = number(&s, most[i]);
        if (s[0] != '.' || s[1] < '0' || s[1] > '9')
            break;
        s++;
    }
    return VERSION(part[0], part[1], part[2]);
}

const char *version_text(uint16_t v, char out[VERSION_TEXT_MAX])
{
    unsigned third = v & 15u;

    out[0] = '\0';
    if (v != 0 && v != VERSION_NEVER)
        snprintf(out, VERSION_TEXT_MAX, third ? "%u.%u.%u" : "%u.%u", (unsigned)v >> 9,
                 (unsigned)v >> 4 & 31u, third);
    return out;
}

static const struct {
    unsigned right;
    const char *name, *about;
} rights[] = {
    {RIGHT_NONE, "none", "anything"},
    {RIGHT_INSPECT, "inspect", "inspection of configuration profiles"},
    {RIGHT_PROFILES, "profiles", "installation and removal of configuration profiles"},
    {RIGHT_LOCK, "lock", "device lock and passcode removal"},
    {RIGHT_ERASE, "erase", "device erase"},
    {RIGHT_DEVICE_INFO, "device-info", "query of device information"},
    {RIGHT_NETWORK_INFO, "network-info", "query of network information"},
    {RIGHT_INSPECT_PROVISIONING, "inspect-provisioning", "inspection of provisioning profiles"},
    {RIGHT_PROVISIONING, "provisioning", "installation and removal of provisioning profiles"},
    {RIGHT_INSPECT_APPS, "inspect-apps", "inspection of installed applications"},
    {RIGHT_RESTRICTIONS, "restrictions", "restriction-related queries"},
    {RIGHT_SECURITY, "security", "security-related queries"},
    {RIGHT_SETTINGS, "settings", "manipulation of settings"},
    {RIGHT_APPS, "apps", "app management"},
    {RIGHT_EACH, "each", "what is asked for"},
};
#define RIGHTS (sizeof rights / sizeof *rights)

const char *right_name(unsigned right)
{
    for (size_t i = 0; i < RIGHTS; i++)
        if (rights[i].right == right)
            return rights[i].name;
    return NULL;
}

const char *right_about(unsigned right)
{
    for (size_t i = 0; i < RIGHTS; i++)
        if (rights[i].right == right)
            return rights[i].about;
    return NULL;
}

unsigned right_read(const char *name, size_t n)
{
    for (size_t i = 0; i < RIGHTS; i++)
        if (strlen(rights[i].name) == n && memcmp(rights[i].name, name, n) == 0)
            return rights[i].right;
    return RIGHT_NONE;
}

int right_held(unsigned held, unsigned right)
{
    if (right == RIGHT_NONE || right == RIGHT_EACH)
        return 1;
    if ((right & RIGHT_PROFILES) && !(held & RIGHT_INSPECT))
        return 0;
    if ((right & RIGHT_PROVISIONING) && !(held & RIGHT_INSPECT_PROVISIONING))
        return 0;
    return (held & right) == right;
}

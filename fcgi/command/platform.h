/* platform.h: Apple's systems, their versions, and the access rights of an MDM profile, as numbers
 * and as words. */
#ifndef DROVER_COMMAND_PLATFORM_H
#define DROVER_COMMAND_PLATFORM_H

#include <stddef.h>
#include <stdint.h>

enum platform {
    PLATFORM_UNKNOWN,
    PLATFORM_IOS, /* and iPadOS */
    PLATFORM_MACOS,
    PLATFORM_TVOS,
    PLATFORM_VISIONOS,
    PLATFORM_WATCHOS,
    PLATFORM__MAX
};

/* "iOS", "macOS"; "unknown" otherwise. Never NULL. */
const char *platform_name(enum platform p);
/* The system of a device by its ProductName ("iPhone14,2", "Mac15,3", "AppleTV11,1"), or
 * PLATFORM_UNKNOWN; NULL is accepted. */
enum platform platform_of(const char *product_name);

/* A version as a number that compares as versions do; 0: unknown. The major number goes to 126, the
 * minor one to 31, the third to 15; larger ones count as these. */
#define VERSION(major, minor, third) ((uint16_t)((major) << 9 | (minor) << 4 | (third)))
#define VERSION_NEVER ((uint16_t)0xffff) /* of something that a system does not have */
/* Reads "17", "10.15.7", "16.4.1 (a)"; 0 when it begins with no number. NULL is accepted. */
uint16_t version_read(const char *s);
#define VERSION_TEXT_MAX 16
/* "10.15.7", "17.0"; "" for 0 and VERSION_NEVER. */
const char *version_text(uint16_t v, char out[VERSION_TEXT_MAX]);

/* AccessRights of the MDM payload (reference, "Structure of MDM Payloads"). */
enum right {
    RIGHT_NONE = 0,
    RIGHT_INSPECT = 1,
    RIGHT_PROFILES = 2,
    RIGHT_LOCK = 4,
    RIGHT_ERASE = 8,
    RIGHT_DEVICE_INFO = 16,
    RIGHT_NETWORK_INFO = 32,
    RIGHT_INSPECT_PROVISIONING = 64,
    RIGHT_PROVISIONING = 128,
    RIGHT_INSPECT_APPS = 256,
    RIGHT_RESTRICTIONS = 512,
    RIGHT_SECURITY = 1024,
    RIGHT_SETTINGS = 2048,
    RIGHT_APPS = 4096,
    RIGHT_EACH = 0x8000 /* of a command: decided by what it asks for */
};

/* The word for one right in the catalogue ("network-info"), or for RIGHT_NONE or RIGHT_EACH. NULL
 * for anything else. */
const char *right_name(unsigned right);
/* What the right allows, in words for people ("query of network information"); NULL as above. */
const char *right_about(unsigned right);
/* The right of that word, RIGHT_NONE when there is none. */
unsigned right_read(const char *name, size_t n);
/* Whether a profile with these AccessRights has the right: 2 counts beside 1 only, 128 beside 64
 * only. RIGHT_NONE and RIGHT_EACH are always had. */
int right_held(unsigned rights, unsigned right);

#endif

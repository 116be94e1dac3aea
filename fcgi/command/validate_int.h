/* validate_int.h: what validate.c, support.c, rules.c and build.c share: the place they are at and
 * what they found. */
#ifndef DROVER_COMMAND_VALIDATE_INT_H
#define DROVER_COMMAND_VALIDATE_INT_H

#include "command/validate.h"

#define CHECK_PATH_MAX 512u

struct check {
    struct arena *arena;
    const struct device_facts *facts;
    struct findings *out;
    unsigned unknown; /* facts whose lack was told */
    bool failed;      /* out of memory */
    bool hopeless;    /* the device cannot have what this place belongs to, which was told */
    size_t path_n;
    char path[CHECK_PATH_MAX]; /* an overlong one is cut off */
};

/* Goes one step down the path; the step back is check_up() with what this returned. */
size_t check_key(struct check *c, const char *key);
size_t check_index(struct check *c, size_t i);
void check_up(struct check *c, size_t was);

/* Notes what is wrong at this place. Octets of a device or a caller in it are cut to 64 and hold no
 * control characters. */
void check_error(struct check *c, const char *fmt, ...) PRINTF_LIKE(2, 3);
void check_warn(struct check *c, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Whether the device can have it: platform, version, supervision, right, channel. Checks what the
 * row says beyond the one above it, and nothing in a hopeless place. With soft the device leaves it
 * out, which is a warning. False: it cannot. */
bool support_check(struct check *c, cat node, bool soft);
/* Whether the row exists on the device, as far as is known. */
bool support_exists(const struct check *c, cat node);
/* Checks that the device's profile has a right. */
void support_right(struct check *c, unsigned right, bool soft);

#endif

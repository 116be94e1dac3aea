/*
 * validate.h: whether a command is right for a device, before it is sent. Everything that is wrong
 * is told, not only the first. A caller that must may send all the same.
 */
#ifndef DROVER_COMMAND_VALIDATE_H
#define DROVER_COMMAND_VALIDATE_H

#include "base/arena.h"
#include "command/catalogue.h"
#include "wire/plist.h"

#define FINDINGS_MAX 64u /* more of them are counted, not told */

struct finding {
    bool error;       /* otherwise a warning */
    const char *path; /* "Settings[2].Image"; "" for the command as a whole */
    const char *text; /* what is wrong, in words */
};

/* In the arena. */
struct findings {
    struct finding list[FINDINGS_MAX];
    size_t n;
    size_t errors, warnings; /* counted beyond the list too */
};

/* What is known of the device or user that would get it. What is not known leads to one warning,
 * not to a refusal. All zero but rights: nothing is known. */
struct device_facts {
    enum platform platform; /* platform_of(ProductName) */
    uint16_t version;       /* version_read(OSVersion); 0: unknown */
    int rights;             /* AccessRights of its profile; negative: unknown */
    enum says supervised;
    enum says dep; /* it came by automated enrolment */
    enum says shared_ipad;
    enum says user_enrolment;
    bool user_channel; /* it goes to a user's channel */
};

/* Nothing is known. */
#define DEVICE_FACTS_UNKNOWN ((struct device_facts){.rights = -1})

/* Checks a command (a dictionary with CommandUUID and Command), and fills *out.
 * INVALID: there is an error among the findings; ERROR: out of memory. */
enum outcome command_validate(struct arena *a, pl root, const struct device_facts *facts,
                              struct findings *out, struct err *err) MUST_USE;

/* Can the device have this command, or this key of one, by its platform, version, channel,
 * supervision and rights, whatever is in it? False: *why says why not, in a. What is not known of
 * the device keeps nothing from it. */
bool command_has(struct arena *a, cat node, const struct device_facts *facts, const char **why);

#endif

/* support.c: what a row of the catalogue asks of a device, against what is known of the device. */
#include "command/validate_int.h"

#include <string.h>

enum unknown {
    UNKNOWN_PLATFORM = 1,
    UNKNOWN_VERSION = 2,
    UNKNOWN_RIGHTS = 4,
    UNKNOWN_SUPERVISED = 8,
    UNKNOWN_DEP = 16,
    UNKNOWN_SHARED = 32,
    UNKNOWN_USER_ENROLMENT = 64
};

#define NOTE(c, soft, ...) ((soft) ? check_warn((c), __VA_ARGS__) : check_error((c), __VA_ARGS__))

/* Tells once that something is not known. */
static void unknown(struct check *c, enum unknown what, const char *text)
{
    if (c->unknown & what)
        return;
    c->unknown |= what;
    check_warn(c, "%s", text);
}

/* s: what holds of a row; t: what holds of the row above, which was checked before. */
static bool version_check(struct check *c, const struct catalogue_support *s,
                          const struct catalogue_support *t, bool soft)
{
    const struct device_facts *f = c->facts;
    const char *os = platform_name(f->platform);
    char needs[VERSION_TEXT_MAX], has[VERSION_TEXT_MAX];

    if (s->introduced == VERSION_NEVER) {
        NOTE(c, soft, "%s does not have it", os);
        return false;
    }
    if (f->version == 0) {
        if (s->introduced != 0 || s->removed != 0)
            unknown(c, UNKNOWN_VERSION,
                    "the device's system version is not known; it was not checked against what "
                    "the command needs");
        return true;
    }
    version_text(f->version, has);
    if (f->version < s->introduced) {
        NOTE(c, soft, "needs %s %s; the device has %s", os, version_text(s->introduced, needs),
             has);
        return false;
    }
    if (s->removed != 0 && f->version >= s->removed) {
        NOTE(c, soft, "was removed in %s %s; the device has %s", os,
             version_text(s->removed, needs), has);
        return false;
    }
    if (s->deprecated != t->deprecated && f->version >= s->deprecated)
        check_warn(c, "is deprecated since %s %s", os, version_text(s->deprecated, needs));
    return true;
}

static bool channel_check(struct check *c, const struct catalogue_support *s, bool soft)
{
    const struct device_facts *f = c->facts;
    bool shared = f->platform == PLATFORM_IOS && f->shared_ipad != SAYS_NO;

    if (f->platform == PLATFORM_IOS && f->user_channel && f->shared_ipad == SAYS_NO) {
        NOTE(c, soft, "iOS has a user channel on Shared iPads only");
        return false;
    }
    if (f->user_channel && !(f->platform == PLATFORM_IOS ? s->shared_user : s->user)) {
        NOTE(c, soft, "does not go to a user's channel");
        return false;
    }
    if (!f->user_channel &&
        (!s->device || (shared && f->shared_ipad == SAYS_YES && !s->shared_device))) {
        NOTE(c, soft, "goes to a user's channel only");
        return false;
    }
    return true;
}

/* mode against a state that may not be known. */
static bool mode_check(struct check *c, enum mode mode, enum says is, const char *with,
                       enum unknown what, const char *text, bool soft)
{
    if (mode == MODE_REQUIRED && is == SAYS_NO)
        NOTE(c, soft, "needs %s", with);
    else if (mode == MODE_FORBIDDEN && is == SAYS_YES)
        NOTE(c, soft, "cannot be used with %s", with);
    else {
        if (mode == MODE_IGNORED && is == SAYS_YES)
            check_warn(c, "is ignored with %s", with);
        if (is == SAYS_NOTHING && mode == MODE_REQUIRED)
            unknown(c, what, text);
        return true;
    }
    return false;
}

static bool state_check(struct check *c, const struct catalogue_support *s,
                        const struct catalogue_support *t, bool soft)
{
    const struct device_facts *f = c->facts;
    bool supervised = s->supervised && !t->supervised, dep = s->dep && !t->dep, ok = true;

    if (supervised && f->supervised == SAYS_NO) {
        NOTE(c, soft, "needs a supervised device");
        ok = false;
    } else if (supervised && f->supervised == SAYS_NOTHING) {
        unknown(c, UNKNOWN_SUPERVISED,
                "needs a supervised device; whether this one is, is not known");
    }
    if (dep && f->dep == SAYS_NO) {
        NOTE(c, soft, "needs a device that came by automated enrolment");
        ok = false;
    } else if (dep && f->dep == SAYS_NOTHING) {
        unknown(c, UNKNOWN_DEP,
                "needs a device that came by automated enrolment; whether this one did, is not "
                "known");
    }
    if (f->platform == PLATFORM_IOS && s->shared != t->shared)
        ok &= mode_check(c, s->shared, f->shared_ipad, "Shared iPad", UNKNOWN_SHARED,
                         "needs Shared iPad; whether the device is one, is not known", soft);
    if (s->user_enrolment != t->user_enrolment)
        ok &= mode_check(c, s->user_enrolment, f->user_enrolment, "User Enrolment",
                         UNKNOWN_USER_ENROLMENT,
                         "needs User Enrolment; whether the device came by it, is not known", soft);
    return ok;
}

void support_right(struct check *c, unsigned right, bool soft)
{
    if (right == RIGHT_NONE || right == RIGHT_EACH)
        return;
    if (c->facts->rights < 0)
        unknown(c, UNKNOWN_RIGHTS,
                "the access rights of the device's profile are not known; they were not checked");
    else if (!right_held((unsigned)c->facts->rights, right))
        NOTE(c, soft, "needs the access right %u (%s), which the device's profile does not have",
             right, right_about(right));
}

static bool same_channels(const struct catalogue_support *s, const struct catalogue_support *t)
{
    return s->device == t->device && s->user == t->user && s->shared_device == t->shared_device &&
           s->shared_user == t->shared_user;
}

bool support_check(struct check *c, cat node, bool soft)
{
    cat above = catalogue_parent(node);
    struct catalogue_support s, t = {.device = true,
                                     .user = true,
                                     .shared_device = true,
                                     .shared_user = true,
                                     .shared = MODE_ALLOWED,
                                     .user_enrolment = MODE_ALLOWED};

    if (c->hopeless)
        return true;
    if (c->facts->platform == PLATFORM_UNKNOWN) {
        unknown(c, UNKNOWN_PLATFORM,
                "the device's platform is not known; neither versions nor rights were checked");
        return true;
    }
    s = catalogue_support(node, c->facts->platform);
    if (above != NULL)
        t = catalogue_support(above, c->facts->platform);
    if ((s.introduced != t.introduced || s.deprecated != t.deprecated || s.removed != t.removed) &&
        !version_check(c, &s, &t, soft))
        return false;
    if (!same_channels(&s, &t) && !channel_check(c, &s, soft))
        return false;
    if (!state_check(c, &s, &t, soft))
        return false;
    if (s.right != t.right)
        support_right(c, s.right, soft);
    return true;
}

bool support_exists(const struct check *c, cat node)
{
    const struct device_facts *f = c->facts;
    struct catalogue_support s;

    if (f->platform == PLATFORM_UNKNOWN)
        return true;
    s = catalogue_support(node, f->platform);
    if (s.introduced == VERSION_NEVER)
        return false;
    return f->version == 0 ||
           (f->version >= s.introduced && (s.removed == 0 || f->version < s.removed));
}

bool command_has(struct arena *a, cat node, const struct device_facts *facts, const char **why)
{
    struct findings found = {0};
    struct check c = {.arena = a, .facts = facts, .out = &found};

    *why = NULL;
    support_check(&c, node, false);
    for (size_t i = 0; i < found.n && *why == NULL; i++)
        if (found.list[i].error)
            *why = found.list[i].text;
    return *why == NULL;
}

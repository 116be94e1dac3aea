/*
 * libplausible.c: what the catalogue says of a command: whether this device knows it, whether its
 * profile and its kind of management allow it, which keys it must have, and what its answer looks
 * like. Of the commands that need no state the values are made up, of the right type and range.
 */
#include "libsimdev.h"

#include "base/clock.h"
#include "command/catalogue.h"
#include <stdlib.h>

#define DEEP 6 /* dictionaries inside dictionaries */

enum platform simdev_platform(const struct simdev *d)
{
    return d->hw.kind == HW_MAC       ? PLATFORM_MACOS
           : d->hw.kind == HW_APPLETV ? PLATFORM_TVOS
                                      : PLATFORM_IOS;
}

bool simdev_has(const struct simdev *d, cat row)
{
    struct catalogue_support s = catalogue_support(row, simdev_platform(d));
    uint16_t version = version_read(d->hw.os);

    return s.introduced != VERSION_NEVER && version >= s.introduced &&
           (s.removed == 0 || version < s.removed);
}

/* ------------------------------------------------------------------ made-up values */

static const struct {
    const char *key, *value;
} texts[] = {
    {"Identifier", "com.example.reader"},
    {"BundleID", "com.example.reader"},
    {"Name", "Reader"},
    {"HumanReadableName", "Software update"},
    {"Version", "18.0"},
    {"Build", "22A3354"},
    {"ProductKey", "OS-22A3354"},
    {"ProductName", "System 18.0"},
    {"Timestamp", "2026-11-22T08:15:30Z"},
    {"UserName", "alice"},
    {"FullName", "Alice Example"},
    {"DeviceName", "device"},
    {"ActivationLockBypassCode", "0A1B2-C3D4E-F5G6H-I7J8K-L9M0N-P1Q2R"},
    {"MirroringResult", "Prompting"},
    {"InvitationResult", "Acknowledged"},
    {"ProductVersion", "18.0"},
    {"HumanReadableNameLocale", "en"},
    {"MetadataURL", "https://updates.example.com/22A3354"},
    {"ExtensionPoint", "com.apple.share-services"},
    {"DisplayName", "Reader"},
    {"SoftwareUpdateDeviceID", "J316sAP"},
    {"EACSPreflight", "success"},
    {"iTunesStoreAccountHash", "SGFzaCBvZiBhIHN0b3JlIGFjY291bnQ="},
    {"CarrierSettingsVersion", "56.0"},
    {"SupplementalBuildVersion", "22A3354"},
    {"SupplementalOSVersionExtra", "(a)"},
    {"EthernetMAC", "3c:07:54:00:00:01"},
};

static pl text_value(cat row)
{
    const char *standard = catalogue_default(row);

    if (catalogue_values(row) > 0)
        return pl_new_str(catalogue_value_at(row, 0));
    if (standard != NULL)
        return pl_new_str(standard);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (strcmp(texts[i].key, catalogue_name(row)) == 0)
            return pl_new_str(texts[i].value);
    return pl_new_str("example");
}

static pl number_value(cat row)
{
    double low, high;

    if (catalogue_values(row) > 0)
        return pl_new_int(strtoll(catalogue_value_at(row, 0), NULL, 10));
    return pl_new_int(catalogue_range(row, &low, &high) ? (int64_t)low : 1);
}

static pl made_up(const struct simdev *d, cat row, unsigned depth);

static pl dictionary(const struct simdev *d, cat row, unsigned depth)
{
    pl dict = pl_new_dict();

    for (cat key = catalogue_first(row); key != NULL; key = catalogue_next(key)) {
        bool any = catalogue_is(key, CATALOGUE_ANY_NAME);

        if (catalogue_kind(key) == CATALOGUE_KEY && simdev_has(d, key) &&
            !catalogue_is(key, CATALOGUE_LEGACY))
            pl_set(dict, any ? "com.example.reader" : catalogue_name(key),
                   made_up(d, key, depth + 1));
    }
    return dict;
}

static pl made_up(const struct simdev *d, cat row, unsigned depth)
{
    const char *standard = catalogue_default(row);
    pl array;

    switch (depth < DEEP ? catalogue_type(row) : CATALOGUE_ANY) {
    case CATALOGUE_DICTIONARY:
        return dictionary(d, row, depth);
    case CATALOGUE_ARRAY:
        array = pl_new_array();
        if (catalogue_first(row) != NULL)
            pl_append(array, made_up(d, catalogue_first(row), depth + 1));
        return array;
    case CATALOGUE_INTEGER:
        return number_value(row);
    case CATALOGUE_REAL:
        return pl_new_real(0.5);
    case CATALOGUE_BOOLEAN:
        return pl_new_bool(standard == NULL || strcmp(standard, "true") == 0);
    case CATALOGUE_DATE:
        return pl_new_date(clock_now() / SECOND_US * SECOND_US);
    case CATALOGUE_DATA:
        return pl_new_data(bytes_str("made up"));
    default:
        return text_value(row);
    }
}

/* ------------------------------------------------------------------ what is refused */

static bool has_type(pl node, enum catalogue_type t)
{
    enum pl_type is = pl_type_of(node);

    return t == CATALOGUE_ANY || (t == CATALOGUE_DICTIONARY && is == PL_DICT) ||
           (t == CATALOGUE_ARRAY && is == PL_ARRAY) || (t == CATALOGUE_STRING && is == PL_STRING) ||
           (t == CATALOGUE_INTEGER && is == PL_INT) ||
           (t == CATALOGUE_REAL && (is == PL_REAL || is == PL_INT)) ||
           (t == CATALOGUE_BOOLEAN && is == PL_BOOL) || (t == CATALOGUE_DATE && is == PL_DATE) ||
           (t == CATALOGUE_DATA && is == PL_DATA);
}

static bool value_made(const struct simdev *d, cat row, pl node);

/* Every key that must be there is, and every key that is known has its type. */
static bool keys_made(const struct simdev *d, cat row, pl dict)
{
    for (cat key = catalogue_first(row); key != NULL; key = catalogue_next(key)) {
        pl node;

        if (catalogue_kind(key) != CATALOGUE_KEY || !simdev_has(d, key) ||
            catalogue_is(key, CATALOGUE_ANY_NAME))
            continue;
        node = pl_get(dict, catalogue_name(key));
        if (node == NULL ? catalogue_is(key, CATALOGUE_REQUIRED) : !value_made(d, key, node))
            return false;
    }
    return true;
}

static bool value_made(const struct simdev *d, cat row, pl node)
{
    if (!has_type(node, catalogue_type(row)))
        return false;
    if (catalogue_type(row) == CATALOGUE_DICTIONARY)
        return keys_made(d, row, node);
    cat item = catalogue_type(row) == CATALOGUE_ARRAY ? catalogue_first(row) : NULL;
    if (item == NULL || catalogue_name(item)[0] != '\0')
        return true; /* several shapes: each entry has an outcome of its own */
    for (size_t i = 0; i < pl_size(node); i++)
        if (!value_made(d, item, pl_at(node, i)))
            return false;
    return true;
}

bool command_made(const struct simdev *d, cat row, pl dict)
{
    return keys_made(d, row, dict);
}

int64_t command_objection(const struct simdev *d, cat row, unsigned channel, const char **domain)
{
    struct catalogue_support s = row != NULL ? catalogue_support(row, simdev_platform(d))
                                             : (struct catalogue_support){.device = false};
    bool user = d->hw.kind == HW_MAC ? s.user : s.shared_user;

    *domain = "MCMDMErrorDomain";
    if (row == NULL || !simdev_has(d, row) || (channel == 0 ? !s.device : !user) ||
        (d->user_enrollment && s.user_enrolment == MODE_FORBIDDEN))
        return 12021;
    if (!right_held((unsigned)d->mdm->access_rights, s.right))
        return 12007;
    if (s.supervised && !d->hw.supervised) {
        *domain = "MCChaperoneErrorDomain";
        return 29000;
    }
    return 0;
}

pl answer_made_up(const struct simdev *d, cat row)
{
    return made_up(d, row, 0);
}

void answer_plausibly(const struct simdev *d, cat row, pl report)
{
    for (cat key = catalogue_first(row); key != NULL; key = catalogue_next(key))
        if (catalogue_kind(key) == CATALOGUE_ANSWER && simdev_has(d, key))
            pl_set(report, catalogue_name(key), made_up(d, key, 0));
}

/*
 * filter.h: which devices belong to a group, as an expression in JSON, compiled to one statement
 * whose values are all bound.
 *
 *   {"all": [E, ...]}   {"any": [E, ...]}   {"not": E}
 *   {"fact": NAME, "is": VALUE}      is, is_not, in [VALUES], below, at_most, above, at_least,
 *                                    begins, contains, known (true or false)
 *   {"tag": "word"}                  the device has the tag
 *   {"profile": IDENTIFIER}, {"app": IDENTIFIER}    it is installed, says the inventory
 *
 * A NAME is platform, os_version (compared as versions are), model, product_name, supervised,
 * serial, udid, device_name, enrolment_profile, kind, or a fact of the inventory under Apple's key:
 * IsSupervised, PasscodePresent, PhoneNumber, ... What is not known of a device makes a comparison
 * false, is_not too; known tells.
 */
#ifndef DROVER_STORE_FILTER_H
#define DROVER_STORE_FILTER_H

#include "store/db.h"
#include "wire/json.h"

#define FILTER_DEPTH 16u
#define FILTER_LEAVES 100u
#define FILTER_VALUES 1000u

struct filter {
    const char *where; /* SQL: joins and condition, for filter_devices() */
    const char *joins;
    struct val *args;
    size_t nargs;
};

/* Compiles an expression, in the arena. INVALID says what is wrong, and where. */
enum outcome filter_compile(js expression, struct arena *a, struct filter *out,
                            struct err *err) MUST_USE;

/* Whether an expression asks for the tag (NULL: for any). */
bool filter_asks_tag(js expression, const char *tag);

/* The devices (enrolled device channels) that the filter lets through: ids in ascending order.
 * only: if not 0, that device alone. NULL as f: every device. */
enum outcome filter_devices(struct db *db, const struct filter *f, int64_t only, struct arena *a,
                            int64_t **ids, size_t *n, struct err *err) MUST_USE;

/* How many devices the filter lets through, and max of them by name. */
struct filter_match {
    const char *ident, *name, *serial; /* "" when absent */
};
enum outcome filter_count(struct db *db, const struct filter *f, size_t max, struct arena *a,
                          int64_t *n, struct filter_match **some, size_t *nsome,
                          struct err *err) MUST_USE;

/* Names of facts, for people; NULL past the last. */
const char *filter_fact_name(size_t i);
/* What its values are; FILTER_NONE: there is no such fact to filter by. */
enum filter_type {
    FILTER_NONE,
    FILTER_TEXT,
    FILTER_NUMBER,
    FILTER_BOOL,
    FILTER_PLATFORM,
    FILTER_VERSION
};
enum filter_type filter_fact_type(const char *name);
/* "text", "number", "boolean", "platform", "version"; "?" otherwise. */
const char *filter_type_name(enum filter_type type);

#endif

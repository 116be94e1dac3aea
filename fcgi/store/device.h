/* device.h: devices as the console lists them: search, counts, the users of one. */
#ifndef DROVER_STORE_DEVICE_H
#define DROVER_STORE_DEVICE_H

#include "store/enrollment.h"

#define DEVICE_SEARCH_MAX 100 /* octets of what is searched for */

/* Strings are "" when absent. */
struct device_brief {
    int64_t id;
    const char *ident, *serial, *name, *product_name, *model_name, *os_version;
    int state; /* enum enrollment_state */
    int64_t last_seen_at, open_commands;
};

/* Strings are never NULL; "" lets everything pass. */
struct device_filter {
    const char *text; /* in serial number, name, id, model or a user's name, whatever the case */
    const char *platform; /* as of struct device_share */
    const char *os;       /* how the system's version begins */
    unsigned states;      /* bits 1 << state; 0: all */
    int64_t seen_before;  /* 0: any */
};
/* At most max device channels that fit, seen last first, after the cursor ({0, 0}: from the
 * start); in a. INVALID: the text is longer than DEVICE_SEARCH_MAX. */
enum outcome device_search(struct db *db, const struct device_filter *f,
                           struct enrollment_cursor after, size_t max, struct arena *a,
                           struct device_brief **out, size_t *n, struct err *err) MUST_USE;
/* How many fit. */
enum outcome device_count(struct db *db, const struct device_filter *f, struct arena *a, int64_t *n,
                          struct err *err) MUST_USE;
/* Rows of id and ident of those that fit, by id, with ids above after. */
enum outcome device_ids(struct db *db, const struct device_filter *f, int64_t after, size_t max,
                        struct arena *a, struct rows *out, struct err *err) MUST_USE;

/* "%text%" for LIKE, with what has a meaning there escaped; in a. NULL: longer than
 * DEVICE_SEARCH_MAX, or no memory. */
const char *device_pattern(const char *text, struct arena *a);

/* How many devices are alike. */
struct device_share {
    int state;
    const char *platform;   /* "iPhone", "iPad", "Mac", "Apple TV", "Vision", "Watch", "" */
    const char *os_version; /* "" when not told */
    int64_t devices, seen_day, seen_week; /* of these, seen within a day, and a week */
};
/* All device channels in groups, at most LIM_PAGE of the largest, as the agent counted them within
 * five minutes, or as they are; in a. */
enum outcome device_groups(struct db *db, int64_t now, struct arena *a, struct device_share **out,
                           size_t *n, struct err *err) MUST_USE;

/* Counts them, for the agent. */
enum outcome device_groups_count(struct db *db, int64_t now, struct err *err) MUST_USE;

/* A user channel of a device. */
struct device_user {
    const char *ident, *short_name, *long_name;
    int state;
    int64_t last_seen_at;
};
/* The user channels of a device, at most LIM_PAGE; in a. */
enum outcome device_users(struct db *db, int64_t device_id, struct arena *a,
                          struct device_user **out, size_t *n, struct err *err) MUST_USE;

#endif

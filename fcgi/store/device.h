/* device.h: devices as the console lists them: search, counts, the users of one. */
#ifndef DROVER_STORE_DEVICE_H
#define DROVER_STORE_DEVICE_H

#include "store/enrollment.h"

/* Strings are "" when absent. */
struct device_brief {
    int64_t id;
    const char *ident, *serial, *name, *product_name, *model_name, *os_version, *build_version,
        *udid, *users; /* users: short names of those on it, with commas */
    int state;         /* enum enrollment_state */
    int64_t last_seen_at, enrolled_at, open_commands;
    const struct val *facts; /* as asked for */
    const char *place;       /* what it is sorted by, for device_order.after; NULL: nothing */
};

/* Strings are never NULL; "" lets everything pass. */
struct device_filter {
    const char *text;     /* store/search.h */
    const char *platform; /* as of struct device_share */
    const char *os;       /* how the system's version begins: "17", "17.4" */
    unsigned states;      /* bits 1 << state; 0: all */
    int64_t seen_before;  /* 0: any */
};

enum device_sort {
    DEVICE_BY_SEEN,
    DEVICE_BY_NAME,
    DEVICE_BY_SERIAL,
    DEVICE_BY_OS,
    DEVICE_BY_ENROLLED,
    DEVICE_SORTS
};
struct device_order {
    enum device_sort by;
    bool up;           /* the least first */
    int64_t after_id;  /* the last one of the page before; 0: from the start */
    const char *after; /* its place */
};
#define DEVICE_FACTS_MAX 40
/* At most max (LIM_PAGE) device channels that fit; facts: nfacts keys of inv_fact(), others are
 * NULL in every row; in a. INVALID: the text is too long, or there are too many facts. */
enum outcome device_list(struct db *db, const struct device_filter *f, struct device_order order,
                         const char *const *facts, size_t nfacts, size_t max, struct arena *a,
                         struct device_brief **out, size_t *n, struct err *err) MUST_USE;
/* How many fit. */
enum outcome device_count(struct db *db, const struct device_filter *f, struct arena *a, int64_t *n,
                          struct err *err) MUST_USE;
/* How many fit, and how many of these are enrolled: those that a command reaches. */
enum outcome device_count_reached(struct db *db, const struct device_filter *f, struct arena *a,
                                  int64_t *n, int64_t *reached, struct err *err) MUST_USE;
/* Rows of id and ident of those that fit, by id, with ids above after. */
enum outcome device_ids(struct db *db, const struct device_filter *f, int64_t after, size_t max,
                        struct arena *a, struct rows *out, struct err *err) MUST_USE;

/* "iPhone" and the like of enrollment.list_platform; "" for others. */
const char *device_platform_name(int64_t number);

/* How many devices are alike. */
struct device_share {
    int state;
    const char *platform;   /* "iPhone", "iPad", "Mac", "Apple TV", "Vision", "Watch", "" */
    const char *os_version; /* "" when not told */
    int64_t devices, seen_day, seen_week; /* of these, seen within a day, and a week */
};
/* All device channels in groups, at most LIM_PAGE of the largest, as the agent counted them within
 * five minutes, or as they are; in a. Who is limited (store/scope.h) counts the own ones. */
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
/* The user channels of a device with idents after `after` (""), at most max (LIM_PAGE); in a. */
enum outcome device_users(struct db *db, int64_t device_id, const char *after, size_t max,
                          struct arena *a, struct device_user **out, size_t *n,
                          struct err *err) MUST_USE;

#endif

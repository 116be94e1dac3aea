/* owner.h: which devices are a person's: those that enrolled with a profile which was given out to
 * that login name (store/handout.h). */
#ifndef DROVER_STORE_OWNER_H
#define DROVER_STORE_OWNER_H

#include "store/handout.h"

struct owner {
    enum account_kind kind; /* of the login */
    const char *account;
};

/* A device that is enrolled, as it told last, or when it enrolled. Strings are "" when absent. */
struct own_device {
    int64_t id;
    const char *ident, *device_name, *serial, *product_name, *model_name, *os_version;
    int64_t enrolled_at, last_seen_at;
    int64_t access_rights; /* that its profile said */
    int64_t removal;       /* enum enroll_removal of it */
    const char *organization, *description;
};
/* The person's devices, or the one of that ident (NULL: all), by id above after; at most max
 * (LIM_PAGE). What is not the person's is not there, nor what was given to somebody of that name
 * who was taken out; a disabled account has none. */
enum outcome own_devices(struct db *db, const struct owner *who, const char *ident, int64_t after,
                         size_t max, struct arena *a, struct own_device **out, size_t *n,
                         struct err *err) MUST_USE;

/* A part of what was told of a device. */
struct own_area {
    int area; /* enum inventory_area */
    int64_t reported_at, items;
};
enum outcome own_areas(struct db *db, int64_t enrollment_id, struct arena *a, struct own_area **out,
                       size_t *n, struct err *err) MUST_USE;

#endif

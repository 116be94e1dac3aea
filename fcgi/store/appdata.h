/* appdata.h: what apps left for the server, device by device. */
#ifndef DROVER_STORE_APPDATA_H
#define DROVER_STORE_APPDATA_H

#include "store/db.h"

struct app_data {
    int64_t enrollment_id, at;
    const char *ident, *serial, *device_name;
    const char *content; /* JSON */
};
/* The feedback of an app of the library, by enrollment id above after; at most max (LIM_PAGE). */
enum outcome appdata_feedback(struct db *db, int64_t item_id, int64_t after, size_t max,
                              struct arena *a, struct app_data **out, size_t *n,
                              struct err *err) MUST_USE;

#endif

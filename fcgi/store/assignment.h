/* assignment.h: profiles and apps that the devices of a group, or one device, are to have. */
#ifndef DROVER_STORE_ASSIGNMENT_H
#define DROVER_STORE_ASSIGNMENT_H

#include "store/db.h"

struct assignment {
    int64_t id, group_id, item_id;             /* group_id 0: it is for one device */
    const char *group, *item, *identifier;     /* group "" then */
    const char *device, *serial, *device_name; /* of the one device; "" of a group */
    int kind;                                  /* enum library_kind */
    int64_t created_at;
    const char *created_by;
};
/* NOT_FOUND: no such group or item; CONFLICT: it is there already. *id: of the new one. */
enum outcome assignment_add(struct db *db, int64_t group_id, int64_t item_id, const char *actor,
                            int64_t now, int64_t *id, struct err *err) MUST_USE;
/* The same for one enrolled device, by its enrollment id or serial number. NOT_FOUND: no such
 * device or item; CONFLICT: it is there already, or two devices have that serial number. */
enum outcome assignment_add_device(struct db *db, const char *device, int64_t item_id,
                                   const char *actor, int64_t now, int64_t *id,
                                   struct err *err) MUST_USE;
enum outcome assignment_delete(struct db *db, int64_t id, const char *actor, const char *why,
                               struct err *err) MUST_USE;
/* Those of a group, of an item (0: of all), with ids above after. */
enum outcome assignment_list(struct db *db, int64_t group_id, int64_t item_id, int64_t after,
                             size_t max, struct arena *a, struct assignment **out, size_t *n,
                             struct err *err) MUST_USE;
/* Those of single devices: of one (by enrollment id or serial number; NULL: of all), of an item (0:
 * of all), with ids above after. */
enum outcome assignment_of_devices(struct db *db, const char *device, int64_t item_id,
                                   int64_t after, size_t max, struct arena *a,
                                   struct assignment **out, size_t *n, struct err *err) MUST_USE;

#endif

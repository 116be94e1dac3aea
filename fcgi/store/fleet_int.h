/* fleet_int.h: the columns of a device, for fleet.c and fleet_list.c. */
#ifndef DROVER_STORE_FLEET_INT_H
#define DROVER_STORE_FLEET_INT_H

#include "store/fleet.h"

#define FLEET_SELECTED                                                                             \
    "SELECT e.id, e.ident, COALESCE(d.serial_number, e.serial), e.udid, "                          \
    "COALESCE(d.device_name, e.device_name), COALESCE(d.product_name, e.product_name), "           \
    "COALESCE(d.model_name, e.model_name), COALESCE(d.os_version, e.os_version), "                 \
    "COALESCE(d.build_version, e.build_version), e.state, d.platform, d.is_supervised, "           \
    "e.last_seen_at, e.enrolled_at "
#define FLEET_FROM "FROM enrollment e LEFT JOIN inv_device d ON d.enrollment_id = e.id "

/* A row of FLEET_SELECTED. */
void fleet_from_row(const struct val *v, struct fleet_device *out);

#endif

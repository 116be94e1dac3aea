/*
 * machine_info.h: what a device says of itself when it asks for an enrolment profile, in a property
 * list that it signs with the identity Apple gave it: MachineInfo of the configuration URL and of
 * account-driven enrolment, the attributes of the Profile Service.
 */
#ifndef DROVER_ENROLLMENT_MACHINE_INFO_H
#define DROVER_ENROLLMENT_MACHINE_INFO_H

#include "base/arena.h"

/* Strings are UTF-8 without control characters, "" when absent. */
struct machine_info {
    const char *udid, *serial, *product; /* UDID, SERIAL, PRODUCT ("iPhone12,1") */
    const char *build;                   /* VERSION: the build, "21A329" */
    const char *os_version;              /* OS_VERSION: "17.0"; old systems do not tell it */
    const char *supplemental_build, *supplemental_os_extra;
    const char *imei, *meid, *language;
    const char *software_update_device_id;
    bool can_request_software_update; /* understands com.apple.softwareupdate.required */
    struct bytes pairing_token;       /* PAIRING_TOKEN of an Apple Watch; empty */
    /* of the Profile Service only */
    const char *challenge, *device_name, *iccid, *mac_address;
};

/* Which keys must be there. */
enum machine_info_use {
    MACHINE_INFO_DEVICE,  /* UDID, SERIAL, PRODUCT and VERSION: configuration URL */
    MACHINE_INFO_ACCOUNT, /* PRODUCT and VERSION: account-driven; a user enrolment tells no UDID */
    MACHINE_INFO_SERVICE  /* UDID, PRODUCT and VERSION: Profile Service */
};

/* Reads the signed content. INVALID: no property list of that kind, a key that must be there is
 * missing or empty, or a value is of the wrong type, too long or not printable. Strings in a. */
enum outcome machine_info_read(struct arena *a, struct bytes content, enum machine_info_use use,
                               struct machine_info *out, struct err *err) MUST_USE;

#endif

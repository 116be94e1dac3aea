/*
 * provisioning.h: a provisioning profile (.mobileprovision), which an app of one's own needs: a
 * property list in a CMS signature by Apple.
 */
#ifndef DROVER_LIBRARY_PROVISIONING_H
#define DROVER_LIBRARY_PROVISIONING_H

#include "command/validate.h"

/* Everything is in the arena; "" or 0 when absent. */
struct provisioning {
    const char *uuid, *name;
    const char *team;      /* TeamName */
    const char *app_id;    /* the entitlement application-identifier */
    const char *signed_by; /* subject of the signer's certificate */
    int64_t expires_at;    /* ExpirationDate */
    size_t devices;        /* UDIDs it is limited to; 0: not limited to some */
    struct findings found;
};

/* INVALID: it is none, unsigned, or its signature is broken. ERROR: memory. */
enum outcome provisioning_read(struct arena *a, struct bytes file, int64_t now,
                               struct provisioning *out, struct err *err) MUST_USE;

#endif

/*
 * ident.h: the name of an enrollment, read from a message (NanoMDM's forms, so that scripts made
 * for it go on working):
 *
 *     Device                    UDID
 *     User                      UDID:UserID
 *     Shared iPad               UDID:UserShortName   (UserID is FFFFFFFF-FFFF-...)
 *     User Enrollment (Device)  EnrollmentID
 *     User Enrollment           EnrollmentID:EnrollmentUserID
 */
#ifndef DROVER_STORE_IDENT_H
#define DROVER_STORE_IDENT_H

#include "base/limits.h"
#include "wire/plist.h"

enum ident_kind {
    IDENT_DEVICE = 1,
    IDENT_USER,
    IDENT_SHARED_IPAD,
    IDENT_USER_ENROLLMENT_DEVICE,
    IDENT_USER_ENROLLMENT
};

struct ident {
    enum ident_kind kind;
    char name[LIM_IDENT + 1];   /* the enrollment's */
    char device[LIM_IDENT + 1]; /* its device's: the same for a device channel */
    /* as told; NULL when absent; valid as long as the message */
    const char *udid, *user_id, *user_short_name, *user_long_name;
};

/* Reads it from the top dictionary of a message. INVALID: no identifier, an empty or overlong
 * one, one with control characters or, in UDID and EnrollmentID, a colon. */
enum outcome ident_read(pl message, struct ident *out, struct err *err) MUST_USE;

static inline bool ident_is_user(const struct ident *id)
{
    return id->kind == IDENT_USER || id->kind == IDENT_SHARED_IPAD ||
           id->kind == IDENT_USER_ENROLLMENT;
}

/* NanoMDM's word for the kind ("Device", "User", ...); never NULL. */
const char *ident_kind_name(int kind);

#endif

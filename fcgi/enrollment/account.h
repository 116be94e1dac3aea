/* account.h: account-driven enrolment: a person signs in with a Managed Apple Account in the
 * device's settings. */
#ifndef DROVER_ENROLLMENT_ACCOUNT_H
#define DROVER_ENROLLMENT_ACCOUNT_H

#include "http/app.h"
#include "store/enroll_session.h"

/* GET /.well-known/com.apple.remotemanagement?user-identifier=NAME@DOMAIN&model-family=FAMILY: the
 * server for that person's device, as JSON: mdm-byod or mdm-adde by [account]. 403
 * com.apple.well-known.failed: not for this family, or no such address. */
handler_fn account_discover;
/* POST /enroll/account/byod and /enroll/account/adde: without an access token 401 and where to get
 * one (Bearer, method apple-as-web or apple-oauth2, as [account] method says); with it the
 * enrolment profile. 400: no message of a device; 403: the chain is not Apple's, the family is not
 * served so, or the token is not good here. */
handler_fn account_handle;

/* The modes, in the spelling of the profile, of the address and of the discovery. */
struct account_mode {
    const char *enrollment_mode; /* EnrollmentMode: "BYOD", "ADDE" */
    const char *path;            /* /enroll/account/PATH */
    const char *version;         /* "mdm-byod", "mdm-adde" */
};
/* By the word in the address; NULL: none. */
const struct account_mode *account_mode_find(const char *path);
/* How long a person has from the login to the device's next request, and how often it may ask. */
#define ACCOUNT_TOKEN_US (10 * 60 * INT64_C(1000000))
/* Can this be an AssignedManagedAppleID? INVALID: no NAME@DOMAIN. */
enum outcome account_managed_check(const char *account, const char *managed_account,
                                   struct err *err) MUST_USE;
/* Makes the access token of the simple flow for somebody who has logged in. managed_account:
 * AssignedManagedAppleID, checked. */
enum outcome account_token_new(struct db *db, const struct account_mode *mode, int64_t account_kind,
                               const char *account, const char *managed_account, int64_t now,
                               char token[ENROLL_SESSION_LEN + 1], struct err *err) MUST_USE;
/* Where the device's web view is sent with the token; ends the login. */
void account_redirect(struct resp *resp, const char *token);

#endif

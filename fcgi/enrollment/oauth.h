/* oauth.h: Drover as the authorization server of its own account-driven enrolment (RFC 6749). */
#ifndef DROVER_ENROLLMENT_OAUTH_H
#define DROVER_ENROLLMENT_OAUTH_H

#include "http/app.h"

/* What a device's authorization request asks for. */
struct oauth_ask {
    const char *state;     /* NULL: none came */
    const char *challenge; /* code_challenge; NULL: none came */
    const char *hint;      /* login_hint, "" for none */
};
/* Reads the query: response_type=code, client_id, redirect_uri (this server's own, to the letter),
 * state, and with PKCE code_challenge by code_challenge_method=S256. INVALID: anything else; nobody
 * is sent anywhere then. */
enum outcome oauth_ask_read(struct req *req, struct oauth_ask *out, struct err *err) MUST_USE;
/* Sends the web view back to the device with the code: 308, which ends the login. */
void oauth_redirect(struct req *req, struct resp *resp, const struct oauth_ask *ask,
                    const char *code);
/* POST /enroll/account/token: changes a code, or a refresh token, for tokens, as JSON. 400 with the
 * error of RFC 6749 section 5.2: invalid_request, invalid_client, invalid_grant,
 * unsupported_grant_type. */
handler_fn oauth_token;

#endif

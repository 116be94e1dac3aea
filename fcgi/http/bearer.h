/*
 * bearer.h: the access token of account-driven enrolment: how a device is told to get one, and what
 * becomes of a message that brings one (Apple, "Onboarding users with account-driven enrollment",
 * ongoing authorization).
 */
#ifndef DROVER_HTTP_BEARER_H
#define DROVER_HTTP_BEARER_H

#include "http/device.h"

#define BEARER_CLIENT "drover"
#define BEARER_SCOPE "MDM"
#define BEARER_REDIRECT "apple-remotemanagement-user-login:/oauth2/redirection"
#define BEARER_TOKEN_PATH "/enroll/account/token"

/* Do people get their tokens by OAuth 2? Otherwise by the simple flow. */
bool bearer_oauth(const struct conf *conf);
/* The token of the Authorization header; NULL: there is none of the scheme Bearer. */
const char *bearer_token(struct req *req);
/* Answers 401 with the place to get a token for the mode, "byod" or "adde" in any case. */
void bearer_challenge(const struct conf *conf, struct req *req, struct resp *resp, const char *mode,
                      const char *why);
/* May the message pass, as far as the person's login goes? With [account] ongoing, a report with an
 * access token of OAuth 2 that has run out, or whose grant has ended, is answered 401 with the
 * challenge, upon which the device refreshes the token or asks the person to sign in; it stays
 * enrolled. No other message is: none without such a token (Macs send none in the device's own
 * channel), none with a token that the database does not know, and no check-in message, so that a
 * device can always enrol and leave. DENIED: resp holds that answer; ERROR, UNAVAILABLE: nothing is
 * answered yet. */
enum outcome bearer_admit(struct message *m, struct err *err) MUST_USE;

#endif

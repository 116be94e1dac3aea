/*
 * way.h: what the ways in share: ade.c (configuration URL), ota.c (Profile Service), account.c
 * (account-driven enrolment). A device that asks is not enrolled yet, so that no answer here can
 * make it leave; what it does with each status stands where it is sent.
 */
#ifndef DROVER_ENROLLMENT_WAY_H
#define DROVER_ENROLLMENT_WAY_H

#include "enrollment/apple.h"
#include "enrollment/profile.h"
#include "http/app.h"

/* One request of a device on its way in. */
struct way {
    struct app *app;
    struct req *req;
    struct resp *resp;
    enum handout_way kind;
    const char *subject; /* serial number, UDID or account, once it is believed; "" before */
    struct db *db;       /* NULL until way_open() */
    struct attested device;
    struct profile profile;
};

/* Whoever signed is believed: what it says of itself is from now on the subject of log and audit.
 * Before, the audit goes by the address, so that made-up names do not fill it. */
void way_believe(struct way *w);
/* Reads what the device has signed (the request's body, or cms when that is not empty) and takes a
 * connection. False: resp holds the refusal (400 no such message, 403 it does not hold, 503
 * something is away); audited and logged. by_apple: the signer must be certified by Apple. */
bool way_open(struct way *w, struct bytes cms, enum machine_info_use use, bool by_apple);
/* Is the signer certified by Apple? False: resp holds the refusal. */
bool way_by_apple(struct way *w);
/* Gives the connection back. */
void way_close(struct way *w);

/* Answers with a status and a text for the person at the device, writes a log line and, not more
 * often than once a minute for each subject, an audit entry (enroll.refused). */
void way_refuse(struct way *w, int status, const struct err *why, const char *text_fmt, ...)
    PRINTF_LIKE(4, 5);
/* The answer to a failed outcome that is not the device's fault: 503, or 500. */
void way_fault(struct way *w, const struct err *err);
/* Refuses a device that contradicts what is known of enrolled ones (403). False: resp holds it. */
bool way_claim(struct way *w);

/* Loads w->profile: the object of that id, or with 0 the default one. */
enum outcome way_load(struct way *w, int64_t profile_id, struct err *err) MUST_USE;
/* What is used up with a profile, some times and by one device. */
struct way_pass {
    int64_t id;         /* enroll_session.id */
    bool grant;         /* or oauth_grant.id */
    const char *device; /* whose it is */
};
/* Hands w->profile out to the device. order->way, address and note are filled in here. pass: used
 * with it, at most WAY_SESSION_USES times by one device; NULL: there is none. False: resp holds the
 * refusal. */
#define WAY_SESSION_USES 10
bool way_hand_out(struct way *w, struct profile_order *order, const struct way_pass *pass);

/* The rest of the path after prefix when it is one segment of a profile's name, "" when there is
 * none, NULL when it is anything else. */
const char *way_name(const struct req *req, const char *prefix);

#endif

/*
 * edit.h: making and changing webhooks: what the API, the console and droverctl share. An address
 * is checked when it is given, and every connection when it is made (webhook/address.h).
 */
#ifndef DROVER_WEBHOOK_EDIT_H
#define DROVER_WEBHOOK_EDIT_H

#include "store/webhook.h"

/* What is given; NULL: the default, or as it is. */
struct webhook_edit {
    const char *name, *url;
    const char *const *topics; /* filters of event_names, or "*" */
    size_t ntopics;
    const char *payload; /* "none", "stripped" (the default), "whole" */
    int64_t version;     /* struct webhook's, of the one that was looked at; 0: as it is now */
    const char *secret;  /* the key: "whsec_" and base64 (Standard Webhooks), or text; NULL: one is
                          * made */
};

/* A key as text, to be shown once: wiped by the caller. */
#define WEBHOOK_KEY_MAX 200
#define WEBHOOK_KEY_PREFIX "whsec_"

/* Makes one; *id. INVALID says which field and why; CONFLICT as webhook_add(). key: the secret. */
enum outcome webhook_make(struct db *db, const struct conf *conf, const struct webhook_edit *e,
                          const char *by, int64_t now, struct arena *a, int64_t *id,
                          char key[WEBHOOK_KEY_MAX], struct err *err) MUST_USE;
/* Changes what is given. INVALID; NOT_FOUND; CONFLICT: as webhook_change(). */
enum outcome webhook_edit(struct db *db, const struct conf *conf, int64_t id,
                          const struct webhook_edit *e, const char *by, struct arena *a,
                          struct err *err) MUST_USE;
/* A new key (secret: as above); the one before is good for overlap_s seconds more. INVALID;
 * NOT_FOUND.
 */
#define WEBHOOK_OVERLAP_S 86400
#define WEBHOOK_OVERLAP_MAX_S (90 * 86400)
enum outcome webhook_rotate(struct db *db, const struct conf *conf, int64_t id, const char *secret,
                            int64_t overlap_s, const char *by, int64_t now, struct arena *a,
                            char key[WEBHOOK_KEY_MAX], struct err *err) MUST_USE;

/* The octets of a key as it is given: of "whsec_..." what its base64 says, else the text itself. In
 * a. INVALID: bad base64, fewer than 16 octets or more than 96. */
enum outcome webhook_key_octets(const char *key, struct arena *a, struct bytes *out,
                                struct err *err) MUST_USE;

/* The filters of a webhook's topics, in a. */
enum outcome webhook_topics(int64_t wants, struct arena *a, const char *const **out, size_t *n,
                            struct err *err) MUST_USE;

/* An event id as receivers see it: 16 hexadecimal digits. 0: it is none. */
int64_t webhook_event_id(const char *text);

#endif

/*
 * body.h: what is sent: an event as JSON, in NanoMDM's shape (and MicroMDM's before it), and its
 * signature, as Standard Webhooks has it (https://www.standardwebhooks.com/).
 */
#ifndef DROVER_WEBHOOK_BODY_H
#define DROVER_WEBHOOK_BODY_H

#include "store/webhook_send.h"

/* The event as compact JSON. payload: the device's message; empty: it is left out ("raw_payload" is
 * "" then, which NanoMDM's receivers expect to be there). The same event gives the same octets each
 * time. ERROR: past the ceiling of out. */
enum outcome webhook_body(const struct event_row *e, struct bytes payload, struct buf *out,
                          struct err *err) MUST_USE;

/* "v1," and base64 of HMAC-SHA256 over "ID.TIMESTAMP.BODY", for each of the n keys, with blanks
 * between. */
void webhook_signature(const struct bytes *keys, size_t n, const char *id, int64_t timestamp,
                       struct bytes body, struct buf *out);

#endif

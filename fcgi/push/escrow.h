/*
 * escrow.h: Apple's service that clears the Activation Lock of a device with its escrow key
 * (reference, "Creating and Using Bypass Codes"). The caller is known by the push certificate of a
 * topic. The agent makes the calls that the HTTP API leaves in store/outcall.h, beside its pushes:
 * nothing here blocks.
 */
#ifndef DROVER_PUSH_ESCROW_H
#define DROVER_PUSH_ESCROW_H

#include "base/buf.h"
#include "store/db.h"

#define ESCROW_SERVICE "escrowkeyunlock" /* struct outcall, service */
#define ESCROW_PURPOSE "EscrowKey"       /* purpose of the seal; the owner is the call's id */

struct escrow;

enum outcome escrow_new(const struct conf *conf, struct db *db, struct escrow **out,
                        struct err *err) MUST_USE;
/* Calls in flight are dropped. */
void escrow_free(struct escrow **e);
/* One turn: takes up what waits, goes on with what is in flight, records answers. */
enum outcome escrow_turn(struct escrow *e, struct err *err) MUST_USE;

/* What is sealed: the query string and the form, both encoded, in one text. */
void escrow_request_add(struct buf *out, const char *query, const char *form);

#endif

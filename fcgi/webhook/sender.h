/*
 * sender.h: the agent sends events to webhooks: makes deliveries of events, claims what is due,
 * sends some at once to each webhook, those of one enrollment one after the other, and records what
 * became of them. Used by one thread.
 *
 * An event that fails comes again after 5 s, then after twice as long each time, up to an hour. A
 * webhook at which several fail in a row is asked with one event at a time, less and less often,
 * until one succeeds; [webhook] pause_after pauses it, with an alarm.
 */
#ifndef DROVER_WEBHOOK_SENDER_H
#define DROVER_WEBHOOK_SENDER_H

#include "store/db.h"

struct webhook_sender;

enum outcome webhook_sender_new(const struct conf *conf, struct db *db, struct webhook_sender **out,
                                struct err *err) MUST_USE;
void webhook_sender_free(struct webhook_sender **s);
/* One turn; nothing is sent at until (clock_mono()) or later. *busy: there is more to do at once.
 */
enum outcome webhook_sender_turn(struct webhook_sender *s, int64_t until, bool *busy,
                                 struct err *err) MUST_USE;
/* What was claimed and not sent is given back, what is under way gets so long to end. */
void webhook_sender_settle(struct webhook_sender *s, int grace_ms);

/* How long after attempt n (from 1) an event is tried again, without the jitter. */
int64_t webhook_backoff(int n);

#endif

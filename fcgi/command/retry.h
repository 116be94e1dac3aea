/*
 * retry.h: commands that failed are sent again: for the HTTP API, the console and droverctl. Each
 * becomes another command that knows in whose place it stands, is checked as the first was, and is
 * asked a second person about where that is asked for. While it is open, another retry gets it.
 *
 * What is not sent again: what held a secret, as that is opened at delivery alone; what a rule
 * sent, which tries again by itself; a sensitive command to a device that enrolled anew, and in a
 * list that nobody wrote.
 */
#ifndef DROVER_COMMAND_RETRY_H
#define DROVER_COMMAND_RETRY_H

#include "command/order.h"
#include "store/retry.h"

#define RETRY_MAX 500u /* commands of one call */

enum retry_outcome {
    RETRY_REFUSED,
    RETRY_QUEUED, /* or would be */
    RETRY_OPEN,   /* it was sent again before, and that is not over */
    RETRY_ASKED   /* a second person is asked, or would be */
};
/* "refused", "queued", "queued-before", "waiting". */
const char *retry_outcome_name(enum retry_outcome o);

struct retry_one {
    /* in */
    const char *ident, *uuid;
    /* out */
    enum retry_outcome outcome;
    const char *request_type; /* "" when there is no such command */
    const char *why;          /* of one that is refused */
    const char *again;        /* CommandUUID of what is sent in its place; "" */
    int64_t approval;
    /* private */
    struct retry_item item;
};

struct retry {
    /* in */
    struct retry_one *list; /* at most RETRY_MAX */
    size_t n;
    const char *reason; /* NULL: that of the first sending, of what is not sensitive */
    bool push;
    bool no_wait; /* as in struct sending */
    bool dry;     /* nothing is sent: what would be */
    bool many;    /* nobody wrote the list: sensitive commands are left out */
    /* why the caller may not send that; NULL: the caller may. No function: all that is */
    const char *(*forbids)(void *arg, const struct retry_item *x);
    void *forbids_arg;
    /* out */
    size_t counts[RETRY_ASKED + 1];
};
/* UNAVAILABLE: the database or the signer is away, and what was done before that is; ERROR. What is
 * wrong with one of them stands there. */
enum outcome retry_run(struct db *db, const struct conf *conf, struct arena *a, const char *actor,
                       int64_t now, struct retry *r, struct err *err) MUST_USE;
/* retry_find(), and whether it is a sensitive command. */
enum outcome retry_look(struct db *db, const struct conf *conf, const char *ident, const char *uuid,
                        int64_t now, struct arena *a, struct retry_item *out,
                        struct err *err) MUST_USE;
/* Why a command is not sent again, whoever asks; NULL: it is. What was sent in its place counts. */
const char *retry_refusal(const struct retry_item *x, bool many);

#endif

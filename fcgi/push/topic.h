/* topic.h: the topics that have a push certificate, and whether it can be used now. */
#ifndef DROVER_PUSH_TOPIC_H
#define DROVER_PUSH_TOPIC_H

#include "push/sender.h"
#include "store/db.h"

struct topic {
    struct topic *next;
    char name[LIM_TOPIC + 1];
    int64_t version;
    struct sender *sender; /* NULL: not usable */
    char why[200];         /* why not */
    bool suspended;        /* the database says so: the first success ends it */
    bool refused;          /* refused since the last look */
    bool seen;             /* used by topics_reload() */
    int64_t logged_at;     /* clock_mono() of the last complaint */
};

struct topics {
    const struct conf *conf;
    struct sink *sink;
    struct topic *first;
    struct sender *retired[64]; /* stopped, with answers outstanding */
    size_t nretired;
};

/* Brings the list up to date with the database and opens keys through the signer. What waited for
 * a topic that became usable is made due. */
enum outcome topics_reload(struct topics *t, struct db *db, struct err *err) MUST_USE;
/* NULL: there is no certificate for it. */
struct topic *topic_find(struct topics *t, const char *name);
/* Apple refused the certificate: stores it and takes the sender out of use. */
enum outcome topic_suspend(struct topics *t, struct db *db, struct topic *topic, const char *why,
                           struct err *err) MUST_USE;
/* Stops every sender; false while answers are outstanding. */
bool topics_stopped(struct topics *t);
/* Jobs inside senders. */
size_t topics_busy(struct topics *t);
/* Frees every sender; what they held is in the sink then. */
void topics_drop(struct topics *t);
void topics_free(struct topics *t);

#endif

/* device.h: what the pages about one device share. */
#ifndef DROVER_CONSOLE_DEVICE_H
#define DROVER_CONSOLE_DEVICE_H

#include "command/raw.h"
#include "console/page.h"
#include "store/enrollment.h"
#include "store/fleet.h"
#include "store/push.h"
#include "store/queue.h"

/* What a device's timeline is made of. */
struct device_course {
    const struct enrollment *e;
    const struct push_row *push;     /* NULL: none was ever wanted */
    const struct queue_item *open;   /* in the order in which they are offered */
    const struct queue_item *closed; /* the latest first */
    size_t nopen, nclosed;
};
/* Sets "verdict" (why it does not move, in a sentence), "why_lines" (last push and its answer, last
 * poll, NotNow since, what comes next), "moments" and "open". */
void device_timeline(struct page *p, const struct device_course *c);

/* Sets "items", what the device and its users (or the one user) are to have of the library, and
 * what the device can be given. */
enum outcome device_items(struct page *p, const struct enrollment *e) MUST_USE;

/* Puts what it told last in place of what it said when it enrolled. False: p->err. */
bool device_newest(struct page *p, struct enrollment *e) MUST_USE;
/* What people call it. */
const char *device_name(const struct enrollment *e);
/* The page of a command of a device. */
const char *device_command_link(struct page *p, const char *ident, const char *uuid);
/* Appends what lists of commands show of one. */
struct value *device_queue_item(struct page *p, struct value *list, const char *ident,
                                const struct queue_item *q);
/* Queues the command and pushes (command NULL: only pushes); p->err when it did not work. */
enum outcome device_send(struct page *p, const char *ident,
                         const struct raw_command *command) MUST_USE;

/* The requests that are sent with a button: their names, ended by NULL. */
extern const char *const device_questions[]; /* they only ask */
/* Offers one of them, where the device takes it and the caller may ask: "question" of the page. */
enum outcome device_question(struct page *p, const char *ident, const char *type) MUST_USE;
extern const char *const device_actions[]; /* they are felt by whoever uses the device */
/* May the person send it? Who only assists asks, and does what is on the device's page. */
bool device_may_send(const struct page *p, const char *request_type);
/* Is s one of those names? */
bool device_names(const char *const *names, const char *s);

#endif

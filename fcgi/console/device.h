/* device.h: what the pages about one device share. */
#ifndef DROVER_CONSOLE_DEVICE_H
#define DROVER_CONSOLE_DEVICE_H

#include "command/raw.h"
#include "console/page.h"
#include "store/enrollment.h"
#include "store/push.h"
#include "store/queue.h"

/* The page of the device whose id came with the request, with p->root's notices; answers. */
void device_show(struct page *p, const char *ident, int status);

/* Why do commands wait? Sets "stuck", a list of sentences, and "comes_next". push may be NULL:
 * none was ever wanted. */
void stuck_explain(struct page *p, const struct enrollment *e, const struct push_row *push,
                   const struct queue_item *open, size_t n);

/* Sets "items", what the device and its users (or the one user) are to have of the library, and
 * what the device can be given. */
enum outcome device_items(struct page *p, const struct enrollment *e) MUST_USE;

/* The tabs of a device's page; part: the chosen one, "" for the first. */
void device_tabs(struct page *p, const char *ident, const char *part);
/* Queues the command and pushes (command NULL: only pushes); p->err when it did not work. */
enum outcome device_send(struct page *p, const char *ident,
                         const struct raw_command *command) MUST_USE;

/* The requests that are sent with a button: their names, ended by NULL. */
extern const char *const device_questions[]; /* they only ask */
extern const char *const device_actions[];   /* they are felt by whoever uses the device */

#endif

/* webhook.h: the form of a webhook, which two pages show. */
#ifndef DROVER_CONSOLE_WEBHOOK_H
#define DROVER_CONSOLE_WEBHOOK_H

#include "console/page.h"
#include "webhook/edit.h"

/* Fills "form" of the page: name, address, topics with what is chosen, and what is sent of
 * messages. */
void webhook_form_fill(struct page *p, const struct webhook *w);
/* What the form says, as far as it says it; w takes it too, to be shown again beside an error. */
void webhook_form_read(struct page *p, struct webhook_edit *e, struct webhook *w);
/* The text of a topic, "" for one that has none. */
const char *webhook_topic_text(struct page *p, const char *filter);

#endif

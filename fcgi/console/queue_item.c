/* queue_item.c: a command of a device, as pages about the device show it. */
#include "console/device.h"

const char *device_command_link(struct page *p, const char *ident, const char *uuid)
{
    return page_link(p, page_link(p, "/device/command", "id", ident), "uuid", uuid);
}

struct value *device_queue_item(struct page *p, struct value *list, const char *ident,
                                const struct queue_item *q)
{
    struct value *v = value_append_dict(list);
    value_set_text(v, "type", q->request_type);
    value_set_text(v, "uuid", q->uuid);
    value_set_text(v, "link", device_command_link(p, ident, q->uuid));
    value_set_text(v, "by", q->created_by);
    value_set_text(v, "why", page_said(p, q->closed_why));
    value_set_text(v, "ident", ident);
    if (q->sent_count > 1)
        value_set_int(v, "deliveries", q->sent_count);
    if (q->notnow_count)
        value_set_int(v, "notnows", q->notnow_count);
    page_state(p, v, "queue", queue_state_name(q->state));
    page_time(p, v, "queued", q->queued_at);
    page_time(p, v, "sent", q->sent_at);
    page_time(p, v, "notnow", q->notnow_at);
    page_time(p, v, "not_before", q->not_before > p->req->now ? q->not_before : 0);
    page_time(p, v, "expires", q->expires_at);
    page_time(p, v, "closed", q->closed_at);
    return v;
}

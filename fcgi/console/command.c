/* command.c: sending a command to one device, looking at one, cancelling it; and a bare push. */
#include "console/device.h"
#include "console/device_page.h"
#include "console/retry.h"

#include "base/limits.h"
#include "command/error_codes.h"
#include "command/order.h"
#include "wire/plist.h"

#define REASON_MAX 255
#define SHOWN_MAX (256u * LIM_KB)

/* DeviceInformation wants to know what is asked. */
static enum outcome ask_information(struct page *p, struct raw_command *out)
{
    static const char *const queries[] = {"DeviceName",
                                          "OSVersion",
                                          "BuildVersion",
                                          "ModelName",
                                          "ProductName",
                                          "SerialNumber",
                                          "DeviceCapacity",
                                          "AvailableDeviceCapacity",
                                          "BatteryLevel",
                                          "IsSupervised",
                                          "IsActivationLockEnabled",
                                          "WiFiMAC"};
    struct raw_command named;
    struct buf xml = BUF_INIT(LIM_MB);
    pl root = NULL;
    enum outcome o = raw_command_simple(p->a, "DeviceInformation", &named, &p->err);
    if (o == OK)
        o = pl_parse(named.xml, &root, &p->err);
    if (o == OK) {
        pl list = pl_new_array();
        for (size_t i = 0; i < sizeof queries / sizeof *queries; i++)
            pl_append(list, pl_new_str(queries[i]));
        pl_set(pl_get(root, "Command"), "Queries", list);
        o = pl_to_xml(root, &xml);
    }
    if (o == OK)
        o = raw_command_read(p->a, buf_bytes(&xml), out, &p->err);
    pl_free(&root);
    buf_free(&xml);
    return o;
}

static enum outcome command_of_form(struct page *p, struct raw_command *out)
{
    const char *type = page_field(p, "type"), *raw = page_field(p, "raw");
    if (strcmp(type, "raw") == 0 && !page_may(p, "operate"))
        return err_set(&p->err, DENIED, "%s", page_text(p, "command_not_yours"));
    if (strcmp(type, "raw") == 0) {
        enum outcome o = *raw ? raw_command_read(p->a, bytes_str(raw), out, &p->err)
                              : err_set(&p->err, INVALID, "%s", page_text(p, "command_raw_empty"));
        /* whose form asks for the reason, and who it is */
        return o == OK &&
                       command_sensitive(p->db, p->app->conf, p->a, out->request_type, out->removes)
                   ? err_set(
                         &p->err, INVALID, "%s",
                         words_fill(p->w, p->a, "command_raw_sensitive", out->request_type, NULL))
                   : o;
    }
    if (strcmp(type, "DeviceInformation") == 0)
        return ask_information(p, out);
    if (device_names(device_questions, type))
        return raw_command_simple(p->a, type, out, &p->err);
    return err_set(&p->err, INVALID, "%s", page_text(p, "command_none"));
}

enum outcome device_send(struct page *p, const char *ident, const struct raw_command *command)
{
    struct sending s = {.command = command, .push = true};
    const char *ids[] = {ident};
    enum outcome o = send_targets(p->a, ids, 1, &s, &p->err);
    if (o != OK)
        return o;
    send_run(p->db, p->app->conf, p->a, p->caller->admin, p->req->now, &s);
    const char *bad = s.command_error ? s.command_error : s.targets[0].command_error;
    if (!command)
        bad = s.push_error ? s.push_error : s.targets[0].push_error;
    if (!bad)
        return OK;
    return err_set(&p->err, s.away ? UNAVAILABLE : CONFLICT, "%s", bad);
}

/* Back to the device with a word of what was done, or with what went wrong. */
static void answer(struct page *p, const char *ident, enum outcome o, const char *done)
{
    if (o == OK) {
        page_go(p, page_link(p, page_link(p, "/device", "id", ident), "done", done));
    } else if (page_mendable(o)) {
        value_set_text(p->root, "raw", page_field(p, "raw"));
        page_bad(p, p->err.msg);
        device_show(p, ident, page_status(o));
    } else {
        page_fail(p);
    }
}

void console_command_send(struct app *app, struct req *req, const struct caller *caller,
                          struct resp *resp)
{
    struct page p;
    struct raw_command command;
    if (!page_open(&p, app, req, caller, resp, "devices"))
        return;
    const char *ident = page_field(&p, "device");
    enum outcome o = command_of_form(&p, &command);
    if (o == OK)
        o = device_send(&p, ident, &command);
    answer(&p, ident, o, "queued");
}

void console_push(struct app *app, struct req *req, const struct caller *caller, struct resp *resp)
{
    struct page p;
    if (!page_open(&p, app, req, caller, resp, "devices"))
        return;
    const char *ident = page_field(&p, "device");
    answer(&p, ident, device_send(&p, ident, NULL), "pushed");
}

void console_command_cancel(struct app *app, struct req *req, const struct caller *caller,
                            struct resp *resp)
{
    struct page p;
    size_t cancelled, sent;
    if (!page_open(&p, app, req, caller, resp, "devices"))
        return;
    const char *ident = page_field(&p, "device"), *uuid = page_field(&p, "uuid");
    const char *why = page_field(&p, "why");
    enum outcome o;
    if (!*uuid || strlen(why) > REASON_MAX)
        o = err_set(&p.err, INVALID, "%s", page_text(&p, "reason_wrong"));
    else
        o = queue_cancel(p.db, ident, uuid, caller->admin, *why ? why : "console", req->now,
                         &cancelled, &sent, &p.err);
    answer(&p, ident, o, "cancelled");
}

/* A property list as XML text; what is none, or too long to show, is told instead. */
static void show_plist(struct page *p, const char *key, struct bytes b)
{
    struct buf xml = BUF_INIT(SHOWN_MAX);
    struct err err;
    pl root = NULL;
    if (b.n == 0)
        return;
    if (pl_parse(b, &root, &err) == OK && pl_to_xml(root, &xml) == OK)
        value_set_text(p->root, key, arena_strdup(p->a, buf_cstr(&xml)));
    else
        value_set_text(p->root, key, page_text(p, "too_long"));
    pl_free(&root);
    buf_wipe(&xml);
}

/* The device's ErrorChain, entry by entry, with what the reference says of each code. */
static enum outcome errors(struct page *p, const char *ident, const struct queue_item *q)
{
    struct fleet_device d;
    struct rows r;
    enum outcome o = fleet_get(p->db, ident, p->a, &d, &p->err);
    if (o == OK)
        o = fleet_errors(p->db, d.id, q->command_id, q->command_id, p->a, &r, &p->err);
    if (o != OK)
        return o;
    struct value *list = value_set_list(p->root, "errors");
    for (size_t i = 0; i < r.n; i++) {
        const struct val *x = row_at(&r, i, 0);
        const char *meanings[ERROR_MEANINGS_MAX];
        size_t n = error_meanings(x[3].s, x[4].i, meanings, ERROR_MEANINGS_MAX);
        struct value *v = value_append_dict(list), *m = value_set_list(v, "meanings");
        if (x[1].i > 0)
            value_set_int(v, "setting", x[1].i);
        value_set_text(v, "domain", x[3].s);
        value_set_int(v, "code", x[4].i);
        value_set_text(v, "said", x[6].n > 0 ? x[6].s : val_text(&x[5]));
        for (size_t k = 0; k < n; k++)
            value_append(m, value_text(p->a, page_said(p, meanings[k])));
    }
    value_set_bool(p->root, "some_errors", r.n > 0);
    return OK;
}

/* Everything of one command. look: an answer that tells where a person is was asked for. */
static void command_show(struct page *p, const char *ident, const char *uuid, bool look)
{
    struct queue_item q;
    enum outcome o = queue_get(p->db, ident, uuid, p->a, &q, &p->err);
    if (o == OK)
        o = errors(p, ident, &q);
    if (o == OK)
        o = retry_offer(p, ident, uuid);
    bool personal = o == OK && q.report.n > 0 && command_personal(q.request_type);
    if (look && personal && !device_may_send(p, q.request_type))
        o = err_set(&p->err, DENIED, "%s", page_text(p, "command_not_yours"));
    else if (look && personal)
        o = command_looked(p->db, p->caller->admin, ident, uuid, q.request_type, &p->err);
    if (o != OK) {
        page_fail(p);
        return;
    }
    value_set_text(p->root, "title", q.request_type);
    value_set_text(p->root, "type", q.request_type);
    value_set_text(p->root, "uuid", q.uuid);
    value_set_text(p->root, "ident", ident);
    value_set_text(p->root, "device_link", page_link(p, "/device", "id", ident));
    value_set_text(p->root, "by", q.created_by);
    value_set_text(p->root, "why", page_said(p, q.closed_why));
    value_set_text(p->root, "reason", q.reason);
    value_set_text(p->root, "aside", page_said(p, q.aside));
    if (*q.retry_of)
        value_set_text(p->root, "retry_of", device_command_link(p, ident, q.retry_of));
    value_set_bool(p->root, "is_open", q.state <= QUEUE_NOT_NOW);
    page_state(p, p->root, "queue", queue_state_name(q.state));
    page_time(p, p->root, "queued", q.queued_at);
    page_time(p, p->root, "sent", q.sent_at);
    page_time(p, p->root, "notnow", q.notnow_at);
    page_time(p, p->root, "closed", q.closed_at);
    page_time(p, p->root, "reported", q.reported_at);
    show_plist(p, "body", q.body);
    if (personal && !look)
        value_set_bool(value_set_dict(p->root, "withheld"), "can",
                       device_may_send(p, q.request_type));
    else
        show_plist(p, "report", q.report);
    p->resp->secret |= personal && look;
    page_show(p, 200, "command");
}

void console_command(struct app *app, struct req *req, const struct caller *caller,
                     struct resp *resp)
{
    struct page p;
    const char *ident = req_query(req, "id"), *uuid = req_query(req, "uuid");
    if (page_open(&p, app, req, caller, resp, "devices"))
        command_show(&p, ident ? ident : "", uuid ? uuid : "", false);
}

void console_answer(struct app *app, struct req *req, const struct caller *caller,
                    struct resp *resp)
{
    struct page p;
    if (page_open(&p, app, req, caller, resp, "devices"))
        command_show(&p, page_field(&p, "device"), page_field(&p, "uuid"), true);
}

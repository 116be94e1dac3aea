/* overview.c: how the fleet is, and what needs attention. */
#include "console/page.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/limits.h"
#include "store/redemption.h"
#include "store/activity.h"
#include "store/checkup.h"
#include "store/device.h"
#include "store/expiry.h"
#include "store/pushcert.h"
#include "store/webhook.h"

#define EXPIRES_SOON (30 * DAY_US)
#define ROWS 8

struct bar {
    const char *name, *link;
    int64_t n;
};

/* Adds n to the bar of that name; there is room for one more. */
static void bar_add(struct bar *bars, size_t *used, const char *name, const char *link, int64_t n)
{
    for (size_t i = 0; i < *used; i++)
        if (strcmp(bars[i].name, name) == 0) {
            bars[i].n += n;
            return;
        }
    bars[(*used)++] = (struct bar){name, link, n};
}

static int by_size(const void *a, const void *b)
{
    const struct bar *x = a, *y = b;
    return (y->n > x->n) - (y->n < x->n);
}

static void bar_show(struct value *list, const char *name, const char *link, int64_t n,
                     int64_t total)
{
    struct value *v = value_append_dict(list);
    value_set_text(v, "name", name);
    value_set_text(v, "link", link);
    value_set_int(v, "n", n);
    value_set_int(v, "percent", total ? (100 * n + total - 1) / total : 0); /* none unseen */
}

/* The largest, and how many are in all others. */
static void bars_show(struct page *p, const char *key, struct bar *bars, size_t n, int64_t total)
{
    struct value *list = value_set_list(p->root, key);
    int64_t rest = 0;
    qsort(bars, n, sizeof *bars, by_size);
    for (size_t i = 0; i < n; i++)
        if (i < ROWS)
            bar_show(list, *bars[i].name ? bars[i].name : page_text(p, "not_told"), bars[i].link,
                     bars[i].n, total);
        else
            rest += bars[i].n;
    if (n > ROWS)
        bar_show(list,
                 words_fill(p->w, p->a, "bars_others", arena_fmt(p->a, "%zu", n - ROWS), NULL),
                 NULL, rest, total);
}

/* The devices of a bar, in the list; NULL: it cannot ask for them. os: this version and no other,
 * of which the list knows three numbers. */
static const char *bar_link(struct page *p, const char *platform, const char *os)
{
    size_t dots = 0;
    if (!*platform || (os && (*os < '0' || *os > '9')))
        return NULL;
    const char *link = page_link(p, "/devices?state=enrolled", "platform", platform);
    if (!os)
        return link;
    for (const char *s = os; (s = strchr(s, '.')); s++)
        dots++;
    const char *whole = arena_fmt(p->a, "%s%s", os, dots == 0 ? ".0.0" : dots == 1 ? ".0" : "");
    return whole ? page_link(p, link, "os", whole) : NULL;
}

static bool fleet(struct page *p, int64_t *unseen, bool *fresh)
{
    static const char *const keys[] = {"total", "pending", "enrolled", "left", "ended"};
    struct device_share *g;
    int64_t states[5] = {0}, day = 0, week = 0;
    size_t n, platforms = 0, systems = 0;
    if (device_groups(p->db, p->req->now, p->a, &g, &n, &p->err) != OK)
        return false;
    struct bar *platform = arena_array(p->a, n + 1, sizeof *platform);
    struct bar *system = arena_array(p->a, n + 1, sizeof *system);
    if (!platform || !system) {
        err_set(&p->err, ERROR, "out of memory");
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        if (g[i].state >= 1 && g[i].state <= 4)
            states[g[i].state] += g[i].devices;
        if (g[i].state != ENROLLMENT_ENROLLED)
            continue;
        day += g[i].seen_day;
        week += g[i].seen_week;
        const char *os = g[i].os_version;
        bar_add(platform, &platforms, g[i].platform, bar_link(p, g[i].platform, NULL),
                g[i].devices);
        bar_add(system, &systems, *os ? arena_fmt(p->a, "%s %s", g[i].platform, os) : "",
                bar_link(p, g[i].platform, os), g[i].devices);
    }
    for (int s = 1; s <= 4; s++)
        value_set_int(p->root, keys[s], states[s]);
    *unseen = states[ENROLLMENT_ENROLLED] - week;
    value_set_int(p->root, "seen_day", day);
    value_set_int(p->root, "seen_week", week - day);
    value_set_int(p->root, "seen_older", states[ENROLLMENT_ENROLLED] - week);
    *fresh = n == 0;
    value_set_bool(p->root, "no_devices", n == 0);
    bars_show(p, "platforms", platform, platforms, states[ENROLLMENT_ENROLLED]);
    bars_show(p, "systems", system, systems, states[ENROLLMENT_ENROLLED]);
    return true;
}

/* ---- charts ---- */

#define HOURS 48
#define CHART_HEIGHT 40 /* in the units of the drawing; a bar is 10 wide, 2 of them a gap */

static int64_t seen_of(const struct activity *x)
{
    return x->seen;
}
static int64_t polls_of(const struct activity *x)
{
    return x->polls;
}
static int64_t answered_of(const struct activity *x)
{
    return x->answered;
}
static int64_t failed_of(const struct activity *x)
{
    return x->failed;
}
static int64_t enrolled_of(const struct activity *x)
{
    return x->enrolled;
}

/* A chart of bars, one for each hour. */
static void chart(struct page *p, struct value *list, const char *key, const struct activity *x,
                  int64_t (*of)(const struct activity *))
{
    struct value *v = value_append_dict(list), *bars = value_set_list(v, "bars");
    char text[CLOCK_TEXT_MAX];
    int64_t most = 0, sum = 0;
    for (size_t i = 0; i < HOURS; i++) {
        most = of(&x[i]) > most ? of(&x[i]) : most;
        sum += of(&x[i]);
    }
    value_set_text(v, "name", page_text(p, key));
    value_set_int(v, "most", most);
    value_set_int(v, "now", of(&x[HOURS - 1]));
    value_set_int(v, "sum", sum);
    for (size_t i = 0; i < HOURS; i++) {
        int64_t n = of(&x[i]), high = most ? (n * CHART_HEIGHT + most - 1) / most : 0;
        struct value *b = value_append_dict(bars);
        clock_rfc3339(x[i].hour, false, text);
        value_set_int(b, "x", 10 * (int64_t)i);
        value_set_int(b, "y", CHART_HEIGHT - high);
        value_set_int(b, "h", high);
        value_set_text(b, "title",
                       arena_fmt(p->a, "%.10s %.5s UTC: %lld", text, text + 11, (long long)n));
    }
}

static bool charts(struct page *p, int64_t *failed_day)
{
    struct activity x[HOURS];
    struct value *list = value_set_list(p->root, "charts");
    if (activity_list(p->db, p->req->now, x, HOURS, p->a, &p->err) != OK)
        return false;
    if (p->caller->scope == 0) { /* counted of all alone */
        chart(p, list, "chart_seen", x, seen_of);
        chart(p, list, "chart_polls", x, polls_of);
    }
    chart(p, list, "chart_answered", x, answered_of);
    chart(p, list, "chart_failed", x, failed_of);
    chart(p, list, "chart_enrolled", x, enrolled_of);
    *failed_day = 0;
    for (size_t i = HOURS - 24; i < HOURS; i++)
        *failed_day += x[i].failed;
    return true;
}

/* One thing to look after: text, and the page that mends it. */
static void attend(struct page *p, struct value *list, const char *key, const char *what,
                   const char *more, const char *link)
{
    struct value *v = value_append_dict(list);
    value_set_text(v, "text", words_fill(p->w, p->a, key, what, more));
    value_set_text(v, "link", link);
}

/* The same where the page is not everybody's: who may not open it is told whose it is. */
static void attend_as(struct page *p, struct value *list, const char *permission, const char *key,
                      const char *what, const char *more, const char *link)
{
    struct value *v = value_append_dict(list);
    bool may = page_may(p, permission);
    value_set_text(v, "text", words_fill(p->w, p->a, key, what, more));
    value_set_text(v, "link", may ? link : NULL);
    if (!may) {
        const char *who = arena_fmt(p->a, "attend_%s", permission);
        value_set_text(v, "who", who ? page_text(p, who) : NULL);
    }
}

static void attend_number(struct page *p, struct value *list, const char *key, int64_t n,
                          const char *link)
{
    if (n)
        attend(p, list, key, arena_fmt(p->a, "%lld", (long long)n), NULL, link);
}

/* none: whether to say that there is none. */
static bool certificates(struct page *p, struct value *list, bool none)
{
    struct pushcert_row *c;
    char text[CLOCK_TEXT_MAX];
    size_t n;
    if (pushcert_list(p->db, p->a, &c, &n, &p->err) != OK)
        return false;
    if (n == 0 && none)
        attend(p, list, "attend_no_cert", NULL, NULL, "/pushcerts");
    for (size_t i = 0; i < n; i++) {
        const char *day = arena_fmt(p->a, "%.10s", clock_rfc3339(c[i].not_after, false, text));
        if (c[i].not_after <= p->req->now)
            attend(p, list, "attend_cert_over", c[i].topic, day, "/pushcerts");
        else if (c[i].not_after - p->req->now < EXPIRES_SOON)
            attend(p, list, "attend_cert_soon", c[i].topic, day, "/pushcerts");
        if (c[i].suspended_at)
            attend(p, list, "attend_cert_refused", c[i].topic, c[i].suspended_why, "/pushcerts");
    }
    return true;
}

/* Apps whose redemption codes come to an end. */
static bool few_codes(struct page *p, struct value *list)
{
    struct redemption_low *x;
    size_t n;
    if (redemption_low(p->db, p->a, &x, &n, &p->err) != OK)
        return false;
    for (size_t i = 0; i < n; i++)
        attend(p, list, "attend_codes", x[i].name, NULL,
               arena_fmt(p->a, "/app?id=%lld&tab=codes", (long long)x[i].item_id));
    return true;
}

/* What ends, but for push certificates, which certificates() tells one by one, and identities of
 * devices, which are renewed by themselves while they are good. */
static bool ends(struct page *p, struct value *list)
{
    struct expiry *e;
    size_t n;
    int64_t over = 0, soon = 0;
    if (expiry_list(p->db, p->req->now + EXPIRES_SOON, LIM_PAGE, p->a, &e, &n, &p->err) != OK)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (strcmp(e[i].kind, "push-certificate") == 0)
            continue;
        if (e[i].ends_at <= p->req->now)
            over++;
        else if (strcmp(e[i].kind, "device-identities") != 0)
            soon++;
    }
    attend_number(p, list, "attend_ends_over", over, "/calendar");
    attend_number(p, list, "attend_ends_soon", soon, "/calendar");
    return true;
}

static bool webhooks(struct page *p, struct value *list)
{
    struct webhook *w;
    size_t n;
    if (webhook_list(p->db, false, p->a, &w, &n, &p->err) != OK)
        return false;
    for (size_t i = 0; i < n; i++)
        if (w[i].failing_since)
            attend_as(p, list, "administer", "attend_webhook", w[i].name, w[i].failure,
                      "/webhooks");
    return true;
}

/* What waits for a person. */
static bool waiting(struct page *p, struct value *list)
{
    struct checkup_waiting x;
    if (checkup_waiting(p->db, p->a, &x, &p->err) != OK)
        return false;
    attend_number(p, list, "attend_halted", x.halted, "/rollouts");
    if (page_may(p, "operate"))
        attend_number(p, list, "attend_approvals", x.approvals, "/approvals");
    attend_number(p, list, "attend_requests", x.requests, "/certificates?tab=requests");
    return true;
}

/* What concerns everybody, whatever the groups; fresh: no device was ever managed. */
static bool site(struct page *p, struct value *list, const struct checkup_numbers *x, bool fresh)
{
    const char *holder;
    int64_t left = 0;
    enum outcome o = checkup_agent(p->db, p->a, &holder, &left, &p->err);
    if (o != OK && o != NOT_FOUND)
        return false;
    if (o == NOT_FOUND || left < 0)
        attend_as(p, list, "administer", "attend_agent", NULL, NULL, "/setup?step=address");
    bool begin = fresh && page_may(p, "administer");
    value_set_bool(p->root, "begin", begin);
    if (begin) /* that leads to a push certificate, too */
        attend(p, list, "attend_setup", NULL, NULL, "/setup");
    if (!certificates(p, list, !begin) || !ends(p, list) || !webhooks(p, list))
        return false;
    if (!few_codes(p, list))
        return false;
    attend_number(p, list, "attend_unknown", x->unknown_open, "/unknown");
    return waiting(p, list);
}

static bool attention(struct page *p, int64_t unseen, bool fresh)
{
    struct checkup_numbers x;
    struct value *list = value_set_list(p->root, "attention");
    int64_t failed = 0;
    if (!charts(p, &failed) || checkup_numbers(p->db, p->a, &x, &p->err) != OK)
        return false;
    if (p->caller->scope == 0 && !site(p, list, &x, fresh))
        return false;
    attend_number(p, list, "attend_push_late", x.pushes_late, "/pushes?which=late");
    attend_number(p, list, "attend_push_failed", x.pushes_failed, "/pushes?which=failed");
    attend_number(p, list, "attend_push_dead", x.pushes_dead, "/pushes?which=dead");
    attend_number(p, list, "attend_failed", failed, "/failed");
    attend_number(p, list, "attend_inactive", unseen, "/devices?state=enrolled&unseen=7");
    value_set_int(p->root, "open_commands", x.open_commands);
    value_set_int(p->root, "sent_commands", x.sent_commands);
    value_set_int(p->root, "pushes_waiting", x.pushes_waiting);
    page_time(p, p->root, "oldest_open", x.oldest_open_at);
    return true;
}

void console_overview(struct app *app, struct req *req, const struct caller *caller,
                      struct resp *resp)
{
    struct page p;
    int64_t unseen = 0;
    bool fresh = false;
    if (!page_open(&p, app, req, caller, resp, "overview"))
        return;
    if (fleet(&p, &unseen, &fresh) && attention(&p, unseen, fresh))
        page_show(&p, 200, "overview");
    else
        page_fail(&p);
}

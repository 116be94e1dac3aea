/* pushes.c: pushes that did not reach their devices, with Apple's answer, and the way to each. */
#include "store/push_trouble.h"

#include <stdlib.h>

#include "console/page.h"

static const struct {
    const char *word;
    enum push_trouble which;
} KINDS[] = {{"late", PUSH_LATE}, {"failed", PUSH_GIVEN_UP}, {"dead", PUSH_TOKEN_DEAD}};
#define KINDS_N (sizeof KINDS / sizeof *KINDS)

/* The three lists, with how long each is. */
static enum outcome kinds(struct page *p, size_t chosen)
{
    int64_t counts[PUSH_TROUBLES];
    enum outcome o = push_trouble_counts(p->db, p->a, counts, &p->err);
    if (o != OK)
        return o;
    struct value *list = value_set_list(p->root, "tabs");
    for (size_t i = 0; i < KINDS_N; i++) {
        struct value *v = value_append_dict(list);
        bool many = counts[KINDS[i].which] == PUSH_TROUBLE_MANY;
        const char *key = arena_fmt(p->a, "pushes_%s", KINDS[i].word);
        value_set_text(v, "link", page_link(p, "/pushes", "which", KINDS[i].word));
        value_set_text(v, "text",
                       key ? arena_fmt(p->a, many ? "%s (> %lld)" : "%s (%lld)", page_text(p, key),
                                       (long long)counts[KINDS[i].which] - many)
                           : NULL);
        value_set_bool(v, "chosen", i == chosen);
    }
    const char *key = arena_fmt(p->a, "pushes_%s_lead", KINDS[chosen].word);
    value_set_text(p->root, "lead", key ? page_text(p, key) : NULL);
    return OK;
}

static void row(struct page *p, struct value *list, const struct push_troubled *t)
{
    struct value *v = value_append_dict(list);
    const char *said = t->status > 0 ? arena_fmt(p->a, "%d %s", t->status, t->reason)
                       : *t->reason  ? t->reason
                                     : page_text(p, "push_no_answer");
    value_set_text(v, "name", t->name);
    value_set_text(v, "ident", t->ident);
    value_set_text(v, "link", page_link(p, "/device", "id", t->ident));
    value_set_text(v, "said", said);
    value_set_int(v, "attempts", t->attempts);
    page_time(p, v, "wanted", t->wanted_at);
}

void console_pushes(struct app *app, struct req *req, const struct caller *caller,
                    struct resp *resp)
{
    struct page p;
    struct push_troubled *t;
    const char *which = req_query(req, "which"), *after = req_query(req, "after");
    size_t n, i = KINDS_N - 1;
    char *end = NULL;
    int64_t due = after ? strtoll(after, &end, 10) : 0;
    int64_t id = end && *end == '.' ? page_number(end + 1) : 0;
    if (!page_open(&p, app, req, caller, resp, "pushes"))
        return;
    while (i > 0 && strcmp(KINDS[i].word, which ? which : "") != 0)
        i--;
    if (kinds(&p, i) != OK || push_trouble_list(p.db, KINDS[i].which, id ? due : 0, id, PAGE_ROWS,
                                                p.a, &t, &n, &p.err) != OK) {
        page_fail(&p);
        return;
    }
    struct value *list = value_set_list(p.root, "pushes");
    for (size_t k = 0; k < n; k++)
        row(&p, list, &t[k]);
    value_set_bool(p.root, "some", n > 0);
    if (n == PAGE_ROWS) {
        const char *next = arena_fmt(p.a, "%lld.%lld", (long long)t[n - 1].due_at,
                                     (long long)t[n - 1].enrollment_id);
        const char *link = page_link(&p, "/pushes", "which", KINDS[i].word);
        value_set_text(p.root, "next", page_link(&p, link, "after", next ? next : ""));
    }
    page_show(&p, 200, "pushes");
}

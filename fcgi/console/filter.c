/* filter.c: see filter.h. */
#include "console/filter.h"

#include "base/clock.h"
#include "base/utf8.h"
#include "store/search.h"

#define OS_MAX 32

static const char *const PLATFORMS[] = {"iPhone",   "iPad",   "iPod",  "Mac",
                                        "Apple TV", "Vision", "Watch", NULL};
static const char *const FIELDS[] = {"q", "state", "platform", "os", "unseen", "sort", NULL};

const char *filter_given(struct page *p, const char *name)
{
    const char *s =
        p->req->method == METHOD_POST ? req_form(p->req, name) : req_query(p->req, name);
    return s && utf8_valid(bytes_str(s)) ? s : "";
}

static const char *cut(struct page *p, const char *s, size_t chars)
{
    const char *copy;
    s += strspn(s, " ");
    copy = arena_strndup(p->a, s, utf8_prefix(s, chars));
    return copy ? copy : "";
}

static void choice(struct page *p, struct value *list, const char *name, const char *text,
                   bool chosen)
{
    struct value *v = value_append_dict(list);
    (void)p;
    value_set_text(v, "name", name);
    value_set_text(v, "text", text);
    value_set_bool(v, "chosen", chosen);
}

static unsigned states(struct page *p)
{
    const char *word = filter_given(p, "state");
    struct value *list = value_set_list(p->root, "states");
    unsigned chosen = 0;
    for (int s = ENROLLMENT_PENDING; s <= ENROLLMENT_ENDED; s++) {
        const char *name = enrollment_state_name(s);
        const char *key = arena_fmt(p->a, "state_%s", name);
        bool is = strcmp(word, name) == 0;
        choice(p, list, name, key ? page_text(p, key) : name, is);
        if (is)
            chosen = 1u << s;
    }
    return chosen;
}

static const char *platform(struct page *p)
{
    const char *word = filter_given(p, "platform"), *chosen = "";
    struct value *list = value_set_list(p->root, "platforms_all");
    for (int i = 0; PLATFORMS[i]; i++) {
        bool is = strcmp(word, PLATFORMS[i]) == 0;
        choice(p, list, PLATFORMS[i], PLATFORMS[i], is);
        chosen = is ? PLATFORMS[i] : chosen;
    }
    return chosen;
}

struct device_filter filter_of(struct page *p)
{
    static const int days[] = {1, 7, 30, 90};
    struct device_filter f = {.text = cut(p, filter_given(p, "q"), SEARCH_MAX / 4),
                              .states = states(p),
                              .platform = platform(p),
                              .os = cut(p, filter_given(p, "os"), OS_MAX)};
    int64_t unseen = page_number(filter_given(p, "unseen"));
    struct value *list = value_set_list(p->root, "unseen_all");
    for (size_t i = 0; i < sizeof days / sizeof *days; i++) {
        const char *n = arena_fmt(p->a, "%d", days[i]);
        choice(p, list, n, words_fill(p->w, p->a, "unseen_days", n, NULL), unseen == days[i]);
        if (unseen == days[i])
            f.seen_before = p->req->now - days[i] * DAY_US;
    }
    struct value *carried = value_set_list(p->root, "carried");
    for (int i = 0; FIELDS[i]; i++) {
        struct value *v = value_append_dict(carried);
        value_set_text(v, "name", FIELDS[i]);
        value_set_text(v, "value", filter_given(p, FIELDS[i]));
    }
    value_set_text(p->root, "sort", filter_given(p, "sort"));
    value_set_text(p->root, "q", f.text);
    value_set_text(p->root, "os_wanted", f.os);
    value_set_bool(p->root, "narrowed", f.states || *f.platform || *f.os || f.seen_before);
    return f;
}

const char *filter_link_but(struct page *p, const char *path, const char *left_out)
{
    for (int i = 0; FIELDS[i]; i++)
        if (*filter_given(p, FIELDS[i]) && strcmp(FIELDS[i], left_out) != 0)
            path = page_link(p, path, FIELDS[i], filter_given(p, FIELDS[i]));
    return path;
}

const char *filter_link(struct page *p, const char *path)
{
    return filter_link_but(p, path, "");
}

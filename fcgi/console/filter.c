/* filter.c: see filter.h. */
#include "console/filter.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "store/search.h"

#define OS_MAX 32
#define UNSEEN_MAX 36500 /* days */
#define NO_STATE 1u      /* no device has it */
#define UNREADABLE "\xef\xbf\xbd"

static const char *const PLATFORMS[] = {"iPhone",   "iPad",   "iPod",  "Mac",
                                        "Apple TV", "Vision", "Watch", NULL};
static const char *const FIELDS[] = {"q", "state", "platform", "os", "unseen", "sort", NULL};

const char *filter_given(struct page *p, const char *name)
{
    const char *s =
        p->req->method == METHOD_POST ? req_form(p->req, name) : req_query(p->req, name);
    if (!s || utf8_valid(bytes_str(s)))
        return s ? s : "";
    struct buf clean = BUF_INIT(LIM_PATH);
    utf8_clean_add(&clean, bytes_str(s));
    s = arena_strdup(p->a, buf_cstr(&clean));
    buf_free(&clean);
    return s ? s : UNREADABLE;
}

/* Without the blanks before it, whole characters of at most so many octets. */
static const char *cut(struct page *p, const char *s, size_t octets)
{
    s += strspn(s, " ");
    size_t n = strlen(s), end = 0;
    uint32_t c;
    while (end < n) {
        size_t one = utf8_next((const uint8_t *)s + end, n - end, &c);
        if (end + one > octets || one == 0)
            break;
        end += one;
    }
    const char *copy = arena_strndup(p->a, s, end);
    return copy ? copy : "";
}

static void choice(struct value *list, const char *name, const char *text, bool chosen)
{
    struct value *v = value_append_dict(list);
    value_set_text(v, "name", name);
    value_set_text(v, "text", text);
    value_set_bool(v, "chosen", chosen);
}

/* What is no choice is told, and no device fits it: a command for all that fit must not become one
 * for all. */
static void nothing_fits(struct page *p, struct device_filter *f, const char *label,
                         const char *word)
{
    f->states = NO_STATE;
    page_bad(p, words_fill(p->w, p->a, "filter_unknown", page_text(p, label), word));
}

static void states(struct page *p, struct device_filter *f)
{
    const char *word = filter_given(p, "state");
    struct value *list = value_set_list(p->root, "states");
    for (int s = ENROLLMENT_PENDING; s <= ENROLLMENT_ENDED; s++) {
        const char *name = enrollment_state_name(s);
        const char *key = arena_fmt(p->a, "state_%s", name);
        bool is = strcmp(word, name) == 0;
        choice(list, name, key ? page_text(p, key) : name, is);
        if (is)
            f->states = 1u << s;
    }
    if (*word && !f->states) {
        choice(list, word, word, true);
        nothing_fits(p, f, "state", word);
    }
}

static void platform(struct page *p, struct device_filter *f)
{
    const char *word = filter_given(p, "platform");
    struct value *list = value_set_list(p->root, "platforms_all");
    for (int i = 0; PLATFORMS[i]; i++) {
        bool is = strcmp(word, PLATFORMS[i]) == 0;
        choice(list, PLATFORMS[i], PLATFORMS[i], is);
        f->platform = is ? PLATFORMS[i] : f->platform;
    }
    if (*word && !*f->platform) {
        choice(list, word, word, true);
        nothing_fits(p, f, "platform", word);
    }
}

static void unseen(struct page *p, struct device_filter *f)
{
    static const int days[] = {1, 7, 30, 90};
    const char *word = filter_given(p, "unseen");
    int64_t given = page_number(word);
    struct value *list = value_set_list(p->root, "unseen_all");
    bool listed = false;
    for (size_t i = 0; i < sizeof days / sizeof *days; i++) {
        const char *n = arena_fmt(p->a, "%d", days[i]);
        choice(list, n, words_count(p->w, p->a, "unseen_days", n), given == days[i]);
        listed |= given == days[i];
    }
    if (given > 0 && given <= UNSEEN_MAX)
        f->seen_before = p->req->now - given * DAY_US;
    else if (*word)
        nothing_fits(p, f, "unseen", word);
    if (*word && !listed)
        choice(list, word, f->seen_before ? words_count(p->w, p->a, "unseen_days", word) : word,
               true);
}

struct device_filter filter_of(struct page *p)
{
    struct device_filter f = {.text = cut(p, filter_given(p, "q"), SEARCH_MAX),
                              .platform = "",
                              .os = cut(p, filter_given(p, "os"), OS_MAX)};
    states(p, &f);
    platform(p, &f);
    unseen(p, &f);
    if (*f.os && (*f.os < '0' || *f.os > '9'))
        nothing_fits(p, &f, "col_os", f.os);
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

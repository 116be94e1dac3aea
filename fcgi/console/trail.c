/* trail.c: see trail.h. */
#include "console/trail.h"

#include "base/limits.h"

#define KEY_MAX 24

/* What the key that begins here is called, *n its length with the "="; NULL: none begins. */
static const char *key_at(struct page *p, const char *s, size_t *n)
{
    *n = strspn(s, "abcdefghijklmnopqrstuvwxyz_");
    if (*n == 0 || *n > KEY_MAX || s[*n] != '=')
        return NULL;
    const char *key = arena_fmt(p->a, "audit_key_%.*s", (int)*n, s);
    ++*n;
    return page_named(p, key);
}

/* Adds what a label is of, as far as s goes, in the page's language where the program said it. */
static void value_add(struct page *p, struct buf *out, const char *s, size_t n)
{
    const char *value = arena_strndup(p->a, s, n);
    buf_str(out, value ? page_said(p, value) : "");
}

const char *trail_detail(struct page *p, const char *detail)
{
    struct buf out = BUF_INIT(LIM_MB);
    const char *value = detail, *s = detail;
    bool known = false;
    size_t n;
    while (*s) {
        bool blank = *s == ' ';
        const char *label = blank || s == detail ? key_at(p, s + blank, &n) : NULL;
        if (!label) {
            s++;
            continue;
        }
        value_add(p, &out, value, (size_t)(s - value));
        buf_fmt(&out, "%s%s: ", blank ? " · " : "", label);
        value = s += blank + n;
        known = true;
    }
    value_add(p, &out, value, (size_t)(s - value));
    const char *text = known && !buf_failed(&out) ? arena_strdup(p->a, buf_cstr(&out)) : NULL;
    buf_free(&out);
    return text ? text : page_said(p, detail);
}

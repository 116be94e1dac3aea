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

const char *trail_detail(struct page *p, const char *detail)
{
    struct buf out = BUF_INIT(LIM_MB);
    bool known = false;
    size_t n;
    for (const char *s = detail; *s;) {
        bool blank = *s == ' ', begins = s == detail || blank;
        const char *label = begins ? key_at(p, s + blank, &n) : NULL;
        if (label) {
            buf_fmt(&out, "%s%s: ", blank ? " · " : "", label);
            s += blank + n;
            known = true;
        } else {
            buf_char(&out, *s++);
        }
    }
    const char *text = known && !buf_failed(&out) ? arena_strdup(p->a, buf_cstr(&out)) : NULL;
    buf_free(&out);
    return text ? text : page_said(p, detail);
}

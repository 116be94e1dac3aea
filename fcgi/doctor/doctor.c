/* doctor.c: what the checks have found. */
#include "doctor/doctor.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/limits.h"
#include "wire/json.h"

#define WARN_US (30 * DAY_US)
#define KEY_CHARS 48
#define PART_MAX 1024

const char *doctor_key(struct arena *a, const char *english)
{
    char key[KEY_CHARS + 1];
    size_t n = 0;
    for (const char *s = english; *s && n < KEY_CHARS; s++) {
        char c = (char)tolower((unsigned char)*s);
        if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))
            key[n++] = c;
        else if (n > 0 && key[n - 1] != '_')
            key[n++] = '_';
    }
    while (n > 0 && key[n - 1] == '_')
        n--;
    const char *out = arena_fmt(a, "doctor_%.*s", (int)n, key);
    return out ? out : "";
}

/* One conversion of a format, those that the checks use: its end, and what it makes of its argument
 * in b. */
static const char *convert(const char *at, struct buf *b, va_list *ap)
{
    const char *end = at + 1 + strspn(at + 1, "0123456789.l");
    bool wide = end > at + 2 && end[-1] == 'l' && end[-2] == 'l';
    switch (*end) {
    case 's': {
        const char *s = va_arg(*ap, const char *), *dot = memchr(at, '.', (size_t)(end - at));
        buf_add(b, s, strnlen(s, dot ? strtoul(dot + 1, NULL, 10) : PART_MAX));
        break;
    }
    case 'd':
        buf_fmt(b, "%lld", wide ? va_arg(*ap, long long) : (long long)va_arg(*ap, int));
        break;
    case 'u':
        buf_fmt(b, "%llu",
                wide ? va_arg(*ap, unsigned long long) : (unsigned long long)va_arg(*ap, unsigned));
        break;
    case 'o':
        buf_fmt(b, "%03o", va_arg(*ap, unsigned));
        break;
    default: /* %% */
        break;
    }
    return *end ? end + 1 : end;
}

/* The parts of a text, for its other languages. */
static void parts(struct doctor *d, struct finding *f, const char *fmt, va_list *ap)
{
    f->say = doctor_key(d->arena, fmt);
    while ((fmt = strchr(fmt, '%')) && f->nwith < FINDING_WITH) {
        struct buf b = BUF_INIT(4 * LIM_KB);
        bool part = fmt[1] != '%';
        fmt = convert(fmt, &b, ap);
        const char *s = part ? arena_strdup(d->arena, buf_cstr(&b)) : NULL;
        if (part)
            f->with[f->nwith++] = s ? s : "";
        buf_free(&b);
    }
}

void doctor_note(struct doctor *d, enum finding_result result, const char *check, const char *fix,
                 const char *fmt, ...)
{
    struct buf b = BUF_INIT(4 * LIM_KB);
    char *detail;
    va_list ap;
    va_start(ap, fmt);
    buf_vfmt(&b, fmt, ap);
    va_end(ap);
    detail = arena_strdup(d->arena, buf_cstr(&b));
    buf_free(&b);
    d->fails += result == FINDING_FAIL;
    if (d->n < FINDINGS_MAX) {
        struct finding *f = &d->f[d->n++];
        *f = (struct finding){.check = check,
                              .result = result,
                              .detail = detail ? detail : "",
                              .fix = result == FINDING_OK ? NULL : fix};
        va_start(ap, fmt);
        parts(d, f, fmt, &ap);
        va_end(ap);
    }
}

void doctor_note_expiry(struct doctor *d, const char *check, const char *what, int64_t not_after,
                        const char *fix)
{
    int64_t left = not_after - clock_now();
    char until[CLOCK_TEXT_MAX];
    clock_rfc3339(not_after, false, until);
    if (left <= 0)
        doctor_note(d, FINDING_FAIL, check, fix, "%s has expired (%s)", what, until);
    else if (left < WARN_US)
        doctor_note(d, FINDING_WARN, check, fix, "%s expires in %lld days (%s)", what,
                    (long long)(left / DAY_US), until);
    else
        doctor_note(d, FINDING_OK, check, NULL, "%s is good until %s", what, until);
}

const char *doctor_word(enum finding_result result)
{
    static const char *const words[] = {"ok", "warn", "fail"};
    return words[result];
}

enum outcome doctor_write(const struct doctor *d, struct buf *out, struct err *err)
{
    js list = js_array();
    for (size_t i = 0; i < d->n; i++) {
        js o = js_object();
        js_set_str(o, "check", d->f[i].check);
        js_set_str(o, "result", doctor_word(d->f[i].result));
        js_set_str(o, "detail", d->f[i].detail);
        js_set_str(o, "fix", d->f[i].fix);
        js_set_str(o, "say", d->f[i].say);
        js with = js_array();
        for (size_t k = 0; k < d->f[i].nwith; k++)
            js_append(with, js_new_str(d->f[i].with[k]));
        js_set(o, "with", with);
        js_append(list, o);
    }
    enum outcome o = js_write(list, true, out);
    js_free(&list);
    return o == OK && !buf_failed(out) ? OK : err_set(err, ERROR, "the findings cannot be written");
}

/* What finding_read() has noted says it as it was said. */
static void said(struct doctor *d, js o)
{
    struct finding *f = &d->f[d->n - 1];
    js with = js_get(o, "with");
    const char *say = js_get_str(o, "say");
    if (!say || js_type_of(with) != JS_ARRAY)
        return;
    f->say = arena_strdup(d->arena, say);
    f->say = f->say ? f->say : "";
    f->nwith = 0;
    for (size_t i = 0; i < js_size(with) && i < FINDING_WITH; i++) {
        const char *s = js_str(js_at(with, i));
        s = s ? arena_strdup(d->arena, s) : NULL;
        f->with[f->nwith++] = s ? s : "";
    }
}

static bool finding_read(struct doctor *d, js o)
{
    const char *check = js_get_str(o, "check"), *detail = js_get_str(o, "detail");
    const char *word = js_get_str(o, "result"), *fix = js_get_str(o, "fix");
    for (int i = FINDING_OK; word && check && detail && i <= FINDING_FAIL; i++) {
        if (strcmp(word, doctor_word((enum finding_result)i)) != 0)
            continue;
        check = arena_strdup(d->arena, check);
        fix = fix ? arena_strdup(d->arena, fix) : NULL;
        doctor_note(d, (enum finding_result)i, check ? check : "", fix, "%s", detail);
        said(d, o);
        return true;
    }
    return false;
}

enum outcome doctor_read(struct doctor *d, struct bytes json, struct err *err)
{
    js list = NULL;
    enum outcome o = js_parse(json, &list, err);
    if (o == OK && js_type_of(list) != JS_ARRAY)
        o = err_set(err, INVALID, "the findings are no list");
    for (size_t i = 0; o == OK && i < js_size(list); i++)
        if (!finding_read(d, js_at(list, i)))
            o = err_set(err, INVALID, "finding %zu is none", i + 1);
    js_free(&list);
    return o;
}

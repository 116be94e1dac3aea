/* note.c: what the checks have found. */
#include "doctor/doctor.h"

#include <stdarg.h>

#include "base/clock.h"
#include "base/limits.h"
#include "wire/json.h"

#define WARN_US (30 * DAY_US)

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
        d->f[d->n].check = check;
        d->f[d->n].result = result;
        d->f[d->n].detail = detail ? detail : "";
        d->f[d->n++].fix = result == FINDING_OK ? NULL : fix;
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
        js_append(list, o);
    }
    enum outcome o = js_write(list, true, out);
    js_free(&list);
    return o == OK && !buf_failed(out) ? OK : err_set(err, ERROR, "the findings cannot be written");
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

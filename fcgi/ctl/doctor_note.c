/* doctor_note.c: what the checks have found. */
#include "ctl/doctor.h"

#include <stdarg.h>

#include "base/clock.h"
#include "base/limits.h"

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
    detail = arena_strdup(d->c->arena, buf_cstr(&b));
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

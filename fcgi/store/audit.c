/* audit.c: the audit log's statements. */
#include "store/audit.h"

#include "base/clock.h"

#define ACTOR_MAX 128
#define SUBJECT_MAX 255

static const struct sql ADD = {
    .name = "audit_add",
    .text = "INSERT INTO audit (at, actor, action, subject, detail) VALUES (?, ?, ?, ?, ?)"};

static const struct sql ADD_RARELY = {
    .name = "audit_add_rarely",
    .text = "INSERT INTO audit (at, actor, action, subject, detail) SELECT ?, ?, ?, ?, ? FROM DUAL "
            "WHERE NOT EXISTS (SELECT 1 FROM audit WHERE subject = ? AND action = ? AND at > ?)"};

/* The first max characters of s, which is UTF-8. */
static struct val cut(const char *s, size_t max)
{
    size_t n = 0;
    for (size_t chars = 0; s[n]; n++)
        if ((s[n] & 0xC0) != 0x80 && chars++ == max)
            break;
    return val_strn(s, n);
}

enum outcome audit_add(struct db *db, const char *actor, const char *action, const char *subject,
                       const char *detail, struct err *err)
{
    return db_exec(db, &ADD,
                   (struct val[]){val_int(clock_now()), cut(actor, ACTOR_MAX), val_str(action),
                                  cut(subject, SUBJECT_MAX), val_str(detail)},
                   5, NULL, err);
}

enum outcome audit_add_rarely(struct db *db, int64_t every, const char *actor, const char *action,
                              const char *subject, const char *detail, struct err *err)
{
    int64_t now = clock_now();
    struct val what = val_str(action), whom = cut(subject, SUBJECT_MAX);

    return db_exec(db, &ADD_RARELY,
                   (struct val[]){val_int(now), cut(actor, ACTOR_MAX), what, whom, val_str(detail),
                                  whom, what, val_int(now - every)},
                   8, NULL, err);
}

/* app_sweep.c: see app_sweep.h. */
#include "library/app_sweep.h"

#include "assets/assets.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "store/library.h"

#define STRANGER_US (7 * DAY_US)

struct sweep {
    struct arena *a;
    const struct conf *conf;
    const struct library_file *known;
    size_t n;
    int64_t now;
};

static void look(const char *name, int64_t since, void *arg)
{
    struct sweep *s = arg;
    struct err err = {0};
    bool known = false, deleted = false;

    for (size_t i = 0; i < s->n; i++)
        if (strcmp(s->known[i].name, name) == 0) {
            known = true;
            deleted = s->known[i].deleted;
        }
    if (known ? !deleted : s->now - since < STRANGER_US)
        return;
    if (asset_remove(s->conf, s->a, name, &err) == OK)
        log_event(LOG_LEVEL_INFO, "assets.removed", "name", name, "why",
                  known ? "its app was deleted" : "no app has it", NULL);
    else
        log_err(LOG_LEVEL_WARNING, "assets.sweep", &err);
}

void app_sweep(struct db *db, const struct conf *conf, int64_t now)
{
    struct sweep s = {.a = arena_new(16 * LIM_MB), .conf = conf, .now = now};
    struct library_file *known = NULL;
    struct err err = {0};
    enum outcome o =
        s.a != NULL ? asset_sweep(conf, now, &err) : err_set(&err, ERROR, "out of memory");

    if (o == OK)
        o = library_files(db, s.a, &known, &s.n, &err);
    s.known = known;
    if (o == OK)
        o = asset_each(conf, look, &s, &err);
    if (o != OK)
        log_err(LOG_LEVEL_WARNING, "assets.sweep", &err);
    arena_free(&s.a);
}

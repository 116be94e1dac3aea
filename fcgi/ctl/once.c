/* once.c: what is done once for a key, however often it is asked for. */
#include "ctl/ctl.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/limits.h"
#include "store/idempotency.h"
#include "wire/json.h"

#define REPLAY_COLUMNS 16

/* The kept statuses, in the words of HTTP, as the API's are. */
enum { ALL_GOOD = 200, SOME_BAD = 422, NOT_DONE = 500 };

struct columns {
    struct ctl_column list[REPLAY_COLUMNS];
    size_t n;
};

static bool column_add(const char *key, js value, void *arg)
{
    struct columns *to = arg;
    (void)value;
    to->list[to->n++] = (struct ctl_column){key, CTL_TEXT};
    return to->n < REPLAY_COLUMNS;
}

static struct val cell_of(js v)
{
    int64_t i;
    return js_int(v, &i) ? val_int(i) : js_str(v) ? val_str(js_str(v)) : val_null();
}

/* What was listed the first time. */
static int replay(struct ctl *c, const struct idempotency *x, bool json)
{
    struct columns cols = {.n = 0};
    struct err err;
    js list = NULL;
    if (js_parse(x->answer, &list, &err) != OK)
        return ctl_failed(&err);
    size_t rows = js_size(list);
    js_each(js_at(list, 0), column_add, &cols);
    struct val *cells = arena_array(c->arena, rows * cols.n + 1, sizeof *cells);
    for (size_t i = 0; cells && i < rows; i++)
        for (size_t k = 0; k < cols.n; k++)
            cells[i * cols.n + k] = cell_of(js_get(js_at(list, i), cols.list[k].key));
    int status = cells ? ctl_list(c, json, cols.list, cols.n, cells, rows) : CTL_FAILED;
    js_free(&list);
    fputs("droverctl: this was done before; it was not done again\n", stderr);
    return status == CTL_OK && x->status == ALL_GOOD ? CTL_OK : CTL_FAILED;
}

int ctl_once(struct ctl *c, const char *key, struct bytes request, bool json, ctl_once_fn *run,
             void *arg)
{
    struct idempotency x = {.actor = c->actor, .key = key, .request = request, .now = clock_now()};
    struct buf kept = BUF_INIT(IDEMPOTENCY_ANSWER_MAX);
    struct err err = {0};
    if (!*key || strlen(key) > IDEMPOTENCY_KEY_MAX)
        return ctl_wrong("--idempotency-key has 1 to %u octets", IDEMPOTENCY_KEY_MAX);
    if (idempotency_begin(c->db, &x, c->arena, &err) != OK)
        return ctl_failed(&err);
    if (x.answered)
        return replay(c, &x, json);
    c->kept = &kept;
    int status = run(c, x.seed, arg);
    c->kept = NULL;
    bool told = kept.len > 0 && !buf_failed(&kept);
    if (idempotency_end(c->db, &x,
                        !told              ? NOT_DONE
                        : status == CTL_OK ? ALL_GOOD
                                           : SOME_BAD,
                        buf_bytes(&kept), &err) != OK)
        ctl_failed(&err);
    buf_free(&kept);
    return status;
}

/* webhook.c: droverctl webhook: addresses that are told what happens. */
#include "ctl/ctl.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/limits.h"
#include "store/webhook.h"
#include "webhook/edit.h"
#include "wire/encode.h"

#define TOPICS_MAX 64
#define KEY_FILE_MAX 200

struct options {
    const char *topics, *payload, *name, *url, *secret_file, *overlap, *why, *state, *topic,
        *enrollment, *event, *from, *to;
    bool json, dead;
};

struct verb {
    struct ctl *c;
    struct db *db;
    struct options o;
    const char *arg[2]; /* of the command line, after the verb's word */
    struct webhook w;   /* the one that is named */
};

static int list(struct verb *v)
{
    static const struct ctl_column cols[] = {
        {"id", CTL_INT},      {"name", CTL_TEXT},   {"state", CTL_TEXT},
        {"url", CTL_TEXT},    {"topics", CTL_TEXT}, {"payload", CTL_TEXT},
        {"waiting", CTL_INT}, {"dead", CTL_INT},    {"last_success_at", CTL_TIME},
        {"failure", CTL_TEXT}};
    enum { COLUMNS = sizeof cols / sizeof *cols };
    struct webhook *w;
    struct err err;
    size_t n;

    if (webhook_list(v->db, true, v->c->arena, &w, &n, &err) != OK)
        return ctl_failed(&err);
    struct val *cells = arena_array(v->c->arena, n * COLUMNS + 1, sizeof *cells);
    for (size_t i = 0; cells && i < n; i++) {
        const char *const *topic = NULL;
        struct buf text = BUF_INIT(1024);
        size_t k = 0;

        if (webhook_topics(w[i].wants, v->c->arena, &topic, &k, &err) != OK)
            return ctl_failed(&err);
        for (size_t t = 0; t < k; t++)
            buf_fmt(&text, "%s%s", t ? "," : "", topic[t]);
        memcpy(&cells[i * COLUMNS],
               (struct val[]){
                   val_int(w[i].id), val_str(w[i].name), val_str(webhook_state_name(w[i].state)),
                   val_str(w[i].url), val_str(arena_strdup(v->c->arena, buf_cstr(&text))),
                   val_str(webhook_payload_name(w[i].payload)), val_int(w[i].waiting),
                   val_int(w[i].dead), ctl_time(w[i].last_ok_at), ctl_text(w[i].failure)},
               COLUMNS * sizeof *cells);
        buf_free(&text);
    }
    return cells ? ctl_list(v->c, v->o.json, cols, COLUMNS, cells, n) : CTL_FAILED;
}

/* "a,b" as a list. */
static bool topics_read(struct verb *v, struct webhook_edit *e)
{
    char *text = v->o.topics ? arena_strdup(v->c->arena, v->o.topics) : NULL;
    const char **list = arena_array(v->c->arena, TOPICS_MAX, sizeof *list);

    if (!v->o.topics)
        return true;
    for (char *p = text; list && p && e->ntopics < TOPICS_MAX;) {
        size_t n = strcspn(p, ",");
        bool last = p[n] == '\0';

        p[n] = '\0';
        list[e->ntopics++] = p;
        p = last ? NULL : p + n + 1;
    }
    e->topics = list;
    return text && list;
}

static bool edit_read(struct verb *v, struct webhook_edit *e)
{
    char *secret = NULL;
    struct err err;

    *e = (struct webhook_edit){.payload = v->o.payload};
    if (v->o.payload && strcmp(v->o.payload, "whole") == 0)
        fputs("droverctl: warning: with payload=whole, push tokens, UnlockTokens and bootstrap "
              "tokens leave the house with the events\n",
              stderr);
    if (v->o.secret_file &&
        ctl_secret_file(v->c, v->o.secret_file, KEY_FILE_MAX, &secret, &err) != OK) {
        ctl_failed(&err);
        return false;
    }
    e->secret = secret;
    return topics_read(v, e);
}

static int show_key(const char *said, char key[WEBHOOK_KEY_MAX])
{
    puts(key);
    fputs(said, stderr);
    secret_wipe(key, WEBHOOK_KEY_MAX);
    return CTL_OK;
}

static int add(struct verb *v)
{
    char key[WEBHOOK_KEY_MAX];
    struct webhook_edit e;
    struct err err;
    int64_t id;

    if (!edit_read(v, &e))
        return CTL_FAILED;
    e.name = v->arg[0];
    e.url = v->arg[1];
    if (webhook_make(v->db, v->c->conf, &e, v->c->actor, clock_now(), v->c->arena, &id, key,
                     &err) != OK)
        return ctl_failed(&err);
    return show_key("This is the secret that it signs with; it is not shown again.\n", key);
}

static int set(struct verb *v)
{
    struct webhook_edit e;
    struct err err;

    if (!edit_read(v, &e))
        return CTL_FAILED;
    e.name = v->o.name;
    e.url = v->o.url;
    if (webhook_edit(v->db, v->c->conf, v->w.id, &e, v->c->actor, v->c->arena, &err) != OK)
        return ctl_failed(&err);
    printf("\"%s\" is changed.\n", e.name ? e.name : v->w.name);
    return CTL_OK;
}

static int secret(struct verb *v)
{
    int64_t overlap = WEBHOOK_OVERLAP_S * SECOND_US;
    char key[WEBHOOK_KEY_MAX];
    struct webhook_edit e;
    struct err err;

    if (v->o.overlap && strcmp(v->o.overlap, "0") == 0)
        overlap = 0;
    else if (v->o.overlap && !ctl_duration(v->o.overlap, &overlap))
        return ctl_wrong("--overlap: \"%s\" is no time like 12h", v->o.overlap);
    if (!edit_read(v, &e))
        return CTL_FAILED;
    if (webhook_rotate(v->db, v->c->conf, v->w.id, e.secret, overlap / SECOND_US, v->c->actor,
                       clock_now(), v->c->arena, key, &err) != OK)
        return ctl_failed(&err);
    return show_key(overlap ? "This is the new secret; the old one signs too for a while.\n"
                            : "This is the new secret; the old one signs no longer.\n",
                    key);
}

static int test(struct verb *v)
{
    struct err err;
    int64_t id;

    if (webhook_ping(v->db, &v->w, v->c->actor, clock_now(), &id, &err) != OK)
        return ctl_failed(&err);
    printf("%016llx is on its way; droverctl webhook attempts %s %016llx tells what came of it.\n",
           (unsigned long long)id, v->w.name, (unsigned long long)id);
    return CTL_OK;
}

static int halt(struct verb *v)
{
    struct err err;

    if (webhook_pause(v->db, &v->w, v->c->actor, v->o.why, clock_now(), &err) != OK)
        return ctl_failed(&err);
    printf("\"%s\" is paused; its events are kept.\n", v->w.name);
    return CTL_OK;
}

static int resume(struct verb *v)
{
    struct err err;

    if (webhook_resume(v->db, &v->w, v->c->actor, clock_now(), &err) != OK)
        return ctl_failed(&err);
    printf("\"%s\" is active.\n", v->w.name);
    return CTL_OK;
}

static int delete (struct verb *v)
{
    struct err err;

    if (webhook_delete(v->db, &v->w, v->c->actor, v->o.why, &err) != OK)
        return ctl_failed(&err);
    printf("\"%s\" is deleted.\n", v->w.name);
    return CTL_OK;
}

static const char *event_text(struct ctl *c, int64_t id)
{
    return arena_fmt(c->arena, "%016llx", (unsigned long long)id);
}

static int log_show(struct verb *v)
{
    static const struct ctl_column cols[] = {
        {"event_id", CTL_TEXT},   {"at", CTL_TIME},      {"topic", CTL_TEXT},
        {"enrollment", CTL_TEXT}, {"state", CTL_TEXT},   {"attempts", CTL_INT},
        {"status", CTL_INT},      {"failure", CTL_TEXT}, {"done_at", CTL_TIME}};
    enum { COLUMNS = sizeof cols / sizeof *cols };
    const struct event_name *topic = v->o.topic ? event_name_find(v->o.topic) : NULL;
    struct delivery_filter f = {v->o.state ? delivery_state_read(v->o.state) : 0,
                                topic ? (int)topic->topic : -1, v->o.enrollment};
    struct delivery *d;
    struct err err;
    size_t n;

    if (f.state < 0)
        return ctl_wrong("--state is waits, delivered or dead");
    if (v->o.topic && !topic)
        return ctl_wrong("--topic: there is no topic \"%s\"", v->o.topic);
    if (delivery_list(v->db, v->w.id, &f, 0, LIM_PAGE, v->c->arena, &d, &n, &err) != OK)
        return ctl_failed(&err);
    struct val *cells = arena_array(v->c->arena, n * COLUMNS + 1, sizeof *cells);
    for (size_t i = 0; cells && i < n; i++) {
        const struct event_name *name = event_name_of(d[i].topic);

        memcpy(&cells[i * COLUMNS],
               (struct val[]){val_str(event_text(v->c, d[i].event_id)), val_int(d[i].at),
                              val_str(name ? name->filter : "?"), ctl_text(d[i].ident),
                              val_str(delivery_state_name(d[i].state)), val_int(d[i].attempts),
                              d[i].status ? val_int(d[i].status) : val_null(),
                              ctl_text(d[i].failure), ctl_time(d[i].done_at)},
               COLUMNS * sizeof *cells);
    }
    return cells ? ctl_list(v->c, v->o.json, cols, COLUMNS, cells, n) : CTL_FAILED;
}

static int attempts(struct verb *v)
{
    static const struct ctl_column cols[] = {{"at", CTL_TIME},
                                             {"took_ms", CTL_INT},
                                             {"status", CTL_INT},
                                             {"failure", CTL_TEXT},
                                             {"answer", CTL_TEXT}};
    int64_t event_id = webhook_event_id(v->arg[1]);
    struct delivery_attempt *t;
    struct err err;
    size_t n;

    if (event_id == 0)
        return ctl_wrong("\"%s\" is no event id: it has 16 hexadecimal digits", v->arg[1]);
    if (delivery_attempts(v->db, v->w.id, event_id, v->c->arena, &t, &n, &err) != OK)
        return ctl_failed(&err);
    struct val *cells = arena_array(v->c->arena, n * 5 + 1, sizeof *cells);
    for (size_t i = 0; cells && i < n; i++)
        memcpy(&cells[i * 5],
               (struct val[]){val_int(t[i].at), val_int(t[i].took_us / 1000),
                              t[i].status ? val_int(t[i].status) : val_null(),
                              ctl_text(t[i].failure), ctl_text(t[i].answer)},
               5 * sizeof *cells);
    return cells ? ctl_list(v->c, v->o.json, cols, 5, cells, n) : CTL_FAILED;
}

static int replay(struct verb *v)
{
    struct replay r = {.dead = v->o.dead};
    size_t n = REPLAY_MAX, all = 0;
    struct err err;

    if ((v->o.event != NULL) + v->o.dead + (v->o.from != NULL && v->o.to != NULL) != 1)
        return ctl_wrong("webhook replay: give --event ID, --dead, or --from TIME and --to TIME");
    if (v->o.event && (r.event_id = webhook_event_id(v->o.event)) == 0)
        return ctl_wrong("\"%s\" is no event id: it has 16 hexadecimal digits", v->o.event);
    if (v->o.from &&
        (!clock_parse_rfc3339(v->o.from, &r.from) || !clock_parse_rfc3339(v->o.to, &r.to)))
        return ctl_wrong("--from and --to are times as 2026-11-22T08:15:30Z");
    while (n >= REPLAY_MAX) {
        if (webhook_replay(v->db, &v->w, &r, v->c->actor, clock_now(), &n, &err) != OK)
            return ctl_failed(&err);
        all += n;
        if (r.event_id == 0 && !r.dead)
            break; /* what was delivered again meanwhile would be taken twice */
    }
    printf("%zu events are sent again.\n", all);
    return CTL_OK;
}

static const struct {
    const char *word;
    int (*run)(struct verb *v);
    int args; /* the first names a webhook, but for "add" */
    bool why;
} verbs[] = {
    {"list", list, 0, false},         {"add", add, 2, false},      {"set", set, 1, false},
    {"secret", secret, 1, false},     {"test", test, 1, false},    {"pause", halt, 1, true},
    {"resume", resume, 1, false},     {"remove", delete, 1, true}, {"log", log_show, 1, false},
    {"attempts", attempts, 2, false}, {"replay", replay, 1, false}};
#define VERBS (sizeof verbs / sizeof *verbs)

/* By its name, or its id. */
static bool find(struct verb *v, const char *name)
{
    struct webhook *w;
    struct err err;
    size_t n;

    if (webhook_list(v->db, false, v->c->arena, &w, &n, &err) != OK) {
        ctl_failed(&err);
        return false;
    }
    for (size_t i = 0; i < n; i++)
        if (strcmp(w[i].name, name) == 0 || strtoll(name, NULL, 10) == w[i].id) {
            v->w = w[i];
            return true;
        }
    err_set(&err, NOT_FOUND, "there is no webhook \"%s\"; droverctl webhook list tells them", name);
    ctl_failed(&err);
    return false;
}

int ctl_webhook(struct ctl *c, int argc, char **argv)
{
    struct verb v = {.c = c};
    struct options *o = &v.o;
    const char *rest[3];
    const struct ctl_option options[] = {{.name = "topics", .value = &o->topics},
                                         {.name = "payload", .value = &o->payload},
                                         {.name = "name", .value = &o->name},
                                         {.name = "url", .value = &o->url},
                                         {.name = "overlap", .value = &o->overlap},
                                         {.name = "secret-file", .value = &o->secret_file},
                                         {.name = "why", .value = &o->why},
                                         {.name = "state", .value = &o->state},
                                         {.name = "topic", .value = &o->topic},
                                         {.name = "enrollment", .value = &o->enrollment},
                                         {.name = "event", .value = &o->event},
                                         {.name = "from", .value = &o->from},
                                         {.name = "to", .value = &o->to},
                                         {.name = "json", .flag = &o->json},
                                         {.name = "dead", .flag = &o->dead}};
    int n = ctl_args(argc, argv, options, sizeof options / sizeof *options, rest, 1, 3);
    size_t i = 0;

    if (n < 0)
        return CTL_USAGE;
    while (i < VERBS && strcmp(verbs[i].word, rest[0]) != 0)
        i++;
    if (i == VERBS)
        return ctl_wrong("webhook: there is no \"%s\"", rest[0]);
    if (n - 1 != verbs[i].args || verbs[i].why != (o->why && *o->why))
        return ctl_wrong("webhook %s: %s", rest[0],
                         verbs[i].why ? "give its name and --why TEXT"
                                      : "too many arguments, or too few");
    if (!ctl_db(c, &v.db))
        return CTL_FAILED;
    v.arg[0] = rest[1];
    v.arg[1] = rest[2];
    if (verbs[i].args > 0 && verbs[i].run != add && !find(&v, rest[1]))
        return CTL_FAILED;
    return verbs[i].run(&v);
}

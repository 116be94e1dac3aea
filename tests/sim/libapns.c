/* libapns.c: the push service's simulator: rules, the memory of pushes, the control interface. */
#include "libapns.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define RULES_MAX 1000
#define KEPT 65536 /* pushes remembered */
#define LISTED 5000
#define DELAY_MAX 60000

struct rule {
    char *token, *topic; /* NULL: any */
    int64_t percent, times;
    struct verdict verdict;
};

/* A remembered push, in one allocation. */
struct kept {
    int64_t seq, time_us, expiration;
    int priority, status;
    char apns_id[UUID_LEN + 1];
    const char *token, *magic, *topic, *serial, *reason;
    char text[];
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct rule rules[RULES_MAX];
static size_t nrules;
static js rules_json;
static struct kept *kept[KEPT];
static int64_t last_seq, first_seq = 1;
static int64_t by_status[600], received, accepted, refused, resets;

void rules_apply(const struct push *p, struct verdict *v)
{
    pthread_mutex_lock(&mutex);
    for (size_t i = 0; i < nrules; i++) {
        struct rule *r = &rules[i];
        if ((r->token && strcmp(r->token, p->token) != 0) ||
            (r->topic && strcmp(r->topic, p->topic) != 0) || r->times == 0 ||
            (r->percent < 100 && random() % 100 >= r->percent))
            continue;
        if (r->times > 0)
            r->times--;
        *v = r->verdict;
        break;
    }
    pthread_mutex_unlock(&mutex);
}

static char *text_put(char **at, const char *s)
{
    char *start = *at;
    size_t n = strlen(s) + 1;
    memcpy(start, s, n);
    *at += n;
    return start;
}

void pushes_add(struct push *p, const struct verdict *v)
{
    size_t n = strlen(p->token) + strlen(p->magic) + strlen(p->topic) + strlen(p->serial) +
               strlen(v->reason) + 5;
    struct kept *k = malloc(sizeof *k + n);
    if (!k)
        return;
    char *at = k->text;
    k->token = text_put(&at, p->token);
    k->magic = text_put(&at, p->magic);
    k->topic = text_put(&at, p->topic);
    k->serial = text_put(&at, p->serial);
    k->reason = text_put(&at, v->reason);
    memcpy(k->apns_id, p->apns_id, sizeof k->apns_id);
    k->time_us = p->time_us;
    k->expiration = p->expiration;
    k->priority = p->priority;
    k->status = v->reset ? 0 : v->status;
    pthread_mutex_lock(&mutex);
    p->seq = k->seq = ++last_seq;
    struct kept **slot = &kept[k->seq % KEPT];
    free(*slot);
    *slot = k;
    received++;
    if (v->reset)
        resets++;
    else if (v->status == 200)
        accepted++;
    else
        refused++;
    if (k->status > 0 && k->status < 600)
        by_status[k->status]++;
    pthread_mutex_unlock(&mutex);
}

static void rules_clear(void)
{
    for (size_t i = 0; i < nrules; i++) {
        free(rules[i].token);
        free(rules[i].topic);
    }
    nrules = 0;
    js_free(&rules_json);
}

/* One rule. False: a member has the wrong type or range. */
static bool rule_read(js o, struct rule *r)
{
    if (js_type_of(o) != JS_OBJECT)
        return false;
    int64_t status = 200;
    const char *token = js_get_str(o, "token"), *topic = js_get_str(o, "topic");
    const char *reason = js_get_str(o, "reason"), *after = js_get_str(o, "retry_after");
    *r = (struct rule){.percent = 100, .times = -1};
    js_get_int(o, "percent", &r->percent);
    js_get_int(o, "times", &r->times);
    js_get_int(o, "status", &status);
    js_get_int(o, "timestamp", &r->verdict.timestamp);
    js_get_int(o, "delay_ms", &r->verdict.delay_ms);
    js_get_bool(o, "reset", &r->verdict.reset);
    if (status < 200 || status > 599 || r->percent < 0 || r->percent > 100 ||
        r->verdict.delay_ms < 0 || r->verdict.delay_ms > DELAY_MAX)
        return false;
    r->verdict.status = (int)status;
    snprintf(r->verdict.reason, sizeof r->verdict.reason, "%s", reason ? reason : "");
    snprintf(r->verdict.retry_after, sizeof r->verdict.retry_after, "%s", after ? after : "");
    r->token = token ? strdup(token) : NULL;
    r->topic = topic ? strdup(topic) : NULL;
    return true;
}

static int rules_put(struct bytes body, struct buf *out)
{
    js root = NULL;
    struct err err = {0};
    if (js_parse(body, &root, &err) != OK || js_type_of(root) != JS_ARRAY ||
        js_size(root) > RULES_MAX) {
        js_free(&root);
        buf_str(out, "{\"error\":\"rules: a JSON array of objects is expected\"}\n");
        return 400;
    }
    rules_clear();
    for (size_t i = 0; i < js_size(root); i++) {
        if (!rule_read(js_at(root, i), &rules[nrules])) {
            rules_clear();
            js_free(&root);
            buf_fmt(out, "{\"error\":\"rule %zu: no object, or a value out of range\"}\n", i);
            return 400;
        }
        nrules++;
    }
    rules_json = root;
    buf_str(out, "{}\n");
    return 200;
}

static int answer_js(js o, struct buf *out)
{
    int status = js_write(o, false, out) == OK ? 200 : 500;
    buf_char(out, '\n');
    return status;
}

static int rules_get(struct buf *out)
{
    if (rules_json)
        return answer_js(rules_json, out);
    buf_str(out, "[]\n");
    return 200;
}

static js push_json(const struct kept *k)
{
    js o = js_object();
    js_set_int(o, "seq", k->seq);
    js_set_int(o, "time_us", k->time_us);
    js_set_str(o, "token", k->token);
    js_set_str(o, "push_magic", k->magic);
    js_set_str(o, "topic", k->topic);
    js_set_str(o, "apns_id", k->apns_id);
    js_set_int(o, "expiration", k->expiration);
    js_set_int(o, "priority", k->priority);
    js_set_str(o, "cert_serial", k->serial);
    js_set_int(o, "status", k->status);
    js_set_str(o, "reason", k->reason);
    return o;
}

/* The value of name in the query, up to '&', in out. */
static bool query_get(const char *uri, const char *name, char *out, size_t size)
{
    const char *q = strchr(uri, '?');
    size_t n = strlen(name);
    for (; q; q = strchr(q + 1, '&')) {
        if (strncmp(q + 1, name, n) != 0 || q[n + 1] != '=')
            continue;
        const char *v = q + n + 2;
        snprintf(out, size, "%.*s", (int)strcspn(v, "&"), v);
        return true;
    }
    return false;
}

static int pushes_get(const char *uri, struct buf *out)
{
    char after[32] = "0", token[APNS_TOKEN_MAX + 1];
    query_get(uri, "after", after, sizeof after);
    bool one = query_get(uri, "token", token, sizeof token);
    int64_t from = strtoll(after, NULL, 10) + 1;
    int64_t oldest = last_seq - KEPT + 1 > first_seq ? last_seq - KEPT + 1 : first_seq;
    js o = js_object(), list = js_array();
    for (int64_t s = from > oldest ? from : oldest; s <= last_seq; s++) {
        const struct kept *k = kept[s % KEPT];
        if (k && k->seq == s && (!one || strcmp(k->token, token) == 0) && js_size(list) < LISTED)
            js_append(list, push_json(k));
    }
    js_set_int(o, "last", last_seq);
    js_set(o, "pushes", list);
    int status = answer_js(o, out);
    js_free(&o);
    return status;
}

static void pushes_clear(void)
{
    first_seq = last_seq + 1;
    received = accepted = refused = resets = 0;
    memset(by_status, 0, sizeof by_status);
}

static int counters_get(struct buf *out)
{
    int64_t woken, stored, subscribers;
    wake_counts(&woken, &stored, &subscribers);
    js o = js_object(), statuses = js_object();
    js_set_int(o, "last", last_seq);
    js_set_int(o, "received", received);
    js_set_int(o, "accepted", accepted);
    js_set_int(o, "refused", refused);
    js_set_int(o, "reset", resets);
    js_set_int(o, "woken", woken);
    js_set_int(o, "stored", stored);
    js_set_int(o, "subscribers", subscribers);
    for (int i = 0; i < 600; i++) {
        char name[16];
        snprintf(name, sizeof name, "%d", i);
        if (by_status[i])
            js_set_int(statuses, name, by_status[i]);
    }
    js_set(o, "status", statuses);
    int status = answer_js(o, out);
    js_free(&o);
    return status;
}

static int control_locked(const char *method, const char *path, const char *uri, struct bytes body,
                          struct buf *out)
{
    bool get = strcmp(method, "GET") == 0, put = strcmp(method, "PUT") == 0;
    bool del = strcmp(method, "DELETE") == 0;
    if (strcmp(path, "/control/counters") == 0 && get)
        return counters_get(out);
    if (strcmp(path, "/control/pushes") == 0 && get)
        return pushes_get(uri, out);
    if (strcmp(path, "/control/rules") == 0 && get)
        return rules_get(out);
    if (strcmp(path, "/control/rules") == 0 && put)
        return rules_put(body, out);
    if (strcmp(path, "/control/pushes") == 0 && del)
        pushes_clear();
    else if (strcmp(path, "/control/rules") == 0 && del)
        rules_clear();
    else {
        buf_str(out, "{\"error\":\"no such control\"}\n");
        return 404;
    }
    buf_str(out, "{}\n");
    return 200;
}

int control_answer(const char *method, const char *uri, struct bytes body, struct buf *out)
{
    char path[64];
    snprintf(path, sizeof path, "%.*s", (int)strcspn(uri, "?"), uri);
    pthread_mutex_lock(&mutex);
    int status = control_locked(method, path, uri, body, out);
    pthread_mutex_unlock(&mutex);
    return status;
}

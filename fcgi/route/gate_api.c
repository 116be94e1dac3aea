/*
 * gate_api.c: HTTP Basic with an API key as the password, as NanoMDM's clients send it; the user
 * name is anything. A key that was good is good for five seconds more. An address that came with
 * many wrong keys must wait before another unknown one is looked up; keys that were good lately
 * are not held up by what their neighbours do.
 */
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "base/clock.h"
#include "base/log.h"
#include "route/gate_state.h"
#include "store/account.h"
#include "store/scope.h"
#include "wire/encode.h"

#define KEYS 64u
#define KEY_FRESH (5 * SECOND_US)
#define KEY_REMEMBERED (10 * MINUTE_US)
#define AUTHORIZATION_MAX 1024u

struct key_entry {
    uint8_t sha256[SHA256_LEN];
    int64_t id;
    int64_t scope;
    int64_t expires_at;
    char name[ACCOUNT_NAME_MAX + 1];
    char scopes[APIKEY_SCOPES_MAX + 1];
    int64_t checked; /* clock_mono(); 0: empty */
};

struct known_keys {
    pthread_mutex_t lock;
    struct key_entry e[KEYS];
};

struct known_keys *known_keys_new(void)
{
    struct known_keys *k = calloc(1, sizeof *k);
    if (k)
        pthread_mutex_init(&k->lock, NULL);
    return k;
}

void known_keys_free(struct known_keys **k)
{
    if (!*k)
        return;
    pthread_mutex_destroy(&(*k)->lock);
    free(*k);
    *k = NULL;
}

static bool keys_find(struct known_keys *k, const uint8_t sha[SHA256_LEN], struct key_entry *out)
{
    bool found = false;
    pthread_mutex_lock(&k->lock);
    for (size_t i = 0; i < KEYS && !found; i++)
        if (k->e[i].checked && memcmp(k->e[i].sha256, sha, SHA256_LEN) == 0) {
            *out = k->e[i];
            found = true;
        }
    pthread_mutex_unlock(&k->lock);
    return found;
}

/* Keeps a key, or forgets it when `good` is NULL. */
static void keys_put(struct known_keys *k, const uint8_t sha[SHA256_LEN],
                     const struct key_entry *good)
{
    pthread_mutex_lock(&k->lock);
    struct key_entry *place = &k->e[0];
    for (size_t i = 0; i < KEYS; i++) {
        if (k->e[i].checked && memcmp(k->e[i].sha256, sha, SHA256_LEN) == 0) {
            place = &k->e[i];
            break;
        }
        if (k->e[i].checked < place->checked)
            place = &k->e[i];
    }
    if (good)
        *place = *good;
    else if (memcmp(place->sha256, sha, SHA256_LEN) == 0)
        place->checked = 0;
    pthread_mutex_unlock(&k->lock);
}

/* The password of "Basic base64(user:password)"; NULL when there is none. */
static char *basic_password(struct req *req)
{
    const char *h = req_var(req, "HTTP_AUTHORIZATION");
    struct bytes plain;
    if (!h || strlen(h) > AUTHORIZATION_MAX || strncasecmp(h, "Basic ", 6) != 0)
        return NULL;
    if (base64_decode(req->arena, bytes_str(h + 6), &plain) != OK || plain.n == 0)
        return NULL;
    const uint8_t *colon = memchr(plain.p, ':', plain.n);
    if (!colon || memchr(plain.p, '\0', plain.n))
        return NULL;
    size_t n = plain.n - (size_t)(colon + 1 - plain.p);
    char *key = arena_strndup(req->arena, (const char *)colon + 1, n);
    secret_wipe((void *)(uintptr_t)plain.p, plain.n);
    return key;
}

static bool refuse(struct resp *resp, const char *why)
{
    resp_json_error(resp, 401, "Unauthorized: %s", why);
    resp_header(resp, "WWW-Authenticate", "Basic realm=\"nanomdm\"");
    resp_note(resp, "%s", why);
    return false;
}

/* Asks the database; fills e. False: resp holds the refusal. */
static bool look_up(struct app *app, struct req *req, const char *key, struct key_entry *e,
                    struct resp *resp)
{
    struct db *db = NULL;
    struct apikey found;
    struct err err = {.outcome = OK};
    enum outcome o = db_pool_take(app->pool, &db, &err);
    if (o == OK)
        o = apikey_find(db, key, req->arena, &found, &err);
    db_pool_give(app->pool, &db);
    switch (o) {
    case OK:
        e->id = found.id;
        e->expires_at = found.expires_at;
        e->scope = found.limited ? scope_number(SCOPE_KEY, found.id) : 0;
        snprintf(e->name, sizeof e->name, "%s", found.name);
        snprintf(e->scopes, sizeof e->scopes, "%s", found.scopes);
        e->checked = req->start;
        return true;
    case NOT_FOUND:
    case DENIED:
        known_failures_add(app->gate->failures, req->remote_addr, req->start);
        return refuse(resp, o == DENIED ? "the API key is revoked or expired" : "unknown API key");
    default:
        resp_json_error(resp, o == UNAVAILABLE ? 503 : 500, "%s",
                        o == UNAVAILABLE ? "the database does not answer" : "internal error");
        log_err(LOG_LEVEL_ERROR, "api.key", &err);
        return false;
    }
}

static bool find_key(struct app *app, struct req *req, const char *key, struct key_entry *e,
                     struct resp *resp)
{
    uint8_t sha[SHA256_LEN];
    sha256(bytes_str(key), sha);
    bool known = keys_find(app->gate->keys, sha, e);
    if (known && req->start - e->checked < KEY_FRESH)
        return true;
    bool lately = known && req->start - e->checked < KEY_REMEMBERED;
    unsigned wait = known_failures_wait(app->gate->failures, req->remote_addr, req->start);
    if (wait && !lately) {
        char seconds[16];
        snprintf(seconds, sizeof seconds, "%u", wait);
        resp_json_error(resp, 429, "too many wrong API keys from this address");
        resp_header(resp, "Retry-After", seconds);
        return false;
    }
    memcpy(e->sha256, sha, sizeof sha);
    bool good = look_up(app, req, key, e, resp);
    if (good || resp->status == 401)
        keys_put(app->gate->keys, sha, good ? e : NULL);
    return good;
}

/* A browser that was given a key once sends it again by itself, also with what a page of another
 * site has it ask; it tells where such a request comes from, and programs tell nothing. */
static bool from_elsewhere(struct req *req)
{
    const char *from = req_var(req, "HTTP_SEC_FETCH_SITE");
    return from && strcmp(from, "same-origin") != 0 && strcmp(from, "none") != 0;
}

bool gate_api_enter(struct app *app, const struct route *row, struct req *req,
                    struct caller *caller, struct resp *resp)
{
    struct key_entry *e = arena_alloc(req->arena, sizeof *e);
    char *key = basic_password(req);
    if (!e) {
        resp_bare(resp, 500, "no memory for an API key");
        return false;
    }
    if (from_elsewhere(req)) {
        resp_json_error(resp, 403, "a page of another site does not ask the API");
        return false;
    }
    if (!key || !*key)
        return refuse(resp, "no API key");
    bool good = find_key(app, req, key, e, resp);
    secret_wipe(key, strlen(key));
    if (!good)
        return false;
    struct apikey k = {.id = e->id, .name = e->name, .scopes = e->scopes};
    if (row->scope && !apikey_allows(&k, row->scope)) {
        resp_json_error(resp, 403, "the API key \"%s\" lacks the scope \"%s\"", e->name,
                        row->scope);
        return false;
    }
    if (e->scope != 0 && row->reach != REACH_SCOPED) {
        resp_json_error(resp, 403,
                        "the API key \"%s\" is limited to groups, and this concerns more", e->name);
        return false;
    }
    caller->key_id = e->id;
    caller->scope = e->scope;
    caller->key_name = e->name;
    caller->scopes = e->scopes;
    caller->key_expires_at = e->expires_at;
    return true;
}

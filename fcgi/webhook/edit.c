/* edit.c: see edit.h. */
#include "webhook/edit.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/uuid.h"
#include "store/id.h"
#include "webhook/address.h"
#include "wire/encode.h"
#include "wire/seal.h"

#include <stdio.h>

#define KEY_OCTETS 32
#define KEY_OCTETS_MIN 16
#define KEY_OCTETS_MAX 96
#define SEALED_MAX 512u

/* ---- keys ---- */

enum outcome webhook_key_octets(const char *key, struct arena *a, struct bytes *out,
                                struct err *err)
{
    size_t prefix = sizeof WEBHOOK_KEY_PREFIX - 1;
    struct bytes b = bytes_str(key);

    if (strncmp(key, WEBHOOK_KEY_PREFIX, prefix) == 0 &&
        base64_decode(a, bytes_str(key + prefix), &b) != OK)
        return err_set(err, INVALID, "secret: what follows whsec_ is no base64");
    if (b.n < KEY_OCTETS_MIN || b.n > KEY_OCTETS_MAX)
        return err_set(err, INVALID, "secret: it must have %d to %d octets", KEY_OCTETS_MIN,
                       KEY_OCTETS_MAX);
    *out = b;
    return OK;
}

/* The one that is given, or a new one, into key. */
static enum outcome key_take(const char *given, struct arena *a, char key[WEBHOOK_KEY_MAX],
                             struct err *err)
{
    uint8_t octets[KEY_OCTETS];
    struct buf text = BUF_INIT(WEBHOOK_KEY_MAX);
    struct bytes ignored;

    if (given == NULL || *given == '\0') {
        random_bytes(octets, sizeof octets);
        base64_add(&text, bytes_of(octets, sizeof octets));
        snprintf(key, WEBHOOK_KEY_MAX, WEBHOOK_KEY_PREFIX "%s", buf_cstr(&text));
        secret_wipe(octets, sizeof octets);
        buf_wipe(&text);
        return OK;
    }
    if (strlen(given) >= WEBHOOK_KEY_MAX)
        return err_set(err, INVALID, "secret: it is too long");
    snprintf(key, WEBHOOK_KEY_MAX, "%s", given);
    return webhook_key_octets(given, a, &ignored, err);
}

static enum outcome key_seal(const struct conf *conf, int64_t id, const char *key, struct arena *a,
                             struct bytes *out, struct err *err)
{
    struct buf sealed = BUF_INIT(SEALED_MAX);
    uint8_t pub[SEAL_KEY_LEN];
    char label[64];
    enum outcome o = seal_public_load(conf->signer_dir, pub, err);

    snprintf(label, sizeof label, WEBHOOK_SECRET, (long long)id);
    if (o == OK)
        o = seal(pub, label, bytes_str(key), &sealed, err);
    if (o == OK)
        *out = arena_bytes(a, buf_bytes(&sealed));
    if (o == OK && out->p == NULL)
        o = err_set(err, ERROR, "out of memory");
    buf_free(&sealed);
    return o;
}

/* ---- fields ---- */

static enum outcome name_set(const char *name, struct webhook *w, struct err *err)
{
    size_t n = strlen(name);

    for (const char *p = name; *p != '\0'; p++)
        if ((unsigned char)*p < ' ' || *p == 127)
            return err_set(err, INVALID, "name: it holds a control character");
    if (n == 0 || n > WEBHOOK_NAME_MAX || !utf8_valid(bytes_str(name)))
        return err_set(err, INVALID, "name: it must have 1 to %d octets", WEBHOOK_NAME_MAX);
    w->name = name;
    return OK;
}

static enum outcome url_set(const struct conf *conf, const char *url, struct webhook *w,
                            struct err *err)
{
    if (strlen(url) > WEBHOOK_URL_MAX)
        return err_set(err, INVALID, "url: it is longer than %d octets", WEBHOOK_URL_MAX);
    w->url = url;
    return webhook_url_check(conf, url, err);
}

static enum outcome topics_set(const struct webhook_edit *e, struct webhook *w, struct err *err)
{
    w->wants = 0;
    for (size_t i = 0; i < e->ntopics; i++) {
        const struct event_name *n = event_name_find(e->topics[i]);

        if (n == NULL && strcmp(e->topics[i], "*") != 0)
            return err_set(err, INVALID, "topics: there is no topic \"%.100s\"", e->topics[i]);
        w->wants |= n != NULL ? event_bit(n->topic) : EVENT_ALL;
    }
    return w->wants != 0 ? OK : err_set(err, INVALID, "topics: name one at least, or \"*\"");
}

static enum outcome payload_set(const char *word, struct webhook *w, struct err *err)
{
    int payload = webhook_payload_read(word);

    if (payload < 0)
        return err_set(err, INVALID, "payload: it must be none, stripped or whole");
    w->payload = (enum webhook_payload)payload;
    return OK;
}

static enum outcome fields_set(const struct conf *conf, const struct webhook_edit *e,
                               struct webhook *w, struct err *err)
{
    enum outcome o = OK;

    if (e->name != NULL)
        o = name_set(e->name, w, err);
    if (o == OK && e->url != NULL)
        o = url_set(conf, e->url, w, err);
    if (o == OK && e->topics != NULL)
        o = topics_set(e, w, err);
    return o == OK && e->payload != NULL ? payload_set(e->payload, w, err) : o;
}

/* What the audit log keeps: where to, what, and whether secrets go with it. */
static const char *detail_of(const struct webhook *w, struct arena *a)
{
    return arena_fmt(a, "url=%s wants=%llx payload=%s", w->url, (unsigned long long)w->wants,
                     webhook_payload_name(w->payload));
}

enum outcome webhook_make(struct db *db, const struct conf *conf, const struct webhook_edit *e,
                          const char *by, int64_t now, struct arena *a, int64_t *id,
                          char key[WEBHOOK_KEY_MAX], struct err *err)
{
    struct webhook w = {.id = id_new(), .payload = WEBHOOK_STRIPPED};
    enum outcome o;

    key[0] = '\0';
    if (e->name == NULL || e->url == NULL || e->topics == NULL)
        return err_set(err, INVALID, "a webhook needs name, url and topics");
    o = fields_set(conf, e, &w, err);
    if (o == OK)
        o = key_take(e->secret, a, key, err);
    if (o == OK)
        o = key_seal(conf, w.id, key, a, &w.secret, err);
    if (o == OK)
        o = webhook_add(db, &w, by, detail_of(&w, a), now, err);
    if (o != OK)
        secret_wipe(key, WEBHOOK_KEY_MAX);
    *id = w.id;
    return o;
}

enum outcome webhook_edit(struct db *db, const struct conf *conf, int64_t id,
                          const struct webhook_edit *e, const char *by, struct arena *a,
                          struct err *err)
{
    struct webhook w;
    enum outcome o = webhook_get(db, id, a, &w, err);

    if (o == OK)
        o = fields_set(conf, e, &w, err);
    w.version = e->version != 0 ? e->version : w.version;
    return o == OK ? webhook_change(db, &w, by, detail_of(&w, a), err) : o;
}

enum outcome webhook_rotate(struct db *db, const struct conf *conf, int64_t id, const char *secret,
                            int64_t overlap_s, const char *by, int64_t now, struct arena *a,
                            char key[WEBHOOK_KEY_MAX], struct err *err)
{
    struct bytes sealed;
    struct webhook w;
    enum outcome o = webhook_get(db, id, a, &w, err);

    key[0] = '\0';
    if (o == OK && (overlap_s < 0 || overlap_s > WEBHOOK_OVERLAP_MAX_S))
        o = err_set(err, INVALID, "overlap: it must be 0 to %d seconds", WEBHOOK_OVERLAP_MAX_S);
    if (o == OK)
        o = key_take(secret, a, key, err);
    if (o == OK)
        o = key_seal(conf, id, key, a, &sealed, err);
    if (o == OK)
        o = webhook_secret_set(db, &w, sealed, now + overlap_s * SECOND_US, by, err);
    if (o != OK)
        secret_wipe(key, WEBHOOK_KEY_MAX);
    return o;
}

/* ---- words ---- */

enum outcome webhook_topics(int64_t wants, struct arena *a, const char *const **out, size_t *n,
                            struct err *err)
{
    const char **list = arena_array(a, event_names_n + 1, sizeof *list);
    bool all = (wants & EVENT_ALL) == EVENT_ALL;

    *n = 0;
    *out = list;
    if (list == NULL)
        return err_set(err, ERROR, "out of memory");
    if (all)
        list[(*n)++] = "*";
    for (size_t i = 0; i < event_names_n; i++)
        if ((wants & event_bit(event_names[i].topic)) != 0 &&
            (!all || event_names[i].topic == EVENT_CONNECT_IDLE))
            list[(*n)++] = event_names[i].filter;
    return OK;
}

int64_t webhook_event_id(const char *text)
{
    unsigned long long id = 0;
    int end = 0;

    if (text == NULL || strlen(text) != 16 || sscanf(text, "%16llx%n", &id, &end) != 1 ||
        end != 16 || id > INT64_MAX)
        return 0;
    return (int64_t)id;
}

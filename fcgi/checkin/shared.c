/* shared.c: what the check-in messages have in common. */
#include "checkin/checkin.h"

#include "base/limits.h"
#include "wire/encode.h"
#include "wire/seal.h"

#include <pthread.h>

bool checkin_text(struct message *m, const char *key, const char **out)
{
    *out = pl_get_str(m->root, key);
    if (*out != NULL || pl_get(m->root, key) == NULL)
        return true;
    device_refuse(m, 400, "%s is no string", key);
    return false;
}

bool checkin_topic(struct message *m, const char **topic)
{
    static const char prefix[] = "com.apple.mgmt.";

    *topic = pl_get_str(m->root, "Topic");
    if (*topic != NULL && strncmp(*topic, prefix, sizeof(prefix) - 1) == 0 &&
        strlen(*topic) <= LIM_TOPIC)
        return true;
    device_refuse(m, 400, "Topic is missing, too long, or does not begin with %s", prefix);
    return false;
}

bool checkin_known(struct message *m, struct db *db, struct who *who)
{
    struct err err = {0};

    for (int i = 0; i < 2; i++) {
        if (who_ask(db, m->caller->cert_sha256, &m->id, m->req->arena, who, &err) != OK) {
            device_fail(m, &err);
            return false;
        }
        if (who->verdict == WHO_GOOD || who->verdict == WHO_NO_CHANNEL)
            return true;
        if (who->verdict == WHO_PENDING || who->verdict == WHO_LEFT) {
            device_refuse(m, 503, "no TokenUpdate of this enrollment has come");
            return false;
        }
        if (!device_turn_away(m, who))
            return false;
    }
    return false;
}

/* What a check-in message tells that nobody but Drover, or Apple's push service, is to know. */
static bool strip(pl message, struct arena *a)
{
    static const char *const secret[] = {"Token",          "PushMagic",      "UnlockToken",
                                         "BootstrapToken", "DigestResponse", "AuthToken"};
    bool found = false;

    (void)a;
    for (size_t i = 0; i < sizeof(secret) / sizeof(secret[0]); i++) {
        if (pl_get(message, secret[i]) == NULL)
            continue;
        pl_remove(message, secret[i]);
        found = true;
    }
    return found;
}

struct event *checkin_event(struct message *m, enum event_topic topic)
{
    return device_event(m, topic, strip);
}

enum outcome checkin_tell(struct message *m, struct db *db, enum event_topic topic,
                          int64_t enrollment_id, struct err *err)
{
    struct event *e = checkin_event(m, topic);

    if (e == NULL)
        return OK;
    e->enrollment_id = enrollment_id;
    return event_add(db, (const struct event *const *)&e, 1, err);
}

static bool known_by(struct message *m, const uint8_t pub[SEAL_KEY_LEN], const char *label,
                     struct bytes secret, struct bytes *known)
{
    uint8_t mac[SHA256_LEN];
    struct buf key = BUF_INIT(LIM_KB * 8);

    buf_add(&key, pub, SEAL_KEY_LEN);
    buf_str(&key, label);
    if (!buf_failed(&key))
        hmac_sha256(buf_bytes(&key), secret, mac);
    *known = buf_failed(&key) ? bytes_of(NULL, 0)
                              : arena_bytes(m->req->arena, bytes_of(mac, sizeof mac));
    buf_free(&key);
    return known->p != NULL;
}

enum outcome checkin_seal(struct message *m, const char *purpose, struct bytes secret,
                          struct bytes *sealed, struct bytes *known, struct err *err)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static uint8_t pub[SEAL_KEY_LEN];
    static bool loaded;
    struct buf out = BUF_INIT(LIM_SECRET + SEAL_OVERHEAD);
    char *label = arena_fmt(m->req->arena, "%s:%s", purpose, m->id.name);
    enum outcome o = OK;

    *sealed = bytes_of(NULL, 0);
    pthread_mutex_lock(&lock);
    if (!loaded)
        o = seal_public_load(m->app->conf->signer_dir, pub, err);
    loaded = o == OK;
    pthread_mutex_unlock(&lock);
    if (o == OK && label == NULL)
        o = err_set(err, ERROR, "out of memory");
    if (o == OK)
        o = seal(pub, label, secret, &out, err);
    if (o == OK) {
        *sealed = arena_bytes(m->req->arena, buf_bytes(&out));
        if (sealed->p == NULL || (known != NULL && !known_by(m, pub, label, secret, known)))
            o = err_set(err, ERROR, "out of memory");
    }
    buf_free(&out);
    return o;
}

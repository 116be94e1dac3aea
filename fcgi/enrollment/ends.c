/* ends.c: see ends.h. */
#include "enrollment/ends.h"

#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "enrollment/profile.h"
#include "store/expiry.h"
#include "wire/https.h"
#include "wire/sign.h"

#define ARENA (8u * LIM_MB)
#define CHAIN_MAX 16
#define CHAIN_FILE_MAX (256u * LIM_KB)
#define WARNED_MAX 500
#define FORGET_US (2 * DAY_US) /* not seen for so long is there no more */

struct look {
    struct db *db;
    const struct conf *conf;
    struct arena *a;
    int64_t now;
};

static enum outcome note(struct look *l, const char *kind, const char *of, struct bytes der,
                         struct err *err)
{
    struct cert_info info;
    enum outcome o = cert_info_read(l->a, der, &info, err);
    if (o != OK)
        return o;
    char hex[SHA256_HEX_LEN + 1];
    hex_encode(bytes_of(info.sha256, CERT_SHA256_LEN), hex);
    struct expiry e = {.kind = kind,
                       .name = of ? arena_fmt(l->a, "%s: %s", of, info.subject) : info.subject,
                       .ends_at = info.not_after,
                       .count = 1,
                       .detail = arena_fmt(l->a, "SHA-256 %s", hex)};
    if (!e.name || !e.detail)
        return err_set(err, ERROR, "out of memory");
    return expiry_put(l->db, &e, l->now, err);
}

/* The next CA stands there too; one that was switched from is of no use once it has ended. */
static enum outcome signer_ends(struct look *l, struct err *err)
{
    struct sign_authority all[SIGN_AUTHORITIES_MAX];
    struct bytes profile;
    size_t n = 0;
    enum outcome o = sign_authorities(l->a, all, &n, err);
    for (size_t i = 0; o == OK && i < n; i++) {
        const char *kind = all[i].state < 0   ? "scep-ca-before"
                           : all[i].state > 0 ? "scep-ca-next"
                                              : "scep-ca";
        o = note(l, kind, NULL, all[i].ca_der, err);
        if (o == OK && all[i].state == 0)
            o = note(l, "scep-ra", NULL, all[i].ra_der, err);
    }
    if (o == OK)
        o = sign_certificate(l->a, "profile", &profile, err);
    return o == OK ? note(l, "profile-signer", NULL, profile, err) : o;
}

static enum outcome chain_ends(struct look *l, struct err *err)
{
    const char *path = l->conf->profile_chain;
    struct bytes der[CHAIN_MAX];
    size_t count = 0;
    if (!path[0])
        return OK;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    uint8_t *text = arena_alloc(l->a, CHAIN_FILE_MAX);
    ssize_t n = fd >= 0 && text ? read(fd, text, CHAIN_FILE_MAX) : -1;
    enum outcome o = n > 0 ? OK : err_set(err, INVALID, "[enroll] profile_chain %s: %m", path);
    if (fd >= 0)
        close(fd);
    if (o == OK)
        o = cert_from_pem(l->a, bytes_of(text, (size_t)n), der, CHAIN_MAX, &count, err);
    for (size_t i = 0; o == OK && i < count; i++)
        o = note(l, "profile-chain", NULL, der[i], err);
    return o;
}

/* The device CA is among them and stands in the calendar as itself. */
static enum outcome profile_ends(struct look *l, struct err *err)
{
    struct enrollprofile *list;
    size_t n = 0;
    enum outcome o = enrollprofile_list(l->db, l->a, &list, &n, err);
    for (size_t i = 0; o == OK && i < n; i++) {
        struct profile p;
        o = profile_load(l->conf, l->db, l->a, list[i].name, &p, err);
        for (size_t k = 1; o == OK && k < p.ncerts; k++)
            o = note(l, "profile-certificate", list[i].name, p.certs[k], err);
    }
    return o;
}

/* --- the web server --- */

#define TLS_MS 3000 /* the agent's other work waits meanwhile */

struct seen {
    int64_t ends_at; /* 0: not told */
    bool done;
    char error[200];
};

static void tls_seen(const struct https_answer *a)
{
    struct seen *s = a->arg;
    struct tm tm = {0};
    s->done = true;
    if (a->outcome != OK)
        snprintf(s->error, sizeof s->error, "%s", a->error);
    else if (a->expiry && strptime(a->expiry, "%b %d %H:%M:%S %Y", &tm))
        s->ends_at = (int64_t)timegm(&tm) * SECOND_US;
}

/* Asks as anybody would, and looks at the certificate alone. */
static enum outcome tls_ends(struct look *l, const char *url, struct err *err)
{
    const struct https_tls tls = {.any_certificate = true};
    struct seen s = {.error = "it does not say when its certificate ends"};
    struct https_request r = {.method = "GET",
                              .url = arena_fmt(l->a, "%s/healthz", url),
                              .tls = &tls,
                              .timeout_ms = TLS_MS,
                              .answer_max = 64 * LIM_KB,
                              .tell_expiry = true,
                              .arg = &s};
    struct https *h = NULL;
    enum outcome o = r.url ? https_new(1, 1, &h, err) : err_set(err, ERROR, "out of memory");
    if (o == OK)
        o = https_send(h, &r, tls_seen, err);
    while (o == OK && !s.done)
        https_run(h, 100);
    https_free(&h);
    if (o == OK && !s.ends_at)
        o = err_set(err, UNAVAILABLE, "%s: %s", url, s.error);
    struct expiry e = {
        .kind = "tls-certificate", .name = url, .ends_at = s.ends_at, .count = 1, .detail = ""};
    return o == OK ? expiry_put(l->db, &e, l->now, err) : o;
}

static enum outcome device_host_ends(struct look *l, struct err *err)
{
    return strncmp(l->conf->device_url, "https://", 8) == 0 ? tls_ends(l, l->conf->device_url, err)
                                                            : OK;
}

static enum outcome console_host_ends(struct look *l, struct err *err)
{
    const char *url = l->conf->console_url;
    bool own = strncmp(url, "https://", 8) == 0 && strcmp(url, l->conf->device_url) != 0;
    return own ? tls_ends(l, url, err) : OK;
}

/* --- warnings --- */

/* One line a day for each: the digest of kind and name, and when it was written. */
static struct {
    uint8_t sum[SHA256_LEN];
    int64_t at;
} warned[WARNED_MAX];

static bool may_warn(const char *kind, const char *name, int64_t now)
{
    char text[256];
    uint8_t sum[SHA256_LEN];
    size_t oldest = 0;
    snprintf(text, sizeof text, "%s %s", kind, name);
    sha256(bytes_str(text), sum);
    for (size_t i = 0; i < WARNED_MAX; i++) {
        if (warned[i].at && memcmp(warned[i].sum, sum, sizeof sum) == 0) {
            bool again = warned[i].at <= now - DAY_US;
            warned[i].at = again ? now : warned[i].at;
            return again;
        }
        if (warned[i].at < warned[oldest].at)
            oldest = i;
    }
    memcpy(warned[oldest].sum, sum, sizeof sum);
    warned[oldest].at = now;
    return true;
}

static enum outcome warn(struct look *l, struct err *err)
{
    struct expiry *list;
    size_t n;
    enum outcome o =
        expiry_list(l->db, l->now + EXPIRY_SOON_DAYS * DAY_US, WARNED_MAX, l->a, &list, &n, err);
    for (size_t i = 0; o == OK && i < n; i++) {
        char when[CLOCK_TEXT_MAX];
        int within = expiry_within(&list[i], l->now);
        if (within >= 0 && may_warn(list[i].kind, list[i].name, l->now))
            log_event(within <= EXPIRY_URGENT_DAYS ? LOG_LEVEL_ERROR : LOG_LEVEL_WARNING,
                      "calendar.ends", "kind", list[i].kind, "name", list[i].name, "at",
                      clock_rfc3339(list[i].ends_at, false, when), "fix", expiry_fix(list[i].kind),
                      NULL);
        o = expiry_tell(l->db, &list[i], l->now, l->a, err);
    }
    return o;
}

enum outcome ends_look(struct db *db, const struct conf *conf, struct err *err)
{
    static enum outcome (*const looks[])(struct look *, struct err *) = {
        signer_ends, chain_ends, profile_ends, device_host_ends, console_host_ends};
    struct look l = {db, conf, arena_new(ARENA), clock_now()};
    bool whole = true;
    enum outcome o = OK;
    if (!l.a)
        return err_set(err, ERROR, "out of memory");
    for (size_t i = 0; i < sizeof looks / sizeof *looks; i++)
        if (looks[i](&l, err) != OK) {
            log_err(LOG_LEVEL_WARNING, "calendar.look", err);
            whole = false;
        }
    o = expiry_identities(db, l.now, err);
    if (o == OK && whole)
        o = expiry_forget(db, l.now - FORGET_US, err);
    if (o == OK)
        o = warn(&l, err);
    arena_free(&l.a);
    return o;
}

/*
 * signer_authority.c: the device CA's generations.
 *
 * The next CA is made long before it issues: from then on both are believed, and clients of SCEP
 * can fetch it (GetNextCACert). Switching is one file that names the generation, put in place
 * whole: a crash leaves the one or the other. The one before keeps its keys, for its revocation
 * list and for clients that know its RA, until it is retired.
 */
#include <stdio.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/limits.h"
#include "proc/signer.h"
#include "proc/signer_int.h"
#include "wire/cms.h"
#include "wire/scepmsg.h"

#define CRL_ENTRIES_MAX 50000

enum outcome signer_op_authorities(struct call *c, struct err *err)
{
    const struct signer_keys *k = &c->s->keys;
    if (!sign_read_done(&c->in))
        return signer_bad_fields(err);
    sign_put_int(c->out, (int64_t)k->nauth);
    for (size_t i = 0; i < k->nauth; i++) {
        sign_put_int(c->out, k->auth[i].generation);
        sign_put_int(c->out, i < k->now ? -1 : i > k->now);
        sign_put_bytes(c->out, k->auth[i].ca.cert);
        sign_put_bytes(c->out, k->auth[i].ra.cert);
    }
    return OK;
}

/* --- changes --- */

static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;

static enum outcome make_next(struct signer *s, const struct signer_place *at, struct err *err)
{
    const struct signer_keys *k = &s->keys;
    const char *organization = s->conf->organization[0] ? s->conf->organization : "Drover";
    int generation = k->auth[k->nauth - 1].generation + 1;
    if (k->now + 1 < k->nauth)
        return err_set(err, CONFLICT, "the next CA is there already; droverctl ca switch takes it");
    if (k->nauth == SIGNER_AUTHORITIES_MAX || generation > SIGNER_GENERATION_MAX)
        return err_set(err, CONFLICT, "there are %zu CAs: retire the oldest first", k->nauth);
    /* a profile signer that another CA has issued is the operator's, and stays */
    bool ours = false;
    for (size_t i = 0; i < k->nauth; i++)
        ours |= cert_issued_by(k->profile.cert, k->auth[i].ca.cert, NULL) == OK;
    return signer_generation_make(at, s->conf, organization, generation, ours, err);
}

static enum outcome make_current(struct signer *s, const struct signer_place *at, struct err *err)
{
    const struct signer_keys *k = &s->keys;
    if (k->now + 1 == k->nauth)
        return err_set(err, NOT_FOUND, "there is no next CA: make it with droverctl ca next");
    return signer_generation_write(at, k->auth[k->now + 1].generation, err);
}

/* The certificate goes under another name: without it the generation is not read any more. */
static enum outcome retire(struct signer *s, const struct signer_place *at, int64_t generation,
                           struct err *err)
{
    char name[32], from[4096], to[4096];
    for (size_t i = 0; i < s->keys.nauth; i++) {
        if (s->keys.auth[i].generation != generation)
            continue;
        if (i >= s->keys.now)
            return err_set(err, CONFLICT, "only a CA that was switched from can be retired");
        signer_pair_name(name, "ca", (int)generation);
        int n = snprintf(from, sizeof from, "%s/%s.pem", at->dir, name);
        int m = snprintf(to, sizeof to, "%s/%s.pem.retired", at->dir, name);
        if (n < 0 || n >= (int)sizeof from || m < 0 || m >= (int)sizeof to || rename(from, to) != 0)
            return err_set(err, ERROR, "%s: %m", from);
        return OK;
    }
    return err_set(err, NOT_FOUND, "there is no CA of generation %lld", (long long)generation);
}

/* Reads all keys anew and puts them in the place of those in use. */
static enum outcome reload(struct signer *s, struct err *err)
{
    struct signer_keys fresh, old;
    enum outcome o = signer_keys_load(s->conf, &fresh, err);
    if (o != OK)
        return o;
    pthread_rwlock_wrlock(&s->lock);
    old = s->keys;
    s->keys = fresh;
    pthread_rwlock_unlock(&s->lock);
    signer_keys_free(&old);
    return OK;
}

enum outcome signer_op_ca_change(struct call *c, struct err *err)
{
    const struct signer_place at = {
        .dir = c->s->conf->signer_dir, .uid = (uid_t)-1, .gid = (gid_t)-1};
    const char *change = sign_get_str(&c->in, c->a);
    int64_t generation = sign_get_int(&c->in);
    enum outcome o;
    if (!sign_read_done(&c->in))
        return signer_bad_fields(err);
    c->purpose = "device-ca";
    c->detail = change;
    /* The keys do not change but here, so they may be read without their lock: making a key takes
     * seconds, and devices must not wait for it. */
    pthread_mutex_lock(&one_at_a_time);
    if (!c->s->keys.nauth)
        o = signer_no_keys(err);
    else if (strcmp(change, "next") == 0)
        o = make_next(c->s, &at, err);
    else if (strcmp(change, "switch") == 0)
        o = make_current(c->s, &at, err);
    else if (strcmp(change, "retire") == 0)
        o = retire(c->s, &at, generation, err);
    else
        o = err_set(err, INVALID, "the CA knows next, switch and retire");
    if (o == OK)
        o = reload(c->s, err);
    pthread_mutex_unlock(&one_at_a_time);
    return o;
}

/* A signer without keys gets them, and goes by them from now on. What an attempt that failed has
 * left is taken, as by signer_setup(). */
static enum outcome first_keys(struct signer *s, const char *organization, struct err *err)
{
    struct signer_keys fresh;
    struct signer_tickets *tickets = NULL;
    if (s->keys.nauth)
        return err_set(err, CONFLICT, "%s holds keys already", s->conf->signer_dir);
    enum outcome o = signer_setup(s->conf, organization, err);
    if (o == OK)
        o = signer_tickets_open(s->conf->signer_dir, &tickets, err);
    if (o == OK)
        o = signer_keys_load(s->conf, &fresh, err);
    if (o != OK) {
        signer_tickets_free(&tickets);
        return o;
    }
    pthread_rwlock_wrlock(&s->lock);
    s->keys = fresh;
    s->tickets = tickets;
    pthread_rwlock_unlock(&s->lock);
    return OK;
}

enum outcome signer_op_ca_init(struct call *c, struct err *err)
{
    const char *organization = sign_get_str(&c->in, c->a);
    if (!sign_read_done(&c->in))
        return signer_bad_fields(err);
    c->purpose = "device-ca";
    c->detail = "init";
    pthread_mutex_lock(&one_at_a_time);
    enum outcome o = first_keys(c->s, organization, err);
    pthread_mutex_unlock(&one_at_a_time);
    return o;
}

/* --- what it tells --- */

enum outcome signer_op_next_ca(struct call *c, struct err *err)
{
    const struct signer_keys *k = &c->s->keys;
    struct buf certs = BUF_INIT(LIM_BODY_SCEP), der = BUF_INIT(2 * LIM_BODY_SCEP);
    if (!sign_read_done(&c->in))
        return signer_bad_fields(err);
    if (k->now + 1 == k->nauth)
        return err_set(err, NOT_FOUND, "there is no next CA");
    const struct signer_authority *next = &k->auth[k->now + 1];
    struct bytes both[] = {next->ra.cert, next->ca.cert};
    c->purpose = "next-ca";
    enum outcome o = cms_certs_write(both, 2, &certs, err);
    if (o == OK)
        o = cms_sign(buf_bytes(&certs), k->ca.cert, k->ca.key, NULL, 0, false, &der, err);
    if (o == OK)
        sign_put_bytes(c->out, buf_bytes(&der));
    buf_free(&certs);
    buf_free(&der);
    return o;
}

enum outcome signer_op_crl(struct call *c, struct err *err)
{
    const struct signer_authority *by = NULL;
    int64_t generation = sign_get_int(&c->in), number = sign_get_int(&c->in);
    int64_t from = sign_get_int(&c->in), to = sign_get_int(&c->in), n = sign_get_int(&c->in);
    if (n < 0 || n > CRL_ENTRIES_MAX)
        return err_set(err, INVALID, "a revocation list takes %d entries", CRL_ENTRIES_MAX);
    struct crl_entry *list = arena_array(c->a, (size_t)n + 1, sizeof *list);
    for (int64_t i = 0; list && i < n; i++) {
        list[i].serial = sign_get_str(&c->in, c->a);
        list[i].revoked_at = sign_get_int(&c->in);
    }
    if (!list)
        return err_set(err, ERROR, "out of memory");
    if (!sign_read_done(&c->in) || number < 1 || to <= from)
        return signer_bad_fields(err);
    for (size_t i = 0; i < c->s->keys.nauth; i++)
        if (c->s->keys.auth[i].generation == generation)
            by = &c->s->keys.auth[i];
    if (!by)
        return err_set(err, NOT_FOUND, "there is no CA of that generation");
    c->purpose = "crl";
    c->detail = arena_fmt(c->a, "number %lld, %lld entries", (long long)number, (long long)n);
    struct buf der = BUF_INIT(SIGN_MSG_MAX);
    enum outcome o =
        crl_issue(by->ca.cert, by->ca.key, number, from, to, list, (size_t)n, &der, err);
    if (o == OK)
        sign_put_bytes(c->out, buf_bytes(&der));
    buf_free(&der);
    return o;
}

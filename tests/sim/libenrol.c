/*
 * libenrol.c: enrolment by profile, as a device does it: fetch the profile (libway.c: in other
 * ways), install its certificates, get an identity by SCEP (or take the one in the profile),
 * Authenticate, TokenUpdate.
 *
 * Over an existing enrolment (JOB_REPLACE) everything new is kept aside until its first TokenUpdate
 * was accepted; when anything fails before, the old configuration stays.
 */
#include "libenrol.h"

#include "base/clock.h"
#include "base/limits.h"
#include "wire/encode.h"
#include <openssl/err.h>
#include <openssl/pkcs12.h>
#include <stdarg.h>
#include <stdlib.h>

void enrol_forget(struct enrolment *e)
{
    mobileconfig_free(&e->profile);
    mdm_setup_free(&e->mdm);
    scepclient_ca_free(&e->ca);
    scepclient_request_free(&e->request);
    buf_free(&e->message);
    EVP_PKEY_free(e->key);
    identity_free(&e->id);
    free(e->url);
    free(e->address);
    free(e->challenge);
    free(e->token);
    free(e->cookie);
    identity_free(&e->born);
    free(e);
}

void enrol_abandon(struct simdev *d)
{
    struct enrolment *e = d->enrolment;
    if (!e)
        return;
    d->enrolment = NULL;
    loop_timer_end(d->fleet->loop, &e->again);
    if (e->waits_for_key)
        e->device = NULL; /* on_key() frees it */
    else
        enrol_forget(e);
}

void enrol_failed(struct simdev *d, bool final, int retry_after)
{
    enrol_abandon(d);
    if (!final) {
        job_again(d, retry_after, d->fleet->opt.tries);
        return;
    }
    if (d->state == SIMDEV_ENROLLING)
        d->state = SIMDEV_FAILED;
    keep_save(d);
    job_done(d);
}

bool enrol_good(struct simdev *d, const struct httpc_result *r)
{
    message_seen(d, d->enrolment->url, r);
    if (r->outcome == OK && r->status == 200)
        return true;
    enrol_failed(d,
                 r->outcome == DENIED || (r->status >= 400 && r->status < 500 && r->status != 429),
                 r->retry_after);
    return false;
}

void enrol_ask(struct simdev *d, const char *url, const char *headers, struct bytes body,
               httpc_fn *fn)
{
    struct enrolment *e = d->enrolment;
    char *mine = strdup(url), *lines = NULL;
    if (!mine || asprintf(&lines, "User-Agent: MDM/1.0\r\n%s", headers) < 0)
        abort();
    free(e->url);
    e->url = mine;
    struct httpc_request r = {.method = body.n ? "POST" : "GET",
                              .url = e->url,
                              .headers = lines,
                              .body = body,
                              .timeout_us = d->fleet->opt.timeout_us};
    d->fleet->stats.requests++;
    httpc_send(d->fleet->http, &d->conn, &r, fn, d);
    free(lines);
}

static void get(struct simdev *d, httpc_fn *fn, const char *fmt, ...) PRINTF_LIKE(3, 4);
static void get(struct simdev *d, httpc_fn *fn, const char *fmt, ...)
{
    char *url;
    va_list ap;
    va_start(ap, fmt);
    if (vasprintf(&url, fmt, ap) < 0)
        abort();
    va_end(ap);
    enrol_ask(d, url, "", bytes_of(NULL, 0), fn);
    free(url);
}

/* ------------------------------------------------------------------ check-in */

static void commit(struct simdev *d)
{
    struct enrolment *e = d->enrolment;
    const struct fleet_options *o = &d->fleet->opt;
    identity_free(&d->id);
    mdm_setup_free(&d->mdm);
    d->id = e->id;
    d->mdm = e->mdm;
    e->id = (struct identity){0};
    e->mdm = NULL;
    d->state = SIMDEV_ENROLLED;
    d->channel[0].enrolled = true;
    profile_install(d, 0, &e->profile, false);
    enrol_abandon(d);
    d->last_error[0] = '\0';
    keep_save(d);
    if (d->fleet->apns)
        apnsc_subscribe(d->fleet->apns, d, 0);
    if (o->poll_us)
        channel_later(d, 0, o->poll_us * (1 + d->index % 16) / 16);
    if (d->hw.kind == HW_MAC && d->mdm->bootstrap_token && d->hw.supervised)
        simdev_message(d, MSG_SET_BOOTSTRAP, 0);
    for (unsigned c = 1; d->mdm->per_user && c < d->nchannels; c++)
        simdev_message(d, o->user_authenticate ? MSG_USER_AUTHENTICATE : MSG_TOKEN_UPDATE, c);
    job_done(d);
}

static void on_token_update(void *arg, const struct httpc_result *r)
{
    struct simdev *d = arg;
    if (!(r->outcome == OK && r->status == 200))
        d->channel[0].token_count--;
    if (enrol_good(d, r))
        commit(d);
}

static void put(struct simdev *d, enum message_kind kind, httpc_fn *fn)
{
    struct enrolment *e = d->enrolment;
    struct buf out = BUF_INIT(LIM_BODY_CHECKIN);
    pl dict = message_build(d, e->mdm, kind, 0);
    if (!message_serialise(d->fleet, dict, &out))
        simdev_error(d, "a message could not be written");
    pl_free(&dict);
    free(e->url);
    e->url = strdup(e->mdm->checkin_url);
    message_send(d, &e->id, e->mdm->sign_message || d->fleet->opt.sign, e->mdm->checkin_url,
                 TYPE_CHECKIN, buf_bytes(&out), HTTPC_WHOLE, fn);
    buf_free(&out);
}

static void on_authenticate(void *arg, const struct httpc_result *r)
{
    struct simdev *d = arg;
    if (!enrol_good(d, r))
        return;
    d->channel[0].token_count++; /* another token and PushMagic for each enrolment */
    put(d, MSG_TOKEN_UPDATE, on_token_update);
}

/* ------------------------------------------------------------------ the identity */

static bool keep_identity(struct enrolment *e, struct bytes cert, EVP_PKEY *key)
{
    unsigned char *der = NULL;
    int n = i2d_PrivateKey(key, &der);
    e->id.cert = malloc(cert.n);
    if (n > 0)
        e->id.key = malloc((size_t)n);
    if (e->id.cert && e->id.key) {
        memcpy(e->id.cert, cert.p, cert.n);
        memcpy(e->id.key, der, (size_t)n);
        e->id.ncert = cert.n;
        e->id.nkey = (size_t)n;
    }
    OPENSSL_clear_free(der, n > 0 ? (size_t)n : 0);
    return e->id.cert && e->id.key;
}

static void send_request(struct simdev *d);

static void on_again(void *arg)
{
    send_request(arg);
}

static void on_cert_rep(void *arg, const struct httpc_result *r)
{
    struct simdev *d = arg;
    struct enrolment *e = d->enrolment;
    struct err err = {0};
    struct buf cert = BUF_INIT(64 * LIM_KB);
    if (!enrol_good(d, r))
        return;
    enum outcome o = scepclient_reply(&e->request, &e->ca, r->body, &cert, &err);
    if (o == OK && !keep_identity(e, buf_bytes(&cert), e->key))
        o = err_set(&err, ERROR, "out of memory");
    buf_free(&cert);
    if (o == UNAVAILABLE && e->retries-- > 0) { /* Retries, RetryDelay of the payload */
        e->again.fn = on_again;
        e->again.arg = d;
        loop_timer_set(d->fleet->loop, &e->again, e->profile.scep.retry_delay_s * SECOND_US);
        return;
    }
    if (o != OK) {
        simdev_error(d, "%s: %s", e->profile.scep.url, err.msg);
        enrol_failed(d, o != UNAVAILABLE,
                     o == UNAVAILABLE ? (int)e->profile.scep.retry_delay_s : -1);
        return;
    }
    if (e->service)
        way_identity(d);
    else
        put(d, MSG_AUTHENTICATE, on_authenticate);
}

/* The values that a device itself fills in. */
static const char *fill(const char *name, void *arg)
{
    const struct simdev *d = arg;
    if (strcmp(name, "%SerialNumber%") == 0)
        return d->hw.serial;
    if (strcmp(name, "%HardwareUUID%") == 0 || strcmp(name, "%UDID%") == 0)
        return d->hw.udid;
    return strcmp(name, "%ComputerName%") == 0 ? d->hw.name : NULL;
}

static void send_request(struct simdev *d)
{
    struct enrolment *e = d->enrolment;
    struct bytes message = buf_bytes(&e->message);
    const char *base = e->profile.scep.url;
    struct buf b64 = BUF_INIT(LIM_QUERY), escaped = BUF_INIT(3 * LIM_QUERY);
    if (!e->caps.post || d->fleet->opt.scep_get) {
        base64_add(&b64, message);
        url_encode_add(&escaped, buf_cstr(&b64));
        get(d, on_cert_rep, "%s?operation=PKIOperation&message=%s", base, buf_cstr(&escaped));
        buf_free(&b64);
        buf_free(&escaped);
        return;
    }
    char *url;
    if (asprintf(&url, "%s?operation=PKIOperation", base) < 0)
        abort();
    enrol_ask(d, url, "Content-Type: application/x-pki-message\r\n", message, on_cert_rep);
    free(url);
}

static void on_key(void *arg, EVP_PKEY *key)
{
    struct enrolment *e = arg;
    struct simdev *d = e->device;
    struct err err = {0};
    e->waits_for_key = false;
    buf_free(&e->message);
    buf_init(&e->message, LIM_BODY_SCEP);
    e->retries = e->profile.scep.retries;
    e->key = key;
    if (!d) {
        enrol_forget(e);
        return;
    }
    if (!key || scepclient_request(&e->profile.scep, &e->ca, &e->caps, key, fill, d, &e->request,
                                   &e->message, &err) != OK) {
        simdev_error(d, "%s", key ? err.msg : "no key pair could be made");
        enrol_failed(d, true, -1);
    } else {
        send_request(d);
    }
}

static void on_ca_cert(void *arg, const struct httpc_result *r)
{
    struct simdev *d = arg;
    struct enrolment *e = d->enrolment;
    struct err err = {0};
    if (!enrol_good(d, r))
        return;
    if (scepclient_ca(r->body, e->profile.scep.ca_fingerprint, &e->ca, &err) != OK) {
        simdev_error(d, "%s: %s", e->url, err.msg);
        enrol_failed(d, true, -1);
        return;
    }
    e->waits_for_key = true;
    keys_ask(d->fleet->keys, (unsigned)e->profile.scep.key_bits, on_key, e);
}

static void on_ca_caps(void *arg, const struct httpc_result *r)
{
    struct simdev *d = arg;
    struct enrolment *e = d->enrolment;
    struct buf name = BUF_INIT(LIM_PATH);
    if (!enrol_good(d, r))
        return;
    scepclient_caps(r->body, &e->caps);
    url_encode_add(&name, e->profile.scep.name ? e->profile.scep.name : "");
    get(d, on_ca_cert, "%s?operation=GetCACert&message=%s", e->profile.scep.url, buf_cstr(&name));
    buf_free(&name);
}

static bool open_pkcs12(struct enrolment *e)
{
    const unsigned char *p = e->profile.pkcs12.p;
    PKCS12 *p12 = d2i_PKCS12(NULL, &p, (long)e->profile.pkcs12.n);
    X509 *cert = NULL;
    unsigned char *der = NULL;
    bool good = false;
    const char *password = e->profile.pkcs12_password ? e->profile.pkcs12_password : "";
    if (p12 && PKCS12_parse(p12, password, &e->key, &cert, NULL) == 1 && cert && e->key) {
        int n = i2d_X509(cert, &der);
        good = n > 0 && keep_identity(e, bytes_of(der, (size_t)n), e->key);
    }
    OPENSSL_free(der);
    X509_free(cert);
    PKCS12_free(p12);
    ERR_clear_error();
    return good;
}

/* ------------------------------------------------------------------ the profile */

static void trust(struct bytes der, void *arg)
{
    struct fleet *f = arg;
    struct err err;
    if (httpc_trust(f->http, der, &err) != OK && f->opt.verbose)
        fprintf(stderr, "mdmsim: a certificate payload is no certificate\n");
}

void enrol_scep(struct simdev *d)
{
    get(d, on_ca_caps, "%s?operation=GetCACaps", d->enrolment->profile.scep.url);
}

void enrol_take(struct simdev *d, struct bytes profile)
{
    struct enrolment *e = d->enrolment;
    struct err err = {0};
    if (mobileconfig_read(profile, &e->profile, &err) != OK || !e->profile.has_mdm) {
        simdev_error(d, "%s: %s", e->url, err.msg[0] ? err.msg : "no MDM payload");
        enrol_failed(d, true, -1);
        return;
    }
    e->mdm = e->profile.mdm;
    e->profile.mdm = NULL;
    if (e->mdm->user_enrollment)
        d->user_enrollment = true;
    mobileconfig_certificates(&e->profile, trust, d->fleet);
    if (e->profile.has_scep) {
        enrol_scep(d);
    } else if (open_pkcs12(e)) {
        put(d, MSG_AUTHENTICATE, on_authenticate);
    } else {
        simdev_error(d, "%s: the PKCS#12 identity cannot be opened", e->url);
        enrol_failed(d, true, -1);
    }
}

static void on_profile(void *arg, const struct httpc_result *r)
{
    if (enrol_good(arg, r) && !way_service(arg, r->body))
        enrol_take(arg, r->body);
}

void enrol_run(struct simdev *d)
{
    struct job *j = d->jobs;
    if (!j->raw && !d->fleet->opt.enroll_url) {
        simdev_error(d, "no --enroll-url");
        job_done(d);
        return;
    }
    if (d->jobs->kind == JOB_ENROL) {
        if (d->mdm)
            simdev_leave(d, SIMDEV_NEW);
        d->state = SIMDEV_ENROLLING;
    }
    d->enrolment = calloc(1, sizeof *d->enrolment);
    if (!d->enrolment)
        abort();
    d->enrolment->device = d;
    if (!j->raw) {
        if (d->fleet->opt.ade || d->fleet->opt.account)
            way_begin(d);
        else
            get(d, on_profile, "%s", d->fleet->opt.enroll_url);
        return;
    }
    d->enrolment->url = strdup("InstallProfile"); /* the server renews the identity */
    enrol_take(d, bytes_of(j->raw, j->nraw));
}

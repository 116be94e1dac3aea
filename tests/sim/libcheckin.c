/* libcheckin.c: check-in messages, and how every message of a device is signed, sent and traced. */
#include "libsimdev.h"

#include "libdigest.h"

#include "base/clock.h"
#include "base/limits.h"
#include "wire/encode.h"
#include "wire/json.h"
#include <openssl/cms.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <stdlib.h>

/* ------------------------------------------------------------------ building */

void message_ids(const struct simdev *d, unsigned channel, pl dict)
{
    const struct channel *c = &d->channel[channel];
    if (d->user_enrollment) {
        pl_set_str(dict, "EnrollmentID", d->hw.enrollment_id);
        if (channel)
            pl_set_str(dict, "EnrollmentUserID", c->user_id);
    } else {
        pl_set_str(dict, "UDID", d->hw.udid);
        if (channel)
            pl_set_str(dict, "UserID", c->user_id);
    }
    if (channel) {
        pl_set_str(dict, "UserShortName", c->short_name);
        if (c->long_name[0])
            pl_set_str(dict, "UserLongName", c->long_name);
        if (c->auth_token[0])
            pl_set_str(dict, "AuthToken", c->auth_token);
    }
}

/* A device tells about itself what the access rights allow; see "Authenticate". */
static void add_authenticate(const struct simdev *d, const struct mdm_setup *m, pl dict)
{
    const struct hardware *h = &d->hw;
    if (h->kind == HW_MAC) {
        pl_set_str(dict, "DeviceName", h->name);
        pl_set_str(dict, "ModelName", h->model_name);
        pl_set_str(dict, "Model", h->model);
    }
    if (!(m->access_rights & 16))
        return;
    pl_set_str(dict, "OSVersion", h->os);
    pl_set_str(dict, "BuildVersion", h->build);
    pl_set_str(dict, "ProductName", h->product);
    if (d->user_enrollment)
        return;
    pl_set_str(dict, "SerialNumber", h->serial);
    if (h->imei[0])
        pl_set_str(dict, "IMEI", h->imei);
    if (h->meid[0])
        pl_set_str(dict, "MEID", h->meid);
}

static void add_token(const struct simdev *d, const struct mdm_setup *m, unsigned channel, pl dict)
{
    uint8_t token[TOKEN_LEN], unlock[UNLOCK_TOKEN_LEN];
    char magic[37];
    channel_token(d, channel, token);
    channel_magic(d, channel, magic);
    pl_set_data(dict, "Token", bytes_of(token, sizeof token));
    pl_set_str(dict, "PushMagic", magic);
    if (channel && d->hw.kind == HW_MAC)
        pl_set_bool(dict, "NotOnConsole", false);
    if (channel)
        return;
    pl_set_bool(dict, "AwaitingConfiguration", d->awaiting);
    if (simdev_has_unlock_token(d, m)) {
        simdev_unlock_token(d, unlock);
        pl_set_data(dict, "UnlockToken", bytes_of(unlock, sizeof unlock));
    }
}

pl message_build(const struct simdev *d, const struct mdm_setup *m, enum message_kind kind,
                 unsigned channel)
{
    static const char *const names[] = {"Authenticate",      "TokenUpdate",
                                        "CheckOut",          "SetBootstrapToken",
                                        "GetBootstrapToken", "UserAuthenticate"};
    uint8_t token[BOOTSTRAP_TOKEN_LEN];
    pl dict = pl_new_dict();
    pl_set_str(dict, "MessageType", names[kind]);
    message_ids(d, channel, dict);
    if (kind == MSG_USER_AUTHENTICATE && d->channel[channel].digest[0])
        pl_set_str(dict, "DigestResponse", d->channel[channel].digest);
    if (kind == MSG_AUTHENTICATE || kind == MSG_TOKEN_UPDATE || kind == MSG_CHECK_OUT)
        pl_set_str(dict, "Topic", m->topic);
    if (kind == MSG_AUTHENTICATE)
        add_authenticate(d, m, dict);
    if (kind == MSG_TOKEN_UPDATE)
        add_token(d, m, channel, dict);
    if (kind == MSG_SET_BOOTSTRAP) {
        simdev_bootstrap_token(d, token);
        pl_set_data(dict, "BootstrapToken", bytes_of(token, sizeof token));
    }
    return dict;
}

bool message_serialise(struct fleet *f, pl dict, struct buf *out)
{
    bool binary = (f->stats.requests * 37) % 100 < f->opt.binary_percent;
    return (binary ? pl_to_binary(dict, out) : pl_to_xml(dict, out)) == OK;
}

/* ------------------------------------------------------------------ sending */

/* Mdm-Signature: a detached CMS signature of the body; see "Passing the Client Identity Through
 * Proxies". */
static bool add_signature(const struct fleet *f, const struct identity *id, struct bytes body,
                          struct buf *headers)
{
    const unsigned char *pc = id->cert, *pk = id->key;
    X509 *cert = d2i_X509(NULL, &pc, (long)id->ncert);
    EVP_PKEY *key = d2i_AutoPrivateKey(NULL, &pk, (long)id->nkey);
    BIO *in = BIO_new_mem_buf(body.n ? (const void *)body.p : "", (int)body.n);
    const unsigned flags = CMS_DETACHED | CMS_BINARY | CMS_PARTIAL;
    CMS_ContentInfo *cms = cert && key ? CMS_sign(NULL, NULL, NULL, NULL, flags) : NULL;
    unsigned char *der = NULL;
    int n = 0;
    bool good = cms &&
                CMS_add1_signer(cms, cert, key, f->opt.sign_sha1 ? EVP_sha1() : EVP_sha256(),
                                CMS_BINARY | CMS_NOSMIMECAP) &&
                CMS_final(cms, in, NULL, flags) && (n = i2d_CMS_ContentInfo(cms, &der)) > 0;
    if (good) {
        buf_str(headers, "Mdm-Signature: ");
        base64_add(headers, bytes_of(der, (size_t)n));
        buf_str(headers, "\r\n");
    }
    OPENSSL_free(der);
    CMS_ContentInfo_free(cms);
    BIO_free(in);
    EVP_PKEY_free(key);
    X509_free(cert);
    ERR_clear_error();
    return good;
}

/* url with its scheme and host replaced by --server, when that is given. */
static void add_url(const struct fleet *f, const char *url, struct buf *out)
{
    const char *host = strstr(url, "://"), *path;
    if (f->opt.server && host) {
        path = host + 3 + strcspn(host + 3, "/?#");
        buf_str(out, f->opt.server);
        url = path;
    }
    buf_str(out, url);
}

void message_send(struct simdev *d, const struct identity *id, bool sign, const char *url,
                  const char *content_type, struct bytes body, enum httpc_break breaking,
                  httpc_fn *fn)
{
    struct fleet *f = d->fleet;
    struct buf headers = BUF_INIT(256 * LIM_KB), to = BUF_INIT(LIM_PATH);
    struct bytes none = {0};
    buf_fmt(&headers, "User-Agent: MDM/1.0\r\nContent-Type: %s\r\n", content_type);
    if (d->oauth.access)
        buf_fmt(&headers, "Authorization: Bearer %s\r\n", d->oauth.access);
    if (sign && !add_signature(f, id, body, &headers))
        simdev_error(d, "the message could not be signed");
    if (f->opt.proxy_header) {
        buf_str(&headers, "Client-Cert: :");
        base64_add(&headers, bytes_of(id->cert, id->ncert));
        buf_str(&headers, ":\r\n");
    }
    add_url(f, url, &to);
    bool tls_identity = !f->opt.sign && !f->opt.proxy_header;
    struct httpc_request r = {
        .method = "PUT",
        .url = buf_cstr(&to),
        .headers = buf_cstr(&headers),
        .body = body,
        .cert = tls_identity ? bytes_of(id->cert, id->ncert) : none,
        .key = tls_identity ? bytes_of(id->key, id->nkey) : none,
        .timeout_us = f->opt.timeout_us,
        .breaking = breaking,
    };
    f->stats.requests++;
    f->stats.bytes_out += body.n;
    httpc_send(f->http, &d->conn, &r, fn, d);
    buf_free(&headers);
    buf_free(&to);
}

static void trace_line(struct simdev *d, const char *url, const struct httpc_result *r)
{
    char when[CLOCK_TEXT_MAX];
    struct buf line = BUF_INIT(128 * LIM_MB), b64 = BUF_INIT(64 * LIM_MB);
    js o = js_object();
    js_set_str(o, "time", clock_rfc3339(clock_now(), true, when));
    js_set_int(o, "device", d->index);
    js_set_str(o, "url", url);
    js_set_int(o, "status", r->status);
    base64_add(&b64, r->sent);
    js_set_str(o, "request", buf_cstr(&b64));
    buf_clear(&b64);
    base64_add(&b64, r->body);
    js_set_str(o, "response", buf_cstr(&b64));
    if (r->outcome != OK)
        js_set_str(o, "error", r->error);
    if (js_write(o, false, &line) == OK)
        fprintf(d->fleet->trace, "%s\n", buf_cstr(&line));
    fflush(d->fleet->trace);
    js_free(&o);
    buf_free(&line);
    buf_free(&b64);
}

void message_seen(struct simdev *d, const char *url, const struct httpc_result *r)
{
    struct fleet_stats *s = &d->fleet->stats;
    s->bytes_in += r->body.n;
    d->exchanges++;
    d->last_status = r->status;
    if (r->outcome != OK) {
        s->failures++;
        simdev_error(d, "%s: %s", url, r->error);
    } else if (r->status > 0 && r->status < 600) {
        s->status[r->status]++;
        if (r->status >= 300)
            simdev_error(d, "%s: HTTP %d: %.*s", url, r->status,
                         (int)(r->body.n > 200 ? 200 : r->body.n), (const char *)r->body.p);
    }
    if (d->fleet->trace)
        trace_line(d, url, r);
}

bool answer_ends_enrolment(const struct httpc_result *r)
{
    static const char code[] = "com.apple.unrecognized.device";
    if (r->outcome != OK)
        return false;
    return (r->status == 401 && strncmp(r->authenticate, "Bearer ", 7) != 0) ||
           (r->status == 403 && memmem(r->body.p, r->body.n, code, sizeof code - 1));
}

/* ------------------------------------------------------------------ the jobs */

static void keep_body(struct simdev *d, struct bytes b)
{
    free(d->last_body);
    d->nlast_body = b.n;
    d->last_body = malloc(b.n + 1);
    if (d->last_body && b.n)
        memcpy(d->last_body, b.p, b.n);
}

static bool digest_answer(struct simdev *d, struct channel *c, const char *challenge)
{
    const struct digest_reply r = {.challenge = challenge,
                                   .name = c->short_name,
                                   .password = d->fleet->opt.user_password,
                                   .method = "PUT",
                                   .uri = "/mdm/checkin",
                                   .count = 3};
    return digest_reply(&r, c->digest, sizeof c->digest);
}

static void on_challenge(struct simdev *d, unsigned channel, const char *challenge)
{
    struct channel *c = &d->channel[channel];
    c->auth_token[0] = '\0';
    if (!d->fleet->opt.user_password)
        simdev_error(d, "the server asks for a Digest and there is no --user-password");
    else if (!digest_answer(d, c, challenge))
        simdev_error(d, "the Digest challenge cannot be answered: %s", challenge);
    else
        simdev_message(d, MSG_USER_AUTHENTICATE, channel);
}

/* UserAuthenticate: 410 means that the server does not manage this user; an answer with no
 * challenge, or an AuthToken, that the user may go on. */
static void after_user_authenticate(struct simdev *d, const struct httpc_result *r,
                                    unsigned channel)
{
    struct err err;
    pl answer = NULL;
    struct channel *c = &d->channel[channel];
    const char *challenge = NULL, *token = NULL;
    if (r->status != 200)
        return;
    c->digest[0] = '\0';
    if (r->body.n && pl_parse(r->body, &answer, &err) == OK) {
        challenge = pl_get_str(answer, "DigestChallenge");
        token = pl_get_str(answer, "AuthToken");
    }
    if (token && !*token) {
        simdev_error(d, "the password of %s is wrong", c->short_name);
    } else if (challenge && *challenge) {
        on_challenge(d, channel, challenge);
    } else {
        snprintf(c->auth_token, sizeof c->auth_token, "%s", token ? token : "");
        simdev_message(d, MSG_TOKEN_UPDATE, channel);
    }
    pl_free(&answer);
}

static void accepted(struct simdev *d, const struct job *j, const struct httpc_result *r)
{
    struct channel *c = &d->channel[j->channel];
    if (j->message == MSG_TOKEN_UPDATE) {
        c->enrolled = true;
        keep_save(d);
        if (d->fleet->apns)
            apnsc_subscribe(d->fleet->apns, d, j->channel);
        if (d->fleet->opt.poll_us)
            channel_later(d, j->channel, d->fleet->opt.poll_us);
    }
    if (j->message == MSG_USER_AUTHENTICATE)
        after_user_authenticate(d, r, j->channel);
}

static void on_checkin(void *arg, const struct httpc_result *r)
{
    struct simdev *d = arg;
    struct job *j = d->jobs;
    message_seen(d, d->mdm->checkin_url, r);
    keep_body(d, r->body);
    if (j->leave) { /* whatever the server says */
        simdev_leave(d, SIMDEV_GONE);
        job_done(d);
        return;
    }
    if (answer_ends_enrolment(r)) {
        simdev_leave(d, SIMDEV_GONE);
        job_done(d);
        return;
    }
    if (r->outcome != OK || r->status >= 500 || r->status == 429) {
        job_again(d, r->retry_after, d->fleet->opt.tries);
        return;
    }
    if (r->status == 200 || j->message == MSG_USER_AUTHENTICATE)
        accepted(d, j, r);
    job_done(d);
}

void checkin_run(struct simdev *d)
{
    struct job *j = d->jobs;
    struct buf out = BUF_INIT(LIM_BODY_CHECKIN);
    if (!d->mdm) {
        simdev_error(d, "not enrolled: no message can be sent");
        job_done(d);
        return;
    }
    if (!j->raw) {
        pl dict = message_build(d, d->mdm, j->message, j->channel);
        if (!message_serialise(d->fleet, dict, &out))
            simdev_error(d, "a message could not be written");
        pl_free(&dict);
        j->raw = (uint8_t *)out.data; /* the same octets again after a failure */
        j->nraw = out.len;
    }
    message_send(d, &d->id, d->mdm->sign_message || d->fleet->opt.sign, d->mdm->checkin_url,
                 TYPE_CHECKIN, bytes_of(j->raw, j->nraw), HTTPC_WHOLE, on_checkin);
}

static void on_raw(void *arg, const struct httpc_result *r)
{
    struct simdev *d = arg;
    struct job *j = d->jobs;
    message_seen(d, j->url, r);
    keep_body(d, r->body);
    job_done(d);
}

void raw_run(struct simdev *d)
{
    struct job *j = d->jobs;
    if (!d->id.cert) {
        simdev_error(d, "no identity: nothing can be sent");
        job_done(d);
        return;
    }
    if (!j->url && d->mdm)
        j->url =
            strdup(strstr(j->content_type, "checkin") ? d->mdm->checkin_url : d->mdm->server_url);
    bool sign = d->fleet->opt.sign || (d->mdm && d->mdm->sign_message);
    message_send(d, &d->id, sign, j->url ? j->url : "", j->content_type, bytes_of(j->raw, j->nraw),
                 HTTPC_WHOLE, on_raw);
}

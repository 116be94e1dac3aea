/*
 * network.c: from outside, as a device and an administrator come: both hosts' TLS, and whether
 * each way to show an identity reaches the workers. For that the signer issues a certificate that
 * is good for ten minutes and bound to nothing; its key does not leave this process.
 */
#include "doctor/doctor.h"

#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/limits.h"
#include "wire/cms.h"
#include "wire/encode.h"
#include "wire/https.h"
#include "wire/json.h"
#include "wire/pkcs12.h"
#include "wire/sign.h"

#define TIMEOUT_MS 10000
#define CLOCK_MAX (5 * SECOND_US) /* a Date header tells whole seconds */
#define PROBE_BODY "droverctl doctor"

struct fetched {
    struct arena *a;
    bool done;
    enum outcome outcome;
    int status;
    const char *error, *body;
    int64_t date, expiry; /* 0: not told */
};

/* A time in GMT as HTTP or OpenSSL write it; 0: it is none. */
static int64_t time_parse(const char *s, const char *format)
{
    struct tm tm = {0};
    const char *end = s ? strptime(s, format, &tm) : NULL;
    return end ? (int64_t)timegm(&tm) * SECOND_US : 0;
}

static void fetch_done(const struct https_answer *a)
{
    struct fetched *f = a->arg;
    f->done = true;
    f->outcome = a->outcome;
    f->status = a->status;
    f->error = a->outcome != OK ? arena_strdup(f->a, a->error) : "";
    f->body = "";
    if (a->outcome != OK)
        return;
    f->body = (const char *)arena_bytes(f->a, a->body).p;
    f->date = time_parse(a->header(a, "date"), "%a, %d %b %Y %H:%M:%S");
    f->expiry = time_parse(a->expiry, "%b %d %H:%M:%S %Y");
}

static void fetch(struct doctor *d, struct https *h, const char *method, const char *url,
                  const struct https_tls *tls, const char *const *headers, size_t n,
                  const char *body, struct fetched *f)
{
    struct err err;
    struct https_request r = {.method = method,
                              .url = url,
                              .headers = headers,
                              .nheaders = n,
                              .body = bytes_str(body),
                              .tls = tls,
                              .timeout_ms = TIMEOUT_MS,
                              .answer_max = 64 * LIM_KB,
                              .tell_expiry = true,
                              .arg = f};
    *f = (struct fetched){.a = d->arena, .body = "", .error = ""};
    if (https_send(h, &r, fetch_done, &err) != OK) {
        f->outcome = err.outcome;
        f->error = arena_strdup(d->arena, err.msg);
        return;
    }
    while (!f->done)
        https_run(h, 100);
    if (!f->body || !f->error) {
        f->outcome = ERROR;
        f->error = "out of memory";
    }
}

static const char *url_add(struct doctor *d, const char *base, const char *path)
{
    const char *url = arena_fmt(d->arena, "%s%s", base, path);
    return url ? url : "";
}

/* --- the hosts --- */

static void check_date(struct doctor *d, const char *check, const struct fetched *f)
{
    int64_t off = f->date - clock_now();
    if (f->date && off < -CLOCK_MAX)
        doctor_note(d, FINDING_FAIL, check, "run an NTP client on both hosts",
                    "the web server's clock is %lld s behind this host's",
                    (long long)-off / SECOND_US);
    else if (f->date && off > CLOCK_MAX)
        doctor_note(d, FINDING_FAIL, check, "run an NTP client on both hosts",
                    "the web server's clock is %lld s ahead of this host's",
                    (long long)off / SECOND_US);
}

/* The host may have its certificate from a CA that enrolment profiles bring along. */
static void fetch_privately(struct doctor *d, struct https *h, const char *check, const char *base,
                            struct fetched *f)
{
    const struct https_tls tls = {.ca_file = d->conf->enroll_certificates};
    struct fetched again;
    fetch(d, h, "GET", url_add(d, base, "/healthz"), &tls, NULL, 0, "", &again);
    if (again.outcome == DENIED)
        return;
    *f = again;
    d->tls_ca = d->conf->enroll_certificates;
    doctor_note(d, FINDING_WARN, check,
                "have people install that CA first, or take a certificate of a public CA",
                "only the CA of [enroll] certificates vouches for %s: a device that has no "
                "enrolment profile yet does not know it",
                base);
}

/* True: it answers. */
static bool check_host(struct doctor *d, struct https *h, const char *check, const char *key,
                       const char *base)
{
    const struct https_tls tls = {.ca_file = d->tls_ca};
    struct fetched f;
    if (strncmp(base, "https://", 8) != 0) {
        doctor_note(d, FINDING_FAIL, check, "set it in [server]", "%s is \"%s\"; it must be https",
                    key, base);
        return false;
    }
    fetch(d, h, "GET", url_add(d, base, "/healthz"), &tls, NULL, 0, "", &f);
    if (f.outcome == DENIED && !d->tls_ca[0] && d->conf->enroll_certificates[0])
        fetch_privately(d, h, check, base, &f);
    if (f.outcome == DENIED)
        doctor_note(
            d, FINDING_FAIL, check,
            "the web server needs a certificate for this very name, with its intermediate "
            "certificates, from a CA that devices trust; for a private CA put the PEM file of its "
            "certificate into [server] tls_ca, or name it with droverctl doctor --tls-ca FILE",
            "TLS to %s fails: %s", base, f.error);
    else if (f.outcome != OK)
        doctor_note(d, FINDING_FAIL, check,
                    "see that the name leads to the web server, that it runs and no firewall is "
                    "between",
                    "%s cannot be reached: %s", base, f.error);
    else if (f.status != 200)
        doctor_note(d, FINDING_FAIL, check,
                    f.status == 503 ? "start what is away: drover serve, MariaDB; then see its log"
                                    : "let the web server hand every path to Drover's FastCGI "
                                      "socket",
                    "%s/healthz answers %d: %.120s", base, f.status, f.body);
    else
        doctor_note(d, FINDING_OK, check, NULL, "%s answers", base);
    if (f.outcome == OK) {
        check_date(d, check, &f);
        if (f.expiry)
            doctor_note_expiry(d, check, "its TLS certificate", f.expiry,
                               "renew the web server's certificate");
    }
    return f.outcome == OK && f.status == 200;
}

/* --- the ways of an identity --- */

struct probe {
    struct pkey *key;
    struct bytes cert;
    struct buf cert_pem, key_pem, signature, proxy;
};

static enum outcome probe_make(struct doctor *d, struct probe *p, struct err *err)
{
    struct buf cms = BUF_INIT(16 * LIM_KB);
    struct bytes der, pkcs12;
    const char *password;
    int64_t now = clock_now();
    enum outcome o = sign_pkcs12(d->arena,
                                 &(struct sign_pkcs12){.key_type = "EC",
                                                       .key_size = 256,
                                                       .common_name = PROBE_BODY,
                                                       .not_before = now - MINUTE_US,
                                                       .not_after = now + 10 * MINUTE_US},
                                 &der, &pkcs12, &password, err);
    if (o == OK)
        o = pkcs12_read(d->arena, pkcs12, password, &p->key, &p->cert, err);
    if (o == OK)
        o = pkey_to_pem(p->key, &p->key_pem, err);
    if (o == OK)
        o = cms_sign(bytes_str(PROBE_BODY), p->cert, p->key, NULL, 0, true, &cms, err);
    if (o == OK) {
        cert_to_pem(p->cert, &p->cert_pem);
        buf_str(&p->signature, "Mdm-Signature: ");
        base64_add(&p->signature, buf_bytes(&cms));
        buf_fmt(&p->proxy, "%s: :", d->conf->proxy_header);
        base64_add(&p->proxy, p->cert);
        buf_char(&p->proxy, ':');
    }
    buf_free(&cms);
    return o;
}

static void probe_free(struct probe *p)
{
    pkey_free(&p->key);
    buf_wipe(&p->key_pem);
    buf_free(&p->cert_pem);
    buf_free(&p->signature);
    buf_free(&p->proxy);
}

static bool same(js answer, const char *key, const char *want)
{
    const char *got = js_get_str(answer, key);
    return got && strcmp(got, want) == 0;
}

static void judge_variable(struct doctor *d, js answer, const char *cert_hex)
{
    const char *verify = js_get_str(answer, "verify");
    if (!d->conf->identity_variables)
        return;
    if (!verify || strcmp(verify, "NONE") == 0 || strncmp(verify, "FAILED", 6) == 0)
        doctor_note(d, FINDING_FAIL, "identity",
                    "have the web server ask for client certificates on the whole device host and "
                    "verify them with [identity] ca_bundle (droverctl ca bundle); compare its "
                    "configuration with the one that is installed with Drover",
                    "the web server says of a certificate of Drover's own CA: %s",
                    verify ? verify : "nothing (SSL_CLIENT_VERIFY does not reach the workers)");
    else if (!same(answer, "variable", cert_hex))
        doctor_note(d, FINDING_FAIL, "identity",
                    "Apache: SSLOptions +StdEnvVars +ExportCertData; lighttpd: "
                    "ssl.verifyclient.exportcert = \"enable\"",
                    "SSL_CLIENT_CERT does not reach the workers");
    else
        doctor_note(d, FINDING_OK, "identity", NULL,
                    "a client certificate reaches the workers as a variable");
}

static void judge_headers(struct doctor *d, js answer, const char *cert_hex,
                          const char *signature_hex)
{
    bool trusted = false;
    js_get_bool(answer, "proxy_trusted", &trusted);
    if (d->conf->identity_signature && !same(answer, "signature", signature_hex))
        doctor_note(d, FINDING_FAIL, "identity",
                    "let headers of 16 KB through (Apache: LimitRequestFieldSize, lighttpd: "
                    "server.max-request-field-size) and any proxy pass Mdm-Signature on",
                    "the header Mdm-Signature does not reach the workers as it was sent");
    else if (d->conf->identity_signature)
        doctor_note(d, FINDING_OK, "identity", NULL, "Mdm-Signature reaches the workers");
    if (!same(answer, "proxy", cert_hex))
        doctor_note(d, FINDING_OK, "identity", NULL, "%s from outside is taken away",
                    d->conf->proxy_header);
    else if (trusted)
        doctor_note(d, FINDING_FAIL, "identity",
                    "have the web server or proxy remove this header from what comes from outside, "
                    "or take its address out of [proxy] trust",
                    "anybody can pretend to be any device: %s from outside reaches the workers "
                    "and is believed",
                    d->conf->proxy_header);
    else
        doctor_note(d, FINDING_WARN, "identity",
                    "have the web server remove this header from what comes from outside",
                    "%s from outside reaches the workers; it is not believed",
                    d->conf->proxy_header);
}

static void check_identity(struct doctor *d, struct https *h)
{
    struct probe p = {.cert_pem = BUF_INIT(16 * LIM_KB),
                      .key_pem = BUF_INIT(16 * LIM_KB),
                      .signature = BUF_INIT(32 * LIM_KB),
                      .proxy = BUF_INIT(32 * LIM_KB)};
    char cert_hex[SHA256_HEX_LEN + 1], signature_hex[SHA256_HEX_LEN + 1];
    struct fetched f;
    struct err err;
    js answer = NULL;
    if (probe_make(d, &p, &err) != OK) {
        doctor_note(d, FINDING_FAIL, "identity", "see the signer", "no certificate to try with: %s",
                    err.msg);
        probe_free(&p);
        return;
    }
    const struct https_tls tls = {.ca_file = d->tls_ca,
                                  .client_cert = buf_bytes(&p.cert_pem),
                                  .client_key = buf_bytes(&p.key_pem)};
    const char *headers[] = {buf_cstr(&p.signature), buf_cstr(&p.proxy)};
    sha256_hex(p.cert, cert_hex);
    sha256_hex(bytes_str(headers[0] + strlen("Mdm-Signature: ")), signature_hex);
    fetch(d, h, "POST", url_add(d, d->conf->device_url, "/healthz/identity"), &tls, headers,
          d->conf->proxy_header[0] ? 2 : 1, PROBE_BODY, &f);
    if (f.outcome == OK && f.status == 404)
        doctor_note(d, FINDING_FAIL, "identity",
                    "see that [server] device_url names the host of devices, not that of the "
                    "console, and that the web server hands all its requests to drover mdm",
                    "%s is not answered by drover mdm: it has no /healthz/identity",
                    d->conf->device_url);
    else if (f.outcome != OK || f.status != 200 || js_parse(bytes_str(f.body), &answer, &err) != OK)
        doctor_note(d, FINDING_FAIL, "identity",
                    "the web server must accept client certificates of the CAs in [identity] "
                    "ca_bundle and headers of 16 KB; compare its configuration with the one that "
                    "is installed with Drover",
                    "a request with a client certificate fails: %s (status %d)", f.error, f.status);
    else {
        judge_variable(d, answer, cert_hex);
        judge_headers(d, answer, cert_hex, signature_hex);
    }
    js_free(&answer);
    probe_free(&p);
}

/* --- Apple --- */

static void check_apns(struct doctor *d, struct https *h)
{
    const struct https_tls tls = {.ca_file = d->conf->apns_ca};
    struct fetched f;
    fetch(d, h, "GET", url_add(d, d->conf->apns_url, "/"), &tls, NULL, 0, "", &f);
    /* Without a push certificate APNs answers with an error, or ends the handshake with an alert:
     * reached, both. */
    if (f.outcome == OK || (f.outcome != UNAVAILABLE && strstr(f.error, "alert")))
        doctor_note(d, FINDING_OK, "apns", NULL, "%s can be reached", d->conf->apns_url);
    else
        doctor_note(d, FINDING_FAIL, "apns",
                    "open TCP port 443 or 2197 to Apple's 17.0.0.0/8; with [apns] url on port 2197 "
                    "when 443 is closed; nothing may look into the TLS between",
                    "%s cannot be reached: %s", d->conf->apns_url, f.error);
}

void doctor_network(struct doctor *d)
{
    struct https *h = NULL;
    struct err err;
    if (https_new(4, 1, &h, &err) != OK) {
        doctor_note(d, FINDING_FAIL, "network", "free some memory", "%s", err.msg);
        return;
    }
    bool device = check_host(d, h, "device", "[server] device_url", d->conf->device_url);
    check_host(d, h, "console", "[server] console_url", d->conf->console_url);
    if (device)
        check_identity(d, h);
    else
        doctor_note(d, FINDING_WARN, "identity",
                    "mend what the check of the device host says, then check again",
                    "no certificate was tried: the device host does not answer as it should");
    check_apns(d, h);
    https_free(&h);
}

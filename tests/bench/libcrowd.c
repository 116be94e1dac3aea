/* libcrowd.c: see libload.h: the identities of the crowd and its messages. */
#include "libload.h"

#include "base/clock.h"
#include "base/limits.h"
#include "wire/cms.h"
#include "wire/encode.h"
#include "wire/x509.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define TOPIC "com.apple.mgmt.External.5d0f7a3c-be4c-4000-8000-00000000cafe"

/* ------------------------------------------------------------------ making it */

static enum outcome write_file(const char *dir, const char *name, struct bytes b, struct err *err)
{
    char path[4200];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "we");
    if (!f || fwrite(b.p, 1, b.n, f) != b.n || fclose(f) != 0)
        return err_set(err, ERROR, "%s: %s", path, strerror(errno));
    return OK;
}

static enum outcome write_pem(const char *dir, const char *name, const struct pkey *key,
                              struct bytes cert, struct err *err)
{
    struct buf pem = BUF_INIT(LIM_MB);
    enum outcome o = OK;
    if (key)
        o = pkey_to_pem(key, &pem, err);
    else
        cert_to_pem(cert, &pem);
    if (o == OK)
        o = write_file(dir, name, buf_bytes(&pem), err);
    buf_wipe(&pem);
    buf_free(&pem);
    return o;
}

static enum outcome make_identities(unsigned devices, unsigned identities, struct bytes ca,
                                    const struct pkey *ca_key, const struct pkey *key,
                                    struct buf *out, struct err *err)
{
    struct buf der = BUF_INIT(LIM_MB);
    enum outcome o = OK;
    int64_t now = clock_now();
    for (unsigned i = 0; o == OK && i < identities; i++) {
        char name[64];
        snprintf(name, sizeof name, "device %u identity %u", i % devices, i / devices);
        struct cert_profile p = {.common_name = name,
                                 .organization = "Bench",
                                 .not_before = now - HOUR_US,
                                 .not_after = now + 30 * DAY_US,
                                 .client_auth = true};
        buf_clear(&der);
        o = cert_issue(&p, (struct bytes){0}, key, ca, ca_key, &der, err);
        base64_add(out, buf_bytes(&der));
        buf_char(out, '\n');
    }
    buf_free(&der);
    return o;
}

enum outcome crowd_make(const char *dir, unsigned devices, unsigned identities, struct err *err)
{
    struct pkey *ca_key = NULL, *key = NULL;
    struct buf ca = BUF_INIT(LIM_MB), list = BUF_INIT(1024 * LIM_MB);
    char count[32];
    int64_t now = clock_now();
    struct cert_profile p = {.common_name = "Bench throw-away CA",
                             .organization = "Bench",
                             .not_before = now - HOUR_US,
                             .not_after = now + 30 * DAY_US,
                             .ca = true,
                             .path_len = 0};
    if (identities < devices)
        identities = devices;
    if (mkdir(dir, 0700) != 0 && errno != EEXIST)
        return err_set(err, INVALID, "%s: %s", dir, strerror(errno));
    enum outcome o = pkey_new_rsa(2048, &ca_key, err);
    if (o == OK)
        o = pkey_new_rsa(2048, &key, err);
    if (o == OK)
        o = cert_issue(&p, (struct bytes){0}, ca_key, (struct bytes){0}, ca_key, &ca, err);
    if (o == OK)
        o = make_identities(devices, identities, buf_bytes(&ca), ca_key, key, &list, err);
    if (o == OK)
        o = write_pem(dir, "ca.pem", NULL, buf_bytes(&ca), err);
    if (o == OK)
        o = write_pem(dir, "key.pem", key, (struct bytes){0}, err);
    if (o == OK)
        o = write_file(dir, "identities", buf_bytes(&list), err);
    snprintf(count, sizeof count, "%u\n", devices);
    if (o == OK)
        o = write_file(dir, "devices", bytes_str(count), err);
    buf_free(&ca);
    buf_free(&list);
    pkey_free(&ca_key);
    pkey_free(&key);
    return o;
}

/* ------------------------------------------------------------------ reading it */

static FILE *open_in(const char *dir, const char *name)
{
    char path[4200];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return fopen(path, "re");
}

static bool read_identities(struct crowd *c)
{
    FILE *f = open_in(c->dir, "identities");
    char *line = NULL;
    size_t cap = 0, room = 0;
    if (!f)
        return false;
    for (ssize_t n; (n = getline(&line, &cap, f)) > 1;) {
        if (c->identities == room) {
            room = room ? 2 * room : 4096;
            char **grown = reallocarray(c->cert, room, sizeof *grown);
            if (!grown)
                break;
            c->cert = grown;
        }
        line[n - 1] = '\0';
        c->cert[c->identities++] = strdup(line);
    }
    free(line);
    fclose(f);
    return c->identities > 0;
}

static void read_current(struct crowd *c)
{
    FILE *f = open_in(c->dir, "current");
    for (unsigned i = 0; i < c->devices; i++)
        c->current[i] = -1;
    if (!f)
        return;
    if (fscanf(f, "%u", &c->next) == 1)
        for (unsigned i = 0; i < c->devices && fscanf(f, "%d", &c->current[i]) == 1; i++)
            ;
    fclose(f);
}

enum outcome crowd_load(const char *dir, struct crowd **out, struct err *err)
{
    struct crowd *c = calloc(1, sizeof *c);
    if (!c)
        return err_set(err, ERROR, "out of memory");
    snprintf(c->dir, sizeof c->dir, "%s", dir);
    FILE *f = open_in(dir, "devices");
    bool good = f && fscanf(f, "%u", &c->devices) == 1 && c->devices > 0 && read_identities(c);
    if (f)
        fclose(f);
    if (good)
        good = (c->current = calloc(c->devices, sizeof *c->current)) != NULL;
    if (!good) {
        crowd_free(&c);
        return err_set(err, INVALID, "%s: no crowd; make one with \"load make\"", dir);
    }
    read_current(c);
    *out = c;
    return OK;
}

enum outcome crowd_save(const struct crowd *c, struct err *err)
{
    struct buf b = BUF_INIT(64 * LIM_MB);
    buf_fmt(&b, "%u\n", c->next);
    for (unsigned i = 0; i < c->devices; i++)
        buf_fmt(&b, "%d\n", c->current[i]);
    enum outcome o = write_file(c->dir, "current", buf_bytes(&b), err);
    buf_free(&b);
    return o;
}

void crowd_free(struct crowd **cp)
{
    struct crowd *c = *cp;
    if (!c)
        return;
    *cp = NULL;
    for (unsigned i = 0; i < c->identities; i++)
        free(c->cert[i]);
    free(c->cert);
    free(c->current);
    free(c);
}

/* ------------------------------------------------------------------ messages */

static void add_string(struct buf *b, const char *key, const char *value)
{
    buf_fmt(b, "\t<key>%s</key>\n\t<string>%s</string>\n", key, value);
}

static void add_data(struct buf *b, const char *key, const char *purpose, unsigned device,
                     unsigned serial, size_t n)
{
    uint8_t octets[1216], digest[SHA256_LEN];
    for (size_t at = 0; at < n; at += sizeof digest) {
        char text[80];
        int len = snprintf(text, sizeof text, "%s/%u/%u/%zu", purpose, device, serial, at);
        sha256(bytes_of(text, (size_t)len), digest);
        memcpy(octets + at, digest, n - at < sizeof digest ? n - at : sizeof digest);
    }
    buf_fmt(b, "\t<key>%s</key>\n\t<data>", key);
    base64_add(b, bytes_of(octets, n));
    buf_str(b, "</data>\n");
}

/* 40 digits, as phones have them. */
static void udid_of(unsigned device, char out[SHA256_HEX_LEN + 1])
{
    char text[32];
    int n = snprintf(text, sizeof text, "bench device %u", device);
    sha256_hex(bytes_of(text, (size_t)n), out);
    out[40] = '\0';
}

/* Even devices are phones, which send an UnlockToken, odd ones do not. What is acknowledged is the
 * command of `bench`, a DeviceInformation with two questions. */
static void add_message(struct buf *b, enum crowd_message m, unsigned device, const char *uuid,
                        unsigned serial)
{
    char udid[SHA256_HEX_LEN + 1], number[32];
    udid_of(device, udid);
    snprintf(number, sizeof number, "BNCH%08u", device);
    buf_str(b, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
               "<!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" "
               "\"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">\n"
               "<plist version=\"1.0\">\n<dict>\n");
    if (m == CROWD_IDLE)
        add_string(b, "Status", "Idle");
    if (m == CROWD_ACKNOWLEDGED) {
        add_string(b, "CommandUUID", uuid);
        buf_str(b, "\t<key>QueryResponses</key>\n\t<dict>\n");
        add_string(b, "DeviceName", number);
        add_string(b, "OSVersion", "17.6.1");
        buf_str(b, "\t</dict>\n");
        add_string(b, "Status", "Acknowledged");
    }
    if (m == CROWD_NOT_NOW) {
        add_string(b, "CommandUUID", uuid);
        add_string(b, "Status", "NotNow");
    }
    if (m == CROWD_AUTHENTICATE) {
        add_string(b, "BuildVersion", "21G93");
        add_string(b, "MessageType", "Authenticate");
        add_string(b, "OSVersion", "17.6.1");
        add_string(b, "ProductName", "iPhone14,5");
        add_string(b, "SerialNumber", number);
        add_string(b, "Topic", TOPIC);
    }
    if (m == CROWD_TOKEN_UPDATE) {
        buf_str(b, "\t<key>AwaitingConfiguration</key>\n\t<false/>\n");
        add_string(b, "MessageType", "TokenUpdate");
        add_string(b, "PushMagic", "CEFDF0BD-E342-4A27-8742-E930EA116B0A");
        add_data(b, "Token", "token", device, serial, 32);
        add_string(b, "Topic", TOPIC);
        if (device % 2 == 0)
            add_data(b, "UnlockToken", "unlock", device, 0, 1196);
    }
    add_string(b, "UDID", udid);
    buf_str(b, "</dict>\n</plist>\n");
}

static enum outcome add_signature(const struct crowd *c, unsigned identity, struct bytes body,
                                  struct buf *out, struct err *err)
{
    static struct pkey *key; /* read once; lives as long as the program */
    struct arena *a = arena_new(LIM_MB);
    struct buf der = BUF_INIT(LIM_MB);
    struct bytes cert = {0};
    enum outcome o = a ? OK : err_set(err, ERROR, "out of memory");
    if (!key) {
        char pem[8192];
        FILE *f = open_in(c->dir, "key.pem");
        size_t n = f ? fread(pem, 1, sizeof pem, f) : 0;
        if (f)
            fclose(f);
        o = pkey_from_pem(bytes_of(pem, n), &key, err);
    }
    if (o == OK)
        o = base64_decode(a, bytes_str(c->cert[identity]), &cert);
    if (o == OK)
        o = cms_sign(body, cert, key, NULL, 0, true, &der, err);
    if (o == OK) {
        buf_str(out, "Mdm-Signature: ");
        base64_add(out, buf_bytes(&der));
        buf_str(out, "\r\n");
    }
    buf_free(&der);
    arena_free(&a);
    return o;
}

enum outcome crowd_request(const struct crowd *c, const struct crowd_route *r, enum crowd_message m,
                           unsigned device, unsigned identity, const char *uuid, unsigned serial,
                           struct buf *out, struct err *err)
{
    struct buf body = BUF_INIT(64 * LIM_KB);
    enum outcome o = OK;
    bool checkin = m == CROWD_AUTHENTICATE || m == CROWD_TOKEN_UPDATE;
    add_message(&body, m, device, uuid, serial);
    buf_fmt(out, "PUT %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: MDM/1.0\r\nContent-Type: %s\r\n",
            r->path, r->host,
            checkin ? "application/x-apple-aspen-mdm-checkin"
                    : "application/x-apple-aspen-mdm; charset=UTF-8");
    if (r->sign)
        o = add_signature(c, identity, buf_bytes(&body), out, err);
    else
        buf_fmt(out, "Client-Cert: :%s:\r\n", c->cert[identity]);
    buf_fmt(out, "Content-Length: %zu\r\n\r\n", body.len);
    buf_add(out, body.data, body.len);
    if (o == OK && (buf_failed(out) || buf_failed(&body)))
        o = err_set(err, ERROR, "out of memory");
    buf_free(&body);
    return o;
}

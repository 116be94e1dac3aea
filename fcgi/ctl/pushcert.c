/* pushcert.c: droverctl pushcert: push certificates, one for each topic. */
#include "ctl/ctl.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "push/pushcert.h"
#include "push/vendor.h"
#include "store/pushcert.h"
#include "wire/sign.h"

#define CSR_BITS 2048 /* Apple's push certificate portal takes RSA of this size */

static int list(struct ctl *c, struct db *db, bool json)
{
    static const struct ctl_column cols[] = {{"topic", CTL_TEXT},        {"not_after", CTL_TIME},
                                             {"version", CTL_INT},       {"added_at", CTL_TIME},
                                             {"added_by", CTL_TEXT},     {"suspended_at", CTL_TIME},
                                             {"suspended_why", CTL_TEXT}};
    struct pushcert_row *row;
    struct err err;
    size_t n;
    if (pushcert_list(db, c->arena, &row, &n, &err) != OK)
        return ctl_failed(&err);
    struct val *cells = arena_array(c->arena, n * 7 + 1, sizeof *cells);
    for (size_t i = 0; cells && i < n; i++)
        memcpy(&cells[i * 7],
               (struct val[]){val_str(row[i].topic), val_int(row[i].not_after),
                              val_int(row[i].version), val_int(row[i].added_at),
                              val_str(row[i].added_by), ctl_time(row[i].suspended_at),
                              ctl_text(row[i].suspended_why)},
               7 * sizeof *cells);
    return cells ? ctl_list(c, json, cols, 7, cells, n) : CTL_FAILED;
}

/* add takes a topic there is no certificate of, renew one there is. */
static enum outcome topic_check(struct ctl *c, struct db *db, const char *topic, bool renew,
                                struct err *err)
{
    struct pushcert_row row;
    enum outcome o = pushcert_get(db, topic, c->arena, &row, err);
    if (o != OK && o != NOT_FOUND)
        return o;
    if (!renew)
        return OK;
    if (pushcert_renewal_check(db, topic, err) != OK)
        return err->outcome;
    return o == OK ? OK
                   : err_set(err, CONFLICT,
                             "there is no certificate of topic %s to renew; droverctl pushcert "
                             "list tells the topics, pushcert add takes a new one",
                             topic);
}

/* One or two files, one behind the other. */
static enum outcome files_read(struct ctl *c, const char *const *files, struct buf *pem,
                               struct err *err)
{
    enum outcome o = OK;
    for (size_t i = 0; o == OK && i < 2 && files[i]; i++) {
        struct bytes part;
        o = ctl_file(c, files[i], PUSHCERT_PEM_MAX, &part, err);
        if (o == OK)
            buf_add(pem, part.p, part.n);
        buf_char(pem, '\n');
    }
    if (o == OK && buf_failed(pem))
        o = err_set(err, INVALID, "longer than %u octets", PUSHCERT_PEM_MAX);
    return o;
}

static int put(struct ctl *c, struct db *db, const char *const *files, bool renew, bool force)
{
    struct buf pem = BUF_INIT(PUSHCERT_PEM_MAX);
    struct pushcert cert = {0};
    char until[CLOCK_TEXT_MAX];
    struct err err;
    int64_t version;
    enum outcome o = files_read(c, files, &pem, &err);
    if (o == OK)
        o = pushcert_check(c->arena, buf_bytes(&pem), &cert, &err);
    if (o == OK && !force)
        o = topic_check(c, db, cert.info.topic, renew, &err);
    if (o == OK)
        o = pushcert_store(db, c->conf, &cert, c->actor, &version, &err);
    if (o == OK)
        printf("%s, good until %s, version %lld\n", cert.info.topic,
               clock_rfc3339(cert.info.not_after, false, until), (long long)version);
    buf_wipe(&pem);
    pushcert_wipe(&cert);
    if (o == CONFLICT && renew)
        err_prefix(&err, "not renewed (--force does it nevertheless)");
    return o == OK ? CTL_OK : ctl_failed(&err);
}

/* The key goes into a file that only its owner reads; an existing file is left alone. */
static enum outcome key_write(const char *path, const struct pkey *key, struct err *err)
{
    struct buf pem = BUF_INIT(16 * LIM_KB);
    enum outcome o = pkey_to_pem(key, &pem, err);
    int fd = o == OK ? open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600) : -1;
    if (o == OK && (fd < 0 || write(fd, pem.data, pem.len) != (ssize_t)pem.len || fsync(fd) != 0))
        o = err_set(err, ERROR, "%s: %m", path);
    if (fd >= 0)
        close(fd);
    buf_wipe(&pem);
    return o;
}

static int csr(struct ctl *c, const char *key_path, const char *name)
{
    struct buf der = BUF_INIT(16 * LIM_KB), text = BUF_INIT(32 * LIM_KB);
    struct pkey *key = NULL;
    struct err err;
    enum outcome o = pkey_new_rsa(CSR_BITS, &key, &err);
    if (o == OK)
        o = csr_new(key, name, c->conf->organization[0] ? c->conf->organization : NULL, NULL, &der,
                    &err);
    if (o == OK)
        o = key_write(key_path, key, &err);
    if (o == OK) {
        csr_to_pem(buf_bytes(&der), &text);
        fputs(buf_cstr(&text), stdout);
        fprintf(stderr,
                "The key is in %s. Have the request signed as your MDM vendor's, upload that to "
                "https://identity.apple.com/pushcert, then: droverctl pushcert add "
                "CERTIFICATE %s\n",
                key_path, key_path);
    }
    pkey_free(&key);
    buf_free(&der);
    buf_free(&text);
    return o == OK ? CTL_OK : ctl_failed(&err);
}

/* --- keys that the signer makes --- */

static int request_new(struct ctl *c, struct db *db, const char *name, const char *topic,
                       bool vendor)
{
    struct buf text = BUF_INIT(32 * LIM_KB);
    struct push_request r;
    struct err err;
    if (vendor_request_new(db, c->conf, vendor ? PUSH_PURPOSE_VENDOR : PUSH_PURPOSE_PUSH, name,
                           topic ? topic : "", c->actor, c->arena, &r, &err) != OK)
        return ctl_failed(&err);
    csr_to_pem(r.csr, &text);
    fputs(buf_cstr(&text), stdout);
    buf_free(&text);
    if (vendor)
        fprintf(
            stderr,
            "Request %lld; the signer has its key. Get an MDM signing certificate for it from "
            "Apple, then: droverctl pushcert vendor FILE, with the certificate and its chain.\n",
            (long long)r.id);
    else
        fprintf(stderr,
                "Request %lld; the signer has its key. Have it signed by your MDM vendor (or "
                "droverctl pushcert sign %lld), %s at https://identity.apple.com/pushcert, then: "
                "droverctl pushcert %s CERTIFICATE\n",
                (long long)r.id, (long long)r.id,
                topic ? "renew the certificate with it" : "upload it", topic ? "renew" : "add");
    return CTL_OK;
}

static int requests(struct ctl *c, struct db *db, bool json)
{
    static const struct ctl_column cols[] = {{"id", CTL_INT},          {"purpose", CTL_TEXT},
                                             {"name", CTL_TEXT},       {"topic", CTL_TEXT},
                                             {"created_at", CTL_TIME}, {"created_by", CTL_TEXT},
                                             {"done_at", CTL_TIME}};
    struct push_request *r;
    struct err err;
    size_t n;
    if (push_request_list(db, c->arena, &r, &n, &err) != OK)
        return ctl_failed(&err);
    struct val *cells = arena_array(c->arena, n * 7 + 1, sizeof *cells);
    for (size_t i = 0; cells && i < n; i++)
        memcpy(&cells[i * 7],
               (struct val[]){val_int(r[i].id),
                              val_str(r[i].purpose == PUSH_PURPOSE_VENDOR ? "vendor" : "push"),
                              val_str(r[i].name), ctl_text(r[i].topic), val_int(r[i].created_at),
                              val_str(r[i].created_by), ctl_time(r[i].done_at)},
               7 * sizeof *cells);
    return cells ? ctl_list(c, json, cols, 7, cells, n) : CTL_FAILED;
}

static int vendors(struct ctl *c, struct db *db, bool json)
{
    static const struct ctl_column cols[] = {{"subject", CTL_TEXT},
                                             {"not_after", CTL_TIME},
                                             {"added_at", CTL_TIME},
                                             {"added_by", CTL_TEXT}};
    struct vendor_cert *v;
    struct err err;
    size_t n;
    if (vendor_cert_list(db, c->arena, &v, &n, &err) != OK)
        return ctl_failed(&err);
    struct val *cells = arena_array(c->arena, n * 4 + 1, sizeof *cells);
    for (size_t i = 0; cells && i < n; i++)
        memcpy(&cells[i * 4],
               (struct val[]){val_str(v[i].subject), val_int(v[i].not_after),
                              val_int(v[i].added_at), val_str(v[i].added_by)},
               4 * sizeof *cells);
    return cells ? ctl_list(c, json, cols, 4, cells, n) : CTL_FAILED;
}

static int vendor(struct ctl *c, struct db *db, const char *const *files)
{
    struct buf pem = BUF_INIT(VENDOR_PEM_MAX);
    struct vendor_cert v;
    struct err err;
    enum outcome o = files_read(c, files, &pem, &err);
    if (o == OK)
        o = vendor_import(db, c->conf, buf_bytes(&pem), c->actor, c->arena, &v, &err);
    buf_wipe(&pem);
    if (o != OK)
        return ctl_failed(&err);
    printf("Requests are signed as %s.\n", v.subject);
    return CTL_OK;
}

/* what: the number of a request made here, or a file. */
static int sign(struct ctl *c, struct db *db, const char *what, const char *digest)
{
    struct buf text = BUF_INIT(VENDOR_REQUEST_MAX);
    struct push_request r = {0};
    struct err err;
    char *end;
    long long id = strtoll(what, &end, 10);
    enum outcome o = *end || id <= 0 ? ctl_file(c, what, VENDOR_PEM_MAX, &r.csr, &err)
                                     : push_request_get(db, id, c->arena, &r, &err);
    if (o == OK)
        o = vendor_sign(db, r.csr, digest, c->actor, c->arena, &text, &err);
    if (o == OK)
        fputs(buf_cstr(&text), stdout); /* as the portal takes it: not even a line feed */
    buf_free(&text);
    if (o != OK)
        return ctl_failed(&err);
    fputs("The file for https://identity.apple.com/pushcert went to standard output.\n", stderr);
    return CTL_OK;
}

struct asked {
    const char *word, *file, *key, *name, *topic;
    bool json, force, vendor, sha1;
};

static int verb_run(struct ctl *c, const struct asked *q, const char *const *files)
{
    struct db *db;
    bool renew = strcmp(q->word, "renew") == 0;
    if (strcmp(q->word, "csr") == 0 && q->key)
        return csr(c, q->key, q->name);
    if (!ctl_db(c, &db))
        return CTL_FAILED;
    sign_client_setup(c->conf->run_dir, SIGN_CTL);
    if (strcmp(q->word, "csr") == 0)
        return request_new(c, db, q->name, q->topic, q->vendor);
    if (strcmp(q->word, "sign") == 0)
        return sign(c, db, q->file, q->sha1 ? "SHA1" : "SHA256");
    if (strcmp(q->word, "vendor") == 0)
        return q->file ? vendor(c, db, files) : vendors(c, db, q->json);
    if (strcmp(q->word, "requests") == 0)
        return requests(c, db, q->json);
    return q->file ? put(c, db, files, renew, q->force) : list(c, db, q->json);
}

int ctl_pushcert(struct ctl *c, int argc, char **argv)
{
    /* which verbs take a file: 0 none, 1 must, 2 may */
    static const struct {
        const char *word;
        int file;
    } verbs[] = {{"add", 1},      {"renew", 1}, {"list", 0},  {"csr", 0},
                 {"requests", 0}, {"sign", 1},  {"vendor", 2}};
    const char *rest[3];
    struct asked q = {.name = "MDM push certificate"};
    const struct ctl_option options[] = {
        {.name = "json", .flag = &q.json},    {.name = "force", .flag = &q.force},
        {.name = "key", .value = &q.key},     {.name = "name", .value = &q.name},
        {.name = "topic", .value = &q.topic}, {.name = "vendor", .flag = &q.vendor},
        {.name = "sha1", .flag = &q.sha1},
    };
    size_t i = 0, n = sizeof verbs / sizeof *verbs;
    if (ctl_args(argc, argv, options, sizeof options / sizeof *options, rest, 1, 3) < 0)
        return CTL_USAGE;
    while (i < n && strcmp(verbs[i].word, rest[0]) != 0)
        i++;
    if (i == n)
        return ctl_wrong("pushcert: there is no \"%s\"", rest[0]);
    if (verbs[i].file != 2 && (verbs[i].file == 1) != (rest[1] != NULL))
        return ctl_wrong("pushcert %s: %s", rest[0],
                         rest[1] ? "takes no file" : "the file is missing");
    if ((q.key || q.topic || q.vendor) && strcmp(rest[0], "csr") != 0)
        return ctl_wrong("pushcert %s: takes no --key, --topic or --vendor", rest[0]);
    if (q.key && (q.topic || q.vendor))
        return ctl_wrong("pushcert csr: --key makes a key of your own, without the signer");
    q.word = rest[0];
    q.file = rest[1];
    return verb_run(c, &q, rest + 1);
}

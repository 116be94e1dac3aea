/* pushcert.c: droverctl pushcert: push certificates, one for each topic. */
#include "ctl/ctl.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "push/pushcert.h"
#include "store/pushcert.h"

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

static int put(struct ctl *c, struct db *db, const char *const *files, bool renew, bool force)
{
    struct buf pem = BUF_INIT(PUSHCERT_PEM_MAX);
    struct pushcert cert = {0};
    char until[CLOCK_TEXT_MAX];
    struct err err;
    int64_t version;
    enum outcome o = OK;
    for (size_t i = 0; o == OK && i < 2 && files[i]; i++) {
        struct bytes part;
        o = ctl_file(c, files[i], PUSHCERT_PEM_MAX, &part, &err);
        if (o == OK)
            buf_add(&pem, part.p, part.n);
        buf_char(&pem, '\n');
    }
    if (o == OK && buf_failed(&pem))
        o = err_set(&err, INVALID, "longer than %u octets", PUSHCERT_PEM_MAX);
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

int ctl_pushcert(struct ctl *c, int argc, char **argv)
{
    const char *rest[3], *key = NULL, *name = "MDM push certificate";
    bool json = false, force = false;
    const struct ctl_option options[] = {{.name = "json", .flag = &json},
                                         {.name = "force", .flag = &force},
                                         {.name = "key", .value = &key},
                                         {.name = "name", .value = &name}};
    struct db *db;
    if (ctl_args(argc, argv, options, 4, rest, 1, 3) < 0)
        return CTL_USAGE;
    bool add = strcmp(rest[0], "add") == 0, renew = strcmp(rest[0], "renew") == 0;
    bool request = strcmp(rest[0], "csr") == 0;
    if (!add && !renew && !request && strcmp(rest[0], "list") != 0)
        return ctl_wrong("pushcert: there is no \"%s\"", rest[0]);
    if ((add || renew) != (rest[1] != NULL))
        return ctl_wrong("pushcert %s: %s", rest[0],
                         rest[1] ? "takes no file" : "the file is missing");
    if (request != (key != NULL))
        return ctl_wrong("pushcert %s: %s", rest[0],
                         key ? "takes no --key" : "--key FILE is missing");
    if (request)
        return csr(c, key, name);
    if (!ctl_db(c, &db))
        return CTL_FAILED;
    return add || renew ? put(c, db, rest + 1, renew, force) : list(c, db, json);
}

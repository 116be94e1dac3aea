/* ca.c: droverctl ca: Drover's own device CA and the others whose devices are believed. */
#include "ctl/ctl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/limits.h"
#include "proc/signer.h"
#include "store/trust.h"
#include "wire/encode.h"
#include "wire/x509.h"

#define PEM_MAX (1u * LIM_MB)
#define CERTS_MAX 64

/* The bundle in the web server's hands: Drover's own CA and every trusted one. */
static enum outcome bundle_make(struct ctl *c, struct db *db, struct buf *out, struct err *err)
{
    struct bytes pem, der[CERTS_MAX];
    struct trust_ca *cas;
    size_t n;
    char *own = arena_fmt(c->arena, "%s/ca.pem", c->conf->signer_dir);
    if (!own)
        return err_set(err, ERROR, "out of memory");
    enum outcome o = ctl_file(c, own, PEM_MAX, &pem, err);
    if (o == OK)
        o = cert_from_pem(c->arena, pem, der, CERTS_MAX, &n, err);
    if (o != OK)
        return o;
    for (size_t i = 0; i < n; i++)
        cert_to_pem(der[i], out);
    if ((o = trust_ca_list(db, c->arena, &cas, &n, err)) != OK)
        return o;
    for (size_t i = 0; i < n; i++)
        cert_to_pem(cas[i].der, out);
    return buf_failed(out) ? err_set(err, ERROR, "the CA bundle is too long") : OK;
}

/* Writes beside the file and renames, so that the web server never reads half of it. */
static enum outcome file_replace(struct ctl *c, const char *path, struct bytes content,
                                 struct err *err)
{
    char *temporary = arena_fmt(c->arena, "%s.XXXXXX", path);
    int fd = temporary ? mkstemp(temporary) : -1;
    if (fd < 0)
        return err_set(err, ERROR, "cannot write beside %s: %s", path, strerror(errno));
    bool good = write(fd, content.p, content.n) == (ssize_t)content.n && fchmod(fd, 0644) == 0 &&
                fsync(fd) == 0;
    good = close(fd) == 0 && good && rename(temporary, path) == 0;
    if (good)
        return OK;
    int why = errno;
    unlink(temporary);
    return err_set(err, ERROR, "cannot write %s: %s", path, strerror(why));
}

/* The operator's own words from the configuration, run by a shell without being changed. */
static enum outcome reload_run(const char *command, struct err *err)
{
    int status = -1;
    if (!command[0])
        return OK;
    pid_t pid = fork();
    if (pid == 0) {
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(127);
    }
    if (pid < 0 || waitpid(pid, &status, 0) < 0 || status != 0)
        return err_set(err, ERROR, "[identity] reload_command failed (status %d): %s",
                       WIFEXITED(status) ? WEXITSTATUS(status) : -1, command);
    return OK;
}

/* Writes the bundle afresh; when it differs, has the web server read it. */
static int bundle_publish(struct ctl *c, struct db *db, bool reload)
{
    struct buf b = BUF_INIT(8 * PEM_MAX);
    struct bytes old;
    struct err err;
    enum outcome o = bundle_make(c, db, &b, &err);
    if (o == OK && !(ctl_file(c, c->conf->ca_bundle, 8 * PEM_MAX, &old, &err) == OK &&
                     bytes_equal(old, buf_bytes(&b)))) {
        o = file_replace(c, c->conf->ca_bundle, buf_bytes(&b), &err);
        if (o == OK && reload)
            o = reload_run(c->conf->reload_command, &err);
    }
    buf_free(&b);
    return o == OK ? CTL_OK : ctl_failed(&err);
}

static int ca_init(struct ctl *c, struct db *db)
{
    struct err err;
    const char *organization = c->conf->organization[0] ? c->conf->organization : "Drover";
    if (signer_setup(c->conf, organization, &err) != OK)
        return ctl_failed(&err);
    int status = bundle_publish(c, db, false);
    if (status == CTL_OK)
        printf("The keys are in %s, the CA bundle for the web server in %s.\n", c->conf->signer_dir,
               c->conf->ca_bundle);
    return status;
}

static int ca_trust(struct ctl *c, struct db *db, const char *path)
{
    struct bytes pem, der[CERTS_MAX];
    struct err err;
    size_t n = 0, added = 0;
    enum outcome o = ctl_file(c, path, PEM_MAX, &pem, &err);
    if (o == OK)
        o = cert_from_pem(c->arena, pem, der, CERTS_MAX, &n, &err);
    for (size_t i = 0; o == OK && i < n; i++) {
        o = trust_ca_add(db, der[i], c->actor, &err);
        added += o == OK;
        if (o == CONFLICT) /* it is trusted already */
            o = OK;
    }
    if (o != OK)
        return ctl_failed(&err);
    printf("%zu of %zu certificates were new.\n", added, n);
    return bundle_publish(c, db, true);
}

static int ca_untrust(struct ctl *c, struct db *db, const char *word)
{
    struct trust_ca *cas;
    struct err err;
    size_t n, found = 0;
    char hex[2 * CERT_SHA256_LEN + 1];
    const struct trust_ca *hit = NULL;
    if (trust_ca_list(db, c->arena, &cas, &n, &err) != OK)
        return ctl_failed(&err);
    for (size_t i = 0; i < n; i++) {
        hex_encode(bytes_of(cas[i].sha256, CERT_SHA256_LEN), hex);
        if (strncmp(hex, word, strlen(word)) == 0) {
            hit = &cas[i];
            found++;
        }
    }
    if (strlen(word) < 8 || found != 1)
        return ctl_wrong("\"%s\" does not name one CA; give the first digits (at least 8) of a "
                         "SHA-256 that droverctl ca list shows",
                         word);
    if (trust_ca_remove(db, hit->sha256, c->actor, &err) != OK)
        return ctl_failed(&err);
    printf("No longer trusted: %s\n", hit->subject);
    return bundle_publish(c, db, true);
}

static int ca_list(struct ctl *c, struct db *db, bool json)
{
    static const struct ctl_column cols[] = {{"subject", CTL_TEXT},
                                             {"sha256", CTL_TEXT},
                                             {"not_after", CTL_TIME},
                                             {"added_at", CTL_TIME},
                                             {"added_by", CTL_TEXT}};
    struct trust_ca *cas;
    struct err err;
    size_t n;
    if (trust_ca_list(db, c->arena, &cas, &n, &err) != OK)
        return ctl_failed(&err);
    struct val *v = arena_array(c->arena, n * 5 + 1, sizeof *v);
    for (size_t i = 0; v && i < n; i++) {
        char *hex = arena_alloc(c->arena, 2 * CERT_SHA256_LEN + 1);
        if (!hex)
            return CTL_FAILED;
        hex_encode(bytes_of(cas[i].sha256, CERT_SHA256_LEN), hex);
        v[i * 5] = val_str(cas[i].subject);
        v[i * 5 + 1] = val_str(hex);
        v[i * 5 + 2] = val_int(cas[i].not_after);
        v[i * 5 + 3] = val_int(cas[i].added_at);
        v[i * 5 + 4] = val_str(cas[i].added_by);
    }
    return v ? ctl_list(c, json, cols, 5, v, n) : CTL_FAILED;
}

int ctl_ca(struct ctl *c, int argc, char **argv)
{
    const char *rest[2] = {NULL, NULL};
    bool json = false;
    const struct ctl_option options[] = {{.name = "json", .flag = &json}};
    struct db *db;
    if (ctl_args(argc, argv, options, 1, rest, 1, 2) < 0)
        return CTL_USAGE;
    bool one = strcmp(rest[0], "trust") == 0 || strcmp(rest[0], "untrust") == 0;
    if (one != (rest[1] != NULL) ||
        (!one && strcmp(rest[0], "init") != 0 && strcmp(rest[0], "list") != 0 &&
         strcmp(rest[0], "bundle") != 0))
        return CTL_USAGE;
    if (!ctl_db(c, &db))
        return CTL_FAILED;
    switch (rest[0][0]) {
    case 'i':
        return ca_init(c, db);
    case 'l':
        return ca_list(c, db, json);
    case 'b':
        return bundle_publish(c, db, true);
    case 't':
        return ca_trust(c, db, rest[1]);
    default:
        return ca_untrust(c, db, rest[1]);
    }
}

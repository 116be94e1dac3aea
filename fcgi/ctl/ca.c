/* ca.c: droverctl ca: Drover's own device CA, the CAs that are trusted beside it, and the bundle of
 * both that the web server verifies client certificates with. */
#include "ctl/ctl.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "proc/signer.h"
#include "store/trust.h"
#include "wire/encode.h"
#include "wire/sign.h"

#define CERTS_MAX 64

/* The signer's own certificate: its file is for everybody; on another host the signer tells. */
static enum outcome own_ca(struct ctl *c, struct bytes *der, struct err *err)
{
    struct bytes pem;
    size_t n;
    char *path = arena_fmt(c->arena, "%s/ca.pem", c->conf->signer_dir);
    enum outcome o = path ? ctl_file(c, path, LIM_BODY_SCEP, &pem, err) : ERROR;
    if (o == OK)
        return cert_from_pem(c->arena, pem, der, 1, &n, err);
    sign_client_setup(c->conf->run_dir, SIGN_CTL);
    if (sign_certificate(c->arena, "ca", der, err) == OK)
        return OK;
    return err_set(err, NOT_FOUND,
                   "there is no device CA in %s, and no signer answers; make it with droverctl ca "
                   "init",
                   c->conf->signer_dir);
}

static void add_pem(struct buf *out, struct bytes der, const char *subject)
{
    buf_fmt(out, "# %s\n", subject);
    cert_to_pem(der, out);
}

enum outcome ctl_ca_bundle(struct ctl *c, struct db *db, struct buf *out, struct err *err)
{
    struct cert_info info;
    struct trust_ca *list;
    struct bytes own;
    size_t n;
    enum outcome o = own_ca(c, &own, err);
    if (o == OK)
        o = cert_info_read(c->arena, own, &info, err);
    if (o == OK)
        o = trust_ca_list(db, c->arena, &list, &n, err);
    if (o != OK)
        return o;
    add_pem(out, own, info.subject);
    for (size_t i = 0; i < n; i++)
        if (memcmp(list[i].sha256, info.sha256, sizeof info.sha256) != 0)
            add_pem(out, list[i].der, list[i].subject);
    return buf_failed(out) ? err_set(err, ERROR, "the bundle is too long") : OK;
}

static enum outcome reload(struct ctl *c, struct err *err)
{
    const char *command = c->conf->reload_command;
    if (!command[0]) {
        fprintf(stderr, "[identity] reload_command is not set: have the web server read it.\n");
        return OK;
    }
    fflush(stdout);
    int status = -1;
    pid_t pid = fork();
    if (pid == 0) { /* the operator's own words, run by a shell as they stand */
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(127);
    }
    if (pid < 0 || waitpid(pid, &status, 0) < 0 || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
        return err_set(err, ERROR,
                       "%s is written, but [identity] reload_command failed with %d: %s",
                       c->conf->ca_bundle, WIFEXITED(status) ? WEXITSTATUS(status) : -1, command);
    return OK;
}

/* Rewrites the bundle where it differs from what is trusted now. */
static int bundle_write(struct ctl *c, struct db *db, bool force, bool tell)
{
    struct buf b = BUF_INIT(LIM_BODY_API);
    struct bytes old;
    struct err err;
    enum outcome o = ctl_ca_bundle(c, db, &b, &err);
    bool same = o == OK && ctl_file(c, c->conf->ca_bundle, LIM_BODY_API, &old, &err) == OK &&
                bytes_equal(old, buf_bytes(&b));
    if (o == OK && (!same || force)) {
        o = ctl_file_replace(c, c->conf->ca_bundle, buf_bytes(&b), 0644, &err);
        if (o == OK)
            printf("%s is written.\n", c->conf->ca_bundle);
        if (o == OK && tell)
            o = reload(c, &err);
    }
    buf_free(&b);
    return o == OK ? CTL_OK : ctl_failed(&err);
}

static int show(struct ctl *c, struct db *db, bool json)
{
    static const struct ctl_column cols[] = {{"sha256", CTL_TEXT},
                                             {"subject", CTL_TEXT},
                                             {"not_after", CTL_TIME},
                                             {"added_at", CTL_TIME},
                                             {"added_by", CTL_TEXT}};
    struct cert_info info;
    struct trust_ca *list;
    struct bytes own;
    struct err err;
    size_t n;
    if (own_ca(c, &own, &err) != OK || cert_info_read(c->arena, own, &info, &err) != OK ||
        trust_ca_list(db, c->arena, &list, &n, &err) != OK)
        return ctl_failed(&err);
    struct val *cells = arena_array(c->arena, (n + 1) * 5, sizeof *cells);
    char *hex = arena_array(c->arena, n + 1, SHA256_HEX_LEN + 1);
    if (!cells || !hex)
        return CTL_FAILED;
    for (size_t i = 0; i <= n; i++) {
        const struct trust_ca *t = i ? &list[i - 1] : NULL;
        char *h = hex + i * (SHA256_HEX_LEN + 1);
        hex_encode(bytes_of(t ? t->sha256 : info.sha256, SHA256_LEN), h);
        memcpy(&cells[i * 5],
               (struct val[]){val_str(h), val_str(t ? t->subject : info.subject),
                              val_int(t ? t->not_after : info.not_after),
                              t ? val_int(t->added_at) : val_null(),
                              val_str(t ? t->added_by : "Drover's own")},
               5 * sizeof *cells);
    }
    return ctl_list(c, json, cols, 5, cells, n + 1);
}

static int trust(struct ctl *c, struct db *db, const char *path)
{
    struct bytes pem, der[CERTS_MAX];
    struct err err;
    size_t n;
    if (ctl_file(c, path, LIM_MB, &pem, &err) != OK)
        return ctl_failed(&err);
    if (cert_from_pem(c->arena, pem, der, CERTS_MAX, &n, &err) != OK) {
        err_prefix(&err, "%s", path);
        return ctl_failed(&err);
    }
    for (size_t i = 0; i < n; i++) {
        struct cert_info info;
        enum outcome o = cert_info_read(c->arena, der[i], &info, &err);
        if (o == OK)
            o = trust_ca_add(db, der[i], c->actor, &err);
        if (o != OK && o != CONFLICT) {
            err_prefix(&err, "%s: certificate %zu", path, i + 1);
            return ctl_failed(&err);
        }
        printf("%s: %s\n", o == OK ? "Trusted" : "Trusted already", info.subject);
    }
    return bundle_write(c, db, false, true);
}

static int crl(struct ctl *c, struct db *db, const char *path)
{
    char until[CLOCK_TEXT_MAX];
    struct crl_info info;
    const char *subject = "";
    struct bytes text;
    struct err err;
    enum outcome o = ctl_file(c, path, 2 * TRUST_CRL_MAX, &text, &err);
    if (o == OK && (o = crl_read(c->arena, text, &info, &err)) == OK)
        o = trust_crl_put(db, c->arena, &info, c->actor, &subject, &err);
    if (o != OK) {
        err_prefix(&err, "%s", path);
        return ctl_failed(&err);
    }
    printf("%s revokes %lld certificates; the next list is %s%s.\n", subject,
           (long long)info.entries, info.next_update ? "due by " : "not announced",
           info.next_update ? clock_rfc3339(info.next_update, false, until) : "");
    return CTL_OK;
}

static int untrust(struct ctl *c, struct db *db, const char *digest)
{
    char hex[SHA256_HEX_LEN + 1];
    const struct trust_ca *hit = NULL;
    struct trust_ca *list;
    struct err err;
    size_t n, hits = 0;
    if (trust_ca_list(db, c->arena, &list, &n, &err) != OK)
        return ctl_failed(&err);
    for (size_t i = 0; i < n; i++) {
        hex_encode(bytes_of(list[i].sha256, SHA256_LEN), hex);
        if (strncmp(hex, digest, strlen(digest)) == 0) {
            hit = &list[i];
            hits++;
        }
    }
    if (strlen(digest) < 8 || hits != 1)
        return ctl_wrong("\"%s\" does not name one CA; give at least the first 8 digits of a "
                         "SHA-256 that droverctl ca show tells",
                         digest);
    if (trust_ca_remove(db, hit->sha256, c->actor, &err) != OK)
        return ctl_failed(&err);
    printf("No longer trusted: %s\n", hit->subject);
    return bundle_write(c, db, false, true);
}

/* No web server runs yet that could be told. */
static int init(struct ctl *c, struct db *db)
{
    const char *organization = c->conf->organization[0] ? c->conf->organization : "Drover";
    struct err err;
    if (signer_setup(c->conf, organization, &err) != OK)
        return ctl_failed(&err);
    printf("The signer's keys are in %s.\n", c->conf->signer_dir);
    return bundle_write(c, db, false, false);
}

int ctl_ca(struct ctl *c, int argc, char **argv)
{
    const char *rest[2];
    bool json = false;
    const struct ctl_option options[] = {{.name = "json", .flag = &json}};
    struct db *db;
    if (ctl_args(argc, argv, options, 1, rest, 1, 2) < 0)
        return CTL_USAGE;
    if (strcmp(rest[0], "list") == 0)
        rest[0] = "show";
    bool named = strcmp(rest[0], "trust") == 0 || strcmp(rest[0], "untrust") == 0 ||
                 strcmp(rest[0], "crl") == 0;
    if (!named && strcmp(rest[0], "init") != 0 && strcmp(rest[0], "show") != 0 &&
        strcmp(rest[0], "bundle") != 0)
        return ctl_wrong("ca: there is no \"%s\"", rest[0]);
    if (named != (rest[1] != NULL))
        return ctl_wrong("ca %s: %s", rest[0], named ? "what?" : "takes no argument");
    if (!ctl_db(c, &db))
        return CTL_FAILED;
    if (strcmp(rest[0], "init") == 0)
        return init(c, db);
    if (strcmp(rest[0], "show") == 0)
        return show(c, db, json);
    if (strcmp(rest[0], "trust") == 0)
        return trust(c, db, rest[1]);
    if (strcmp(rest[0], "untrust") == 0)
        return untrust(c, db, rest[1]);
    if (strcmp(rest[0], "crl") == 0)
        return crl(c, db, rest[1]);
    return bundle_write(c, db, true, true);
}

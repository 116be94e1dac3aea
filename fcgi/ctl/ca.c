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
#include "scep/authority.h"
#include "scep/crl.h"
#include "store/crl.h"
#include "store/trust.h"
#include "wire/encode.h"
#include "wire/sign.h"

#define CERTS_MAX 64

static enum outcome own_cas(struct ctl *c, struct sign_authority *own, size_t *n, struct err *err)
{
    sign_client_setup(c->conf->run_dir, SIGN_CTL);
    return authority_own(c->conf, c->arena, own, n, err);
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
    sign_client_setup(c->conf->run_dir, SIGN_CTL);
    enum outcome o = authority_bundle(c->conf, db, c->arena, &b, &err);
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
    struct sign_authority own[SIGN_AUTHORITIES_MAX];
    struct trust_ca *list;
    struct err err;
    size_t n, k;
    if (own_cas(c, own, &k, &err) != OK || trust_ca_list(db, c->arena, &list, &n, &err) != OK)
        return ctl_failed(&err);
    struct val *cells = arena_array(c->arena, (n + k) * 5, sizeof *cells);
    char *hex = arena_array(c->arena, n + k, SHA256_HEX_LEN + 1);
    if (!cells || !hex)
        return CTL_FAILED;
    for (size_t i = 0; i < n + k; i++) {
        const struct trust_ca *t = i >= k ? &list[i - k] : NULL;
        struct cert_info info = {0};
        char *h = hex + i * (SHA256_HEX_LEN + 1);
        if (!t && cert_info_read(c->arena, own[i].ca_der, &info, &err) != OK)
            return ctl_failed(&err);
        hex_encode(bytes_of(t ? t->sha256 : info.sha256, SHA256_LEN), h);
        memcpy(&cells[i * 5],
               (struct val[]){val_str(h), val_str(t ? t->subject : info.subject),
                              val_int(t ? t->not_after : info.not_after),
                              t ? val_int(t->added_at) : val_null(),
                              val_str(t ? t->added_by : "Drover's own")},
               5 * sizeof *cells);
    }
    return ctl_list(c, json, cols, 5, cells, n + k);
}

/* --- the next CA --- */

static const char *state_word(int64_t state)
{
    return state < 0 ? "before" : state > 0 ? "next" : "issues";
}

static int64_t used_of(const struct issuer_use *u, size_t n, const char *subject, bool first)
{
    int64_t sum = 0;
    for (size_t i = 0; i < n; i++)
        if (strcmp(u[i].issuer, subject) == 0 || (first && !u[i].issuer[0]))
            sum += u[i].identities;
    return sum;
}

static int status(struct ctl *c, struct db *db, bool json)
{
    static const struct ctl_column cols[] = {{"generation", CTL_INT},
                                             {"state", CTL_TEXT},
                                             {"subject", CTL_TEXT},
                                             {"not_after", CTL_TIME},
                                             {"identities_in_use", CTL_INT}};
    struct sign_authority own[SIGN_AUTHORITIES_MAX];
    struct issuer_use *u;
    struct err err;
    size_t n, k;
    if (own_cas(c, own, &k, &err) != OK || issuers_in_use(db, c->arena, &u, &n, &err) != OK)
        return ctl_failed(&err);
    struct val *cells = arena_array(c->arena, k * 5, sizeof *cells);
    for (size_t i = 0; cells && i < k; i++) {
        struct cert_info info;
        if (cert_info_read(c->arena, own[i].ca_der, &info, &err) != OK)
            return ctl_failed(&err);
        memcpy(&cells[i * 5],
               (struct val[]){val_int(own[i].generation), val_str(state_word(own[i].state)),
                              val_str(info.subject), val_int(info.not_after),
                              val_int(used_of(u, n, info.subject, own[i].generation == 1))},
               5 * sizeof *cells);
    }
    return cells ? ctl_list(c, json, cols, 5, cells, k) : CTL_FAILED;
}

/* next, switch, retire GENERATION */
static int change(struct ctl *c, struct db *db, const char *what, const char *number, bool force)
{
    struct sign_authority own[SIGN_AUTHORITIES_MAX];
    struct issuer_use *u;
    struct err err;
    size_t n, k;
    long long generation = number ? atoll(number) : 0;
    if (own_cas(c, own, &k, &err) != OK || issuers_in_use(db, c->arena, &u, &n, &err) != OK)
        return ctl_failed(&err);
    for (size_t i = 0; i < k; i++) {
        struct cert_info info;
        if (own[i].generation != generation || force)
            continue;
        if (cert_info_read(c->arena, own[i].ca_der, &info, &err) != OK)
            return ctl_failed(&err);
        int64_t used = used_of(u, n, info.subject, generation == 1);
        if (used > 0) {
            err_set(&err, CONFLICT,
                    "%lld devices use identities of %s and would be shut out; wait for their "
                    "renewal, or say --force",
                    (long long)used, info.subject);
            return ctl_failed(&err);
        }
    }
    if (sign_ca_change(what, generation, &err) != OK ||
        trust_own_changed(db, arena_fmt(c->arena, "ca.%s", what), number ? number : "device CA",
                          c->actor, &err) != OK)
        return ctl_failed(&err);
    if (strcmp(what, "next") == 0)
        puts("The next CA is made and believed. Let every web server read the new bundle (on other "
             "hosts: droverctl ca bundle), give clients of SCEP time to fetch it, then: droverctl "
             "ca switch");
    else if (strcmp(what, "switch") == 0)
        puts("The next CA issues now. Identities of the one before are good until they end or are "
             "renewed; droverctl ca status counts them, droverctl ca retire ends that CA.");
    else
        puts("That CA is believed no longer.");
    return bundle_write(c, db, false, true);
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

/* The list of a trusted CA. */
static int crl_store(struct ctl *c, struct db *db, const char *path)
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

/* The lists of Drover's own CAs. */
static int crl_make(struct ctl *c, struct db *db)
{
    struct err err;
    size_t made;
    sign_client_setup(c->conf->run_dir, SIGN_CTL);
    if (crl_run(db, c->conf, true, &made, &err) != OK)
        return ctl_failed(&err);
    printf("%zu revocation lists are made.\n", made);
    return CTL_OK;
}

static int untrust(struct ctl *c, struct db *db, const char *text)
{
    char hex[SHA256_HEX_LEN + 1], digits[SHA256_HEX_LEN + 1];
    bool given = fingerprint_digits(text, digits);
    const struct trust_ca *hit = NULL;
    struct trust_ca *list;
    struct err err;
    size_t n, hits = 0;
    if (trust_ca_list(db, c->arena, &list, &n, &err) != OK)
        return ctl_failed(&err);
    for (size_t i = 0; given && i < n; i++) {
        hex_encode(bytes_of(list[i].sha256, SHA256_LEN), hex);
        if (strncmp(hex, digits, strlen(digits)) == 0) {
            hit = &list[i];
            hits++;
        }
    }
    if (hits != 1)
        return ctl_wrong("\"%s\" does not name one CA; give at least the first %d digits of a "
                         "SHA-256 that droverctl ca show tells",
                         text, FINGERPRINT_DIGITS);
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
    /* whether a verb takes something: 0 nothing, 1 it must, 2 it may */
    static const struct {
        const char *word;
        int takes;
    } verbs[] = {{"init", 0},   {"show", 0},   {"trust", 1},  {"untrust", 1}, {"next", 0},
                 {"switch", 0}, {"retire", 1}, {"status", 0}, {"bundle", 0},  {"crl", 2}};
    const char *rest[2];
    bool json = false, force = false;
    const struct ctl_option options[] = {{.name = "json", .flag = &json},
                                         {.name = "force", .flag = &force}};
    size_t i = 0, n = sizeof verbs / sizeof *verbs;
    struct db *db;
    if (ctl_args(argc, argv, options, 2, rest, 1, 2) < 0)
        return CTL_USAGE;
    if (strcmp(rest[0], "list") == 0)
        rest[0] = "show";
    while (i < n && strcmp(verbs[i].word, rest[0]) != 0)
        i++;
    if (i == n)
        return ctl_wrong("ca: there is no \"%s\"", rest[0]);
    if (verbs[i].takes != 2 && (verbs[i].takes == 1) != (rest[1] != NULL))
        return ctl_wrong("ca %s: %s", rest[0], verbs[i].takes ? "what?" : "takes no argument");
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
    if (strcmp(rest[0], "status") == 0)
        return status(c, db, json);
    if (strcmp(rest[0], "bundle") == 0)
        return bundle_write(c, db, true, true);
    if (strcmp(rest[0], "crl") == 0)
        return rest[1] ? crl_store(c, db, rest[1]) : crl_make(c, db);
    return change(c, db, rest[0], rest[1], force);
}

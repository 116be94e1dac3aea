/* signer_keys.c: the signer's files: making them once, reading them at the start. */
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/clock.h"
#include "proc/signer.h"
#include "proc/signer_int.h"
#include "wire/encode.h"

#define FILE_MAX (64u * LIM_KB)
#define CA_BITS 3072 /* lives ten years: beyond what is thought enough for 2048 bits */
#define CA_BITS_MAX 4096
#define LEAF_BITS 2048
#define CA_YEARS 10
#define LEAF_YEARS 5
#define YEAR_US (365 * DAY_US)

static bool path_of(char out[4096], const char *dir, const char *name, const char *ext)
{
    int n = snprintf(out, 4096, "%s/%s%s", dir, name, ext);
    return n > 0 && n < 4096;
}

static bool exists(const char *dir, const char *name, const char *ext)
{
    char path[4096];
    return path_of(path, dir, name, ext) && access(path, F_OK) == 0;
}

/* Who the files are to belong to: -1 leaves the owner alone. */
static enum outcome owner_of(const struct conf *conf, uid_t *uid, gid_t *gid, struct err *err)
{
    *uid = (uid_t)-1;
    *gid = (gid_t)-1;
    if (!conf->signer_user[0] || geteuid() != 0)
        return OK;
    struct passwd *pw = getpwnam(conf->signer_user);
    if (!pw)
        return err_set(err, INVALID, "[signer] user: there is no account \"%s\"",
                       conf->signer_user);
    *uid = pw->pw_uid;
    *gid = pw->pw_gid;
    return OK;
}

/* Where and for whom files are made. */
struct place {
    const char *dir;
    uid_t uid;
    gid_t gid;
};

/* Writes a new file whole or not at all: under another name, synced, then linked into place, which
 * fails where a file is already. */
static enum outcome file_make(const struct place *at, const char *name, const char *ext,
                              struct bytes b, mode_t mode, struct err *err)
{
    char path[4096], tmp[4096];
    if (!path_of(path, at->dir, name, ext) || !path_of(tmp, at->dir, name, ".new"))
        return err_set(err, ERROR, "the path of the signer's folder is too long");
    int fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_set(err, ERROR, "%s: %m", tmp);
    enum outcome o = OK;
    if (write(fd, b.p, b.n) != (ssize_t)b.n || fchmod(fd, mode) != 0 ||
        (at->uid != (uid_t)-1 && fchown(fd, at->uid, at->gid) != 0) || fsync(fd) != 0 ||
        link(tmp, path) != 0)
        o = err_set(err, ERROR, "%s: %m", path);
    close(fd);
    unlink(tmp);
    return o;
}

static enum outcome dir_make(const struct place *at, const char *path, mode_t mode, struct err *err)
{
    if (mkdir(path, mode) != 0 && errno != EEXIST)
        return err_set(err, ERROR, "%s: %m", path);
    if (chmod(path, mode) != 0 || (at->uid != (uid_t)-1 && chown(path, at->uid, at->gid) != 0))
        return err_set(err, ERROR, "%s: %m", path);
    return OK;
}

/* The content of a file in a; secrets are the caller's to wipe with the arena. */
static enum outcome path_read(struct arena *a, const char *path, struct bytes *out, struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_set(err, errno == ENOENT ? NOT_FOUND : ERROR, "%s: %m", path);
    uint8_t *p = arena_alloc(a, FILE_MAX + 1);
    ssize_t n = p ? read(fd, p, FILE_MAX + 1) : -1;
    close(fd);
    if (n <= 0 || n > (ssize_t)FILE_MAX)
        return err_set(err, ERROR, "%s: empty, unreadable or past %u octets", path, FILE_MAX);
    *out = bytes_of(p, (size_t)n);
    return OK;
}

static enum outcome file_read(struct arena *a, const char *dir, const char *name, const char *ext,
                              struct bytes *out, struct err *err)
{
    char path[4096];
    if (!path_of(path, dir, name, ext))
        return err_set(err, ERROR, "the path of the signer's folder is too long");
    return path_read(a, path, out, err);
}

static enum outcome pair_load(struct arena *keep, struct arena *scratch, const char *dir,
                              const char *name, struct signer_pair *out, struct err *err)
{
    struct bytes pem;
    size_t n = 0;
    enum outcome o = file_read(scratch, dir, name, ".key", &pem, err);
    if (o == OK)
        o = pkey_from_pem(pem, &out->key, err);
    if (o == OK)
        o = file_read(scratch, dir, name, ".pem", &pem, err);
    if (o == OK)
        o = cert_from_pem(keep, pem, &out->cert, 1, &n, err);
    if (o == OK)
        o = pkey_matches(out->key, out->cert, err);
    if (o != OK)
        err_prefix(err, "%s of the signer (\"droverctl ca init\" makes it)", name);
    return o;
}

static enum outcome seal_load(struct arena *scratch, const char *dir, struct seal_pair *out,
                              struct err *err)
{
    struct bytes priv;
    enum outcome o = file_read(scratch, dir, "seal", ".key", &priv, err);
    if (o == OK)
        o = seal_public_load(dir, out->pub, err);
    if (o == OK && priv.n != SEAL_KEY_LEN)
        o = err_set(err, ERROR, "%s/seal.key: %zu octets, a key has %d", dir, priv.n, SEAL_KEY_LEN);
    if (o != OK)
        return o;
    memcpy(out->priv, priv.p, SEAL_KEY_LEN);
    /* Do the halves belong together? What one seals the other must open. */
    struct buf sealed = BUF_INIT(SEAL_OVERHEAD + 1), opened = BUF_INIT(16);
    o = seal(out->pub, "check", bytes_str("x"), &sealed, err);
    if (o == OK)
        o = seal_open(out, "check", buf_bytes(&sealed), &opened, err);
    if (o != OK)
        err_prefix(err, "%s/seal.key and seal.pub", dir);
    buf_free(&sealed);
    buf_free(&opened);
    return o;
}

static enum outcome chain_load(const struct conf *conf, struct arena *scratch,
                               struct signer_keys *k, struct err *err)
{
    struct bytes pem;
    if (!conf->profile_chain[0]) {
        k->chain[0] = k->ca.cert;
        k->nchain = 1;
        return OK;
    }
    enum outcome o = path_read(scratch, conf->profile_chain, &pem, err);
    if (o == OK)
        o = cert_from_pem(k->arena, pem, k->chain, SIGNER_CHAIN_MAX, &k->nchain, err);
    if (o != OK)
        err_prefix(err, "[enroll] profile_chain");
    return o;
}

enum outcome signer_keys_load(const struct conf *conf, struct signer_keys *k, struct err *err)
{
    const char *dir = conf->signer_dir;
    *k = (struct signer_keys){.arena = arena_new(LIM_MB)};
    struct arena *scratch = arena_new(LIM_MB);
    struct cert_info ca = {0};
    enum outcome o = OK;
    if (!k->arena || !scratch)
        o = err_set(err, ERROR, "out of memory");
    if (o == OK)
        o = pair_load(k->arena, scratch, dir, "ca", &k->ca, err);
    if (o == OK)
        o = pair_load(k->arena, scratch, dir, "ra", &k->ra, err);
    if (o == OK)
        o = pair_load(k->arena, scratch, dir, "profile", &k->profile, err);
    if (o == OK)
        o = chain_load(conf, scratch, k, err);
    if (o == OK)
        o = seal_load(scratch, dir, &k->seal, err);
    if (o == OK)
        o = cert_info_read(k->arena, k->ca.cert, &ca, err);
    k->ca_not_after = ca.not_after;
    if (scratch)
        arena_wipe(scratch);
    arena_free(&scratch);
    if (o != OK)
        signer_keys_free(k);
    return o;
}

void signer_keys_free(struct signer_keys *k)
{
    pkey_free(&k->ca.key);
    pkey_free(&k->ra.key);
    pkey_free(&k->profile.key);
    secret_wipe(&k->seal, sizeof k->seal);
    arena_free(&k->arena);
}

static enum outcome pair_write(const struct place *at, const char *name, const struct pkey *key,
                               struct bytes cert, struct err *err)
{
    struct buf pem = BUF_INIT(FILE_MAX);
    cert_to_pem(cert, &pem);
    enum outcome o = buf_failed(&pem) ? err_set(err, ERROR, "cannot write a certificate as PEM")
                                      : file_make(at, name, ".pem", buf_bytes(&pem), 0644, err);
    buf_clear(&pem);
    if (o == OK)
        o = pkey_to_pem(key, &pem, err);
    if (o == OK)
        o = file_make(at, name, ".key", buf_bytes(&pem), 0600, err);
    buf_wipe(&pem);
    return o;
}

/* NAME.key and NAME.pem; issuer NULL: self-signed. Nothing to do when both are there. */
static enum outcome pair_make(const struct place *at, const char *name, int bits,
                              struct cert_profile *p, const struct signer_pair *issuer,
                              struct err *err)
{
    bool key = exists(at->dir, name, ".key"), cert = exists(at->dir, name, ".pem");
    if (key && cert)
        return OK;
    if (key || cert)
        return err_set(err, INVALID,
                       "%s has %s%s but not the other half: restore it, or remove "
                       "this one too",
                       at->dir, name, key ? ".key" : ".pem");
    struct pkey *k = NULL;
    struct buf der = BUF_INIT(FILE_MAX);
    enum outcome o = pkey_new_rsa(bits, &k, err);
    if (o == OK)
        o = cert_issue(p, bytes_of(NULL, 0), k, issuer ? issuer->cert : bytes_of(NULL, 0),
                       issuer ? issuer->key : k, &der, err);
    if (o == OK)
        o = pair_write(at, name, k, buf_bytes(&der), err);
    buf_free(&der);
    pkey_free(&k);
    return o;
}

static enum outcome seal_make(const struct place *at, struct err *err)
{
    bool key = exists(at->dir, "seal", ".key"), pub = exists(at->dir, "seal", ".pub");
    if (key && pub)
        return OK;
    if (key || pub)
        return err_set(err, INVALID,
                       "%s has one half of seal.key and seal.pub: what is sealed "
                       "already needs both; restore the other",
                       at->dir);
    struct seal_pair pair;
    enum outcome o = seal_pair_new(&pair, err);
    if (o == OK)
        o = file_make(at, "seal", ".pub", bytes_of(pair.pub, SEAL_KEY_LEN), 0644, err);
    if (o == OK)
        o = file_make(at, "seal", ".key", bytes_of(pair.priv, SEAL_KEY_LEN), 0600, err);
    secret_wipe(&pair, sizeof pair);
    return o;
}

static int ca_bits(const struct conf *conf)
{
    return conf->signer_ca_bits >= LEAF_BITS && conf->signer_ca_bits <= CA_BITS_MAX
               ? (int)conf->signer_ca_bits
               : CA_BITS;
}

/* The CA, then what it issues. The RA and profile certificates carry emailProtection, S/MIME's
 * purpose, and so never pass for a device's identity (clientAuth). */
static enum outcome chain_make(const struct place *at, const struct conf *conf,
                               const char *organization, struct err *err)
{
    char ca_name[65], ra_name[65], profile_name[65]; /* X.520: a commonName has 64 characters */
    snprintf(ca_name, sizeof ca_name, "%.50s Device CA", organization);
    snprintf(ra_name, sizeof ra_name, "%.50s SCEP RA", organization);
    snprintf(profile_name, sizeof profile_name, "%.50s Profiles", organization);
    int64_t now = clock_now();
    struct cert_profile ca = {.common_name = ca_name,
                              .organization = organization,
                              .not_before = now - HOUR_US, /* devices whose clock is behind */
                              .not_after = now + CA_YEARS * YEAR_US,
                              .ca = true,
                              .path_len = 0};
    enum outcome o = pair_make(at, "ca", ca_bits(conf), &ca, NULL, err);
    if (o != OK || (exists(at->dir, "ra", ".key") && exists(at->dir, "ra", ".pem") &&
                    exists(at->dir, "profile", ".key") && exists(at->dir, "profile", ".pem")))
        return o;
    struct signer_pair issuer = {0};
    struct arena *keep = arena_new(LIM_MB), *scratch = arena_new(LIM_MB);
    if (!keep || !scratch)
        o = err_set(err, ERROR, "out of memory");
    else
        o = pair_load(keep, scratch, at->dir, "ca", &issuer, err);
    struct cert_profile leaf = {.common_name = ra_name,
                                .organization = organization,
                                .not_before = now - HOUR_US,
                                .not_after = now + LEAF_YEARS * YEAR_US,
                                .email_protection = true};
    if (o == OK)
        o = pair_make(at, "ra", LEAF_BITS, &leaf, &issuer, err);
    leaf.common_name = profile_name;
    leaf.code_signing = true;
    if (o == OK)
        o = pair_make(at, "profile", LEAF_BITS, &leaf, &issuer, err);
    pkey_free(&issuer.key);
    if (scratch)
        arena_wipe(scratch);
    arena_free(&scratch);
    arena_free(&keep);
    return o;
}

enum outcome signer_setup(const struct conf *conf, const char *organization, struct err *err)
{
    struct place at = {.dir = conf->signer_dir};
    char tickets[4096];
    if (!organization[0] || strlen(organization) > 64)
        return err_set(err, INVALID, "an organization has 1 to 64 octets");
    if (!path_of(tickets, at.dir, "tickets", ""))
        return err_set(err, ERROR, "the path of the signer's folder is too long");
    enum outcome o = owner_of(conf, &at.uid, &at.gid, err);
    if (o == OK)
        o = dir_make(&at, at.dir, 0711, err);
    if (o == OK)
        o = dir_make(&at, tickets, 0700, err);
    if (o == OK)
        o = chain_make(&at, conf, organization, err);
    if (o == OK)
        o = seal_make(&at, err);
    return o;
}

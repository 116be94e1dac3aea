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

/* Writes a new file whole or not at all: under another name, synced, then linked into place, which
 * fails where a file is already. */
static enum outcome file_make(const struct signer_place *at, const char *name, const char *ext,
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

static enum outcome dir_make(const struct signer_place *at, const char *path, mode_t mode,
                             struct err *err)
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
        for (size_t i = 0; i < k->nauth; i++)
            if (cert_issued_by(k->profile.cert, k->auth[i].ca.cert, NULL) == OK)
                k->chain[0] = k->auth[i].ca.cert;
        return OK;
    }
    enum outcome o = path_read(scratch, conf->profile_chain, &pem, err);
    if (o == OK)
        o = cert_from_pem(k->arena, pem, k->chain, SIGNER_CHAIN_MAX, &k->nchain, err);
    if (o != OK)
        err_prefix(err, "[enroll] profile_chain");
    return o;
}

const char *signer_pair_name(char out[32], const char *what, int generation)
{
    if (generation == 1)
        snprintf(out, 32, "%s", what);
    else
        snprintf(out, 32, "%s-%d", what, generation);
    return out;
}

enum outcome signer_generation_read(const char *dir, int *generation, struct err *err)
{
    struct arena *a = arena_new(2 * FILE_MAX);
    struct bytes text;
    *generation = 1;
    if (!a)
        return err_set(err, ERROR, "out of memory");
    enum outcome o = file_read(a, dir, "ca", ".current", &text, err);
    if (o == OK) {
        const char *s = arena_strndup(a, (const char *)text.p, text.n);
        *generation = s ? atoi(s) : 0;
        if (*generation < 1 || *generation > SIGNER_GENERATION_MAX)
            o = err_set(err, ERROR, "%s/ca.current holds no number of a CA", dir);
    }
    arena_free(&a);
    return o == NOT_FOUND ? OK : o;
}

enum outcome signer_generation_write(const struct signer_place *at, int generation, struct err *err)
{
    char text[16], made[4096], path[4096];
    snprintf(text, sizeof text, "%d\n", generation);
    if (!path_of(made, at->dir, "ca.current", ".made") || !path_of(path, at->dir, "ca", ".current"))
        return err_set(err, ERROR, "the path of the signer's folder is too long");
    unlink(made); /* of a change that was cut off */
    enum outcome o = file_make(at, "ca.current", ".made", bytes_str(text), 0644, err);
    if (o == OK && rename(made, path) != 0)
        o = err_set(err, ERROR, "%s: %m", path);
    return o;
}

/* Every generation that is there; the retired have another name. */
static enum outcome authorities_load(const char *dir, struct arena *scratch, struct signer_keys *k,
                                     struct err *err)
{
    int now;
    enum outcome o = signer_generation_read(dir, &now, err);
    for (int g = 1; o == OK && g <= SIGNER_GENERATION_MAX; g++) {
        char name[32];
        if (g != now && !exists(dir, signer_pair_name(name, "ca", g), ".pem"))
            continue;
        if (k->nauth == SIGNER_AUTHORITIES_MAX)
            return err_set(err, ERROR, "more than %d CAs: retire the oldest (droverctl ca retire)",
                           SIGNER_AUTHORITIES_MAX);
        struct signer_authority *a = &k->auth[k->nauth++];
        a->generation = g;
        o = pair_load(k->arena, scratch, dir, signer_pair_name(name, "ca", g), &a->ca, err);
        if (o == OK)
            o = pair_load(k->arena, scratch, dir, signer_pair_name(name, "ra", g), &a->ra, err);
        if (g == now)
            k->now = k->nauth - 1;
    }
    k->ca = k->auth[k->now].ca;
    k->ra = k->auth[k->now].ra;
    return o;
}

/* The profile signer of the generation that issues, or of the last before it that has one. */
static enum outcome profile_load(const char *dir, struct arena *scratch, struct signer_keys *k,
                                 struct err *err)
{
    char name[32];
    int g = k->auth[k->now].generation;
    while (g > 1 && !exists(dir, signer_pair_name(name, "profile", g), ".pem"))
        g--;
    return pair_load(k->arena, scratch, dir, signer_pair_name(name, "profile", g), &k->profile,
                     err);
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
        o = authorities_load(dir, scratch, k, err);
    if (o == OK)
        o = profile_load(dir, scratch, k, err);
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

bool signer_keys_none(const struct conf *conf)
{
    static const char *const names[] = {"ca.key",   "ca.pem",      "ra.key",
                                        "ra.pem",   "profile.key", "profile.pem",
                                        "seal.key", "seal.pub",    "ca.current"};
    char path[4096];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!path_of(path, conf->signer_dir, names[i], "") || access(path, F_OK) == 0 ||
            errno != ENOENT) /* what cannot be seen may be there */
            return false;
    return true;
}

void signer_keys_free(struct signer_keys *k)
{
    for (size_t i = 0; i < k->nauth; i++) {
        pkey_free(&k->auth[i].ca.key);
        pkey_free(&k->auth[i].ra.key);
    }
    k->nauth = 0;
    k->ca.key = k->ra.key = NULL;
    pkey_free(&k->profile.key);
    secret_wipe(&k->seal, sizeof k->seal);
    arena_free(&k->arena);
}

static enum outcome pair_write(const struct signer_place *at, const char *name,
                               const struct pkey *key, struct bytes cert, struct err *err)
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
static enum outcome pair_make(const struct signer_place *at, const char *name, int bits,
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

static enum outcome seal_make(const struct signer_place *at, struct err *err)
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

/* "Example Device CA", from the second generation on "Example Device CA 2". */
static void name_make(char out[65], const char *organization, const char *what, int generation)
{
    if (generation == 1)
        snprintf(out, 65, "%.50s %s", organization, what); /* X.520: a commonName has 64 */
    else
        snprintf(out, 65, "%.48s %s %d", organization, what, generation);
}

/* The certificates of a CA that is there. They carry emailProtection, S/MIME's purpose, and so
 * never pass for a device's identity (clientAuth). */
static enum outcome leaves_make(const struct signer_place *at, const char *organization,
                                int generation, bool with_profile, int64_t now, struct err *err)
{
    char name[65], file[32];
    struct signer_pair issuer = {0};
    struct arena *keep = arena_new(LIM_MB), *scratch = arena_new(LIM_MB);
    enum outcome o = keep && scratch
                         ? pair_load(keep, scratch, at->dir,
                                     signer_pair_name(file, "ca", generation), &issuer, err)
                         : err_set(err, ERROR, "out of memory");
    struct cert_profile leaf = {.common_name = name,
                                .organization = organization,
                                .not_before = now - HOUR_US,
                                .not_after = now + LEAF_YEARS * YEAR_US,
                                .email_protection = true};
    name_make(name, organization, "SCEP RA", generation);
    if (o == OK)
        o = pair_make(at, signer_pair_name(file, "ra", generation), LEAF_BITS, &leaf, &issuer, err);
    name_make(name, organization, "Profiles", generation);
    leaf.code_signing = true;
    if (o == OK && with_profile)
        o = pair_make(at, signer_pair_name(file, "profile", generation), LEAF_BITS, &leaf, &issuer,
                      err);
    pkey_free(&issuer.key);
    if (scratch)
        arena_wipe(scratch);
    arena_free(&scratch);
    arena_free(&keep);
    return o;
}

static bool both_exist(const char *dir, const char *what, int generation)
{
    char file[32];
    signer_pair_name(file, what, generation);
    return exists(dir, file, ".key") && exists(dir, file, ".pem");
}

enum outcome signer_generation_make(const struct signer_place *at, const struct conf *conf,
                                    const char *organization, int generation, bool with_profile,
                                    struct err *err)
{
    char name[65], file[32];
    int64_t now = clock_now();
    struct cert_profile ca = {.common_name = name,
                              .organization = organization,
                              .not_before = now - HOUR_US, /* devices whose clock is behind */
                              .not_after = now + CA_YEARS * YEAR_US,
                              .ca = true,
                              .path_len = 0};
    name_make(name, organization, "Device CA", generation);
    enum outcome o =
        pair_make(at, signer_pair_name(file, "ca", generation), ca_bits(conf), &ca, NULL, err);
    if (o != OK || (both_exist(at->dir, "ra", generation) &&
                    (!with_profile || both_exist(at->dir, "profile", generation))))
        return o;
    return leaves_make(at, organization, generation, with_profile, now, err);
}

enum outcome signer_setup(const struct conf *conf, const char *organization, struct err *err)
{
    struct signer_place at = {.dir = conf->signer_dir};
    char tickets[4096];
    int generation = 1;
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
        o = signer_generation_read(at.dir, &generation, err);
    if (o == OK) /* a profile signer of an earlier generation, or one's own, is good enough */
        o = signer_generation_make(&at, conf, organization, generation,
                                   generation == 1 || !both_exist(at.dir, "profile", 1), err);
    if (o == OK)
        o = seal_make(&at, err);
    return o;
}

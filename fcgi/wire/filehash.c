/* filehash.c: see filehash.h. */
#include "wire/filehash.h"

#include "wire/encode.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK (256u * 1024u)

static const char *hex(struct arena *a, const uint8_t *p, size_t n)
{
    char *text = arena_alloc(a, 2 * n + 1);

    if (text != NULL)
        hex_encode(bytes_of(p, n), text);
    return text;
}

/* One part: both digests of up to `part` octets, which go into the whole's too. */
static enum outcome part_read(struct arena *a, int fd, size_t part, uint8_t *room, EVP_MD_CTX **ctx,
                              struct filehash *out, struct err *err)
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    size_t done = 0;

    if (!EVP_DigestInit_ex(ctx[1], EVP_sha256(), NULL) ||
        !EVP_DigestInit_ex(ctx[2], EVP_md5(), NULL))
        return err_set(err, ERROR, "a digest cannot be made");
    while (done < part) {
        size_t most = part - done < BLOCK ? part - done : BLOCK;
        ssize_t k = read(fd, room, most);

        if (k < 0 && errno == EINTR)
            continue;
        if (k < 0)
            return err_set(err, ERROR, "reading the file: %m");
        if (k == 0)
            break;
        for (int i = 0; i < 3; i++)
            if (!EVP_DigestUpdate(ctx[i], room, (size_t)k))
                return err_set(err, ERROR, "a digest cannot be made");
        done += (size_t)k;
    }
    if (done == 0)
        return OK;
    out->size += (int64_t)done;
    for (int i = 1; i < 3; i++) {
        const char *text = EVP_DigestFinal_ex(ctx[i], digest, &n) ? hex(a, digest, n) : NULL;

        if (text == NULL)
            return err_set(err, ERROR, "out of memory");
        (i == 1 ? out->sha256s : out->md5s)[out->n] = text;
    }
    out->n++;
    return OK;
}

enum outcome filehash_read(struct arena *a, int fd, size_t part, struct filehash *out,
                           struct err *err)
{
    EVP_MD_CTX *ctx[3] = {EVP_MD_CTX_new(), EVP_MD_CTX_new(), EVP_MD_CTX_new()};
    uint8_t *room = malloc(BLOCK);
    struct stat st;
    size_t most, before;
    enum outcome o = OK;

    *out = (struct filehash){0};
    if (fstat(fd, &st) != 0 || lseek(fd, 0, SEEK_SET) != 0)
        o = err_set(err, ERROR, "the file cannot be read: %m");
    most = o == OK ? (size_t)st.st_size / part + 2 : 0;
    out->sha256s = arena_array(a, most, sizeof *out->sha256s);
    out->md5s = arena_array(a, most, sizeof *out->md5s);
    if (o == OK && (room == NULL || out->sha256s == NULL || out->md5s == NULL || !ctx[0] ||
                    !ctx[1] || !ctx[2] || !EVP_DigestInit_ex(ctx[0], EVP_sha256(), NULL)))
        o = err_set(err, ERROR, "out of memory");
    do {
        before = out->n;
        if (o == OK)
            o = part_read(a, fd, part, room, ctx, out, err);
    } while (o == OK && out->n > before && out->n + 1 < most);
    if (o == OK && !EVP_DigestFinal_ex(ctx[0], out->sha256, NULL))
        o = err_set(err, ERROR, "a digest cannot be made");
    for (int i = 0; i < 3; i++)
        EVP_MD_CTX_free(ctx[i]);
    free(room);
    return o;
}

/* archive.c: see archive.h. The child writes what it found as NAME, length and octets; a line of
 * text instead says what is wrong. */
#include "wire/archive.h"

#include "base/buf.h"
#include "base/clock.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define SECONDS_MAX 60
#define CPU_SECONDS_MAX 15
#define MEMORY_MAX (512u * 1024u * 1024u)
#define BLOCK 65536

enum { DONE, BAD, NOTHING, BROKEN }; /* how the child ends */

/* ---- in the child ---- */

static void put(int fd, const void *p, size_t n)
{
    for (const char *at = p; n > 0;) {
        ssize_t k = write(fd, at, n);

        if (k < 0 && errno == EINTR)
            continue;
        if (k <= 0)
            _exit(BROKEN);
        at += k;
        n -= (size_t)k;
    }
}

static _Noreturn void bad(int fd, const char *why, const char *more)
{
    char text[300];
    int n = snprintf(text, sizeof text, "%s%s%s", why, more != NULL ? ": " : "",
                     more != NULL ? more : "");

    put(fd, text, n < (int)sizeof text ? (size_t)n : sizeof text - 1);
    _exit(BAD);
}

/* Address space as it is, and so much more. A sanitizer takes terabytes of it. */
static void limits_set(void)
{
    struct rlimit cpu = {CPU_SECONDS_MAX, CPU_SECONDS_MAX}, core = {0, 0};

    setrlimit(RLIMIT_CPU, &cpu);
    setrlimit(RLIMIT_CORE, &core);
#if !defined(__SANITIZE_ADDRESS__)
    unsigned long pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");

    if (f == NULL || fscanf(f, "%lu", &pages) != 1)
        _exit(BROKEN);
    fclose(f);
    rlim_t most = (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE) + MEMORY_MAX;
    struct rlimit memory = {most, most};
    setrlimit(RLIMIT_AS, &memory);
#endif
}

static bool name_safe(const char *s)
{
    if (s[0] == '/' || strlen(s) > ARCHIVE_NAME_MAX || strchr(s, '\\') != NULL)
        return false;
    for (const char *p = s; *p != '\0'; p += strcspn(p, "/"), p += *p == '/')
        if (p[0] == '.' && p[1] == '.' && (p[2] == '/' || p[2] == '\0'))
            return false;
    for (; *s != '\0'; s++)
        if ((unsigned char)*s < 0x20 || *s == 0x7f)
            return false;
    return true;
}

static bool wanted(const char *name, const char *const *patterns)
{
    while (name[0] == '.' && name[1] == '/')
        name += 2;
    for (; *patterns != NULL; patterns++)
        if (fnmatch(*patterns, name, FNM_PATHNAME) == 0)
            return true;
    return false;
}

static void give(int fd, struct archive *ar, const char *name, size_t *left)
{
    static char content[ARCHIVE_FOUND_MAX];
    uint32_t sizes[2] = {(uint32_t)strlen(name), 0};
    la_ssize_t k;
    size_t n = 0;

    while ((k = archive_read_data(ar, content + n, *left - n < BLOCK ? *left - n : BLOCK)) > 0) {
        n += (size_t)k;
        if (n == *left)
            bad(fd, "a file in it is too long", name);
    }
    if (k < 0)
        bad(fd, "a file in it is damaged", name);
    sizes[1] = (uint32_t)n;
    put(fd, sizes, sizeof sizes);
    put(fd, name, sizes[0]);
    put(fd, content, n);
    *left -= n;
}

/* Of what the process has open it keeps the file and the way to tell of it: connections of others
 * are no business of who reads what somebody has uploaded. */
static void descriptors_leave(int fd, int in)
{
    if (dup2(in, STDIN_FILENO) < 0 || dup2(fd, STDOUT_FILENO) < 0 ||
        close_range(STDERR_FILENO + 1, ~0u, 0) != 0)
        _exit(BROKEN);
}

static _Noreturn void look(const char *const *patterns)
{
    int fd = STDOUT_FILENO;
    struct archive *ar = archive_read_new();
    struct archive_entry *e;
    size_t entries = 0, found = 0, left = ARCHIVE_FOUND_MAX;
    int r = ARCHIVE_EOF;

    limits_set();
    if (ar == NULL || archive_read_support_format_zip(ar) != ARCHIVE_OK ||
        archive_read_support_format_xar(ar) != ARCHIVE_OK)
        _exit(BROKEN);
    if (archive_read_open_fd(ar, STDIN_FILENO, BLOCK) != ARCHIVE_OK)
        bad(fd, "no archive of apps (.ipa, .pkg)", NULL);
    while (found < ARCHIVE_FILES_MAX && (r = archive_read_next_header(ar, &e)) == ARCHIVE_OK) {
        const char *name = archive_entry_pathname(e);

        if (++entries > ARCHIVE_ENTRIES_MAX)
            bad(fd, "more files in it than are taken", NULL);
        if (name == NULL || !name_safe(name))
            bad(fd, "the name of a file in it leads out of it, or is none", NULL);
        if (archive_entry_filetype(e) != AE_IFREG || !wanted(name, patterns))
            continue;
        give(fd, ar, name, &left);
        found++;
    }
    if (found < ARCHIVE_FILES_MAX && r != ARCHIVE_EOF)
        bad(fd, "it is damaged", archive_error_string(ar));
    _exit(found > 0 ? DONE : NOTHING);
}

/* ---- in the parent ---- */

static enum outcome hear(int fd, struct buf *out, struct err *err)
{
    int64_t deadline = clock_mono() + SECONDS_MAX * SECOND_US;
    char part[BLOCK];

    for (;;) {
        int64_t left = deadline - clock_mono();
        struct pollfd p = {.fd = fd, .events = POLLIN};
        int ready = left > 0 ? poll(&p, 1, (int)(left / 1000) + 1) : 0;
        ssize_t n;

        if (ready < 0 && errno == EINTR)
            continue;
        if (ready <= 0)
            return err_set(err, INVALID, "looking into the archive takes too long");
        n = read(fd, part, sizeof part);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_set(err, ERROR, "pipe: %m");
        if (n == 0)
            return OK;
        buf_add(out, part, (size_t)n);
    }
}

static enum outcome archive_outcome(int status, const struct buf *said, struct err *err)
{
    if (!WIFEXITED(status))
        return err_set(err, INVALID,
                       "looking into the archive takes more memory or time than is "
                       "good");
    switch (WEXITSTATUS(status)) {
    case DONE:
        return buf_failed(said) ? err_set(err, ERROR, "out of memory") : OK;
    case BAD:
        return err_set(err, INVALID, "%s", buf_cstr(said));
    case NOTHING:
        return err_set(err, NOT_FOUND, "what was looked for is not in the archive");
    default:
        return err_set(err, INVALID, "looking into the archive takes more memory than is good");
    }
}

static enum outcome files_read(struct arena *a, struct bytes b, struct archive_file *out, size_t *n,
                               struct err *err)
{
    while (b.n > 0 && *n < ARCHIVE_FILES_MAX) {
        uint32_t sizes[2];

        if (b.n < sizeof sizes)
            return err_set(err, ERROR, "the archive's reader said something else");
        memcpy(sizes, b.p, sizeof sizes);
        if (sizes[0] > b.n - sizeof sizes || sizes[1] > b.n - sizeof sizes - sizes[0])
            return err_set(err, ERROR, "the archive's reader said something else");
        out[*n].name = arena_strndup(a, (const char *)b.p + sizeof sizes, sizes[0]);
        out[*n].content = arena_bytes(a, bytes_of(b.p + sizeof sizes + sizes[0], sizes[1]));
        if (out[*n].name == NULL || out[*n].content.p == NULL)
            return err_set(err, ERROR, "out of memory");
        b.p += sizeof sizes + sizes[0] + sizes[1];
        b.n -= sizeof sizes + sizes[0] + sizes[1];
        ++*n;
    }
    return OK;
}

enum outcome archive_find(struct arena *a, const char *path, const char *const *patterns,
                          struct archive_file *out, size_t *n, struct err *err)
{
    struct buf said = BUF_INIT(ARCHIVE_FOUND_MAX + ARCHIVE_FILES_MAX * (ARCHIVE_NAME_MAX + 64));
    int in, fds[2], status = 0;
    enum outcome o;
    pid_t child;

    *n = 0;
    if ((in = open(path, O_RDONLY | O_CLOEXEC)) < 0)
        return err_set(err, NOT_FOUND, "%s: %m", path);
    if (pipe2(fds, O_CLOEXEC) != 0) {
        close(in);
        return err_set(err, ERROR, "pipe: %m");
    }
    child = fork();
    if (child == 0) {
        descriptors_leave(fds[1], in);
        look(patterns);
    }
    close(in);
    close(fds[1]);
    if (child < 0) {
        close(fds[0]);
        return err_set(err, ERROR, "fork: %m");
    }
    o = hear(fds[0], &said, err);
    close(fds[0]);
    if (o != OK)
        kill(child, SIGKILL);
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    if (o == OK)
        o = archive_outcome(status, &said, err);
    if (o == OK)
        o = files_read(a, buf_bytes(&said), out, n, err);
    buf_free(&said);
    return o;
}

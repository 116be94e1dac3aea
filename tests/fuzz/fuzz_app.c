/* fuzz_app.c: apps as files: the archive as a whole, and what is taken out of it. An input that
 * begins with "I" or "P" is the Info.plist or PackageInfo that follows; any other an archive. */
#include "base/limits.h"
#include "fuzz.h"
#include "library/app_file.h"
#include "wire/archive.h"

#include <sys/mman.h>
#include <unistd.h>

static void judge(struct arena *a, const char *name, const uint8_t *p, size_t n)
{
    struct archive_file f = {name, bytes_of(p, n)};
    struct app_file app;
    struct err err;

    if (app_file_judge(a, &f, 1, &app, &err) == OK)
        FUZZ_CHECK(app.bundle_id[0] && app.version[0] && app.name[0] && app.platforms);
}

static void whole(struct arena *a, const uint8_t *p, size_t n)
{
    struct app_file app;
    struct err err = {0};
    char path[32];
    int fd = memfd_create("app", 0);

    FUZZ_CHECK(fd >= 0 && write(fd, p, n) == (ssize_t)n);
    snprintf(path, sizeof path, "/dev/fd/%d", fd);
    if (app_file_read(a, path, &app, &err) == OK)
        FUZZ_CHECK(app.bundle_id[0] && app.version[0]);
    close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    static struct arena *a;

    if (!a) {
        a = arena_new(64 * LIM_MB);
        FUZZ_CHECK(a != NULL);
    }
    if (n > 0 && p[0] == 'I')
        judge(a, "Payload/A.app/Info.plist", p + 1, n - 1);
    else if (n > 0 && p[0] == 'P')
        judge(a, "PackageInfo", p + 1, n - 1);
    else
        whole(a, p, n);
    arena_reset(a);
    return 0;
}

/* test_archive.c: apps as files: what is read of good ones, and that bad ones are refused soon and
 * harm nobody. The files are made by Python's zipfile and zlib. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/limits.h"
#include "command/platform.h"
#include "library/app_file.h"
#include "wire/archive.h"

static struct arena *arena;
static struct err err;
static struct app_file app;
static char dir[] = "/tmp/drover-archive-XXXXXX";

/* Makes the files: a name for each in dir. */
static const char MAKE[] =
    "import os, plistlib, struct, sys, zipfile, zlib\n"
    "os.chdir(sys.argv[1])\n"
    "def info(**more):\n"
    "    return plistlib.dumps({'CFBundleIdentifier': 'org.example.a', 'CFBundleVersion': '12',\n"
    "        'CFBundleShortVersionString': '1.2', 'CFBundleName': 'A',\n"
    "        'CFBundleSupportedPlatforms': ['iPhoneOS', 'XROS'], 'MinimumOSVersion': '15.0', "
    "**more})\n"
    "def ipa(name, *files):\n"
    "    with zipfile.ZipFile(name, 'w', zipfile.ZIP_DEFLATED) as z:\n"
    "        for path, content in files: z.writestr(path, content)\n"
    "I = 'Payload/A.app/Info.plist'\n"
    "ipa('good.ipa', ('Payload/A.app/A', b'x' * 99999), (I, info()),\n"
    "    ('Payload/A.app/X.app/Info.plist', info(CFBundleIdentifier='no')))\n"
    "ipa('two.ipa', (I, info()), ('Payload/B.app/Info.plist', info()))\n"
    "ipa('none.ipa', ('README', b'x'))\n"
    "ipa('up.ipa', ('../../etc/cron.d/x', b'x'), (I, info()))\n"
    "ipa('absolute.ipa', ('/etc/x', b'x'), (I, info()))\n"
    "ipa('inner.ipa', ('Payload/../x', b'x'), (I, info()))\n"
    "ipa('bomb.ipa', (I, b'0' * (64 * 1024 * 1024)))\n"
    "ipa('quiet-bomb.ipa', ('Payload/A.app/zero', b'0' * (64 * 1024 * 1024)), (I, info()))\n"
    "ipa('nameless.ipa', (I, info(CFBundleIdentifier='')))\n"
    "ipa('blank.ipa', (I, info(CFBundleIdentifier='a b')))\n"
    "ipa('broken.ipa', (I, b'<plist><dict>'))\n"
    "ipa('many.ipa', *[('f%d' % i, b'') for i in range(200010)])\n"
    "open('cut.ipa', 'wb').write(open('good.ipa', 'rb').read()[:90])\n"
    "open('text.ipa', 'wb').write(b'no archive at all')\n"
    "open('empty.ipa', 'wb').close()\n"
    "def xar(name, toc, heap):\n"
    "    t = zlib.compress(toc, 9)\n"
    "    open(name, 'wb').write(struct.pack('>IHHQQI', 0x78617221, 28, 1, len(t), len(toc), 0) + "
    "t\n"
    "        + heap)\n"
    "def pkg(name, path, content):\n"
    "    xar(name, b'<?xml version=\"1.0\"?><xar><toc><file id=\"1\"><name>' + path +\n"
    "        "
    "b'</name><type>file</type><data><length>%d</length><offset>0</offset><size>%d</size>'\n"
    "        b'<encoding style=\"application/octet-stream\"/></data></file></toc></xar>'\n"
    "        % (len(content), len(content)), content)\n"
    "pkg('good.pkg', b'PackageInfo', b'<?xml version=\"1.0\"?><!-- <pkg-info identifier=\"no\"> "
    "-->'\n"
    "    b'<pkg-info overwrite=\"a &gt; identifier=b\" identifier=\"org.example.p\" "
    "version=\\'3.4\\'/>')\n"
    "pkg('product.pkg', b'Distribution', b'<installer-gui-script><product id=\"org.example.q\" '\n"
    "    b'version=\"5\"/></installer-gui-script>')\n"
    "pkg('up.pkg', b'../PackageInfo', b'<pkg-info identifier=\"a\" version=\"1\"/>')\n"
    "xar('bomb.pkg', b'<xar><toc>' + b'<file><name>a</name></file>' * 2000000, b'')\n";

static enum outcome read_it(const char *name)
{
    char path[256];
    err = (struct err){0};
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return app_file_read(arena, path, &app, &err);
}

static void good_ones(void **state)
{
    (void)state;
    assert_int_equal(read_it("good.ipa"), OK);
    assert_string_equal(app.bundle_id, "org.example.a");
    assert_string_equal(app.version, "12");
    assert_string_equal(app.short_version, "1.2");
    assert_string_equal(app.name, "A");
    assert_string_equal(app.minimum_os, "15.0");
    assert_int_equal(app.platforms, 1 << PLATFORM_IOS | 1 << PLATFORM_VISIONOS);
    assert_false(app.pkg);
    assert_int_equal(read_it("quiet-bomb.ipa"), OK); /* what is not looked for is not unpacked */
    assert_int_equal(read_it("product.pkg"), OK);
    assert_string_equal(app.bundle_id, "org.example.q");
    assert_string_equal(app.version, "5");
    assert_true(app.pkg);
}

/* A comment's tag comes first here; what counts is that a name is taken whole and unaltered. */
static void a_package_with_odd_attributes(void **state)
{
    (void)state;
    assert_int_equal(read_it("good.pkg"), OK);
    assert_string_equal(app.bundle_id, "org.example.p");
    assert_string_equal(app.version, "3.4");
}

static void *read_pipe(void *arg)
{
    *(enum outcome *)arg = read_it("pipe.ipa");
    return NULL;
}

/* The number of a process whose parent is this one; 0: none. */
static int child_of_ours(void)
{
    DIR *d = opendir("/proc");
    int found = 0;

    for (struct dirent *e; d != NULL && found == 0 && (e = readdir(d)) != NULL;) {
        char path[300];
        int parent = 0;
        FILE *f;

        snprintf(path, sizeof path, "/proc/%.200s/stat", e->d_name);
        if (e->d_name[0] < '1' || e->d_name[0] > '9' || (f = fopen(path, "r")) == NULL)
            continue;
        if (fscanf(f, "%*d (%*[^)]) %*c %d", &parent) == 1 && parent == getpid())
            found = atoi(e->d_name);
        fclose(f);
    }
    closedir(d);
    return found;
}

static int descriptors_of(int pid)
{
    char path[64];
    DIR *d;
    int n = 0;

    snprintf(path, sizeof path, "/proc/%d/fd", pid);
    for (d = opendir(path); d != NULL && readdir(d) != NULL;)
        n++;
    if (d != NULL)
        closedir(d);
    return n - 2; /* . and .. */
}

/* The child that reads has three descriptors, whatever this process has open. */
static void nothing_else_is_open(void **state)
{
    char path[256];
    enum outcome o = OK;
    pthread_t thread;
    int own, pid = 0, n = 0, more[20];

    (void)state;
    for (size_t i = 0; i < 20; i++)
        more[i] = open("/dev/null", O_RDONLY);
    snprintf(path, sizeof path, "%s/pipe.ipa", dir);
    assert_int_equal(mkfifo(path, 0600), 0);
    pthread_create(&thread, NULL, read_pipe, &o);
    own = open(path, O_WRONLY);
    for (int i = 0; i < 500 && (pid == 0 || n < 1 || n > 3); i++) {
        usleep(10000);
        pid = pid != 0 ? pid : child_of_ours();
        n = pid != 0 ? descriptors_of(pid) : 0;
    }
    close(own);
    pthread_join(thread, NULL);
    for (size_t i = 0; i < 20; i++)
        close(more[i]);
    assert_int_equal(n, 3);
    assert_int_equal(o, INVALID);
}

static void bad_ones(void **state)
{
    static const struct {
        const char *name, *says;
    } cases[] = {
        {"two.ipa", "several apps"},
        {"none.ipa", "not in the archive"},
        {"up.ipa", "leads out of it"},
        {"absolute.ipa", "leads out of it"},
        {"inner.ipa", "leads out of it"},
        {"bomb.ipa", "too long"},
        {"nameless.ipa", "names no"},
        {"blank.ipa", "names no"},
        {"broken.ipa", "Info.plist"},
        {"many.ipa", "more files"},
        {"cut.ipa", ""},
        {"text.ipa", ""},
        {"empty.ipa", ""},
        {"up.pkg", "leads out of it"},
        {"bomb.pkg", ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t start = clock_mono();
        enum outcome o = read_it(cases[i].name);
        if (o != INVALID || !strstr(err.msg, cases[i].says))
            fail_msg("%s: %s: %s", cases[i].name, outcome_name(o), err.msg);
        if (clock_mono() - start > 65 * SECOND_US)
            fail_msg("%s takes too long", cases[i].name);
    }
    assert_int_equal(read_it("no-such-file"), INVALID);
}

static int set_up(void **state)
{
    char path[256], command[512];
    (void)state;
    arena = arena_new(64 * LIM_MB);
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/make.py", dir);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(MAKE, f);
    fclose(f);
    snprintf(command, sizeof command, "python3 -W ignore %s %s", path, dir);
    return system(command);
}

static int tear_down(void **state)
{
    char command[300];
    (void)state;
    snprintf(command, sizeof command, "rm -rf %s", dir);
    arena_free(&arena);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_ones),
        cmocka_unit_test(a_package_with_odd_attributes),
        cmocka_unit_test(bad_ones),
        cmocka_unit_test(nothing_else_is_open),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

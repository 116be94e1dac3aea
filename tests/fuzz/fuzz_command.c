/* fuzz_command.c: a request type, a line feed, and keys as JSON: the command is built, checked for
 * a device of each platform, and written; what was written is read again and found the same. Other
 * input is taken for a property list and checked. */
#include "base/limits.h"
#include "command/build.h"
#include "fuzz.h"

static struct findings found;

static void checked(struct arena *a, pl root)
{
    struct err err = {0};

    for (int p = PLATFORM_UNKNOWN; p < PLATFORM__MAX; p++) {
        struct device_facts f = {.platform = (enum platform)p,
                                 .version = VERSION(10, 3, 0),
                                 .rights = 1234,
                                 .user_channel = p % 2 != 0};
        enum outcome o = command_validate(a, root, &f, &found, &err);

        FUZZ_CHECK(o == (found.errors ? INVALID : OK));
        FUZZ_CHECK(found.n <= FINDINGS_MAX && found.n <= found.errors + found.warnings);
        for (size_t i = 0; i < found.n; i++)
            FUZZ_CHECK(found.list[i].text[0] && strlen(found.list[i].path) < 512);
    }
}

static void built(struct arena *a, const char *type, js keys)
{
    struct buf xml = BUF_INIT(LIM_RESPONSE);
    char uuid[UUID_LEN + 1];
    struct err err = {0};
    pl root;

    if (command_build(a, type, keys, &root, uuid, &found, &err) == OK) {
        FUZZ_CHECK(root && found.errors == 0);
        checked(a, root);
        FUZZ_CHECK(pl_to_xml(root, &xml) == OK);
    } else {
        FUZZ_CHECK(!root && found.errors > 0 && err.msg[0]);
    }
    pl_free(&root);
    buf_free(&xml);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    const uint8_t *feed = memchr(p, '\n', n < 64 ? n : 64);
    struct arena *a = arena_new(64 * LIM_MB);
    struct err err = {0};
    pl root = NULL;
    js keys = NULL;

    if (feed && js_parse(bytes_of(feed + 1, n - (size_t)(feed + 1 - p)), &keys, &err) == OK)
        built(a, arena_strndup(a, (const char *)p, (size_t)(feed - p)), keys);
    else if (pl_parse(bytes_of(p, n), &root, &err) == OK)
        checked(a, root);
    js_free(&keys);
    pl_free(&root);
    arena_free(&a);
    return 0;
}

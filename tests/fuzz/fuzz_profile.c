/* fuzz_profile.c: profiles as they are uploaded to the library. */
#include "base/limits.h"
#include "fuzz.h"
#include "library/config_profile.h"
#include "library/provisioning.h"
#include "library/variables.h"

static void fill(struct bytes plist)
{
    struct variables v = {{0}};
    pl root = NULL, out = NULL;

    for (size_t i = 0; i < VARIABLES_MAX; i++)
        v.value[i] = i % 3 != 0 ? "%UDID%</string>" : "";
    if (pl_parse(plist, &root, NULL) == OK) {
        if (variables_fill(root, &v, LIM_MB, &out, NULL) == OK)
            FUZZ_CHECK(pl_type_of(out) == pl_type_of(root));
        else
            FUZZ_CHECK(out == NULL);
    }
    pl_free(&root);
    pl_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    static struct arena *a;
    struct config_profile c;
    struct provisioning v;
    struct err err;

    if (!a) {
        a = arena_new(64 * LIM_MB);
        FUZZ_CHECK(a != NULL);
    }
    if (config_profile_read(a, bytes_of(p, n), 1, &c, &err) == OK) {
        FUZZ_CHECK(c.identifier[0] && c.uuid[0] && c.found.errors == 0 && c.plist.n);
        fill(c.plist);
    }
    if (provisioning_read(a, bytes_of(p, n), 1, &v, &err) == OK)
        FUZZ_CHECK(v.uuid[0] && v.name[0] && v.signed_by[0]);
    arena_reset(a);
    return 0;
}

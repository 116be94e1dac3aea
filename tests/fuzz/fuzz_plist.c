/* fuzz_plist.c: property lists: read, looked at, copied, written in both forms and read again. */
#include "base/limits.h"
#include "fuzz.h"
#include "wire/plist.h"

static void look(pl node, size_t *nodes);

static bool look_entry(const char *key, pl value, void *nodes)
{
    FUZZ_CHECK(key != NULL);
    look(value, nodes);
    return true;
}

static void look(pl node, size_t *nodes)
{
    struct bytes data;
    int64_t i;
    double d;
    bool b;
    ++*nodes;
    FUZZ_CHECK(pl_type_of(node) != PL_NONE);
    const char *s = pl_str(node);
    FUZZ_CHECK((pl_type_of(node) == PL_STRING) == (s != NULL));
    if (s)
        FUZZ_CHECK(strlen(s) < LIM_PLIST_OCTETS);
    FUZZ_CHECK(!pl_data(node, &data) || data.p);
    FUZZ_CHECK(pl_int(node, &i) + pl_real(node, &d) + pl_bool(node, &b) + pl_date(node, &i) <= 1);
    if (pl_type_of(node) == PL_ARRAY)
        for (size_t k = 0; k < pl_size(node); k++)
            look(pl_at(node, k), nodes);
    pl_each(node, look_entry, nodes);
}

/* Written down and read again it must be as large as it was. */
static void again(pl root, enum outcome (*write)(pl, struct buf *), size_t nodes)
{
    struct buf out = BUF_INIT(LIM_RESPONSE);
    struct err err;
    pl back;
    size_t found = 0;
    FUZZ_CHECK(write(root, &out) == OK);
    if (pl_parse(buf_bytes(&out), &back, &err) == OK) {
        look(back, &found);
        /* keys that are the same twice in a binary list are one in an XML list */
        FUZZ_CHECK(found <= nodes);
        pl_free(&back);
    }
    buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct err err = {0};
    pl root, copy;
    size_t nodes = 0;
    if (pl_parse(bytes_of(p, n), &root, &err) != OK) {
        FUZZ_CHECK(!root && err.msg[0]);
        return 0;
    }
    look(root, &nodes);
    FUZZ_CHECK(nodes <= LIM_PLIST_NODES);
    copy = pl_copy(root);
    pl_free(&root);
    if (pl_type_of(copy) != PL_OTHER) {
        again(copy, pl_to_xml, 2 * nodes + 2); /* a UID becomes a dictionary */
        if (nodes < 1000)                      /* see pl_to_binary in wire/plist.h */
            again(copy, pl_to_binary, nodes);
    }
    pl_free(&copy);
    return 0;
}

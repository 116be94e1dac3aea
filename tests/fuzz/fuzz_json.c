/* fuzz_json.c: JSON: what is read and written is read again, and written the same. */
#include "base/limits.h"
#include "fuzz.h"
#include "wire/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct err err = {0};
    js v, back;
    if (js_parse(bytes_of(p, n), &v, &err) != OK) {
        FUZZ_CHECK(!v && err.msg[0]);
        return 0;
    }
    struct buf first = BUF_INIT(LIM_RESPONSE), second = BUF_INIT(LIM_RESPONSE);
    FUZZ_CHECK(js_write(v, true, &first) == OK);
    FUZZ_CHECK(js_parse(buf_bytes(&first), &back, &err) == OK);
    FUZZ_CHECK(js_write(back, true, &second) == OK);
    FUZZ_CHECK(bytes_equal(buf_bytes(&first), buf_bytes(&second)));
    FUZZ_CHECK(!memmem(first.data, first.len, "<", 1));
    js_free(&back);
    js_free(&v);
    buf_free(&first);
    buf_free(&second);
    return 0;
}

/* test_arena.c: the arena. */
#include "base/arena.h"

#include <setjmp.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#define KB 1024u
#define MB (1024u * KB)

static bool all_zero(const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (p[i])
            return false;
    return true;
}

static void test_pieces(void **state)
{
    (void)state;
    struct arena *a = arena_new(4 * MB);
    uint8_t *piece[300];
    size_t total = 0;
    for (size_t round = 0; round < 3; round++) {
        for (size_t i = 0; i < 300; i++) { /* from nothing to pieces larger than a block */
            size_t n = i * i / 7;
            piece[i] = arena_alloc(a, n);
            assert_non_null(piece[i]);
            assert_int_equal((uintptr_t)piece[i] % alignof(max_align_t), 0);
            assert_true(all_zero(piece[i], n));
            memset(piece[i], (int)i, n);
            total += n;
        }
        for (size_t i = 0; i < 300; i++) /* nobody wrote into another's piece */
            for (size_t k = 0; k < i * i / 7; k++)
                assert_int_equal(piece[i][k], (uint8_t)i);
        assert_ptr_not_equal(piece[0], piece[1]);
        assert_true(arena_used(a) >= total);
        arena_reset(a);
        assert_int_equal(arena_used(a), 0);
        total = 0;
    }
    arena_free(&a);
    assert_null(a);
    arena_free(&a);
}

static void test_ceiling(void **state)
{
    (void)state;
    struct arena *a = arena_new(64 * KB);
    assert_null(arena_alloc(a, 64 * KB + 1));
    assert_null(arena_alloc(a, SIZE_MAX));
    assert_null(arena_alloc(a, SIZE_MAX - 8));
    void *all = arena_alloc(a, 64 * KB);
    assert_non_null(all);
    assert_null(arena_alloc(a, 1));
    assert_null(arena_strdup(a, "x"));
    assert_null(arena_fmt(a, "x"));
    assert_null(arena_bytes(a, bytes_str("x")).p);
    assert_int_equal(arena_bytes(a, bytes_str("x")).n, 0);
    arena_reset(a);
    assert_non_null(arena_alloc(a, 1));
    assert_null(arena_array(a, SIZE_MAX / 2, 3));
    assert_null(arena_array(a, 3, SIZE_MAX / 2));
    assert_non_null(arena_array(a, 100, 16));
    assert_non_null(arena_array(a, 0, 16));
    for (int i = 0; i < 100000; i++) /* pieces of nothing count too: no endless memory */
        if (!arena_alloc(a, 0))
            break;
    assert_null(arena_alloc(a, 16));
    arena_free(&a);
}

static void test_strings(void **state)
{
    (void)state;
    struct arena *a = arena_new(MB);
    assert_string_equal(arena_strdup(a, "hello"), "hello");
    assert_null(arena_strdup(a, NULL));
    assert_string_equal(arena_strndup(a, "hello", 2), "he");
    assert_string_equal(arena_strndup(a, NULL, 0), "");
    assert_null(arena_strndup(a, "x", SIZE_MAX));
    struct bytes b = arena_bytes(a, bytes_of("a\0b", 3));
    assert_memory_equal(b.p, "a\0b", 4);
    assert_int_equal(b.n, 3);
    b = arena_bytes(a, bytes_of(NULL, 0));
    assert_non_null(b.p);
    assert_int_equal(b.n, 0);
    assert_string_equal(arena_fmt(a, "%s-%d", "x", 5), "x-5");
    for (int n = 250; n < 260; n++) /* around the size of the first try */
        assert_int_equal(strlen(arena_fmt(a, "%0*d", n, 1)), n);
    assert_int_equal(strlen(arena_fmt(a, "%0*d", 5000, 1)), 5000);
    arena_free(&a);
}

static void test_wipe(void **state)
{
    (void)state;
    struct arena *a = arena_new(MB);
    char *secret = arena_strdup(a, "correct horse battery staple");
    arena_wipe(a);
    /* the first block stays: the same place is handed out again */
    char *again = arena_alloc(a, 64);
    assert_ptr_equal(secret, again);
    assert_true(all_zero((uint8_t *)again, 64));
    arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_ceiling),
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_wipe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* command.h: commands and findings for tests: a command from JSON text, findings as text. For test
 * programs only. */
#ifndef DROVER_TESTS_UNIT_COMMAND_H
#define DROVER_TESTS_UNIT_COMMAND_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/limits.h"
#include "command/build.h"

static struct arena *arena;
static struct findings found;
static struct err err;

static inline int command_set_up(void **state)
{
    (void)state;
    arena = arena_new(64 * LIM_MB);
    return arena == NULL;
}

static inline int command_tear_down(void **state)
{
    (void)state;
    arena_free(&arena);
    return 0;
}

/* "E path: text\n" and "W path: text\n" of each finding. */
static inline const char *findings_text(void)
{
    struct buf b = BUF_INIT(LIM_MB);
    char *s;

    for (size_t i = 0; i < found.n; i++)
        buf_fmt(&b, "%c %s: %s\n", found.list[i].error ? 'E' : 'W', found.list[i].path,
                found.list[i].text);
    s = arena_strdup(arena, buf_cstr(&b));
    buf_free(&b);
    return s;
}

/* The command; NULL: it could not be made, found says why. */
static inline pl command_of(const char *type, const char *keys)
{
    char uuid[UUID_LEN + 1];
    js v = NULL;
    pl root = NULL;

    if (keys != NULL && js_parse(bytes_str(keys), &v, &err) != OK)
        fail_msg("%s: %s", keys, err.msg);
    enum outcome o = command_build(arena, type, v, &root, uuid, &found, &err);
    assert_int_equal(o, root != NULL ? OK : INVALID);
    js_free(&v);
    return root;
}

#endif

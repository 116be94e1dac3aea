/* payloads.c: see payloads.h. */
#include "library/payloads_int.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

__asm__(".section .rodata\n"
        ".type payloads_text, @object\n"
        "payloads_text:\n"
        ".incbin \"fcgi/library/payloads.txt\"\n"
        "payloads_text_end:\n"
        ".byte 0\n"
        ".text\n");
extern const char payloads_text[], payloads_text_end[];

#define TYPES_MAX 256u

static const struct {
    const char *word;
    unsigned flag;
} words[] = {
    {"account", PAYLOAD_ACCOUNT},
    {"restriction", PAYLOAD_RESTRICTION},
    {"gives", PAYLOAD_GIVES},
    {"enrolment", PAYLOAD_ENROLMENT},
    {"many", PAYLOAD_MANY},
    {"supervised", PAYLOAD_SUPERVISED},
    {"dep", PAYLOAD_DEP},
    {"approved", PAYLOAD_APPROVED},
    {"mdm-only", PAYLOAD_MDM_ONLY},
    {"user", PAYLOAD_USER},
    {"no-device", PAYLOAD_NO_DEVICE},
    {"no-device-shared", PAYLOAD_NO_DEVICE_SHARED},
    {"no-user-enrolment", PAYLOAD_NO_USER_ENROLMENT},
    {"no-shared", PAYLOAD_NO_SHARED},
};
#define NWORDS (sizeof words / sizeof *words)

static struct payload_type types[TYPES_MAX];
static size_t ntypes;
static pthread_once_t once = PTHREAD_ONCE_INIT;

_Noreturn void payload_wrong(const char *line)
{
    fprintf(stderr, "a text of the library is wrong: %.*s\n", (int)strcspn(line, "\n"), line);
    abort();
}

bool payload_word(const char **p, char out[PAYLOAD_WORD_MAX])
{
    size_t n;

    *p += strspn(*p, " ");
    n = strcspn(*p, " :;\n");
    if (n == 0)
        return false;
    if (n >= PAYLOAD_WORD_MAX)
        payload_wrong(*p);
    memcpy(out, *p, n);
    out[n] = '\0';
    *p += n;
    return true;
}

static unsigned flag_read(const char *word)
{
    for (size_t i = 0; i < NWORDS; i++)
        if (strcmp(words[i].word, word) == 0)
            return words[i].flag;
    payload_wrong(word);
}

static uint16_t version_next(const char **p)
{
    char word[PAYLOAD_WORD_MAX];
    uint16_t v = 0;

    if (payload_word(p, word))
        v = strcmp(word, "-") == 0 ? VERSION_NEVER : version_read(word);
    if (v == 0)
        payload_wrong(*p);
    return v;
}

void payload_os_next(const char **p, struct payload_os os_of[PLATFORM__MAX])
{
    char word[PAYLOAD_WORD_MAX];
    struct payload_os *os = NULL;

    if (!payload_word(p, word))
        payload_wrong(*p);
    for (enum platform i = PLATFORM_IOS; i < PLATFORM__MAX; i++)
        if (strcmp(platform_name(i), word) == 0)
            os = &os_of[i];
    if (os == NULL)
        payload_wrong(word);
    os->introduced = version_next(p);
    if (os->introduced == VERSION_NEVER)
        os->introduced = 0;
    while (payload_word(p, word))
        if (strcmp(word, "deprecated") == 0)
            os->deprecated = version_next(p);
        else if (strcmp(word, "removed") == 0)
            os->removed = version_next(p);
        else
            os->flags |= flag_read(word);
}

static void line_read(const char *line)
{
    struct payload_type *t = &types[ntypes];
    const char *p = line;
    char word[PAYLOAD_WORD_MAX];

    if (ntypes == TYPES_MAX || !payload_word(&p, word) || (t->name = strdup(word)) == NULL)
        payload_wrong(line);
    if (ntypes > 0 && strcmp(types[ntypes - 1].name, t->name) >= 0)
        payload_wrong(line);
    while (payload_word(&p, word))
        t->flags |= flag_read(word);
    if (*p++ != ':')
        payload_wrong(line);
    while (*p != '\n') {
        payload_os_next(&p, t->os);
        p += *p == ';';
    }
    ntypes++;
}

static void read_all(void)
{
    for (const char *p = payloads_text; p < payloads_text_end; p += strcspn(p, "\n") + 1)
        if (*p != '#' && *p != '\n')
            line_read(p);
}

static int by_name(const void *key, const void *t)
{
    return strcmp(key, ((const struct payload_type *)t)->name);
}

const struct payload_type *payload_find(const char *name)
{
    pthread_once(&once, read_all);
    return bsearch(name, types, ntypes, sizeof *types, by_name);
}

size_t payload_count(void)
{
    pthread_once(&once, read_all);
    return ntypes;
}

const struct payload_type *payload_at(size_t i)
{
    return i < payload_count() ? &types[i] : NULL;
}

const char *payload_refuses(const struct payload_type *t, const struct device_facts *f)
{
    const struct payload_os *os = &t->os[f->platform];

    if (f->platform == PLATFORM_UNKNOWN)
        return NULL;
    if (os->introduced == 0)
        return "is not for this platform";
    if (f->version != 0 && f->version < os->introduced)
        return "is for later versions of the system";
    if (f->version != 0 && os->removed != 0 && f->version >= os->removed)
        return "was removed from this version of the system";
    if ((os->flags & PAYLOAD_SUPERVISED) && f->supervised == SAYS_NO)
        return "needs a supervised device";
    if ((os->flags & PAYLOAD_DEP) && f->dep == SAYS_NO)
        return "needs a device of automated enrolment";
    if ((os->flags & PAYLOAD_NO_USER_ENROLMENT) && f->user_enrolment == SAYS_YES)
        return "is not for User Enrolment";
    if ((os->flags & PAYLOAD_NO_SHARED) && f->shared_ipad == SAYS_YES)
        return "is not for a Shared iPad";
    if (f->user_channel && f->user_enrolment != SAYS_YES && !(os->flags & PAYLOAD_USER))
        return "is not for a user's channel";
    if (!f->user_channel &&
        ((os->flags & PAYLOAD_NO_DEVICE) ||
         ((os->flags & PAYLOAD_NO_DEVICE_SHARED) && f->shared_ipad == SAYS_YES)))
        return "is for a user's channel only";
    return NULL;
}

static void flags_json(js o, unsigned flags)
{
    for (size_t i = 0; i < NWORDS; i++)
        if (flags & words[i].flag)
            js_set_bool(o, words[i].word, true);
}

js payload_platforms_json(const struct payload_os list[PLATFORM__MAX])
{
    char text[VERSION_TEXT_MAX];
    js platforms = js_object();

    for (enum platform p = PLATFORM_IOS; p < PLATFORM__MAX; p++) {
        const struct payload_os *os = &list[p];
        js v;

        if (os->introduced == 0)
            continue;
        v = js_object();
        js_set_str(v, "introduced", version_text(os->introduced, text));
        if (os->deprecated != 0)
            js_set_str(v, "deprecated", version_text(os->deprecated, text));
        if (os->removed != 0)
            js_set_str(v, "removed", version_text(os->removed, text));
        flags_json(v, os->flags);
        js_set(platforms, platform_name(p), v);
    }
    return platforms;
}

js payload_json(const struct payload_type *t)
{
    js o = js_object();

    js_set_str(o, "type", t->name);
    flags_json(o, t->flags);
    js_set(o, "platforms", payload_platforms_json(t->os));
    return o;
}

/* script.c: reading SQL files and splitting them into statements. */
#include "store/script.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"

static enum outcome file_read(const char *path, struct arena *a, char **text, struct err *err)
{
    struct stat sb;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &sb) < 0) {
        int e = errno;
        if (fd >= 0)
            close(fd);
        return err_set(err, e == ENOENT ? NOT_FOUND : ERROR, "%s: %s", path, strerror(e));
    }
    size_t size = (size_t)sb.st_size, n = 0;
    ssize_t got = 0;
    *text = S_ISREG(sb.st_mode) && size <= SCRIPT_MAX ? arena_alloc(a, size + 1) : NULL;
    while (*text && n < size && (got = read(fd, *text + n, size - n)) > 0)
        n += (size_t)got;
    close(fd);
    if (!*text)
        return err_set(err, INVALID, "%s: no file of at most %u octets", path, SCRIPT_MAX);
    if (n < size)
        return err_set(err, ERROR, "%s: cannot be read to its end", path);
    if (memchr(*text, '\0', n))
        return err_set(err, INVALID, "%s: holds a NUL", path);
    return OK;
}

/* The end of the comment that begins at s, or s when none does. Comments that MariaDB executes
 * are none. */
static const char *comment_end(const char *s)
{
    if (*s == '#' || (s[0] == '-' && s[1] == '-' && (!s[2] || isspace((unsigned char)s[2])))) {
        s += strcspn(s, "\n");
        return s;
    }
    if (s[0] == '/' && s[1] == '*' && s[2] != '!' && !(s[2] == 'M' && s[3] == '!')) {
        const char *end = strstr(s + 2, "*/");
        return end ? end + 2 : s + strlen(s);
    }
    return s;
}

/* The end of the quoted text that begins at s. A quote is doubled or, but in `names`, escaped. */
static const char *quote_end(const char *s)
{
    char q = *s++;
    for (; *s; s++) {
        if (*s == '\\' && q != '`' && s[1])
            s++;
        else if (*s == q && s[1] == q)
            s++;
        else if (*s == q)
            return s + 1;
    }
    return s;
}

/* Copies the next statement's text without comments to out, and tells where it begins (NULL
 * for an empty one) and whether its semicolon is missing. False: there is none. */
static bool statement_next(const char **pos, const char **begin, struct buf *out, bool *unended)
{
    const char *s = *pos;
    buf_clear(out);
    *begin = NULL;
    for (*unended = false; *s && *s != ';';) {
        const char *end = comment_end(s);
        if (end != s) {
            if (*begin)
                buf_char(out, ' ');
            s = end;
            continue;
        }
        end = strchr("'\"`", *s) ? quote_end(s) : s + 1;
        if (!*begin && !isspace((unsigned char)*s))
            *begin = s;
        if (*begin)
            buf_add(out, s, (size_t)(end - s));
        s = end;
    }
    *unended = *begin && !*s;
    *pos = *s ? s + 1 : s;
    return *begin != NULL || *s;
}

static int line_of(const char *text, const char *at)
{
    int line = 1;
    for (; text < at; text++)
        line += *text == '\n';
    return line;
}

/* Splits text into statements. INVALID: the last one has no semicolon. */
static enum outcome script_split(const char *name, const char *text, struct arena *a,
                                 struct script_statement **out, int *n, struct err *err)
{
    struct buf b = BUF_INIT(SCRIPT_MAX + 1);
    const char *pos = text, *begin;
    size_t max = 1;
    bool unended;
    enum outcome o = OK;
    for (const char *s = text; *s; s++)
        max += *s == ';';
    *n = 0;
    *out = arena_array(a, max, sizeof **out);
    if (!*out)
        return err_set(err, ERROR, "%s: out of memory", name);
    while (o == OK && statement_next(&pos, &begin, &b, &unended)) {
        if (!begin)
            continue;
        while (b.len && isspace((unsigned char)b.data[b.len - 1]))
            b.data[--b.len] = '\0';
        struct script_statement *st = &(*out)[(*n)++];
        st->line = line_of(text, begin);
        st->text = arena_strndup(a, b.data, b.len);
        if (unended)
            o = err_set(err, INVALID, "%s:%d: the statement has no end", name, st->line);
        else if (!st->text || buf_failed(&b))
            o = err_set(err, ERROR, "%s: out of memory", name);
    }
    buf_free(&b);
    return o;
}

enum outcome script_read(const char *path, const char *name, struct arena *a,
                         struct script_statement **out, int *n, struct err *err)
{
    char *text = NULL;
    *n = 0;
    enum outcome o = file_read(path, a, &text, err);
    return o == OK ? script_split(name, text, a, out, n, err) : o;
}

/* ctl.c: arguments, secrets and lists for the verbs of droverctl. */
#include "ctl/ctl.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "store/setting.h"
#include "wire/encode.h"
#include "wire/json.h"

/* Before `droverctl migrate` there are none. */
static void settings_take(struct ctl *c, struct db *db)
{
    struct settings *s = settings_new(c->conf);
    struct err ignored;
    if (s && settings_refresh(s, db, NULL, &ignored) == OK)
        c->conf = settings_conf(s, c->arena);
    settings_free(&s);
}

bool ctl_db(struct ctl *c, struct db **db)
{
    struct err err;
    *db = NULL;
    bool first = !c->db;
    if (first && db_new(c->conf, DB_OWNER, &c->db, &err) != OK) {
        ctl_failed(&err);
        return false;
    }
    if (db_ping(c->db, &err) != OK) {
        ctl_failed(&err);
        return false;
    }
    if (first)
        settings_take(c, c->db);
    *db = c->db;
    return true;
}

int ctl_failed(const struct err *err)
{
    fprintf(stderr, "droverctl: %s\n", err->msg);
    return CTL_FAILED;
}

int ctl_wrong(const char *fmt, ...)
{
    va_list ap;
    fputs("droverctl: ", stderr);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
    return CTL_USAGE;
}

/* --- arguments ------------------------------------------------------------------------------- */

/* Takes the option argv[*i]; false with the message out. */
static bool option_take(int argc, char **argv, int *i, const struct ctl_option *options,
                        size_t noptions)
{
    const char *name = argv[*i] + 2;
    size_t n = strcspn(name, "=");
    for (size_t k = 0; k < noptions; k++) {
        const struct ctl_option *o = &options[k];
        if (strlen(o->name) != n || strncmp(o->name, name, n) != 0)
            continue;
        if (o->flag && name[n] == '=') {
            ctl_wrong("--%s takes no value", o->name);
            return false;
        }
        if (o->flag) {
            *o->flag = true;
            return true;
        }
        if (name[n] == '=')
            *o->value = name + n + 1;
        else if (*i + 1 < argc)
            *o->value = argv[++*i];
        else {
            /* *o->value may be what holds without the option: "*", "administrator" */
            ctl_wrong("--%s needs a value", o->name);
            return false;
        }
        return true;
    }
    ctl_wrong("there is no option --%.*s", (int)n, name);
    return false;
}

int ctl_args(int argc, char **argv, const struct ctl_option *options, size_t noptions,
             const char **rest, int min, int max)
{
    int n = 0;
    bool plain = false;
    for (int i = 0; i < max; i++)
        rest[i] = NULL;
    for (int i = 1; i < argc; i++) {
        if (!plain && strcmp(argv[i], "--") == 0) {
            plain = true;
        } else if (!plain && argv[i][0] == '-' && argv[i][1] == '-') {
            if (!option_take(argc, argv, &i, options, noptions))
                return -1;
        } else if (!plain && argv[i][0] == '-' && argv[i][1]) {
            ctl_wrong("there is no option %s", argv[i]);
            return -1;
        } else if (n == max) {
            ctl_wrong("\"%s\" is one argument too many", argv[i]);
            return -1;
        } else {
            rest[n++] = argv[i];
        }
    }
    if (n < min) {
        ctl_wrong("%s: an argument is missing", argv[0]);
        return -1;
    }
    return n;
}

bool ctl_duration(const char *text, int64_t *us)
{
    static const struct {
        char letter;
        int64_t us;
    } units[] = {
        {'s', SECOND_US}, {'m', MINUTE_US}, {'h', HOUR_US}, {'d', DAY_US}, {'w', 7 * DAY_US}};
    char *end;
    errno = 0;
    long long n = strtoll(text, &end, 10);
    if (errno || !isdigit((unsigned char)*text) || n == 0 || !*end || end[1])
        return false;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (*end != units[i].letter || n > 36525 * DAY_US / units[i].us)
            continue;
        *us = n * units[i].us;
        return true;
    }
    return false;
}

/* --- secrets --------------------------------------------------------------------------------- */

/* Reads one line from fd without its end. */
static enum outcome line_read(struct ctl *c, int fd, const char *name, size_t max, char **out,
                              struct err *err)
{
    char *line = arena_alloc(c->arena, max + 2), octet;
    size_t n = 0;
    ssize_t got = 0;
    if (!line)
        return err_set(err, ERROR, "out of memory");
    while (n <= max && (got = read(fd, &octet, 1)) == 1 && octet != '\n')
        line[n++] = octet;
    if (got < 0)
        return err_set(err, ERROR, "%s: %s", name, strerror(errno));
    if (n > max)
        return err_set(err, INVALID, "%s: the first line is longer than %zu octets", name, max);
    if (n && line[n - 1] == '\r')
        n--;
    line[n] = '\0';
    if (strlen(line) != n || n == 0)
        return err_set(err, INVALID, "%s: %s", name, n ? "holds a NUL" : "the first line is empty");
    *out = line;
    return OK;
}

enum outcome ctl_secret_file(struct ctl *c, const char *path, size_t max, char **out,
                             struct err *err)
{
    bool in = strcmp(path, "-") == 0;
    int fd = in ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_set(err, errno == ENOENT ? NOT_FOUND : ERROR, "%s: %s", path, strerror(errno));
    enum outcome o = line_read(c, fd, in ? "standard input" : path, max, out, err);
    if (!in)
        close(fd);
    return o;
}

static enum outcome prompt_once(struct ctl *c, int tty, const char *words, const char *what,
                                size_t max, char **out, struct err *err)
{
    dprintf(tty, "%s%s: ", words, what);
    enum outcome o = line_read(c, tty, what, max, out, err);
    dprintf(tty, "\n");
    return o;
}

enum outcome ctl_secret_prompt(struct ctl *c, const char *what, size_t max, char **out,
                               struct err *err)
{
    struct termios old, quiet;
    char *again = NULL;
    int tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    if (tty < 0 || tcgetattr(tty, &old) != 0) {
        if (tty >= 0)
            close(tty);
        return err_set(err, UNAVAILABLE, "there is no terminal to ask for the %s at: give a file",
                       what);
    }
    quiet = old;
    quiet.c_lflag &= ~(tcflag_t)ECHO;
    tcsetattr(tty, TCSAFLUSH, &quiet);
    enum outcome o = prompt_once(c, tty, "New ", what, max, out, err);
    if (o == OK)
        o = prompt_once(c, tty, "Again the ", what, max, &again, err);
    tcsetattr(tty, TCSAFLUSH, &old);
    close(tty);
    if (o == OK && strcmp(*out, again) != 0)
        o = err_set(err, INVALID, "the two are not the same");
    if (again)
        secret_wipe(again, strlen(again));
    return o;
}

/* --- lists ----------------------------------------------------------------------------------- */

/* The cell as text fit for a terminal. */
static const char *cell_text(struct ctl *c, const struct ctl_column *col, const struct val *v)
{
    char when[CLOCK_TEXT_MAX];
    if (v->type == VAL_NULL)
        return "-";
    if (v->type == VAL_INT)
        return col->kind == CTL_TIME ? arena_strdup(c->arena, clock_rfc3339(v->i, false, when))
                                     : arena_fmt(c->arena, "%lld", (long long)v->i);
    char *p = arena_alloc(c->arena, v->n * 4 + 1), *q = p;
    for (size_t i = 0; p && i < v->n; i++) {
        unsigned char ch = (unsigned char)v->s[i];
        if (ch < 0x20 || ch == 0x7f)
            q += snprintf(q, 5, "\\x%02x", ch);
        else
            *q++ = (char)ch;
    }
    return p;
}

/* Characters, not octets. */
static size_t text_width(const char *s)
{
    size_t n = 0;
    for (; *s; s++)
        n += (*s & 0xC0) != 0x80;
    return n;
}

static void cell_print(const char *s, size_t width, bool last)
{
    fputs(s, stdout);
    if (last)
        putchar('\n');
    else
        printf("%*s", (int)(width - text_width(s) + 2), "");
}

static int list_text(struct ctl *c, const struct ctl_column *cols, size_t ncols,
                     const struct val *cells, size_t nrows)
{
    const char **text = arena_array(c->arena, (nrows + 1) * ncols, sizeof *text);
    size_t *width = arena_array(c->arena, ncols, sizeof *width);
    if (!text || !width)
        return ctl_failed(&(struct err){.msg = "the list is too long"});
    for (size_t i = 0; i < (nrows + 1) * ncols; i++) {
        const struct ctl_column *col = &cols[i % ncols];
        if (i < ncols) {
            char *title = arena_strdup(c->arena, col->key);
            for (char *p = title; p && *p; p++)
                *p = *p == '_' ? ' ' : (char)toupper((unsigned char)*p);
            text[i] = title;
        } else {
            text[i] = cell_text(c, col, &cells[i - ncols]);
        }
        if (!text[i])
            return ctl_failed(&(struct err){.msg = "the list is too long"});
        if (text_width(text[i]) > width[i % ncols])
            width[i % ncols] = text_width(text[i]);
    }
    for (size_t i = 0; i < (nrows + 1) * ncols; i++)
        cell_print(text[i], width[i % ncols], i % ncols == ncols - 1);
    return CTL_OK;
}

static js list_js(const struct ctl_column *cols, size_t ncols, const struct val *cells,
                  size_t nrows)
{
    char when[CLOCK_TEXT_MAX];
    js list = js_array();
    for (size_t r = 0; r < nrows; r++) {
        js row = js_object();
        for (size_t i = 0; i < ncols; i++) {
            const struct val *v = &cells[r * ncols + i];
            if (v->type == VAL_NULL)
                js_set(row, cols[i].key, js_null());
            else if (v->type == VAL_INT && cols[i].kind == CTL_TIME)
                js_set_str(row, cols[i].key, clock_rfc3339(v->i, false, when));
            else if (v->type == VAL_INT)
                js_set_int(row, cols[i].key, v->i);
            else
                js_set_str(row, cols[i].key, v->s);
        }
        js_append(list, row);
    }
    return list;
}

static int list_json(js list)
{
    struct buf b = BUF_INIT(LIM_RESPONSE);
    enum outcome o = js_write(list, true, &b);
    if (o == OK)
        puts(buf_cstr(&b));
    buf_free(&b);
    return o == OK ? CTL_OK : ctl_failed(&(struct err){.msg = "the list is too long"});
}

int ctl_list(struct ctl *c, bool json, const struct ctl_column *cols, size_t ncols,
             const struct val *cells, size_t nrows)
{
    js list = json || c->kept ? list_js(cols, ncols, cells, nrows) : NULL;
    if (c->kept && js_write(list, true, c->kept) != OK)
        c->kept->failed = true;
    int status = json ? list_json(list) : list_text(c, cols, ncols, cells, nrows);
    js_free(&list);
    return status;
}

bool ctl_person(const struct ctl *c)
{
    if (c->anonymous)
        fputs(
            "droverctl: two persons are asked for, and root may be anybody: log in under your own "
            "name, and use sudo where you need it\n",
            stderr);
    return !c->anonymous;
}

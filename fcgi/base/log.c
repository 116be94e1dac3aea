/*
 * log.c: a line is put together on the stack and written with one write(2), so that lines of
 * several threads and processes never mix in a file opened for appending.
 */
#include "base/log.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/utf8.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <syslog.h>
#include <unistd.h>

#define LOG_VALUE_MAX 1024u /* octets of one value; the rest becomes "..." */
#define LOG_CONTEXT_MAX 256u

static const char *const level_names[] = {"error", "warning", "info", "debug"};
static const int level_syslog[] = {LOG_ERR, LOG_WARNING, LOG_INFO, LOG_DEBUG};

static atomic_int log_level = LOG_LEVEL_INFO;
static int log_fd = STDERR_FILENO;
static bool log_to_syslog;
static char *log_path; /* NULL: standard error or syslog */
static const char *log_program = "drover";

static _Thread_local struct {
    char request[LOG_CONTEXT_MAX];
    char enrollment[LOG_CONTEXT_MAX];
    char command[LOG_CONTEXT_MAX];
} context;

/* A line being put together. `end` leaves room for what must follow: a quote and a newline. */
struct line {
    char text[LIM_LOG_LINE];
    size_t n;
};

#define LINE_ROOM (LIM_LOG_LINE - 8)

static void line_put(struct line *l, const char *s, size_t n)
{
    if (l->n + n > LINE_ROOM)
        n = l->n < LINE_ROOM ? LINE_ROOM - l->n : 0;
    memcpy(l->text + l->n, s, n);
    l->n += n;
}

static void line_str(struct line *l, const char *s)
{
    line_put(l, s, strlen(s));
}

/* Length of the UTF-8 sequence at s if it is one that may be shown: well-formed, no control
 * character (C1 included) and none that changes the order or line of the text; else 0. */
static size_t utf8_shown(const unsigned char *s)
{
    uint32_t c;
    size_t n = utf8_next(s, strnlen((const char *)s, 4), &c);
    if (n == 0 || (c >= 0x7f && c < 0xa0))
        return 0;
    if (c == 0x61c || (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
        (c >= 0x2060 && c <= 0x206f) || c == 0xfeff)
        return 0;
    return n;
}

static bool value_is_plain(const char *v)
{
    if (!*v)
        return false;
    size_t n = 0;
    for (; *v; v++, n++)
        if (*v <= ' ' || *v > '~' || *v == '"' || *v == '\\' || *v == '=' || n >= LOG_VALUE_MAX)
            return false;
    return true;
}

static void line_quoted(struct line *l, const char *v)
{
    static const char digit[] = "0123456789abcdef";
    const unsigned char *s = (const unsigned char *)v, *start = s;
    l->text[l->n++] = '"';
    while (*s) {
        /* the longest thing written here is 4 octets; keep room for the dots */
        if ((size_t)(s - start) >= LOG_VALUE_MAX || l->n + 4 > LINE_ROOM - 4) {
            line_str(l, "...");
            break;
        }
        size_t n = *s < 0x80 ? 1 : utf8_shown(s);
        if (n == 0 || *s < ' ' || *s == 0x7f || *s == '"' || *s == '\\') {
            char hex[4] = {'\\', 'x', digit[*s >> 4], digit[*s & 15]};
            line_put(l, hex, sizeof hex);
            s++;
        } else {
            line_put(l, (const char *)s, n);
            s += n;
        }
    }
    l->text[l->n++] = '"'; /* the room past LINE_ROOM is for this one */
}

static void line_pair(struct line *l, const char *key, const char *value)
{
    if (l->n + strlen(key) + 16 > LINE_ROOM)
        return; /* no room for a pair that says anything */
    line_put(l, " ", 1);
    line_str(l, key);
    line_put(l, "=", 1);
    if (value_is_plain(value) && l->n + strlen(value) <= LINE_ROOM)
        line_str(l, value);
    else
        line_quoted(l, value);
}

/* "TIME LEVEL PROGRAM[PID] event=EVENT"; level may be NULL. */
static void line_head(struct line *l, const char *level, const char *program, const char *event)
{
    char when[CLOCK_TEXT_MAX], pid[24];
    line_str(l, clock_rfc3339(clock_now(), true, when));
    line_put(l, " ", 1);
    if (level) {
        line_str(l, level);
        line_put(l, " ", 1);
    }
    line_str(l, program);
    snprintf(pid, sizeof pid, "[%d] ", (int)getpid());
    line_str(l, pid);
    line_str(l, "event=");
    line_str(l, event);
}

static void line_begin(struct line *l, enum log_level level, const char *event)
{
    l->n = 0;
    if (log_to_syslog) {
        line_str(l, "event=");
        line_str(l, event);
    } else {
        line_head(l, level_names[level], log_program, event);
    }
    if (context.request[0])
        line_pair(l, "req", context.request);
    if (context.enrollment[0])
        line_pair(l, "enrollment", context.enrollment);
    if (context.command[0])
        line_pair(l, "command", context.command);
}

/* Ends the line and writes it to fd. False when not all of it was taken. */
static bool line_write(struct line *l, int fd)
{
    l->text[l->n++] = '\n';
    size_t done = 0;
    while (done < l->n) {
        ssize_t w = write(fd, l->text + done, l->n - done);
        if (w < 0 && errno == EINTR)
            continue;
        if (w <= 0)
            return false;
        done += (size_t)w;
    }
    return true;
}

static void line_end(struct line *l, enum log_level level)
{
    if (log_to_syslog) {
        l->text[l->n] = '\0';
        syslog(level_syslog[level], "%s", l->text);
        return;
    }
    /* a full disk must not stop the service, and there is nobody to tell */
    (void)line_write(l, log_fd);
}

static int log_open_file(const char *path)
{
    return open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640);
}

enum outcome log_open(const char *target, enum log_level level, const char *program,
                      struct err *err)
{
    char *path = NULL;
    int fd = STDERR_FILENO;
    bool to_syslog = strcmp(target, "syslog") == 0;
    if (target[0] == '/') {
        fd = log_open_file(target);
        if (fd < 0)
            return err_set(err, ERROR, "cannot open the log %s: %s", target, strerror(errno));
        path = strdup(target);
        if (!path) {
            close(fd);
            return err_set(err, ERROR, "out of memory");
        }
    } else if (!to_syslog && strcmp(target, "stderr") != 0) {
        return err_set(err, INVALID,
                       "log target \"%s\": say \"stderr\", \"syslog\" or an absolute path", target);
    }
    if (log_path) {
        close(log_fd);
        free(log_path);
    }
    if (log_to_syslog)
        closelog();
    if (to_syslog)
        openlog(program, LOG_PID | LOG_NDELAY, LOG_DAEMON);
    log_fd = fd;
    log_path = path;
    log_to_syslog = to_syslog;
    log_program = program;
    log_set_level(level);
    return OK;
}

void log_reopen(void)
{
    if (log_to_syslog) {
        closelog();
        openlog(log_program, LOG_PID | LOG_NDELAY, LOG_DAEMON);
    }
    if (!log_path)
        return;
    int fd = log_open_file(log_path);
    if (fd < 0) {
        log_msg(LOG_LEVEL_ERROR, "log.reopen", "cannot open %s: %s; going on with the old file",
                log_path, strerror(errno));
        return;
    }
    /* in one step, under the same number: another thread may be writing */
    dup3(fd, log_fd, O_CLOEXEC);
    close(fd);
}

void log_set_level(enum log_level level)
{
    atomic_store_explicit(&log_level, (int)level, memory_order_relaxed);
}

bool log_enabled(enum log_level level)
{
    return (int)level <= atomic_load_explicit(&log_level, memory_order_relaxed);
}

bool log_level_parse(const char *s, enum log_level *level)
{
    for (size_t i = 0; i < sizeof level_names / sizeof *level_names; i++) {
        if (strcmp(s, level_names[i]) == 0) {
            *level = (enum log_level)i;
            return true;
        }
    }
    return false;
}

static void context_set(char to[LOG_CONTEXT_MAX], const char *s)
{
    size_t n = s ? strnlen(s, LOG_CONTEXT_MAX - 1) : 0;
    if (n)
        memcpy(to, s, n);
    to[n] = '\0';
}

void log_context_request(const char *id)
{
    context_set(context.request, id);
}

void log_context_enrollment(const char *ident)
{
    context_set(context.enrollment, ident);
}

void log_context_command(const char *uuid)
{
    context_set(context.command, uuid);
}

void log_context_clear(void)
{
    context.request[0] = context.enrollment[0] = context.command[0] = '\0';
}

void log_event(enum log_level level, const char *event, ...)
{
    if (!log_enabled(level))
        return;
    struct line l;
    line_begin(&l, level, event);
    va_list ap;
    va_start(ap, event);
    const char *key;
    while ((key = va_arg(ap, const char *))) {
        const char *value = va_arg(ap, const char *);
        if (value)
            line_pair(&l, key, value);
    }
    va_end(ap);
    line_end(&l, level);
}

void log_msg(enum log_level level, const char *event, const char *fmt, ...)
{
    if (!log_enabled(level))
        return;
    char msg[LOG_VALUE_MAX + 4]; /* longer than a value may be, so that a cut one shows its dots */
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(msg, sizeof msg, fmt, ap);
    va_end(ap);
    struct line l;
    line_begin(&l, level, event);
    line_pair(&l, "msg", msg);
    line_end(&l, level);
}

void log_err(enum log_level level, const char *event, const struct err *err)
{
    if (!log_enabled(level))
        return;
    char at[128] = "";
    if (err->file)
        snprintf(at, sizeof at, "%s:%d", err->file, err->line);
    log_event(level, event, "outcome", outcome_name(err->outcome), "msg", err->msg, "at",
              at[0] ? at : NULL, NULL);
}

struct journal {
    int fd;
    const char *program;
    char path[];
};

static int journal_open_file(const char *path)
{
    return open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0600);
}

enum outcome journal_open(const char *path, const char *program, struct journal **out,
                          struct err *err)
{
    *out = NULL;
    int fd = journal_open_file(path);
    if (fd < 0)
        return err_set(err, ERROR, "cannot open the log %s: %s", path, strerror(errno));
    struct journal *j = malloc(sizeof *j + strlen(path) + 1);
    if (!j) {
        close(fd);
        return err_set(err, ERROR, "out of memory");
    }
    j->fd = fd;
    j->program = program;
    memcpy(j->path, path, strlen(path) + 1);
    *out = j;
    return OK;
}

enum outcome journal_event(struct journal *j, const char *event, ...)
{
    struct line l = {.n = 0};
    line_head(&l, NULL, j->program, event);
    va_list ap;
    va_start(ap, event);
    const char *key;
    while ((key = va_arg(ap, const char *))) {
        const char *value = va_arg(ap, const char *);
        if (value)
            line_pair(&l, key, value);
    }
    va_end(ap);
    return line_write(&l, j->fd) ? OK : ERROR;
}

void journal_reopen(struct journal *j)
{
    int fd = journal_open_file(j->path);
    if (fd < 0) {
        log_msg(LOG_LEVEL_ERROR, "log.reopen", "cannot open %s: %s; going on with the old file",
                j->path, strerror(errno));
        return;
    }
    dup3(fd, j->fd, O_CLOEXEC); /* under the same number: another thread may be writing */
    close(fd);
}

enum outcome journal_give(struct journal *j, uid_t uid, gid_t gid, struct err *err)
{
    if (fchown(j->fd, uid, gid) != 0)
        return err_set(err, ERROR, "cannot give %s away: %s", j->path, strerror(errno));
    return OK;
}

void journal_close(struct journal **j)
{
    if (!*j)
        return;
    close((*j)->fd);
    free(*j);
    *j = NULL;
}

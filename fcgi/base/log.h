/*
 * log.h: one line for each event, key=value, to standard error, a file or syslog.
 *
 *   2026-11-22T08:15:30.123456Z warning mdm[4711] event=identity.mismatch req=5f3a enrollment=...
 *
 * Values that hold anything but plain printable characters are put between quotes, with
 * backslash, quote, control characters and octets that are no UTF-8 written as \xNN: a device
 * cannot forge a line.
 */
#ifndef DROVER_BASE_LOG_H
#define DROVER_BASE_LOG_H

#include <sys/types.h>

#include "base/bytes.h"
#include "base/err.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* Opens the log. target: "stderr", "syslog" or an absolute path; program: the word before [pid],
 * kept by reference. */
enum outcome log_open(const char *target, enum log_level level, const char *program,
                      struct err *err) MUST_USE;
/* Opens the same target again (after rotation). Async-signal-unsafe: call it from a loop. */
void log_reopen(void);
void log_set_level(enum log_level level);
bool log_enabled(enum log_level level);
/* "error", "warning", "info", "debug" to a level; false when it is none of them. */
bool log_level_parse(const char *s, enum log_level *level);

/* What every line of this thread carries from now on: request id, enrollment, command UUID.
 * Copied; NULL removes. log_context_clear() removes all three. */
void log_context_request(const char *id);
void log_context_enrollment(const char *ident);
void log_context_command(const char *uuid);
void log_context_clear(void);

/* One line. Then pairs of key (a literal) and value (a string, NULL to leave the pair out), ended
 * by NULL. Example: log_event(LOG_LEVEL_INFO, "scep.issued", "serial", serial, NULL); */
void log_event(enum log_level level, const char *event, ...) __attribute__((sentinel));
/* One line with a formatted msg="...". */
void log_msg(enum log_level level, const char *event, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* One line for a failure: outcome, message, file:line of err. */
void log_err(enum log_level level, const char *event, const struct err *err);

/* A journal: a file of its own, in the same form as the log but without level and thread context,
 * for lines that must not be lost: the caller learns when one could not be written. Created 0600.
 * Safe for many threads. */
struct journal;
enum outcome journal_open(const char *path, const char *program, struct journal **out,
                          struct err *err) MUST_USE;
/* As log_event(). ERROR: the line is not in the file. */
enum outcome journal_event(struct journal *j, const char *event, ...)
    __attribute__((sentinel)) MUST_USE;
/* Opens the path again (after rotation); goes on with the old file when it cannot. */
void journal_reopen(struct journal *j);
/* Gives the file to an account, so that it can open it again by name. ERROR: the system says no. */
enum outcome journal_give(struct journal *j, uid_t uid, gid_t gid, struct err *err) MUST_USE;
void journal_close(struct journal **j);

#endif

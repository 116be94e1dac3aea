/* script.h: SQL files of this program: a list of statements, each ended by a semicolon. */
#ifndef DROVER_STORE_SCRIPT_H
#define DROVER_STORE_SCRIPT_H

#include "base/arena.h"
#include "base/limits.h"

#define SCRIPT_MAX (4 * LIM_MB) /* octets of a file */

struct script_statement {
    const char *text; /* without its semicolon; comments are replaced by a space */
    int line;         /* where it begins */
};

/* Reads the file at path; name stands for it in messages. Semicolons in quotes and comments do not
 * count; comments that MariaDB executes are kept. There is no DELIMITER. *out, in a, has *n
 * statements. NOT_FOUND: no such file. INVALID: not a file, too large, holds a NUL, or its last
 * statement has no end. */
enum outcome script_read(const char *path, const char *name, struct arena *a,
                         struct script_statement **out, int *n, struct err *err) MUST_USE;

#endif

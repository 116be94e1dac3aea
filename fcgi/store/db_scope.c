/* db_scope.c: the marks of a scope in statements, written out: see db.h and scope.h. */
#include "store/db_int.h"

#include <stdio.h>

#include "base/buf.h"

#define IN_SCOPE                                                                                   \
    "FROM scope_group scg JOIN group_member scm ON scm.group_id = scg.group_id WHERE scg.owner = "
/* The LIMIT keeps the optimizer from collecting the devices of a scope; the name in_scope is
 * nobody's, so that a column without a table is the statement's. */
#define EACH                                                                                       \
    "(SELECT 1 FROM (SELECT scm.device_id AS in_scope " IN_SCOPE                                   \
    "#) AS scd WHERE scd.in_scope = @ LIMIT 1) IS NOT NULL"
/* What stands for "%WORD column%" in a statement that is prepared for a scope, with "@" for the
 * column and "#" for the scope's number; in one of many devices, if that is another. The groups
 * that it made are its own, but give no device: its reach would be what it says itself. */
static const struct {
    const char *word, *means, *of_many;
} SCOPES[] = {{"%SCOPE ", "@ IN (SELECT scm.device_id " IN_SCOPE "#)", EACH},
              {"%EACH ", EACH, NULL},
              {"%GROUP ",
               "@ IN (SELECT scg.group_id FROM scope_group scg WHERE scg.owner = # UNION SELECT "
               "sco.id FROM device_group sco WHERE sco.owner = #)",
               NULL},
              {"%OWN ", "@ = #", NULL}};
#define NSCOPES (sizeof SCOPES / sizeof *SCOPES)

bool db_scope_marked(const struct sql *sql)
{
    for (size_t i = 0; i < NSCOPES; i++)
        if (strstr(sql->text, SCOPES[i].word) != NULL)
            return true;
    return false;
}

/* The meaning of a mark, for a column that ends before `end`. */
static void mark_build(const char *means, const char *column, const char *end, int64_t scope,
                       struct buf *b)
{
    for (size_t n; *means != '\0'; means += n) {
        n = strcspn(means, "@#");
        buf_add(b, means, n);
        if (means[n] == '@')
            buf_add(b, column, (size_t)(end - column));
        else if (means[n] == '#')
            buf_fmt(b, "%lld", (long long)scope);
        n += means[n] != '\0';
    }
}

enum outcome db_scope_build(const char *at, int64_t scope, bool few, struct buf *b, struct err *err)
{
    for (const char *mark; (mark = strchr(at, '%')) != NULL;) {
        size_t i = 0;
        while (i < NSCOPES && strncmp(mark, SCOPES[i].word, strlen(SCOPES[i].word)) != 0)
            i++;
        const char *column = i < NSCOPES ? mark + strlen(SCOPES[i].word) : NULL;
        const char *end = column ? strchr(column, '%') : NULL;
        if (!end) { /* another mark, or a sign of its own */
            buf_add(b, at, (size_t)(mark + 1 - at));
            at = mark + 1;
            continue;
        }
        buf_add(b, at, (size_t)(mark - at));
        at = end + 1;
        if (scope == 0)
            buf_char(b, '1');
        else
            mark_build(few || SCOPES[i].of_many == NULL ? SCOPES[i].means : SCOPES[i].of_many,
                       column, end, scope, b);
    }
    buf_str(b, at);
    return buf_failed(b) ? err_set(err, ERROR, "out of memory") : OK;
}

int db_scope_count(char *text, size_t room, int64_t scope, int most)
{
    return snprintf(text, room, "SELECT COUNT(*) FROM (SELECT 1 " IN_SCOPE "%lld LIMIT %d) x",
                    (long long)scope, most);
}

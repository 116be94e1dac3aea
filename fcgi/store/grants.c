/* grants.c: gives the accounts of the programs their rights. */
#include "store/migrate.h"

#include "base/buf.h"
#include "base/limits.h"
#include "store/script.h"

static const struct sql ACCOUNT_FIND = {.name = "grants_account", .text = "SELECT CURRENT_USER()"};

/* Adds s between quotes q, which are doubled inside. */
static void quoted_add(struct buf *b, const char *s, char q)
{
    buf_char(b, q);
    for (; *s; s++) {
        if (*s == q || (*s == '\\' && q != '`'))
            buf_char(b, *s);
        buf_char(b, *s);
    }
    buf_char(b, q);
}

static void account_add(struct buf *b, const char *user, const char *host)
{
    quoted_add(b, user, '\'');
    buf_char(b, '@');
    quoted_add(b, host, '\'');
}

/* The statement with @db@, @mdm@, @console@ and @agent@ replaced. */
static void grant_fill(struct buf *b, const char *text, const struct conf *conf, const char *host)
{
    const struct {
        const char *mark, *user;
    } marks[] = {{"@mdm@", conf->db_mdm_user},
                 {"@console@", conf->db_console_user},
                 {"@agent@", conf->db_agent_user}};
    buf_clear(b);
    while (*text) {
        size_t i = 0;
        if (strncmp(text, "@db@", 4) == 0) {
            quoted_add(b, conf->db_name, '`');
            text += 4;
            continue;
        }
        while (i < 3 && strncmp(text, marks[i].mark, strlen(marks[i].mark)) != 0)
            i++;
        if (i < 3) {
            account_add(b, marks[i].user, host);
            text += strlen(marks[i].mark);
        } else {
            buf_char(b, *text++);
        }
    }
}

static enum outcome grants_run(struct db *db, const char *path, const struct conf *conf,
                               struct arena *a, struct err *err)
{
    struct buf b = BUF_INIT(64 * LIM_KB);
    struct script_statement *st = NULL;
    struct rows r;
    int n = 0;
    enum outcome o = script_read(path, path, a, &st, &n, err);
    if (o == OK)
        o = db_select(db, &ACCOUNT_FIND, NULL, 0, a, &r, err);
    /* The accounts are those of the same hosts as the owner's: 'drover_mdm'@'localhost'. */
    const char *at = o == OK ? strrchr(row_at(&r, 0, 0)->s, '@') : NULL;
    for (int i = 0; o == OK && i < n; i++) {
        grant_fill(&b, st[i].text, conf, at ? at + 1 : "%");
        o = buf_failed(&b) ? err_set(err, INVALID, "the statement is too long")
                           : db_run(db, "grants", buf_cstr(&b), err);
        if (o == NOT_FOUND && strncasecmp(st[i].text, "REVOKE ", 7) == 0)
            o = OK;
        if (o != OK)
            o = err_prefix(err, "%s:%d", path, st[i].line);
    }
    buf_free(&b);
    return o;
}

enum outcome migrate_grants(struct db *db, const char *path, const struct conf *conf,
                            struct err *err)
{
    struct arena *a = arena_new(16 * LIM_MB);
    if (!a)
        return err_set(err, ERROR, "out of memory");
    enum outcome o = grants_run(db, path, conf, a, err);
    arena_free(&a);
    return o;
}

/* schema.c: droverctl migrate and grants. */
#include "ctl/ctl.h"

#include <stdio.h>
#include <unistd.h>

#include "store/enrollprofile.h"
#include "store/migrate.h"

const char *ctl_sql_dir(struct ctl *c, const char *given)
{
    static const char *const above[] = {"..", "../.."};
    char exe[4096];
    if (given)
        return given;
    ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
    exe[n > 0 ? n : 0] = '\0';
    char *slash = strrchr(exe, '/');
    for (size_t i = 0; slash && i < 2; i++) {
        char *dir = arena_fmt(c->arena, "%.*s/%s/sql", (int)(slash - exe), exe, above[i]);
        char *file = dir ? arena_fmt(c->arena, "%s/grants.sql", dir) : NULL;
        if (file && access(file, R_OK) == 0)
            return dir;
    }
    return DROVER_PREFIX "/share/drover/sql";
}

static int grants_give(struct ctl *c, struct db *db, const char *dir)
{
    struct err err;
    char *path = arena_fmt(c->arena, "%s/grants.sql", dir);
    if (!path || migrate_grants(db, path, c->conf, &err) != OK)
        return path ? ctl_failed(&err) : CTL_FAILED;
    puts("The accounts have their rights.");
    return CTL_OK;
}

/* The enrolment profile "default", as [enroll] says, unless it is there. Until it can be made, what
 * is configured counts. */
static void default_make(struct ctl *c, struct db *db)
{
    struct err err;
    bool made;
    if (enrollprofile_default(db, c->conf, c->actor, &made, &err) != OK)
        fprintf(stderr, "droverctl: the default enrolment profile was not made: %s\n", err.msg);
    else if (made)
        puts("The enrolment profile \"default\" was made as configured.");
}

int ctl_migrate(struct ctl *c, int argc, char **argv)
{
    bool dry_run = false, no_grants = false;
    const char *dir = NULL;
    const struct ctl_option options[] = {{.name = "dry-run", .flag = &dry_run},
                                         {.name = "no-grants", .flag = &no_grants},
                                         {.name = "sql", .value = &dir}};
    struct err err;
    struct db *db;
    int applied, version;
    if (ctl_args(argc, argv, options, 3, NULL, 0, 0) < 0)
        return CTL_USAGE;
    if (!ctl_db(c, &db))
        return CTL_FAILED;
    dir = ctl_sql_dir(c, dir);
    char *schema = arena_fmt(c->arena, "%s/schema", dir);
    if (!schema)
        return CTL_FAILED;
    if (migrate_run(db, schema, dry_run, &applied, &err) != OK ||
        migrate_version(db, &version, &err) != OK)
        return ctl_failed(&err);
    if (dry_run) {
        printf("The schema is at version %d; %d file%s to apply.\n", version, applied,
               applied == 1 ? "" : "s");
        return CTL_OK;
    }
    printf("The schema is at version %d; %d file%s applied.\n", version, applied,
           applied == 1 ? "" : "s");
    if (version < SCHEMA_VERSION) {
        err_set(&err, INVALID, "%s is older than this program, which needs version %d", schema,
                SCHEMA_VERSION);
        return ctl_failed(&err);
    }
    default_make(c, db);
    return no_grants ? CTL_OK : grants_give(c, db, dir);
}

int ctl_grants(struct ctl *c, int argc, char **argv)
{
    const char *dir = NULL;
    const struct ctl_option options[] = {{.name = "sql", .value = &dir}};
    struct db *db;
    if (ctl_args(argc, argv, options, 1, NULL, 0, 0) < 0)
        return CTL_USAGE;
    return ctl_db(c, &db) ? grants_give(c, db, ctl_sql_dir(c, dir)) : CTL_FAILED;
}

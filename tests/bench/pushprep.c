/*
 * pushprep: prepares a site for the tests and the benchmark of pushes, without web server and
 * devices: each verb is one step.
 *
 *   pushprep CONF setup                     schema, rights and the signer's keys
 *   pushprep CONF cert FILE                 checks and stores a push certificate (PEM with key)
 *   pushprep CONF want SECONDS ID...        wants pushes for these enrollment.id
 */
#include "base/conf.h"
#include "base/limits.h"
#include "base/log.h"
#include "proc/signer.h"
#include "push/pushcert.h"
#include "store/migrate.h"
#include "store/push.h"
#include <stdio.h>
#include <stdlib.h>

static enum outcome file_read(struct arena *a, const char *path, struct bytes *out)
{
    char *p = arena_alloc(a, PUSHCERT_PEM_MAX);
    FILE *f = fopen(path, "rb");
    if (!f || !p)
        return NOT_FOUND;
    *out = bytes_of(p, fread(p, 1, PUSHCERT_PEM_MAX, f));
    fclose(f);
    return OK;
}

static enum outcome setup(const struct conf *conf, struct db *db, struct err *err)
{
    int applied;
    enum outcome o = migrate_run(db, "sql/schema", false, &applied, err);
    if (o == OK)
        o = migrate_grants(db, "sql/grants.sql", conf, err);
    return o == OK ? signer_setup(conf, "Example", err) : o;
}

static enum outcome cert(const struct conf *conf, struct db *db, const char *path, struct err *err)
{
    struct pushcert c = {.key_pem = {0}};
    struct bytes pem;
    struct arena *a = arena_new(LIM_MB);
    enum outcome o = a ? file_read(a, path, &pem) : ERROR;
    if (o == OK)
        o = pushcert_check(a, pem, &c, err);
    if (o == OK)
        o = pushcert_store(db, conf, &c, "test", NULL, err);
    pushcert_wipe(&c);
    arena_free(&a);
    return o;
}

static enum outcome want(struct db *db, int64_t keep_s, char **ids, size_t n, struct err *err)
{
    struct push_want *w = calloc(n + 1, sizeof *w);
    if (!w)
        return ERROR;
    for (size_t i = 0; i < n; i++)
        w[i].enrollment_id = strtoll(ids[i], NULL, 10);
    enum outcome o = push_request(db, w, n, keep_s, err);
    free(w);
    return o;
}

int main(int argc, char **argv)
{
    struct conf *conf = NULL;
    struct db *db = NULL;
    struct err err = {.msg = ""};
    enum outcome o = argc < 3 ? INVALID : conf_load(argv[1], &conf, &err);
    if (o == OK)
        o = db_new(conf, DB_OWNER, &db, &err);
    if (o == OK && strcmp(argv[2], "setup") == 0)
        o = setup(conf, db, &err);
    else if (o == OK && strcmp(argv[2], "cert") == 0 && argc == 4)
        o = cert(conf, db, argv[3], &err);
    else if (o == OK && strcmp(argv[2], "want") == 0 && argc >= 4)
        o = want(db, atoll(argv[3]), argv + 4, (size_t)(argc - 4), &err);
    else if (o == OK)
        o = INVALID;
    if (o != OK)
        fprintf(stderr, "pushprep: %s: %s\n", outcome_name(o), err.msg);
    db_free(&db);
    conf_free(&conf);
    return o == OK ? 0 : 1;
}

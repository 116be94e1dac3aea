/*
 * site.h: a database, a signer and an app as the workers have it, for tests that call handlers. For
 * test programs only; one site for each.
 */
#ifndef DROVER_TESTS_UNIT_SITE_H
#define DROVER_TESTS_UNIT_SITE_H

#include "testdb.h"
#include "testsigner.h"

#include <signal.h>
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "http/app.h"
#include "proc/signer.h"
#include "store/migrate.h"
#include "store/trust_set.h"
#include "wire/sign.h"

static struct site {
    char dir[40];
    struct conf *conf;
    struct db *owner;
    struct arena *a;
    struct app app;
    pid_t signer;
    /* what a request brings besides; set before site_ask() */
    const char *authorization, *accept, *device_info, *cookie, *address, *type, *remote_user;
    /* what came back */
    struct resp resp;
} site;

static struct err err;

/* A path in the site's folder; for as long as the test runs. */
static inline const char *site_path(const char *name)
{
    static char path[8][80];
    static size_t used;
    assert_true(used < 8);
    snprintf(path[used], sizeof path[used], "%s/%s", site.dir, name);
    return path[used++];
}

/* database: "drover_" and a word. */
static inline void site_up(const char *database)
{
    int applied;
    struct db *db = NULL;
    strcpy(site.dir, "/tmp/drover-site-XXXXXX");
    assert_non_null(mkdtemp(site.dir));
    site.a = arena_new(64u << 20);
    assert_ok(log_open(site_path("log"), LOG_LEVEL_DEBUG, "test", &err), err);
    struct conf *c = site.conf = testdb_conf(TESTDB_DIR, database);
    c->run_dir = site.dir;
    c->signer_dir = site_path("keys");
    c->signer_log = site_path("signer.log");
    c->signer_user = c->agent_user = c->mdm.user = c->console.user = "";
    c->organization = "Example & <Sons>";
    c->profile_chain = c->scep_challenge_file = c->enroll_certificates = c->apple_roots = "";
    c->account_user_enrollment = c->account_device_enrollment = c->account_profile = "";
    c->account_method = "web";
    c->account_access_s = 3600;
    c->account_refresh_days = 90;
    c->digest_algorithm = "MD5";
    c->device_url = "https://mdm.example.org:8443";
    c->enroll_login = "no";
    c->enroll_topic = "com.apple.mgmt.External.one";
    c->enroll_access_rights = 8191;
    c->signer_threads = 1;
    c->signer_ca_bits = 2048; /* made in a third of the time */
    c->scep_validity_days = 30;
    assert_ok(db_new(c, DB_OWNER, &site.owner, &err), err);
    assert_ok(migrate_run(site.owner, "sql/schema", false, &applied, &err), err);
    assert_ok(migrate_grants(site.owner, "sql/grants.sql", c, &err), err);
    assert_ok(signer_setup(c, "Example", &err), err);
    site.signer = testsigner_start(site.conf, site.a);
    site.app.conf = c;
    assert_ok(db_pool_new(c, DB_MDM, 2, &site.app.pool, &err), err);
    site.app.trust = trust_set_new();
    assert_ok(db_pool_take(site.app.pool, &db, &err), err);
    assert_ok(trust_set_refresh(site.app.trust, db, &err), err);
    db_pool_give(site.app.pool, &db);
    resp_init(&site.resp);
    site.address = "192.0.2.1";
}

static inline void site_down(void)
{
    testsigner_stop(site.signer);
    resp_free(&site.resp);
    trust_set_free(&site.app.trust);
    db_pool_free(&site.app.pool);
    db_free(&site.owner);
    arena_free(&site.a);
    testdb_shell("rm -rf %s", site.dir);
}

static inline const char *site_var(const struct req *r, const char *name)
{
    (void)r;
    if (strcmp(name, "HTTP_AUTHORIZATION") == 0)
        return site.authorization;
    if (strcmp(name, "HTTP_ACCEPT") == 0)
        return site.accept;
    if (strcmp(name, "REMOTE_USER") == 0)
        return site.remote_user;
    if (strcmp(name, "HTTP_COOKIE") == 0)
        return site.cookie;
    return strcmp(name, "HTTP_X_APPLE_ASPEN_DEVICEINFO") == 0 ? site.device_info : NULL;
}

/* Calls a handler; its status. The answer stays in site.resp until the next one. */
static inline int site_ask(handler_fn *fn, enum method method, const char *path, const char *query,
                           struct bytes body)
{
    struct req req = {.method = method,
                      .path = path,
                      .query = query,
                      .content_type = site.type ? site.type : "",
                      .body = body,
                      .remote_addr = site.address,
                      .var = site_var,
                      .now = clock_now(),
                      .start = clock_mono(),
                      .arena = site.a};
    struct caller caller = {.source = IDENTITY_NONE};
    resp_free(&site.resp);
    resp_init(&site.resp);
    fn(&site.app, &req, &caller, &site.resp);
    return site.resp.status;
}

/* A header of the last answer in the arena; NULL: absent. */
static inline const char *site_header(const char *name)
{
    size_t n = strlen(name);
    for (const char *p = buf_cstr(&site.resp.headers); p && *p; p = strchr(p, '\n') + 1)
        if (strncasecmp(p, name, n) == 0 && p[n] == ':')
            return arena_strndup(site.a, p + n + 2, strcspn(p + n + 2, "\r"));
    return NULL;
}

static inline int64_t site_count(const char *text)
{
    struct sql sql = {.name = "count", .text = text};
    struct db *d = NULL; /* the statement's address is a local one */
    struct rows r;
    assert_ok(db_new(site.conf, DB_OWNER, &d, &err), err);
    assert_ok(db_select(d, &sql, NULL, 0, site.a, &r, &err), err);
    db_free(&d);
    return row_at(&r, 0, 0)->i;
}

static inline void site_run(const char *text)
{
    assert_ok(db_run(site.owner, "site", text, &err), err);
}

#endif

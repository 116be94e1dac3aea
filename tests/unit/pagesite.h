/*
 * pagesite.h: the console and the HTTP API as their workers have them, asked through route_run()
 * with a database of one's own. For test programs only; one for each.
 */
#ifndef DROVER_TESTS_UNIT_PAGESITE_H
#define DROVER_TESTS_UNIT_PAGESITE_H

#include "testdb.h"

#include "base/clock.h"
#include "base/limits.h"
#include "console/console.h"
#include "html/form.h"
#include "route/gate.h"
#include "route/route.h"
#include "store/account.h"
#include "store/migrate.h"
#include "store/session.h"
#include "wire/encode.h"

#define PAGESITE_FORM "application/x-www-form-urlencoded"

static struct arena *arena;
static struct conf conf; /* may be changed between two requests */
static struct app app;
static struct db *owner;
static struct err err;
static struct resp resp;                  /* the last answer */
static char token[SESSION_TOKEN_LEN + 1]; /* of the session that asks */

static inline size_t pagesite_feed(void *from, void *p, size_t n, bool *cut)
{
    struct bytes *f = from;
    size_t m = n < f->n ? n : f->n;
    memcpy(p, f->p, m);
    f->p += m;
    f->n -= m;
    *cut = false;
    return m;
}

/* The status of the answer. more: further variables of the request, NULL ends them; NULL: none. The
 * cookie is the session's token unless they have one of their own. */
static inline int pagesite_ask(const char *method, const char *uri, const char *body,
                               const char *type, const char *const *more)
{
    struct bytes text = bytes_str(body);
    struct req *req;
    size_t n = 0;
    bool cookie = false;
    char *vars[24];
    for (; more && more[n]; n++) {
        assert_true(n < 16);
        vars[n] = (char *)(uintptr_t)more[n];
        cookie |= strncmp(more[n], "HTTP_COOKIE=", 12) == 0;
    }
    vars[n++] = arena_fmt(arena, "REQUEST_URI=%s", uri);
    vars[n++] = arena_fmt(arena, "REQUEST_METHOD=%s", method);
    vars[n++] = arena_fmt(arena, "CONTENT_LENGTH=%zu", text.n);
    vars[n++] = arena_fmt(arena, "CONTENT_TYPE=%s", type);
    vars[n++] = "REMOTE_ADDR=192.0.2.1";
    if (!cookie)
        vars[n++] = arena_fmt(arena, "HTTP_COOKIE=" CONSOLE_COOKIE "=%s", token);
    vars[n] = NULL;
    resp_free(&resp);
    resp_init(&resp);
    assert_ok(req_new(arena, vars, (struct req_source){pagesite_feed, &text}, &req, &err), err);
    route_run(&app, PROGRAM_CONSOLE, req, &resp);
    return resp.status;
}

/* Somebody has signed in just now, and asks from here on. */
static inline void pagesite_sign_in(const char *name)
{
    struct db *db = NULL;
    const struct session_start s = {.admin = name, .address = "192.0.2.1", .now = clock_now()};
    assert_ok(db_pool_take(app.pool, &db, &err), err);
    assert_ok(session_new(db, &s, token, &err), err);
    db_pool_give(app.pool, &db);
}

/* The token of the session's forms, as a field. */
static inline const char *pagesite_csrf(void)
{
    char out[FORM_TOKEN_LEN + 1];
    struct session s;
    struct db *db = NULL;
    assert_ok(db_pool_take(app.pool, &db, &err), err);
    assert_ok(session_find(db, token, clock_now(), arena, &s, &err), err);
    db_pool_give(app.pool, &db);
    form_token(bytes_of(s.csrf, sizeof s.csrf), out);
    return arena_fmt(arena, "csrf=%s", out);
}

/* A form of the session, with its token. */
static inline int pagesite_post(const char *path, const char *fields)
{
    return pagesite_ask("POST", path, arena_fmt(arena, "%s&%s", pagesite_csrf(), fields),
                        PAGESITE_FORM, NULL);
}

/* The header of a new API key with these scopes; it stands until the next one is made. */
static inline const char *pagesite_key(const char *name, const char *scopes)
{
    static char header[256];
    char key[APIKEY_LEN + 1];
    struct buf b = BUF_INIT(LIM_KB);
    assert_ok(apikey_new(owner, name, scopes, 0, "t", key, &err), err);
    base64_add(&b, bytes_str(arena_fmt(arena, "x:%s", key)));
    snprintf(header, sizeof header, "HTTP_AUTHORIZATION=Basic %s", buf_cstr(&b));
    buf_free(&b);
    return header;
}

/* Where the text is in the body of the last answer; NULL: nowhere. */
static inline const char *pagesite_found(const char *text)
{
    return resp.body.len ? memmem(resp.body.data, resp.body.len, text, strlen(text)) : NULL;
}

/* Is it in the body of the last answer? */
static inline bool pagesite_tells(const char *text)
{
    return pagesite_found(text) != NULL;
}

/* As pagesite_post(), by somebody who is shown what would change on devices and agrees. */
static inline int pagesite_agree(const char *path, const char *fields)
{
    static const char field[] = "name=\"seen\" value=\"";
    int status = pagesite_post(path, fields);
    const char *seal = pagesite_found(field);
    if (status != 200 || !seal)
        return status;
    seal += sizeof field - 1;
    return pagesite_post(path,
                         arena_fmt(arena, "%s&seen=%.*s", fields, (int)strcspn(seal, "\""), seal));
}

/* What one column of one row holds, as a number. */
static inline int64_t pagesite_number(const char *text)
{
    const struct sql q = {.name = "pagesite_number", .text = text};
    struct rows r;
    assert_ok(db_select(owner, &q, NULL, 0, arena, &r, &err), err);
    db_forget(owner, &q);
    assert_int_equal(r.n, 1);
    return row_at(&r, 0, 0)->type == VAL_INT ? row_at(&r, 0, 0)->i : -1;
}

static struct conf *defaults; /* holds the texts of conf */

/* database: "drover_" and a word. The configuration is the example's, as most checks read it. */
static inline void pagesite_up(const char *database)
{
    int applied;
    struct conf *db = testdb_conf(TESTDB_DIR, database);
    arena = arena_new(256 * LIM_MB);
    assert_ok(conf_load("scripts/etc/drover.conf.example", &defaults, &err), err);
    conf = *defaults;
    conf.db_socket = db->db_socket;
    conf.db_name = db->db_name;
    conf.db_mdm_user = db->db_mdm_user;
    conf.db_mdm_password_file = db->db_mdm_password_file;
    conf.db_console_user = db->db_console_user;
    conf.db_console_password_file = db->db_console_password_file;
    conf.db_agent_user = db->db_agent_user;
    conf.db_agent_password_file = db->db_agent_password_file;
    conf.db_owner_user = db->db_owner_user;
    conf.db_owner_password_file = db->db_owner_password_file;
    conf.path = "test";
    conf.share_dir = ".";
    conf.organization = "Example";
    conf.console_second_factor = "optional";
    conf.console_remote_groups = conf.console_remote_roles = "";
    conf.console_remote_role = "none";
    conf.command_approval = "none";
    app.conf = &conf;
    assert_ok(db_new(&conf, DB_OWNER, &owner, &err), err);
    assert_ok(migrate_run(owner, "sql/schema", false, &applied, &err), err);
    assert_ok(migrate_grants(owner, "sql/grants.sql", &conf, &err), err);
    assert_ok(gate_new(&conf, &app.gate, &err), err);
    assert_ok(db_pool_new(&conf, DB_CONSOLE, 2, &app.pool, &err), err);
    assert_ok(console_new(&conf, &app.console, &err), err);
}

static inline int pagesite_down(void **state)
{
    (void)state;
    resp_free(&resp);
    console_free(&app.console);
    gate_free(&app.gate);
    db_pool_free(&app.pool);
    db_free(&owner);
    conf_free(&defaults);
    arena_free(&arena);
    return 0;
}

#endif

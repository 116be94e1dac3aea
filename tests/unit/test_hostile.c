/*
 * test_hostile.c: every row of the console's table is asked with hostile words in every field that
 * a form or an address of it has: nothing of it comes back as markup, as a header or as an address
 * of another site; and a session that is not whole opens nothing.
 */
#include "pagesite.h"

#include "store/account.h"
#include "store/admin.h"

#include <strings.h>

#define MARK_URL "%22%27%3E%3Csvg+onload%3Dpwned%28%29%3E%7B%7Badmin%7D%7D"
#define SHA "6565656565656565656565656565656565656565656565656565656565656565"
#define TAGGED "r_kind=all&r_kind=tag&r_depth=1&r_value=z"
#define LINES_URL "x%0D%0AX-Evil%3A+1%0D%0A%0D%0A%3Csvg+onload%3Dpwned%28%29%3E"

/* What the pages' addresses and forms are called. */
static const char *const FIELDS[] = {"q",
                                     "id",
                                     "name",
                                     "tab",
                                     "after",
                                     "before",
                                     "subject",
                                     "actor",
                                     "action",
                                     "since",
                                     "until",
                                     "state",
                                     "kind",
                                     "part",
                                     "type",
                                     "uuid",
                                     "which",
                                     "done",
                                     "next",
                                     "step",
                                     "from",
                                     "to",
                                     "version",
                                     "event",
                                     "payload",
                                     "sha256",
                                     "platform",
                                     "os",
                                     "unseen",
                                     "sort",
                                     "column",
                                     "pick",
                                     "all",
                                     "filter",
                                     "order",
                                     "device",
                                     "what",
                                     "why",
                                     "note",
                                     "tag",
                                     "ids",
                                     "role",
                                     "scope",
                                     "group",
                                     "limited",
                                     "session",
                                     "days",
                                     "new_name",
                                     "full_name",
                                     "managed",
                                     "url",
                                     "secret",
                                     "pem",
                                     "topic",
                                     "text",
                                     "form",
                                     "filename",
                                     "size",
                                     "upload",
                                     "item",
                                     "number",
                                     "decision",
                                     "do",
                                     "r_kind",
                                     "r_fact",
                                     "r_op",
                                     "r_value",
                                     "r_depth",
                                     "language",
                                     "proof",
                                     "code",
                                     "title",
                                     "organization",
                                     "description",
                                     "consent",
                                     "identifier",
                                     "manifest_url",
                                     "app_version",
                                     "codes",
                                     "base",
                                     "policy",
                                     "every",
                                     "feedback_hours",
                                     "wave_first",
                                     "halt_percent",
                                     "changed_at"};
#define NFIELDS (sizeof FIELDS / sizeof *FIELDS)

static size_t escaped; /* answers in which it comes back as text */

/* The raw mark must not stand in a page, nor a line of ours in a header. */
static void judge(const char *method, const char *uri)
{
    const char *type = resp.content_type ? resp.content_type : "";
    escaped += pagesite_tells("&lt;svg onload=pwned");
    if (strstr(type, "html") && pagesite_tells("<svg onload=pwned"))
        fail_msg("%s %s: what was asked comes back as markup", method, uri);
    if (strcasestr(buf_cstr(&resp.headers), "\nX-Evil"))
        fail_msg("%s %s: what was asked comes back as a header", method, uri);
    for (const char *at = buf_cstr(&resp.headers); (at = strstr(at, "Location: ")) != NULL; at++)
        if (at[10] != '/' || at[11] == '/' || at[11] == '\\')
            fail_msg("%s %s: leads to another site: %.60s", method, uri, at);
}

static const char *query_of(const char *value)
{
    struct buf b = BUF_INIT(64 * LIM_KB);
    for (size_t i = 0; i < NFIELDS; i++)
        buf_fmt(&b, "%s%s=%s", i ? "&" : "", FIELDS[i], value);
    const char *s = arena_strdup(arena, buf_cstr(&b));
    buf_free(&b);
    return s;
}

static const char *const VALUES[] = {
    MARK_URL,    LINES_URL, "%2F%2Fevil.example%2F", "..%2F..%2Fetc%2Fpasswd",
    "%C0%AE%FF", "-1",      "9223372036854775807"};

static void no_address_brings_anything_back(void **state)
{
    size_t asked = 0;
    (void)state;
    pagesite_sign_in("boss");
    for (size_t i = 0; i < routes_n; i++) {
        const struct route *row = &routes[i];
        bool open = row->gate == GATE_OPEN && strncmp(row->path, "/signin", 7) == 0;
        if ((row->gate != GATE_CONSOLE && !open) || !(row->methods & METHOD_GET))
            continue;
        for (size_t k = 0; k < sizeof VALUES / sizeof *VALUES; k++) {
            const char *uri = arena_fmt(arena, "%s?%s", row->path, query_of(VALUES[k]));
            int status = pagesite_ask("GET", uri, "", "", NULL);
            judge("GET", row->path);
            if (status >= 500)
                fail_msg("%s with %s: %d %s", row->path, VALUES[k], status, resp.note);
            /* one by one too, as the first wrong field may keep the others from being looked at */
            for (size_t f = 0; k < 2 && f < NFIELDS; f++) {
                pagesite_ask("GET", arena_fmt(arena, "%s?%s=%s", row->path, FIELDS[f], VALUES[k]),
                             "", "", NULL);
                judge("GET", row->path);
                asked++;
            }
        }
        arena_reset(arena);
    }
    assert_true(asked > 5000);
    assert_true(escaped > 50); /* or nothing comes back at all */
}

static void no_form_brings_anything_back(void **state)
{
    (void)state;
    escaped = 0;
    for (size_t i = 0; i < routes_n; i++) {
        const struct route *row = &routes[i];
        if (row->gate != GATE_CONSOLE || !(row->methods & METHOD_POST) ||
            strcmp(row->path, "/signout") == 0)
            continue;
        for (size_t k = 0; k < sizeof VALUES / sizeof *VALUES; k++) {
            pagesite_sign_in("boss");
            int status = pagesite_post(row->path, query_of(VALUES[k]));
            judge("POST", row->path);
            if (status >= 500 && strcmp(row->path, "/pushcerts") != 0)
                fail_msg("%s with %s: %d %s", row->path, VALUES[k], status, resp.note);
            /* the form that asks for a proof carries the fields along */
            assert_ok(db_run(owner, "t", "UPDATE session SET fresh_at = 1", &err), err);
            pagesite_post(row->path, query_of(VALUES[k]));
            judge("POST, stale", row->path);
        }
        arena_reset(arena);
    }
    assert_true(escaped > 50);
}

/* ---- the HTTP API ---- */

/* Whatever an address of the API holds, it is answered in JSON, and never as a fault. */
static void no_address_of_the_api_is_a_fault(void **state)
{
    static const char *const words[] = {
        "search", "q",    "cursor",  "limit",  "since",  "serial",  "ids",         "id",
        "group",  "item", "state",   "actor",  "action", "subject", "ends_before", "enrollment_id",
        "issued", "tab",  "version", "device", "type",   "why",     "platform",    "profile"};
    const char *const more[] = {pagesite_key("k", "*"), NULL};
    (void)state;
    for (size_t i = 0; i < routes_n; i++) {
        const struct route *row = &routes[i];
        size_t n = strlen(row->path);
        bool star = row->path[n - 1] == '*';
        if (row->gate != GATE_API || !(row->methods & METHOD_GET) || row->methods & METHOD_POST)
            continue; /* those of any method keep NanoMDM's contract */
        for (size_t k = 0; k < sizeof VALUES / sizeof *VALUES; k++)
            for (size_t w = 0; w <= sizeof words / sizeof *words; w++) {
                const char *tail = star ? VALUES[k] : "";
                bool last = w == sizeof words / sizeof *words;
                const char *uri =
                    arena_fmt(arena, "%.*s%s%s%s%s%s", (int)(n - star), row->path, tail,
                              last && star ? "/devices" : "", last ? "" : "?", last ? "" : words[w],
                              last ? "" : arena_fmt(arena, "=%s", VALUES[k]));
                int status = pagesite_ask("GET", uri, "", "", more);
                const char *type = resp.content_type ? resp.content_type : "";
                if (strstr(type, "html") || strcasestr(buf_cstr(&resp.headers), "\nX-Evil"))
                    fail_msg("%s: answered as %s", uri, type);
                if (status >= 500)
                    fail_msg("%s: %d %s %s", uri, status, resp.note, buf_cstr(&resp.body));
            }
        arena_reset(arena);
    }
}

/* A path that leads out of the folder of static files, or to no address at all. */
static void no_path_leads_out(void **state)
{
    static const char *const paths[] = {
        "/static/../templates/head.html", "/static/%2e%2e/templates/head.html",
        "/static/..%2f..%2fetc%2fpasswd", "/static//etc/passwd",
        "/static/console.css%00.html",    "/static/%3Csvg+onload%3Dpwned()%3E",
        "/%3Csvg+onload%3Dpwned()%3E",    "/devices/..%2f..%2fx"};
    static const char *const html[] = {"HTTP_ACCEPT=text/html", NULL};
    (void)state;
    pagesite_sign_in("boss");
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        int status = pagesite_ask("GET", paths[i], "", "", html);
        assert_in_range(status, 400, 404);
        judge("GET", paths[i]);
        assert_false(pagesite_tells("{{"));
        assert_false(pagesite_tells("root:"));
    }
}

/* ---- a session that is not whole ---- */

static void pend(const char *name, char out[SESSION_TOKEN_LEN + 1])
{
    const struct session_start s = {
        .admin = name, .address = "192.0.2.1", .now = clock_now(), .pending = true};
    assert_ok(session_new(owner, &s, out, &err), err);
}

static void a_session_without_its_second_factor_opens_nothing(void **state)
{
    (void)state;
    pend("boss", token);
    for (size_t i = 0; i < routes_n; i++) {
        const struct route *row = &routes[i];
        if (row->gate != GATE_CONSOLE)
            continue;
        if (row->methods & METHOD_GET) {
            assert_int_equal(pagesite_ask("GET", row->path, "", "", NULL), 303);
            assert_non_null(strstr(buf_cstr(&resp.headers), "Location: /signin/code"));
        } else {
            assert_int_equal(pagesite_post(row->path, "what=all&name=boss"), 403);
        }
    }
    assert_int_equal(pagesite_number("SELECT COUNT(*) FROM session WHERE pending = 1"), 1);
}

/* Ended, expired, of a disabled account, of another length: none of them is a session. */
static void what_is_no_session_opens_nothing(void **state)
{
    static const char *const ends[] = {"UPDATE session SET ends_at = 1",
                                       "UPDATE session SET idle_until = 1", "DELETE FROM session"};
    (void)state;
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        pagesite_sign_in("boss");
        assert_int_equal(pagesite_ask("GET", "/devices", "", "", NULL), 200);
        assert_ok(db_run(owner, "t", ends[i], &err), err);
        assert_int_equal(pagesite_ask("GET", "/devices", "", "", NULL), 303);
    }
    pagesite_sign_in("ann");
    assert_ok(admin_disable(owner, "ann", true, "t", &err), err);
    assert_int_equal(pagesite_ask("GET", "/devices", "", "", NULL), 303);
    token[10] = '\0';
    assert_int_equal(pagesite_ask("GET", "/devices", "", "", NULL), 303);
    strcpy(token, "' OR 1=1 -- ");
    assert_int_equal(pagesite_ask("GET", "/devices", "", "", NULL), 303);
}

/* A page that stays fresh by itself on a desk that somebody has left keeps nobody signed in. */
static void a_page_that_is_left_open_keeps_nobody_signed_in(void **state)
{
    static const char *const live[] = {"HTTP_DROVER_LIVE=1", NULL};
    static const char aged[] = "UPDATE session SET seen_at = (UNIX_TIMESTAMP() - 1700) * 1000000, "
                               "idle_until = (UNIX_TIMESTAMP() + 100) * 1000000";
    static const char left[] = "SELECT idle_until DIV 1000000 - UNIX_TIMESTAMP() FROM session";
    (void)state;
    pagesite_sign_in("boss");
    assert_ok(db_run(owner, "t", aged, &err), err);
    assert_int_equal(pagesite_ask("GET", "/", "", "", live), 200);
    assert_in_range(pagesite_number(left), 0, 100);
    assert_int_equal(pagesite_ask("GET", "/", "", "", NULL), 200);
    assert_in_range(pagesite_number(left), 101, 1800);
    assert_ok(db_run(owner, "t", "UPDATE session SET idle_until = 1", &err), err);
    assert_int_equal(pagesite_ask("GET", "/", "", "", live), 303);
}

/* What a form of the sign-in brings along is not adopted, neither a whole session nor a waiting
 * one. */
static void a_token_that_was_brought_along_is_ended(void **state)
{
    char victim[SESSION_TOKEN_LEN + 1], form[65], csrf[FORM_TOKEN_LEN + 1];
    (void)state;
    for (int waiting = 0; waiting < 2; waiting++) {
        if (waiting) {
            pend("mallory", token);
        } else {
            pagesite_sign_in("mallory");
        }
        memcpy(victim, token, sizeof victim);
        assert_int_equal(pagesite_ask("GET", "/signin", "", "", NULL), 200);
        const char *set = strstr(buf_cstr(&resp.headers), "Set-Cookie: ");
        assert_non_null(set);
        assert_int_equal(sscanf(strchr(set, '='), "=%32[0-9a-f]", form), 1);
        form_token(bytes_str(form), csrf);
        const char *const more[] = {arena_fmt(arena, "HTTP_COOKIE=%.*s=%s; " CONSOLE_COOKIE "=%s",
                                              (int)strcspn(set + 12, "="), set + 12, form, victim),
                                    NULL};
        assert_int_equal(
            pagesite_ask("POST", "/signin",
                         arena_fmt(arena, "csrf=%s&name=boss&password=correct+horse+battery", csrf),
                         PAGESITE_FORM, more),
            303);
        const char *now = strstr(buf_cstr(&resp.headers), CONSOLE_COOKIE "=");
        assert_non_null(now);
        assert_int_not_equal(strncmp(now + strlen(CONSOLE_COOKIE "="), victim, SESSION_TOKEN_LEN),
                             0);
        memcpy(token, victim, sizeof victim); /* the one who placed it tries it */
        assert_int_equal(pagesite_ask("GET", "/devices", "", "", NULL), 303);
        assert_int_equal(pagesite_number("SELECT COUNT(*) FROM session WHERE admin = 'mallory'"),
                         0);
    }
}

/* ---- a proof that is older than a quarter of an hour ---- */

#define ITEM(id, kind)                                                                             \
    "REPLACE INTO library_item (id, kind, identifier, name, version, created_at, created_by, "     \
    "changed_at, changed_by) VALUES (" #id ", " #kind ", 'i" #id "', 'I', 1, 1, 't', 1, 't')",     \
        "REPLACE INTO library_version (id, item_id, number, sha256, size, content, types, "        \
        "details, "                                                                                \
        "created_at, created_by) VALUES (" #id ", " #id ", 1, REPEAT('x', 32), 1, 'x', '', '{}', " \
        "1, 't')"
#define ORDER(id, group, type, state)                                                              \
    "REPLACE INTO standing_order (id, group_id, request_type, command_keys, policy, reason, "      \
    "state, created_at, created_by, changed_at) VALUES (" #id ", " #group ", '" type               \
    "', '{}', 1, 'x', " #state ", 1, 't', 1)"
#define GROUP(id, filter)                                                                          \
    "REPLACE INTO device_group (id, name, filter, note, created_at, created_by, changed_at, "      \
    "changed_by) VALUES (" #id ", 'g" #id "', " filter ", '', 1, 't', 1, 't')"

/* A device whose EraseDevice failed, things of the library, and groups: 500 and 501 erase what
 * comes in, 501 whatever has the tag x; 502 asks it how it is; 503 is to erase, says its draft. */
static void things(void)
{
    static const char *const all[] = {
        "REPLACE INTO enrollment (id, ident, kind, device_id, state, life_id, udid, created_at, "
        "enrolled_at, last_seen_at) VALUES (1, 'D1', 1, 1, 2, 1, 'D1', 1, 1, 1)",
        "REPLACE INTO life (id, enrollment_id, state, topic, push_token, push_magic, opened_at, "
        "token_at) VALUES (1, 1, 2, 't', 'x', 'm', 1, 1)",
        "REPLACE INTO command (id, uuid, request_type, body, created_at, created_by) VALUES (80, "
        "'C-80', 'EraseDevice', 'x', 1, 't')",
        "REPLACE INTO result (enrollment_id, command_id, state, queued_at, sent_count, closed_at) "
        "VALUES (1, 80, 5, 1, 1, 1)",
        ITEM(60, 1),
        ITEM(61, 3),
        GROUP(500, "NULL"),
        GROUP(501, "'{\"all\":[{\"not\":{\"tag\":\"x\"}}]}'"),
        GROUP(502, "'{\"tag\":\"y\"}'"),
        GROUP(503, "NULL"),
        ORDER(600, 500, "EraseDevice", 1),
        ORDER(601, 501, "EraseDevice", 1),
        ORDER(602, 502, "SecurityInfo", 1),
        ORDER(603, 502, "EraseDevice", 3),
        ORDER(604, 503, "EraseDevice", 4),
        "REPLACE INTO group_blueprint (group_id, number, items, orders, created_at, created_by) "
        "VALUES (503, 1, '[]', '[]', 1, 't'), (503, 0, '[]', '[\"604\"]', 1, 't')"};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        assert_ok(db_run(owner, "t", all[i], &err), err);
}

static void what_is_sensitive_asks_who_it_is(void **state)
{
    static const struct {
        const char *path, *fields;
    } others[] = {{"/group/delete", "id=500&why=x"},
                  {"/people", "what=add&name=x"},
                  {"/people", "what=reset&name=x"},
                  {"/people", "what=remove&name=x&sure=yes"},
                  {"/account", "what=factor_begin"},
                  {"/account", "what=factor_off"},
                  {"/account", "what=factor_codes"},
                  {"/unknown", "number=7&decision=end&why=x"},
                  {"/approvals", "id=1&decision=approve&why=x"},
                  {"/device/secret", "device=D1&kind=DeviceLock.PIN&why=x"},
                  {"/device/send", "device=D1&type=EraseDevice&why=x&go=1"},
                  {"/device/retry", "device=D1&uuid=C-80&why=x"},
                  {"/certificate", "why=x&sha256=" SHA},
                  {"/certificates", "id=71&decision=approve&why=x"},
                  {"/enrollment-profile", "name=default&what=save&version=1"},
                  {"/enrollment-profile", "name=default&what=revert&version=1"},
                  {"/enrollment-profile", "name=default&what=remove"},
                  {"/profile/file", "id=60"},
                  {"/profile", "id=60&what=delete&sure=yes&why=x"},
                  {"/app", "id=61&what=delete&sure=yes&why=x"},
                  {"/group/preview", "id=503&base=1"},
                  {"/group/devices", "id=500&what=add&ids=D1"},
                  {"/group/filter", "id=501&name=g&do=save&" TAGGED},
                  {"/device/tag", "device=D1&tag=x&what=add"},
                  {"/device/tag", "device=D1&tag=x&what=take"}};
    size_t rows = 0;
    (void)state;
    things();
    pagesite_sign_in("boss");
    assert_ok(db_run(owner, "t", "UPDATE session SET fresh_at = 1", &err), err);
    int64_t written = pagesite_number("SELECT COUNT(*) FROM audit");
    for (size_t i = 0; i < routes_n; i++) {
        const struct route *row = &routes[i];
        if (row->gate != GATE_CONSOLE || !(row->methods & METHOD_POST) ||
            strcmp(row->scope, "administer") != 0)
            continue;
        assert_int_equal(pagesite_post(row->path, "what=x&name=boss&kind=admin"), 403);
        if (!pagesite_tells("name=\"proof\""))
            fail_msg("%s does not ask who it is", row->path);
        rows++;
    }
    assert_true(rows > 6);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        int status = pagesite_agree(others[i].path, others[i].fields);
        if (status != 403 || !pagesite_tells("name=\"proof\""))
            fail_msg("%s, %s: does not ask who it is: %d %s", others[i].path, others[i].fields,
                     status, resp.note);
    }
    assert_int_equal(pagesite_number("SELECT COUNT(*) FROM audit"), written);
    /* what does not send anything that harms is not asked for */
    assert_int_equal(pagesite_agree("/group/devices", "id=500&what=remove&ids=D1"), 303);
    assert_int_equal(pagesite_post("/device/tag", "device=D1&tag=y&what=add"), 303);
    assert_int_equal(pagesite_agree("/group/filter", "id=502&name=g&do=save&" TAGGED), 303);
    assert_int_equal(pagesite_post("/unknown", "number=7&decision=accept&why=x"), 404);
}

/* What is carried along is the whole form or nothing: half a filter would find other devices. */
static void a_long_form_is_carried_whole(void **state)
{
    struct buf b = BUF_INIT(LIM_MB);
    (void)state;
    things();
    pagesite_sign_in("boss");
    assert_ok(db_run(owner, "t", "UPDATE session SET fresh_at = 1", &err), err);
    buf_str(&b, "id=501&name=g&do=save&r_kind=any&r_depth=0&r_fact=&r_op=is&r_value=");
    for (int i = 1; i < 99; i++)
        buf_fmt(&b, "&r_kind=tag&r_depth=1&r_fact=&r_op=is&r_value=tag%d", i);
    assert_int_equal(pagesite_post("/group/filter", buf_cstr(&b)), 403);
    assert_true(pagesite_tells("name=\"proof\""));
    assert_true(pagesite_tells("name=\"r_value\" value=\"tag98\""));
    for (int i = 0; i < 2000; i++)
        buf_str(&b, "&x=1");
    assert_int_equal(pagesite_post("/group/filter", buf_cstr(&b)), 400);
    assert_false(pagesite_tells("name=\"proof\""));
    assert_true(pagesite_tells("Nothing was done"));
    buf_free(&b);
}

/* The same by the API: who brings a device where it gets a sensitive command sends it that. */
static void a_key_brings_no_device_where_it_is_erased(void **state)
{
    static const struct {
        const char *method, *path, *body;
        bool harms;
    } cases[] = {{"POST", "/api/v1/groups/500/devices", "{\"add\":[\"D1\"]}", true},
                 {"POST", "/api/v1/groups/500/devices", "{\"remove\":[\"D1\"]}", false},
                 {"PATCH", "/api/v1/groups/501", "{\"filter\":{\"tag\":\"z\"}}", true},
                 {"PATCH", "/api/v1/groups/501", "{\"note\":\"n\"}", false},
                 {"PATCH", "/api/v1/groups/502", "{\"filter\":{\"tag\":\"z\"}}", false},
                 {"POST", "/api/v1/tags", "{\"tag\":\"x\",\"remove\":[\"D1\"]}", true},
                 {"POST", "/api/v1/tags", "{\"tag\":\"y\",\"add\":[\"D1\"]}", false}};
    (void)state;
    things();
    for (int whole = 0; whole < 2; whole++) {
        const char *const more[] = {
            pagesite_key(whole ? "all" : "some", whole ? "*" : "read library"), NULL};
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            int status = pagesite_ask(cases[i].method, cases[i].path, cases[i].body,
                                      "application/json", more);
            if (status != (cases[i].harms && !whole ? 403 : 200))
                fail_msg("%s %s by a key with %s: %d %s", cases[i].path, cases[i].body,
                         whole ? "all" : "some", status, buf_cstr(&resp.body));
            things();
        }
    }
}

/* RemoveProfile of the profile by which a device is managed ends that: the one that is given out,
 * or one that a device has told of. */
#define OWN "org.example.mdm.drover"
#define TOLD "com.example.older-server"
#define KEEPS "com.example.wifi"

static void ends(void)
{
#define PROFILE(name, content)                                                                     \
    "REPLACE INTO inv_profile (enrollment_id, identifier, extra) VALUES (1, '" name "', "          \
    "'{\"PayloadContent\":[{\"PayloadType\":\"" content "\"}]}')"
#define REMOVAL(id, name)                                                                          \
    "REPLACE INTO command (id, uuid, request_type, body, created_at, created_by) VALUES (" #id     \
    ", 'C-" #id "', 'RemoveProfile', '<?xml version=\"1.0\"?><plist version=\"1.0\"><dict>"        \
    "<key>Command</key><dict><key>RequestType</key><string>RemoveProfile</string>"                 \
    "<key>Identifier</key><string>" name "</string></dict></dict></plist>', 1, 't')",              \
        "REPLACE INTO result (enrollment_id, command_id, state, queued_at, sent_count, "           \
        "closed_at) VALUES (1, " #id ", 5, 1, 1, 1)"
#define REMOVES(id, group, state, name)                                                            \
    ORDER(id, group, "RemoveProfile", state),                                                      \
        "UPDATE standing_order SET command_keys = '{\"Identifier\":\"" name "\"}' WHERE id = " #id
    static const char *const all[] = {
        PROFILE(TOLD, "com.apple.mdm"),
        PROFILE(KEEPS, "com.apple.wifi.managed"),
        "UPDATE enrollment SET product_name = 'iPhone14,2', os_version = '17.0' WHERE id = 1",
        REMOVAL(81, OWN),
        REMOVAL(82, TOLD),
        REMOVAL(83, KEEPS),
        "DELETE FROM standing_order",
        REMOVES(610, 500, 1, OWN),
        REMOVES(611, 502, 1, KEEPS),
        REMOVES(612, 503, 4, TOLD),
        "UPDATE group_blueprint SET orders = '[\"612\"]' WHERE group_id = 503 AND number = 0"};
    things();
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        assert_ok(db_run(owner, "t", all[i], &err), err);
}

#define RAW(name)                                                                                  \
    "<plist "                                                                                      \
    "version=\"1.0\"><dict><key>CommandUUID</key><string>U1</string><key>Command</key><dict>"      \
    "<key>RequestType</key><string>RemoveProfile</string><key>Identifier</key><string>" name       \
    "</string></dict></dict></plist>"
#define SEND(name) "device=D1&type=RemoveProfile&go=1&Identifier=" name

static void what_ends_management_asks_who_it_is(void **state)
{
    static const struct {
        const char *path, *fields;
    } asks[] = {{"/device/send", SEND(OWN) "&why=x"},
                {"/device/send", SEND(TOLD) "&why=x"},
                {"/device/retry", "device=D1&uuid=C-81&why=x"},
                {"/device/retry", "device=D1&uuid=C-82&why=x"},
                {"/group/preview", "id=503&base=1"},
                {"/group/devices", "id=500&what=add&ids=D1"}};
    (void)state;
    ends();
    int64_t queued = pagesite_number("SELECT COUNT(*) FROM queue");
    pagesite_sign_in("boss");
    assert_ok(db_run(owner, "t", "UPDATE session SET fresh_at = 1", &err), err);
    for (size_t i = 0; i < sizeof asks / sizeof *asks; i++) {
        int status = pagesite_agree(asks[i].path, asks[i].fields);
        if (status != 403 || !pagesite_tells("name=\"proof\""))
            fail_msg("%s, %s: does not ask who it is: %d", asks[i].path, asks[i].fields, status);
    }
    assert_int_equal(pagesite_number("SELECT COUNT(*) FROM queue"), queued);
    /* nor is it sent without a reason, or where none is asked for */
    pagesite_sign_in("boss");
    assert_int_equal(pagesite_post("/device/send", SEND(OWN)), 400);
    assert_true(pagesite_tells("needs a reason"));
    assert_int_equal(pagesite_post("/device/command", "device=D1&type=raw&raw=" RAW(OWN)), 400);
    assert_true(pagesite_tells("sensitive command"));
    /* another profile's removal is none of this */
    assert_ok(db_run(owner, "t", "UPDATE session SET fresh_at = 1", &err), err);
    assert_int_equal(pagesite_post("/device/send", SEND(KEEPS)), 303);
    assert_int_equal(pagesite_post("/device/retry", "device=D1&uuid=C-83"), 303);
    assert_int_equal(pagesite_post("/device/tag", "device=D1&tag=y&what=add"), 303);
}

static void two_end_management(void **state)
{
    (void)state;
    ends();
    int64_t queued = pagesite_number("SELECT COUNT(*) FROM queue");
    pagesite_sign_in("boss");
    conf.command_approval = "sensitive";
    int status = pagesite_post("/device/send", SEND(OWN) "&why=x");
    int64_t asked = pagesite_number("SELECT COUNT(*) FROM approval WHERE state = 1 AND "
                                    "request_type = 'RemoveProfile'");
    const char *const more[] = {pagesite_key("ender", "*"), NULL};
    int raw = pagesite_ask("PUT", "/v1/enqueue/D1?nopush=1", RAW(OWN), "application/xml", more);
    conf.command_approval = "never";
    assert_int_equal(status, 303);
    assert_int_equal(asked, 1);
    assert_int_equal(raw, 500);
    assert_true(pagesite_tells("second person"));
    assert_int_equal(pagesite_number("SELECT COUNT(*) FROM queue"), queued);
}

static void a_key_ends_no_management(void **state)
{
#define ASK(name)                                                                                  \
    "{\"request_type\":\"RemoveProfile\",\"ids\":[\"D1\"],\"push\":false"                          \
    ",\"command\":{\"Identifier\":\"" name "\"}}"
    static const struct {
        const char *method, *path, *type, *body;
        int some, whole; /* the answer to a key without the scope, and with all */
    } cases[] = {
        {"POST", "/api/v1/commands", "application/json", ASK(OWN), 403, 400},
        {"POST", "/api/v1/commands", "application/json", ASK(TOLD), 403, 400},
        {"POST", "/api/v1/commands", "application/json", ASK(KEEPS), 200, 200},
        {"PUT", "/v1/enqueue/D1?nopush=1", "application/xml", RAW(OWN), 403, 200},
        {"PUT", "/v1/enqueue/D1?nopush=1", "application/xml", RAW(KEEPS), 200, 200},
        {"POST", "/api/v1/groups/500/devices", "application/json", "{\"add\":[\"D1\"]}", 403, 200},
        {"POST", "/api/v1/tags", "application/json", "{\"tag\":\"y\",\"add\":[\"D1\"]}", 200, 200}};
    (void)state;
    for (int whole = 0; whole < 2; whole++) {
        const char *const more[] = {
            pagesite_key(whole ? "everything" : "little", whole ? "*" : "read library command"),
            NULL};
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            ends();
            assert_ok(db_run(owner, "t", "DELETE FROM command WHERE uuid = 'U1'", &err), err);
            int status =
                pagesite_ask(cases[i].method, cases[i].path, cases[i].body, cases[i].type, more);
            if (status != (whole ? cases[i].whole : cases[i].some))
                fail_msg("%s %s by a key with %s: %d %s", cases[i].path, cases[i].body,
                         whole ? "all" : "some", status, buf_cstr(&resp.body));
        }
    }
}

static int set_up(void **state)
{
    static char keys[LIM_PATH];
    (void)state;
    pagesite_up("drover_test_hostile");
    conf.device_url = "https://mdm.example.org";
    snprintf(keys, sizeof keys, "%s/hostile", TESTDB_DIR);
    conf.signer_dir = keys;
    testdb_shell("mkdir -p %s && head -c 32 /dev/urandom >%s/seal.pub", conf.signer_dir,
                 conf.signer_dir);
    assert_ok(admin_add(owner, "boss", "administrator", "correct horse battery", "t", &err), err);
    assert_ok(admin_add(owner, "ann", "operator", "correct horse battery", "t", &err), err);
    assert_ok(admin_add(owner, "mallory", "viewer", "correct horse battery", "t", &err), err);
    return 0;
}

/* What the forms before have made of it. */
static int again(void **state)
{
    (void)state;
    return db_run(owner, "t", "UPDATE admin SET disabled_at = NULL, password_due = 0", &err) !=
               OK ||
           db_run(owner, "t", "DELETE FROM session", &err) != OK ||
           db_run(owner, "t", "DELETE FROM device_group", &err) != OK ||
           db_run(owner, "t", "DELETE FROM standing_order", &err) != OK ||
           db_run(owner, "t", "DELETE FROM login_throttle", &err) != OK;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(no_address_brings_anything_back, again),
        cmocka_unit_test_setup(no_form_brings_anything_back, again),
        cmocka_unit_test_setup(no_address_of_the_api_is_a_fault, again),
        cmocka_unit_test_setup(no_path_leads_out, again),
        cmocka_unit_test_setup(a_session_without_its_second_factor_opens_nothing, again),
        cmocka_unit_test_setup(what_is_no_session_opens_nothing, again),
        cmocka_unit_test_setup(a_page_that_is_left_open_keeps_nobody_signed_in, again),
        cmocka_unit_test_setup(a_token_that_was_brought_along_is_ended, again),
        cmocka_unit_test_setup(what_is_sensitive_asks_who_it_is, again),
        cmocka_unit_test_setup(a_long_form_is_carried_whole, again),
        cmocka_unit_test_setup(a_key_brings_no_device_where_it_is_erased, again),
        cmocka_unit_test_setup(what_ends_management_asks_who_it_is, again),
        cmocka_unit_test_setup(two_end_management, again),
        cmocka_unit_test_setup(a_key_ends_no_management, again),
    };
    return cmocka_run_group_tests(tests, set_up, pagesite_down);
}

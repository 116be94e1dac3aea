/*
 * test_scope.c: accounts and API keys that are limited to groups: every row of the route table,
 * asked by a limited caller about a device outside, through route_run() with the real console and
 * the real database. No answer tells of that device, and nothing about it changes.
 */
#include "pagesite.h"

#include "command/bulk.h"
#include "store/account.h"
#include "store/admin.h"
#include "store/approval.h"
#include "store/bulk.h"
#include "store/device.h"
#include "store/failed.h"
#include "library/converge.h"
#include "store/group.h"
#include "store/id.h"
#include "store/identity.h"
#include "store/itemcount.h"
#include "store/member.h"
#include "store/scope.h"
#include "store/wanted.h"

#include <stdio.h>
#include <stdlib.h>

#define SECRET "OUTSIDER" /* in every text of the device outside, but not in what names it */
#define CROWD 4860 /* devices outside that have nothing but a number: what counts them tells */

static char key[APIKEY_LEN + 1], whole_key[APIKEY_LEN + 1];
static int64_t inside, outside;        /* groups */
static int64_t foreign;                /* a group that another limited account has made */
static char cert_out[65], cert_in[65]; /* identities of D2 and D1 */
static int64_t key_scope;              /* of the limited key */

#define RUN(text) assert_ok(db_run(owner, "t", (text), &err), err)

static const char *basic(const char *password)
{
    struct buf b = BUF_INIT(1024);
    base64_add(&b, bytes_str(arena_fmt(arena, "x:%s", password)));
    const char *s = arena_fmt(arena, "HTTP_AUTHORIZATION=Basic %s", buf_cstr(&b));
    buf_free(&b);
    return s;
}

/* The status; secret: of the API; NULL: the session. */
static int ask(const char *method, const char *uri, const char *body, const char *type,
               const char *secret)
{
    const char *const more[] = {secret ? basic(secret) : NULL, NULL};
    return pagesite_ask(method, uri, body, type, more);
}

/* A digest of everything that hangs on the device outside and its group. */
static int64_t digest(void)
{
    static const struct sql sum = {
        "digest",
        "SELECT COALESCE((SELECT SUM(CRC32(CONCAT_WS('|', command_id, state, sent_count))) FROM "
        "queue WHERE enrollment_id IN (2, 3)), 0) + (SELECT COUNT(*) FROM queue WHERE "
        "enrollment_id IN (2, 3)) * 1000003 + (SELECT COUNT(*) FROM result WHERE enrollment_id IN "
        "(2, 3)) * 7 + COALESCE((SELECT SUM(CRC32(CONCAT_WS('|', enrollment_id, state))) FROM push "
        "WHERE enrollment_id IN (2, 3)), 0) + (SELECT COUNT(*) FROM device_tag WHERE device_id IN "
        "(2, 3)) * 13 + (SELECT COUNT(*) FROM bulk_target WHERE enrollment_id IN (2, 3)) * 17 + "
        "(SELECT COUNT(*) FROM group_member WHERE device_id IN (2, 3)) * 19 + (SELECT COUNT(*) "
        "FROM inv_secret WHERE enrollment_id IN (2, 3)) * 23 + (SELECT COUNT(*) FROM device_group "
        "WHERE owner = 0 OR id = 5000) * 29 + (SELECT COUNT(*) FROM group_blueprint) * 31 + "
        "COALESCE((SELECT "
        "SUM(CRC32(CONCAT_WS('|', id, state, group_id))) FROM standing_order), 0) + (SELECT "
        "COUNT(*) FROM assignment) * 37 + (SELECT COUNT(*) FROM offer) * 41 + (SELECT "
        "SUM(CRC32(CONCAT_WS('|', id, state))) FROM approval WHERE id <> 9) + (SELECT "
        "SUM(CRC32(CONCAT_WS('|', id, name, version, changed_at, deleted_at, wave_first))) FROM "
        "library_item) + (SELECT SUM(CRC32(CONCAT_WS('|', halted_at, released))) FROM rollout) + "
        "(SELECT COUNT(*) FROM device_item WHERE enrollment_id <> 1 AND state = 4) * 43 + (SELECT "
        "COUNT(*) FROM library_version) * 47 + (SELECT COUNT(*) FROM calendar_feed) * 53 + "
        "(SELECT COUNT(*) FROM identity_cert WHERE revoked_at IS NULL) * 59 + (SELECT COUNT(*) "
        "FROM scep_request WHERE state = 1) * 61 + COALESCE((SELECT SUM(CRC32(CONCAT_WS('|', id, "
        "name, filter, note))) FROM device_group WHERE owner = 0 OR id = 5000), 0) + (SELECT "
        "SUM(CRC32(CONCAT_WS('|', name, full_name, disabled_at, password_hash))) FROM enroll_user)",
        0};
    struct rows r;
    assert_ok(db_select(owner, &sum, NULL, 0, arena, &r, &err), err);
    return row_at(&r, 0, 0)->type == VAL_INT ? row_at(&r, 0, 0)->i
                                             : strtoll(row_at(&r, 0, 0)->s, NULL, 10);
}

/* What the answers of a table say of the device outside, and of how many there are. */
static size_t told, counted;

/* A number that stands alone and is as large as the crowd. */
static const char *crowd_in(const char *text)
{
    for (const char *p = text; (p = strstr(p, "486")) != NULL; p++)
        if (strspn(p, "0123456789") == 4 && strchr(" <,)}\n\"", p[4]) != NULL &&
            (p == text || strchr(" >:(\"\'", p[-1]) != NULL))
            return p;
    return NULL;
}

static void look(const char *what, bool limited)
{
    bool tells =
        resp.body.len > 0 && memmem(resp.body.data, resp.body.len, SECRET, strlen(SECRET)) != NULL;
    const char *number = crowd_in(buf_cstr(&resp.body));
    told += tells;
    counted += number != NULL;
    if (limited && tells)
        fail_msg("%s tells of a device outside: %d ...%.200s", what, resp.status,
                 strstr(buf_cstr(&resp.body), SECRET) - 100);
    if (limited && number)
        fail_msg("%s tells how many there are outside: %d ...%.200s", what, resp.status,
                 number - (number - buf_cstr(&resp.body) > 100 ? 100 : 0));
}

/* ---- the console ---- */

static void console_asked(bool limited)
{
    const char *const queries[] = {"",
                                   "?id=D2",
                                   "?id=D3",
                                   "?id=D2&part=facts",
                                   "?id=D2&type=SecurityInfo",
                                   "?id=D2&uuid=C-80",
                                   "?q=OUTSID",
                                   "?pick=D2&pick=D3",
                                   "?id=%lld",
                                   "?id=502",
                                   "?id=901",
                                   "?id=901&tab=devices",
                                   "?id=901&tab=versions",
                                   "?id=902",
                                   "?id=902&tab=devices",
                                   "?id=902&tab=codes",
                                   "?id=902&tab=feedback",
                                   "?id=901&state=failed",
                                   "?id=901&state=pending",
                                   "?subject=D2",
                                   "?actor=boss",
                                   "?action=approval",
                                   "?id=7",
                                   "?id=8",
                                   "?kind=all&f=" SECRET,
                                   "?which=dead",
                                   "?which=failed",
                                   "?tab=requests&all=1",
                                   "?tab=ca",
                                   "?id=5000",
                                   "?name=outer-person",
                                   "?sha256=",
                                   "?sha256=bbbbbbbb"};
    for (size_t i = 0; i < routes_n; i++) {
        const struct route *row = &routes[i];
        if (row->gate != GATE_CONSOLE || !(row->methods & METHOD_GET))
            continue;
        for (size_t k = 0; k < sizeof queries / sizeof *queries; k++) {
            char query[96];
            snprintf(query, sizeof query, "%s", queries[k]);
            if (strstr(queries[k], "%lld"))
                snprintf(query, sizeof query, "?id=%lld", (long long)outside);
            if (strcmp(queries[k], "?sha256=") == 0)
                strcat(query, cert_out);
            int status = ask("GET", arena_fmt(arena, "%s%s", row->path, query), "", "", NULL);
            look(row->path, limited);
            if (limited && row->reach != REACH_SCOPED && status != 403)
                fail_msg("%s is not closed: %d", row->path, status);
        }
        arena_reset(arena);
    }
}

static void no_page_tells_of_a_device_outside(void **state)
{
    (void)state;
    told = counted = 0;
    pagesite_sign_in("boss");
    console_asked(false);
    assert_true(told > 60); /* or this test would look at nothing */
    assert_true(counted > 10);
    pagesite_sign_in("limited");
    console_asked(true);
    assert_int_equal(ask("GET", "/device?id=D1", "", "", NULL), 200);
    assert_int_equal(ask("GET", "/device?id=D2", "", "", NULL), 404);
    assert_int_equal(ask("GET", "/device?id=D3", "", "", NULL), 404); /* a user on it */
    assert_int_equal(ask("GET", "/", "", "", NULL), 200);
    assert_int_equal(ask("GET", "/devices.csv", "", "", NULL), 200);
    assert_non_null(strstr(buf_cstr(&resp.body), "INSIDER"));
    assert_int_equal(
        ask("GET", arena_fmt(arena, "/group?id=%lld", (long long)inside), "", "", NULL), 200);
    assert_int_equal(
        ask("GET", arena_fmt(arena, "/group?id=%lld", (long long)outside), "", "", NULL), 404);
}

static void no_form_acts_on_a_device_outside(void **state)
{
    static const char form[] = "application/x-www-form-urlencoded";
    int64_t before = digest();
    (void)state;
    pagesite_sign_in("limited");
    for (size_t i = 0; i < routes_n; i++) {
        const struct route *row = &routes[i];
        if (row->gate != GATE_CONSOLE || !(row->methods & METHOD_POST) ||
            strcmp(row->path, "/signout") == 0)
            continue;
        /* all fields that any of the forms takes, about the device outside and its group */
        const char *const bodies[] = {
            "device=D2&type=SecurityInfo&go=1&sure=yes&why=x&tag=t&what=add&uuid=C-80",
            "device=D3&type=RestartDevice&go=1&sure=yes&why=x&tag=t&what=take&uuid=C-80",
            "pick=D2&pick=D3&type=SecurityInfo&sure=yes&tag=t&what=add",
            arena_fmt(arena,
                      "id=%lld&what=in&item=501&type=SecurityInfo&policy=join&go=1&version=1&"
                      "base=1&why=x&name=n&do=save&r_kind=all&ids=D2",
                      (long long)outside),
            "id=7&decision=approve&why=x&number=7",
            "id=8&decision=approve&why=x",
            "id=8&decision=refuse&why=x",
            "id=901&what=retry&why=x",
            "id=901&what=retry&why=x&device=D2",
            "id=901&what=stop&why=x",
            "id=901&what=resume&why=x&sure=yes",
            "id=901&what=waves&wave_first=9&halt_percent=9&why=x",
            "id=901&what=delete&why=x&sure=yes&changed_at=1",
            "id=902&what=delete&why=x&sure=yes&changed_at=1",
            "id=901&what=settings&name=other&wave_first=1&halt_percent=1&changed_at=1&sure=yes",
            "id=902&what=options&name=other&wave_first=1&halt_percent=1&feedback_hours=0&"
            "update_hours=0&codes_low=0&changed_at=1&sure=yes",
            "id=902&what=again&app_version=2",
            "id=902&what=codes&codes=AAA",
            "id=901&what=use&version=1&sure=yes&changed_at=1&why=x",
            "id=901&what=delete",
            "id=902&what=delete",
            "id=901&what=use&version=1",
            arena_fmt(arena, "id=901&what=unassign&sure=yes&why=x&group=%lld", (long long)outside),
            arena_fmt(arena, "id=902&what=assign&sure=yes&group=%lld", (long long)outside),
            arena_fmt(arena, "id=%lld&what=add&ids=D2", (long long)inside),
            arena_fmt(arena, "id=%lld&what=take&ids=D2&pick=D2", (long long)outside),
            arena_fmt(arena, "group=%lld&item=901&what=offer", (long long)outside),
            arena_fmt(arena, "group=%lld&item=902&what=withdraw&why=x", (long long)outside),
            "name=feed",
            arena_fmt(arena, "sha256=%s&why=x", cert_out),
            "id=71&decision=approve&why=x",
            arena_fmt(arena, "id=%lld&name=mine&note=x&do=save&r_kind=all", (long long)outside),
            arena_fmt(arena, "id=%lld&name=mine&note=x&do=save&r_kind=all", (long long)inside),
            arena_fmt(arena, "id=%lld&what=remove&pick=D1&ids=D1&why=x", (long long)inside),
            "id=5000&name=mine&note=x&do=save&r_kind=all&what=add&ids=D1&why=x",
            "name=outer-person&what=disable&sure=yes",
            "name=outer-person&what=change&full_name=x",
            "name=outer-person&what=reset",
            "q=OUTSID&type=SecurityInfo&sure=yes&filtered=yes&tag=t&what=add"};
        for (size_t k = 0; k < sizeof bodies / sizeof *bodies; k++) {
            int status = ask("POST", row->path,
                             arena_fmt(arena, "%s&%s", pagesite_csrf(), bodies[k]), form, NULL);
            look(row->path, true);
            if (row->reach != REACH_SCOPED && status != 403)
                fail_msg("%s is not closed: %d", row->path, status);
            if (digest() != before)
                fail_msg("%s acts outside, with %s: %d", row->path, bodies[k], status);
        }
    }
    /* the same form, about a device inside, does something */
    assert_int_equal(ask("POST", "/device/tag",
                         arena_fmt(arena, "%s&device=D1&tag=t&what=add", pagesite_csrf()), form,
                         NULL),
                     303);
    RUN("DELETE FROM device_tag WHERE tag = 't'");
}

/* ---- the HTTP API ---- */

static void api_asked(bool limited, const char *secret)
{
    const char *const tails[] = {"",
                                 "D2",
                                 "D3",
                                 "D2/facts",
                                 "D2/events",
                                 "D2/results",
                                 "D1,D2",
                                 "502",
                                 "502/devices",
                                 "7",
                                 "8",
                                 "901",
                                 "901/devices",
                                 "901/versions",
                                 "902/codes",
                                 "902/feedback",
                                 "5000",
                                 "5000/devices",
                                 "outer-person",
                                 cert_out,
                                 arena_fmt(arena, "%.9s", cert_out),
                                 arena_fmt(arena, "%lld", (long long)outside),
                                 arena_fmt(arena, "%lld/devices", (long long)outside),
                                 arena_fmt(arena, "%lld/blueprint", (long long)outside),
                                 arena_fmt(arena, "%lld/versions", (long long)outside),
                                 arena_fmt(arena, "%lld/commands", (long long)outside)};
    const char *const queries[] = {
        "",          "?search=OUTSID",   "?serial=" SECRET "-SERIAL",
        "?ids=D2",   "?id=D2",           arena_fmt(arena, "?group=%lld", (long long)outside),
        "?item=901", "?subject=D2",      "?actor=boss",
        "?q=OUTSID", "?enrollment_id=D2"};
    for (size_t i = 0; i < routes_n; i++) {
        const struct route *row = &routes[i];
        size_t n = strlen(row->path);
        bool star = row->path[n - 1] == '*';
        if (row->gate != GATE_API || !(row->methods & METHOD_GET))
            continue;
        for (size_t k = 0; k < sizeof tails / sizeof *tails; k++)
            for (size_t q = 0; q < sizeof queries / sizeof *queries; q++) {
                if ((star == (k == 0)) || (star && q != 0))
                    continue;
                const char *uri =
                    arena_fmt(arena, "%.*s%s%s", (int)(n - star), row->path, tails[k], queries[q]);
                int status = ask("GET", uri, "", "", secret);
                look(uri, limited);
                if (limited && row->reach != REACH_SCOPED && status != 403)
                    fail_msg("%s is not closed: %d", uri, status);
            }
    }
}

static void no_read_of_the_api_tells_of_a_device_outside(void **state)
{
    (void)state;
    told = counted = 0;
    api_asked(false, whole_key);
    assert_true(told > 30);
    assert_true(counted > 3);
    api_asked(true, key);
    assert_int_equal(ask("GET", "/api/v1/devices/D1", "", "", key), 200);
    assert_int_equal(ask("GET", "/api/v1/devices/D2", "", "", key), 404);
    assert_int_equal(ask("GET", "/api/v1/devices", "", "", key), 200);
    assert_non_null(strstr(buf_cstr(&resp.body), "INSIDER"));
    assert_int_equal(ask("POST", "/v1/enrollments/query", "{\"filter\":{\"ids\":[\"D1\",\"D2\"]}}",
                         "application/json", key),
                     200);
    look("query", true);
}

static void no_write_of_the_api_acts_outside(void **state)
{
    const struct {
        const char *method, *path, *body, *type;
    } writes[] = {
        {"POST", "/api/v1/commands", "{\"request_type\":\"SecurityInfo\",\"ids\":[\"D2\",\"D3\"]}",
         "application/json"},
        {"POST", "/api/v1/devices/D2/commands", "{\"request_type\":\"SecurityInfo\"}",
         "application/json"},
        {"POST", "/api/v1/devices/D2/commands",
         "{\"request_type\":\"SecurityInfo\",\"force\":true}", "application/json"},
        {"PUT", "/v1/enqueue/D2",
         "<plist><dict><key>Command</key><dict><key>RequestType</key><string>SecurityInfo</string>"
         "</dict><key>CommandUUID</key><string>U1</string></dict></plist>",
         "text/plain"},
        {"GET", "/v1/push/D2,D3", "", ""},
        {"POST", "/v1/push", "{\"ids\":[\"D2\"]}", "application/json"},
        {"DELETE", "/v1/queue/D2", "", ""},
        {"DELETE", "/v1/queue/D2/C-80", "", ""},
        {"POST", "/api/v1/tags", "{\"tag\":\"t\",\"add\":[\"D2\",\"" SECRET "-SERIAL\"]}",
         "application/json"},
        {"POST", "/api/v1/tags", "{\"tag\":\"" SECRET "\",\"remove\":[\"D2\"]}",
         "application/json"},
        {"POST", "/api/v1/revocations", "{\"enrollment_id\":\"D2\",\"why\":\"x\"}",
         "application/json"},
        {"POST", "/api/v1/revocations",
         arena_fmt(arena, "{\"certificate\":\"%s\",\"why\":\"x\"}", cert_out), "application/json"},
        {"PATCH", arena_fmt(arena, "/api/v1/groups/%lld", (long long)outside), "{\"name\":\"x\"}",
         "application/json"},
        {"DELETE", arena_fmt(arena, "/api/v1/groups/%lld?why=x", (long long)outside), "", ""},
        {"PATCH", "/api/v1/groups/5000", "{\"name\":\"x\"}", "application/json"},
        {"DELETE", "/api/v1/groups/5000?why=x", "", ""},
        {"POST", "/api/v1/groups/5000/devices", "{\"add\":[\"D1\"]}", "application/json"},
        {"POST", "/api/v1/secrets", "{\"id\":\"D2\",\"kind\":\"DeviceLock.PIN\",\"reason\":\"x\"}",
         "application/json"}};
    int64_t before = digest();
    (void)state;
    for (size_t i = 0; i < sizeof writes / sizeof *writes; i++) {
        int status = ask(writes[i].method, writes[i].path, writes[i].body, writes[i].type, key);
        if (digest() != before)
            fail_msg("%s %s acts outside: %d", writes[i].method, writes[i].path, status);
        if (status == 403)
            fail_msg("%s: refused, so that nothing was tried: %s", writes[i].path,
                     buf_cstr(&resp.body));
    }
    assert_int_equal(
        ask("POST", "/api/v1/tags", "{\"tag\":\"t\",\"add\":[\"D1\"]}", "application/json", key),
        200);
    assert_non_null(strstr(buf_cstr(&resp.body), "\"unknown\": 0"));
    /* every other write is closed */
    for (size_t i = 0; i < routes_n; i++) {
        const struct route *row = &routes[i];
        int write = row->methods & (METHOD_POST | METHOD_PUT | METHOD_PATCH | METHOD_DELETE);
        if (row->gate != GATE_API || row->reach == REACH_SCOPED || !write)
            continue;
        const char *method = write & METHOD_POST    ? "POST"
                             : write & METHOD_PUT   ? "PUT"
                             : write & METHOD_PATCH ? "PATCH"
                                                    : "DELETE";
        assert_int_equal(
            ask(method, arena_fmt(arena, "%.*s1", (int)strcspn(row->path, "*"), row->path), "",
                row->types && strchr(row->types, ' ') == NULL ? row->types : "", key) == 403 ||
                row->path[strlen(row->path) - 1] != '*',
            1);
    }
    RUN("DELETE FROM device_tag WHERE tag = 't'");
}

/* ---- what is inside ---- */

static void has(const char *method, const char *uri, const char *secret, const char *text)
{
    assert_int_equal(ask(method, uri, "", "", secret), 200);
    if (!strstr(buf_cstr(&resp.body), text))
        fail_msg("%s does not tell %s: %s", uri, text, buf_cstr(&resp.body));
}

static void what_is_inside_is_seen(void **state)
{
    (void)state;
    pagesite_sign_in("limited");
    has("GET", "/", NULL, "figures of their devices");
    has("GET", "/", NULL, "<b>1</b><span>Enrolled");
    has("GET", "/pushes?which=dead", NULL, "INSIDER said");
    has("GET", "/pushes?which=dead", NULL, "(1)");
    has("GET", "/certificates", NULL, "INSIDER cert");
    has("GET", arena_fmt(arena, "/certificate?sha256=%s", cert_in), NULL, "INSIDER cert");
    has("GET", "/people", NULL, "inner-person");
    has("GET", "/people", NULL, "INSIDER-login");
    has("GET", "/api/v1/certificates", key, "INSIDER cert");
    has("GET", "/api/v1/users", key, "inner-person");
    has("GET", "/api/v1/users/inner-person", key, "inner-person");
    has("GET", "/api/v1/failed", key, "INSIDER");
    has("GET", "/api/v1/rollouts", key, "shared profile");
    has("GET", "/app?id=902&tab=codes", NULL, "belong to the whole organisation");
    has("GET", "/failed", NULL, "INSIDER");
    has("GET", "/rollouts", NULL, "shared profile");
    has("GET", "/rollout?id=901", NULL, "INSIDER why");
    has("GET", "/profiles", NULL, "shared.profile");
    has("GET", "/profile?id=901&tab=devices", NULL, "INSIDER why");
    has("GET", "/apps", NULL, "shared.app");
    has("GET", "/app?id=902&tab=devices", NULL, "shared app");
    has("GET", "/calendar", NULL, "shared");
    has("GET", "/approvals", NULL, "INSIDER reason");
    has("GET", "/approval?id=9", NULL, "INSIDER reason");
    has("GET", "/audit", NULL, "INSIDER audit");
    has("GET", "/audit.csv", NULL, "INSIDER audit");
    has("GET", "/api/v1/approvals", key, "INSIDER reason");
    has("GET", "/api/v1/approvals/9", key, "INSIDER reason");
    has("GET", "/api/v1/approvals/9/targets", key, "D1");
    has("GET", "/api/v1/audit", key, "INSIDER audit");
    has("GET", "/api/v1/profiles/901/devices", key, "\"failed\": 1");
    has("GET", "/api/v1/assignments", key, "\"922\"");
    has("GET", "/api/v1/offers", key, "\"932\"");
    has("GET", "/api/v1/calendar", key, "shared");
}

static int json_ask(const char *method, const char *path, const char *body)
{
    return ask(method, path, body, "application/json", key);
}

static const char *pair_of(int64_t group, int item)
{
    return arena_fmt(arena, "{\"group\":\"%lld\",\"item\":\"%d\"}", (long long)group, item);
}

static void what_is_inside_is_done(void **state)
{
    const char *members = arena_fmt(arena, "/api/v1/groups/%lld/devices", (long long)inside);
    (void)state;
    RUN("UPDATE device_item SET state = 4 WHERE enrollment_id = 1");
    assert_int_equal(json_ask("POST", "/api/v1/assignments", pair_of(inside, 902)), 201);
    assert_int_equal(json_ask("POST", "/api/v1/assignments", pair_of(outside, 902)), 404);
    assert_int_equal(
        json_ask("POST", "/api/v1/assignments", "{\"device\":\"D2\",\"item\":\"902\"}"), 404);
    assert_int_equal(json_ask("DELETE", "/api/v1/assignments/922?why=x", ""), 204);
    assert_int_equal(json_ask("DELETE", "/api/v1/assignments/921?why=x", ""), 404);
    assert_int_equal(json_ask("POST", "/api/v1/offers", pair_of(inside, 901)), 201);
    assert_int_equal(json_ask("POST", "/api/v1/offers", pair_of(outside, 901)), 404);
    assert_int_equal(json_ask("DELETE", "/api/v1/offers/932?why=x", ""), 204);
    assert_int_equal(json_ask("DELETE", "/api/v1/offers/931?why=x", ""), 404);
    /* a failure is tried again for the own device alone */
    RUN("UPDATE device_item SET state = 4 WHERE item_id = 901");
    assert_int_equal(json_ask("POST", "/api/v1/profiles/901/retry", ""), 202);
    assert_non_null(strstr(buf_cstr(&resp.body), "\"total\": 1"));
    RUN("UPDATE bulk_job SET created_at = 9000000000000000"); /* these requests have no time */
    for (bool more; pagesite_number("SELECT COUNT(*) FROM bulk_job WHERE state = 1") > 0;)
        assert_ok(bulk_turn(owner, &conf, &more, &err), err);
    assert_int_equal(
        pagesite_number("SELECT COUNT(*) FROM device_item WHERE item_id = 901 AND state = 1 AND "
                        "enrollment_id = 1"),
        1);
    assert_int_equal(
        pagesite_number("SELECT COUNT(*) FROM device_item WHERE item_id = 901 AND state = 1"), 1);
    assert_int_equal(json_ask("POST", "/api/v1/profiles/901/resume?why=x", ""), 403);
    assert_int_equal(json_ask("POST", "/api/v1/apps/902/versions", "{}"), 403);
    /* what a filter would find is counted among the own devices */
    assert_int_equal(json_ask("POST", "/api/v1/preview",
                              "{\"filter\":{\"fact\":\"serial_number\",\"op\":\"ne\","
                              "\"value\":\"nothing\"},\"items\":[\"901\"]}") /
                                 100 ==
                             2 ||
                         resp.status == 400,
                     1);
    look("preview", true);
    assert_int_equal(json_ask("POST", "/api/v1/preview", pair_of(outside, 902)), 400);
    assert_int_equal(
        json_ask("POST", "/api/v1/preview",
                 arena_fmt(arena, "{\"group\":\"%lld\",\"items\":[\"902\"]}", (long long)outside)),
        200);
    look("preview of a group", true);
    /* who is in the group that gives reach, and so what is reached, is not for them to say */
    assert_int_equal(json_ask("POST", members, "{\"add\":[\"D2\",\"C200001\"]}"), 403);
    assert_int_equal(json_ask("POST", members, "{\"remove\":[\"D1\"]}"), 403);
    assert_int_equal(ask("GET", "/api/v1/devices/D2", "", "", key), 404);
    /* approvals */
    assert_int_equal(
        json_ask("POST", "/api/v1/approvals/7", "{\"decision\":\"refuse\",\"reason\":\"x\"}"), 404);
    assert_int_equal(
        json_ask("POST", "/api/v1/approvals/8", "{\"decision\":\"refuse\",\"reason\":\"x\"}"), 404);
    assert_int_equal(
        json_ask("POST", "/api/v1/approvals/9", "{\"decision\":\"refuse\",\"reason\":\"x\"}"), 200);
    has("GET", "/api/v1/audit?action=approval.refuse", key, "approval:9"); /* an own act */
}

/* ---- groups of one's own ---- */

static int64_t made; /* by the key, by hand */

static int64_t id_of_answer(void)
{
    const char *at = strstr(buf_cstr(&resp.body), "\"id\": \"");
    assert_non_null(at);
    return strtoll(at + 7, NULL, 10);
}

static int64_t members_of(int64_t group)
{
    return pagesite_number(arena_fmt(
        arena, "SELECT COUNT(*) FROM group_member WHERE group_id = %lld", (long long)group));
}

static const char *path_of(int64_t group, const char *tail)
{
    return arena_fmt(arena, "/api/v1/groups/%lld%s", (long long)group, tail);
}

static void edit_inside(const char *add, const char *remove)
{
    struct group_edit e = {
        .add = &add, .nadd = add != NULL, .remove = &remove, .nremove = remove != NULL};
    assert_ok(group_edit(owner, inside, &e, "boss", clock_now(), &err), err);
}

static void turns(int n)
{
    struct converge *engine = NULL;
    struct db *agent = NULL;
    assert_ok(db_new(&conf, DB_AGENT, &agent, &err), err);
    assert_ok(converge_new(&conf, agent, &engine, &err), err);
    for (int i = 0; i < n; i++)
        assert_ok(converge_turn(engine, clock_now(), &err), err);
    converge_free(&engine);
    db_free(&agent);
}

static void groups_of_the_own_devices_are_made(void **state)
{
    (void)state;
    assert_int_equal(json_ask("POST", "/api/v1/groups", "{\"name\":\"by hand\"}"), 201);
    made = id_of_answer();
    assert_int_equal(json_ask("POST", path_of(made, "/devices"),
                              "{\"add\":[\"D1\",\"D2\",\"" SECRET "-SERIAL\"]}"),
                     200);
    assert_non_null(strstr(buf_cstr(&resp.body), "\"unknown\": 2"));
    assert_int_equal(members_of(made), 1);
    /* it is one's own: seen, changed, given items, and not another's */
    has("GET", path_of(made, ""), key, "by hand");
    has("GET", path_of(made, "/devices"), key, "INSIDER");
    assert_int_equal(json_ask("PATCH", path_of(made, ""), "{\"note\":\"mine\"}"), 200);
    assert_int_equal(json_ask("POST", "/api/v1/assignments", pair_of(made, 901)), 201);
    assert_int_equal(json_ask("GET", path_of(foreign, ""), ""), 404);
    assert_int_equal(json_ask("POST", "/api/v1/assignments", pair_of(foreign, 901)), 404);
    /* nobody who reaches all puts another device in, and none of the agent's names are taken */
    assert_int_equal(
        ask("POST", path_of(made, "/devices"), "{\"add\":[\"D2\"]}", "application/json", whole_key),
        200);
    assert_int_equal(members_of(made), 1);
    assert_int_equal(json_ask("POST", "/api/v1/groups", "{\"name\":\"enrolment:default\"}"), 400);
    /* on the pages too */
    pagesite_sign_in("limited");
    assert_int_equal(pagesite_post("/groups", "name=from+the+page&note="), 303);
    has("GET", "/groups", NULL, "from the page");
    has("GET", "/group/filter", NULL, "r_kind");
    assert_int_equal(
        ask("GET", arena_fmt(arena, "/group/filter?id=%lld", (long long)inside), "", "", NULL),
        403);
    has("GET", arena_fmt(arena, "/group?id=%lld", (long long)inside), NULL,
        "says which devices somebody reaches");
    assert_int_equal(pagesite_post("/group/devices",
                                   arena_fmt(arena, "id=%lld&what=add&ids=D1", (long long)inside)),
                     403);
}

static void a_filter_of_the_own_making_finds_the_own_devices(void **state)
{
    int64_t group;
    (void)state;
    assert_int_equal(
        json_ask("POST", "/api/v1/groups",
                 "{\"name\":\"all of them\",\"filter\":{\"fact\":\"udid\",\"known\":true}}"),
        201);
    group = id_of_answer();
    turns(1); /* what is found too much would be taken out in the next one */
    assert_int_equal(members_of(group), 1);
    assert_int_equal(pagesite_number(arena_fmt(arena,
                                               "SELECT device_id FROM group_member WHERE "
                                               "group_id = %lld",
                                               (long long)group)),
                     1);
    has("GET", path_of(group, ""), key, "\"devices\": 1");
    look("own filter", true);
    assert_int_equal(json_ask("DELETE", path_of(group, "?why=x"), ""), 204);
}

/* Whatever a limited caller does to groups, it reaches what it reached. */
static void no_group_widens_the_own_reach(void **state)
{
    const struct scope by_made = {.limited = true, .groups = &made, .n = 1};
    struct device_group tagged = {
        .name = "tagged", .filter = "{\"any\":[{\"not\":{\"tag\":\"north\"}}]}", .note = ""};
    (void)state;
    /* a group that one made gives reach to nobody */
    assert_outcome(scope_set(owner, SCOPE_KEY, "limited", &by_made, "t", &err), NOT_FOUND, err);
    pagesite_sign_in("boss");
    assert_int_equal(ask("GET", "/scope?kind=key&name=limited", "", "", NULL), 200);
    assert_null(strstr(buf_cstr(&resp.body), "by hand"));
    /* forged rows: a device outside stands in the own group */
    assert_ok(db_run(owner, "forge",
                     arena_fmt(arena,
                               "INSERT INTO group_member (group_id, device_id, since) VALUES "
                               "(%lld, 2, 1)",
                               (long long)made),
                     &err),
              err);
    assert_int_equal(ask("GET", "/api/v1/devices/D2", "", "", key), 404);
    assert_int_equal(json_ask("GET", path_of(made, "/devices"), ""), 200);
    look("own group", true);
    turns(3);
    assert_int_equal(members_of(made), 1);
    /* a tag by which a group that limits somebody finds devices is neither given nor taken */
    assert_ok(group_save(owner, &tagged, "boss", 1, &err), err);
    assert_int_equal(json_ask("POST", "/api/v1/tags", "{\"tag\":\"north\",\"add\":[\"D1\"]}"), 200);
    const struct scope other = {.limited = true, .groups = &tagged.id, .n = 1};
    assert_ok(scope_set(owner, SCOPE_ADMIN, "other", &other, "t", &err), err);
    assert_int_equal(json_ask("POST", "/api/v1/tags", "{\"tag\":\"north\",\"remove\":[\"D1\"]}"),
                     403);
    assert_int_equal(json_ask("POST", "/api/v1/tags", "{\"tag\":\"north\",\"add\":[\"D1\"]}"), 403);
    assert_int_equal(json_ask("POST", "/api/v1/tags", "{\"tag\":\"south\",\"add\":[\"D1\"]}"), 200);
    RUN("DELETE FROM device_tag WHERE tag IN ('north', 'south')");
    /* what its filter asks for is not told either: it may name devices outside */
    const struct scope both = {.limited = true, .groups = (int64_t[]){inside, tagged.id}, .n = 2};
    assert_ok(scope_set(owner, SCOPE_KEY, "limited", &both, "t", &err), err);
    assert_int_equal(json_ask("GET", path_of(tagged.id, ""), ""), 200);
    assert_null(strstr(buf_cstr(&resp.body), "north"));
    assert_int_equal(json_ask("GET", "/api/v1/groups", ""), 200);
    assert_non_null(strstr(buf_cstr(&resp.body), "tagged"));
    assert_null(strstr(buf_cstr(&resp.body), "north"));
    assert_int_equal(ask("GET", path_of(tagged.id, ""), "", "", whole_key), 200);
    assert_non_null(strstr(buf_cstr(&resp.body), "north"));
    const struct scope narrow = {.limited = true, .groups = &inside, .n = 1};
    assert_ok(scope_set(owner, SCOPE_KEY, "limited", &narrow, "t", &err), err);
    /* taken out of reach, a device leaves the own groups at once, and comes back by no own act */
    edit_inside(NULL, "D1");
    assert_int_equal(members_of(made), 0);
    assert_int_equal(
        pagesite_number(
            arena_fmt(arena, "SELECT members FROM device_group WHERE id = %lld", (long long)made)),
        0);
    assert_int_equal(ask("GET", "/api/v1/devices/D1", "", "", key), 404);
    assert_int_equal(json_ask("POST", path_of(made, "/devices"), "{\"add\":[\"D1\"]}"), 200);
    assert_int_equal(members_of(made), 0);
    edit_inside("D1", NULL);
    assert_int_equal(json_ask("POST", path_of(made, "/devices"), "{\"add\":[\"D1\"]}"), 200);
    assert_int_equal(members_of(made), 1);
    /* another limit takes them out as well; none at all leaves the group what it was */
    assert_ok(scope_set(owner, SCOPE_KEY, "limited", &(struct scope){.limited = true}, "t", &err),
              err);
    assert_int_equal(members_of(made), 0);
    const struct scope again = {.limited = true, .groups = &inside, .n = 1};
    assert_ok(scope_set(owner, SCOPE_KEY, "limited", &again, "t", &err), err);
    assert_int_equal(json_ask("POST", path_of(made, "/devices"), "{\"add\":[\"D1\"]}"), 200);
    assert_ok(scope_set(owner, SCOPE_KEY, "limited", &(struct scope){0}, "t", &err), err);
    assert_int_equal(json_ask("POST", path_of(made, "/devices"), "{\"add\":[\"D2\"]}"), 200);
    assert_int_equal(members_of(made), 1);
    turns(3);
    assert_int_equal(members_of(made), 1);
    assert_ok(scope_set(owner, SCOPE_KEY, "limited", &again, "t", &err), err);
    /* the group that limits is not deleted by who is limited; the own one is */
    assert_int_equal(json_ask("DELETE", path_of(inside, "?why=x"), ""), 403);
    assert_int_equal(json_ask("PATCH", path_of(inside, ""), "{\"name\":\"x\"}"), 403);
    assert_int_equal(json_ask("DELETE", path_of(made, "?why=x"), ""), 204);
}

static void the_own_identities_are_revoked(void **state)
{
    (void)state;
    assert_int_equal(
        json_ask("POST", "/api/v1/revocations", "{\"enrollment_id\":\"D2\",\"why\":\"x\"}"), 404);
    /* one that renews a device's of the own, but is another's by now, is that one's */
    RUN("UPDATE identity_cert SET renews_device_id = 1 WHERE device_id = 2");
    assert_int_equal(
        json_ask("POST", "/api/v1/revocations", "{\"enrollment_id\":\"D1\",\"why\":\"x\"}"), 200);
    assert_int_equal(pagesite_number("SELECT COUNT(*) FROM identity_cert WHERE revoked_at IS NOT "
                                     "NULL AND device_id = 2"),
                     0);
    assert_int_equal(pagesite_number("SELECT COUNT(*) FROM identity_cert WHERE revoked_at IS NOT "
                                     "NULL AND device_id = 1"),
                     1);
    RUN("UPDATE identity_cert SET renews_device_id = NULL");
}

/* What stays closed says why. */
static void closed_pages_say_why(void **state)
{
    static const char *const all[][2] = {{"/unknown", "is in no group"},
                                         {"/invitations", "comes into no group"},
                                         {"/enrollment-profiles", "no group yet"},
                                         {"/pushcerts", "for all devices"},
                                         {"/apikeys", "kept by those who reach all"},
                                         {"/accounts", "kept by those who reach all"},
                                         {"/signins?name=boss", "kept by those who reach all"},
                                         {"/settings", "for all devices"},
                                         {"/setup", "for all devices"},
                                         {"/webhooks", "tell of all devices"},
                                         {"/draft", "shared by all groups"},
                                         {"/app/new", "shared by all groups"}};
    (void)state;
    pagesite_sign_in("limited");
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        assert_int_equal(ask("GET", all[i][0], "", "", NULL), 403);
        if (!pagesite_tells(all[i][1]))
            fail_msg("%s does not say why it is closed", all[i][0]);
    }
}

/* What is offered is told and changed on the page of the group, the profile and the app. */
static int offer_form(const char *fields)
{
    return ask("POST", "/offers", arena_fmt(arena, "%s&%s", pagesite_csrf(), fields),
               "application/x-www-form-urlencoded", NULL);
}

static void offers_are_changed_on_the_pages(void **state)
{
    const char *group = arena_fmt(arena, "/group/contents?id=%lld", (long long)inside);
    const char *profile = "/profile?id=901&tab=devices", *application = "/app?id=902&tab=devices";
    const char *pair = arena_fmt(arena, "group=%lld&item=902", (long long)inside);
    (void)state;
    RUN("DELETE FROM offer WHERE id NOT IN (931)");
    pagesite_sign_in("limited");
    assert_int_equal(offer_form(arena_fmt(arena, "%s&what=offer&from=group", pair)), 303);
    has("GET", group, NULL, "value=\"withdraw\"");
    has("GET", application, NULL, "value=\"withdraw\"");
    assert_int_equal(offer_form(arena_fmt(arena, "%s&what=offer", pair)), 409);
    assert_int_equal(offer_form(arena_fmt(arena, "%s&what=withdraw", pair)), 400); /* why? */
    assert_int_equal(offer_form(arena_fmt(arena, "%s&what=withdraw&why=x&from=item", pair)), 303);
    assert_int_equal(ask("GET", group, "", "", NULL), 200);
    assert_null(strstr(buf_cstr(&resp.body), "value=\"withdraw\""));
    has("GET", profile, NULL, "value=\"offer\"");
    assert_int_equal(offer_form("group=1&item=2&what=offer"), 404);
    assert_int_equal(offer_form("group=x&item=902&what=offer"), 400);
    RUN("DELETE FROM audit WHERE actor = 'limited' AND action LIKE 'offer%'");
}

/* ---- a second person ---- */

static void ask_for(struct db *db, struct approval *x, const char *by, const char *const *idents,
                    size_t n)
{
    *x = (struct approval){.id = id_new(),
                           .request_type = "DeviceLock",
                           .reason = "r",
                           .asked_by = by,
                           .first_target = "",
                           .asked_at = clock_now(),
                           .expires_at = clock_now() + HOUR_US,
                           .request = bytes_str("x"),
                           .idents = idents,
                           .nidents = n};
    assert_ok(approval_ask(db, x, &err), err);
}

/* What a limited person names besides the own devices is not asked about: whoever agrees, agrees
 * to what that person reaches. */
static void a_limited_person_asks_for_no_other_device(void **state)
{
    const char *const idents[] = {"D2", "D1", "nobody"};
    const char *const *list;
    struct db *db = NULL;
    struct approval x;
    size_t n;
    (void)state;
    assert_ok(db_pool_take(app.pool, &db, &err), err);
    db_scope(db, key_scope);
    ask_for(db, &x, "api:limited", idents, 3);
    assert_ok(approval_idents(db, x.id, arena, &list, &n, &err), err);
    assert_int_equal(n, 1);
    assert_string_equal(list[0], "D1");
    assert_outcome(approval_ask(db,
                                &(struct approval){.id = id_new(),
                                                   .request_type = "DeviceLock",
                                                   .reason = "r",
                                                   .asked_by = "api:limited",
                                                   .first_target = "",
                                                   .idents = idents,
                                                   .nidents = 1},
                                &err),
                   INVALID, err);
    db_scope(db, 0);
    db_pool_give(app.pool, &db);
}

/* 903 only a device outside is to have; 904 is on the one inside, and failed outside. */
static void rollouts_are_of_ones_own_devices(void **state)
{
    struct rollout_row *r;
    struct db *db = NULL;
    size_t n, seen = 0;
    bool few;
    (void)state;
    RUN("INSERT INTO library_item (id, kind, identifier, name, version, created_at, created_by, "
        "changed_at, changed_by) VALUES (903, 1, 'c', 'c', 1, 1, 'x', 1, 'x'), (904, 1, 'd', 'd', "
        "1, 1, 'x', 1, 'x')");
    RUN("INSERT INTO device_item (enrollment_id, item_id, wanted, version, state, due_at, reason, "
        "changed_at) VALUES (2, 903, 1, 1, 1, 1, '', 1), (2, 904, 1, 1, 4, 1, '', 1), (1, 904, 1, "
        "1, 3, 1, '', 1)");
    RUN("INSERT INTO item_count (item_id, counted_at, version, v_installed, v_failed) VALUES (904, "
        "1, 1, 1, 1)");
    assert_ok(db_pool_take(app.pool, &db, &err), err);
    db_scope(db, key_scope);
    assert_ok(rollout_list(db, 0, LIM_PAGE, arena, &r, &n, &err), err);
    for (size_t i = 0; i < n; i++) {
        assert_int_not_equal(r[i].item_id, 903);
        if (r[i].item_id != 904)
            continue;
        seen++;
        assert_string_equal(rollout_state(&r[i]), "finished");
        assert_ok(db_scope_few(db, &few, &err), err);
        assert_int_equal(r[i].uncounted, !few);
        assert_int_equal(r[i].counts[WANTED_INSTALLED], few);
        assert_int_equal(r[i].counts[WANTED_FAILED], 0);
    }
    assert_int_equal(seen, 1);
    assert_ok(rollout_list(db, 904, 1, arena, &r, &n, &err), err);
    assert_int_equal(n, 1);
    assert_int_equal(r[0].counts[WANTED_INSTALLED], 1);
    assert_int_equal(r[0].counts[WANTED_FAILED], 0);
    db_scope(db, 0);
    assert_ok(rollout_list(db, 904, 1, arena, &r, &n, &err), err);
    assert_string_equal(rollout_state(&r[0]), "failed");
    db_pool_give(app.pool, &db);
    /* no numbers, rather than wrong ones, where nothing was counted */
    pagesite_sign_in("limited");
    assert_int_equal(ask("GET", "/rollouts", "", "", NULL), 200);
    assert_int_equal(strstr(buf_cstr(&resp.body), "class=\"progress\"") != NULL, few);
    RUN("DELETE FROM device_item WHERE item_id IN (903, 904)");
    RUN("DELETE FROM library_item WHERE id IN (903, 904)");
}

static enum outcome agree(struct db *db, int64_t id, const char *by)
{
    const struct approval_decision d = {id, true, by, "w", clock_now(), 0};
    return approval_decide(db, &d, &err);
}

/* A person is the same in the console, at the shell and behind every key that the person made. */
static void nobody_agrees_with_an_own_key(void **state)
{
    static const char *const idents[] = {"D1"};
    /* all of whom are boss, however they come */
    static const char *const same[] = {"boss",        "Boss",       "droverctl:boss", "api:bosses",
                                       "api:bosses2", "api:shells", "api:boss"};
    static const char *const others[] = {"limited", "droverctl:ann", "api:anns", "api:annshells"};
    char text[APIKEY_LEN + 1];
    struct db *db = NULL;
    struct approval x;
    (void)state;
    assert_ok(apikey_new(owner, "bosses", "*", 0, "boss", text, &err), err);
    assert_ok(apikey_new(owner, "bosses2", "approve", 0, "boss", text, &err), err);
    assert_ok(apikey_new(owner, "shells", "approve", 0, "droverctl:boss", text, &err), err);
    assert_ok(apikey_new(owner, "anns", "approve", 0, "ann", text, &err), err);
    assert_ok(apikey_new(owner, "annshells", "approve", 0, "droverctl:ann", text, &err), err);
    assert_ok(apikey_new(owner, "roots", "*", 0, "droverctl:root", text, &err), err);
    assert_ok(apikey_new(owner, "given", "*", 0, "ann", text, &err), err);
    assert_ok(db_pool_take(app.pool, &db, &err), err);
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        ask_for(db, &x, same[i], idents, 1);
        for (size_t j = 0; j < sizeof same / sizeof *same; j++)
            assert_outcome(agree(db, x.id, same[j]), DENIED, err);
        /* a key that root made is nobody's */
        assert_outcome(agree(db, x.id, "api:roots"), DENIED, err);
        assert_ok(agree(db, x.id, others[i % (sizeof others / sizeof *others)]), err);
    }
    /* whoever sets a key anew has it from then on */
    assert_ok(apikey_set(owner, "given", "0123456789abcdef0123456789abcdef", "*", 0, "boss", &err),
              err);
    ask_for(db, &x, "boss", idents, 1);
    assert_outcome(agree(db, x.id, "api:given"), DENIED, err);
    ask_for(db, &x, "api:roots", idents, 1);
    assert_outcome(agree(db, x.id, "api:roots"), DENIED, err);
    assert_outcome(agree(db, x.id, "root"), DENIED, err);
    /* a key that a key made is whose that is, however often */
    assert_ok(apikey_new(owner, "child", "*", 0, "api:bosses", text, &err), err);
    assert_ok(apikey_new(owner, "grandchild", "*", 0, "api:child", text, &err), err);
    assert_ok(apikey_new(owner, "of roots", "*", 0, "api:roots", text, &err), err);
    ask_for(db, &x, "api:grandchild", idents, 1);
    for (size_t i = 0; i < 4; i++)
        assert_outcome(
            agree(db, x.id, (const char *[]){"boss", "api:bosses", "api:child", "api:of roots"}[i]),
            DENIED, err);
    assert_ok(agree(db, x.id, "api:anns"), err);
    ask_for(db, &x, "boss", idents, 1);
    assert_outcome(agree(db, x.id, "api:grandchild"), DENIED, err);
    db_pool_give(app.pool, &db);
}

/* Nor with an account that one has just made, or whose password one has just set. */
static void nobody_agrees_with_an_account_of_the_own_making(void **state)
{
    static const char *const idents[] = {"D1"};
    char text[APIKEY_LEN + 1], given[ADMIN_GIVEN_LEN + 1];
    struct db *db = NULL;
    struct approval x;
    (void)state;
    assert_ok(admin_add(owner, "puppet", "operator", "correct horse battery", "boss", &err), err);
    assert_ok(
        admin_add(owner, "someone", "operator", "correct horse battery", "droverctl:root", &err),
        err);
    assert_ok(apikey_new(owner, "puppets", "approve", 0, "puppet", text, &err), err);
    assert_ok(db_pool_take(app.pool, &db, &err), err);
    for (int reset = 0; reset < 2; reset++) {
        ask_for(db, &x, "api:bosses", idents, 1);
        assert_outcome(agree(db, x.id, "puppet"), DENIED, err);
        assert_outcome(agree(db, x.id, "api:puppets"), DENIED, err);
        assert_ok(agree(db, x.id, "someone"), err);
        /* what others ask for is another matter */
        ask_for(db, &x, "limited", idents, 1);
        assert_ok(agree(db, x.id, "puppet"), err);
        /* after a day whose account it is has found out */
        RUN("UPDATE audit SET at = at - 86400000000 WHERE subject = 'puppet'");
        ask_for(db, &x, "boss", idents, 1);
        assert_ok(agree(db, x.id, "puppet"), err);
        if (!reset)
            assert_ok(admin_reset(owner, "puppet", "droverctl:boss", given, &err), err);
    }
    /* who is locked out has a key left */
    ask_for(db, &x, "boss", idents, 1);
    assert_ok(admin_disable(owner, "puppet", true, "ann", &err), err);
    assert_outcome(agree(db, x.id, "api:puppets"), DENIED, err);
    assert_ok(agree(db, x.id, "someone"), err);
    db_pool_give(app.pool, &db);
}

/* ---- the rest ---- */

static void a_job_of_a_limited_person_stays_inside(void **state)
{
    struct db *db = NULL;
    struct bulk_job job = {.request_type = "SecurityInfo",
                           .filter = {.text = "", .platform = "", .os = ""},
                           .created_by = "limited"},
                    got;
    struct bulk_device *d;
    struct bulk_job *list;
    struct scope s;
    size_t n;
    (void)state;
    assert_ok(scope_get(owner, SCOPE_ADMIN, "limited", arena, &s, &err), err);
    assert_true(s.limited);
    assert_int_equal(s.n, 1);
    pagesite_sign_in("limited");
    struct session session;
    assert_ok(db_pool_take(app.pool, &db, &err), err);
    assert_ok(session_find(db, token, clock_now(), arena, &session, &err), err);
    assert_true(session.scope != 0);
    job.scope = session.scope;
    db_scope(db, session.scope);
    assert_ok(bulk_add(db, &job, NULL, 0, clock_now(), &err), err);
    assert_int_equal(job.total, 1);
    assert_ok(bulk_slice(owner, &job, 10, arena, &d, &n, &err), err);
    assert_int_equal(n, 1);
    assert_string_equal(d[0].ident, "D1");
    /* another's job is not there */
    db_scope(db, session.scope + 2);
    assert_outcome(bulk_get(db, job.id, arena, &got, &err), NOT_FOUND, err);
    assert_ok(bulk_list(db, 0, 10, arena, &list, &n, &err), err);
    assert_int_equal(n, 0);
    assert_outcome(bulk_stop(db, job.id, "x", clock_now(), &err), CONFLICT, err);
    db_scope(db, 0);
    db_pool_give(app.pool, &db);
}

static void limits_are_kept(void **state)
{
    const struct scope some = {.limited = true, .groups = &inside, .n = 1}, all = {0};
    const struct scope nowhere = {.limited = true, .groups = (int64_t[]){4711}, .n = 1};
    (void)state;
    assert_outcome(scope_set(owner, SCOPE_ADMIN, "boss", &some, "t", &err), CONFLICT, err);
    assert_outcome(scope_set(owner, SCOPE_ADMIN, "nobody", &some, "t", &err), NOT_FOUND, err);
    assert_outcome(scope_set(owner, SCOPE_ADMIN, "limited", &nowhere, "t", &err), NOT_FOUND, err);
    /* without a group nothing is reached; a group that is deleted gives nothing away */
    assert_ok(scope_set(owner, SCOPE_ADMIN, "limited", &(struct scope){.limited = true}, "t", &err),
              err);
    pagesite_sign_in("limited");
    assert_int_equal(ask("GET", "/device?id=D1", "", "", NULL), 404);
    assert_ok(scope_set(owner, SCOPE_ADMIN, "limited", &all, "t", &err), err);
    assert_int_equal(ask("GET", "/device?id=D2", "", "", NULL), 200); /* at once */
    assert_ok(scope_set(owner, SCOPE_ADMIN, "limited", &some, "t", &err), err);
    assert_int_equal(ask("GET", "/device?id=D2", "", "", NULL), 404);
}

#define MANY 100000

static void a_list_of_many_stays_quick(void **state)
{
    (void)state;
    RUN("INSERT INTO enrollment (id, ident, kind, device_id, state, created_at, last_seen_at) "
        "SELECT seq, CONCAT('M', seq), 1, seq, 2, 1, seq FROM seq_1000_to_100999");
    pagesite_sign_in("limited");
    ask("GET", "/devices", "", "", NULL);
    int64_t start = clock_mono();
    assert_int_equal(ask("GET", "/devices", "", "", NULL), 200);
    int64_t took = clock_mono() - start;
    assert_non_null(strstr(buf_cstr(&resp.body), "INSIDER"));
    print_message("a limited list over %d devices: %lld ms\n", MANY, (long long)took / 1000);
    RUN("DELETE FROM enrollment WHERE id >= 1000 AND id < 101000");
}

#define FAR 6000 /* the devices of a group that begins behind all others */
#define FAR_AT 500000
#define FAR_KEY 900 /* the number of who reaches them */

/* They have an item that all the others have too, and a word. */
static void far_fill(void)
{
    RUN("INSERT INTO enrollment (id, ident, kind, device_id, state, created_at, last_seen_at, "
        "search_due, list_platform) SELECT seq, CONCAT('F', seq), 1, seq, 2, 1, 0, 0, 1 + seq % 2 "
        "FROM seq_500000_to_505999");
    RUN("INSERT INTO device_group (id, name, note, created_at, created_by, changed_at, changed_by) "
        "VALUES (5900, 'far', '', 1, 'x', 1, 'x')");
    RUN("INSERT INTO group_member (group_id, device_id, since) SELECT 5900, seq, 1 FROM "
        "seq_500000_to_505999");
    RUN("INSERT INTO scope_group (owner, group_id) VALUES (900, 5900)");
    RUN("INSERT INTO device_word (device_id, backward, word) SELECT id, 0, 'common' FROM "
        "enrollment "
        "WHERE id >= 200000");
    RUN("INSERT INTO library_item (id, kind, identifier, name, version, created_at, created_by, "
        "changed_at, changed_by) VALUES (905, 1, 'e', 'e', 1, 1, 'x', 1, 'x')");
    RUN("INSERT INTO library_version (id, item_id, number, uuid, sha256, size, types, details, "
        "created_at, created_by) VALUES (915, 905, 1, 'U', REPEAT('x', 32), 1, '', '{}', 1, 'x')");
    RUN("INSERT INTO device_item (enrollment_id, item_id, wanted, version, state, due_at, reason, "
        "changed_at) SELECT id, 905, 1, 1, IF(id % 50, 3, 4), 1, '', 1 FROM enrollment WHERE id >= "
        "200000");
    RUN("INSERT INTO device_item (enrollment_id, item_id, wanted, version, state, due_at, reason, "
        "changed_at) SELECT seq, 905, 1, 1, 3, 1, '', 1 FROM seq_300000_to_319999");
    RUN("INSERT INTO result (enrollment_id, command_id, state, queued_at, closed_at, digest) "
        "SELECT id, 80, 5, 1, 1000000 - id, 3 FROM enrollment WHERE id >= 200000");
}

static void far_drop(void)
{
    RUN("DELETE FROM result WHERE enrollment_id >= 200000");
    RUN("DELETE FROM device_item WHERE item_id = 905");
    RUN("DELETE FROM library_version WHERE item_id = 905");
    RUN("DELETE FROM library_item WHERE id = 905");
    RUN("DELETE FROM device_word WHERE word = 'common'");
    RUN("DELETE FROM identity_cert WHERE subject = 'CN=far'");
    RUN("DELETE FROM scope_group WHERE owner = 900");
    RUN("DELETE FROM group_member WHERE group_id = 5900");
    RUN("DELETE FROM device_group WHERE id = 5900");
    RUN("DELETE FROM enrollment WHERE id >= 500000 AND id < 506000");
}

static int64_t passed, passed_own;

static void passing(struct db *db)
{
    passed_own = testdb_passed_over(db, arena);
    passed = testdb_passed_over(db, arena);
    passed_own = passed - passed_own;
}

/* What was read since is not much. */
static void passed_at_most(struct db *db, const char *what, int64_t most)
{
    int64_t n = testdb_passed_over(db, arena) - passed - passed_own;

    print_message("%s: %lld rows\n", what, (long long)n);
    if (n > most)
        fail_msg("%s: %lld rows were passed over", what, (long long)n);
    passing(db);
}

/* Where a page of identities ends by what it may look at, the place is somebody else's: it goes on
 * from there, and tells nobody's digest. */
static void places_tell_no_digest(struct db *db)
{
    static const uint8_t none[SHA256_LEN];
    struct identity_place at = {-1, {0}}, was;
    struct identity *list;
    size_t n, all = 0, blank = 0;
    bool more = true;
    RUN("INSERT INTO identity_cert (sha256, subject, not_after, device_id) SELECT UNHEX(SHA2(seq, "
        "256)), 'CN=far', IF(seq <= 9000, 5, seq), IF(seq > 12000, 500000 + seq - 12001, IF(seq % "
        "100 = 0, 500000 + seq DIV 100, 1)) FROM seq_1_to_18000");
    while (more) {
        was = at;
        assert_ok(identity_list(db, &(struct identity_filter){.ident = NULL}, &at, 1, 500, arena,
                                &list, &n, &more, &err),
                  err);
        for (size_t i = 0; i < n; i++) {
            int c = memcmp(list[i].sha256, was.sha256, SHA256_LEN);
            assert_true(list[i].not_after > was.ends || (list[i].not_after == was.ends && c > 0));
            was.ends = list[i].not_after;
            memcpy(was.sha256, list[i].sha256, SHA256_LEN);
        }
        all += n;
        if (!more || (n > 0 && memcmp(at.sha256, was.sha256, SHA256_LEN) == 0))
            continue; /* at the own last one */
        assert_memory_equal(at.sha256 + 2, none, SHA256_LEN - 2);
        blank++;
    }
    assert_int_equal(all, 120 + 6000);
    assert_in_range(blank, 1, 20);
}

/* A page of one who reaches many devices, at the end of every order, begins there. */
static void what_is_far_is_not_passed_over(void **state)
{
    const struct enrollment_filter all = {.inactive = false};
    struct enrollment_cursor at = {0};
    struct rollout_row *roll;
    struct wanted_row *had;
    struct enrollment *e;
    struct device_brief *brief;
    struct failed *failed;
    int64_t next, counts[WANTED__MAX];
    struct db *db = NULL;
    bool more, few, of_state[WANTED__MAX];
    size_t n;
    (void)state;
    far_fill();
    assert_ok(db_pool_take(app.pool, &db, &err), err);
    db_scope(db, FAR_KEY);
    assert_ok(db_scope_few(db, &few, &err), err);
    assert_false(few);
    passing(db);
    assert_ok(rollout_list(db, 0, 50, arena, &roll, &n, &err), err);
    assert_int_equal(n, 1);
    assert_int_equal(roll[0].item_id, 905);
    assert_string_equal(rollout_state(&roll[0]), "failed");
    passed_at_most(db, "roll-outs", 500);
    assert_ok(wanted_of_item(db, 905, 0, 0, 50, arena, &had, &n, &err), err);
    assert_int_equal(n, 50);
    assert_int_equal(had[0].enrollment_id, FAR_AT);
    passed_at_most(db, "an item's devices", FAR * 2);
    assert_ok(wanted_of_item(db, 905, WANTED_INSTALLED, 0, 50, arena, &had, &n, &err), err);
    assert_int_equal(n, 50);
    passed_at_most(db, "an item's devices that have it", FAR * 2);
    assert_ok(item_count_states(db, 905, 0, arena, counts, &err), err);
    assert_int_equal(counts[WANTED_INSTALLED], FAR - FAR / 50);
    assert_int_equal(counts[WANTED_FAILED], FAR / 50);
    passed_at_most(db, "an item's states", 3 * FAR + 200);
    assert_ok(item_count_page(db, 905, arena, counts, of_state, &err), err);
    assert_true(of_state[WANTED_INSTALLED]); /* of so many that the first are looked at alone */
    assert_true(counts[WANTED_INSTALLED] < ITEM_COUNT_OWN);
    assert_false(of_state[WANTED_FAILED]);
    assert_int_equal(counts[WANTED_FAILED], FAR / 50);
    passed_at_most(db, "an item's states on a page", 6 * ITEM_COUNT_OWN);
    assert_ok(
        enrollment_list(db, &all, ENROLLMENT_BY_ID, &at, 0, 50, false, arena, &e, &n, &more, &err),
        err);
    assert_int_equal(n, 50);
    passed_at_most(db, "enrollments", FAR);
    assert_ok(device_list(db, &(struct device_filter){.text = "", .platform = "", .os = ""},
                          (struct device_order){0}, NULL, 0, 50, arena, &brief, &n, &err),
              err);
    assert_int_equal(n, 50);
    passed_at_most(db, "devices", FAR * 6);
    assert_ok(device_list(db, &(struct device_filter){.text = "common", .platform = "", .os = ""},
                          (struct device_order){0}, NULL, 0, 50, arena, &brief, &n, &err),
              err);
    assert_int_equal(n, 50);
    passed_at_most(db, "devices by a word", FAR * 11);
    assert_ok(failed_list(db, &(struct failed_filter){.before = FAR_AT * 2}, 50, arena, &failed, &n,
                          &next, &err),
              err);
    assert_int_equal(n, 50);
    passed_at_most(db, "failed commands", CROWD + FAR / 2);
    places_tell_no_digest(db);
    db_scope(db, 0);
    db_pool_give(app.pool, &db);
    far_drop();
}

/* Many outside, so that what counts the fleet shows. */
static void crowd(void)
{
    assert_ok(db_run(owner, "crowd",
                     arena_fmt(arena,
                               "INSERT INTO enrollment (id, ident, kind, device_id, state, "
                               "created_at, last_seen_at) SELECT seq, CONCAT('C', seq), 1, seq, 2, "
                               "1, 1 FROM seq_200000_to_%d",
                               200000 + CROWD - 1),
                     &err),
              err);
    assert_ok(db_run(owner, "crowd",
                     arena_fmt(arena,
                               "INSERT INTO group_member (group_id, device_id, since) SELECT %lld, "
                               "id, 1 FROM enrollment WHERE id >= 200000",
                               (long long)outside),
                     &err),
              err);
    assert_ok(db_run(owner, "crowd",
                     arena_fmt(arena,
                               "UPDATE device_group SET members = (SELECT COUNT(*) FROM "
                               "group_member WHERE group_id = %lld) WHERE id = %lld",
                               (long long)outside, (long long)outside),
                     &err),
              err);
    RUN("INSERT INTO device_tag (device_id, tag, at, by_whom) SELECT id, 'many', 1, 'x' FROM "
        "enrollment WHERE id >= 200000");
    RUN("INSERT INTO device_item (enrollment_id, item_id, wanted, version, state, due_at, reason, "
        "changed_at) SELECT id, 901 + (id & 1), 1, 1, 1, 1, '" SECRET "', 1 FROM enrollment WHERE "
        "id >= 200000");
    RUN("INSERT INTO device_item (enrollment_id, item_id, wanted, version, state, due_at, reason, "
        "changed_at) SELECT id, 902 - (id & 1), 1, 1, 1, 1, '" SECRET "', 1 FROM enrollment WHERE "
        "id >= 200000");
    RUN("INSERT INTO push (enrollment_id, state, due_at, wanted_at, expires_at, last_status, "
        "last_reason) SELECT id, 5, id, 1, 1, 410, 'x' FROM enrollment WHERE id >= 200000");
    RUN("INSERT INTO expiry (kind, name, ends_at, count, seen_at) VALUES ('device-identities', "
        "'2027-01', 2000000000000000, 4862, 1), ('tls-certificate', 'shared', 2000000000000000, "
        "1, 1)");
}

/* What is shared, and what of it is about devices outside. */
static void things(void)
{
    RUN("INSERT INTO library_item (id, kind, identifier, name, version, created_at, created_by, "
        "changed_at, changed_by, wave_first) VALUES (901, 1, 'shared.profile', 'shared profile', "
        "1, 1, 'x', 1, 'x', 5), (902, 3, 'shared.app', 'shared app', 1, 1, 'x', 1, 'x', 5)");
    RUN("INSERT INTO library_version (id, item_id, number, uuid, sha256, size, types, details, "
        "created_at, created_by) VALUES (911, 901, 1, 'U', REPEAT('x', 32), 1, '', '{}', 1, 'x'), "
        "(912, 902, 1, 'U', REPEAT('x', 32), 1, '', '{}', 1, 'x')");
    RUN("INSERT INTO item_count (item_id, counted_at, pending, failed, version, v_pending, "
        "v_failed) VALUES (901, 1, 4862, 4863, 1, 4861, 4869), (902, 1, 4864, 4865, 1, 4861, "
        "4869)");
    RUN("INSERT INTO device_item (enrollment_id, item_id, wanted, version, state, due_at, reason, "
        "changed_at) VALUES (2, 901, 1, 1, 4, 1, '" SECRET "', 1), (2, 902, 1, 1, 4, 1, '" SECRET
        "', 1), (1, 901, 1, 1, 4, 1, 'INSIDER why', 1)");
    RUN("INSERT INTO rollout (item_id, version, released, wave_at, halted_at, halted_why) VALUES "
        "(901, 1, 4866, 1, 5, '4867 of them failed, as " SECRET "')");
    assert_ok(db_run(owner, "things",
                     arena_fmt(arena,
                               "INSERT INTO assignment (id, group_id, item_id, created_at, "
                               "created_by) VALUES (921, %lld, 901, 1, '" SECRET
                               "'), (922, %lld, 901, 1, 'y')",
                               (long long)outside, (long long)inside),
                     &err),
              err);
    assert_ok(db_run(owner, "things",
                     arena_fmt(arena,
                               "INSERT INTO offer (id, group_id, item_id, created_at, created_by) "
                               "VALUES (931, %lld, 902, 1, '" SECRET "'), (932, %lld, 902, 1, 'y')",
                               (long long)outside, (long long)inside),
                     &err),
              err);
    assert_ok(
        db_run(owner, "things",
               arena_fmt(arena,
                         "INSERT INTO approval (id, state, request_type, targets, "
                         "first_target, request, reason, asked_at, asked_by, asked_person, "
                         "expires_at, group_id) VALUES (7, 1, 'DeviceLock', 2, 'D1', 'x', "
                         "'" SECRET "', 1, 'boss', 'boss', 9000000000000000, NULL), (8, 1, "
                         "'DeviceLock', 4868, 'group " SECRET "', 'x', 'r', 1, 'boss', "
                         "'boss', 9000000000000000, %lld), (9, 1, 'DeviceLock', 1, 'D1', 'x', "
                         "'INSIDER reason', 1, 'boss', 'boss', 9000000000000000, NULL)",
                         (long long)outside),
               &err),
        err);
    RUN("INSERT INTO approval_target (approval_id, enrollment_id) VALUES (7, 1), (7, 2), (9, 1)");
    RUN("INSERT INTO result (enrollment_id, command_id, state, queued_at, closed_at, digest) "
        "VALUES (2, 80, 5, 1, UNIX_TIMESTAMP() * 1000000, 3), (1, 80, 5, 1, UNIX_TIMESTAMP() * "
        "1000000, 3)");
    RUN("INSERT INTO result_error (enrollment_id, command_id, item, position, domain, code, "
        "english) VALUES (2, 80, 0, 0, 'd', 1, '" SECRET "'), (1, 80, 0, 0, 'd', 1, 'INSIDER')");
    RUN("INSERT INTO audit (at, actor, action, subject, detail) VALUES (1, 'boss', 'x.x', 'D2', "
        "'" SECRET "'), (1, 'boss', 'x.x', 'D1', 'INSIDER audit'), (1, 'boss', 'approval.ask', "
        "'approval:8', '" SECRET "')");
}

/* Identities, people, pushes and requests, and a group of another limited account. */
static void people(void)
{
    static const char *const texts[] = {"INSIDER", SECRET};
    for (int i = 0; i < 2; i++) {
        const char *t = texts[i];
        char *at = i ? cert_out : cert_in;
        snprintf(at, 65, "%064x", 0xabcdef00 + i);
        memcpy(at, i ? "bbbbbbbb" : "aaaaaaaa", 8);
        assert_ok(db_run(owner, "c",
                         arena_fmt(arena,
                                   "INSERT INTO identity_cert (sha256, serial, subject, issuer, "
                                   "not_before, not_after, issued_at, device_id, life_id) VALUES "
                                   "(UNHEX('%s'), '%d', '%s cert', '%s', 1, 9000000000000000, 1, "
                                   "%d, %d)",
                                   at, i, t, t, i + 1, i + 1),
                         &err),
                  err);
        assert_ok(db_run(owner, "p",
                         arena_fmt(arena,
                                   "INSERT INTO push (enrollment_id, state, due_at, wanted_at, "
                                   "expires_at, last_status, last_reason) VALUES (%d, 5, 1, 1, 1, "
                                   "410, '%s said')",
                                   i + 1, t),
                         &err),
                  err);
        assert_ok(db_run(owner, "u",
                         arena_fmt(arena,
                                   "INSERT INTO enroll_user (name, full_name, password_hash, "
                                   "ha1_md5, ha1_sha256, created_at, created_by, password_at) "
                                   "VALUES ('%sr-person', '%s', 'x', 'x', 'x', 1, 'x', 1), "
                                   "('%s-login', '%s', 'x', 'x', 'x', 1, 'x', 1)",
                                   i ? "oute" : "inne", t, t, t),
                         &err),
                  err);
        assert_ok(db_run(owner, "h",
                         arena_fmt(arena,
                                   "INSERT INTO handout (id, way, topic, server_url, checkin_url, "
                                   "access_rights, server_capabilities, account_kind, account, "
                                   "made_at) VALUES (%d, 3, 't', 'u', 'c', 1, '', 1, '%sr-person', "
                                   "1)",
                                   600 + i, i ? "oute" : "inne"),
                         &err),
                  err);
        assert_ok(db_run(owner, "l",
                         arena_fmt(arena, "UPDATE life SET handout_id = %d WHERE id = %d", 600 + i,
                                   i + 1),
                         &err),
                  err);
        assert_ok(db_run(owner, "a",
                         arena_fmt(arena,
                                   "INSERT INTO user_auth (ident, device_id, life_id, account, "
                                   "token_at) VALUES ('D%d:u', %d, %d, '%s-login', 1)",
                                   i + 1, i + 1, i + 1, t),
                         &err),
                  err);
    }
    RUN("INSERT INTO enroll_user (name, full_name, password_hash, ha1_md5, ha1_sha256, created_at, "
        "created_by, password_at) VALUES ('" SECRET "-nobody', '', 'x', 'x', 'x', 1, 'x', 1)");
    RUN("INSERT INTO scep_request (id, transaction_sha256, key_sha256, transaction_id, csr_sealed, "
        "subject, common_name, san, key_text, proof, note, remote_addr, state, created_at, "
        "expires_at) VALUES (71, REPEAT('t', 32), REPEAT('k', 32), 't', 'x', '" SECRET "', '" SECRET
        "', '', 'k', 'p', '" SECRET "', '', 1, 1, 9000000000000000)");
    RUN("INSERT INTO device_group (id, name, note, created_at, created_by, changed_at, changed_by, "
        "owner, members) VALUES (5000, '" SECRET " of another', '" SECRET "', 1, '" SECRET "', 1, "
        "'x', 4711, 4862)");
    foreign = 5000;
}

static void fill(void)
{
    static const char *const texts[] = {"INSIDER", SECRET};
    struct device_group in = {.name = "in", .filter = "", .note = ""};
    struct device_group out = {.name = SECRET " group", .filter = "", .note = SECRET};
    for (int i = 0; i < 2; i++) {
        const char *t = texts[i];
        assert_ok(db_run(owner, "d",
                         arena_fmt(arena,
                                   "INSERT INTO enrollment (id, ident, kind, device_id, state, "
                                   "life_id, udid, serial, device_name, product_name, created_at, "
                                   "last_seen_at) VALUES (%d, 'D%d', 1, %d, 2, %d, '%s-UDID', "
                                   "'%s-SERIAL', '%s-NAME', 'iPhone15,2', 1, %lld)",
                                   i + 1, i + 1, i + 1, i + 1, t, t, t, (long long)clock_now()),
                         &err),
                  err);
        assert_ok(db_run(owner, "l",
                         arena_fmt(arena,
                                   "INSERT INTO life (id, enrollment_id, state, topic, push_token, "
                                   "push_magic, opened_at, token_at) VALUES (%d, %d, 2, 't', 'x', "
                                   "'m', 1, 1)",
                                   i + 1, i + 1),
                         &err),
                  err);
    }
    RUN("INSERT INTO enrollment (id, ident, kind, device_id, state, user_short_name, "
        "user_long_name, created_at, last_seen_at) VALUES (3, 'D3', 2, 2, 2, '" SECRET "-user', "
        "'" SECRET "', 1, 1)");
    RUN("INSERT INTO command (id, uuid, request_type, body, created_at, created_by) VALUES (80, "
        "'C-80', 'ProfileList', '<plist><string>" SECRET "</string></plist>', 1, '" SECRET "')");
    RUN("INSERT INTO queue (enrollment_id, urgency, queued_at, command_id, state) VALUES (2, 0, 1, "
        "80, 1)");
    RUN("INSERT INTO inv_device (enrollment_id, platform, device_name, serial_number) VALUES (2, "
        "1, '" SECRET "', '" SECRET "-SERIAL')");
    RUN("INSERT INTO device_tag (device_id, tag, at, by_whom) VALUES (2, '" SECRET "', 1, 'x')");
    assert_ok(group_save(owner, &in, "t", 1, &err), err);
    assert_ok(group_save(owner, &out, "t", 1, &err), err);
    inside = in.id;
    outside = out.id;
    assert_ok(db_run(owner, "m",
                     arena_fmt(arena,
                               "INSERT INTO group_member (group_id, device_id, since) VALUES "
                               "(%lld, 1, 1), (%lld, 2, 1)",
                               (long long)inside, (long long)outside),
                     &err),
              err);
    assert_ok(db_run(owner, "o",
                     arena_fmt(arena,
                               "INSERT INTO standing_order (id, group_id, request_type, "
                               "command_keys, policy, reason, state, created_at, created_by, "
                               "changed_at) VALUES (502, %lld, 'SecurityInfo', '{}', 1, '" SECRET
                               "', 1, 1, 'x', 1)",
                               (long long)outside),
                     &err),
              err);
    crowd();
    things();
    people();
    RUN("INSERT INTO device_order (enrollment_id, order_id, occasion, state, due_at, reason, "
        "changed_at) VALUES (2, 502, 1, 4, 9000000000000000, '" SECRET "', 1)");
}

static int set_up(void **state)
{
    (void)state;
    pagesite_up("drover_scope");
    const struct scope s = {.limited = true, .groups = &inside, .n = 1};
    fill();
    assert_ok(admin_add(owner, "boss", "administrator", "correct horse battery", "t", &err), err);
    assert_ok(admin_add(owner, "limited", "administrator", "correct horse battery", "t", &err),
              err);
    assert_ok(admin_add(owner, "other", "operator", "correct horse battery", "t", &err), err);
    assert_ok(apikey_new(owner, "limited", "*", 0, "t", key, &err), err);
    assert_ok(apikey_new(owner, "whole", "*", 0, "t", whole_key, &err), err);
    assert_ok(scope_set(owner, SCOPE_ADMIN, "limited", &s, "t", &err), err);
    assert_ok(scope_set(owner, SCOPE_KEY, "limited", &s, "t", &err), err);
    struct apikey found;
    assert_ok(apikey_find(owner, key, arena, &found, &err), err);
    key_scope = scope_number(SCOPE_KEY, found.id);
    return 0;
}

/* The same where the limited reach so many devices that statements ask about each one. */
static int set_up_many(void **state)
{
    bool few;
    int status = set_up(state);
    assert_ok(db_run(owner, "m",
                     arena_fmt(arena,
                               "INSERT INTO group_member (group_id, device_id, since) SELECT %lld, "
                               "4000000000 + seq, 1 FROM seq_1_to_6000",
                               (long long)inside),
                     &err),
              err);
    db_scope(owner, key_scope);
    assert_ok(db_scope_few(owner, &few, &err), err);
    assert_false(few);
    db_scope(owner, 0);
    return status;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_inside_is_seen),
        cmocka_unit_test(no_page_tells_of_a_device_outside),
        cmocka_unit_test(no_form_acts_on_a_device_outside),
        cmocka_unit_test(no_read_of_the_api_tells_of_a_device_outside),
        cmocka_unit_test(no_write_of_the_api_acts_outside),
        cmocka_unit_test(what_is_inside_is_done),
        cmocka_unit_test(groups_of_the_own_devices_are_made),
        cmocka_unit_test(a_filter_of_the_own_making_finds_the_own_devices),
        cmocka_unit_test(no_group_widens_the_own_reach),
        cmocka_unit_test(the_own_identities_are_revoked),
        cmocka_unit_test(closed_pages_say_why),
        cmocka_unit_test(offers_are_changed_on_the_pages),
        cmocka_unit_test(a_limited_person_asks_for_no_other_device),
        cmocka_unit_test(rollouts_are_of_ones_own_devices),
        cmocka_unit_test(nobody_agrees_with_an_own_key),
        cmocka_unit_test(nobody_agrees_with_an_account_of_the_own_making),
        cmocka_unit_test(a_job_of_a_limited_person_stays_inside),
        cmocka_unit_test(limits_are_kept),
        cmocka_unit_test(a_list_of_many_stays_quick),
        cmocka_unit_test(what_is_far_is_not_passed_over),
    };
    return cmocka_run_group_tests_name("few", tests, set_up, pagesite_down) +
           cmocka_run_group_tests_name("many", tests, set_up_many, pagesite_down);
}

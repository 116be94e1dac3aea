/*
 * test_xss.c: what is stored. Every text that any table of the schema has room for is hostile, each
 * with the name of its column in it, and every page is asked: nothing of it comes back as markup,
 * and the texts that devices and people send in do come back, or nothing would have been tried.
 */
#include "pagesite.h"

#include "store/admin.h"

#define BREAKS "\"'><svg onload=pwned("
#define ESCAPED "&lt;svg onload=pwned("
#define TOLD_MAX 400

/* Not those that say how the site itself is, and who signs in to this test. */
static const char *const LEFT_OUT[] = {"admin",       "site",   "lease",       "setting",
                                       "audit_chain", "apikey", "scope_group", NULL};

/* What devices, their users, and who stands before the enrolment send in, and where it is seen. */
static const char *const TOLD[] = {"enrollment.device_name",
                                   "enrollment.serial",
                                   "inv_device.model",
                                   "inv_device.os_version",
                                   "enrollment.user_long_name",
                                   "inv_device.device_name",
                                   "inv_device.model_name",
                                   "inv_network.current_carrier_network",
                                   "inv_profile.display_name",
                                   "software.name",
                                   "software.identifier",
                                   "seen_certificate.subject",
                                   "seen_certificate.issuer",
                                   "inv_certificate.common_name",
                                   "inv_user.full_name",
                                   "inv_update.name",
                                   "inv_provisioning.name",
                                   "inv_event.subject",
                                   "inv_event.became",
                                   "result.closed_why",
                                   "result_error.english",
                                   "result_error.domain",
                                   "identity_cert.subject",
                                   "unknown_device.subject",
                                   "unknown_device.ident",
                                   "scep_request.subject",
                                   "scep_request.san",
                                   "push.last_reason",
                                   "device_item.reason",
                                   "device_order.reason",
                                   "enroll_user.full_name",
                                   "session.user_agent",
                                   "login_throttle.subject",
                                   "audit.actor",
                                   "audit.detail",
                                   "library_item.name",
                                   "webhook_attempt.answer",
                                   "approval.reason",
                                   "device_group.name",
                                   "device_tag.tag",
                                   "saved_filter.name",
                                   "bulk_job.ended_why",
                                   "rollout.halted_why",
                                   "expiry.name"};

static const char *told[TOLD_MAX];
static size_t ntold;

static bool is_told(const char *column)
{
    size_t i = 0;
    while (i < ntold && strcmp(told[i], column) != 0)
        i++;
    return i < ntold;
}

static bool left_out(const char *table)
{
    size_t i = 0;
    while (LEFT_OUT[i] && strcmp(LEFT_OUT[i], table) != 0)
        i++;
    return LEFT_OUT[i] || strncmp(table, "schema", 6) == 0;
}

/* ---- filling ---- */

/* A value for a column: 1 for every number, so that every row hangs on the others. */
static void value_add(struct buf *b, const char *table, const struct val *c)
{
    const char *name = c[0].s, *type = c[1].s, *comment = c[3].s;
    int64_t room = val_is_null(&c[2]) ? 0 : c[2].i;
    if (strstr(type, "int") || strstr(type, "double") || strstr(type, "decimal"))
        buf_str(b, "1");
    else if (strstr(type, "binary") || strstr(type, "blob"))
        buf_fmt(b, "REPEAT('x', %d)", room > 0 && room < 64 ? (int)room : 8);
    else if (strstr(comment, "JSON"))
        buf_fmt(b, "'{\"m\": \"<svg onload=pwned(%s.%s)>\"}'", table, name);
    else
        buf_fmt(b, "LEFT('\"''><svg onload=pwned(%s.%s)>{{admin}}', %lld)", table, name,
                (long long)room);
}

static void row_add(const char *table)
{
    static const struct sql columns = {
        .name = "columns",
        .text = "SELECT column_name, data_type, character_maximum_length, column_comment FROM "
                "information_schema.columns WHERE table_schema = DATABASE() AND table_name = ? AND "
                "extra NOT LIKE '%GENERATED%' ORDER BY ordinal_position"};
    struct buf names = BUF_INIT(16 * LIM_KB), values = BUF_INIT(64 * LIM_KB);
    struct rows r;
    assert_ok(db_select(owner, &columns, (struct val[]){val_str(table)}, 1, arena, &r, &err), err);
    for (size_t i = 0; i < r.n; i++) {
        buf_fmt(&names, "%s%s", i ? ", " : "", row_at(&r, i, 0)->s);
        buf_str(&values, i ? ", " : "");
        value_add(&values, table, row_at(&r, i, 0));
    }
    assert_ok(db_run(owner, "fill",
                     arena_fmt(arena, "REPLACE INTO %s (%s) VALUES (%s)", table, buf_cstr(&names),
                               buf_cstr(&values)),
                     &err),
              err);
    buf_free(&names);
    buf_free(&values);
}

/* What must hold for the pages to show it: devices that are enrolled, things that are there. */
static void mend(void)
{
    static const char *const all[] = {
        "UPDATE enrollment SET state = 2",
        "UPDATE life SET state = 2",
        "UPDATE library_item SET deleted_at = 0",
        "UPDATE app_upload SET state = 1, item_id = NULL",
        "INSERT INTO enrollment (id, ident, kind, device_id, state, user_short_name, "
        "user_long_name, created_at, last_seen_at) VALUES (2, 'U', 2, 1, 2, '<svg onload=pwned("
        "enrollment.user_short_name)>', '<svg onload=pwned(enrollment.user_long_name)>', 1, 1)",
        "UPDATE session SET admin = 'boss', pending = 0, idle_until = ~0 >> 1, ends_at = ~0 >> 1",
        "UPDATE login_throttle SET failures = 60, free_at = (UNIX_TIMESTAMP() + 800) * 1000000, "
        "last_at = UNIX_TIMESTAMP() * 1000000"};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        assert_ok(db_run(owner, "mend", all[i], &err), err);
}

static int set_up(void **state)
{
    static const struct sql tables = {
        .name = "tables",
        .text = "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE() "
                "AND table_type = 'BASE TABLE' ORDER BY table_name"};
    struct rows r;
    (void)state;
    pagesite_up("drover_test_xss");
    assert_ok(admin_add(owner, "boss", "administrator", "correct horse battery", "t", &err), err);
    assert_ok(db_select(owner, &tables, NULL, 0, arena, &r, &err), err);
    assert_true(r.n > 100);
    for (size_t i = 0; i < r.n; i++)
        if (!left_out(row_at(&r, i, 0)->s))
            row_add(row_at(&r, i, 0)->s);
    mend();
    pagesite_sign_in("boss");
    return 0;
}

/* ---- asking ---- */

/* Remembers the columns that the last answer tells, escaped. */
static void remember(void)
{
    for (const char *at = buf_cstr(&resp.body); (at = strstr(at, ESCAPED)) != NULL;) {
        at += strlen(ESCAPED);
        const char *name = arena_strndup(arena, at, strcspn(at, ")&<"));
        if (!is_told(name) && ntold < TOLD_MAX)
            told[ntold++] = name;
    }
}

static void look(const char *uri)
{
    int status = pagesite_ask("GET", uri, "", "", NULL);
    const char *type = resp.content_type ? resp.content_type : "";
    bool page = strstr(type, "html") != NULL;
    if (page && pagesite_tells("<svg onload=pwned("))
        fail_msg("%s: %d: what is stored comes back as markup: %.200s", uri, status,
                 strstr(buf_cstr(&resp.body), "<svg onload=pwned("));
    if (strstr(buf_cstr(&resp.headers), "pwned("))
        fail_msg("%s: %d: what is stored comes back in a header: %s", uri, status,
                 buf_cstr(&resp.headers));
    if (page)
        remember();
}

static const char *column(const char *text)
{
    const struct sql q = {.name = "column", .text = text};
    struct rows r;
    struct buf b = BUF_INIT(LIM_KB * 8);
    assert_ok(db_select(owner, &q, NULL, 0, arena, &r, &err), err);
    db_forget(owner, &q);
    assert_true(r.n > 0);
    url_encode_add(&b, row_at(&r, 0, 0)->s);
    const char *s = arena_strdup(arena, buf_cstr(&b));
    buf_free(&b);
    return s;
}

static void nothing_that_is_stored_is_markup(void **state)
{
    static const char *const parts[] = {
        "queue",        "results",      "facts", "network",  "security",   "profiles",
        "provisioning", "apps",         "users", "accounts", "os-updates", "managed-apps",
        "certificates", "restrictions", "audit", "settings", "history"};
    static const char *const tabs[] = {"contents", "devices",  "versions", "settings",
                                       "codes",    "feedback", "requests", "ca"};
    static const char *const others[] = {"",
                                         "?id=1",
                                         "?which=dead",
                                         "?id=1&event=0000000000000001",
                                         "?name=boss",
                                         "?kind=admin&name=boss",
                                         "?kind=apikey&name=x",
                                         "?all=1&tab=requests"};
    const char *ident = column("SELECT ident FROM enrollment WHERE id = 1");
    const char *uuid = column("SELECT uuid FROM command WHERE id = 1");
    const char *profile = column("SELECT name FROM enroll_profile WHERE id = 1");
    (void)state;
    for (size_t i = 0; i < routes_n; i++) {
        const char *path = routes[i].path;
        if (routes[i].gate != GATE_CONSOLE || !(routes[i].methods & METHOD_GET))
            continue;
        for (size_t k = 0; k < sizeof others / sizeof *others; k++)
            look(arena_fmt(arena, "%s%s", path, others[k]));
        for (size_t k = 0; k < sizeof tabs / sizeof *tabs; k++) {
            look(arena_fmt(arena, "%s?id=1&tab=%s", path, tabs[k]));
            look(arena_fmt(arena, "%s?name=%s&tab=%s", path, profile, tabs[k]));
        }
        look(arena_fmt(arena, "%s?id=%s&uuid=%s&type=Settings", path, ident, uuid));
        look(arena_fmt(arena, "%s?pick=%s&type=SecurityInfo", path, ident));
        look(arena_fmt(arena, "%s?sha256=%s", path,
                       "7878787878787878787878787878787878787878787878787878787878787878"));
    }
    for (size_t k = 0; k < sizeof parts / sizeof *parts; k++)
        look(arena_fmt(arena, "/device/part?id=%s&part=%s", ident, parts[k]));
}

static void what_is_sent_in_was_shown(void **state)
{
    size_t missing = 0;
    (void)state;
    for (size_t i = 0; i < sizeof TOLD / sizeof *TOLD; i++)
        if (!is_told(TOLD[i])) {
            print_error("no page tells %s\n", TOLD[i]);
            missing++;
        }
    assert_true(ntold > 150);
    assert_int_equal(missing, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_that_is_stored_is_markup),
        cmocka_unit_test(what_is_sent_in_was_shown),
    };
    return cmocka_run_group_tests(tests, set_up, pagesite_down);
}

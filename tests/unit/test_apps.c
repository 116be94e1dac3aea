/* test_apps.c: apps that are paid for with redemption codes, configured, changed, asked and
 * updated: the agent with its own rights, devices by their reports, the signer for what is sealed.
 */
#include "site.h"

#include <pthread.h>

#include "base/uuid.h"
#include "assets/assets.h"
#include "command/digest.h"
#include "command/secrets.h"
#include "library/app_sweep.h"
#include "library/app_upload.h"
#include "library/apps.h"
#include "library/codes.h"
#include "allturns.h"
#include "library/converge.h"
#include "library/deliver_app.h"
#include "library/edit.h"
#include "store/appdata.h"
#include "store/assignment.h"
#include "store/group.h"
#include "store/member.h"
#include "store/redemption.h"
#include "store/wanted.h"
#include "wire/encode.h"

#define APP "com.example.paid"

static struct db *agent, *console, *mdm;
static struct converge *engine;
static struct digest_place place;
static int64_t now, app, all;

static void sql(const char *fmt, ...) PRINTF_LIKE(1, 2);
static void sql(const char *fmt, ...)
{
    char text[9000];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    assert_ok(db_run(site.owner, "sql", text, &err), err);
}

static const char *ask(const char *fmt, ...) PRINTF_LIKE(1, 2);
static const char *ask(const char *fmt, ...)
{
    char text[2000];
    struct rows r;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    struct sql s = {.name = "ask", .text = text};
    assert_ok(db_select(site.owner, &s, NULL, 0, site.a, &r, &err), err);
    db_forget(site.owner, &s);
    return r.n == 0 || val_is_null(row_at(&r, 0, 0)) ? "(null)"
           : row_at(&r, 0, 0)->type == VAL_INT
               ? arena_fmt(site.a, "%lld", (long long)row_at(&r, 0, 0)->i)
               : row_at(&r, 0, 0)->s;
}
#define assert_sql(want, ...) assert_string_equal(ask(__VA_ARGS__), want)

static int64_t app_new(const char *identifier, const char *settings)
{
    struct app_put p = {.identifier = identifier, .actor = "t", .now = clock_now()};
    assert_ok(js_parse(bytes_str(settings), &p.settings, &err), err);
    assert_ok(app_put(console, site.conf, site.a, &p, &err), err);
    js_free(&p.settings);
    return p.stored_id;
}

static void assign(int64_t item)
{
    int64_t id;
    assert_ok(assignment_add(console, all, item, "t", clock_now(), &id, &err), err);
}

static void edit(int64_t item, const char *changes)
{
    struct library_item i;
    js keys;
    assert_ok(library_get(console, item, site.a, &i, &err), err);
    assert_ok(js_parse(bytes_str(changes), &keys, &err), err);
    assert_ok(library_edit(console, site.a, &i, keys, "t", clock_now(), &err), err);
    js_free(&keys);
}

static void turn(void)
{
    size_t done = 1;
    now = now + MINUTE_US > clock_now() ? now + MINUTE_US : clock_now();
    while (done > 0)
        assert_ok(digest_turn(agent, &place, &done, &err), err);
    place = (struct digest_place){0};
    assert_ok(converge_all(engine, now, &err), err);
}

static void turns(int n)
{
    while (n-- > 0)
        turn();
}

/* Device d answers its open command of that type. False: it has none. */
static bool answer(int d, const char *type, int state, const char *said)
{
    const char *id = ask("SELECT CAST(c.id AS CHAR) FROM queue q JOIN command c ON c.id = "
                         "q.command_id WHERE q.enrollment_id = %d AND c.request_type = '%s'",
                         d, type);
    struct buf hex = BUF_INIT(64 * LIM_KB);
    struct bytes report = bytes_str(arena_fmt(site.a, "<plist><dict>%s</dict></plist>", said));
    struct buf xml = BUF_INIT(64 * LIM_KB);
    bool changed;
    pl root;
    if (strcmp(id, "(null)") == 0)
        return false;
    assert_ok(pl_parse(report, &root, &err), err);
    assert_ok(secrets_seal_report(site.conf->signer_dir, arena_fmt(site.a, "D%d", d), root, site.a,
                                  &changed, &err),
              err);
    assert_int_equal(pl_to_xml(root, &xml), OK);
    pl_free(&root);
    char *room = buf_room(&hex, xml.len * 2 + 1);
    hex_encode(buf_bytes(&xml), room);
    now += SECOND_US;
    sql("INSERT INTO result (enrollment_id, command_id, state, queued_at, closed_at, reported_at, "
        "report, digest) VALUES (%d, %s, %d, 1, %lld, %lld, 0x%s, 1)",
        d, id, state, (long long)now, (long long)now, room);
    sql("DELETE FROM queue WHERE enrollment_id = %d AND command_id = %s", d, id);
    buf_free(&hex);
    buf_free(&xml);
    return true;
}

#define S(k, v) "<key>" k "</key><string>" v "</string>"
#define MANAGED(id, status, more)                                                                  \
    "<key>ManagedApplicationList</key><dict><key>" id "</key><dict>" S("Status", status) more      \
        "</dict></dict>"
#define ERROR_OF(code)                                                                             \
    "<key>ErrorChain</key><array><dict>" S("ErrorDomain", "MCMDMErrorDomain")                      \
        S("USEnglishDescription", "no") "<key>ErrorCode</key><integer>" #code                      \
                                        "</integer></dict></array>"

/* Device d has taken an app's command, and tells its state when it is asked. */
static void installs(int d, const char *identifier, const char *status)
{
    assert_true(
        answer(d, "InstallApplication", 4,
               arena_fmt(site.a, S("Identifier", "%s") S("State", "%s"), identifier, status)));
    turn();
    assert_true(answer(d, "ManagedApplicationList", 4,
                       arena_fmt(site.a, MANAGED("%s", "%s", ""), identifier, status)));
    turns(2);
}

static const char *state_of(int d, int64_t item)
{
    return ask("SELECT CONCAT(state, ' ', reason) FROM device_item WHERE enrollment_id = %d AND "
               "item_id = %lld",
               d, (long long)item);
}

static void codes(int64_t item, const char *text, size_t added, size_t known)
{
    size_t a, k;
    assert_ok(codes_add(console, site.conf, site.a, item, bytes_str(text), "t", clock_now(), &a, &k,
                        &err),
              err);
    assert_int_equal(a, added);
    assert_int_equal(k, known);
}

/* The open command of that type, as device d gets it. */
static const char *delivered(int d, const char *type)
{
    struct rows r;
    struct buf out = BUF_INIT(LIM_MB);
    char text[300];
    snprintf(
        text, sizeof text,
        "SELECT c.fill, c.fill_from, c.body FROM queue q JOIN command c ON c.id = q.command_id "
        "WHERE q.enrollment_id = %d AND c.request_type = '%s'",
        d, type);
    struct sql s = {.name = "delivered", .text = text};
    assert_ok(db_select(site.owner, &s, NULL, 0, site.a, &r, &err), err);
    db_forget(site.owner, &s);
    assert_int_equal(r.n, 1);
    if (row_at(&r, 0, 0)->i == 0)
        return arena_strndup(site.a, row_at(&r, 0, 2)->s, row_at(&r, 0, 2)->n);
    enum outcome o =
        library_deliver_app(mdm, site.conf, arena_fmt(site.a, "D%d", d), (int)row_at(&r, 0, 0)->i,
                            val_or_0(row_at(&r, 0, 1)), val_bytes(row_at(&r, 0, 2)), &out, &err);
    const char *text_out = o == OK ? arena_strdup(site.a, buf_cstr(&out)) : err.msg;
    buf_free(&out);
    return text_out;
}

static int each_setup(void **state)
{
    static const char *const tables[] = {
        "enrollment",   "life",          "queue",        "result",          "command",
        "push",         "library_item",  "device_group", "library_version", "group_member",
        "assignment",   "device_item",   "rollout",      "newcomer",        "audit",
        "inv_device",   "inv_area",      "software",     "inv_app",         "inv_managed_app",
        "inv_app_data", "inv_secret",    "inv_event",    "inv_setting",     "redemption_code",
        "result_error", "digest_failure"};
    struct device_group g = {.name = "all", .filter = "", .note = ""};
    struct group_edit e = {.add = (const char *[]){"D1", "D2", "D3"}, .nadd = 3};
    (void)state;
    arena_reset(site.a);
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        sql("TRUNCATE %s", tables[i]);
    sql("INSERT INTO enrollment (id, ident, kind, device_id, state, life_id, product_name, serial, "
        "os_version, created_at, last_seen_at) SELECT seq, CONCAT('D', seq), 1, seq, 2, seq, "
        "IF(seq = 3, 'MacBookPro18,1', 'iPhone14,2'), IF(seq = 2, NULL, CONCAT('SN', seq)), "
        "'17.0', "
        "1, 1 FROM seq_1_to_3");
    sql("INSERT INTO life (id, enrollment_id, state, opened_at, push_token) SELECT seq, seq, 2, 1, "
        "'t' FROM seq_1_to_3");
    assert_ok(group_save(console, &g, "t", clock_now(), &err), err);
    all = g.id;
    assert_ok(group_edit(console, all, &e, "t", clock_now(), &err), err);
    converge_free(&engine);
    assert_ok(converge_new(site.conf, agent, &engine, &err), err);
    place = (struct digest_place){0};
    now = clock_now();
    app = app_new(APP, "{}");
    return 0;
}

/* ---- codes ---- */

static void codes_are_read_and_sealed(void **state)
{
    size_t a, k;
    struct rows r;
    struct buf plain = BUF_INIT(LIM_KB);
    (void)state;
    codes(app,
          "Code;URL\n# from the store\n\n \"AAAA-1111\" "
          ";https://example.org/\r\nBBBB2222\nAAAA-1111\n",
          2, 1);
    codes(app, "AAAA-1111\nCCCC3333", 1, 1);
    assert_sql("3", "SELECT COUNT(*) FROM redemption_code WHERE state = 1 AND item_id = %lld",
               (long long)app);
    /* nothing of them stands in the database */
    assert_sql("0", "SELECT COUNT(*) FROM redemption_code WHERE LOCATE('AAAA', sealed) OR "
                    "LOCATE('AAAA', digest)");
    static const struct sql ONE = {"one",
                                   "SELECT id, sealed FROM redemption_code ORDER BY id LIMIT 1", 0};
    assert_ok(db_select(mdm, &ONE, NULL, 0, site.a, &r, &err), err);
    const char *owner = arena_fmt(site.a, "%lld", (long long)row_at(&r, 0, 0)->i);
    assert_ok(sign_unseal("RedemptionCode", owner, val_bytes(row_at(&r, 0, 1)), bytes_of(NULL, 0),
                          "", &plain, &err),
              err);
    assert_true(strcmp(buf_cstr(&plain), "AAAA-1111") == 0 ||
                strcmp(buf_cstr(&plain), "BBBB2222") == 0);
    buf_wipe(&plain);
    /* what is none is told by its line, and not repeated */
    assert_outcome(codes_add(console, site.conf, site.a, app, bytes_str("DDDD4444\nno good\n"), "t",
                             now, &a, &k, &err),
                   INVALID, err);
    assert_non_null(strstr(err.msg, "line 2"));
    assert_null(strstr(err.msg, "no good"));
    assert_outcome(codes_add(console, site.conf, site.a, app, bytes_str("# nothing\n"), "t", now,
                             &a, &k, &err),
                   INVALID, err);
    assert_outcome(
        codes_add(console, site.conf, site.a, 77, bytes_str("DDDD4444"), "t", now, &a, &k, &err),
        NOT_FOUND, err);
    assert_sql("3", "SELECT COUNT(*) FROM redemption_code");
    assert_sql("added=1 known=1",
               "SELECT detail FROM audit WHERE action = 'codes.add' ORDER BY id DESC LIMIT 1");
}

struct worker {
    int from, to;
    int64_t item;
    struct db *db;
};

/* Gives to its devices, of which some are another worker's too. */
static void *work(void *arg)
{
    struct worker *w = arg;
    struct err e;
    for (int d = w->from; d < w->to; d++) {
        char uuid[UUID_LEN + 1], key[16];
        enum enqueue_outcome outcome;
        const char *ident = key;
        int64_t id;
        uuid_v4(uuid);
        snprintf(key, sizeof key, "D%d", d);
        struct enqueue q = {.uuid = uuid,
                            .request_type = "ApplyRedemptionCode",
                            .body = bytes_str("<plist/>"),
                            .idents = &ident,
                            .n = 1,
                            .dedupe_key = "redeem",
                            .actor = "t",
                            .now = 1,
                            .outcomes = &outcome,
                            .enrollment_ids = &id};
        struct redemption_give g = {
            .item_id = w->item, .enrollment_id = d, .e = &q, .now = clock_now()};
        enum outcome o = redemption_give(w->db, &g, &e);
        if (o != OK && o != NOT_FOUND)
            return w;
    }
    return NULL;
}

static void no_code_is_given_twice(void **state)
{
    pthread_t t[4];
    struct worker w[4];
    char text[60 * 10 + 1] = "";
    (void)state;
    sql("INSERT INTO enrollment (id, ident, kind, device_id, state, life_id, created_at, "
        "last_seen_at) SELECT seq, CONCAT('D', seq), 1, seq, 2, seq, 1, 1 FROM seq_100_to_159");
    sql("INSERT INTO life (id, enrollment_id, state, opened_at, push_token) SELECT seq, seq, 2, 1, "
        "'t' FROM seq_100_to_159");
    for (int i = 0; i < 50; i++)
        sprintf(text + strlen(text), "CODE%04d\n", i);
    codes(app, text, 50, 0);
    for (int i = 0; i < 4; i++) { /* 60 devices, each twice, by four workers; 50 codes */
        w[i] = (struct worker){100 + (i % 2) * 30, 130 + (i % 2) * 30, app, NULL};
        assert_ok(db_new(site.conf, DB_AGENT, &w[i].db, &err), err);
        assert_int_equal(pthread_create(&t[i], NULL, work, &w[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        void *failed;
        pthread_join(t[i], &failed);
        db_free(&w[i].db);
        assert_null(failed);
    }
    assert_sql("50 50 50 0",
               "SELECT CONCAT_WS(' ', COUNT(*), COUNT(DISTINCT enrollment_id), COUNT(DISTINCT "
               "command_id), SUM(state = 1)) FROM redemption_code");
    /* each command brings one code to one device */
    assert_sql("50 50", "SELECT CONCAT_WS(' ', COUNT(*), COUNT(DISTINCT c.fill_from)) FROM queue q "
                        "JOIN command c ON c.id = q.command_id JOIN redemption_code r ON r.id = "
                        "c.fill_from AND r.enrollment_id = q.enrollment_id AND c.fill = 4");
}

static void an_app_is_paid_for(void **state)
{
    (void)state;
    assign(app);
    turn();
    installs(1, APP, "NeedsRedemption");
    assert_non_null(strstr(state_of(1, app), "4 it must be paid for")); /* no codes at all */
    codes(app, "REFUSED1\nGOODONE2\n", 2, 0);
    sql("UPDATE library_item SET codes_low = 1");
    sql("UPDATE device_item SET due_at = 0");
    turns(2);
    if (answer(1, "InstallApplication", 4, S("Identifier", APP) S("State", "NeedsRedemption")))
        turn();
    answer(1, "ManagedApplicationList", 4, MANAGED(APP, "NeedsRedemption", ""));
    turns(2);
    assert_string_equal(state_of(1, app), "7 a redemption code is on its way to the device");
    /* what is stored has no code, what is delivered has; to this device alone */
    assert_sql("0",
               "SELECT COUNT(*) FROM command WHERE LOCATE('GOODONE', body) OR LOCATE('REFUSED', "
               "body)");
    const char *got = delivered(1, "ApplyRedemptionCode");
    assert_true(strstr(got, "REFUSED1") != NULL || strstr(got, "GOODONE2") != NULL);
    assert_string_equal(got, delivered(1, "ApplyRedemptionCode"));
    assert_sql("1", "SELECT COUNT(*) FROM redemption_code WHERE state = 2 AND enrollment_id = 1");
    turns(3); /* nothing more while it is on its way */
    assert_sql("1", "SELECT COUNT(*) FROM redemption_code WHERE state = 2");
    /* what fails for another reason leaves the code with its device */
    int64_t code = atoll(ask("SELECT CAST(id AS CHAR) FROM redemption_code WHERE state = 2"));
    assert_true(answer(1, "ApplyRedemptionCode", 5, ERROR_OF(12028)));
    answer(1, "ManagedApplicationList", 4, MANAGED(APP, "NeedsRedemption", ""));
    turns(3);
    assert_sql("1", "SELECT COUNT(*) FROM redemption_code WHERE state = 2 AND id = %lld",
               (long long)code);
    /* the store refuses it: another */
    assert_true(answer(1, "ApplyRedemptionCode", 5, ERROR_OF(12037)));
    answer(1, "ManagedApplicationList", 4, MANAGED(APP, "NeedsRedemption", ""));
    turns(3);
    assert_sql("4 2", "SELECT GROUP_CONCAT(state ORDER BY state DESC SEPARATOR ' ') FROM "
                      "redemption_code");
    assert_sql("left=0 of=2", "SELECT detail FROM audit WHERE action = 'codes.low'");
    assert_true(answer(1, "ApplyRedemptionCode", 4, ""));
    answer(1, "ManagedApplicationList", 4, MANAGED(APP, "Redeeming", ""));
    turn();
    assert_sql("4 3", "SELECT GROUP_CONCAT(state ORDER BY state DESC SEPARATOR ' ') FROM "
                      "redemption_code");
    turns(2);
    assert_true(answer(1, "ManagedApplicationList", 4, MANAGED(APP, "Managed", "")));
    sql("UPDATE device_item SET due_at = 0");
    turns(2);
    assert_string_equal(state_of(1, app), "3 ");
    /* another device finds none, is told so, and gets one as soon as there is */
    installs(2, APP, "NeedsRedemption");
    assert_non_null(strstr(state_of(2, app), "7 waits for a redemption code: none is left"));
    assert_sql("1", "SELECT COUNT(*) FROM audit WHERE action = 'codes.low'"); /* told once */
    codes(app, "ANOTHER3", 1, 0);
    assert_sql("(null)", "SELECT codes_alarm_at FROM library_item");
    turn();
    assert_non_null(strstr(delivered(2, "ApplyRedemptionCode"), "ANOTHER3"));
}

static void an_unused_code_comes_back(void **state)
{
    struct redemption_row *x;
    uint64_t removed;
    size_t n;
    (void)state;
    assign(app);
    codes(app, "ONLYONE1", 1, 0);
    turn();
    installs(1, APP, "NeedsRedemption");
    assert_true(answer(1, "ApplyRedemptionCode", 4, ""));
    answer(1, "ManagedApplicationList", 4,
           MANAGED(APP, "Managed", S("UnusedRedemptionCode", "ONLYONE1")));
    turn();
    assert_sql("1 1", "SELECT CONCAT(state, ' ', reclaimed) FROM redemption_code");
    assert_sql("0", "SELECT COUNT(*) FROM inv_secret"); /* nobody gives it by hand too */
    installs(2, APP, "NeedsRedemption");
    assert_non_null(strstr(delivered(2, "ApplyRedemptionCode"), "ONLYONE1"));
    /* a second report of the first device, and one of a device that got none, take nothing */
    sql("INSERT INTO command (id, uuid, request_type, body, created_at, created_by) VALUES (7, "
        "'C7', "
        "'ManagedApplicationList', '<plist><dict/></plist>', 1, 't')");
    sql("INSERT INTO queue (enrollment_id, urgency, queued_at, command_id, state) VALUES (1, 0, 1, "
        "7, "
        "2), (3, 0, 1, 7, 2)");
    assert_true(answer(1, "ManagedApplicationList", 4,
                       MANAGED(APP, "Managed", S("UnusedRedemptionCode", "ONLYONE1"))));
    turn();
    assert_sql("2 2", "SELECT CONCAT(state, ' ', enrollment_id) FROM redemption_code");
    assert_sql("1", "SELECT COUNT(*) FROM inv_secret"); /* not one of ours: kept for a person */
    /* a person frees one, but not while it is on its way; one that is free can go */
    assert_ok(redemption_list(console, app, 0, 0, 10, site.a, &x, &n, &err), err);
    assert_int_equal(n, 1);
    assert_string_equal(x[0].ident, "D2");
    assert_outcome(redemption_release(console, app, x[0].id, "t", "lost", now, &err), CONFLICT,
                   err);
    assert_outcome(redemption_remove(console, app, x[0].id, "t", "old", &removed, &err), CONFLICT,
                   err);
    sql("DELETE FROM queue");
    assert_outcome(redemption_release(console, 77, x[0].id, "t", "lost", now, &err), NOT_FOUND,
                   err);
    assert_ok(redemption_release(console, app, x[0].id, "t", "lost", now, &err), err);
    assert_outcome(redemption_release(console, app, x[0].id, "t", "lost", now, &err), CONFLICT,
                   err);
    assert_ok(redemption_remove(console, app, 0, "t", "old", &removed, &err), err);
    assert_int_equal(removed, 1);
}

/* ---- settings ---- */

static void changed_settings_reach_devices(void **state)
{
    int64_t i = app_new("org.example.mail",
                        "{\"Configuration\":{\"server\":\"a\",\"who\":"
                        "\"%SerialNumber%\"},\"InstallAsManaged\":true,\"ManagementFlags\":1}");
    const char *got;
    (void)state;
    assign(i);
    turn();
    got = delivered(1, "InstallApplication");
    assert_non_null(strstr(got, "<string>SN1</string>"));
    assert_non_null(strstr(delivered(2, "InstallApplication"), "SerialNumber")); /* it has none */
    assert_null(strstr(delivered(2, "InstallApplication"), "<string>"));
    sql("UPDATE enrollment SET serial = 'SN2' WHERE id = 2");
    for (int d = 1; d <= 3; d++)
        installs(d, "org.example.mail", "Managed");
    for (int d = 1; d <= 3; d++)
        assert_string_equal(state_of(d, i), "3 ");
    turns(2);
    assert_sql("0", "SELECT COUNT(*) FROM queue");
    /* what counts for new devices alone disturbs nobody; neither does the same once more */
    edit(i, "{\"settings\":{\"Configuration\":{\"server\":\"a\",\"who\":\"%SerialNumber%\"},"
            "\"InstallAsManaged\":true,\"ManagementFlags\":1,\"Options\":{\"PurchaseMethod\":1}}}");
    turns(2);
    assert_sql("0", "SELECT COUNT(*) FROM queue");
    /* the configuration: Settings, one command for all, filled in for each */
    edit(i, "{\"settings\":{\"Configuration\":{\"server\":\"b\",\"who\":\"%SerialNumber%\"},"
            "\"InstallAsManaged\":true,\"ManagementFlags\":1}}");
    turns(2);
    assert_sql("Settings 3",
               "SELECT CONCAT(c.request_type, ' ', COUNT(*)) FROM queue q JOIN command "
               "c ON c.id = q.command_id GROUP BY c.id");
    got = delivered(2, "Settings");
    assert_non_null(strstr(got, "<string>ApplicationConfiguration</string>"));
    assert_non_null(strstr(got, "<string>b</string>"));
    assert_non_null(strstr(got, "<string>SN2</string>"));
    assert_null(strstr(got, "ApplicationAttributes"));
    assert_true(answer(1, "Settings", 4, ""));
    assert_true(answer(2, "Settings", 4,
                       "<key>Settings</key><array><dict>" S("Item", "ApplicationConfiguration")
                           S("Status", "Error") ERROR_OF(12040) "</dict></array>"));
    turn();
    assert_string_equal(state_of(1, i), "3 ");
    assert_string_equal(state_of(2, i), "4 it did not take the app's settings: "
                                        "ApplicationConfiguration: no (MCMDMErrorDomain 12040)");
    /* a further change while one command is still open; a failure is tried again with it */
    edit(i, "{\"settings\":{\"Attributes\":{\"Removable\":false},\"InstallAsManaged\":true,"
            "\"ManagementFlags\":1}}");
    turns(2);
    got = delivered(2, "Settings");
    assert_non_null(strstr(got, "ApplicationAttributes"));
    assert_null(strstr(got, "<key>Configuration</key>")); /* taken away */
    assert_true(answer(3, "Settings", 4, ""));
    turns(2);
    assert_null(strstr(delivered(3, "Settings"), "ApplicationAttributes")); /* a Mac has none */
    for (int d = 1; d <= 3; d++)
        assert_true(answer(d, "Settings", 4, ""));
    turns(2);
    assert_sql("0", "SELECT COUNT(*) FROM queue");
    /* the flags take the whole command; that it is there already is no failure */
    edit(i, "{\"settings\":{\"Attributes\":{\"Removable\":false},\"InstallAsManaged\":true,"
            "\"ManagementFlags\":5}}");
    turns(2);
    assert_sql("InstallApplication 3",
               "SELECT CONCAT(c.request_type, ' ', COUNT(*)) FROM queue q JOIN command c ON c.id = "
               "q.command_id GROUP BY c.id");
    assert_true(answer(1, "InstallApplication", 5,
                       S("RejectionReason", "AppAlreadyInstalled") ERROR_OF(12025)));
    turn();
    assert_string_equal(state_of(1, i), "3 ");
    assert_sql("0",
               "SELECT COUNT(*) FROM device_item d JOIN library_item i ON i.id = d.item_id WHERE "
               "d.enrollment_id = 1 AND i.id = %lld AND d.settings_rev <> i.settings_rev",
               (long long)i);
}

static void rejections_are_told_in_words(void **state)
{
    (void)state;
    assign(app);
    turn();
    assert_true(answer(1, "InstallApplication", 5, S("RejectionReason", "AppAlreadyInstalled")));
    assert_true(answer(2, "InstallApplication", 5, S("RejectionReason", "NotAnApp")));
    assert_true(answer(3, "InstallApplication", 5, S("RejectionReason", "Strange")));
    turn();
    assert_non_null(strstr(state_of(1, app), "ChangeManagementState"));
    assert_non_null(
        strstr(state_of(2, app), "4 rejected: NotAnApp (the number in the store is of"));
    assert_string_equal(state_of(3, app), "4 rejected: Strange");
    /* all that a Mac says is "Other": the chain of errors says why */
    now += DAY_US;
    turn();
    assert_true(answer(3, "InstallApplication", 5, S("RejectionReason", "Other") ERROR_OF(12033)));
    turn();
    assert_string_equal(state_of(3, app), "4 rejected: Other: no (MCMDMErrorDomain 12033)");
}

/* A Mac manages an app when it is told so; of another it says nothing but that it has it. */
static void a_mac_manages_what_it_is_told_to(void **state)
{
    int64_t managed = app_new("org.example.managed", "{\"InstallAsManaged\":true}");
    (void)state;
    sql("INSERT INTO inv_device (enrollment_id, platform, product_name) VALUES (3, 2, "
        "'MacBookPro18,1')");
    assign(app);
    assign(managed);
    turn();
    sql("UPDATE queue q JOIN command c ON c.id = q.command_id SET q.enrollment_id = 30 WHERE "
        "q.enrollment_id = 3 AND c.body LIKE '%%org.example.managed%%'");
    assert_true(answer(3, "InstallApplication", 4, S("Identifier", APP) S("State", "Installing")));
    sql("UPDATE queue SET enrollment_id = 3 WHERE enrollment_id = 30");
    assert_true(answer(3, "InstallApplication", 4,
                       S("Identifier", "org.example.managed") S("State", "Installing")));
    turn();
    assert_string_equal(state_of(3, app), "3 ");
    assert_string_equal(state_of(3, managed), "7 ");
    assert_true(
        answer(3, "ManagedApplicationList", 4, MANAGED("org.example.managed", "Managed", "")));
    turns(2);
    assert_string_equal(state_of(3, app), "3 "); /* not "lost" */
    assert_string_equal(state_of(3, managed), "3 ");
    assert_sql("0", "SELECT COUNT(*) FROM queue WHERE enrollment_id = 3");
    /* the other is lost, and comes again */
    sql("DELETE FROM inv_managed_app");
    sql("UPDATE inv_area SET reported_at = %lld WHERE area = 8", (long long)(now + 1));
    turn();
    assert_string_equal(state_of(3, app), "3 ");
    assert_non_null(strstr(delivered(3, "InstallApplication"), "org.example.managed"));
    /* what is not managed cannot be removed: that is the end of it */
    sql("DELETE FROM assignment");
    sql("UPDATE queue SET state = 1");
    sql("DELETE FROM queue");
    assert_sql("1", "SELECT COUNT(*) FROM library_item WHERE id = %lld", (long long)app);
    sql("UPDATE device_item SET wanted = 0, state = 1, due_at = 0 WHERE enrollment_id = 3 AND "
        "item_id = %lld",
        (long long)app);
    turn();
    assert_true(answer(3, "RemoveApplication", 5, ERROR_OF(12029)));
    turn();
    assert_string_equal(state_of(3, app), "6 ");
}

/* ---- questions ---- */

static void feedback_is_asked_for(void **state)
{
    struct app_data *x;
    size_t n;
    (void)state;
    assign(app);
    edit(app, "{\"feedback_hours\":24,\"feedback_delete\":true}");
    turn();
    installs(1, APP, "Managed");
    const char *got = delivered(1, "ManagedApplicationFeedback");
    assert_non_null(strstr(got, "<string>" APP "</string>"));
    assert_non_null(strstr(got, "<key>DeleteFeedback</key>"));
    assert_true(
        answer(1, "ManagedApplicationFeedback", 4,
               "<key>ManagedApplicationFeedback</key><array><dict>" S(
                   "Identifier",
                   APP) "<key>Feedback</key><dict>" S("error",
                                                      "<![CDATA[<b>]]>") "</dict></dict></array>"));
    turns(3);
    assert_sql("0", "SELECT COUNT(*) FROM queue q JOIN command c ON c.id = q.command_id WHERE "
                    "c.request_type = 'ManagedApplicationFeedback'");
    assert_ok(appdata_feedback(console, app, 0, 10, site.a, &x, &n, &err), err);
    assert_int_equal(n, 1);
    assert_string_equal(x[0].ident, "D1");
    assert_string_equal(x[0].content, "{\"error\":\"\\u003cb\\u003e\"}");
    now += 24 * HOUR_US;
    turn();
    assert_sql("1", "SELECT COUNT(*) FROM queue q JOIN command c ON c.id = q.command_id WHERE "
                    "c.request_type = 'ManagedApplicationFeedback'");
    edit(app, "{\"feedback_hours\":0}");
    sql("DELETE FROM queue");
    now += 48 * HOUR_US;
    turns(2);
    assert_sql("0", "SELECT COUNT(*) FROM queue q JOIN command c ON c.id = q.command_id WHERE "
                    "c.request_type = 'ManagedApplicationFeedback'");
}

#define INSTALLED(flag)                                                                            \
    "<key>InstalledApplicationList</key><array><dict>" S("Identifier", APP)                        \
        S("Version", "1") "<key>HasUpdateAvailable</key><" flag "/></dict></array>"

static void the_store_is_asked_for_updates(void **state)
{
    (void)state;
    assign(app);
    edit(app, "{\"update_hours\":6}");
    turn();
    installs(1, APP, "Managed");
    assert_string_equal(state_of(1, app), "3 ");
    assert_true(answer(1, "InstalledApplicationList", 4, INSTALLED("false")));
    turns(2);
    assert_string_equal(state_of(1, app), "3 ");
    now += 6 * HOUR_US;
    turn();
    assert_true(answer(1, "InstalledApplicationList", 4, INSTALLED("true")));
    turns(2);
    assert_non_null(strstr(delivered(1, "InstallApplication"), APP));
    installs(1, APP, "Managed");
    assert_string_equal(state_of(1, app), "3 ");
    turns(2); /* not again before the device tells anew */
    assert_sql("0", "SELECT COUNT(*) FROM queue WHERE enrollment_id = 1");
}

/* What the device's list tells of an app: its version and build. */
static void lists(const char *identifier, const char *version, const char *build)
{
    sql("INSERT INTO command (id, uuid, request_type, body, created_at, created_by) VALUES (%lld, "
        "UUID(), 'InstalledApplicationList', '', 1, 't')",
        (long long)now);
    sql("INSERT INTO queue (enrollment_id, urgency, command_id, state, queued_at) VALUES (1, 0, "
        "%lld, 2, 1)",
        (long long)now);
    assert_true(
        answer(1, "InstalledApplicationList", 4,
               arena_fmt(site.a,
                         "<key>InstalledApplicationList</key><array><dict>" S("Identifier", "%s")
                             S("ShortVersion", "%s") S("Version", "%s") "</dict></array>",
                         identifier, version, build)));
    now += 6 * MINUTE_US; /* what is lost or old is looked for every five minutes */
    turns(2);
}

static void an_older_build_is_replaced(void **state)
{
    struct app_put p = {.identifier = "org.example.own",
                        .manifest_url = "https://example.org/own.plist",
                        .app_version = "1.10.0",
                        .actor = "t",
                        .now = clock_now()};
    (void)state;
    assert_ok(app_put(console, site.conf, site.a, &p, &err), err);
    assign(p.stored_id);
    turn();
    installs(1, "org.example.own", "Managed");
    /* the same, in other words, and a newer one */
    lists("org.example.own", "1.10", "7");
    lists("org.example.own", "1.11", "7");
    assert_string_equal(state_of(1, p.stored_id), "3 ");
    assert_sql("0", "SELECT COUNT(*) FROM queue WHERE enrollment_id = 1");
    /* an older one is replaced, once */
    lists("org.example.own", "1.9", "7");
    assert_non_null(strstr(delivered(1, "InstallApplication"), "own.plist"));
    installs(1, "org.example.own", "Managed");
    turns(2);
    assert_string_equal(state_of(1, p.stored_id), "3 ");
    assert_sql("0", "SELECT COUNT(*) FROM queue WHERE enrollment_id = 1");
    /* it did not help: the next time waits, and so does what the device refuses */
    lists("org.example.own", "1.9", "7");
    assert_string_equal(state_of(1, p.stored_id), "1 the device has an older build");
    assert_sql("1",
               "SELECT due_at > %lld AND installed_version = 1 FROM device_item WHERE item_id "
               "= %lld",
               (long long)(now + 5 * MINUTE_US), (long long)p.stored_id);
    now += HOUR_US;
    turn();
    assert_true(answer(1, "InstallApplication", 5, ERROR_OF(12026)));
    turn();
    assert_string_equal(state_of(1, p.stored_id), "4 no (MCMDMErrorDomain 12026)");
    now += DAY_US;
    turn();
    installs(1, "org.example.own", "Managed");
    /* of an uploaded file the build counts where the version is the same; a copy that is new enough
     * is enough, and so is one that is on its way */
    sql("UPDATE library_version SET details = JSON_SET(details, '$.build', '42') WHERE item_id = "
        "%lld",
        (long long)p.stored_id);
    lists("org.example.own", "1.10", "42");
    assert_string_equal(state_of(1, p.stored_id), "3 ");
    sql("UPDATE device_item SET attempts = 1 WHERE item_id = %lld", (long long)p.stored_id);
    lists("org.example.own", "1.10", "41");
    assert_non_null(strstr(delivered(1, "InstallApplication"), "own.plist"));
    installs(1, "org.example.own", "Managed");
    assert_string_equal(state_of(1, p.stored_id), "3 ");
}

static void a_number_of_the_store_gets_its_identifier(void **state)
{
    int64_t i = app_new(NULL, "{\"iTunesStoreID\":361285480}");
    (void)state;
    assert_sql("361285480", "SELECT identifier FROM library_item WHERE id = %lld", (long long)i);
    assign(i);
    turn();
    const char *got = delivered(1, "InstallApplication");
    assert_non_null(strstr(got, "<integer>361285480</integer>"));
    assert_null(strstr(got, "<key>Identifier</key>"));
    installs(1, "com.apple.Keynote", "Managed");
    assert_sql("com.apple.Keynote", "SELECT identifier FROM library_item WHERE id = %lld",
               (long long)i);
    assert_string_equal(state_of(1, i), "3 ");
    /* one that the library has already stays as it is, and the device is not lost for it */
    int64_t k = app_new(NULL, "{\"iTunesStoreID\":5}");
    assign(k);
    turn();
    assert_true(answer(1, "InstallApplication", 4,
                       S("Identifier", "com.apple.Keynote") S("State", "Installing")));
    turn();
    assert_sql("5", "SELECT identifier FROM library_item WHERE id = %lld", (long long)k);
}

/* ---- uploads ---- */

/* A package: a xar is more work than a zip with one entry, stored. */
static struct bytes small_app(const char *identifier)
{
    testdb_shell("python3 - %s %s <<'E'\n"
                 "import sys, zipfile, plistlib\n"
                 "z = zipfile.ZipFile(sys.argv[1], 'w')\n"
                 "z.writestr('Payload/A.app/Info.plist', plistlib.dumps({'CFBundleIdentifier': "
                 "sys.argv[2], 'CFBundleVersion': '1'}))\n"
                 "z.close()\nE",
                 arena_fmt(site.a, "%s/app.ipa", site.dir), identifier);
    FILE *f = fopen(arena_fmt(site.a, "%s/app.ipa", site.dir), "rb");
    char *p = arena_alloc(site.a, 64 * LIM_KB);
    size_t n = f != NULL ? fread(p, 1, 64 * LIM_KB, f) : 0;
    if (f != NULL)
        fclose(f);
    return bytes_of(p, n);
}

static struct upload begun(int64_t size)
{
    struct upload u = {
        .filename = "a.ipa", .size = size, .started_by = "ann", .started_at = clock_now()};
    assert_ok(app_upload_begin(console, site.conf, site.a, &u, &err), err);
    return u;
}

static enum outcome part(struct upload *u, int64_t at, struct bytes b, const char *by)
{
    return app_upload_part(console, site.conf, site.a, u->id, by, at, b, clock_now(), u, &err);
}

static void a_file_comes_in_parts(void **state)
{
    struct bytes app_file = small_app("org.example.upload");
    struct bytes head = bytes_of(app_file.p, 100),
                 tail = bytes_of(app_file.p + 100, app_file.n - 100);
    struct upload u = begun((int64_t)app_file.n), bad = {.filename = "a.exe", .size = 1};
    int64_t id = u.id;
    (void)state;
    assert_outcome(app_upload_begin(console, site.conf, site.a, &bad, &err), INVALID, err);
    bad = (struct upload){.filename = "a.pkg", .size = INT64_MAX, .started_by = "ann"};
    assert_outcome(app_upload_begin(console, site.conf, site.a, &bad, &err), INVALID, err);
    assert_ok(part(&u, 0, head, "ann"), err);
    assert_ok(part(&u, 0, head, "ann"), err); /* again: nothing changes */
    assert_int_equal(u.received, 100);
    assert_outcome(part(&u, 50, head, "ann"), CONFLICT, err);
    assert_int_equal(u.received, 100); /* it goes on there */
    assert_outcome(part(&u, 100, tail, "bob"), NOT_FOUND, err);
    u.id = id;
    assert_outcome(part(&u, 100, app_file, "ann"), INVALID, err); /* more than was said */
    assert_outcome(part(&u, -100, head, "ann"), CONFLICT, err);
    assert_outcome(part(&u, INT64_MAX, head, "ann"), INVALID, err);
    assert_ok(part(&u, 100, tail, "ann"), err);
    assert_int_equal(u.state, UPLOAD_DONE);
    assert_ok(part(&u, 100, tail, "ann"), err); /* the answer was lost: the same once more */
    assert_int_equal(u.state, UPLOAD_DONE);
    assert_sql("1", "SELECT COUNT(*) FROM library_item WHERE id = %lld", (long long)u.done_item);
    assert_outcome(app_upload_stop(console, site.conf, site.a, id, "ann", now, &err), CONFLICT,
                   err);
    /* the process died after the app was stored and before that was noted */
    int64_t item = u.done_item;
    sql("UPDATE app_upload SET state = 2, done_item = NULL, changed_at = 1 WHERE id = %lld",
        (long long)id);
    assert_ok(part(&u, 100, tail, "ann"), err);
    assert_int_equal(u.state, UPLOAD_DONE);
    assert_int_equal(u.done_item, item);
    assert_sql("1", "SELECT COUNT(*) FROM library_version WHERE item_id = %lld", (long long)item);
    /* the same app again becomes a version that devices do not get yet */
    u = begun((int64_t)app_file.n);
    assert_ok(part(&u, 0, app_file, "ann"), err);
    assert_int_equal(u.done_item, item);
    assert_sql("1", "SELECT version FROM library_item WHERE id = %lld", (long long)item);
    /* what is no app fails with a reason, and its file goes */
    u = begun(6);
    assert_ok(part(&u, 0, bytes_str("no zip"), "ann"), err);
    assert_int_equal(u.state, UPLOAD_FAILED);
    assert_true(strlen(u.why) > 0);
    assert_null(asset_path(site.conf, site.a, u.asset));
    /* stopped: the file goes, and no part is taken any more */
    u = begun((int64_t)app_file.n);
    assert_ok(part(&u, 0, head, "ann"), err);
    assert_outcome(app_upload_stop(console, site.conf, site.a, u.id, "bob", now, &err), NOT_FOUND,
                   err);
    assert_ok(app_upload_stop(console, site.conf, site.a, u.id, "ann", now, &err), err);
    assert_null(asset_path(site.conf, site.a, u.asset));
    assert_outcome(part(&u, 100, tail, "ann"), CONFLICT, err);
}

struct uploader {
    int64_t id;
    struct bytes file;
    const char *by;
    struct db *db;
    struct arena *a;
    enum outcome outcome;
    struct upload u;
    struct err err;
};

static void *upload_it(void *arg)
{
    struct uploader *w = arg;
    for (size_t at = 0; at <= w->file.n; at += 100) {
        size_t n = w->file.n - at < 100 ? w->file.n - at : 100;
        w->outcome = app_upload_part(w->db, site.conf, w->a, w->id, w->by, (int64_t)at,
                                     bytes_of(w->file.p + at, n), clock_now(), &w->u, &w->err);
        if (w->outcome == CONFLICT) /* the other was quicker: it goes on there */
            at = (size_t)w->u.received - 100;
        else if (w->outcome != OK || w->u.state != UPLOAD_OPEN)
            return w;
    }
    return NULL;
}

static void race(struct uploader *w, size_t n)
{
    pthread_t t[4];
    for (size_t i = 0; i < n; i++) {
        w[i].a = arena_new(64 * LIM_MB);
        assert_ok(db_new(site.conf, DB_CONSOLE, &w[i].db, &err), err);
        assert_int_equal(pthread_create(&t[i], NULL, upload_it, &w[i]), 0);
    }
    for (size_t i = 0; i < n; i++) {
        pthread_join(t[i], NULL);
        db_free(&w[i].db);
    }
}

/* One file by two browsers of one person, one app by two people, at the same moment. */
static void two_uploaders_at_once(void **state)
{
    struct uploader w[4] = {0};
    (void)state;
    for (int round = 0; round < 5; round++) {
        struct bytes one = small_app(arena_fmt(site.a, "org.example.race%d", round));
        int64_t id = begun((int64_t)one.n).id;
        for (size_t i = 0; i < 4; i++)
            w[i] = (struct uploader){.id = id, .file = one, .by = "ann"};
        race(w, 4);
        for (size_t i = 0; i < 4; i++) {
            assert_ok(w[i].outcome, w[i].err);
            assert_true(w[i].u.state == UPLOAD_DONE || w[i].u.state == UPLOAD_READING);
            arena_free(&w[i].a);
        }
        assert_sql("1 1",
                   "SELECT CONCAT_WS(' ', COUNT(DISTINCT i.id), COUNT(*)) FROM library_item i JOIN "
                   "library_version v ON v.item_id = i.id WHERE i.identifier = "
                   "'org.example.race%d'",
                   round);
        /* two people bring the same app, which nobody has yet */
        struct bytes two = small_app(arena_fmt(site.a, "org.example.both%d", round));
        for (size_t i = 0; i < 2; i++) {
            struct upload u = {.filename = "a.ipa",
                               .size = (int64_t)two.n,
                               .started_by = i ? "bob" : "ann",
                               .started_at = clock_now()};
            assert_ok(app_upload_begin(console, site.conf, site.a, &u, &err), err);
            w[i] = (struct uploader){.id = u.id, .file = two, .by = u.started_by};
        }
        race(w, 2);
        for (size_t i = 0; i < 2; i++) {
            assert_ok(w[i].outcome, w[i].err);
            assert_true(w[i].u.state == UPLOAD_DONE ||
                        (w[i].u.state == UPLOAD_FAILED && w[i].u.why[0] != '\0'));
            arena_free(&w[i].a);
        }
        assert_sql("1", "SELECT COUNT(*) FROM library_item WHERE identifier = 'org.example.both%d'",
                   round);
    }
}

/* Whoever may upload fills neither the disk nor the folder. */
static void files_leave_room(void **state)
{
    struct upload u = {.filename = "a.ipa", .size = 200, .started_by = "ann"}, one;
    char body[200] = "PK";
    size_t begun_n = 0;
    (void)state;
    one = begun(sizeof body);
    site.conf->assets_reserve_mb = INT64_C(1) << 40; /* more than there is */
    assert_outcome(app_upload_begin(console, site.conf, site.a, &u, &err), CONFLICT, err);
    assert_outcome(part(&one, 0, bytes_of(body, sizeof body), "ann"), UNAVAILABLE, err);
    assert_int_equal(one.received, 0);
    site.conf->assets_reserve_mb = 0;
    assert_ok(part(&one, 0, bytes_of(body, 100), "ann"), err);
    enum outcome o = OK;
    for (; o == OK && begun_n < 1000; begun_n++) {
        u = (struct upload){
            .filename = "a.ipa", .size = 200, .started_by = "ann", .started_at = clock_now()};
        o = app_upload_begin(console, site.conf, site.a, &u, &err);
    }
    assert_int_equal(o, CONFLICT);
    assert_in_range(begun_n, 2, ASSET_OPEN_MAX + 1);
    /* those that nothing happens to make room */
    testdb_shell("touch -d '2 days ago' %s/incoming/*", site.conf->assets_dir);
    u = begun(200);
    testdb_shell("rm -f %s/incoming/*", site.conf->assets_dir);
}

static void files_of_deleted_apps_go(void **state)
{
    struct bytes app_file = small_app("org.example.gone");
    struct upload u = begun((int64_t)app_file.n);
    const char *stranger = "0123456789abcdef0123456789abcdef";
    (void)state;
    assert_ok(part(&u, 0, app_file, "ann"), err);
    const char *path = asset_path(site.conf, site.a, u.asset);
    struct library_item i;
    assert_ok(library_get(console, u.done_item, site.a, &i, &err), err);
    assert_ok(
        asset_check(site.conf, site.a, u.asset, i.current.size, i.current.sha256, LIM_MB, &err),
        err);
    testdb_shell("printf X | dd of=%s bs=1 seek=50 conv=notrunc status=none", path);
    assert_outcome(
        asset_check(site.conf, site.a, u.asset, i.current.size, i.current.sha256, LIM_MB, &err),
        CONFLICT, err);
    assert_ok(asset_check(site.conf, site.a, u.asset, i.current.size, i.current.sha256, 10, &err),
              err); /* too long to be read */
    testdb_shell("truncate -s 40 %s", path);
    assert_outcome(
        asset_check(site.conf, site.a, u.asset, i.current.size, i.current.sha256, 10, &err),
        CONFLICT, err);
    assert_outcome(asset_check(site.conf, site.a, stranger, 1, i.current.sha256, 10, &err),
                   CONFLICT, err);
    testdb_shell("mkdir %s/assets/%s && touch %s/assets/%s/app.ipa", site.conf->assets_dir,
                 stranger, site.conf->assets_dir, stranger);
    app_sweep(console, site.conf, clock_now());
    assert_int_equal(access(path, R_OK), 0);
    assert_non_null(asset_path(site.conf, site.a, stranger)); /* it may be stored any moment */
    assert_ok(library_delete(console, u.done_item, "t", "x", clock_now(), &err), err);
    app_sweep(console, site.conf, clock_now()); /* whoever comes next, also after a crash */
    assert_int_not_equal(access(path, R_OK), 0);
    assert_null(asset_path(site.conf, site.a, u.asset));
    app_sweep(console, site.conf, clock_now() + 8 * DAY_US);
    assert_null(asset_path(site.conf, site.a, stranger));
}

static int all_down(void **state)
{
    (void)state;
    converge_free(&engine);
    db_free(&agent);
    db_free(&console);
    db_free(&mdm);
    site_down();
    return 0;
}

static int all_up(void **state)
{
    (void)state;
    site_up("drover_test_apps");
    site.conf->assets_dir = site_path("public");
    site.conf->assets_max_mb = 16;
    testdb_shell("mkdir %s", site.conf->assets_dir);
    assert_ok(db_new(site.conf, DB_AGENT, &agent, &err), err);
    assert_ok(db_new(site.conf, DB_CONSOLE, &console, &err), err);
    assert_ok(db_new(site.conf, DB_MDM, &mdm, &err), err);
    return 0;
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup(f, each_setup)
    const struct CMUnitTest tests[] = {
        TEST(codes_are_read_and_sealed),
        TEST(no_code_is_given_twice),
        TEST(an_app_is_paid_for),
        TEST(an_unused_code_comes_back),
        TEST(changed_settings_reach_devices),
        TEST(rejections_are_told_in_words),
        TEST(a_mac_manages_what_it_is_told_to),
        TEST(feedback_is_asked_for),
        TEST(the_store_is_asked_for_updates),
        TEST(an_older_build_is_replaced),
        TEST(a_number_of_the_store_gets_its_identifier),
        TEST(a_file_comes_in_parts),
        TEST(two_uploaders_at_once),
        TEST(files_leave_room),
        TEST(files_of_deleted_apps_go),
    };
    return cmocka_run_group_tests(tests, all_up, all_down);
}

/*
 * test_together.c: a form that is sent twice, two administrators at the same thing, and what is
 * shown before devices get or lose something; and the audit log by days. Through the real pages.
 */
#include "pagesite.h"

#include "store/admin.h"

#define PASSWORD "correct horse battery"

static void sql(const char *text)
{
    assert_ok(db_run(owner, "test", text, &err), err);
}

/* The value of a hidden field of the last answer; "" when there is none. */
static const char *hidden(const char *name)
{
    const char *before = arena_fmt(arena, "name=\"%s\" value=\"", name);
    const char *at = resp.body.len ? strstr(buf_cstr(&resp.body), before) : NULL;
    if (!at)
        return "";
    at += strlen(before);
    return arena_strndup(arena, at, strcspn(at, "\""));
}

static const char *went_to(void)
{
    const char *at = strstr(buf_cstr(&resp.headers), "Location: ");
    return at ? arena_strndup(arena, at + 10, strcspn(at + 10, "\r")) : "";
}

/* ---- a form that is sent twice ---- */

static void a_form_makes_one_job(void **state)
{
    (void)state;
    assert_int_equal(pagesite_ask("GET", "/bulk?pick=D1&pick=D2", "", "", NULL), 200);
    assert_true(pagesite_tells(">Name 1</a>")); /* as people call them */
    const char *job = hidden("job");
    const char *form = arena_fmt(arena, "pick=D1&pick=D2&sure=yes&job=%s&type=RestartDevice", job);
    assert_int_equal(pagesite_post("/bulk", form), 303);
    assert_string_equal(went_to(), arena_fmt(arena, "/bulk/job?id=%s", job));
    assert_int_equal(pagesite_post("/bulk", form), 303);
    assert_string_equal(went_to(), arena_fmt(arena, "/bulk/job?id=%s&done=job_once", job));
    assert_int_equal(pagesite_ask("GET", went_to(), "", "", NULL), 200);
    assert_true(pagesite_tells("This form was sent before"));
    assert_int_equal(pagesite_number("SELECT COUNT(*) FROM bulk_job"), 1);
    assert_int_equal(pagesite_number("SELECT COUNT(*) FROM audit WHERE action = 'bulk.add'"), 1);
    /* another command by the same form is another job; so is a form of yesterday, or a made up one
     */
    form = arena_fmt(arena, "pick=D1&sure=yes&job=%s&type=SecurityInfo", job);
    assert_int_equal(pagesite_post("/bulk", form), 303);
    assert_int_equal(pagesite_number("SELECT COUNT(*) FROM bulk_job"), 2);
    assert_int_equal(pagesite_post("/bulk", "pick=D1&sure=yes&job=7&type=SecurityInfo"), 303);
    assert_int_equal(pagesite_number("SELECT COUNT(*) FROM bulk_job WHERE id > 7"), 3);
    /* a form that was refused makes its job when it comes again */
    assert_int_equal(pagesite_post("/bulk", "pick=D1&job=8&type=SecurityInfo"), 400);
    job = hidden("job");
    assert_int_equal(
        pagesite_post("/bulk", arena_fmt(arena, "pick=D1&sure=yes&job=%s&type=UserList", job)),
        303);
    assert_string_equal(went_to(), arena_fmt(arena, "/bulk/job?id=%s", job));
}

/* ---- before devices get or lose something ---- */

static const char *number_of(const char *text)
{
    return arena_fmt(arena, "%lld", (long long)pagesite_number(text));
}

static int64_t members(void)
{
    return pagesite_number("SELECT COUNT(*) FROM group_member WHERE group_id = 500");
}

static void who_is_in_a_group_is_asked_about(void **state)
{
    (void)state;
    /* without contents nobody gets or loses anything */
    assert_int_equal(pagesite_post("/group/devices", "id=500&what=add&ids=D1+D2"), 303);
    assert_int_equal(members(), 2);
    sql("INSERT INTO assignment (id, group_id, item_id, created_at, created_by) VALUES (1, 500, "
        "60, "
        "1, 'ann')");
    assert_int_equal(pagesite_post("/group/devices", "id=500&what=add&ids=S3,D1"), 200);
    assert_int_equal(members(), 2);
    assert_true(pagesite_tells("So many come in: 1")); /* one is in it already */
    assert_true(pagesite_tells(">Name 3</a>"));
    assert_string_equal(hidden("ids"), "S3,D1");
    const char *seen = hidden("seen");
    const char *form = arena_fmt(arena, "id=500&what=add&ids=S3,D1&seen=%s", seen);
    /* the contents change meanwhile: it is shown again */
    sql("INSERT INTO group_blueprint (group_id, number, items, orders, created_at, created_by) "
        "VALUES (500, 1, '[\"60\"]', '[]', 1, 'bob')");
    assert_int_equal(pagesite_post("/group/devices", form), 200);
    assert_true(pagesite_tells("changed since this was shown"));
    assert_int_equal(members(), 2);
    form = arena_fmt(arena, "id=500&what=add&ids=S3,D1&seen=%s", hidden("seen"));
    assert_int_equal(pagesite_post("/group/devices", form), 303);
    assert_int_equal(members(), 3);
    /* out again */
    assert_int_equal(pagesite_post("/group/devices", "id=500&what=remove&pick=D2&pick=D3"), 200);
    assert_true(pagesite_tells("So many go: 2"));
    assert_int_equal(members(), 3);
    form = arena_fmt(arena, "id=500&what=remove&pick=D2&pick=D3&seen=%s", hidden("seen"));
    assert_int_equal(pagesite_post("/group/devices", form), 303);
    assert_int_equal(members(), 1);
    /* what a device has by another group too it keeps: nothing to ask */
    sql("INSERT INTO assignment (id, group_id, item_id, created_at, created_by) VALUES (2, 501, "
        "60, "
        "1, 'ann')");
    sql("INSERT INTO group_member (group_id, device_id, since) VALUES (501, 1, 1)");
    assert_int_equal(pagesite_post("/group/devices", "id=500&what=remove&pick=D1"), 303);
    assert_int_equal(members(), 0);
}

static void the_end_of_a_group_is_asked_about(void **state)
{
    (void)state;
    assert_int_equal(pagesite_post("/group/delete", "id=501"), 400); /* no reason */
    assert_int_equal(pagesite_post("/group/delete", "id=501&why=over"), 200);
    assert_true(pagesite_tells("Devices in it: 1"));
    assert_true(pagesite_tells(">Name 1</a>"));
    assert_string_equal(hidden("why"), "over");
    assert_int_equal(pagesite_number("SELECT COUNT(*) FROM device_group WHERE id = 501"), 1);
    assert_int_equal(
        pagesite_post("/group/delete", arena_fmt(arena, "id=501&why=over&seen=%s", hidden("seen"))),
        303);
    assert_int_equal(pagesite_number("SELECT COUNT(*) FROM device_group WHERE id = 501"), 0);
}

/* ---- two administrators ---- */

#define FILTER(version)                                                                            \
    "r_kind=all&r_kind=fact&r_depth=0&r_depth=1&r_fact=os_version&r_op=is&r_value=" version

static void a_filter_is_saved_as_it_was_seen(void **state)
{
    (void)state;
    sql("INSERT INTO assignment (id, group_id, item_id, created_at, created_by) VALUES (3, 502, "
        "60, "
        "1, 'ann')");
    sql("INSERT INTO group_member (group_id, device_id, since) VALUES (502, 1, 1)");
    assert_int_equal(pagesite_ask("GET", "/group/filter?id=502", "", "", NULL), 200);
    const char *base = hidden("changed_at");
    const char *form =
        arena_fmt(arena, "id=502&do=save&name=By+filter&note=x&changed_at=%s&", base);
    const char *moved = arena_fmt(arena, "%s" FILTER("18.2"), form);
    assert_int_equal(pagesite_post("/group/filter", moved), 200);
    assert_true(pagesite_tells("Nothing is stored yet"));
    assert_true(pagesite_tells(">Name 1</a>")); /* which loses it */
    assert_int_equal(
        pagesite_number("SELECT filter LIKE '%18.1%' FROM device_group WHERE id = 502"), 1);
    const char *seen = hidden("seen");
    /* another filter than the one that was shown is shown too */
    assert_int_equal(pagesite_post("/group/filter",
                                   arena_fmt(arena, "%s" FILTER("18.3") "&seen=%s", form, seen)),
                     200);
    assert_int_equal(pagesite_post("/group/filter", arena_fmt(arena, "%s&seen=%s", moved, seen)),
                     303);
    assert_int_equal(
        pagesite_number("SELECT filter LIKE '%18.2%' FROM device_group WHERE id = 502"), 1);
    /* who had opened it before learns of that, and of whom; the form keeps what was typed */
    assert_int_equal(pagesite_post("/group/filter", arena_fmt(arena, "%s" FILTER("18.1"), form)),
                     409);
    assert_true(pagesite_tells("omebody else has changed the group"));
    assert_true(pagesite_tells("was changed by boss"));
    assert_true(pagesite_tells("value=\"18.1\""));
    assert_int_equal(
        pagesite_number("SELECT filter LIKE '%18.2%' FROM device_group WHERE id = 502"), 1);
}

static void a_draft_is_put_in_force_as_it_was_seen(void **state)
{
    (void)state;
    assert_int_equal(pagesite_post("/group/contents", "id=500&what=out&item=60"), 303);
    assert_int_equal(pagesite_ask("GET", "/group/preview?id=500", "", "", NULL), 200);
    const char *form =
        arena_fmt(arena, "id=500&base=%s&drafted=%s", hidden("base"), hidden("drafted"));
    assert_int_equal(pagesite_post("/group/contents", "id=500&what=in&item=61"), 303);
    assert_int_equal(pagesite_post("/group/preview", form), 409);
    assert_true(pagesite_tells("omebody else has changed the draft"));
    assert_int_equal(pagesite_number("SELECT item_id FROM assignment WHERE group_id = 500"), 60);
    /* an older version does not take the place of somebody's draft */
    assert_int_equal(pagesite_post("/group/versions", "id=500&version=1"), 409);
    assert_true(pagesite_tells("There is a draft already, last changed by boss"));
    /* nor is what was changed since dropped unseen */
    assert_int_equal(pagesite_post("/group/contents", "id=500&what=drop&drafted=7"), 409);
    assert_int_equal(pagesite_ask("GET", "/group/contents?id=500", "", "", NULL), 200);
    form = arena_fmt(arena, "id=500&what=drop&drafted=%s", hidden("drafted"));
    assert_int_equal(pagesite_post("/group/contents", form), 303);
    assert_int_equal(pagesite_post("/group/contents", "id=500&what=out&item=60"), 303);
    assert_int_equal(pagesite_post("/group/contents", "id=500&what=in&item=61"), 303);
    assert_int_equal(pagesite_ask("GET", "/group/preview?id=500", "", "", NULL), 200);
    form = arena_fmt(arena, "id=500&base=%s&drafted=%s", hidden("base"), hidden("drafted"));
    assert_int_equal(pagesite_post("/group/preview", form), 303);
    assert_int_equal(pagesite_number("SELECT item_id FROM assignment WHERE group_id = 500"), 61);
}

/* The group was changed while what a draft or an assignment does to it was shown. */
static void who_is_reached_is_shown_again_when_that_has_changed(void **state)
{
    (void)state;
    sql("DELETE FROM group_blueprint WHERE group_id = 500 AND number = 0");
    sql("DELETE FROM assignment WHERE group_id = 500 AND item_id = 60");
    assert_int_equal(pagesite_post("/profile", "id=60&what=assign&group=500"), 200);
    const char *form =
        arena_fmt(arena, "id=60&what=assign&sure=yes&group=500&seen=%s", hidden("seen"));
    sql("UPDATE device_group SET changed_at = changed_at + 1 WHERE id = 500");
    assert_int_equal(pagesite_post("/profile", form), 200);
    assert_true(pagesite_tells("name=\"sure\""));
    assert_int_equal(
        pagesite_number("SELECT COUNT(*) FROM assignment WHERE group_id = 500 AND item_id = 60"),
        0);
    form = arena_fmt(arena, "id=60&what=assign&sure=yes&group=500&seen=%s", hidden("seen"));
    assert_int_equal(pagesite_post("/profile", form), 303);
    assert_int_equal(
        pagesite_number("SELECT COUNT(*) FROM assignment WHERE group_id = 500 AND item_id = 60"),
        1);
    assert_int_equal(pagesite_post("/group/contents", "id=500&what=out&item=60"), 303);
    assert_int_equal(pagesite_ask("GET", "/group/preview?id=500", "", "", NULL), 200);
    form = arena_fmt(arena, "id=500&base=%s&drafted=%s&changed_at=%s", hidden("base"),
                     hidden("drafted"), hidden("changed_at"));
    sql("UPDATE device_group SET changed_at = changed_at + 1 WHERE id = 500");
    assert_int_equal(pagesite_post("/group/preview", form), 409);
    assert_int_equal(
        pagesite_number("SELECT COUNT(*) FROM assignment WHERE group_id = 500 AND item_id = 60"),
        1);
    form = arena_fmt(arena, "id=500&base=%s&drafted=%s&changed_at=%s", hidden("base"),
                     hidden("drafted"), hidden("changed_at"));
    assert_int_equal(pagesite_post("/group/preview", form), 303);
    assert_int_equal(
        pagesite_number("SELECT COUNT(*) FROM assignment WHERE group_id = 500 AND item_id = 60"),
        0);
}

static void a_change_of_tags_tells_which_groups_look_for_tags(void **state)
{
    (void)state;
    assert_int_equal(pagesite_ask("GET", "/bulk", "", "", NULL), 200);
    assert_false(pagesite_tells("find their devices by tags"));
    sql("INSERT INTO device_group (id, name, filter, note, created_at, created_by, changed_at, "
        "changed_by) VALUES (510, 'By tag', '{\"any\":[{\"not\":{\"tag\":\"lent\"}}]}', '', 1, "
        "'t', 1, "
        "'t')");
    assert_int_equal(pagesite_ask("GET", "/bulk", "", "", NULL), 200);
    assert_true(pagesite_tells("find their devices by tags"));
    assert_true(pagesite_tells("/group/filter?id=510"));
    assert_false(pagesite_tells("/group/filter?id=500"));
    sql("DELETE FROM device_group WHERE id = 510");
}

static void a_draft_that_changes_nothing_is_not_put_in_force(void **state)
{
    (void)state;
    int64_t versions = pagesite_number("SELECT COUNT(*) FROM group_blueprint WHERE number > 0");
    assert_int_equal(pagesite_post("/group/contents", "id=500&what=in&item=60"), 303);
    assert_int_equal(pagesite_post("/group/contents", "id=500&what=out&item=60"), 303);
    assert_int_equal(pagesite_ask("GET", "/group/contents?id=500", "", "", NULL), 200);
    assert_true(pagesite_tells("The draft is the same as what is in force"));
    assert_false(pagesite_tells("/group/preview?id=500"));
    const char *form = arena_fmt(arena, "id=500&base=%s&drafted=%s",
                                 number_of("SELECT COALESCE(MAX(number), 0) FROM group_blueprint "
                                           "WHERE group_id = 500"),
                                 hidden("drafted"));
    assert_int_equal(pagesite_post("/group/preview", form), 409);
    assert_true(pagesite_tells("The draft is the same as what is in force"));
    assert_int_equal(pagesite_number("SELECT COUNT(*) FROM group_blueprint WHERE number > 0"),
                     versions);
}

/* ---- the database is away ---- */

static void a_form_has_a_way_back_while_the_database_is_away(void **state)
{
    struct db_pool *here = app.pool;
    struct conf away = conf;
    (void)state;
    const char *form = arena_fmt(arena, "%s&id=500&what=add&ids=D1", pagesite_csrf());
    away.db_socket = "/nonexistent/socket";
    away.db_timeout_s = 1;
    app.pool = NULL;
    assert_ok(db_pool_new(&away, DB_CONSOLE, 1, &app.pool, &err), err);
    assert_int_equal(pagesite_ask("POST", "/group/devices", form, PAGESITE_FORM, NULL), 503);
    assert_true(pagesite_tells("the form still has what you typed"));
    assert_int_equal(pagesite_ask("GET", "/groups", "", "", NULL), 503);
    assert_true(pagesite_tells("Try again in a few seconds"));
    assert_true(pagesite_tells("href=\"/groups\""));
    db_pool_free(&app.pool);
    app.pool = here;
}

/* ---- numbers of which 0 means everything, or without end ---- */

static int64_t changed_at(void)
{
    return pagesite_number("SELECT changed_at FROM library_item WHERE id = 60");
}

static void what_is_no_number_is_not_taken_for_none(void **state)
{
    static const char *const bad[] = {"", "ten", "-1", "5%25", "1e3", "99999999999999999999"};
    (void)state;
    sql("UPDATE library_item SET wave_first = 7, halt_percent = 25 WHERE id = 60");
    sql("REPLACE INTO device_item (enrollment_id, item_id, wanted, version, state, due_at, "
        "changed_at) VALUES (1, 60, 1, 1, 1, 1, 1)");
    sql("REPLACE INTO rollout (item_id, version, released, wave_at) VALUES (60, 1, 1, 1)");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const char *form =
            arena_fmt(arena, "id=60&what=waves&changed_at=%lld&wave_first=%s&halt_percent=25",
                      (long long)changed_at(), bad[i]);
        assert_int_equal(pagesite_post("/rollout", form), 400);
        assert_true(pagesite_tells("A wave has 0 to 1,000,000 devices"));
        form = arena_fmt(arena, "id=60&what=waves&changed_at=%lld&wave_first=7&halt_percent=%s",
                         (long long)changed_at(), bad[i]);
        assert_int_equal(pagesite_post("/rollout", form), 400);
        form = arena_fmt(arena, "name=endless&scope_read=1&days=%s", bad[i]);
        assert_int_equal(pagesite_post("/apikeys", form), 400);
    }
    assert_int_equal(
        pagesite_number("SELECT wave_first * 100 + halt_percent FROM library_item WHERE id = 60"),
        725);
    assert_int_equal(pagesite_number("SELECT COUNT(*) FROM apikey"), 0);
    assert_int_equal(
        pagesite_post("/rollout",
                      arena_fmt(arena,
                                "id=60&what=waves&changed_at=%lld&wave_first=0&halt_percent=00",
                                (long long)changed_at())),
        303);
    assert_int_equal(
        pagesite_number("SELECT wave_first * 100 + halt_percent FROM library_item WHERE id = 60"),
        0);
    assert_int_equal(pagesite_post("/apikeys", "name=endless&scope_read=1&days=0"), 200);
}

/* Two people set the waves of the same roll-out: whoever comes second is told, and nothing that the
 * first has set is lost. */
static void waves_are_not_set_over_somebody_elses(void **state)
{
    (void)state;
    sql("UPDATE library_item SET wave_first = 7, halt_percent = 25 WHERE id = 60");
    sql("REPLACE INTO device_item (enrollment_id, item_id, wanted, version, state, due_at, "
        "changed_at) VALUES (1, 60, 1, 1, 1, 1, 1)");
    const char *form =
        arena_fmt(arena, "id=60&what=waves&changed_at=%lld&wave_first=", (long long)changed_at());
    assert_int_equal(pagesite_ask("GET", "/rollout?id=60", "", "", NULL), 200);
    assert_true(pagesite_tells(
        arena_fmt(arena, "name=\"changed_at\" value=\"%lld\"", (long long)changed_at())));
    assert_int_equal(pagesite_post("/rollout", arena_fmt(arena, "%s11&halt_percent=10", form)),
                     303);
    assert_int_equal(pagesite_post("/rollout", arena_fmt(arena, "%s99&halt_percent=90", form)),
                     409);
    assert_true(pagesite_tells("value=\"99\""));
    assert_true(pagesite_tells("Stored now: 11"));
    assert_int_equal(
        pagesite_number("SELECT wave_first * 100 + halt_percent FROM library_item WHERE id = 60"),
        1110);
    /* the form that tells it has what is stored now, and is sent again */
    form = arena_fmt(arena, "id=60&what=waves&changed_at=%lld&wave_first=99&halt_percent=90",
                     (long long)changed_at());
    assert_int_equal(pagesite_post("/rollout", form), 303);
}

/* ---- the audit log ---- */

static void the_log_by_days(void **state)
{
    (void)state;
    sql("INSERT INTO audit (at, actor, action, subject) SELECT (UNIX_TIMESTAMP('2025-03-30 "
        "00:00:00') + seq * 43200 + 3600) * 1000000, 'days', 'days.test', CONCAT('n', seq) FROM "
        "seq_0_to_5");
    assert_int_equal(
        pagesite_ask("GET", "/audit?actor=days&since=2025-03-31&until=2025-03-31", "", "", NULL),
        200);
    assert_true(pagesite_tells(">n2</a>") && pagesite_tells(">n3</a>"));
    assert_false(pagesite_tells(">n1</a>") || pagesite_tells(">n4</a>"));
    assert_true(pagesite_tells("/audit.csv?since=2025-03-31&amp;until=2025-03-31&amp;actor=days"));
    assert_int_equal(pagesite_ask("GET", "/audit.csv?actor=days&until=2025-03-30", "", "", NULL),
                     200);
    assert_true(pagesite_tells("\"n0\"") && pagesite_tells("\"n1\""));
    assert_false(pagesite_tells("\"n2\""));
    assert_int_equal(pagesite_ask("GET", "/audit?actor=days&since=2030-01-01", "", "", NULL), 200);
    assert_false(pagesite_tells(">n5</a>"));
    assert_int_equal(pagesite_ask("GET", "/audit?actor=days&since=tomorrow", "", "", NULL), 200);
    assert_true(pagesite_tells("A day is written as 2026-03-31"));
    assert_true(pagesite_tells(">n5</a>"));
}

static void what_is_wrong_with_the_log_is_said_in_ones_language(void **state)
{
    static const char *const german[] = {"HTTP_ACCEPT_LANGUAGE=de", NULL};
    (void)state;
    sql("UPDATE checkup SET done_at = 1, findings = "
        "CONCAT('{\"links\":3,\"unlinked\":0,\"bad_seq\":2,"
        "\"bad\":\"its entry is missing\",\"seq\":3,\"digest\":\"', REPEAT('0', 64), '\"}') WHERE "
        "kind = 'audit'");
    assert_int_equal(pagesite_ask("GET", "/audit", "", "", german), 200);
    assert_true(pagesite_tells("Dieses Glied stimmt nicht: 2: sein Eintrag fehlt"));
    /* so is what an entry tells; what is chained and given out stays as it is */
    sql("INSERT INTO audit (at, actor, action, subject, detail) VALUES (1, 'said', 'x.y', 'z', "
        "'item=7 why=a=b c devices=3 odd=4'), (1, 'said', 'x.y', 'z', 'devices'), (1, 'said', "
        "'x.y', 'z', '')");
    assert_int_equal(pagesite_ask("GET", "/audit?actor=said", "", "", german), 200);
    assert_true(pagesite_tells(">Inhalt: 7 · Grund: a=b c · Geräte: 3 odd=4<"));
    assert_true(pagesite_tells(">devices<"));
    assert_int_equal(pagesite_ask("GET", "/audit.csv?actor=said", "", "", german), 200);
    assert_true(pagesite_tells("\"item=7 why=a=b c devices=3 odd=4\""));
}

/* Half a log is not given out as a whole one. */
static void a_file_of_the_log_is_whole(void **state)
{
    (void)state;
    sql("INSERT INTO audit (at, actor, action, subject) SELECT 1, 'many', 'many.test', 'x' FROM "
        "seq_1_to_100000");
    assert_int_equal(pagesite_ask("GET", "/audit.csv?actor=many", "", "", NULL), 200);
    sql("INSERT INTO audit (at, actor, action, subject) VALUES (1, 'many', 'many.test', 'x')");
    assert_int_equal(pagesite_ask("GET", "/audit.csv?actor=many", "", "", NULL), 400);
    assert_true(pagesite_tells("More than 100,000 entries fit"));
    assert_false(pagesite_tells("many.test"));
}

static int set_up(void **state)
{
    (void)state;
    pagesite_up("drover_test_together");
    assert_ok(admin_add(owner, "boss", "administrator", PASSWORD, "t", &err), err);
    pagesite_sign_in("boss");
    sql("INSERT INTO enrollment (id, ident, kind, device_id, state, life_id, serial, device_name, "
        "product_name, os_version, created_at, last_seen_at) SELECT seq, CONCAT('D', seq), 1, seq, "
        "2, seq, CONCAT('S', seq), CONCAT('Name ', seq), 'iPhone14,2', '18.1', 1, seq FROM "
        "seq_1_to_3");
    sql("INSERT INTO library_item (id, kind, identifier, name, version, created_at, created_by, "
        "changed_at, changed_by) VALUES (60, 1, 'org.a', 'Profile A', 1, 1, 'ann', 1, 'ann'), (61, "
        "1, 'org.b', 'Profile B', 1, 1, 'ann', 1, 'ann')");
    sql("INSERT INTO library_version (id, item_id, number, sha256, size, types, details, "
        "created_at, created_by) SELECT seq, seq, 1, REPEAT('x', 32), 1, '', '{}', 1, 'ann' FROM "
        "seq_60_to_61");
    sql("INSERT INTO device_group (id, name, filter, note, created_at, created_by, changed_at, "
        "changed_by) VALUES (500, 'By hand', NULL, '', 1, 'ann', 1, 'ann'), (501, 'Other', NULL, "
        "'', 1, 'ann', 1, 'ann'), (502, 'By filter', "
        "'{\"all\":[{\"fact\":\"os_version\",\"is\":\"18.1\"}]}', '', 1, 'ann', 1, 'ann')");
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_form_makes_one_job),
        cmocka_unit_test(who_is_in_a_group_is_asked_about),
        cmocka_unit_test(the_end_of_a_group_is_asked_about),
        cmocka_unit_test(a_filter_is_saved_as_it_was_seen),
        cmocka_unit_test(a_draft_is_put_in_force_as_it_was_seen),
        cmocka_unit_test(who_is_reached_is_shown_again_when_that_has_changed),
        cmocka_unit_test(a_change_of_tags_tells_which_groups_look_for_tags),
        cmocka_unit_test(a_draft_that_changes_nothing_is_not_put_in_force),
        cmocka_unit_test(a_form_has_a_way_back_while_the_database_is_away),
        cmocka_unit_test(what_is_no_number_is_not_taken_for_none),
        cmocka_unit_test(waves_are_not_set_over_somebody_elses),
        cmocka_unit_test(the_log_by_days),
        cmocka_unit_test(what_is_wrong_with_the_log_is_said_in_ones_language),
        cmocka_unit_test(a_file_of_the_log_is_whole),
    };
    return cmocka_run_group_tests(tests, set_up, pagesite_down);
}

/* test_search.c: how devices are found, put in order and paged through; saved filters. */
#include "testdb.h"

#include "base/limits.h"
#include "store/choice.h"
#include "store/device.h"
#include "store/fleet.h"
#include "store/migrate.h"
#include "store/inventory_ahead.h"
#include "store/search.h"
#include "store/search_words.h"

static struct conf conf;
static struct arena *arena;
static struct db *owner, *agent, *console;
static struct err err;

static void sql(const char *text)
{
    assert_ok(db_run(owner, "r", text, &err), err);
}

static int64_t number(const char *text)
{
    struct sql s = {.name = "number", .text = text};
    struct rows r;
    assert_ok(db_select(owner, &s, NULL, 0, arena, &r, &err), err);
    db_forget(owner, &s);
    return row_at(&r, 0, 0)->i;
}

static void follow(void)
{
    for (size_t n = 1; n > 0;)
        assert_ok(search_turn(agent, 7, &n, &err), err);
}

static int fill(void **state)
{
    static const char *const tables[] = {"enrollment", "inv_device", "inv_network", "inv_user",
                                         "device_word"};
    char text[64];
    (void)state;
    arena_reset(arena);
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        snprintf(text, sizeof text, "DELETE FROM %s", tables[i]);
        sql(text);
    }
    sql("INSERT INTO enrollment (id, ident, kind, device_id, state, udid, serial, device_name, "
        "product_name, model_name, os_version, created_at, enrolled_at, last_seen_at) VALUES "
        "(1, 'U-0001', 1, 1, 2, 'U-0001', 'C02XK1ABJHD2', 'Anna’s MacBook-Pro', 'MacBookPro18,1', "
        "'MacBook Pro', '14.5', 1, 5, 100), "
        "(2, 'U-0002', 1, 2, 2, 'U-0002', 'F2LX90PQ', 'müller 100% _ok_', 'iPhone15,4', "
        "'iPhone 15', '17.4.1', 1, 4, 200), "
        "(3, 'U-0003', 1, 3, 1, 'U-0003', 'F2LX91PQ', 'Besprechung', 'iPad13,1', 'iPad', '17.10', "
        "1, "
        "NULL, 300), "
        "(4, 'E-0004', 4, 4, 3, NULL, NULL, NULL, 'iPhone15,4', 'iPhone 15', '9.3', 1, NULL, 300)");
    sql("INSERT INTO enrollment (id, ident, kind, device_id, state, user_short_name, "
        "user_long_name, created_at, last_seen_at) VALUES (11, 'U-0001:a', 2, 1, 2, 'asmith', "
        "'Anna Smith-Jones', 1, 400)");
    sql("INSERT INTO inv_device (enrollment_id, platform, device_name, imei, os_version, "
        "os_number) VALUES (3, 1, 'Besprechung Süd', '35 123456 789012 3', '18.1', 18001000)");
    sql("INSERT INTO inv_network (enrollment_id, wifi_mac, phone_number) VALUES "
        "(2, 'a4:83:e7:00:11:22', '+49 (89) 123-456')");
    sql("INSERT INTO inv_user (enrollment_id, user_name, full_name) VALUES (1, 'guest', 'Gast')");
    return 0;
}

/* The ids that are found, as digits, in the order of the list. */
static const char *found_as(const char *text, struct device_order order)
{
    static char out[64];
    const struct device_filter f = {.text = text, .platform = "", .os = ""};
    struct device_brief *d;
    size_t n, used = 0;
    int64_t count;
    assert_ok(device_list(console, &f, order, NULL, 0, 50, arena, &d, &n, &err), err);
    for (size_t i = 0; i < n; i++)
        used += (size_t)snprintf(out + used, sizeof out - used, "%d", (int)d[i].id);
    out[used] = '\0';
    assert_ok(device_count(console, &f, arena, &count, &err), err);
    assert_int_equal(count, n);
    return out;
}

static const char *found(const char *text)
{
    return found_as(text, (struct device_order){.by = DEVICE_BY_NAME, .up = true});
}

static void words_of_a_text(void **state)
{
    struct search_words w = {.a = arena};
    (void)state;
    search_words_add(&w, "Anna’s MacBook-Pro  iPhone15,4 - \xff", true);
    search_words_sort(&w);
    static const char *const want[] = {"4",   "annas", "bookpro",   "iphone154",  "macbookpro",
                                       "pro", "s",     "451enohpi", "orpkoobcam", "sanna"};
    assert_int_equal(w.n, sizeof want / sizeof *want);
    for (size_t i = 0; i < w.n; i++) {
        assert_string_equal(w.list[i].word, want[i]);
        assert_int_equal(w.list[i].backward, i >= 7);
    }
    /* long ones are cut where characters end */
    w = (struct search_words){.a = arena};
    search_words_add(&w, "ääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääää",
                     true);
    assert_int_equal(w.n, 2);
    assert_int_equal(strlen(w.list[0].word), 2 * SEARCH_WORD_MAX);
    assert_int_equal(strlen(w.list[1].word), 2 * SEARCH_WORD_MAX);
}

static void what_finds_a_device(void **state)
{
    static const struct {
        const char *text, *ids;
    } cases[] = {
        {"anna", "1"},       {"ANNAS macbook", "1"},
        {"Anna's", "1"},     {"pro macbook", "1"},
        {"jhd2", "1"},       {"D2", ""},
        {"HD2", "1"},        {"c02xk1", "1"},
        {"xk1", ""},         {"asmith", "1"},
        {"jones", "1"},      {"Smith-Jones", "1"},
        {"guest", "1"},      {"gast", "1"},
        {"MULLER", "2"},     {"Müller", "2"},
        {"100%", "2"},       {"_ok_", "2"},
        {"%", ""},           {"_", ""},
        {"\\", ""},          {"' OR 1=1 --", ""},
        {"a4:83:E7", "2"},   {"001122", "2"},
        {"123-456", "23"},   {"+49", "2"},
        {"süd", "3"},        {"sud besprech", "3"},
        {"789012", "3"},     {"iphone", "42"},
        {"iphone 15", "42"}, {"iphone müller", "2"},
        {"17.4", "2"},       {"U-000", "312"},
        {"0001", "1"},       {"u0001", "1"},
        {"e", "42"},         {"nobody", ""},
        {"   ", "3421"},     {"", "3421"},
        {"anna iphone", ""}, {"f2lx9", "32"},
        {"E-0004", "4"},
    };
    (void)state;
    follow();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *got = found(cases[i].text);
        /* by name: Besprechung Süd, E-0004, müller, then Anna's */
        if (strlen(got) != strlen(cases[i].ids))
            fail_msg("%s finds %s, not %s", cases[i].text, got, cases[i].ids);
        for (const char *c = cases[i].ids; *c; c++)
            if (!strchr(got, *c))
                fail_msg("%s finds %s, not %s", cases[i].text, got, cases[i].ids);
    }
    const struct device_filter f = {
        .text = "12345678901234567890123456789012345678901234567890123456789012345678901234567890"
                "123456789012345678901",
        .platform = "",
        .os = ""};
    struct device_brief *d;
    size_t n;
    assert_outcome(
        device_list(console, &f, (struct device_order){0}, NULL, 0, 5, arena, &d, &n, &err),
        INVALID, err);
}

static void nothing_is_missed_before_the_words_follow(void **state)
{
    size_t n;
    (void)state;
    assert_string_equal(found("anna"), "1");
    assert_string_equal(found("anna macbook"), "1"); /* one by the device, one by its user */
    assert_string_equal(found("asmith"), "1");
    assert_string_equal(found("%"), "");
    assert_int_equal(number("SELECT COUNT(*) FROM device_word"), 0);
    assert_ok(search_turn(agent, 2, &n, &err), err);
    assert_int_equal(n, 2);
    assert_string_equal(found("besprechung"), "3");
    follow();
    assert_int_equal(number("SELECT COUNT(*) FROM enrollment WHERE search_due = 1"), 0);
    /* a new name: found at once, and the old one no more when the words have followed */
    sql("UPDATE enrollment SET search_due = 1, device_name = 'Bertas' WHERE id = 1");
    assert_string_equal(found("bertas"), "1");
    follow();
    assert_string_equal(found("bertas"), "1");
    assert_string_equal(found("annas"), "");
    assert_string_equal(found("asmith"), "1");
    /* what has not changed is not written again */
    int64_t rows = number("SELECT COUNT(*) FROM device_word");
    sql("UPDATE enrollment SET search_due = 1");
    follow();
    assert_int_equal(number("SELECT COUNT(*) FROM device_word"), rows);
}

static void reports_mark_what_they_change(void **state)
{
    const struct inv_table *t = inv_table(INV_NETWORK);
    struct val row[64];
    (void)state;
    follow();
    const int64_t id = 1;
    struct inv_ahead *ahead;
    assert_ok(inv_ahead_open(agent, &id, 1, arena, &ahead, &err), err);
    const struct inv_source s = {1, 1, 5, ahead};
    struct inv_before before = {.first = true};
    struct inv_events events = {0};
    for (unsigned i = 0; i < t->n; i++) {
        row[i] = val_null();
        if (strcmp(t->cols[i].name, "phone_number") == 0)
            row[i] = val_str("+1 555 0199");
    }
    assert_ok(inv_facts(agent, t, &s, &before, row, &events, arena, &err), err);
    assert_int_equal(number("SELECT search_due FROM enrollment WHERE id = 1"), 1);
    follow();
    assert_string_equal(found("0199"), "1");
    /* what changes all the time does not */
    struct rows r = {.n = 1, .cols = t->n + 1, .v = arena_array(arena, t->n + 1, sizeof *row)};
    memcpy(r.v + 1, row, t->n * sizeof *row);
    before = (struct inv_before){.rows = r};
    for (unsigned i = 0; i < t->n; i++)
        if (strcmp(t->cols[i].name, "is_roaming") == 0)
            row[i] = val_int(1);
    assert_ok(inv_facts(agent, t, &s, &before, row, &events, arena, &err), err);
    assert_int_equal(number("SELECT search_due FROM enrollment WHERE id = 1"), 0);
}

static void orders(void **state)
{
    static const struct {
        struct device_order order;
        const char *ids;
    } cases[] = {
        {{.by = DEVICE_BY_SEEN}, "4321"},
        {{.by = DEVICE_BY_SEEN, .up = true}, "1234"},
        {{.by = DEVICE_BY_NAME, .up = true}, "1342"},
        {{.by = DEVICE_BY_NAME}, "2431"},
        {{.by = DEVICE_BY_SERIAL, .up = true}, "4123"},
        {{.by = DEVICE_BY_OS}, "3214"}, /* 18.1 by the inventory, 17.4.1, 14.5, 9.3 */
        {{.by = DEVICE_BY_OS, .up = true}, "4123"},
        {{.by = DEVICE_BY_ENROLLED}, "1243"}, /* never enrolled: last */
        {{.by = DEVICE_BY_ENROLLED, .up = true}, "3421"},
    };
    (void)state;
    follow();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct device_order at = cases[i].order;
        const struct device_filter f = {.text = "", .platform = "", .os = ""};
        char paged[8] = "";
        size_t n = 1;
        assert_string_equal(found_as("", at), cases[i].ids);
        for (size_t k = 0; k < 4 && n == 1; k++) { /* the same one by one */
            struct device_brief *d;
            assert_ok(device_list(console, &f, at, NULL, 0, 1, arena, &d, &n, &err), err);
            if (n == 1) {
                paged[k] = (char)('0' + d[0].id);
                at.after_id = d[0].id;
                at.after = d[0].place;
            }
        }
        assert_string_equal(paged, cases[i].ids);
    }
}

static const char *filtered(struct device_filter f)
{
    static char out[16];
    struct device_brief *d;
    size_t n;
    f.text = f.text ? f.text : "";
    f.platform = f.platform ? f.platform : "";
    f.os = f.os ? f.os : "";
    assert_ok(device_list(console, &f, (struct device_order){.by = DEVICE_BY_NAME, .up = true},
                          NULL, 0, 50, arena, &d, &n, &err),
              err);
    for (size_t i = 0; i < n; i++)
        out[i] = (char)('0' + d[i].id);
    out[n] = '\0';
    return out;
}

static void filters(void **state)
{
    (void)state;
    follow();
    assert_string_equal(filtered((struct device_filter){.platform = "iPhone"}), "42");
    assert_string_equal(filtered((struct device_filter){.platform = "Toaster"}), "");
    assert_string_equal(filtered((struct device_filter){.os = "17"}), "2");
    assert_string_equal(filtered((struct device_filter){.os = "17."}), "2");
    assert_string_equal(filtered((struct device_filter){.os = "17.4"}), "2");
    assert_string_equal(filtered((struct device_filter){.os = "17.4.0"}), "");
    assert_string_equal(filtered((struct device_filter){.os = "18.1"}), "3");
    assert_string_equal(filtered((struct device_filter){.os = "x"}), "");
    assert_string_equal(filtered((struct device_filter){.states = 1u << 3}), "4");
    assert_string_equal(filtered((struct device_filter){.seen_before = 250}), "12");
    assert_string_equal(
        filtered((struct device_filter){.text = "iphone", .states = 1u << 2, .os = "17"}), "2");
}

static void shares_are_of_what_runs_now(void **state)
{
    static const struct {
        const char *platform, *os;
        int state;
    } want[] = {
        {"Mac", "14.5", 2}, {"iPhone", "17.4.1", 2}, {"iPad", "18.1", 1}, {"iPhone", "9.3", 3}};
    struct device_share *live, *counted;
    size_t n, m, k;
    (void)state;
    follow();
    sql("DELETE FROM fleet_share");
    assert_ok(device_groups(console, 1000, arena, &live, &n, &err), err);
    assert_ok(device_groups_count(agent, 1000, &err), err);
    assert_ok(device_groups(console, 1001, arena, &counted, &m, &err), err);
    assert_int_equal(number("SELECT COUNT(*) FROM fleet_share"), 4);
    assert_int_equal(n, 4);
    assert_int_equal(m, 4);
    for (size_t i = 0; i < 4; i++) { /* an iPad that enrolled with 17.10 has told 18.1 since */
        for (k = 0; k < 4 && strcmp(live[k].os_version, want[i].os) != 0; k++)
            ;
        assert_int_not_equal(k, 4);
        assert_string_equal(live[k].platform, want[i].platform);
        assert_int_equal(live[k].state, want[i].state);
        assert_int_equal(live[k].devices, 1);
        for (k = 0; k < 4 && strcmp(counted[k].os_version, want[i].os) != 0; k++)
            ;
        assert_int_not_equal(k, 4);
        /* and the list finds them by it */
        const struct device_filter f = {.text = "",
                                        .platform = want[i].platform,
                                        .os = want[i].os,
                                        .states = 1u << want[i].state};
        int64_t fit;
        assert_ok(device_count(console, &f, arena, &fit, &err), err);
        assert_int_equal(fit, 1);
    }
    sql("DELETE FROM fleet_share");
}

static void facts_stand_beside(void **state)
{
    static const char *const facts[] = {"WiFiMAC", "no such fact", "IMEI"};
    const struct device_filter f = {.text = "", .platform = "", .os = ""};
    struct device_brief *d;
    size_t n;
    (void)state;
    follow();
    assert_ok(device_list(console, &f, (struct device_order){.up = true}, facts, 3, 50, arena, &d,
                          &n, &err),
              err);
    assert_int_equal(n, 4);
    assert_string_equal(val_text(&d[1].facts[0]), "a4:83:e7:00:11:22");
    assert_true(val_is_null(&d[1].facts[1]));
    assert_string_equal(val_text(&d[2].facts[2]), "35 123456 789012 3");
    assert_string_equal(d[2].name, "Besprechung Süd");
    assert_string_equal(d[0].users, "asmith");
    for (size_t i = 0; inv_fact_at(i); i++) {
        const char *alias, *one[] = {inv_fact_at(i)->key};
        assert_non_null(inv_fact(one[0], &alias));
        assert_ok(
            device_list(console, &f, (struct device_order){0}, one, 1, 1, arena, &d, &n, &err),
            err);
    }
}

static void common_words_are_gone_through(void **state)
{
    const struct fleet_filter api = {.text = "common 77", .supervised = -1};
    struct fleet_device *d;
    int64_t place = 0;
    bool more;
    struct device_brief *b;
    struct rows r;
    size_t n;
    int64_t count;
    (void)state;
    sql("INSERT INTO enrollment (id, ident, kind, device_id, state, device_name, created_at, "
        "last_seen_at, search_due) SELECT 100 + seq, CONCAT('C', seq), 1, 100 + seq, 2, "
        "CONCAT('common ', seq), 1, seq, 0 FROM seq_1_to_9000");
    sql("INSERT INTO device_word (device_id, backward, word) SELECT 100 + seq, 0, 'common' FROM "
        "seq_1_to_9000");
    sql("INSERT INTO device_word (device_id, backward, word) SELECT 100 + seq, 0, seq FROM "
        "seq_1_to_9000");
    const struct device_filter f = {.text = "common", .platform = "", .os = ""};
    struct device_order at = {.by = DEVICE_BY_SEEN};
    assert_ok(device_list(console, &f, at, NULL, 0, 3, arena, &b, &n, &err), err);
    assert_int_equal(n, 3);
    assert_int_equal(b[0].id, 9100);
    at.after_id = b[2].id;
    at.after = b[2].place;
    assert_ok(device_list(console, &f, at, NULL, 0, 3, arena, &b, &n, &err), err);
    assert_int_equal(b[0].id, 9097);
    assert_ok(device_count(console, &f, arena, &count, &err), err);
    assert_int_equal(count, 9000);
    /* where those with a common word are far from the beginning, and fit a common filter */
    sql("UPDATE enrollment SET state = IF(id % 2, 1, 2), last_seen_at = id + IF(id > 100, 0, "
        "10000)");
    sql("DELETE FROM device_word WHERE word = 'common' AND device_id > 8200");
    struct device_filter both = {.text = "common", .platform = "", .os = "", .states = 3u << 1};
    at = (struct device_order){.by = DEVICE_BY_SEEN};
    assert_ok(device_list(console, &both, at, NULL, 0, 3, arena, &b, &n, &err), err);
    assert_int_equal(n, 3);
    assert_int_equal(b[0].id, 8200);
    both.states = 1u << 1; /* few enough to be collected */
    both.text = "common 5";
    assert_ok(device_list(console, &both, at, NULL, 0, 3, arena, &b, &n, &err), err);
    assert_int_equal(b[0].id, 6099);
    sql("INSERT INTO device_word (device_id, backward, word) SELECT 100 + seq, 0, 'common' FROM "
        "seq_8101_to_9000");
    assert_ok(device_ids(console, &f, 9000, 500, arena, &r, &err), err);
    assert_int_equal(r.n, 100);
    assert_ok(fleet_list(console, &api, &place, 100, arena, &d, &n, &more, &err), err);
    assert_true(more);
    assert_int_equal(n, 100); /* 77, 770 to 779, 7700 to 7799: the first hundred */
    assert_int_equal(d[0].id, 177);
    place = 800;
    assert_ok(fleet_list(console, &api, &place, 100, arena, &d, &n, &more, &err), err);
    assert_int_equal(d[0].id, 870);
}

static void filters_are_saved(void **state)
{
    struct saved_filter f = {.owner = "ann", .name = "old <b>", .query = "q=1&os=17"}, *list;
    const char *value;
    size_t n;
    (void)state;
    assert_ok(saved_filter_put(console, &f, 1, &err), err);
    f.query = "q=2";
    f.shared = true;
    assert_ok(saved_filter_put(console, &f, 2, &err), err); /* replaced */
    f.owner = "ben";
    f.shared = false;
    assert_ok(saved_filter_put(console, &f, 2, &err), err);
    assert_ok(saved_filter_list(console, "ann", arena, &list, &n, &err), err);
    assert_int_equal(n, 1);
    assert_string_equal(list[0].query, "q=2");
    assert_ok(saved_filter_list(console, "ben", arena, &list, &n, &err), err);
    assert_int_equal(n, 2);
    for (size_t i = 0; i < n; i++)
        if (strcmp(list[i].owner, "ann") == 0)
            assert_outcome(saved_filter_drop(console, "ben", list[i].id, &err), NOT_FOUND, err);
        else
            assert_ok(saved_filter_drop(console, "ben", list[i].id, &err), err);
    f.name = "";
    assert_outcome(saved_filter_put(console, &f, 2, &err), INVALID, err);
    for (int i = 0; i < FILTERS_MAX; i++) {
        f.name = arena_fmt(arena, "%d", i);
        assert_ok(saved_filter_put(console, &f, 2, &err), err);
    }
    f.name = "one more";
    assert_outcome(saved_filter_put(console, &f, 2, &err), INVALID, err);
    assert_ok(choice_get(console, "ann", "columns", arena, &value, &err), err);
    assert_string_equal(value, "");
    assert_ok(choice_set(console, "ann", "columns", "os seen", &err), err);
    assert_ok(choice_set(console, "ann", "columns", "seen", &err), err);
    assert_ok(choice_get(console, "ann", "columns", arena, &value, &err), err);
    assert_string_equal(value, "seen");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_of_a_text),
        cmocka_unit_test_setup(what_finds_a_device, fill),
        cmocka_unit_test_setup(nothing_is_missed_before_the_words_follow, fill),
        cmocka_unit_test_setup(reports_mark_what_they_change, fill),
        cmocka_unit_test_setup(orders, fill),
        cmocka_unit_test_setup(filters, fill),
        cmocka_unit_test_setup(shares_are_of_what_runs_now, fill),
        cmocka_unit_test_setup(facts_stand_beside, fill),
        cmocka_unit_test_setup(common_words_are_gone_through, fill),
        cmocka_unit_test(filters_are_saved),
    };
    int applied;
    conf = *testdb_conf(TESTDB_DIR, "drover_test_search");
    arena = arena_new(64 * LIM_MB);
    if (!arena || db_new(&conf, DB_OWNER, &owner, &err) != OK ||
        migrate_run(owner, "sql/schema", false, &applied, &err) != OK ||
        migrate_grants(owner, "sql/grants.sql", &conf, &err) != OK ||
        db_new(&conf, DB_AGENT, &agent, &err) != OK ||
        db_new(&conf, DB_CONSOLE, &console, &err) != OK) {
        fprintf(stderr, "%s\n", err.msg);
        return 1;
    }
    int rc = cmocka_run_group_tests(tests, NULL, NULL);
    db_free(&console);
    db_free(&agent);
    db_free(&owner);
    arena_free(&arena);
    return rc;
}

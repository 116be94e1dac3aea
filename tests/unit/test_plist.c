/* test_plist.c: property lists, hostile ones above all. */
#include "base/clock.h"
#include "base/limits.h"
#include "judge.h"
#include "wire/plist.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#define HEAD                                                                                       \
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"                                                 \
    "<!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" "                                      \
    "\"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">\n"                                        \
    "<plist version=\"1.0\">\n"
#define TAIL "\n</plist>\n"
#define MB (1u << 20)

static const char *const recorded[] = {
    "tests/data/recorded/Authenticate.1.plist",      "tests/data/recorded/Authenticate.2.plist",
    "tests/data/recorded/TokenUpdate.1.plist",       "tests/data/recorded/TokenUpdate.2.plist",
    "tests/data/recorded/DeviceInformation.1.plist",
};
#define RECORDED (sizeof recorded / sizeof *recorded)

static void read_file(const char *name, struct buf *out)
{
    FILE *f = fopen(name, "rb");
    if (!f)
        fail_msg("%s: cannot be opened; run from the top of the tree", name);
    char text[8192];
    size_t n;
    while ((n = fread(text, 1, sizeof text, f)) > 0)
        buf_add(out, text, n);
    fclose(f);
    assert_false(buf_failed(out));
}

static pl parsed(struct bytes b)
{
    struct err e = {0};
    pl root;
    if (pl_parse(b, &root, &e) != OK)
        fail_msg("refused: %s", e.msg);
    return root;
}

/* Refused as INVALID, with a message that holds `why`. */
static void assert_refused(struct bytes b, const char *why)
{
    struct err e = {0};
    pl root = &e;
    enum outcome o = pl_parse(b, &root, &e);
    if (o != INVALID)
        fail_msg("%s instead of invalid (%s)", outcome_name(o), why);
    assert_null(root);
    if (!strstr(e.msg, why))
        fail_msg("\"%s\" does not say \"%s\"", e.msg, why);
}

/* Looks at everything in a tree, as handlers might. */
static size_t walk(pl node);

static bool walk_entry(const char *key, pl value, void *arg)
{
    assert_true(strlen(key) < MB);
    *(size_t *)arg += walk(value);
    return true;
}

static size_t walk(pl node)
{
    size_t n = 1;
    int64_t i;
    double d;
    bool b;
    struct bytes data;
    assert_int_not_equal(pl_type_of(node), PL_NONE);
    if (pl_str(node))
        n += strlen(pl_str(node)) == SIZE_MAX;
    if (pl_data(node, &data) && data.n)
        n += data.p[0] == 0 && data.p[data.n - 1] == 0 && data.n == SIZE_MAX;
    if (pl_int(node, &i) || pl_date(node, &i) || pl_real(node, &d) || pl_bool(node, &b))
        n += 0;
    if (pl_type_of(node) == PL_ARRAY)
        for (size_t k = 0; k < pl_size(node); k++)
            n += walk(pl_at(node, k));
    pl_each(node, walk_entry, &n);
    return n;
}

/* --- reading --- */

static void test_recorded(void **state)
{
    (void)state;
    for (size_t i = 0; i < RECORDED; i++) {
        struct buf file = BUF_INIT(MB);
        read_file(recorded[i], &file);
        pl root = parsed(buf_bytes(&file));
        assert_int_equal(pl_type_of(root), PL_DICT);
        assert_true(walk(root) > 5);
        assert_non_null(pl_get_str(root, "UDID"));
        pl_free(&root);
        assert_null(root);
        buf_free(&file);
    }
}

static void test_values(void **state)
{
    (void)state;
    pl r = parsed(bytes_str(
        HEAD "<dict><!-- a comment -->"
             "<key>s</key><string>a &lt;b&gt; &amp;&quot;&apos;&#65;&#x20AC;&#x1F600;</string>"
             "<key>c</key><string>x<![CDATA[<&>]]>y</string>"
             "<key>i</key><integer> -42\n</integer><key>h</key><integer>0x1f</integer>"
             "<key>max</key><integer>9223372036854775807</integer>"
             "<key>min</key><integer>-9223372036854775808</integer>"
             "<key>huge</key><integer>18446744073709551615</integer>"
             "<key>r</key><real>-1.5e3</real><key>nan</key><real>nan</real>"
             "<key>d</key><date>2026-11-22T08:15:30Z</date>"
             "<key>past</key><date>0001-01-01T00:00:00Z</date>"
             "<key>far</key><date>4001-01-01T00:00:00Z</date>"
             "<key>b</key><data>\n\taGVs\n\tbG8=\n</data><key>e</key><data></data>"
             "<key>t</key><true/><key>f</key><false></false><key>es</key><string/>"
             "<key>a</key><array><integer>1</integer><array/><dict/></array>"
             "<key>&amp;k</key><string>\xc3\xa9</string>"
             "</dict>" TAIL));
    int64_t i;
    double d;
    bool b;
    struct bytes data;
    assert_string_equal(pl_get_str(r, "s"), "a <b> &\"'A\xe2\x82\xac\xf0\x9f\x98\x80");
    assert_string_equal(pl_get_str(r, "c"), "x<&>y");
    assert_true(pl_get_int(r, "i", &i) && i == -42);
    assert_true(pl_get_int(r, "h", &i) && i == 31);
    assert_true(pl_get_int(r, "max", &i) && i == INT64_MAX);
    assert_true(pl_get_int(r, "min", &i) && i == INT64_MIN);
    assert_false(pl_get_int(r, "huge", &i));
    assert_false(pl_get_int(r, "s", &i));
    assert_false(pl_get_int(r, "none", &i));
    assert_true(pl_real(pl_get(r, "r"), &d) && d == -1500.0);
    assert_false(pl_real(pl_get(r, "nan"), &d));
    assert_true(pl_date(pl_get(r, "d"), &i) && i == 1795335330 * SECOND_US);
    assert_true(pl_date(pl_get(r, "past"), &i) && i == -62135596800 * SECOND_US);
    assert_true(pl_date(pl_get(r, "far"), &i) && i == 64092211200 * SECOND_US);
    assert_true(pl_get_data(r, "b", &data) && bytes_equal(data, bytes_str("hello")));
    assert_true(pl_get_data(r, "e", &data) && data.n == 0);
    assert_false(pl_get_data(r, "s", &data));
    assert_true(pl_get_bool(r, "t", &b) && b);
    assert_true(pl_get_bool(r, "f", &b) && !b);
    assert_string_equal(pl_get_str(r, "es"), "");
    assert_int_equal(pl_size(pl_get(r, "a")), 3);
    assert_int_equal(pl_type_of(pl_at(pl_get(r, "a"), 2)), PL_DICT);
    assert_null(pl_at(pl_get(r, "a"), 3));
    assert_null(pl_at(r, 0));
    assert_string_equal(pl_get_str(r, "&k"), "\xc3\xa9");
    assert_null(pl_get_str(r, "i"));
    assert_null(pl_get(NULL, "x"));
    assert_null(pl_get(pl_get(r, "a"), "x"));
    assert_string_equal(pl_type_name(pl_type_of(pl_get(r, "d"))), "date");
    pl_free(&r);
}

static void test_xml_taken(void **state)
{
    (void)state;
    static const char *const good[] = {
        "<plist><dict/></plist>",
        "\xef\xbb\xbf<plist version=\"1.0\"><string>x</string></plist>",
        "<?xml version='1.0' encoding='utf-8' standalone='no'?><plist><array></array></plist>",
        "<?xml version=\"1.0\"?>\n<!-- a --><!DOCTYPE plist><!-- b -->\n<plist><true/></plist>\n"
        "<!-- c -->\n",
        "<!DOCTYPE plist PUBLIC \"-//Apple Computer//DTD PLIST 1.0//EN\" "
        "\"https://www.apple.com/DTDs/PropertyList-1.0.dtd\"><plist><real>1</real></plist>",
        "<!DOCTYPE plist SYSTEM \"file://localhost/System/Library/DTDs/PropertyList.dtd\">"
        "<plist><dict><key></key><data >\n</data></dict></plist>",
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        pl r = parsed(bytes_str(good[i]));
        pl_free(&r);
    }
    pl r = parsed(bytes_str("<plist><array ><string\n>x</string\t><data /></array ></plist>"));
    assert_int_equal(pl_size(r), 2);
    pl_free(&r);
    /* control characters in names that people gave */
    r = parsed(bytes_str("<plist><string>a\x0b\x01"
                         "b&#7;</string></plist>"));
    assert_string_equal(pl_str(r), "a\x0b\x01"
                                   "b\x07");
    pl_free(&r);
}

static void test_xml_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *why;
    } bad[] = {
        {"", "empty"},
        {"\xef\xbb\xbf", "empty"},
        {"hello", "text outside"},
        {"<plist>", "ends too early"},
        {"<plist></plist>", "<plist> is empty"},
        {"<plist/>", "does not begin"},
        {"</plist>", "does not begin"},
        {"<dict></dict>", "does not begin"},
        {"<html><body/></html>", "<html> is no element"},
        {"<plist><dict></dict></plist><plist><dict/></plist>", "follows </plist>"},
        {"<plist><dict/></plist>x", "follows </plist>"},
        {"<plist><dict/><dict/></plist>", "second value"},
        {"<plist><array/><string>x</string></plist>", "second value"},
        {"<plist><plist><dict/></plist></plist>", "inside a property list"},
        {"<plist><dict><key>a</key></dict></plist>", "key without a value"},
        {"<plist><dict><string>a</string></dict></plist>", "value without a key"},
        {"<plist><dict><key>a</key><key>b</key></dict></plist>", "where none can be"},
        {"<plist><array><key>a</key></array></plist>", "where none can be"},
        {"<plist><key>a</key></plist>", "where none can be"},
        {"<plist><dict></array></plist>", "closes nothing"},
        {"<plist></dict></plist>", "closes nothing"},
        {"<plist><string>a</key></plist>", "not closed"},
        {"<plist><string>a<b/></string></plist>", "no element"},
        {"<plist><string>a<true/></string></plist>", "not closed"},
        {"<plist><string>a<!-- b --></string></plist>", "no element"},
        {"<plist><string>a<?b?></string></plist>", "no element"},
        {"<plist><string>a</string/></plist>", "broken tag"},
        {"<plist><dict a=\"b\"/></plist>", "attribute"},
        {"<plist version=\"1>\"><dict/></plist>", "attribute"},
        {"<plist version=\"1.0\" x=\"y\"><dict/></plist>", "broken tag"},
        {"<plist><Dict/></plist>", "no element"},
        {"<plist><uid>1</uid></plist>", "no element"},
        {"<plist><null/></plist>", "no element"},
        {"<plist>text</plist>", "text outside"},
        {"<plist><dict>text</dict></plist>", "text outside"},
        {"<plist><![CDATA[x]]><dict/></plist>", "no element"},
        {"<plist><true>x</true></plist>", "does not hold"},
        {"<plist><integer></integer></plist>", "does not hold"},
        {"<plist><integer/></plist>", "is empty"},
        {"<plist><integer>010</integer></plist>", "does not hold"},
        {"<plist><integer>1 2</integer></plist>", "does not hold"},
        {"<plist><integer>1a</integer></plist>", "does not hold"},
        {"<plist><integer>0x</integer></plist>", "does not hold"},
        {"<plist><integer>- 1</integer></plist>", "does not hold"},
        {"<plist><integer>--1</integer></plist>", "does not hold"},
        {"<plist><integer>18446744073709551616</integer></plist>", "does not hold"},
        {"<plist><integer>-9223372036854775809</integer></plist>", "does not hold"},
        {"<plist><integer>&#49;</integer></plist>", "does not hold"},
        {"<plist><integer><![CDATA[1]]></integer></plist>", "does not hold"},
        {"<plist><real>1,5</real></plist>", "does not hold"},
        {"<plist><real>0x1p3</real></plist>", "does not hold"},
        {"<plist><real>1e</real></plist>", "does not hold"},
        {"<plist><real>.</real></plist>", "does not hold"},
        {"<plist><real></real></plist>", "does not hold"},
        {"<plist><date>yesterday</date></plist>", "does not hold"},
        {"<plist><date>2026-13-01T00:00:00Z</date></plist>", "does not hold"},
        {"<plist><date>2026-11-22 08:15:30Z</date></plist>", "does not hold"},
        {"<plist><date>2026-11-22T08:15:30+01:00</date></plist>", "does not hold"},
        {"<plist><date>0000-01-01T00:00:00Z</date></plist>", "does not hold"},
        {"<plist><date></date></plist>", "does not hold"},
        {"<plist><data>aGVsbG8</data></plist>", "does not hold"},
        {"<plist><data>aGVs*bG8</data></plist>", "does not hold"},
        {"<plist><data>aG=sbG8=</data></plist>", "does not hold"},
        {"<plist><data>a===</data></plist>", "does not hold"},
        {"<plist><data>=</data></plist>", "does not hold"},
        {"<plist><string>a & b</string></plist>", "character reference"},
        {"<plist><string>&nbsp;</string></plist>", "character reference"},
        {"<plist><string>&amp</string></plist>", "character reference"},
        {"<plist><string>&ampx;</string></plist>", "character reference"},
        {"<plist><string>&;</string></plist>", "character reference"},
        {"<plist><string>&#0;</string></plist>", "character reference"},
        {"<plist><string>&#x0;</string></plist>", "character reference"},
        {"<plist><string>&#xD800;</string></plist>", "character reference"},
        {"<plist><string>&#x110000;</string></plist>", "character reference"},
        {"<plist><string>&# 65;</string></plist>", "character reference"},
        {"<plist><string>&#-1;</string></plist>", "character reference"},
        {"<plist><string>&#x;</string></plist>", "character reference"},
        {"<plist><string>&#99999999999;</string></plist>", "character reference"},
        {"<plist><key>&bad;</key></plist>", "where none can be"},
        {"<plist><string>\xff</string></plist>", "UTF-8"},
        {"<plist><string>\xc0\x80</string></plist>", "UTF-8"},
        {"<plist><string>\xed\xa0\x80</string></plist>", "UTF-8"},
        {"<plist><string>\xc3</string></plist>", "UTF-8"},
        {"\xff\xfe<\0p\0l\0", "UTF-8"},
        {"<?xml version=\"1.0\" encoding=\"UTF-16\"?><plist><dict/></plist>", "encoding"},
        {"<?xml version=\"1.0\" encoding=\"\"?><plist><dict/></plist>", "encoding"},
        {"<?xml version=\"1.0\"", "does not end"},
        {"<?xml version=\"1.0?><plist><dict/></plist>", "broken XML declaration"},
        {"<?xml \"?>\"?><plist><dict/></plist>", "broken XML declaration"},
        {"<?xml-stylesheet href=\"x\"?><plist><dict/></plist><?php?>", "follows"},
        {"<plist><?php x?><dict/></plist>", "no element"},
        {"<!DOCTYPE html><plist><dict/></plist>", "other than plist"},
        {"<!DOCTYPE plist [<!ENTITY a \"b\">]><plist><dict/></plist>", "declarations of its own"},
        {"<!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" "
         "\"http://www.apple.com/DTDs/PropertyList-1.0.dtd\" [<!ENTITY a \"b\">]><plist><dict/>"
         "</plist>",
         "declarations of its own"},
        {"<!DOCTYPE plist SYSTEM \"file:///etc/passwd\"><plist><dict/></plist>",
         "other than Apple's"},
        {"<!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" \"http://evil/\"><plist><dict/>"
         "</plist>",
         "other than Apple's"},
        {"<!DOCTYPE plist PUBLIC \"-//X//Y\" \"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">"
         "<plist><dict/></plist>",
         "other than Apple's"},
        {"<!DOCTYPE plist><!DOCTYPE plist><plist><dict/></plist>", "no element"},
        {"<plist><!DOCTYPE plist><dict/></plist>", "no element"},
        {"<plist><dict/><!-- </plist>", "does not end"},
        {"<plist><string><![CDATA[x</string></plist>", "does not end"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_refused(bytes_str(bad[i].text), bad[i].why);
    assert_refused(bytes_of("<plist><string>a\0b</string></plist>", 36), "NUL");
    assert_refused(bytes_str("<plist>\n<dict>\n<key>a</key>\n<foo/></dict></plist>"), "line 4");
}

static void test_xml_truncated(void **state)
{
    (void)state;
    for (size_t i = 0; i < RECORDED; i++) {
        struct buf file = BUF_INIT(MB);
        read_file(recorded[i], &file);
        const char *end = strstr(buf_cstr(&file), "</plist>");
        for (size_t n = 0; n < (size_t)(end - buf_cstr(&file)) + 8; n++) {
            char *exact = malloc(n ? n : 1); /* an octet too far is seen by AddressSanitizer */
            memcpy(exact, buf_cstr(&file), n);
            assert_refused(bytes_of(exact, n), "property list");
            free(exact);
        }
        buf_free(&file);
    }
}

static void add_many(struct buf *b, const char *s, size_t times)
{
    while (times--)
        buf_str(b, s);
}

static void test_xml_depth(void **state)
{
    (void)state;
    for (size_t depth = LIM_PLIST_DEPTH - 1; depth <= LIM_PLIST_DEPTH + 1; depth++) {
        struct buf b = BUF_INIT(4 * MB);
        buf_str(&b, "<plist>");
        add_many(&b, "<array>", depth);
        add_many(&b, "</array>", depth);
        buf_str(&b, "</plist>");
        if (depth <= LIM_PLIST_DEPTH) {
            pl r = parsed(buf_bytes(&b));
            pl_free(&r);
        } else {
            assert_refused(buf_bytes(&b), "nested deeper");
        }
        buf_free(&b);
    }
    struct buf b = BUF_INIT(4 * MB);
    buf_str(&b, "<plist>");
    add_many(&b, "<array>", 60000);
    add_many(&b, "</array>", 60000);
    buf_str(&b, "</plist>");
    assert_true(b.len > 900000);
    assert_refused(buf_bytes(&b), "nested deeper");
    buf_clear(&b);
    buf_str(&b, "<plist>");
    add_many(&b, "<dict><key>a</key>", 60000);
    assert_refused(buf_bytes(&b), "nested deeper");
    buf_free(&b);
}

static void test_xml_ceilings(void **state)
{
    (void)state;
    struct buf b = BUF_INIT(32 * MB);
    int64_t before = clock_mono();
    buf_str(&b, "<plist><array>");
    add_many(&b, "<true/>", LIM_PLIST_NODES);
    buf_str(&b, "</array></plist>");
    assert_refused(buf_bytes(&b), "keys and values");

    buf_clear(&b);
    buf_str(&b, "<plist><dict>");
    for (unsigned i = 0; i < LIM_PLIST_KEYS + 1; i++)
        buf_fmt(&b, "<key>%u</key><true/>", i);
    buf_str(&b, "</dict></plist>");
    assert_refused(buf_bytes(&b), "keys in a dictionary");

    buf_clear(&b); /* libplist would move 16 MB for each of the four million */
    buf_str(&b, "<plist><string>");
    add_many(&b, "&lt;", 4000000);
    buf_str(&b, "</string></plist>");
    assert_refused(buf_bytes(&b), "too many character references");

    buf_clear(&b);
    buf_str(&b, "<plist><string>");
    add_many(&b, "&lt;", 5000);
    buf_str(&b, "</string></plist>");
    pl r = parsed(buf_bytes(&b));
    assert_int_equal(strlen(pl_str(r)), 5000);
    pl_free(&r);
    assert_true(clock_mono() - before < 20 * SECOND_US);
    buf_free(&b);
}

/* --- binary lists, put together by hand --- */

struct bin {
    struct buf b;
    size_t offset[70000];
    size_t n;
};

static void bin_begin(struct bin *l)
{
    buf_init(&l->b, 64 * MB);
    l->n = 0;
    buf_str(&l->b, "bplist00");
}

static void bin_object(struct bin *l, const void *octets, size_t n)
{
    l->offset[l->n++] = l->b.len;
    buf_add(&l->b, octets, n);
}

/* Offsets of osize octets, references of rsize, the root is object 0. */
static void bin_end(struct bin *l, unsigned osize, unsigned rsize)
{
    size_t table = l->b.len;
    for (size_t i = 0; i < l->n; i++)
        for (unsigned k = osize; k-- > 0;)
            buf_char(&l->b, (char)(k < 8 ? l->offset[i] >> (8 * k) : 0));
    char trailer[32] = {0};
    trailer[6] = (char)osize;
    trailer[7] = (char)rsize;
    for (int k = 0; k < 8; k++) {
        trailer[15 - k] = (char)(l->n >> (8 * k));
        trailer[31 - k] = (char)((uint64_t)table >> (8 * k));
    }
    buf_add(&l->b, trailer, sizeof trailer);
    assert_false(buf_failed(&l->b));
}
#define OBJECT(l, literal) bin_object((l), (literal), sizeof(literal) - 1)

/* A copy of exact size, so that AddressSanitizer sees an octet too far; judged and freed. */
static void refuse_bin(struct bin *l, const char *why)
{
    char *exact = malloc(l->b.len);
    memcpy(exact, l->b.data, l->b.len);
    assert_refused(bytes_of(exact, l->b.len), why);
    free(exact);
    buf_free(&l->b);
}

static struct bin list; /* too large for the stack */

static void test_bin_bomb(void **state)
{
    (void)state;
    int64_t before = clock_mono();
    bin_begin(&list);
    for (int i = 0; i < 48; i++) {
        char pair[3] = {(char)0xa2, (char)(i + 1), (char)(i + 1)};
        bin_object(&list, pair, sizeof pair);
    }
    OBJECT(&list, "\x09");
    bin_end(&list, 1, 1);
    assert_true(list.b.len < 240);
    refuse_bin(&list, "keys and values");

    bin_begin(&list); /* 250 references to a string of 1 MB */
    static char row[2 + 2 + 250] = "\xaf\x10\xfa";
    memset(row + 3, 1, 250);
    bin_object(&list, row, 253);
    static char big[6 + MB] = "\x5f\x12\x00\x10\x00\x00";
    memset(big + 6, 'x', MB);
    bin_object(&list, big, sizeof big);
    bin_end(&list, 4, 1);
    refuse_bin(&list, "expand to more than");

    bin_begin(&list); /* many objects over the same octets: an array of all of them */
    for (int i = 0; i < 60000; i++)
        list.offset[list.n++] = list.b.len;
    buf_str(&list.b, "\xaf\x11");
    buf_char(&list.b, (char)(59999 >> 8));
    buf_char(&list.b, (char)(59999 & 255));
    for (int i = 1; i < 60000; i++) {
        buf_char(&list.b, (char)(i >> 8));
        buf_char(&list.b, (char)i);
    }
    bin_end(&list, 2, 2);
    refuse_bin(&list, "");
    assert_true(clock_mono() - before < 5 * SECOND_US);
}

static void test_bin_cycles(void **state)
{
    (void)state;
    bin_begin(&list);
    OBJECT(&list, "\xa1\x00");
    bin_end(&list, 1, 1);
    refuse_bin(&list, "holds itself");

    bin_begin(&list);
    OBJECT(&list, "\xa1\x01");
    OBJECT(&list, "\xd1\x02\x00");
    OBJECT(&list, "\x51k");
    bin_end(&list, 1, 1);
    refuse_bin(&list, "holds itself");

    bin_begin(&list); /* its own key */
    OBJECT(&list, "\xd1\x00\x00");
    bin_end(&list, 1, 1);
    refuse_bin(&list, "holds itself");
}

static void test_bin_depth(void **state)
{
    (void)state;
    for (int depth = 63; depth <= 66; depth++) {
        bin_begin(&list);
        for (int i = 0; i < depth; i++) {
            char one[2] = {(char)(i + 1 < depth ? 0xa1 : 0xa0), (char)(i + 1)};
            bin_object(&list, one, i + 1 < depth ? 2 : 1);
        }
        bin_end(&list, 2, 1);
        if (depth <= (int)LIM_PLIST_DEPTH) {
            pl r = parsed(buf_bytes(&list.b));
            pl_free(&r);
            buf_free(&list.b);
        } else {
            refuse_bin(&list, "nested deeper");
        }
    }
    /* a deep part that is known already when it is met again further down */
    bin_begin(&list);
    OBJECT(&list, "\xa2\x01\x28");
    for (int i = 1; i < 40; i++) {
        char one[2] = {(char)(i < 39 ? 0xa1 : 0xa0), (char)(i + 1)};
        bin_object(&list, one, i < 39 ? 2 : 1);
    }
    for (int i = 40; i < 70; i++) {
        char one[2] = {(char)0xa1, (char)(i < 69 ? i + 1 : 1)};
        bin_object(&list, one, 2);
    }
    bin_end(&list, 2, 1);
    refuse_bin(&list, "nested deeper");
}

static void test_bin_refused(void **state)
{
    (void)state;
    static const struct {
        const char *object;
        size_t n;
        const char *why;
    } bad[] = {
        {"\x00", 1, "unknown type"},
        {"\x0f", 1, "unknown type"},
        {"\x70", 1, "unknown type"},
        {"\xc0", 1, "unknown type"},
        {"\xf0", 1, "unknown type"},
        {"\x15", 1, "broken integer"},
        {"\x13\x00\x00", 3, "broken integer"},
        {"\x14\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00", 17, "64 bits"},
        {"\x21\x00\x00", 3, "broken real"},
        {"\x22\x00\x00", 3, "broken real"},
        {"\x32\x00\x00\x00\x00", 5, "broken date"},
        {"\x33\x7f\xf8\x00\x00\x00\x00\x00\x00", 9, "years 1 to 9999"},
        {"\x33\x7f\xe0\x00\x00\x00\x00\x00\x00", 9, "years 1 to 9999"},
        {"\x33\xff\xf0\x00\x00\x00\x00\x00\x00", 9, "years 1 to 9999"},
        {"\x4f\x10\x05"
         "abc",
         6, "cut short"},
        {"\x45"
         "abc",
         4, "cut short"},
        {"\x4f\x22\x00\x00\x00\x01", 6, "length is no integer"},
        {"\x4f\x14\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01", 18,
         "length is no integer"},
        {"\x5f\x13\xff\xff\xff\xff\xff\xff\xff\xff", 10, "cut short"},
        {"\x6f\x13\x80\x00\x00\x00\x00\x00\x00\x01", 10, "cut short"},
        {"\xaf\x13\xff\xff\xff\xff\xff\xff\xff\xff", 10, "cut short"},
        {"\xdf\x13\x80\x00\x00\x00\x00\x00\x00\x01", 10, "keys in a dictionary"},
        {"\x53"
         "a\0b",
         4, "NUL"},
        {"\x52\xc3\xa9", 3, "other octets"},
        {"\x60", 1, "empty UTF-16"},
        {"\x61\x00\x00", 3, "NUL"},
        {"\x61\xd8\x00", 3, "surrogate"},
        {"\x61\xdc\x00", 3, "surrogate"},
        {"\x62\xd8\x00\x00\x41", 5, "surrogate"},
        {"\xa1\x01", 2, "reference to object"},
        {"\xd1\x00", 2, "cut short"},
        {"\xd1\x01\x01", 3, "reference to object"},
        {"\x8f\x00", 2, "broken UID"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        bin_begin(&list);
        bin_object(&list, bad[i].object, bad[i].n);
        bin_end(&list, 1, 1);
        refuse_bin(&list, bad[i].why);
    }
    bin_begin(&list);
    OBJECT(&list, "\xd1\x01\x01");
    OBJECT(&list, "\x10\x05");
    bin_end(&list, 1, 1);
    refuse_bin(&list, "a key is no string");
    bin_begin(&list);
    OBJECT(&list, "\xa1\x01");
    list.offset[list.n++] = 3; /* into the header */
    bin_end(&list, 1, 1);
    refuse_bin(&list, "outside");
    bin_begin(&list);
    OBJECT(&list, "\xa1\x01");
    list.offset[list.n++] = 11; /* into the offset table */
    bin_end(&list, 1, 1);
    refuse_bin(&list, "outside");
}

static void test_bin_trailer(void **state)
{
    (void)state;
    static const struct {
        int at;
        int value;
    } bad[] = {{6, 0},  {6, 9},    {6, 255}, {7, 0},  {7, 9},  {15, 0},   {15, 200},  {8, 0x80},
               {23, 1}, {23, 255}, {16, 1},  {31, 0}, {31, 7}, {31, 255}, {24, 0xff}, {28, 1}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        bin_begin(&list);
        OBJECT(&list, "\x09");
        bin_end(&list, 1, 1);
        list.b.data[list.b.len - 32 + (size_t)bad[i].at] = (char)bad[i].value;
        refuse_bin(&list, "its ");
    }
    /* widths that nobody writes but that are lawful */
    for (unsigned w = 1; w <= 8; w++) {
        bin_begin(&list);
        bin_object(&list, "\xa1\0\0\0\0\0\0\0\0", 1 + w);
        list.b.data[list.b.len - 1] = 1;
        OBJECT(&list, "\x52ok");
        bin_end(&list, w, w);
        pl r = parsed(buf_bytes(&list.b));
        assert_string_equal(pl_str(pl_at(r, 0)), "ok");
        pl_free(&r);
        buf_free(&list.b);
    }
    assert_refused(bytes_str("bplist00"), "too short");
    assert_refused(bytes_str("bplist01xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"), "text outside");
}

/* A tree with every type. */
static pl sample(void)
{
    pl d = pl_new_dict(), a = pl_new_array();
    pl_set_str(d, "string", "plain");
    pl_set_str(d, "markup", "<a b=\"c\">&amp;'</a>]]>");
    pl_set_str(d, "wide", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80");
    pl_set_str(d, "empty", "");
    pl_set_int(d, "zero", 0);
    pl_set_int(d, "minus", -5);
    pl_set_int(d, "max", INT64_MAX);
    pl_set_int(d, "min", INT64_MIN);
    pl_set_bool(d, "yes", true);
    pl_set_bool(d, "no", false);
    pl_set(d, "real", pl_new_real(-0.1));
    pl_set(d, "date", pl_new_date(INT64_C(1795335330000000)));
    pl_set(d, "past", pl_new_date(INT64_C(-62135596800) * SECOND_US));
    pl_set(d, "far", pl_new_date(INT64_C(64092211200) * SECOND_US));
    pl_set_data(d, "data",
                bytes_str("0123456789 some octets, enough for more than one line of "
                          "base64 when they are written"));
    pl_set_data(d, "nothing", bytes_of(NULL, 0));
    pl_set(d, "empty dict", pl_new_dict());
    pl_set(d, "empty array", pl_new_array());
    for (int i = 0; i < 20; i++)
        pl_append(a, pl_new_int(i));
    pl_set(d, "array", a);
    return d;
}

static void check_sample(pl d)
{
    int64_t i;
    double r;
    bool b;
    struct bytes o;
    assert_int_equal(pl_size(d), 19);
    assert_string_equal(pl_get_str(d, "string"), "plain");
    assert_string_equal(pl_get_str(d, "markup"), "<a b=\"c\">&amp;'</a>]]>");
    assert_string_equal(pl_get_str(d, "wide"), "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80");
    assert_string_equal(pl_get_str(d, "empty"), "");
    assert_true(pl_get_int(d, "zero", &i) && i == 0);
    assert_true(pl_get_int(d, "minus", &i) && i == -5);
    assert_true(pl_get_int(d, "max", &i) && i == INT64_MAX);
    assert_true(pl_get_int(d, "min", &i) && i == INT64_MIN);
    assert_true(pl_get_bool(d, "yes", &b) && b);
    assert_true(pl_get_bool(d, "no", &b) && !b);
    assert_true(pl_real(pl_get(d, "real"), &r) && r == -0.1);
    assert_true(pl_date(pl_get(d, "date"), &i) && i == INT64_C(1795335330000000));
    assert_true(pl_date(pl_get(d, "past"), &i) && i == INT64_C(-62135596800) * SECOND_US);
    assert_true(pl_date(pl_get(d, "far"), &i) && i == INT64_C(64092211200) * SECOND_US);
    assert_true(pl_get_data(d, "data", &o) && o.n == 85 && o.p[84] == 'n');
    assert_true(pl_get_data(d, "nothing", &o) && o.n == 0);
    assert_int_equal(pl_size(pl_get(d, "array")), 20);
    assert_int_equal(pl_type_of(pl_get(d, "empty dict")), PL_DICT);
    assert_int_equal(pl_type_of(pl_get(d, "empty array")), PL_ARRAY);
}

static void test_round_trips(void **state)
{
    (void)state;
    pl d = sample(), copy = pl_copy(d);
    check_sample(d);
    check_sample(copy);
    struct buf xml = BUF_INIT(MB), bin = BUF_INIT(MB);
    assert_int_equal(pl_to_xml(d, &xml), OK);
    assert_int_equal(pl_to_binary(d, &bin), OK);
    pl from_xml = parsed(buf_bytes(&xml)), from_bin = parsed(buf_bytes(&bin));
    check_sample(from_xml);
    check_sample(from_bin);
    pl_free(&d);
    pl_free(&copy);
    pl_free(&from_xml);
    pl_free(&from_bin);
    buf_free(&xml);
    buf_free(&bin);
}

static void test_bin_truncated(void **state)
{
    (void)state;
    pl d = sample();
    struct buf bin = BUF_INIT(MB);
    assert_int_equal(pl_to_binary(d, &bin), OK);
    for (size_t n = 0; n < bin.len; n++) {
        char *exact = malloc(n ? n : 1);
        memcpy(exact, bin.data, n);
        assert_refused(bytes_of(exact, n), "property list");
        free(exact);
    }
    pl_free(&d);
    buf_free(&bin);
}

static uint64_t seed = 0x9e3779b97f4a7c15u;
static uint64_t dice(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

/* Changes, drops, doubles and swaps octets; whatever is still taken must bear everything. */
static void mutate(struct bytes b, int rounds)
{
    int taken = 0;
    for (int round = 0; round < rounds; round++) {
        char *m = malloc(b.n + 8);
        size_t n = b.n;
        memcpy(m, b.p, n);
        for (uint64_t k = 1 + dice() % 4; k > 0 && n > 8; k--) {
            size_t at = dice() % n;
            switch (dice() % 5) {
            case 0:
                m[at] = (char)dice();
                break;
            case 1:
                m[at] ^= (char)(1u << dice() % 8);
                break;
            case 2:
                memmove(m + at, m + at + 1, n - at - 1);
                n--;
                break;
            case 3:
                m[at] = m[dice() % n];
                break;
            default:
                if (n < b.n + 8) {
                    memmove(m + at + 1, m + at, n - at);
                    n++;
                }
            }
        }
        char *exact = realloc(m, n);
        struct err e = {0};
        pl r;
        if (pl_parse(bytes_of(exact, n), &r, &e) == OK) {
            struct buf out = BUF_INIT(8 * MB);
            taken++;
            assert_true(walk(r) <= LIM_PLIST_NODES);
            pl copy = pl_copy(r);
            assert_int_equal(pl_to_xml(copy, &out), OK);
            buf_clear(&out);
            assert_int_equal(pl_to_binary(copy, &out), OK);
            pl_free(&copy);
            pl_free(&r);
            buf_free(&out);
        } else {
            assert_true(e.msg[0] && !r);
        }
        free(exact);
    }
    assert_in_range(taken, 1, rounds - 1);
}

static void test_mutations(void **state)
{
    (void)state;
    pl d = sample();
    struct buf b = BUF_INIT(MB);
    assert_int_equal(pl_to_xml(d, &b), OK);
    mutate(buf_bytes(&b), 15000);
    buf_clear(&b);
    assert_int_equal(pl_to_binary(d, &b), OK);
    mutate(buf_bytes(&b), 30000);
    pl_free(&d);
    buf_clear(&b);
    read_file(recorded[0], &b);
    mutate(buf_bytes(&b), 15000);
    buf_free(&b);
}

static void test_long_arrays(void **state)
{
    (void)state;
    pl a = pl_new_array();
    for (int i = 0; i < 100000; i++)
        pl_append(a, pl_new_int(i));
    struct buf bin = BUF_INIT(4 * MB);
    assert_int_equal(pl_to_binary(a, &bin), OK);
    pl_free(&a);
    a = parsed(buf_bytes(&bin));
    int64_t before = clock_mono(), v;
    assert_int_equal(pl_size(a), 100000);
    for (size_t i = 0; i < 100000; i++)
        assert_true(pl_int(pl_at(a, i), &v) && v == (int64_t)i);
    assert_true(clock_mono() - before < 3 * SECOND_US); /* 15 s if each walked from the first */
    pl_free(&a);
    buf_free(&bin);
}

/* --- writing --- */

static void test_builders(void **state)
{
    (void)state;
    pl d = pl_new_dict(), s = pl_new_str("x");
    pl_set(d, "a", pl_new_int(1));
    pl_set(d, "a", pl_new_int(2));
    int64_t i;
    assert_true(pl_get_int(d, "a", &i) && i == 2);
    assert_int_equal(pl_size(d), 1);
    pl_set_str(d, "gone", NULL);
    pl_set(d, "gone", NULL);
    assert_int_equal(pl_size(d), 1);
    pl_set(s, "a", pl_new_int(3)); /* freed, not leaked */
    pl_append(d, pl_new_int(3));
    pl_append(NULL, pl_new_int(3));
    pl_remove(d, "a");
    pl_remove(d, "a");
    pl_remove(s, "a");
    assert_int_equal(pl_size(d), 0);
    pl_set_str(d, "bad\xff", "a\xc3");
    assert_string_equal(pl_get_str(d, "bad\xef\xbf\xbd"), "a\xef\xbf\xbd");
    assert_null(pl_copy(NULL));
    struct buf small = BUF_INIT(20);
    assert_int_equal(pl_to_xml(d, &small), ERROR);
    buf_clear(&small);
    assert_int_equal(pl_to_binary(d, &small), ERROR);
    assert_int_equal(pl_to_xml(NULL, &small), ERROR);
    buf_free(&small);
    pl_free(&s);
    pl_free(&d);
    pl_free(&d);
}

/* A tree whose text is hard to write down. */
static pl awkward(void)
{
    pl d = sample();
    pl_set_str(d, "controls",
               "a\x01"
               "b\x0b"
               "c\x1f"
               "d\x7f");
    pl_set_str(d, "line ends", "a\rb\r\nc\nd\te");
    pl_set_str(d, "nonchars",
               "a\xef\xbf\xbe"
               "b\xef\xbf\xbf"
               "c\xef\xbb\xbf"
               "d");
    pl_set_str(d, "tag <date>", "<date>1-01");
    pl_set_str(d, "bad utf-8", "\xff\xfe\xc0\x80");
    return d;
}

static void test_judges(void **state)
{
    (void)state;
    if (!judge_there("python3") || !judge_there("xmllint") || !judge_there("plistutil"))
        skip();
    pl d = awkward();
    struct buf xml = BUF_INIT(MB), bin = BUF_INIT(MB), out = BUF_INIT(MB);
    assert_int_equal(pl_to_xml(d, &xml), OK);
    assert_int_equal(pl_to_binary(d, &bin), OK);
    if (judge("xmllint --noout --nonet $1", buf_bytes(&xml), &out) != 0)
        fail_msg("xmllint: %s", buf_cstr(&out));
    if (judge("plistutil -i $1 -o /dev/null", buf_bytes(&xml), &out) != 0)
        fail_msg("plistutil: %s", buf_cstr(&out));
    static const char compare[] =
        "/usr/bin/python3 -c \"import plistlib,sys,datetime as t\n"
        "x,b=[plistlib.load(open(f,'rb')) for f in sys.argv[1:]]\n"
        "for k in set(x)-{'controls','nonchars','past'}:\n"
        "    assert x[k]==b[k],(k,x[k],b[k])\n"
        "assert x['line ends']=='a\\rb\\r\\nc\\nd\\te',x['line ends']\n"
        "assert x['controls']=='a\\ufffdb\\ufffdc\\ufffdd\\x7f',x['controls']\n"
        "assert x['nonchars']=='a\\ufffdb\\ufffdc\\ufeffd',x['nonchars']\n"
        "assert x['min']==-2**63 and x['max']==2**63-1 and x['minus']==-5\n"
        "assert x['past']==t.datetime(1,1,1) and x['far']==t.datetime(4001,1,1)\n"
        "assert x['tag <date>']=='<date>1-01' and x['real']==-0.1\n"
        "assert x['date']==t.datetime(2026,11,22,8,15,30)\n"
        "assert x['array']==list(range(20)) and x['nothing']==b''\n"
        "print('agreed')\" $1 $2";
    buf_clear(&out);
    int status = judge_two(compare, buf_bytes(&xml), buf_bytes(&bin), &out);
    if (status != 0 || strcmp(buf_cstr(&out), "agreed\n") != 0)
        fail_msg("plistlib: %s", buf_cstr(&out));
    pl_free(&d);
    buf_free(&xml);
    buf_free(&bin);
    buf_free(&out);
}

/* What plistlib writes we read, and the other way round, for the recorded messages. */
static void test_recorded_judged(void **state)
{
    (void)state;
    if (!judge_there("python3"))
        skip();
    for (size_t i = 0; i < RECORDED; i++) {
        struct buf file = BUF_INIT(MB), bin = BUF_INIT(MB), xml = BUF_INIT(MB), out = BUF_INIT(MB);
        read_file(recorded[i], &file);
        static const char to_binary[] =
            "/usr/bin/python3 -c \"import plistlib,sys;sys.stdout.buffer.write(plistlib.dumps("
            "plistlib.load(open(sys.argv[1],'rb')),fmt=plistlib.FMT_BINARY))\" $1";
        assert_int_equal(judge(to_binary, buf_bytes(&file), &bin), 0);
        pl d = parsed(buf_bytes(&bin));
        assert_int_equal(pl_to_xml(d, &xml), OK);
        static const char same[] =
            "/usr/bin/python3 -c \"import plistlib,sys\n"
            "a,b=[plistlib.load(open(f,'rb')) for f in sys.argv[1:]]\nassert a==b\" $1 $2";
        if (judge_two(same, buf_bytes(&file), buf_bytes(&xml), &out) != 0)
            fail_msg("%s: %s", recorded[i], buf_cstr(&out));
        pl_free(&d);
        buf_free(&file);
        buf_free(&bin);
        buf_free(&xml);
        buf_free(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_recorded),        cmocka_unit_test(test_values),
        cmocka_unit_test(test_xml_taken),       cmocka_unit_test(test_xml_refused),
        cmocka_unit_test(test_xml_truncated),   cmocka_unit_test(test_xml_depth),
        cmocka_unit_test(test_xml_ceilings),    cmocka_unit_test(test_bin_bomb),
        cmocka_unit_test(test_bin_cycles),      cmocka_unit_test(test_bin_depth),
        cmocka_unit_test(test_bin_refused),     cmocka_unit_test(test_bin_trailer),
        cmocka_unit_test(test_round_trips),     cmocka_unit_test(test_bin_truncated),
        cmocka_unit_test(test_mutations),       cmocka_unit_test(test_long_arrays),
        cmocka_unit_test(test_builders),        cmocka_unit_test(test_judges),
        cmocka_unit_test(test_recorded_judged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_raw.c: commands as callers write them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/limits.h"
#include "base/uuid.h"
#include "command/raw.h"
#include "store/queue_state.h"
#include "wire/plist.h"

static struct arena *arena;
static struct raw_command cmd;
static struct err err;

static enum outcome read_text(const char *text)
{
    return raw_command_read(arena, bytes_str(text), &cmd, &err);
}

#define PLIST(inside)                                                                              \
    "<?xml version=\"1.0\"?><plist version=\"1.0\"><dict>" inside "</dict></plist>"
#define UUID "<key>CommandUUID</key><string>u-1</string>"
#define COMMAND(inside) "<key>Command</key><dict>" inside "</dict>"
#define TYPE(t) "<key>RequestType</key><string>" t "</string>"

static void reads_xml_and_binary(void **state)
{
    struct buf bin = BUF_INIT(LIM_MB);
    pl root = NULL;
    (void)state;
    assert_int_equal(read_text(PLIST(UUID COMMAND(TYPE("ProfileList")))), OK);
    assert_string_equal(cmd.uuid, "u-1");
    assert_string_equal(cmd.request_type, "ProfileList");
    assert_int_equal(cmd.fill, 0);
    assert_memory_equal(cmd.xml.p, "<?xml", 5);

    assert_int_equal(pl_parse(cmd.xml, &root, &err), OK);
    assert_int_equal(pl_to_binary(root, &bin), OK);
    pl_free(&root);
    assert_int_equal(raw_command_read(arena, buf_bytes(&bin), &cmd, &err), OK);
    assert_string_equal(cmd.request_type, "ProfileList");
    assert_memory_equal(cmd.xml.p, "<?xml", 5);
    buf_free(&bin);
}

static void fills_an_unlock_token_only_where_there_is_none(void **state)
{
    (void)state;
    assert_int_equal(read_text(PLIST(UUID COMMAND(TYPE("ClearPasscode")))), OK);
    assert_int_equal(cmd.fill, COMMAND_FILL_UNLOCK_TOKEN);
    assert_int_equal(read_text(PLIST(UUID COMMAND(
                         TYPE("ClearPasscode") "<key>UnlockToken</key><data>AAAA</data>"))),
                     OK);
    assert_int_equal(cmd.fill, 0);
}

static void refuses(void **state)
{
    static const struct {
        const char *text, *says;
    } bad[] = {
        {"", "empty"},
        {"hello", "property list"},
        {"<?xml version=\"1.0\"?><plist version=\"1.0\"><array/></plist>", "dictionary"},
        {PLIST(COMMAND(TYPE("A"))), "no CommandUUID"},
        {PLIST("<key>CommandUUID</key><integer>1</integer>" COMMAND(TYPE("A"))), "string"},
        {PLIST("<key>CommandUUID</key><string></string>" COMMAND(TYPE("A"))), "empty CommandUUID"},
        {PLIST("<key>CommandUUID</key><string>a&#10;b</string>" COMMAND(TYPE("A"))), "control"},
        {PLIST(UUID), "no dictionary Command"},
        {PLIST(UUID "<key>Command</key><string>x</string>"), "no dictionary Command"},
        {PLIST(UUID COMMAND("")), "no RequestType"},
        {PLIST(UUID COMMAND("<key>RequestType</key><true/>")), "must be a string"},
        {PLIST(UUID COMMAND(TYPE(""))), "empty RequestType"},
        {PLIST(UUID COMMAND(TYPE("\"&gt;&lt;script&gt;"))), "letters"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        err.msg[0] = '\0';
        if (read_text(bad[i].text) != INVALID || !strstr(err.msg, bad[i].says))
            fail_msg("%zu: \"%s\" instead of \"%s\"", i, err.msg, bad[i].says);
    }
}

/* XML has no form for them: the device would be sent another text than was queued. */
static void refuses_what_xml_cannot_hold(void **state)
{
    static const char *const bad[] = {
        PLIST(UUID COMMAND(TYPE("A") "<key>Pin</key><string>a&#1;b</string>")),
        PLIST(UUID COMMAND(TYPE("A") "<key>Pin</key><array><dict><key>x</key><string>\x1b[31m"
                                     "</string></dict></array>")),
        PLIST(UUID COMMAND(TYPE("A") "<key>a&#2;Pin</key><true/>")),
        PLIST(UUID COMMAND(TYPE("A")) "<key>Pin</key><string>\xef\xbf\xbf</string>")};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        err.msg[0] = '\0';
        if (read_text(bad[i]) != INVALID || !strstr(err.msg, "holds control characters"))
            fail_msg("%zu: \"%s\"", i, err.msg);
    }
    assert_int_equal(
        read_text(PLIST(UUID COMMAND(TYPE("A") "<key>T</key><string>\t\n&#13; \x7f \xef\xbf\xbd "
                                               "\xf0\x9f\x98\x80</string>"))),
        OK);
}

static void ceilings(void **state)
{
    char *text;
    char longer[200];
    (void)state;
    memset(longer, 'u', sizeof longer);
    longer[LIM_COMMAND_UUID] = '\0';
    text = arena_fmt(arena, PLIST("<key>CommandUUID</key><string>%s</string>" COMMAND(TYPE("A"))),
                     longer);
    assert_int_equal(read_text(text), OK);
    text = arena_fmt(arena, PLIST("<key>CommandUUID</key><string>%su</string>" COMMAND(TYPE("A"))),
                     longer);
    assert_int_equal(read_text(text), INVALID);
    longer[RAW_REQUEST_TYPE_MAX] = '\0';
    text =
        arena_fmt(arena, PLIST(UUID COMMAND("<key>RequestType</key><string>%s</string>")), longer);
    assert_int_equal(read_text(text), OK);
    text =
        arena_fmt(arena, PLIST(UUID COMMAND("<key>RequestType</key><string>%su</string>")), longer);
    assert_int_equal(read_text(text), INVALID);

    /* 13 MB of data in a binary list are more than 16 MB in XML */
    struct buf bin = BUF_INIT(LIM_BODY_API);
    pl root = pl_new_dict(), c = pl_new_dict();
    uint8_t *data = arena_alloc(arena, 13 * LIM_MB);
    pl_set_str(root, "CommandUUID", "u");
    pl_set_str(c, "RequestType", "InstallProfile");
    pl_set_data(c, "Payload", bytes_of(data, 13 * LIM_MB));
    pl_set(root, "Command", c);
    assert_int_equal(pl_to_binary(root, &bin), OK);
    pl_free(&root);
    assert_int_equal(raw_command_read(arena, buf_bytes(&bin), &cmd, &err), INVALID);
    buf_free(&bin);
}

static void makes_simple_ones(void **state)
{
    char uuid[UUID_LEN + 1];
    (void)state;
    assert_int_equal(raw_command_simple(arena, "DeviceInformation", &cmd, &err), OK);
    assert_true(uuid_valid(cmd.uuid));
    snprintf(uuid, sizeof uuid, "%s", cmd.uuid);
    assert_int_equal(raw_command_read(arena, cmd.xml, &cmd, &err), OK);
    assert_string_equal(cmd.uuid, uuid);
    assert_string_equal(cmd.request_type, "DeviceInformation");
    assert_int_equal(raw_command_simple(arena, "a b", &cmd, &err), INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_xml_and_binary),
        cmocka_unit_test(fills_an_unlock_token_only_where_there_is_none),
        cmocka_unit_test(refuses),
        cmocka_unit_test(refuses_what_xml_cannot_hold),
        cmocka_unit_test(ceilings),
        cmocka_unit_test(makes_simple_ones),
    };
    arena = arena_new(64 * LIM_MB);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

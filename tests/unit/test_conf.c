/* test_conf.c: the configuration file. */
#include "base/buf.h"
#include "base/conf.h"
#include "base/limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

static char path[] = "/tmp/drover-conf-XXXXXX";

static int set_up(void **state)
{
    (void)state;
    int fd = mkstemp(path);
    return fd < 0 ? -1 : close(fd);
}

static int tear_down(void **state)
{
    (void)state;
    return unlink(path);
}

static enum outcome load(const char *text, size_t n, struct conf **c, struct err *e)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, n, f), n);
    fclose(f);
    return conf_load(path, c, e);
}

static struct conf *taken(const char *text)
{
    struct conf *c;
    struct err e = {0};
    if (load(text, strlen(text), &c, &e) != OK)
        fail_msg("%s: %s", text, e.msg);
    return c;
}

static void assert_refused(const char *text, int line, const char *why)
{
    struct conf *c = (struct conf *)path;
    struct err e = {0};
    char where[100];
    enum outcome o = load(text, strlen(text), &c, &e);
    if (o != INVALID)
        fail_msg("%s for %s", outcome_name(o), text);
    assert_null(c);
    snprintf(where, sizeof where, line ? "%s:%d: " : "%s: ", path, line);
    if (strncmp(e.msg, where, strlen(where)) != 0 || !strstr(e.msg, why))
        fail_msg("\"%s\" does not begin with \"%s\" or does not say \"%s\"", e.msg, where, why);
}

static void test_defaults(void **state)
{
    (void)state;
    struct conf *c = taken("");
    assert_string_equal(c->path, path);
    assert_string_equal(c->device_url, "");
    assert_string_equal(c->state_dir, "/var/lib/drover");
    assert_string_equal(c->run_dir, "/run/drover");
    assert_string_equal(c->log, "stderr");
    assert_string_equal(c->log_level, "info");
    assert_int_equal(c->db_hosts.n, 0);
    assert_string_equal(c->db_socket, "/run/mysqld/mysqld.sock");
    assert_string_equal(c->db_name, "drover");
    assert_string_equal(c->mdm.socket, "/run/drover/mdm.sock");
    assert_string_equal(c->console.socket, "/run/drover/console.sock");
    assert_int_equal(c->mdm.processes, 1);
    assert_int_equal(c->mdm.threads, 32);
    assert_int_equal(c->console.processes, 1);
    assert_int_equal(c->console.threads, 8);
    assert_true(c->identity_variables);
    assert_true(c->identity_signature);
    assert_int_equal(c->proxy_trust.n, 0);
    assert_string_equal(c->proxy_header, "Client-Cert");
    assert_string_equal(c->unknown_action, "hold");
    assert_int_equal(c->unknown_hours, 24);
    assert_string_equal(c->restore_action, "accept");
    assert_string_equal(c->user_authenticate, "refuse");
    assert_string_equal(c->apns_url, "https://api.push.apple.com");
    assert_int_equal(c->apns_expiration_s, 7 * 86400);
    assert_int_equal(c->apns_streams, 100);
    assert_false(c->enroll_open);
    assert_int_equal(c->enroll_access_rights, 8191);
    assert_false(c->nanomdm_migration);
    assert_string_equal(c->escrow_url, "https://deviceservices-external.apple.com/"
                                       "deviceservicesworkers/escrowKeyUnlock");
    conf_free(&c);
    assert_null(c);
    conf_free(&c);
}

static void test_values(void **state)
{
    (void)state;
    struct conf *c = taken("\xef\xbb\xbf; a comment\n"
                           "# another\n"
                           "[server]\n"
                           "  device_url = https://mdm.example.com:8443 ; on a line\n"
                           "run_dir=/tmp/run\r\n"
                           "state_dir : /tmp/state\n"
                           "organization = Example \"Ltd\" \xc3\xa9\n"
                           "log = syslog\n"
                           "[database]\n"
                           "hosts = db1:3306, db2.example.com:3307\n"
                           "  [2001:db8::1]:3306\tdb_4:1\n"
                           "timeout = 2m\n"
                           "[mdm]\n"
                           "memory_max = 64M\n"
                           "deadline = 90\n"
                           "threads = 128\n"
                           "[proxy]\n"
                           "trust = 127.0.0.1 10.0.0.0/8,::1,2001:db8::/32\n"
                           "[scep]\n"
                           "des = off\n"
                           "[enroll]\n"
                           "open = yes\n"
                           "access_rights = 195\n"
                           "[server]\n"
                           "log_level = debug");
    assert_string_equal(c->device_url, "https://mdm.example.com:8443");
    assert_string_equal(c->mdm.socket, "/tmp/run/mdm.sock");
    assert_string_equal(c->signer_dir, "/tmp/state/signer");
    assert_string_equal(c->organization, "Example \"Ltd\" \xc3\xa9");
    assert_string_equal(c->log, "syslog");
    assert_string_equal(c->log_level, "debug");
    assert_int_equal(c->db_hosts.n, 4);
    assert_string_equal(c->db_hosts.item[0], "db1:3306");
    assert_string_equal(c->db_hosts.item[2], "[2001:db8::1]:3306");
    assert_string_equal(c->db_hosts.item[3], "db_4:1");
    assert_int_equal(c->db_timeout_s, 120);
    assert_int_equal(c->mdm.memory_max, 64 * LIM_MB);
    assert_int_equal(c->mdm.deadline_s, 90);
    assert_int_equal(c->mdm.threads, 128);
    assert_int_equal(c->console.deadline_s, 30);
    assert_int_equal(c->proxy_trust.n, 4);
    assert_string_equal(c->proxy_trust.item[3], "2001:db8::/32");
    assert_false(c->scep_des);
    assert_true(c->enroll_open);
    assert_int_equal(c->enroll_access_rights, 195);
    conf_free(&c);
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int line;
        const char *why;
    } bad[] = {
        {"threads = 1\n", 1, "before any [section]"},
        {"[server]\n\n[servers]\n", 3, "no section [servers]"},
        {"[servers]\nlog = stderr\n", 1, "no section [servers]"},
        {"[server]\nlogg = stderr\n", 2, "[server] has no key \"logg\""},
        {"[mdm]\nlog = stderr\n", 2, "[mdm] has no key \"log\""},
        {"[mdm]\nThreads = 1\n", 2, "no key \"Threads\""},
        {"[server\n", 1, "neither"},
        {"[server]\nhello\n", 2, "neither"},
        {"[server]\nhello\n[mdm]\nthreads=x\n", 2, "neither"},
        {"[mdm]\nthreads = 1\n\nthreads = 2\n", 4, "given twice"},
        {"[mdm]\nthreads = 1\n processes = 2\n", 3, "given twice"},
        {"[proxy]\ntrust = 127.0.0.1\ntrust = 192.0.2.1\n", 3, "[proxy] trust: given twice"},
        {"[proxy]\ntrust = ::1\n 192.0.2.1\n[mdm]\n[proxy]\ntrust = ::2\n", 6, "given twice"},
        {"[mdm]\nthreads = 0\n", 2, "from 1 to 128"},
        {"[mdm]\nthreads = 129\n", 2, "from 1 to 128"},
        {"[mdm]\nthreads = -1\n", 2, "from 1 to 128"},
        {"[mdm]\nthreads = 4x\n", 2, "from 1 to 128"},
        {"[mdm]\nthreads = 4K\n", 2, "from 1 to 128"},
        {"[mdm]\nthreads = 99999999999999999999\n", 2, "from 1 to 128"},
        {"[mdm]\nthreads =\n", 2, "from 1 to 128"},
        {"[mdm]\nthreads = 0x10\n", 2, "from 1 to 128"},
        {"[mdm]\nmemory_max = 1K\n", 2, "K, M or G"},
        {"[mdm]\nmemory_max = 9999999999999G\n", 2, "K, M or G"},
        {"[mdm]\nmemory_max = 64MB\n", 2, "K, M or G"},
        {"[mdm]\ndeadline = 2w\n", 2, "s, m, h or d"},
        {"[mdm]\nsocket = run/x\n", 2, "absolute path"},
        {"[mdm]\nsocket =\n", 2, "absolute path"},
        {"[mdm]\nsocket_mode = 660\n", 2, "octal"},
        {"[mdm]\nsocket_mode = 0680\n", 2, "octal"},
        {"[scep]\ndes = maybe\n", 2, "neither yes nor no"},
        {"[scep]\ndes =\n", 2, "neither yes nor no"},
        {"[scep]\nmin_rsa = 1024\n", 2, "from 2048"},
        {"[unknown]\naction = burn\n", 2, "hold end"},
        {"[unknown]\naction = ol\n", 2, "hold end"},
        {"[unknown]\naction =\n", 2, "hold end"},
        {"[unknown]\naction = hold end\n", 2, "hold end"},
        {"[unknown]\nhours = 1\n", 2, "from 24"},
        {"[restore]\naction = maybe\n", 2, "accept refuse"},
        {"[checkin]\nuser_authenticate = yes\n", 2, "refuse accept digest"},
        {"[server]\nlog_level = loud\n", 2, "error warning info debug"},
        {"[server]\nlog = file\n", 2, "absolute path"},
        {"[server]\ndevice_url = http://x\n", 2, "https://"},
        {"[server]\ndevice_url = https://x/\n", 2, "https://"},
        {"[server]\ndevice_url = https://\n", 2, "https://"},
        {"[server]\ndevice_url = https:///x\n", 2, "https://"},
        {"[server]\ndevice_url = https://:443\n", 2, "https://"},
        {"[server]\ndevice_url = https://a b\n", 2, "https://"},
        {"[server]\ndevice_url = https://a\"b\n", 2, "https://"},
        {"[apns]\nurl = ftp://x\n", 2, "https://"},
        {"[server]\nstate_dir = var\n", 2, "absolute path"},
        {"[server]\norganization = a\x01"
         "b\n",
         2, "control"},
        {"[database]\nhosts = db\n", 2, "no host:port"},
        {"[database]\nhosts = db:0\n", 2, "no host:port"},
        {"[database]\nhosts = db:65536\n", 2, "no host:port"},
        {"[database]\nhosts = :3306\n", 2, "no host:port"},
        {"[database]\nhosts = a:1,b;c:2\n", 2, "no host:port"},
        {"[database]\nhosts = [::1:3306\n", 2, "no host:port"},
        {"[database]\nhosts = a:1\n name = x\n", 3, "no host:port"},
        {"[proxy]\ntrust = example.com\n", 2, "no address"},
        {"[proxy]\ntrust = 10.0.0.0/33\n", 2, "no address"},
        {"[proxy]\ntrust = 10.0.0.0/\n", 2, "no address"},
        {"[proxy]\ntrust = ::1/129\n", 2, "no address"},
        {"[proxy]\ntrust = 1.2.3\n", 2, "no address"},
        {"[proxy]\nheader = Client Cert\n", 0, "name of a header"},
        {"[proxy]\nheader = Client_Cert\n", 0, "name of a header"},
        {"[proxy]\nheader =\n", 0, "name of a header"},
        {"[enroll]\naccess_rights = 0\n", 2, "from 1 to 8191"},
        {"[enroll]\naccess_rights = 8192\n", 2, "from 1 to 8191"},
        {"[enroll]\naccess_rights = 2\n", 0, "2 needs 1"},
        {"[enroll]\naccess_rights = 129\n", 0, "128 needs 64"},
        {"[server]\nstate_dir =\n", 0, "must not be empty"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_refused(bad[i].text, bad[i].line, bad[i].why);
}

static void test_long_lines(void **state)
{
    (void)state;
    struct buf b = BUF_INIT(LIM_MB);
    buf_str(&b, "[server]\norganization = ");
    for (int i = 0; i < 300; i++)
        buf_char(&b, 'x');
    buf_char(&b, '\n');
    assert_refused(buf_cstr(&b), 2, "line longer than");
    buf_clear(&b);
    buf_str(&b, "[proxy]\ntrust = 10.0.0.1\n");
    for (int i = 0; i < CONF_LIST_MAX; i++)
        buf_fmt(&b, "  10.0.0.%d\n", i);
    assert_refused(buf_cstr(&b), 2 + CONF_LIST_MAX, "more than 32 items");
    buf_clear(&b);
    buf_str(&b, "[mdm]\nsocket = /");
    for (int i = 0; i < 107; i++)
        buf_char(&b, 'x');
    assert_refused(buf_cstr(&b), 2, "107 characters");
    buf_free(&b);
}

static void test_files(void **state)
{
    (void)state;
    struct conf *c;
    struct err e = {0};
    assert_int_equal(conf_load("/nonexistent/drover.conf", &c, &e), NOT_FOUND);
    assert_non_null(strstr(e.msg, "/nonexistent/drover.conf"));
    assert_int_equal(conf_load("/tmp", &c, &e), ERROR);
    assert_int_equal(load("[server]\nlog = st\0derr\nx\n", 25, &c, &e), INVALID);
    assert_non_null(strstr(e.msg, ":2: a NUL"));
    unsetenv("DROVER_CONF");
    assert_string_equal(conf_path("/x"), "/x");
    assert_non_null(strstr(conf_path(NULL), "/drover/drover.conf"));
    setenv("DROVER_CONF", "/y", 1);
    assert_string_equal(conf_path(NULL), "/y");
    assert_string_equal(conf_path("/x"), "/x");
    setenv("DROVER_CONF", "", 1);
    assert_non_null(strstr(conf_path(NULL), "/drover/drover.conf"));
    unsetenv("DROVER_CONF");
}

/* What conf_describe prints is a file that says nothing new: every key, with its default. */
static void test_describe(void **state)
{
    (void)state;
    char shown[] = "/tmp/drover-conf-XXXXXX";
    int fd = mkstemp(shown), out = dup(STDOUT_FILENO);
    assert_true(fd >= 0 && out >= 0);
    fflush(stdout);
    dup2(fd, STDOUT_FILENO);
    conf_describe();
    fflush(stdout);
    dup2(out, STDOUT_FILENO);
    FILE *f = fdopen(fd, "r");
    char line[500];
    int sections = 0, described = 0, helped = 0;
    struct buf text = BUF_INIT(LIM_MB);
    rewind(f);
    while (fgets(line, sizeof line, f)) {
        sections += line[0] == '[';
        described += strstr(line, " =") != NULL && line[0] != ' ';
        helped += strncmp(line, "    (", 5) == 0;
        if (line[0] != ' ' && !strchr(line, '{') && !strstr(line, "= \n"))
            buf_str(&text, line);
    }
    assert_true(sections >= 17);
    assert_int_equal(described, helped);
    assert_true(described >= 60);
    struct conf *c = taken(buf_cstr(&text));
    conf_free(&c);
    buf_free(&text);
    fclose(f);
    close(out);
    unlink(shown);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults), cmocka_unit_test(test_values),
        cmocka_unit_test(test_refused),  cmocka_unit_test(test_long_lines),
        cmocka_unit_test(test_files),    cmocka_unit_test(test_describe),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

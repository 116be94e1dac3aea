/*
 * test_db_net.c: pools, fail-over, an uncertain COMMIT and a server that goes away. A relay
 * between the helper and the server cuts connections where the server cannot be made to.
 */
#include "testdb.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/clock.h"
#include "base/limits.h"

#define SQL(n, t) static const struct sql n = {.name = #n, .text = (t)}
#define RESTART_DIR "build/testdb-restart"

SQL(PUT, "INSERT INTO t (id, n) VALUES (?, 1) ON DUPLICATE KEY UPDATE n = n + 1");
SQL(INS, "INSERT INTO t (id) VALUES (?)");
SQL(GET, "SELECT n FROM t WHERE id = ?");
SQL(COUNT, "SELECT COUNT(*) FROM t");
SQL(MY_ID, "SELECT CONNECTION_ID()");

static const struct conf *conf;
static struct arena *arena;
static struct err err;

static int64_t select_int(struct db *d, const struct sql *sql, int64_t id)
{
    struct rows r;
    struct val v = val_int(id);
    assert_ok(db_select(d, sql, &v, id ? 1 : 0, arena, &r, &err), err);
    assert_int_equal(r.n, 1);
    return row_at(&r, 0, 0)->i;
}

static struct db *connect_as(const struct conf *c, enum db_role role)
{
    struct db *d = NULL;
    assert_ok(db_new(c, role, &d, &err), err);
    return d;
}

/* --- the relay ------------------------------------------------------------------------------- */

struct relay {
    int listener, port;
    const char *target; /* the server's socket */
    atomic_int swallow; /* so many answers to COMMIT are not handed on, and the line is cut */
    atomic_int commits, lines;
    atomic_bool stop;
    pthread_t thread;
};

static bool send_all(int fd, const char *p, size_t n)
{
    while (n) {
        ssize_t w = send(fd, p, n, MSG_NOSIGNAL);
        if (w <= 0)
            return false;
        p += w;
        n -= (size_t)w;
    }
    return true;
}

/* Hands octets on in both directions, one connection at a time. */
static void relay_line(struct relay *r, int client)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    int server = socket(AF_UNIX, SOCK_STREAM, 0);
    char b[16384];
    bool commit = false;
    strcpy(to.sun_path, r->target);
    if (connect(server, (struct sockaddr *)&to, sizeof to) != 0)
        abort();
    r->lines++;
    while (!r->stop) {
        struct pollfd p[2] = {{.fd = client, .events = POLLIN}, {.fd = server, .events = POLLIN}};
        if (poll(p, 2, 50) <= 0)
            continue;
        int from = p[0].revents ? client : server;
        ssize_t n = recv(from, b, sizeof b, 0);
        if (n <= 0)
            break;
        if (from == client && n >= 11 && memcmp(b + 4, "\3COMMIT", 7) == 0) {
            commit = true;
            r->commits++;
        } else if (from == server && commit && r->swallow > 0) {
            r->swallow--;
            break;
        } else if (from == server) {
            commit = false;
        }
        if (!send_all(from == client ? server : client, b, (size_t)n))
            break;
    }
    close(server);
}

static void *relay_main(void *arg)
{
    struct relay *r = arg;
    while (!r->stop) {
        struct pollfd p = {.fd = r->listener, .events = POLLIN};
        if (poll(&p, 1, 50) <= 0)
            continue;
        int client = accept(r->listener, NULL, NULL);
        relay_line(r, client);
        close(client);
    }
    return NULL;
}

static void relay_start(struct relay *r)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof a;
    *r = (struct relay){.target = conf->db_socket};
    r->listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(r->listener, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(r->listener, 8), 0);
    assert_int_equal(getsockname(r->listener, (struct sockaddr *)&a, &n), 0);
    r->port = ntohs(a.sin_port);
    assert_int_equal(pthread_create(&r->thread, NULL, relay_main, r), 0);
}

static void relay_stop(struct relay *r)
{
    r->stop = true;
    pthread_join(r->thread, NULL);
    close(r->listener);
}

/* A configuration that reaches the server through the relay; before it stand hosts that are away.
 */
static struct conf conf_relay(const struct relay *r, char item[32])
{
    struct conf c = *conf;
    snprintf(item, 32, "127.0.0.1:%d", r->port);
    c.db_socket = "";
    c.db_hosts = (struct conf_list){.item = {item}, .n = 1};
    return c;
}

/* --- connecting ------------------------------------------------------------------------------ */

static void accounts_and_hosts_that_do_not_work(void **state)
{
    (void)state;
    struct conf c = *conf;
    struct db *d;
    c.db_socket = "/nonexistent/mysqld.sock";
    d = connect_as(&c, DB_OWNER);
    assert_outcome(db_ping(d, &err), UNAVAILABLE, err);
    assert_non_null(strstr(err.msg, "/nonexistent/mysqld.sock"));
    db_free(&d);
    c.db_socket = "";
    d = connect_as(&c, DB_OWNER);
    assert_outcome(db_ping(d, &err), ERROR, err);
    db_free(&d);
    static const char *const bad[] = {"host:", "host:0", "host:65536", "host:1x", ":3306",
                                      "[::1",  ""};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        c.db_hosts = (struct conf_list){.item = {bad[i]}, .n = 1};
        d = connect_as(&c, DB_OWNER);
        assert_outcome(db_ping(d, &err), ERROR, err);
        assert_non_null(strstr(err.msg, "host:port"));
        db_free(&d);
    }
    c = *conf;
    c.db_owner_password_file = conf->db_mdm_password_file;
    d = connect_as(&c, DB_OWNER);
    assert_outcome(db_ping(d, &err), ERROR, err);
    assert_non_null(strstr(err.msg, "1045"));
    db_free(&d);
    c.db_owner_password_file = "/nonexistent/password";
    d = connect_as(&c, DB_OWNER);
    assert_outcome(db_ping(d, &err), ERROR, err);
    assert_non_null(strstr(err.msg, "/nonexistent/password"));
    db_free(&d);
    db_free(&d); /* NULL is accepted */
}

static void the_next_host_is_tried(void **state)
{
    (void)state;
    struct relay r;
    char item[32];
    relay_start(&r);
    struct conf c = conf_relay(&r, item);
    c.db_socket = "/nonexistent/mysqld.sock"; /* not used when there are hosts */
    c.db_hosts = (struct conf_list){.item = {"127.0.0.1:1", "[::1]:1", item}, .n = 3};
    struct db *d = connect_as(&c, DB_OWNER);
    assert_ok(db_ping(d, &err), err);
    assert_int_equal(r.lines, 1);
    assert_true(select_int(d, &MY_ID, 0) > 0);
    db_free(&d);
    relay_stop(&r);
}

/* --- an uncertain COMMIT --------------------------------------------------------------------- */

static enum outcome put(struct db *d, void *arg, struct err *e)
{
    struct val v = val_int(*(int64_t *)arg);
    return db_exec(d, &PUT, &v, 1, NULL, e);
}

static void an_uncertain_commit_runs_the_unit_again(void **state)
{
    (void)state;
    struct relay r;
    char item[32];
    int64_t id = 100;
    relay_start(&r);
    struct conf c = conf_relay(&r, item);
    struct db *d = connect_as(&c, DB_OWNER), *direct = connect_as(conf, DB_OWNER);
    assert_ok(db_ping(d, &err), err);
    r.swallow = 1;
    assert_ok(db_unit(d, put, &id, &err), err);
    assert_int_equal(r.commits, 2);
    assert_int_equal(select_int(direct, &GET, id), 2); /* it had gone through the first time */
    id = 101;
    r.swallow = 100;
    r.commits = 0;
    assert_outcome(db_unit(d, put, &id, &err), UNAVAILABLE, err);
    assert_int_equal(r.commits, 5);
    db_free(&d);
    db_free(&direct);
    relay_stop(&r);
}

static void an_uncertain_array_is_not_run_again(void **state)
{
    (void)state;
    struct relay r;
    char item[32];
    relay_start(&r);
    struct conf c = conf_relay(&r, item);
    struct db *d = connect_as(&c, DB_OWNER), *direct = connect_as(conf, DB_OWNER);
    assert_ok(db_ping(d, &err), err);
    r.swallow = 1;
    struct val v[2] = {val_int(110), val_int(111)};
    assert_outcome(db_exec_many(d, &PUT, v, 1, 2, NULL, &err), UNAVAILABLE, err);
    assert_int_equal(select_int(direct, &GET, 110), 1);
    assert_ok(db_exec_many(d, &PUT, v, 1, 2, NULL, &err), err);
    assert_int_equal(select_int(direct, &GET, 110), 2);
    db_free(&d);
    db_free(&direct);
    relay_stop(&r);
}

/* --- pools ----------------------------------------------------------------------------------- */

struct worker {
    struct db_pool *pool;
    int64_t first;
    int n, fine, away, other;
    atomic_bool *stop;
    char done[20000]; /* ids whose unit was OK */
};

static void *worker_main(void *arg)
{
    struct worker *w = arg;
    struct err e;
    for (int i = 0; i < w->n && !(w->stop && *w->stop); i++) {
        struct db *d = NULL;
        int64_t id = w->first + i;
        enum outcome o = db_pool_take(w->pool, &d, &e);
        if (o == OK)
            o = db_unit(d, put, &id, &e);
        w->done[i] = o == OK;
        w->fine += o == OK;
        w->away += o == UNAVAILABLE;
        w->other += o != OK && o != UNAVAILABLE;
        db_pool_give(w->pool, &d);
        if (w->stop)
            usleep(2000);
    }
    return NULL;
}

static void threads_share_a_pool(void **state)
{
    (void)state;
    struct db_pool *p;
    struct worker *w = calloc(4, sizeof *w);
    pthread_t t[4];
    assert_ok(db_pool_new(conf, DB_OWNER, 2, &p, &err), err);
    for (int i = 0; i < 4; i++) {
        w[i] = (struct worker){.pool = p, .first = 1000 + i * 100, .n = 50};
        assert_int_equal(pthread_create(&t[i], NULL, worker_main, &w[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(t[i], NULL);
        assert_int_equal(w[i].fine, 50);
    }
    struct db *d = connect_as(conf, DB_OWNER);
    SQL(RANGE, "SELECT COUNT(*) FROM t WHERE id BETWEEN 1000 AND 1999 AND n = 1");
    assert_int_equal(select_int(d, &RANGE, 0), 200);
    db_free(&d);
    db_pool_free(&p);
    db_pool_free(&p);
    free(w);
}

static void a_pool_keeps_its_ceiling_and_its_connections(void **state)
{
    (void)state;
    struct db_pool *p;
    struct db *a, *b, *c;
    struct conf quick = *conf;
    quick.db_timeout_s = 1;
    assert_outcome(db_pool_new(&quick, DB_OWNER, 0, &p, &err), ERROR, err);
    assert_ok(db_pool_new(&quick, DB_OWNER, 2, &p, &err), err);
    assert_ok(db_pool_take(p, &a, &err), err);
    assert_ok(db_pool_take(p, &b, &err), err);
    int64_t before = clock_mono();
    assert_outcome(db_pool_take(p, &c, &err), UNAVAILABLE, err);
    assert_null(c);
    assert_in_range(clock_mono() - before, 900000, 3000000);
    int64_t id = select_int(a, &MY_ID, 0);
    db_pool_give(p, &a);
    assert_null(a);
    assert_ok(db_pool_take(p, &c, &err), err);
    assert_int_equal(select_int(c, &MY_ID, 0), id); /* the same connection */
    db_pool_give(p, &b);
    db_pool_give(p, &c);
    db_pool_give(p, &c); /* NULL is accepted */
    db_pool_free(&p);
}

static void a_server_that_is_stopped_and_started(void **state)
{
    (void)state;
    const struct conf *own = testdb_conf(RESTART_DIR, "drover_test_restart");
    struct db_pool *p;
    atomic_bool stop = false;
    struct worker *w = calloc(3, sizeof *w);
    pthread_t t[3];
    struct db *d = connect_as(own, DB_OWNER);
    assert_ok(db_run(d, "r", "CREATE TABLE t (id BIGINT PRIMARY KEY, n BIGINT)", &err), err);
    assert_ok(db_pool_new(own, DB_OWNER, 3, &p, &err), err);
    for (int i = 0; i < 3; i++) {
        w[i] = (struct worker){.pool = p, .first = 1 + i * 100000, .n = 20000, .stop = &stop};
        assert_int_equal(pthread_create(&t[i], NULL, worker_main, &w[i]), 0);
    }
    usleep(300000);
    testdb_shell("scripts/testdb stop " RESTART_DIR);
    usleep(300000);
    struct rows r;
    assert_outcome(db_select(d, &COUNT, NULL, 0, arena, &r, &err), UNAVAILABLE, err);
    testdb_shell("scripts/testdb start " RESTART_DIR " --fast");
    usleep(500000);
    stop = true;
    for (int i = 0; i < 3; i++) {
        pthread_join(t[i], NULL);
        assert_true(w[i].away > 0);
        assert_int_equal(w[i].other, 0);
        assert_int_equal(w[i].done[0], 1);
        for (int k = 0; k < 20000; k++) /* what was reported stored is stored */
            if (w[i].done[k])
                assert_true(select_int(d, &GET, w[i].first + k) >= 1);
    }
    struct db *again;
    for (int i = 0; i < 3; i++) {
        assert_ok(db_pool_take(p, &again, &err), err);
        assert_ok(db_exec(again, &INS, (struct val[]){val_int(500000 + i)}, 1, NULL, &err), err);
        db_pool_give(p, &again);
    }
    db_free(&d);
    db_pool_free(&p);
    free(w);
    testdb_shell("scripts/testdb stop " RESTART_DIR);
}

/* The first host has become a replica: it answers, and takes no writes. */
static void a_host_that_takes_no_writes(void **state)
{
    (void)state;
    struct relay replica, main;
    char first[32], second[32];
    int64_t id = 700000;
    struct val v = val_int(id);
    testdb_shell("mkdir -p " RESTART_DIR "/secrets && cp %s/secrets/owner.password " RESTART_DIR
                 "/secrets/ && scripts/testdb stop " RESTART_DIR,
                 TESTDB_DIR);
    const struct conf *own = testdb_conf(RESTART_DIR, "drover_test_db_net");
    struct db *d = connect_as(own, DB_OWNER);
    assert_ok(db_run(d, "r", "CREATE TABLE t (id BIGINT PRIMARY KEY, n BIGINT)", &err), err);
    db_free(&d);
    testdb_shell("mariadb --no-defaults --socket=%s --user=root -e 'SET GLOBAL read_only=1'",
                 own->db_socket);
    relay_start(&replica);
    replica.target = own->db_socket;
    relay_start(&main);
    struct conf c = conf_relay(&replica, first);
    (void)conf_relay(&main, second);
    c.db_hosts = (struct conf_list){.item = {first, second}, .n = 2};
    d = connect_as(&c, DB_OWNER);
    assert_ok(db_ping(d, &err), err);
    assert_int_equal(replica.lines, 1);
    assert_ok(db_unit(d, put, &id, &err), err);
    assert_int_equal(select_int(d, &GET, id), 1);
    assert_int_equal(main.lines, 1);
    assert_ok(db_exec(d, &PUT, &v, 1, NULL, &err), err);
    assert_int_equal(replica.lines, 1); /* and it stays with the host that does */
    db_free(&d);
    relay_stop(&main);
    relay_stop(&replica);
}

static int writes_again(void **state)
{
    (void)state;
    testdb_shell("scripts/testdb stop " RESTART_DIR);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accounts_and_hosts_that_do_not_work),
        cmocka_unit_test(the_next_host_is_tried),
        cmocka_unit_test(an_uncertain_commit_runs_the_unit_again),
        cmocka_unit_test(an_uncertain_array_is_not_run_again),
        cmocka_unit_test(threads_share_a_pool),
        cmocka_unit_test(a_pool_keeps_its_ceiling_and_its_connections),
        cmocka_unit_test(a_server_that_is_stopped_and_started),
        cmocka_unit_test_teardown(a_host_that_takes_no_writes, writes_again),
    };
    conf = testdb_conf(TESTDB_DIR, "drover_test_db_net");
    arena = arena_new(64 * LIM_MB);
    struct db *d = connect_as(conf, DB_OWNER);
    if (db_run(d, "r", "CREATE TABLE t (id BIGINT PRIMARY KEY, n BIGINT)", &err) != OK)
        return 1;
    db_free(&d);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

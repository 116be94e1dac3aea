#!/usr/bin/python3
"""Pushes: the real agent against a real MariaDB and the simulator of Apple's service."""
import os
import signal
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from pushsite import Site, wait_for  # noqa: E402

TOPIC = "com.apple.mgmt.External.11111111-1111-4111-8111-111111111111"
OTHER = "com.apple.mgmt.External.22222222-2222-4222-8222-222222222222"
WANTED, CLAIMED, SENT, FAILED, DEAD = "12345"


class PushCase(unittest.TestCase):
    """One site and one agent for the class; each test has enrollments of its own."""

    site = None
    next_id = 1

    @classmethod
    def setUpClass(cls):
        cls.site = Site()
        try:
            cls.site.push_cert(TOPIC)
            cls.site.agent()
        except BaseException:
            cls.site.close()
            raise

    @classmethod
    def tearDownClass(cls):
        cls.site.close()

    def setUp(self):
        self.site.rules()

    def devices(self, n=1, topic=TOPIC, **more):
        first = PushCase.next_id
        PushCase.next_id += n
        self.site.enroll(first, n, topic, **more)
        return list(range(first, first + n))

    def settled(self, i, state, seconds=10):
        def look():
            row = self.site.push(i)
            return row if row and row["state"] == state else None
        try:
            return wait_for(look, seconds)
        except AssertionError:
            self.fail(f"push of {i} is {self.site.push(i)}, not in state {state}")

    def tried(self, i, attempts=1, seconds=10):
        wait_for(lambda: int(self.site.push(i)["attempts"]) >= attempts, seconds,
                 f"{attempts} attempts")
        return self.site.push(i)

    def due_in(self, i):
        return float(self.site.sql("SELECT (due_at - UNIX_TIMESTAMP(NOW(6)) * 1000000) / 1000000 "
                                   f"FROM push WHERE enrollment_id = {i}")[0][0])


class Answers(PushCase):
    def test_sent_within_a_second_as_apple_wants_it(self):
        i, = self.devices()
        asked = time.time()
        self.site.want(i, keep=600)
        row = self.settled(i, SENT)
        push, = self.site.received(i)
        self.assertLess(push["time_us"] / 1e6 - asked, 1.0)
        self.assertEqual(push["push_magic"], f'magic "{i}')
        self.assertEqual(push["topic"], TOPIC)
        self.assertEqual(push["priority"], 10)
        self.assertAlmostEqual(push["expiration"], asked + 600, delta=3)
        self.assertEqual(row["apns_id"], push["apns_id"])
        self.assertEqual((row["last_status"], row["attempts"]), ("200", "1"))

    def test_the_askers_apns_id_is_used(self):
        i, = self.devices()
        mine = "5B1A2C3D-0000-4000-8000-0123456789AB"
        self.site.sql(f"INSERT INTO push (enrollment_id, state, due_at, wanted_at, expires_at, "
                      f"apns_id) VALUES ({i}, 1, 0, 1, 9000000000000000, '{mine}')")
        self.settled(i, SENT)
        self.assertEqual([p["apns_id"] for p in self.site.received(i)], [mine])

    def test_each_final_refusal(self):
        cases = [(400, "BadDeviceToken", DEAD), (400, "DeviceTokenNotForTopic", DEAD),
                 (410, "Unregistered", DEAD), (410, "ExpiredToken", DEAD),
                 (413, "PayloadTooLarge", FAILED), (400, "BadMessageId", FAILED),
                 (404, "BadPath", FAILED), (405, "MethodNotAllowed", FAILED)]
        ids = self.devices(len(cases))
        self.site.rules(*({"token": self.site.token(i), "status": c[0], "reason": c[1]}
                          for i, c in zip(ids, cases)))
        self.site.want(*ids)
        for i, (status, reason, state) in zip(ids, cases):
            with self.subTest(reason=reason):
                row = self.settled(i, state)
                self.assertEqual((row["last_status"], row["last_reason"]), (str(status), reason))
                dead = self.site.sql(f"SELECT push_dead_at IS NOT NULL, push_dead_why FROM life "
                                     f"WHERE id = {i}")[0]
                want = ["1", reason] if state == DEAD else ["0", "NULL"]
                self.assertEqual(dead, want)
        time.sleep(1)
        self.assertEqual([len(self.site.received(i)) for i in ids], [1] * len(ids))

    def test_each_temporary_refusal_is_tried_again(self):
        cases = [(500, "InternalServerError"), (503, "ServiceUnavailable"), (503, "Shutdown"),
                 (429, "TooManyRequests"), (400, "IdleTimeout")]
        ids = self.devices(len(cases))
        self.site.rules(*({"token": self.site.token(i), "status": c[0], "reason": c[1]}
                          for i, c in zip(ids, cases)))
        self.site.want(*ids)
        for i, (status, reason) in zip(ids, cases):
            with self.subTest(reason=reason):
                row = self.tried(i)
                self.assertEqual((row["state"], row["last_status"], row["last_reason"]),
                                 (WANTED, str(status), reason))
                first = 2 if status >= 500 else 30
                self.assertTrue(first * 0.5 < self.due_in(i) < first * 1.3, self.due_in(i))
        self.site.rules()
        self.settled(ids[0], SENT)

    def test_retry_after_is_obeyed(self):
        i, = self.devices()
        self.site.rules({"token": self.site.token(i), "status": 503, "times": 1,
                         "reason": "ServiceUnavailable", "retry_after": "3"})
        self.site.want(i)
        row = self.settled(i, SENT)
        first, second = self.site.received(i)
        self.assertGreaterEqual(second["time_us"] - first["time_us"], 3000000)
        self.assertLess(second["time_us"] - first["time_us"], 5000000)
        self.assertEqual(row["attempts"], "2")

    def test_410_newer_than_the_token_kills_it_and_a_token_update_revives(self):
        i, = self.devices()
        self.site.rules({"token": self.site.token(i), "status": 410, "reason": "Unregistered",
                         "timestamp": int((time.time() + 60) * 1000)})
        self.site.want(i)
        self.settled(i, DEAD)
        self.site.want(i)
        self.settled(i, DEAD)
        self.assertEqual(len(self.site.received(i)), 1)
        new = "ab" * 32
        self.site.sql(f"UPDATE life SET push_token = UNHEX('{new}'), push_dead_at = NULL, "
                      f"token_at = token_at + 1 WHERE id = {i}")
        self.site.want(i)
        self.settled(i, SENT)
        pushes = self.site.control("GET", "pushes?token=" + new)["pushes"]
        self.assertEqual([p["status"] for p in pushes], [200])

    def test_410_older_than_the_token_is_ignored(self):
        i, = self.devices()
        self.site.rules({"token": self.site.token(i), "status": 410, "reason": "Unregistered",
                         "timestamp": int((time.time() - 3600) * 1000)})
        self.site.want(i)
        row = self.tried(i)
        self.assertEqual((row["state"], row["last_status"]), (WANTED, "410"))
        self.assertEqual(self.site.sql(f"SELECT push_dead_at FROM life WHERE id = {i}"),
                         [["NULL"]])

    def test_a_token_that_changed_in_flight_is_pushed_at_once(self):
        i, = self.devices()
        self.site.rules({"token": self.site.token(i), "status": 410, "reason": "Unregistered",
                         "delay_ms": 700})
        self.site.want(i)
        self.settled(i, CLAIMED)
        new = "cd" * 32
        self.site.sql(f"UPDATE life SET push_token = UNHEX('{new}'), token_at = token_at + 1 "
                      f"WHERE id = {i}")
        self.settled(i, SENT)
        self.assertEqual(len(self.site.control("GET", "pushes?token=" + new)["pushes"]), 1)

    def test_a_wish_during_the_flight_is_not_lost_and_wishes_before_it_are_one(self):
        i, = self.devices()
        self.site.rules({"token": self.site.token(i), "delay_ms": 700, "times": 1})
        self.site.want(i, i, i)
        self.settled(i, CLAIMED)
        self.site.want(i)  # once: a second one may come when the first has gone out already
        wait_for(lambda: len(self.site.received(i)) == 2, 10, "two pushes")
        self.settled(i, SENT)
        time.sleep(0.5)
        self.assertEqual(len(self.site.received(i)), 2)

    def test_a_broken_stream_is_tried_again(self):
        i, = self.devices()
        self.site.rules({"token": self.site.token(i), "reset": True, "times": 1})
        self.site.want(i)
        row = self.settled(i, SENT)
        self.assertEqual(row["attempts"], "2")

    def test_many_pushes_share_one_connection(self):
        ids = self.devices(60)
        self.site.rules({"delay_ms": 100})
        self.site.want(*ids)
        wait_for(lambda: int(self.site.sql("SELECT COUNT(*) FROM push WHERE state = 2")[0][0]))
        seen = set()
        while any(self.site.push(i)["state"] != SENT for i in ids[:1] + ids[-1:]):
            seen.add(len(self.connections()))
        self.assertEqual(seen, {1})

    def connections(self):
        """Of the agent to the simulator, from the kernel's table of TCP connections."""
        inodes = set()
        for fd in os.scandir(f"/proc/{self.site.agents[0].pid}/fd"):
            inodes.add(os.readlink(fd.path))
        port = f":{self.site.port:04X}"
        with open("/proc/net/tcp") as f:
            rows = [line.split() for line in f.readlines()[1:]]
        return [r for r in rows if r[2].endswith(port) and f"socket:[{r[9]}]" in inodes]

    def test_who_must_not_be_pushed(self):
        out, ended, pending, tokenless = ids = self.devices(4)
        self.site.sql(f"UPDATE enrollment SET state = 3 WHERE id = {out};"
                      f"UPDATE enrollment SET state = 4 WHERE id = {ended};"
                      f"UPDATE enrollment SET state = 1, life_id = NULL WHERE id = {pending};"
                      f"UPDATE life SET token_at = NULL WHERE id = {tokenless}")
        self.site.want(*ids)
        reasons = [self.settled(i, FAILED)["last_reason"] for i in ids]
        self.assertEqual(reasons, ["not enrolled"] * 3 + ["no push token yet"])
        self.assertEqual(sum(len(self.site.received(i)) for i in ids), 0)

    def test_given_up_at_the_expiration(self):
        i, = self.devices()
        self.site.rules({"token": self.site.token(i), "status": 503, "reason": "Shutdown"})
        self.site.want(i, keep=1)
        row = self.settled(i, FAILED)
        self.assertEqual((row["last_reason"], row["attempts"]), ("Shutdown", "1"))


class Jobs(PushCase):
    def test_commands_expire(self):
        i, = self.devices()
        self.site.sql(f"""
            INSERT INTO command (id, uuid, request_type, body, created_at, created_by)
                VALUES ({i}, 'expires-{i}', 'DeviceInformation', '', 0, 'test');
            INSERT INTO queue (enrollment_id, urgency, queued_at, command_id, state, expires_at)
                VALUES ({i}, 0, 1, {i}, 1, 1000000)""")
        wait_for(lambda: self.site.sql("SELECT state FROM result WHERE enrollment_id = "
                                       f"{i}") == [["8"]], 15)
        self.assertEqual(self.site.sql(f"SELECT * FROM queue WHERE enrollment_id = {i}"), [])

    def test_old_rows_are_purged_and_young_ones_kept(self):
        old, young, waiting = ids = self.devices(3)
        now = "UNIX_TIMESTAMP() * 1000000"
        month = 31 * 86400 * 1000000
        for i, state, due in ((old, 4, f"{now} - {month}"), (young, 4, now),
                              (waiting, 3, f"{now} - {month}")):
            self.site.sql("INSERT INTO push (enrollment_id, state, due_at, wanted_at, expires_at) "
                          f"VALUES ({i}, {state}, {due}, 1, 9000000000000000)")
        self.site.stop_agents()
        self.site.agent()
        wait_for(lambda: self.site.push(old) is None)
        self.assertEqual([bool(self.site.push(i)) for i in ids], [False, True, True])


class Certificates(PushCase):
    def test_a_refused_certificate_holds_up_its_topic_alone_until_it_is_renewed(self):
        self.site.push_cert(OTHER, stem="other")
        bad, = self.devices(topic=OTHER)
        good, = self.devices()
        self.site.rules({"topic": OTHER, "status": 403, "reason": "BadCertificate"})
        self.site.want(bad)
        row = self.tried(bad)
        self.assertEqual((row["state"], row["last_status"]), (WANTED, "403"))
        wait_for(lambda: self.site.sql("SELECT suspended_why FROM push_cert WHERE topic = "
                                       f"'{OTHER}'") == [["BadCertificate"]])
        self.site.want(bad)
        self.site.want(good)
        self.settled(good, SENT)
        time.sleep(1)
        self.assertEqual(len(self.site.received(bad)), 1)
        self.assertIn("BadCertificate", self.site.log())
        self.site.rules()
        self.site.push_cert(OTHER, stem="other2")
        self.settled(bad, SENT, seconds=5)
        self.assertEqual(self.site.sql("SELECT suspended_at FROM push_cert WHERE topic = "
                                       f"'{OTHER}'"), [["NULL"]])

    def test_a_certificate_of_the_development_service_is_used_there(self):
        """One that is good for both goes to the real service."""
        for topic, marks, status in (("com.apple.mgmt.Dev", "1", "0"),
                                     ("com.apple.mgmt.Both", "12", "200")):
            self.site.push_cert(topic, extension="\n".join(
                "1.2.840.113635.100.6.3.%s=ASN1:NULL" % m for m in marks))
            ids = self.devices(1, topic=topic)
            self.site.want(*ids)
            row = wait_for(lambda: [r for r in [self.site.push(ids[0])] if int(r["attempts"])])[0]
            self.assertEqual(row["last_status"], status, topic)
            self.assertEqual(len(self.site.received(ids[0])), 1 if status == "200" else 0)

    def test_a_renewed_certificate_is_used_without_restart(self):
        i, = self.devices()
        before = self.site.log().count("push.certificate_loaded")
        path = self.site.push_cert(TOPIC, stem="renewed")
        wait_for(lambda: self.site.log().count("push.certificate_loaded") > before, 5)
        self.site.want(i)
        self.settled(i, SENT)
        serial = subprocess.run(["openssl", "x509", "-in", path, "-noout", "-serial"], check=True,
                                capture_output=True, text=True).stdout.strip().split("=")[1]
        self.assertEqual([p["cert_serial"].lower() for p in self.site.received(i)],
                         [serial.lower()])

    def test_pushes_without_a_certificate_wait_for_one(self):
        topic = "com.apple.mgmt.External.33333333-3333-4333-8333-333333333333"
        i, = self.devices(topic=topic)
        self.site.want(i)
        wait_for(lambda: self.site.push(i)["last_reason"] == "no push certificate for its topic")
        self.site.push_cert(topic, stem="third")
        self.settled(i, SENT, seconds=5)

    def test_an_expired_certificate_is_not_used(self):
        topic = "com.apple.mgmt.External.44444444-4444-4444-8444-444444444444"
        i, = self.devices(topic=topic)
        self.site.push_cert(topic, stem="fourth")
        self.site.sql(f"UPDATE push_cert SET not_after = 1000000 WHERE topic = '{topic}'")
        wait_for(lambda: "expired at 1970-01-01" in self.site.log())
        self.site.want(i)
        wait_for(lambda: "expired" in self.site.push(i)["last_reason"])
        time.sleep(2.5)
        self.assertEqual(self.site.received(i), [])
        self.assertEqual(self.site.log().count("expired at 1970-01-01"), 1)
        self.assertEqual(self.site.push(i)["state"], WANTED)

    def test_checks(self):
        good = self.site.push_cert(TOPIC, stem="checked")
        with open(good) as f:
            text = f.read()
        at = text.index("-----BEGIN PRIVATE")
        cert, key = text[:at], text[at:]
        no_key, encrypted = cert, cert + subprocess.run(
            ["openssl", "pkcs8", "-topk8", "-passout", "pass:x"], input=key, text=True,
            check=True, capture_output=True).stdout
        other_key = subprocess.run(["openssl", "genpkey", "-algorithm", "ec", "-pkeyopt",
                                    "ec_paramgen_curve:P-256"], text=True, check=True,
                                   capture_output=True).stdout
        plain = subprocess.run(["openssl", "req", "-x509", "-key", "/dev/stdin", "-subj",
                                "/UID=com.example.app"], input=key, text=True, check=True,
                               capture_output=True).stdout

        def check(content):
            path = self.site.path("try.pem")
            with open(path, "w") as f:
                f.write(content)
            try:
                self.site.prep("cert", path)
            except subprocess.CalledProcessError as e:
                return e.stderr
            return "fine"
        self.assertEqual(check(key + cert), "fine")
        self.assertEqual(check((cert.strip() + key.strip())), "fine")
        self.assertEqual(check(cert + key.replace("\n", "\r\n")), "fine")
        for content, words in [("", "no certificate"), (no_key, "no private key"), (key, "no cert"),
                               (encrypted, "is encrypted"), (cert + other_key, "does not belong"),
                               (plain + key, "com.apple.mgmt"), (text + key, "more than one"),
                               (text + text.replace("CERTIFICATE", "PUBLIC KEY"), "PUBLIC KEY"),
                               (text[:-20], "does not end"), ("-----BEGIN ", "does not end")]:
            with self.subTest(words=words):
                self.assertIn("invalid", check(content))
                self.assertIn(words, check(content))


class Faults(PushCase):
    """Each test has agents of its own."""

    @classmethod
    def setUpClass(cls):
        cls.site = Site()
        cls.site.push_cert(TOPIC)

    def tearDown(self):
        self.site.stop_agents()

    def all_sent(self, ids, seconds=20):
        """Every push was recorded and reached the simulator."""
        want = ", ".join(map(str, ids))
        wait_for(lambda: self.site.sql(f"SELECT COUNT(*) FROM push WHERE state = 3 AND "
                                       f"enrollment_id IN ({want})") == [[str(len(ids))]], seconds,
                 "not all pushes were sent")
        tokens = {p["token"] for p in self.site.received()}
        self.assertEqual([i for i in ids if self.site.token(i) not in tokens], [])

    def test_a_killed_holder_is_replaced_and_nothing_is_lost(self):
        first = self.site.agent()
        wait_for(lambda: "agent.working" in self.site.log())
        second = self.site.agent()
        ids = self.devices(300)
        self.site.rules({"delay_ms": 100})
        self.site.control("DELETE", "pushes")
        self.site.want(*ids)
        wait_for(lambda: len(self.site.received()) >= 20)
        first.kill()
        first.wait()
        self.assertLess(len(self.site.received()), 300)
        self.site.rules()
        self.all_sent(ids)
        self.assertIsNone(second.poll())

    def test_only_the_holder_works(self):
        self.site.agent()
        self.site.agent()
        self.site.agent()
        ids = self.devices(200)
        self.site.control("DELETE", "pushes")
        self.site.want(*ids)
        self.all_sent(ids)
        time.sleep(0.5)
        self.assertEqual(len(self.site.received()), 200)

    def test_sigterm_finishes_what_is_in_flight_and_hands_the_lease_on(self):
        agent = self.site.agent()
        ids = self.devices(200)
        self.site.rules({"delay_ms": 300})
        self.site.control("DELETE", "pushes")
        self.site.want(*ids)
        wait_for(lambda: len(self.site.received()) >= 8)
        begun = time.monotonic()
        agent.send_signal(signal.SIGTERM)
        self.assertEqual(agent.wait(timeout=10), 0)
        self.assertLess(time.monotonic() - begun, 6)
        counts = dict(self.site.sql("SELECT state, COUNT(*) FROM push WHERE enrollment_id IN "
                                    f"({', '.join(map(str, ids))}) GROUP BY state"))
        self.assertNotIn(CLAIMED, counts)
        self.assertEqual(int(counts[SENT]), len(self.site.received()))
        self.site.rules()
        self.site.agent()
        self.all_sent(ids, seconds=5)
        self.assertEqual(len(self.site.received()), 200)

    def test_logs_are_opened_again(self):
        """At the signal that rotation sends; the agent goes on. At SIGHUP it ends, to be started with
        the configuration that is there then."""
        agent = self.site.agent()
        wait_for(lambda: f"agent[{agent.pid}] event=agent.working" in self.site.log())
        os.rename(self.site.path("drover.log"), self.site.path("old.log"))
        agent.send_signal(signal.SIGUSR1)
        ids = self.devices(1)
        self.site.want(*ids)
        self.all_sent(ids)
        wait_for(lambda: os.path.exists(self.site.path("drover.log"))
                 and "event=push.sent" in self.site.log())
        self.assertIsNone(agent.poll())
        agent.send_signal(signal.SIGHUP)
        self.assertEqual(agent.wait(10), 0)

    def test_the_database_goes_away_and_returns(self):
        agent = self.site.agent()
        ids = self.devices(30)
        self.site.control("DELETE", "pushes")
        self.site.want(*ids[:10])
        self.all_sent(ids[:10])
        self.site.rules({"delay_ms": 1000})
        self.site.want(*ids[10:20])
        wait_for(lambda: int(self.site.sql("SELECT COUNT(*) FROM push WHERE state = 2")[0][0]))
        self.site.db_stop()
        time.sleep(2)
        self.assertIsNone(agent.poll())
        self.site.rules()
        self.site.db_start()
        self.site.want(*ids[20:])
        self.all_sent(ids)
        self.assertIsNone(agent.poll())

    def test_apple_goes_away_and_returns(self):
        self.site.agent()
        ids = self.devices(50)
        self.site.want(ids[0])
        self.all_sent(ids[:1])
        subprocess.run(["kill", "-9", str(self.site.apns_pid("lighttpd"))], check=True)
        self.site.want(*ids[1:])
        wait_for(lambda: "push.unreachable" in self.site.log())
        time.sleep(1)
        self.site.apns_start()
        self.all_sent(ids[1:], seconds=30)

    def test_a_certificate_apple_cannot_show_is_not_believed(self):
        self.site.agent()
        i, = self.devices()
        ca = self.site.path("apns", "ca.pem")
        os.rename(ca, ca + ".true")
        try:
            subprocess.run(["cp", self.site.path("apns", "push-ca.pem"), ca], check=True)
            self.site.stop_agents()
            self.site.agent()
            self.site.want(i)
            row = self.tried(i)
            self.assertEqual((row["state"], row["last_status"]), (WANTED, "0"))
            self.assertIn("certificate", row["last_reason"])
            self.assertEqual(self.site.received(i), [])
        finally:
            os.rename(ca + ".true", ca)


class Fairness(PushCase):
    def test_a_slow_topic_does_not_hold_up_another(self):
        self.site.push_cert(OTHER, stem="slow")
        slow, fast = self.devices(3000, topic=OTHER), self.devices(50)
        self.site.rules({"topic": OTHER, "delay_ms": 2000})
        self.site.control("DELETE", "pushes")
        self.site.want(*slow)
        wait_for(lambda: int(self.site.sql("SELECT COUNT(*) FROM push WHERE state = 2")[0][0]))
        begun = time.monotonic()
        self.site.want(*fast)
        want = ", ".join(map(str, fast))
        wait_for(lambda: self.site.sql(f"SELECT COUNT(*) FROM push WHERE state = 3 AND "
                                       f"enrollment_id IN ({want})") == [["50"]], 20)
        self.assertLess(time.monotonic() - begun, 10)


if __name__ == "__main__":
    unittest.main()

"""The main job: simulated devices enrol through the profile and SCEP, are pushed, answer commands.

mdmsim is an ordinary client: it fetches the profile, verifies its signature, gets its identity by
SCEP, checks in over TLS with it, and polls when the simulated push service wakes it.
"""

import os
import plistlib
import shutil
import signal
import subprocess
import time
import unittest

import drover


class Sim:
    """mdmsim with some devices, in a folder of its own."""

    def __init__(self, server, name, devices, *options):
        self.server = server
        self.folder = os.path.join(server.state, "test-" + name)
        shutil.rmtree(self.folder, ignore_errors=True)
        os.makedirs(self.folder)
        self.log = open(os.path.join(self.folder, "out"), "wb")
        self.p = subprocess.Popen(
            [os.path.join(drover.BUILD, "mdmsim"), "--enroll-url", server.run["enroll_url"],
             "--ca-file", server.run["ca_file"], "--wake", server.run["apns_wake_socket"],
             "--state", os.path.join(self.folder, "devices"), "--devices", str(devices),
             "--seed", str(abs(hash((name, time.time()))) % 1000000 + 1), "--verbose", *options],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)

    def words(self):
        with open(os.path.join(self.folder, "out"), errors="replace") as f:
            return f.read()[-3000:]

    def stop(self):
        self.p.send_signal(signal.SIGTERM)
        try:
            self.p.wait(20)
        except subprocess.TimeoutExpired:
            self.p.kill()
            self.p.wait()
        self.log.close()


class Enrol(unittest.TestCase):
    def enrolled(self, since):
        """Ids that were enrolled by a simulator: by an identity that Drover issued."""
        return [r[0] for r in drover.server().sql(
            "SELECT ident FROM enrollment WHERE created_at >= %d AND life_id IS NOT NULL AND "
            "device_id = id ORDER BY ident" % since)]

    def run_fleet(self, name, n, *options):
        s = drover.server()
        since = int(time.time() * 1000000)
        sim = Sim(s, name, n, *options)
        self.addCleanup(sim.stop)
        try:
            ids = drover.wait_for(lambda: (lambda i: i if len(i) >= n else None)
                                  (self.enrolled(since)), 60)
        except AssertionError as e:
            raise AssertionError("%s\n%s" % (e, sim.words())) from None
        return s, sim, ids

    def answered(self, s, sim, ids):
        """Every device is pushed, polls, and its answer is stored."""
        commands = {i: s.enqueue(i, "DeviceInformation",
                                 Queries=["OSVersion", "SerialNumber"]) for i in ids}
        for i, c in commands.items():
            try:
                drover.wait_for(lambda i=i, c=c: s.command_state(i, c) == "acknowledged", 20)
            except AssertionError:
                raise AssertionError("%s: %s is %s\n%s" % (i, c, s.command_state(i, c),
                                                           sim.words())) from None
            self.assertEqual(s.results(c), 1)
        reports = s.sql("SELECT HEX(r.report) FROM result r JOIN command c ON c.id=r.command_id "
                        "WHERE c.uuid='%s'" % commands[ids[0]])
        report = plistlib.loads(bytes.fromhex(reports[0][0]))
        self.assertIn("OSVersion", report["QueryResponses"])

    def test_profile_to_result(self):
        s, sim, ids = self.run_fleet("tls", 3)
        self.answered(s, sim, ids)

    def test_with_signatures(self):
        s, sim, ids = self.run_fleet("sign", 2, "--sign", "--server", s_http())
        self.answered(s, sim, ids)

    def test_behind_a_proxy(self):
        s, sim, ids = self.run_fleet("proxy", 2, "--proxy-header", "--server", s_http())
        self.answered(s, sim, ids)

    def test_scep_by_get_and_user_enrollment(self):
        s, sim, ids = self.run_fleet("get", 2, "--scep-get", "--user-enrollment")
        self.answered(s, sim, ids)

    @drover.lighttpd_only
    def test_identities_are_renewed(self):
        """The agent finds an identity that ends soon, replaces the MDM profile, and sees the new
        identity in use; queue, secrets and history stay."""
        s, sim, ids = self.run_fleet("renew", 2)
        self.answered(s, sim, ids)
        names = "('%s')" % "','".join(ids)
        old = s.sql("SELECT HEX(l.cert_sha256) FROM enrollment e JOIN life l ON l.id=e.life_id "
                    "WHERE e.ident IN %s" % names)
        s.sql("UPDATE identity_cert c JOIN enrollment e ON e.id=c.device_id SET c.not_after="
              "(UNIX_TIMESTAMP()+86400)*1000000, c.not_before=1 WHERE e.ident IN %s" % names)
        self.assertIn(ids[0], s.ctl("certs"))
        for p in s.workers("agent"):
            os.kill(p, signal.SIGTERM)  # its successor runs all timed jobs at once
        done = "SELECT COUNT(*) FROM renewal r JOIN enrollment e ON e.id=r.device_id WHERE " \
               "r.state=3 AND e.ident IN %s" % names
        try:
            drover.wait_for(lambda: s.count(done) == 2, 60)
        except AssertionError as e:
            raise AssertionError("%s\n%s\n%s" % (e, s.ctl("certs"), sim.words())) from None
        new = s.sql("SELECT HEX(l.cert_sha256) FROM enrollment e JOIN life l ON l.id=e.life_id "
                    "WHERE l.renewal=1 AND e.ident IN %s" % names)
        self.assertEqual(len(new), 2)
        self.assertFalse({r[0] for r in new} & {r[0] for r in old})
        self.assertEqual(s.count("SELECT COUNT(*) FROM audit WHERE action='renewal.done' AND "
                                 "subject IN %s" % names), 2)
        self.answered(s, sim, ids)
        self.assertEqual(s.count("SELECT COUNT(*) FROM life l JOIN enrollment e ON "
                                 "e.id=l.enrollment_id WHERE e.ident='%s' AND l.state=2"
                                 % ids[0]), 1)

    @drover.lighttpd_only
    def test_network_users_log_in(self):
        """The simulator's Mac users answer the Digest challenge; their channels work with the
        AuthToken, and one with a wrong password has none."""
        s = drover.server()
        s.ctl("users", "add", "user1", "--password-file", "-", data=b"correct horse\n")
        with drover.setting(s, "checkin", user_authenticate="digest"):
            for name, password, works in (("login", "correct horse", 1), ("nologin", "wrong", 0)):
                s.sql("DELETE FROM login_throttle")
                _, sim, ids = self.run_fleet(name, 1, "--kind", "mac", "--users", "1",
                                             "--user-authenticate", "--user-password", password)
                users = "SELECT ident FROM enrollment WHERE kind=2 AND life_id IS NOT NULL AND " \
                        "ident LIKE '%s:%%'" % ids[0]
                if works:
                    user = drover.wait_for(lambda: s.sql(users), 20)[0][0]
                    c = s.enqueue(user, "ProfileList")
                    drover.wait_for(lambda: s.command_state(user, c) == "acknowledged", 20)
                else:
                    drover.wait_for(lambda: "is wrong" in sim.words(), 20)
                    self.assertEqual(s.sql(users), [])

    @drover.lighttpd_only
    def test_silent_devices_are_nudged(self):
        """A device that was not seen for days is pushed and, when it polls, is not inactive."""
        s, sim, ids = self.run_fleet("silent", 1)
        self.answered(s, sim, ids)
        gone = drover.device("proxy").enrol()
        s.sql("UPDATE enrollment SET last_seen_at=last_seen_at-8*86400000000 WHERE ident IN "
              "('%s', '%s')" % (ids[0], gone.ident))
        for p in s.workers("agent"):
            os.kill(p, signal.SIGTERM)  # its successor sweeps at once
        drover.wait_for(lambda: gone.ident in s.ctl("devices", "--inactive"), 30)
        drover.wait_for(lambda: ids[0] not in s.ctl("devices", "--inactive"), 30)
        listed = s.api("GET", "/v1/enrollments?inactive=1").json()["enrollments"]
        self.assertIn(gone.ident, [e["id"] for e in listed])
        drover.wait_for(lambda: s.pushes(gone.token.hex()), 10)

    def test_profile_is_signed(self):
        """openssl verifies the profile's signature up to the device CA; what is inside is one."""
        s = drover.server()
        a = s.request("enroll_url", "GET", "")
        self.assertEqual(a.status, 200)
        self.assertEqual(a.headers.get_content_type(), "application/x-apple-aspen-config")
        profile = plistlib.loads(drover.sh(
            "openssl", "cms", "-verify", "-inform", "DER", "-purpose", "any", "-CAfile",
            s.run["device_ca_file"], data=a.body))
        payloads = {p["PayloadType"]: p for p in profile["PayloadContent"]}
        mdm = payloads["com.apple.mdm"]
        self.assertEqual(mdm["Topic"], s.run["topic"])
        self.assertTrue(mdm["ServerURL"].startswith(s.run["device_url"]))
        scep = payloads["com.apple.security.scep"]["PayloadContent"]
        self.assertTrue(scep["URL"].startswith(s.run["device_url"]))
        self.assertEqual(mdm["IdentityCertificateUUID"],
                         payloads["com.apple.security.scep"]["PayloadUUID"])


def s_http():
    return drover.server().run["device_http_url"]


if __name__ == "__main__":
    unittest.main()

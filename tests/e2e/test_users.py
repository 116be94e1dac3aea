"""Network users of Macs log in with a password: HTTP Digest, AuthTokens, the throttle."""

import base64
import hashlib
import json
import re
import secrets
import time
import unittest
import urllib.parse

import drover

PASSWORD = "correct horse battery"


def answer(challenge, name, password, nc=1, method="PUT", uri="/mdm/checkin", **change):
    """A DigestResponse as RFC 7616 has it."""
    p = dict(re.findall(r'(\w+)="?([^",]*)"?', challenge.split(" ", 1)[1]))
    md = hashlib.sha256 if p["algorithm"] == "SHA-256" else hashlib.md5

    def h(*parts):
        return md(":".join(parts).encode()).hexdigest()

    cnonce, count = secrets.token_hex(8), "%08x" % nc
    response = h(h(name, p["realm"], password), p["nonce"], count, cnonce, "auth", h(method, uri))
    keys = {"username": name, "realm": p["realm"], "nonce": p["nonce"], "uri": uri,
            "cnonce": cnonce, "response": response, **change}
    return ("Digest " + ", ".join('%s="%s"' % k for k in keys.items()) +
            ", nc=%s, qop=auth, algorithm=%s" % (count, p["algorithm"]))


class NetworkUsers(unittest.TestCase):
    webs = ("lighttpd",)

    def setUp(self):
        self.server = drover.server()
        self.name = "net" + secrets.token_hex(4)
        self.server.ctl("users", "add", self.name, "--full-name", "Net User", "--password-file",
                        "-", data=(PASSWORD + "\n").encode())
        self.server.sql("DELETE FROM login_throttle")

    def user(self):
        d = drover.device("proxy").enrol()
        return d, d.user(short=self.name)

    def say(self, u, **keys):
        return u.checkin({"MessageType": "UserAuthenticate", "UDID": u.udid,
                          "UserID": u.ids["UserID"], **keys})

    def challenge(self, u):
        return self.say(u).plist()["DigestChallenge"]

    def login(self, u, challenge, password=PASSWORD, **keys):
        a = self.say(u, DigestResponse=answer(challenge, self.name, password, **keys))
        self.assertEqual(a.status, 200)
        return a.plist()["AuthToken"]

    def test_accounts(self):
        self.assertIn(self.name, self.server.ctl("users", "list"))
        status, out = self.server.ctl("users", "add", self.name, "--password-file", "-",
                                      data=b"another password\n", check=False)
        self.assertEqual(status, 1)
        self.assertIn("already", out)
        dump = repr(self.server.sql("SELECT name, full_name, password_hash, HEX(ha1_md5), "
                                    "HEX(ha1_sha256) FROM enroll_user WHERE name='%s'" % self.name))
        self.assertNotIn(PASSWORD, dump)
        ha1 = hashlib.md5(("%s:Drover:%s" % (self.name, PASSWORD)).encode()).hexdigest().upper()
        self.assertNotIn(ha1, dump)

    def api(self, method, path, status, body=None, key=None):
        r = self.server.api(method, "/api/v1/users" + path, body and json.dumps(body).encode(), key=key,
                            headers={"Content-Type": "application/json"} if body else {})
        self.assertEqual(r.status, status, r.body[:600])
        return json.loads(r.body) if r.body else None

    def test_over_the_api(self):
        name = "api" + secrets.token_hex(4)
        evil = '"><script>' + secrets.token_hex(2)
        made = self.api("POST", "", 201, {"name": name, "full_name": evil})
        self.assertGreaterEqual(len(made["password"]), 20)
        self.assertEqual(made["full_name"], evil)
        path = "/" + name
        self.assertNotIn("password", self.api("GET", path, 200))
        self.api("POST", "", 409, {"name": name})
        for bad in ({}, {"name": 1}, {"name": ""}, {"name": "a:b"}, {"name": "x" * 129},
                    {"name": "n", "password": "short"}, {"name": "n", "password": "x" * 257},
                    {"name": "n", "full_name": 1}, {"name": "n", "managed_account": "x"},
                    {"name": "n", "colour": "red"}):
            self.api("POST", "", 400, bad)
        new = self.api("PATCH", path, 200, {"password": None, "managed_account": name + "@e.org",
                                            "disabled": True})
        self.assertNotEqual(new["password"], made["password"])
        self.assertEqual(new["managed_account"], name + "@e.org")
        self.assertIn("disabled_at", new)
        self.api("PATCH", path, 400, {"disabled": "yes"})
        self.assertNotIn("disabled_at", self.api("PATCH", path, 200, {"disabled": False,
                                                                     "password": PASSWORD}))
        listed = self.api("GET", "?limit=1&search=" + name.upper(), 200)
        self.assertEqual([u["name"] for u in listed["users"]], [name])
        page, cursor, names = None, "", []
        while page is None or "next_cursor" in page:
            page = self.api("GET", "?limit=2&cursor=" + cursor, 200)
            names += [u["name"] for u in page["users"]]
            cursor = urllib.parse.quote(page.get("next_cursor", ""))
        self.assertEqual(names, sorted(set(names)))
        self.assertTrue({name, self.name} <= set(names))
        reader = self.server.ctl("apikey", "add", "r" + secrets.token_hex(4), "--scopes",
                                 "read enroll").split()[-1]
        self.api("GET", path, 200, key=reader)
        for method, at, body in (("POST", "", {"name": "n"}), ("PATCH", path, {"disabled": True}),
                                 ("DELETE", path, None)):
            self.api(method, at, 403, body, key=reader)
        self.api("DELETE", path, 204)
        for method, body in (("GET", None), ("DELETE", None), ("PATCH", {"disabled": True})):
            self.api(method, path, 404, body)
        self.assertEqual([r[0] for r in self.server.sql(
            "SELECT action FROM audit WHERE subject = '%s' ORDER BY id" % name)],
            ["user.add", "user.managed", "user.password", "user.disable", "user.password",
             "user.enable", "user.remove"])

    def test_at_the_shell(self):
        self.server.ctl("users", "full-name", self.name, "Somebody Else")
        self.assertIn("Somebody Else", self.server.ctl("users", "list", "--search", self.name[3:]))
        self.assertNotIn(self.name, self.server.ctl("users", "list", "--search", "no such name"))
        self.server.ctl("users", "remove", self.name)
        status, out = self.server.ctl("users", "remove", self.name, check=False)
        self.assertEqual((status, "no user" in out), (1, True))

    def test_login(self):
        for algorithm in ("MD5", "SHA-256"):
            with drover.setting(self.server, "checkin", user_authenticate="digest",
                         digest_algorithm=algorithm):
                self.one_login(algorithm)

    def one_login(self, algorithm):
        d, u = self.user()
        local = d.user()
        self.assertEqual(local.token_update().status, 200)  # a local user is never challenged
        first = drover.wait_for(lambda: self.challenge(u))
        self.assertIn("algorithm=" + algorithm, first)
        self.assertEqual(u.token_update().status, 403)  # challenged, not logged in
        self.assertEqual(self.login(u, first, "wrong password"), "")
        token = self.login(u, first, nc=7)
        self.assertGreater(len(token), 40)
        self.assertEqual(self.login(u, first, nc=8), "")  # the nonce is used up
        refused = u.token_update()
        self.assertEqual((refused.status, refused.body), (403, b""))
        self.assertEqual(u.token_update(AuthToken=token[:-1] + "x").status, 403)
        self.assertEqual(u.token_update(AuthToken=token).status, 200)
        self.assertEqual(u.idle().status, 403)
        self.assertEqual(u.idle(AuthToken=token).status, 200)
        self.assertEqual(d.idle().status, 200)
        stored = repr(self.server.sql("SELECT ident, HEX(nonce_sha256), HEX(token_sha256) FROM user_auth"))
        self.assertNotIn(token, stored)
        self.reported(u, token)
        # of another user and another device it is worth nothing
        other = d.user(short=self.name)
        self.challenge(other)
        self.assertEqual(other.token_update(AuthToken=token).status, 403)
        # a replayed and a stolen answer
        second = self.challenge(u)
        self.assertEqual(u.idle(AuthToken=token).status, 403)  # void by the challenge
        reply = answer(second, self.name, "wrong password", nc=5)
        self.assertEqual(self.say(u, DigestResponse=reply).plist()["AuthToken"], "")
        good = answer(second, self.name, PASSWORD, nc=5)
        self.assertEqual(self.say(u, DigestResponse=good).plist()["AuthToken"], "")  # nc again
        self.assertEqual(self.say(other, DigestResponse=answer(
            second, self.name, PASSWORD, nc=9)).plist()["AuthToken"], "")
        token = self.login(u, second, nc=6)
        self.assertEqual(u.token_update(AuthToken=token).status, 200)
        # a new enrolment of the device ends it
        d.identity = u.identity = drover.trusted_ca().issue()
        d.enrol()
        self.assertEqual(u.token_update(AuthToken=token).status, 403)
        self.assertEqual(self.say(u, DigestResponse="Digest nonsense").status, 400)

    def reported(self, u, token):
        """An AuthToken is not kept with what the user's channel reports, nor told to webhooks."""
        hook = "hook" + secrets.token_hex(4)
        self.server.ctl("webhook", "add", hook, "https://hooks.invalid/", "--topics", "mdm.Connect")
        self.addCleanup(self.server.ctl, "webhook", "remove", hook, "--why", "test")
        time.sleep(2.5)  # workers look every two seconds
        c = self.server.enqueue(u.ident, "DeviceInformation", push=False, Queries=["PushToken"])
        self.assertEqual(u.idle(AuthToken=token).plist()["CommandUUID"], c)
        pushed = b"push token of a user"
        self.assertEqual(u.report(c, AuthToken=token, QueryResponses={
            "EASDeviceIdentifier": "eas", "PushToken": pushed}).status, 200)
        for text in (self.server.sql("SELECT r.report FROM result r JOIN command c ON c.id = "
                                     "r.command_id WHERE c.uuid = '%s'" % c)[0][0],
                     self.server.sql("SELECT raw FROM webhook_event WHERE command_uuid = '%s'" % c)
                     [0][0]):
            self.assertIn("EASDeviceIdentifier", text)
            for secret in ("AuthToken", token, base64.b64encode(pushed).decode()):
                self.assertNotIn(secret, text)

    def test_account_is_disabled(self):
        with drover.setting(self.server, "checkin", user_authenticate="digest"):
            _, u = self.user()
            token = self.login(u, drover.wait_for(lambda: self.challenge(u)))
            self.assertEqual(u.token_update(AuthToken=token).status, 200)
            self.server.ctl("users", "disable", self.name)
            self.assertEqual(u.idle(AuthToken=token).status, 403)
            self.assertEqual(self.login(u, self.challenge(u)), "")
            self.server.ctl("users", "enable", self.name)
            self.assertTrue(self.login(u, self.challenge(u)))

    def test_ten_wrong_passwords(self):
        with drover.setting(self.server, "checkin", user_authenticate="digest"):
            _, u = self.user()
            drover.wait_for(lambda: self.challenge(u))
            mark = self.server.log_mark()
            for _ in range(12):
                self.assertEqual(self.login(u, self.challenge(u), "wrong"), "")
                self.server.sql("UPDATE login_throttle SET free_at=0 WHERE failures<10")
            self.assertEqual(self.login(u, self.challenge(u)), "")  # blocked: right or wrong
            self.assertEqual(self.server.count(
                "SELECT COUNT(*) FROM audit WHERE action='login.block' AND "
                "subject LIKE 'account:%s@%%'" % self.name), 1)
            self.assertGreater(self.server.count(
                "SELECT COUNT(*) FROM audit WHERE action='login.failed' AND subject='%s'"
                % u.ident), 0)
            self.assertTrue(self.server.log_has(mark, "event=login.failed", self.name))
            self.server.sql("DELETE FROM login_throttle")
            self.assertTrue(self.login(u, self.challenge(u)))

    def test_nothing_without_the_setting(self):
        _, u = self.user()
        self.assertEqual(self.say(u).status, 410)
        self.assertEqual(u.token_update().status, 200)


if __name__ == "__main__":
    unittest.main()

"""Accounts of the console, keys of the API, and whether the audit log is whole, over the API."""

import json
import unittest
import urllib.parse
import uuid

import drover
from test_api_orders import Person

ALL = ("read command sensitive approve push reveal audit library enroll users identity pushcert "
       "decide migrate webhook settings accounts").split()


class Accounts(unittest.TestCase):
    webs = ("lighttpd",)

    def setUp(self):
        self.s = drover.server()
        self.word = uuid.uuid4().hex[:12]

    def call(self, method, path, body=None, status=200, key=None):
        headers = {"Content-Type": "application/json"} if body is not None else {}
        r = self.s.api(method, path, json.dumps(body) if body is not None else None, key=key,
                       headers=headers)
        self.assertEqual(r.status, status, (path, body, r.body[:400]))
        return json.loads(r.body) if r.body else None

    def key(self, *scopes, **more):
        made = self.call("POST", "/api/v1/keys", {
            "name": "%s %s" % (self.word, uuid.uuid4().hex[:6]), "scopes": scopes or ["*"], **more},
            201)
        self.addCleanup(lambda: self.s.api("DELETE", "/api/v1/keys/" + urllib.parse.quote(
            made["name"])))
        return made

    def audit(self, action, subject):
        return self.call("GET", "/api/v1/audit?action=%s&subject=%s" % (
            action, urllib.parse.quote(subject)))["entries"]

    def test_keys(self):
        made = self.key("read", "push", days=3)
        self.assertRegex(made["key"], "^[0-9a-f]{64}$")
        self.assertEqual((made["scopes"], made["limited"], made["works"]),
                         (["read", "push"], False, True))
        at = "/api/v1/keys/" + urllib.parse.quote(made["name"])
        again = self.call("GET", at)
        self.assertNotIn("key", again)
        self.assertNotIn(made["key"], json.dumps(self.call("GET", "/api/v1/keys")))
        self.assertNotIn(made["key"], "%s" % self.s.sql("SELECT name, HEX(sha256), scopes FROM apikey"))
        self.assertIn(made["name"], [k["name"] for k in self.call("GET", "/api/v1/keys")["keys"]])
        self.call("GET", "/api/v1/devices", key=made["key"])
        self.call("GET", "/api/v1/keys", status=403, key=made["key"])
        self.assertEqual(self.audit("apikey.add", made["name"])[0]["actor"], "api:nanomdm")
        # limited to a group, and not; its devices alone are there
        g = self.call("POST", "/api/v1/groups", {"name": self.word}, 201)
        self.assertEqual(self.call("PATCH", at, {"groups": [g["id"]]})["groups"], [g["id"]])
        drover.wait_for(lambda: self.s.api("GET", "/v1/unknown", key=made["key"]).status == 403, 10)
        self.assertEqual(self.call("GET", "/api/v1/devices", key=made["key"])["devices"], [])
        self.assertFalse(self.call("PATCH", at, {"groups": None})["limited"])
        for body in ({"groups": ["x"]}, {"groups": "1"}, {}, {"groups": [], "more": 1}):
            self.call("PATCH", at, body, 400)
        self.call("PATCH", at, {"groups": ["7"]}, 404)
        limited = self.key("read", groups=[g["id"]])
        self.assertEqual((limited["limited"], limited["groups"]), (True, [g["id"]]))
        self.call("GET", "/v1/unknown", status=403, key=limited["key"])
        # revoked
        self.call("DELETE", at, status=204)
        self.assertFalse(self.call("GET", at)["works"])
        drover.wait_for(lambda: self.s.api("GET", "/api/v1/devices", key=made["key"]).status == 401,
                        10)
        self.call("DELETE", "/api/v1/keys/nobody", status=404)
        for body in ({"name": "x"}, {"name": "x", "scopes": []}, {"name": "x", "scopes": "read"},
                     {"name": "x", "scopes": ["a b  c"]}, {"name": "x:y", "scopes": ["read"]},
                     {"name": "", "scopes": ["read"]}, {"scopes": ["read"]},
                     {"name": "x", "scopes": ["read"], "days": 0},
                     {"name": "x", "scopes": ["read"], "days": 4000},
                     {"name": "x", "scopes": ["read"], "groups": {}},
                     {"name": "x", "scopes": ["x" * 300]}, []):
            self.call("POST", "/api/v1/keys", body, 400)
        self.call("POST", "/api/v1/keys", {"name": made["name"], "scopes": ["read"]}, 409)

    def test_what_a_key_lacks_it_cannot_give(self):
        for scope in ALL:
            with self.subTest(scope=scope):
                given = [s for s in ALL if s != scope]
                has = self.key(*given)["key"]
                if scope == "accounts":  # and without that one, nothing at all
                    for method, path in (("GET", "/api/v1/keys"), ("GET", "/api/v1/administrators"),
                                         ("POST", "/api/v1/keys"), ("DELETE", "/api/v1/keys/x"),
                                         ("PATCH", "/api/v1/administrators/x"),
                                         ("POST", "/api/v1/administrators/x/reset")):
                        self.call(method, path, {} if method in ("POST", "PATCH") else None, 403,
                                  has)
                    continue
                self.call("POST", "/api/v1/keys", {"name": self.word + scope, "scopes": [scope]},
                          403, has)
                self.call("POST", "/api/v1/keys", {"name": self.word + scope, "scopes": ["*"]}, 403,
                          has)
                other = self.key(scope)
                at = "/api/v1/keys/" + urllib.parse.quote(other["name"])
                self.call("PATCH", at, {"groups": []}, 403, has)
                self.call("DELETE", at, None, 403, has)
        # a key that is limited to groups has no say in this
        g = self.call("POST", "/api/v1/groups", {"name": self.word}, 201)
        limited = self.key(*ALL, groups=[g["id"]])["key"]
        for path in ("keys", "administrators", "audit/verification"):
            self.call("GET", "/api/v1/" + path, status=403, key=limited)
        # nor does anything outlive who made it
        short = self.key("accounts", "read", days=2)
        child = self.call("POST", "/api/v1/keys", {"name": self.word + "child", "scopes": ["read"]},
                          201, short["key"])
        self.assertEqual(child["expires_at"], short["expires_at"])
        self.call("POST", "/api/v1/keys", {"name": self.word + "old", "scopes": ["read"],
                                           "days": 3}, 403, short["key"])

    def test_administrators(self):
        name = "Ann %s/ü" % self.word
        at = "/api/v1/administrators/" + urllib.parse.quote(name, safe="")
        g = self.call("POST", "/api/v1/groups", {"name": self.word}, 201)
        made = self.call("POST", "/api/v1/administrators",
                         {"name": name, "role": "viewer", "groups": [g["id"]]}, 201)
        self.assertEqual((made["role"], made["limited"], made["groups"], made["password_due"],
                          made["created_by"]),
                         ("viewer", True, [g["id"]], True, "api:nanomdm"))
        self.assertRegex(made["password"], "^[0-9a-f]{20}$")
        self.assertNotIn("password", self.call("GET", at))
        self.assertIn(name, [a["name"] for a in self.call("GET", "/api/v1/administrators")
                             ["administrators"]])
        changed = self.call("PATCH", at, {"role": "operator", "groups": None, "disabled": True})
        self.assertEqual((changed["role"], changed["limited"], "disabled_at" in changed),
                         ("operator", False, True))
        self.assertNotIn("disabled_at", self.call("PATCH", at, {"disabled": False}))
        reset = self.call("POST", at + "/reset")
        self.assertNotEqual(reset["password"], made["password"])
        for action in ("admin.add", "admin.scope", "admin.role", "admin.disable", "admin.enable",
                       "admin.reset"):
            self.assertEqual(self.audit(action, name)[0]["actor"], "api:nanomdm", action)
        # by a key that has less
        weak = self.key("accounts", "read")["key"]
        self.call("PATCH", at, {"role": "viewer"}, 403, weak)
        self.call("PATCH", at, {"disabled": True}, 403, weak)
        self.call("POST", at + "/reset", None, 403, weak)
        for role in ("auditor", "helpdesk", "operator", "administrator"):
            self.call("POST", "/api/v1/administrators", {"name": self.word, "role": role}, 403, weak)
        self.call("POST", "/api/v1/administrators", {"name": self.word, "role": "viewer"}, 201, weak)
        self.call("PATCH", "/api/v1/administrators/" + self.word, {"role": "helpdesk"}, 403, weak)
        # and what is wrong
        for body in ({"name": "x"}, {"role": "viewer"}, {"name": "x", "role": "king"},
                     {"name": "x", "role": 1}, {"name": "a:b", "role": "viewer"},
                     {"name": "x", "role": "viewer", "password": "of my own"}):
            self.call("POST", "/api/v1/administrators", body, 400)
        self.call("POST", "/api/v1/administrators", {"name": name, "role": "viewer"}, 409)
        self.call("PATCH", at, {"disabled": "yes"}, 400)
        self.call("GET", "/api/v1/administrators/nobody", status=404)
        self.call("PATCH", "/api/v1/administrators/nobody", {"role": "viewer"}, 404)
        self.call("POST", at + "/else", None, 404)
        self.call("POST", at, None, 404)
        boss = self.s.run["console_user"]
        others = [a["name"] for a in self.call("GET", "/api/v1/administrators")["administrators"]
                  if a["role"] == "administrator" and a["name"] != boss and "disabled_at" not in a]
        if not others:
            self.call("PATCH", "/api/v1/administrators/" + boss, {"role": "viewer"}, 409)
            self.call("PATCH", "/api/v1/administrators/" + boss, {"disabled": True}, 409)

    def test_who_is_signed_in(self):
        name = "s" + self.word
        who = Person(self.s, name)
        at = "/api/v1/sessions?administrator=" + name
        told = self.call("GET", at)["sessions"]
        self.assertEqual([(s["administrator"], s["role"]) for s in told], [(name, "operator")])
        self.assertIn(told[0]["session"], [s["session"] for s in
                                           self.call("GET", "/api/v1/sessions")["sessions"]])
        reader = self.key("read", "audit")["key"]
        for method, path in (("GET", at), ("DELETE", "/api/v1/sessions/" + name),
                             ("GET", "/api/v1/throttles"), ("DELETE", "/api/v1/throttles/x")):
            self.call(method, path, status=403, key=reader)
        self.call("DELETE", "/api/v1/sessions/%s/%s" % (name, "0" * 63), status=404)
        self.call("DELETE", "/api/v1/sessions/%s/%s" % (name, told[0]["session"]), status=204)
        self.assertEqual(self.call("GET", at)["sessions"], [])
        self.assertIn('action="/signin"', who.get("/devices")[1])
        self.assertEqual(self.audit("admin.session_end", name)[0]["actor"], "api:nanomdm")
        # at the shell
        other = Person(self.s, "t" + self.word)
        listed = json.loads(self.s.ctl("sessions", "list", other.name, "--json"))
        self.assertEqual([(s["administrator"], s["role"]) for s in listed],
                         [(other.name, "operator")])
        self.s.ctl("sessions", "end", other.name)
        self.assertEqual(json.loads(self.s.ctl("sessions", "list", other.name, "--json")), [])
        for argv in ((), ("x",), ("end",), ("end", name, "zz"), ("list", name, name)):
            self.assertEqual(self.s.ctl("sessions", *argv, check=False)[0], 2)

    def test_wrong_passwords(self):
        name = "w" + self.word
        who = Person(self.s, name)
        for _ in range(6):
            who.post("/signin", "/signin", name=name, password="wrong")
        self.s.sql("UPDATE login_throttle SET free_at = free_at + 30000000 WHERE subject LIKE "
                   "'admin:%s@%%'" % name)  # however slow this machine is
        told = self.call("GET", "/api/v1/throttles?administrator=" + name)["throttles"]
        mine = [t["subject"] for t in told]
        self.assertEqual(sorted(s.split("@")[0] for s in mine), ["admin:" + name] * 2)
        held = [t for t in self.call("GET", "/api/v1/throttles")["throttles"]
                if t["subject"].startswith("admin:%s@" % name)]
        self.assertEqual(len(held), 1)
        self.assertIn("held_until", held[0])
        self.assertIn(held[0]["subject"],
                      [t["subject"] for t in json.loads(self.s.ctl("throttles", "list", "--json"))])
        self.call("GET", "/api/v1/throttles?administrator=a&user=b", status=400)
        self.call("DELETE", "/api/v1/throttles/" + urllib.parse.quote(held[0]["subject"], safe=""),
                  status=204)
        self.s.ctl("throttles", "clear", "admin:" + name)
        self.assertEqual(self.call("GET", "/api/v1/throttles?administrator=" + name)["throttles"],
                         [])
        self.assertEqual(self.audit("login.release", held[0]["subject"])[0]["actor"], "api:nanomdm")
        # who fails from here for everybody would fail the others' tests
        for t in self.call("GET", "/api/v1/throttles")["throttles"]:
            self.s.ctl("throttles", "clear", t["subject"])
        for argv in ((), ("x",), ("list", "x"), ("clear",)):
            self.assertEqual(self.s.ctl("throttles", *argv, check=False)[0], 2)

    def test_lists_at_the_shell_tell_limits(self):
        g = self.call("POST", "/api/v1/groups", {"name": "G " + self.word}, 201)
        key = self.key("read", groups=[g["id"]])
        self.call("POST", "/api/v1/administrators", {"name": self.word, "role": "viewer",
                                                     "groups": []}, 201)
        keys = {k["name"]: k for k in json.loads(self.s.ctl("apikey", "list", "--json"))}
        self.assertEqual((keys[key["name"]]["reach"], keys["nanomdm"]["reach"]),
                         ("G " + self.word, "all"))
        admins = {a["name"]: a for a in json.loads(self.s.ctl("admin", "list", "--json"))}
        self.assertEqual(admins[self.word]["reach"], "nothing")

    def test_the_audit_log_is_searched_by_days(self):
        for at in ("2021-03-04 23:59:59", "2021-03-05 00:00:01", "2021-03-06 12:00:00"):
            self.s.sql("INSERT INTO audit (at, actor, action, subject, detail) VALUES (UNIX_TIMESTAMP("
                       "CONVERT_TZ('%s', '+00:00', @@session.time_zone)) * 1000000, 't', 'test.day', "
                       "'%s', '')" % (at, self.word))
        ours = "/api/v1/audit?subject=" + self.word
        days = lambda **q: [e["at"][:10] for e in self.call(
            "GET", ours + "".join("&%s=%s" % (k, v) for k, v in q.items()))["entries"]]
        shell = lambda *q: [e["at"][:10] for e in json.loads(self.s.ctl(
            "audit", "list", "--subject", self.word, "--json", *q))]
        self.assertEqual(days(), ["2021-03-06", "2021-03-05", "2021-03-04"])
        self.assertEqual(days(**{"from": "2021-03-05"}), ["2021-03-06", "2021-03-05"])
        self.assertEqual(days(until="2021-03-05"), ["2021-03-05", "2021-03-04"])
        self.assertEqual(days(**{"from": "2021-03-05", "until": "2021-03-05"}), ["2021-03-05"])
        self.assertEqual(days(until="2021-03-05T00:00:00Z"), ["2021-03-04"])
        self.assertEqual(shell("--from", "2021-03-05", "--until", "2021-03-05"), ["2021-03-05"])
        self.call("GET", ours + "&from=yesterday", status=400)
        self.call("GET", ours + "&from=2021-03-06&until=2021-03-05", status=400)
        for wrong in (("--from", "yesterday"), ("--from", "2021-03-06", "--until", "2021-03-05")):
            self.assertEqual(self.s.ctl("audit", "list", *wrong, check=False)[0], 2)

    def test_the_audit_log_is_verified(self):
        self.key("read")
        asked = self.call("POST", "/api/v1/audit/verification", None, 202)
        self.assertTrue(asked["waits"] or asked.get("verified_at"))
        done = drover.wait_for(lambda: (lambda v: not v["waits"] and v)(
            self.call("GET", "/api/v1/audit/verification")), 30)
        self.assertIs(done["intact"], True, done)
        self.assertGreater(done["links"], 0)
        said = self.s.ctl("audit", "verify", "--link", done["newest_link"])
        self.assertIn("as they were written", said)
        self.call("GET", "/api/v1/audit/verification", status=403, key=self.key("read")["key"])
        # an entry that is changed later is found
        row = self.s.sql("SELECT a.id, a.subject FROM audit a JOIN audit_chain l ON l.audit_id = a.id "
                         "ORDER BY l.seq LIMIT 1")[0]
        self.s.sql("UPDATE audit SET subject = 'somebody else' WHERE id = %s" % row[0])
        try:
            self.call("POST", "/api/v1/audit/verification", None, 202)
            bad = drover.wait_for(lambda: (lambda v: v.get("intact") is False and v)(
                self.call("GET", "/api/v1/audit/verification")), 30)
            self.assertGreater(bad["bad_link"], 0)
            self.assertTrue(bad["reason"])
        finally:
            self.s.sql("UPDATE audit SET subject = '%s' WHERE id = %s" % (
                row[1].replace("'", "''"), row[0]))
            self.call("POST", "/api/v1/audit/verification", None, 202)
            drover.wait_for(lambda: self.call("GET", "/api/v1/audit/verification").get("intact"),
                            30)


if __name__ == "__main__":
    unittest.main()

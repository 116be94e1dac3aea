"""The page of one's own devices: what is seen there, taken, locked, left; and that nobody gets at
another's."""

import json
import plistlib
import secrets
import urllib.parse
import uuid

import drover
from test_enrolweb import PASSWORD, Browser, Web
from test_profiles import profile

EVIL = "\"><script>alert(1)</script>{{name}}'"


class Own(Web):
    webs = ("lighttpd",)

    @classmethod
    def setUpClass(cls):
        cls.enterClassContext(drover.setting(drover.server(), "enroll", login="local"))

    def setUp(self):
        super().setUp()
        self.user()

    def call(self, method, path, body=None, status=200):
        r = self.server.api(method, path, json.dumps(body) if isinstance(body, dict) else body,
                            headers={"Content-Type": "application/json"}
                            if isinstance(body, dict) else {})
        self.assertEqual(r.status, status, r.body[:500])
        return json.loads(r.body) if r.body else None

    def owned(self, account, rights=8191):
        """A device that enrolled with a profile that was given out to that account."""
        d = drover.device()
        d.authenticate(DeviceName=EVIL)
        d.token_update()
        number = secrets.randbits(62)
        self.server.sql(
            "INSERT INTO handout (id, way, topic, server_url, checkin_url, access_rights, "
            "server_capabilities, account_kind, account, made_at) VALUES (%d, 3, 't', 'https://x', "
            "'https://x', %d, '', 1, '%s', 1)" % (number, rights, account))
        self.server.sql("UPDATE life l JOIN enrollment e ON e.life_id = l.id SET l.handout_id = %d "
                        "WHERE e.ident = '%s'" % (number, d.ident))
        return d

    def log_in(self, name=None):
        b = Browser(self)
        answer = b.get("/enroll/me")
        self.assertIn("Log in to see the devices", answer.page.text)
        answer = b.submit(answer, "/enroll/me", name=name or self.name, password=PASSWORD)
        self.assertEqual((answer.status, answer.headers["Location"][-10:]), (303, "/enroll/me"))
        return b

    def path(self, d):
        return "/enroll/me?device=" + urllib.parse.quote(d.ident, safe="")

    def form(self, answer, does):
        """The form with that button."""
        for n, form in enumerate(answer.page.forms):
            if does in (form.get("do"), ) or does in self.buttons(answer)[n]:
                return n
        self.fail("no form for %s: %s" % (does, self.buttons(answer)))

    def buttons(self, answer):
        found, n = {k: [] for k in range(len(answer.page.forms))}, -1
        for tag, a in answer.page.tags:
            n += tag == "form"
            if tag == "button" and "value" in a and n >= 0:
                found[n].append(a["value"])
        return found

    def press(self, b, d, does, **fields):
        """Sends that form; a box that is not ticked is left out, as a browser does."""
        answer = b.get(self.path(d))
        form = {**answer.page.forms[self.form(answer, does)], "do": does, "sure": None, **fields}
        return b.send("POST", "/enroll/me", {k: v for k, v in form.items() if v is not None})

    def command(self, d, kind):
        def offered():
            a = d.idle()
            return a.body and a.plist()["Command"]["RequestType"] == kind and a.plist()
        try:
            return drover.wait_for(offered, 15)
        except AssertionError as e:
            raise AssertionError("%s: %s, offered %s" % (kind, self.server.sql(
                "SELECT r.what, r.is_open, r.outcome FROM errand r JOIN enrollment e ON e.id = "
                "r.enrollment_id WHERE e.ident = '%s'" % d.ident), d.idle().body[:300])) from e

    def test_what_is_seen(self):
        d = self.owned(self.name, rights=1 + 2 + 16)
        b = self.log_in()
        answer = b.get("/enroll/me")
        self.assertIn(EVIL, answer.page.text)
        self.assertNotIn(b"<script", answer.body)
        answer = b.get(self.path(d))
        self.assertIn("serial number, system version", answer.page.text)
        self.assertIn("Nothing is offered", answer.page.text)
        # the right to lock is not there, and the form of it is refused
        self.assertNotIn("lock", sum(self.buttons(answer).values(), []))
        n = self.form(answer, "leave")
        answer = b.submit(answer, "/enroll/me", n, do="lock", sure="yes", password=PASSWORD)
        self.assertEqual(answer.status, 400)
        self.assertIn("does not have the right", answer.page.text)
        self.assertEqual(self.server.count("SELECT COUNT(*) FROM errand WHERE account = '%s'"
                                           % self.name), 0)

    def test_somebody_elses(self):
        d = self.owned(self.name)
        name, self.name = self.name, "other" + secrets.token_hex(4)
        self.user()
        own = self.owned(self.name)
        b = self.log_in()
        self.assertEqual(b.get(self.path(d)).status, 404)
        self.assertEqual(b.get("/enroll/me?device=nothing").status, 404)
        self.assertEqual(b.get("/enroll/me?device=%00%ff").status // 100, 4)
        answer = b.get(self.path(own))
        self.assertEqual(answer.status, 200)
        for does in ("lock", "leave"):
            fields = {"device": d.ident, "do": does, "sure": "yes", "password": PASSWORD}
            got = b.submit(answer, "/enroll/me", self.form(answer, does), **fields)
            self.assertEqual(got.status, 404, does)
        # a form of another site, or of nobody
        got = b.send("POST", "/enroll/me", {"device": own.ident, "do": "leave", "sure": "yes",
                                            "password": PASSWORD})
        self.assertEqual(got.status, 403)
        got = Browser(self).send("POST", "/enroll/me", {"device": own.ident, "do": "leave"})
        self.assertIn("Log in to see", got.page.text)
        # an errand under a name that the device does not belong to is refused by the agent too
        self.server.sql("INSERT INTO errand (id, enrollment_id, account_kind, account, what, "
                        "asked_at) SELECT %d, id, 1, '%s', 3, 1 FROM enrollment WHERE ident = '%s'"
                        % (secrets.randbits(62), self.name, d.ident))
        drover.wait_for(lambda: self.server.count(
            "SELECT COUNT(*) FROM errand r JOIN enrollment e ON e.id = r.enrollment_id WHERE "
            "e.ident = '%s' AND r.refused = 1" % d.ident), 15)
        self.assertEqual(d.idle().body, b"")
        self.assertTrue(name)

    def test_an_offer_is_taken_and_given_back(self):
        d, other = self.owned(self.name), self.owned(self.name)
        content = profile("org.example." + uuid.uuid4().hex, PayloadDisplayName="Wi-Fi " + EVIL)
        item = self.call("POST", "/api/v1/profiles", plistlib.dumps(content), 201)
        g = self.call("POST", "/api/v1/groups", {"name": uuid.uuid4().hex}, 201)
        self.call("POST", "/api/v1/groups/%s/devices" % g["id"],
                  {"add": [d.ident, other.ident]})
        pair = {"group": g["id"], "item": item["id"]}
        offer = self.call("POST", "/api/v1/offers", pair, 201)
        self.call("POST", "/api/v1/offers", pair, 409)
        b = self.log_in()
        answer = b.get(self.path(d))
        self.assertIn("Wi-Fi " + EVIL, answer.page.text)
        self.assertIn("Not on this device", answer.page.text)
        answer = self.press(b, d, "take")
        self.assertEqual(answer.status, 303)
        answer = b.get(urllib.parse.urlsplit(answer.headers["Location"])._replace(
            scheme="", netloc="").geturl())
        self.assertIn("Noted. It comes", answer.page.text)
        c = self.command(d, "InstallProfile")
        d.report(c["CommandUUID"])
        drover.wait_for(lambda: "On this device" in b.get(self.path(d)).page.text, 15)
        self.assertEqual(other.idle().body, b"", "only the device that took it")
        listed = self.call("GET", "/api/v1/offers?group=" + g["id"])["offers"]
        self.assertEqual([(o["id"], o["taken"]) for o in listed], [(offer["id"], 1)])
        self.assertEqual(self.press(b, d, "give-back").status, 303)
        c = self.command(d, "RemoveProfile")
        self.assertEqual(c["Command"]["Identifier"], content["PayloadIdentifier"])
        d.report(c["CommandUUID"])
        drover.wait_for(lambda: "Not on this device" in b.get(self.path(d)).page.text, 15)
        # taken again, then offered no longer
        self.press(b, d, "take")
        d.report(self.command(d, "InstallProfile")["CommandUUID"])
        self.call("DELETE", "/api/v1/offers/%s?why=test" % offer["id"], status=204)
        d.report(self.command(d, "RemoveProfile")["CommandUUID"])

    def test_a_lost_device_is_locked(self):
        d = self.owned(self.name)
        b = self.log_in()
        answer = self.press(b, d, "lock", password="wrong", sure="yes", message="Call <b>me</b>",
                            phone="+1 555")
        self.assertEqual(answer.status, 403)
        form = answer.page.forms[self.form(answer, "lock")]
        self.assertEqual((form["message"], form["phone"]), ("Call <b>me</b>", "+1 555"))
        answer = self.press(b, d, "lock", password=PASSWORD, message="x" * 256, sure="yes")
        self.assertEqual(answer.status, 400)
        fields = {"password": PASSWORD, "sure": "yes", "message": "Call <b>me</b>",
                  "phone": "+1 555"}
        self.assertEqual(self.press(b, d, "lock", **fields).status, 303)
        self.assertEqual(self.press(b, d, "lock", **fields).status, 303)
        c = self.command(d, "DeviceLock")
        self.assertEqual((c["Command"]["Message"], c["Command"]["PhoneNumber"]),
                         ("Call <b>me</b>", "+1 555"))
        d.report(c["CommandUUID"])
        [[audit]] = self.server.sql("SELECT GROUP_CONCAT(action ORDER BY id) FROM audit WHERE actor = "
                                "'user:%s'" % self.name)
        self.assertIn("errand.lock", audit)
        self.assertIn("command.sensitive", audit)
        drover.wait_for(lambda: "Lock: done" in b.get(self.path(d)).page.text, 15)

    def test_leaving(self):
        d = self.owned(self.name)
        b = self.log_in()
        answer = self.press(b, d, "leave", password=PASSWORD)
        self.assertEqual((answer.status, "Tick the box" in answer.page.text), (400, True))
        self.assertEqual(self.press(b, d, "leave", password=PASSWORD, sure="yes").status, 303)
        self.assertEqual(self.command(d, "RemoveProfile")["Command"]["RequestType"],
                         "RemoveProfile")
        self.assertEqual(self.server.sql(
            "SELECT actor FROM audit WHERE action = 'enrollment.let_go' AND subject = '%s'"
            % d.ident), [["user:" + self.name]])
        d.checkin({"MessageType": "CheckOut", "UDID": d.udid, "Topic": d.topic})
        self.assertEqual(b.get(self.path(d)).status, 404)

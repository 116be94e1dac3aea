"""Commands by name over the API: checked device by device, once, with reasons and second persons,
and without a secret that stands in the database in the clear."""

import base64
import html
import http.cookiejar
import json
import os
import plistlib
import re
import ssl
import tempfile
import unittest
import urllib.error
import urllib.parse
import urllib.request
import uuid

import drover


class Person:
    """An administrator at the console, as a browser without JavaScript would be."""

    def __init__(self, server, name):
        self.name, self.base = name, server.run["console_url"]
        password = uuid.uuid4().hex
        with tempfile.NamedTemporaryFile("w", delete=False) as f:
            f.write(password)
        server.ctl("admin", "add", name, "--role", "operator", "--password-file", f.name)
        os.unlink(f.name)
        unchecked = ssl.create_default_context()
        unchecked.check_hostname, unchecked.verify_mode = False, ssl.CERT_NONE
        self.browser = urllib.request.build_opener(
            urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()),
            urllib.request.HTTPSHandler(context=unchecked))
        self.post("/signin", "/signin", name=name, password=password)

    def get(self, path, data=None):
        try:
            with self.browser.open(self.base + path, data, 10) as r:
                return r.status, html.unescape(r.read().decode())
        except urllib.error.HTTPError as e:
            return e.code, html.unescape(e.read().decode())

    def post(self, page, path, **fields):
        token = re.search('name="csrf" value="([0-9a-f]{64})"', self.get(page)[1]).group(1)
        return self.get(path, urllib.parse.urlencode({**fields, "csrf": token}).encode())


class Orders(unittest.TestCase):
    webs = ("lighttpd",)

    @classmethod
    def setUpClass(cls):
        cls.s = drover.server()
        cls.keys = {}
        for name, scopes in (("asker", "command,sensitive,read"), ("plain", "command,read"),
                             ("second", "approve,reveal,read")):
            cls.keys[name] = cls.s.ctl("apikey", "add", name + uuid.uuid4().hex[:6], "--scopes",
                                       scopes.replace(",", " ")).strip().split()[-1]
        # as if an account of the console had made it: of root's keys nobody tells whose they are
        cls.s.sql("UPDATE apikey SET created_by = 'second' WHERE name LIKE 'second%'")

    def setUp(self):
        self.d = drover.device().enrol()

    def post(self, path, body, status=200, key=None, **headers):
        r = self.s.api("POST", path, json.dumps(body).encode(), key=self.keys.get(key, key),
                       headers={"Content-Type": "application/json", **headers})
        self.assertEqual(r.status, status, r.body[:600])
        return json.loads(r.body)

    def order(self, request_type, command=None, status=200, ids=None, key=None, headers=None,
              **more):
        return self.post("/api/v1/commands", {"request_type": request_type, "push": False,
                                              "ids": ids or [self.d.ident],
                                              **({"command": command} if command else {}), **more},
                         status, key, **(headers or {}))

    def is_mac(self, device):
        self.s.sql("UPDATE enrollment SET product_name = 'Mac15,3', os_version = '14.4' "
                   "WHERE ident = '%s'" % device.ident)

    def tell(self, command_uuid, digested=True, **answer):
        self.assertEqual(self.d.report(command_uuid, **answer).status, 200)
        drover.wait_for(lambda: self.s.count(
            "SELECT COUNT(*) FROM result r JOIN command c ON c.id = r.command_id WHERE "
            "r.digest IN (0, 3) AND c.uuid = '%s'" % command_uuid) == 1)

    def test_each_device_has_its_outcome(self):
        mac = drover.device().enrol()
        self.is_mac(mac)
        self.s.sql("UPDATE enrollment SET product_name = 'iPhone14,2', os_version = '17.4' "
                   "WHERE ident = '%s'" % self.d.ident)
        ids = [self.d.ident, mac.ident, "nobody"]
        got = self.order("ProfileList", {"ManagedOnly": True}, 207, ids)
        self.assertEqual((got["queued"], got["refused"]), (2, 1))
        by_id = {r["id"]: r for r in got["results"]}
        self.assertEqual(by_id["nobody"]["error"], "unknown enrollment id")
        c = by_id[self.d.ident]["command_uuid"]
        self.assertEqual(self.d.idle().plist(), {"CommandUUID": c, "Command": {
            "RequestType": "ProfileList", "ManagedOnly": True}})
        # a Mac's command is refused for the iPhone, unless it is forced
        got = self.order("RotateFileVaultKey", {"KeyType": "personal", "FileVaultUnlock": {
            "Password": "geheim-7"}}, 207, ids[:2], reason="lost key")
        self.assertEqual([r["id"] for r in got["results"] if r["queued"]], [mac.ident])
        self.assertIn("iOS", json.dumps(got["kinds"]))
        uuid_ = next(r["command_uuid"] for r in got["results"] if r["queued"])
        # the password is nowhere in the database, and the Mac gets it
        self.assertEqual(self.s.count("SELECT COUNT(*) FROM command WHERE INSTR(body, 'geheim-7') "
                                      "OR INSTR(COALESCE(sealed, ''), 'geheim-7')"), 0)
        mac.report(mac.idle().plist()["CommandUUID"])
        got = mac.idle().plist()
        self.assertEqual((got["CommandUUID"], got["Command"]["FileVaultUnlock"]),
                         (uuid_, {"Password": "geheim-7"}))
        problem = self.order("RotateFileVaultKey", {"KeyType": "personal", "FileVaultUnlock": {
            "Password": "x"}}, 422, [self.d.ident], reason="r")
        self.assertEqual((problem["queued"], problem["status"]), (0, 422))
        forced = self.order("RotateFileVaultKey", {"KeyType": "personal", "FileVaultUnlock": {
            "Password": "x"}}, 200, [self.d.ident], reason="r", force=True)
        self.assertEqual(forced["queued"], 1)
        self.assertEqual(self.s.count(
            "SELECT COUNT(*) FROM audit WHERE action = 'command.force' AND detail LIKE '%%%s%%'"
            % forced["commands"][0]["command_uuid"]), 1)

    def test_what_is_wrong_is_told(self):
        for body, words in (({"ids": ["x"]}, "request_type"),
                            ({"request_type": "Nope", "ids": ["x"]}, "no request type"),
                            ({"request_type": "ProfileList", "ids": []}, "ids"),
                            ({"request_type": "ProfileList", "ids": ["x"], "odd": 1}, "odd"),
                            ({"request_type": "ProfileList", "ids": ["x"], "command": []}, ""),
                            ({"request_type": "EraseDevice", "ids": ["x"]}, "reason")):
            self.assertIn(words, self.post("/api/v1/commands", body, 400)["detail"])
        got = self.order("DeviceLock", {"PIN": 7}, 422, reason="r")
        self.assertIn("PIN", json.dumps(got["kinds"]))

    def test_questions_fit_the_device(self):
        self.s.sql("UPDATE enrollment SET product_name = 'AppleTV11,1', os_version = '17.4' "
                   "WHERE ident = '%s'" % self.d.ident)
        got = self.order("DeviceInformation", {"Queries": ["DeviceName", "HostName", "IMEI"]})
        self.assertEqual(sorted(got["commands"][0]["dropped"]), ["HostName", "IMEI"])
        command = self.d.idle().plist()
        self.assertEqual(command["Command"]["Queries"], ["DeviceName"])
        self.tell(command["CommandUUID"], QueryResponses={"DeviceName": "TV"})
        result = json.loads(self.s.api("GET", "/api/v1/devices/%s/results/%s" % (
            urllib.parse.quote(self.d.ident, safe=""), command["CommandUUID"])).body)
        self.assertEqual(sorted(result["dropped"]), ["HostName", "IMEI"])
        self.order("DeviceInformation")
        queries = self.d.idle().plist()["Command"]["Queries"]
        self.assertIn("OSVersion", queries)
        self.assertNotIn("HostName", queries)

    def test_the_same_key_does_it_once(self):
        key = {"Idempotency-Key": uuid.uuid4().hex}
        first = self.order("ProfileList", headers=key)
        self.assertEqual(self.order("ProfileList", headers=key), first)
        self.order("CertificateList", status=409, headers=key)
        # the process was killed before it could answer
        self.s.sql("UPDATE idempotency SET status = NULL, answer = NULL, begun_at = 1")
        again = self.order("ProfileList", headers=key)
        self.assertEqual((again["repeated"], again["commands"]), (True, first["commands"]))
        self.assertEqual(self.s.count("SELECT COUNT(*) FROM queue q JOIN enrollment e ON e.id = "
                                      "q.enrollment_id WHERE e.ident = '%s'" % self.d.ident), 1)

    def test_sensitive_ones_want_scope_and_reason(self):
        self.is_mac(self.d)
        self.order("DeviceLock", {"PIN": "471199"}, 403, key="plain", reason="stolen")
        got = self.order("DeviceLock", {"PIN": "471199"}, key="asker", reason="stolen")
        self.assertEqual(self.d.idle().plist()["Command"]["PIN"], "471199")
        uuid_ = got["commands"][0]["command_uuid"]
        self.assertEqual(self.s.count("SELECT COUNT(*) FROM audit WHERE subject = '%s' AND detail "
                                      "LIKE '%%reason=stolen'" % uuid_), 1)
        self.tell(uuid_)
        # the PIN is kept for who must unlock the device, and opened with a reason only
        body = {"id": self.d.ident, "kind": "DeviceLock.PIN"}
        self.post("/api/v1/secrets", body, 403, key="asker")
        self.post("/api/v1/secrets", body, 400, key="second")
        got = self.post("/api/v1/secrets", {**body, "reason": "found"}, key="second")
        self.assertEqual(got["secret"], "471199")
        self.post("/api/v1/secrets", {**body, "kind": "x", "reason": "found"}, 404, key="second")
        self.assertEqual(self.s.count("SELECT COUNT(*) FROM audit WHERE action = 'secret.reveal' "
                                      "AND subject = '%s'" % self.d.ident), 1)

    def test_a_secret_wants_a_second_person_too(self):
        c = self.s.enqueue(self.d.ident, "ActivationLockBypassCode", push=False)
        self.d.idle()
        self.tell(c, ActivationLockBypassCode="BYPASS-4712")
        body = {"id": self.d.ident, "kind": "ActivationLockBypassCode", "reason": "sold"}
        with drover.setting(self.s, "command", approval="sensitive"):
            asked = self.post("/api/v1/secrets", body, 202, key="second")
            self.assertEqual((asked["state"], sorted(asked)),
                             ("waiting", ["approval", "expires_at", "state"]))
            self.assertEqual(self.post("/api/v1/secrets", body, 202, key="second")["approval"],
                             asked["approval"])
            self.post("/api/v1/secrets", {**body, "kind": "x"}, 404, key="second")
            # not by who asked; by another, and then for who asked alone
            path = "/api/v1/approvals/" + asked["approval"]
            self.post(path, {"decision": "approve", "reason": "x"}, 403, key="second")
            who = Person(self.s, "v" + uuid.uuid4().hex[:6])
            page = who.get("/approvals")[1]
            self.assertIn("Show a secret: ActivationLockBypassCode", page)
            status, text = who.post("/approvals", "/approvals", id=asked["approval"],
                                    decision="approve", why="checked")
            self.assertIn("who asked for it can do it now", text)
            self.assertEqual(self.post("/api/v1/secrets", body, key="second")["secret"],
                             "BYPASS-4712")
            self.assertEqual(self.s.count(
                "SELECT COUNT(*) FROM audit WHERE action = 'secret.reveal' AND subject = '%s' AND "
                "detail LIKE '%%approved_by=%s%%'" % (self.d.ident, who.name)), 1)
            page = "/device/part?part=security&" + urllib.parse.urlencode({"id": self.d.ident})
            status, text = who.post(page, "/device/secret", device=self.d.ident, about="",
                                    kind="ActivationLockBypassCode", why="me too")
            self.assertIn("second person is asked", text)
            self.assertNotIn("BYPASS-4712", text)
            # who has the device now is not whom it was about
            self.s.sql("UPDATE enrollment SET enrolled_at = UNIX_TIMESTAMP() * 1000000 + 9000000 "
                       "WHERE ident = '%s'" % self.d.ident)
            self.assertNotEqual(self.post("/api/v1/secrets", body, 202, key="second")["approval"],
                                asked["approval"])
        self.assertEqual(self.post("/api/v1/secrets", body, key="second")["secret"], "BYPASS-4712")

    def test_the_escrow_key_wants_a_second_person_too(self):
        serial = "SER" + uuid.uuid4().hex[:8].upper()
        self.s.sql("UPDATE enrollment SET serial = '%s' WHERE ident = '%s'" % (serial, self.d.ident))

        def call(which):
            fields = {"topic": "com.apple.mgmt.none", "serial": which, "productType": "iPhone1,1",
                      "escrowKey": "AAAAA-BBBBB", "orgName": "O", "guid": "g", "reason": "sold"}
            return self.s.api("POST", "/v1/escrowkeyunlock", urllib.parse.urlencode(fields).encode(),
                              headers={"Content-Type": "application/x-www-form-urlencoded"})
        with drover.setting(self.s, "command", approval="sensitive"):
            asked = call(serial)
            self.assertEqual(asked.status, 202)
            number = json.loads(asked.body)["approval"]
            self.assertEqual(call("nobody's").status, 403)
            Person(self.s, "e" + uuid.uuid4().hex[:6]).post(
                "/approvals", "/approvals", id=number, decision="approve", why="checked")
            self.assertEqual(call(serial).status, 500)  # it goes on: there is no such topic
        self.assertEqual(call(serial).status, 500)

    def test_what_a_device_tells_is_sealed(self):
        c = self.s.enqueue(self.d.ident, "ActivationLockBypassCode", push=False)
        self.d.idle()
        self.tell(c, ActivationLockBypassCode="BYPASS-4711")
        self.assertEqual(self.s.count("SELECT COUNT(*) FROM result WHERE INSTR(report, 'BYPASS')"),
                         0)
        got = self.post("/api/v1/secrets", {"id": self.d.ident, "reason": "r",
                                            "kind": "ActivationLockBypassCode"})
        self.assertEqual(got["secret"], "BYPASS-4711")
        kinds = json.loads(self.s.api("GET", "/api/v1/devices/%s/secrets" % urllib.parse.quote(
            self.d.ident, safe="")).body)["items"]
        self.assertEqual([k["kind"] for k in kinds], ["ActivationLockBypassCode"])
        # and at the shell, for a reason too
        ask = ("reveal", self.d.ident, "ActivationLockBypassCode")
        with self.assertRaises(AssertionError):
            self.s.ctl(*ask)
        self.assertEqual(self.s.ctl(*ask, "--reason", "found again").strip(), "BYPASS-4711")
        found = json.loads(self.s.ctl("audit", "list", "--action", "secret.", "--subject",
                                      self.d.ident, "--json"))
        self.assertIn("found again", found[0]["detail"])
        self.assertNotIn("BYPASS", json.dumps(found))
        one = json.loads(self.s.ctl("audit", "list", "--action", "secret.", "--subject",
                                    self.d.ident, "--limit", "1", "--before",
                                    str(found[0]["id"]), "--json"))
        self.assertEqual(one[0]["id"], found[1]["id"])

    def test_a_lost_device_keeps_its_passcode(self):
        self.d.token_update(UnlockToken=b"token")
        got = self.order("EnableLostMode", {"Message": "call us"}, reason="lost", force=True)
        problem = self.order("ClearPasscode", None, 422, reason="r", force=True)
        self.assertIn("lost", problem["results"][0]["error"])
        self.d.idle()
        self.tell(got["commands"][0]["command_uuid"])
        self.order("ClearPasscode", None, 422, reason="r", force=True)
        got = self.order("DisableLostMode", None, reason="found", force=True)
        self.d.idle()
        self.tell(got["commands"][0]["command_uuid"])
        self.order("ClearPasscode", None, 200, reason="r", force=True)
        self.assertEqual(self.d.idle().plist()["Command"]["UnlockToken"], b"token")

    def test_a_device_that_is_lost_later_keeps_its_passcode_too(self):
        """What waited in the queue was delivered to a device that was marked lost meanwhile."""
        self.d.token_update(UnlockToken=b"token")
        clear = self.order("ClearPasscode", None, 200, reason="forgotten", force=True)
        got = self.order("EnableLostMode", {"Message": "call us"}, reason="stolen", force=True)
        sent = self.d.idle().plist()
        self.assertEqual(sent["Command"]["RequestType"], "EnableLostMode")
        self.assertEqual(sent["CommandUUID"], got["commands"][0]["command_uuid"])
        self.assertEqual(self.d.report(sent["CommandUUID"]).body, b"")
        c = clear["commands"][0]["command_uuid"]
        one = json.loads(self.s.api("GET", "/v1/results/%s/%s" % (
            urllib.parse.quote(self.d.ident), c)).body)
        self.assertEqual(one["state"], "cancelled")
        self.assertIn("undeliverable", one["closed_why"])
        # told and not read yet, it counts already
        raw = self.order("ClearPasscode", None, 422, reason="r", force=True)
        self.assertIn("lost", raw["results"][0]["error"])

    def test_a_second_person_approves(self):
        with drover.setting(self.s, "command", approval="sensitive"):
            self.approvals()

    def test_a_second_person_approves_in_the_console(self):
        with drover.setting(self.s, "command", approval="sensitive"):
            self.console_approvals()

    def console_approvals(self):
        one = Person(self.s, "one" + uuid.uuid4().hex[:6])
        two = Person(self.s, "two" + uuid.uuid4().hex[:6])
        page = "/device/send?" + urllib.parse.urlencode({"id": self.d.ident, "type": "DeviceLock"})
        form = {"device": self.d.ident, "type": "DeviceLock", "go": "1", "Message": "s3cret words"}
        status, text = one.post(page, "/device/send", **form)
        self.assertEqual(status, 400)
        self.assertIn("needs a reason", text)
        status, text = one.post(page, "/device/send", why="was lost <b>", **form)
        self.assertIn("waits for the approval", text)
        self.assertEqual(self.d.idle().body, b"")
        self.assertEqual(self.s.count("SELECT COUNT(*) FROM approval WHERE INSTR(request, "
                                      "'s3cret')"), 0)
        number = str(self.s.count("SELECT MAX(id) FROM approval"))
        self.assertNotIn('name="decision"', one.get("/approvals")[1])
        decision = {"id": number, "decision": "approve", "why": "checked"}
        status, text = one.post("/approvals", "/approvals", **decision)
        self.assertEqual(status, 403)
        status, text = two.post("/approvals", "/approvals", **{**decision, "why": ""})
        self.assertEqual(status, 400)
        status, text = two.post("/approvals", "/approvals", **decision)
        self.assertIn("approved and queued", text)
        # whoever comes second is told who was first, and nothing is queued or put on record again
        for who in (two, one):
            status, text = who.post("/approvals", "/approvals", **decision)
            self.assertEqual(status, 409)
            self.assertRegex(text, two.name + " approved it already, at 20")
        self.once_on_record(number)
        sent = self.d.idle().plist()
        command = sent["Command"]
        self.assertEqual((command["RequestType"], command["Message"]), ("DeviceLock",
                                                                        "s3cret words"))
        self.assertEqual(self.s.count("SELECT COUNT(*) FROM queue q JOIN enrollment e ON e.id = "
                                      "q.enrollment_id WHERE e.ident = '%s'" % self.d.ident), 1)
        self.d.report(sent["CommandUUID"])
        # asked for by the API, for later: approved in the console, it is still for later
        asked = self.order("DeviceLock", None, 202, key="asker", reason="r",
                           not_before="2099-01-01T00:00:00Z", priority=7,
                           ids=[self.d.ident, "nobody-" + uuid.uuid4().hex])
        status, text = two.post("/approvals", "/approvals", id=asked["approval"],
                                decision="approve", why="checked")
        self.assertIn("approved and queued", text)
        self.assertEqual(self.s.count("SELECT targets FROM approval WHERE id = " +
                                      asked["approval"]), 1)
        self.assertEqual(self.d.idle().body, b"")
        self.assertEqual(self.s.count("SELECT COUNT(*) FROM queue q JOIN enrollment e ON e.id = "
                                      "q.enrollment_id WHERE e.ident = '%s' AND q.not_before > "
                                      "4000000000000000" % self.d.ident), 1)

    def once_on_record(self, number):
        self.assertEqual(self.s.sql("SELECT action FROM audit WHERE subject = 'approval:%s' ORDER "
                                    "BY id" % number), [["approval.ask"], ["approval.approve"]])
        self.assertEqual(self.s.count("SELECT COUNT(*) FROM audit WHERE action = "
                                      "'command.sensitive' AND subject = (SELECT uuid FROM command "
                                      "ORDER BY created_at DESC LIMIT 1)"), 1)

    def test_a_command_of_a_group_and_who_comes_later(self):
        with drover.setting(self.s, "command", approval="sensitive"):
            self.group_approvals()

    def group_approvals(self):
        """The approval is for who is in the group; who comes later waits for another one."""
        one = Person(self.s, "one" + uuid.uuid4().hex[:6])
        two = Person(self.s, "two" + uuid.uuid4().hex[:6])
        late = drover.device().enrol()
        self.is_mac(self.d)
        self.is_mac(late)
        g = self.post("/api/v1/groups", {"name": uuid.uuid4().hex}, 201)["id"]
        self.post("/api/v1/groups/%s/devices" % g, {"add": [self.d.ident]})
        lock = {"request_type": "DeviceLock", "command": {"PIN": "815471"}, "policy": "join",
                "reason": "kiosk"}
        order = self.post("/api/v1/groups/%s/commands" % g, lock)["commands"][0]
        self.assertEqual(order["state"], "waiting")
        path = "/api/v1/approvals/" + order["approval"]
        asked = json.loads(self.s.api("GET", path, key=self.keys["second"]).body)
        self.assertEqual((asked["group_command"], asked["enrollments"], asked["ids"]),
                         (order["id"], 1, [self.d.ident]))
        decision = {"decision": "approve", "reason": "checked"}
        self.post(path, decision, 403)
        got = self.post(path, {**decision, "seen_at": asked["as_of"]}, key="second")
        self.assertEqual((got["state"], got["enrollments"]), ("approved", 1))
        again = self.post(path, decision, key="second")
        self.assertEqual((again["repeated"], again["decided_at"]), (True, got["decided_at"]))
        other = self.post(path, {"decision": "refuse", "reason": "no"}, 409)
        self.assertEqual((other["decided_by"], other["decided_at"]),
                         (got["decided_by"], got["decided_at"]))
        drover.wait_for(lambda: self.d.idle().body, 15)
        self.post("/api/v1/groups/%s/devices" % g, {"add": [late.ident]})

        def waits():
            mine = json.loads(self.s.api("GET", "/api/v1/device-items/" + late.ident).body)
            return [c for c in mine["commands"] if c["state"] == "waiting-for-approval"]
        found = drover.wait_for(waits, 15)
        self.assertIn("second person", found[0]["reason"])

        def asked_again():
            now = json.loads(self.s.api("GET", "/api/v1/group-commands/" + order["id"]).body)
            return now if now["approval"] != order["approval"] else None
        now = drover.wait_for(asked_again, 15)
        self.assertEqual(now["devices"]["waiting-for-approval"], 1)
        self.assertEqual((now["state"], now["approval_state"]), ("in-force", "waiting"))
        told = json.loads(self.s.ctl("blueprint", "show", g, "--json"))
        self.assertEqual(told[0]["waiting_for_approval"], 1)
        told = json.loads(self.s.ctl("blueprint", "devices", g, order["id"], "--state",
                                     "waiting-for-approval", "--json"))
        self.assertEqual([t["enrollment_id"] for t in told], [late.ident])
        self.assertIn("waiting for a second person 1", one.get("/group/contents?id=" + g)[1])
        page = one.get("/approval?id=" + now["approval"])[1]
        self.assertIn("anew waits for another approval", page)
        self.assertIn(urllib.parse.quote(late.ident), page)
        self.assertNotIn(urllib.parse.quote(self.d.ident), page)
        self.assertEqual([t["id"] for t in json.loads(self.s.ctl("approvals", "targets",
                                                                 now["approval"], "--json"))],
                         [late.ident])
        self.assertEqual(late.idle().body, b"")
        status, text = two.post("/approvals", "/approvals", id=now["approval"],
                                decision="approve", why="checked")
        self.assertIn("approved and queued", text)
        sent = drover.wait_for(lambda: late.idle().body, 15)
        self.assertIn(b"815471", sent)
        self.s.api("DELETE", "/api/v1/groups/%s?why=test" % g)

    def test_whoever_has_it_now_is_not_whom_it_was_about(self):
        """A device that enrolled anew between the request and its approval is left alone."""
        other = drover.device().enrol()
        with drover.setting(self.s, "command", approval="sensitive"):
            asked = self.order("DeviceLock", None, 202, key="asker", reason="r",
                               ids=[self.d.ident, other.ident])
            self.d.authenticate()
            self.d.token_update()
            got = self.post("/api/v1/approvals/" + asked["approval"],
                            {"decision": "approve", "reason": "r"}, key="second")
            self.assertEqual([r["id"] for r in got["results"]], [other.ident])
            self.assertEqual(self.d.idle().body, b"")
            asked = self.order("DeviceLock", None, 202, key="asker", reason="r")
            self.d.authenticate()
            self.d.token_update()
            got = self.post("/api/v1/approvals/" + asked["approval"],
                            {"decision": "approve", "reason": "r"}, 400, key="second")
            self.assertIn("enrolled anew", got["detail"])
            self.assertEqual(self.d.idle().body, b"")

    def test_raw_commands_go_by_the_same_rules(self):
        """A key for commands alone erased devices by way of a property list."""
        def raw(request_type="EraseDevice"):
            u = str(uuid.uuid4()).upper()
            return u, plistlib.dumps({"CommandUUID": u, "Command": {"RequestType": request_type}})
        path = "/v1/enqueue/%s?nopush=1" % urllib.parse.quote(self.d.ident)
        _, body = raw()
        r = self.s.api("PUT", path, body, key=self.keys["plain"])
        self.assertEqual(r.status, 403)
        self.assertIn(b"lacks the scope", r.body)
        self.assertEqual(self.s.api("PUT", path, raw("ProfileList")[1],
                                    key=self.keys["plain"]).status, 200)
        many = {"ids": [self.d.ident], "push": False, "command": base64.b64encode(body).decode()}
        self.post("/v1/enqueue", {**many, "reason": "r"}, 403, key="plain")
        self.assertIn("say the reason", self.post("/v1/enqueue", many, 400, key="asker")["error"])
        self.post("/v1/enqueue", {**many, "reason": 1}, 400, key="asker")
        # NanoMDM's call has no reason; what is sent stands in the audit log all the same
        u, body = raw("DeviceLock")
        self.assertEqual(self.s.api("PUT", path, body, key=self.keys["asker"]).status, 200)
        one, body = raw("DeviceLock")
        self.post("/v1/enqueue", {**many, "command": base64.b64encode(body).decode(),
                                  "reason": "sold"}, key="asker")
        said = dict(self.s.sql("SELECT subject, detail FROM audit WHERE action = "
                               "'command.sensitive' AND subject IN ('%s', '%s')" % (u, one)))
        self.assertIn("reason=(none)", said[u])
        self.assertIn("reason=sold", said[one])
        # at the shell, and in the console
        with tempfile.NamedTemporaryFile() as f:
            f.write(raw("DeviceLock")[1])
            f.flush()
            argv = ("enqueue", self.d.ident, "--file", f.name, "--no-push")
            status, text = self.s.ctl(*argv, check=False)
            self.assertEqual((status, "say --reason" in text), (1, True))
            self.s.ctl(*argv, "--reason", "sold")
        who = Person(self.s, "raw" + uuid.uuid4().hex[:6])
        status, text = who.post("/device?id=" + self.d.ident, "/device/command",
                                device=self.d.ident, type="raw", raw=raw()[1].decode())
        self.assertEqual(status, 400)
        self.assertIn("send it by its form", text)
        r = self.s.api("POST", "/v1/escrowkeyunlock", b"topic=x", key=self.keys["plain"], headers={
            "Content-Type": "application/x-www-form-urlencoded"})
        self.assertEqual(r.status, 403)
        self.assertEqual(self.s.count(
            "SELECT COUNT(*) FROM queue q JOIN command c ON c.id = q.command_id JOIN enrollment e "
            "ON e.id = q.enrollment_id WHERE c.request_type = 'EraseDevice' AND e.ident = '%s'" %
            self.d.ident), 0)

    def test_one_person_is_not_two(self):
        """By no two ways in: the console, and keys of one's own."""
        with drover.setting(self.s, "command", approval="sensitive"):
            self.one_person()

    def one_person(self):
        one = Person(self.s, "one" + uuid.uuid4().hex[:6])
        keys = {}
        for name, scopes in (("asks", "command sensitive"), ("agrees", "approve"),
                             ("roots", "approve"), ("others", "approve")):
            keys[name] = self.s.ctl("apikey", "add", name + one.name, "--scopes",
                                    scopes).strip().split()[-1]
        # as if the person had made two in the console, and somebody else one
        self.s.sql("UPDATE apikey SET created_by = '%s' WHERE name IN ('asks%s', 'agrees%s')" %
                   (one.name, one.name, one.name))
        self.s.sql("UPDATE apikey SET created_by = 'ann' WHERE name = 'others%s'" % one.name)
        decision = {"decision": "approve", "reason": "me"}
        page = "/device/send?" + urllib.parse.urlencode({"id": self.d.ident, "type": "DeviceLock"})
        one.post(page, "/device/send", why="lost", device=self.d.ident, type="DeviceLock", go="1")
        by_console = str(self.s.count("SELECT MAX(id) FROM approval"))
        by_key = self.order("DeviceLock", None, 202, key=keys["asks"], reason="r")["approval"]
        for number in (by_console, by_key):
            path = "/api/v1/approvals/" + number
            for key in ("agrees", "roots"):
                self.post(path, decision, 403, key=keys[key])
            self.assertEqual(one.post("/approvals", "/approvals", id=number, decision="approve",
                                      why="me")[0], 403)
        self.assertEqual(self.d.idle().body, b"")
        # who sets somebody else's key knows it, and is behind it from then on
        with tempfile.NamedTemporaryFile("w") as f:
            f.write(keys["others"])
            f.flush()
            self.s.ctl("apikey", "set", "others" + one.name, "--key-file", f.name, "--scopes",
                       "approve")
        self.post("/api/v1/approvals/" + by_key, decision, 403, key=keys["others"])
        self.s.sql("UPDATE apikey SET created_by = 'ann' WHERE name = 'others%s'" % one.name)
        self.post("/api/v1/approvals/" + by_key, decision, key=keys["others"])

    def test_all_whom_a_request_is_for(self):
        with drover.setting(self.s, "command", approval="sensitive"):
            devices = [self.d] + [drover.device().enrol() for _ in range(2)]
            ids = [d.ident for d in devices]
            asked = self.order("DeviceLock", None, 202, key="asker", reason="r", ids=ids)
        path = "/api/v1/approvals/%s/targets" % asked["approval"]
        found, cursor = [], ""
        while cursor is not None:
            got = json.loads(self.s.api("GET", path + "?limit=2" + cursor,
                                        key=self.keys["second"]).body)
            found += [t["id"] for t in got["targets"]]
            cursor = "&cursor=" + got["next_cursor"] if "next_cursor" in got else None
        self.assertEqual(sorted(found), sorted(ids))
        page = Person(self.s, "all" + uuid.uuid4().hex[:6]).get("/approval?id=" +
                                                                asked["approval"])[1]
        for ident in ids:
            self.assertIn(urllib.parse.quote(ident), page)
        self.assertIn("Devices: 3", page)

    def approvals(self):
        self.is_mac(self.d)
        raw = self.s.api("PUT", "/v1/enqueue/%s?nopush=1" % urllib.parse.quote(self.d.ident),
                         b"<plist><dict><key>CommandUUID</key><string>x1</string><key>Command</key>"
                         b"<dict><key>RequestType</key><string>EraseDevice</string></dict></dict>"
                         b"</plist>")
        self.assertIn("second person", raw.json()["command_error"])
        asked = self.order("EraseDevice", {"PIN": "123456"}, 202, key="asker", reason="sold")
        self.assertEqual(self.d.idle().body, b"")
        path = "/api/v1/approvals/" + asked["approval"]
        self.assertEqual(self.s.count("SELECT COUNT(*) FROM approval WHERE INSTR(request, "
                                      "'123456')"), 0)
        self.post(path, {"decision": "approve", "reason": "me"}, 403, key="asker")
        waiting = json.loads(self.s.api("GET", "/api/v1/approvals?waiting=1",
                                        key=self.keys["second"]).body)["approvals"]
        self.assertIn(asked["approval"], [a["approval"] for a in waiting])
        one = json.loads(self.s.api("GET", path, key=self.keys["second"]).body)
        self.assertEqual(one["ids"], [self.d.ident])
        got = self.post(path, {"decision": "approve", "reason": "checked"}, key="second")
        self.assertEqual(got["queued"], 1)
        again = self.post(path, {"decision": "approve", "reason": "checked"}, key="second")
        self.assertTrue(again["repeated"])
        self.assertIn("second", again["decided_by"])
        other = self.post(path, {"decision": "refuse", "reason": "late"}, 409, key="second")
        self.assertEqual((other["decided_by"], other["decided_at"], other["decided_why"]),
                         (again["decided_by"], again["decided_at"], "checked"))
        self.assertIn("approved already: by api:second", other["detail"])
        self.once_on_record(asked["approval"])
        self.assertEqual(self.d.idle().plist()["Command"]["PIN"], "123456")
        self.d.report(got["commands"][0]["command_uuid"])
        # nobody approves what he asked for, not even with every scope
        asked = self.order("DeviceLock", None, 202, reason="r")
        path = "/api/v1/approvals/" + asked["approval"]
        self.post(path, {"decision": "approve", "reason": "r"}, 403)
        self.assertEqual(self.post(path, {"decision": "refuse", "reason": "no"}, key="second")
                         ["state"], "refused")
        self.assertEqual(self.d.idle().body, b"")

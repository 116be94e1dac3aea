"""What is assigned to groups comes to devices: as it is delivered, until they have it."""

import json
import os
import plistlib
import tempfile
import unittest
import uuid

import drover
from test_profiles import profile


class TestLibrary(unittest.TestCase):
    webs = ("lighttpd",)

    def setUp(self):
        self.s = drover.server()

    def call(self, method, path, body=None, status=200):
        headers = {"Content-Type": "application/json"} if isinstance(body, dict) else {}
        r = self.s.api(method, path, json.dumps(body) if isinstance(body, dict) else body,
                       headers=headers)
        self.assertEqual(r.status, status, r.body[:500])
        return json.loads(r.body) if r.body else None

    def assigned(self, content, devices, **settings):
        """A profile of the library, and the group of these devices that is to have it."""
        p = self.call("POST", "/api/v1/profiles", plistlib.dumps(content), 201)
        if settings:
            self.call("PATCH", "/api/v1/profiles/" + p["id"], settings)
        g = self.call("POST", "/api/v1/groups", {"name": uuid.uuid4().hex}, 201)
        self.call("POST", "/api/v1/groups/%s/devices" % g["id"],
                  {"add": [d.ident for d in devices]})
        a = self.call("POST", "/api/v1/assignments", {"group": g["id"], "item": p["id"]}, 201)
        return p["id"], g["id"], a["id"]

    def offered(self, d):
        """The command that the device is offered, once there is one."""
        return drover.wait_for(lambda: d.idle().body and d.idle().plist(), 15)

    def state(self, d, item):
        return next((i for i in self.call("GET", "/api/v1/device-items/" + d.ident)["items"]
                     if i["item"] == item), {"state": None})

    def wait_state(self, d, item, state):
        drover.wait_for(lambda: self.state(d, item)["state"] == state, 15)

    def opened(self, payload):
        """The profile in a signature, which openssl finds good."""
        return plistlib.loads(drover.sh("openssl", "cms", "-verify", "-noverify", "-inform", "DER",
                                        data=payload))

    def test_installed_updated_and_removed(self):
        d = drover.device().enrol()
        name = "org.example." + uuid.uuid4().hex
        content = profile(name, PayloadDescription="%SerialNumber% of %DeviceName% 100%")
        item, group, assignment = self.assigned(content, [d])
        c = self.offered(d)
        self.assertEqual(c["Command"]["RequestType"], "InstallProfile")
        got = self.opened(c["Command"]["Payload"])
        self.assertEqual(got, {**content, "PayloadDescription":
                               "C02" + d.udid[:9].replace("-", "") + " of test 100%"})
        self.assertEqual(self.state(d, item)["state"], "queued")
        d.report(c["CommandUUID"])
        self.wait_state(d, item, "installed")
        # Another version follows; one that fails says why.
        content["PayloadUUID"] = str(uuid.uuid4()).upper()
        self.call("POST", "/api/v1/profiles/%s/versions" % item, plistlib.dumps(content), 201)
        c = self.offered(d)
        self.assertEqual(self.opened(c["Command"]["Payload"])["PayloadUUID"],
                         content["PayloadUUID"])
        d.report(c["CommandUUID"], "Error", ErrorChain=[{
            "ErrorCode": 4001, "ErrorDomain": "MCInstallationErrorDomain",
            "LocalizedDescription": "nein", "USEnglishDescription": "no"}])
        self.wait_state(d, item, "failed")
        self.assertEqual(self.state(d, item)["reason"], "no (MCInstallationErrorDomain 4001)")
        self.rolled_out(d, item, name)
        c = self.offered(d)
        d.report(c["CommandUUID"])
        self.wait_state(d, item, "installed")
        self.assertEqual(self.call("GET", "/api/v1/profiles/%s/devices" % item)["counts"][
            "installed"], 1)
        # What is taken from the group is removed.
        before = self.call("POST", "/api/v1/preview", {"group": group, "items": []})
        self.assertEqual(before["items"][0]["remove"], {"devices": 1, "some": [d.ident]})
        self.call("DELETE", "/api/v1/assignments/%s?why=test" % assignment, status=204)
        c = self.offered(d)
        self.assertEqual(c["Command"], {"RequestType": "RemoveProfile", "Identifier": name})
        d.report(c["CommandUUID"])
        self.wait_state(d, item, "removed")
        self.assertEqual(d.idle().body, b"")

    def test_a_part_is_not_the_whole(self):
        """Who asks to delete or change what stands behind an id does nothing to what has the id."""
        d = drover.device().enrol()
        item, group, assignment = self.assigned(profile("org.example." + uuid.uuid4().hex), [d])
        app = self.call("POST", "/api/v1/apps",
                        {"identifier": "org.example." + uuid.uuid4().hex}, 201)["id"]
        order = self.call("POST", "/api/v1/groups/%s/commands" % group,
                          {"request_type": "SecurityInfo", "policy": "enrol"})
        order = order["commands"][0]["id"]
        for path in ("groups/%s/devices" % group, "groups/%s/blueprint" % group,
                     "groups/%s/commands" % group, "profiles/%s/versions" % item,
                     "profiles/%s/devices" % item, "apps/%s/versions" % app,
                     "assignments/%s/devices" % assignment, "offers/%s/devices" % assignment,
                     "group-commands/%s/devices" % order):
            self.call("DELETE", "/api/v1/%s?why=x" % path, status=404)
            if path.startswith(("groups", "profiles", "apps")):
                self.call("PATCH", "/api/v1/" + path, {"name": "another"}, 404)
        for path in ("groups/" + group, "profiles/" + item, "apps/" + app,
                     "group-commands/" + order):
            self.assertNotEqual(self.call("GET", "/api/v1/" + path).get("name"), "another", path)
        got = self.call("GET", "/api/v1/assignments?group=" + group)["assignments"]
        self.assertEqual([a["id"] for a in got], [assignment])

    def test_one_device_by_itself(self):
        d, other = drover.device().enrol(), drover.device().enrol()
        name = "org.example." + uuid.uuid4().hex
        item = self.call("POST", "/api/v1/profiles", plistlib.dumps(profile(name)), 201)["id"]
        at = "/api/v1/assignments"
        a = self.call("POST", at, {"device": d.ident, "item": item}, 201)["id"]
        self.call("POST", at, {"device": d.ident, "item": item}, 409)
        self.call("POST", at, {"device": "nobody", "item": item}, 404)
        self.call("POST", at, {"device": d.ident, "group": "1", "item": item}, 400)
        self.call("POST", "/api/v1/offers", {"device": d.ident, "item": item}, 400)
        c = self.offered(d)
        self.assertEqual(c["Command"]["RequestType"], "InstallProfile")
        d.report(c["CommandUUID"])
        self.wait_state(d, item, "installed")
        self.assertEqual(other.idle().body, b"")
        for query in ("?device=" + d.ident, "?device=&item=" + item):
            got = self.call("GET", at + query)["assignments"]
            self.assertEqual([(x["id"], x["device"], "group" in x) for x in got],
                             [(a, d.ident, False)])
        self.assertEqual(self.call("GET", at + "?item=" + item)["assignments"], [])
        ask = "/api/v1/preview"
        seen = self.call("POST", ask, {"device": d.ident, "items": []})
        self.assertEqual((seen["devices"], seen["items"][0]["remove"]["some"]), (1, [d.ident]))
        seen = self.call("POST", ask, {"device": other.ident, "items": [item]})
        self.assertEqual(seen["items"][0]["install"], {"devices": 1, "some": [other.ident]})
        self.call("POST", ask, {"device": "nobody", "items": []}, 404)
        self.call("POST", ask, {"device": d.ident, "group": "1"}, 400)
        self.call("POST", ask, {"device": 1}, 400)
        self.call("DELETE", at + "/%s?why=test" % a, status=204)
        c = self.offered(d)
        self.assertEqual(c["Command"], {"RequestType": "RemoveProfile", "Identifier": name})
        d.report(c["CommandUUID"])
        self.wait_state(d, item, "removed")
        # The same at the shell, by the serial number.
        serial = "C02" + d.udid[:9].replace("-", "")
        self.assertIn("goes to", self.s.ctl("wanted", "give", serial, name))
        self.assertEqual(self.offered(d)["Command"]["RequestType"], "InstallProfile")
        self.assertIn("queued", self.s.ctl("wanted", "device", d.ident))
        self.assertEqual(self.s.ctl("wanted", "take", serial, name, check=False)[0], 2)
        self.s.ctl("wanted", "take", serial, name, "--why", "test")
        self.assertEqual(self.s.ctl("wanted", "take", serial, name, "--why", "test",
                                    check=False)[0], 1)

    def rolled_out(self, d, item, name):
        """A version that failed, as scripts see it: stopped, gone on with, tried again at the shell."""
        def row_now():
            """Of the list, whose counts the agent makes a moment later."""
            row = [r for r in self.call("GET", "/api/v1/rollouts?limit=500")["rollouts"]
                   if r["id"] == item][0]
            return row["counts"]["failed"] == 1 and row
        row = drover.wait_for(row_now)
        self.assertEqual((row["identifier"], row["state"]), (name, "failed"))
        self.call("POST", "/api/v1/profiles/%s/stop?why=wait" % item)
        self.call("POST", "/api/v1/profiles/%s/stop" % item, status=409)
        row = [r for r in json.loads(self.s.ctl("rollout", "list", "--json"))
               if r["id"] == item][0]
        self.assertEqual((row["state"], row["failed"]), ("halted", 1))
        self.s.ctl("rollout", "resume", name, "--why", "go on")
        self.assertEqual(self.s.ctl("rollout", "resume", name, "--why", "x", check=False)[0], 1)
        for argv in (("list", name), ("stop", name), ("retry",), ("x",)):
            self.assertEqual(self.s.ctl("rollout", *argv, check=False)[0], 2)
        self.assertEqual(self.s.ctl("rollout", "retry", "org.example.none", check=False)[0], 1)
        self.assertIn("1 tried again", self.s.ctl("rollout", "retry", name, d.ident))

    def test_a_large_one(self):
        """A font of almost 3 MB: sealed, read again, signed and delivered."""
        d = drover.device().enrol()
        p = profile("org.example." + uuid.uuid4().hex)
        p["PayloadContent"].append({"PayloadType": "com.apple.font", "PayloadIdentifier": "font",
                                    "PayloadUUID": "FONT", "Font": os.urandom(2900000)})
        item, _, _ = self.assigned(p, [d])
        self.assertEqual(self.s.api("GET", "/api/v1/profile-files/" + item).body, plistlib.dumps(p))
        self.assertEqual(self.opened(self.offered(d)["Command"]["Payload"]), p)

    def test_encrypted_to_the_device(self):
        d = drover.Device(self.s, drover.trusted_ca().issue(kind="rsa")).enrol()
        content = profile("org.example." + uuid.uuid4().hex)
        self.assigned(content, [d], encrypt=True)
        payload = self.offered(d)["Command"]["Payload"]
        got = self.opened(payload)
        self.assertNotIn("PayloadContent", got)
        self.assertNotIn(b"drover-wifi-secret", payload)
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "sealed")
            with open(path, "wb") as f:
                f.write(got["EncryptedPayloadContent"])
            plain = drover.sh("openssl", "cms", "-decrypt", "-inform", "DER", "-in", path, "-recip",
                              d.identity.cert, "-inkey", d.identity.key)
        self.assertEqual(plistlib.loads(plain), content["PayloadContent"])

    def test_a_value_that_is_not_known(self):
        d = drover.device().enrol()
        item, _, _ = self.assigned(profile("org.example." + uuid.uuid4().hex,
                                           PayloadDescription="%UserShortName%"), [d])
        drover.wait_for(lambda: self.state(d, item)["state"] == "queued", 15)
        self.assertEqual(d.idle().body, b"")  # it is given up, and does not stand in the way
        self.wait_state(d, item, "failed")
        self.assertIn("UserShortName", self.state(d, item)["reason"])

    def test_a_group_by_a_filter(self):
        tag = uuid.uuid4().hex
        g = self.call("POST", "/api/v1/groups", {"name": tag, "filter": {"all": [
            {"tag": tag}, {"fact": "os_version", "at_least": "17.6"}]}}, 201)
        d = drover.device().enrol()
        self.assertEqual(self.call("POST", "/api/v1/tags", {"tag": tag, "add": [d.ident, "nobody"]}),
                         {"unknown": 1})
        self.call("PATCH", "/api/v1/groups/" + g["id"], {"note": "again"})  # asks the filter anew
        drover.wait_for(lambda: self.call("GET", "/api/v1/groups/%s/devices" % g["id"])["devices"],
                        20)
        seen = self.call("POST", "/api/v1/preview", {"filter": {"tag": tag}})
        self.assertEqual(seen["join"], {"devices": 1, "some": [d.ident]})
        self.call("POST", "/api/v1/groups", {"name": "x" + tag, "filter": {"fact": "no"}}, 400)
        self.call("POST", "/api/v1/groups", {"name": tag}, 409)
        self.call("POST", "/api/v1/groups/%s/devices" % g["id"], {"add": [d.ident]}, 400)
        facts = self.call("GET", "/api/v1/filter-facts")
        self.assertIn("IsSupervised", facts["facts"])
        self.assertEqual((facts["types"]["IsSupervised"], facts["types"]["os_version"]),
                         ("boolean", "version"))
        self.assertEqual({f["fact"]: f["type"] for f in json.loads(self.s.ctl(
            "group", "facts", "--json"))}, facts["types"])
        self.assertIn(d.ident, self.s.ctl("group", "devices", tag))
        self.s.ctl("group", "remove", tag, "--why", "test")

    def test_a_device_in_setup_assistant(self):
        name = uuid.uuid4().hex
        p = self.call("POST", "/api/v1/profiles", plistlib.dumps(profile("org.example." + name)),
                      201)
        d = drover.device()
        g = self.call("POST", "/api/v1/groups", {"name": name, "filter": {
            "fact": "udid", "is": d.udid}}, 201)
        self.s.ctl("group", "assign", name, p["id"])
        d.authenticate()
        d.token_update(AwaitingConfiguration=True)
        c = self.offered(d)
        self.assertEqual(c["Command"]["RequestType"], "InstallProfile")
        d.report(c["CommandUUID"])
        c = self.offered(d)
        self.assertEqual(c["Command"], {"RequestType": "DeviceConfigured"})
        d.report(c["CommandUUID"])
        self.call("DELETE", "/api/v1/groups/%s?why=test" % g["id"], status=204)

    def ordered(self, d, request_type):
        return next((c for c in self.call("GET", "/api/v1/device-items/" + d.ident)["commands"]
                     if c["request_type"] == request_type), {"state": None})

    def test_commands_of_a_group(self):
        """A secret is delivered and kept; what an enrolment brings comes before the device goes on;
        an older version takes commands out again."""
        d = drover.device().enrol()
        self.s.sql("UPDATE enrollment SET product_name = 'Mac14,2', os_version = '14.0' WHERE "
                   "ident = '%s'" % d.ident)
        g = self.call("POST", "/api/v1/groups", {"name": uuid.uuid4().hex}, 201)
        path = "/api/v1/groups/" + g["id"]
        self.call("POST", path + "/devices", {"add": [d.ident]})
        lock = {"request_type": "DeviceLock", "command": {"PIN": "815471"}, "policy": "join"}
        self.call("POST", path + "/commands", lock, 400)  # sensitive: a reason is missing
        self.call("POST", path + "/commands", {**lock, "reason": "kiosk", "command": {"PIN": 1}},
                  400)
        got = self.call("POST", path + "/commands", {**lock, "reason": "kiosk"})
        self.assertEqual(got["commands"][0]["command"], {"PIN": "(secret)"})
        self.assertEqual(self.s.count("SELECT COUNT(*) FROM standing_order WHERE INSTR(command_keys,"
                                      " '815471') OR INSTR(sealed, '815471')"), 0)
        c = self.offered(d)
        self.assertEqual((c["Command"]["RequestType"], c["Command"]["PIN"]),
                         ("DeviceLock", "815471"))
        d.report(c["CommandUUID"])
        drover.wait_for(lambda: self.ordered(d, "DeviceLock")["state"] == "done", 15)
        self.assertEqual(self.s.count("SELECT COUNT(*) FROM inv_secret WHERE kind = "
                                      "'DeviceLock.PIN' AND enrollment_id = (SELECT id FROM "
                                      "enrollment WHERE ident = '%s')" % d.ident), 1)
        got = self.call("POST", path + "/commands", {"request_type": "SecurityInfo",
                                                     "policy": "enrol"})
        self.assertEqual(got["version"], 2)
        self.call("POST", path + "/blueprint", {"base": 1, "items": []}, 409)
        d.authenticate()
        d.token_update(AwaitingConfiguration=True)
        kinds = []
        for _ in range(2):
            c = self.offered(d)
            kinds.append(c["Command"]["RequestType"])
            d.report(c["CommandUUID"])
        self.assertEqual(kinds, ["SecurityInfo", "DeviceConfigured"])
        # it says that it is an iPhone now, whose lock takes no PIN
        self.assertEqual(self.ordered(d, "DeviceLock")["state"], "not-applicable")
        order = got["commands"][1]["id"]
        drover.wait_for(lambda: self.call("GET", "/api/v1/group-commands/" + order)["devices"][
            "done"] == 1, 15)
        rows = self.call("GET", "/api/v1/group-commands/%s/devices?state=done" % order)["devices"]
        self.assertEqual([r["enrollment_id"] for r in rows], [d.ident])
        got = self.call("POST", path + "/restore", {"version": 1})
        self.assertEqual([c["request_type"] for c in got["commands"]], ["DeviceLock"])
        self.assertEqual([v["version"] for v in self.call("GET", path + "/versions")["versions"]],
                         [3, 2, 1])
        self.assertIn("DeviceLock", self.s.ctl("blueprint", "show", g["id"]))
        self.s.ctl("blueprint", "restore", g["id"], "2", "--why", "x")
        self.call("POST", path + "/restore", {"version": 1})
        self.call("DELETE", "/api/v1/group-commands/%s?why=x" % got["commands"][0]["id"],
                  status=204)
        self.assertEqual(self.call("GET", path + "/blueprint")["command_ids"], [])


if __name__ == "__main__":
    unittest.main()

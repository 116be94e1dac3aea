"""Every request type of the catalogue, one after the other on devices of each kind: sent by its
name over the API, received as it was sent (judged by plistlib), answered, found as data."""

import base64
import json
import os
import plistlib
import unittest
import urllib.parse

import drover
from test_enrol import Sim

PLATFORMS = {"iphone": "iOS", "ipad": "iOS", "mac": "macOS", "appletv": "tvOS"}
PROFILE = plistlib.dumps({
    "PayloadType": "Configuration", "PayloadVersion": 1, "PayloadIdentifier": "com.example.r",
    "PayloadUUID": "4F2E0E3C-0000-4000-8000-000000000001", "PayloadDisplayName": "Restrictions",
    "PayloadContent": [{"PayloadType": "com.apple.applicationaccess", "PayloadVersion": 1,
                        "PayloadIdentifier": "com.example.r.1", "allowCamera": False,
                        "PayloadUUID": "4F2E0E3C-0000-4000-8000-000000000002"}]})
PROVISIONING = plistlib.dumps({"UUID": "AAAA-1", "Name": "In-house"})

# What is sent where a value made of the catalogue would not do; in this order. The rest follows, in
# the order of the names.
FIRST = [
    ("ClearPasscode", {}),  # not on a device that is lost: before EnableLostMode
    ("InstallProfile", {"Payload": PROFILE}),
    ("ProfileList", {}),
    ("Restrictions", {"ProfileRestrictions": True}),
    ("RemoveProfile", {"Identifier": "com.example.r"}),
    ("InstallProvisioningProfile", {"ProvisioningProfile": PROVISIONING}),
    ("ProvisioningProfileList", {}),
    ("RemoveProvisioningProfile", {"UUID": "AAAA-1"}),
    ("InstallApplication", {"Identifier": "com.example.paid.one", "ManagementFlags": 1,
                            "Configuration": {"server": "https://example.org"},
                            "Attributes": {"VPNUUID": "V-1"}}),
    ("ApplyRedemptionCode", {"Identifier": "com.example.paid.one", "RedemptionCode": "CODE77"}),
    ("Settings", {"Settings": [{"Item": "DeviceName", "DeviceName": "renamed"},
                               {"Item": "ApplicationConfiguration",
                                "Identifier": "com.example.absent", "Configuration": {"a": 1}}]}),
    ("ManagedApplicationConfiguration", {"Identifiers": ["com.example.paid.one"]}),
    ("ManagedApplicationAttributes", {"Identifiers": ["com.example.paid.one"]}),
    ("ManagedApplicationFeedback", {"Identifiers": ["com.example.paid.one"]}),
    ("ManagedApplicationList", {}),
    ("InstalledApplicationList", {}),
    ("RemoveApplication", {"Identifier": "com.example.paid.one"}),
    ("DeviceInformation", {}),
    ("EnableLostMode", {"Message": "call us"}),
    ("DeviceLocation", {}),
    ("PlayLostModeSound", {}),
    ("DisableLostMode", {}),
    ("ScheduleOSUpdate", {"Updates": [{"ProductKey": "OS-22A3354", "InstallAction": "Default"}]}),
    ("OSUpdateStatus", {}),
    ("UnlockUserAccount", {"UserName": "user1"}),
]
# What the simulated devices refuse all the same, with the reference's code: a Mac with Apple silicon
# has no firmware password; an iPad that is not shared has no users.
REFUSED = {("mac", "SetFirmwarePassword"): 12021, ("iphone", "DeleteUser"): 12008,
           ("ipad", "DeleteUser"): 12008, ("iphone", "InstallMedia"): 12008}
# They end the enrolment, change what the others need, or belong to another test.
LAST = ["DeleteUser", "ShutDownDevice", "RestartDevice", "EraseDevice"]
PARTS = {"ProfileList": "profiles", "ProvisioningProfileList": "provisioning-profiles",
         "CertificateList": "certificates", "InstalledApplicationList": "apps",
         "ManagedApplicationList": "managed-apps", "Restrictions": "restrictions",
         "UserList": "users", "AvailableOSUpdates": "os-updates",
         "OSUpdateStatus": "os-update-status", "Settings": "settings",
         "ManagedApplicationConfiguration": "app-data", "ManagedApplicationAttributes": "app-data",
         "ManagedApplicationFeedback": "app-data"}


def sample(row, platform):
    """A value for a key of the catalogue, as it goes into JSON."""
    kind = row["type"]
    if row.get("one_of"):
        return row["one_of"][0]
    if kind == "dictionary":
        return {k["name"]: sample(k, platform) for k in row.get("keys", [])
                if k.get("required") and on(k, platform) and not k.get("any_name")}
    if kind == "array":
        return [sample(i, platform) for i in row.get("items", [])[:1]]
    low = (row.get("range") or [1])[0]
    return {"string": "123456" if row.get("name") == "PIN" else "text", "integer": low, "real": low,
            "boolean": True, "date": "2030-01-02T03:04:05Z",
            "data": base64.b64encode(b"data").decode(), "any": "text"}[kind]


def on(row, platform):
    """Whether that platform has it: what a key does not say is as with the row above."""
    if "request_type" in row and platform not in row.get("platforms", {}):
        return False
    return row.get("platforms", {}).get(platform, {}).get("available", True)


def as_json(value):
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, dict):
        return {k: as_json(v) for k, v in value.items()}
    return [as_json(v) for v in value] if isinstance(value, list) else value


class Requests(unittest.TestCase):
    webs = ("lighttpd",)

    @classmethod
    def setUpClass(cls):
        cls.s = drover.server()
        cls.catalogue = {c["request_type"]: c for c in cls.get("/api/v1/commands")["commands"]}

    @classmethod
    def get(cls, path):
        r = cls.s.api("GET", path)
        if r.status != 200:
            raise AssertionError("%s: %d %s" % (path, r.status, r.body[:300]))
        return json.loads(r.body)

    def enrol(self, kind):
        since = self.s.count("SELECT COALESCE(MAX(id), 0) FROM enrollment")
        sim = Sim(self.s, "requests-" + kind, 1, "--kind", kind, "--trace",
                  os.path.join(self.s.state, "trace-" + kind),
                  *(("--users", "1", "--seed", "8") if kind == "mac" else ()))
        self.addCleanup(sim.stop)
        query = ("SELECT ident FROM enrollment WHERE id > %d AND state = 2 AND device_id = id "
                 "AND product_name LIKE '%s%%'" % (since, {"iphone": "iPhone", "ipad": "iPad",
                                                           "mac": "%Mac", "appletv": "AppleTV"}
                                                   [kind]))
        drover.wait_for(lambda: self.s.sql(query), 60)
        return self.s.sql(query)[0][0]

    def order(self, ident, name, keys, force=False):
        r = self.s.api("POST", "/api/v1/devices/%s/commands" % urllib.parse.quote(ident, safe=""),
                       json.dumps({"request_type": name, "command": keys, "reason": "test",
                                   "push": False, "force": force}).encode(),
                       headers={"Content-Type": "application/json"})
        return r.status, json.loads(r.body)

    def received(self, kind):
        """Commands by CommandUUID, as the device got them; read by Python's own parser."""
        got = {}
        with open(os.path.join(self.s.state, "trace-" + kind)) as f:
            for line in f:
                try:
                    body = base64.b64decode(json.loads(line).get("response") or "")
                    command = plistlib.loads(body)
                except (ValueError, plistlib.InvalidFileException, Exception):
                    continue
                if isinstance(command, dict) and "CommandUUID" in command:
                    got[command["CommandUUID"]] = command["Command"]
        return got

    def plan(self, platform):
        named = dict(FIRST)
        names = [n for n, _ in FIRST] + sorted(set(self.catalogue) - set(named) - set(LAST)) + LAST
        for name in names:
            yield name, named.get(name)

    def wake(self, ident):
        self.s.api("POST", "/v1/push", json.dumps({"ids": [ident]}).encode(),
                   headers={"Content-Type": "application/json"})

    def run_kind(self, kind):
        platform = PLATFORMS[kind]
        ident = self.enrol(kind)
        base = "/api/v1/devices/" + urllib.parse.quote(ident, safe="")
        sent, refused = {}, {}
        # what the device does not know it refuses, with the reference's code
        self.foreign = self.order(ident, "SetFirmwarePassword" if kind != "mac" else "PlayLostModeSound", {},
                                  force=True)[1]["commands"][0]["command_uuid"]
        for name, keys in self.plan(platform):
            row = self.catalogue[name]
            if name == "InstallApplication" and platform != "iOS":
                keys = {"Identifier": keys["Identifier"],
                        **({"InstallAsManaged": True} if platform == "macOS" else {})}
            if name == "DeleteUser":
                keys = {"UserName": "user1"}
            keys = as_json(keys) if keys is not None else {
                k["name"]: sample(k, platform) for k in row.get("keys", [])
                if k.get("required") and on(k, platform)}
            if name == "EnableLostMode" and "ClearPasscode" in sent:
                self.wake(ident)  # once that is queued, the passcode is not cleared any more
                drover.wait_for(lambda: self.s.command_state(
                    ident, sent["ClearPasscode"][0]) == "acknowledged", 60)
            status, answer = self.order(ident, name, keys)
            if status == 200:
                sent[name] = (answer["commands"][0]["command_uuid"], keys)
            else:
                refused[name] = (status, answer)
        self.wake(ident)
        last = sent["EraseDevice"][0] if "EraseDevice" in sent else list(sent.values())[-1][0]
        drover.wait_for(lambda: self.s.command_state(ident, last) == "acknowledged", 60)
        drover.wait_for(lambda: self.s.count(
            "SELECT COUNT(*) FROM result r JOIN enrollment e ON e.id = r.enrollment_id WHERE "
            "r.digest = 1 AND e.ident = '%s'" % ident) == 0, 20)
        self.judge(kind, platform, base, sent, refused)

    def judge(self, kind, platform, base, sent, refused):
        got = self.received(kind)
        results = {}
        cursor = ""
        while cursor is not None:
            page = self.get(base + "/results?limit=500" + ("&cursor=" + cursor if cursor else ""))
            results.update({r["command_uuid"]: r for r in page["results"]})
            cursor = page.get("next_cursor")
        answers = {a["request_type"]: a["answer"] for a in self.get(base + "/answers?limit=500")
                   ["items"]}
        self.assertGreater(len(sent), 20, refused)
        facts = self.get(base + "/facts")
        self.assertEqual(facts["device"]["facts"]["DeviceName"], "renamed")
        self.assertIn("ManagementStatus", facts["security"]["facts"])
        error = results[self.foreign]["errors"][0]
        self.assertEqual((error["domain"], error["code"], len(error["meanings"])),
                         ("MCMDMErrorDomain", 12021, 1))
        failed = [r for r in results.values() if r["request_type"] == "Settings"][0]
        self.assertEqual([(e["setting"], e["code"]) for e in failed["errors"]],
                         [(2, 12029)])
        for name, (uuid, keys) in sent.items():
            with self.subTest(kind=kind, request_type=name):
                command = got[uuid]
                self.assertEqual(command.pop("RequestType"), name)
                if name == "ClearPasscode":  # the device's own, filled in at delivery
                    self.assertIsInstance(command.pop("UnlockToken"), bytes)
                if name == "DeviceInformation":
                    self.assertGreater(len(command["Queries"]), 20)
                else:
                    self.assertEqual(as_json(json.loads(json.dumps(as_json(command), default=str)))
                                     .keys(), keys.keys())
                    self.compare(self.catalogue[name], command, keys)
                if (kind, name) in REFUSED:
                    self.assertEqual((results[uuid]["state"], results[uuid]["errors"][0]["code"]),
                                     ("error", REFUSED[kind, name]))
                    continue
                self.assertEqual(results[uuid]["state"], "acknowledged", results[uuid])
                if PARTS.get(name) == "app-data" and platform != "iOS":
                    pass  # there no app was given anything
                elif name in PARTS and name != "UserList":
                    self.assertTrue(self.events_or_items(base, name), name)
                elif any(not k.get("secret") and k.get("required") and on(k, platform)
                         for k in self.catalogue[name].get("answer", [])) and name not in (
                             "DeviceInformation", "SecurityInfo", "UserList"):
                    self.assertIn(name, answers)
        for name, (status, answer) in refused.items():
            with self.subTest(kind=kind, refused=name):
                self.assertEqual(status, 422, answer)  # not on this platform, and it says so
                self.assertTrue(answer["kinds"][0]["findings"])

    def compare(self, row, got, want):
        types = {k["name"]: k["type"] for k in row.get("keys", [])}
        for key, value in want.items():
            python = {"string": str, "integer": int, "real": float, "boolean": bool,
                      "array": list, "dictionary": dict, "data": bytes}.get(types.get(key))
            if python:
                self.assertIsInstance(got[key], (python, int) if python is float else python)
            if isinstance(value, (str, int)) and types.get(key) != "date":
                self.assertEqual(as_json(got[key]), value)

    def events_or_items(self, base, name):
        """What was asked for is there, or was there until it was removed again."""
        part = PARTS[name]
        if self.get(base + "/" + part)["items"]:
            return True
        return any(e["part"] == part for e in self.get(base + "/events?limit=500")["events"])

    def test_iphone(self):
        self.run_kind("iphone")

    def test_ipad(self):
        self.run_kind("ipad")

    def test_mac(self):
        self.run_kind("mac")

    def test_apple_tv(self):
        self.run_kind("appletv")

    def test_the_catalogue_is_whole(self):
        """No request type is left out by all kinds."""
        kinds = set(PLATFORMS.values())
        for name, row in self.catalogue.items():
            self.assertTrue(any(on(row, k) for k in kinds) or row.get("platforms"), name)

#!/usr/bin/python3
"""The simulated devices against the catalogue of commands: each request type and each setting on
each kind of device is answered as its row says, refused with the reference's codes where it does
not apply, and what was set is kept."""
import base64
import datetime
import json
import os
import plistlib
import subprocess
import unittest
import uuid

from test_mdmsim import TOP, Site

CTL = os.path.join(TOP, os.environ.get("BUILD", "build"), "droverctl")
PLATFORMS = {"iphone": "iOS", "ipad": "iOS", "mac": "macOS", "appletv": "tvOS"}
# Devices by kind and seed, of which the simulator makes these: an old and a new one of each.
OS = {("iphone", 1): "15.8.3", ("iphone", 2): "18.3.1", ("ipad", 1): "17.7.2",
      ("mac", 1): "10.15.7", ("mac", 2): "15.2", ("appletv", 2): "18.3"}
INTEL = ("mac", 1)
RIGHTS = {"inspect": 1, "profiles": 3, "lock": 4, "erase": 8, "device-info": 16, "network-info": 32,
          "inspect-provisioning": 64, "provisioning": 192, "inspect-apps": 256, "restrictions": 512,
          "security": 1024, "settings": 2048, "apps": 4096, "none": 0, "each": 0}
ALL_RIGHTS = 8191
PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)
PROFILE = plistlib.dumps({
    "PayloadType": "Configuration", "PayloadVersion": 1, "PayloadIdentifier": "t.limits",
    "PayloadUUID": str(uuid.uuid4()), "PayloadDisplayName": "Limits", "PayloadContent": []})
PAID = "com.example.paid.one"

# What is sent where made-up values would not do, in this order; the others follow by their names.
FIRST = {
    "InstallProfile": {"Payload": PROFILE},
    "RemoveProfile": {"Identifier": "t.limits"},
    "InstallProvisioningProfile": {"ProvisioningProfile": plistlib.dumps({"UUID": "A-1"})},
    "RemoveProvisioningProfile": {"UUID": "A-1"},
    "InstallApplication": {"Identifier": PAID, "InstallAsManaged": True},
    "ApplyRedemptionCode": {"Identifier": PAID, "RedemptionCode": "CODE77"},
    "RemoveApplication": {"Identifier": PAID},
    "EnableLostMode": {"Message": "call us"},
    "DeviceLocation": {},
    "PlayLostModeSound": {},
    "DisableLostMode": {},
    "InstallMedia": {"MediaType": "Book", "iTunesStoreID": 7},
    "RemoveMedia": {"MediaType": "Book", "iTunesStoreID": "7"},
    "SetFirmwarePassword": {"NewPassword": "secret"},
    "SetRecoveryLock": {"NewPassword": "secret"},
    "UnlockUserAccount": {"UserName": "user1"},
    "DeleteUser": {"UserName": "user1"},
    "Settings": {"Settings": []},
    "InviteToProgram": {"ProgramID": "com.apple.cloudvpp", "InvitationURL": "https://example.org/"},
    "InstallEnterpriseApplication": {"Manifest": {"items": []}},
}
LAST = ["ShutDownDevice", "RestartDevice"]  # EraseDevice has a test of its own
# Refused all the same, and why: (domain, code).
REFUSED = {"InstallEnterpriseApplication": ("MCMDMErrorDomain", 12033)}


def version(text):
    return tuple(int(n) for n in text.split("."))


class Row:
    """A row of the catalogue with what the rows above it say of a platform."""

    def __init__(self, row, above=None):
        self.row, self.above = row, above

    def says(self, platform):
        inherited = self.above.says(platform) if self.above else {"available": "platforms" in
                                                                  self.row and platform in
                                                                  self.row["platforms"]}
        own = self.row.get("platforms", {}).get(platform, {})
        own = dict({"available": True}, **own) if own else {}
        return {**inherited, **own} if inherited.get("available") else {"available": False}

    def keys(self, what="keys"):
        return [Row(k, self) for k in self.row.get(what, [])]

    def there(self, platform, os):
        s = self.says(platform)
        return (s["available"] and version(s.get("introduced", "0")) <= os and
                not ("removed" in s and os >= version(s["removed"])))


def sample(row, platform, os):
    r = row.row
    if r.get("one_of"):
        return r["one_of"][0]
    if r["type"] == "dictionary":
        return {k.row["name"]: sample(k, platform, os) for k in row.keys()
                if k.row.get("required") and k.there(platform, os) and not k.row.get("any_name")}
    if r["type"] == "array":
        return [sample(Row(i, row), platform, os) for i in r.get("items", [])[:1]]
    low = (r.get("range") or [1])[0]
    return {"string": "text", "integer": int(low), "real": float(low), "boolean": True,
            "date": datetime.datetime(2030, 1, 2), "data": b"data", "any": "text"}[r["type"]]


PYTHON = {"string": str, "integer": int, "real": (float, int), "boolean": bool, "array": list,
          "dictionary": dict, "data": bytes, "date": datetime.datetime, "any": object}


class Catalogue(Site):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        text = subprocess.run([CTL, "catalogue"], check=True, capture_output=True).stdout
        rows = json.loads(text)
        rows = rows["commands"] if isinstance(rows, dict) else rows
        cls.catalogue = {r["request_type"]: Row(r) for r in rows}

    def device(self, kind, seed, *options, rights=ALL_RIGHTS):
        self.server.rights = rights
        while self.sims:
            self.sims.pop().end()
        sim, device = self.one(kind, "--seed", str(seed), *options)
        self.sim_now, self.device_now, self.platform = sim, device, PLATFORMS[kind]
        self.os, self.intel = version(OS[kind, seed]), (kind, seed) == INTEL

    def ask(self, commands, user=0):
        """The reports on (request type, keys), in one exchange."""
        ident = self.device_now["ident"]
        if user:
            ident += ":" + self.device_now["channels"][user]["user_id"]
        sent = [self.server.command(ident, name, **keys) for name, keys in commands]
        self.sim_now.good(op="poll", device=0, user=user)
        got = {m["CommandUUID"]: m for m in self.server.messages(ident) if "CommandUUID" in m}
        return [got[unique] for unique in sent]

    def send(self, request_type, user=0, **keys):
        return self.ask([(request_type, keys)], user)[0]

    def refusal(self, row, user=False, rights=ALL_RIGHTS, supervised=True, user_enrollment=False):
        """What the catalogue and the reference make of it: None, or (domain, code)."""
        s = row.says(self.platform)
        device, people = s.get("device_channel", True), s.get("user_channel", False)
        if user and self.device_now["kind"] == "ipad":
            people = s.get("shared_ipad", {}).get("user_channel", False)
        if (not row.there(self.platform, self.os) or not (people if user else device) or
                (user_enrollment and s.get("user_enrolment") == "forbidden")):
            return ("MCMDMErrorDomain", 12021)
        need = RIGHTS[s.get("right", "none")]
        if rights & need != need:
            return ("MCMDMErrorDomain", 12007)
        if s.get("supervised") and not supervised:
            return ("MCChaperoneErrorDomain", 29000)
        return None

    def errors(self, report):
        return (report["ErrorChain"][0]["ErrorDomain"], report["ErrorChain"][0]["ErrorCode"])

    def names(self):
        rest = sorted(set(self.catalogue) - set(FIRST) - set(LAST) - {"EraseDevice"})
        return list(FIRST) + rest + LAST

    def keys(self, name):
        if name in FIRST:
            keys = dict(FIRST[name])
            if name == "InstallApplication" and self.platform != "macOS":
                del keys["InstallAsManaged"]
            return keys
        if name == "ClearPasscode":
            return {"UnlockToken": base64.b64decode(self.device_now["unlock_token"])}
        row = self.catalogue[name]
        return {k.row["name"]: sample(k, self.platform, self.os) for k in row.keys()
                if k.row.get("required") and k.there(self.platform, self.os)}

    def wanted(self, name):
        """What a well-made command comes to: None, or (domain, code)."""
        if name == "SetFirmwarePassword" and not self.intel:
            return ("MCMDMErrorDomain", 12021)
        if name == "DeleteUser" and self.platform == "iOS":  # it is not shared
            return ("MCMDMErrorDomain", 12008)
        if name == "ApplyRedemptionCode" and self.platform != "iOS":
            return self.refusal(self.catalogue[name])
        return REFUSED.get(name)

    def test_every_request_type_on_every_kind(self):
        answered = set()
        for kind, seed in OS:
            self.device(kind, seed, *(("--users", "1") if kind == "mac" else ()))
            self.assertEqual(self.facts("OSVersion"), {"OSVersion": OS[kind, seed]})
            plan = [(name, keys, want) for name in self.names() for keys, want in self.trials(name)]
            for (name, keys, want), report in zip(plan, self.ask([p[:2] for p in plan])):
                with self.subTest(kind=kind, seed=seed, request_type=name, keys=str(keys)[:200]):
                    if isinstance(want, tuple):
                        self.assertEqual((report["Status"], self.errors(report)), ("Error", want))
                        continue
                    self.assertEqual(report["Status"], want, report)
                    if want == "Acknowledged":
                        self.plausible(self.catalogue[name], report)
                        answered.add(name)
        users = {n for n, r in self.catalogue.items() if not any(
            r.says(p)["available"] and r.says(p).get("device_channel", True)
            for p in set(PLATFORMS.values()))}
        self.assertEqual(set(self.catalogue) - answered, users | set(REFUSED) | {"EraseDevice"})

    def trials(self, name):
        """What is sent, and what is to come of it: first what is not well made."""
        row = self.catalogue[name]
        refusal = self.refusal(row)
        if refusal:
            yield {} if name == "ClearPasscode" else self.keys(name), refusal
            return
        for k in row.keys():
            key, good = k.row["name"], self.keys(name)
            if not k.there(self.platform, self.os) or k.row["type"] in ("any", "real"):
                continue
            yield {**good, key: "seven" if k.row["type"] == "integer" else 7}, "CommandFormatError"
            if k.row.get("required"):
                good.pop(key, None)
                yield good, "CommandFormatError"
        yield self.keys(name), self.wanted(name) or "Acknowledged"

    def plausible(self, row, report):
        """Every key of the answer that must be there is, and those that are have their types."""
        for k in row.keys("answer"):
            value = report.get(k.row["name"])
            if not k.there(self.platform, self.os) or row.row["request_type"] in (
                    "Settings", "InstallApplication"):
                continue
            if k.row.get("required") and k.row["name"] != "ProfileRestrictions":
                self.assertIsNotNone(value, k.row["name"])
            if value is not None:
                self.assertIsInstance(value, PYTHON[k.row["type"]], k.row["name"])
            if value is not None and k.row.get("one_of"):
                self.assertIn(value, k.row["one_of"])

    def test_rights_supervision_and_user_enrolment(self):
        for kind, seed, options, how in (
                ("iphone", 2, (), {"rights": 1}), ("mac", 2, (), {"rights": 1}),
                ("appletv", 2, (), {"rights": 1 | 4096}), ("ipad", 1, (), {"rights": 2048 | 4}),
                ("iphone", 2, ("--unsupervised",), {"supervised": False}),
                ("mac", 2, ("--unsupervised",), {"supervised": False}),
                ("iphone", 2, ("--user-enrollment",),
                 {"supervised": False, "user_enrollment": True}),
                ("mac", 2, ("--user-enrollment",),
                 {"supervised": False, "user_enrollment": True})):
            self.device(kind, seed, *options, rights=how.get("rights", ALL_RIGHTS))
            refused = [(n, r) for n, r in ((n, self.refusal(row, **how))
                                           for n, row in self.catalogue.items()) if r]
            self.assertGreater(len(refused), 20)
            for (name, want), report in zip(refused, self.ask([(n, {}) for n, _ in refused])):
                with self.subTest(kind=kind, request_type=name, **how):
                    self.assertEqual((report["Status"], self.errors(report)), ("Error", want))

    def test_channels_of_users(self):
        for kind, seed, options in (("mac", 2, ("--users", "1")),
                                    ("ipad", 1, ("--users", "1", "--shared-ipad"))):
            self.device(kind, seed, *options)
            reports = self.ask([(name, {}) for name in self.catalogue], user=1)
            for (name, row), report in zip(self.catalogue.items(), reports):
                with self.subTest(kind=kind, request_type=name):
                    refusal = self.refusal(row, user=True)
                    if refusal:
                        self.assertEqual((report["Status"], self.errors(report)),
                                         ("Error", refusal))
                    else:
                        self.assertIn(report["Status"], ("Acknowledged", "CommandFormatError"))

    def settings(self):
        row = self.catalogue["Settings"]
        array = [k for k in row.keys() if k.row["name"] == "Settings"][0]
        return {i["name"]: Row(i, array) for i in array.row["items"]}

    def set_all(self, entries, user=0):
        """The outcome of each setting of one command: None, or (domain, code)."""
        report = self.send("Settings", user=user, Settings=entries)
        self.assertEqual((report["Status"], len(report["Settings"])), ("Acknowledged", len(entries)))
        for one in report["Settings"]:
            self.assertEqual(one["Status"], "Error" if "ErrorChain" in one else "Acknowledged")
        return [self.errors(one) if "ErrorChain" in one else None for one in report["Settings"]]

    def set(self, user=0, **keys):
        return self.set_all([keys], user)[0]

    def settings_tried(self, item, row, special, supervised):
        """Entries, and what is to come of each: first what is not whole."""
        required = [k for k in row.keys() if k.row.get("required") and
                    k.there(self.platform, self.os)]
        good = {k.row["name"]: sample(k, self.platform, self.os) for k in required}
        good.update(special, Item=item)
        if item.startswith("Application"):
            good["Identifier"] = "com.example.app"
        refusal = self.refusal(row, supervised=supervised)
        if refusal:
            yield good, ("MCSettingsErrorDomain", 28000) if refusal[1] == 12021 else refusal
            return
        for k in required:
            key = k.row["name"]
            if key == "Item":
                continue
            wrong = [{a: b for a, b in good.items() if a != key}, {**good, key: [1]}]
            wrong += [{**good, key: 77}] if k.row.get("one_of") else []
            for one in wrong:
                yield one, ("MCMDMErrorDomain", 12008)
        yield good, None

    def test_every_setting_on_every_kind(self):
        special = {"Wallpaper": {"Image": PNG, "Where": 1}, "Language": {"Language": "en"},
                   "Locale": {"Language": "en_US"}, "TimeZone": {"TimeZone": "Asia/Tokyo"},
                   "DeviceName": {"DeviceName": "renamed"}, "HostName": {"HostName": "host"},
                   "MDMOptions": {"MDMOptions": {"ActivationLockAllowedWhileSupervised": True}},
                   "OrganizationInfo": {"OrganizationInfo": {"OrganizationName": "Example"}},
                   "SharedDeviceConfiguration": {"QuotaSize": 2048, "ResidentUsers": 7}}
        seen = set()
        for kind, seed, options in (
                ("iphone", 1, ()), ("iphone", 2, ()), ("ipad", 1, ("--shared-ipad", "--users", "1")),
                ("mac", 2, ()), ("appletv", 2, ()), ("iphone", 2, ("--unsupervised",))):
            self.device(kind, seed, *options)
            app = {"Identifier": "com.example.app"}
            self.send("InstallApplication", **app,
                      **({"InstallAsManaged": True} if kind == "mac" else {}))
            plan = [(item, keys, want) for item, row in self.settings().items()
                    for keys, want in self.settings_tried(item, row, special.get(item, {}),
                                                          "--unsupervised" not in options)]
            for (item, keys, want), one in zip(plan, self.set_all([k for _, k, _ in plan])):
                with self.subTest(kind=kind, options=options, item=item, keys=str(keys)[:200]):
                    self.assertEqual(one, want)
                    seen |= {item} if one is None else set()
            self.assertEqual(self.set(Item="Colour"), ("MCSettingsErrorDomain", 28000))
            self.assertEqual(self.set(Colour=1), ("MCMDMErrorDomain", 12008))
        # those of users
        self.device("ipad", 1, "--shared-ipad", "--users", "1")
        self.assertIsNone(self.set(user=1, Item="AccessibilitySettings", BoldTextEnabled=True))
        seen.add("AccessibilitySettings")
        self.assertEqual(seen, set(self.settings()))

    def facts(self, *queries):
        return self.send("DeviceInformation", Queries=list(queries))["QueryResponses"]

    def test_settings_are_kept_and_told(self):
        state = os.path.join(self.folder, "state")
        self.device("iphone", 2, "--state", state)
        self.assertEqual(self.facts("DataRoamingEnabled", "TimeZone", "PersonalHotspotEnabled"),
                         {"DataRoamingEnabled": False, "TimeZone": "Europe/Berlin",
                          "PersonalHotspotEnabled": False})
        for one in ({"Item": "DataRoaming", "Enabled": True},
                    {"Item": "PersonalHotspot", "Enabled": True},
                    {"Item": "TimeZone", "TimeZone": "Asia/Tokyo"},
                    {"Item": "DeviceName", "DeviceName": "renamed"},
                    {"Item": "OrganizationInfo", "OrganizationInfo": {"OrganizationName": "Example"}},
                    {"Item": "MDMOptions",
                     "MDMOptions": {"ActivationLockAllowedWhileSupervised": True}}):
            self.assertIsNone(self.set(**one))
        want = {"DataRoamingEnabled": True, "VoiceRoamingEnabled": True, "TimeZone": "Asia/Tokyo",
                "DeviceName": "renamed", "PersonalHotspotEnabled": True,
                "OrganizationInfo": {"OrganizationName": "Example"},
                "MDMOptions": {"ActivationLockAllowedWhileSupervised": True}}
        self.assertEqual(self.facts(*want), want)
        self.device("iphone", 2, "--state", state)
        self.assertEqual(self.facts(*want), want)
        self.assertIsNone(self.set(Item="VoiceRoaming", Enabled=False))
        self.assertEqual(self.facts("DataRoamingEnabled"), {"DataRoamingEnabled": False})
        # what is wrong with a value, by the reference's codes
        self.assertEqual(self.set(Item="Wallpaper", Image=b"no image", Where=1),
                         ("MCSettingsErrorDomain", 28001))
        self.assertEqual(self.set(Item="ApplicationConfiguration", Identifier="com.example.absent"),
                         ("MCMDMErrorDomain", 12029))
        self.device("appletv", 2)
        self.assertEqual(self.set(Item="Language", Language="xx"), ("MCMDMErrorDomain", 12041))
        self.assertEqual(self.set(Item="Locale", Language="xx"), ("MCMDMErrorDomain", 12042))
        self.device("mac", 2)
        self.assertIsNone(self.set(Item="HostName", HostName="desk"))
        self.assertEqual(self.facts("HostName", "LocalHostName"),
                         {"HostName": "desk", "LocalHostName": "desk"})
        self.device("ipad", 1, "--shared-ipad")
        self.assertIsNone(self.set(Item="SharedDeviceConfiguration", QuotaSize=2048))
        self.assertIsNone(self.set(Item="PasscodeLockGracePeriod", PasscodeLockGracePeriod=300))
        self.assertEqual(self.facts("QuotaSize"), {"QuotaSize": 2048})
        self.assertEqual(self.send("SecurityInfo")["SecurityInfo"]["PasscodeLockGracePeriod"], 300)

    def test_every_query_is_answered(self):
        """Each by the catalogue, with its type; what a device has not, it leaves out."""
        row = self.catalogue["DeviceInformation"]
        queries = [k for k in row.keys() if k.row["name"] == "Queries"][0].row["items"][0]
        answers = {k["name"]: k for a in row.row["answer"] for k in a.get("keys", [])}
        rows = {v["name"]: Row(v, row) for v in queries.get("values", [])}
        self.assertGreater(len(rows), 80)
        for kind, seed in OS:
            self.device(kind, seed)
            told = self.facts(*rows)
            for name, r in rows.items():
                if name in told:
                    self.assertIsNone(self.refusal(r), (kind, name))
                    self.assertIsInstance(told[name], PYTHON[answers[name]["type"]], name)
            known = [n for n, r in rows.items() if not self.refusal(r) and not (
                r.says(self.platform).get("shared_ipad", {}).get("mode") == "required")]
            self.assertGreater(len(told), len(known) * 2 // 3, (kind, sorted(set(known) - set(told))))

    def test_what_is_kept(self):
        for seed in (1, 2):
            self.what_a_mac_keeps(seed)
        self.what_an_ipad_keeps()

    def what_a_mac_keeps(self, seed):
        self.device("mac", seed, "--users", "2")
        desktop = lambda: self.send("SecurityInfo")["SecurityInfo"]["RemoteDesktopEnabled"]
        self.assertIs(desktop(), False)
        self.send("EnableRemoteDesktop")
        self.assertIs(desktop(), True)
        self.send("DisableRemoteDesktop")
        self.assertIs(desktop(), False)
        names = lambda: [u["UserName"] for u in self.send("UserList")["Users"]]
        self.assertEqual(names(), ["user1", "user2"])
        self.send("DeleteUser", UserName="user1")
        self.assertEqual(names(), ["user2"])
        self.assertEqual(self.send("DeleteUser", UserName="user1")["Status"], "Error")
        one, other = ("SetFirmwarePassword", "VerifyFirmwarePassword") if self.intel else (
            "SetRecoveryLock", "VerifyRecoveryLock")
        good = lambda password: str(self.send(other, Password=password)).count("Verified': True")
        self.assertEqual(good("secret"), 0)
        self.send(one, NewPassword="secret")
        self.assertEqual((good("secret"), good("wrong")), (1, 0))
        report = self.send(one, CurrentPassword="wrong", NewPassword="other")
        self.assertTrue(report["Status"] == "Error" or
                        not report["SetFirmwarePassword"]["PasswordChanged"])
        self.send(one, CurrentPassword="secret", NewPassword="")
        self.assertEqual(good("secret"), 0)
        report = self.send("ScheduleOSUpdate", Updates=[
            {"ProductKey": "no such", "InstallAction": "Default"}])
        self.assertEqual(report["UpdateResults"][0]["InstallAction"], "Error")
        self.assertEqual(self.send("OSUpdateStatus")["OSUpdateStatus"], [])
        key = self.send("AvailableOSUpdates")["AvailableOSUpdates"][0]["ProductKey"]
        report = self.send("ScheduleOSUpdate", Updates=[
            {"ProductKey": key, "InstallAction": "InstallASAP"}])
        self.assertEqual(report["UpdateResults"][0]["Status"], "Downloading")
        self.assertEqual(len(self.send("OSUpdateStatus")["OSUpdateStatus"]), 1)

    def what_an_ipad_keeps(self):
        """Books, Lost Mode, and whose an app is."""
        self.device("ipad", 1)
        self.assertEqual(self.send("InstallMedia", MediaType="Film", iTunesStoreID=1)
                         ["RejectionReason"], "WrongMediaType")
        self.send("InstallMedia", MediaType="Book", MediaURL="https://example.org/b.pdf",
                  PersistentID="org.example.b", Title="B", Version="1")
        self.send("InstallMedia", MediaType="Book", iTunesStoreID=9)
        books = self.send("ManagedMediaList")["Books"]
        self.assertEqual({b.get("PersistentID", b["iTunesStoreID"]) for b in books},
                         {"org.example.b", 9})
        self.send("RemoveMedia", MediaType="Book", PersistentID="org.example.b")
        self.assertEqual([b["iTunesStoreID"] for b in self.send("ManagedMediaList")["Books"]], [9])
        for name in ("DeviceLocation", "PlayLostModeSound", "DisableLostMode"):
            self.assertEqual(self.send(name)["Status"], "Error", name)
        self.send("EnableLostMode", PhoneNumber="1")
        self.assertIs(self.facts("IsMDMLostModeEnabled")["IsMDMLostModeEnabled"], True)
        self.assertEqual(self.send("DeviceLocation")["Latitude"], 52.52)
        self.send("DisableLostMode")
        # the user's own app is not taken over unless that is asked for
        report = self.send("InstallApplication", Identifier="com.example.notes")
        self.assertEqual((report["RejectionReason"], self.errors(report)[1]),
                         ("AppAlreadyInstalled", 12025))
        report = self.send("InstallApplication", Identifier="com.example.notes",
                           ChangeManagementState="Managed")
        self.assertEqual(report["Status"], "Acknowledged")
        self.assertIn("com.example.notes",
                      self.send("ManagedApplicationList")["ManagedApplicationList"])


if __name__ == "__main__":
    unittest.main()

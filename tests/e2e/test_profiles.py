"""The profile library over the HTTP API and droverctl; its payload types against Apple's schema.

The schema is looked for as in test_catalogue.py; without it that comparison is skipped.
"""

import glob
import json
import os
import plistlib
import unittest
import uuid

import drover

try:
    import yaml
except ImportError:
    yaml = None

SCHEMA = os.environ.get("DROVER_APPLE_SCHEMA",
                        os.path.join(os.path.dirname(drover.TOP), "shared", "apple-schema"))


def profile(identifier, **more):
    return {"PayloadType": "Configuration", "PayloadVersion": 1, "PayloadIdentifier": identifier,
            "PayloadUUID": str(uuid.uuid4()).upper(), "PayloadContent": [
                {"PayloadType": "com.apple.wifi.managed", "PayloadIdentifier": identifier + ".wifi",
                 "PayloadUUID": str(uuid.uuid4()).upper(), "PayloadVersion": 1,
                 "SSID_STR": "Office", "Password": "drover-wifi-secret"}], **more}


def version(s):
    parts = [int(p) for p in str(s).split(".")]
    return tuple(parts + [0] * (3 - len(parts)))


class TestProfiles(unittest.TestCase):
    webs = ("lighttpd",)

    @classmethod
    def setUpClass(cls):
        cls.s = drover.server()

    def call(self, method, path, body=None, status=200, **headers):
        r = self.s.api(method, path, body, headers=headers)
        self.assertEqual(r.status, status, r.body[:500])
        return json.loads(r.body) if r.body else None

    def test_the_life_of_a_profile(self):
        name = "org.example." + uuid.uuid4().hex
        one = plistlib.dumps(profile(name, PayloadDisplayName="<Office> & more"))
        got = self.call("POST", "/api/v1/profiles", one, 201)
        at = "/api/v1/profiles/" + got["id"]
        self.assertEqual((got["name"], got["version"], got["signing"]),
                         ("<Office> & more", 1, "drover"))
        self.assertEqual(got["current"]["payload_types"], ["com.apple.wifi.managed"])
        self.call("POST", "/api/v1/profiles", one, 409)
        self.call("POST", at + "/versions", one, 200)
        two = plistlib.dumps(profile(name, PayloadDescription="%SerialNumber%"),
                             fmt=plistlib.FMT_BINARY)
        got = self.call("POST", at + "/versions?stage=1", two, 201)
        self.assertEqual((got["version"], got["uploaded_version"]), (1, 2))
        got = self.call("PATCH", at, b'{"version":2,"encrypt":true}', **{
            "Content-Type": "application/json"})
        self.assertEqual((got["version"], got["encrypt"]), (2, True))
        self.assertEqual(got["current"]["variables"], ["SerialNumber"])
        self.assertEqual([v["version"] for v in self.call("GET", at + "/versions")["versions"]],
                         [2, 1])
        # The files come back octet by octet, and stand nowhere in the database in the clear.
        for n, file in ((1, one), (2, two)):
            self.assertEqual(self.s.api("GET", "/api/v1/profile-files/%s?version=%d" % (
                got["id"], n)).body, file)
        self.assertEqual(self.s.ctl("profile", "get", name, "--version", "1").encode(), one)
        self.assertEqual(self.s.sql("SELECT COUNT(*) FROM library_version WHERE LOCATE("
                                    "'drover-wifi-secret', content) > 0"), [["0"]])
        found = self.call("GET", "/api/v1/profiles?search=" + name)["profiles"]
        self.assertEqual([p["id"] for p in found], [got["id"]])
        audit = self.s.sql("SELECT action FROM audit WHERE subject = 'profile:%s' ORDER BY id" % name)
        self.assertEqual(audit, [["library.upload"], ["library.upload"], ["library.change"]] +
                         3 * [["library.read"]])
        self.call("DELETE", at + "?why=test", status=204)
        self.call("GET", at, status=404)

    def test_what_is_wrong_is_told(self):
        p = profile("org.example.bad")
        p["PayloadContent"].append({**p["PayloadContent"][0], "PayloadType": "com.apple.mdm"})
        got = self.call("POST", "/api/v1/profiles", plistlib.dumps(p), 400)
        self.assertGreaterEqual(len(got["findings"]), 3)
        self.assertIn("PayloadContent[1].PayloadType", [f["path"] for f in got["findings"]])
        self.call("POST", "/api/v1/profiles", b"0\x82 broken", 400)
        self.call("POST", "/api/v1/profiles?signing=red", plistlib.dumps(p), 400)
        r = self.s.api("POST", "/api/v1/profiles", b"x" * (4 * 1024 * 1024 + 1))
        self.assertEqual(r.status, 413)
        for path in ("/api/v1/profiles/x", "/api/v1/profiles/17", "/api/v1/profiles/17/nope"):
            self.call("GET", path, status=404)

    def test_the_enrolment_profile_is_none_of_the_library(self):
        host = self.s.run["device_url"].split("//")[1].split(":")[0]
        own = ".".join(reversed(host.split("."))) + ".drover"
        got = self.call("POST", "/api/v1/profiles", plistlib.dumps(profile(own)), 400)
        self.assertIn("give it another identifier", got["detail"])
        self.assertEqual([f["path"] for f in got["findings"]], ["PayloadIdentifier"])

    def test_by_droverctl(self):
        name = "org.example." + uuid.uuid4().hex
        path = os.path.join(self.s.state, "test.mobileconfig")
        with open(path, "wb") as f:
            plistlib.dump(profile(name, PayloadRemovalDisallowed=True), f)
        status, out = self.s.ctl("profile", "add", path, "--name", "Office", check=False)
        self.assertEqual(status, 0, out)
        self.assertIn("warning: PayloadRemovalDisallowed", out)
        self.assertIn("Office", self.s.ctl("profile", "list", "--search", name))
        self.assertIn("signing     none", self.s.ctl("profile", "set", name, "--keys",
                                                      '{"signing":"none"}'))
        self.assertIn("com.apple.wifi.managed", self.s.ctl("profile", "show", name))
        self.s.ctl("profile", "remove", name, "--why", "test")
        self.assertEqual(self.s.ctl("profile", "show", name, check=False)[0], 1)
        self.assertEqual(self.s.ctl("profile", "paint", check=False)[0], 2)

    def test_forms_are_told(self):
        forms = {x["name"]: x for x in self.call("GET", "/api/v1/payloads")["payloads"]}
        types = {x["type"] for x in self.call("GET", "/api/v1/payload-types")["payload_types"]}
        self.assertLess({"passcode", "restrictions", "wifi", "vpn", "mail", "webclip"}, set(forms))
        for form in forms.values():
            self.assertIn(form["type"], types)
        fields = {x["key"]: x for g in forms["wifi"]["groups"] for x in g["fields"]}
        self.assertTrue(fields["Password"]["secret"])
        self.assertIn("WPA3", fields["EncryptionType"]["values"])
        camera = [x for g in forms["restrictions"]["groups"] for x in g["fields"]
                  if x["key"] == "allowAirDrop"][0]
        self.assertEqual(camera["platforms"]["iOS"], {"introduced": "7.0", "supervised": True})
        self.assertNotIn("tvOS", camera["platforms"])

    @unittest.skipUnless(yaml and os.path.isdir(SCHEMA), "Apple's schema is not here")
    def test_payload_types_are_those_of_the_schema(self):
        ours = {t["type"]: t for t in json.loads(self.s.ctl("profile", "types"))}
        theirs = {}
        for name in glob.glob(SCHEMA + "/mdm/profiles/*.yaml"):
            with open(name) as f:
                payload = yaml.safe_load(f)["payload"]
            if payload["payloadtype"] not in ("TopLevel", "CommonPayloadKeys"):
                theirs.setdefault(payload["payloadtype"], []).append(payload.get("supportedOS", {}))
        self.assertEqual(sorted(ours), sorted(theirs))
        for kind, files in theirs.items():
            systems = {}
            for f in files:
                for system, facts in f.items():
                    if facts.get("introduced") != "n/a":
                        systems.setdefault(system, []).append(facts)
            self.assertEqual(sorted(ours[kind]["platforms"]), sorted(systems), kind)
            for system, facts in systems.items():
                self.compare(ours[kind]["platforms"][system], facts, (kind, system))

    def compare(self, ours, facts, where):
        self.assertEqual(version(ours["introduced"]), min(version(f["introduced"]) for f in facts),
                         where)
        for word in ("deprecated", "removed"):
            if all(word in f for f in facts):
                self.assertEqual(version(ours[word]), max(version(f[word]) for f in facts), where)
            else:
                self.assertNotIn(word, ours, where)
        self.assertEqual(ours.get("many", False), any(f.get("multiple") for f in facts), where)
        self.assertEqual(ours.get("supervised", False), all(f.get("supervised") for f in facts),
                         where)
        self.assertEqual(ours.get("no-user-enrolment", False), all(
            f.get("userenrollment", {}).get("mode") == "forbidden" for f in facts), where)


KINDS = {"<string>": {"text", "url", "email", "host", "secret", "choice", "payload"},
         "<integer>": {"number", "enum", "bit"}, "<boolean>": {"flag"},
         "<data>": {"secretdata", "certificate", "pkcs12", "image"},
         "<array>": {"lines", "numbers", "payloads"}}
# Keys that Apple describes in its documentation and not in the schema.
UNLISTED = {("vpn", "VPN.RemoteAddress"), ("vpn", "VPN.AuthName")}


@unittest.skipUnless(yaml and os.path.isdir(SCHEMA), "no schema, or no python3-yaml")
class TestForms(unittest.TestCase):
    """Every field of forms.txt against the schema: type, range, values, default, platforms."""
    webs = ("lighttpd",)

    @staticmethod
    def chain(keys, path):
        """The rows from the payload down to the key."""
        for key in keys or []:
            if key["key"] == path[0]:
                below = TestForms.chain(key.get("subkeys"), path[1:]) if path[1:] else []
                return None if below is None else [key] + below
        return None

    def platforms(self, top, chain):
        out = {}
        for name in ("iOS", "macOS", "tvOS", "visionOS", "watchOS"):
            said = dict(top.get(name) or {"introduced": "n/a"})
            if said["introduced"] == "n/a": # some keys are newer than what is said of the payload
                continue
            for row in chain:
                said.update((row.get("supportedOS") or {}).get(name) or {})
            if said["introduced"] != "n/a":
                out[name] = (version(said["introduced"]), bool(said.get("supervised")))
        return out

    def test_fields_are_as_the_schema_says(self):
        s = drover.server()
        types = {}
        for name in glob.glob(os.path.join(SCHEMA, "mdm", "profiles", "*.yaml")):
            with open(name) as f:
                d = yaml.safe_load(f)
            types[d["payload"]["payloadtype"]] = d
        compared = 0
        for form in json.loads(s.api("GET", "/api/v1/payloads").body)["payloads"]:
            d = types[form["type"]]
            for field in [x for g in form["groups"] for x in g["fields"]]:
                what = (form["name"], field["key"])
                chain = self.chain(d["payloadkeys"], field["key"].split("."))
                if what in UNLISTED:
                    self.assertIsNone(chain, what)
                    continue
                self.assertIsNotNone(chain, what)
                key, compared = chain[-1], compared + 1
                self.assertIn(field["kind"], KINDS[key["type"]], what)
                item = key["subkeys"][0] if field["kind"] in ("numbers", "lines") else key
                if field["kind"] in ("choice", "enum", "numbers"):
                    self.assertLessEqual(set(field["values"]),
                                         {str(x) for x in item.get("rangelist", [])}, what)
                if "range" in key: # a port of 0 is none
                    low = 1 if what[0] == "mail" else key["range"]["min"]
                    self.assertEqual((field["low"], field["high"]), (low, key["range"]["max"]), what)
                if "default" in field and "default" in key:
                    self.assertEqual(field["default"], str(key["default"]).lower(), what)
                if key.get("presence") == "required" and len(chain) == 1:
                    self.assertTrue(field.get("required"), what)
                ours = {k: (version(v["introduced"]), v.get("supervised", False))
                        for k, v in field.get("platforms", form["platforms"]).items()}
                self.assertEqual(ours, self.platforms(d["payload"]["supportedOS"], chain), what)
        self.assertGreater(compared, 200)


if __name__ == "__main__":
    unittest.main()

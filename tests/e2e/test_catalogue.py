"""The command catalogue against Apple's device management schema, in both directions.

The schema is not part of Drover: DROVER_APPLE_SCHEMA names its folder, otherwise it is looked for at
../shared/apple-schema beside this tree. Without it, or without python3-yaml, these tests are skipped
and say so.
"""

import glob
import json
import os
import subprocess
import unittest

try:
    import yaml
except ImportError:
    yaml = None

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("BUILD", os.path.join(TOP, "build"))
SCHEMA = os.environ.get("DROVER_APPLE_SCHEMA",
                        os.path.join(os.path.dirname(TOP), "shared", "apple-schema"))

RIGHTS = {
    "AllowInspection": "inspect", "AllowInstallationRemoval": "profiles",
    "AllowPasscodeRemovalAndLock": "lock", "DeviceLockAndRemovePasscode": "lock",
    "AllowDeviceErase": "erase", "AllowQueryDeviceInformation": "device-info",
    "AllowQueryNetworkInformation": "network-info",
    "AllowProvisioningInspection": "inspect-provisioning",
    "AllowProvisioningInstallationRemoval": "provisioning",
    "AllowQueryApplications": "inspect-apps", "QueryInstalledApps": "inspect-apps",
    "AllowQueryRestrictions": "restrictions", "AllowQuerySecurity": "security",
    "AllowSettings": "settings", "AllowAppInstallation": "apps",
    "None": "none", "n/a": "none", "Special Case": "each",
}
# Every request type of Apple's reference of 2014.
REFERENCE = """ProfileList InstallProfile RemoveProfile ProvisioningProfileList
    InstallProvisioningProfile RemoveProvisioningProfile CertificateList InstalledApplicationList
    DeviceInformation SecurityInfo DeviceLock ClearPasscode EraseDevice RequestMirroring
    StopMirroring Restrictions InstallApplication ApplyRedemptionCode ManagedApplicationList
    RemoveApplication InviteToProgram Settings ManagedApplicationConfiguration
    ManagedApplicationAttributes ManagedApplicationFeedback""".split()
# What only that reference has.
LEGACY = {
    "InstallApplication.Options.NotManaged",
    "Settings.Settings[Language]", "Settings.Settings[Locale]",
    "DeviceInformation.Queries[]=EthernetMACs", "DeviceInformation.Queries[]=Languages",
    "DeviceInformation.Queries[]=Locales",
    "answer:DeviceInformation.QueryResponses.EthernetMACs",
    "answer:DeviceInformation.QueryResponses.Languages",
    "answer:DeviceInformation.QueryResponses.Locales",
}


def version(s):
    parts = [int(p) for p in str(s).split(".")]
    return tuple(parts + [0] * (3 - len(parts)))


class Schema:
    """The facts of the schema, as {(path, fact): value}."""

    def __init__(self, folder):
        self.facts = {}
        for name in sorted(glob.glob(os.path.join(folder, "mdm", "commands", "*.yaml"))):
            with open(name) as f:
                d = yaml.safe_load(f)
            payload = d["payload"]
            request = payload["requesttype"]
            self.facts[request, "kind"] = "command"
            self.platforms(request, payload["supportedOS"], True)
            self.keys(request, d.get("payloadkeys"))
            self.keys("answer:" + request, d.get("responsekeys"))

    def platforms(self, path, supported, top=False):
        for os_name, said in (supported or {}).items():
            here = (path, "on " + os_name)
            if said.get("introduced") == "n/a":
                assert set(said) == {"introduced"}, (path, said)
                self.facts[here + ("available",)] = False
                continue
            for key, value in said.items():
                fact = here + (key,)
                if key in ("introduced", "deprecated", "removed"):
                    self.facts[fact] = version(value)
                elif key == "accessrights":
                    self.facts[here + ("right",)] = RIGHTS[value]
                elif key in ("supervised", "requiresdep") and (value or not top):
                    self.facts[fact] = value
                elif key == "devicechannel" and not (top and value):
                    self.facts[fact] = value
                elif key == "userchannel" and not (top and not value):
                    self.facts[fact] = value
                elif key in ("sharedipad", "userenrollment"):
                    for k, v in value.items():
                        self.facts[fact + (k,)] = v
                elif key not in ("supervised", "requiresdep", "devicechannel", "userchannel"):
                    raise AssertionError("%s: the schema says %s, which nobody compares" %
                                         (path, key))

    @staticmethod
    def name(key):
        """ANY, "ANY app identifier" and "Category Name" stand for any key."""
        if key == "ANY":
            return "<any>"
        if key.startswith("ANY ") or key == "Category Name":
            return "<%s>" % key.replace("ANY ", "").lower().replace(" ", "-")
        return key

    def keys(self, path, keys):
        for k in keys or []:
            self.row("%s.%s" % (path, self.name(k["key"])), k)

    def row(self, path, k):
        kind = k["type"].strip("<>")
        self.facts[path, "type"] = kind
        if not path.endswith("]"):
            self.facts[path, "required"] = k.get("presence") == "required"
        for said, fact in (("default", "default"), ("rangelist", "one_of")):
            if said in k:
                self.facts[path, fact] = k[said]
        if "range" in k:
            self.facts[path, "range"] = [k["range"]["min"], k["range"]["max"]]
        self.platforms(path, k.get("supportedOS"))
        below = k.get("subkeys") or []
        if kind == "array":
            for item in below:
                shape = item["key"] if len(below) > 1 else ""
                self.row("%s[%s]" % (path, shape), item)
        elif kind == "dictionary":
            self.keys(path, below)
        else:
            for value in below:
                assert value["type"] == "<string>" and "subkeys" not in value, path
                self.facts["%s=%s" % (path, value["key"]), "kind"] = "value"
                self.platforms("%s=%s" % (path, value["key"]), value.get("supportedOS"))


class Catalogue:
    """The facts of what `droverctl catalogue` prints, in the same form."""

    NAMES = {"dep": "requiresdep", "device_channel": "devicechannel",
             "user_channel": "userchannel"}

    def __init__(self, commands):
        self.facts, self.legacy, self.rules, self.abouts = {}, set(), {}, {}
        for c in commands:
            request = c["request_type"]
            self.facts[request, "kind"] = "command"
            self.common(request, c)
            self.below(request, c)
            for k in c.get("answer", []):
                self.row("answer:%s.%s" % (request, k["name"]), k)

    def common(self, path, row):
        self.abouts[path] = row.get("about")
        self.rules[path] = row.get("rules", [])
        for os_name, said in row.get("platforms", {}).items():
            here = (path, "on " + os_name)
            for key, value in said.items():
                fact = here + (self.NAMES.get(key, key),)
                if key in ("introduced", "deprecated", "removed"):
                    self.facts[fact] = version(value)
                elif key == "shared_ipad":
                    for k, v in value.items():
                        self.facts[here + ("sharedipad", self.NAMES.get(k, k))] = v
                elif key == "user_enrolment":
                    self.facts[here + ("userenrollment", "mode")] = value
                else:
                    self.facts[fact] = value

    def below(self, path, row):
        for k in row.get("keys", []):
            self.row("%s.%s" % (path, k["name"]), k)
        for k in row.get("items", []):
            self.row("%s[%s]" % (path, k.get("name", "")), k)
        for v in row.get("values", []):
            name = "%s=%s" % (path, v["name"])
            if v.get("legacy"):
                self.legacy.add(name)
                continue
            self.facts[name, "kind"] = "value"
            self.common(name, v)

    def row(self, path, row):
        if row.get("legacy"):
            self.legacy.add(path)
            return
        self.facts[path, "type"] = row["type"]
        if not path.endswith("]"):
            self.facts[path, "required"] = row["required"]
        for fact in ("default", "one_of", "range"):
            if fact in row:
                self.facts[path, fact] = row[fact]
        self.common(path, row)
        self.below(path, row)


def droverctl(*args):
    return subprocess.run([os.path.join(BUILD, "droverctl"), "catalogue"] + list(args),
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=30)


class TestPrinted(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.commands = json.loads(droverctl().stdout)
        cls.ours = Catalogue(cls.commands)

    def test_the_reference_is_there(self):
        names = [c["request_type"] for c in self.commands]
        self.assertEqual(sorted(names), names)
        self.assertEqual(set(REFERENCE) - set(names), set())
        self.assertEqual(self.ours.legacy, LEGACY)

    def test_every_command_and_key_of_a_request_says_what_it_is(self):
        bare = [p for p, about in self.ours.abouts.items()
                if not about and not p.startswith("answer:") and "=" not in p and
                not p.endswith((".Item", "[]", ">"))]
        self.assertEqual(bare, [])

    def test_not_now_never_comes_where_the_reference_says_so(self):
        said = {c["request_type"]: c["never_not_now"] for c in self.commands if c["never_not_now"]}
        self.assertEqual({n for n, p in said.items() if "iOS" in p}, set(
            """DeviceInformation ProfileList DeviceLock EraseDevice ClearPasscode CertificateList
            ProvisioningProfileList InstalledApplicationList Restrictions""".split()))
        self.assertEqual({n for n, p in said.items() if "macOS" in p},
                         {"DeviceLock", "EraseDevice"})

    def test_one_row_is_printed_alone(self):
        one = json.loads(droverctl("EraseDevice").stdout)
        self.assertEqual(one, next(c for c in self.commands
                                   if c["request_type"] == "EraseDevice"))
        key = json.loads(droverctl("Settings", "Settings[Wallpaper].Where").stdout)
        self.assertEqual((key["type"], key["one_of"]), ("integer", [1, 2, 3]))
        key = json.loads(droverctl("DeviceLock", "answer:MessageResult").stdout)
        self.assertEqual(key["type"], "string")

    def test_what_is_not_there_is_told(self):
        for args in (("Nothing",), ("DeviceLock", "Pin"), ("DeviceLock", "PIN."),
                     ("Settings", "Settings[x"), ("Settings", "Settings[Wallpaper]x"),
                     ("Settings", "]"), ("", ""), ("DeviceLock", "x" * 5000)):
            run = droverctl(*args)
            self.assertEqual(run.returncode, 1, args)
            self.assertIn("droverctl: ", run.stderr)
            self.assertEqual(run.stdout, "")


class TestSchema(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        why = None
        if not os.path.isdir(os.path.join(SCHEMA, "mdm", "commands")):
            why = "Apple's schema is not at %s (DROVER_APPLE_SCHEMA)" % SCHEMA
        elif yaml is None:
            why = "python3-yaml is not installed"
        if why:
            print("SKIPPED: the catalogue was not compared with the schema: " + why, flush=True)
            raise unittest.SkipTest(why)
        cls.schema = Schema(SCHEMA).facts
        cls.ours = Catalogue(json.loads(droverctl().stdout)).facts

    def test_nothing_of_the_schema_is_missing(self):
        self.assertGreater(len(self.schema), 3000)
        self.assertEqual({k: v for k, v in self.schema.items() if k not in self.ours}, {})

    def test_nothing_else_is_there(self):
        self.assertEqual({k: v for k, v in self.ours.items() if k not in self.schema}, {})

    def test_all_of_it_is_the_same(self):
        self.assertEqual({k: (v, self.ours[k]) for k, v in self.schema.items()
                          if k in self.ours and
                          (v != self.ours[k] or type(v) is not type(self.ours[k]))}, {})

"""In-house apps from the upload to the device and back: the simulated device reads the manifest,
fetches the package from the web server, checks every digest, and tells what became of it."""

import hashlib
import io
import json
import os
import plistlib
import re
import shutil
import socket
import struct
import unittest
import urllib.parse
import uuid
import zipfile
import zlib

import drover
from test_enrol import Sim

PART = 10 * 1024 * 1024  # of a manifest's digests


def ipa(bundle, version, build, filler=0, **more):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as z:
        z.writestr("Payload/Demo.app/Info.plist", plistlib.dumps({
            "CFBundleIdentifier": bundle, "CFBundleVersion": build,
            "CFBundleShortVersionString": version, "CFBundleDisplayName": "Demo",
            "CFBundleSupportedPlatforms": ["iPhoneOS"], **more}, fmt=plistlib.FMT_BINARY))
        z.writestr("Payload/Demo.app/Demo", os.urandom(filler))
    return out.getvalue()


def pkg(bundle, version):
    """A package for Macs: a xar with nothing but a PackageInfo."""
    info = b'<pkg-info identifier="%s" version="%s"/>' % (bundle.encode(), version.encode())
    toc = (b'<?xml version="1.0"?><xar><toc><file id="1"><name>PackageInfo</name><type>file</type>'
           b'<data><length>%d</length><offset>0</offset><size>%d</size><encoding '
           b'style="application/octet-stream"/></data></file></toc></xar>' % (len(info), len(info)))
    packed = zlib.compress(toc, 9)
    return struct.pack(">IHHQQI", 0x78617221, 28, 1, len(packed), len(toc), 0) + packed + info


class Device:
    """One simulated device, with its control socket."""

    def __init__(self, test, kind, *options):
        self.test, self.s = test, test.s
        since = self.s.count("SELECT COALESCE(MAX(id), 0) FROM enrollment")
        path = os.path.join(self.s.state, "in-house-control")
        self.sim = Sim(self.s, "in-house", 1, "--kind", kind, "--control", path, "--backoff", "0.1",
                       *options)
        test.addCleanup(self.sim.stop)
        query = "SELECT ident FROM enrollment WHERE id > %d AND state = 2 AND device_id = id" % since
        drover.wait_for(lambda: self.s.sql(query), 60)
        self.ident = self.s.sql(query)[0][0]
        self.socket = socket.socket(socket.AF_UNIX)
        test.addCleanup(self.socket.close)
        self.socket.connect(path)
        self.file = self.socket.makefile("rw")
        test.addCleanup(self.file.close)
        self.s.enqueue(self.ident, "DeviceInformation", Queries=["ProductName", "OSVersion"])
        drover.wait_for(lambda: self.s.count(
            "SELECT COUNT(*) FROM inv_device d JOIN enrollment e ON e.id = d.enrollment_id WHERE "
            "e.ident = '%s'" % self.ident), 20)

    def say(self, **request):
        self.file.write(json.dumps(request) + "\n")
        self.file.flush()
        answer = json.loads(self.file.readline())
        self.test.assertTrue(answer["ok"], answer)
        return answer

    def soon(self):
        """What the agent would look at in a minute is due."""
        self.s.sql("UPDATE device_item d JOIN enrollment e ON e.id = d.enrollment_id SET d.due_at = "
                   "0 WHERE d.state IN (4, 7) AND e.ident = '%s'" % self.ident)

    def item(self, item):
        return next((i for i in self.test.call("GET", "/api/v1/device-items/" + self.ident)["items"]
                     if i["item"] == item), {"state": None})

    def reaches(self, item, state, seconds=30):
        def look():
            now = self.item(item)
            if now["state"] == "installing":
                self.soon()
            return now["state"] == state and now
        try:
            return drover.wait_for(look, seconds, 0.2)
        except AssertionError:
            raise AssertionError("%s is %s\n%s" % (item, self.item(item), self.sim.words())) from None

    def part(self, what, bundle):
        items = self.test.call("GET", "/api/v1/devices/%s/%s" % (self.ident, what))["items"]
        return next((i for i in items if bundle in (i.get("Identifier"), i.get("identifier"))), None)

    def asked(self, request_type, bundle, what, want):
        """Asks the device, until the inventory has what is wanted of the app."""
        self.s.enqueue(self.ident, request_type)
        return drover.wait_for(lambda: (lambda i: want(i) and (i or True))(self.part(what, bundle)),
                               20)


class InHouse(unittest.TestCase):
    def setUp(self):
        self.s = drover.server()
        self.bundle = "org.example." + uuid.uuid4().hex

    def call(self, method, path, body=None, status=200):
        headers = {"Content-Type": "application/json"} if isinstance(body, dict) else {}
        r = self.s.api(method, path, json.dumps(body) if isinstance(body, dict) else body,
                       headers=headers)
        self.assertEqual(r.status, status, r.body[:500])
        return json.loads(r.body) if r.body else None

    def upload(self, octets):
        name = self.call("POST", "/api/v1/app-files", status=201)["file"]
        for at in range(0, len(octets), 4 << 20):
            self.call("PUT", "/api/v1/app-files/%s?offset=%d" % (name, at),
                      octets[at:at + (4 << 20)])
        return name

    def app(self, octets, settings=None):
        return self.call("POST", "/api/v1/apps", {"file": self.upload(octets),
                                                  "settings": settings or {}}, 201)

    def give(self, device, app):
        g = self.call("POST", "/api/v1/groups", {"name": self.bundle}, 201)
        self.call("POST", "/api/v1/groups/%s/devices" % g["id"], {"add": [device.ident]})
        return self.call("POST", "/api/v1/assignments", {"group": g["id"], "item": app["id"]},
                         201)["id"]

    def on_disk(self, app, name="app.ipa"):
        with open(os.path.join(self.s.state, "drover.conf"), encoding="utf-8") as f:
            folder = re.search(r"\[assets\]\s+dir = (\S+)", f.read())[1]
        return os.path.join(folder, "assets", app["current"]["details"]["file"], name)

    def test_installed_updated_and_removed(self):
        """Through each web server; the download breaks off half way and goes on from there."""
        device = Device(self, "iphone")
        first = ipa(self.bundle, "1.2", "40", filler=PART + 3 * 1024 * 1024)
        device.say(op="behave", rule="InstallApplication count=1 disconnect download")
        app = self.app(first, {"ManagementFlags": 1})
        assignment = self.give(device, app)
        device.reaches(app["id"], "installed")
        stats = device.say(op="stats")
        self.assertEqual((stats["manifests"], stats["packages"], stats["packages_continued"],
                          stats["packages_refused"]), (1, 1, 1, 0))
        self.assertEqual(stats["http"].get("206"), 1)
        got = device.asked("InstalledApplicationList", self.bundle, "apps", lambda i: i)
        self.assertEqual((got["Version"], got["ShortVersion"], got["BundleSize"], got["Name"]),
                         ("40", "1.2", len(first), "Demo"))
        managed = device.part("managed-apps", self.bundle)
        self.assertEqual((managed["Status"], managed["ManagementFlags"]), ("Managed", 1))
        # a newer build of the same version
        second = ipa(self.bundle, "1.2", "41", filler=1000)
        self.call("POST", "/api/v1/apps/%s/versions" % app["id"], {"file": self.upload(second)}, 201)
        drover.wait_for(lambda: device.say(op="stats")["packages"] == 2, 30)
        device.reaches(app["id"], "installed")
        device.asked("InstalledApplicationList", self.bundle, "apps",
                     lambda i: i and (i["Version"], i["BundleSize"]) == ("41", len(second)))
        # it goes
        self.call("DELETE", "/api/v1/assignments/%s?why=test" % assignment, status=204)
        device.reaches(app["id"], "removed")
        device.asked("ManagedApplicationList", self.bundle, "managed-apps", lambda i: not i)
        device.asked("InstalledApplicationList", self.bundle, "apps", lambda i: not i)

    @drover.lighttpd_only
    def test_a_file_that_was_changed(self):
        device = Device(self, "ipad")
        octets = ipa(self.bundle, "2.0", "1", filler=PART + 4096)
        app = self.app(octets)
        path = self.on_disk(app)
        with open(path, "r+b") as f:  # one octet, in the second part
            f.seek(PART + 100)
            f.write(bytes([octets[PART + 100] ^ 1]))
        assignment = self.give(device, app)
        item = device.reaches(app["id"], "failed")
        self.assertEqual(item["reason"], "the installation failed: its file on this server was "
                                         "changed after it was uploaded")
        told = device.say(op="device", device=0)
        self.assertIn("part 2 of the package does not have the sha256", told["last_error"])
        self.assertEqual(told["apps"], [])
        self.assertIsNone(device.part("apps", self.bundle))
        page = self.call("GET", "/api/v1/apps/%s/devices" % app["id"])
        self.assertIn("changed after it was uploaded", json.dumps(page))
        self.call("DELETE", "/api/v1/assignments/%s?why=test" % assignment, status=204)

    @drover.lighttpd_only
    def test_manifests_that_are_wrong(self):
        device = Device(self, "iphone")
        app = self.app(ipa(self.bundle, "1", "1"))
        path = self.on_disk(app, "manifest.plist")
        with open(path, "rb") as f:
            good = plistlib.load(f)

        def address(octets):
            """Each in a folder of its own: a web server may remember a file for a moment."""
            name = uuid.uuid4().hex
            folder = os.path.join(os.path.dirname(os.path.dirname(path)), name)
            os.mkdir(folder)
            self.addCleanup(shutil.rmtree, folder)
            with open(os.path.join(folder, "manifest.plist"), "wb") as f:
                f.write(octets)
            return "%s/assets/%s/manifest.plist" % (self.s.run["device_url"], name)

        def item(**more):
            return {"items": [dict(good["items"][0], **more)]}

        asset = good["items"][0]["assets"][0]
        about = good["items"][0]["metadata"]
        cases = ((12033, b"no list"), (12033, {"items": []}), (12032, {"items": good["items"] * 2}),
                 (12033, item(metadata=dict(about, kind="book"))),
                 (12033, item(metadata={"kind": "software"})), (12033, item(assets=[])),
                 (12033, item(assets=[dict(asset, sha256s=["x"])])),
                 (12033, item(assets=[dict(asset, **{"md5-size": 0})])),
                 (12034, item(assets=[dict(asset, url=asset["url"].replace("https", "http"))])),
                 (12024, None))
        for code, manifest in cases:
            with self.subTest(code=code, manifest=str(manifest)[:100]):
                octets = manifest if isinstance(manifest, bytes) else plistlib.dumps(manifest or {})
                url = address(octets)
                command = self.s.enqueue(device.ident, "InstallApplication",
                                         ManifestURL=url if manifest else url + ".gone")
                drover.wait_for(lambda: self.s.command_state(device.ident, command) == "error", 20)
                error = drover.wait_for(lambda: self.call(
                    "GET", "/api/v1/devices/%s/results/%s" % (device.ident, command)
                    ).get("errors"), 20)[0]
                self.assertEqual((error["domain"], error["code"]), ("MCMDMErrorDomain", code))
        # another app's package under a manifest that fits
        other = self.app(ipa(self.bundle + ".other", "1", "1"))
        with open(self.on_disk(other), "rb") as f:
            octets = f.read()
        url = address(plistlib.dumps(item(assets=[dict(
            asset, url=other["current"]["details"]["url"], md5s=[hashlib.md5(octets).hexdigest()],
            sha256s=[hashlib.sha256(octets).hexdigest()])])))
        command = self.s.enqueue(device.ident, "InstallApplication", ManifestURL=url)
        drover.wait_for(lambda: self.s.command_state(device.ident, command) == "acknowledged", 20)
        device.say(op="settle", device=0)
        self.s.enqueue(device.ident, "ManagedApplicationList")
        drover.wait_for(lambda: any(
            (e["part"], e["subject"], e.get("became")) == ("managed-apps", self.bundle, "Failed")
            for e in self.call("GET", "/api/v1/devices/%s/events" % device.ident)["events"]), 20)
        self.assertIn("the package is of %s.other" % self.bundle,
                      device.say(op="device", device=0)["last_error"])

    @drover.lighttpd_only
    def test_a_package_for_a_mac(self):
        """Managed where the app says so; else the Mac has it, and tells no more of it."""
        device = Device(self, "mac", "--seed", "2")
        app = self.app(pkg(self.bundle, "3.1"), {"InstallAsManaged": True})
        assignment = self.give(device, app)
        device.reaches(app["id"], "installed")
        got = device.asked("InstalledApplicationList", self.bundle, "apps", lambda i: i)
        self.assertEqual(got["Version"], "3.1")
        self.assertEqual(device.part("managed-apps", self.bundle)["Status"], "Managed")
        self.call("POST", "/api/v1/apps/%s/versions" % app["id"],
                  {"file": self.upload(pkg(self.bundle, "3.2"))}, 201)
        drover.wait_for(lambda: device.say(op="stats")["packages"] == 2, 30)
        device.reaches(app["id"], "installed")
        self.call("DELETE", "/api/v1/assignments/%s?why=test" % assignment, status=204)
        device.reaches(app["id"], "removed")
        device.asked("InstalledApplicationList", self.bundle, "apps", lambda i: not i)
        # not managed
        self.bundle += ".plain"
        app = self.app(pkg(self.bundle, "1.0"))
        self.give(device, app)
        device.reaches(app["id"], "installed")
        device.say(op="settle")
        device.asked("InstalledApplicationList", self.bundle, "apps", lambda i: i)
        device.asked("ManagedApplicationList", self.bundle, "managed-apps", lambda i: not i)


if __name__ == "__main__":
    unittest.main()

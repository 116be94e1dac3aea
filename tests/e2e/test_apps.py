"""Apps: their files uploaded and served to devices, installed, followed, removed."""

import hashlib
import io
import json
import os
import plistlib
import re
import unittest
import urllib.parse
import uuid
import zipfile

import drover


def ipa(bundle, version="1.0", filler=0, **more):
    """An app for iPhones, as a file; filler: octets that do not compress."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as z:
        z.writestr("Payload/Demo.app/Info.plist", plistlib.dumps({
            "CFBundleIdentifier": bundle, "CFBundleVersion": version,
            "CFBundleShortVersionString": version, "CFBundleDisplayName": "Demo",
            "CFBundleSupportedPlatforms": ["iPhoneOS"], **more}, fmt=plistlib.FMT_BINARY))
        z.writestr("Payload/Demo.app/Demo", os.urandom(filler))
        z.writestr("Payload/Demo.app/PlugIns/X.appex/Info.plist", plistlib.dumps({
            "CFBundleIdentifier": bundle + ".x", "CFBundleVersion": "9"}))
    return out.getvalue()


class Apps(unittest.TestCase):
    def setUp(self):
        self.s = drover.server()

    def call(self, method, path, body=None, status=200):
        headers = {"Content-Type": "application/json"} if isinstance(body, dict) else {}
        r = self.s.api(method, path, json.dumps(body) if isinstance(body, dict) else body,
                       headers=headers)
        self.assertEqual(r.status, status, r.body[:500])
        return json.loads(r.body) if r.body else None

    def upload(self, octets, part=4 * 1024 * 1024):
        name = self.call("POST", "/api/v1/app-files", status=201)["file"]
        for at in range(0, len(octets), part):
            self.call("PUT", "/api/v1/app-files/%s?offset=%d" % (name, at), octets[at:at + part])
        return name

    def test_a_file_of_ones_own(self):
        """Through each web server: in parts, with its manifest, with ranges, by unguessable names."""
        octets = ipa("org.example." + uuid.uuid4().hex, filler=11 * 1024 * 1024)
        name = self.upload(octets)
        got = self.call("POST", "/api/v1/apps", {"file": name, "settings": {"ManagementFlags": 1}},
                        201)
        self.assertEqual(got["current"]["platforms"], ["iOS"])
        self.assertEqual(got["current"]["sha256"], hashlib.sha256(octets).hexdigest())
        url = urllib.parse.urlsplit(got["current"]["details"]["manifest_url"])
        r = self.s.request("device_url", "GET", url.path)
        self.assertEqual((r.status, r.headers["content-type"].split(";")[0]), (200, "text/xml"))
        item = r.plist()["items"][0]
        self.assertEqual(item["metadata"]["bundle-identifier"], got["identifier"])
        asset = item["assets"][0]
        parts = [octets[i:i + asset["md5-size"]] for i in range(0, len(octets), asset["md5-size"])]
        self.assertEqual(asset["md5s"], [hashlib.md5(p).hexdigest() for p in parts])
        self.assertEqual(asset["sha256s"], [hashlib.sha256(p).hexdigest() for p in parts])
        path = urllib.parse.urlsplit(asset["url"]).path
        self.assertEqual(self.s.request("device_url", "GET", path).body, octets)
        r = self.s.request("device_url", "GET", path, headers={"Range": "bytes=1000-2999"})
        self.assertEqual((r.status, r.body), (206, octets[1000:3000]))
        for bad in ("/assets/", "/assets/%s/" % name, "/assets/%s/other" % name,
                    "/assets/../incoming/", "/incoming/", "/assets/%s/app.ipa" % ("0" * 32)):
            self.assertIn(self.s.request("device_url", "GET", bad).status, (400, 404), bad)
        self.assertIn(self.s.request("console_url", "GET", path).status, (303, 401, 403, 404))

    def test_parts_that_come_twice_or_not_at_all(self):
        name = self.call("POST", "/api/v1/app-files", status=201)["file"]
        at = "/api/v1/app-files/%s?offset=%d"
        for _ in range(2):
            self.assertEqual(self.call("PUT", at % (name, 0), b"abc")["size"], 3)
        self.call("PUT", at % (name, 9), b"abc", 409)
        self.call("PUT", at % ("0" * 32, 0), b"abc", 404)
        self.call("PUT", at % ("..%2f..%2fetc", 0), b"abc", 404)
        self.call("PUT", "/api/v1/app-files/" + name, b"abc", 400)
        self.call("POST", "/api/v1/apps", {"file": name}, 400)  # no app
        self.call("POST", "/api/v1/apps", {"file": "../../etc/passwd"}, 404)


class AppsOfDevices(Apps):
    webs = ("lighttpd",)
    test_a_file_of_ones_own = test_parts_that_come_twice_or_not_at_all = None

    def offered(self, d, kind):
        """The command of that kind, once it is offered; others are acknowledged."""
        def look():
            c = d.idle()
            c = c.plist() if c.body else None
            if c and c["Command"]["RequestType"] != kind:
                d.report(c["CommandUUID"])
            return c if c and c["Command"]["RequestType"] == kind else None
        return drover.wait_for(look, 15)

    def state(self, d, item):
        return next((i for i in self.call("GET", "/api/v1/device-items/" + d.ident)["items"]
                     if i["item"] == item), {"state": None})

    def test_installed_followed_and_removed(self):
        d = drover.device().enrol()
        bundle = "org.example." + uuid.uuid4().hex
        path = os.path.join(self.s.state, bundle + ".ipa")
        with open(path, "wb") as f:
            f.write(ipa(bundle))
        item = self.s.ctl("app", "add", "-", "--file", path, "--name", "Mine", "--settings",
                          '{"Configuration":{"server":"x"},"Attributes":{"Removable":false}}').split()[0]
        self.s.ctl("group", "add", bundle)
        self.s.ctl("group", "put", bundle, d.ident)
        self.s.ctl("group", "assign", bundle, bundle)
        c = self.offered(d, "InstallApplication")
        self.assertEqual(c["Command"]["Configuration"], {"server": "x"})
        self.assertEqual(c["Command"]["Attributes"], {"Removable": False})
        self.assertTrue(c["Command"]["ManifestURL"].startswith(self.s.run["device_url"] + "/assets/"))
        self.assertNotIn("Identifier", c["Command"])
        d.report(c["CommandUUID"], Identifier=bundle, State="Installing")
        c = self.offered(d, "ManagedApplicationList")
        self.assertEqual(self.state(d, item)["state"], "installing")
        d.report(c["CommandUUID"], ManagedApplicationList={bundle: {
            "Status": "Managed", "ManagementFlags": 0, "HasConfiguration": True,
            "HasFeedback": False}})
        drover.wait_for(lambda: self.s.count(
            "SELECT COUNT(*) FROM inv_managed_app WHERE identifier = '%s'" % bundle), 15)
        # The next look is a minute away: bring it near.
        self.s.sql("UPDATE device_item SET due_at = 0 WHERE item_id = %s" % item)
        drover.wait_for(lambda: self.state(d, item)["state"] == "installed", 15)
        self.s.ctl("group", "unassign", bundle, bundle, "--why", "test")
        c = self.offered(d, "RemoveApplication")
        self.assertEqual(c["Command"]["Identifier"], bundle)
        d.report(c["CommandUUID"])
        drover.wait_for(lambda: self.state(d, item)["state"] == "removed", 15)

    def test_of_the_store_and_what_is_refused(self):
        d = drover.device().enrol()
        bundle = "com.example." + uuid.uuid4().hex
        self.call("POST", "/api/v1/apps", {"identifier": bundle, "settings": {"Colour": 1}}, 400)
        self.call("POST", "/api/v1/apps", {"identifier": bundle,
                                           "settings": {"ManagementFlags": 3}}, 400)
        self.call("POST", "/api/v1/apps", {"identifier": bundle,
                                           "manifest_url": "http://example.org/m"}, 400)
        app = self.call("POST", "/api/v1/apps", {"identifier": bundle, "settings": {
            "iTunesStoreID": 361285480, "Options": {"PurchaseMethod": 1}}}, 201)
        g = self.call("POST", "/api/v1/groups", {"name": bundle}, 201)
        self.call("POST", "/api/v1/groups/%s/devices" % g["id"], {"add": [d.ident]})
        self.call("POST", "/api/v1/assignments", {"group": g["id"], "item": app["id"]}, 201)
        c = self.offered(d, "InstallApplication")
        self.assertEqual(c["Command"], {"RequestType": "InstallApplication",
                                        "iTunesStoreID": 361285480,
                                        "Options": {"PurchaseMethod": 1}})
        d.report(c["CommandUUID"], "Error", RejectionReason="AppStoreDisabled")
        drover.wait_for(lambda: self.state(d, app["id"])["state"] == "failed", 15)
        self.assertRegex(self.state(d, app["id"])["reason"], r"^rejected: AppStoreDisabled \(")

    def managed(self, d, bundle, status, **more):
        """The device tells that state of its app as soon as it is asked."""
        self.s.sql("UPDATE device_item d JOIN enrollment e ON e.id = d.enrollment_id SET d.due_at = 0 "
                   "WHERE e.ident = '%s'" % d.ident)
        c = self.offered(d, "ManagedApplicationList")
        d.report(c["CommandUUID"], ManagedApplicationList={bundle: {
            "Status": status, "ManagementFlags": 0, "HasConfiguration": True,
            "HasFeedback": False, **more}})
        drover.wait_for(lambda: self.s.count(
            "SELECT COUNT(*) FROM inv_managed_app WHERE identifier = '%s' AND status = '%s'"
            % (bundle, status)), 15)
        self.s.sql("UPDATE device_item d JOIN enrollment e ON e.id = d.enrollment_id SET d.due_at = 0 "
                   "WHERE e.ident = '%s'" % d.ident)

    def assets(self):
        """Where the web server finds the files of apps."""
        with open(os.path.join(self.s.state, "drover.conf"), encoding="utf-8") as f:
            return os.path.join(re.search(r"\[assets\]\s+dir = (\S+)", f.read())[1], "assets")

    def test_paid_for_configured_and_gone(self):
        d = drover.device().enrol()
        bundle = "org.example." + uuid.uuid4().hex
        app = self.call("POST", "/api/v1/apps", {"file": self.upload(ipa(bundle)), "settings": {
            "Configuration": {"who": "%UDID% of %Organization%"}}}, 201)
        at = "/api/v1/apps/" + app["id"]
        folder = os.path.join(self.assets(), app["current"]["details"]["file"])
        self.assertTrue(os.path.exists(os.path.join(folder, "manifest.plist")))
        self.call("POST", at + "/codes", b"not one\n", 400)
        self.assertEqual(self.call("POST", at + "/codes", b"PAID-0001\nPAID-0001\n", 201),
                         {"added": 1, "known": 1})
        self.call("POST", at + "/codes", b"PAID-0001", 200)
        g = self.call("POST", "/api/v1/groups", {"name": bundle}, 201)
        self.call("POST", "/api/v1/groups/%s/devices" % g["id"], {"add": [d.ident]})
        self.call("POST", "/api/v1/assignments", {"group": g["id"], "item": app["id"]}, 201)
        c = self.offered(d, "InstallApplication")
        self.assertRegex(c["Command"]["Configuration"]["who"], "^%s of ." % d.ident)
        d.report(c["CommandUUID"], Identifier=bundle, State="NeedsRedemption")
        self.managed(d, bundle, "NeedsRedemption")
        c = self.offered(d, "ApplyRedemptionCode")
        self.assertEqual(c["Command"], {"RequestType": "ApplyRedemptionCode", "Identifier": bundle,
                                        "RedemptionCode": "PAID-0001"})
        d.report(c["CommandUUID"])
        drover.wait_for(lambda: self.call("GET", at + "/codes")["counts"]["redeemed"] == 1, 15)
        self.call("DELETE", at + "/codes?code=" + self.call("GET", at + "/codes")["codes"][0]["id"],
                  status=409)
        self.managed(d, bundle, "Managed", UnusedRedemptionCode="PAID-0001")
        drover.wait_for(lambda: self.call("GET", at + "/codes")["counts"]["free"] == 1, 15)
        drover.wait_for(lambda: self.state(d, app["id"])["state"] == "installed", 15)
        self.assertRegex(self.s.ctl("app", "codes", bundle), r"(?m)^\d+ +free +- ")
        # the question for feedback, and a change of the configuration
        self.call("PATCH", at, {"feedback_hours": 1})
        c = self.offered(d, "ManagedApplicationFeedback")
        d.report(c["CommandUUID"], ManagedApplicationFeedback=[
            {"Identifier": bundle, "Feedback": {"opened": 3}}])
        drover.wait_for(lambda: self.call("GET", at + "/feedback")["feedback"], 15)
        self.assertEqual(self.call("GET", at + "/feedback")["feedback"][0]["feedback"], {"opened": 3})
        self.call("PATCH", at, {"settings": {"Configuration": {"who": "nobody"}}})
        c = self.offered(d, "Settings")
        self.assertEqual(c["Command"]["Settings"], [{
            "Item": "ApplicationConfiguration", "Identifier": bundle,
            "Configuration": {"who": "nobody"}}])
        d.report(c["CommandUUID"], Settings=[{"Item": "ApplicationConfiguration",
                                              "Identifier": bundle, "Status": "Acknowledged"}])
        # its file goes with the app
        self.call("DELETE", at + "?why=test", status=204)
        self.assertFalse(os.path.exists(folder))
        c = self.offered(d, "RemoveApplication")
        d.report(c["CommandUUID"])


if __name__ == "__main__":
    unittest.main()

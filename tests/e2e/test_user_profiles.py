"""Profiles that are for the users of devices: delivered to each on the channel of its own."""

import json
import os
import plistlib
import signal
import tempfile
import time
import unittest
import uuid

import drover
from test_api_orders import Person
from test_enrol import Sim
from test_library import TestLibrary
from test_profiles import profile


def for_users(identifier, **more):
    content = profile(identifier, PayloadScope="User", **more)
    content["PayloadContent"][0].update(PayloadType="com.apple.webClip.managed", Label="%UserShortName%",
                                        URL="https://example.org/%UserLongName%")
    return content


class TestUserProfiles(unittest.TestCase):
    webs = ("lighttpd",)
    maxDiff = None
    setUp, call, assigned = TestLibrary.setUp, TestLibrary.call, TestLibrary.assigned
    offered, opened = TestLibrary.offered, TestLibrary.opened

    def states(self, item):
        """User (None: the device itself) to state, of all channels with the item."""
        got = self.call("GET", "/api/v1/profiles/%s/devices" % item)["devices"]
        return {(x["device"], x.get("user")): x["state"] for x in got}

    def wait_states(self, item, states):
        try:
            drover.wait_for(lambda: self.states(item) == states, 20)
        except AssertionError:
            self.assertEqual(self.states(item), states)

    def mac(self):
        d = drover.device()
        self.assertEqual(d.authenticate(ProductName="Mac14,2", ModelName="Mac").status, 200)
        self.assertEqual(d.token_update().status, 200)
        return d

    def test_each_user_of_a_mac(self):
        d = self.mac()
        anna = d.user(short="anna")
        self.assertEqual(anna.token_update().status, 200)
        name = "org.example." + uuid.uuid4().hex
        item, group, assignment = self.assigned(for_users(name), [d])
        shown = self.call("GET", "/api/v1/profiles/" + item)
        self.assertEqual((shown["channel"], shown["for_users"]), ("profile", True))
        c = self.offered(anna)
        self.assertEqual(c["Command"]["RequestType"], "InstallProfile")
        clip = self.opened(c["Command"]["Payload"])["PayloadContent"][0]
        self.assertEqual((clip["Label"], clip["URL"]), ("anna", "https://example.org/Anna"))
        self.assertEqual(d.idle().body, b"")
        anna.report(c["CommandUUID"])
        self.wait_states(item, {(d.ident, "anna"): "installed"})
        # A user who comes later gets it by the TokenUpdate; a failure is that user's alone.
        ben = d.user(short="ben")
        self.assertEqual(ben.token_update().status, 200)
        c = self.offered(ben)
        self.assertEqual(self.opened(c["Command"]["Payload"])["PayloadContent"][0]["Label"], "ben")
        ben.report(c["CommandUUID"], "Error", ErrorChain=[{
            "ErrorCode": 4001, "ErrorDomain": "MCInstallationErrorDomain",
            "LocalizedDescription": "nein", "USEnglishDescription": "no"}])
        self.wait_states(item, {(d.ident, "anna"): "installed", (d.ident, "ben"): "failed"})
        rows = json.loads(self.s.ctl("wanted", "device", d.ident, "--json"))
        self.assertEqual([(r["user"], r["state"], r["reason"]) for r in rows], [
            ("anna", "installed", None), ("ben", "failed", "no (MCInstallationErrorDomain 4001)")])
        self.assertIn("ben", self.s.ctl("wanted", "item", name, "--state", "failed"))
        own = self.call("GET", "/api/v1/device-items/" + ben.ident)["items"]
        self.assertEqual([(x["user"], x["user_name"], x["enrollment_id"]) for x in own],
                         [("ben", "Ben", ben.ident)])
        self.call("POST", "/api/v1/profiles/%s/retry?enrollment_id=%s" % (item, ben.ident))
        ben.report(self.offered(ben)["CommandUUID"])
        self.wait_states(item, {(d.ident, "anna"): "installed", (d.ident, "ben"): "installed"})
        # What the channel tells counts: without the profile in anna's list it comes to her again.
        self.s.enqueue(anna.ident, "ProfileList")
        c = self.offered(anna)
        self.assertEqual(c["Command"]["RequestType"], "ProfileList")
        anna.report(c["CommandUUID"], ProfileList=[])
        drover.wait_for(lambda: self.s.count(
            "SELECT COUNT(*) FROM inv_area a JOIN enrollment e ON e.id = a.enrollment_id WHERE "
            "a.area = 4 AND e.ident = '%s'" % anna.ident), 15)
        for p in self.s.workers("agent"):
            os.kill(p, signal.SIGTERM)  # its successor looks for what is lost at once
        c = self.offered(anna)
        self.assertEqual(c["Command"]["RequestType"], "InstallProfile")
        anna.report(c["CommandUUID"])
        self.wait_states(item, {(d.ident, "anna"): "installed", (d.ident, "ben"): "installed"})
        # For the device instead: each user is rid of it, and the device has it.
        self.call("PATCH", "/api/v1/profiles/" + item, {"channel": "user"})
        self.call("PATCH", "/api/v1/profiles/" + item, {"channel": "dove"}, 400)
        self.call("DELETE", "/api/v1/assignments/%s?why=test" % assignment, status=204)
        for u in (anna, ben):
            c = self.offered(u)
            self.assertEqual(c["Command"], {"RequestType": "RemoveProfile", "Identifier": name})
            u.report(c["CommandUUID"])
        self.wait_states(item, {(d.ident, "anna"): "removed", (d.ident, "ben"): "removed"})

    def test_a_mac_on_which_nobody_has_logged_in(self):
        d = self.mac()
        name = "org.example." + uuid.uuid4().hex
        item, _, _ = self.assigned(for_users(name), [d])
        self.wait_states(item, {(d.ident, None): "pending"})
        why = "waits until a user logs in"
        got = self.call("GET", "/api/v1/profiles/%s/devices?state=pending" % item)["devices"]
        self.assertEqual([(x["device"], x["reason"], x["waits_for"]) for x in got],
                         [(d.ident, why, "user")])
        got = self.call("GET", "/api/v1/device-items/" + d.ident)["items"]
        self.assertEqual([(x["state"], x["reason"]) for x in got], [("pending", why)])
        for argv in (("device", d.ident), ("item", name)):
            rows = json.loads(self.s.ctl("wanted", *argv, "--json"))
            self.assertEqual([(r["state"], r["reason"]) for r in rows], [("pending", why)])
        who = Person(self.s, "w" + uuid.uuid4().hex[:6])
        self.assertIn(why, who.get("/profile?id=%s&tab=devices" % item)[1])
        self.assertIn(why, who.get("/device?id=%s&part=items" % d.ident)[1])
        self.assertEqual(d.idle().body, b"")
        anna = d.user(short="anna")
        self.assertEqual(anna.token_update().status, 200)
        self.assertNotIn(why, [x.get("reason") for x in
                               self.call("GET", "/api/v1/device-items/" + d.ident)["items"]])
        anna.report(self.offered(anna)["CommandUUID"])
        self.wait_states(item, {(d.ident, "anna"): "installed"})

    def test_values_and_identity_of_the_device(self):
        """What is the device's is filled in and encrypted for on its users' channels too."""
        d = drover.Device(self.s, drover.trusted_ca().issue(kind="rsa"))
        self.assertEqual(d.authenticate(ProductName="Mac14,2", ModelName="Mac").status, 200)
        self.assertEqual(d.token_update().status, 200)
        u = d.user(short="carl")
        self.assertEqual(u.token_update().status, 200)
        content = for_users("org.example." + uuid.uuid4().hex)
        content["PayloadContent"][0]["Label"] = "%SerialNumber% %DeviceName% %UserShortName%"
        item, _, _ = self.assigned(content, [d], encrypt=True)
        got = self.opened(self.offered(u)["Command"]["Payload"])
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "sealed")
            with open(path, "wb") as f:
                f.write(got["EncryptedPayloadContent"])
            plain = drover.sh("openssl", "cms", "-decrypt", "-inform", "DER", "-in", path, "-recip",
                              d.identity.cert, "-inkey", d.identity.key)
        self.assertEqual(plistlib.loads(plain)[0]["Label"],
                         "C02" + d.udid[:9].replace("-", "") + " test carl")

    def test_the_scope_is_respected(self):
        d = self.mac()
        u = d.user()
        self.assertEqual(u.token_update().status, 200)
        content = profile("org.example." + uuid.uuid4().hex, PayloadScope="System")
        item, _, _ = self.assigned(content, [d])
        self.offered(d)
        self.assertEqual(u.idle().body, b"")
        self.assertEqual(self.states(item), {(d.ident, None): "queued"})
        r = self.call("PATCH", "/api/v1/profiles/" + item, {"channel": "user"}, 400)
        self.assertIn("PayloadScope is System", r["detail"])
        # A version without a scope may go to users; then no version for the system can follow.
        del content["PayloadScope"]
        content["PayloadUUID"] = str(uuid.uuid4()).upper()
        self.call("POST", "/api/v1/profiles/%s/versions" % item, plistlib.dumps(content), 201)
        self.call("PATCH", "/api/v1/profiles/" + item, {"channel": "user"})
        content["PayloadScope"] = "System"
        self.call("POST", "/api/v1/profiles/%s/versions" % item, plistlib.dumps(content), 400)

    def test_simulated_macs_and_shared_ipads(self):
        name = "org.example." + uuid.uuid4().hex
        content = for_users(name)
        content["PayloadContent"][0]["URL"] = "https://example.org/"  # no full name on Shared iPads
        p = self.call("POST", "/api/v1/profiles", plistlib.dumps(content), 201)
        since = int(time.time() * 1000000)
        for kind, options in (("mac", ()), ("ipad", ("--shared-ipad",))):
            sim = Sim(self.s, "users-" + kind, 1, "--kind", kind, "--users", "2", *options)
            self.addCleanup(sim.stop)
        users = "SELECT d.ident, u.user_short_name FROM enrollment d JOIN enrollment u ON " \
                "u.device_id = d.id AND u.id <> d.id WHERE d.created_at >= %d AND u.state = 2" % since
        drover.wait_for(lambda: len(self.s.sql(users)) == 4, 60)
        who = {(d, u) for d, u in self.s.sql(users)}
        g = self.call("POST", "/api/v1/groups", {"name": name}, 201)
        self.call("POST", "/api/v1/groups/%s/devices" % g["id"], {"add": list({d for d, _ in who})})
        a = self.call("POST", "/api/v1/assignments", {"group": g["id"], "item": p["id"]}, 201)
        self.wait_states(p["id"], {x: "installed" for x in who})
        self.call("DELETE", "/api/v1/assignments/%s?why=test" % a["id"], status=204)
        self.wait_states(p["id"], {x: "removed" for x in who})


if __name__ == "__main__":
    unittest.main()

"""Enrolment profiles as objects: droverctl, the HTTP API, and devices that enrol with them."""

import json
import os
import plistlib
import secrets
import signal
import subprocess
import time
import unittest

import drover

PROFILES = "/api/v1/enrollment-profiles"


class Api(unittest.TestCase):
    webs = ("lighttpd",)

    def setUp(self):
        self.server = drover.server()
        self.name = "p" + secrets.token_hex(4)

    def call(self, method, path, status, body=None, **headers):
        a = self.server.api(method, path, None if body is None else json.dumps(body),
                            headers={k.replace("_", "-"): v for k, v in headers.items()})
        self.assertEqual(a.status, status, a)
        if status >= 400:
            self.assertEqual(a.headers.get_content_type(), "application/problem+json")
            p = a.json()
            self.assertEqual((p["status"], bool(p["title"]), bool(p["detail"])),
                             (status, True, True))
        return a

    def test_life_of_an_object(self):
        a = self.call("POST", PROFILES, 201, {"name": self.name, "access_rights": 1024,
                                              "profiles": ["Wi-Fi", "Mail"], "note": "first"})
        self.assertEqual(a.headers["Location"], PROFILES + "/" + self.name)
        self.assertEqual(a.headers["ETag"], '"1"')
        self.assertEqual(a.json()["profiles"], ["Wi-Fi", "Mail"])
        self.assertEqual(a.json()["identity"], "scep")
        one = PROFILES + "/" + self.name
        self.call("POST", PROFILES, 409, {"name": self.name})
        b = self.call("PATCH", one, 200, {"organization": "Ärzte & Co", "sign_message": True,
                                          "server_capabilities": ["com.apple.mdm.token"]},
                      If_Match='"1"').json()
        self.assertEqual((b["version"], b["organization"], b["sign_message"], b["profiles"]),
                         (2, "Ärzte & Co", True, ["Wi-Fi", "Mail"]))
        self.call("PATCH", one, 409, {"organization": "late"}, If_Match='"1"')
        self.assertEqual(self.call("GET", one, 200).json(), b)
        versions = self.call("GET", one + "/versions", 200).json()["versions"]
        self.assertEqual([v["version"] for v in versions], [2, 1])
        self.assertEqual(self.call("GET", one + "/versions/1", 200).json()["organization"], "")
        c = self.call("POST", one + "/revert", 200, {"version": 1}).json()
        self.assertEqual((c["version"], c["organization"], c["note"]), (3, "", "as in version 1"))
        listed = self.call("GET", PROFILES, 200).json()["enrollment_profiles"]
        self.assertIn("default", [p["name"] for p in listed])
        out = self.server.ctl("enroll-profile", "show", self.name)
        self.assertIn("Wi-Fi, Mail", out)
        self.assertIn("api:", self.server.ctl("enroll-profile", "history", self.name))
        self.call("DELETE", one, 204)
        self.call("GET", one, 404)
        self.assertEqual(self.server.sql("SELECT GROUP_CONCAT(action ORDER BY id) FROM audit WHERE "
                                         "subject='%s'" % self.name)[0][0],
                         "enrollprofile.new,enrollprofile.edit,enrollprofile.edit,"
                         "enrollprofile.remove")

    def test_what_is_refused(self):
        one = PROFILES + "/" + self.name
        self.call("POST", PROFILES, 201, {"name": self.name})
        for body in ({"access_rights": 2}, {"access_rights": "all"}, {"topic": "x"},
                     {"sign_message": "yes"}, {"nonsense": 1}, {"name": "other"},
                     {"profiles": "Wi-Fi"}, {"profiles": [1]}, {"identity": "telepathy"},
                     {"removal": "password"}, {"certificates": "x"},
                     {"title": "x" * 300}, {"server_url": "http://x"}):
            self.call("PATCH", one, 400, body)
        self.call("PATCH", one, 413, {"description": "x" * (10 << 20)})
        self.call("PATCH", one, 400, {"title": "x"}, If_Match="nonsense")
        self.call("POST", PROFILES, 400, {"name": "../etc/passwd"})
        self.call("POST", PROFILES, 400, {"name": "x", "from": "nobody"})
        self.call("POST", PROFILES, 400, [])
        self.call("DELETE", PROFILES + "/default", 409)
        self.call("GET", one + "/nonsense", 404)
        self.assertEqual(self.call("GET", one, 200).json()["version"], 1)
        hostile = '"><script>alert(1)</script>\u202e'
        self.assertEqual(self.call("PATCH", one, 200, {"title": hostile}).json()["title"], hostile)
        secret = self.call("PATCH", one, 200, {"removal": "password",
                                               "removal_password": "hunter2"})
        self.assertTrue(secret.json()["removal_password_set"])
        self.assertNotIn(b"hunter2", secret.body)
        key = self.server.ctl("apikey", "add", self.name, "--scopes", "read").split()[0]
        a = self.server.api("POST", PROFILES, "{}", key=key)
        self.assertEqual((a.status, a.headers.get_content_type()),
                         (403, "application/problem+json"))
        self.assertEqual(self.server.api("GET", PROFILES, key=key).status, 200)

    def test_invitations(self):
        self.call("POST", PROFILES, 201, {"name": self.name, "access_rights": 1})
        a = self.call("POST", "/api/v1/invitations", 201,
                      {"profile": self.name, "uses": 1, "expires_in_s": 60, "note": "<b>"}).json()
        self.assertEqual((a["profile"], a["uses_max"]), (self.name, 1))
        path = a["url"][len(self.server.run["device_url"]):]
        self.call("DELETE", PROFILES + "/" + self.name, 409)
        self.assertEqual(self.server.request("device_url", "GET", path).status, 200)
        self.assertEqual(self.server.request("device_url", "GET", path).status, 410)
        b = self.call("POST", "/api/v1/invitations", 201, {"profile": self.name}).json()
        self.call("DELETE", "/api/v1/invitations/%d" % b["id"], 204)
        path = b["url"][len(self.server.run["device_url"]):]
        self.assertEqual(self.server.request("device_url", "GET", path).status, 410)
        listed = self.call("GET", "/api/v1/invitations?limit=2", 200).json()
        self.assertEqual([i["id"] for i in listed["invitations"]], [b["id"], a["id"]])
        self.assertNotIn("url", listed["invitations"][0])
        for body in ({"profile": "nobody"}, {"uses": 0}, {"expires_in_s": 0}, {"uses": "1"},
                     {"x": 1}):
            self.call("POST", "/api/v1/invitations", 400, body)
        self.call("DELETE", "/api/v1/invitations/999999999", 404)


class Devices(unittest.TestCase):
    """A simulated device enrols through each source of identities."""
    webs = ("lighttpd",)

    def setUp(self):
        self.server = drover.server()
        self.name = "p" + secrets.token_hex(4)

    def enrol(self, *fields, data=None):
        s = self.server
        s.ctl("enroll-profile", "new", self.name, *fields, data=data)
        link = s.ctl("invite", "--profile", self.name).strip()
        since = int(time.time() * 1000000)
        folder = os.path.join(s.state, self.name)
        p = subprocess.run([os.path.join(drover.BUILD, "mdmsim"), "--enroll-url", link,
                            "--ca-file", s.run["ca_file"], "--devices", "1", "--once", "--state", folder,
                            "--seed", str(secrets.randbelow(1 << 30))], capture_output=True, timeout=60)
        ids = s.sql("SELECT ident FROM enrollment WHERE enrolled_at >= %d AND state = 2 AND "
                    "device_id = id" % since)
        self.assertEqual((p.returncode, len(ids)), (0, 1), p.stdout + p.stderr)
        return s.api("GET", "/v1/enrollments/" + ids[0][0]).json()

    def with_of(self, e):
        w = e["enrolled_with"]
        return w["profile"], w["version"], w["access_rights"], w["way"]

    def test_one_time_challenge(self):
        e = self.enrol("access_rights=1025")
        self.assertEqual(self.with_of(e), (self.name, 1, 1025, "invitation"))
        # a command is checked against the rights that the device enrolled with
        self.server.sql("UPDATE enrollment SET product_name='iPhone14,2' WHERE ident='%s'" % e["id"])
        status, out = self.server.ctl("enqueue", e["id"], "--request-type",
                                      "InstalledApplicationList", check=False)
        self.assertNotEqual(status, 0, out)
        self.assertIn("access right 256", out)
        # and what an installed profile would refuse is refused
        for field in ("access_rights=1", "topic=com.apple.mgmt.External.other",
                      "server_url=https://other.example.org"):
            status, out = self.server.ctl("enroll-profile", "set", self.name, field, check=False)
            self.assertEqual(status, 1)
            self.assertIn("1 enrolled device has", out)
        for word, why in (("acess_rights=3", 'no field "acess_rights"'), ("topic", "FIELD=VALUE")):
            status, out = self.server.ctl("enroll-profile", "set", self.name, word, check=False)
            self.assertEqual(status, 1)
            self.assertIn(why, out)
        status, out = self.server.ctl("enroll-profile", "remove", self.name, check=False)
        self.assertIn("enrolled devices have", out)

    def test_pkcs12(self):
        e = self.enrol("identity=pkcs12", "access_rights=1024")
        self.assertEqual(self.with_of(e), (self.name, 1, 1024, "invitation"))
        self.assertEqual(self.server.count(
            "SELECT COUNT(*) FROM identity_cert c JOIN enrollment e ON e.life_id=c.life_id WHERE "
            "c.issued_at IS NOT NULL AND c.handout_id IS NOT NULL AND e.ident='%s'" % e["id"]), 1)

    def test_renewal_keeps_what_was_enrolled_with(self):
        """A PKCS#12 identity is renewed by another; the rest of the object may have changed. The
        profile is encrypted to the identity that it replaces, as the object demands, and the device
        opens it."""
        s = self.server
        s.ctl("enroll-profile", "new", self.name, "identity=pkcs12", "access_rights=1027")
        link = s.ctl("invite", "--profile", self.name).strip()
        sim = subprocess.Popen(
            [os.path.join(drover.BUILD, "mdmsim"), "--enroll-url", link, "--ca-file",
             s.run["ca_file"], "--devices", "1", "--poll", "1", "--state",
             os.path.join(s.state, self.name), "--seed", str(secrets.randbelow(1 << 30))],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(sim.wait)
        self.addCleanup(sim.terminate)
        mine = ("FROM enrollment e JOIN life l ON l.id=e.life_id JOIN handout h ON "
                "h.id=l.handout_id JOIN enroll_profile p ON p.id=h.profile_id WHERE e.state=2 AND "
                "p.name='%s'" % self.name)
        ident, cert = drover.wait_for(lambda: s.sql("SELECT e.ident, HEX(l.cert_sha256) " + mine),
                                      20)[0]
        s.ctl("enroll-profile", "set", self.name, "organization=Renamed", "sign_message=yes",
              "encrypt=yes")
        s.sql("UPDATE identity_cert c JOIN enrollment e ON e.id=c.device_id SET c.not_after="
              "(UNIX_TIMESTAMP()+86400)*1000000, c.not_before=1 WHERE e.ident='%s'" % ident)
        for p in s.workers("agent"):
            os.kill(p, signal.SIGTERM)  # its successor runs all timed jobs at once
        drover.wait_for(lambda: s.sql("SELECT h.way " + mine) == [["7"]], 60)
        now = s.sql("SELECT HEX(l.cert_sha256), h.access_rights, h.profile_version, h.server_url "
                    + mine)[0]
        self.assertNotEqual(now[0], cert)
        self.assertEqual(now[1:], ["1027", "2", s.run["device_url"] + "/mdm/connect"])
        self.assertEqual(s.count("SELECT COUNT(*) FROM identity_cert WHERE renews_device_id IS NOT "
                                 "NULL AND HEX(sha256)='%s'" % now[0]), 1)
        # what it was sent stands in the database sealed alone (test_enroll opens such a profile)
        body, sealed = s.sql(
            "SELECT HEX(c.body), LENGTH(c.sealed) FROM command c JOIN renewal r ON "
            "r.command_uuid=c.uuid JOIN enrollment e ON e.id=r.device_id WHERE e.ident='%s'"
            % ident)[0]
        self.assertNotIn("Payload", plistlib.loads(bytes.fromhex(body))["Command"])
        self.assertGreater(int(sealed), 4000)

    def test_static_challenge(self):
        path = os.path.join(self.server.state, "static-challenge")
        with open(path, "w") as f:
            f.write("correct horse battery\n")
        with drover.setting(self.server, "scep", challenge_file=path):
            e = self.enrol("identity=scep-static")
        self.assertEqual(self.with_of(e), (self.name, 1, 8191, "invitation"))

    def test_another_scep_server(self):
        """Drover's own stands in for it: its address and challenge are given like another's."""
        path = os.path.join(self.server.state, "other-challenge")
        with open(path, "w") as f:
            f.write("of the other server\n")
        with drover.setting(self.server, "scep", challenge_file=path):
            e = self.enrol("identity=scep-external", "scep_url=" + self.server.run["scep_url"],
                           "scep_subject=/O=Example/CN=%UUID%", "scep_challenge=@-",
                           data=b"of the other server\n")
        self.assertEqual(self.with_of(e), (self.name, 1, 8191, "invitation"))
        status, out = self.server.ctl("enroll-profile", "set", self.name, "scep_challenge=x",
                                      check=False)
        self.assertEqual(status, 1)
        self.assertIn("@FILE", out)


if __name__ == "__main__":
    unittest.main()

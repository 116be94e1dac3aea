"""The ways in: configuration URL, Profile Service, account-driven enrolment.

The devices' built-in identities come from a CA of the tests, as old and as weak as Apple's. curl
answers the Digest challenge, openssl signs and decrypts; mdmsim enrols by each way.
"""

import json
import os
import plistlib
import secrets
import subprocess
import time
import unittest
import urllib.parse

import drover
import test_enrol

PASSWORD = "correct horse battery"


class Apple:
    """A CA that plays Apple's: 1024 bits, SHA-1, and one that has ended."""

    def __init__(self, folder):
        os.makedirs(folder, exist_ok=True)
        self.folder = folder
        self.pem = os.path.join(folder, "apple.pem")
        if os.path.exists(self.pem):
            return
        key, cert = os.path.join(folder, "ca.key"), os.path.join(folder, "ca.pem")
        drover.sh("openssl", "req", "-x509", "-newkey", "rsa:1024", "-sha1", "-nodes", "-days", "1",
                  "-subj", "/O=Apple Inc./CN=Apple of the tests", "-addext",
                  "keyUsage=critical,keyCertSign", "-keyout", key, "-out", cert)
        with open(self.pem, "w") as f:
            for part in (cert, key):
                with open(part) as g:
                    f.write(g.read())
        os.chmod(self.pem, 0o644)

    def device(self):
        """A built-in identity."""
        stem = os.path.join(self.folder, secrets.token_hex(8))
        drover.sh("openssl", "req", "-new", "-newkey", "rsa:1024", "-nodes", "-subj",
                  "/O=Apple Inc./CN=" + secrets.token_hex(16), "-keyout", stem + ".key", "-out",
                  stem + ".csr")
        drover.sh("openssl", "x509", "-req", "-sha1", "-in", stem + ".csr", "-CA", self.pem,
                  "-CAkey", self.pem, "-set_serial", "0x" + secrets.token_hex(8), "-days", "30",
                  "-out", stem + ".pem")
        return drover.Identity(stem + ".pem", stem + ".key")


def signed(identity, **keys):
    """What a device says of itself, signed by openssl."""
    info = {"UDID": secrets.token_hex(20), "SERIAL": "F" + secrets.token_hex(5).upper(),
            "PRODUCT": "iPhone12,1", "VERSION": "21A329", "LANGUAGE": "en", **keys}
    return drover.sh("openssl", "cms", "-sign", "-nodetach", "-binary", "-md", "sha1", "-signer",
                     identity.cert, "-inkey", identity.key, "-outform", "DER",
                     data=plistlib.dumps({k: v for k, v in info.items() if v is not None}))


def opened(body):
    """The property list of a signed profile."""
    return plistlib.loads(drover.sh("openssl", "cms", "-verify", "-noverify", "-binary", "-inform",
                                    "DER", data=body))


class Site(unittest.TestCase):
    """With Apple's CA and accounts configured; the default profile as each test says."""

    algorithm = "MD5"

    @classmethod
    def setUpClass(cls):
        s = cls.server = drover.server()
        cls.apple = Apple(os.path.join(s.state, "apple"))
        cls.enterClassContext(drover.setting(
            s, "apple", roots=cls.apple.pem + "\n[account]\nuser_enrollment = iPhone iPad\n"
            "device_enrollment = Mac\n[enroll]\nlogin = local\n[checkin]\ndigest_algorithm = " + cls.algorithm))

    def setUp(self):
        self.server.sql("DELETE FROM login_throttle")
        self.name = "way" + secrets.token_hex(4)

    def profile(self, **fields):
        """The default profile with other fields, until the test ends."""
        before = {"login": "none", "login_text": "", "minimum_ios": "", "encrypt": "no",
                  "assigned_only": "no"}

        def put(values):
            self.server.ctl("enroll-profile", "set", "default", *("%s=%s" % v
                                                                  for v in values.items()))

        put(fields)
        self.addCleanup(put, {k: before[k] for k in fields})

    def person(self, name=None):
        self.server.ctl("users", "add", name or self.name, "--password-file", "-",
                        data=(PASSWORD + "\n").encode())

    def post(self, path, body, **headers):
        return self.server.request("device_url", "POST", path, body,
                                   {"Content-Type": "application/pkcs7-signature",
                                    **{k.replace("_", "-"): v for k, v in headers.items()}})

    def fleet(self, name, n, *options):
        """mdmsim enrols n devices; their enrollments."""
        since = int(time.time() * 1000000)
        sim = test_enrol.Sim(self.server, name, n, "--apple-ca", self.apple.pem, *options)
        self.addCleanup(sim.stop)
        try:
            rows = drover.wait_for(
                lambda: (lambda r: r if len(r) >= n else None)(self.server.sql(
                    "SELECT e.ident, h.way, COALESCE(h.account, ''), COALESCE(h.managed_account, "
                    "''), e.kind FROM enrollment e JOIN life l ON l.id = e.life_id JOIN handout h "
                    "ON h.id = l.handout_id WHERE e.created_at >= %d AND e.device_id = e.id"
                    % since)), 60)
        except AssertionError as e:
            raise AssertionError("%s\n%s" % (e, sim.words())) from None
        return rows


class Login(Site):
    """Depends on how the web server hands Authorization and the body of a 401 on."""

    def curl(self, body, name, password, *options):
        """(status, body) of curl's request with a Digest login."""
        path = os.path.join(self.apple.folder, "body")
        with open(path, "wb") as f:
            f.write(body)
        device = drover.trusted_ca().issue()
        p = subprocess.run(
            ["curl", "-sS", "--cacert", self.server.run["ca_file"], "--cert", device.cert, "--key",
             device.key, "--anyauth", "--user", "%s:%s" % (name, password), "--data-binary",
             "@" + path, "-H", "Content-Type: application/pkcs7-signature", "-w", "\n%{http_code}",
             *options, self.server.run["device_url"] + "/enroll/ade"], capture_output=True,
            timeout=30)
        self.assertEqual(p.returncode, 0, p.stderr)
        answer, _, status = p.stdout.rpartition(b"\n")
        return int(status), answer

    def test_digest(self):
        self.person()
        self.profile(login="digest", login_text="Staff of the office only.")
        body = signed(self.apple.device())
        a = self.post("/enroll/ade", body)
        self.assertEqual(a.status, 401)
        self.assertIn("Digest ", a.headers["WWW-Authenticate"])
        self.assertEqual(a.body, b"Staff of the office only.\n")
        mark = self.server.log_mark()
        status, answer = self.curl(body, self.name, PASSWORD)
        self.assertEqual(status, 200)
        types = [p["PayloadType"] for p in opened(answer)["PayloadContent"]]
        self.assertIn("com.apple.mdm", types)
        self.assertEqual(self.curl(body, self.name, "wrong")[0], 401)
        drover.wait_for(lambda: self.server.log_has(mark, "login.failed", self.name))
        self.assertEqual(self.server.count(
            "SELECT COUNT(*) FROM handout WHERE account = '%s'" % self.name), 1)


class LoginSha256(Login):
    algorithm = "SHA-256"
    webs = ("lighttpd",)


class ConfigurationUrl(Site):
    webs = ("lighttpd",)

    def test_fleet(self):
        """Encrypted, after a login, with serial numbers that are assigned."""
        self.person()
        self.profile(login="digest", encrypt="yes")
        rows = self.fleet("ade", 2, "--ade", "--enroll-url",
                          self.server.run["device_url"] + "/enroll/ade", "--user-name", self.name,
                          "--user-password", PASSWORD)
        self.assertEqual({(r[1], r[2]) for r in rows}, {("4", self.name)})

    def test_web_view(self):
        """The device opens the page, a person logs in and gets the profile."""
        self.person()
        self.profile(login="web", encrypt="yes")
        rows = self.fleet("view", 2, "--ade", "--web", "--enroll-url",
                          self.server.run["device_url"] + "/enroll/ade", "--user-name", self.name,
                          "--user-password", PASSWORD)
        self.assertEqual({(r[1], r[2]) for r in rows}, {("4", self.name)})

    def test_encrypted(self):
        self.profile(encrypt="yes")
        device = self.apple.device()
        a = self.post("/enroll/ade", signed(device))
        sealed = opened(a.body)["EncryptedPayloadContent"]
        path = os.path.join(self.apple.folder, "sealed")
        with open(path, "wb") as f:
            f.write(sealed)
        inner = drover.sh("openssl", "cms", "-decrypt", "-inform", "DER", "-in", path, "-recip",
                          device.cert, "-inkey", device.key)
        self.assertIn("com.apple.mdm", {p["PayloadType"] for p in plistlib.loads(inner)})

    def test_assigned(self):
        self.profile(assigned_only="yes")
        device, serial = self.apple.device(), "F" + secrets.token_hex(5).upper()
        body = signed(device, SERIAL=serial)
        self.assertEqual(self.post("/enroll/ade", body).status, 403)
        a = self.server.api("POST", "/v1/assigned",
                            json.dumps({"serial_numbers": [serial], "note": "lab"}),
                            headers={"Content-Type": "application/json"})
        self.assertEqual((a.status, a.json()), (200, {"added": 1}))
        self.assertEqual(self.post("/enroll/ade", body).status, 200)
        self.assertIn(serial, self.server.ctl("assigned", "list"))
        listed = self.server.api("GET", "/v1/assigned?limit=500").json()["devices"]
        self.assertIn((serial, "lab"), {(d["serial_number"], d.get("note")) for d in listed})
        self.assertEqual(self.server.api("DELETE", "/v1/assigned/" + serial).status, 204)
        self.assertEqual(self.server.api("DELETE", "/v1/assigned/" + serial).status, 404)
        self.assertEqual(self.post("/enroll/ade", body).status, 403)
        self.server.ctl("assigned", "add", serial, "--note", "again")
        self.assertEqual(self.post("/enroll/ade", body).status, 200)
        self.server.ctl("assigned", "remove", serial)

    def test_refused(self):
        """A stranger, a device whose serial number is another's, rubbish: nothing is issued."""
        stranger = Apple(os.path.join(self.server.state, "stranger")).device()
        known = self.fleet("known", 1, "--ade", "--enroll-url",
                           self.server.run["device_url"] + "/enroll/ade")[0][0]
        serial = self.server.sql("SELECT serial FROM enrollment WHERE ident='%s'" % known)[0][0]
        challenges = self.server.count("SELECT COUNT(*) FROM scep_challenge")
        mark = self.server.log_mark()
        for status, body in ((403, signed(stranger)), (400, b"nonsense"), (400, b""),
                             (403, signed(self.apple.device(), SERIAL=serial))):
            self.assertEqual(self.post("/enroll/ade", body).status, status)
        self.assertEqual(self.post("/enroll/ade", b"x" * 70000).status, 413)
        drover.wait_for(lambda: len(self.server.log_has(mark, "enroll.refused")) == 4)
        self.assertEqual(self.server.count("SELECT COUNT(*) FROM scep_challenge"), challenges)
        self.assertTrue(self.server.count("SELECT COUNT(*) FROM audit WHERE action = "
                                          "'enroll.refused' AND subject = '%s'" % serial))

    def test_minimum(self):
        self.profile(minimum_ios="17.4")
        a = self.post("/enroll/ade", signed(self.apple.device(), OS_VERSION="17.0",
                                            MDM_CAN_REQUEST_SOFTWARE_UPDATE=True))
        self.assertEqual(a.status, 403)
        self.assertEqual(a.json()["code"], "com.apple.softwareupdate.required")
        self.assertEqual(a.json()["details"], {"OSVersion": "17.4"})


class Doctor(unittest.TestCase):
    webs = ("lighttpd",)

    def test_promises(self):
        """What enrolment profiles and [account] promise and the configuration cannot keep."""
        s = drover.server()
        name = "way" + secrets.token_hex(4)
        s.ctl("enroll-profile", "new", name, "login=web", "use_development_apns=yes")
        self.addCleanup(s.ctl, "enroll-profile", "remove", name)
        text = open(s.run["config"]).read()
        self.addCleanup(lambda: open(s.run["config"], "w").write(text))
        with open(s.run["config"], "w") as f:
            f.write(text + "\n[account]\nuser_enrollment = iPhone\nprofile = no-such-one\n"
                    "[enroll]\naccess_rights = 3\n")
        words = s.ctl("doctor", check=False)[1]
        self.assertIn("the enrolment profile %s asks for a login by web page" % name, words)
        self.assertIn("without [apple] roots no device can prove itself", words)
        self.assertIn("[account] is set, and nobody can log in", words)
        self.assertIn('there is no enrolment profile "no-such-one"', words)
        self.assertIn("the enrolment profile default differ in access_rights\n", words)
        self.assertIn("is for Apple's production service, and the enrolment profile %s sends "
                      "devices to the other" % name, words)
        self.assertIn("droverctl enroll-profile set %s use_development_apns=no" % name, words)


class ProfileService(Site):
    webs = ("lighttpd",)

    def link(self, uses):
        words = self.server.ctl("invite", "--uses", str(uses), "--over-the-air").split()
        return next(w for w in words if w.startswith("https://"))

    def test_fleet(self):
        rows = self.fleet("ota", 2, "--enroll-url", self.link(2))
        self.assertEqual({r[1] for r in rows}, {"5"})

    def test_challenge(self):
        path = urllib.parse.urlsplit(self.link(1)).path
        a = self.server.request("device_url", "GET", path)
        payload = opened(a.body)["PayloadContent"]
        self.assertEqual(payload["URL"], self.server.run["device_url"] + "/enroll/ota")
        device, other = self.apple.device(), self.apple.device()
        body = signed(device, CHALLENGE=payload["Challenge"])
        a = self.post("/enroll/ota", body)
        self.assertEqual([p["PayloadType"] for p in opened(a.body)["PayloadContent"]],
                         ["com.apple.security.scep"])
        self.assertEqual(self.server.request("device_url", "GET", path).status, 410)
        self.assertEqual(self.post("/enroll/ota", body).status, 200)
        for wrong in (signed(other, CHALLENGE=payload["Challenge"]), signed(device, CHALLENGE="x"),
                      signed(device)):
            self.assertEqual(self.post("/enroll/ota", wrong).status, 403)


class Accounts(Site):
    webs = ("lighttpd",)

    def discover(self, **query):
        return self.server.request("device_url", "GET", "/.well-known/com.apple.remotemanagement?" +
                                   urllib.parse.urlencode(query))

    def test_fleets(self):
        """A user enrolment, and a Mac of the organisation, by discovery, page and token."""
        for kind, want in (("iphone", "4"), ("mac", "1")):
            name = "%s%s@example.org" % (self.name, kind)
            self.person(name)
            row = self.fleet("account-" + kind, 1, "--kind", kind, "--account", name,
                             "--enroll-url", self.server.run["device_url"], "--user-name", name,
                             "--user-password", PASSWORD)[0]
            self.assertEqual(row[1:], ["6", name, name, want])

    def test_discovery(self):
        a = self.discover(**{"user-identifier": "ann@example.org", "model-family": "iPhone"})
        self.assertEqual(a.json(), {"Servers": [{
            "Version": "mdm-byod",
            "BaseURL": self.server.run["device_url"] + "/enroll/account/byod"}]})
        a = self.discover(**{"user-identifier": "ann@example.org", "model-family": "Watch"})
        self.assertEqual((a.status, a.json()["code"]), (403, "com.apple.well-known.failed"))

    def test_challenge(self):
        body = signed(self.apple.device(), UDID=None, SERIAL=None)
        a = self.post("/enroll/account/byod", body)
        self.assertEqual(a.status, 401)
        self.assertEqual(a.headers["WWW-Authenticate"],
                         'Bearer method="apple-as-web", url="%s/enroll/account/byod/login"'
                         % self.server.run["device_url"])
        self.assertEqual(self.post("/enroll/account/byod", body,
                                   Authorization="Bearer " + "0" * 48).status, 403)


class OAuth(Site):
    """Account-driven enrolment by OAuth 2, Drover being the authorization server."""
    webs = ("lighttpd",)

    REDIRECT = "apple-remotemanagement-user-login:/oauth2/redirection"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.enterClassContext(drover.setting(cls.server, "account", method="oauth2",
                                             ongoing="yes", access_time="60s"))

    def form(self, path, **fields):
        return self.server.request("device_url", "POST", path,
                                   urllib.parse.urlencode(fields).encode(),
                                   {"Content-Type": "application/x-www-form-urlencoded"})

    def authorize(self, **other):
        query = {"response_type": "code", "client_id": "drover", "redirect_uri": self.REDIRECT,
                 "state": "a&b=c", "login_hint": self.name, **other}
        return "/enroll/account/byod/login?" + urllib.parse.urlencode(
            {k: v for k, v in query.items() if v is not None})

    def log_in(self, **other):
        """A person signs in on the page; the code."""
        path = self.authorize(**other)
        a = self.server.request("device_url", "GET", path, headers={"Accept": "text/html"})
        page = a.body.decode()
        self.assertIn('value="%s"' % self.name, page)
        self.assertIn("form-action 'self' apple-remotemanagement-user-login:",
                      a.headers["Content-Security-Policy"])
        csrf = page.split('name="csrf" value="')[1].split('"')[0]
        cookie = a.headers["Set-Cookie"].split(";")[0]
        a = self.server.request(
            "device_url", "POST", path, urllib.parse.urlencode(
                {"csrf": csrf, "do": "login", "name": self.name, "password": PASSWORD}).encode(),
            {"Content-Type": "application/x-www-form-urlencoded", "Cookie": cookie})
        self.assertEqual(a.status, 308)
        there, query = a.headers["Location"].split("?")
        self.assertEqual(there, self.REDIRECT)
        query = urllib.parse.parse_qs(query)
        self.assertEqual(query["state"], ["a&b=c"])
        return query["code"][0]

    def tokens(self, code, **other):
        return self.form("/enroll/account/token", grant_type="authorization_code", code=code,
                         redirect_uri=self.REDIRECT, client_id="drover", **other)

    def test_fleet(self):
        """A device enrols and refreshes its token; then its person is blocked."""
        s, name = self.server, self.name + "@example.org"
        self.person(name)
        ident, *row = self.fleet("oauth", 1, "--kind", "iphone", "--account", name, "--enroll-url",
                                 s.run["device_url"], "--user-name", name, "--user-password",
                                 PASSWORD, "--poll", "1")[0]
        self.assertEqual(row, ["6", name, name, "4"])
        mine = "FROM oauth_grant WHERE account='%s'" % name
        drover.wait_for(lambda: s.count("SELECT COUNT(*) %s AND ident='%s' AND confirmed=1"
                                        % (mine, ident)), 20)
        before = s.sql("SELECT HEX(access_sha256) " + mine)[0][0]
        s.sql("UPDATE oauth_grant SET access_expires_at=1 WHERE account='%s'" % name)
        drover.wait_for(lambda: s.count("SELECT COUNT(*) %s AND HEX(access_sha256)<>'%s' AND "
                                        "confirmed=1" % (mine, before)), 20)
        uuid = s.enqueue(ident, "DeviceInformation", push=False, Queries=["OSVersion"])
        drover.wait_for(lambda: s.command_state(ident, uuid) == "acknowledged", 20)
        # nobody may go on who may not log in: no commands, and yet the device stays
        s.ctl("users", "disable", name)
        drover.wait_for(lambda: s.count("SELECT COUNT(*) FROM audit WHERE action="
                                        "'account.sign_in' AND subject='%s'" % ident), 20)
        uuid = s.enqueue(ident, "DeviceInformation", push=False)
        seen = len(s.log_since(0))
        drover.wait_for(lambda: [x for x in s.log_since(0)[seen:] if "device.sign_in" in x], 20)
        self.assertEqual(s.command_state(ident, uuid), "queued")
        self.assertEqual(s.count("SELECT COUNT(*) FROM enrollment WHERE ident='%s' AND state=2"
                                 % ident), 1)

    def test_challenge(self):
        body = signed(self.apple.device(), UDID=None, SERIAL=None)
        a = self.post("/enroll/account/byod", body)
        base = self.server.run["device_url"]
        self.assertEqual((a.status, a.headers["WWW-Authenticate"]), (
            401, 'Bearer method="apple-oauth2", authorization-url="%s/enroll/account/byod/login", '
            'token-url="%s/enroll/account/token", redirect-url="%s", client-id="drover", '
            'scope="MDM"' % (base, base, self.REDIRECT)))
        for token in ("0" * 48, "a" + "0" * 80, "%%%"):
            a = self.post("/enroll/account/byod", body, Authorization="Bearer " + token)
            self.assertEqual(a.status, 401)

    def test_messages_without_a_token_that_is_ours_pass(self):
        """No device is sent to sign in for want of a token, or with one that nobody knows."""
        d = drover.Device(self.server, drover.trusted_ca().issue(), "signature").enrol()
        for value in (None, "Bearer " + "a" + "0" * 80, "Bearer x", "Basic eDp5"):
            headers = {"Authorization": value} if value else {}
            a = d.send("/mdm/connect", plistlib.dumps({"Status": "Idle", **d.ids}), headers)
            self.assertEqual(a.status, 200, value)

    def test_what_is_refused(self):
        """Redirections elsewhere, replayed codes, tokens of other modes and other devices."""
        self.name += "@example.org"
        self.person()
        for bad in ({"redirect_uri": "https://evil.example.org/"}, {"redirect_uri": None},
                    {"client_id": "other"}, {"response_type": "token"},
                    {"code_challenge": "x" * 43}, {"code_challenge_method": "S256"},
                    {"code_challenge": "x" * 43, "code_challenge_method": "plain"}):
            a = self.server.request("device_url", "GET", self.authorize(**bad))
            self.assertEqual((a.status, a.headers.get("Location")), (400, None), bad)
        code = self.log_in()
        for bad in ({"redirect_uri": "x:/y"}, {"client_id": "other"}, {"grant_type": "password"},
                    {"code": ""}, {"code_verifier": "v" * 43}):
            fields = {"grant_type": "authorization_code", "code": code,
                      "redirect_uri": self.REDIRECT, "client_id": "drover", **bad}
            a = self.form("/enroll/account/token", **fields)
            self.assertEqual(a.status, 400, bad)
            self.assertIn(a.json()["error"], ("invalid_grant", "invalid_client", "invalid_request",
                                              "unsupported_grant_type"))
        a = self.tokens(code)
        self.assertEqual((a.status, a.json()["token_type"], a.json()["expires_in"]),
                         (200, "Bearer", 60))
        self.assertEqual(a.headers["Cache-Control"], "no-store")
        access = "Bearer " + a.json()["access_token"]
        one, other = (signed(self.apple.device(), UDID=None, SERIAL=None) for _ in range(2))
        mac = signed(self.apple.device(), UDID=None, SERIAL=None, PRODUCT="Mac15,3")
        for path, body, want in (("adde", mac, 403), ("byod", one, 200), ("byod", other, 403)):
            a = self.post("/enroll/account/" + path, body, Authorization=access)
            self.assertEqual(a.status, want, path)
        self.assertEqual(self.tokens(code).json()["error"], "invalid_grant")  # and the grant ends
        self.assertEqual(self.post("/enroll/account/byod", one, Authorization=access).status, 401)
        self.assertNotIn(access[8:], "\n".join(self.server.log_since(0)))

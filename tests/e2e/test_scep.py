"""SCEP with clients that nobody here wrote: strongSwan's pki and Debian's scep (scepclient).

One web server is enough: it hands the request on, and test_enrol drives it through both.
"""

import base64
import json
import os
import secrets
import shutil
import subprocess
import tempfile
import unittest

import drover


class ScepTest(unittest.TestCase):
    webs = ("lighttpd",)

    @classmethod
    def setUpClass(cls):
        cls.s = drover.server()
        cls.url = cls.s.run["device_http_url"] + "/scep"

    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="drover-scep-")
        self.addCleanup(shutil.rmtree, self.dir, True)

    def path(self, name):
        return os.path.join(self.dir, name)

    def openssl(self, *argv):
        return drover.sh("openssl", *argv).decode()

    def key(self, name):
        self.openssl("genrsa", "-out", self.path(name), "2048")
        return self.path(name)

    def challenge(self, *argv):
        return self.s.ctl("scep", "challenge", *argv).strip()

    def judged(self, cert, key):
        """Its text, when OpenSSL finds that it is that key's and the device CA's."""
        self.openssl("verify", "-purpose", "sslclient", "-CAfile",
                     self.s.run["device_ca_file"], cert)
        self.assertEqual(self.openssl("x509", "-in", cert, "-noout", "-pubkey"),
                         self.openssl("pkey", "-in", key, "-pubout"))
        return self.openssl("x509", "-in", cert, "-noout", "-text")


class PkiTest(ScepTest):
    """With strongSwan's pki as the client."""

    def authority(self):
        """What --cacert and the like are given."""
        drover.sh("pki", "--scepca", "--url", self.url, "--caout", self.path("ca.pem"), "--raout",
                  self.path("ra.pem"), "--outform", "pem", "--force")
        return ["--cacert-enc", self.path("ra.pem"), "--cacert-sig", self.path("ra.pem"),
                "--cacert", self.path("ca.pem"), "--outform", "pem"]

    def argv(self, key, name, *more):
        return ["pki", "--scep", "--url", self.url, "--in", key, "--dn",
                "CN=%s, O=Laboratory" % name, *more, *self.authority()]

    def get(self, cert, key, name, *more):
        with open(self.path(cert), "wb") as f:
            f.write(drover.sh(*self.argv(key, name, *more)))
        return self.path(cert)


@unittest.skipUnless(shutil.which("pki"), "strongswan-pki is not installed")
class StrongSwan(PkiTest):
    """pki gets the CA, enrols, waits for a person, and renews."""

    def test_enrol_and_renew(self):
        key = self.key("one.key")
        name = "box-" + secrets.token_hex(4)
        cert = self.get("one.pem", key, name, "--password", self.challenge("--note", name))
        self.assertIn("TLS Web Client Authentication", self.judged(cert, key))
        fresh = self.key("two.key")
        again = self.get("two.pem", fresh, name, "--cert", cert, "--key", key)
        self.judged(again, fresh)
        listed = self.s.api("GET", "/api/v1/certificates?issued=true&q=" + name).json()
        self.assertEqual([c["state"] for c in listed["certificates"]], ["valid", "valid"])
        digits = listed["certificates"][0]["sha256"][:12]
        self.assertEqual(self.s.ctl("certs", "show", digits),
                         self.s.api("GET", "/api/v1/certificates/" + digits).json()["pem"])
        # a challenge is used up, and a revoked identity renews nothing
        digest = self.openssl("x509", "-in", again, "-noout", "-fingerprint", "-sha256")
        digest = digest.split("=")[1].strip().replace(":", "").lower()
        a = self.s.api("POST", "/api/v1/revocations", {"certificate": digest, "why": "test"})
        self.assertEqual([r["sha256"] for r in a.json()["revoked"]], [digest])
        with self.assertRaises(AssertionError):
            self.get("three.pem", self.key("three.key"), name, "--cert", again, "--key", fresh)
        listed = self.s.api("GET", "/api/v1/certificates?state=revoked&q=" + name).json()
        self.assertEqual(len(listed["certificates"]), 1)

    def wait(self, name, *challenge):
        """Starts pki with a challenge that makes it wait; (process, request as listed, key)."""
        key = self.key(name + ".key")
        word = self.challenge("--approve", "--note", name, *challenge)
        p = subprocess.Popen(
            self.argv(key, name, "--san", name + ".example.org", "--password", word, "--interval",
                      "1", "--maxpolltime", "30"), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(p.stdout.close)
        self.addCleanup(p.stderr.close)

        def listed():
            all_ = self.s.api("GET", "/api/v1/scep/requests?state=waits").json()["requests"]
            return [r for r in all_ if r["note"] == name]

        return p, drover.wait_for(listed)[0], key

    def test_a_person_approves(self):
        name = "box-" + secrets.token_hex(4)
        p, request, key = self.wait(name, "--san", "DNS:%s.example.org" % name)
        self.assertEqual(request["san"], ["DNS:%s.example.org" % name])
        self.s.ctl("scep", "approve", str(request["id"]), "--why", "known")
        out, words = p.communicate(timeout=30)
        self.assertEqual(p.returncode, 0, words)
        with open(self.path("cert.pem"), "wb") as f:
            f.write(out)
        self.assertIn("DNS:%s.example.org" % name, self.judged(self.path("cert.pem"), key))
        a = self.s.api("POST", "/api/v1/scep/requests/%d" % request["id"],
                       {"decision": "deny", "why": "too late"})
        self.assertEqual(a.status, 409)

    def test_a_person_denies(self):
        p, request, _ = self.wait("box-" + secrets.token_hex(4))
        a = self.s.api("POST", "/api/v1/scep/requests/%d" % request["id"],
                       {"decision": "deny", "why": "unknown box"})
        self.assertEqual((a.status, a.json()["state"]), (200, "denied"))
        out, _ = p.communicate(timeout=30)
        self.assertNotEqual(p.returncode, 0)
        self.assertEqual(out, b"")


@unittest.skipUnless(shutil.which("scepclient"), "scep is not installed")
class ScepClient(ScepTest):
    """Debian's scep: https, and a challenge that the API made."""

    def enrol(self, name, challenge, key, cert):
        """Each in a folder of its own: it keeps its request beside its key."""
        return subprocess.run(
            ["scepclient", "-server-url", self.s.run["device_url"] + "/scep", "-private-key", key,
             "-certificate", cert, "-challenge", challenge, "-cn", name], capture_output=True,
            timeout=60, cwd=self.dir, env={**os.environ, "SSL_CERT_FILE": self.s.run["ca_file"]})

    def test_enrol(self):
        name = "client-" + secrets.token_hex(4)
        a = self.s.api("POST", "/api/v1/scep/challenges", {"common_name": name, "note": "e2e",
                                                           "expires_in": 60})
        self.assertEqual(a.status, 201)
        word = a.json()["challenge"]
        for folder in ("one", "two"):
            os.mkdir(self.path(folder))
        p = self.enrol("somebody-else", word, self.path("one/key"), self.path("one/cert"))
        self.assertNotEqual(p.returncode, 0)
        p = self.enrol(name, word, self.path("two/key"), self.path("two/cert"))
        self.assertEqual(p.returncode, 0, p.stderr)
        self.assertIn("CN = " + name, self.judged(self.path("two/cert"), self.path("two/key")))
        self.assertNotIn(word, "\n".join(self.s.log_since(0)))
        rows = self.s.sql("SELECT COUNT(*) FROM audit WHERE action='challenge.new' "
                          "AND subject='e2e' AND actor LIKE 'api:%'")
        self.assertEqual(rows, [["1"]])

    def test_what_the_api_refuses(self):
        for body in ({"san": ["DNS:a\nDNS:b"]}, {"expires_in": 0}, {"common_name": "x" * 65},
                     {"approve": "yes"}, {"other": 1}, {"san": ["DNS:a"] * 33}):
            a = self.s.api("POST", "/api/v1/scep/challenges", body)
            self.assertEqual(a.status, 400, body)
        self.assertEqual(self.s.api("GET", "/api/v1/certificates?cursor=1.zz").status, 400)
        self.assertEqual(self.s.api("GET", "/api/v1/certificates/1234567").status, 404)
        self.assertEqual(self.s.api("POST", "/api/v1/revocations", {"why": "x"}).status, 400)
        self.assertEqual(self.s.api("POST", "/api/v1/scep/requests/1",
                                    {"decision": "approve", "why": "x"}).status, 404)
        a = self.s.request("api_url", "POST", "/api/v1/revocations", b"{}",
                           {"Content-Type": "application/json", "Authorization": "Basic " +
                            base64.b64encode(b"x:wrong").decode()})
        self.assertEqual(a.status, 401)


class Waiting(ScepTest):
    """A device whose request waits sends it again, as its SCEP payload says (Retries,
    RetryDelay), and enrols once somebody has approved it."""

    def test_device(self):
        with drover.setting(self.s, "scep", approval="always"):
            before = self.s.count("SELECT COUNT(*) FROM enrollment WHERE state=2")
            p = subprocess.Popen(
                [os.path.join(drover.BUILD, "mdmsim"), "--enroll-url", self.s.run["enroll_url"],
                 "--ca-file", self.s.run["ca_file"], "--state", self.path("sim"), "--once",
                 "--seed", str(secrets.randbelow(1 << 30))], stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE)
            self.addCleanup(p.stderr.close)
            self.addCleanup(p.kill)

            def waits():
                return self.s.api("GET", "/api/v1/scep/requests?state=waits").json()["requests"]

            request = drover.wait_for(waits, 20)[-1]
            self.assertEqual(request["proof"], "challenge")
            self.s.ctl("scep", "approve", str(request["id"]), "--why", "expected")
            _, words = p.communicate(timeout=40)
            self.assertEqual(p.returncode, 0, words)
            self.assertEqual(self.s.count("SELECT COUNT(*) FROM enrollment WHERE state=2"),
                             before + 1)
            self.assertEqual(self.s.count("SELECT COUNT(*) FROM scep_request WHERE state=1"), 0)


@unittest.skipUnless(shutil.which("pki"), "strongswan-pki is not installed")
class ZTheNextCA(PkiTest):
    """Revocation lists, judged by openssl, and a change of the CA. It stays changed: this runs last
    of the file, and no later file minds."""

    def crl(self, path="/crl"):
        a = self.s.request("device_http_url", "GET", path)
        if a.status != 200:
            return None
        self.assertEqual(a.headers["Content-Type"], "application/pkix-crl")
        with open(self.path("list"), "wb") as f:
            f.write(a.body)
        return self.openssl("crl", "-inform", "DER", "-in", self.path("list"), "-noout", "-text",
                            "-CAfile", self.s.run["device_ca_file"])

    def identity(self, name):
        key = self.key(name + ".key")
        cert = self.get(name + ".pem", key, name, "--password", self.challenge())
        return drover.Identity(cert, key), self.judged(cert, key)

    def serial(self, name):
        return self.openssl("x509", "-in", self.path(name + ".pem"), "-noout",
                            "-serial").strip().split("=")[1]

    def cas(self):
        return json.loads(self.s.ctl("ca", "status", "--json"))

    def test_change(self):
        drover.wait_for(self.crl)
        old, text = self.identity("old")
        self.assertNotIn("CRL Distribution", text)
        device = drover.Device(self.s, old).enrol()
        self.identity("lost")
        serial = self.serial("lost")
        self.s.ctl("revoke", self.openssl("x509", "-in", self.path("lost.pem"), "-noout",
                                          "-fingerprint", "-sha256").split("=")[1].strip()
                   .replace(":", "").lower(), "--why", "lost")
        self.s.ctl("ca", "crl")
        self.assertIn(serial, self.crl().replace(":", ""))
        with self.assertRaises(AssertionError):  # by openssl too
            self.openssl("verify", "-crl_check", "-CAfile", self.s.run["device_ca_file"],
                         "-CRLfile", self.path("list"), self.path("lost.pem"))
        self.openssl("verify", "-crl_check", "-CAfile", self.s.run["device_ca_file"], "-CRLfile",
                     self.path("list"), self.path("old.pem"))

        self.assertEqual([c["state"] for c in self.cas()], ["issues"])
        with self.s.reloading():
            self.s.ctl("ca", "next")
        caps = self.s.request("device_http_url", "GET", "/scep?operation=GetCACaps").body
        self.assertIn(b"GetNextCACert", caps)
        a = self.s.request("device_http_url", "GET", "/scep?operation=GetNextCACert")
        with open(self.path("next"), "wb") as f:
            f.write(a.body)
        self.openssl("cms", "-verify", "-inform", "DER", "-in", self.path("next"), "-certfile",
                     self.s.run["device_ca_file"], "-CAfile", self.s.run["device_ca_file"],
                     "-purpose", "any", "-binary", "-out", self.path("certs"))
        names = self.openssl("pkcs7", "-inform", "DER", "-in", self.path("certs"), "-print_certs",
                             "-noout")
        self.assertIn("Device CA 2", names)
        self.s.ctl("ca", "switch")
        self.assertEqual([c["state"] for c in self.cas()], ["before", "issues"])
        status, words = self.s.ctl("ca", "retire", "1", check=False)
        self.assertEqual(status, 1)
        self.assertIn("would be shut out", words)
        new, text = self.identity("new")
        self.assertIn("Device CA 2", text)
        # both are believed, by the web server and by Drover
        fresh = drover.Device(self.s, new)
        drover.wait_for(lambda: fresh.authenticate().status == 200)
        fresh.token_update()
        self.assertEqual(device.idle().status, 200)
        self.s.ctl("ca", "crl")
        self.assertIn("Device CA 2", self.crl("/crl/2"))
        self.assertIn(serial, self.crl().replace(":", ""))
        self.assertEqual(self.s.request("device_http_url", "GET", "/crl/x").status, 404)

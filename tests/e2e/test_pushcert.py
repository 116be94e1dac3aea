"""The life of a push certificate: request, vendor's signature, certificate, renewal.

The judge of what the vendor signs is openssl(1); Apple is played by CAs made with it.
"""

import base64
import os
import plistlib
import secrets
import shutil
import tempfile
import unittest

import drover


class PushCertificate(unittest.TestCase):
    webs = ("lighttpd",)

    def setUp(self):
        self.s = drover.server()
        self.dir = tempfile.mkdtemp(prefix="drover-pushcert-")
        self.addCleanup(shutil.rmtree, self.dir, True)
        self.topic = "com.apple.mgmt.External." + secrets.token_hex(8)
        self.addCleanup(self.forget)
        self.authority("root", None)
        self.authority("intermediate", "root")

    def forget(self):
        self.s.sql("DELETE FROM push_cert WHERE topic='%s'" % self.topic)
        self.s.sql("DELETE FROM vendor_cert")
        self.s.sql("UPDATE site SET version = version + 1 WHERE name='pushcert'")

    def path(self, name):
        return os.path.join(self.dir, name)

    def read(self, *names):
        text = ""
        for name in names:
            with open(self.path(name)) as f:
                text += f.read()
        return text

    def write(self, name, data):
        with open(self.path(name), "wb") as f:
            f.write(data if isinstance(data, bytes) else data.encode())
        return self.path(name)

    def openssl(self, *argv):
        return drover.sh("openssl", *argv).decode()

    def authority(self, name, issuer):
        self.openssl("req", "-new", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=Test " + name,
                     "-keyout", self.path(name + ".key"), "-out", self.path(name + ".csr"))
        self.issue(name, issuer, "basicConstraints=critical,CA:TRUE")

    def issue(self, name, issuer, extension, subject=None):
        by = ["-signkey", self.path(name + ".key")] if issuer is None else [
            "-CA", self.path(issuer + ".pem"), "-CAkey", self.path(issuer + ".key"),
            "-CAcreateserial"]
        ext = self.write(name + ".ext", extension + "\n")
        self.openssl("x509", "-req", "-in", self.path(name + ".csr"), *by, "-days", "30",
                     "-extfile", ext, *(["-subj", subject] if subject else []), "-out",
                     self.path(name + ".pem"))

    def push_certificate(self, name, csr, topic):
        """What Apple's portal gives for the request: the topic is its choice."""
        self.write(name + ".csr", csr)
        self.issue(name, "intermediate", "extendedKeyUsage=clientAuth",
                   "/UID=%s/CN=APSP:test" % topic)
        return self.read(name + ".pem")

    def put(self, path, pem, query=""):
        return self.s.api("PUT", path + query, pem.encode(),
                          headers={"Content-Type": "application/x-pem-file"})

    def vendor(self):
        """A vendor whose key the signer makes; its chain is wanted whole."""
        self.write("vendor.csr", self.s.ctl("pushcert", "csr", "--vendor", "--name", "Vendor"))
        self.issue("vendor", "intermediate", "basicConstraints=CA:FALSE")
        a = self.put("/api/v1/push-certificates/vendor", self.read("vendor.pem", "intermediate.pem"))
        self.assertEqual(a.status, 400)
        self.assertIn("Test root", a.json()["detail"])
        out = self.s.ctl("pushcert", "vendor", self.write(
            "chain.pem", self.read("root.pem", "vendor.pem", "intermediate.pem")))
        self.assertIn("Vendor", out)

    def judge(self, text, csr, digest):
        """The portal's file, by openssl alone."""
        p = plistlib.loads(base64.b64decode(text, validate=True))
        self.assertEqual(sorted(p), ["PushCertCertificateChain", "PushCertRequestCSR",
                                     "PushCertSignature"])
        der = base64.b64decode(p["PushCertRequestCSR"], validate=True)
        wanted = drover.sh("openssl", "req", "-in", csr, "-outform", "DER")
        self.assertEqual(der, wanted)
        lines = p["PushCertCertificateChain"].strip().split("\n")
        self.assertEqual(lines.count("-----BEGIN CERTIFICATE-----"), 3)
        for i, line in enumerate(lines):
            last = i + 1 == len(lines) or lines[i + 1].startswith("-----")
            if not line.startswith("-----"):
                self.assertTrue(len(line) == 64 or (last and len(line) < 64), line)
        certs = p["PushCertCertificateChain"].split("-----END CERTIFICATE-----\n")
        names = [self.write("c%d.pem" % i, c + "-----END CERTIFICATE-----\n")
                 for i, c in enumerate(certs[:3])]
        self.openssl("verify", "-CAfile", names[2], "-untrusted", names[1], names[0])
        self.write("pub.pem", self.openssl("x509", "-in", names[0], "-noout", "-pubkey"))
        self.openssl("dgst", digest, "-verify", self.path("pub.pem"), "-signature",
                     self.write("sig", base64.b64decode(p["PushCertSignature"])),
                     self.write("signed", der))

    def test_life(self):
        drover.device().enrol()  # with the demo's topic
        a = self.s.api("POST", "/api/v1/push-certificates/sign", {"csr": "-----BEGIN"})
        self.assertIn(a.status, (400, 404))
        self.vendor()
        request = self.s.api("POST", "/api/v1/push-certificates/requests", {"name": "Push"}).json()
        csr = self.write("one.csr", request["csr"])
        self.openssl("req", "-in", csr, "-noout", "-verify")
        a = self.s.api("POST", "/api/v1/push-certificates/sign", {"request": request["id"]})
        self.assertEqual(a.status, 200)
        self.judge(a.body, csr, "-sha256")
        self.judge(self.s.ctl("pushcert", "sign", str(request["id"]), "--sha1"), csr, "-sha1")
        self.judge(self.s.ctl("pushcert", "sign", csr), csr, "-sha256")

        pem = self.push_certificate("one", request["csr"], self.topic)
        a = self.put("/api/v1/push-certificates", pem)
        self.assertEqual(a.status, 409)  # no device has this topic
        self.assertIn(drover.TOPIC, a.json()["detail"])
        mark = self.s.log_mark()
        a = self.put("/api/v1/push-certificates", pem, "?force=true")
        self.assertEqual((a.status, a.json()["topic"]), (200, self.topic))
        drover.wait_for(lambda: self.s.log_has(mark, "push.certificate_loaded", self.topic))
        self.assertEqual(self.s.count("SELECT LENGTH(key_sealed) FROM push_request WHERE id=%d"
                                      % request["id"]), 0)

        # renewal, for the same topic only
        csr = self.s.ctl("pushcert", "csr", "--topic", self.topic)
        other = self.write("other.pem", self.push_certificate("other", csr, self.topic + "x"))
        status, words = self.s.ctl("pushcert", "add", other, "--force", check=False)
        self.assertEqual(status, 1)
        self.assertIn("made to renew topic", words)
        pem = self.write("two.pem", self.push_certificate("two", csr, self.topic))
        status, words = self.s.ctl("pushcert", "renew", pem, check=False)
        self.assertEqual(status, 1)
        self.assertIn("--force", words)  # still nobody has it
        self.assertIn("version 2", self.s.ctl("pushcert", "renew", pem, "--force"))
        listed = self.s.api("GET", "/api/v1/push-certificates").json()["push_certificates"]
        mine = [c for c in listed if c["topic"] == self.topic][0]
        self.assertEqual((mine["version"], mine["channels"]), (2, 0))
        done = self.s.api("GET", "/api/v1/push-certificates/requests").json()["requests"]
        self.assertEqual([r.get("topic") for r in done[:1]], [self.topic])
        self.assertIn("done_at", done[0])

    def test_a_certificate_of_another_key(self):
        key = self.path("k.key")
        self.openssl("req", "-new", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=x", "-keyout",
                     key, "-out", self.path("k.csr"))
        pem = self.push_certificate("k", self.read("k.csr"), self.topic)
        a = self.put("/api/v1/push-certificates", pem, "?force=true")
        self.assertEqual(a.status, 400)
        self.assertIn("no private key", a.json()["detail"])
        for path in ("/api/v1/push-certificates", "/v1/pushcert"):
            a = self.put(path, pem + self.read("k.key"), "?force=true")
            self.assertEqual(a.status, 200)
        self.assertEqual(self.put("/api/v1/push-certificates", "rubbish").status, 400)
        self.assertEqual(self.s.api("POST", "/api/v1/push-certificates/requests",
                                    {"name": "x" * 65}).status, 400)
        self.assertEqual(self.s.api("POST", "/api/v1/push-certificates/requests",
                                    {"topic": "com.apple.mgmt.none"}).status, 404)

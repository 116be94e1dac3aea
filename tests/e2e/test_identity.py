"""Who is asking: every way to show a certificate, and every refusal.

A refusal is a bare 400 or 403, never 401 (a device answers 401 by removing its MDM profile), never
5xx, and nothing of the message is stored.
"""

import base64
import hashlib
import os
import plistlib
import ssl
import time
import unittest
import urllib.parse
import uuid

import drover


def stored(device):
    return drover.server().count("SELECT COUNT(*) FROM enrollment WHERE ident='%s'" % device.udid)


class Ways(unittest.TestCase):
    """Each way enrols a device and polls."""

    def enrols(self, via, **keys):
        d = drover.device(via, **keys).enrol()
        self.assertEqual(stored(d), 1)
        self.assertEqual(d.idle().status, 200)
        return d

    def test_client_certificate(self):
        self.enrols("tls")

    def test_client_cert_header(self):
        self.enrols("proxy")

    def test_signature(self):
        self.enrols("signature")

    def test_signature_rsa(self):
        s = drover.server()
        d = drover.Device(s, drover.trusted_ca().issue(kind="rsa"), "signature").enrol()
        self.assertEqual(d.idle().status, 200)

    def test_rsa_certificate(self):
        d = drover.Device(drover.server(), drover.trusted_ca().issue(kind="rsa")).enrol()
        self.assertEqual(d.idle().status, 200)

    def test_signature_sha1(self):
        d = drover.device("signature").enrol()
        body = plistlib.dumps({"UDID": d.udid, "Status": "Idle"})
        a = d.connect(body, via="none")
        self.assertEqual(a.status, 400)
        a = d.server.request("device_http_url", "PUT", "/mdm/connect", body,
                             {"Content-Type": drover.REPORT,
                              "Mdm-Signature": d.identity.sign(body, md="sha1")})
        self.assertEqual(a.status, 200)

    def test_header_as_escaped_pem(self):
        d = drover.device("proxy").enrol()
        body = plistlib.dumps({"UDID": d.udid, "Status": "Idle"})
        a = d.server.request("device_http_url", "PUT", "/mdm/connect", body,
                             {"Content-Type": drover.REPORT,
                              "Client-Cert": urllib.parse.quote(d.identity.pem, safe="")})
        self.assertEqual(a.status, 200)

    def test_ways_can_change(self):
        d = self.enrols("tls")
        for via in ("proxy", "signature", "tls"):
            self.assertEqual(d.idle(via=via).status, 200, via)


class Refused(unittest.TestCase):
    """None of these stores anything."""

    def refused(self, device, statuses=(400, 403), via=None):
        a = device.authenticate(via=via or device.via)
        self.assertIn(a.status, statuses)
        self.assertEqual(a.body, b"")
        self.assertEqual(stored(device), 0)
        return a

    def device(self, via="tls", ca=None, **issue):
        ca = ca or drover.trusted_ca()
        return drover.Device(drover.server(), ca.issue(**issue), via)

    def stranger(self):
        return drover.CA(os.path.join(drover.BUILD, "e2e-stranger"), "A stranger's CA")

    def test_nothing(self):
        self.refused(self.device(), (400,), via="none")

    def test_no_certificate_over_tls(self):
        body = plistlib.dumps({"MessageType": "Authenticate", "UDID": str(uuid.uuid4())})
        a = drover.server().request("device_url", "PUT", "/mdm/checkin", body,
                                    {"Content-Type": drover.CHECKIN})
        self.assertEqual(a.status, 400)

    def test_unknown_ca(self):
        self.refused(self.device("tls", self.stranger()), (400, 403))
        self.refused(self.device("proxy", self.stranger()), (403,))
        self.refused(self.device("signature", self.stranger()), (403,))

    def test_self_signed(self):
        folder = os.path.join(drover.BUILD, "e2e-self")
        os.makedirs(folder, exist_ok=True)
        stem = os.path.join(folder, str(uuid.uuid4()))
        drover.sh("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30",
                  "-subj", "/CN=self", "-addext", "extendedKeyUsage=clientAuth", "-keyout",
                  stem + ".key", "-out", stem + ".pem")
        d = drover.Device(drover.server(), drover.Identity(stem + ".pem", stem + ".key"))
        self.refused(d)
        self.refused(d, via="proxy")
        self.refused(d, via="signature")

    def test_expired(self):
        for via in ("proxy", "signature"):
            self.refused(self.device(via, start="20240101000000Z", end="20250101000000Z"))

    def test_not_yet_valid(self):
        for via in ("proxy", "signature"):
            self.refused(self.device(via, start="20380101000000Z", end="20390101000000Z"))

    def test_not_for_clients(self):
        for via in ("proxy", "signature"):
            self.refused(self.device(via, usage="serverAuth"), (403,))

    def test_expired_or_wrong_over_tls(self):
        """lighttpd lets them through and Drover refuses; Apache ends the handshake. Never 401."""
        for issue in ({"start": "20240101000000Z", "end": "20250101000000Z"},
                      {"usage": "serverAuth"}):
            d = self.device("tls", **issue)
            if os.environ["DROVER_E2E_WEB"] == "apache":
                with self.assertRaises((ssl.SSLError, OSError)):
                    d.authenticate()
                self.assertEqual(stored(d), 0)
            else:
                self.refused(d)

    def test_signature_over_another_body(self):
        d = drover.device("signature").enrol()
        body = plistlib.dumps({"UDID": d.udid, "Status": "Idle"})
        other = plistlib.dumps({"UDID": d.udid, "Status": "Acknowledged", "CommandUUID": "x"})
        a = d.server.request("device_http_url", "PUT", "/mdm/connect", other,
                             {"Content-Type": drover.REPORT,
                              "Mdm-Signature": d.identity.sign(body)})
        self.assertIn(a.status, (400, 403))

    def test_two_signers(self):
        d = drover.device("signature").enrol()
        second = drover.trusted_ca().issue()
        body = plistlib.dumps({"UDID": d.udid, "Status": "Idle"})
        both = d.identity.sign(body, extra=("-signer", second.cert, "-inkey", second.key))
        a = d.server.request("device_http_url", "PUT", "/mdm/connect", body,
                             {"Content-Type": drover.REPORT, "Mdm-Signature": both})
        self.assertIn(a.status, (400, 403))

    def test_signature_of_another_than_the_connection(self):
        d = drover.device("tls").enrol()
        other = drover.trusted_ca().issue()
        body = plistlib.dumps({"UDID": d.udid, "Status": "Idle"})
        a = d.send("/mdm/connect", body, {"Content-Type": drover.REPORT,
                                          "Mdm-Signature": other.sign(body)})
        self.assertEqual(a.status, 403)

    def test_broken_headers(self):
        d = drover.device("proxy")
        body = plistlib.dumps({"MessageType": "Authenticate", "Topic": d.topic, **d.ids})
        der = base64.b64encode(d.identity.der).decode()
        for name, value in (("Client-Cert", "::"), ("Client-Cert", ":AAAA:"),
                            ("Client-Cert", der), ("Client-Cert", ":%s" % der),
                            ("Client-Cert", ":%s:" % der[:-8]), ("Client-Cert", "%zz"),
                            ("Client-Cert", ":%s:, :%s:" % (der, der)),
                            ("Mdm-Signature", "no base64!"), ("Mdm-Signature", "AAAA"),
                            ("Mdm-Signature", der), ("Mdm-Signature", "")):
            a = d.server.request("device_http_url", "PUT", "/mdm/checkin", body,
                                 {"Content-Type": drover.CHECKIN, name: value})
            self.assertIn(a.status, (400, 403), "%s: %s" % (name, value[:40]))
            self.assertEqual(stored(d), 0)


class Spoofed(unittest.TestCase):
    """Client-Cert in any spelling counts on the loopback listener only, and in one spelling."""

    SPELLINGS = ("Client-Cert", "Client_Cert", "client_cert", "CLIENT_CERT", "Client.Cert",
                 "Client~Cert", "Client!Cert")

    def ask(self, base, name, value):
        body = plistlib.dumps({"UDID": "x", "Status": "Idle"})
        head = ("PUT /mdm/connect HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                "Content-Type: %s\r\nContent-Length: %d\r\n%s: %s\r\n\r\n"
                % (drover.REPORT, len(body), name, value))
        answer = drover.server().raw(base, head.encode() + body)
        return int(answer.split(b" ")[1])

    def test_from_outside(self):
        good = ":%s:" % base64.b64encode(drover.trusted_ca().issue().der).decode()
        for name in self.SPELLINGS:
            self.assertEqual(self.ask("device_url", name, good), 400, name)

    def test_other_spellings_through_the_proxy(self):
        good = ":%s:" % base64.b64encode(drover.trusted_ca().issue().der).decode()
        self.assertNotEqual(self.ask("device_http_url", "Client-Cert", good), 400)
        for name in self.SPELLINGS[1:]:
            if name.lower() != "client-cert":
                self.assertEqual(self.ask("device_http_url", name, good), 400, name)

    def test_variables_as_headers(self):
        pem = drover.trusted_ca().issue().pem.replace("\n", " ")
        for base in ("device_url", "device_http_url"):
            for name in ("SSL_CLIENT_CERT", "Ssl-Client-Cert", "HTTP_SSL_CLIENT_CERT"):
                self.assertEqual(self.ask(base, name, pem), 400, name)


class Binding(unittest.TestCase):
    """A certificate belongs to one enrollment; a message of another is refused and audited."""

    def test_udid_of_another(self):
        a, b = drover.device().enrol(), drover.device().enrol()
        mark = a.server.log_mark()
        before = a.server.count("SELECT COUNT(*) FROM audit")
        for send in (lambda: b.idle(UDID=a.udid), lambda: b.report("x", UDID=a.udid),
                     lambda: b.token_update(UDID=a.udid),
                     lambda: b.checkin({"MessageType": "CheckOut", "Topic": b.topic,
                                        "UDID": a.udid})):
            self.assertIn(send().status, (400, 403))
        self.assertTrue(drover.wait_for(lambda: a.server.log_has(mark, a.udid)))
        self.assertGreater(a.server.count("SELECT COUNT(*) FROM audit"), before)
        self.assertEqual(a.idle().status, 200)
        self.assertEqual(b.idle().status, 200)

    def test_authenticate_for_another_udid(self):
        """The certificate of a may not open an enrollment b."""
        a = drover.device().enrol()
        thief = drover.Device(a.server, a.identity)
        self.assertIn(thief.authenticate().status, (400, 403))
        self.assertEqual(stored(thief), 0)

    def test_revoked_in_mid_life(self):
        d, s = drover.device().enrol(), drover.server()
        c = s.enqueue(d.ident, "ProfileList", push=False)
        self.assertEqual(d.idle().plist()["CommandUUID"], c)
        self.assertIn("Revoked: ", s.ctl("revoke", d.ident, "--why", "the key was copied"))
        for answer in (d.idle(), d.report(c), d.token_update(), d.authenticate(),
                       d.checkin({"MessageType": "CheckOut", "UDID": d.udid, "Topic": d.topic})):
            self.assertEqual((answer.status, answer.body), (403, b""))
        self.assertEqual(s.command_state(d.ident, c), "sent")
        status, words = s.ctl("revoke", d.ident, "--why", "again", check=False)
        self.assertIn("revoked already", words)
        self.assertNotEqual(status, 0)
        anew = drover.Device(s, drover.trusted_ca().issue(), udid=d.udid).enrol()
        self.assertEqual(anew.idle().status, 200)
        digits = s.sql("SELECT LOWER(HEX(sha256)) FROM identity_cert i JOIN enrollment e ON "
                       "e.life_id=i.life_id WHERE e.ident='%s'" % d.udid)[0][0][:16]
        s.ctl("revoke", digits, "--why", "one of them")
        self.assertEqual(anew.idle().status, 403)
        self.assertNotEqual(s.ctl("revoke", "no-such-device", "--why", "x", check=False)[0], 0)
        self.assertNotEqual(s.ctl("revoke", d.ident, check=False)[0], 0)

    @staticmethod
    def untrust(server, ca):
        with server.reloading():
            server.ctl("ca", "untrust", hashlib.sha256(
                drover.Identity(ca.cert, ca.key).der).hexdigest()[:16])

    def test_revoked_by_its_own_ca(self):
        """A CA beside Drover's says in its list whom it does not stand for any more."""
        s = drover.server()
        ca = drover.CA(os.path.join(drover.BUILD, "e2e-crl-%s" % os.getpid()), "Lists its revoked")
        before = ca.revocations()
        with s.reloading():
            s.ctl("ca", "trust", ca.cert)
        self.addCleanup(self.untrust, s, ca)
        good, bad = (drover.Device(s, ca.issue(), "proxy") for _ in range(2))
        for d in (good, bad):
            drover.wait_for(lambda: d.authenticate().status == 200, 10, 0.3)
            self.assertEqual(d.token_update().status, 200)
        time.sleep(1.1)  # lists are as old as their second
        path = ca.revocations(bad.identity, seconds=2)
        self.assertIn("revokes 1 certificates", s.ctl("ca", "crl", path))
        drover.wait_for(lambda: bad.idle().status == 403, 10, 0.3)
        self.assertEqual(good.idle().status, 200)
        status, words = s.ctl("ca", "crl", before, check=False)
        self.assertEqual(status, 1)
        self.assertIn("newer", words)
        other = drover.CA(ca.folder + "-other", "Nobody")
        for wrong, why in ((other.revocations(), "signed by no CA"), (ca.cert, "no certificate rev"),
                           ("/dev/null", "no certificate rev")):
            status, words = s.ctl("ca", "crl", wrong, check=False)
            self.assertEqual(status, 1)
            self.assertIn(why, words)
        # past its time it still counts, and doctor says so
        time.sleep(2)
        self.assertEqual(bad.idle().status, 403)
        self.assertEqual(good.idle().status, 200)
        self.assertIn("Lists its revoked was to be replaced by", s.ctl("doctor", check=False)[1])

    def test_unknown_device_waits(self):
        """503, and listed for decision."""
        d = drover.device()
        self.assertEqual(d.idle().status, 503)
        self.assertEqual(d.token_update().status, 503)
        self.assertEqual(stored(d), 0)
        self.assertEqual(d.server.count("SELECT COUNT(*) FROM unknown_device WHERE ident='%s'"
                                        % d.udid), 1)

    def test_identity_that_a_restored_backup_does_not_know(self):
        """The device got it after the backup: held for decision until all is settled."""
        d, s = drover.device().enrol(), drover.server()
        other = drover.device().enrol()
        erase = s.enqueue(d.ident, "EraseDevice", push=False)
        anew = drover.Device(s, drover.trusted_ca().issue(), udid=d.udid)
        listed = "SELECT COUNT(*) FROM unknown_device WHERE ident='%s'" % d.udid
        self.assertEqual(anew.idle().status, 403)
        self.assertEqual(s.count(listed), 0)
        s.ctl("restored", "--why", "the disk died")
        try:
            for answer in (anew.idle(), anew.token_update(), anew.report("x")):
                self.assertEqual(answer.status, 503)
            self.assertEqual(s.count(listed), 1)
            self.assertEqual(other.idle(UDID=d.udid).status, 403)
            self.assertEqual(s.count(listed), 1)
            self.assertEqual(s.command_state(d.ident, erase), "queued")
            s.ctl("decide", "accept", d.udid, "--why", "it is ours")
        finally:
            s.ctl("restored", "--settled")
        answer = anew.idle()
        self.assertEqual((answer.status, answer.body), (200, b""))
        self.assertEqual(s.command_state(d.ident, erase), "cancelled")
        self.assertEqual(s.count(listed), 0)
        self.assertEqual(anew.token_update().status, 200)
        self.assertEqual(d.idle().status, 403)
        c = s.enqueue(d.ident, "ProfileList", push=False)
        self.assertEqual(anew.idle().plist()["CommandUUID"], c)
        self.assertEqual(anew.report(c).status, 200)
        self.assertEqual(s.command_state(d.ident, c), "acknowledged")
        self.assertEqual(s.count("SELECT COUNT(*) FROM enrollment e JOIN life l ON "
                                 "l.enrollment_id=e.id WHERE e.ident='%s' AND l.state<>3"
                                 % d.udid), 1)

    def test_an_accepted_identity_keeps_the_topic(self):
        """The device's polls do not tell it."""
        d, s = drover.device().enrol(), drover.server()
        anew = drover.Device(s, drover.trusted_ca().issue(), udid=d.udid)
        s.ctl("restored")
        try:
            self.assertEqual(anew.idle().status, 503)
            s.ctl("decide", "accept", d.udid, "--why", "it is ours")
            self.assertEqual(anew.idle().status, 200)
        finally:
            s.ctl("restored", "--settled")
        self.assertEqual(s.sql("SELECT l.topic, l.push_token FROM enrollment e JOIN life l ON "
                               "l.id=e.life_id WHERE e.ident='%s'" % d.udid), [[d.topic, "NULL"]])

    def test_who_enrolled_since_is_not_put_out(self):
        """The decision was about the device as it was then."""
        d, s = drover.device().enrol(), drover.server()
        stale = drover.Device(s, drover.trusted_ca().issue(), udid=d.udid)
        s.ctl("restored")
        try:
            self.assertEqual(stale.idle().status, 503)
            s.ctl("decide", "accept", d.udid, "--why", "it is ours")
            now = drover.Device(s, drover.trusted_ca().issue(), udid=d.udid).enrol()
            self.assertEqual(stale.idle().status, 503)
        finally:
            s.ctl("restored", "--settled")
        self.assertEqual(now.idle().status, 200)


if __name__ == "__main__":
    unittest.main()

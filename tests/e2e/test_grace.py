"""The grace lane: an identity that has expired fetches its renewal and nothing else."""

import os
import plistlib
import signal
import time
import unittest

import drover


class Grace(unittest.TestCase):
    webs = ("lighttpd",)

    def expired(self, server, seconds=6):
        """A device that was enrolled with an identity that has expired since."""
        end = time.time() + seconds
        identity = drover.trusted_ca().issue(
            start="20240101000000Z", end=time.strftime("%Y%m%d%H%M%SZ", time.gmtime(end)))
        d = drover.Device(server, identity, "signature").enrol()
        ordinary = server.enqueue(d.ident, "DeviceInformation", push=False)
        time.sleep(max(0, end + 1.2 - time.time()))
        return d, ordinary

    def renewal_of(self, d):
        rows = d.server.sql("SELECT c.uuid FROM renewal r JOIN enrollment e ON e.id=r.device_id "
                            "JOIN command c ON c.uuid=r.command_uuid WHERE r.state=2 AND "
                            "e.ident='%s'" % d.ident)
        return rows[0][0] if rows else None

    def test_refused_unless_configured(self):
        d, _ = self.expired(drover.server(), 4)
        self.assertEqual(d.idle().status, 403)

    def test_its_renewal_and_nothing_else(self):
        s = drover.server()
        with drover.setting(s, "renewal", grace="yes"):
            d, ordinary = self.expired(s)
            self.assertEqual(d.idle().status, 403)  # none is under way
            s.sql("UPDATE identity_cert c JOIN enrollment e ON e.id=c.device_id SET c.issued_at=1 "
                  "WHERE e.ident='%s'" % d.ident)
            for p in s.workers("agent"):
                os.kill(p, signal.SIGTERM)  # its successor plans at once
            uuid = drover.wait_for(lambda: self.renewal_of(d), 30)
            self.assertEqual(d.authenticate().status, 403)
            self.assertEqual(d.token_update().status, 403)
            self.assertEqual(d.user().idle().status, 403)
            self.assertEqual(d.report(ordinary).status, 403)
            command = drover.wait_for(lambda: d.idle().plist())
            self.assertEqual(command["CommandUUID"], uuid)
            self.assertEqual(command["Command"]["RequestType"], "InstallProfile")
            profile = plistlib.loads(drover.sh(
                "openssl", "cms", "-verify", "-inform", "DER", "-purpose", "any", "-CAfile",
                s.run["device_ca_file"], data=command["Command"]["Payload"]))
            mdm = [p for p in profile["PayloadContent"] if p["PayloadType"] == "com.apple.mdm"][0]
            self.assertEqual(mdm["Topic"], d.topic)
            # another device with an expired identity learns nothing
            other = drover.Device(s, d.identity, "signature")
            self.assertEqual(other.idle().status, 403)
            answer = d.report(uuid)
            self.assertEqual((answer.status, answer.body), (200, b""))
            self.assertEqual(d.report(uuid).status, 200)  # said twice
            self.assertEqual(s.command_state(d.ident, uuid), "acknowledged")
            self.assertEqual(s.command_state(d.ident, ordinary), "queued")
            self.assertEqual(d.idle().body, b"")
            # revoked is revoked
            s.sql("UPDATE identity_cert c JOIN enrollment e ON e.id=c.device_id SET "
                  "c.revoked_at=1 WHERE e.ident='%s'" % d.ident)
            self.assertEqual(d.idle().status, 403)


if __name__ == "__main__":
    unittest.main()

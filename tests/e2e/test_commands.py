"""The queue: delivery, results, NotNow, repetition, order."""

import base64
import json
import plistlib
import time
import unittest
import uuid

import drover
import test_api_orders


class Queue(unittest.TestCase):
    def setUp(self):
        self.d = drover.device().enrol()
        self.s = self.d.server

    def queue(self, request_type="DeviceInformation", **keys):
        return self.s.enqueue(self.d.ident, request_type, push=False, **keys)

    def state(self, command):
        return self.s.command_state(self.d.ident, command)

    def offered(self, answer):
        self.assertEqual(answer.status, 200)
        return answer.plist()["CommandUUID"] if answer.body else None

    def results(self, command):
        return self.s.results(command)

    def test_in_order_and_once(self):
        wanted = [self.queue() for _ in range(3)]
        got, answer = [], self.d.idle()
        while answer.body:
            got.append(self.offered(answer))
            answer = self.d.report(got[-1], QueryResponses={"OSVersion": "17.6"})
        self.assertEqual(got, wanted)
        self.assertEqual([self.state(c) for c in wanted], ["acknowledged"] * 3)
        self.assertIsNone(self.offered(self.d.idle()))

    def test_command_is_what_was_queued(self):
        c = self.queue("InstallProfile", Payload=b"\0<plist>&")
        got = self.d.idle().plist()
        self.assertEqual(got, {"CommandUUID": c, "Command": {"RequestType": "InstallProfile",
                                                             "Payload": b"\0<plist>&"}})

    def test_stays_until_a_final_status(self):
        c = self.queue()
        for _ in range(3):  # the answer was lost on the way
            self.assertEqual(self.offered(self.d.idle()), c)
        self.assertEqual(self.d.report(c).status, 200)
        self.assertIsNone(self.offered(self.d.idle()))
        self.assertEqual(self.results(c), 1)

    def test_same_status_twice(self):
        c = self.queue()
        self.d.idle()
        for _ in range(3):
            self.assertEqual(self.d.report(c).status, 200)
        self.assertEqual(self.results(c), 1)

    def test_not_now(self):
        a, b = self.queue(), self.queue()
        self.assertEqual(self.offered(self.d.idle()), a)
        # Not offered again in this exchange; others are.
        self.assertEqual(self.offered(self.d.report(a, "NotNow")), b)
        self.assertIsNone(self.offered(self.d.report(b)))
        self.assertEqual(self.state(a), "not-now")
        # On the next Idle it is.
        self.assertEqual(self.offered(self.d.idle()), a)
        self.assertIsNone(self.offered(self.d.report(a)))
        self.assertEqual(self.state(a), "acknowledged")

    def test_errors_are_final(self):
        for status, state in (("Error", "error"), ("CommandFormatError", "format-error")):
            c = self.queue()
            self.assertEqual(self.offered(self.d.idle()), c)
            chain = [{"ErrorCode": 12021, "ErrorDomain": "MCMDMErrorDomain",
                      "LocalizedDescription": "no"}]
            self.assertIsNone(self.offered(self.d.report(c, status, ErrorChain=chain)))
            self.assertEqual(self.state(c), state)

    def test_unknown_uuid_is_answered(self):
        mark = self.s.log_mark()
        c = self.queue()
        unknown = str(uuid.uuid4()).upper()
        self.assertEqual(self.offered(self.d.report(unknown)), c)
        drover.wait_for(lambda: self.s.log_has(mark, unknown))

    def test_report_of_another_device(self):
        c = self.queue()
        other = drover.device().enrol()
        self.assertEqual(other.report(c).status, 200)
        self.assertEqual(self.offered(self.d.idle()), c)

    def test_bad_reports(self):
        for message in ({"Status": "Nonsense", "UDID": self.d.udid}, {"UDID": self.d.udid},
                        {"Status": 3, "UDID": self.d.udid}, {"Status": "Idle"},
                        {"Status": "Acknowledged", "UDID": self.d.udid}):
            self.assertEqual(self.d.connect(message).status, 400, message)

    @drover.lighttpd_only
    def test_a_big_result(self):
        c = self.queue("InstalledApplicationList")
        self.d.idle()
        apps = [{"Identifier": "com.example.app%d" % i, "Name": "x" * 200} for i in range(20000)]
        self.assertEqual(self.d.report(c, InstalledApplicationList=apps).status, 200)
        self.assertEqual(self.results(c), 1)

    def test_the_biggest_result(self):
        """What is let in can be stored; what cannot is refused at the door."""
        c = self.queue("ProfileList")
        self.d.idle()
        report = plistlib.dumps({**self.d.ids, "CommandUUID": c, "Status": "Acknowledged"})
        self.assertEqual(self.d.connect(report.ljust(16 << 20)).status, 413)
        self.assertEqual(self.d.server.command_state(self.d.ident, c), "sent")
        self.assertEqual(self.d.connect(report.ljust((16 << 20) - 1)).status, 200)
        self.assertEqual(self.results(c), 1)

    @drover.lighttpd_only
    def test_a_result_that_cannot_be_kept_whole(self):
        """A secret of 16 MB: the command has its result, and everybody is told what is missing."""
        c, after = self.queue("ActivationLockBypassCode"), self.queue()
        self.assertEqual(self.offered(self.d.idle()), c)
        mark = self.s.log_mark()
        answer = self.d.report(c, ActivationLockBypassCode="k" * 16000000)
        self.assertEqual(self.offered(answer), after)
        self.assertTrue(self.s.log_has(mark, "mdm.report-shortened", c))
        path = "/v1/results/%s/%s" % (self.d.ident, c)
        drover.wait_for(lambda: "report_set_aside" in self.s.api("GET", path).json())
        told = self.s.api("GET", path).json()
        self.assertEqual((told["state"], told["status"]), ("acknowledged", "Acknowledged"))
        self.assertRegex(told["report_set_aside"], "^the device sent 16000[0-9]{3} octets, ")
        self.assertIn(told["report_set_aside"], self.s.ctl("reports"))
        self.assertIn("set aside: " + told["report_set_aside"],
                      self.s.ctl("results", self.d.ident, c, check=False)[1])
        person = test_api_orders.Person(self.s, "reader" + c[:6].lower())
        page = person.get("/device/command?id=%s&uuid=%s" % (self.d.ident, c))[1]
        self.assertIn("not in the inventory: " + told["report_set_aside"], page)

    def test_push_follows(self):
        before = len(self.s.pushes(self.d.token.hex()))
        self.s.enqueue(self.d.ident, "DeviceInformation")
        drover.wait_for(lambda: len(self.s.pushes(self.d.token.hex())) > before, 3)
        push = self.s.pushes(self.d.token.hex())[-1]
        self.assertEqual((push["push_magic"], push["topic"]), (self.d.magic, self.d.topic))

    @drover.lighttpd_only
    def test_a_command_for_later_is_pushed_then(self):
        """The answer does not wait; the push comes when the command may be offered, with the
        apns-id that was told."""
        before = len(self.s.pushes(self.d.token.hex()))
        u = str(uuid.uuid4())
        command = plistlib.dumps({"CommandUUID": u, "Command": {"RequestType": "ProfileList"}})
        at = int(time.time()) + 3
        begin = time.monotonic()
        a = self.s.api("POST", "/v1/enqueue", json.dumps(
            {"ids": [self.d.ident], "command": base64.b64encode(command).decode(),
             "not_before": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))}),
            headers={"Content-Type": "application/json"})
        self.assertEqual(a.status, 200, a)
        self.assertLess(time.monotonic() - begin, 1)
        told = a.json()["status"][self.d.ident]["push_result"]
        self.assertEqual(self.d.idle().body, b"")
        self.assertEqual(len(self.s.pushes(self.d.token.hex())), before)
        drover.wait_for(lambda: len(self.s.pushes(self.d.token.hex())) > before, 6)
        self.assertGreaterEqual(time.time(), at)
        self.assertLess(time.time(), at + 2.5)
        self.assertEqual(self.s.pushes(self.d.token.hex())[-1]["apns_id"].upper(), told.upper())
        self.assertEqual(self.d.idle().plist()["CommandUUID"], u)

    def test_no_push_before_token_update(self):
        d = drover.device()
        self.assertEqual(d.authenticate().status, 200)
        self.s.api("PUT", "/v1/enqueue/" + d.ident, plistlib.dumps(
            {"CommandUUID": str(uuid.uuid4()), "Command": {"RequestType": "DeviceLock"}}))
        self.s.api("GET", "/v1/push/" + d.ident)
        self.assertEqual(self.s.pushes(d.token.hex()), [])


if __name__ == "__main__":
    unittest.main()

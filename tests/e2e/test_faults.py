"""Faults: what a device is told, and what is there afterwards.

A database that is away is answered 503, never 200 and never 401; when it is back, the same workers
go on. A process that is killed at any point loses no command and no result.
"""

import contextlib
import http.client
import os
import plistlib
import signal
import threading
import time
import unittest

import drover


def status_of(call):
    """The status, or 0 when the connection broke."""
    try:
        return call().status
    except (OSError, http.client.HTTPException):
        return 0


class Database(unittest.TestCase):
    def test_gone_and_back(self):
        s = drover.server()
        d = drover.device().enrol()
        command = s.enqueue(d.ident, "DeviceInformation", push=False)
        newcomer = drover.device()
        workers = set(s.workers("mdm"))
        with s.without("mariadbd"):
            for _ in range(3):
                self.assertEqual(d.idle().status, 503)
                self.assertEqual(d.report(command).status, 503)
                self.assertEqual(d.token_update().status, 503)
                self.assertEqual(newcomer.authenticate().status, 503)
            self.assertIn(s.api("GET", "/v1/enqueue/x").status, (500, 503))
        drover.wait_for(lambda: d.idle().status == 200, 15)
        self.assertEqual(d.idle().plist()["CommandUUID"], command)
        self.assertEqual(s.results(command), 0)
        self.assertEqual(d.report(command).status, 200)
        self.assertEqual(s.results(command), 1)
        self.assertEqual(newcomer.enrol().idle().status, 200)
        if os.environ["DROVER_E2E_WEB"] == "lighttpd":
            self.assertEqual(set(s.workers("mdm")), workers, "a worker was replaced")

    def test_hangs(self):
        """A database that accepts and does not answer: 503 within the deadline."""
        s = drover.server()
        d = drover.device().enrol()
        with s.frozen("mariadbd"):
            begin = time.monotonic()
            a = s.request("device_url", "PUT", "/mdm/connect",
                          plistlib.dumps({"UDID": d.udid, "Status": "Idle"}),
                          {"Content-Type": drover.REPORT}, d.identity, timeout=90)
            self.assertIn(a.status, (503, 504))
            self.assertLess(time.monotonic() - begin, 75)
        drover.wait_for(lambda: status_of(d.idle) == 200, 30)


class Killed(unittest.TestCase):
    webs = ("lighttpd",)

    def test_workers_in_the_middle(self):
        """Devices run through their queues while mdm processes are killed; each command ends
        acknowledged, with one result."""
        s = drover.server()
        devices = [drover.device().enrol() for _ in range(4)]
        wanted = {d: [s.enqueue(d.ident, "DeviceInformation", push=False) for _ in range(25)]
                  for d in devices}
        done, wrong = [], []

        def run(d):
            answer = None
            end = time.monotonic() + 60
            while time.monotonic() < end:
                try:
                    answer = d.idle() if answer is None else d.report(
                        answer.plist()["CommandUUID"])
                except (OSError, http.client.HTTPException):
                    answer = None
                    continue
                if answer.status != 200:
                    if answer.status < 500:
                        wrong.append(answer)
                    answer = None
                    time.sleep(0.02)
                elif not answer.body:
                    done.append(d)
                    return

        threads = [threading.Thread(target=run, args=(d,)) for d in devices]
        for t in threads:
            t.start()
        for _ in range(6):
            time.sleep(0.15)
            for pid in s.workers("mdm"):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                    break
        for t in threads:
            t.join(90)
        self.assertEqual(wrong, [])
        self.assertEqual(len(done), len(devices), "some queue was not worked off")
        for d, commands in wanted.items():
            for c in commands:
                self.assertEqual(s.command_state(d.ident, c), "acknowledged")
                self.assertEqual(s.results(c), 1)

    def test_reload_loses_no_request(self):
        """SIGHUP while devices poll: every poll is answered 200."""
        s = drover.server()
        d = drover.device("proxy").enrol()
        got, stop = [], threading.Event()

        def poll():
            while not stop.is_set():
                got.append(status_of(d.idle))

        threads = [threading.Thread(target=poll) for _ in range(4)]
        for t in threads:
            t.start()
        for _ in range(3):
            time.sleep(0.5)
            os.kill(s.pid("drover"), signal.SIGHUP)
        time.sleep(1)
        stop.set()
        for t in threads:
            t.join(40)
        self.assertGreater(len(got), 20)
        self.assertEqual(set(got), {200})

    def test_signer_killed(self):
        """The signer comes back; what needs it is answered 5xx meanwhile."""
        s = drover.server()
        d = drover.device().enrol()
        d.checkin({"MessageType": "SetBootstrapToken", "UDID": d.udid, "BootstrapToken": b"t"})
        ask = {"MessageType": "GetBootstrapToken", "UDID": d.udid}
        for pid in s.workers("signer"):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        first = status_of(lambda: d.checkin(ask))
        self.assertTrue(first == 200 or first >= 500, first)
        drover.wait_for(lambda: status_of(lambda: d.checkin(ask)) == 200, 20)
        self.assertEqual(d.checkin(ask).plist()["BootstrapToken"], b"t")

    def test_agent_killed(self):
        """What was queued while it was away is pushed when it is back."""
        s = drover.server()
        d = drover.device().enrol()
        for pid in s.workers("agent"):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        s.enqueue(d.ident, "DeviceInformation")
        drover.wait_for(lambda: s.pushes(d.token.hex()), 40)


class PushService(unittest.TestCase):
    webs = ("lighttpd",)

    def tearDown(self):
        drover.server().push_rules([])

    def test_unavailable_and_back(self):
        s = drover.server()
        d = drover.device().enrol()
        s.push_rules([{"token": d.token.hex(), "status": 503, "reason": "ServiceUnavailable",
                       "times": 1}])
        s.enqueue(d.ident, "DeviceInformation", statuses=(200, 500))
        drover.wait_for(lambda: [p for p in s.pushes(d.token.hex()) if p["status"] == 200], 100)

    def test_reset_streams(self):
        s = drover.server()
        d = drover.device().enrol()
        s.push_rules([{"token": d.token.hex(), "reset": True, "times": 1}])
        s.enqueue(d.ident, "DeviceInformation", statuses=(200, 500))
        drover.wait_for(lambda: [p for p in s.pushes(d.token.hex()) if p["status"] == 200], 100)


if __name__ == "__main__":
    unittest.main()

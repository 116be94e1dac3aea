"""Webhooks from a device's message to a receiver: workers, agent and signer as they are run."""

import json
import os
import shutil
import signal
import subprocess
import tempfile
import unittest

import drover

RECEIVER = os.path.join(drover.TOP, "tests", "unit", "hook_server.py")


class Receiver:
    """hook_server.py with a certificate of its own; see there."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="drover-hooks-")
        self.ca = os.path.join(self.folder, "server.pem")
        drover.sh("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                  "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                  "-addext", "subjectAltName=DNS:localhost", "-keyout",
                  os.path.join(self.folder, "server.key"), "-out", self.ca)
        os.chmod(self.folder, 0o755)
        self.process = subprocess.Popen(["/usr/bin/python3", RECEIVER, self.folder],
                                        stdout=subprocess.PIPE)
        self.url = "https://localhost:%d/in" % int(self.process.stdout.readline())

    def put(self, name, text):
        with open(os.path.join(self.folder, name), "w") as f:
            f.write(text)

    def requests(self):
        try:
            with open(os.path.join(self.folder, "requests")) as f:
                return [json.loads(line) for line in f]
        except FileNotFoundError:
            return []

    def close(self):
        self.process.terminate()
        self.process.wait()
        self.process.stdout.close()
        shutil.rmtree(self.folder)


class Webhooks(unittest.TestCase):
    webs = ("lighttpd",)

    def setUp(self):
        self.s = drover.server()
        self.r = Receiver()
        self.addCleanup(self.r.close)

    def make(self, topics, **more):
        a = self.s.api("POST", "/api/v1/webhooks",
                       {"name": self.id()[-60:], "url": self.r.url, "topics": topics, **more})
        self.assertEqual(a.status, 201, a)
        made = a.json()
        self.addCleanup(self.s.api, "DELETE", "/api/v1/webhooks/" + made["id"])
        self.r.put("secrets", made["secret"] + "\n")
        return made

    def of(self, topic, who=None):
        def about(x):
            e = x["body"].get("checkin_event") or x["body"].get("acknowledge_event") or {}
            return e.get("ids", {}).get("id")
        return [x for x in self.r.requests()
                if x["body"]["topic"] == topic and who in (None, about(x))]

    def test_an_address_of_the_own_network_is_refused(self):
        a = self.s.api("POST", "/api/v1/webhooks", {"name": "inside", "url": "https://127.0.0.1/",
                                                    "topics": ["*"]})
        self.assertEqual(a.status, 400)
        self.assertIn("private_networks", a.json()["detail"])

    def test_from_the_device_to_the_receiver(self):
        """Enrolment, an answer, the leave; a receiver that fails meanwhile; an agent that dies."""
        with drover.setting(self.s, "webhook", private_networks="127.0.0.1 ::1", ca=self.r.ca,
                            timeout="2s"):
            self.agent_ends(signal.SIGTERM)  # it reads its configuration when it starts
            made = self.make(["mdm.Authenticate", "mdm.TokenUpdate", "mdm.CheckOut",
                              "drover.CommandFinished"])
            self.assertNotIn("secret", self.s.api("GET", "/api/v1/webhooks").json()["webhooks"][0])
            # the workers know of it when one of them tells
            first = drover.wait_for(lambda: self.told(), 20)
            self.assertEqual(first["good"], [True])
            self.assertEqual(first["nano"], [True])
            d = drover.device()
            d.enrol()
            drover.wait_for(lambda: self.of("mdm.TokenUpdate", d.udid))
            got = self.of("mdm.TokenUpdate", d.udid)[0]["body"]["checkin_event"]
            self.assertEqual(got["token_update_tally"], 1)
            self.assertNotIn("handout", json.dumps(got))
            # the receiver is down: nothing is lost
            self.r.put("behave", '{"status": 503, "headers": {"Retry-After": "1"}}')
            d.checkin({"MessageType": "CheckOut", "Topic": d.topic, "UDID": d.udid})
            drover.wait_for(lambda: self.of("mdm.CheckOut", d.udid))
            log = drover.wait_for(lambda: [x for x in self.deliveries(made, "?state=waits")
                                           if x.get("status") == 503])
            self.assertEqual(log[0]["topic"], "mdm.CheckOut")
            self.agent_ends(signal.SIGKILL)
            self.r.put("behave", "{}")
            drover.wait_for(lambda: not self.deliveries(made, "?state=waits"), 40)
            self.assertEqual(len({x["body"]["event_id"] for x in self.of("mdm.CheckOut", d.udid)}),
                             1)
            event = log[0]["event_id"]
            tries = self.s.api("GET", "/api/v1/webhooks/%s/deliveries/%s" % (made["id"], event))
            self.assertEqual([t.get("status") for t in tries.json()["attempts"]][-1], 503)
            # sent again on demand, by the shell
            before = len(self.of("mdm.CheckOut", d.udid))
            self.s.ctl("webhook", "replay", made["name"], "--event", event)
            drover.wait_for(lambda: len(self.of("mdm.CheckOut", d.udid)) > before)
            self.assertIn("delivered", self.s.ctl("webhook", "log", made["name"], "--topic",
                                                  "mdm.CheckOut"))

    def agent_ends(self, how):
        old = self.s.workers("agent")
        for p in old:
            os.kill(p, how)
        drover.wait_for(lambda: set(self.s.workers("agent")) - set(old))

    def told(self):
        """Enrols a device and gives its Authenticate as it came to the receiver, if it did."""
        d = drover.device()
        d.enrol()
        try:
            return drover.wait_for(lambda: self.of("mdm.Authenticate", d.udid), 2)[0]
        except AssertionError:
            return None

    def deliveries(self, made, query=""):
        a = self.s.api("GET", "/api/v1/webhooks/%s/deliveries%s" % (made["id"], query))
        self.assertEqual(a.status, 200, a)
        return a.json()["deliveries"]

    def test_at_the_shell_and_by_the_api(self):
        secret = self.s.ctl("webhook", "add", "shell", "https://hooks.invalid/", "--topics",
                            "mdm.Connect,drover.Alarm").strip()
        self.assertRegex(secret, r"^whsec_[A-Za-z0-9+/]{43}=$")
        row = [w for w in json.loads(self.s.ctl("webhook", "list", "--json"))
               if w["name"] == "shell"][0]
        self.assertEqual((row["topics"], row["payload"]), ("mdm.Connect,drover.Alarm", "stripped"))
        path = "/api/v1/webhooks/%s" % row["id"]
        self.assertEqual(self.s.api("PATCH", path, {"topics": ["*"], "payload": "none"}).json()
                         ["topics"], ["*"])
        for bad in ({"topics": ["mdm.Nothing"]}, {"url": "http://a.example.org"}, {"payload": "x"},
                    {"topics": "*"}, {"extra": 1}, {"name": 5}):
            self.assertEqual(self.s.api("PATCH", path, bad).status, 400, bad)
        self.s.ctl("webhook", "pause", "shell", "--why", "a test")
        self.assertEqual(self.s.api("GET", path).json()["state"], "paused")
        self.assertEqual(self.s.api("POST", path + "/pause", {"why": "again"}).status, 409)
        self.assertEqual(self.s.api("POST", path + "/test", {}).status, 202)
        self.assertEqual(self.s.api("POST", path + "/resume", {}).json()["state"], "active")
        new = self.s.api("POST", path + "/secret", {"overlap_s": 3600}).json()
        self.assertIn("old_secret_until", new)
        self.assertNotEqual(new["secret"], secret)
        drover.wait_for(lambda: "resolve" in self.s.ctl("webhook", "log", "shell"), 20)
        self.assertEqual(self.s.api("POST", path + "/replay", {"dead": True}).json(),
                         {"events": 0, "more": False})
        for verb, body in (("replay", {}), ("replay", {"event_id": "x"}), ("replay", {"from": "x"}),
                           ("pause", {}), ("secret", {"overlap_s": -1})):
            self.assertEqual(self.s.api("POST", "%s/%s" % (path, verb), body).status, 400, verb)
        self.assertEqual(self.s.api("POST", path + "/dance", {}).status, 404)
        self.assertEqual(self.s.api("GET", path + "/deliveries?state=x").status, 400)
        self.assertEqual(self.s.api("GET", path + "/nothing").status, 404)
        self.assertEqual(self.s.api("GET", "/api/v1/webhooks/12345").status, 404)
        self.s.ctl("webhook", "remove", "shell", "--why", "over")
        self.assertEqual(self.s.api("GET", path).status, 404)
        self.assertNotIn(secret[6:], "\n".join(self.s.log_since(0)))

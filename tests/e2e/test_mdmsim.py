#!/usr/bin/python3
"""The simulated devices against a small server of this file's own: what they say parses with
plistlib, what they are told happens, what they keep is there after a restart."""
import base64
import hashlib
import http.server
import io
import json
import os
import plistlib
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading
import time
import unittest
import uuid
import zipfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
MDMSIM = os.path.join(TOP, os.environ.get("BUILD", "build"), "mdmsim")
TOPIC = "com.apple.mgmt.External.7e9c2a4b-0000-4000-8000-000000000001"
UNRECOGNIZED = plistlib.dumps({"code": "com.apple.unrecognized.device"})


def openssl(*args, data=None):
    return subprocess.run(("openssl",) + args, input=data, check=True, capture_output=True).stdout


class Authority:
    """A throw-away CA, a TLS certificate, and identities as PKCS#12."""

    def __init__(self, folder):
        self.folder = folder
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-subj", "/CN=Simulator test CA", "-days", "2", "-keyout", self.path("ca.key"),
                "-out", self.path("ca.pem"))
        self.issue("tls", "/CN=localhost", "subjectAltName=DNS:localhost,IP:127.0.0.1")
        self.count = 0
        self.lock = threading.Lock()

    def path(self, name):
        return os.path.join(self.folder, name)

    def issue(self, stem, subject, extension):
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-subj", subject, "-days", "2",
                "-CA", self.path("ca.pem"), "-CAkey", self.path("ca.key"), "-addext", extension,
                "-addext", "basicConstraints=critical,CA:FALSE",
                "-keyout", self.path(stem + ".key"), "-out", self.path(stem + ".pem"))

    def pkcs12(self):
        with self.lock:
            self.count += 1
            stem = f"device{self.count}"
        self.issue(stem, f"/CN={stem}", "extendedKeyUsage=clientAuth")
        return openssl("pkcs12", "-export", "-inkey", self.path(stem + ".key"), "-in",
                       self.path(stem + ".pem"), "-passout", "pass:secret")

    def der(self):
        return openssl("x509", "-in", self.path("ca.pem"), "-outform", "DER")


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, authority):
        super().__init__(("127.0.0.1", 0), Handler)
        self.authority = authority
        self.lock = threading.Lock()
        self.seen = []        # every message: (content type, dictionary, certificate, headers)
        self.queue = {}       # UDID (and user) to commands not finished
        self.refused = set()  # CommandUUIDs answered NotNow in the present exchange
        self.status = {}      # ident to a status to answer with: [status, times, body]
        self.rights = 8191
        self.sign_message = False
        self.sign_profile = True
        self.redirect = False
        self.files = {}       # path to octets
        self.asked = []       # of these: path, and where the answer began
        self.held = {}        # path to an event that the second half of its octets waits for
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(authority.path("tls.pem"), authority.path("tls.key"))
        context.load_verify_locations(authority.path("ca.pem"))
        context.verify_mode = ssl.CERT_OPTIONAL
        self.socket = context.wrap_socket(self.socket, server_side=True,
                                          do_handshake_on_connect=False)
        self.url = f"https://localhost:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    def handle_error(self, request, client_address):
        pass  # connections cut on purpose

    def profile(self):
        identity = str(uuid.uuid4()).upper()
        common = {"PayloadVersion": 1, "PayloadUUID": str(uuid.uuid4()).upper()}
        content = [
            dict(common, PayloadType="com.apple.security.root", PayloadIdentifier="t.root",
                 PayloadContent=self.authority.der()),
            dict(common, PayloadType="com.apple.security.pkcs12", PayloadIdentifier="t.identity",
                 PayloadUUID=identity, PayloadContent=self.authority.pkcs12(),
                 Password="secret"),
            dict(common, PayloadType="com.apple.mdm", PayloadIdentifier="t.mdm",
                 PayloadUUID=str(uuid.uuid4()).upper(), IdentityCertificateUUID=identity,
                 Topic=TOPIC, ServerURL=self.url + "/connect", CheckInURL=self.url + "/checkin",
                 AccessRights=self.rights, SignMessage=self.sign_message,
                 CheckOutWhenRemoved=True,
                 ServerCapabilities=["com.apple.mdm.per-user-connections",
                                     "com.apple.mdm.bootstraptoken"]),
        ]
        xml = plistlib.dumps(dict(common, PayloadType="Configuration",
                                  PayloadIdentifier="t.enrol", PayloadDisplayName="Enrolment",
                                  PayloadContent=content))
        if not self.sign_profile:
            return xml
        return openssl("cms", "-sign", "-signer", self.authority.path("tls.pem"), "-inkey",
                       self.authority.path("tls.key"), "-nodetach", "-binary", "-outform", "DER",
                       data=xml)

    def command(self, ident, request_type, **keys):
        one = {"CommandUUID": str(uuid.uuid4()).upper(),
               "Command": dict(keys, RequestType=request_type)}
        self.raw_command(ident, one)
        return one["CommandUUID"]

    def raw_command(self, ident, one):
        with self.lock:
            self.queue.setdefault(ident, []).append(one)

    def messages(self, ident, **want):
        with self.lock:
            return [m for _, m, _, _ in self.seen if ident_of(m) == ident
                    and all(m.get(k) == v for k, v in want.items())]


def ident_of(m):
    base = m.get("UDID") or m.get("EnrollmentID")
    user = m.get("UserID") or m.get("EnrollmentUserID")
    return f"{base}:{user}" if user else base


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # an answer goes out as one: in two pieces it waits for an acknowledgement

    def log_message(self, *args):
        pass

    def answer(self, status, body=b"", headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def file(self, octets):
        """The octets that are asked for; what is held comes in two halves."""
        asked = self.headers.get("Range")
        begin = int(asked[len("bytes="):-1]) if asked else 0
        self.server.asked.append((self.path, begin))
        self.send_response(206 if asked else 200)
        if asked:
            self.send_header("Content-Range", f"bytes {begin}-{len(octets) - 1}/{len(octets)}")
        self.send_header("Content-Length", str(len(octets) - begin))
        self.end_headers()
        middle = (begin + len(octets)) // 2
        self.wfile.write(octets[begin:middle])
        if self.path in self.server.held:
            self.wfile.flush()
            self.server.held[self.path].wait(30)
        self.wfile.write(octets[middle:])

    def do_GET(self):
        if self.path in self.server.files:
            self.file(self.server.files[self.path])
        elif self.path == "/enrol":
            self.answer(200, self.server.profile(),
                        [("Content-Type", "application/x-apple-aspen-config")])
        else:
            self.answer(404)

    def do_PUT(self):
        want = int(self.headers["Content-Length"])
        body = self.rfile.read(want)
        if len(body) < want:
            self.close_connection = True
            return
        if self.server.redirect and not self.path.endswith("2"):
            self.answer(307, headers=[("Location", self.path + "2")])
            return
        message = plistlib.loads(body)
        certificate = self.connection.getpeercert(binary_form=True)
        ident = ident_of(message)
        with self.server.lock:
            self.server.seen.append((self.headers["Content-Type"], message, certificate,
                                     dict(self.headers, body=body)))
            forced = self.server.status.get(ident)
            if forced:
                forced[1] -= 1
                if forced[1] <= 0:
                    del self.server.status[ident]
        if forced:
            self.answer(forced[0], forced[2])
        elif "checkin" in self.headers["Content-Type"]:
            self.answer(200, self.checkin(message))
        else:
            self.answer(200, self.connect(ident, message))

    @staticmethod
    def checkin(message):
        if message["MessageType"] == "GetBootstrapToken":
            return plistlib.dumps({"BootstrapToken": b"kept"})
        return b""

    def connect(self, ident, message):
        with self.server.lock:
            queue = self.server.queue.setdefault(ident, [])
            done = message.get("CommandUUID")
            if message["Status"] == "Idle":
                self.server.refused.clear()
            elif message["Status"] == "NotNow":
                self.server.refused.add(done)
            elif done:
                queue[:] = [c for c in queue if c.get("CommandUUID") != done]
            else:
                del queue[0]
            for command in queue:
                if command.get("CommandUUID") not in self.server.refused:
                    return plistlib.dumps(command)
        return b""


class Sim:
    """mdmsim with its control socket."""

    def __init__(self, folder, server, *args):
        self.socket_path = os.path.join(folder, "control")
        self.process = subprocess.Popen(
            [MDMSIM, "--enroll-url", server.url + "/enrol", "--ca-file",
             server.authority.path("ca.pem"), "--control", self.socket_path, "--backoff", "0.2",
             "--backoff-max", "1", "--notnow", "0.3", *args])
        for _ in range(200):
            try:
                self.socket = socket.socket(socket.AF_UNIX)
                self.socket.connect(self.socket_path)
                break
            except OSError:
                self.socket.close()
                time.sleep(0.02)
        self.file = self.socket.makefile("rw")
        self.say(op="settle")

    def say(self, **request):
        self.file.write(json.dumps(request) + "\n")
        self.file.flush()
        return json.loads(self.file.readline())

    def good(self, **request):
        answer = self.say(**request)
        if not answer["ok"]:
            raise AssertionError(answer)
        return answer

    def device(self, index=0):
        return self.good(op="device", device=index)

    def end(self):
        self.file.close()
        self.socket.close()
        self.process.terminate()
        status = self.process.wait(20)
        if status != 0:
            raise AssertionError(f"mdmsim ended with {status}")


class Site(unittest.TestCase):
    """A server, and simulated devices that enrol with it."""

    @classmethod
    def setUpClass(cls):
        cls.ca_folder = tempfile.mkdtemp()
        cls.authority = Authority(cls.ca_folder)

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.ca_folder)

    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.server = Server(self.authority)
        self.sims = []

    def tearDown(self):
        for sim in self.sims:
            sim.end()
        self.server.shutdown()
        self.server.server_close()
        shutil.rmtree(self.folder)

    def sim(self, *args):
        sim = Sim(self.folder, self.server, *args)
        self.sims.append(sim)
        return sim

    def one(self, kind="iphone", *args):
        sim = self.sim("--devices", "1", "--kind", kind, *args)
        device = sim.device()
        self.assertEqual(device["state"], "enrolled", device["last_error"])
        return sim, device

    def run_command(self, sim, device, request_type, **keys):
        """Queues, wakes, and returns the report."""
        unique = self.server.command(device["ident"], request_type, **keys)
        sim.good(op="poll", device=device["device"])
        reports = self.server.messages(device["ident"], CommandUUID=unique)
        self.assertEqual(len(reports), 1)
        return reports[0]


class MdmsimTest(Site):
    def test_enrolment_messages(self):
        sim = self.sim("--devices", "10", "--kind", "mix", "--users", "2")
        serials = set()
        for i in range(10):
            device = sim.device(i)
            self.assertEqual(device["state"], "enrolled", device["last_error"])
            first, second = self.server.messages(device["udid"])[:2]
            self.assertEqual(first["MessageType"], "Authenticate")
            self.assertEqual(first["Topic"], TOPIC)
            self.assertEqual(first["SerialNumber"], device["serial"])
            serials.add(device["serial"])
            self.assertEqual(second["MessageType"], "TokenUpdate")
            self.assertEqual(second["Token"].hex(), device["channels"][0]["token"])
            self.assertEqual(second["PushMagic"], device["channels"][0]["push_magic"])
            if device["kind"] in ("iphone", "ipad"):
                self.assertEqual(second["UnlockToken"], base64.b64decode(device["unlock_token"]))
            else:
                self.assertNotIn("UnlockToken", second)
            if device["kind"] == "mac":
                self.assertEqual(len(device["channels"]), 3)
                self.assertTrue(first["DeviceName"])
                stored = self.server.messages(device["udid"], MessageType="SetBootstrapToken")
                self.assertEqual(stored[0]["BootstrapToken"],
                                 base64.b64decode(device["bootstrap_token"]))
                for user in device["channels"][1:]:
                    update = self.server.messages(f"{device['udid']}:{user['user_id']}")[0]
                    self.assertEqual(update["MessageType"], "TokenUpdate")
                    self.assertEqual(update["UserShortName"], user["short_name"])
                    self.assertIs(update["NotOnConsole"], False)
        self.assertEqual(len(serials), 10)
        kinds = {type_ for type_, _, _, _ in self.server.seen}
        self.assertEqual(kinds, {"application/x-apple-aspen-mdm-checkin"})
        bodies = [h["body"][:6] for _, _, _, h in self.server.seen]
        self.assertIn(b"bplist", bodies)
        self.assertIn(b"<?xml ", bodies)

    def test_each_device_shows_its_own_certificate(self):
        sim = self.sim("--devices", "3", "--kind", "ipad")
        shown = {}
        for _, message, certificate, _ in self.server.seen:
            shown.setdefault(message["UDID"], set()).add(certificate)
        self.assertEqual(len(set.union(*shown.values())), 3)
        for i in range(3):
            device = sim.device(i)
            self.assertEqual(shown[device["udid"]],
                             {base64.b64decode(device["certificate"])})

    def test_seed_makes_the_same_devices(self):
        _, first = self.one("mac", "--seed", "7")
        self.sims.pop().end()
        sim, again = self.one("mac", "--seed", "7")
        self.assertEqual(first["udid"], again["udid"])
        self.sims.pop().end()
        _, other = self.one("mac", "--seed", "8")
        self.assertNotEqual(first["udid"], other["udid"])

    def test_signed_messages(self):
        self.server.sign_message = True
        sim, device = self.one("iphone", "--sign")
        sim.good(op="poll", device=0)
        for _, message, certificate, headers in self.server.seen:
            self.assertIsNone(certificate)
            signature = os.path.join(self.folder, "signature")
            with open(signature, "wb") as f:
                f.write(base64.b64decode(headers["Mdm-Signature"]))
            content = os.path.join(self.folder, "content")
            with open(content, "wb") as f:
                f.write(headers["body"])
            openssl("cms", "-verify", "-inform", "DER", "-in", signature, "-content", content,
                    "-binary", "-CAfile", self.authority.path("ca.pem"), "-purpose", "any")

    def test_proxy_header(self):
        sim, device = self.one("iphone", "--proxy-header")
        for _, _, certificate, headers in self.server.seen:
            self.assertIsNone(certificate)
            self.assertEqual(headers["Client-Cert"], f":{device['certificate']}:")

    def test_user_enrollment(self):
        _, device = self.one("mac", "--user-enrollment", "--users", "1")
        for message in [m for _, m, _, _ in self.server.seen]:
            self.assertNotIn("UDID", message)
            self.assertNotIn("SerialNumber", message)
            self.assertEqual(message["EnrollmentID"], device["enrollment_id"])
        users = [m for _, m, _, _ in self.server.seen if "EnrollmentUserID" in m]
        self.assertEqual(len(users), 1)

    def test_shared_ipad(self):
        _, device = self.one("ipad", "--shared-ipad", "--users", "2")
        users = [m for _, m, _, _ in self.server.seen if "UserID" in m]
        self.assertEqual({m["UserID"] for m in users}, {"FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF"})
        self.assertEqual(len({m["UserShortName"] for m in users}), 2)
        self.assertNotIn("UnlockToken", self.server.messages(device["udid"])[1])

    def test_device_information_answers_what_was_asked(self):
        sim, device = self.one("iphone")
        report = self.run_command(sim, device, "DeviceInformation",
                                  Queries=["UDID", "SerialNumber", "OSVersion", "NoSuchQuery",
                                           "DeviceCapacity", "IsSupervised"])
        self.assertEqual(report["Status"], "Acknowledged")
        self.assertEqual(set(report["QueryResponses"]),
                         {"UDID", "SerialNumber", "OSVersion", "DeviceCapacity", "IsSupervised"})
        self.assertEqual(report["QueryResponses"]["SerialNumber"], device["serial"])
        self.assertIsInstance(report["QueryResponses"]["DeviceCapacity"], float)

    def test_access_rights_hold(self):
        self.server.rights = 1 | 2
        sim, device = self.one("iphone")
        report = self.run_command(sim, device, "DeviceInformation",
                                  Queries=["UDID", "SerialNumber"])
        self.assertEqual(set(report["QueryResponses"]), {"UDID"})
        report = self.run_command(sim, device, "DeviceLock")
        self.assertEqual(report["Status"], "Error")
        self.assertEqual(report["ErrorChain"][0]["ErrorCode"], 12007)

    def test_lists(self):
        sim, device = self.one("ipad")
        for request_type, key, kind in [("ProfileList", "ProfileList", list),
                                        ("InstalledApplicationList",
                                         "InstalledApplicationList", list),
                                        ("CertificateList", "CertificateList", list),
                                        ("ManagedApplicationList", "ManagedApplicationList",
                                         dict),
                                        ("Restrictions", "GlobalRestrictions", dict),
                                        ("SecurityInfo", "SecurityInfo", dict),
                                        ("ProvisioningProfileList",
                                         "ProvisioningProfileList", list)]:
            report = self.run_command(sim, device, request_type)
            self.assertEqual(report["Status"], "Acknowledged", request_type)
            self.assertIsInstance(report[key], kind)
        report = self.run_command(sim, device, "CertificateList")
        self.assertEqual(report["CertificateList"][0]["Data"],
                         base64.b64decode(device["certificate"]))

    def test_profiles_come_and_go(self):
        sim, device = self.one("iphone")
        profile = plistlib.dumps({
            "PayloadType": "Configuration", "PayloadVersion": 1, "PayloadIdentifier": "t.limits",
            "PayloadUUID": str(uuid.uuid4()), "PayloadContent": [
                {"PayloadType": "com.apple.applicationaccess", "PayloadVersion": 1,
                 "PayloadIdentifier": "t.limits.1", "PayloadUUID": str(uuid.uuid4()),
                 "allowCamera": False}]})
        report = self.run_command(sim, device, "InstallProfile", Payload=profile)
        self.assertEqual(report["Status"], "Acknowledged")
        report = self.run_command(sim, device, "ProfileList")
        self.assertEqual({p["PayloadIdentifier"] for p in report["ProfileList"]},
                         {"t.enrol", "t.limits"})
        report = self.run_command(sim, device, "Restrictions")
        self.assertIs(
            report["GlobalRestrictions"]["restrictedBool"]["allowCamera"]["value"], False)
        report = self.run_command(sim, device, "InstallProfile", Payload=b"nonsense")
        self.assertEqual(report["Status"], "Error")
        self.assertEqual(report["ErrorChain"][0]["ErrorDomain"], "MCInstallationErrorDomain")
        report = self.run_command(sim, device, "RemoveProfile", Identifier="t.limits")
        self.assertEqual(report["Status"], "Acknowledged")
        report = self.run_command(sim, device, "RemoveProfile", Identifier="t.limits")
        self.assertEqual(report["ErrorChain"][0]["ErrorCode"], 12013)

    def test_removing_the_mdm_profile_ends_with_checkout(self):
        sim, device = self.one("iphone")
        self.run_command(sim, device, "RemoveProfile", Identifier="t.enrol")
        last = self.server.messages(device["udid"])[-1]
        self.assertEqual(last["MessageType"], "CheckOut")
        self.assertEqual(sim.device()["state"], "gone")
        count = len(self.server.seen)
        sim.good(op="poll", device=0)
        self.assertEqual(len(self.server.seen), count)

    def test_clear_passcode_wants_its_own_token(self):
        sim, device = self.one("iphone")
        report = self.run_command(sim, device, "ClearPasscode", UnlockToken=b"another")
        self.assertEqual(report["Status"], "Error")
        report = self.run_command(sim, device, "ClearPasscode",
                                  UnlockToken=base64.b64decode(device["unlock_token"]))
        self.assertEqual(report["Status"], "Acknowledged")
        self.assertEqual(sim.device()["passcode_cleared"], 1)

    def test_erase(self):
        sim, device = self.one("iphone", "--state", os.path.join(self.folder, "state"))
        report = self.run_command(sim, device, "EraseDevice")
        self.assertEqual(report["Status"], "Acknowledged")
        self.assertEqual(sim.device()["state"], "erased")
        self.assertEqual(sim.device()["certificate"], "")
        sim.good(op="enrol", device=0)
        again = sim.device()
        self.assertEqual(again["state"], "enrolled")
        self.assertEqual(again["udid"], device["udid"])
        self.assertNotEqual(again["unlock_token"], device["unlock_token"])

    def test_unknown_and_malformed(self):
        sim, device = self.one("iphone")
        report = self.run_command(sim, device, "NoSuchRequest")
        self.assertEqual(report["Status"], "Error")
        self.assertEqual(report["ErrorChain"][0]["ErrorDomain"], "MCMDMErrorDomain")
        self.assertEqual(report["ErrorChain"][0]["ErrorCode"], 12021)
        report = self.run_command(sim, device, "InstallProfile")
        self.assertEqual(report["Status"], "CommandFormatError")
        unique = str(uuid.uuid4())
        self.server.raw_command(device["udid"], {"CommandUUID": unique, "Command": "a string"})
        sim.good(op="poll", device=0)
        report = self.server.messages(device["udid"], CommandUUID=unique)[0]
        self.assertEqual(report["Status"], "CommandFormatError")

    def test_user_channel_polls(self):
        sim, device = self.one("mac", "--users", "1")
        user = f"{device['udid']}:{device['channels'][1]['user_id']}"
        unique = self.server.command(user, "ProfileList")
        sim.good(op="poll", device=0, user=1)
        report = self.server.messages(user, CommandUUID=unique)[0]
        self.assertEqual(report["UserID"], device["channels"][1]["user_id"])
        self.assertEqual(report["Status"], "Acknowledged")

    def statuses(self, device, unique):
        return [m["Status"] for m in self.server.messages(device["udid"], CommandUUID=unique)]

    def wait_for(self, condition, seconds=10):
        end = time.monotonic() + seconds
        while not condition():
            self.assertLess(time.monotonic(), end, "not in time")
            time.sleep(0.02)

    def test_notnow_twice_then_done(self):
        sim, device = self.one("iphone")
        sim.good(op="behave", rule="InstallProfile notnow 2")
        unique = self.server.command(device["udid"], "InstallProfile", Payload=b"x")
        other = self.server.command(device["udid"], "DeviceLock")
        sim.good(op="poll", device=0)
        self.assertEqual(self.statuses(device, other), ["Acknowledged"])
        self.wait_for(lambda: len(self.statuses(device, unique)) == 3)
        self.assertEqual(self.statuses(device, unique), ["NotNow", "NotNow", "Error"])

    def test_error_and_format_error_on_demand(self):
        sim, device = self.one("iphone")
        sim.good(op="behave", rule="DeviceLock error 12345 SomeDomain went quite wrong")
        report = self.run_command(sim, device, "DeviceLock")
        self.assertEqual(report["Status"], "Error")
        self.assertEqual(report["ErrorChain"][0]["ErrorCode"], 12345)
        self.assertEqual(report["ErrorChain"][0]["ErrorDomain"], "SomeDomain")
        self.assertEqual(report["ErrorChain"][0]["USEnglishDescription"], "went quite wrong")
        sim.good(op="behave", clear=True, rule="* formaterror")
        report = self.run_command(sim, device, "DeviceLock")
        self.assertEqual(report["Status"], "CommandFormatError")
        self.assertFalse(sim.say(op="behave", rule="DeviceLock dance")["ok"])

    def test_twice(self):
        sim, device = self.one("iphone")
        sim.good(op="behave", rule="DeviceLock twice")
        unique = self.server.command(device["udid"], "DeviceLock")
        sim.good(op="poll", device=0)
        self.assertEqual(self.statuses(device, unique), ["Acknowledged", "Acknowledged"])

    def test_late(self):
        sim, device = self.one("iphone")
        sim.good(op="behave", rule="DeviceLock late 0.6")
        unique = self.server.command(device["udid"], "DeviceLock")
        start = time.monotonic()
        sim.good(op="poll", device=0, wait=False)
        sim.good(op="poll", device=0, wait=False)
        sim.good(op="settle", device=0)
        self.assertGreater(time.monotonic() - start, 0.55)
        self.assertEqual(self.statuses(device, unique), ["Acknowledged"])

    def test_never(self):
        sim, device = self.one("iphone")
        sim.good(op="behave", rule="DeviceLock never")
        unique = self.server.command(device["udid"], "DeviceLock")
        sim.good(op="poll", device=0)
        self.assertEqual(self.statuses(device, unique), [])
        heard = sim.device()["commands"][0]
        self.assertEqual((heard["uuid"], heard["received"]), (unique, 1))
        sim.good(op="behave", clear=True)
        sim.good(op="poll", device=0)
        self.assertEqual(self.statuses(device, unique), ["Acknowledged"])
        self.assertEqual(sim.device()["commands"][0]["received"], 2)

    def test_disconnects(self):
        sim, device = self.one("iphone")
        for when, times in (("before", 1), ("during", 1), ("after", 2)):
            sim.good(op="behave", clear=True, rule=f"DeviceLock disconnect {when}")
            unique = self.server.command(device["udid"], "DeviceLock")
            sim.good(op="poll", device=0)
            self.wait_for(lambda: len(self.statuses(device, unique)) == times)
            self.assertEqual(set(self.statuses(device, unique)), {"Acknowledged"}, when)

    def test_401_drops_the_profile(self):
        sim, device = self.one("iphone")
        self.server.status[device["udid"]] = [401, 1, b""]
        sim.good(op="poll", device=0)
        after = sim.device()
        self.assertEqual(after["state"], "gone")
        self.assertEqual(after["profiles"], [])
        self.assertEqual(after["certificate"], "")

    def test_403_drops_it_only_with_the_code(self):
        sim, device = self.one("iphone")
        self.server.status[device["udid"]] = [403, 1, b"no"]
        sim.good(op="poll", device=0)
        self.assertEqual(sim.device()["state"], "enrolled")
        self.server.status[device["udid"]] = [403, 1, UNRECOGNIZED]
        sim.good(op="poll", device=0)
        self.assertEqual(sim.device()["state"], "gone")

    def test_503_is_tried_again(self):
        sim, device = self.one("iphone")
        unique = self.server.command(device["udid"], "DeviceLock")
        self.server.status[device["udid"]] = [503, 2, b""]
        sim.good(op="poll", device=0)
        self.assertEqual(self.statuses(device, unique), ["Acknowledged"])
        self.assertEqual(len(self.server.messages(device["udid"], Status="Idle")), 3)

    def test_redirections_are_followed(self):
        self.server.redirect = True
        sim, device = self.one("iphone")
        report = self.run_command(sim, device, "DeviceLock")
        self.assertEqual(report["Status"], "Acknowledged")

    def test_state_is_kept(self):
        state = ("--state", os.path.join(self.folder, "state"), "--seed", "2")
        sim, device = self.one("mac", "--users", "1", *state)
        self.run_command(sim, device, "InstallApplication", Identifier="com.example.app",
                         InstallAsManaged=True)
        self.sims.pop().end()
        count = len(self.server.seen)
        sim, again = self.one("mac", "--users", "1", *state)
        self.assertEqual(len(self.server.seen), count, "it must not enrol again")
        for key in ("udid", "certificate", "channels", "profiles", "apps", "bootstrap_token"):
            if key == "channels":
                self.assertEqual([c["token"] for c in again[key]],
                                 [c["token"] for c in device[key]])
            elif key != "apps":
                self.assertEqual(again[key], device[key])
        self.assertEqual(again["apps"], ["com.example.app"])
        report = self.run_command(sim, again, "ManagedApplicationList")
        self.assertIn("com.example.app", report["ManagedApplicationList"])

    def in_house(self, bundle, size=300000, listed=None, **wrong):
        """An app on the server: the ManifestURL. listed: of how many parts it tells digests."""
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as z:
            z.writestr("Payload/A.app/Info.plist", plistlib.dumps({
                "CFBundleIdentifier": bundle, "CFBundleVersion": "7",
                "CFBundleShortVersionString": "1.5",
                "CFBundleSupportedPlatforms": ["iPhoneOS"], **wrong.pop("info", {})}))
            z.writestr("Payload/A.app/A", os.urandom(size))
        octets, part = out.getvalue(), 100000
        parts = [octets[i:i + part] for i in range(0, len(octets), part)]
        asset = {"kind": "software-package", "url": f"{self.server.url}/{bundle}.ipa",
                 "sha256-size": part, "sha256s": [hashlib.sha256(p).hexdigest() for p in parts],
                 "md5-size": part, "md5s": [hashlib.md5(p).hexdigest() for p in parts], **wrong}
        listed = listed or len(parts)
        asset["md5s"] = (asset["md5s"] + ["0" * 32] * 9)[:listed]
        asset["sha256s"] = (asset["sha256s"] + ["0" * 64] * 9)[:listed]
        self.server.files[f"/{bundle}.ipa"] = octets
        self.server.files[f"/{bundle}.plist"] = plistlib.dumps({"items": [{
            "assets": [asset], "metadata": {"kind": "software", "bundle-identifier": bundle,
                                            "bundle-version": "7", "title": "A"}}]})
        return f"{self.server.url}/{bundle}.plist"

    def test_a_package_on_its_way_holds_nobody_up(self):
        sim = self.sim("--devices", "2", "--kind", "iphone", "--concurrency", "1")
        one, other = sim.device(0), sim.device(1)
        url = self.in_house("com.example.slow")
        go = self.server.held["/com.example.slow.ipa"] = threading.Event()
        unique = self.server.command(one["ident"], "InstallApplication", ManifestURL=url)
        sim.good(op="poll", device=0, wait=False)
        self.wait_for(lambda: self.statuses(one, unique))
        report = self.server.messages(one["ident"], CommandUUID=unique)[0]
        self.assertEqual((report["Identifier"], report["State"]), ("com.example.slow", "Installing"))
        # meanwhile the device and another one answer, and the same app is not taken twice
        self.assertEqual(self.run_command(sim, other, "DeviceLock")["Status"], "Acknowledged")
        again = self.server.command(one["ident"], "InstallApplication", ManifestURL=url)
        told = self.server.command(one["ident"], "ManagedApplicationList")
        sim.good(op="poll", device=0, wait=False)
        self.wait_for(lambda: self.statuses(one, told))
        report = self.server.messages(one["ident"], CommandUUID=again)[0]
        self.assertEqual((report["RejectionReason"], report["ErrorChain"][0]["ErrorCode"]),
                         ("AppAlreadyQueued", 12026))
        report = self.server.messages(one["ident"], CommandUUID=told)[0]
        self.assertEqual(report["ManagedApplicationList"]["com.example.slow"]["Status"],
                         "Installing")
        self.assertFalse(sim.device(0)["idle"])
        go.set()
        sim.good(op="settle", device=0)
        report = self.run_command(sim, one, "InstalledApplicationList")
        app = [a for a in report["InstalledApplicationList"]
               if a["Identifier"] == "com.example.slow"][0]
        self.assertEqual((app["Version"], app["ShortVersion"], app["Installing"]), ("7", "1.5", False))

    def test_a_package_goes_on_after_a_restart(self):
        state = ("--state", os.path.join(self.folder, "state"))
        sim, device = self.one("iphone", *state)
        url = self.in_house("com.example.long")
        self.server.held["/com.example.long.ipa"] = threading.Event()
        unique = self.server.command(device["ident"], "InstallApplication", ManifestURL=url)
        sim.good(op="poll", device=0, wait=False)
        self.wait_for(lambda: self.statuses(device, unique))
        self.sims.pop().end()
        del self.server.held["/com.example.long.ipa"]
        sim, device = self.one("iphone", *state)
        report = self.run_command(sim, device, "ManagedApplicationList")
        self.assertEqual(report["ManagedApplicationList"]["com.example.long"]["Status"], "Managed")

    def test_a_package_breaks_off_and_goes_on(self):
        sim, device = self.one("iphone")
        sim.good(op="behave", rule="InstallApplication disconnect download")
        url = self.in_house("com.example.cut")
        size = len(self.server.files["/com.example.cut.ipa"])
        self.run_command(sim, device, "InstallApplication", ManifestURL=url)
        begins = [at for path, at in self.server.asked if path == "/com.example.cut.ipa"]
        self.assertEqual((len(begins), begins[0]), (2, 0))
        self.assertTrue(size // 2 <= begins[1] < size, begins)
        report = self.run_command(sim, device, "ManagedApplicationList")
        self.assertEqual(report["ManagedApplicationList"]["com.example.cut"]["Status"], "Managed")

    def test_packages_that_are_refused(self):
        """Told as Failed, once; an app that was there stays."""
        sim, device = self.one("iphone")
        for bundle, words, wrong in (
                ("com.example.md5", "the md5", {"md5s": ["0" * 32] * 4}),
                ("com.example.sha", "the sha256", {"sha256s": ["0" * 64] * 4}),
                ("com.example.less", "longer than its manifest", {"listed": 3}),
                ("com.example.more", "ends in part 4 of 6", {"listed": 6}),
                ("com.example.none", "HTTP 404", {"url": self.server.url + "/nothing.ipa"}),
                ("com.example.new", "newer system", {"info": {"MinimumOSVersion": "99.0"}}),
                ("com.example.tv", "this kind of device",
                 {"info": {"CFBundleSupportedPlatforms": ["AppleTVOS"]}})):
            with self.subTest(bundle=bundle):
                url = self.in_house(bundle, **wrong)
                report = self.run_command(sim, device, "InstallApplication", ManifestURL=url)
                self.assertEqual(report["Status"], "Acknowledged", report)
                sim.good(op="settle", device=0)
                self.assertIn(words, sim.device()["last_error"])
                report = self.run_command(sim, device, "ManagedApplicationList")
                self.assertEqual(report["ManagedApplicationList"][bundle]["Status"], "Failed")
                report = self.run_command(sim, device, "ManagedApplicationList")
                self.assertNotIn(bundle, report["ManagedApplicationList"])
        self.run_command(sim, device, "InstallApplication", ManifestURL=self.in_house("com.example.a"))
        sim.good(op="settle", device=0)
        self.run_command(sim, device, "InstallApplication",
                         ManifestURL=self.in_house("com.example.a", md5s=["0" * 32] * 4))
        sim.good(op="settle", device=0)
        states = [self.run_command(sim, device, "ManagedApplicationList")["ManagedApplicationList"]
                  ["com.example.a"]["Status"] for _ in range(2)]
        self.assertEqual(states, ["Failed", "Managed"])

    def test_an_undelivered_result_outlives_a_restart(self):
        state = ("--state", os.path.join(self.folder, "state"))
        sim, device = self.one("iphone", *state)
        sim.good(op="behave", rule="DeviceLock late 60")
        unique = self.server.command(device["udid"], "DeviceLock")
        sim.good(op="poll", device=0, wait=False)
        self.wait_for(lambda: sim.device()["channels"][0]["report_waits"])
        self.sims.pop().end()
        self.assertEqual(self.statuses(device, unique), [])
        self.one("iphone", *state)
        self.assertEqual(self.statuses(device, unique), ["Acknowledged"])

    def test_token_change_restore_replace_wipe(self):
        sim, device = self.one("iphone")
        changed = sim.good(op="token", device=0)
        self.assertNotEqual(changed["channels"][0]["token"], device["channels"][0]["token"])
        updates = self.server.messages(device["udid"], MessageType="TokenUpdate")
        self.assertEqual(updates[-1]["Token"].hex(), changed["channels"][0]["token"])
        sim.good(op="restore", device=0)
        self.assertEqual(
            [m["MessageType"] for m in self.server.messages(device["udid"])],
            ["Authenticate", "TokenUpdate", "TokenUpdate", "TokenUpdate"])
        replaced = sim.good(op="replace", device=0)
        self.assertNotEqual(replaced["certificate"], device["certificate"])
        self.assertEqual(
            [m["MessageType"] for m in self.server.messages(device["udid"])][4:],
            ["Authenticate", "TokenUpdate"])
        wiped = sim.good(op="wipe", device=0, enrol=True)
        self.assertEqual(wiped["udid"], device["udid"])
        self.assertEqual(wiped["life"], 1)
        self.assertEqual(wiped["state"], "enrolled")

    def test_a_failed_replacement_keeps_the_old_profile(self):
        sim, device = self.one("iphone")
        self.server.status[device["udid"]] = [400, 1, b""]
        after = sim.good(op="replace", device=0)
        self.assertEqual(after["state"], "enrolled")
        self.assertEqual(after["certificate"], device["certificate"])
        self.assertEqual(after["channels"][0]["token"], device["channels"][0]["token"])
        self.assertEqual(self.run_command(sim, device, "DeviceLock")["Status"], "Acknowledged")

    def test_raw_and_bootstrap(self):
        sim, device = self.one("mac")
        answer = sim.good(op="message", device=0, type="GetBootstrapToken")
        self.assertEqual(plistlib.loads(base64.b64decode(answer["last_body"])),
                         {"BootstrapToken": b"kept"})
        body = base64.b64encode(plistlib.dumps({"MessageType": "Odd", "UDID": "me"})).decode()
        answer = sim.good(op="raw", device=0, body=body)
        self.assertEqual(answer["last_status"], 200)
        self.assertEqual(self.server.messages("me")[0]["MessageType"], "Odd")

    def test_a_push_wakes_the_device(self):
        path = os.path.join(self.folder, "wake")
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(path)
        listener.listen(1)
        sim, device = self.one("iphone", "--wake", path)
        connection, _ = listener.accept()
        lines = connection.makefile("rw")
        token, magic = device["channels"][0]["token"], device["channels"][0]["push_magic"]
        self.assertEqual(lines.readline(), f"SUB {token}\n")
        unique = self.server.command(device["udid"], "DeviceLock")
        lines.write(f"OK\n{token} not-its-magic\n")
        lines.flush()
        self.wait_for(lambda: sim.device()["stale_pushes"] == 1)
        self.assertEqual(self.statuses(device, unique), [])
        lines.write(f"{token} {magic}\n")
        lines.flush()
        self.wait_for(lambda: self.statuses(device, unique) == ["Acknowledged"])
        self.assertEqual(sim.device()["pushes"], 1)
        for thing in (lines, connection, listener):
            thing.close()

    def test_trace(self):
        trace = os.path.join(self.folder, "trace")
        sim, device = self.one("iphone", "--trace", trace)
        self.run_command(sim, device, "DeviceLock")
        with open(trace, encoding="utf-8") as f:
            lines = [json.loads(line) for line in f]
        answers = [l for l in lines if l["url"].endswith("/connect")]
        self.assertEqual([l["status"] for l in answers], [200, 200])
        self.assertEqual(plistlib.loads(base64.b64decode(answers[0]["request"]))["Status"],
                         "Idle")
        command = plistlib.loads(base64.b64decode(answers[0]["response"]))
        self.assertEqual(command["Command"]["RequestType"], "DeviceLock")

    def test_an_untrusted_server_is_refused(self):
        other = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, other)
        stranger = Authority(other)
        run = subprocess.run([MDMSIM, "--enroll-url", self.server.url + "/enrol", "--ca-file",
                              stranger.path("ca.pem"), "--once"], capture_output=True,
                             timeout=30, check=False)
        self.assertEqual(run.returncode, 1)
        self.assertEqual(json.loads(run.stdout)["failed"], 1)
        self.assertEqual(self.server.seen, [])


if __name__ == "__main__":
    unittest.main()

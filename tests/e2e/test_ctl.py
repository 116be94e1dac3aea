"""droverctl: its verbs against a running server, and the doctor, each of whose failures is provoked."""

import base64
import configparser
import contextlib
import datetime
import hashlib
import http.server
import json
import os
import plistlib
import pwd
import re
import secrets
import shutil
import signal
import ssl
import subprocess
import tempfile
import threading
import time
import unittest
import urllib.parse
import uuid

import drover
import test_proc


class CtlTest(unittest.TestCase):
    webs = ("lighttpd",)

    @classmethod
    def setUpClass(cls):
        cls.s = drover.server()

    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="drover-ctl-")
        self.addCleanup(shutil.rmtree, self.dir, True)

    def config(self, **changes):
        """The server's configuration with changes, "section_key" to value, in a file of its own."""
        c = configparser.ConfigParser(interpolation=None, strict=False)
        c.read(self.s.run["config"])
        for name, value in changes.items():
            section, key = name.split("__")
            if not c.has_section(section):
                c.add_section(section)
            c.set(section, key, value)
        path = os.path.join(self.dir, "drover-%s.conf" % secrets.token_hex(4))
        with open(path, "w") as f:
            c.write(f)
        return path

    def ctl(self, *argv, config=None, data=None, person=None):
        """Status, output, errors. person: who is at the shell, behind sudo (for root only)."""
        env = {**os.environ, "SUDO_USER": person} if person else None
        p = subprocess.run([os.path.join(drover.BUILD, "droverctl"), "-c",
                            config or self.s.run["config"], *argv], input=data,
                           capture_output=True, timeout=60, env=env)
        return p.returncode, p.stdout.decode(), p.stderr.decode()

    def good(self, *argv, **how):
        status, out, err = self.ctl(*argv, **how)
        self.assertEqual(status, 0, err)
        return out

    def bad(self, status, *argv, **how):
        got, out, err = self.ctl(*argv, **how)
        self.assertEqual(got, status, out + err)
        return err


class Verbs(CtlTest):
    @staticmethod
    def manual_forms():
        """{(verb, its word): options} of droverctl(8)."""
        with open(os.path.join(drover.TOP, "fcgi/man/droverctl.8")) as f:
            text = f.read().replace("\\-", "-")
        forms = {}
        for form in re.findall(r"^\.It Xo\n(.*?)^\.Xc|^\.It (Ic [^\n]*)$", text, re.M | re.S):
            first, *rest = re.sub(r"^\.", "", "".join(form), flags=re.M).strip().split("\n")
            words = (first + " " + rest[0] if rest and rest[0].startswith("Cm ") else first).split()
            words = words[1:words.index("Ar")] if "Ar" in words else words[1:]
            own = [w for w in words[1:] if re.fullmatch("[a-z][a-z-]*", w)]
            for word in own or [""]:
                forms.setdefault((words[0], word), set()).update(
                    re.findall(r"Fl (-[a-z-]+)", " ".join([first] + rest)))
        return forms

    def test_each_verb_explains_itself(self):
        """Without a configuration too. The manual page has each form with its options, and no more."""
        nowhere = os.path.join(self.dir, "nowhere.conf")
        code, out, _ = self.ctl("help", config=nowhere)
        verbs = re.findall(r"^  ([a-z-]+) ", out, re.M)
        self.assertEqual(code, 0)
        self.assertGreater(len(verbs), 30)
        forms, common = {}, {}
        for verb in verbs:
            code, usage, said = self.ctl("help", verb, config=nowhere)
            self.assertEqual((code, said), (0, ""))
            for ask in (["--help"], ["-h"], ["list", "--help"]):
                if verb != "help":
                    self.assertEqual(self.ctl(verb, *ask, config=nowhere), (0, usage, ""), verb)
            for form in re.findall(r"^.{6} droverctl \[-c FILE\] %s(.*)$" % verb, usage, re.M):
                options = set(re.findall("-(-[a-z-]+)", form))
                first = (form.split() or [""])[0]
                words = first.split("|") if re.fullmatch("[a-z][a-z|-]*", first) else [""]
                for word in [None] if first == "..." else words:
                    (common if word is None else forms).setdefault((verb, word), set()).update(options)
        manual = self.manual_forms()
        self.assertEqual(set(manual), set(forms))
        for (verb, word), options in forms.items():
            more = manual[verb, word] - options
            self.assertLessEqual(options, manual[verb, word], (verb, word))
            self.assertLessEqual(more, common.get((verb, None), set()), (verb, word))

    def test_commands(self):
        d = drover.device().enrol()
        sent = json.loads(self.good("enqueue", d.ident, "--request-type", "ProfileList", "--json"))
        u = sent[0]["command"]
        self.assertEqual(sent[0]["id"], d.ident)
        self.assertTrue(sent[0]["push"])
        listed = json.loads(self.good("queue", d.ident, "--json"))
        self.assertEqual([(c["command_uuid"], c["state"]) for c in listed], [(u, "queued")])
        self.assertEqual(d.idle().plist()["CommandUUID"], u)
        d.report(u, ProfileList=[])
        self.assertEqual(plistlib.loads(self.good("results", d.ident, u).encode())["CommandUUID"], u)
        self.assertEqual(json.loads(self.good("results", d.ident, "--json"))[0]["state"],
                         "acknowledged")

        v = str(uuid.uuid4())
        raw = plistlib.dumps({"CommandUUID": v, "Command": {"RequestType": "SecurityInfo"}})
        self.good("enqueue", d.ident, "--file", "-", "--no-push", data=raw)
        self.assertIn("1 cancelled", self.good("cancel", d.ident, v, "--why", "changed"))
        self.assertIn("no open command", self.bad(1, "cancel", d.ident, v))
        self.assertIn("at most 255", self.bad(2, "cancel", d.ident, v, "--why", "ä" * 256))
        self.assertEqual(d.idle().body, b"")
        self.assertIn("used before", self.bad(1, "enqueue", d.ident, "--file", "-", data=raw))
        status, out, _ = self.ctl("enqueue", d.ident, "nobody", "--request-type", "ProfileList",
                                  "--json")
        self.assertEqual((status, {r["id"]: r["command"] for r in json.loads(out)}["nobody"]),
                         (1, "unknown enrollment id"))
        self.assertIn("nobody: unknown enrollment id",
                      self.bad(1, "enqueue", "nobody", "--request-type", "ProfileList"))
        twice = json.loads(self.good("enqueue", d.ident, d.ident, "--request-type", "ProfileList",
                                     "--json"))
        self.assertEqual(len(twice), 1)
        self.bad(1, "push", "nobody")
        self.good("push", d.ident)
        for argv in (("enqueue", d.ident), ("enqueue", d.ident, "--request-type", "X", "--file", "-"),
                     ("enqueue", d.ident, "--request-type", "X", "--priority", "1000"),
                     ("enqueue",), ("cancel", d.ident), ("queue",), ("end", d.ident),
                     ("decide", "perhaps", "x"), ("devices", "--state", "x")):
            self.assertIn("usage:", self.bad(2, *argv))

    def test_a_command_by_its_name_is_checked(self):
        d = drover.device().enrol()
        mirror = ("enqueue", d.ident, "--request-type", "RequestMirroring", "--no-push", "--json",
                  "--keys", '{"DestinationName": "tv", "ScanTime": 5, "Password": "hush"}')
        err = self.bad(1, *mirror)
        self.assertIn("ScanTime: is 5; it must be from 10 to 300", err)
        self.assertIn("nothing was queued", err)
        self.assertEqual(json.loads(self.good("queue", d.ident, "--json")), [])
        u = json.loads(self.good(*mirror, "--force"))[0]["command"]
        self.assertEqual(d.idle().plist(), {"CommandUUID": u, "Command": {
            "RequestType": "RequestMirroring", "DestinationName": "tv", "ScanTime": 5,
            "Password": "hush"}})
        d.report(u)
        said = d.server.sql("SELECT detail FROM audit WHERE action='command.force' "
                            "ORDER BY at DESC LIMIT 1")[0][0]
        self.assertIn(u, said)
        self.assertNotIn("hush", said)

        self.good("enqueue", d.ident, "--request-type", "InstallProfile", "--no-push",
                  "--keys", "@-", data=b'{"Payload": "AAE="}')
        self.assertEqual(d.idle().plist()["Command"]["Payload"], b"\0\1")
        for keys, said in (("{", "--keys"), ("[]", "must be a JSON object"),
                           ('{"Payload": "*"}', "Payload: is no base64"),
                           ("{}", "Payload: is missing"), ('{"Payload": null}', "Payload: null"),
                           ("@/nowhere", "/nowhere")):
            self.assertIn(said, self.bad(1, "enqueue", d.ident, "--request-type", "InstallProfile",
                                         "--keys", keys))
        self.assertIn("no request type", self.bad(1, "enqueue", d.ident, "--request-type", "X"))
        self.assertIn("usage:", self.bad(2, "enqueue", d.ident, "--file", "-", "--force"))

    def test_what_is_repeated_is_done_once(self):
        d, e = drover.device().enrol(), drover.device().enrol()
        key = secrets.token_hex(8)
        call = ("enqueue", d.ident, e.ident, "--request-type", "DeviceInformation", "--no-push",
                "--json", "--idempotency-key", key, "--expires", "1h")
        first = self.good(*call)
        self.assertEqual(sorted(r["id"] for r in json.loads(first)), sorted([d.ident, e.ident]))
        status, out, err = self.ctl(*call)
        self.assertEqual((status, out), (0, first))
        self.assertIn("was done before", err)
        text = self.good(*[a for a in call if a != "--json"])
        self.assertIn(json.loads(first)[0]["command"], text)
        self.assertEqual(len(json.loads(self.good("queue", d.ident, "--json"))), 1)
        self.assertIn("another request", self.bad(1, *call[:2], *call[3:]))
        # one that was killed before it had answered: begun again, with the same command
        self.s.sql("UPDATE idempotency SET status = NULL, answer = NULL, begun_at = begun_at - "
                   "120000000 ORDER BY begun_at DESC LIMIT 1")
        again = self.good(*call)
        self.assertEqual({r["command"] for r in json.loads(again)},
                         {r["command"] for r in json.loads(first)})
        self.assertEqual(len(json.loads(self.good("queue", d.ident, "--json"))), 1)
        # what some did not take stays so, with its status; what nobody took may be mended
        part = ("enqueue", d.ident, "nobody", "--request-type", "ProfileList", "--no-push",
                "--idempotency-key", key + "x")
        self.assertEqual([self.ctl(*part)[0] for i in range(2)], [1, 1])
        self.assertEqual(len(json.loads(self.good("queue", d.ident, "--json"))), 2)
        for bad in ("", "x" * 256):
            self.assertIn("usage:", self.bad(2, *part[:-1], bad))
        self.assertIn("usage:", self.bad(2, "enqueue", d.ident, "--file", "-",
                                         "--idempotency-key", "k"))

    def test_ids_of_a_file_and_dedupe_keys(self):
        d, e = drover.device().enrol(), drover.device().enrol()
        ids = ("%s\r\n\n%s" % (d.ident, e.ident)).encode()
        call = ("enqueue", "--ids-file", "-", "--request-type", "ProfileList", "--no-push",
                "--dedupe-key", "k" + secrets.token_hex(4), "--json")
        first = json.loads(self.good(*call, data=ids))
        self.assertEqual(sorted(r["id"] for r in first), sorted([d.ident, e.ident]))
        self.assertIn("dedupe key", self.ctl(*call, data=ids)[1])
        second = json.loads(self.good(*call, "--supersede", data=ids))
        self.assertEqual([c["command_uuid"] for c in
                          json.loads(self.good("queue", d.ident, "--json"))],
                         [second[0]["command"]])
        self.assertIn("no id", self.bad(2, *call, data=b"\n\n"))
        self.assertIn("usage:", self.bad(2, *call, d.ident, data=ids))
        self.assertIn("usage:", self.bad(2, "enqueue", d.ident, "--request-type", "ProfileList",
                                         "--supersede"))

    def test_clear_passcode(self):
        d = drover.device()
        d.authenticate()
        self.assertEqual(d.token_update(UnlockToken=b"token").status, 200)
        self.good("enqueue", d.ident, "--request-type", "ClearPasscode", "--reason", "forgotten", "--no-push")
        self.assertEqual(d.idle().plist()["Command"]["UnlockToken"], b"token")

    def test_invitations(self):
        note = '"><script>' + secrets.token_hex(4)
        link = self.good("invite", "--note", note, "--uses", "2").strip()
        row = [r for r in json.loads(self.good("invite", "list", "--json")) if r["note"] == note][0]
        self.assertEqual((row["state"], row["uses"], row["uses_max"], row["profile"]),
                         ("open", 0, 2, "default"))
        self.good("invite", "revoke", row["id"])
        self.assertEqual([r["state"] for r in json.loads(self.good("invite", "list", "--json"))
                          if r["note"] == note], ["revoked"])
        self.assertEqual(self.s.request("device_url", "GET", urllib.parse.urlsplit(link).path).status,
                         410)
        self.bad(1, "invite", "revoke", "987654321")
        for argv in (("--json",), ("list", "x"), ("revoke",), ("revoke", "x"), ("maybe",)):
            self.assertIn("usage:", self.bad(2, "invite", *argv))

    def erase(self, d, **how):
        """Asks for a second person's leave; the number of the request."""
        row = json.loads(self.good("enqueue", d.ident, "--request-type", "EraseDevice", "--json",
                                   "--no-push", "--keys", '{"PIN": "123456"}', "--reason", "sold",
                                   **how))[0]
        self.assertEqual(row["state"], "waiting")
        self.assertEqual(d.idle().body, b"")
        return row["approval"]

    @unittest.skipUnless(os.geteuid() == 0, "root alone is taken for whom sudo names")
    def test_approvals(self):
        with drover.setting(self.s, "command", approval="sensitive"):
            self.approvals()

    def approvals(self):
        d = drover.device().enrol()
        self.s.sql("UPDATE enrollment SET product_name = 'Mac15,3', os_version = '14.4' "
                   "WHERE ident = '%s'" % d.ident)
        for verb in (("enqueue", d.ident, "--request-type", "DeviceLock", "--reason", "r"),
                     ("approvals", "approve", "1", "--why", "r")):
            self.assertIn("root may be anybody", self.bad(1, *verb))
            self.assertIn("root may be anybody", self.bad(1, *verb, person="root"))
        number = self.erase(d, person="alice")
        self.assertEqual(self.s.count("SELECT COUNT(*) FROM approval WHERE INSTR(request, "
                                      "'123456')"), 0)
        row = [r for r in json.loads(self.good("approvals", "list", "--json"))
               if r["approval"] == number][0]
        self.assertEqual((row["request_type"], row["asked_by"], row["first"], row["enrollments"]),
                         ("EraseDevice", "droverctl:alice", d.ident, 1))
        self.assertEqual([t["id"] for t in json.loads(self.good("approvals", "targets", number,
                                                                "--json"))], [d.ident])
        yes = ("approvals", "approve", number, "--why", "checked", "--json")
        self.assertIn("does not approve it", self.bad(1, *yes, person="alice"))
        sent = json.loads(self.good(*yes, person="bob"))
        self.assertEqual(d.idle().plist()["Command"]["PIN"], "123456")
        # again, as if the answer had been lost: the same command
        self.assertEqual(json.loads(self.good(*yes, person="bob"))[0]["command"],
                         sent[0]["command"])
        d.report(sent[0]["command"])
        self.assertEqual(d.idle().body, b"")
        self.assertIn("approved already", self.bad(1, *yes, person="carol"))
        said = self.s.sql("SELECT actor, action, detail FROM audit WHERE subject = 'approval:%s' "
                          "ORDER BY id" % number)
        self.assertEqual([(r[0], r[1]) for r in said],
                         [("droverctl:alice", "approval.ask"), ("droverctl:bob", "approval.approve")])
        self.assertEqual(said[1][2], "checked")
        self.assertEqual(self.s.sql("SELECT actor FROM audit WHERE action = "
                                    "'command.sensitive' AND subject = '%s'" % sent[0]["command"]),
                         [["droverctl:alice with droverctl:bob"]])

        number = self.erase(d, person="alice")
        self.assertIn("refused", self.good("approvals", "refuse", number, "--why", "no",
                                           person="bob"))
        self.assertIn("refused", self.good("approvals", "show", number))
        self.assertNotIn(number, self.good("approvals", "list"))
        self.assertIn(number, self.good("approvals", "list", "--all"))
        self.assertIn("refused already", self.bad(1, "approvals", "approve", number, "--why", "r",
                                                  person="bob"))
        self.assertEqual(d.idle().body, b"")
        # a key or an account of the same name may be the same person
        name = "dora" + secrets.token_hex(3)
        key = self.s.ctl("apikey", "add", name, "--scopes", "approve").strip().split()[-1]
        path = "/api/v1/approvals/" + self.erase(d, person=name)
        r = self.s.api("POST", path, json.dumps({"decision": "approve", "reason": "r"}).encode(),
                       key=key, headers={"Content-Type": "application/json"})
        self.assertEqual(r.status, 403)
        self.bad(1, "approvals", "approve", "1", "--why", "r", person="bob")
        for argv in ((), ("maybe",), ("approve", "1"), ("approve", "x", "--why", "r"), ("show",),
                     ("list", "1"), ("refuse", "1", "--why", "r", "--all")):
            self.assertIn("usage:", self.bad(2, "approvals", *argv))

    @unittest.skipUnless(os.geteuid() == 0, "root alone is taken for whom sudo names")
    def test_who_logged_in_has_the_word(self):
        def login():
            with open("/proc/self/loginuid", "w") as f:
                f.write("1")
        try:
            subprocess.run(["true"], preexec_fn=login, check=True)
        except subprocess.SubprocessError:
            self.skipTest("the kernel does not keep who logged in, or not for us to say")
        name = "tag" + secrets.token_hex(3)
        d = drover.device().enrol()
        subprocess.run([os.path.join(drover.BUILD, "droverctl"), "-c", self.s.run["config"], "tag",
                        "add", name, d.ident], env={**os.environ, "SUDO_USER": "mallory"},
                       preexec_fn=login, check=True)
        self.assertEqual(self.s.sql("SELECT DISTINCT actor FROM audit WHERE detail LIKE '%%%s%%' OR "
                                    "subject LIKE '%%%s%%'" % (name, name)),
                         [["droverctl:" + pwd.getpwuid(1).pw_name]])

    def test_devices(self):
        d = drover.device().enrol()
        rows = json.loads(self.good("devices", d.ident, "--json"))
        self.assertEqual([(r["id"], r["state"]) for r in rows], [(d.ident, "enrolled")])
        rows = json.loads(self.good("devices", "--serial", rows[0]["serial_number"], "--json"))
        self.assertEqual([r["id"] for r in rows], [d.ident])
        self.assertIn(d.ident, self.good("devices", "--devices-only", "--state", "enrolled"))

    def test_what_a_device_told(self):
        """Every part is printed; a look at where a person is, is on record."""
        d = drover.device().enrol()
        u = d.server.enqueue(d.ident, "DeviceLocation", push=False)
        d.idle()
        self.assertEqual(d.report(u, Latitude=52.5, Longitude=13.25).status, 200)
        for _ in range(100):
            if d.server.count("SELECT COUNT(*) FROM inv_answer a JOIN enrollment e ON "
                              "e.id=a.enrollment_id WHERE e.ident='%s'" % d.ident):
                break
            time.sleep(0.1)
        for part in ("facts", "profiles", "provisioning-profiles", "certificates", "apps",
                     "managed-apps", "app-data", "restrictions", "users", "os-updates",
                     "os-update-status", "settings", "answers", "events", "queue", "results",
                     "secrets"):
            json.loads(self.good("inventory", d.ident, part))
        self.assertEqual(json.loads(self.good("inventory", d.ident, "answers"))["items"][0]
                         ["answer"]["Latitude"], 52.5)
        looks = ("SELECT COUNT(*) FROM audit WHERE action='report.look' AND subject='%s' AND actor "
                 "LIKE 'droverctl:%%'" % d.ident)
        before = d.server.count(looks)
        self.good("inventory", d.ident, "answers")
        self.good("inventory", d.ident, "results")
        self.good("results", d.ident, u)
        self.assertGreaterEqual(d.server.count(looks), before + 2)

    def test_end(self):
        d = drover.device().enrol()
        self.good("end", d.ident, "--why", "sold")
        self.assertEqual(d.idle().status, 401)
        self.assertIn("already", self.bad(1, "end", d.ident, "--why", "sold"))
        self.assertIn("no enrollment", self.bad(1, "end", "nobody", "--why", "x"))

    def test_decide(self):
        d = drover.device()
        self.assertEqual(d.idle().status, 503)
        rows = json.loads(self.good("decide", "list", "--json"))
        self.assertIn(d.ident, [r["id"] for r in rows])
        self.good("decide", "end", d.ident, "--why", "not ours")
        self.assertEqual(d.idle().status, 401)
        self.good("decide", "accept", d.ident, "--why", "ours after all")
        self.assertEqual(d.idle().status, 200)
        self.assertIn("no unknown device", self.bad(1, "decide", "end", d.ident, "--why", "x"))

    def test_restored(self):
        self.good("restored", "--why", "test")
        self.assertIn("restored from a backup", self.good("status"))
        self.good("restored", "--settled")
        self.bad(1, "restored", "--settled")

    def test_ca(self):
        new = drover.CA(self.dir, "Another " + secrets.token_hex(4))
        d = drover.Device(self.s, new.issue(), via="proxy")
        self.assertEqual(d.authenticate().status, 403)
        with self.s.reloading():
            self.assertIn("Trusted: ", self.good("ca", "trust", new.cert))
        self.assertIn("Trusted already", self.good("ca", "trust", new.cert))
        with open(self.s.run["device_ca_file"]) as f, open(new.cert) as g:
            self.assertIn(g.read().strip(), f.read())
        drover.wait_for(lambda: d.authenticate().status == 200)
        rows = json.loads(self.good("ca", "show", "--json"))
        self.assertEqual(len(rows), 1 + self.s.count("SELECT COUNT(*) FROM trust_ca"))
        digest = hashlib.sha256(drover.Identity(new.cert, new.key).der).hexdigest()
        self.assertIn(digest, [r["sha256"] for r in rows])
        self.bad(2, "ca", "untrust", digest[:4])
        with self.s.reloading():
            self.good("ca", "untrust", ":".join(re.findall("..", digest.upper()))) # openssl's way
        with open(self.s.run["device_ca_file"]) as f, open(new.cert) as g:
            self.assertNotIn(g.read().strip(), f.read())
        self.bad(1, "ca", "trust", "/dev/null")
        leaf = new.issue()
        self.bad(1, "ca", "trust", leaf.cert)

    def test_reload_command(self):
        mark = os.path.join(self.dir, "reloaded")
        bundle = os.path.join(self.dir, "bundle.pem")
        conf = self.config(identity__ca_bundle=bundle, identity__reload_command="touch " + mark)
        self.good("ca", "bundle", config=conf)
        self.assertTrue(os.path.exists(mark))
        self.assertEqual(os.stat(bundle).st_mode & 0o777, 0o644)
        self.assertEqual([f for f in os.listdir(self.dir) if ".new" in f], [])
        conf = self.config(identity__ca_bundle=bundle, identity__reload_command="exit 3")
        self.assertIn("reload_command failed with 3", self.bad(1, "ca", "bundle", config=conf))
        conf = self.config(identity__ca_bundle="/nonexistent/x.pem")
        self.assertIn("/nonexistent", self.bad(1, "ca", "bundle", config=conf))

    def certificate(self, topic):
        drover.sh("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "90", "-subj",
                  "/UID=%s/CN=test" % topic, "-keyout", self.dir + "/p.key", "-out",
                  self.dir + "/p.pem")
        return self.dir + "/p.pem", self.dir + "/p.key"

    def test_pushcert(self):
        drover.device().enrol()
        topic = "com.apple.mgmt.External." + str(uuid.uuid4())
        cert, key = self.certificate(topic)
        self.assertIn("--force", self.bad(1, "pushcert", "renew", cert, key))
        self.good("pushcert", "add", cert, key)
        self.assertIn("--force", self.bad(1, "pushcert", "renew", cert, key))
        self.good("pushcert", "renew", cert, key, "--force")
        rows = json.loads(self.good("pushcert", "list", "--json"))
        self.assertEqual([r["version"] for r in rows if r["topic"] == topic], [2])
        self.bad(1, "pushcert", "add", cert)
        self.s.sql("DELETE FROM push_cert WHERE topic='%s'" % topic)

    def test_csr(self):
        key = self.dir + "/new.key"
        out = self.good("pushcert", "csr", "--key", key, "--name", "MDM of tests")
        self.assertEqual(os.stat(key).st_mode & 0o777, 0o600)
        text = drover.sh("openssl", "req", "-noout", "-subject", "-verify", "-pubkey",
                         data=out.encode()).decode()
        self.assertIn("MDM of tests", text)
        self.assertIn(drover.sh("openssl", "pkey", "-in", key, "-pubout").decode().strip(), text)
        self.bad(1, "pushcert", "csr", "--key", key)  # which is not overwritten


class FakeHost:
    """An HTTPS server that says what it is told to, in the web server's place."""

    def __init__(self, folder, identity, health=200, date=None, probe=None):
        outer = self
        self.health, self.date, self.probe = health, date, probe

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def date_time_string(self, *_):
                return outer.date or super().date_time_string()

            def reply(self, status, body):
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_GET(self):
                self.reply(outer.health, b"ok\n")

            def do_POST(self):
                self.rfile.read(int(self.headers["Content-Length"]))
                header = self.headers.get("Mdm-Signature", "")
                der = base64.b64decode(self.headers.get("Client-Cert", "").strip(":"))
                seen = {"signature": hashlib.sha256(header.encode()).hexdigest(),
                        "cert": hashlib.sha256(der).hexdigest()}
                answer = outer.probe(seen) if outer.probe else {}
                self.reply(200 if answer is not None else 404, json.dumps(answer).encode())

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(identity.cert, identity.key)
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.url = "https://localhost:%d" % self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Settings(CtlTest):
    def rows(self):
        return {r["name"]: r for r in json.loads(self.good("settings", "list", "--json"))}

    def test_settings(self):
        self.assertEqual(self.rows()["server.organization"]["origin"], "file")
        self.assertIn("change it there", self.bad(1, "settings", "set", "server.organization", "x"))
        self.assertIn("1 to 365", self.bad(1, "settings", "set", "invitation.days", "0"))
        self.bad(1, "settings", "set", "enroll.open", "yes")
        self.bad(2, "settings", "set", "invitation.days")
        self.bad(2, "settings", "list", "x")
        self.good("settings", "set", "server.support", "Room 7, +49 <b>123")
        try:
            row = self.rows()["server.support"]
            self.assertEqual((row["value"], row["origin"]), ("Room 7, +49 <b>123", "database"))
            drover.wait_for(lambda: b"Room 7, +49 &lt;b&gt;123" in self.s.request(
                "device_url", "GET", "/enroll", headers={"Accept": "text/html"}).body)
        finally:
            self.good("settings", "reset", "server.support")
        self.assertEqual(self.rows()["server.support"]["origin"], "default")
        self.assertEqual([r[0] for r in self.s.sql(
            "SELECT detail FROM audit WHERE action='setting.change' ORDER BY id DESC LIMIT 2")],
            ["was=Room 7, +49 <b>123 became=default", "was=default became=Room 7, +49 <b>123"])


    def api(self, method="GET", status=200, body=None, query="", key=None):
        r = self.s.api(method, "/api/v1/settings" + query, body and json.dumps(body).encode(), key=key,
                       headers={"Content-Type": "application/json"} if body else {})
        self.assertEqual(r.status, status, r.body[:600])
        return json.loads(r.body)

    def test_over_the_api(self):
        got = self.api()
        now = {x["name"]: x for x in got["settings"]}
        self.assertEqual(set(now), set(self.rows()))
        days = now["invitation.days"]
        self.assertEqual((days["type"], days["value"], days["default"], days["origin"],
                          days["minimum"], days["maximum"], days["changeable"]),
                         ("integer", 7, 7, "default", 1, 365, True))
        self.assertEqual((now["command.approval"]["type"], now["command.approval"]["choices"]),
                         ("choice", ["never", "sensitive"]))
        self.assertIs(now["renewal.grace"]["value"], False)
        self.assertEqual((now["server.organization"]["origin"],
                          now["server.organization"]["changeable"]), ("file", False))
        every = {x["name"]: x for x in self.api(query="?all=1")["settings"]}
        self.assertIn("scep.min_rsa", every)
        self.assertIs(every["scep.min_rsa"]["changeable"], False)
        self.assertEqual(self.s.api("GET", "/api/v1/settings", key=self.s.ctl(
            "apikey", "add", "r" + secrets.token_hex(4), "--scopes", "read").split()[-1]).status, 403)

        text = '"><script>' + secrets.token_hex(4)
        try:
            for body, said in (({"settings": {"invitation.days": 0}}, "1 to 365"),
                               ({"settings": {"invitation.days": "x"}}, "invitation"),
                               ({"settings": {"invitation.days": 1.5}}, "must be a string"),
                               ({"settings": {"invitation.days": [1]}}, "must be a string"),
                               ({"settings": {"no.such": 1}}, "no setting"),
                               ({"settings": {"scep.min_rsa": 2048}}, "no setting"),
                               ({"settings": {"server.organization": "x"}}, "change it there"),
                               ({"settings": {"server.support": "x" * 256}}, "longer than"),
                               ({"settings": {"server.support": text, "invitation.days": 0}},
                                "1 to 365"),
                               ({"settings": {}}, "must be an object"), ({"x": 1}, "x"),
                               ({"settings": {"server.support": text}, "version": "1"}, "version")):
                self.assertIn(said, self.api("PATCH", 400, body)["detail"])
            self.assertEqual(self.api()["version"], got["version"])
            new = self.api("PATCH", 200, {"settings": {"server.support": text,
                                                       "renewal.grace": True},
                                          "version": got["version"]})
            now = {x["name"]: x for x in new["settings"]}
            self.assertEqual((now["server.support"]["value"], now["renewal.grace"]["value"]),
                             (text, True))
            self.assertTrue(now["server.support"]["changed_by"].startswith("api:"))
            self.assertIn("meanwhile", self.api("PATCH", 409, {
                "settings": {"invitation.days": 9}, "version": got["version"]})["detail"])
            self.assertEqual(self.rows()["server.support"]["value"], text)
        finally:
            new = self.api("PATCH", 200, {"settings": {"server.support": None,
                                                       "renewal.grace": None}})
        now = {x["name"]: x for x in new["settings"]}
        self.assertEqual((now["server.support"]["origin"], now["renewal.grace"]["value"]),
                         ("default", False))


class Doctor(CtlTest):
    def doctor(self, config=None, tls_ca=True):
        """The findings, and what the exit status must be by them."""
        ca = tls_ca if isinstance(tls_ca, str) else self.s.run["ca_file"]
        status, out, err = self.ctl("doctor", "--json", *(["--tls-ca", ca] if tls_ca else []),
                                    config=config)
        found = json.loads(out)
        self.assertEqual(status, 1 if "fail" in [f["result"] for f in found] else 0, err)
        for f in found:
            self.assertEqual("fix" in f, f["result"] != "ok", f)
        return found

    def finds(self, result, check, *words, **how):
        """The one thing that is not as it should be."""
        found = self.doctor(**how)
        hits = [f for f in found if f["result"] == result and f["check"] == check
                and all(w in f["detail"] for w in words)]
        self.assertTrue(hits, [f for f in found if f["result"] != "ok"])
        return hits[0]

    def test_healthy(self):
        found = self.doctor()
        self.assertEqual([f for f in found if f["result"] == "fail"], [])
        self.assertTrue({"configuration", "files", "disk", "database", "clock", "schema", "rights",
                         "bundle", "agent", "push", "signer", "expiry", "device", "console",
                         "identity", "apns"} <= {f["check"] for f in found})
        text = self.good("doctor", "--tls-ca", self.s.run["ca_file"])
        self.assertIn(" 0 failed", text)

    def test_configuration(self):
        with open(self.dir + "/x.conf", "w") as f:
            f.write("[server]\ncolour = red\n")
        self.assertIn("colour", self.bad(1, "doctor", config=self.dir + "/x.conf"))
        self.bad(1, "doctor", config=self.dir + "/none.conf")

    def test_files(self):
        with open(self.s.run["mysql_password_file"]) as f:
            password = f.read()
        loose = os.path.join(self.dir, "password")
        with open(loose, "w") as f:
            f.write(password)
        os.chmod(loose, 0o644)
        self.finds("fail", "files", loose, config=self.config(database__owner_password_file=loose))
        conf = self.config()
        os.chmod(conf, 0o666)
        self.finds("fail", "files", conf, config=conf)
        keys = os.path.join(self.dir, "signer")
        shutil.copytree(os.path.join(self.s.state, "signer"), keys)
        os.chmod(keys + "/ca.key", 0o640)
        os.unlink(keys + "/seal.pub")
        conf = self.config(signer__dir=keys)
        self.finds("fail", "files", "ca.key", config=conf)
        self.finds("fail", "files", "seal.pub", config=conf)

    def test_files_that_the_configuration_names(self):
        """Each is read at some later moment, or by a program that cannot say so to anybody."""
        junk = os.path.join(self.dir, "junk.pem")
        with open(junk, "w") as f:
            f.write("no certificate\n")
        for key in ("server__tls_ca", "apns__ca", "enroll__profile_chain", "enroll__certificates",
                    "webhook__ca", "api__escrow_ca"):
            for path in "/nonexistent/x.pem", junk:
                with self.subTest(key=key, path=path):
                    f = self.finds("fail", "files", "[%s] %s" % tuple(key.split("__")), path,
                                   config=self.config(**{key: path}))
                    self.assertIn("PEM", f["fix"])
        self.finds("fail", "files", "/nonexistent/word",
                   config=self.config(scep__challenge_file="/nonexistent/word"))
        word = os.path.join(self.dir, "challenge")
        with open(word, "w") as f:
            f.write("a static challenge")
        os.chmod(word, 0o644)
        self.finds("fail", "files", word, config=self.config(scep__challenge_file=word))

    def test_disk(self):
        small = os.path.join(self.dir, "small")
        os.mkdir(small)
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", small],
                          capture_output=True).returncode != 0:
            self.skipTest("no right to mount")
        try:
            self.finds("fail", "disk", small, config=self.config(server__state_dir=small))
        finally:
            subprocess.run(["umount", small], check=True)
        self.finds("fail", "disk", "/nonexistent",
                   config=self.config(server__state_dir="/nonexistent"))

    def test_database(self):
        self.finds("fail", "database", "drover_owner",
                   config=self.config(database__socket=self.dir + "/none.sock"))
        wrong = os.path.join(self.dir, "wrong")
        with open(wrong, "w") as f:
            f.write("wrong")
        os.chmod(wrong, 0o600)
        self.finds("fail", "database", "drover_mdm",
                   config=self.config(database__mdm_password_file=wrong))

    def test_packet(self):
        def let(octets):
            drover.sh("mariadb", "--no-defaults", "--socket", self.s.run["mysql_socket"], "--user",
                      "root", "-e", "SET GLOBAL max_allowed_packet = %d" % octets)
        let(16 << 20)
        try:
            f = self.finds("warn", "packet", "max_allowed_packet is 16777216")
            self.assertIn("64M", f["fix"])
        finally:
            let(64 << 20)
        self.assertIn("ok", [f["result"] for f in self.doctor() if f["check"] == "packet"])

    def test_rights(self):
        self.s.sql("REVOKE INSERT ON drover.audit FROM drover_console")
        try:
            f = self.finds("fail", "rights", "drover_console lacks INSERT on audit")
            self.assertIn("droverctl grants", f["fix"])
        finally:
            self.good("grants")
        self.s.sql("REVOKE SELECT (at) ON drover.audit FROM drover_mdm")
        try:
            self.finds("fail", "rights", "drover_mdm lacks SELECT (at) on audit")
        finally:
            self.good("grants")
        self.s.sql("GRANT DELETE ON drover.audit TO drover_mdm")
        try:
            self.finds("warn", "rights", "drover_mdm", "DELETE on audit")
        finally:
            self.s.sql("REVOKE DELETE ON drover.audit FROM drover_mdm")
        self.assertEqual([f for f in self.doctor() if f["check"] == "rights" and
                          f["result"] != "ok"], [])

    def test_bundle(self):
        bundle = os.path.join(self.dir, "bundle.pem")
        conf = self.config(identity__ca_bundle=bundle, identity__reload_command="true")
        self.finds("fail", "bundle", bundle, config=conf)
        with open(bundle, "w") as f:
            f.write("nothing")
        os.chmod(bundle, 0o644)
        self.finds("fail", "bundle", "does not hold", config=conf)
        self.good("ca", "bundle", config=conf)
        self.assertIn("ok", [f["result"] for f in self.doctor(config=conf)
                             if f["check"] == "bundle"])

    def test_agent(self):
        with self.stopped_agent():
            self.finds("fail", "agent", "no agent is running")

    @contextlib.contextmanager
    def stopped_agent(self):
        pids = self.s.workers("agent")
        self.assertTrue(pids)
        for p in pids:
            os.kill(p, signal.SIGSTOP)
        try:
            self.s.sql("UPDATE lease SET expires_at=0")
            yield
        finally:
            for p in pids:
                os.kill(p, signal.SIGCONT)
            drover.wait_for(lambda: self.s.count(
                "SELECT COUNT(*) FROM lease WHERE expires_at > UNIX_TIMESTAMP(NOW(6)) * 1000000"))

    def test_push(self):
        none = "com.apple.mgmt.none"
        f = self.finds("fail", "push", none, config=self.config(enroll__topic=none))
        self.assertIn("pushcert add", f["fix"])
        topic = self.s.run["topic"]
        before = self.s.sql("SELECT not_after FROM push_cert WHERE topic='%s'" % topic)[0][0]
        soon = int((time.time() + 86400 * 10) * 1e6)
        for value, result, word in ((1, "fail", "expired"), (soon, "warn", "expires in 9")):
            self.s.sql("UPDATE push_cert SET not_after=%d WHERE topic='%s'" % (value, topic))
            try:
                self.finds(result, "push", word)
            finally:
                self.s.sql("UPDATE push_cert SET not_after=%s WHERE topic='%s'" % (before, topic))
        self.s.sql("UPDATE push_cert SET suspended_at=1, suspended_why='BadCertificate' "
                   "WHERE topic='%s'" % topic)
        try:
            self.finds("fail", "push", "BadCertificate")
        finally:
            self.s.sql("UPDATE push_cert SET suspended_at=NULL, suspended_why=NULL "
                       "WHERE topic='%s'" % topic)

    def test_signer(self):
        f = self.finds("fail", "signer", config=self.config(server__run_dir=self.dir))
        self.assertIn("start it", f["fix"])

    def test_restored_and_unknown(self):
        d = drover.device()
        self.assertEqual(d.idle().status, 503)
        self.good("restored")
        try:
            self.finds("warn", "restored")
            self.finds("warn", "unknown")
        finally:
            self.good("restored", "--settled")
            self.good("decide", "accept", d.ident, "--why", "test")
            self.assertEqual(d.idle().status, 200)

    def test_apns(self):
        self.finds("fail", "apns", config=self.config(apns__url="https://localhost:1"))
        self.finds("fail", "apns", config=self.config(apns__ca=""))

    def test_hosts(self):
        self.assertEqual([f for f in self.doctor(tls_ca=False) if f["result"] == "fail"], [])
        unknown = self.config(server__tls_ca="")
        for check in ("device", "console"):
            fix = self.finds("fail", check, "TLS", tls_ca=False, config=unknown)["fix"]
            self.assertIn("[server] tls_ca", fix)
            self.assertIn("--tls-ca FILE", fix)
        own = self.config(server__tls_ca="", enroll__certificates=self.s.run["ca_file"])
        found = self.doctor(tls_ca=False, config=own)
        self.assertEqual([f["result"] for f in found if f["check"] == "device"][:2], ["warn", "ok"])
        self.assertIn("[enroll] certificates", self.finds("warn", "device", tls_ca=False, config=own)["detail"])
        self.assertEqual({f["result"] for f in found if f["check"] == "identity"}, {"ok"})
        away = self.config(server__device_url="https://localhost:1")
        self.finds("fail", "device", "cannot be reached", config=away)
        self.assertIn("device host", self.finds("warn", "identity", "no certificate was tried",
                                                config=away)["fix"])
        self.finds("fail", "console", "cannot be reached",
                   config=self.config(server__console_url="https://name.invalid"))
        console = self.config(server__device_url=self.s.run["console_url"])
        self.assertIn("[server] device_url", self.finds(
            "fail", "identity", "is not answered by drover mdm", config=console)["fix"])

    def fake(self, **how):
        ca = drover.trusted_ca()
        end = how.pop("end", None)
        host = FakeHost(self.dir, ca.issue("localhost", usage="serverAuth", end=end), **how)
        self.addCleanup(host.close)
        return {"config": self.config(server__device_url=host.url), "tls_ca": ca.cert}

    def test_host_that_is_not_drover(self):
        self.finds("fail", "device", "answers 404", **self.fake(health=404))
        self.finds("fail", "device", "clock", **self.fake(date="Thu, 01 Jan 2026 00:00:00 GMT"))
        soon = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=5)
        self.finds("warn", "device", "TLS certificate expires in 4",
                   **self.fake(end=soon.strftime("%Y%m%d%H%M%SZ")))

    def test_identity(self):
        def probe(**change):
            def answer(seen):
                a = {"verify": "SUCCESS", "variable": seen["cert"], "signature": seen["signature"],
                     "proxy_trusted": False, **change}
                if a.get("proxy") == "same":
                    a["proxy"] = seen["cert"]
                return a
            return answer
        found = self.doctor(**self.fake(probe=probe()))
        self.assertEqual([f["result"] for f in found if f["check"] == "identity"], ["ok"] * 3)
        self.finds("fail", "identity", "says of a certificate", "NONE",
                   **self.fake(probe=probe(verify="NONE")))
        self.finds("fail", "identity", "FAILED", **self.fake(probe=probe(verify="FAILED:x")))
        self.finds("fail", "identity", "SSL_CLIENT_VERIFY does not reach",
                   **self.fake(probe=probe(verify=None)))
        self.finds("fail", "identity", "SSL_CLIENT_CERT", **self.fake(probe=probe(variable=None)))
        self.finds("fail", "identity", "Mdm-Signature", **self.fake(probe=probe(signature="cut")))
        self.finds("warn", "identity", "not believed", **self.fake(probe=probe(proxy="same")))
        self.finds("fail", "identity", "any device",
                   **self.fake(probe=probe(proxy="same", proxy_trusted=True)))


class Outside(CtlTest):
    """What needs a configuration of its own: a console and an agent beside the server's."""

    def program(self, name, config):
        p = subprocess.Popen([os.path.join(drover.BUILD, "drover"), name, "-c", config],
                             stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)

        def end():
            p.terminate()
            p.wait(20)
        self.addCleanup(end)
        return p

    def migrate(self, socket, message):
        body = message if isinstance(message, bytes) else plistlib.dumps(message)
        word = base64.b64encode(("nanomdm:" + self.s.run["api_key"]).encode()).decode()
        c = test_proc.FastCGI(socket)
        c.post("/migration", len(body), HTTP_AUTHORIZATION="Basic " + word)
        c.body(body)
        return c.answer()

    def test_migration_is_off(self):
        a = self.s.api("PUT", "/migration", plistlib.dumps({"MessageType": "CheckOut"}))
        self.assertEqual(a.status, 404)
        self.assertIn("nanomdm_migration", a.json()["error"])

    def test_migration(self):
        socket = os.path.join(self.dir, "c.sock")
        self.program("console", self.config(console__socket=socket, console__processes="1",
                                            api__nanomdm_migration="yes", server__run_dir=self.dir,
                                            server__log=self.dir + "/log"))
        drover.wait_for(lambda: os.path.exists(socket))
        d = drover.device()
        device = {"Topic": d.topic, **d.ids}
        authenticate = {"MessageType": "Authenticate", "SerialNumber": "MOVED1", **device}
        token = {"MessageType": "TokenUpdate", "PushMagic": d.magic, "Token": d.token,
                 "UnlockToken": b"moved token", **device}
        u = d.user(short="moved")
        user = {"MessageType": "TokenUpdate", "PushMagic": "m", "Token": b"t", "Topic": d.topic,
                **u.ids}
        self.assertEqual(self.migrate(socket, user)[0], 409)
        for message in (authenticate, token, user, {"MessageType": "CheckOut", **device}):
            self.assertEqual(self.migrate(socket, message), (200, b""), message["MessageType"])
        e = self.s.api("GET", "/v1/enrollments/" + d.ident).json()
        self.assertEqual((e["state"], e["device"]["serial_number"], e["has_unlock_token"]),
                         ("enrolled", "MOVED1", True))
        self.assertNotIn("certificate_sha256", e)
        self.assertEqual(self.s.api("GET", "/v1/push/" + d.ident).status, 200)
        # the first certificate that the device shows is its own from then on
        self.assertEqual(d.idle().status, 200)
        self.assertIn("certificate_sha256", self.s.api("GET", "/v1/enrollments/" + d.ident).json())
        other = drover.Device(self.s, drover.trusted_ca().issue(), udid=d.udid)
        self.assertEqual(other.idle().status, 403)
        for bad in (b"", b"hello", plistlib.dumps([]), {"MessageType": "Authenticate"},
                    {"MessageType": "GetToken", **device}, {**device}, {**token, "Token": "x"},
                    {**authenticate, "Topic": "x"}, {**authenticate, **u.ids}):
            status, body = self.migrate(socket, bad)
            self.assertEqual(status, 400, bad)
            self.assertTrue(json.loads(body)["error"])

    def escrow(self, **change):
        fields = {"topic": self.s.run["topic"], "serial": "S1", "productType": "iPhone1,1",
                  "escrowKey": "AAAAA-BBBBB", "orgName": "O & Co", "guid": "g-1", "imei": "123",
                  **change}
        body = urllib.parse.urlencode({k: v for k, v in fields.items() if v is not None})
        return self.s.api("POST", "/v1/escrowkeyunlock", body.encode(),
                          headers={"Content-Type": "application/x-www-form-urlencoded"})

    def test_escrow(self):
        for missing in ("topic", "serial", "productType", "escrowKey", "orgName", "guid"):
            a = self.escrow(**{missing: None})
            self.assertEqual((a.status, a.json()), (400, {"error": "missing field: " + missing}))
        self.assertEqual(self.escrow(topic="com.apple.mgmt.none").status, 500)

        apple = Apple(self.s)
        self.addCleanup(apple.close)
        conf = self.config(api__escrow_url=apple.url + "/deviceservicesworkers/escrowKeyUnlock",
                           api__escrow_ca=drover.trusted_ca().cert, server__log=self.dir + "/log")
        with Doctor.stopped_agent(self):
            self.program("agent", conf)
            a = self.escrow(imei2="")
            self.assertEqual((a.status, a.body), (200, b"unlocked"))
            self.assertEqual(a.headers["Content-Type"], "text/x-apple")
            path, body, subject = apple.seen[0]
            url = urllib.parse.urlsplit(path)
            self.assertEqual(url.path, "/deviceservicesworkers/escrowKeyUnlock")
            self.assertEqual(urllib.parse.parse_qs(url.query),
                             {"serial": ["S1"], "productType": ["iPhone1,1"], "imei": ["123"]})
            self.assertEqual(urllib.parse.parse_qs(body), {
                "orgName": ["O & Co"], "guid": ["g-1"], "escrowKey": ["AAAAA-BBBBB"]})
            self.assertIn(self.s.run["topic"], subject)
            apple.status, apple.body = 412, b"no such key"
            a = self.escrow()
            self.assertEqual((a.status, a.body), (412, b"no such key"))
            apple.close()
            a = self.escrow()
            self.assertEqual(a.status, 500)
            self.assertTrue(a.json()["error"])
        self.assertEqual(self.s.count("SELECT COUNT(*) FROM outcall"), 0)
        with open(self.s.run["log"], errors="replace") as f, open(self.dir + "/log") as g:
            self.assertNotIn("AAAAA-BBBBB", f.read() + g.read())


class Apple:
    """Apple's escrow key service, simulated: asks for a client certificate."""

    def __init__(self, server):
        outer = self
        self.status, self.body, self.seen = 200, b"unlocked", []

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                outer.seen.append((self.path, body, str(self.connection.getpeercert())))
                self.send_response(outer.status)
                self.send_header("Content-Type", "text/x-apple")
                self.send_header("Content-Length", str(len(outer.body)))
                self.end_headers()
                self.wfile.write(outer.body)

        identity = drover.trusted_ca().issue("localhost", usage="serverAuth")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(identity.cert, identity.key)
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(os.path.join(server.state, "sim", "push-ca.pem"))
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.url = "https://localhost:%d" % self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        if self.server:
            self.server.shutdown()
            self.server.server_close()
            self.server = None

"""The HTTP API: NanoMDM's contract status by status and octet by octet, and the rest of it."""

import base64
import http.client
import json
import os
import plistlib
import unittest
import urllib.parse
import uuid

import drover

SCRIPT = '"><script>alert(1)</script>'


def command(request_type="ProfileList", uuid_=None, **keys):
    u = uuid_ or str(uuid.uuid4()).upper()
    return u, plistlib.dumps({"CommandUUID": u, "Command": {"RequestType": request_type, **keys}})


class ApiTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.s = drover.server()

    def device(self):
        return drover.device().enrol()

    def api(self, method, path, body=None, **how):
        return self.s.api(method, path, body, **how)

    def json(self, method, path, value, **how):
        return self.api(method, path, json.dumps(value).encode(),
                        headers={"Content-Type": "application/json"}, **how)

    def key(self, scopes=None, *more):
        """A new API key and its name."""
        name = "test-" + uuid.uuid4().hex[:12]
        argv = ["apikey", "add", name, *(["--scopes", scopes] if scopes else []), *more]
        p = self.s.ctl(*argv)
        return p.split()[0], name

    def assert_error(self, answer, status, *words):
        """An error of our own form, which says something."""
        self.assertEqual(answer.status, status, answer)
        self.assertEqual(answer.headers["Content-Type"], "application/json")
        text = answer.json()["error"]
        for w in words:
            self.assertIn(w, text)
        self.assertNotIn(b"<script>", answer.body)


class Keys(ApiTest):
    def test_version_needs_none(self):
        for method in ("GET", "PUT"):
            a = self.s.request("api_url", method, "/version")
            self.assertEqual(a.status, 200)
            self.assertEqual(a.headers["Content-Type"], "application/json")
            self.assertRegex(a.body.decode(), r'\A\{"version":"[0-9.]+"\}\Z')

    def test_no_key_or_a_wrong_one(self):
        def basic(text):
            return {"Authorization": "Basic " + base64.b64encode(text.encode()).decode()}
        for headers in ({}, basic("nanomdm:wrong"), basic("nanomdm:"), basic("nanomdm"),
                        {"Authorization": "Bearer x"}, {"Authorization": "Basic %%%"}):
            for path in ("/v1/pushcert?topic=x", "/v1/push/x", "/v1/enqueue/x", "/migration",
                         "/v1/enrollments", "/v1/unknown"):
                a = self.s.request("api_url", "GET", path, headers=headers)
                if a.status == 429:  # too many wrong ones from here
                    continue
                self.assertEqual(a.status, 401, path)
                self.assertEqual(a.headers["WWW-Authenticate"], 'Basic realm="nanomdm"')
                self.assert_error(a, 401, "Unauthorized: ")

    @drover.lighttpd_only
    def test_revoked_and_expired(self):
        key, name = self.key()
        self.assertEqual(self.api("GET", "/v1/enrollments", key=key).status, 200)
        self.s.ctl("apikey", "revoke", name)
        drover.wait_for(lambda: self.api("GET", "/v1/enrollments", key=key).status in (401, 429), 15,
                        0.5)
        key, name = self.key(None, "--expires", "1s")
        drover.wait_for(lambda: self.api("GET", "/v1/enrollments", key=key).status in (401, 429), 15,
                        0.5)

    def test_scopes(self):
        calls = {"read": [("GET", "/v1/enrollments"), ("GET", "/v1/queue/nobody"),
                          ("GET", "/v1/results/nobody"), ("GET", "/v1/unknown"),
                          ("POST", "/v1/enrollments/query"), ("GET", "/v1/enrollments/nobody")],
                 "command": [("PUT", "/v1/enqueue/nobody"), ("DELETE", "/v1/queue/nobody")],
                 "push": [("GET", "/v1/push/nobody")],
                 "pushcert": [("GET", "/v1/pushcert?topic=x"), ("PUT", "/v1/pushcert")],
                 "migrate": [("PUT", "/migration")],
                 "decide": []}
        for scope in calls:
            key, _ = self.key(scope)
            for other, paths in calls.items():
                for method, path in paths:
                    a = self.api(method, path, b"" if method != "GET" else None, key=key)
                    if other == scope:
                        self.assertNotIn(a.status, (401, 403), (scope, path))
                    else:
                        self.assert_error(a, 403, other)

    def test_any_user_name(self):
        word = base64.b64encode(("somebody:" + self.s.run["api_key"]).encode()).decode()
        a = self.s.request("api_url", "GET", "/v1/enrollments",
                           headers={"Authorization": "Basic " + word})
        self.assertEqual(a.status, 200)


class Push(ApiTest):
    def test_one(self):
        d = self.device()
        mark = self.s.pushes(token=d.token.hex())
        for method in ("GET", "PUT", "POST", "DELETE"):
            a = self.api(method, "/v1/push/" + d.ident, b"" if method != "GET" else None)
            self.assertEqual(a.status, 200, a)
            apns_id = a.json()["status"][d.ident]["push_result"]
            self.assertEqual(a.body.decode(),
                             '{\n\t"status": {\n\t\t"%s": {\n\t\t\t"push_result": "%s"\n\t\t}\n\t}\n}\n'
                             % (d.ident, apns_id))
        sent = self.s.pushes(token=d.token.hex())
        self.assertGreater(len(sent), len(mark))
        self.assertIn(apns_id.lower(), [p["apns_id"].lower() for p in sent])

    def test_some_and_all_fail(self):
        d = self.device()
        a = self.api("GET", "/v1/push/%s,nobody" % d.ident)
        self.assertEqual(a.status, 207)
        self.assertEqual(a.json()["status"]["nobody"], {"push_error": "push data missing for id"})
        self.assertIn("push_result", a.json()["status"][d.ident])
        a = self.api("GET", "/v1/push/nobody,noone")
        self.assertEqual(a.status, 500)
        self.assertEqual(set(a.json()["status"]), {"nobody", "noone"})

    def test_no_ids(self):
        a = self.api("GET", "/v1/push/")
        self.assertEqual(a.status, 500)
        self.assertEqual(set(a.json()), {"push_error"})

    def test_escapes(self):
        d, e = self.device(), self.device()
        u = d.user().token_update
        user = d.user(short="bob")
        self.assertEqual(user.token_update().status, 200)
        self.assertIsNotNone(u)
        path = "%s%%2C%s%%2c%s" % (d.ident, e.ident, user.ident.replace(":", "%3A"))
        a = self.api("GET", "/v1/push/" + path)
        self.assertEqual(a.status, 200, a)
        self.assertEqual(set(a.json()["status"]), {d.ident, e.ident, user.ident})

    def test_what_apns_says(self):
        d = self.device()
        self.s.push_rules([{"token": d.token.hex(), "status": 410, "reason": "Unregistered",
                            "timestamp": 4102444800000}])
        self.addCleanup(self.s.push_rules, [])
        a = self.api("GET", "/v1/push/" + d.ident)
        self.assertEqual(a.status, 500)
        self.assertEqual(a.json()["status"][d.ident],
                         {"push_error": "push HTTP status: 410: APNs push error: Unregistered"})

    def test_list(self):
        d, e = self.device(), self.device()
        a = self.json("POST", "/v1/push", {"ids": [d.ident, e.ident, d.ident, "nobody"]})
        self.assertEqual(a.status, 207, a)
        self.assertEqual(list(a.json()["status"]), sorted([d.ident, e.ident, "nobody"]))
        for bad in ({}, {"ids": []}, {"ids": "x"}, {"ids": [1]}, {"ids": ["x"], "more": 1}, [], 1):
            self.assert_error(self.json("POST", "/v1/push", bad), 400)


class Enqueue(ApiTest):
    def test_one_with_push(self):
        d = self.device()
        u, body = command()
        a = self.api("PUT", "/v1/enqueue/" + d.ident, body)
        self.assertEqual(a.status, 200, a)
        self.assertEqual(a.headers["Content-Type"], "application/json")
        pushed = a.json()["status"][d.ident]["push_result"]
        self.assertEqual(a.body.decode(),
                         '{\n\t"status": {\n\t\t"%s": {\n\t\t\t"push_result": "%s"\n\t\t}\n\t},\n'
                         '\t"command_uuid": "%s",\n\t"request_type": "ProfileList"\n}\n'
                         % (d.ident, pushed, u))
        self.assertEqual(d.idle().plist(), plistlib.loads(body))

    def test_nopush(self):
        d = self.device()
        before = len(self.s.pushes(token=d.token.hex()))
        u, body = command()
        a = self.api("POST", "/v1/enqueue/%s?nopush=1" % d.ident, body)
        self.assertEqual(a.status, 200, a)
        self.assertEqual(a.body.decode(),
                         '{\n\t"no_push": true,\n\t"command_uuid": "%s",\n'
                         '\t"request_type": "ProfileList"\n}\n' % u)
        self.assertEqual(len(self.s.pushes(token=d.token.hex())), before)
        self.assertEqual(d.idle().plist()["CommandUUID"], u)

    def test_empty_nopush_is_none(self):
        d = self.device()
        a = self.api("PUT", "/v1/enqueue/%s?nopush=" % d.ident, command()[1])
        self.assertIn("push_result", a.json()["status"][d.ident])

    def test_empty_body_only_pushes(self):
        d = self.device()
        a = self.api("PUT", "/v1/enqueue/" + d.ident, b"")
        self.assertEqual(a.status, 200)
        self.assertEqual(set(a.json()), {"status"})
        self.assertIn("push_result", a.json()["status"][d.ident])
        a = self.api("PUT", "/v1/enqueue/%s?nopush=1" % d.ident, b"")
        self.assertEqual(a.status, 500)
        self.assertIn("must enqueue or push", a.json()["command_error"])

    def test_no_command(self):
        d = self.device()
        for body in (b"hello", b"<plist/>", b"<?xml version='1.0'?><plist><array/></plist>",
                     plistlib.dumps(
                         {"CommandUUID": "", "Command": {"RequestType": "X"}}),
                     plistlib.dumps({"CommandUUID": "u", "Command": {}}),
                     plistlib.dumps({"CommandUUID": 1, "Command": {"RequestType": "X"}}),
                     plistlib.dumps({"CommandUUID": "u"}),
                     plistlib.dumps({"CommandUUID": "u", "Command": {"RequestType": SCRIPT}})):
            a = self.api("PUT", "/v1/enqueue/" + d.ident, body)
            self.assertEqual(a.status, 500, body)
            self.assertEqual(set(a.json()), {"command_error"})
        self.assertEqual(d.idle().body, b"")

    def test_uuid_used_before(self):
        d, e = self.device(), self.device()
        u, body = command()
        self.assertEqual(self.api("PUT", "/v1/enqueue/" + d.ident, body).status, 200)
        a = self.api("PUT", "/v1/enqueue/" + e.ident, body)
        self.assertEqual(a.status, 500)
        self.assertIn("used before", a.json()["command_error"])
        self.assertNotIn("status", a.json())
        self.assertEqual(e.idle().body, b"")

    @drover.lighttpd_only
    def test_a_bad_id_does_not_keep_others_from_it(self):
        d, gone, pending = self.device(), self.device(), drover.device()
        self.assertEqual(gone.checkin({"MessageType": "CheckOut", "Topic": gone.topic,
                                       **gone.ids}).status, 200)
        self.assertEqual(pending.authenticate().status, 200)
        u, body = command()
        long = "x" * 300
        a = self.api("PUT", "/v1/enqueue/%s,nobody,%s,,%s,%s,%s" % (
            d.ident, gone.ident, pending.ident, long, urllib.parse.quote(SCRIPT, safe="")), body)
        self.assertEqual(a.status, 207, a)
        status = a.json()["status"]
        self.assertEqual(set(status), {d.ident, "nobody", gone.ident, "", pending.ident, long,
                                       SCRIPT})
        self.assertNotIn(b"<script>", a.body)
        self.assertEqual(set(status[d.ident]), {"push_result"})
        for bad in set(status) - {d.ident}:
            self.assertEqual(set(status[bad]), {"push_error", "command_error"})
        self.assertIn("checked out", status[gone.ident]["command_error"])
        self.assertEqual(d.idle().plist()["CommandUUID"], u)
        self.assertEqual(gone.idle().body, b"")

    def test_all_fail(self):
        u, body = command()
        a = self.api("PUT", "/v1/enqueue/nobody", body)
        self.assertEqual(a.status, 500)
        self.assertEqual(a.json(), {"status": {"nobody": {
            "push_error": "push data missing for id", "command_error": "unknown enrollment id"}},
            "command_uuid": u, "request_type": "ProfileList"})
        self.assertEqual(self.s.count("SELECT COUNT(*) FROM command WHERE uuid='%s'" % u), 0)

    def test_same_id_twice(self):
        d = self.device()
        u, body = command()
        a = self.api("PUT", "/v1/enqueue/%s,%s" % (d.ident, d.ident), body)
        self.assertEqual(a.status, 200)
        self.assertEqual(list(a.json()["status"]), [d.ident])

    def test_as_many_as_a_path_holds(self):
        d = self.device()
        ids = [str(uuid.uuid4()) for _ in range(200)] + [d.ident]
        u, body = command()
        a = self.api("PUT", "/v1/enqueue/" + ",".join(ids), body)
        self.assertEqual(a.status, 207, a)
        self.assertEqual(list(a.json()["status"]), sorted(ids))

    def test_binary_plist(self):
        d = self.device()
        u = str(uuid.uuid4())
        wanted = {"CommandUUID": u, "Command": {"RequestType": "InstallProfile", "Payload": b"\0x"}}
        a = self.api("PUT", "/v1/enqueue/" + d.ident, plistlib.dumps(wanted,
                                                                     fmt=plistlib.FMT_BINARY))
        self.assertEqual(a.status, 200, a)
        # a profile may hold passwords: it is nowhere in the clear until it is delivered
        self.assertEqual(drover.server().count(
            "SELECT COUNT(*) FROM command WHERE uuid = '%s' AND sealed IS NOT NULL AND body NOT "
            "LIKE '%%Payload%%'" % u), 1)
        got = d.idle()
        self.assertTrue(got.body.startswith(b"<?xml"))
        self.assertEqual(got.plist(), wanted)

    def test_clear_passcode_gets_the_devices_own_token(self):
        d, without = drover.device(), self.device()
        self.assertEqual(d.authenticate().status, 200)
        self.assertEqual(d.token_update(UnlockToken=b"unlock me").status, 200)
        u, body = command("ClearPasscode")
        a = self.api("PUT", "/v1/enqueue/%s,%s" % (d.ident, without.ident), body)
        self.assertEqual(a.status, 207, a)
        self.assertIn("UnlockToken", a.json()["status"][without.ident]["command_error"])
        self.assertEqual(d.idle().plist()["Command"], {"RequestType": "ClearPasscode",
                                                       "UnlockToken": b"unlock me"})
        self.assertEqual(self.s.count("SELECT COUNT(*) FROM command WHERE uuid='%s' AND "
                                      "INSTR(body, TO_BASE64('unlock me')) > 0" % u), 0)
        self.assertEqual(without.idle().body, b"")

    def test_list(self):
        d = self.device()
        u, body = command()
        ids = [str(uuid.uuid4()) for _ in range(3000)] + [d.ident]
        a = self.json("POST", "/v1/enqueue", {
            "ids": ids, "command": base64.b64encode(body).decode(), "priority": 5,
            "expires_at": "2099-01-01T00:00:00Z"})
        self.assertEqual(a.status, 207)
        self.assertEqual(set(a.json()["status"][d.ident]), {"push_result"})
        q = self.api("GET", "/v1/queue/" + d.ident).json()["commands"]
        self.assertEqual([(c["command_uuid"], c["priority"], c["expires_at"]) for c in q],
                         [(u, 5, "2099-01-01T00:00:00.000000Z")])

    def test_dedupe(self):
        d = self.device()

        def send(dedupe):
            u, body = command("DeviceInformation")
            a = self.json("POST", "/v1/enqueue", {
                "ids": [d.ident], "command": base64.b64encode(body).decode(), "push": False,
                "dedupe_key": "inventory", "dedupe": dedupe})
            return u, a
        first, a = send("skip")
        self.assertEqual(a.status, 200, a)
        second, a = send("skip")
        self.assertEqual(a.status, 500)
        self.assertIn("dedupe", a.json()["status"][d.ident]["command_error"])
        third, a = send("supersede")
        self.assertEqual(a.status, 200)
        self.assertEqual(self.s.command_state(d.ident, first), "cancelled")
        self.assertEqual(d.idle().plist()["CommandUUID"], third)

    def test_list_of_the_wrong_form(self):
        good = {"ids": ["x"], "command": base64.b64encode(command()[1]).decode()}
        for change in ({"ids": {}}, {"ids": [None]}, {"command": 1}, {"command": "???"},
                       {"command": "aGVsbG8="}, {"priority": 101}, {"priority": "x"},
                       {"push": "yes"}, {"not_before": "tomorrow"}, {"expires_at": 5},
                       {"expires_at": "2001-01-01T00:00:00Z"}, {"dedupe": "maybe"},
                       {"dedupe_key": ""}, {"dedupe_key": "k" * 129}, {SCRIPT: 1}):
            self.assert_error(self.json("POST", "/v1/enqueue", {**good, **change}), 400)
        a = self.api("POST", "/v1/enqueue", b"{}", headers={"Content-Type": "text/plain"})
        self.assertEqual(a.status, 415)


class PushCert(ApiTest):
    def certificate(self, topic, days=365):
        """A self-signed certificate with that UID, and its key."""
        path = os.path.join(self.s.state, "test-" + uuid.uuid4().hex)
        drover.sh("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", str(days),
                  "-subj", ("/UID=" + topic if topic else "") + "/CN=test", "-keyout",
                  path + ".key", "-out", path + ".pem")
        with open(path + ".key", "rb") as k, open(path + ".pem", "rb") as c:
            return c.read(), k.read()

    def test_put_and_get(self):
        topic = "com.apple.mgmt.External." + str(uuid.uuid4())
        cert, key = self.certificate(topic)
        for pem in (cert + key, key + cert, cert.rstrip() + key):
            a = self.api("PUT", "/v1/pushcert", pem)
            self.assertEqual(a.status, 200, a)
            self.assertRegex(a.body.decode(), r'\A\{\n\t"not_after": "20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ",'
                                              r'\n\t"topic": "%s"\n\}\n\Z' % topic)
        b = self.api("GET", "/v1/pushcert?topic=" + topic)
        self.assertEqual((b.status, b.body), (200, a.body))
        stored = self.s.sql("SELECT HEX(key_sealed) FROM push_cert WHERE topic='%s'" % topic)[0][0]
        self.assertNotIn(b"PRIVATE", bytes.fromhex(stored))

    @drover.lighttpd_only
    def test_refused(self):
        cert, key = self.certificate("com.apple.mgmt.x")
        other, _ = self.certificate("com.apple.mgmt.x")
        no_topic = b"".join(self.certificate(""))
        wrong_topic = b"".join(self.certificate("com.example.app"))
        for pem in (b"", b"hello", cert, key, other + key, no_topic, wrong_topic, cert + key + key,
                    SCRIPT.encode(), b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----",
                    b"\0" * 1000):
            self.assert_error(self.api("PUT", "/v1/pushcert", pem), 400)

    def test_methods_and_topics(self):
        self.assertEqual(self.api("DELETE", "/v1/pushcert").status, 405)
        self.assert_error(self.api("GET", "/v1/pushcert"), 400, "topic")
        self.assert_error(self.api("GET", "/v1/pushcert?topic=com.apple.mgmt.none"), 404)


class Enrollments(ApiTest):
    def test_one(self):
        d = self.device()
        self.assertEqual(d.user(short="carol").token_update().status, 200)
        e = self.api("GET", "/v1/enrollments/" + d.ident).json()
        self.assertEqual((e["id"], e["type"], e["enabled"], e["state"], e["token_update_tally"]),
                         (d.ident, "Device", True, "enrolled", 1))
        self.assertEqual(e["device"]["device_cert"].split(), d.identity.pem.split())
        self.assertNotIn("unlock_token", json.dumps(e).replace("has_unlock_token", ""))
        self.assertEqual(self.api("HEAD", "/v1/enrollments/" + d.ident).status, 200)
        self.assert_error(self.api("GET", "/v1/enrollments/nobody"), 404)

    def test_filters(self):
        d = self.device()
        u = d.user(short="dora-" + uuid.uuid4().hex)
        self.assertEqual(u.token_update().status, 200)
        serial = self.api("GET", "/v1/enrollments/" + d.ident).json()["device"]["serial_number"]

        def ids(path):
            a = self.api("GET", "/v1/enrollments" + path)
            self.assertEqual(a.status, 200, a)
            return [e["id"] for e in a.json()["enrollments"]]
        self.assertEqual(ids("?id=%s&id=nobody" % d.ident), [d.ident])
        self.assertEqual(ids("?serial=" + serial), [d.ident])
        self.assertEqual(ids("?user_short_name=" + u.ids["UserShortName"]), [u.ident])
        self.assertEqual(ids("?serial=%s&type=User" % serial), [])
        self.assertEqual(ids("?id=%s&enabled=false" % d.ident), [])
        self.assertEqual(ids("?id=%s&state=enrolled&enabled=true" % d.ident), [d.ident])
        q = self.json("POST", "/v1/enrollments/query", {
            "filter": {"ids": [d.ident, u.ident], "types": ["User"], "enabled": True}})
        self.assertEqual([e["id"] for e in q.json()["enrollments"]], [u.ident])
        self.assertEqual(q.json()["enrollments"][0]["device_id"], d.ident)
        q = self.json("POST", "/v1/enrollments/query?limit=1", {
            "filter": {"serials": [serial]}, "options": {"include_device_cert": True}})
        self.assertIn("BEGIN CERTIFICATE", q.json()["enrollments"][0]["device"]["device_cert"])
        self.assertEqual(self.json("POST", "/v1/enrollments/query",
                                   {"filter": {"ids": []}}).json(), {"enrollments": []})

    def test_pages(self):
        for _ in range(5):
            self.device()
        for order in ("id", "last_seen"):
            seen, cursor = [], ""
            while cursor is not None:
                a = self.api("GET", "/v1/enrollments?limit=3&order=%s%s" % (
                    order, "&cursor=" + cursor if cursor else "")).json()
                seen += [e["id"] for e in a["enrollments"]]
                cursor = a.get("next_cursor")
            self.assertEqual(len(seen), len(set(seen)))
            self.assertEqual(len(seen), self.s.count("SELECT COUNT(*) FROM enrollment"))

    def test_wrong(self):
        for q in ("limit=0", "limit=501", "limit=x", "limit=-1", "cursor=x", "cursor=s1.2",
                  "cursor=i1&order=last_seen", "order=name", "enabled=maybe", "type=Phone",
                  "state=" + urllib.parse.quote(SCRIPT), "offset=-1", "serial_number=C02",
                  "limit=5&Serial=C02", "=x", "x"):
            self.assert_error(self.api("GET", "/v1/enrollments?" + q), 400)
        for body in ({"filter": []}, {"filter": {"ids": "x"}}, {"filter": {"types": ["x"]}},
                     {"options": 1}, {"options": {"include_unlock_token": True}}, {"x": 1}, [], None,
                     {"filter": {"enabled": "yes"}}, {"options": {"include_device_cert": "yes"}},
                     {"options": {"include_device_certs": True}},
                     {"filter": {"serial_numbers": ["C02"]}}):  # would be all devices
            self.assert_error(self.json("POST", "/v1/enrollments/query", body), 400)


class Queue(ApiTest):
    def test_list_cancel_results(self):
        d = self.device()
        u = [self.s.enqueue(d.ident, "DeviceInformation", push=False) for _ in range(5)]
        got, cursor = [], ""
        while cursor is not None:
            a = self.api("GET", "/v1/queue/%s?limit=2&include_command=true%s" % (
                d.ident, "&cursor=" + cursor if cursor else "")).json()
            got += a["commands"]
            cursor = a.get("next_cursor")
        self.assertEqual([c["command_uuid"] for c in got], u)
        self.assertEqual({c["state"] for c in got}, {"queued"})
        self.assertEqual(plistlib.loads(base64.b64decode(got[0]["command"]))["CommandUUID"], u[0])

        a = self.api("DELETE", "/v1/queue/%s/%s?why=changed" % (d.ident, u[1]))
        self.assertEqual((a.status, a.body), (204, b""))
        self.assert_error(self.api("DELETE", "/v1/queue/%s/%s" % (d.ident, u[1])), 404)
        d.idle()
        d.report(u[0], "Error", ErrorChain=[{"ErrorCode": 12, "ErrorDomain": "D",
                                             "USEnglishDescription": SCRIPT}])
        one = self.api("GET", "/v1/results/%s/%s?include_command=1" % (d.ident, u[0]))
        self.assertNotIn(b"<script>", one.body)
        one = one.json()
        self.assertEqual((one["state"], one["status"], one["error_chain"]),
                         ("error", "Error", [{"code": 12, "domain": "D", "description": SCRIPT}]))
        self.assertEqual(plistlib.loads(base64.b64decode(one["report"]))["CommandUUID"], u[0])
        self.assertEqual(self.api("GET", "/v1/results/%s/%s" % (d.ident, u[4])).json()["state"],
                         "queued")
        a = self.api("DELETE", "/v1/queue/" + d.ident)
        self.assertEqual(a.status, 204)
        self.assertEqual(self.api("GET", "/v1/queue/" + d.ident).json(), {"commands": []})
        got, cursor = [], ""
        while cursor is not None:
            a = self.api("GET", "/v1/results/%s?limit=2%s" % (
                d.ident, "&cursor=" + cursor if cursor else "")).json()
            got += a["results"]
            cursor = a.get("next_cursor")
        self.assertEqual([c["command_uuid"] for c in got], u[::-1])
        self.assertEqual([c["state"] for c in got], ["cancelled"] * 4 + ["error"])
        self.assertIn("changed", got[3]["closed_why"])
        self.assertEqual(d.idle().body, b"")

    def test_a_parameter_that_is_none(self):
        """What narrows a question or a deed is known, or refused: never all is meant by it."""
        d = self.device()
        path = "/v1/enqueue/%s?nopush=1" % d.ident
        uuids = [self.api("PUT", path, command()[1]).json()["command_uuid"] for _ in range(2)]
        a = self.api("DELETE", "/v1/queue/%s?uuid=%s" % (d.ident, uuids[0]))
        self.assert_error(a, 400)
        self.assertIn('there is no parameter "uuid" here; there are: why', a.json()["error"])
        a = self.api("DELETE", "/v1/queue/%s?why=%s" % (d.ident, "%C3%A4" * 256))
        self.assert_error(a, 400)  # a reason is kept whole
        left = self.api("GET", "/v1/queue/%s?limit=5&" % d.ident).json()["commands"]
        self.assertEqual([c["command_uuid"] for c in left], uuids)
        self.assertEqual(self.api("DELETE", "/v1/queue/%s?why=test" % d.ident).status, 204)
        # NanoMDM takes what it does not know.
        self.assertEqual(self.api("GET", "/v1/push/%s?expiration=1" % d.ident).status, 200)

    def test_unknown_and_hostile(self):
        d = self.device()
        self.assert_error(self.api("GET", "/v1/queue/nobody"), 404)
        self.assert_error(self.api("GET", "/v1/results/nobody"), 404)
        self.assert_error(self.api("GET", "/v1/results/%s/none" % d.ident), 404)
        a = self.api("DELETE", "/v1/queue/%s,nobody" % d.ident)
        self.assertEqual((a.status, set(a.json()["status"])), (207, {"nobody"}))
        self.assertEqual(self.api("DELETE", "/v1/queue/nobody").status, 500)
        for path in ("/v1/queue/", "/v1/results/a/", "/v1/queue/x?cursor=1",
                     "/v1/queue/x?limit=9999", "/v1/results/x?cursor=y",
                     "/v1/queue/x?include_command=perhaps"):
            self.assert_error(self.api("GET", path), 400)
        self.assert_error(self.api("GET", "/v1/results/a/b/c"), 404)
        script = urllib.parse.quote(SCRIPT, safe="")
        self.assert_error(self.api("GET", "/v1/queue/" + script), 404)


class Unknown(ApiTest):
    def stranger(self):
        d = drover.device()
        self.assertEqual(d.idle().status, 503)
        row = [x for x in self.listed() if x["enrollment_id"] == d.ident]
        self.assertEqual(len(row), 1)
        return d, row[0]

    def listed(self):
        found, cursor = [], 0
        while cursor is not None:
            a = self.api("GET", "/v1/unknown?limit=50&cursor=%d" % cursor)
            self.assertEqual(a.status, 200, a)
            found += a.json()["devices"]
            cursor = a.json().get("next_cursor")
        return found

    def decide(self, number, decision, why="test"):
        return self.json("POST", "/v1/unknown/%s" % number, {"decision": decision, "why": why})

    def test_accept(self):
        d, row = self.stranger()
        self.assertEqual((row["decision"], row["last_message"]), ("open", "Idle"))
        a = self.decide(row["id"], "accept")
        self.assertEqual(a.status, 200, a)
        self.assertEqual((a.json()["decision"], a.json()["decided_by"]), ("accept", "api:nanomdm"))
        self.assert_error(self.decide(row["id"], "accept"), 409)
        self.assertEqual(d.idle().status, 200)
        self.assertNotIn(d.ident, [x["enrollment_id"] for x in self.listed()])
        u, body = command()
        a = self.api("PUT", "/v1/enqueue/" + d.ident, body)
        self.assertEqual(a.json()["status"][d.ident], {"push_error": "push data missing for id"})
        self.assertEqual(d.idle().plist()["CommandUUID"], u)
        self.assertEqual(d.token_update().status, 200)
        self.assertEqual(self.api("GET", "/v1/push/" + d.ident).status, 200)

    def test_end_and_back(self):
        d, row = self.stranger()
        self.assertEqual(self.decide(row["id"], "end").status, 200)
        self.assertEqual(d.idle().status, 401)
        self.assertEqual(self.decide(row["id"], "open").status, 200)
        self.assertEqual(d.idle().status, 503)
        audit = self.s.sql("SELECT action, actor FROM audit WHERE subject='%s'" % d.ident)
        self.assertEqual(audit.count(["unknown.decide", "api:nanomdm"]), 2)

    def test_wrong(self):
        _, row = self.stranger()
        for body in ({}, {"decision": "accept"}, {"decision": "x", "why": "y"}, {"why": "y"},
                     {"decision": "end", "why": ""}, {"decision": "end", "why": "w" * 256}, [1],
                     {"decision": 1, "why": "y"}):
            self.assert_error(self.json("POST", "/v1/unknown/%d" % row["id"], body), 400)
        for number in ("999999999", "x", "-1", "1e3", "9" * 30):
            self.assert_error(self.decide(number, "end"), 404)
        self.assert_error(self.api("GET", "/v1/unknown?decision=maybe"), 400)


class Hostile(ApiTest):
    def test_bodies(self):
        deep = b"[" * 100000 + b"]" * 100000
        many = b"[" + b"1," * 300000 + b"1]"
        json_type = {"Content-Type": "application/json"}
        for body in (deep, many, b"\xff\xfe", b'{"ids":["a"],"ids":["b"]}', b'{"ids":["\\u0000"]}',
                     b"nul", b'{"ids":["x"]} x', b"", SCRIPT.encode(), b'"' + b"x" * 10_000_000):
            for path in ("/v1/push", "/v1/enqueue"):
                self.assert_error(self.api("POST", path, body, headers=json_type), 400)
        for path in ("/v1/enqueue", "/v1/push"):
            try:
                status = self.api("POST", path, b"x" * (17 << 20), headers=json_type).status
            except (OSError, http.client.HTTPException):
                continue  # the server hung up while the client still sent
            self.assertEqual(status, 413)

    def test_large_command(self):
        d = self.device()
        u, body = command("InstallProfile", Payload=b"x" * 10_000_000)
        a = self.api("PUT", "/v1/enqueue/" + d.ident, body)
        self.assertEqual(a.status, 200, a)
        self.assertEqual(d.idle().plist()["Command"]["Payload"], b"x" * 10_000_000)
        # As of any profile, nothing of it stands in the database in the clear.
        self.assertEqual(self.s.sql("SELECT LENGTH(body) < 1000, LENGTH(sealed) > 10000000, "
                                    "LOCATE('eHh4eHh4', sealed) FROM command WHERE uuid = '%s'" % u),
                         [["1", "1", "0"]])
        queued = self.api("GET", "/v1/queue/%s?include_command=1&limit=5" % d.ident).json()
        self.assertLess(len(queued["commands"][0]["command"]), 1000)
        one = self.api("GET", "/v1/results/%s/%s?include_command=1" % (d.ident, u)).json()
        self.assertIn("InstallProfile", base64.b64decode(one["command"]).decode())

    def test_large_report(self):
        d = self.device()
        u = self.s.enqueue(d.ident, "ProfileList", push=False)
        d.idle()
        self.assertEqual(d.report(u, Blob=b"y" * 9_000_000).status, 200)
        one = self.api("GET", "/v1/results/%s/%s" % (d.ident, u)).json()
        self.assertEqual(len(plistlib.loads(base64.b64decode(one["report"]))["Blob"]), 9_000_000)

    def test_openapi(self):
        a = self.s.request("api_url", "GET", "/v1/openapi.json")
        self.assertEqual((a.status, a.headers["Content-Type"]), (200, "application/json"))
        self.assertEqual(a.json()["openapi"], "3.1.0")
        for path in ("/v1/nothing", "/v1", "/v1/", "/v1/enrollments/a/b"):
            self.assertEqual(self.api("GET", path).status, 404, path)
        self.assertEqual(self.api("PATCH", "/v1/enrollments").status, 405)

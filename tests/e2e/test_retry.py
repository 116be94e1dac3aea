"""Commands that failed are sent again: over the API, at the shell and in the console, once while the
other is open, and by the rules of the first."""

import json
import threading
import unittest
import urllib.parse
import uuid

import drover
from test_api_orders import Person

CHAIN = [{"ErrorCode": 12021, "ErrorDomain": "MCMDMErrorDomain", "LocalizedDescription": "no"}]


class Retries(unittest.TestCase):
    webs = ("lighttpd",)

    @classmethod
    def setUpClass(cls):
        cls.s = drover.server()
        cls.plain = cls.s.ctl("apikey", "add", "plain" + uuid.uuid4().hex[:6], "--scopes",
                              "command read").strip().split()[-1]

    def setUp(self):
        self.d = drover.device().enrol()
        self.s.sql("UPDATE enrollment SET product_name = 'iPhone14,2', os_version = '17.4' WHERE "
                   "ident = '%s'" % self.d.ident)

    def post(self, path, body, status=200, key=None):
        r = self.s.api("POST", path, json.dumps(body).encode(), key=key,
                       headers={"Content-Type": "application/json"})
        self.assertEqual(r.status, status, r.body[:600])
        return json.loads(r.body)

    def order(self, request_type, command=None, device=None, **more):
        d = device or self.d
        got = self.post("/api/v1/commands", {
            "request_type": request_type, "push": False, "ids": [d.ident],
            **({"command": command} if command else {}), **more})
        return got["commands"][0]["command_uuid"]

    def failed(self, request_type, command=None, device=None, **more):
        """A command that the device has refused; its CommandUUID."""
        d = device or self.d
        c = self.order(request_type, command, d, **more)
        sent = d.idle().plist()
        self.assertEqual(sent["CommandUUID"], c)
        d.report(c, "Error", ErrorChain=CHAIN)
        drover.wait_for(lambda: self.s.count(
            "SELECT COUNT(*) FROM result r JOIN command c ON c.id = r.command_id WHERE r.digest = "
            "3 AND c.uuid = '%s'" % c) == 1)
        return c

    def retry(self, c, status=200, device=None, key=None, **more):
        path = "/api/v1/devices/%s/commands/%s/retry" % (
            urllib.parse.quote((device or self.d).ident, safe=""), c)
        got = self.post(path, {"push": False, **more}, status, key)
        return got["results"][0] if status == 200 else got

    def one(self, c):
        return json.loads(self.s.api("GET", "/v1/results/%s/%s" % (
            urllib.parse.quote(self.d.ident, safe=""), c)).body)

    def test_one_is_sent_again_and_once(self):
        # data comes through as it was; what does not fit any more is not sent again
        keys = {"Settings": [{"Item": "Wallpaper", "Image": "QUJD", "Where": 1}]}
        c = self.failed("Settings", keys, force=True)
        self.assertEqual(self.retry(c, dry_run=True)["outcome"], "queued")
        self.assertEqual(self.d.idle().body, b"")
        again = self.retry(c)["retried_as"]
        sent = self.d.idle().plist()
        self.assertEqual((sent["CommandUUID"], sent["Command"]["Settings"][0]["Image"]),
                         (again, b"ABC"))
        self.d.report(again, "Error", ErrorChain=CHAIN)
        self.s.sql("UPDATE enrollment SET product_name = 'Mac15,3', os_version = '14.4' WHERE "
                   "ident = '%s'" % self.d.ident)
        for dry in (True, False):
            got = self.retry(c, dry_run=dry)
            self.assertEqual(got["outcome"], "refused")
            self.assertIn("macOS", got["error"])
        self.s.sql("UPDATE enrollment SET product_name = 'iPhone14,2', os_version = '17.4' WHERE "
                   "ident = '%s'" % self.d.ident)
        c = self.failed("ProfileList", {"ManagedOnly": True})
        got = self.retry(c)
        self.assertEqual(got["outcome"], "queued")
        again = got["retried_as"]
        self.assertNotEqual(again, c)
        got = self.retry(c)
        self.assertEqual((got["outcome"], got["retried_as"]), ("queued-before", again))
        sent = self.d.idle().plist()
        self.assertEqual((sent["CommandUUID"], sent["Command"]),
                         (again, {"RequestType": "ProfileList", "ManagedOnly": True}))
        self.assertEqual(self.one(again)["retry_of"], c)
        self.assertNotIn("retry_of", self.one(c))
        self.d.report(again, "Error", ErrorChain=CHAIN)
        self.assertEqual(self.d.idle().body, b"")
        # that failed too: once more, and what was done is not done again
        third = self.retry(c)["retried_as"]
        self.assertNotIn(third, (c, again))
        self.d.idle()
        self.d.report(third)
        self.assertIn("was done", self.retry(c)["error"])
        self.assertIn("did not fail", self.retry(third)["error"])
        self.assertIn("no such command", self.retry("nonsense")["error"])

    def test_everybody_at_once(self):
        c = self.failed("ProfileList")
        got, lock = [], threading.Lock()

        def ask():
            x = self.retry(c)
            with lock:
                got.append(x)
        threads = [threading.Thread(target=ask) for _ in range(8)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertEqual(len(got), 8)
        self.assertEqual(len({x["retried_as"] for x in got}), 1)
        self.assertEqual(sorted(x["outcome"] for x in got)[0], "queued")
        self.assertEqual([x["outcome"] for x in got].count("queued"), 1)
        self.assertEqual(self.s.count("SELECT COUNT(*) FROM queue q JOIN enrollment e ON e.id = "
                                      "q.enrollment_id WHERE e.ident = '%s'" % self.d.ident), 1)

    def test_what_is_not_sent_again(self):
        self.s.sql("UPDATE enrollment SET product_name = 'Mac15,3', os_version = '14.4' WHERE "
                   "ident = '%s'" % self.d.ident)
        c = self.failed("DeviceLock", {"PIN": "123456"}, reason="r")
        got = self.retry(c, reason="r")
        self.assertIn("held a secret", got["error"])
        self.s.sql("UPDATE enrollment SET product_name = 'iPhone14,2', os_version = '17.4' WHERE "
                   "ident = '%s'" % self.d.ident)
        c = self.failed("DeviceLock", {"Message": "x"}, reason="was lost")
        self.assertIn("say the reason", self.retry(c)["error"])
        self.assertIn("lacks the scope", self.retry(c, key=self.plain, reason="r")["error"])
        many = self.post("/api/v1/retries", {"failed": {"request_type": "DeviceLock"}, "push": False,
                                             "dry_run": True})
        mine = [r for r in many["results"] if r["command_uuid"] == c]
        self.assertIn("by its CommandUUID alone", mine[0]["error"])
        got = self.retry(c, reason="still lost")
        self.assertEqual(got["outcome"], "queued")
        self.assertEqual(self.s.count("SELECT COUNT(*) FROM audit WHERE action = "
                                      "'command.sensitive' AND subject = '%s' AND detail LIKE "
                                      "'%%still lost'" % got["retried_as"]), 1)
        self.d.idle()
        self.d.report(got["retried_as"], "Error", ErrorChain=CHAIN)
        # whoever has it now is not whom it was about
        self.s.sql("UPDATE enrollment SET enrolled_at = UNIX_TIMESTAMP() * 1000000 + 9000000 WHERE "
                   "ident = '%s'" % self.d.ident)
        self.assertIn("enrolled anew", self.retry(c, reason="r")["error"])
        open_one = self.order("ProfileList")
        self.assertIn("not over yet", self.retry(open_one)["error"])
        self.s.sql("UPDATE command SET created_by = 'rule:convergence' WHERE uuid = '%s'" % c)
        self.assertIn("by itself", self.retry(c, reason="r")["error"])
        for body in ({}, {"commands": []}, {"commands": [{"id": "x"}]}, {"failed": 1},
                     {"commands": [{"id": "x", "command_uuid": "y"}], "failed": {}},
                     {"failed": {"since": "x"}}, {"failed": {}, "cursor": "x"},
                     {"failed": {}, "dry_run": 1}, {"failed": {}, "more": 1},
                     {"failed": {}, "cursor": "7"}):
            self.post("/api/v1/retries", body, 400)

    def test_a_second_person_is_asked_again(self):
        c = self.failed("DeviceLock", {"Message": "x"}, reason="was lost")
        with drover.setting(self.s, "command", approval="sensitive"):
            self.assertEqual(self.retry(c, reason="r", dry_run=True)["outcome"], "waiting")
            got = self.retry(c, reason="still lost")
            self.assertEqual(got["outcome"], "waiting")
            number = got["approval"]
            self.assertEqual(self.retry(c, reason="r")["approval"], number)
            self.assertEqual(self.d.idle().body, b"")
            status, text = Person(self.s, "p" + uuid.uuid4().hex[:6]).post(
                "/approvals", "/approvals", id=number, decision="approve", why="checked")
            self.assertIn("approved and queued", text)
        sent = self.d.idle().plist()
        self.assertEqual(sent["Command"], {"RequestType": "DeviceLock", "Message": "x"})
        self.assertEqual(self.one(sent["CommandUUID"])["retry_of"], c)
        self.assertEqual(self.retry(c, reason="r")["outcome"], "queued-before")

    def test_many_by_their_names_and_by_the_list(self):
        devices = [self.d] + [drover.device().enrol() for _ in range(2)]
        for d in devices[1:]:
            self.s.sql("UPDATE enrollment SET product_name = 'iPhone14,2', os_version = '17.4' "
                       "WHERE ident = '%s'" % d.ident)
        failed = [(d.ident, self.failed("Restrictions", device=d)) for d in devices]
        named = {"commands": [{"id": i, "command_uuid": c} for i, c in failed[:2]] +
                 [{"id": "nobody", "command_uuid": failed[0][1]}], "push": False}
        dry = self.post("/api/v1/retries", {**named, "dry_run": True})
        self.assertEqual((dry["queued"], dry["refused"], dry["dry_run"]), (2, 1, True))
        self.assertEqual(devices[0].idle().body, b"")
        got = self.post("/api/v1/retries", named)
        self.assertEqual((got["queued"], got["refused"]), (2, 1))
        # of the list, what was sent again is left out
        said = json.loads(self.s.ctl("retry", "--failed", "--request-type", "Restrictions",
                                     "--no-push", "--dry-run", "--json"))
        mine = [r for r in said if r["id"] in [d.ident for d in devices]]
        self.assertEqual([(r["id"], r["outcome"]) for r in mine], [(devices[2].ident, "queued")])
        said = json.loads(self.s.ctl("retry", "--failed", "--request-type", "Restrictions",
                                     "--no-push", "--wait", "--json"))[0]
        self.assertEqual((said["task"], said["what"], said["state"], said["total"]),
                         ("failed", "Restrictions", "done", said["queued"] + said["refused"]))
        self.assertEqual(self.s.count("SELECT COUNT(*) FROM queue q JOIN enrollment e ON e.id = "
                                      "q.enrollment_id WHERE e.ident = '%s'" % devices[2].ident), 1)
        for d in devices:
            self.assertEqual(d.idle().plist()["Command"]["RequestType"], "Restrictions")
        told = {f["command_uuid"]: f for f in json.loads(self.s.api(
            "GET", "/api/v1/failed?request_type=Restrictions&limit=500").body)["failed"]}
        for _, c in failed:
            self.assertEqual(told[c]["retry_state"], "sent")
        self.assertEqual({f["request_type"] for f in told.values()}, {"Restrictions"})
        for argv in (("retry",), ("retry", "x"), ("retry", "x", "y", "--failed"),
                     ("retry", "--failed", "--within", "x"), ("retry", "x", "y", "--wait"),
                     ("job",), ("job", "show"), ("job", "stop", "x"), ("job", "list", "1")):
            self.assertEqual(self.s.ctl(*argv, check=False)[0], 2)
        self.assertEqual(self.s.ctl("retry", self.d.ident, failed[0][1], "--json",
                                    check=False)[0], 0)

    def test_all_of_the_list_in_the_background(self):
        c = self.failed("ProvisioningProfileList")
        job = self.post("/api/v1/retries", {"failed": {"request_type": "ProvisioningProfileList"},
                                            "push": False}, 202)
        self.assertEqual((job["task"], job["request_type"]), ("failed", "ProvisioningProfileList"))
        path = "/api/v1/jobs/" + job["job"]
        drover.wait_for(lambda: json.loads(self.s.api("GET", path).body)["state"] == "done")
        done = json.loads(self.s.api("GET", path).body)
        self.assertEqual(done["total"], done["queued"] + done["refused"])
        self.assertGreaterEqual(done["queued"], 1)
        sent = self.d.idle().plist()
        self.assertEqual(self.one(sent["CommandUUID"])["retry_of"], c)
        # what is over cannot be stopped; jobs are listed; a key that only reads stops none
        self.assertEqual(self.s.api("DELETE", path).status, 409)
        listed = json.loads(self.s.api("GET", "/api/v1/jobs?limit=500").body)["jobs"]
        self.assertIn(job["job"], [j["job"] for j in listed])
        self.assertEqual(self.s.api("GET", "/api/v1/jobs/1").status, 404)
        reader = self.s.ctl("apikey", "add", "r" + uuid.uuid4().hex[:6], "--scopes",
                            "read").strip().split()[-1]
        self.assertEqual(self.s.api("DELETE", path, key=reader).status, 403)
        self.assertEqual(self.s.api("GET", path, key=reader).status, 200)
        # stopped before it began
        self.s.sql("INSERT INTO bulk_job (id, request_type, state, picked, total, created_at, "
                   "created_by, task, failed_since, failed_before) SELECT MAX(id) + 1, "
                   "'UserList', 3, 0, -1, 1, 'x', 2, 1, 2 FROM bulk_job")
        number = json.loads(self.s.ctl("job", "list", "--json"))[0]["job"]
        self.assertEqual(self.s.ctl("job", "stop", number, check=False)[0], 1)
        self.assertEqual(json.loads(self.s.ctl("job", "show", number, "--json"))[0]["state"],
                         "stopped")

    def test_in_the_console(self):
        c = self.failed("InstalledApplicationList")
        who = Person(self.s, "r" + uuid.uuid4().hex[:6])
        page = "/device/command?" + urllib.parse.urlencode({"id": self.d.ident, "uuid": c})
        self.assertIn("/device/retry", who.get(page)[1])
        listed = who.get("/failed?type=InstalledApplicationList")[1]
        self.assertIn(c, listed)
        self.assertNotIn(c, who.get("/failed?type=Restrictions")[1])
        preview = "/failed/retry?type=InstalledApplicationList"
        self.assertIn("They are sent again:", who.get(preview)[1])
        status, text = who.post(preview, "/failed/retry", type="InstalledApplicationList")
        self.assertEqual(status, 400)
        self.assertEqual(self.d.idle().body, b"")
        status, text = who.post(preview, "/failed/retry", type="InstalledApplicationList",
                                sure="yes")
        self.assertIn("goes on without this page", text)
        drover.wait_for(lambda: self.s.count(
            "SELECT COUNT(*) FROM queue q JOIN enrollment e ON e.id = q.enrollment_id WHERE e.ident "
            "= '%s'" % self.d.ident) == 1)
        again = self.d.idle().plist()
        self.assertEqual(again["Command"]["RequestType"], "InstalledApplicationList")
        text = who.get(page)[1]
        self.assertIn("sent again", text)
        self.assertNotIn("/device/retry", text)
        self.d.report(again["CommandUUID"], "Error", ErrorChain=CHAIN)
        status, text = who.post(page, "/device/retry", device=self.d.ident, uuid=c)
        self.assertIn(self.d.ident, text)
        third = self.d.idle().plist()["CommandUUID"]
        self.assertNotIn(third, (c, again["CommandUUID"]))
        text = who.get("/device/command?" + urllib.parse.urlencode(
            {"id": self.d.ident, "uuid": third}))[1]
        self.assertIn("the command that failed", text)
        self.d.report(third)
        # a sensitive one wants its reason
        c = self.failed("DeviceLock", {"Message": "x"}, reason="was lost")
        page = "/device/command?" + urllib.parse.urlencode({"id": self.d.ident, "uuid": c})
        self.assertIn('name="why" maxlength="255" required', who.get(page)[1])
        status, text = who.post(page, "/device/retry", device=self.d.ident, uuid=c)
        self.assertEqual(status, 400)
        who.post(page, "/device/retry", device=self.d.ident, uuid=c, why="lost")
        self.assertEqual(self.d.idle().plist()["Command"]["RequestType"], "DeviceLock")


if __name__ == "__main__":
    unittest.main()

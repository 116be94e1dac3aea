"""The HTTP API below /api/v1: what devices told, read as data."""

import collections
import json
import os
import re
import unittest
import urllib.parse

import drover

REFERENCE = os.environ.get("DROVER_REFERENCE", os.path.join(
    os.path.dirname(drover.TOP), "shared", "reference", "mdm-protocol-reference.txt"))


class Inventory(unittest.TestCase):
    webs = ("lighttpd",)

    @classmethod
    def setUpClass(cls):
        cls.d = drover.device().enrol()
        cls.s = cls.d.server
        cls.base = "/api/v1/devices/" + urllib.parse.quote(cls.d.ident, safe="")

    def get(self, path, status=200):
        r = self.s.api("GET", path)
        self.assertEqual(r.status, status, r.body[:300])
        return json.loads(r.body)

    def ask(self, request_type, status="Acknowledged", command=None, **answer):
        c = self.s.enqueue(self.d.ident, request_type, push=False, **(command or {}))
        self.assertEqual(self.d.idle().plist()["CommandUUID"], c)
        self.assertEqual(self.d.report(c, status, **answer).status, 200)
        drover.wait_for(lambda: self.s.count("SELECT COUNT(*) FROM result r JOIN command c ON "
                                             "c.id = r.command_id WHERE r.digest IN (0, 3) AND "
                                             "c.uuid = '%s'" % c) == 1)
        return c

    def test_failed(self):
        uuids = []
        for english in ('"><script>', "No such profile"):
            uuids.append(self.ask("ProfileList", "Error", ErrorChain=[{
                "ErrorDomain": "MCMDMErrorDomain", "ErrorCode": 12021,
                "LocalizedDescription": "l", "USEnglishDescription": english}]))
        mine = [f for f in self.pages("/api/v1/failed?limit=1", "failed")
                if f["command_uuid"] in uuids]
        self.assertEqual([(f["command_uuid"], f["why"], f["id"], f["state"]) for f in mine],
                         [(uuids[1], "No such profile", self.d.ident, "error"),
                          (uuids[0], '"><script>', self.d.ident, "error")])
        self.assertEqual(self.get("/api/v1/failed?since=2100-01-01T00:00:00Z")["failed"], [])
        self.get("/api/v1/failed?since=yesterday", 400)
        rows = json.loads(self.s.ctl("failed", "--json", "--limit", "1000"))
        self.assertEqual([r["command_uuid"] for r in rows if r["command_uuid"] in uuids],
                         [uuids[1], uuids[0]])
        self.assertEqual(self.s.ctl("failed", "--within", "x", check=False)[0], 2)

    def test_facts(self):
        self.ask("DeviceInformation", command={"Queries": ["DeviceName"]},
                 QueryResponses={"DeviceName": "Ann", "OSVersion": "17.4.1", "IsSupervised": True,
                                 "DeviceCapacity": 64.5, "WiFiMAC": "aa:bb", "Odd": [1],
                                 "ProductName": "iPhone14,2"})
        self.ask("SecurityInfo", SecurityInfo={
            "PasscodePresent": True, "FirewallSettings": {"FirewallEnabled": True,
                                                          "Applications": [{"BundleID": "x"}]}})
        facts = self.get(self.base + "/facts")
        self.assertEqual(facts["device"]["facts"]["DeviceName"], "Ann")
        self.assertEqual(facts["device"]["facts"]["DeviceCapacity"], 64.5)
        self.assertEqual(facts["device"]["facts"]["Odd"], [1])
        self.assertIs(facts["device"]["facts"]["IsSupervised"], True)
        self.assertEqual(facts["network"]["facts"], {"WiFiMAC": "aa:bb"})
        self.assertEqual(facts["security"]["facts"]["FirewallSettings"],
                         {"FirewallEnabled": True, "Applications": [{"BundleID": "x"}]})
        one = self.get(self.base)
        self.assertEqual((one["name"], one["platform"], one["supervised"]), ("Ann", "iOS", True))
        self.assertEqual(one["inventory"]["device"]["items"], 1)
        for query in ("platform=iOS&os_min=17.4&os_max=17", "supervised=true&search=ann",
                      "serial_number=" + one.get("serial_number", ""), "product_name=iPhone14,2"):
            ids = [d["id"] for d in self.pages("/api/v1/devices?limit=2&" + query, "devices")]
            self.assertIn(self.d.ident, ids, query)
        for query in ("platform=macOS", "os_min=17.4.2", "supervised=false", "search=_nn"):
            ids = [d["id"] for d in self.pages("/api/v1/devices?" + query, "devices")]
            self.assertNotIn(self.d.ident, ids, query)

    def pages(self, path, key):
        got, cursor = [], ""
        while cursor is not None:
            page = self.get(path + ("&" if "?" in path else "?") + "cursor=" + (cursor or "0"))
            got += page[key]
            cursor = page.get("next_cursor")
        return got

    def test_lists_and_events(self):
        apps = [{"Identifier": "com.example.%03d" % i, "Name": "App %d" % i, "Version": "1",
                 "IsValidated": True} for i in range(7)]
        self.ask("InstalledApplicationList", InstalledApplicationList=apps)
        got = self.pages(self.base + "/apps?limit=3", "items")
        self.assertEqual(got, apps)
        self.ask("InstalledApplicationList", InstalledApplicationList=apps[1:])
        gone = self.get(self.base + "/events")["events"][0]
        self.assertEqual((gone["happened"], gone["subject"], gone["part"]),
                         ("removed", "com.example.000", "apps"))
        self.ask("CertificateList", CertificateList=[
            {"CommonName": "own", "IsIdentity": True, "Data": self.d.identity.der}])
        cert = self.get(self.base + "/certificates")["items"][0]
        self.assertEqual((cert["CommonName"], cert["IsIdentity"]), ("own", True))
        self.assertIn("CN=", cert["subject"])

    def test_errors_are_explained(self):
        c = self.ask("ProfileList", "Error", ErrorChain=[
            {"ErrorDomain": "MCInstallationErrorDomain", "ErrorCode": 4001,
             "LocalizedDescription": "Nein.", "USEnglishDescription": "No."},
            {"ErrorDomain": "NSSomethingElse", "ErrorCode": 7}])
        for result in (self.get(self.base + "/results")["results"][0],
                       self.get(self.base + "/results/" + c)):
            self.assertEqual((result["command_uuid"], result["state"]), (c, "error"))
            first, second = result["errors"]
            self.assertEqual((first["code"], first["description"], len(first["meanings"])),
                             (4001, "No.", 2))  # the reference has two
            self.assertEqual(second["meanings"], [])

    def test_what_is_not_there(self):
        for path in ("/api/v1/devices/nobody", self.base + "/nothing", self.base + "/results/no",
                     self.base + "/facts/more", self.base + "/results/a/b"):
            self.assertEqual(self.get(path, 404)["status"], 404)
        for query in ("platform=BeOS", "os_min=x", "state=odd", "limit=0", "cursor=-1",
                      "seen_after=today", "supervised=perhaps", "search=" + 300 * "x",
                      "serial=C02"):
            self.assertEqual(self.get("/api/v1/devices?" + query, 400)["title"], "Bad Request")
        self.get(self.base + "/apps?cursor=x", 400)

    def test_audit_and_errors(self):
        self.assertIn("meanings", self.get("/api/v1/errors")["errors"][0])
        c = self.s.enqueue(self.d.ident, "DeviceInformation", push=False)
        entry = self.get("/api/v1/audit?subject=" + c)["entries"][0]
        self.assertEqual(entry["action"], "command.queue")
        self.assertEqual(self.get("/api/v1/users"), {"users": []})
        self.s.sql("INSERT INTO enroll_user (name, password_hash, ha1_md5, ha1_sha256, created_at, "
                   "created_by, password_at) SELECT CONCAT('u', seq), 'x', 'x', 'x', 1, 'x', 1 FROM "
                   "seq_1_to_3")
        self.addCleanup(self.s.sql, "DELETE FROM enroll_user WHERE created_by = 'x'")
        page = self.get("/api/v1/users?limit=2")
        self.assertEqual([u["name"] for u in page["users"]], ["u1", "u2"])
        page = self.get("/api/v1/users?limit=2&cursor=" + page["next_cursor"])
        self.assertEqual([u["name"] for u in page["users"]], ["u3"])
        self.assertNotIn("next_cursor", page)
        self.get("/api/v1/users?limit=0", 400)
        self.d.idle()
        self.d.report(c)


@unittest.skipUnless(os.path.exists(REFERENCE), "the protocol reference is not beside this tree")
class ErrorCodes(unittest.TestCase):
    """The table of codes against the text of the reference, in both directions."""
    webs = ("lighttpd",)

    def test_codes(self):
        with open(REFERENCE, encoding="utf-8") as f:
            lines = f.read().split("\n")
        begin = lines.index("Error Codes")
        domain, told = None, collections.Counter()
        for line in lines[begin:]:
            if line.strip() == "Device Enrollment Program":
                break
            # headings of the text have blanks where its letters stood apart
            heading = line.replace(" ", "")
            if re.fullmatch(r"MC\w+ErrorDomain", heading):
                domain = heading
            code = re.match(r"(\d{4,6})\t", line)
            if domain and code:
                told[domain, int(code.group(1))] += 1
        self.assertGreater(len(told), 190)
        rows = drover.server().api("GET", "/api/v1/errors").json()["errors"]
        ours = {(row["domain"], row["code"]): len(row["meanings"]) for row in rows}
        self.assertEqual(ours, dict(told))

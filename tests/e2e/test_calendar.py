"""The calendar of ends: droverctl, JSON, and iCalendar at an address that can be ended."""

import re
import unittest

import drover


class Calendar(unittest.TestCase):
    webs = ("lighttpd",)

    def setUp(self):
        self.s = drover.server()

    def entries(self, query=""):
        a = self.s.api("GET", "/api/v1/calendar" + query)
        self.assertEqual(a.status, 200)
        return a.json()["calendar"]

    def test_what_stands_in_it(self):
        """The agent has looked at the signer when it started."""
        drover.wait_for(lambda: {"scep-ca", "scep-ra", "profile-signer", "push-certificate"} <=
                        {e["kind"] for e in self.entries()})
        ends = [e["ends_at"] for e in self.entries()]
        self.assertEqual(ends, sorted(ends))
        ca = [e for e in self.entries() if e["kind"] == "scep-ca"][0]
        out = drover.sh("openssl", "x509", "-in", self.s.state + "/signer/ca.pem", "-noout",
                        "-enddate", "-dateopt", "iso_8601").decode()
        self.assertEqual(ca["ends_at"][:19].replace("T", " "),
                         re.search(r"notAfter=([0-9-]+ [0-9:]+)Z", out).group(1))
        # the web server's own, as it shows it to whoever comes
        for url in {self.s.run["device_url"], self.s.run["console_url"]}:
            tls = drover.wait_for(lambda: [e for e in self.entries() if e["name"] == url])[0]
            self.assertEqual(tls["kind"], "tls-certificate")
            shown = drover.sh("openssl", "s_client", "-connect", url.split("/")[2], data=b"")
            out = drover.sh("openssl", "x509", "-noout", "-enddate", "-dateopt", "iso_8601",
                            data=shown).decode()
            self.assertEqual(tls["ends_at"][:19].replace("T", " "),
                             re.search(r"notAfter=([0-9-]+ [0-9:]+)Z", out).group(1))
        self.assertEqual(self.entries("?within=1"), [])
        self.assertEqual(self.s.api("GET", "/api/v1/calendar?within=0").status, 400)
        self.assertIn("scep-ca", self.s.ctl("calendar"))
        self.assertIn("first to end", self.s.ctl("status"))

    def test_icalendar(self):
        a = self.s.api("POST", "/api/v1/calendar/feeds", {"name": "test"})
        self.assertEqual(a.status, 201)
        path = a.json()["url"][len(self.s.run["console_url"]):]
        got = self.s.request("console_url", "GET", path)
        self.assertEqual(got.status, 200)
        self.assertEqual(got.headers["Content-Type"], "text/calendar; charset=utf-8")
        text = got.body.decode()
        self.assertTrue(all(line.endswith("\r") for line in text.split("\n")[:-1]))
        self.assertTrue(all(len(line.encode()) <= 75 for line in text.split("\r\n")))
        lines = text.replace("\r\n ", "").split("\r\n")
        self.assertEqual(lines.count("BEGIN:VEVENT"), len(self.entries()))
        uids = [line for line in lines if line.startswith("UID:")]
        self.assertEqual(len(set(uids)), lines.count("BEGIN:VEVENT"))
        self.assertTrue(any(line.startswith("SUMMARY:Push certificate ends: ") for line in lines))
        # in the language of whoever subscribed
        german = self.s.request("console_url", "GET", path + "?lang=de").body.decode()
        self.assertIn("SUMMARY:Push-Zertifikat endet: ", german.replace("\r\n ", ""))
        self.assertIn("Was zu tun ist: ", german.replace("\r\n ", ""))
        for bad in (path[:-5] + ".ics", path.replace(path[-10], "z"), "/calendar/x.ics",
                    "/calendar/" + "0" * 48 + ".ics", path + "x"):
            self.assertEqual(self.s.request("console_url", "GET", bad).status, 404, bad)
        self.assertEqual(self.s.api("DELETE", "/api/v1/calendar/feeds/test").status, 204)
        self.assertEqual(self.s.request("console_url", "GET", path).status, 404)
        self.assertNotIn(path.split("/")[-1][:-4], "\n".join(self.s.log_since(0)))
        url = self.s.ctl("calendar", "feed", "again").strip()
        self.assertEqual(self.s.request("console_url", "GET",
                                        url[len(self.s.run["console_url"]):]).status, 200)
        self.assertIn("again", self.s.ctl("calendar", "feeds"))
        self.s.ctl("calendar", "revoke", "again")

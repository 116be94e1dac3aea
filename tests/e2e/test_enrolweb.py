"""Enrolment by web page: links, the login, the web server's REMOTE_USER, and what is refused."""

import base64
import html.parser
import http.server
import os
import plistlib
import secrets
import subprocess
import threading
import unittest
import urllib.parse

import drover

PASSWORD = "correct horse battery"
PROFILE = "application/x-apple-aspen-config"
VOID = {"meta", "link", "input", "br"}


class Page(html.parser.HTMLParser):
    """Is it well-formed? Its texts and forms."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.faults, self.text, self.forms, self.tags = [], [], "", [], []
        self.feed(text)
        self.close()
        if self.open:
            self.faults.append("never closed: %s" % self.open)

    def handle_starttag(self, tag, attrs):
        a = dict(attrs)
        self.tags.append((tag, a))
        if len(a) != len(attrs):
            self.faults.append("an attribute twice: %s" % attrs)
        if tag in ("script", "style") or any(k.startswith("on") or k == "style" for k in a):
            self.faults.append("inline: %s %s" % (tag, attrs))
        if tag == "form":
            self.forms.append({})
        if tag == "input" and self.forms:
            self.forms[-1][a["name"]] = a.get("value", "")
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.faults.append("closed out of order: %s" % tag)

    def handle_data(self, data):
        self.text += data


class Browser:
    """Cookies and forms, no more."""

    def __init__(self, test, **headers):
        self.test, self.cookies = test, {}
        self.headers = {"Accept": "text/html,*/*;q=0.8", "Accept-Language": "en", **headers}

    def send(self, method, path, body=None, **headers):
        h = {**self.headers, **headers}
        if self.cookies:
            h["Cookie"] = "; ".join("%s=%s" % c for c in self.cookies.items())
        if body is not None:
            h["Content-Type"] = "application/x-www-form-urlencoded"
            body = urllib.parse.urlencode(body)
        a = drover.server().request("device_url", method, path, body, h)
        for line in a.headers.get_all("Set-Cookie") or []:
            name, value = line.split(";")[0].split("=", 1)
            self.test.assertRegex(line, r"^__Host-[a-z-]+=[0-9a-f]*; Path=/; Secure; HttpOnly; "
                                        r"SameSite=Lax(; Max-Age=0)?$")
            self.cookies[name] = value
        # (a web server has pages of its own)
        if a.headers.get_content_type() == "text/html" and a.headers["X-Request-Id"]:
            self.test.assertIn("default-src 'none'", a.headers["Content-Security-Policy"])
            self.test.assertEqual(a.headers["Cache-Control"], "no-store")
            a.page = Page(a.body.decode())
            self.test.assertEqual(a.page.faults, [])
        return a

    def get(self, path, **headers):
        return self.send("GET", path, **headers)

    def submit(self, answer, path, form=0, **fields):
        return self.send("POST", path, {**answer.page.forms[form], **fields})


class Web(unittest.TestCase):
    def setUp(self):
        self.server = drover.server()
        self.name = "web" + secrets.token_hex(4)
        self.server.sql("DELETE FROM login_throttle")

    def profile(self, answer):
        self.assertEqual((answer.status, answer.headers.get_content_type()), (200, PROFILE), answer)
        self.assertEqual(answer.headers["Cache-Control"], "no-store")
        p = plistlib.loads(drover.sh("openssl", "cms", "-verify", "-inform", "DER", "-purpose",
                                     "any", "-CAfile", self.server.run["device_ca_file"],
                                     data=answer.body))
        return {x["PayloadType"]: x for x in p["PayloadContent"]}["com.apple.mdm"]

    def user(self):
        self.server.ctl("users", "add", self.name, "--password-file", "-",
                        data=(PASSWORD + "\n").encode())

    def simulate(self, profile):
        """A simulated device installs a profile that somebody has fetched for it."""
        class Give(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.send_header("Content-Type", PROFILE)
                self.send_header("Content-Length", str(len(profile)))
                self.end_headers()
                self.wfile.write(profile)

            def log_message(self, *words):
                pass

        with http.server.HTTPServer(("127.0.0.1", 0), Give) as site:
            threading.Thread(target=site.serve_forever, daemon=True).start()
            try:
                return subprocess.run(
                    [os.path.join(drover.BUILD, "mdmsim"), "--enroll-url",
                     "http://127.0.0.1:%d/" % site.server_port, "--ca-file",
                     self.server.run["ca_file"], "--devices", "1", "--once", "--state",
                     os.path.join(self.server.state, self.name), "--seed",
                     str(secrets.randbelow(1 << 30))], capture_output=True, timeout=60)
            finally:
                site.shutdown()

    def handouts(self, account):
        return self.server.sql("SELECT way, account_kind FROM handout WHERE account='%s'" % account)


class Links(Web):
    webs = ("lighttpd",)

    def test_a_link_in_a_browser(self):
        """Looking at it uses nothing up; the button does, once."""
        s = self.server
        s.ctl("enroll-profile", "new", self.name, "access_rights=1040",
              'organization="><script>alert(1)</script>', "description=a < b & c\nsecond")
        link = s.ctl("invite", "--profile", self.name).strip()[len(s.run["device_url"]):]
        b = Browser(self)
        for method in ("GET", "GET", "HEAD"):
            self.assertEqual(b.send(method, link).status, 200)
        a = b.get(link)
        self.assertIn('"><script>alert(1)</script>', a.page.text)
        self.assertIn("a < b & c\nsecond", a.page.text)
        sees = a.page.text.split("can see")[1].split("cannot see")[0]
        self.assertIn("serial number", sees)
        self.assertIn("passcode is set", sees)
        self.assertNotIn("Which apps", sees)
        self.assertIn("Which apps", a.page.text.split("cannot see")[1])
        self.assertIn("Erase the whole device", a.page.text.split("cannot do")[1])
        self.assertIn("löschen", b.get(link, **{"Accept-Language": "de-AT, en;q=0.5"}).page.text)
        # another site's form, or one without its cookie, gets nothing
        self.assertEqual(Browser(self).send("POST", link, {"do": "get"}).status, 403)
        self.assertEqual(Browser(self).submit(a, link).status, 403)
        self.assertEqual(b.submit(a, link, csrf="0" * 64).status, 403)
        self.assertEqual(self.profile(b.submit(a, link))["AccessRights"], 1040)
        for again in (b.submit(a, link), b.get(link), s.request("device_url", "GET", link)):
            self.assertEqual(again.status, 410)
        self.assertEqual(s.count("SELECT uses FROM invitation i JOIN enroll_profile p ON "
                                 "p.id=i.profile_id WHERE p.name='%s'" % self.name), 1)

    def test_what_is_not_there(self):
        b = Browser(self)
        for path in ("/enroll/" + "0" * 48, "/enroll/x", "/enrollment/x",
                     "/enroll/static/x.css", "/enroll/" + "x" * 4000,
                     "/enroll/%3Cscript%3Ealert(1)%3C/script%3E"):
            a = b.get(path)
            self.assertEqual(a.status, 404, path)
            self.assertNotIn(b"<script>", a.body)
        css = [a["href"] for t, a in b.get("/enroll").page.tags if t == "link"][0]
        a = b.get(css)
        self.assertEqual((a.status, a.headers.get_content_type()), (200, "text/css"))
        self.assertIn("immutable", a.headers["Cache-Control"])


class Login(Web):
    def test_login_and_profile(self):
        s = self.server
        self.user()
        s.ctl("enroll-profile", "new", self.name, "access_rights=1024", "web=yes")
        s.ctl("enroll-profile", "new", self.name + ".hidden", "web=no")
        with drover.setting(s, "enroll", login="local"):
            b = Browser(self)
            page = drover.wait_for(lambda: (lambda a: a if a.page.forms[0].get("do") == "login"
                                            else None)(b.get("/enroll")))
            before = dict(b.cookies)
            # hostile fields, and forms that are not the page's
            for fields, status in (({"name": "", "password": ""}, 403),
                                   ({"name": "\"><script>", "password": "x"}, 403),
                                   ({"name": "a\0b", "password": "x"}, 403),
                                   ({"name": "x" * 60000, "password": "x"}, 403),
                                   ({"name": "x", "password": "y" * 60000}, 403),
                                   ({"name": self.name, "password": PASSWORD, "csrf": "x"}, 403),
                                   ({"name": "x", "password": "y" * (10 << 20)}, 413)):
                a = b.submit(page, "/enroll", **fields)
                self.assertEqual(a.status, status, fields["name"][:20])
                self.assertNotIn(b"<script>", a.body)
            # without a login there is no profile, whatever is asked for
            a = b.send("POST", "/enroll", {**page.page.forms[0], "do": "get"})
            self.assertEqual((a.status, a.page.forms[0]["do"]), (200, "login"))
            query = "/enroll?profile=" + self.name
            page = b.get(query)
            a = b.submit(page, "/enroll", name=self.name, password=PASSWORD)
            self.assertEqual((a.status, a.headers["Location"]), (303, query))
            self.assertNotEqual(b.cookies, before)  # what was there before is worth nothing now
            page = b.get(query)
            self.assertIn(self.name, page.page.text)
            self.assertEqual(self.profile(b.submit(page, "/enroll"))["AccessRights"], 1024)
            self.assertEqual(self.handouts(self.name), [["3", "1"]])
            # not for the page, unknown, or no place of this host
            for name in (self.name + ".hidden", "nobody", "https://evil.example", "//evil"):
                self.assertEqual(b.get("/enroll?profile=" + urllib.parse.quote(name)).status, 404)
                self.assertEqual(b.submit(page, "/enroll", profile=name).status, 404)
            # a header says nothing about who somebody is
            other = Browser(self, **{"Remote-User": self.name, "REMOTE_USER": self.name,
                                     "X-Remote-User": self.name})
            self.assertEqual(other.get("/enroll").page.forms[0]["do"], "login")
            # rate, log out, disabled
            s.sql("INSERT INTO handout (id, way, topic, server_url, checkin_url, access_rights, "
                  "server_capabilities, account_kind, account, made_at) SELECT seq, 3, '', '', '', "
                  "1, '', 1, '%s', UNIX_TIMESTAMP()*1000000 FROM seq_1_to_25" % self.name)
            self.assertEqual(b.submit(page, "/enroll").status, 429)
            s.sql("DELETE FROM handout WHERE account='%s' AND id <= 25" % self.name)
            old = dict(b.cookies)
            s.ctl("users", "disable", self.name)
            self.assertEqual(b.get("/enroll").page.forms[0]["do"], "login")
            s.ctl("users", "enable", self.name)
            page = b.get("/enroll")
            self.assertEqual(b.submit(page, "/enroll", form=1).status, 303)
            b.cookies = old
            self.assertEqual(b.get("/enroll").page.forms[0]["do"], "login")

    @drover.lighttpd_only
    def test_a_device_by_the_web_page(self):
        """Who brought it stands with the enrolment."""
        s = self.server
        self.user()
        with drover.setting(s, "enroll", login="local"):
            b = Browser(self)
            page = drover.wait_for(lambda: (lambda a: a if a.page.forms[0].get("do") == "login"
                                            else None)(b.get("/enroll")))
            b.submit(page, "/enroll", name=self.name, password=PASSWORD)
            profile = b.submit(b.get("/enroll"), "/enroll")
            self.profile(profile)
        sim = self.simulate(profile.body)
        self.assertEqual(sim.returncode, 0, sim.stdout + sim.stderr)
        ids = s.sql("SELECT e.ident FROM enrollment e JOIN life l ON l.id=e.life_id JOIN handout h "
                    "ON h.id=l.handout_id WHERE h.account='%s' AND e.state=2" % self.name)
        e = s.api("GET", "/v1/enrollments/" + ids[0][0]).json()["enrolled_with"]
        self.assertEqual((e["way"], e["account"], e["account_kind"]), ("web", self.name, "local"))


class Account(Web):
    webs = ("lighttpd",)

    def test_where_account_driven_enrolment_logs_in(self):
        s = self.server
        self.user()
        path = "/enroll/account/byod/login"
        b = Browser(self)
        self.assertEqual(b.get(path).status, 404)  # [enroll] login is no
        with drover.setting(s, "enroll", login="local"):
            page = drover.wait_for(lambda: (lambda a: a if a.status == 200 else None)(b.get(path)))
            self.assertEqual(b.get("/enroll/account/nonsense/login").status, 404)
            right = {"name": self.name, "password": PASSWORD}
            self.assertEqual(b.submit(page, path, **right, csrf="x").status, 403)
            self.assertEqual(b.submit(page, path, name=self.name, password="wrong").status, 403)
            # a name that is no Managed Apple Account, and has none
            self.assertEqual(b.submit(page, path, **right).status, 403)
            s.ctl("users", "managed", self.name, self.name + "@example.org")
            a = b.submit(page, path, **right)
            self.assertEqual(a.status, 308)
            self.assertRegex(a.headers["Location"], r"^apple-remotemanagement-user-login://"
                                                    r"authentication-results\?access-token="
                                                    r"[0-9a-f]{48}$")
            token = a.headers["Location"][-48:]
            self.assertEqual(s.sql("SELECT account, managed_account, kind FROM enroll_session "
                                   "WHERE secret_sha256=UNHEX(SHA2('%s', 256))" % token),
                             [[self.name, self.name + "@example.org", "3"]])


class Guessing(Web):
    webs = ("lighttpd",)

    def test_ten_wrong_passwords(self):
        s = self.server
        self.user()
        with drover.setting(s, "enroll", login="local"):
            b = Browser(self)
            page = drover.wait_for(lambda: (lambda a: a if a.page.forms[0].get("do") == "login"
                                            else None)(b.get("/enroll")))
            mark, seen = s.log_mark(), []
            for _ in range(13):
                a = b.submit(page, "/enroll", name=self.name, password="wrong")
                seen.append(a.status)
                if a.status == 429:
                    self.assertGreater(int(a.headers["Retry-After"]), 0)
                    s.sql("UPDATE login_throttle SET free_at=0 WHERE failures<10")
            self.assertEqual(seen[:4], [403] * 4)
            self.assertEqual(seen[4], 429)  # slowed
            s.sql("UPDATE login_throttle SET free_at=0 WHERE failures<10")
            while b.submit(page, "/enroll", name=self.name, password="wrong").status == 403:
                s.sql("UPDATE login_throttle SET free_at=0 WHERE failures<10")
            a = b.submit(page, "/enroll", name=self.name, password=PASSWORD)
            self.assertEqual(a.status, 429)  # blocked, right or wrong
            self.assertGreater(int(a.headers["Retry-After"]), 600)
            self.assertEqual(s.count("SELECT COUNT(*) FROM audit WHERE action='login.block' AND "
                                     "subject LIKE 'account:%s@%%'" % self.name), 1)
            self.assertGreater(s.count("SELECT COUNT(*) FROM audit WHERE action='login.failed'"), 0)
            self.assertTrue(s.log_has(mark, "event=login.failed", self.name))
            self.assertEqual(s.sql("SELECT COUNT(*) FROM handout WHERE account='%s'" % self.name),
                             [["0"]])
            s.sql("DELETE FROM login_throttle")
            self.assertEqual(b.submit(page, "/enroll", name=self.name,
                                      password=PASSWORD).status, 303)

    def test_many_accounts_from_one_address(self):
        s = self.server
        with drover.setting(s, "enroll", login="local"):
            b = Browser(self)
            page = drover.wait_for(lambda: (lambda a: a if a.page.forms[0].get("do") == "login"
                                            else None)(b.get("/enroll")))
            s.sql("INSERT INTO login_throttle (subject, failures, last_at, free_at) VALUES "
                  "('address:127.0.0.1', 49, UNIX_TIMESTAMP()*1000000, 0)")
            for name, status in (("one", 403), ("two", 429)):
                a = b.submit(page, "/enroll", name=name + self.name, password="wrong")
                self.assertEqual(a.status, status)
            s.sql("DELETE FROM login_throttle")


class RemoteUser(Web):
    """The web server asks for the password; Drover believes its variable alone."""

    def protect(self):
        """Has the web server ask for a login below /enroll, as INSTALL says."""
        def in_the_device_host(text, users):  # after its own <Location "/">
            return text.replace("    CustomLog", (
                '    <LocationMatch "^/enroll($|/account/[a-z]+/login$)">\nAuthType Basic\nAuthName "Enrolment"\n'
                'AuthBasicProvider file\nAuthUserFile "%s"\nRequire valid-user\n</LocationMatch>\n'
                "    CustomLog") % users, 1)

        drover.ask_for_password(
            self, self.server.state, (self.name,), PASSWORD,
            'auth.backend = "htpasswd"\nauth.backend.htpasswd.userfile = "%s"\n'
            '$HTTP["url"] =~ "^/enroll($|/account/[a-z]+/login$)" {\n'
            'auth.require = ("/enroll" => ("method" => "basic", "realm" => "Enrolment", '
            '"require" => "valid-user"))\n}\n',
            in_the_device_host, lambda: self.status() == 200)

    def status(self, **headers):
        try:
            return Browser(self, **headers).get("/enroll").status
        except OSError:
            return 0

    def test_remote_user(self):
        s = self.server
        word = base64.b64encode(("%s:%s" % (self.name, PASSWORD)).encode()).decode()
        with drover.setting(s, "enroll", login="remote_user"):
            # not protected: nobody is anybody, least of all by a header
            drover.wait_for(lambda: self.status() == 403)
            for header in ("Remote-User", "REMOTE_USER", "Remote_User", "X-Remote-User",
                           "HTTP_REMOTE_USER"):
                self.assertIn(self.status(**{header: "boss"}), (400, 403))
            self.protect()
            drover.wait_for(lambda: self.status() == 401, 20)
            b = Browser(self, Authorization="Basic " + word,
                        **{"Remote-User": "boss", "X-Remote-User": "boss"})
            page = drover.wait_for(lambda: (lambda a: a if a.status == 200 else None)
                                   (b.get("/enroll")), 20)
            self.assertIn(self.name, page.page.text)
            self.assertNotIn("boss", page.page.text)
            self.profile(b.submit(page, "/enroll"))
            self.assertEqual(self.handouts(self.name), [["3", "2"]])
            self.assertEqual(b.send("POST", "/enroll", {"do": "get"}).status, 403)
            # what devices and guests come to is not protected
            self.assertEqual(self.server.request("device_url", "POST", "/enroll/ade",
                                                 b"x").status, 400)
            self.assertEqual(Browser(self).get("/enroll/" + "0" * 48).status, 404)


if __name__ == "__main__":
    unittest.main()

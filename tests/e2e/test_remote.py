"""Administrators whom the web server has authenticated: its basic authentication, the roles that
[console] remote_roles gives them, and what no client can say of itself."""

import base64
import re
import secrets
import unittest
import urllib.parse

import drover

PASSWORD = "correct horse battery"


class RemoteConsole(unittest.TestCase):
    def setUp(self):
        self.s = drover.server()
        self.boss = "boss-" + secrets.token_hex(3)
        self.guest = "guest-" + secrets.token_hex(3)

    def get(self, path, user=None, **headers):
        """Status, Location, cookies and text; 0: the server is not there yet."""
        if user:
            word = base64.b64encode(("%s:%s" % (user, PASSWORD)).encode()).decode()
            headers["Authorization"] = "Basic " + word
        try:
            r = self.s.request("console_url", "GET", path, headers=headers)
        except OSError:
            return 0, "", "", ""
        return (r.status, r.headers.get("Location", ""), r.headers.get("Set-Cookie", ""),
                r.body.decode())

    def post(self, path, session, user=None, **fields):
        """Status and text of a form of that session."""
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Cookie": session}
        if user:
            headers["Authorization"] = "Basic " + base64.b64encode(
                ("%s:%s" % (user, PASSWORD)).encode()).decode()
        r = self.s.request("console_url", "POST", path, urllib.parse.urlencode(fields).encode(),
                           headers)
        return r.status, r.body.decode()

    def prove(self, session):
        """A sensitive action has the person sign in with the web server again."""
        csrf = re.search('name="csrf" value="([0-9a-f]{64})"',
                         self.get("/people", Cookie=session)[3]).group(1)
        form = {"csrf": csrf, "what": "remove", "name": "nobody", "sure": "yes"}
        self.s.sql("UPDATE session SET fresh_at = 1 WHERE admin = '%s'" % self.boss)
        status, text = self.post("/people", session, **form)
        self.assertEqual((status, 'name="again"' in text), (403, True))
        self.assertEqual(self.post("/signin", session, csrf=csrf, again="1")[0], 401)
        self.assertEqual(self.post("/signin", session, self.guest, csrf=csrf, again="1")[0], 403)
        self.assertEqual(self.post("/people", session, **form)[0], 403)
        self.assertEqual(self.post("/signin", session, self.boss, csrf=csrf, again="1")[0], 200)
        self.assertEqual(self.post("/people", session, **form)[0], 404)

    def protect(self):
        """Has the web server ask for a password at /signin, as INSTALL says."""
        def last_of_the_host(text, users):  # what stands later counts
            host = text.rindex("</VirtualHost>")
            return text[:host] + (
                '    <Location "/signin">\nAuthType Basic\nAuthName "Console"\n'
                'AuthBasicProvider file\nAuthUserFile "%s"\nRequire valid-user\n</Location>\n'
                % users) + text[host:]

        drover.ask_for_password(
            self, self.s.state, (self.boss, self.guest), PASSWORD,
            'auth.backend = "htpasswd"\nauth.backend.htpasswd.userfile = "%s"\n'
            'auth.require = ("/signin" => ("method" => "basic", "realm" => "Console", '
            '"require" => "valid-user"))\n',
            last_of_the_host, lambda: self.get("/signin")[0] == 200)

    def test_roles_of_the_web_server(self):
        s = self.s
        with drover.setting(s, "console", remote_user="yes",
                            remote_roles="%s = operator" % self.boss, remote_role="none"):
            # nobody is anybody by a header
            for header in ("Remote-User", "REMOTE_USER", "Remote_User", "X-Remote-User",
                           "HTTP_REMOTE_USER"):
                status, _, cookie, text = self.get("/signin", **{header: self.boss})
                self.assertNotEqual(status, 303, header)
                self.assertNotIn("__Host-drover=", cookie)
                self.assertNotIn(self.boss, text)
            self.protect()
            drover.wait_for(lambda: self.get("/signin")[0] == 401, 20)
            status, to, cookie, _ = drover.wait_for(
                lambda: (lambda a: a if a[0] == 303 else None)(self.get("/signin", self.boss)), 20)
            session = re.search(r"__Host-drover=[^;]+", cookie).group(0)
            self.assertIn(self.boss, self.get("/devices", Cookie=session)[3])
            self.assertEqual(self.get("/accounts", Cookie=session)[0], 403)  # no administrator
            self.assertEqual(s.count("SELECT COUNT(*) FROM admin WHERE name = '%s' AND role = "
                                     "'operator' AND origin <> 'local'" % self.boss), 1)
            # who is known to the web server and to no rule is kept out, whatever else is said
            status, _, cookie, _ = self.get("/signin", self.guest, **{"Remote-User": self.boss})
            self.assertEqual(status, 403)
            self.assertNotIn("__Host-drover=", cookie)
            self.prove(session)
            # API keys are not asked for by the web server
            self.assertEqual(s.api("GET", "/v1/enrollments").status, 200)
        # switched off, the session is over and the variable counts for nothing
        self.assertEqual(self.get("/devices", Cookie=session)[0], 303)
        self.assertNotEqual(self.get("/signin", self.boss)[0], 303)


if __name__ == "__main__":
    unittest.main()

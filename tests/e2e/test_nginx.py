"""Another proxy in front: the lines for nginx that INSTALL gives, as they stand there."""

import os
import plistlib
import re
import shutil
import socket
import subprocess
import tempfile
import unittest

import drover

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
NGINX = shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin")
SPELLINGS = ("Client-Cert", "client-cert", "Client_Cert", "CLIENT_CERT", "Client.Cert",
             "Client~Cert", "Client!Cert")


def example():
    with open(os.path.join(TOP, "INSTALL")) as f:
        section = re.search(r"\n9  Behind another proxy\n.*?\n10  ", f.read(), re.S).group()
    return re.search(r"\n\n((?:    .*\n)+)", section).group(1)


@unittest.skipUnless(NGINX, "nginx is not installed")
class BehindNginx(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        s = drover.server()
        folder = tempfile.mkdtemp()
        cls.addClassCleanup(shutil.rmtree, folder)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        lines = (example().replace("/etc/nginx/device-ca.pem", s.run["device_ca_file"])
                 .replace("http://127.0.0.1:8080", s.run["device_http_url"]))
        assert s.run["device_http_url"] in lines and s.run["device_ca_file"] in lines
        temporary = "".join("%s_temp_path %s/%s;\n" % (w, folder, w) for w in
                            ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        with open(folder + "/nginx.conf", "w") as f:
            f.write(f"""
daemon off; pid {folder}/pid; error_log {folder}/error.log;
{"user root;" if os.geteuid() == 0 else ""}
events {{ }}
http {{
access_log off;
{temporary}
server {{
    listen 127.0.0.1:{port} ssl; server_name localhost;
    ssl_certificate {s.state}/tls/server.pem; ssl_certificate_key {s.state}/tls/server.key;
{lines}
}} }}
""")
        nginx = subprocess.Popen([NGINX, "-c", folder + "/nginx.conf", "-e", folder + "/error.log"],
                                 stdin=subprocess.DEVNULL)
        cls.addClassCleanup(nginx.wait)
        cls.addClassCleanup(nginx.terminate)
        s.run["nginx_url"] = "https://localhost:%d" % port
        cls.addClassCleanup(s.run.pop, "nginx_url")

        def listens():
            with socket.socket() as c:
                return c.connect_ex(("127.0.0.1", port)) == 0
        drover.wait_for(listens)

    def put(self, body, identity=None, **headers):
        return drover.server().request("nginx_url", "PUT", "/mdm/connect", body,
                                       {"Content-Type": drover.REPORT, **headers}, identity)

    def test_ways(self):
        d = drover.device().enrol()
        body = plistlib.dumps({"UDID": d.udid, "Status": "Idle"})
        self.assertEqual(self.put(body, d.identity).status, 200)
        self.assertEqual(self.put(body).status, 400)
        self.assertEqual(self.put(body, **{"Mdm-Signature": d.identity.sign(body)}).status, 200)

    def test_headers_from_outside(self):
        d, other = drover.device().enrol(), drover.device().enrol()
        body = plistlib.dumps({"UDID": d.udid, "Status": "Idle"})
        said = d.identity.pem.replace("\n", " ")
        for name in SPELLINGS:
            self.assertEqual(self.put(body, **{name: said}).status, 400, name)
            self.assertEqual(self.put(body, other.identity, **{name: said}).status, 403, name)

    def test_what_devices_send_gets_through(self):
        """nginx itself takes bodies of 1 MB, and 8 kB for a header or the request line."""
        d = drover.device().enrol()
        body = plistlib.dumps({"UDID": d.udid, "Status": "Idle", "Unknown": b"x" * (8 << 20)})
        self.assertEqual(self.put(body, d.identity).status, 200)
        for answer in (self.put(b"x", **{"Mdm-Signature": "A" * 14000}),
                       drover.server().request("nginx_url", "GET", "/scep?operation=PKIOperation&"
                                               "message=" + "A" * 14000)):
            self.assertEqual(answer.status, 400)
            self.assertIn("X-Request-Id", answer.headers)  # Drover's own word, not nginx's


if __name__ == "__main__":
    unittest.main()

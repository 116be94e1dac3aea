"""make install and uninstall, and what the installed examples say to systemd, cron and logrotate."""

import os
import re
import shutil
import socket
import subprocess
import tempfile
import unittest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("BUILD", os.path.join(TOP, "build"))
OWNED = ("StateDirectory", "RuntimeDirectory", "LogsDirectory")


class Install(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.root = tempfile.mkdtemp(prefix="drover-install-")
        cls.make("install")

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.root)

    @classmethod
    def make(cls, target):
        subprocess.run(["make", "-s", "-C", TOP, target, "B=" + BUILD, "DESTDIR=" + cls.root],
                       check=True, stdout=subprocess.DEVNULL, env={**os.environ, "MAKEFLAGS": ""})

    def files(self):
        return sorted(os.path.relpath(os.path.join(d, f), self.root)
                      for d, _, names in os.walk(self.root) for f in names)

    def text(self, name):
        with open(os.path.join(self.root, "usr/local/share/drover", name)) as f:
            return f.read()

    def units(self):
        """Unit -> [(key, value)]."""
        folder = os.path.join(self.root, "usr/local/share/drover/etc/systemd")
        return {name: re.findall(r"^([A-Za-z]+)=(.*)$", self.text("etc/systemd/" + name), re.M)
                for name in os.listdir(folder)}

    def test_files(self):
        have = self.files()
        for name in ("sbin/drover", "sbin/droverctl", "bin/mdmsim", "bin/apns",
                     "share/man/man8/drover.8", "share/man/man8/droverctl.8",
                     "share/man/man5/drover.conf.5", "share/man/man1/mdmsim.1",
                     "share/man/man1/apns.1", "share/drover/sql/grants.sql",
                     "share/drover/templates/words.en", "share/drover/htdocs/console.css",
                     "share/drover/etc/lighttpd/drover.conf", "share/drover/etc/apache/limits.conf",
                     "share/drover/etc/crontab", "share/drover/etc/drover.conf.example",
                     "share/doc/drover/INSTALL", "share/doc/drover/LICENSE"):
            self.assertIn("usr/local/" + name, have)
        self.assertEqual([f for f in have if f.startswith("etc") and "/tls/" not in f], [])
        for name in have:
            if "/share/drover/etc/" in name:
                with open(os.path.join(self.root, name)) as f:
                    self.assertNotRegex(f.read(), "@[A-Z_]+@", name)
        out = subprocess.run([os.path.join(self.root, "usr/local/sbin/drover"), "version"],
                             check=True, capture_output=True, text=True).stdout
        self.assertRegex(out, r"^Drover \d+\.\d+\.\d+$")

    def test_another_prefix_after_make(self):
        """What was built for the default is built anew where it knows its folders."""
        with tempfile.TemporaryDirectory(prefix="drover-prefix-") as t:
            for part in ("obj", "gen"):
                shutil.copytree(os.path.join(BUILD, part), os.path.join(t, "b", part))
            subprocess.run(["make", "-s", "-C", TOP, "install", "B=" + t + "/b", "DESTDIR=" + t,
                            "PREFIX=/opt/drover", "SYSCONFDIR=/opt/etc"], check=True,
                           stdout=subprocess.DEVNULL, env={**os.environ, "MAKEFLAGS": ""})
            root = t + "/opt/drover"
            out = subprocess.run([root + "/sbin/droverctl", "status"], capture_output=True,
                                 env={k: v for k, v in os.environ.items() if k != "DROVER_CONF"})
            self.assertIn(b"/opt/etc/drover/drover.conf", out.stderr)
            for where, _, names in os.walk(root):
                for name in names:
                    with open(os.path.join(where, name), "rb") as f:
                        text = f.read()
                    if "/doc/" not in where and name != "apns-start":
                        self.assertNotIn(b"/usr/local", text, name)
            with open(root + "/sbin/drover", "rb") as f:
                self.assertIn(b"/opt/drover/share/drover", f.read())

    def test_the_simulators_explain_themselves_and_start(self):
        """Where nothing but what was installed is there."""
        bin_, sim = (os.path.join(self.root, "usr/local", f) for f in ("bin", "share/drover/sim"))
        for program in (bin_ + "/mdmsim", bin_ + "/apns", sim + "/apns-start"):
            out = subprocess.run([program, "--help"], check=True, capture_output=True, text=True)
            self.assertIn("apns" if "apns" in program else "mdmsim(1)", out.stdout)
            self.assertEqual(out.stderr, "")
            wrong = subprocess.run([program], capture_output=True, text=True)
            self.assertEqual((wrong.returncode, wrong.stdout), (2, ""))
        ports = []
        for s in (socket.socket(), socket.socket()):
            s.bind(("127.0.0.1", 0))
            ports.append((s, s.getsockname()[1]))
        for s, _ in ports:
            s.close()
        dir_ = os.path.join(self.root, "apns")
        env = {k: v for k, v in os.environ.items() if k != "APNS_BIN"}
        out = subprocess.run([sim + "/apns-start", dir_, *(str(p) for _, p in ports)], check=True,
                             capture_output=True, text=True, env=env).stdout
        subprocess.run([sim + "/apns-start", "--stop", dir_], check=True)
        shutil.rmtree(dir_)
        self.assertIn("pushes: https://127.0.0.1:%d " % ports[0][1], out)

    def test_units_are_understood(self):
        if not shutil.which("systemd-analyze"):
            self.skipTest("no systemd here")
        for name in self.units():
            text = re.sub("^Documentation=.*\n", "", self.text("etc/systemd/" + name), flags=re.M)
            text = text.replace("/usr/local/sbin/drover", os.path.join(BUILD, "drover"))
            path = os.path.join(self.root, name)
            with open(path, "w") as f:
                f.write(text)
            p = subprocess.run(["systemd-analyze", "verify", path], capture_output=True, text=True)
            os.remove(path)
            said = [line for line in p.stderr.splitlines() if name in line]
            self.assertEqual((p.returncode, said), (0, []))

    def test_no_unit_takes_a_folder_from_another(self):
        """systemd gives a folder, and all in it, to the account of the unit that names it."""
        owners = {}
        for name, pairs in self.units().items():
            user = dict(pairs).get("User", "root")
            for key, value in pairs:
                if key in OWNED:
                    owners.setdefault((key, value), set()).add(user)
        for folder, users in owners.items():
            self.assertEqual(users, {"root"}, folder)

    def placed(self, name):
        """An installed example with its folders moved below self.root, where a certificate is."""
        text = self.text("etc/" + name)
        for folder in ("/etc/drover", "/var/lib/drover", "/var/log/drover-web", "/run/drover"):
            os.makedirs(self.root + folder, exist_ok=True)
            text = text.replace(folder + "/", self.root + folder + "/")
        text = text.replace("/usr/local/sbin/", self.root + "/usr/local/sbin/")
        os.makedirs(self.root + "/etc/drover/tls", exist_ok=True)
        pem = self.root + "/etc/drover/tls/fullchain.pem"
        if not os.path.exists(pem):
            subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                            "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=mdm.example.org",
                            "-keyout", self.root + "/etc/drover/tls/privkey.pem", "-out", pem],
                           check=True, stderr=subprocess.DEVNULL)
            shutil.copy(pem, self.root + "/var/lib/drover/device-ca.pem")
        return text

    def write(self, name, text):
        path = os.path.join(self.root, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as f:
            f.write(text)
        return path

    def test_lighttpd_takes_it_beside_debians_own(self):
        """Debian's lighttpd.conf sets modules, http-parseopts and a port of its own first."""
        for backend in ("sockets", "spawn"):
            self.write("etc/drover/web/backend.conf", self.placed("lighttpd/%s.conf" % backend))
            part = self.write("50-drover.conf", self.placed("lighttpd/drover.conf"))
            main = self.write("lighttpd.conf", """
server.modules = ( "mod_indexfile", "mod_access", "mod_alias", "mod_redirect" )
server.document-root = "/var/www/html"
server.port = 80
server.feature-flags += ( "server.h2proto" => "enable" )
server.http-parseopts = ( "header-strict" => "enable", "url-path-2f-decode" => "enable" )
include "%s"
server.modules += ( "mod_dirlisting", "mod_staticfile" )
""" % part)
            p = subprocess.run(["lighttpd", "-tt", "-f", main], capture_output=True, text=True,
                               env={**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin"})
            for path in (main, part, self.root + "/etc/drover/web/backend.conf"):
                os.remove(path)
            self.assertEqual((p.returncode, p.stderr), (0, ""), p.stdout)

    def test_cron_finds_the_program(self):
        """Its PATH is /usr/bin:/bin."""
        lines = [line for line in self.text("etc/crontab").splitlines() if line.startswith("*")]
        self.assertEqual(len(lines), 2)
        for line in lines:
            path = re.search(r"exec (\S+)", line).group(1)
            self.assertTrue(os.access(self.root + path, os.X_OK), line)

    def test_rotated_logs_can_be_opened(self):
        """By accounts that may not make files in the folder: each is made for its writer."""
        blocks = dict(re.findall(r"^(/\S+) \{(.*?)^\}", self.text("etc/logrotate.conf"),
                                 re.M | re.S))
        example = self.text("etc/drover.conf.example")
        logs = re.findall(r"^log = (/\S+)", example, re.M)
        self.assertEqual(sorted(blocks), sorted(logs))
        for name, block in blocks.items():
            self.assertRegex(block, r"create 06[06]0 \S+ drover", name)
            self.assertIn("pkill -USR1 -x drover", block)

    def test_uninstall(self):
        self.make("uninstall")
        left = [f for f in self.files() if f.startswith("usr")]
        self.make("install")
        self.assertEqual(left, [])


if __name__ == "__main__":
    unittest.main()

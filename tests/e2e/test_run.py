"""scripts/run itself: start, stop, start again; what is in its way; what a killed run leaves."""

import json
import os
import shutil
import signal
import socket
import subprocess
import time
import unittest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("BUILD", os.path.join(TOP, "build"))
PORT = int(os.environ.get("PORT_BASE", "8450"))


class Run(unittest.TestCase):
    state = os.path.join(BUILD, "e2e-run")

    def run_script(self, *options, timeout=90):
        p = subprocess.run([os.path.join(TOP, "scripts/run"), "--state", self.state, *options],
                           stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, timeout=timeout)
        return p.returncode, p.stdout.decode(errors="replace")

    def start(self, *options):
        return self.run_script("--detach", "--no-build", "--yes", "--port-base", str(PORT),
                               *options)

    def setUp(self):
        if os.path.exists(self.state):
            self.run_script("--stop")
            shutil.rmtree(self.state)
        self.addCleanup(self.run_script, "--stop")

    def info(self):
        with open(os.path.join(self.state, "run.json")) as f:
            return json.load(f)

    def leftovers(self):
        """Processes that name the state folder."""
        found = []
        for d in os.listdir("/proc"):
            if d.isdigit() and int(d) != os.getpid():
                try:
                    with open("/proc/%s/cmdline" % d, "rb") as f:
                        line = f.read()
                except OSError:
                    continue
                if self.state.encode() in line and b"--stop" not in line:
                    found.append(line)
        return found

    def gone(self):
        end = time.monotonic() + 10
        while self.leftovers() and time.monotonic() < end:
            time.sleep(0.1)
        self.assertEqual(self.leftovers(), [])

    def assert_kept_private(self, *secrets):
        """Files that hold them are their owner's alone, whoever opens the folder later."""
        for folder, _, files in os.walk(self.state):
            for path in (os.path.join(folder, f) for f in files):
                if os.path.isfile(path) and os.stat(path).st_mode & 0o077:
                    with open(path, "rb") as f:
                        text = f.read()
                    for secret in secrets:
                        self.assertNotIn(secret.encode(), text, path)

    def test_start_stop_start(self):
        code, words = self.start()
        self.assertEqual(code, 0, words)
        first = self.info()
        for key in ("device_url", "device_http_url", "enroll_url", "scep_url", "console_url",
                    "console_user", "console_password", "api_url", "api_user", "api_key",
                    "ca_file", "mysql_socket", "apns_sim_url"):
            self.assertTrue(first[key], key)
        for key in ("enroll_url", "console_url", "console_password", "api_key"): # said, too
            self.assertIn(first[key], words)
        for name, pid in first["pids"].items():
            os.kill(pid, 0)
        self.assert_kept_private(first["api_key"], first["console_password"])
        code, words = self.start()
        self.assertNotEqual(code, 0)
        self.assertIn("already running", words)
        self.assertEqual(self.run_script("--stop")[0], 0)
        self.gone()
        begin = time.monotonic()
        code, words = self.start("--web", "apache")
        self.assertEqual(code, 0, words)
        self.assertLess(time.monotonic() - begin, 15)
        again = self.info()
        self.assertEqual(again["api_key"], first["api_key"])
        self.assertEqual(again["console_password"], first["console_password"])
        self.assertEqual(self.run_script("--stop")[0], 0)
        self.gone()

    def test_port_in_use(self):
        """Each port of --help is looked at, lighttpd's own beside the hosts' too."""
        for port in (PORT + 2, PORT + 5):
            with self.subTest(port=port), socket.socket() as s:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                s.bind(("127.0.0.1", port))
                s.listen()
                code, words = self.start()
                self.assertNotEqual(code, 0)
                self.assertIn("port %d is in use" % port, words)
                self.gone()

    def test_log_of_a_start_that_failed(self):
        """What the programs said last stands above the message, not in a log alone."""
        code, words = self.start("--set", "mdm.socket=/nonexistent/mdm.sock")
        self.assertNotEqual(code, 0)
        self.assertIn("does not answer", words)
        self.assertIn("/nonexistent/mdm.sock", words)
        self.gone()

    def test_supervisor_killed(self):
        """The next start ends what the killed one has left, and works."""
        self.assertEqual(self.start()[0], 0)
        os.kill(self.info()["pids"]["run"], signal.SIGKILL)
        code, words = self.start()
        self.assertEqual(code, 0, words)
        os.kill(self.info()["pids"]["run"], signal.SIGKILL)
        self.assertEqual(self.run_script("--stop")[0], 0)
        self.gone()

    def test_cut_off_in_the_middle(self):
        """A set-up that was killed at some moment is finished by the next start."""
        for delay in (0.2, 0.6, 1.0, 1.5):
            p = subprocess.Popen([os.path.join(TOP, "scripts/run"), "--state", self.state,
                                  "--no-build", "--yes", "--port-base", str(PORT)],
                                 stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                 stderr=subprocess.DEVNULL, start_new_session=True)
            time.sleep(delay)
            os.killpg(p.pid, signal.SIGKILL)
            p.wait()
        code, words = self.start()
        self.assertEqual(code, 0, words)

    def test_pids_of_programs_that_were_started_again(self):
        self.assertEqual(self.start()[0], 0)
        before = self.info()
        os.kill(before["pids"]["drover"], signal.SIGKILL)
        end = time.monotonic() + 10
        while self.info()["pids"]["drover"] in (0, before["pids"]["drover"]):
            self.assertLess(time.monotonic(), end, "run.json names the process that is gone")
            time.sleep(0.1)
        after = self.info()
        with open("/proc/%d/cmdline" % after["pids"]["drover"], "rb") as f:
            self.assertIn(b"serve", f.read())
        self.assertEqual({**after, "pids": 0}, {**before, "pids": 0})

    def test_reload_does_not_wait_for_a_slow_client(self):
        """droverctl ca trust has the web server begin anew; whoever is slow must not keep it away."""
        self.assertEqual(self.start()[0], 0)
        with socket.create_connection(("127.0.0.1", PORT + 1)) as slow:
            slow.sendall(b"PUT /mdm HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9000\r\n\r\nx")
            time.sleep(0.2)
            old = self.info()["pids"]["web"]
            subprocess.run([os.path.join(self.state, "web/reload")], check=True)
            end = time.monotonic() + 15
            while True:
                with socket.socket() as s:
                    if self.info()["pids"]["web"] != old or os.geteuid() != 0:
                        if s.connect_ex(("127.0.0.1", PORT + 1)) == 0:
                            break
                self.assertLess(time.monotonic(), end, "nobody is served")
                time.sleep(0.1)

    def test_interrupt(self):
        """Ctrl-C ends everything it has started."""
        p = subprocess.Popen([os.path.join(TOP, "scripts/run"), "--state", self.state,
                              "--no-build", "--yes", "--port-base", str(PORT)],
                             stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL, start_new_session=True,
                             preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
        end = time.monotonic() + 60
        while not os.path.exists(os.path.join(self.state, "run.json")):
            self.assertLess(time.monotonic(), end)
            time.sleep(0.1)
        os.killpg(p.pid, signal.SIGINT)
        self.assertEqual(p.wait(60), 0)
        self.gone()

    def test_bad_options(self):
        for options in (("--web", "nginx"), ("--port-base", "x"), ("--devices", "many"),
                        ("--nonsense",), ("--host", "a b"), ("--trust-ca", "/nonexistent"),
                        ("--state",)):
            code, words = self.run_script(*options)
            self.assertNotEqual(code, 0, options)
            self.assertIn("run: ", words)


if __name__ == "__main__":
    unittest.main()

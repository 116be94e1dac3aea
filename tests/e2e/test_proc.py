#!/usr/bin/python3
"""Processes: reload, drain, recycling and death of workers, with a real lighttpd in front and with
a small FastCGI client that can be slow. No database is needed: what is asked for is a page that
does not exist, a body that is refused, or a health that is bad."""

import contextlib
import http.client
import os
import random
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time
import unittest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("BUILD", os.path.join(TOP, "build"))
DROVER = os.path.join(TOP, BUILD, "drover")
ENV = {**os.environ, "PATH": os.environ.get("PATH", "") + ":/usr/sbin:/sbin"}


def wait_for(what, seconds=10, why=""):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        got = what()
        if got:
            return got
        time.sleep(0.05)
    raise AssertionError("not within %g s: %s" % (seconds, why or what))


def free_port():
    """Below the ports that connections are given, one of which could be it a moment later."""
    while True:
        port = random.randrange(20000, 32000)
        with contextlib.suppress(OSError), socket.socket() as s:
            s.bind(("127.0.0.1", port))
            return port


def alive(pid):
    """A zombie is not."""
    try:
        with open("/proc/%d/stat" % pid) as f:
            return f.read().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):  # gone before, or while it was read
        return False


def children(pid):
    try:
        with open("/proc/%d/task/%d/children" % (pid, pid)) as f:
            return {int(x) for x in f.read().split()}
    except FileNotFoundError:
        return set()


class FastCGI:
    """One connection to the socket of the workers, one request, sent as slowly as one likes."""

    def __init__(self, path, timeout=30):
        self.s = socket.socket(socket.AF_UNIX)
        self.s.settimeout(timeout)
        self.s.connect(path)

    def record(self, kind, content=b""):
        self.s.sendall(struct.pack(">BBHHBB", 1, kind, 1, len(content), 0, 0) + content)

    def begin(self, flags=0):
        self.record(1, struct.pack(">HB5x", 1, flags))

    def params(self, end=True, **env):
        octets = b""
        for name, value in env.items():
            for text in (name, value):
                n = len(text)
                octets += struct.pack(">B", n) if n < 128 else struct.pack(">I", n | 1 << 31)
            octets += name.encode() + value.encode()
        self.record(4, octets)
        if end:
            self.record(4)

    def post(self, path, length, **env):
        """Everything but the body."""
        self.begin()
        self.params(REQUEST_METHOD="POST", REQUEST_URI=path, CONTENT_LENGTH=str(length),
                    REMOTE_ADDR="127.0.0.1", **env)

    def body(self, octets, end=True):
        for at in range(0, len(octets), 32768):
            self.record(5, octets[at:at + 32768])
        if end:
            self.record(5)

    def answer(self):
        """Status and body; (None, b"") when the connection was cut. Ended says if it was told."""
        data = b""
        while True:
            try:
                more = self.s.recv(65536)
            except ConnectionResetError:
                more = b""
            if not more:
                break
            data += more
        out, self.ended = b"", False
        while len(data) >= 8:
            kind, n, pad = data[1], struct.unpack(">H", data[4:6])[0], data[6]
            out += data[8:8 + n] if kind == 6 else b""
            self.ended |= kind == 3
            data = data[8 + n + pad:]
        self.s.close()
        if not out.startswith(b"Status: "):
            return None, out
        head, body = out.split(b"\r\n\r\n", 1)
        return int(head[8:11]), body


class Site:
    """A folder with drover.conf, a `drover mdm`, and a lighttpd in front of it."""

    def __init__(self, spawned=False, **mdm):
        self.dir = tempfile.mkdtemp(prefix="drover-proc-")
        self.port = free_port()
        self.procs = []
        self.socket = os.path.join(self.dir, "run", "mdm.sock")
        self.db = os.path.join(self.dir, "db.sock")
        for d in ("run", "state", "www"):
            os.mkdir(os.path.join(self.dir, d))
        self.mdm = {"processes": 2, "threads": 4, "deadline": "10s", **mdm}
        self.configure()
        self.spawned = spawned
        if not spawned:
            self.start()
        self.start_web()

    def configure(self, extra="", **mdm):
        self.mdm.update(mdm)
        with open(self.conf, "w") as f:
            f.write("[server]\nrun_dir = %s/run\nstate_dir = %s/state\nlog = %s/drover.log\n"
                    "device_url = https://mdm.example.test\n"
                    "console_url = https://console.example.test\n"
                    "[database]\nsocket = %s\ntimeout = 5s\n[mdm]\n" %
                    (self.dir, self.dir, self.dir, self.db))
            for k, v in self.mdm.items():
                f.write("%s = %s\n" % (k, v))
            f.write(extra)

    @property
    def conf(self):
        return os.path.join(self.dir, "drover.conf")

    def start(self, wait=True):
        self.manager = subprocess.Popen([DROVER, "mdm", "-c", self.conf], env=ENV,
                                        stderr=subprocess.PIPE)
        self.procs.append(self.manager)
        if wait:
            wait_for(lambda: self.said("event=ready"), 10, "the workers are ready")

    def start_web(self):
        backend = '"socket" => "%s", "check-local" => "disable", "disable-time" => 0' % self.socket
        if self.spawned:
            backend += (', "bin-path" => "%s mdm", "max-procs" => 1, "bin-environment" => '
                        '("DROVER_CONF" => "%s")' % (DROVER, self.conf))
        path = os.path.join(self.dir, "lighttpd.conf")
        with open(path, "w") as f:
            f.write('server.modules = ("mod_fastcgi")\nserver.document-root = "%s/www"\n'
                    'server.bind = "127.0.0.1"\nserver.port = %d\n'
                    'server.errorlog = "%s/lighttpd.log"\nserver.max-request-size = 20480\n'
                    'fastcgi.server = ("/" => ((%s)))\n' % (self.dir, self.port, self.dir, backend))
        self.web = subprocess.Popen(["lighttpd", "-D", "-f", path], env=ENV)
        self.procs.append(self.web)
        wait_for(lambda: self.try_get("/nothing") == 404, 10, "lighttpd and the workers answer")

    def log(self):
        try:
            with open(os.path.join(self.dir, "drover.log")) as f:
                return f.read()
        except FileNotFoundError:
            return ""

    def said(self, *words):
        return any(all(w in line for w in words) for line in self.log().splitlines())

    def story(self):
        """The log without requests, for failures."""
        return "\n".join([x for x in self.log().splitlines() if "event=request " not in x][-30:])

    def request(self, method, path, body=None, headers=None, timeout=30):
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            c.request(method, path, body, headers or {}, encode_chunked=True)
            r = c.getresponse()
            return r.status, r.read(), r
        finally:
            c.close()

    def try_get(self, path):
        try:
            return self.request("GET", path)[0]
        except OSError:
            return None

    def workers(self):
        """Those that accept; a replaced one may still be ending."""
        return {p for p in children(self.manager.pid) if alive(p)}

    def new_workers(self, old):
        now = self.workers()
        return now if len(now) == self.mdm["processes"] and not now & old else None

    def stop(self):
        for p in reversed(self.procs):
            if p.poll() is None:
                p.terminate()
        for p in self.procs:
            try:
                p.wait(20)
            except subprocess.TimeoutExpired:
                p.kill()
                p.wait()
            if p.stderr:
                p.stderr.close()
        shutil.rmtree(self.dir, ignore_errors=True)


class Load:
    """Clients that ask without pause for a page that does not exist, and count what they get."""

    def __init__(self, site, clients=6):
        self.site, self.stop, self.seen, self.lock = site, False, {}, threading.Lock()
        self.threads = [threading.Thread(target=self.run) for _ in range(clients)]

    def run(self):
        c = http.client.HTTPConnection("127.0.0.1", self.site.port, timeout=30)
        while not self.stop:
            try:
                c.request("GET", "/nothing")
                r = c.getresponse()
                what = r.status if r.read() == b"Not found\n" else "body"
            except (OSError, http.client.HTTPException) as e:
                what = repr(e)
                c.close()
            with self.lock:
                self.seen[what] = self.seen.get(what, 0) + 1
        c.close()

    def __enter__(self):
        for t in self.threads:
            t.start()
        return self

    def __exit__(self, *_):
        self.stop = True
        for t in self.threads:
            t.join()

    def total(self):
        with self.lock:
            return sum(self.seen.values())


class ProcTest(unittest.TestCase):
    webs = ("lighttpd",)

    def site(self, **how):
        s = Site(**how)
        self.addCleanup(s.stop)
        return s

    def assert_none_lost(self, load, least=100):
        self.assertEqual(set(load.seen), {404}, load.seen)
        self.assertGreater(load.seen[404], least)


class Reload(ProcTest):
    def test_reload_under_load_loses_no_request(self):
        s = self.site()
        with Load(s) as load:
            for _ in range(3):
                old = s.workers()
                s.manager.send_signal(signal.SIGHUP)
                wait_for(lambda: s.new_workers(old), 15, "all workers are new")
        self.assert_none_lost(load)
        self.assertFalse(s.said("Z error "), s.story())

    def test_more_and_fewer_processes(self):
        s = self.site()
        for n in (4, 1):
            s.configure(processes=n)
            s.manager.send_signal(signal.SIGHUP)
            wait_for(lambda: len(s.workers()) == n, 15, "%d workers" % n)
            self.assertEqual(s.try_get("/nothing"), 404)

    def test_bad_configuration_is_refused(self):
        s = self.site()
        old = s.workers()
        s.configure(extra="nonsense = 1\n")
        s.manager.send_signal(signal.SIGHUP)
        wait_for(lambda: s.said("event=reload", "the old configuration stays", "nonsense"))
        self.assertEqual(s.workers(), old)
        self.assertEqual(s.try_get("/nothing"), 404)

    def test_log_is_opened_again(self):
        s = self.site()
        os.rename(os.path.join(s.dir, "drover.log"), os.path.join(s.dir, "old.log"))
        s.manager.send_signal(signal.SIGUSR1)
        wait_for(lambda: os.path.exists(os.path.join(s.dir, "drover.log")))

        def logged():
            s.try_get("/nothing")
            return s.said("path=/nothing")
        wait_for(logged)


class End(ProcTest):
    def test_sigterm_drains(self):
        s = self.site()
        slow = FastCGI(s.socket)
        slow.post("/scep?operation=PKIOperation", 10)
        time.sleep(0.3)
        s.manager.terminate()
        wait_for(lambda: not os.path.exists(s.socket), 5, "the socket is gone")
        time.sleep(0.7)
        self.assertIsNone(s.manager.poll())
        slow.body(b"0123456789")
        status, _ = slow.answer()
        self.assertIn(status, range(400, 600))
        self.assertTrue(slow.ended)
        self.assertEqual(s.manager.wait(5), 0)

    def test_drain_is_bounded(self):
        s = self.site(deadline="1s")
        slow = FastCGI(s.socket)
        slow.post("/scep?operation=PKIOperation", 10)
        time.sleep(0.3)
        begin = time.monotonic()
        s.manager.terminate()
        self.assertEqual(s.manager.wait(10), 0)
        self.assertLess(time.monotonic() - begin, 5)
        slow.s.close()

    def test_no_orphans_and_a_stale_socket(self):
        s = self.site()
        workers = s.workers()
        s.manager.kill()
        s.manager.wait()
        wait_for(lambda: not any(alive(p) for p in workers), 5, "the workers end too")
        self.assertTrue(os.path.exists(s.socket))
        os.unlink(os.path.join(s.dir, "drover.log"))
        s.start()
        wait_for(lambda: s.try_get("/nothing") == 404)

    def test_a_new_manager_does_not_wait_for_orphans(self):
        s = self.site()
        slow = FastCGI(s.socket)
        slow.post("/scep?operation=PKIOperation", 10)
        time.sleep(0.3)
        s.manager.kill()
        s.manager.wait()
        os.unlink(os.path.join(s.dir, "drover.log"))
        s.start()
        wait_for(lambda: s.try_get("/nothing") == 404)
        slow.body(b"0123456789")
        self.assertIsNotNone(slow.answer()[0])

    def test_second_manager_refuses(self):
        s = self.site()
        with open(os.path.join(s.dir, "run", "mdm.pid")) as f:
            self.assertEqual(int(f.read()), s.manager.pid)
        again = subprocess.run([DROVER, "mdm", "-c", s.conf], env=ENV, timeout=10)
        self.assertEqual(again.returncode, 1)
        self.assertTrue(s.said("event=start", "outcome=conflict"), s.story())
        self.assertEqual(s.try_get("/nothing"), 404)


class Workers(ProcTest):
    def test_killed_worker_is_replaced(self):
        s = self.site()
        victim = min(s.workers())
        os.kill(victim, signal.SIGKILL)
        wait_for(lambda: len(s.workers()) == 2 and victim not in s.workers(), 5)
        wait_for(lambda: s.said("event=child.end", "signal 9"), 5)
        # again and again: each time later than before
        times = []
        for _ in range(3):
            rest = s.workers()
            victim = max(rest)
            begin = time.monotonic()
            os.kill(victim, signal.SIGKILL)
            wait_for(lambda: s.workers() - rest and len(s.workers()) == 2, 10)
            times.append(time.monotonic() - begin)
        self.assertGreater(times[-1], 0.3, times)
        self.assertEqual(s.try_get("/nothing"), 404)

    def test_requests_max_loses_no_request(self):
        s = self.site(requests_max=400)
        old = s.workers()
        with Load(s) as load:
            wait_for(lambda: s.new_workers(old), 20, "all workers are new")
        self.assert_none_lost(load)
        self.assertTrue(s.said("event=worker.retire", "requests were served"))
        self.assertFalse(s.said("Z error "), s.story())

    def test_memory_max_loses_no_request(self):
        """Bodies that wait for their signature to be checked take memory; both those and the
        load come through."""
        s = self.site(memory_max="48M", processes=1)
        old = s.workers()
        size = 15 << 20
        with Load(s, 3) as load:
            big = [FastCGI(s.socket) for _ in range(3)]
            for b in big:
                b.post("/mdm/connect", size, HTTP_MDM_SIGNATURE="AAAA")
            time.sleep(0.2)
            for b in big:
                b.body(bytes(1 << 20), end=False)
            wait_for(lambda: s.new_workers(old) or s.said("event=worker.retire"), 10, "it retires")
            for b in big:
                b.body(bytes(size - (1 << 20)))
            for b in big:
                status, _ = b.answer()
                self.assertEqual(status, 400)
                self.assertTrue(b.ended)
            wait_for(lambda: s.new_workers(old), 15, "the worker is new")
        self.assert_none_lost(load)
        self.assertTrue(s.said("event=worker.retire", "resident memory"), s.story())

    def test_stuck_request_costs_its_process(self):
        """A database that accepts and says nothing: the health check waits for it."""
        silent = socket.socket(socket.AF_UNIX)
        s = self.site(deadline="1s", processes=1)
        silent.bind(s.db)
        silent.listen(16)
        self.addCleanup(silent.close)
        old = s.workers()
        begin = time.monotonic()
        status = s.request("GET", "/healthz")[0]
        self.assertIn(status, (500, 502, 503))
        self.assertLess(time.monotonic() - begin, 3)
        wait_for(lambda: s.said("event=request.deadline"), 3)
        wait_for(lambda: s.workers() and not s.workers() & old, 15, "the worker is new")
        self.assertEqual(s.try_get("/nothing"), 404)


class Slow(ProcTest):
    def test_slow_bodies_do_not_keep_threads(self):
        s = self.site(deadline="1s", processes=1, threads=2)
        slow = [FastCGI(s.socket) for _ in range(4)]
        for c in slow:
            c.post("/scep?operation=PKIOperation", 1000)
            c.body(b"0123", end=False)
        wait_for(lambda: s.try_get("/nothing") == 404, 10, "others are served")
        self.assertTrue(s.said("event=request.deadline", "cut off"))
        for c in slow:
            c.answer()

    def test_slow_client_behind_lighttpd_occupies_no_thread(self):
        s = self.site(processes=1, threads=1)
        with socket.create_connection(("127.0.0.1", s.port)) as c:
            c.sendall(b"POST /scep HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n0123")
            time.sleep(0.2)
            self.assertEqual(s.try_get("/nothing"), 404)

    def test_kept_connection_does_not_keep_a_thread(self):
        s = self.site(processes=1, threads=1)
        c = FastCGI(s.socket)
        c.begin(flags=1)  # FCGI_KEEP_CONN
        c.params(REQUEST_METHOD="GET", REQUEST_URI="/nothing")
        c.record(5)
        self.assertEqual(c.answer()[0], 404)  # up to the end of the connection

    def test_no_fastcgi_at_all(self):
        s = self.site(processes=1, threads=2)
        for octets in (b"GET / HTTP/1.1\r\n\r\n", b"", b"\x01", bytes(8), b"\x01\x01" + bytes(400),
                       os.urandom(4000)):
            c = FastCGI(s.socket)
            c.s.sendall(octets)
            c.s.shutdown(socket.SHUT_WR)
            self.assertEqual(c.answer()[0], None)
        old = s.workers()
        self.assertEqual(s.try_get("/nothing"), 404)
        self.assertEqual(s.workers(), old)

    def test_length_that_is_not_true(self):
        s = self.site()
        for declared, sent in ((10, 5), (5, 10)):
            c = FastCGI(s.socket)
            c.post("/scep?operation=PKIOperation", declared)
            c.body(bytes(sent))
            status, body = c.answer()
            self.assertEqual(status, 400, body)

    def test_oversized_bodies(self):
        s = self.site()
        status, _, _ = s.request("POST", "/scep", bytes((64 << 10) + 1))
        self.assertEqual(status, 413)
        chunks = iter([bytes(32 << 10)] * 3)
        status, _, _ = s.request("POST", "/scep", chunks, {"Transfer-Encoding": "chunked"})
        self.assertEqual(status, 413)
        chunks = iter([b"0123", b"4567"])
        status, _, _ = s.request("POST", "/scep", chunks, {"Transfer-Encoding": "chunked"})
        self.assertNotIn(status, (411, 413))
        c = FastCGI(s.socket)
        c.begin()
        c.params(REQUEST_METHOD="POST", REQUEST_URI="/scep")  # no length: chunked, passed on
        c.body(bytes(65 << 10))
        self.assertEqual(c.answer()[0], 413)

    def test_large_body_refused_unread(self):
        """The answer arrives although megabytes were not read."""
        s = self.site()
        status, _, r = s.request("PUT", "/mdm/connect", bytes(12 << 20))
        self.assertEqual(status, 400)
        self.assertIsNone(r.getheader("Content-Type"))


class Inherited(ProcTest):
    """The listening socket on descriptor 0."""

    def descriptor0(self, s, how):
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(s.socket)
        listener.listen(64)
        p = how(listener)
        listener.close()
        return p

    def bare_site(self, **mdm):
        s = Site.__new__(Site)
        real, Site.start_web, Site.start = (Site.start_web, Site.start), lambda _: None, \
            lambda _, wait=True: None
        try:
            s.__init__(**mdm)
        finally:
            Site.start_web, Site.start = real
        self.addCleanup(s.stop)
        return s

    def test_is_the_worker_and_begins_afresh_in_place(self):
        s = self.bare_site(requests_max=500, threads=4)
        p = self.descriptor0(s, lambda l: subprocess.Popen([DROVER, "mdm", "-c", s.conf], stdin=l,
                                                           env=ENV))
        s.procs.append(p)
        s.start_web()
        self.assertEqual(children(p.pid), set())

        def begun(n):
            return s.log().count("event=worker.start") >= n
        with Load(s) as load:
            p.send_signal(signal.SIGHUP)
            wait_for(lambda: begun(2), 10, "it began afresh for SIGHUP")
            wait_for(lambda: begun(4), 20, "and for the requests it has served")
        self.assert_none_lost(load)
        self.assertIsNone(p.poll())
        p.terminate()
        self.assertEqual(p.wait(10), 0)

    @unittest.skipUnless(shutil.which("spawn-fcgi"), "spawn-fcgi is not installed")
    def test_spawn_fcgi(self):
        s = self.bare_site()
        p = subprocess.Popen(["spawn-fcgi", "-n", "-s", s.socket, "--", DROVER, "mdm", "-c",
                              s.conf], env=ENV)
        s.procs.append(p)
        s.start_web()
        self.assertEqual(s.try_get("/nothing"), 404)

    def test_lighttpd_bin_path(self):
        s = self.site(spawned=True)
        with Load(s) as load:
            wait_for(lambda: load.total() > 300, 20)
        self.assert_none_lost(load)
        pid = children(s.web.pid)
        self.assertEqual(len(pid), 1)
        s.web.terminate()
        s.web.wait(10)
        wait_for(lambda: not alive(min(pid)), 10, "it ends with lighttpd")


if __name__ == "__main__":
    unittest.main()

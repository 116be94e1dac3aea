"""A site with nothing but what pushes need: MariaDB, signer, agents, Apple's simulator. Shared by
the tests and the benchmark of pushes. Python's standard library only."""
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request

import sqlclient

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(TOP, os.environ.get("BUILD", "build"))
DROVER = os.path.join(BUILD, "drover")
PREP = os.path.join(BUILD, "bench", "pushprep")
APNS_START = os.path.join(TOP, "tests", "sim", "apns-start")
TESTDB = os.path.join(TOP, "scripts", "testdb")

CONF = """[server]
device_url = https://localhost
console_url = https://localhost:8443
state_dir = {dir}
run_dir = {dir}
organization = Example
log = {dir}/drover.log
log_level = {level}
[database]
socket = {dir}/db/mysqld.sock
agent_password_file = {dir}/db/secrets/agent.password
owner_password_file = {dir}/db/secrets/owner.password
timeout = 5s
[signer]
dir = {dir}/signer
log = {dir}/signer.log
[apns]
url = https://127.0.0.1:{port}
sandbox_url = https://127.0.0.1:1
ca = {dir}/apns/ca.pem
streams = {streams}
"""


def free_ports():
    """Two ports in a row that nobody uses, below those that connections are given."""
    base = int(os.environ.get("PUSH_PORT_BASE") or random.randrange(20000, 32000, 2))
    for port in range(base, base + 100, 2):
        with socket.socket() as a, socket.socket() as b:
            try:
                a.bind(("127.0.0.1", port))
                b.bind(("127.0.0.1", port + 1))
                return port
            except OSError:
                continue
    raise RuntimeError("no two free ports")


class Site:
    def __init__(self, streams=100, fast=True, apns_options="", log_level="debug"):
        self.dir = tempfile.mkdtemp(prefix="drover-push-")
        self.port = free_ports()
        self.fast = fast
        self.apns_options = apns_options
        self.agents = []
        self.signer = self._sql = None
        self.conf = os.path.join(self.dir, "drover.conf")
        with open(self.conf, "w") as f:
            f.write(CONF.format(dir=self.dir, port=self.port, streams=streams,
                                level=log_level))
        try:
            self.start()
        except BaseException:
            self.close()
            raise

    def start(self):
        subprocess.run(["make", "-s", "-C", TOP, "B=" + os.path.relpath(BUILD, TOP),
                        os.path.relpath(PREP, TOP)], check=True)
        self.db_start()
        self.prep("setup")
        self.signer = self.spawn("signer")
        self.apns_start()

    def close(self):
        for p in self.agents + [self.signer]:
            if p and p.poll() is None:
                p.kill()
                p.wait()
        if self._sql:
            self._sql.close()
        subprocess.run([APNS_START, "--stop", self.path("apns")], check=False)
        if os.path.isdir(self.path("db")):
            subprocess.run([TESTDB, "stop", self.path("db")], check=False)
        shutil.rmtree(self.dir, ignore_errors=True)

    def path(self, *names):
        return os.path.join(self.dir, *names)

    # --- programs

    def spawn(self, name):
        return subprocess.Popen([DROVER, name, "-c", self.conf], stdin=subprocess.DEVNULL)

    def agent(self):
        self.agents.append(self.spawn("agent"))
        return self.agents[-1]

    def stop_agents(self):
        for p in self.agents:
            if p.poll() is None:
                p.send_signal(signal.SIGTERM)
        codes = [p.wait(timeout=20) for p in self.agents]
        self.agents = []
        return codes

    def prep(self, *args):
        return subprocess.run([PREP, self.conf, *args], cwd=TOP, check=True, capture_output=True,
                              text=True)

    def apns_start(self):
        env = dict(os.environ, APNS_BIN=os.path.join(BUILD, "apns"),
                   APNS_OPTIONS=self.apns_options)
        subprocess.run([APNS_START, self.path("apns"), str(self.port)], check=True, env=env,
                       stdout=subprocess.DEVNULL)

    def apns_pid(self, name):
        with open(self.path("apns", name + ".pid")) as f:
            return int(f.read())

    def db_start(self):
        fast = ["--fast"] if self.fast else []
        subprocess.run([TESTDB, "start", self.path("db"), *fast], check=True)

    def db_stop(self):
        subprocess.run([TESTDB, "stop", self.path("db")], check=True)

    # --- the database

    def sql(self, text):
        if not self._sql:
            with open(self.path("db", "secrets", "owner.password")) as f:
                password = f.read()
            self._sql = sqlclient.SqlClient(
                ["mariadb", "--no-defaults", "--socket", self.path("db", "mysqld.sock"),
                 "--user=drover_owner", "drover"], {**os.environ, "MYSQL_PWD": password.strip()})
        return self._sql.rows(text)

    def push_cert(self, topic, days=365, stem="cert", extension=""):
        path = self.path(stem + ".pem")
        subprocess.run([APNS_START, "--push-cert", self.path("apns"), topic, path, str(days),
                        extension],
                       check=True)
        self.prep("cert", path)
        return path

    def enroll(self, first, n, topic, token_at="UNIX_TIMESTAMP(NOW(6)) * 1000000"):
        """Enrollments first..first+n-1 with lives of the same ids."""
        self.sql(f"""
            INSERT INTO enrollment (id, ident, kind, device_id, state, life_id, created_at,
                last_seen_at)
            SELECT seq, CONCAT('UDID-', seq), 1, seq, 2, seq, 0,
                UNIX_TIMESTAMP(NOW(6)) * 1000000
                FROM seq_{first}_to_{first + n - 1};
            INSERT INTO life (id, enrollment_id, state, topic, push_token, push_magic, opened_at,
                token_at)
            SELECT seq, seq, 2, '{topic}', UNHEX(LPAD(HEX(seq), 64, '0')), CONCAT('magic "', seq),
                0, {token_at} FROM seq_{first}_to_{first + n - 1};""")

    @staticmethod
    def token(i):
        return f"{i:064x}"

    def want(self, *ids, keep=3600):
        self.prep("want", str(keep), *map(str, ids))

    def push(self, i):
        """The outbox row as a dictionary."""
        names = ("state attempts last_status last_reason apns_id due_at wanted_at sent_at").split()
        rows = self.sql(f"SELECT {', '.join(names)} FROM push WHERE enrollment_id = {i}")
        return dict(zip(names, rows[0])) if rows else None

    # --- the simulator

    def control(self, method, what, value=None):
        data = json.dumps(value).encode() if value is not None else None
        request = urllib.request.Request(f"http://127.0.0.1:{self.port + 1}/control/{what}",
                                         data=data, method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def rules(self, *rules):
        self.control("PUT", "rules", list(rules))

    def received(self, i=None):
        q = f"pushes?token={self.token(i)}" if i is not None else "pushes"
        return self.control("GET", q)["pushes"]

    def log(self):
        with open(self.path("drover.log")) as f:
            return f.read()


def wait_for(condition, seconds=10, what="it did not happen"):
    """Polls until condition() is true and returns its value."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(what)
        time.sleep(0.03)

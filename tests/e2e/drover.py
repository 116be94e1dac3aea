"""What the end-to-end tests share: a running server, device identities, messages, SQL, logs.

Python's standard library only. openssl(1), mariadb(1) and curl(1) do what it lacks, and judge.
"""

import base64
import contextlib
import http.client
import json
import os
import plistlib
import re
import secrets
import shutil
import signal
import ssl
import subprocess
import tempfile
import time
import urllib.parse
import uuid

import sqlclient

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("BUILD", os.path.join(TOP, "build"))
CHECKIN = "application/x-apple-aspen-mdm-checkin"
REPORT = "application/x-apple-aspen-mdm"
TOPIC = "com.apple.mgmt.External.drover-demo"


def sh(*argv, data=None, env=None, timeout=60):
    """Runs a program; its standard output. AssertionError with its words when it fails."""
    p = subprocess.run(argv, input=data, capture_output=True, timeout=timeout,
                       env={**os.environ, **(env or {})})
    if p.returncode != 0:
        raise AssertionError("%s: %d\n%s%s" % (" ".join(argv), p.returncode,
                                               p.stdout.decode(errors="replace"),
                                               p.stderr.decode(errors="replace")))
    return p.stdout


def wait_for(what, seconds=10, every=0.05):
    """Calls what() until it returns something true, which is returned."""
    end = time.monotonic() + seconds
    while True:
        got = what()
        if got:
            return got
        if time.monotonic() > end:
            raise AssertionError("did not happen within %s s: %s" % (seconds, what))
        time.sleep(every)


def lighttpd_only(test):
    """Of a test of what does not depend on the web server in front."""
    test.webs = ("lighttpd",)
    return test


class Answer:
    def __init__(self, response, body):
        self.status = response.status
        self.headers = response.headers
        self.body = body

    def plist(self):
        return plistlib.loads(self.body)

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return "<%d %s>" % (self.status, self.body[:200])


class Identity:
    """A key and a certificate, in files."""

    def __init__(self, cert, key, chain=None):
        self.cert, self.key, self.chain = cert, key, chain

    @property
    def der(self):
        with open(self.cert) as f:
            return ssl.PEM_cert_to_DER_cert(f.read())

    @property
    def pem(self):
        with open(self.cert) as f:
            return f.read()

    def sign(self, body, md="sha256", extra=()):
        """The Mdm-Signature of a body: detached CMS, made by openssl."""
        certs = ["-certfile", self.chain] if self.chain else []
        cms = sh("openssl", "cms", "-sign", "-binary", "-signer", self.cert, "-inkey", self.key,
                 "-md", md, "-outform", "DER", *certs, *extra, data=body)
        return base64.b64encode(cms).decode()


class CA:
    """A certification authority of the tests, made with openssl in a folder."""

    def __init__(self, folder, name):
        os.makedirs(folder, exist_ok=True)
        self.folder = folder
        self.cert = os.path.join(folder, "ca.pem")
        self.key = os.path.join(folder, "ca.key")
        if not os.path.exists(self.cert):
            sh("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
               "ec_paramgen_curve:P-256", "-nodes", "-days", "3650", "-subj", "/CN=" + name,
               "-addext", "basicConstraints=critical,CA:TRUE", "-addext",
               "keyUsage=critical,keyCertSign,cRLSign", "-keyout", self.key, "-out",
               self.cert + ".new")
            os.rename(self.cert + ".new", self.cert)

    def issue(self, name=None, kind="ec", usage="clientAuth", start=None, end=None, ca=False):
        """A new identity. start, end: "YYYYMMDDHHMMSSZ" (openssl ca), else valid for a year."""
        name = name or "device-" + secrets.token_hex(6)
        stem = os.path.join(self.folder, secrets.token_hex(8))
        new = {"ec": ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
               "rsa": ["-newkey", "rsa:2048"]}[kind]
        sh("openssl", "req", "-new", *new, "-nodes", "-subj", "/CN=" + name, "-keyout",
           stem + ".key", "-out", stem + ".csr")
        extensions = "keyUsage=critical,%s\nbasicConstraints=%s\n" % (
            "keyCertSign,digitalSignature" if ca else "digitalSignature",
            "critical,CA:TRUE" if ca else "CA:FALSE")
        if usage:
            extensions += "extendedKeyUsage=%s\n" % usage
        if start or end:
            self._issue_dated(stem, extensions, start or "20240101000000Z",
                              end or "20390101000000Z")
        else:
            with open(stem + ".ext", "w") as f:
                f.write(extensions)
            sh("openssl", "x509", "-req", "-in", stem + ".csr", "-CA", self.cert, "-CAkey",
               self.key, "-set_serial", "0x" + secrets.token_hex(8), "-days", "365", "-extfile",
               stem + ".ext", "-out", stem + ".pem")
        return Identity(stem + ".pem", stem + ".key")

    def _issue_dated(self, stem, extensions, start, end):
        db = stem + ".db"
        os.makedirs(db)
        open(db + "/index", "w").close()
        with open(db + "/serial", "w") as f:
            f.write("01\n")
        with open(db + "/cnf", "w") as f:
            f.write("[ca]\ndefault_ca=d\n[d]\ndatabase=%s/index\nserial=%s/serial\nnew_certs_dir=%s\n"
                    "default_md=sha256\npolicy=p\nx509_extensions=x\nunique_subject=no\n"
                    "[p]\ncommonName=supplied\n[x]\n%s" % (db, db, db, extensions))
        sh("openssl", "ca", "-batch", "-rand_serial", "-config", db + "/cnf", "-cert", self.cert,
           "-keyfile", self.key, "-in", stem + ".csr", "-out", stem + ".pem", "-startdate", start,
           "-enddate", end, "-notext")

    def revocations(self, *identities, seconds=86400):
        """The path of a revocation list that names them."""
        db = os.path.join(self.folder, secrets.token_hex(8))
        os.makedirs(db)
        with open(db + "/index", "w") as f:
            for one in identities:
                serial = sh("openssl", "x509", "-in", one.cert, "-noout", "-serial").decode()
                f.write("R\t391231235959Z\t250101000000Z\t%s\tunknown\t/CN=x\n"
                        % serial.strip().split("=")[1])
        with open(db + "/number", "w") as f:
            f.write("01\n")
        with open(db + "/cnf", "w") as f:
            f.write("[ca]\ndefault_ca=d\n[d]\ndatabase=%s/index\ncrlnumber=%s/number\n"
                    "default_md=sha256\n" % (db, db))
        sh("openssl", "ca", "-config", db + "/cnf", "-cert", self.cert, "-keyfile", self.key,
           "-gencrl", "-crlsec", str(seconds), "-out", db + "/crl.pem")
        return db + "/crl.pem"

    def subordinate(self, name):
        """An intermediate CA below this one."""
        identity = self.issue(name, usage=None, ca=True)
        sub = CA.__new__(CA)
        sub.folder, sub.cert, sub.key = self.folder, identity.cert, identity.key
        return sub


class Server:
    """An installation that scripts/run has started, known by its run.json."""

    def __init__(self, state):
        self.state, self._sql = state, None
        with open(os.path.join(state, "run.json")) as f:
            self.run = json.load(f)

    @classmethod
    def start(cls, state, web, port_base, *options, timeout=120):
        argv = [os.path.join(TOP, "scripts/run"), "--detach", "--no-build", "--yes", "--state",
                state, "--web", web, "--port-base", str(port_base), "--set",
                "signer.ca_bits=2048", *options]
        p = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, timeout=timeout)
        if p.returncode != 0:
            raise RuntimeError("%s\n%s" % (" ".join(argv), p.stdout.decode(errors="replace")))
        return cls(state)

    def stop(self):
        if self._sql:
            self._sql.close()
        sh(os.path.join(TOP, "scripts/run"), "--stop", "--state", self.state, timeout=60)

    @contextlib.contextmanager
    def reloading(self):
        """Around what writes another CA bundle: the web server has read it and answers again.

        lighttpd that has given up root starts anew for it (scripts/lib/web.sh): the old one may
        still answer, and then nobody does for a while, so that an answer alone says nothing.
        """
        def serving():
            with open(os.path.join(self.state, "pid/web"), encoding="utf-8") as f:
                return f.read()

        def ready():
            try:
                return (not anew or serving() != before) and all(
                    self.request(base, "GET", "/healthz").status == 200
                    for base in ("device_url", "device_http_url"))
            except OSError:
                return False

        anew = self.run["web"] == "lighttpd" and os.geteuid() == 0
        before = serving()
        yield
        wait_for(ready, 20)

    # --- requests ---

    def request(self, base, method, path, body=None, headers=None, identity=None, timeout=30):
        """One request on a connection of its own."""
        url = urllib.parse.urlsplit(self.run[base])
        if url.scheme == "https":
            context = ssl.create_default_context(cafile=self.run["ca_file"])
            if identity:
                context.load_cert_chain(identity.cert, identity.key)
            c = http.client.HTTPSConnection(url.hostname, url.port, context=context,
                                            timeout=timeout)
        else:
            c = http.client.HTTPConnection(url.hostname, url.port, timeout=timeout)
        with contextlib.closing(c):
            c.request(method, url.path + path, body=body, headers=headers or {})
            r = c.getresponse()
            return Answer(r, r.read())

    def connection(self, base, identity=None):
        """An open connection, to be used for many requests."""
        url = urllib.parse.urlsplit(self.run[base])
        if url.scheme == "https":
            context = ssl.create_default_context(cafile=self.run["ca_file"])
            if identity:
                context.load_cert_chain(identity.cert, identity.key)
            return http.client.HTTPSConnection(url.hostname, url.port, context=context,
                                               timeout=30)
        return http.client.HTTPConnection(url.hostname, url.port, timeout=30)

    def raw(self, base, octets, timeout=10, identity=None):
        """Sends octets as they are and returns what comes back until the end."""
        import socket
        url = urllib.parse.urlsplit(self.run[base])
        with socket.create_connection((url.hostname, url.port), timeout=timeout) as s:
            if url.scheme == "https":
                context = ssl.create_default_context(cafile=self.run["ca_file"])
                if identity:
                    context.load_cert_chain(identity.cert, identity.key)
                s = context.wrap_socket(s, server_hostname=url.hostname)
            s.sendall(octets)
            got = b""
            with contextlib.suppress(ConnectionError, ssl.SSLError, TimeoutError):
                while True:
                    d = s.recv(65536)
                    if not d:
                        break
                    got += d
            s.close()
            return got

    def api(self, method, path, body=None, key=None, headers=None):
        """A call of the HTTP API with the demo's key; a dict is sent as JSON."""
        if isinstance(body, dict):
            body = json.dumps(body).encode()
            headers = {"Content-Type": "application/json", **(headers or {})}
        word = base64.b64encode(("%s:%s" % (self.run["api_user"],
                                            key or self.run["api_key"])).encode()).decode()
        return self.request("api_url", method, path, body,
                            {"Authorization": "Basic " + word, **(headers or {})})

    def enqueue(self, ident, request_type, uuid_=None, push=True, statuses=(200,), **keys):
        """Queues a command through the API; its CommandUUID. A push that fails makes it 500."""
        u = uuid_ or str(uuid.uuid4()).upper()
        command = plistlib.dumps({"CommandUUID": u, "Command": {"RequestType": request_type,
                                                                **keys}})
        answer = self.api("PUT", "/v1/enqueue/%s%s" % (urllib.parse.quote(ident, safe=":"),
                                                       "" if push else "?nopush=1"), command)
        if answer.status not in statuses:
            raise AssertionError("enqueue: %r" % answer)
        return u

    def ctl(self, *argv, check=True, data=None):
        """droverctl: its output; with check=False (status, output and errors)."""
        p = subprocess.run([os.path.join(BUILD, "droverctl"), "--config", self.run["config"],
                            *argv], input=data, capture_output=True, timeout=60)
        if check:
            if p.returncode != 0:
                raise AssertionError("droverctl %s: %s%s" % (" ".join(argv), p.stdout, p.stderr))
            return p.stdout.decode()
        return p.returncode, (p.stdout + p.stderr).decode()

    # --- database ---

    def sql(self, text):
        """Rows as lists of strings; NULL is the word NULL."""
        if not self._sql:
            with open(self.run["mysql_password_file"]) as f:
                password = f.read().strip()
            self._sql = sqlclient.SqlClient(
                ["mariadb", "--no-defaults", "--socket", self.run["mysql_socket"], "--user",
                 self.run["mysql_user"], self.run["mysql_database"]],
                {**os.environ, "MYSQL_PWD": password})
        return self._sql.rows(text)

    def count(self, text):
        return int(self.sql(text)[0][0])

    # queue.state and result.state
    STATES = {1: "queued", 2: "sent", 3: "not-now", 4: "acknowledged", 5: "error",
              6: "format-error", 7: "cancelled", 8: "expired", 9: "sent-unconfirmed"}

    def command_state(self, ident, command_uuid):
        """Where a command of an enrollment stands, as a word; None when it has none."""
        one = ("SELECT x.state FROM %s x JOIN command c ON c.id=x.command_id JOIN enrollment e ON "
               "e.id=x.enrollment_id WHERE e.ident='%s' AND c.uuid='%s'")
        rows = self.sql(" UNION ALL ".join(one % (t, ident, command_uuid)
                                           for t in ("queue", "result")))
        assert len(rows) < 2, "the command stands in queue and result"
        return self.STATES[int(rows[0][0])] if rows else None

    def results(self, command_uuid):
        """How many reports of a command are stored."""
        return self.count("SELECT COUNT(*) FROM result r JOIN command c ON c.id=r.command_id "
                          "WHERE c.uuid='%s' AND r.report IS NOT NULL" % command_uuid)

    # --- programs ---

    def pid(self, name):
        """The process id of a program that scripts/run started: mariadbd, drover, web, apns."""
        with open(os.path.join(self.state, "pid", name)) as f:
            return int(f.read().split()[0])

    def children(self):
        """Every process below `drover serve`, or below the web server that starts them."""
        name = "drover" if os.path.exists(os.path.join(self.state, "pid", "drover")) else "web"
        found, todo = [], [self.pid(name)]
        while todo:
            parent = todo.pop()
            with contextlib.suppress(OSError):
                for task in os.listdir("/proc/%d/task" % parent):
                    with open("/proc/%d/task/%s/children" % (parent, task)) as f:
                        below = [int(x) for x in f.read().split()]
                    found += below
                    todo += below
        return found

    def workers(self, program="mdm"):
        """The processes of `drover mdm` (or console, agent, signer), told by their title or
        command line."""
        found = []
        for p in self.children():
            with contextlib.suppress(OSError):
                with open("/proc/%d/cmdline" % p, "rb") as f:
                    words = f.read().replace(b"\0", b" ").decode()
                if program in words.split():
                    found.append(p)
        return found

    @contextlib.contextmanager
    def without(self, name):
        """While the block runs, the program is away (killed and kept from coming back)."""
        hold = os.path.join(self.state, "pid", name + ".hold")
        open(hold, "w").close()
        try:
            pid = self.pid(name)
            os.kill(pid, signal.SIGKILL)
            wait_for(lambda: not os.path.exists("/proc/%d" % pid))
            yield
        finally:
            os.unlink(hold)
            wait_for(lambda: self._is_back(name, pid), 30)

    def _is_back(self, name, old):
        try:
            now = self.pid(name)
        except (OSError, ValueError, IndexError):
            return False
        return now != old and os.path.exists("/proc/%d" % now)

    @contextlib.contextmanager
    def frozen(self, name):
        """While the block runs, the program is stopped: it answers nobody, and nobody hears so."""
        pid = self.pid(name)
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    # --- log ---

    def log_mark(self):
        try:
            return os.path.getsize(self.run["log"])
        except OSError:
            return 0

    def log_since(self, mark):
        with open(self.run["log"], errors="replace") as f:
            f.seek(mark)
            return f.read().splitlines()

    def log_has(self, mark, *words):
        """The lines since mark that hold every one of the words."""
        return [l for l in self.log_since(mark) if all(w in l for w in words)]

    # --- push simulator ---

    def pushes(self, token=None, after=0):
        url = urllib.parse.urlsplit(self.run["apns_control_url"])
        c = http.client.HTTPConnection(url.hostname, url.port, timeout=10)
        with contextlib.closing(c):
            c.request("GET", "/control/pushes?after=%d%s" % (after, "&token=" + token
                                                             if token else ""))
            return json.loads(c.getresponse().read())["pushes"]

    def push_rules(self, rules):
        url = urllib.parse.urlsplit(self.run["apns_control_url"])
        c = http.client.HTTPConnection(url.hostname, url.port, timeout=10)
        with contextlib.closing(c):
            c.request("PUT", "/control/rules", json.dumps(rules))
            assert c.getresponse().status < 300


class Device:
    """A device as the protocol sees it, with an identity of the tests' CA.

    via: "tls" client certificate, "proxy" Client-Cert on the plain port, "signature" Mdm-Signature
    on the plain port.
    """

    def __init__(self, server, identity, via="tls", udid=None, topic=None):
        self.server, self.identity, self.via = server, identity, via
        self.udid = udid or str(uuid.uuid4()).upper()
        self.topic = topic or server.run.get("topic", TOPIC)
        self.token = secrets.token_bytes(32)
        self.magic = str(uuid.uuid4()).upper()
        self.ids = {"UDID": self.udid}

    def send(self, path, body, headers=None, method="PUT", via=None, identity=None):
        via = via or self.via
        identity = identity or self.identity
        headers = dict(headers or {})
        if via == "tls":
            return self.server.request("device_url", method, path, body, headers, identity)
        if via == "proxy":
            headers["Client-Cert"] = ":%s:" % base64.b64encode(identity.der).decode()
        elif via == "signature":
            headers["Mdm-Signature"] = identity.sign(body)
        elif via != "none":
            raise ValueError(via)
        return self.server.request("device_http_url", method, path, body, headers)

    def checkin(self, message, fmt=plistlib.FMT_XML, path="/mdm/checkin", **how):
        body = message if isinstance(message, bytes) else plistlib.dumps(message, fmt=fmt)
        return self.send(path, body, {"Content-Type": CHECKIN}, **how)

    def connect(self, message, fmt=plistlib.FMT_XML, path="/mdm/connect", **how):
        body = message if isinstance(message, bytes) else plistlib.dumps(message, fmt=fmt)
        return self.send(path, body, {"Content-Type": REPORT}, **how)

    def authenticate(self, **more):
        keys = {k: more.pop(k) for k in ("via", "identity", "fmt", "path") if k in more}
        return self.checkin({"MessageType": "Authenticate", "Topic": self.topic, **self.ids,
                             "OSVersion": "17.6", "BuildVersion": "21G80",
                             "ProductName": "iPhone14,5", "Model": "MLPF3", "ModelName": "iPhone",
                             "SerialNumber": "C02" + self.udid[:9].replace("-", ""),
                             "DeviceName": "test", **more}, **keys)

    def token_update(self, **more):
        keys = {k: more.pop(k) for k in ("via", "identity", "fmt", "path") if k in more}
        message = {"MessageType": "TokenUpdate", "Topic": self.topic, **self.ids,
                   "PushMagic": self.magic, "Token": self.token, **more}
        return self.checkin({k: v for k, v in message.items() if v is not None}, **keys)

    def enrol(self):
        for answer in (self.authenticate(), self.token_update()):
            if answer.status != 200:
                raise AssertionError("enrolment: %r" % answer)
        return self

    def idle(self, **more):
        keys = {k: more.pop(k) for k in ("via", "identity", "fmt", "path") if k in more}
        return self.connect({**self.ids, "Status": "Idle", **more}, **keys)

    def report(self, command_uuid, status="Acknowledged", **more):
        keys = {k: more.pop(k) for k in ("via", "identity", "fmt", "path") if k in more}
        return self.connect({**self.ids, "CommandUUID": command_uuid, "Status": status, **more},
                            **keys)

    def user(self, user_id=None, short="alice"):
        """The user channel of this device."""
        u = Device(self.server, self.identity, self.via, self.udid, self.topic)
        u.ids = {"UDID": self.udid, "UserID": user_id or str(uuid.uuid4()).upper(),
                 "UserShortName": short, "UserLongName": short.title()}
        return u

    @property
    def ident(self):
        """The enrollment's id in the API."""
        if "EnrollmentUserID" in self.ids:
            return "%s:%s" % (self.ids["EnrollmentID"], self.ids["EnrollmentUserID"])
        if "EnrollmentID" in self.ids:
            return self.ids["EnrollmentID"]
        if self.ids.get("UserID") == "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF":
            return "%s:%s" % (self.udid, self.ids["UserShortName"])
        if "UserID" in self.ids:
            return "%s:%s" % (self.udid, self.ids["UserID"])
        return self.udid


@contextlib.contextmanager
def setting(server, section, **keys):
    """The configuration with these keys, reloaded; as it was afterwards."""
    path = server.run["config"]
    with open(path) as f:
        before = f.read()

    def workers():
        return [set(server.workers(program)) for program in ("mdm", "console")]

    def put(text):
        old = workers()
        with open(path, "w") as f:
            f.write(text)
        os.kill(server.pid("drover"), signal.SIGHUP)
        # the one that stays is the workers' parent
        wait_for(lambda: all(now - was and len(was & now) < 2
                             for was, now in zip(old, workers())))

    try:
        put(before + "\n[%s]\n" % section + "".join("%s = %s\n" % k for k in keys.items()))
        yield
    finally:
        put(before)


# --- the server of this run: tests/e2e/run starts it and names its folder here ---

_server = None


def server():
    global _server
    if _server is None:
        _server = Server(os.environ["DROVER_E2E_STATE"])
    return _server


def trusted_ca():
    """The CA that the server was told to trust (--trust-ca)."""
    return CA(os.environ["DROVER_E2E_CA"], "Drover test device CA")


def device(via="tls", **keys):
    """A new device with an identity of its own; not enrolled yet."""
    return Device(server(), trusted_ca().issue(), via, **keys)


def ask_for_password(test, state, users, password, lighttpd, apache, restored):
    """Has the web server of the site in state ask users for their password (basic authentication),
    until the test ends. lighttpd: what stands in its main.conf, with %s for the file of users; apache:
    from drover.conf's text to the text with it, given that file. restored: waits for the end of it."""
    web = os.path.join(state, "web")
    folder = tempfile.mkdtemp(prefix="drover-users-")
    os.chmod(folder, 0o755)
    test.addCleanup(shutil.rmtree, folder)
    path = os.path.join(folder, "users")
    with open(path, "w") as f:
        for name in users:
            f.write("%s:%s\n" % (name, sh("openssl", "passwd", "-apr1", password).decode().strip()))
    os.chmod(path, 0o644)
    before, after = {}, {}
    for name in ("main.conf", "drover.conf"):
        with open(os.path.join(web, name)) as f:
            before[name] = after[name] = f.read()
    if "lighttpd" in after["main.conf"]:
        # before mod_fastcgi, which answers everything that reaches it
        after["main.conf"] = before["main.conf"].replace(
            "server.modules = ()", 'server.modules = ("mod_auth", "mod_authn_file")') + lighttpd % path
    else:
        modules = re.search(r"LoadModule \S+ (\S+)/mod_\w+\.so", before["main.conf"]).group(1)
        after["main.conf"] = "".join(
            "LoadModule %s_module %s/mod_%s.so\n" % (m, modules, m)
            for m in ("auth_basic", "authn_core", "authn_file", "authz_user")
            if "mod_%s.so" % m not in before["main.conf"]) + before["main.conf"]
        after["drover.conf"] = apache(before["drover.conf"], path)

    def put(files):
        for name, text in files.items():
            with open(os.path.join(web, name), "w") as f:
                f.write(text)
        sh(os.path.join(web, "reload"))

    put(after)
    test.addCleanup(lambda: (put(before), wait_for(restored, 20)))

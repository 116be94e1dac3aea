"""Bad input: a clear 4xx, nothing stored, no worker dies, memory stays under its ceiling."""

import contextlib
import os
import plistlib
import random
import socket
import struct
import time
import unittest
import urllib.parse

import drover

HEAD = (b'<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST '
        b'1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">\n<plist version="1.0">')
TAIL = b"</plist>"


def nested_xml(depth):
    return HEAD + b"<array>" * depth + b"</array>" * depth + TAIL


def binary(objects, top=0, size=1):
    """A binary plist of raw objects; references are one byte."""
    out, offsets = b"bplist00", []
    for o in objects:
        offsets.append(len(out))
        out += o
    table = len(out)
    out += b"".join(struct.pack(">I", o) for o in offsets)
    return out + b"\0" * 6 + bytes([4, size]) + struct.pack(">QQQ", len(objects), top, table)


def shared_bomb(levels=7):
    """A dictionary of arrays of ten references each to the next: ten to the power of levels."""
    objects = [b"\xaa" + bytes([i + 1]) * 10 for i in range(levels)] + [b"\x51x"]
    return binary(objects)


def bodies(udid):
    """Bodies, each wrong in its own way, with a name."""
    good = plistlib.dumps({"MessageType": "Authenticate", "Topic": drover.TOPIC, "UDID": udid})
    gb = plistlib.dumps({"MessageType": "Authenticate", "Topic": drover.TOPIC, "UDID": udid},
                        fmt=plistlib.FMT_BINARY)
    yield "empty", b""
    yield "zeros", bytes(1000)
    yield "text", b"hello"
    yield "json", b'{"MessageType": "Authenticate"}'
    yield "html", b"<html><body>" + b"<p>" * 100
    yield "cut xml", good[:-40]
    yield "cut binary", gb[:-10]
    yield "only the header", b"bplist00"
    yield "trailer of 0xff", b"bplist00" + b"\xff" * 32
    yield "nested 2,000", nested_xml(2000)
    yield "nested 40,000", nested_xml(40000)
    yield "shared references", shared_bomb()
    yield "cycle", binary([b"\xa1\x00"])
    yield "reference out of range", binary([b"\xa1\x63"])
    yield "huge count", binary([b"\xaf\x13" + b"\xff" * 8])
    yield "an array", plistlib.dumps(["MessageType", "Authenticate"])
    yield "a string", plistlib.dumps("Authenticate")
    for key in ("UDID", "MessageType", "Topic"):
        for value in (1, 1.5, True, b"x", [], {}, [udid]):
            message = {"MessageType": "Authenticate", "Topic": drover.TOPIC, "UDID": udid}
            message[key] = value
            yield "%s is %r" % (key, value), plistlib.dumps(message)
    yield "UDID too long", plistlib.dumps({"MessageType": "Authenticate", "Topic": drover.TOPIC,
                                           "UDID": "A" * 5000})
    yield "control characters", plistlib.dumps(
        {"MessageType": "Authenticate", "Topic": drover.TOPIC, "UDID": "A\nstatus=200 forged=1"})
    yield "entities", (b'<?xml version="1.0"?><!DOCTYPE plist [<!ENTITY a "aaaaaaaaaa">'
                       b'<!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">'
                       b'<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">]>'
                       b"<plist><dict><key>MessageType</key><string>&c;</string></dict></plist>")
    yield "external entity", (b'<?xml version="1.0"?><!DOCTYPE plist [<!ENTITY x SYSTEM '
                              b'"file:///etc/passwd">]><plist><dict><key>UDID</key><string>&x;'
                              b"</string></dict></plist>")
    yield "no UTF-8", HEAD + b"<dict><key>UDID</key><string>\xff\xfe\x80</string></dict>" + TAIL


class Hostile(unittest.TestCase):
    def setUp(self):
        self.s = drover.server()
        self.workers = set(self.s.workers("mdm"))
        self.tables = self.rows()
        self.mark = self.s.log_mark()

    def rows(self):
        return [self.s.count("SELECT COUNT(*) FROM " + t)
                for t in ("enrollment", "life", "result", "command", "unknown_device")]

    def tearDown(self):
        self.assertEqual(self.rows(), self.tables, "something was stored")
        # mod_fcgid starts more as it needs them.
        self.assertLessEqual(self.workers, set(self.s.workers("mdm")), "a worker died")
        for pid in self.workers:
            with open("/proc/%d/status" % pid) as f:
                rss = [int(l.split()[1]) for l in f if l.startswith("VmRSS")]
            self.assertLess(rss[0] if rss else 0, 200 * 1024, "kB of memory")

    def bad(self, answer, what, statuses=range(400, 500)):
        self.assertIn(answer.status, statuses, what)
        self.assertNotEqual(answer.status, 401, what)

    def test_checkin_bodies(self):
        for name, body in bodies("HOSTILE"):
            d = drover.Device(self.s, self.identity(), "proxy", udid="HOSTILE")
            self.bad(d.checkin(body), name)

    def test_connect_bodies(self):
        for name, body in bodies("HOSTILE"):
            d = drover.Device(self.s, self.identity(), "proxy", udid="HOSTILE")
            self.bad(d.connect(body), name)

    _identity = None

    @classmethod
    def identity(cls):
        if cls._identity is None:
            cls._identity = drover.trusted_ca().issue()
        return cls._identity

    def test_flipped_octets(self):
        """An Authenticate with random octets changed never fells a worker."""
        rnd = random.Random(7)
        d = drover.Device(self.s, self.identity(), "proxy", udid="FLIP")
        for fmt in (plistlib.FMT_XML, plistlib.FMT_BINARY):
            # MessageType is one that stores nothing, whatever becomes of the rest.
            good = plistlib.dumps({"MessageType": "GetToken", "UDID": "FLIP", "Token": b"x" * 32,
                                   "Big": 1 << 40, "List": [1, 2.5, True, {"a": "b"}]}, fmt=fmt)
            for _ in range(60):
                body = bytearray(good)
                for _ in range(rnd.randint(1, 4)):
                    body[rnd.randrange(len(body))] = rnd.randrange(256)
                self.bad(d.checkin(bytes(body)), bytes(body))

    def test_too_large(self):
        d = drover.Device(self.s, self.identity(), "tls", udid="LARGE")
        self.bad(d.checkin(b"x" * (300 << 10)), "check-in of 300 kB", (413,))
        head = (b"PUT /mdm/connect HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                b"Content-Type: application/x-apple-aspen-mdm\r\nContent-Length: %d\r\n\r\n")
        answer = self.s.raw("device_http_url", head % (1 << 40))
        self.assertIn(answer.split(b" ")[1], (b"413", b"400"))

    def test_requests(self):
        for line, statuses in ((b"GET /mdm/checkin HTTP/1.1", (405,)),
                               (b"DELETE /mdm HTTP/1.1", (405,)),
                               (b"BREW /mdm HTTP/1.1", (400, 405, 501)),
                               (b"PUT /nowhere HTTP/1.1", (404, 411)),
                               (b"PUT /mdm/../mdm HTTP/1.1", (400, 404)),
                               (b"GET /%00 HTTP/1.1", (400, 404)),
                               (b"GET /%zz HTTP/1.1", (400, 404)),
                               (b"GET /" + b"a" * 70000 + b" HTTP/1.1", (400, 414, 431)),
                               (b"GET /" + b"%2e%2e%2f" * 30 + b"etc/passwd HTTP/1.1",
                                (400, 403, 404)),
                               (b"PUT /mdm HTTP/9.9", (400, 505)),
                               (b"\x16\x03\x01\x02\x00", (400,))):
            answer = self.s.raw("device_http_url", line + b"\r\nHost: localhost\r\nConnection: "
                                b"close\r\nContent-Length: 0\r\n\r\n")
            words = answer.split(b" ")
            status = int(words[1]) if len(words) > 1 and words[1].isdigit() else 400
            self.assertIn(status, statuses, line[:60])

    def test_content_types(self):
        d = drover.Device(self.s, self.identity(), "proxy", udid="TYPE")
        body = plistlib.dumps({"MessageType": "GetToken", "UDID": "TYPE"})
        for t in ("", "text/html", "application/json", "multipart/form-data; boundary=x",
                  "a" * 5000):
            self.bad(d.send("/mdm/checkin", body, {"Content-Type": t}), t[:40])

    def test_scep(self):
        for method, path, body in (
                ("GET", "/scep", None), ("GET", "/scep?operation=Nonsense", None),
                ("GET", "/scep?operation=PKIOperation", None),
                ("GET", "/scep?operation=PKIOperation&message=!!!!", None),
                ("GET", "/scep?operation=PKIOperation&message=AAAA", None),
                ("POST", "/scep?operation=PKIOperation", b""),
                ("POST", "/scep?operation=PKIOperation", b"\x30\x82\xff\xff" + bytes(100)),
                ("POST", "/scep?operation=PKIOperation", os.urandom(2000)),
                ("POST", "/scep?operation=PKIOperation", b"x" * (100 << 10))):
            self.bad(self.s.request("device_url", method, path, body,
                                    {"Content-Type": "application/x-pki-message"}), path)

    def test_bodies_that_stand_still(self):
        """The web server waits for them, not Drover's threads, of which there are 32: who sends
        more, with a header that only looks like a signature, keeps no device out."""
        url = urllib.parse.urlsplit(self.s.run["device_http_url"])
        device = drover.Device(self.s, self.identity(), "proxy", udid="WAITS")
        with contextlib.ExitStack() as stack:
            for _ in range(40):
                c = stack.enter_context(socket.create_connection((url.hostname, url.port)))
                c.sendall(b"PUT /mdm/connect HTTP/1.1\r\nHost: localhost\r\nMdm-Signature: AAAA\r\n"
                          b"Content-Length: 200000\r\n\r\nx")
            time.sleep(0.5)
            begin = time.monotonic()
            self.bad(device.connect(b"no property list"), "a device beside them")
            self.assertLess(time.monotonic() - begin, 5)

    def test_bodies_that_trickle(self):
        """Each occupies one of Apache's 150 workers, so it is cut off; lighttpd has thousands of
        places."""
        url = urllib.parse.urlsplit(self.s.run["device_http_url"])
        begin = time.monotonic()
        with socket.create_connection((url.hostname, url.port)) as c:
            c.settimeout(0.5)
            c.sendall(b"PUT /mdm/connect HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9000\r\n\r\n")
            answer = None
            while answer is None:
                self.assertLess(time.monotonic() - begin, 20)
                try:
                    c.sendall(b"x")
                    answer = c.recv(100)
                except TimeoutError:
                    pass
                except ConnectionError:
                    answer = b""
        self.assertIn(answer.split(b"\r\n")[0][9:12], (b"", b"408", b"500"))  # mod_fcgid's

    test_bodies_that_trickle.webs = ("apache",)

    def test_log_lines_cannot_be_forged(self):
        d = drover.Device(self.s, self.identity(), "proxy", udid="X")
        d.checkin({"MessageType": "Authenticate\n2026-01-01T00:00:00Z info mdm[1] event=forged",
                   "UDID": "X\r\nevent=forged"})
        for line in self.s.log_since(self.mark):
            self.assertFalse(line.startswith("event=forged"), line)
            self.assertFalse("mdm[1] event=forged" in line and '"' not in line, line)


if __name__ == "__main__":
    unittest.main()

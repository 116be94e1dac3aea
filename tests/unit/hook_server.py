#!/usr/bin/python3
"""A receiver of webhooks: hook_server.py DIR [PORT] prints its port.

It reads DIR/behave at each request, JSON: status, delay (seconds), headers, body, close (no answer at
all). Each request is one line of JSON in DIR/requests: path, headers, body, when it came and how many
there were at the same time of its enrollment; and, checked here with nothing of Drover's, for which of
the secrets in DIR/secrets (one a line) the signature of Standard Webhooks is right, and NanoMDM's.
TLS with DIR/server.pem and DIR/server.key, if they are there.
"""
import base64
import hashlib
import hmac
import http.server
import json
import os
import socketserver
import ssl
import sys
import threading
import time

folder = sys.argv[1]
lock = threading.Lock()
under_way = {}


def read(name, otherwise):
    try:
        with open(os.path.join(folder, name)) as f:
            return f.read()
    except FileNotFoundError:
        return otherwise


def key_of(secret):
    return base64.b64decode(secret[6:]) if secret.startswith("whsec_") else secret.encode()


def mac(key, *parts):
    return base64.b64encode(hmac.new(key, b"".join(parts), hashlib.sha256).digest()).decode()


def checked(headers, body):
    good, nano = [], []
    for secret in read("secrets", "").split():
        key = key_of(secret)
        want = "v1," + mac(key, headers.get("webhook-id", "").encode(), b".",
                           headers.get("webhook-timestamp", "").encode(), b".", body)
        good.append(want in headers.get("webhook-signature", "").split(" "))
        nano.append(headers.get("x-hmac-signature") == mac(key, body))
    return good, nano


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {k.lower(): v for k, v in self.headers.items()}
        event = json.loads(body)
        about = (event.get("checkin_event") or event.get("acknowledge_event") or {})
        who = about.get("ids", {}).get("id", "")
        behave = json.loads(read("behave", "") or "{}")
        good, nano = checked(headers, body)
        with lock:
            under_way[who] = under_way.get(who, 0) + 1
            line = {"path": self.path, "headers": headers, "body": event, "at": time.time(),
                    "together": under_way[who], "good": good, "nano": nano,
                    "age": time.time() - int(headers.get("webhook-timestamp", 0))}
            with open(os.path.join(folder, "requests"), "a") as f:
                f.write(json.dumps(line) + "\n")
        time.sleep(behave.get("delay", 0))
        with lock:
            under_way[who] -= 1
        if behave.get("close"):
            self.close_connection = True
            return
        text = behave.get("body", "").encode()
        self.send_response(behave.get("status", 200))
        for name, value in behave.get("headers", {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *args):
        pass


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 64

    def finish_request(self, request, client_address):
        try:
            if tls:
                request = tls.wrap_socket(request, server_side=True)
            super().finish_request(request, client_address)
        except (OSError, ssl.SSLError):
            pass


tls = None
if os.path.exists(os.path.join(folder, "server.pem")):
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(os.path.join(folder, "server.pem"), os.path.join(folder, "server.key"))
server = Server(("127.0.0.1", int(sys.argv[2]) if len(sys.argv) > 2 else 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()

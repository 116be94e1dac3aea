#!/usr/bin/python3
"""An HTTPS server for test_https: https_server.py DIR [--client-ca FILE] prints its port.

/echo tells method, headers, body, the client certificate's name and how many connections there
were; /status/N answers N (3xx with a Location to /echo); /bytes/N sends N octets; /slow takes five
seconds; /cut breaks off in the middle of its body.
"""
import http.server
import json
import os
import socketserver
import ssl
import sys
import time

connections = 0


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def setup(self):
        global connections
        connections += 1
        super().setup()

    def answer(self, status, body, **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def any(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        what, _, n = self.path[1:].partition("/")
        if what == "echo":
            cert = self.connection.getpeercert() or {}
            name = dict(x[0] for x in cert.get("subject", ())).get("commonName", "")
            self.answer(200, json.dumps({
                "method": self.command, "headers": {k.lower(): v for k, v in self.headers.items()},
                "body": body.decode(), "client": name, "connections": connections}).encode(),
                X_Answer="Yes")
        elif what == "status":
            self.answer(int(n), b"as asked", Location="/echo")
        elif what == "bytes":
            self.answer(200, b"x" * int(n))
        elif what == "slow":
            time.sleep(5)
            self.answer(200, b"late")
        elif what == "cut":
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b"half")
            self.close_connection = True
        else:
            self.answer(404, b"")

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = any

    def log_message(self, *args):
        pass


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True

    def __init__(self, context):
        super().__init__(("127.0.0.1", 0), Handler)
        self.context = context

    def finish_request(self, request, client_address):
        try:
            super().finish_request(self.context.wrap_socket(request, server_side=True),
                                   client_address)
        except (OSError, ssl.SSLError):
            pass


def main():
    folder = sys.argv[1]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(os.path.join(folder, "server.pem"), os.path.join(folder, "server.key"))
    context.set_alpn_protocols(["http/1.1"])
    if len(sys.argv) > 2:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(sys.argv[3])
    server = Server(context)
    print(server.server_address[1], flush=True)
    server.serve_forever()


main()

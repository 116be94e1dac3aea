#!/usr/bin/python3
"""converge.py: how fast devices are brought to what they are to have, and how fast a filter finds its
devices.

  tests/bench/converge.py [--devices 10000] [--filter 100000] [--port-base 8460] [--state DIR]
                          [--json FILE] [--quick]

Enrols the devices, has each install a profile, then puts a changed version into the library, once
without and once with a variable in it (so that each device's is signed by itself). Told are the
commands a second that the agent queues, that are delivered and reported, and from the upload until
the last device is known to have the version; beside it the cycle's figure, commands a second that are
queued already. Then a group with a filter over --filter devices. --quick only sees that it works.

Prints a table and, with --json, writes the numbers. Exit status 1 when the filter takes more than 2 seconds.
"""
import argparse
import base64
import importlib.machinery
import importlib.util
import json
import os
import plistlib
import ssl
import sys
import time
import urllib.request
import uuid

HERE = os.path.dirname(os.path.abspath(__file__))
loader = importlib.machinery.SourceFileLoader("bench", os.path.join(HERE, "bench"))
bench = importlib.util.module_from_spec(importlib.util.spec_from_loader("bench", loader))
loader.exec_module(bench)

FILTER_TARGET_S = 2


class Site:
    def __init__(self, server):
        self.server = server
        self.context = ssl.create_default_context(cafile=server.info["ca_file"])

    def call(self, method, path, body=None):
        data = json.dumps(body).encode() if isinstance(body, dict) else body
        word = base64.b64encode(("%s:%s" % (self.server.info["api_user"],
                                            self.server.info["api_key"])).encode()).decode()
        r = urllib.request.Request(self.server.info["api_url"] + path, data=data, method=method,
                                   headers={"Authorization": "Basic " + word, "Content-Type":
                                            "application/json" if isinstance(body, dict)
                                            else "application/octet-stream"})
        with urllib.request.urlopen(r, context=self.context, timeout=60) as answer:
            return json.loads(answer.read() or b"null")

    def wait(self, item, state, version, n, seconds=120):
        """Until so many devices are in the state; how long that took."""
        start = time.monotonic()
        while True:
            got = int(self.server.sql("SELECT COUNT(*) FROM device_item WHERE item_id = %s AND "
                                      "state = %d AND version = %d" % (item, state, version)))
            if got >= n:
                return time.monotonic() - start
            if time.monotonic() - start > seconds:
                raise bench.Failed("%d of %d devices are in state %d" % (got, n, state))
            time.sleep(0.05)


def profile(text):
    return plistlib.dumps({
        "PayloadType": "Configuration", "PayloadVersion": 1, "PayloadIdentifier": "org.example.b",
        "PayloadUUID": str(uuid.uuid4()), "PayloadDescription": text, "PayloadContent": [{
            "PayloadType": "com.apple.wifi.managed", "PayloadIdentifier": "org.example.b.wifi",
            "PayloadUUID": str(uuid.uuid4()), "PayloadVersion": 1, "SSID_STR": "Office"}]})


def version(site, item, number, text, n):
    """One version from its upload to the last device."""
    start = time.monotonic()
    if number > 1:
        site.call("POST", "/api/v1/profiles/%s/versions" % item, profile(text))
    site.wait(item, 2, number, n)
    queued = time.monotonic() - start
    got = site.server.load("cycle", 120, requests=2 * n, refill="true")
    site.wait(item, 3, number, n)
    return {"queued_per_s": n / queued, "delivered_per_s": n / got["seconds"],
            "all_per_s": n / (time.monotonic() - start), "p99_ms": got["p99_ms"]}


def converge(site, n):
    item = site.call("POST", "/api/v1/profiles", profile("one"))["id"]
    group = site.call("POST", "/api/v1/groups", {"name": "all", "filter": {
        "fact": "udid", "known": True}})["id"]
    site.call("POST", "/api/v1/assignments", {"group": group, "item": item})
    return {"first": version(site, item, 1, "one", n),
            "changed": version(site, item, 2, "two", n),
            "personal": version(site, item, 3, "%UDID%", n)}


def filters(site, n):
    """The time that the agent takes to ask a filter that half of n more devices pass."""
    site.server.sql("INSERT INTO enrollment (id, ident, kind, device_id, state, udid, os_version, "
                    "product_name, created_at, last_seen_at) SELECT seq, CONCAT('F', seq), 1, seq, "
                    "2, CONCAT('F', seq), '17.4', 'iPhone14,2', 1, 1 FROM seq_1_to_%d" % n)
    site.server.sql("INSERT INTO inv_device (enrollment_id, platform, os_number, is_supervised, "
                    "battery_level) SELECT seq, 1, 17000000 + seq %% 9 * 1000, seq %% 2, 0.5 FROM "
                    "seq_1_to_%d" % n)
    group = site.call("POST", "/api/v1/groups", {"name": "filter", "filter": {"all": [
        {"fact": "platform", "is": "iOS"}, {"fact": "os_version", "at_least": "17.2"},
        {"fact": "supervised", "is": True}, {"not": {"tag": "spare"}},
        {"any": [{"fact": "BatteryLevel", "above": 0.2}, {"fact": "model", "contains": "iPad"}]}]}})
    found = None
    for _ in range(400):
        found = site.call("GET", "/api/v1/groups/" + group["id"])
        if found.get("evaluated_ms") is not None and found["devices"] > 0:
            break
        time.sleep(0.1)
    first = found["evaluated_ms"]
    site.call("PATCH", "/api/v1/groups/" + group["id"], {"note": "again"})
    for _ in range(400):
        found = site.call("GET", "/api/v1/groups/" + group["id"])
        if found.get("evaluated_at"):
            break
        time.sleep(0.1)
    return {"devices": n, "found": found["devices"], "first_s": first / 1000,
            "again_s": found["evaluated_ms"] / 1000}


def measure(args, server, told):
    site = Site(server)
    bench.say("enrolling %d devices" % args.devices)
    server.load("first", 0)
    versions = converge(site, args.devices)
    for name, r in versions.items():
        told.add("%s version, queued" % name, r["queued_per_s"], "/s")
        told.add("%s version, delivered and reported" % name, r["delivered_per_s"], "/s",
                 note="p99 %.2f ms" % r["p99_ms"])
        told.add("%s version, from upload to known" % name, r["all_per_s"], "/s")
    got = server.mode("cycle", 1 if args.quick else 5)
    cycle = got["rps"] / 2  # a command is a report and a poll
    told.add("cycle, queued already", cycle, "/s", note="p99 %.2f ms" % got["p99_ms"])
    told.add("changed version, delivered, to cycle", versions["changed"]["delivered_per_s"] / cycle,
             "ratio")
    f = filters(site, args.filter)
    told.add("filter over %d devices, first" % f["devices"], f["first_s"], "s", FILTER_TARGET_S)
    told.add("filter over %d devices, again" % f["devices"], f["again_s"], "s", FILTER_TARGET_S,
             note="finds %d" % f["found"])
    told.more = {"devices": args.devices}


def main():
    p = argparse.ArgumentParser(usage=__doc__)
    p.add_argument("--devices", type=int, default=10000)
    p.add_argument("--filter", type=int, default=100000)
    p.add_argument("--spare", type=int, default=0)
    p.add_argument("--connections", type=int, default=32)
    p.add_argument("--port-base", type=int, default=8460)
    p.add_argument("--state")
    p.add_argument("--json")
    p.add_argument("--quick", action="store_true")
    args = p.parse_args()
    if args.quick:
        args.devices, args.filter = min(args.devices, 300), min(args.filter, 3000)
    return bench.with_site(args, "converge", lambda server, told: measure(args, server, told))


if __name__ == "__main__":
    sys.exit(main())

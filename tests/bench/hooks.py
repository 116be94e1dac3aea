#!/usr/bin/python3
"""hooks.py: what webhooks cost devices, and how fast they are told.

  tests/bench/hooks.py [--devices 1000] [--rounds 3] [--seconds 3] [--events 20000]
                       [--port-base 8460] [--state DIR] [--json FILE]

In each round polls with nothing queued, and cycles (a command and its report), are measured without a
webhook and with one that wants mdm.Connect: paused, which is the price of writing the event, and
active, with the agent and the receiver on the same machine. The receiver is the empty responder behind
lighttpd. The medians of the ratios to "without" are told. Then the agent is given many events at once:
events delivered a second, each recorded.
"""
import argparse
import glob
import importlib.machinery
import importlib.util
import json
import os
import shutil
import signal
import statistics
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
loader = importlib.machinery.SourceFileLoader("converge", os.path.join(HERE, "converge.py"))
converge = importlib.util.module_from_spec(importlib.util.spec_from_loader("converge", loader))
loader.exec_module(converge)
bench = converge.bench


def pid_of(server, name):
    with open(os.path.join(server.run_state(), "pid", name), encoding="ascii") as f:
        return int(f.read().split()[0])


def agents(server):
    """The agents of this site, by their parent."""
    found = []
    for path in glob.glob("/proc/[0-9]*/stat"):
        try:
            with open(path, encoding="utf-8") as f:
                parent = int(f.read().rpartition(")")[2].split()[1])
            with open(path[:-4] + "cmdline", "rb") as f:
                words = f.read().replace(b"\0", b" ").decode().split()
        except (OSError, ValueError):
            continue
        if parent == pid_of(server, "drover") and "agent" in words:
            found.append(int(path.split("/")[2]))
    return found


def allow_local(server):
    """http to this machine: the agent is to spend its time on the database, not on TLS."""
    with open(server.info["config"], "a", encoding="utf-8") as f:
        f.write("\n[webhook]\nallow_http = yes\nprivate_networks = 127.0.0.1\n")
    os.kill(pid_of(server, "drover"), signal.SIGHUP)
    time.sleep(2)
    old = agents(server)
    for pid in old:
        os.kill(pid, signal.SIGTERM)
    while not set(agents(server)) - set(old):
        time.sleep(0.1)
    time.sleep(2)


def hook(site, state):
    made = site.call("POST", "/api/v1/webhooks", {
        "name": "bench", "url": site.server.url("/floor-a"), "topics": ["mdm.Connect"]})
    if state == "paused":
        site.call("POST", "/api/v1/webhooks/%s/pause" % made["id"], {"why": "bench"})
    time.sleep(3)  # the workers have read it
    return made["id"]


def settle(server):
    """Nothing is left to be told, or to be read into the inventory."""
    server.sql("DELETE FROM webhook_delivery; DELETE FROM webhook_event; DELETE FROM webhook_attempt; "
               "UPDATE result SET digest = 0 WHERE digest = 1")


def rate(server, mode, seconds):
    got = server.mode(mode, seconds)
    return got["rps"]


def round_of(site, seconds):
    """Polls in each state first, then cycles: what these leave to be deleted slows what follows."""
    server = site.server
    got = {}
    for mode in ("idle", "cycle"):
        for state in ("without", "paused", "active"):
            made = hook(site, state) if state != "without" else None
            # each process verifies a certificate once and remembers it
            server.load("idle", 600, requests=6 * server.args.devices)
            got[mode, state] = rate(server, mode, seconds)
            if made:
                site.call("DELETE", "/api/v1/webhooks/%s?why=bench" % made)
            settle(server)
    return got


def deliver(site, n):
    server = site.server
    hook(site, "active")
    server.sql("INSERT INTO webhook_event (id, topic, at, enrollment_id, ident, kind, status, "
               "command_uuid, raw) SELECT CAST(UNIX_TIMESTAMP(NOW(6)) * 1000000 AS INTEGER) * 1000 + "
               "seq, 6, CAST(UNIX_TIMESTAMP(NOW(6)) * 1000000 AS INTEGER), seq, CONCAT('B', seq), 1, "
               "'Acknowledged', 'BENCH', REPEAT('x', 1500) FROM seq_1_to_%d" % n)
    for _ in range(1200):
        if int(server.sql("SELECT COUNT(*) FROM webhook_delivery WHERE state = 2")) >= n:
            break
        time.sleep(0.1)
    span = server.sql("SELECT COUNT(*), MAX(done_at) - MIN(done_at) FROM webhook_delivery WHERE "
                      "state = 2").split()
    if int(span[0]) < n:
        raise bench.Failed("%s of %d events were delivered" % (span[0], n))
    return n / (int(span[1]) / 1e6)


def main():
    p = argparse.ArgumentParser(usage=__doc__)
    p.add_argument("--devices", type=int, default=1000)
    p.add_argument("--spare", type=int, default=0)
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--seconds", type=float, default=3)
    p.add_argument("--events", type=int, default=20000)
    p.add_argument("--connections", type=int, default=32)
    p.add_argument("--port-base", type=int, default=8460)
    p.add_argument("--state")
    p.add_argument("--json")
    args = p.parse_args()
    state = args.state or tempfile.mkdtemp(prefix="drover-bench-")
    os.makedirs(state, mode=0o755, exist_ok=True)
    server = bench.Server(args, state)
    status = 2
    try:
        server.start()
        site = converge.Site(server)
        allow_local(server)
        server.load("first", 0)
        rounds = [round_of(site, args.seconds) for _ in range(args.rounds)]
        result = {}
        for mode in ("idle", "cycle"):
            for what in ("paused", "active"):
                ratio = statistics.median(r[mode, what] / r[mode, "without"] for r in rounds)
                result["%s_%s" % (mode, what)] = ratio
                bench.say("%-6s with a webhook that is %-7s %.2f of without (%.0f/s)" % (
                    mode, what + ":", ratio, statistics.median(r[mode, "without"] for r in rounds)))
        result["delivered_per_s"] = deliver(site, args.events)
        bench.say("delivered: %.0f events/s, each recorded" % result["delivered_per_s"])
        if args.json:
            with open(args.json, "w", encoding="utf-8") as out:
                json.dump({"webhooks": result}, out, indent=1)
        status = 0
    except bench.Failed as e:
        bench.say("hooks: %s" % e)
    finally:
        server.stop()
        if not args.state:
            shutil.rmtree(state, ignore_errors=True)
    return status


if __name__ == "__main__":
    sys.exit(main())

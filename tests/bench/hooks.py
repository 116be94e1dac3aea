#!/usr/bin/python3
"""hooks.py: what webhooks cost devices, and how fast they are told.

  tests/bench/hooks.py [--devices 1000] [--rounds 3] [--seconds 3] [--events 20000]
                       [--port-base 8460] [--state DIR] [--json FILE] [--quick]

Polls with nothing queued, and cycles (a command and its report), are measured with a webhook that wants
mdm.Connect: paused, which is the price of writing the event, and active, with the agent and the
receiver on the same machine. It wants no polls, so these are to cost what they cost without it. Each
measurement stands between two without a webhook; the median over the rounds of the ratios to their
mean is told. The receiver is the empty responder behind lighttpd. Then the agent is given many events
at once: events delivered a second, each recorded. Exit status 1 when a target is missed.
"""
import argparse
import glob
import importlib.machinery
import importlib.util
import os
import signal
import statistics
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
loader = importlib.machinery.SourceFileLoader("converge", os.path.join(HERE, "converge.py"))
converge = importlib.util.module_from_spec(importlib.util.spec_from_loader("converge", loader))
loader.exec_module(converge)
bench, figures = converge.bench, converge.bench.figures

IDLE_TARGET = 0.95  # polls with a webhook that does not want them, to polls without
READ_S = 3          # after so long the workers have read what is wanted


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
    time.sleep(READ_S)
    return made["id"]


def settle(server):
    """Nothing is left to be told, or to be read into the inventory."""
    server.sql("DELETE FROM webhook_delivery; DELETE FROM webhook_event; DELETE FROM webhook_attempt; "
               "UPDATE result SET digest = 0 WHERE digest = 1")


def rate(site, mode, state, seconds):
    """Requests a second with a webhook in a state, or without, and the processor time of each, µs, of
    all programs but the load generator."""
    server = site.server
    made = hook(site, state) if state else None
    # each process verifies a certificate once and remembers it
    server.load("idle", 600, requests=6 * server.args.devices)
    before, got = server.cpu(), server.mode(mode, seconds)
    cpu = sum(t - before.get(name, 0) for name, t in server.cpu().items() if name != "load")
    if made:
        site.call("DELETE", "/api/v1/webhooks/%s?why=bench" % made)
        time.sleep(READ_S)
    settle(server)
    return got["rps"], cpu * 1e6 / got["requests"]


def ratios(site, mode, rounds, seconds):
    """{state: a ratio of rates and of processor times for each round}, and the rates without."""
    got, without = {"paused": [], "active": []}, [rate(site, mode, None, seconds)]
    for _ in range(rounds):
        for state, row in got.items():
            one = rate(site, mode, state, seconds)
            without.append(rate(site, mode, None, seconds))
            row.append([2 * one[k] / (without[-2][k] + without[-1][k]) for k in (0, 1)])
    return got, [one[0] for one in without]


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


def measure(args, server, told):
    site = converge.Site(server)
    allow_local(server)
    server.load("first", 0)
    for mode in ("idle", "cycle"):
        got, without = ratios(site, mode, args.rounds, args.seconds)
        told.add("%s, no webhook" % mode, statistics.median(without), "/s",
                 note="from %.0f to %.0f" % (min(without), max(without)))
        for which, row in got.items():
            told.add("%s, webhook %s, to without" % (mode, which),
                     statistics.median(one[0] for one in row), "ratio",
                     IDLE_TARGET if mode == "idle" else None, at_least=True,
                     note=", ".join("%.2f" % one[0] for one in row) + "; processor "
                     + ", ".join("%.2f" % one[1] for one in row))
    told.add("events delivered, each recorded", deliver(site, args.events), "/s")


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
    p.add_argument("--quick", action="store_true")
    args = p.parse_args()
    if args.quick:
        args.devices, args.rounds, args.seconds, args.events = 300, 1, 0.5, 1000
    return bench.with_site(args, "hooks", lambda server, told: measure(args, server, told))


if __name__ == "__main__":
    sys.exit(main())

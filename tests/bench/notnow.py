#!/usr/bin/python3
"""notnow.py: a device that puts off everything (`make bench`).

  tests/bench/notnow.py [--commands 5000] [--rounds 3] [--port-base 8460] [--state DIR] [--json FILE]
                        [--quick]

A locked device may answer NotNow to each command of a long queue, and again at the next poll. It is
offered each once, so that what it costs must grow with the queue and no faster: told is the time of a
command when a tenth is queued and when all are, the longest answer (the poll after it, before which
all are eligible again), and their ratio. Exit status 1 when the target is missed.
"""
import argparse
import importlib.machinery
import importlib.util
import os
import statistics
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
loader = importlib.machinery.SourceFileLoader("bench", os.path.join(HERE, "bench"))
bench = importlib.util.module_from_spec(importlib.util.spec_from_loader("bench", loader))
loader.exec_module(bench)

RATIO_TARGET = 1.5   # time of a command in the long queue to that in the short one
LONGEST_MS = 1000    # a device waits longer


def queue(server, n):
    server.sql("""DELETE FROM queue; UPDATE enrollment SET put_off = 0;
SET @at = CAST(UNIX_TIMESTAMP(NOW(6)) * 1000000 AS INTEGER);
INSERT INTO command (id, uuid, request_type, body, created_at, created_by)
  SELECT @at + seq, CONCAT('NOTNOW-', @at, '-', seq), 'DeviceInformation', CONCAT('<?xml version="1.0"
encoding="UTF-8"?><plist version="1.0"><dict><key>Command</key><dict><key>Queries</key><array/>
<key>RequestType</key><string>DeviceInformation</string></dict><key>CommandUUID</key><string>NOTNOW-',
@at, '-', seq, '</string></dict></plist>'), @at, 'bench' FROM seq_1_to_%d;
INSERT INTO queue (enrollment_id, urgency, queued_at, command_id, state)
  SELECT e.id, 0, @at, @at + s.seq, 1 FROM enrollment e JOIN seq_1_to_%d s WHERE e.kind = 1;
ANALYZE TABLE queue, command;""" % (n, n))


def round_of(server, n):
    """(ms of a command, ms of the longest answer) of a second exchange: the first one was like it."""
    queue(server, n)
    server.load("notnow", 600, connections=1)
    got = server.load("notnow", 600, connections=1)
    if got["requests"] != n + 1:
        raise bench.Failed("%d commands were put off, not %d" % (got["requests"] - 1, n))
    return got["seconds"] * 1000 / n, got["max_ms"]


def measure(args, server, told):
    server.load("first", 0)
    few, many = [], []
    for _ in range(args.rounds):
        few.append(round_of(server, args.commands // 10))
        many.append(round_of(server, args.commands))
    few_ms, many_ms = (statistics.median(r[0] for r in rows) for rows in (few, many))
    told.add("a command of %d" % (args.commands // 10), few_ms, "ms")
    told.add("a command of %d" % args.commands, many_ms, "ms")
    told.add("longest answer of %d" % args.commands, statistics.median(r[1] for r in many), "ms",
             LONGEST_MS)
    told.add("a command of many, to one of few", many_ms / few_ms, "ratio", RATIO_TARGET)


def main():
    p = argparse.ArgumentParser(usage=__doc__)
    p.add_argument("--commands", type=int, default=5000)
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--port-base", type=int, default=8460)
    p.add_argument("--state")
    p.add_argument("--json")
    p.add_argument("--quick", action="store_true")
    args = p.parse_args()
    if args.quick:
        args.commands, args.rounds = 500, 1
    args.devices, args.spare, args.connections = 1, 0, 1
    return bench.with_site(args, "notnow", lambda server, told: measure(args, server, told))


if __name__ == "__main__":
    sys.exit(main())

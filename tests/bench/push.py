#!/usr/bin/python3
"""How fast the agent pushes, compared with h2load on one connection to the same simulator.

    tests/bench/push.py [--pushes N] [--rounds N] [--json FILE]

A round fills the outbox of a durable MariaDB with N pushes, starts the agent and takes the time
between the first and the last push that the simulator received, each recorded in the database; then
h2load sends N of the same requests, as many at a time as the agent. Prints the medians and their
ratio, which is to be at least 0.5.
"""
import argparse
import json
import os
import re
import statistics
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
from pushsite import Site, wait_for  # noqa: E402

TOPIC = "com.apple.mgmt.External.bench"
STREAMS = 100


def agent_round(site, n):
    # As store/push.c asks for them: each has its apns-id, so that there is none to record.
    site.sql("TRUNCATE push; INSERT INTO push (enrollment_id, state, due_at, wanted_at, expires_at, "
             f"apns_id) SELECT seq, 1, 0, 1, 9000000000000000, UUID() FROM seq_1_to_{n};")
    site.control("DELETE", "pushes")
    site.agent()
    wait_for(lambda: site.control("GET", "counters")["received"] >= n, 120, "not all arrived")
    wait_for(lambda: site.sql("SELECT COUNT(*) FROM push WHERE state = 3") == [[str(n)]], 20,
             "not all were recorded")
    site.stop_agents()
    last = site.control("GET", "counters")["last"]
    pushes = [site.control("GET", f"pushes?after={at}")["pushes"] for at in (last - n, last - 1)]
    return n / (pushes[1][-1]["time_us"] - pushes[0][0]["time_us"]) * 1e6


def h2load_round(site, n, at_once):
    body = site.path("body")
    with open(body, "w") as f:
        f.write('{"mdm":"magic-of-a-device"}')
    out = subprocess.run(
        ["h2load", "-n", str(n), "-c", "1", "-m", str(at_once), "-d", body,
         "-H", "apns-topic: " + TOPIC, "-H", "apns-push-type: mdm", "-H", "apns-priority: 10",
         f"https://127.0.0.1:{site.port}/3/device/{site.token(1)}"],
        check=True, capture_output=True, text=True).stdout
    # Before it has heard how many streams the server allows, h2load sends more; they are refused.
    if int(re.search(r"(\d+) succeeded", out).group(1)) < n - at_once:
        raise RuntimeError("h2load failed:\n" + out)
    return float(re.search(r"([\d.]+) req/s", out).group(1))


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--pushes", type=int, default=20000)
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--json")
    a = p.parse_args()
    site = Site(streams=STREAMS, fast=False, apns_options="--anonymous", log_level="info")
    try:
        site.push_cert(TOPIC)
        site.enroll(1, a.pushes, TOPIC)
        agent, h2load, one = [], [], []
        for _ in range(a.rounds):
            agent.append(agent_round(site, a.pushes))
            h2load.append(h2load_round(site, a.pushes, STREAMS))
            one.append(h2load_round(site, a.pushes, 1))
    finally:
        site.close()
    result = {"pushes_per_s": statistics.median(agent), "h2load_per_s": statistics.median(h2load),
              "h2load_one_stream_per_s": statistics.median(one)}
    result["ratio"] = result["pushes_per_s"] / result["h2load_per_s"]
    print(f"push    {result['pushes_per_s']:8.0f} /s by the agent, "
          f"{result['h2load_per_s']:.0f} by h2load with {STREAMS} streams "
          f"({result['h2load_one_stream_per_s']:.0f} with one): ratio {result['ratio']:.2f}")
    if a.json:
        with open(a.json, "w") as f:
            json.dump({"push": result}, f, indent=1)


if __name__ == "__main__":
    main()

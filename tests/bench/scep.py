#!/usr/bin/python3
"""How many identities a site issues by SCEP, beside what `openssl speed` says of this machine.

    tests/bench/scep.py [--requests N] [--rounds N] [--port-base P] [--json FILE]

A site of scripts/run with an RSA-2048 CA and a static challenge; each request takes three operations
with private keys of RSA 2048: to open it, to sign the certificate, to sign the answer. Each is for a
key of its own, is recorded in a durable MariaDB and checked (see scepload.c). The floor is what all
processors sign in a second, divided by three. Prints the median; the target is 250 a second.
"""
import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("BUILD", os.path.join(TOP, "build"))
TARGET = 250
CHALLENGE = "a-static-challenge-of-the-bench"


def run(*args):
    p = subprocess.run(args, capture_output=True, text=True, env=dict(os.environ, BUILD=BUILD))
    if p.returncode != 0:
        raise RuntimeError(f"{args[0]}: status {p.returncode}\n{p.stdout[-1000:]}{p.stderr[-1000:]}")
    return p.stdout


def openssl_speed():
    """Private-key operations of RSA 2048 in a second, on all processors together."""
    out = run("openssl", "speed", "-seconds", "3", "-multi", str(os.cpu_count()), "rsa2048")
    return float(re.search(r"rsa +2048 bits +\S+ +\S+ +([\d.]+)", out).group(1))


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--requests", type=int, default=1500)
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--port-base", type=int, default=8470)
    p.add_argument("--json")
    a = p.parse_args()
    state = tempfile.mkdtemp(prefix="drover-scep-")
    script = os.path.join(TOP, "scripts", "run")
    rates, rows = [], []
    try:
        challenge = os.path.join(state, "challenge")
        with open(challenge, "w") as f:
            f.write(CHALLENGE + "\n")
        run(script, "--state", os.path.join(state, "var"), "--no-build", "--yes", "--detach",
            "--port-base", str(a.port_base), "--set", "signer.ca_bits=2048",
            "--set", "scep.challenge_file=" + challenge)
        with open(os.path.join(state, "var", "run.json")) as f:
            info = json.load(f)
        for _ in range(a.rounds):
            rows.append(json.loads(run(
                os.path.join(BUILD, "bench", "scepload"), "--url", info["device_http_url"] +
                "/scep", "--challenge", CHALLENGE, "--requests", str(a.requests))))
            rates.append(rows[-1]["rps"])
        speed = openssl_speed()
    finally:
        subprocess.run([script, "--stop", "--state", os.path.join(state, "var")],
                       stdout=subprocess.DEVNULL)
        shutil.rmtree(state, True)
    result = {"issued_per_s": statistics.median(rates), "openssl_rsa2048_per_s": speed,
              "floor_per_s": speed / 3, "rounds": rows}
    print(f"scep    {result['issued_per_s']:8.0f} /s issued; openssl speed signs {speed:.0f} /s, "
          f"a third of it is {speed / 3:.0f}: {result['issued_per_s'] / (speed / 3):.2f} of that; "
          f"target {TARGET} /s")
    if a.json:
        with open(a.json, "w") as f:
            json.dump({"scep": result}, f, indent=1)
    return 0 if result["issued_per_s"] >= TARGET else 1


if __name__ == "__main__":
    sys.exit(main())

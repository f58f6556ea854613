#!/usr/bin/env python3
"""Counts the instructions of every building block (callgrind) and compares them with those on record.

    benches/blocks/count.py                 all of them, beside benches/blocks/counts.txt; status 1 if one grew by a tenth
    benches/blocks/count.py NAME..          these
    benches/blocks/count.py --record        all of them, and writes them down; with names, those
    benches/blocks/count.py --print NAME..  only the figures

Instructions are the same on every run of the same program, whatever else the machine does. callgrind knows no AVX-512: what
is counted is the program as it runs on a processor without it. Needs valgrind.
"""

import argparse
import json
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
RECORD = ROOT / "benches" / "blocks" / "counts.txt"
TIMES = {"core_step": 1000, "core_step_of_a_million": 1000, "log_append": 1000, "record_64k": 10, "repair_100_of_1000": 3}
GREW = 1.10


def program():
    command = ["cargo", "bench", "--no-run", "--bench", "blocks", "--message-format", "json"]
    built = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    messages = (json.loads(line) for line in built.stdout.splitlines() if line.startswith("{"))
    found = [m["executable"] for m in messages if m.get("target", {}).get("name") == "blocks" and m.get("executable")]
    return found[-1]


def count(path, name):
    times = TIMES.get(name, 100)
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "out"
        command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", "--toggle-collect=*blocks*measured*"]
        subprocess.run([*command, path, "--count", name, str(times)], check=True, capture_output=True)
        totals = re.findall(r"^(?:totals|summary): (\d+)", out.read_text(), re.MULTILINE)
    return int(totals[-1]) // times


def recorded():
    if not RECORD.exists():
        return {}
    lines = (line.split() for line in RECORD.read_text().splitlines() if line and not line.startswith("#"))
    return {name: int(instructions) for name, instructions in lines}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--record", action="store_true")
    parser.add_argument("--print", action="store_true", dest="only_print")
    options = parser.parse_args()
    path, before, grew, counted = program(), recorded(), [], {}
    known = subprocess.run([path, "--list"], stdout=subprocess.PIPE, text=True, check=True).stdout.split()
    for name in options.names or known:
        instructions = counted[name] = count(path, name)
        if options.only_print or name not in before:
            print(f"{name:26} {instructions:>12}", flush=True)
            continue
        change = instructions / before[name] - 1
        print(f"{name:26} {instructions:>12}   {change:+7.1%} of {before[name]}", flush=True)
        if instructions > before[name] * GREW:
            grew.append(name)
    if options.record:
        lines = ["# Instructions of each building block: benches/blocks/count.py --record"]
        now = before | counted
        lines += [f"{name:26} {now[name]:>12}" for name in known if name in now]
        RECORD.write_text("\n".join(lines) + "\n")
        grew = []
    if grew and not options.only_print:
        print(f"count: a tenth dearer than on record: {', '.join(grew)}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

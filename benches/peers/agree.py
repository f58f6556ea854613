#!/usr/bin/env python3
"""Whether two runs of the comparison come to the same rankings.

    cargo run --release --manifest-path benches/peers/Cargo.toml -- --json > one.json
    cargo run --release --manifest-path benches/peers/Cargo.toml -- --json > two.json
    benches/peers/agree.py one.json two.json

In one run a system stands before another if its worst round is better than the other's best; otherwise the two are as
good as each other. Two runs disagree where one stands before the other in the first, and behind it in the second.
Exit status 1 says that they do somewhere.
"""

import itertools
import json
import sys

# Whether more is better.
MEASURES = {
    "messages_per_s": True,
    "cpu_per_verification": False,
    "cpu_us_per_delivery": False,
    "latency_p50_ms": False,
    "latency_p99_ms": False,
    "wire_bytes_per_delivery": False,
    "memory_kib_per_node": False,
    "link_gb_per_s": True,
    "link_cpu_ms_per_gb": False,
    "link_requests_per_s": True,
    "link_cpu_us_per_request": False,
    "handshakes_per_s": True,
    "cpu_us_per_handshake": False,
}


def measured(path):
    """What a run measured: by case, number of nodes and measure, each system's figures."""
    with open(path, encoding="utf-8") as file:
        results = json.load(file)["results"]
    ranking = {}
    for result in results:
        for measure in MEASURES.keys() & result.keys():
            ranking.setdefault((result["case"], result["nodes"], measure), {})[result["system"]] = result[measure]
    return ranking


def before(one, other, more_is_better):
    """1 if `one` stands before `other`, -1 if behind, 0 if they are as good."""
    if more_is_better:
        return (one["min"] > other["max"]) - (one["max"] < other["min"])
    return (one["max"] < other["min"]) - (one["min"] > other["max"])


def main(paths):
    first, second = map(measured, paths)
    pairs = ordered = disagreements = 0
    for key in sorted(first.keys() & second.keys()):
        for one, other in itertools.combinations(sorted(first[key].keys() & second[key].keys()), 2):
            orders = [before(run[key][one], run[key][other], MEASURES[key[2]]) for run in (first, second)]
            pairs += 1
            ordered += orders[0] == orders[1] != 0
            if orders[0] * orders[1] < 0:
                disagreements += 1
                print(f"{key[0]}, {key[1]} nodes, {key[2]}: {one} and {other} change places")
    print(f"{pairs} pairs of systems: {ordered} in the same order in both runs, "
          f"{pairs - ordered - disagreements} as good as each other in one at least, {disagreements} change places")
    return 1 if disagreements else 0


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1:]))

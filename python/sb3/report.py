"""Prints what python/sb3/run found: how many items passed, and why each of the rest did not."""

import json
import sys
from collections import Counter

with open(sys.argv[1], encoding="utf-8") as file:
    report = json.load(file)
used = report["used"]
counts = Counter(outcome for outcome, _ in used.values())
for node, (outcome, reason) in sorted(used.items()):
    if outcome == "failed":
        print(f"FAILED {node}\n    {reason}")
print(
    f"{len(used)} items use A2C, PPO or SAC of Celsius: "
    + ", ".join(f"{count} {outcome}" for outcome, count in sorted(counts.items()))
)

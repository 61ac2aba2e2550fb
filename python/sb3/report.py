"""Prints what python/sb3/run found: why items failed, and how many passed."""

import json
import sys
from collections import Counter
from pathlib import Path


def groups() -> list[list[str]]:
    """The items of items.txt: those that are counted, and more."""
    out: list[list[str]] = []
    comment = False
    for line in Path(__file__).with_name("items.txt").read_text("utf-8").splitlines():
        if line.startswith("#"):
            out += [] if comment else [[]]
        else:
            out[-1].append(line)
        comment = line.startswith("#")
    return out


def said(outcomes: list[str]) -> str:
    counts = Counter(outcomes)
    return ", ".join(f"{count} {outcome}" for outcome, count in sorted(counts.items()))


with open(sys.argv[1], encoding="utf-8") as file:
    report = json.load(file)
counted, more = groups()
listed = {*counted, *more}
used, every = report["used"], report["all"]
for node, (outcome, reason) in sorted(every.items()):
    if outcome != "passed" and (node in used or node in listed):
        mark = "" if node in listed else " (not in items.txt)"
        print(f"{outcome.upper()} {node}{mark}\n    {reason}")
print(f"{len(used)} items use A2C, PPO or SAC of Celsius: {said([v[0] for v in used.values()])}")
for name, items in (("items.txt", counted), ("items.txt, more", more)):
    print(f"{name}: {len(items)} items: {said([every.get(n, ['not run'])[0] for n in items])}")

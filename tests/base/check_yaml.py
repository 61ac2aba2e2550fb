"""Reads the config of tests/base/test_yaml.c with PyYAML and checks values and types."""
import math
import sys

import yaml

config = yaml.safe_load(open(sys.argv[1], encoding="utf-8"))
want = {
    "seed": 18446744073709551615,
    "algo": {
        "flag": True,
        "steps": -5,
        "rate": 1e-5,
        "large": 1e22,
        "tiny": 5e-324,
        "whole": 3.0,
        "limit": math.inf,
        "activation": "off",
        "id": 'yes: "no" # \\ \u2028é',
        "word": "true",
        "number": "1e5",
        "path": "/tmp/a b",
        "widths": [64, 32],
        "schedule": "lin_0.0003",
        "constant": 3e-7,
        "entropy": "auto",
        "height": [-3.0, math.inf],
        "motor": {"gravity": 9.81, "poles": 2},
    },
}
assert config == want, f"\n{config}\n{want}"
for key, value in want["algo"].items():
    assert type(config["algo"][key]) is type(value), (key, config["algo"][key])

"""pytest plugin: Stable-Baselines3's own tests with A2C, PPO and SAC of Celsius.

Everything else (VecEnv, callbacks, noise, wrappers) stays its own. An item counts if it makes
one of our learners. python/sb3/run starts it.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import stable_baselines3
import stable_baselines3.a2c
import stable_baselines3.ppo
import stable_baselines3.sac

import celsius
from celsius.base import Learner

# The suite looks for files named NAME.zip, and saves functions in them.
OURS = {name: celsius.sb3.classes(functions=True)[name] for name in ("A2C", "PPO", "SAC")}
for name, ours in OURS.items():
    for module in (stable_baselines3, getattr(stable_baselines3, name.lower())):
        setattr(module, name, ours)

made: dict[str, int] = {}
results: dict[str, list[str]] = {}
current = ""
_start = Learner._start


def _counted(self: Any, given: dict[str, Any]) -> None:
    made[current] = made.get(current, 0) + 1
    _start(self, given)


Learner._start = _counted  # type: ignore[method-assign]


def pytest_addoption(parser: Any) -> None:
    parser.addoption("--listed", action="store_true", help="only the items of items.txt")


def pytest_collection_modifyitems(config: Any, items: list[Any]) -> None:
    if config.getoption("--listed"):
        listed = set(Path(__file__).with_name("items.txt").read_text("utf-8").splitlines())
        config.hook.pytest_deselected(items=[i for i in items if i.nodeid not in listed])
        items[:] = [item for item in items if item.nodeid in listed]


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item: Any, nextitem: Any) -> Any:
    global current
    current = item.nodeid
    yield


def pytest_runtest_logreport(report: Any) -> None:
    if report.when == "call" or report.outcome != "passed":
        reason = ""
        if report.outcome == "failed":
            crash = getattr(report.longrepr, "reprcrash", None)
            reason = str(crash.message if crash else report.longrepr).split("\n")[0][:300]
        elif report.outcome == "skipped":
            reason = str(report.longrepr[2])
        results[report.nodeid] = [report.outcome, reason]


def pytest_sessionfinish(session: Any) -> None:
    used = {node: results[node] for node in results if made.get(node)}
    with open(os.environ["CELSIUS_SB3_REPORT"], "w", encoding="utf-8") as file:
        json.dump({"used": used, "all": results}, file, indent=1)

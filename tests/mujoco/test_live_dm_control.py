"""The YAML files of dm_control's tasks against dm_control on this machine, with other initial states
and actions, and every step in full.

tests/golden/dm_control_suite.py runs dm_control and records; test_dm_control replays the record.
This test is skipped where dm_control or MuJoCo for Python is missing. It covers what the golden file
cannot: the version of MuJoCo that this build found.
"""
import importlib.util
import os
import pathlib
import subprocess
import sys
import tempfile

SKIPPED = 77
TESTS = pathlib.Path(os.environ["CELSIUS_TEST_DIR"])
BUILD = pathlib.Path(os.environ["CELSIUS_BUILD_DIR"])


def main():
    for package in ("dm_control", "mujoco", "safetensors"):
        if importlib.util.find_spec(package) is None:
            print(f"skipped: {sys.executable} has no {package}; script/setup tests installs it")
            return SKIPPED
    with tempfile.TemporaryDirectory() as folder:
        golden = os.path.join(folder, "live.safetensors")
        subprocess.run([sys.executable, TESTS / "golden" / "dm_control_suite.py", golden, "90210",
                        "1000", "1"], check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL, cwd=folder)
        test = subprocess.run([BUILD / "tests" / "mujoco" / "test_dm_control"],
                              env=dict(os.environ, CELSIUS_GOLDEN=golden))
        return test.returncode


sys.exit(main())

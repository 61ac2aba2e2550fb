"""The example scripts on exact problems, export and search: they run and keep their promise."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import celsius

EXAMPLES = Path(__file__).parents[2] / "examples" / "python"


def run(name: str, folder: Path, *arguments: object) -> str:
    done = subprocess.run(
        [sys.executable, EXAMPLES / f"{name}.py", *map(str, arguments)],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(Path(celsius.__file__).parents[1])},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_exact_mdp(tmp_path: Path) -> None:
    text = run("exact_mdp", tmp_path, "--rounds", 2000, "--plot", "sweep.png")
    assert "(certified)" in text and "[3, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0]" in text
    assert (tmp_path / "sweep.png").read_bytes()[:4] == b"\x89PNG"


@pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler")
def test_export_to_c(tmp_path: Path) -> None:
    sac = Path(__file__).parent / "sb3" / "sac.zip"
    for arguments in (("--steps", 300), ("--from-sb3", sac)):
        text = run("export_to_c", tmp_path, *arguments)
        found = re.search(r"in 100 actions: (\S+)", text)
        assert found and float(found.group(1)) < 1e-5


def test_optuna_search(tmp_path: Path) -> None:
    text = run("optuna_search", tmp_path, "--trials", 2, "--steps", 1024, "--episodes", 2)
    assert "best mean return" in text and "learning_rate = " in text

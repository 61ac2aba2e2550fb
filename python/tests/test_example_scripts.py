"""The example scripts: each runs, with few steps, and shows what it promises."""

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


def test_basic(tmp_path: Path) -> None:
    text = run("basic", tmp_path, "--steps", 300)
    found = re.search(r"an episode of 200 steps returned (-\d+\.\d)", text)
    assert found and -2000 < float(found.group(1)) < 0


def test_vectorized(tmp_path: Path) -> None:
    text = run("vectorized", tmp_path, "--steps", 2000)
    assert text.count(" steps/s, 2048 steps") == 3


def test_callbacks(tmp_path: Path) -> None:
    text = run("callbacks", tmp_path, "--steps", 4096, "--out", tmp_path / "models")
    assert re.search(r"[1-9]\d* episodes in 4096 steps", text)
    assert "New best mean reward!" in text and "the best model has seen" in text
    saved = sorted(path.name for path in (tmp_path / "models").iterdir())
    assert "best_model.safetensors" in saved and "rl_model_2048_steps.safetensors" in saved


def test_save_and_continue(tmp_path: Path) -> None:
    text = run("save_and_continue", tmp_path, "--steps", 200)
    assert "loaded: 200 steps, 200 transitions" in text
    assert "continued: 400 steps, 400 transitions" in text and "mean return -" in text


def test_dict_observations(tmp_path: Path) -> None:
    text = run("dict_observations", tmp_path, "--steps", 300)
    assert re.search(r"mean return before -\d+\.\d+, after -\d+\.\d+", text)
    assert "'position': (150, 2, 2)" in text and "'gear': (150, 2, 2)" in text


def test_own_environment(tmp_path: Path) -> None:
    text = run("own_environment", tmp_path, "--steps", 300)
    openings = [float(x) for x in re.findall(r"opening (\d\.\d+)", text)]
    assert "mean return -" in text and len(openings) == 3 and all(0 <= x <= 1 for x in openings)


def test_evaluation(tmp_path: Path) -> None:
    text = run("evaluation", tmp_path, "--steps", 2048, "--episodes", 4)
    assert "most likely actions: mean" in text and "sampled actions: mean" in text
    assert (tmp_path / "runs" / "evaluation" / "evaluations.csv").exists()
    assert re.search(r"^eval/mean_reward \[\d", text, re.MULTILINE)


def test_every_script_has_a_test() -> None:
    names = {path.stem for path in EXAMPLES.glob("*.py")}
    assert len(names) == 10 and names == {
        name.removeprefix("test_") for name in globals() if name.removeprefix("test_") in names
    }

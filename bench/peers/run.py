#!/usr/bin/env python3
"""Speed of other reinforcement-learning libraries at the sizes of Celsius's own benchmark.

    python3 bench/peers/run.py --threads 1 --size small
    {"name": "sb3", "size": "small", "value": 123.4, "unit": "updates/s", "threads": 1, ...}

One JSON object a line for each peer. `value` is the median of the repetitions, `low` and `high`
their extremes. A peer that cannot run gives a row with `error` and no value, and the others go on.

What is measured: whole updates of soft actor-critic, that is sampling from a replay buffer that
holds 100,000 random transitions, critics, actor, temperature, Adam and target networks. No
environment steps, no compilation, no first calls. Each peer runs in a process of its own, tied to
as many cores as it may use threads, with its libraries told the same number.

The peers, from PyPI in build/venv-peers (script/setup peers makes it):
    sb3                Stable-Baselines3
    sbx                SBX, Stable-Baselines3 in JAX; 50 updates in one compiled call
    rltools            RLtools, built with the flags of its Python package, OpenBLAS for products
    rltools-skylakex   the same program with OPENBLAS_CORETYPE=SKYLAKEX: on some processors
                       OpenBLAS does not choose its AVX-512 kernels by itself
    rltools-noblas     RLtools without BLAS, as it builds where none is installed (by name only)
    sb3-ppo            Stable-Baselines3's PPO on Pendulum-v1, in environment steps/s; its size is
                       fixed: 4 x 1024 steps, minibatch 256, 2 epochs, 2x64 (by name only)
"""

import argparse
import dataclasses
import json
import os
import pathlib
import signal
import statistics
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
LIMIT = 600  # seconds that one worker may take

# The flags with which RLtools' Python package builds its own extension.
RLTOOLS_FLAGS = ["-std=c++17", "-O3", "-march=native", "-ffast-math"]
RLTOOLS_BLAS = ["-DRL_TOOLS_BACKEND_ENABLE_OPENBLAS",
                "-DRL_TOOLS_DISABLE_UNALIGNED_MEMORY_ALLOCATIONS", "-lblas"]


class PeerError(Exception):
    """A peer cannot run; the text says why."""


@dataclasses.dataclass(frozen=True)
class Size:
    obs: int
    act: int
    hidden: int  # units in each of two hidden layers
    batch: int


SIZES = {"small": Size(3, 1, 64, 100), "large": Size(17, 6, 256, 256)}


def environment(threads):
    """The environment of a worker: every library that reads a number of threads gets this one."""
    env = dict(os.environ, JAX_PLATFORMS="cpu", CUDA_VISIBLE_DEVICES="", PYTHONWARNINGS="ignore",
               PYTHONHASHSEED="0")
    env.pop("OPENBLAS_CORETYPE", None)
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        env[name] = str(threads)
    return env


def reason(text):
    """The line of a failed command's output that says most, '' if there is no output."""
    lines = [line.strip() for line in text.strip().splitlines()]
    for sign in ("cannot find", "error"):  # the linker's reason stands above its last error
        found = [line for line in lines if sign in line.lower()]
        if found:
            return found[-1]
    return lines[-1] if lines else ""


def execute(command, env=None, cores=None):
    """Standard output of a command on the given cores; PeerError if it fails."""
    tie = (lambda: os.sched_setaffinity(0, cores)) if cores else None
    try:
        done = subprocess.run([str(word) for word in command], env=env, cwd=HERE, preexec_fn=tie,
                              capture_output=True, text=True, timeout=LIMIT, check=False)
    except FileNotFoundError as error:
        raise PeerError(f"{error.filename} is not there: run script/setup peers") from error
    except subprocess.TimeoutExpired as error:
        raise PeerError(f"{command[0]} took more than {LIMIT} s") from error
    if done.returncode < 0:
        raise PeerError(f"{command[0]} was ended by {signal.Signals(-done.returncode).name}")
    if done.returncode:
        raise PeerError(reason(done.stderr or done.stdout) or f"{command[0]} failed")
    return done.stdout


def measured(output):
    """The worker's JSON object, on the last line of what it printed."""
    try:
        return json.loads(output.strip().splitlines()[-1])
    except (IndexError, json.JSONDecodeError) as error:
        raise PeerError(f"worker printed no result: {output[-200:]!r}") from error


def usable_cores(threads):
    cores = sorted(os.sched_getaffinity(0))
    if threads > len(cores):
        raise PeerError(f"{threads} threads asked for, {len(cores)} cores available")
    return set(cores[:threads])


def python_worker(script, options, size):
    """Runs one of the Python workers beside this file in the peers' virtual environment."""
    command = [options.venv / "bin" / "python", HERE / script]
    for field in dataclasses.fields(size):
        command += [f"--{field.name}", getattr(size, field.name)]
    command += ["--threads", options.threads, "--seconds", options.seconds,
                "--repetitions", options.repetitions]
    env = environment(options.threads)
    if options.threads == 1:
        env["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"
    return measured(execute(command, env, usable_cores(options.threads)))


def build_rltools(options, size, blas):
    """Compiles rltools_sac.cpp for a size unless that was done; returns the program and version."""
    find = ("import importlib.metadata as m, importlib.util as u;"
            "print(u.find_spec('rltools').submodule_search_locations[0], m.version('rltools'))")
    try:
        folder, version = execute([options.venv / "bin" / "python", "-c", find]).split()
    except PeerError as error:
        raise PeerError(f"no rltools in {options.venv}: {error}") from error
    source = HERE / "rltools_sac.cpp"
    sizes = [f"-DPEER_{name.upper()}={value}" for name, value in dataclasses.asdict(size).items()]
    program = options.build / f"rltools_sac_{options.size}{'' if blas else '_noblas'}"
    command = ["g++", *RLTOOLS_FLAGS, *sizes, "-I", f"{folder}/external/rl_tools/include", source,
               *(RLTOOLS_BLAS if blas else []), "-o", program]
    stamp = program.with_suffix(".command")  # what was compiled from what, to see a change
    text = f"{version}\n{' '.join(map(str, command))}\n{source.read_text()}"
    if not (program.exists() and stamp.exists() and stamp.read_text() == text):
        options.build.mkdir(parents=True, exist_ok=True)
        execute(command)
        stamp.write_text(text)
    return program, version


def rltools_worker(options, size, blas=True, coretype=None):
    program, version = build_rltools(options, size, blas)
    env = environment(options.threads)
    if coretype:
        env["OPENBLAS_CORETYPE"] = coretype
    output = execute([program, options.seconds, options.repetitions], env,
                     usable_cores(options.threads))
    return dict(measured(output), version=version)


# name: (function of options and size, unit, whether it runs without being named)
PEERS = {
    "sb3": (lambda o, s: python_worker("sb3_sac.py", o, s), "updates/s", True),
    "sbx": (lambda o, s: python_worker("sbx_sac.py", o, s), "updates/s", True),
    "rltools": (rltools_worker, "updates/s", True),
    "rltools-skylakex": (
        lambda o, s: rltools_worker(o, s, coretype="SKYLAKEX"), "updates/s", True),
    "rltools-noblas": (lambda o, s: rltools_worker(o, s, blas=False), "updates/s", False),
    "sb3-ppo": (lambda o, s: python_worker("sb3_ppo.py", o, s), "steps/s", False),
}


def row(name, options):
    work, unit, _ = PEERS[name]
    size = "ppo" if name.endswith("-ppo") else options.size
    result = {"name": name, "size": size, "value": None, "unit": unit, "threads": options.threads}
    try:
        got = work(options, SIZES[options.size])
        rates = got["rates"]
        result.update(value=round(statistics.median(rates), 1), low=round(min(rates), 1),
                      high=round(max(rates), 1), version=got["version"])
    except (PeerError, OSError, subprocess.SubprocessError) as error:
        result["error"] = str(error)
    return result


def parse(arguments):
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, choices=(1, 2), default=1)
    parser.add_argument("--size", choices=sorted(SIZES), default="small")
    parser.add_argument("--only", metavar="PEER,...", help="these peers and no others")
    parser.add_argument("--seconds", type=float, default=1.0, help="of a repetition (%(default)s)")
    parser.add_argument("--repetitions", type=int, default=5, help="(%(default)s)")
    parser.add_argument("--venv", type=pathlib.Path, default=ROOT / "build" / "venv-peers")
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build" / "peers",
                        help="folder for compiled programs")
    options = parser.parse_args(arguments)
    options.venv, options.build = options.venv.absolute(), options.build.absolute()
    if options.seconds <= 0 or options.repetitions < 1:
        parser.error("--seconds must be positive and --repetitions at least 1")
    options.names = [name for name, (_, _, usual) in PEERS.items() if usual]
    if options.only is not None:
        options.names = options.only.split(",")
        for name in options.names:
            if name not in PEERS:
                parser.error(f"no peer '{name}': the peers are {', '.join(PEERS)}")
    return options


def main():
    options = parse(sys.argv[1:])
    for name in options.names:
        print(json.dumps(row(name, options)), flush=True)


if __name__ == "__main__":
    main()

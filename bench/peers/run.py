#!/usr/bin/env python3
"""Speed of other reinforcement-learning libraries at the sizes of the benchmarks of Celsius.

    python3 bench/peers/run.py --threads 1 --size small
    {"name": "sb3", "size": "small", "value": 123.4, "unit": "updates/s", "threads": 1, ...}

One JSON object per line for each peer. `value` is the median of the repetitions, `low` and `high`
are their extremes. A peer that cannot run gives a row with `error` and no value.

The sizes small and large measure whole updates of soft actor-critic: sampling from a replay buffer
of 100,000 random transitions, critics, actor, temperature, Adam and target networks. Environment
steps, compilation and first calls do not count. The size ppo measures environment steps of PPO on
Pendulum (4 x 1024 steps, minibatch 256, 2 epochs, 2x64), including rollouts and updates. The size
ppo-cartpole measures seconds of training on CartPole-v1 until 20 deterministic episodes first
return 500, with one seed per repetition. Each peer runs in a process of its own, on as many cores
as it has threads, and its libraries are set to the same number.

The peers, from PyPI in build/venv-peers (script/setup peers makes it):
    sb3                Stable-Baselines3
    sbx                SBX, Stable-Baselines3 in JAX; 50 updates in one compiled call
    rltools            RLtools, built with the flags of its Python package and OpenBLAS
    rltools-skylakex   the same program with OPENBLAS_CORETYPE=SKYLAKEX, because on some processors
                       OpenBLAS does not choose its AVX-512 kernels
    rltools-noblas     RLtools without BLAS, as it builds if none is installed (only with --only)
    sb3-ppo            Stable-Baselines3's PPO on Pendulum-v1
    rltools-ppo        RLtools' PPO on its own Pendulum (ReLU, its default); -skylakex and -noblas
                       as above
    sb3-gym, sbx-gym   SAC of both on Gymnasium's Pendulum-v1, environment steps included
    sb3-gym-ppo, sbx-gym-ppo   PPO of both on 8 environments, the same
    sb3-ppo-cartpole   Stable-Baselines3's PPO with RL Zoo's settings for CartPole-v1
    gymnasium          steps of a MuJoCo task in Gymnasium, one environment
    envpool            steps of a MuJoCo task in EnvPool, 16 environments and one thread; it brings
                       its own MuJoCo
    sb3-mujoco         Stable-Baselines3's SAC on HalfCheetah-v4, environment steps included
    sbx-mujoco         SBX's SAC, the same
    sb3-mujoco-goal    seconds that Stable-Baselines3 trains until HalfCheetah returns 5,000
"""

import argparse
import dataclasses
import json
import math
import os
import pathlib
import signal
import statistics
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
LIMIT = 600  # seconds until a worker is stopped
LIMIT_GOAL = 4 * 3600  # the same where a worker trains until it reaches a goal

# The flags with which RLtools' Python package builds its own extension.
RLTOOLS_FLAGS = ["-std=c++17", "-O3", "-march=native", "-ffast-math"]
RLTOOLS_BLAS = ["-DRL_TOOLS_BACKEND_ENABLE_OPENBLAS",
                "-DRL_TOOLS_DISABLE_UNALIGNED_MEMORY_ALLOCATIONS", "-lblas"]


class PeerError(Exception):
    """The reason why a peer cannot run."""


@dataclasses.dataclass(frozen=True)
class Size:
    obs: int
    act: int
    hidden: int  # units in each of two hidden layers
    batch: int


@dataclasses.dataclass(frozen=True)
class PpoSize:
    envs: int
    steps: int  # of an environment in a rollout
    batch: int
    epochs: int
    hidden: int


@dataclasses.dataclass(frozen=True)
class GymSize:
    """SAC on an environment of Gymnasium."""
    env: str
    hidden: int
    batch: int


@dataclasses.dataclass(frozen=True)
class Preset:
    """The sizes are those of RL Zoo's settings, which the worker holds."""


@dataclasses.dataclass(frozen=True)
class Task:
    """A task of MuJoCo."""
    env: str


@dataclasses.dataclass(frozen=True)
class Training:
    """SAC on HalfCheetah-v4. goal: the return to reach, or 0 to measure the speed."""
    goal: int


TASKS = {f"{name}-v{5 if name == 'Pusher' else 4}": Task(f"{name}-v{5 if name == 'Pusher' else 4}")
         for name in ("HalfCheetah", "Hopper", "Walker2d", "Ant", "Humanoid", "HumanoidStandup",
                      "Swimmer", "Reacher", "Pusher", "InvertedPendulum",
                      "InvertedDoublePendulum")}
SAC = {"small": Size(3, 1, 64, 100), "large": Size(17, 6, 256, 256)}
SIZES = {**SAC, **TASKS, "ppo": PpoSize(4, 1024, 256, 2, 64), "ppo-cartpole": Preset(),
         "python-sac": GymSize("Pendulum-v1", 64, 100), "python-ppo": PpoSize(8, 256, 256, 2, 64),
         "mujoco-sac": Training(0), "mujoco-goal": Training(5000)}


def environment(threads):
    """The environment variables of a worker. They set the number of threads of every library."""
    env = dict(os.environ, JAX_PLATFORMS="cpu", CUDA_VISIBLE_DEVICES="", PYTHONWARNINGS="ignore",
               PYTHONHASHSEED="0")
    env.pop("OPENBLAS_CORETYPE", None)
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        env[name] = str(threads)
    return env


def reason(text):
    """The most informative line of a failed command's output; '' if there is no output."""
    lines = [line.strip() for line in text.strip().splitlines()]
    for sign in ("cannot find", "error"):  # the linker prints the reason above its last error
        found = [line for line in lines if sign in line.lower()]
        if found:
            return found[-1]
    return lines[-1] if lines else ""


def execute(command, env=None, cores=None, limit=LIMIT):
    """Standard output of a command on the given cores; PeerError if it fails."""
    tie = (lambda: os.sched_setaffinity(0, cores)) if cores else None
    try:
        done = subprocess.run([str(word) for word in command], env=env, cwd=HERE, preexec_fn=tie,
                              capture_output=True, text=True, timeout=limit, check=False)
    except FileNotFoundError as error:
        raise PeerError(f"{error.filename} does not exist; run script/setup peers") from error
    except subprocess.TimeoutExpired as error:
        raise PeerError(f"{command[0]} took more than {limit} s") from error
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
        raise PeerError(f"{threads} threads need {threads} cores; {len(cores)} are available")
    return set(cores[:threads])


def python_worker(script, options, size, **more):
    """Runs one of the Python workers beside this file in the peers' virtual environment."""
    command = [options.venv / "bin" / "python", HERE / script]
    for field in dataclasses.fields(size):
        command += [f"--{field.name}", getattr(size, field.name)]
    for name, value in more.items():
        command += [f"--{name}", value]
    command += ["--threads", options.threads, "--seconds", options.seconds,
                "--repetitions", options.repetitions]
    env = environment(options.threads)
    if options.threads == 1:
        env["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"
    limit = LIMIT_GOAL if getattr(size, "goal", 0) else LIMIT
    return measured(execute(command, env, usable_cores(options.threads), limit))


def build_rltools(source, options, size, blas):
    """Compiles a program for a size if necessary. Returns the program and the version."""
    find = ("import importlib.metadata as m, importlib.util as u;"
            "print(u.find_spec('rltools').submodule_search_locations[0], m.version('rltools'))")
    try:
        folder, version = execute([options.venv / "bin" / "python", "-c", find]).split()
    except PeerError as error:
        raise PeerError(f"no rltools in {options.venv}: {error}") from error
    source = HERE / source
    sizes = [f"-DPEER_{name.upper()}={value}" for name, value in dataclasses.asdict(size).items()]
    program = options.build / f"{source.stem}_{options.size}{'' if blas else '_noblas'}"
    command = ["g++", *RLTOOLS_FLAGS, *sizes, "-I", f"{folder}/external/rl_tools/include", source,
               *(RLTOOLS_BLAS if blas else []), "-o", program]
    stamp = program.with_suffix(".command")  # the command and sources, to detect a change
    text = f"{version}\n{' '.join(map(str, command))}\n{source.read_text()}"
    if not (program.exists() and stamp.exists() and stamp.read_text() == text):
        options.build.mkdir(parents=True, exist_ok=True)
        execute(command)
        stamp.write_text(text)
    return program, version


def rltools_worker(options, size, source="rltools_sac.cpp", blas=True, coretype=None):
    program, version = build_rltools(source, options, size, blas)
    env = environment(options.threads)
    if coretype:
        env["OPENBLAS_CORETYPE"] = coretype
    output = execute([program, options.seconds, options.repetitions], env,
                     usable_cores(options.threads))
    return dict(measured(output), version=version)


@dataclasses.dataclass(frozen=True)
class Peer:
    work: object  # function of options and size
    unit: str
    sizes: tuple  # sizes that it can be measured at
    named: bool = False  # runs only if it is named


def python_peer(script, unit, sizes, **more):
    return Peer(lambda o, s: python_worker(script, o, s, **more), unit, tuple(sizes))


def rltools_peer(source, unit, sizes, named=False, **how):
    return Peer(lambda o, s: rltools_worker(o, s, source, **how), unit, tuple(sizes), named)


PEERS = {
    "sb3": python_peer("sb3_sac.py", "updates/s", SAC),
    "sbx": python_peer("sbx_sac.py", "updates/s", SAC),
    "rltools": rltools_peer("rltools_sac.cpp", "updates/s", SAC),
    "rltools-skylakex": rltools_peer("rltools_sac.cpp", "updates/s", SAC, coretype="SKYLAKEX"),
    "rltools-noblas": rltools_peer("rltools_sac.cpp", "updates/s", SAC, named=True, blas=False),
    "sb3-ppo": python_peer("sb3_ppo.py", "steps/s", ["ppo"]),
    "rltools-ppo": rltools_peer("rltools_ppo.cpp", "steps/s", ["ppo"]),
    "rltools-ppo-skylakex": rltools_peer("rltools_ppo.cpp", "steps/s", ["ppo"],
                                         coretype="SKYLAKEX"),
    "rltools-ppo-noblas": rltools_peer("rltools_ppo.cpp", "steps/s", ["ppo"], named=True,
                                       blas=False),
    "gymnasium": python_peer("mujoco_steps.py", "steps/s", TASKS, library="gymnasium"),
    "envpool": python_peer("mujoco_steps.py", "steps/s", TASKS, library="envpool"),
    "sb3-mujoco": python_peer("mujoco_sac.py", "steps/s", ["mujoco-sac"], library="sb3"),
    "sbx-mujoco": python_peer("mujoco_sac.py", "steps/s", ["mujoco-sac"], library="sbx"),
    "sb3-mujoco-goal": python_peer("mujoco_sac.py", "s", ["mujoco-goal"], library="sb3"),
    "sb3-gym": python_peer("gym_sac.py", "steps/s", ["python-sac"], library="sb3"),
    "sbx-gym": python_peer("gym_sac.py", "steps/s", ["python-sac"], library="sbx"),
    "sb3-gym-ppo": python_peer("sb3_ppo.py", "steps/s", ["python-ppo"], library="sb3"),
    "sbx-gym-ppo": python_peer("sb3_ppo.py", "steps/s", ["python-ppo"], library="sbx"),
    "sb3-ppo-cartpole": python_peer("sb3_ppo_cartpole.py", "s", ["ppo-cartpole"]),
}


def rounded(x):
    """Replaces infinity, which JSON does not have, by null."""
    return round(x, 2) if math.isfinite(x) else None


def row(name, options):
    peer = PEERS[name]
    size = options.size
    result = {"name": name, "size": size, "value": None, "unit": peer.unit,
              "threads": options.threads}
    try:
        got = peer.work(options, SIZES[size])
        rates = got["rates"]
        result.update(value=rounded(statistics.median(rates)), low=rounded(min(rates)),
                      high=rounded(max(rates)), version=got["version"])
    except (PeerError, OSError, subprocess.SubprocessError) as error:
        result["error"] = str(error)
    return result


def parse(arguments):
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, choices=(1, 2), default=1)
    parser.add_argument("--size", choices=sorted(SIZES), default="small")
    parser.add_argument("--only", metavar="PEER,...", help="run only these peers")
    parser.add_argument("--seconds", type=float, default=1.0,
                        help="seconds of a repetition (default %(default)s)")
    parser.add_argument("--repetitions", type=int, default=5,
                        help="number of repetitions (default %(default)s)")
    parser.add_argument("--venv", type=pathlib.Path, default=ROOT / "build" / "venv-peers")
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build" / "peers",
                        help="folder for compiled programs")
    options = parser.parse_args(arguments)
    options.venv, options.build = options.venv.absolute(), options.build.absolute()
    if options.seconds <= 0 or options.repetitions < 1:
        parser.error("--seconds must be positive and --repetitions at least 1")
    able = [name for name, peer in PEERS.items() if options.size in peer.sizes]
    options.names = [name for name in able if not PEERS[name].named]
    if options.only is not None:
        options.names = options.only.split(",")
        for name in options.names:
            if name not in able:
                parser.error(f"there is no peer '{name}' at the size {options.size}; the peers are "
                             f"{', '.join(able)}")
    return options


def main():
    options = parse(sys.argv[1:])
    for name in options.names:
        print(json.dumps(row(name, options)), flush=True)


if __name__ == "__main__":
    main()

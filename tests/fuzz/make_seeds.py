#!/usr/bin/env python3
"""Makes the seeds of fuzz_policy, fuzz_replay, fuzz_agent and fuzz_command: make_seeds.py CELSIUS.

Trains tiny agents with the command CELSIUS and rewrites their files in the form that fuzz_file.h describes:
the header without its digests, a zero byte, the data.
"""
import glob
import json
import os
import random
import struct
import subprocess
import sys
import tempfile

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "corpus")

MODELS = {
    "sac": ("sac", "Pendulum-v1", "--normalize-observation", "true"),
    "sde": ("sac", "Pendulum-v1", "--use-sde", "true"),
    "ppo_choice": ("ppo", "CartPole-v1", "--n-steps", "20"),
    "ppo_box": ("ppo", "Pendulum-v1", "--n-steps", "20", "--layer-norm", "true"),
    "sqlc": ("sqlc", "Pendulum-v1"),
    "dsac": ("dsac", "CartPole-v1"),
}


def plain(path):
    """The bytes of a file as the fuzzers take them."""
    with open(path, "rb") as file:
        size = struct.unpack("<Q", file.read(8))[0]
        header = json.loads(file.read(size))
        data = file.read()
    meta = header["__metadata__"]
    header["__metadata__"] = {key: value for key, value in meta.items() if "digest" not in key}
    return json.dumps(header, separators=(",", ":")).encode() + b"\0" + data


def put(fuzzer, name, content):
    folder = os.path.join(HERE, fuzzer)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, name), "wb") as file:
        file.write(content)


def train(celsius, folder, name, algo, env, *flags):
    out = os.path.join(folder, name)
    subprocess.run([celsius, "train", algo, "--env", env, "--steps", "60", "--net-arch", "2",
                    "--eval-episodes", "1", "--quiet", "--out", out, *flags], check=True,
                   capture_output=True)
    return out


def replay(celsius, folder):
    """A segment of two environments with rows of Box(2) and Box(1), 12 transitions at most."""
    run = train(celsius, folder, "replay", "sac", "MountainCarContinuous-v0", "--n-envs", "2", "--buffer-size", "12",
                "--batch-size", "4", "--learning-starts", "4")
    path = sorted(glob.glob(os.path.join(run, "replay", "rows-*")))[-1]
    begin, end = (int(part) for part in os.path.basename(path).split(".")[0].split("-")[1:])
    for transitions in (10, 12):
        numbers = struct.pack("<5q", end // 2, end // 2, begin, end, transitions)
        put("fuzz_replay", f"segment_{transitions}", numbers + plain(path))


def main():
    celsius = os.path.abspath(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder:
        for name, args in MODELS.items():
            run = train(celsius, folder, name, *args)
            put("fuzz_policy", name, plain(os.path.join(run, "final.safetensors")))
        replay(celsius, folder)
    random.seed(1)
    for case in range(13):
        edits = b"".join(bytes([random.randrange(256), random.randrange(8), 0]) +
                         struct.pack("<q", random.choice([-1, 1, 2**62, 2**63 - 1]))
                         for _ in range(3))
        put("fuzz_agent", f"case_{case}", bytes([case]) + edits)
    put("fuzz_csv", "ours", b"\x05step,a,b\n1,2,\n3,,1e-3\n9,1,1\n4,")
    put("fuzz_csv", "other", b"\x01time/steps,x\r\n1,2\r\n")
    words = {"train": (0, "sac", "--env", "Pendulum-v1", "--steps=1e4", "--net-arch", "64,64"),
             "env": (0, "ppo", "--env.max-episode-steps", "7", "--ent-coef", "auto"),
             "seeds": (1, "1..5", "1,2,7"), "list": (2, "fields", "sac", "--json"),
             "help": (3, "solve", "--alpha", "0.1")}
    for name, (mode, *line) in words.items():
        put("fuzz_command", name, bytes([mode]) + "\n".join(line).encode())


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Makes the seeds of fuzz_policy, fuzz_replay, fuzz_agent, fuzz_command and of the formats of finite
problems UMB, DRN, Storm and PETSc: make_seeds.py CELSIUS.

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
    "td3": ("td3", "Pendulum-v1"),
    "dqn": ("dqn", "CartPole-v1", "--dueling", "true"),
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


PRISM = {"x.tra": "3 4 6\n0 0 1 0.5\n0 0 2 0.5\n0 1 0 1\n1 0 0 0.25\n1 0 2 0.75\n2 0 2 1\n",
         "x.lab": '0="init" 1="deadlock" 2="goal"\n0: 0\n2: 1 2\n',
         "x1.srew": '# Reward structure "time"\n3 2\n0 1\n1 1\n',
         "x2.trew": '# Reward structure "gain"\n3 4 2\n0 0 2 4\n1 0 0 -1.5\n'}

INDEX = ('{"format-version":1,"format-revision":0,"transition-system":{"time":"discrete","#players":1,'
         '"#states":2,"#initial-states":1,"#choices":3,"#choice-actions":0,"#branches":4,'
         '"#branch-actions":0,"#observations":0,"branch-probability-type":{"type":"%s"}},'
         '"annotations":{"aps":{"a":{"applies-to":["states"],"type":{"type":"bool"}}},'
         '"rewards":{"r":{"type":{"type":"%s"},"applies-to":["states","choices","branches"]}}}}')


def problems(celsius, folder):
    """A tiny problem with labels and two reward models in each format, and sets of arrays for UMB."""
    for name, text in PRISM.items():
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            file.write(text)

    def save(name, *flags):
        path = os.path.join(folder, name)
        subprocess.run([celsius, "solve", os.path.join(folder, "x.tra"), "--gamma", "0.9", "--quiet",
                        "--save-problem", path, *flags], check=True, capture_output=True)
        with open(path, "rb") as file:
            return file.read()

    for name in ("s.umb", "s.umb.gz", "s.umb.xz"):
        put("fuzz_mdp_umb", name, b"\0" + save(name, "--reward", "time"))
    put("fuzz_mdp_drn", "two", save("s.drn", "--reward", "time", "--save-labels", "false"))
    put("fuzz_mdp_drn", "rich", b"""// a
@type: POMDP
@value_type: rational
@parameters

@placeholders
$p : 1/3
@reward_models
time gain
@nr_states
2
@nr_choices
3
@model
state 0 {4} [1, 0] init "all coins"
\taction a [0, 2.5]
\t\t0 : $p
\t\t1 : 2/3
\taction b
\t\t1 : 1
state 1 {0} goal deadlock
\taction __NOLABEL__ [0]
\t\t1 : 1
""")
    tra = save("s.tra", "--reward", "time", "--save-labels", "false", "--save-format", "storm")
    put("fuzz_mdp_storm", "two", tra + b"====\n0 1 0 2\n====\n0 1\n====\n"
        b"#DECLARATION\ninit goal deadlock\n#END\n0 init\n2 goal deadlock\n")
    put("fuzz_mdp_storm", "chain", b"dtmc\n0 0 0.5\n0 1 0.5\n====\n0 1 3\n====\n0 2\n")
    for value in ("double", "rational"):
        def numbers(*xs):
            return b"".join(struct.pack("<d", x) if value == "double" else
                            struct.pack("<qQ", int(4 * x), 4) for x in xs)
        arrays = struct.pack("<3Q4Q4Q", 0, 2, 3, 0, 1, 3, 4, 1, 0, 1, 1) + numbers(1, .25, .75, 1)
        arrays += struct.pack("<2Q", 1, 2) + numbers(1, 0) + numbers(0, 2, 0) + numbers(0, 0, 3, 0)
        put("fuzz_mdp_umb", value, b"\1" + (INDEX % (value, value)).encode() + b"\0" + arrays +
            struct.pack("<3I", 0, 1, 0))
    matrix = struct.pack(">4i2i2i2d", 1211216, 2, 2, 2, 1, 1, 1, 0, 1.0, 1.0)
    costs = struct.pack(">4i2d", 1211216, 2, 1, -1, 3.0, -1.0)
    put("fuzz_mdp_petsc", "costs", bytes([len(costs)]) + matrix + costs)
    put("fuzz_mdp_petsc", "one", b"\0" + matrix + costs + struct.pack(">2i2d", 1211214, 2, .5, .5))
    put("fuzz_mdp_petsc", "dense", b"\0" + struct.pack(">4i8d", 1211216, 4, 2, -1, 1, 0, 0, 1, .5, .5, 1, 0))
    put("fuzz_mdp_petsc", "wide", b"\0" + struct.pack(">4q2q2q2d", 1211216, 2, 2, 2, 1, 1, 1, 0, 1.0, 1.0))


def main():
    celsius = os.path.abspath(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder:
        for name, args in MODELS.items():
            run = train(celsius, folder, name, *args)
            put("fuzz_policy", name, plain(os.path.join(run, "final.safetensors")))
        replay(celsius, folder)
        problems(celsius, folder)
    random.seed(1)
    for case in range(16):
        edits = b"".join(bytes([random.randrange(256), random.randrange(8), 0]) +
                         struct.pack("<q", random.choice([-1, 1, 2**62, 2**63 - 1]))
                         for _ in range(3))
        put("fuzz_agent", f"case_{case}", bytes([case]) + edits)
    # the largest int64 in the elapsed steps of an environment
    put("fuzz_agent", "elapsed", bytes.fromhex("0561040000000000d3226865616465725f646967657374223a"
                                               "2200ffffffffffffff7f"))
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

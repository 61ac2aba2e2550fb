"""Trains a policy, exports it as C, compiles that and compares both.

    python3 export_to_c.py [--steps 5000] [--out policy] [--from-sb3 MODEL.zip]

The exported files OUT.c and OUT.h need no library but libm: they run on a microcontroller.
"""

import argparse
import ctypes
import os
import subprocess
import tempfile

import numpy as np

import celsius


def compiled(source: str, folder: str) -> ctypes.CDLL:
    """Compiles a C file to a shared object and loads it."""
    out = os.path.join(folder, "policy.so")
    subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-o", out, source, "-lm"], check=True)
    return ctypes.CDLL(out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=5000, help="environment steps to train")
    parser.add_argument("--out", default="policy", help="name of the files, without an ending")
    parser.add_argument("--from-sb3", help="a zip of Stable-Baselines3, instead of training")
    arguments = parser.parse_args()
    if arguments.from_sb3:
        model = celsius.from_sb3(arguments.from_sb3)
    else:
        model = celsius.SAC("MlpPolicy", "Pendulum-v1", learning_rate=1e-3, seed=1,
                            policy_kwargs={"net_arch": [32, 32]})  # fmt: skip
        model.learn(arguments.steps)
    model.export("c", arguments.out + ".c", name="policy")
    print(f"wrote {arguments.out}.c and {arguments.out}.h")

    observations = np.random.default_rng(0).normal(size=(100, *model.observation_space.shape))
    observations = observations.astype(np.float32)
    expected, _ = model.predict(observations, deterministic=True)
    with tempfile.TemporaryDirectory() as folder:
        act = compiled(arguments.out + ".c", folder).policy_act
        action = np.zeros(model.action_space.shape, np.float32)
        worst = 0.0
        for observation, wanted in zip(observations, expected, strict=True):
            act(observation.ctypes.data_as(ctypes.c_void_p), action.ctypes.data_as(ctypes.c_void_p))
            worst = max(worst, float(np.abs(action - wanted).max()))
    print(f"largest difference between C and Python in 100 actions: {worst:.2g}")


if __name__ == "__main__":
    main()

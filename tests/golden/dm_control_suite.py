"""Trajectories of dm_control's suite, for tests/mujoco/test_dm_control.c.

    python tests/golden/dm_control_suite.py [FILE [SEED [STEPS [KEEP]]]]

writes dm_control_suite.safetensors beside this file, or FILE. Each case takes 1,000 random actions,
in episodes of 200 steps from random states of dm_control. The file has: the first positions and
velocities of each episode, Reacher's target, and a checksum of the positions and velocities
(float64) of every step. Observations and rewards (as float32) of every KEEP-th step are there in
full. The actions of all cases come from one table of bytes: byte k is the action -1 + 2 * k / 255 in
float32.

The numbers belong to one version of MuJoCo. The file names it.
"""
import os
import pathlib
import sys
import zlib

os.environ.setdefault("MUJOCO_GL", "disable")

import mujoco  # noqa: E402
import numpy as np  # noqa: E402
from safetensors.numpy import save_file  # noqa: E402

DM_CONTROL = "1.0.50"
ACTIONS = 21  # the most that a task has
KEEP = 5
EPISODE = 200
CASES = ["cheetah_run", "walker_stand", "walker_walk", "walker_run", "hopper_stand", "hopper_hop",
         "humanoid_stand", "humanoid_walk", "humanoid_run", "reacher_easy", "reacher_hard"]


def suite():
    """dm_control's suite. Its tables name arrays that MuJoCo 4 no longer has; none is used here."""
    from dm_control.mujoco.wrapper.mjbindings import sizes
    for struct, kind in (("mjmodel", mujoco.MjModel), ("mjdata", mujoco.MjData)):
        table = sizes.array_sizes[struct]
        for name in [name for name in table if not hasattr(kind, name)]:
            del table[name]
    from dm_control import suite as found
    return found


def start(env, name):
    """Begins an episode at a random state of dm_control's, without velocities of the reset's own
    steps. Returns positions, velocities, and the drawn numbers of the model: of Reacher, size and
    place of the target, which is put beside the finger so that there are rewards."""
    env.reset()
    physics = env.physics
    qpos, qvel = physics.data.qpos.copy(), physics.data.qvel.copy()
    drawn = np.zeros(0)
    if name.startswith("reacher"):
        model = physics.named.model
        finger = physics.named.data.geom_xpos["finger", ["x", "y"]]
        model.geom_pos["target", ["x", "y"]] = finger + [0.03, 0.03]
        drawn = np.array([model.geom_size["target", 0], *model.geom_pos["target", ["x", "y"]]])
    with physics.reset_context():
        physics.data.qpos[:] = qpos
        physics.data.qvel[:] = qvel
    return qpos, qvel, drawn


def record(found, name, table, seed, steps, keep):
    env = found.load(*name.split("_"), task_kwargs={"random": seed, "time_limit": float("inf")})
    starts, crcs, kept = [], [], []
    for t in range(steps):
        if t % EPISODE == 0:
            starts.append(start(env, name))
        physics = env.physics
        unit = table[t, :physics.model.nu].astype(np.float32) / np.float32(255)
        action = np.float32(-1) + np.float32(2) * unit
        step = env.step(action.astype(np.float64))
        row = np.concatenate([physics.data.qpos, physics.data.qvel]).astype("<f8")
        crcs.append(zlib.crc32(row.tobytes()))
        if t % keep == keep - 1:
            obs = np.concatenate([np.ravel(x) for x in step.observation.values()])
            kept.append(np.concatenate([obs, [step.reward]]).astype("<f4"))
    rewards = np.array(kept)[:, -1]
    print(f"{name}: rewards {rewards.min():.3f} to {rewards.max():.3f}, mean {rewards.mean():.3f}")
    qpos, qvel, drawn = (np.array(x) for x in zip(*starts))
    return {"qpos": qpos, "qvel": qvel, "drawn": drawn,
            "crc": np.array(crcs, dtype=np.uint32).view(np.int32),
            "kept": np.array(kept, dtype=np.float32)}


def main():
    here = pathlib.Path(__file__).resolve().parent
    file = sys.argv[1] if len(sys.argv) > 1 else here / "dm_control_suite.safetensors"
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    steps = int(sys.argv[3]) if len(sys.argv) > 3 else 1000
    keep = int(sys.argv[4]) if len(sys.argv) > 4 else KEEP
    table = np.random.default_rng(seed).integers(0, 256, (steps, ACTIONS), dtype=np.uint8)
    tensors = {"actions": table}
    found = suite()
    for name in CASES:
        for key, tensor in record(found, name, table, seed, steps, keep).items():
            if tensor.size:
                tensors[f"{name}.{key}"] = tensor
    save_file(tensors, file, {"mujoco": str(mujoco.mj_version()), "dm_control": DM_CONTROL,
                              "keep": str(keep), "episode": str(EPISODE), "cases": " ".join(CASES),
                              "made_by": pathlib.Path(__file__).name})


if __name__ == "__main__":
    main()

"""Trajectories of Gymnasium's MuJoCo tasks, for tests/mujoco/test_gymnasium.c.

    python tests/golden/gymnasium_mujoco.py [FILE [SEED [STEPS]]]

writes gymnasium_mujoco.safetensors beside this file, or FILE. Of each case: the positions and
velocities that every episode starts from, and a checksum of every step. A checksum covers, as
bytes: positions and velocities (float64), observation and reward (float32), and the flag
`terminated`. Every KEEP-th step is also there in full, so that a difference can be read. The
actions of all cases come from one table of bytes: byte k of a row of nu actions is
low + (high - low) * k / 255 in float32.

The numbers belong to one version of MuJoCo. The file names it.
"""
import pathlib
import sys
import warnings
import zlib

import gymnasium as gym
import mujoco
import numpy as np
from safetensors.numpy import save_file

GYMNASIUM = "1.4.0"
KEEP = 250
ACTIONS = 17  # the most that a task has

TASKS = ["HalfCheetah", "Hopper", "Walker2d", "Ant", "Humanoid", "HumanoidStandup", "Swimmer",
         "Reacher", "Pusher", "InvertedPendulum", "InvertedDoublePendulum"]

# Arguments other than the defaults: (name, id, keywords).
MORE = [
    ("cheetah_weights", "HalfCheetah-v4",
     {"forward_reward_weight": 0.7, "ctrl_cost_weight": 0.3,
      "exclude_current_positions_from_observation": False}),
    ("cheetah_skip", "HalfCheetah-v5", {"frame_skip": 3, "reset_noise_scale": 0.3}),
    ("hopper_goes_on", "Hopper-v4",
     {"terminate_when_unhealthy": False, "healthy_reward": 0.9, "healthy_z_range": (0.9, 1.3),
      "healthy_angle_range": (-0.1, 0.15), "healthy_state_range": (-2.5, 3.0)}),
    ("hopper_v5_goes_on", "Hopper-v5", {"terminate_when_unhealthy": False}),
    ("walker_goes_on", "Walker2d-v5",
     {"terminate_when_unhealthy": False, "exclude_current_positions_from_observation": False,
      "xml_file": "walker2d.xml"}),
    ("ant_contacts", "Ant-v4",
     {"use_contact_forces": True, "contact_force_range": (-0.5, 0.75),
      "terminate_when_unhealthy": False}),
    ("ant_body", "Ant-v5",
     {"main_body": "front_left_leg", "contact_cost_weight": 0.01, "forward_reward_weight": 1.3,
      "exclude_current_positions_from_observation": False}),
    ("ant_less", "Ant-v5", {"main_body": 3, "include_cfrc_ext_in_observation": False}),
    ("humanoid_goes_on", "Humanoid-v4",
     {"terminate_when_unhealthy": False, "healthy_z_range": (1.1, 1.3),
      "exclude_current_positions_from_observation": False}),
    ("humanoid_less", "Humanoid-v5",
     {"include_cinert_in_observation": False, "include_qfrc_actuator_in_observation": False,
      "terminate_when_unhealthy": False, "contact_cost_weight": 1e-3,
      "contact_cost_range": (-1.0, 0.5)}),
    ("standup_less", "HumanoidStandup-v5",
     {"include_cvel_in_observation": False, "include_cfrc_ext_in_observation": False,
      "impact_cost_weight": 1e-4, "impact_cost_range": (0.25, 2.0)}),
    ("swimmer_positions", "Swimmer-v4", {"exclude_current_positions_from_observation": False}),
    ("reacher_weights", "Reacher-v5", {"reward_dist_weight": 0.6, "reward_control_weight": 0.3}),
    ("pusher_weights", "Pusher-v5",
     {"reward_near_weight": 0.3, "reward_dist_weight": 1.1, "reward_control_weight": 0.4}),
    ("double_reward", "InvertedDoublePendulum-v5", {"healthy_reward": 3.0}),
]


def cases():
    for task in TASKS:
        for version in (4, 5):
            if (task, version) != ("Pusher", 4):  # Gymnasium refuses it with MuJoCo 3 and later
                yield f"{task}-v{version}", f"{task}-v{version}", {}
    yield from MORE


def argument(value):
    """A keyword argument as the text of a flag of Celsius."""
    if isinstance(value, tuple):
        return ",".join(repr(float(x)) for x in value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def record(env_id, keywords, table, seed, steps):
    env = gym.make(env_id, **keywords)
    core = env.unwrapped
    low, high = env.action_space.low, env.action_space.high
    qpos, qvel, lengths, crcs, kept = [], [], [], [], []
    terminations = 0
    for t in range(steps):
        if not lengths or done:
            env.reset(seed=seed + len(lengths))
            qpos.append(core.data.qpos.copy())
            qvel.append(core.data.qvel.copy())
            lengths.append(0)
        unit = table[t, :low.size].astype(np.float32) / np.float32(255)
        action = low + (high - low) * unit
        assert action.dtype == np.float32
        obs, reward, terminated, truncated, _ = env.step(action)
        row = (core.data.qpos.astype("<f8"), core.data.qvel.astype("<f8"), obs.astype("<f4"),
               np.array([reward]).astype("<f4"), np.array([terminated], dtype=np.uint8))
        crcs.append(zlib.crc32(b"".join(part.tobytes() for part in row)))
        if t % KEEP == KEEP - 1:
            kept.append(np.concatenate([part.astype(np.float64) for part in row]))
        lengths[-1] += 1
        terminations += terminated
        done = terminated or truncated
    print(f"{env_id} {keywords or ''}: {len(lengths)} episodes, {terminations} terminated")
    env.close()
    return {"qpos": np.array(qpos), "qvel": np.array(qvel),
            "length": np.array(lengths, dtype=np.int32),
            "crc": np.array(crcs, dtype=np.uint32).view(np.int32), "kept": np.array(kept)}


def main():
    assert gym.__version__ == GYMNASIUM, gym.__version__
    here = pathlib.Path(__file__).resolve().parent
    file = sys.argv[1] if len(sys.argv) > 1 else here / "gymnasium_mujoco.safetensors"
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    steps = int(sys.argv[3]) if len(sys.argv) > 3 else 1000
    warnings.filterwarnings("ignore")
    gym.logger.min_level = gym.logger.ERROR
    table = np.random.default_rng(seed).integers(0, 256, (steps, ACTIONS), dtype=np.uint8)
    tensors = {"actions": table}
    meta = {"mujoco": str(mujoco.mj_version()), "mujoco_version": mujoco.__version__,
            "gymnasium": gym.__version__, "keep": str(KEEP), "made_by": pathlib.Path(__file__).name}
    for name, env_id, keywords in cases():
        for key, tensor in record(env_id, keywords, table, seed, steps).items():
            tensors[f"{name}.{key}"] = tensor
        meta[f"{name}.id"] = env_id
        meta[f"{name}.arguments"] = " ".join(f"{k}={argument(v)}" for k, v in keywords.items())
    meta["cases"] = " ".join(name for name, _, _ in cases())
    save_file(tensors, file, meta)


if __name__ == "__main__":
    main()

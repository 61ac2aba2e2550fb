"""Environment steps per second of MuJoCo tasks with random actions, on one core.

    mujoco_steps.py --env Ant-v4 --library gymnasium    one environment after another
    mujoco_steps.py --env Ant-v4 --library envpool      16 environments, one thread

Actions are drawn before the measurement. Both reset an environment whose episode ended.
"""

import numpy as np

import common

ROWS = 1000  # drawn actions, used again and again
ENVS = 16


def gymnasium_run(env_id):
    import gymnasium
    import mujoco

    env = gymnasium.make(env_id)
    env.reset(seed=1)
    space = env.action_space
    actions = np.random.default_rng(1).uniform(space.low, space.high, (ROWS, *space.shape))
    actions = actions.astype(np.float32)

    def run():
        for action in actions[:100]:
            _, _, terminated, truncated, _ = env.step(action)
            if terminated or truncated:
                env.reset()

    return run, 100, f"{gymnasium.__version__} (mujoco {mujoco.__version__})"


def envpool_run(env_id):
    import envpool

    env = envpool.make(env_id, env_type="gymnasium", num_envs=ENVS, num_threads=1, seed=1)
    env.reset()
    space = env.action_space
    actions = np.random.default_rng(1).uniform(space.low, space.high, (ROWS, ENVS, *space.shape))

    def run():
        for action in actions[:20]:
            env.step(action)

    return run, 20 * ENVS, envpool.__version__


def main():
    args = common.arguments()
    make = {"gymnasium": gymnasium_run, "envpool": envpool_run}[args.peer]
    run, count, version = make(args.env)
    common.report(version, common.rates(run, count, args.seconds, args.repetitions))


if __name__ == "__main__":
    main()

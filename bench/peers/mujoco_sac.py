"""SAC of Stable-Baselines3 or SBX on HalfCheetah-v4: environment steps and updates together.

    mujoco_sac.py --library sb3             steps per second after 1,000 random steps
    mujoco_sac.py --library sb3 --goal 5000 seconds of training until 3 deterministic episodes
                                            return 5,000 on average; evaluations do not count

The settings are RL Zoo's: 10,000 random steps first (1,000 for the speed), else the defaults.
"""

import time

import gymnasium

import common

CHUNK, EVERY, EPISODES, MOST = 200, 5000, 3, 400_000


def make(library, threads, seed, starts):
    env = gymnasium.make("HalfCheetah-v4")
    if library == "sbx":
        import jax
        import sbx

        version = f"{sbx.__version__} (jax {jax.__version__})"
        return sbx.SAC("MlpPolicy", env, learning_starts=starts, seed=seed), version
    import stable_baselines3
    import torch

    torch.set_num_threads(threads)
    version = f"{stable_baselines3.__version__} (torch {torch.__version__})"
    return stable_baselines3.SAC("MlpPolicy", env, learning_starts=starts, seed=seed,
                                 device="cpu"), version


def speed(agent, args):
    agent.learn(1000 + CHUNK)

    def run():
        agent.learn(CHUNK, reset_num_timesteps=False)

    return common.rates(run, CHUNK, args.seconds, args.repetitions)


def seconds_to_goal(agent, goal):
    from stable_baselines3.common.evaluation import evaluate_policy

    test = gymnasium.make("HalfCheetah-v4")
    test.reset(seed=1001)
    spent = 0.0
    for _ in range(0, MOST, EVERY):
        start = time.perf_counter()
        agent.learn(EVERY, reset_num_timesteps=False)
        spent += time.perf_counter() - start
        mean, _ = evaluate_policy(agent, test, EPISODES, deterministic=True)
        if mean >= goal:
            return spent
    return float("inf")


def main():
    args = common.arguments()
    agent, version = make(args.peer, args.threads, 1, 10_000 if args.goal else 1000)
    measured = [seconds_to_goal(agent, args.goal)] if args.goal else speed(agent, args)
    common.report(version, measured)


if __name__ == "__main__":
    main()

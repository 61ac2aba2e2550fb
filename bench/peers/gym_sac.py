"""SAC of Stable-Baselines3 or SBX on Gymnasium's Pendulum-v1: steps per second of learn().

    gym_sac.py --library sb3 --env Pendulum-v1 --hidden 64 --batch 100

An environment step and an update take turns, as by default. Everything but the sizes is the
default.
"""

import gymnasium
from stable_baselines3.common.logger import configure

import common

CHUNK = 200  # steps in one call of learn


def make(args):
    settings = {
        "batch_size": args.batch,
        "buffer_size": common.TRANSITIONS,
        "policy_kwargs": {"net_arch": [args.hidden, args.hidden]},
        "seed": 1,
    }
    env = gymnasium.make(args.env)
    if args.peer == "sbx":
        import jax
        import sbx

        return sbx.SAC("MlpPolicy", env, **settings), f"{sbx.__version__} (jax {jax.__version__})"
    import stable_baselines3
    import torch

    torch.set_num_threads(args.threads)
    version = f"{stable_baselines3.__version__} (torch {torch.__version__})"
    return stable_baselines3.SAC("MlpPolicy", env, device="cpu", **settings), version


def main():
    args = common.arguments()
    agent, version = make(args)
    agent.set_logger(configure(None, []))  # logs nothing
    agent.learn(CHUNK)  # the first 100 actions are random, without updates

    def run():
        agent.learn(CHUNK, reset_num_timesteps=False)

    common.report(version, common.rates(run, CHUNK, args.seconds, args.repetitions))


if __name__ == "__main__":
    main()

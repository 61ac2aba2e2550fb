"""PPO of Stable-Baselines3 on Pendulum-v1: environment steps per second, with rollouts and updates.
With --library sbx, that of SBX.

Everything except the sizes is the default. One call of learn() is one rollout and its updates.
"""

from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.logger import configure

import common


def make(args):
    env = make_vec_env("Pendulum-v1", n_envs=args.envs, seed=1)
    settings = {
        "n_steps": args.steps,
        "batch_size": args.batch,
        "n_epochs": args.epochs,
        "policy_kwargs": {"net_arch": [args.hidden, args.hidden]},
        "seed": 1,
    }
    if args.peer == "sbx":
        import jax
        import sbx

        return sbx.PPO("MlpPolicy", env, **settings), f"{sbx.__version__} (jax {jax.__version__})"
    import stable_baselines3
    import torch

    torch.set_num_threads(args.threads)
    version = f"{stable_baselines3.__version__} (torch {torch.__version__})"
    return stable_baselines3.PPO("MlpPolicy", env, device="cpu", **settings), version


def main():
    args = common.arguments()
    agent, version = make(args)
    agent.set_logger(configure(None, []))

    def run():
        agent.learn(args.envs * args.steps, reset_num_timesteps=False)

    measured = common.rates(run, args.envs * args.steps, args.seconds, args.repetitions)
    common.report(version, measured)


if __name__ == "__main__":
    main()

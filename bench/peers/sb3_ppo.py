"""Stable-Baselines3's PPO on Pendulum-v1: environment steps per second, with rollouts and updates.

Everything except the sizes is the default. One call of learn() is one rollout and its updates.
"""

import stable_baselines3
import torch
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.logger import configure

import common


def main():
    args = common.arguments()
    torch.set_num_threads(args.threads)
    agent = stable_baselines3.PPO(
        "MlpPolicy",
        make_vec_env("Pendulum-v1", n_envs=args.envs, seed=1),
        n_steps=args.steps,
        batch_size=args.batch,
        n_epochs=args.epochs,
        policy_kwargs={"net_arch": [args.hidden, args.hidden]},
        device="cpu",
        seed=1,
    )
    agent.set_logger(configure(None, []))

    def run():
        agent.learn(args.envs * args.steps, reset_num_timesteps=False)

    measured = common.rates(run, args.envs * args.steps, args.seconds, args.repetitions)
    common.report(f"{stable_baselines3.__version__} (torch {torch.__version__})", measured)


if __name__ == "__main__":
    main()

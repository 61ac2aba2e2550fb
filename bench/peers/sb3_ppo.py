"""Stable-Baselines3's PPO on Pendulum-v1: environment steps a second, rollouts and updates in.

4 environments x 1024 steps, minibatches of 256, 2 epochs, two 2x64 networks; everything else as
the package has it. One call of learn() is one rollout and its updates.
"""

import stable_baselines3
import torch
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.logger import configure

import common

ENVIRONMENTS, STEPS, MINIBATCH, EPOCHS = 4, 1024, 256, 2


def main():
    args = common.arguments()
    torch.set_num_threads(args.threads)
    agent = stable_baselines3.PPO(
        "MlpPolicy",
        make_vec_env("Pendulum-v1", n_envs=ENVIRONMENTS, seed=1),
        n_steps=STEPS,
        batch_size=MINIBATCH,
        n_epochs=EPOCHS,
        policy_kwargs={"net_arch": [64, 64]},
        device="cpu",
        seed=1,
    )
    agent.set_logger(configure(None, []))

    def run():
        agent.learn(ENVIRONMENTS * STEPS, reset_num_timesteps=False)

    measured = common.rates(run, ENVIRONMENTS * STEPS, args.seconds, args.repetitions)
    common.report(f"{stable_baselines3.__version__} (torch {torch.__version__})", measured)


if __name__ == "__main__":
    main()

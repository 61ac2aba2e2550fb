"""Stable-Baselines3's SAC: updates per second of SAC.train, its public method for gradient steps.

One call makes 20 updates (critics, temperature, actor, Adam, Polyak), each with its own batch from
the replay buffer. Everything except the sizes is the package's default.
"""

import stable_baselines3
import torch
from stable_baselines3.common.logger import configure

import common

UPDATES = 20  # per call


def main():
    args = common.arguments()
    torch.set_num_threads(args.threads)
    agent = stable_baselines3.SAC(
        "MlpPolicy",
        common.Shapes(args.obs, args.act),
        batch_size=args.batch,
        buffer_size=common.TRANSITIONS,
        policy_kwargs={"net_arch": [args.hidden, args.hidden]},
        device="cpu",
        seed=1,
    )
    agent.set_logger(configure(None, []))  # logs nothing
    common.fill(agent.replay_buffer, args.obs, args.act)

    def run():
        agent.train(gradient_steps=UPDATES, batch_size=args.batch)

    measured = common.rates(run, UPDATES, args.seconds, args.repetitions)
    common.report(f"{stable_baselines3.__version__} (torch {torch.__version__})", measured)


if __name__ == "__main__":
    main()

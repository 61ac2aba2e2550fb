"""SBX's SAC (Stable-Baselines3 in JAX): updates a second of SAC.train, compilation not counted.

One call makes 50 updates in one compiled loop, with all their batches drawn at its start: SBX's
way of use with gradient_steps=50 in its configuration. With one update a call, its default after
each environment step, it reaches about a third of this speed at the small size, because Python's
part of a call then counts for every update.
"""

import jax
import sbx
from stable_baselines3.common.logger import configure

import common

UPDATES = 50  # in one call


def main():
    args = common.arguments()  # the number of threads is set by run.py, before JAX starts
    agent = sbx.SAC(
        "MlpPolicy",
        common.Shapes(args.obs, args.act),
        batch_size=args.batch,
        buffer_size=common.TRANSITIONS,
        policy_kwargs={"net_arch": [args.hidden, args.hidden]},
        seed=1,
    )
    agent.set_logger(configure(None, []))
    common.fill(agent.replay_buffer, args.obs, args.act)

    def run():
        # train() reads the losses back at its end, which waits for the whole computation
        agent.train(gradient_steps=UPDATES, batch_size=args.batch)

    measured = common.rates(run, UPDATES, args.seconds, args.repetitions)
    common.report(f"{sbx.__version__} (jax {jax.__version__})", measured)


if __name__ == "__main__":
    main()

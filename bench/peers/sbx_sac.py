"""SBX's SAC (Stable-Baselines3 in JAX): updates per second of SAC.train, without compilation.

One call makes 50 updates in one compiled loop, and draws all their batches first. This is how SBX
works with gradient_steps=50. Its default is one update per call after each environment step. At the
small size that reaches about a third of this speed, because of the Python overhead of a call.
"""

import jax
import sbx
from stable_baselines3.common.logger import configure

import common

UPDATES = 50  # per call


def main():
    args = common.arguments()  # run.py sets the number of threads before JAX starts
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
        # train() reads the losses at its end, which waits for the computation
        agent.train(gradient_steps=UPDATES, batch_size=args.batch)

    measured = common.rates(run, UPDATES, args.seconds, args.repetitions)
    common.report(f"{sbx.__version__} (jax {jax.__version__})", measured)


if __name__ == "__main__":
    main()

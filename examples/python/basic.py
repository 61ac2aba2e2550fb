"""Trains soft actor-critic on Pendulum-v1 and shows one episode.

    python3 basic.py [--steps 5000]
"""

import argparse

import celsius


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=5000, help="environment steps to train")
    arguments = parser.parse_args()

    # Celsius has Pendulum-v1 in C, so this trains in C. native=False takes Gymnasium's.
    model = celsius.SAC("MlpPolicy", "Pendulum-v1", learning_rate=1e-3, seed=1,
                        policy_kwargs={"net_arch": [64, 64]})  # fmt: skip
    model.learn(arguments.steps)
    env = model.get_env()
    obs, total, steps, done = env.reset(), 0.0, 0, False
    while not done:
        action, _ = model.predict(obs, deterministic=True)
        obs, rewards, dones, _ = env.step(action)
        total, steps, done = total + float(rewards[0]), steps + 1, bool(dones[0])
    print(f"an episode of {steps} steps returned {total:.1f}")


if __name__ == "__main__":
    main()

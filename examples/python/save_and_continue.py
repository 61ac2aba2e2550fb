"""Saves a model with its replay buffer, loads both in a new object, and continues.

    python3 save_and_continue.py [--steps 2000] [--out pendulum]

A checkpoint of `celsius train` continues with the same bits, because it also holds the state of the
environments. Here the environment begins a new episode.
"""

import argparse

import celsius


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=2000, help="environment steps of each half")
    parser.add_argument("--out", default="pendulum", help="name of the files, without an ending")
    arguments = parser.parse_args()

    model = celsius.SAC("MlpPolicy", "Pendulum-v1", learning_rate=1e-3, seed=1,
                        policy_kwargs={"net_arch": [64, 64]})  # fmt: skip
    model.learn(arguments.steps)
    model.save(arguments.out)  # OUT.safetensors, which `celsius eval` reads as well
    model.save_replay_buffer(arguments.out + "_replay")
    del model

    model = celsius.SAC.load(arguments.out, env="Pendulum-v1")
    model.load_replay_buffer(arguments.out + "_replay")
    print(f"loaded: {model.num_timesteps} steps, {len(model.replay_buffer)} transitions")
    model.learn(arguments.steps, reset_num_timesteps=False)
    print(f"continued: {model.num_timesteps} steps, {len(model.replay_buffer)} transitions")
    mean, deviation = celsius.evaluate_policy(model, model.get_env(), n_eval_episodes=5)
    print(f"mean return {mean:.1f}, standard deviation {deviation:.1f}")


if __name__ == "__main__":
    main()

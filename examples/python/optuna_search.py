"""Searches hyperparameters of PPO on CartPole-v1 with Optuna.

    pip install optuna
    python3 optuna_search.py [--trials 20] [--steps 20000]

The environment is stepped in C, so a trial of 20,000 steps takes a few seconds.
"""

import argparse

import optuna

import celsius
from celsius.native_env import NativeVecEnv


def model_of(trial: optuna.Trial) -> celsius.PPO:
    """Returns a learner with settings of the trial."""
    width = trial.suggest_categorical("width", [16, 32, 64])
    return celsius.PPO(
        "MlpPolicy",
        NativeVecEnv("CartPole-v1", 8),
        learning_rate=trial.suggest_float("learning_rate", 1e-4, 1e-2, log=True),
        n_steps=trial.suggest_categorical("n_steps", [32, 64, 128]),
        batch_size=trial.suggest_categorical("batch_size", [64, 128, 256]),
        gamma=trial.suggest_categorical("gamma", [0.95, 0.98, 0.99]),
        gae_lambda=trial.suggest_float("gae_lambda", 0.8, 1.0),
        policy_kwargs={"net_arch": [width, width]},
        seed=trial.number,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--steps", type=int, default=20_000, help="environment steps of a trial")
    parser.add_argument("--episodes", type=int, default=10, help="episodes of each evaluation")
    arguments = parser.parse_args()

    def objective(trial: optuna.Trial) -> float:
        """Trains in four parts, so that a bad trial can stop early. Returns the mean return."""
        model = model_of(trial)
        env = celsius.make_vec_env("CartPole-v1", n_envs=1, seed=1000)
        mean = 0.0
        for part in range(4):
            model.learn(arguments.steps // 4, reset_num_timesteps=part == 0)
            mean, _ = celsius.evaluate_policy(model, env, n_eval_episodes=arguments.episodes)
            trial.report(mean, model.num_timesteps)
            if trial.should_prune():
                raise optuna.TrialPruned
        return float(mean)

    study = optuna.create_study(
        direction="maximize",
        sampler=optuna.samplers.TPESampler(seed=1),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=5),
    )
    study.optimize(objective, n_trials=arguments.trials)
    print(f"best mean return {study.best_value:.1f} with")
    for name, value in study.best_params.items():
        print(f"  {name} = {value}")


if __name__ == "__main__":
    main()

"""On-policy runs that are killed and resumed end with the same bytes as uninterrupted ones.

Checkpoints fall in the middle of rollouts, so that half-filled rollouts are saved and resumed.
"""
import kill
import kit

RUN = ("--env CartPole-v1 --net-arch 32,32 --n-steps 192 --batch-size 64 --log-every 1000 "
       "--eval-every 5000 --eval-episodes 3 --checkpoint-every 1000 --keep 2").split()


def small(algo):
    """The command line of a run of about one second."""
    return lambda *args: ["train", algo, *RUN, *map(str, args)]


class KillResumePolicyGradients(kit.Case):
    def test_ppo(self):
        kill.kill_and_resume(self, kills=4, steps=30000, seed=31, small=small("ppo"),
                             extra=["--n-envs", "3", "--threads", "2", "--normalize-observation",
                                    "--normalize-reward"])

    def test_trpo(self):
        kill.kill_and_resume(self, kills=4, steps=20000, seed=32, small=small("trpo"),
                             extra=["--n-envs", "2"])


kit.main()

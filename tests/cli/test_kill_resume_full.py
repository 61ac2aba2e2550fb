"""test_kill_resume with 20 kills per run, and with gSDE, Ornstein-Uhlenbeck noise and n-step
returns, which all have a state of their own."""
import kill
import kit


class KillResumeFull(kit.Case):
    def test_twenty_kills(self):
        kill.kill_and_resume(self, kills=20, steps=20000, seed=20)

    def test_gsde(self):
        kill.kill_and_resume(self, kills=20, steps=12000, seed=21,
                             extra=["--use-sde", "--train-freq", "8", "--gradient-steps", "8"])

    def test_ou_noise_n_steps_normalized(self):
        kill.kill_and_resume(self, kills=20, steps=12000, seed=22,
                             extra=["--noise", "ou", "--n-steps", "3", "--n-envs", "2",
                                    "--normalize-observation", "--normalize-reward"])


kit.main()

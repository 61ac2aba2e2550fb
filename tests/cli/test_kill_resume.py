"""A run that is killed and resumed ends with the same bytes as an uninterrupted one."""
import kill
import kit


class KillResume(kit.Case):
    def test_one_environment(self):
        kill.kill_and_resume(self, kills=4, steps=4000, seed=1)

    def test_several_environments_two_threads(self):
        kill.kill_and_resume(self, kills=3, steps=6000, seed=2,
                             extra=["--n-envs", "3", "--gradient-steps", "-1", "--threads", "2",
                                    "--normalize-observation"])


kit.main()

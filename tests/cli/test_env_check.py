"""celsius env check: every built-in environment passes, and every kind of fault is detected."""
import json
import os

import kit

# The fault, the check that detects it, and a part of its message.
BROKEN = [("nothing", None, ""),
          ("range", "reset", "its space allows"),
          ("nan", "step", "it must be finite"),
          ("reward", "step", "the reward is"),
          ("terminated", "step", "it must be 0 or 1"),
          ("unwritten", "step", "it must be finite"),
          ("actions", "step", "wrote to its actions"),
          ("behind", "step", "outside of its buffers"),
          ("before", "buffers", "outside of its buffers"),
          ("random", "determinism", "the same seed and actions"),
          ("neighbor", "independence", "uses data outside of its own state"),
          ("render", "render", "drew no shapes"),
          ("abort", "reset", "ended the process")]


# Sanitizers must not handle the signals that the check expects.
SIGNALS = {name: os.environ.get(name, "") + ":handle_segv=0:handle_sigbus=0"
           for name in ("ASAN_OPTIONS", "TSAN_OPTIONS")}


class Check(kit.Case):
    def test_built_in(self):
        for row in json.loads(self.ok("list", "envs", "--json")):
            if kit.is_mujoco(row["id"]):
                continue
            with self.subTest(env=row["id"]):
                report = json.loads(self.ok("env", "check", row["id"], "--steps", 200, "--json"))
                self.assertTrue(report["passed"])
                names = [check["name"] for check in report["checks"]]
                self.assertEqual(names[:6], ["spaces", "reset", "step", "buffers", "determinism",
                                             "independence"])

    def test_each_fault_is_detected(self):
        kit.build_plugin(os.path.join(os.environ["CELSIUS_TEST_DIR"], "cli", "promise_env.c"),
                         self.path("env.so"))
        for what, name, message in BROKEN:
            with self.subTest(what=what):
                done = self.command("env", "check", "./env.so:Promise", "--env.what", what,
                                    "--json", env=SIGNALS)
                report = json.loads(done.stdout)
                failed = [check for check in report["checks"] if not check["passed"]]
                if name is None:
                    self.assertEqual((done.returncode, failed), (0, []))
                    continue
                self.assertEqual(done.returncode, kit.ENV, done.stderr)
                self.assertEqual(failed[0]["name"], name, failed)
                self.assertIn(message, failed[0]["message"])

    def test_text_and_errors(self):
        text = self.ok("env", "check", "CartPole-v1", "--steps", 10)
        self.assertEqual({line[:4] for line in text.splitlines()}, {"PASS"})
        self.assertIn("--env.max-episode-steps", self.ok("env", "check", "CartPole-v1", "--help"))
        self.fails(kit.NAME, "env", "check", "CartPol-v1", says=["CartPole-v1"])
        self.fails(kit.ARGUMENT, "env", "check", says=["is missing"])


if __name__ == "__main__":
    kit.main()

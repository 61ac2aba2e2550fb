"""Fields without a default text are zero or empty, everywhere a default is read."""
import json
import os

import kit

# The value of a field of each type without a default, as text.
ZERO = {"flag": "false", "whole": "0", "natural": "0", "real": "0", "chosen": "0",
        "choice": "first",
        "text": '""', "path": '""', "list": "[]", "schedule": "0", "group.flag": "false"}


class NoDefaults(kit.Case):
    def setUp(self):
        super().setUp()
        kit.build_plugin(os.path.join(os.environ["CELSIUS_TEST_DIR"], "cli", "no_defaults_env.c"),
                         self.path("env.so"))
        self.env = "./env.so:NoDefaults"

    def test_list_fields(self):
        text = self.ok("list", "fields", self.env)
        rows = json.loads(self.ok("list", "fields", self.env, "--json"))
        keys = set(rows[0])
        self.assertEqual(keys, {"name", "takes", "default", "range", "unit", "doc", "source"})
        by_name = {row["name"]: row for row in rows}
        for name, zero in ZERO.items():
            with self.subTest(name=name):
                row = by_name[f"env.{name}"]
                self.assertEqual(set(row), keys)
                self.assertIsNone(row["default"])
                line = next(l for l in text.splitlines() if l.split()[:1] == [f"env.{name}"])
                self.assertTrue(line.endswith(f" = {zero}"), line)

    def test_help_and_switch(self):
        text = self.ok("train", "sac", "--env", self.env, "--help")
        self.assertIn("--env.flag ", text)
        self.assertNotIn("--env.flag true|false", text)  # off by default, so it needs no value
        for i, given in enumerate((["--env.flag", "true"], ["--env.flag"], ["--env.flag=true"],
                                   ["--env.group.flag"])):
            with self.subTest(given=given):
                self.ok("train", "sac", "--env", self.env, *given, "--steps", 10, "--net-arch", 4,
                        "--eval-episodes", 1, "--quiet", "--out", f"run-{i}")
                flag = "group.flag: true" if "group" in given[0] else "flag: true"
                self.assertIn(flag.split(".")[-1], kit.read(self.path(f"run-{i}", "config.yaml")))


class EveryEnvironment(kit.Case):
    def test_list_fields_of_every_environment(self):
        for row in json.loads(self.ok("list", "envs", "--json")):
            with self.subTest(env=row["id"]):
                text = self.ok("list", "fields", row["id"])
                self.assertIn("env.max_episode_steps", text)
                fields = json.loads(self.ok("list", "fields", row["id"], "--json"))
                self.assertTrue(all("default" in field for field in fields))


if __name__ == "__main__":
    kit.main()

"""The same seed gives the same bytes, for any number of threads and any instruction set."""
import json
import os

import kit


class SameBits(kit.Case):
    def test_same_bits(self):
        isas = json.loads(self.ok("info", "--json"))["isa_available"].split()
        self.assertIn("portable", isas)
        self.train("first")
        expected = kit.digests(self.path("first"))
        self.train("again")
        self.assertEqual(expected, kit.digests(self.path("again")))
        self.assertEqual(kit.course(self.path("first")), kit.course(self.path("again")))
        self.train("threads", "--threads", "2")
        self.assertEqual(expected, kit.digests(self.path("threads")), "with two threads")
        for isa in isas:
            self.train(isa, env={"CELSIUS_ISA": isa})
            self.assertEqual(expected, kit.digests(self.path(isa)), isa)

    def test_bigger_networks_and_batches(self):
        isas = json.loads(self.ok("info", "--json"))["isa_available"].split()
        big = ["--net-arch", "70,33", "--batch-size", "101", "--n-envs", "2",
               "--normalize-observation", "--layer-norm", "--activation", "silu"]
        self.train("first", *big, steps=700)
        expected = kit.digests(self.path("first"))
        for isa in isas:
            self.train(isa, *big, "--threads", "2", steps=700, env={"CELSIUS_ISA": isa})
            self.assertEqual(expected, kit.digests(self.path(isa)), isa)

    def test_logging_and_saving_change_nothing(self):
        self.train("first", steps=1000)
        self.train("other", "--log-every", "77", "--checkpoint-every", "130", "--keep", "5",
                   "--tensorboard", "false", steps=1000)
        self.assertEqual(kit.digests(self.path("first")), kit.digests(self.path("other")))

    def test_seed_matters(self):
        self.train("one", steps=600)
        self.train("two", steps=600, seed=2)
        one, two = kit.digests(self.path("one")), kit.digests(self.path("two"))
        self.assertEqual(set(one), set(two))
        for name in one:
            self.assertNotEqual(one[name], two[name], name)

    def test_checkpoints_do_not_depend_on_the_machine(self):
        self.train("deep/down/run", "--threads", "2", steps=600)
        self.train("run", steps=600)
        self.assertEqual(kit.digests(self.path("deep/down/run")), kit.digests(self.path("run")))
        with open(kit.checkpoints(self.path("run"))[-1], "rb") as file:
            data = file.read()
        for word in (os.uname().nodename, self.folder, "deep/down"):
            self.assertNotIn(word.encode(), data)


kit.main()

"""The scripts of examples/ that make problems: their arguments and their error messages."""
import contextlib
import importlib.util
import io
import json
import os
import subprocess
import sys
import unittest.mock
import warnings

import kit

EXAMPLES = os.path.join(kit.ROOT, "examples")


def has(module):
    return importlib.util.find_spec(module) is not None


class Gymnasium(kit.Case):
    def setUp(self):
        super().setUp()
        if not has("gymnasium"):
            self.skipTest("the module gymnasium is not installed")

    def script(self, *args):
        """Runs the script in this process, because importing Gymnasium takes a second.

        Returns the exit code and the error output."""
        warnings.simplefilter("ignore")
        sys.path.insert(0, EXAMPLES)
        self.addCleanup(sys.path.remove, EXAMPLES)
        import gymnasium_mdp
        errors = io.StringIO()
        with contextlib.redirect_stderr(errors), unittest.mock.patch("sys.argv",
                                                                     ["gymnasium_mdp.py", *args]):
            try:
                gymnasium_mdp.main()
                return 0, errors.getvalue()
            except SystemExit as end:
                return end.code, errors.getvalue()

    def transitions(self, *args):
        code, errors = self.script("FrozenLake-v1", self.path("x.json"), "--discount", "0.9", *args)
        self.assertEqual(code, 0, errors)
        return json.loads(self.ok("solve", "x.json", "--json"))["transitions"]

    def test_true_and_false_in_any_spelling(self):
        for text in ("false", "False"):
            self.assertEqual(self.transitions(f"is_slippery={text}"), 64)
        for text in ("true", "True"):
            self.assertEqual(self.transitions(f"is_slippery={text}"), 148)

    def test_other_values(self):
        self.assertEqual(self.transitions("desc=['SF','FG']", "is_slippery=False"), 16)
        self.assertEqual(self.transitions('desc=["SF","FG"]', "is_slippery=false"), 16)
        self.assertEqual(self.transitions("map_name=8x8", "is_slippery=False"), 256)

    def wrong(self, *args, says):
        code, errors = self.script(*args)
        self.assertEqual(code, 2, errors)
        for part in says:
            self.assertIn(part, errors)

    def test_error_messages(self):
        lake = ("FrozenLake-v1", self.path("x.json"))
        self.wrong(*lake, "is_slippery=no", says=["is_slippery", "true or false"])
        self.wrong(*lake, "is_slippery=0", says=["is_slippery", "true or false"])
        self.wrong(*lake, "is_slip=false", says=["is_slip", "is_slippery"])
        self.wrong(*lake, "desc=['SF','FG'", says=["desc", "neither JSON nor Python"])
        self.wrong(*lake, "map_name=9x9", says=["FrozenLake-v1", "9x9"])
        self.wrong(*lake, "slippery", says=["NAME=VALUE"])
        self.wrong("Taxi-v3", self.path("x.json"), says=["Taxi-v3", "Taxi-v4"])
        self.wrong("CartPole-v1", self.path("x.json"), says=["CartPole-v1", "transition table"])
        self.wrong("FrozenLake-v1", self.path("no/where.json"), says=["no/where.json"])


class SciPy(kit.Case):
    """Action 0 moves to the next state, action 1 stays, and the last state has no action.

    By hand, V = (1 + .9 * 2, 2, 0) at alpha 0."""

    def test_model(self):
        if not has("scipy") or not has("safetensors"):
            self.skipTest("the modules scipy and safetensors are not installed")
        with open(self.path("make.py"), "w") as file:
            file.write(f"""
import sys
sys.path.insert(0, {EXAMPLES!r})
import numpy as np
from scipy import sparse
from scipy_mdp import save
for index in (np.int32, np.int64):
    move = sparse.csr_matrix(([1.0, 1.0], ([0, 1], [1, 2])), shape=(3, 3))
    stay = sparse.csr_matrix(([1.0], ([0], [0])), shape=(3, 3))
    for matrix in (move, stay):
        matrix.indices, matrix.indptr = matrix.indices.astype(index), matrix.indptr.astype(index)
    save(f"{{index.__name__}}.safetensors", [move, stay], np.array([[1, -1], [2, 5], [7, 7]]), 0.9,
         start=[1, 0, 0])
    sparse.save_npz("move.npz", move)
    sparse.save_npz("stay.npz", stay)
    sparse.save_npz("none.npz", 0 * stay)
np.save("r.npy", np.array([1, 2, 0]))
""")
        subprocess.run([sys.executable, "make.py"], cwd=self.folder, check=True)
        subprocess.run([sys.executable, os.path.join(EXAMPLES, "scipy_mdp.py"),
                        "command.safetensors", "--discount", "0.9",
                        "--transitions", "move.npz", "stay.npz", "--rewards", "r.npy"],
                       cwd=self.folder, check=True)
        for name, value in (("int32", 2.8), ("int64", 2.8), ("command", (10 + 2) / 2)):
            got = json.loads(self.ok("solve", name + ".safetensors", "--alpha", 0, "--json"))
            self.assertAlmostEqual(got["value_start"], value, 6, name)
            self.assertEqual((got["states"], got["pairs"], got["transitions"]), (3, 3, 3))


kit.main()

"""Output: endings of files, complete files, suggested commands, narrow terminals."""
import fcntl
import os
import re
import resource
import select
import shlex
import struct
import subprocess
import termios
import time

import kit

TINY = ["--env", "Pendulum-v1", "--net-arch", "4", "--eval-episodes", "1", "--steps", "300"]
LONGER = [*TINY[:-1], "3000"]


class Endings(kit.Case):
    """The ending of a file must match its format, or nothing is written."""

    def test_wrong_endings(self):
        for args, says in (
                (["plot", "run", "--out", "x.pdf"], [".png or .svg"]),
                (["certify", "run", "--out", "x.gif"], [".png or .svg"]),
                (["eval", "run", "--render", "x.txt"], [".gif"]),
                (["verify", "--html", "x.pdf"], [".html"]),
                (["solve", "frozenlake-4x4", "--plot", "x.html"], [".png or .svg"]),
                (["solve", "frozenlake-4x4", "--out", "x.txt"], [".safetensors or .csv"]),
                (["export", "run", "--out", "x.pdf"], [".onnx", ".safetensors", "--format"]),
                (["export", "run", "--format", "c", "--out", "x.onnx"], [".onnx", "--format is c"]),
                (["export", "run", "--format", "onnx", "--out", "x.h"],
                 [".h", "--format is onnx"])):
            with self.subTest(args=args):
                self.fails(kit.ARGUMENT, *args, says=[args[-1], *says])
        self.assertEqual(os.listdir(self.folder), [])

    def test_export_format_follows_the_ending(self):
        self.ok("train", "sac", *TINY, "--out", "run")
        self.assertEqual(self.ok("export", "run", "--out", "a"), "a.h\na.c\n")
        self.assertEqual(self.ok("export", "run", "--out", "b.h"), "b.h\nb.c\n")
        self.assertEqual(self.ok("export", "run", "--out", "c.safetensors"), "c.safetensors\n")
        self.assertEqual(self.ok("export", "run", "--format", "c", "--out", "v1.2"),
                         "v1.2.h\nv1.2.c\n")
        with open(self.path("c.safetensors"), "rb") as file:
            self.assertEqual(file.read(9)[8:], b"{")


class Tables(kit.Case):
    """Tables of solve are written completely or not at all. They keep the permissions of the file
    that they replace."""

    COMMANDS = (["solve", "taxi", "--alpha", "0,1", "--out", "t.csv"],
                ["solve", "taxi", "--out", "t.csv"],
                ["solve", "frozenlake-4x4", "--gamma", "0.9", "--q-learning", "--q.rounds",
                 "100000", "--out", "t.csv"])

    def test_permissions_and_full_disk(self):
        for args in self.COMMANDS:
            with self.subTest(args=args):
                with open(self.path("t.csv"), "w") as file:
                    file.write("old")
                os.chmod(self.path("t.csv"), 0o600)
                self.fails(kit.IO, *args, "--quiet", says=["t.csv"],
                           preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (64, 64)))
                with open(self.path("t.csv")) as file:
                    self.assertEqual(file.read(), "old")
                self.ok(*args, "--quiet")
                self.assertEqual(os.stat(self.path("t.csv")).st_mode & 0o777, 0o600)
                self.assertEqual(os.listdir(self.folder), ["t.csv"])
                with open(self.path("t.csv")) as file:
                    self.assertGreater(len(file.read().splitlines()), 2)


class Suggestions(kit.Case):
    def test_suggested_commands_run(self):
        """They also work if the name of the run folder has blanks and quotes."""
        out = self.ok("train", "sac", *TINY, "--out", "my 'first' run")
        lines = [line[line.index("celsius "):]
                 for line in out.splitlines() if "celsius " in line]
        self.assertEqual(len(lines), 2, out)
        for line in lines:
            words = shlex.split(line)
            self.assertEqual(words[0], "celsius")
            self.assertEqual(words[2], "my 'first' run")
            self.ok(*words[1:])

    def test_no_animation_is_suggested_without_a_render_function(self):
        kit.build_plugin(os.path.join(kit.ROOT, "tests", "env", "plugin.c"), self.path("walk.so"))
        out = self.ok("train", "sql", "--env", "./walk.so:Walk", *TINY[2:], "--out", "run")
        self.assertIn("celsius eval run --allow-plugins\n", out)
        self.ok("eval", "run", "--allow-plugins", "--episodes", "1")

    def test_environment_without_its_flag(self):
        self.fails(kit.ARGUMENT, "train", "sac", "Pendulum-v1", says=["--env Pendulum-v1"])

    def test_solved_needs_a_hundred_episodes(self):
        self.ok("train", "ppo", "--env", "CartPole-v1", "--net-arch", "4", "--steps", "2048",
                "--eval-episodes", "1", "--out", "run")
        self.assertIn("not judged", self.ok("eval", "run", "--episodes", "99"))
        self.assertRegex(self.ok("eval", "run", "--episodes", "100"), r"solved +(no|yes) ")

    def test_last_line_of_seeds(self):
        done = self.command("train", "sac", *LONGER, "--seeds", "1,2", "--jobs", "2")
        last = [line for line in done.stderr.splitlines() if "ETA" in line][-1]
        self.assertIn("100%", last)
        self.assertNotIn("-:--", last)
        self.assertNotIn("  0 steps/s", last)


def on_terminal(test, columns, *args, seen_then=None, seconds=None):
    """Runs the command on a terminal of that width. Returns the lines of its output.

    seen_then: a pattern of bytes, and a function that is called once when the output matches.
    The test fails if the output does not match within `seconds`."""
    parent, child = test.open_terminal()
    fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = subprocess.Popen([kit.BIN, *args], cwd=test.folder, stdin=subprocess.DEVNULL,
                               stdout=child, stderr=child,
                               env={**os.environ, "TERM": "xterm", "LC_ALL": "C.UTF-8"})
    os.close(child)
    test.addCleanup(process.wait)
    test.addCleanup(process.kill)  # runs first: a test that fails leaves nothing behind
    seen = b""
    until = time.monotonic() + seconds if seconds else None
    try:
        while True:
            if seen_then and until:
                ready, _, _ = select.select([parent], [], [], max(0, until - time.monotonic()))
                if not ready:
                    test.fail(f"{seen_then[0]} was not drawn within {seconds} s, only {seen}")
            chunk = os.read(parent, 65536)
            if not chunk:
                break
            seen += chunk
            if seen_then and re.search(seen_then[0], seen):
                seen_then[1]()
                seen_then = None
    except OSError:  # the last writer has closed the terminal
        pass
    os.close(parent)
    test.assertEqual(process.wait(), 0, seen)
    return re.split(r"[\r\n]+", re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", seen.decode()))


class Terminal(kit.Case):
    def test_nothing_is_wider_than_the_terminal(self):
        for columns in (30, 44, 59, 80):
            lines = on_terminal(self, columns, "train", "sac", *LONGER, "--out",
                                f"r{columns}")
            bars = [line for line in lines if "%" in line and "/" in line]
            self.assertTrue(bars)
            for line in bars:
                self.assertLess(len(line), columns)
            # The width of the bar does not depend on the text beside it.
            self.assertEqual(len({line.rindex("▏") for line in bars if "▏" in line}), 1, bars)

    def test_long_work_without_a_bar_shows_a_line(self):
        # The pipe stays empty until the line is printed, so the test works on any machine.
        path = os.path.join(self.folder, "slow.mdp")
        os.mkfifo(path)
        pipe = os.open(path, os.O_RDWR)

        def fill():
            os.write(pipe, b"discount: 0.9\nvalues: reward\nstates: 1\nactions: 1\n"
                           b"T: 0 : 0 : 0 1.0\nR: 0 : 0 : 0 : * 1.0\n")
            os.close(pipe)

        lines = on_terminal(self, 60, "solve", "slow.mdp",
                            seen_then=(rb"reading slow\.mdp  \d+ s", fill), seconds=20)
        first = "slow: 1 state, 1 state-action, 1 transition;"
        self.assertTrue([line for line in lines if line.startswith(first)], lines)

    def test_help_fits_narrow_terminals(self):
        for columns in (40, 59, 80):
            lines = on_terminal(self, columns, "train", "sac", "--env", "Pendulum-v1", "--help")
            flags = lines[lines.index("The algorithm: sac"):lines.index("Examples")]
            self.assertFalse([line for line in flags if len(line) > columns])

    def test_help_shows_exact_ranges(self):
        text = " ".join(self.ok("train", "sac", "--env", "Pendulum-v1", "--help").split())
        self.assertIn("default 0.999; 0 to 0.99999999]", text)


kit.main()

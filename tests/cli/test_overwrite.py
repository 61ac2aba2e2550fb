"""Trained runs are not overwritten; several seeds stop and resume together; signals and pipes."""
import os
import shutil
import signal
import subprocess
import time

import kit

TINY = ["--env", "Pendulum-v1", "--net-arch", "8", "--batch-size", "8", "--learning-starts", "50",
        "--eval-episodes", "1"]


class Overwrite(kit.Case):
    def tiny(self, out, *args):
        return ["train", "sac", *TINY, "--quiet", "--out", out, *map(str, args)]

    def hashes(self, run):
        names = ("best.safetensors", "final.safetensors", "evaluations.csv")
        return {name: kit.sha256(self.path(run, name)) for name in names}

    def test_resume_without_checkpoints(self):
        self.ok(*self.tiny("run", "--steps", 300))
        shutil.rmtree(self.path("run", "checkpoints"))
        shutil.rmtree(self.path("run", "replay"))
        before = self.hashes("run")
        self.fails(kit.STATE, "train", "--resume", "run", "--steps", 100,
                   says=["no checkpoint", "--overwrite"])
        self.assertEqual(self.hashes("run"), before)
        self.ok("train", "--resume", "run", "--steps", 100, "--overwrite", "--quiet")
        self.ok(*self.tiny("short", "--steps", 100))
        self.assertEqual(kit.digests(self.path("run")), kit.digests(self.path("short")))

    def test_overwrite_does_not_delete_through_a_link(self):
        self.ok(*self.tiny("run", "--steps", 100))
        shutil.rmtree(self.path("run", "checkpoints"))
        os.mkdir(self.path("other"))
        with open(self.path("other", "step-000000100.safetensors"), "w") as file:
            file.write("precious")
        os.symlink("../other", self.path("run", "checkpoints"))
        self.fails(kit.IO, *self.tiny("run", "--steps", 100, "--overwrite"),
                   says=["run/checkpoints"])
        self.assertEqual(os.listdir(self.path("other")), ["step-000000100.safetensors"])

    def test_resume_removes_leftovers_of_a_killed_run(self):
        self.ok(*self.tiny("run", "--steps", 500, "--checkpoint-every", 100, "--keep", 5,
                           "--buffer-size", 60))
        segments = set(os.listdir(self.path("run", "replay")))
        for step in (100, 200, 300, 400):
            os.unlink(self.path("run", "checkpoints", f"step-{step:09d}.safetensors"))
        for name in ("replay/rows-0-8.safetensors.celsius-0123456789abcdef.tmp",
                     "best.safetensors.celsius-0123456789abcdef.tmp"):
            with open(self.path("run", name), "w") as file:
                file.write("half of it")
        self.ok("train", "--resume", "run", "--quiet")
        left = set(os.listdir(self.path("run", "replay")))
        self.assertLess(left, segments)  # only the segments that the last checkpoint needs
        self.assertTrue(left)
        self.assertFalse([name for name in os.listdir(self.path("run")) if name.endswith(".tmp")])
        self.ok("train", "--resume", "run", "--quiet", "--steps", 600)

    def test_resume_of_a_run_that_never_saved(self):
        # A run that was killed before its first checkpoint starts again.
        self.ok(*self.tiny("run", "--steps", 300))
        for name in ("final.safetensors", "best.safetensors", "evaluations.csv"):
            os.unlink(self.path("run", name))
        shutil.rmtree(self.path("run", "checkpoints"))
        shutil.rmtree(self.path("run", "replay"))
        self.ok("train", "--resume", "run")
        self.ok(*self.tiny("whole", "--steps", 300))
        self.assertEqual(kit.digests(self.path("run")), kit.digests(self.path("whole")))

    def test_out_folder_that_holds_a_run(self):
        self.ok(*self.tiny("run", "--steps", 300))
        before = self.hashes("run")
        self.fails(kit.IO, *self.tiny("run", "--steps", 100),
                   says=["the folder already holds a run", "--overwrite"])
        self.assertEqual(self.hashes("run"), before)
        self.ok(*self.tiny("run", "--steps", 100, "--overwrite"))
        self.ok(*self.tiny("other", "--steps", 100))
        self.assertEqual(kit.digests(self.path("run")), kit.digests(self.path("other")))
        self.assertEqual(len(kit.checkpoints(self.path("run"))), 1)
        os.mkdir(self.path("notes"))
        with open(self.path("notes", "thesis.txt"), "w") as file:
            file.write("years of work")
        self.fails(kit.IO, *self.tiny("notes", "--steps", 100, "--overwrite"), says=["not empty"])

    def test_outputs_do_not_replace_files_of_a_run(self):
        self.ok(*self.tiny("run", "--steps", 300))
        before = self.hashes("run")
        checkpoint = os.path.relpath(kit.checkpoints(self.path("run"))[0], self.folder)
        for out in ("run/best.safetensors", "run/../run/final.safetensors", checkpoint):
            self.fails(kit.IO, "export", "run", "--format", "safetensors", "--out", out,
                       says=["this file belongs to a run"])
        self.fails(kit.IO, "solve", "frozenlake-4x4", "--out", "run/best.safetensors",
                   says=["this file belongs to a run"])
        self.assertEqual(self.hashes("run"), before)
        for _ in range(2):  # other files are replaced
            self.ok("plot", "run", "--out", "run/curve.png")
            self.ok("export", "run", "--format", "safetensors", "--out", "run/policy.safetensors")

    # ---- several seeds

    def wait_for(self, what, seconds=60):
        until = time.monotonic() + seconds
        while not what():
            self.assertLess(time.monotonic(), until, f"nothing happened within {seconds} s")
            time.sleep(0.02)

    def children(self, parent):
        return [int(pid) for pid in os.listdir("/proc") if pid.isdigit()
                and self.state(pid)[1] == str(parent)]

    def state(self, pid):
        """The state letter and the parent of a process; "Z" if it has ended."""
        try:
            return kit.read(f"/proc/{pid}/stat").rsplit(")", 1)[1].split()[:2]
        except OSError:
            return ["Z", "0"]

    def test_killed_parent_and_resumed_group(self):
        process = subprocess.Popen([kit.BIN, *self.tiny("group", "--steps", 100000000, "--seeds",
                                                        "1..3", "--jobs", 2)],
                                   cwd=self.folder, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)
        rows = [self.path("group", f"seed-{k}", "progress.csv") for k in (1, 2)]
        self.wait_for(lambda: all(os.path.exists(row) and len(kit.table(row)) > 1 for row in rows))
        children = self.children(process.pid)
        self.assertEqual(len(children), 2)
        process.kill()
        process.wait()
        self.wait_for(lambda: all(self.state(pid)[0] == "Z" for pid in children))
        reached = []
        for k in (1, 2):
            name = os.path.basename(kit.checkpoints(self.path("group", f"seed-{k}"))[-1])
            reached.append(int(name[5:14]))
        steps = max(reached) + 100
        out = self.ok("train", "--resume", "group", "--steps", steps, "--jobs", 2, "--quiet")
        for k in (1, 2, 3):  # the third had not started
            self.assertIn(f"group/seed-{k}", out)
            self.assertEqual(kit.table(self.path("group", f"seed-{k}",
                                                 "evaluations.csv"))[-1]["time/total_timesteps"],
                             str(steps))
        self.ok(*self.tiny("alone", "--steps", steps, "--seed", 3))
        self.assertEqual(kit.sha256(self.path("alone", "final.safetensors")),
                         kit.sha256(self.path("group", "seed-3", "final.safetensors")))

    # ---- signals and pipes

    def test_closed_output_pipe(self):
        process = subprocess.Popen([kit.BIN, "train", "ppo", "--env", "FrozenLake-v1",
                                    "--guarantee", "--n-steps", "64",
                                    "--steps", "1280", "--net-arch", "8", "--out", "run"],
                                   cwd=self.folder,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        process.stdout.readline()
        process.stdout.close()
        process.stderr.read()
        process.stderr.close()
        process.wait(timeout=120)
        self.assertIn(process.returncode, (0, kit.IO))  # IO: the table could not be printed
        self.assertEqual(len(kit.table(self.path("run", "guarantee.csv"))), 20)
        self.ok("eval", "run", "--which", "final", "--episodes", 1)

    def test_ignored_interrupt_stays_ignored(self):
        process = subprocess.Popen([kit.BIN, *self.tiny("run", "--steps", 100000000)],
                                   cwd=self.folder,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                                   preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN))
        row = self.path("run", "progress.csv")
        self.wait_for(lambda: os.path.exists(row) and len(kit.table(row)) > 1)
        process.send_signal(signal.SIGINT)
        n = len(kit.table(row))
        self.wait_for(lambda: len(kit.table(row)) > n + 1)
        self.assertIsNone(process.poll())
        process.terminate()
        self.assertEqual((process.wait(timeout=60),
                          "everything is saved" in process.communicate()[1]),
                         (kit.INTERRUPTED, True))

    def test_evaluation_while_checkpoints_rotate(self):
        self.ok(*self.tiny("run", "--steps", 300))
        for name in ("best.safetensors", "final.safetensors"):
            os.unlink(self.path("run", name))
        folder = self.path("run", "checkpoints")
        rotate = (f"i=300; cd {folder}; while :; do j=$((i+1)); "
                  "ln step-000000$i.safetensors step-000000$j.safetensors && "
                  "rm step-000000$i.safetensors; "
                  "i=$j; [ $i -lt 999 ] || { mv step-000000999.safetensors "
                  "step-000000300.safetensors; i=300; }; done")
        process = subprocess.Popen(["bash", "-c", rotate], stderr=subprocess.DEVNULL)
        try:
            for _ in range(30):
                self.ok("eval", "run", "--episodes", 1)
        finally:
            process.kill()
            process.wait()


kit.main()

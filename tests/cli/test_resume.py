"""Stopping on request, resuming, training longer, damaged checkpoints, changed configs."""
import glob
import os
import shutil
import signal
import subprocess
import time

import kit


def flip_bit(path, share=0.5):
    with open(path, "r+b") as file:
        file.seek(0, 2)
        place = int(file.tell() * share)
        file.seek(place)
        byte = file.read(1)[0]
        file.seek(place)
        file.write(bytes([byte ^ 16]))


def cut(path):
    os.truncate(path, os.path.getsize(path) // 2)


class Resume(kit.Case):
    def stop_after_first_row(self, signal_number, *args):
        """Starts a run and sends the signal after two rows of progress. Returns the exit code, the
        output and the messages."""
        process = subprocess.Popen([kit.BIN, *kit.small("--seed", "1", "--out", "run",
                                    *args)], cwd=self.folder, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True)
        progress = self.path("run", "progress.csv")
        until = time.monotonic() + 60
        while time.monotonic() < until and process.poll() is None:
            if os.path.exists(progress) and len(kit.table(progress)) >= 2:
                break
            time.sleep(0.005)
        process.send_signal(signal_number)
        out, err = process.communicate(timeout=60)
        return process.returncode, out, err

    def test_stop_on_request(self):
        self.train("peace", steps=6000)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            shutil.rmtree(self.path("run"), ignore_errors=True)
            code, out, err = self.stop_after_first_row(number, "--steps", "6000")
            self.assertEqual(code, kit.INTERRUPTED, err)
            self.assertIn("celsius train --resume run", err)
            self.assertEqual(out, "")
            saved = len(kit.checkpoints(self.path("run")))
            self.assertGreaterEqual(saved, 1)
            self.ok("train", "--resume", "run")
            self.assertEqual(kit.digests(self.path("peace")), kit.digests(self.path("run")))
            self.assertEqual(kit.course(self.path("peace")), kit.course(self.path("run")))

    def test_more_steps_than_planned(self):
        # The last step of the shorter run is also an evaluation of the longer one.
        self.train("long", steps=2000)
        self.train("short", steps=1000)
        self.ok("train", "--resume", "short", "--steps", "2000")
        self.assertEqual(kit.digests(self.path("long")), kit.digests(self.path("short")))
        self.assertEqual(kit.course(self.path("long")), kit.course(self.path("short")))
        self.assertIn("steps: 2000", kit.read(self.path("short", "config.yaml")))

    def test_finished_run_and_fewer_steps(self):
        self.train("run", steps=800)
        before = kit.digests(self.path("run"))
        os.unlink(self.path("run", "final.safetensors"))
        out = self.ok("train", "--resume", "run")  # as if killed before the last file was written
        self.assertIn("run", out)
        self.assertEqual(before, kit.digests(self.path("run")))
        self.fails(kit.RANGE, "train", "--resume", "run", "--steps", "300", says=["800", "300"])
        self.assertEqual(before, kit.digests(self.path("run")))

    def test_damaged_checkpoint_falls_back(self):
        for damage in (cut, flip_bit):
            shutil.rmtree(self.path("run"), ignore_errors=True)
            shutil.rmtree(self.path("peace"), ignore_errors=True)
            self.train("peace", steps=2000)
            self.train("run", steps=2000)
            newest = kit.checkpoints(self.path("run"))[-1]
            damage(newest)
            done = self.command("train", "--resume", "run")
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn(os.path.basename(newest), done.stderr)
            self.assertIn("trying the previous checkpoint", done.stderr)
            self.assertEqual(kit.digests(self.path("peace")), kit.digests(self.path("run")))

    def test_all_checkpoints_damaged(self):
        self.train("run", steps=1000)
        files = kit.checkpoints(self.path("run"))
        for path in files:
            flip_bit(path)
        kept = [kit.sha256(path) for path in files]
        self.fails(kit.CORRUPT, "train", "--resume", "run", says=["no checkpoint can be read"])
        self.assertEqual(kept, [kit.sha256(path) for path in files])

    def test_damaged_replay_falls_back(self):
        self.train("peace", steps=2000)
        self.train("run", steps=2000)
        newest = max(glob.glob(self.path("run", "replay", "*")), key=os.path.getmtime)
        flip_bit(newest)
        done = self.command("train", "--resume", "run")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("trying the previous checkpoint", done.stderr)
        self.assertEqual(kit.digests(self.path("peace")), kit.digests(self.path("run")))

    def test_damaged_models(self):
        self.train("run", steps=600)
        for damage in (cut, flip_bit):
            shutil.copy(self.path("run", "final.safetensors"), self.path("run", "best.safetensors"))
            damage(self.path("run", "best.safetensors"))
            self.fails(kit.CORRUPT, "eval", "run", "--episodes", 2, says=["best.safetensors"])
            self.ok("eval", "run", "--episodes", 2, "--which", "final")
        with open(self.path("run", "best.safetensors"), "w") as file:
            file.write("this is no model at all, but long enough to have a header")
        done = self.command("eval", "run", "--episodes", "2")
        self.assertIn(done.returncode, (kit.FORMAT, kit.CORRUPT))

    def test_changed_config(self):
        self.train("run", steps=600)
        config = self.path("run", "config.yaml")
        text = kit.read(config)
        cases = (("batch_size: 32", "batch_size: 33", "batch_size"),
                 ("seed: 1", "seed: 2", "seed"),
                 ("net_arch: [16, 16]", "net_arch: [16, 8]", "net_arch"),
                 ("n_envs: 1", "n_envs: 2", "n_envs"))
        for old, new, name in cases:
            self.assertIn(old, text)
            with open(config, "w") as file:
                file.write(text.replace(old, new, 1))
            self.fails(kit.UNSUPPORTED, "train", "--resume", "run", "--steps", "1200",
                       says=[name, "config.yaml"])
        with open(config, "w") as file:
            file.write(text.replace("log_every: 200", "log_every: 100", 1))
        self.ok("train", "--resume", "run", "--steps", "1200")  # does not change the result

    def test_not_a_run(self):
        os.mkdir(self.path("empty"))
        self.fails(kit.IO, "train", "--resume", "empty", says=["not a run folder"])
        self.fails(kit.IO, "train", "--resume", "nothing", says=["nothing"])
        self.train("run", steps=400)
        self.fails(kit.NAME, "train", "--resume", "run", "--batch-size", "64", says=["--steps"])
        with open(self.path("run", "config.yaml"), "a") as file:
            file.write("\nstepz: 3\n")
        self.fails(kit.NAME, "train", "--resume", "run", says=["stepz", "steps", "config.yaml"])

    def test_two_at_once(self):
        process = subprocess.Popen([kit.BIN, *kit.small("--steps", "1000000", "--out",
                                    "run")], cwd=self.folder, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)
        try:
            until = time.monotonic() + 60
            while time.monotonic() < until and not kit.checkpoints(self.path("run")):
                time.sleep(0.01)
            self.fails(kit.STATE, "train", "--resume", "run", says=["another process"])
        finally:
            process.kill()
            process.wait()
        self.ok("train", "--resume", "run", "--steps", "1000000", "--help")


kit.main()

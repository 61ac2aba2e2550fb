"""Kills runs at random moments and resumes them until they are complete."""
import os
import random
import shutil
import signal
import subprocess
import time

import kit


class Victim:
    """A run in the folder "killed" that is started, killed and resumed."""

    def __init__(self, case, first):
        self.case, self.first = case, first
        self.log = open(case.path("log"), "w")
        case.addCleanup(self.log.close)

    def begin(self):
        """Starts or resumes the run. A run that was killed before it had a config starts again."""
        args = ["train", "--resume", "killed"]
        if not os.path.exists(self.case.path("killed", "config.yaml")):
            shutil.rmtree(self.case.path("killed"), ignore_errors=True)
            args = self.first
        return subprocess.Popen([kit.BIN, *args], cwd=self.case.folder, stdout=self.log,
                                stderr=self.log, stdin=subprocess.DEVNULL)

    def expect(self, process, *codes):
        if process.returncode not in codes:
            text = kit.read(self.case.path("log"))[-2000:]
            self.case.fail(f"exit {process.returncode}:\n{text}")


def kill_and_resume(case, kills, steps, seed, extra=(), small=kit.small):
    """Trains one run without interruption, then kills and resumes runs until there were `kills`.

    All runs must end with the same bytes. `small` makes the command line of a run."""
    print(f"seed of the moments of the kills: {seed}", flush=True)
    moments = random.Random(seed)
    start = time.monotonic()
    case.ok(*small("--steps", steps, "--seed", 1, "--out", "peace", *extra))
    lasted = time.monotonic() - start
    victim = Victim(case, small("--steps", steps, "--seed", 1, "--out", "killed", *extra))
    done = ends = 0
    while True:
        process = victim.begin()
        try:
            # Short waits hit the start, the loading and the first save. Long ones let it progress.
            process.wait(moments.uniform(0, 0.5 * lasted) if done < kills else 600)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
        victim.expect(process, 0, -signal.SIGKILL)
        if process.returncode != 0:
            done += 1
            continue
        ends += 1
        case.assertEqual(kit.digests(case.path("peace")), kit.digests(case.path("killed")))
        case.assertEqual(kit.course(case.path("peace")), kit.course(case.path("killed")))
        leftovers = [name for _, _, names in os.walk(case.path("killed")) for name in names
                     if name.endswith(".tmp")]
        case.assertEqual(leftovers, [], "temporary files of killed runs were not removed")
        shutil.rmtree(case.path("killed"))
        if done >= kills:
            break
    print(f"{done} kills, {ends} completed runs; a run takes {lasted:.2f} s", flush=True)

"""A run that is killed at random moments and resumed, until it ends."""
import os
import random
import signal
import subprocess
import time

import kit


def kill_and_resume(case, kills, steps, seed, extra=()):
    """Trains once in peace, once with `kills` SIGKILLs; both must end the same, to the byte."""
    print(f"moments of the kills: random.Random({seed})", flush=True)
    moments = random.Random(seed)
    start = time.monotonic()
    case.train("peace", *extra, steps=steps)
    lasted = time.monotonic() - start
    log = open(case.path("log"), "w")

    def begin(*args):
        return subprocess.Popen([kit.BIN, *args], cwd=case.folder, stdout=log, stderr=log,
                                stdin=subprocess.DEVNULL)

    first = ["train", "sac", *kit.SMALL, "--steps", str(steps), "--seed", "1", "--out", "killed",
             *extra]
    process, done, ended = begin(*first), 0, False
    while done < kills and not ended:
        # Longer waits let it get further; short ones hit the start, the load and the first save.
        try:
            process.wait(moments.uniform(0, 2.5 * lasted / max(kills, 4) + 0.05))
            ended = process.returncode == 0
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            done += 1
        if process.returncode not in (0, -signal.SIGKILL):
            case.fail(f"exit {process.returncode}:\n" + open(case.path("log")).read()[-2000:])
        if not ended:
            if not os.path.exists(case.path("killed", "config.yaml")):
                # Killed before there was a run: begin again.
                subprocess.run(["rm", "-rf", case.path("killed")], check=True)
                process = begin(*first)
            else:
                process = begin("train", "--resume", "killed")
    if process.wait() != 0:
        case.fail(f"exit {process.returncode}:\n" + open(case.path("log")).read()[-2000:])
    log.close()
    print(f"{done} kills, a run lasts {lasted:.2f} s", flush=True)
    case.assertGreater(done, kills // 2, "too few kills hit it: the run is too short")
    case.assertEqual(kit.digests(case.path("peace")), kit.digests(case.path("killed")))
    case.assertEqual(kit.course(case.path("peace")), kit.course(case.path("killed")))
    leftovers = [name for _, _, names in os.walk(case.path("killed")) for name in names
                 if name.endswith(".tmp")]
    case.assertEqual(leftovers, [], "temporary files of killed writers remain")

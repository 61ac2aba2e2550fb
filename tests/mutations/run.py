#!/usr/bin/env python3
"""Changes the library in one place at a time and checks that the tests notice.

    tests/mutations/run.py [BUILD]               all mutations of tests/mutations/*.toml
    tests/mutations/run.py --count 10 --seed 3   10 of them, chosen at random with seed 3
    tests/mutations/run.py --match tau           those whose description or file contains "tau"
    tests/mutations/run.py --check               only checks that the list is up to date
    tests/mutations/run.py --list FILE           reads FILE instead of tests/mutations/*.toml

Each mutation names the tests that must fail, the rows of `celsius verify` that must turn red, or
both. A mutation counts as seen only if all of them do. It is an error if the list is stale, if the
changed source does not compile, or if a named test fails without the mutation. The list is stale if
an old text is not found exactly once, or if docs/equations.md does not contain a named row.

BUILD (build/release) is a finished build and is not changed. Sources are changed in a copy of src/,
include/, cli/ and plugins/ in a temporary folder. Only the objects that include the changed file are compiled
again, with the build's own commands. Then the named tests are linked again.

Exit codes: 0 every mutation was seen, 1 some were not seen or could not be tried, 2 wrong usage.
"""
import argparse
import concurrent.futures
import json
import os
import pathlib
import queue
import random
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
COPIED = ("src", "include", "cli", "plugins")
KEYS = {"breaks": str, "file": str, "old": str, "new": str, "red": list, "rows": list, "all_cases": bool, "only": list}
# A test that runs for this many seconds, and 10 times as long as without the mutation, counts as a
# failed test: the mutation is seen.
SECONDS = 120


class Failure(Exception):
    """One sentence that says what is wrong with a mutation."""


def load(paths):
    """Returns all mutations of the lists, after a check of their keys."""
    mutations = []
    for path in paths:
        for mutation in tomllib.loads(path.read_text())["mutation"]:
            for key, value in mutation.items():
                if not isinstance(value, KEYS.get(key, ())):
                    raise Failure(f"{path.name}: '{key}' of '{mutation.get('breaks')}' is unknown or has a wrong type")
            missing = [key for key in ("breaks", "file", "old", "new") if key not in mutation]
            if missing or not (mutation.get("red") or mutation.get("rows")):
                raise Failure(f"{path.name}: '{mutation.get('breaks')}' lacks {', '.join(missing) or 'red or rows'}")
            mutations.append({"red": [], "rows": [], "all_cases": False, "only": [], **mutation})
    return mutations


def check_rows(mutation):
    """Raises Failure unless docs/equations.md, which lists all rows, contains the named ones."""
    table = (ROOT / "docs/equations.md").read_text()
    for row in mutation["rows"]:
        if row not in table:
            raise Failure(f"docs/equations.md has no row '{row}': update the list")


def mutate(mutation):
    """Returns the text of the changed file."""
    path = ROOT / mutation["file"]
    if not path.is_file():
        raise Failure(f"there is no file {mutation['file']}")
    found = path.read_text().count(mutation["old"])
    if found != 1:
        raise Failure(f"the old text is found {found} times in {mutation['file']}, not once: update the list")
    if mutation["old"] == mutation["new"]:
        raise Failure("the new text is the old one")
    return path.read_text().replace(mutation["old"], mutation["new"])


class Build:
    """The commands, dependencies and tests of a finished build."""

    def __init__(self, folder):
        self.folder = folder
        self.command, self.objects_of, self.tests = {}, {}, {}
        self.seconds = {}  # time of each test without a mutation
        for line in self.ask("ninja", "-t", "commands").splitlines():
            words = shlex.split(line.removeprefix(": && ").split(" && ")[0])
            if "-o" in words:
                self.command[words[words.index("-o") + 1]] = words[words[0].endswith("ccache"):]
        output = None
        for line in self.ask("ninja", "-t", "deps").splitlines():
            if line.startswith(" "):
                path = os.path.realpath(folder / line.strip())
                self.objects_of.setdefault(path, []).append(output)
            elif line:
                output = line.split(":")[0]
        for test in json.loads(self.ask("ctest", "--show-only=json-v1"))["tests"]:
            if "command" not in test:
                continue  # its executable was not built
            properties = {p["name"]: p["value"] for p in test["properties"]}
            environment = dict(pair.split("=", 1) for pair in properties.get("ENVIRONMENT", []))
            self.tests[test["name"]] = (test["command"], environment, properties["WORKING_DIRECTORY"])
        self.library = next(out for out in self.command if out.startswith("libcelsius.so"))

    def ask(self, *command):
        return subprocess.run(command, cwd=self.folder, check=True, capture_output=True, text=True).stdout

    def linked_with(self, target, objects):
        return any(word in objects for word in self.command[target])


class Worker:
    """A copy of the sources, and the objects and programs built from it."""

    def __init__(self, build, folder):
        self.build, self.folder = build, pathlib.Path(folder)
        self.tree, self.out = self.folder / "tree", self.folder / "out"
        for name in COPIED:
            shutil.copytree(ROOT / name, self.tree / name)

    def run(self, words):
        done = subprocess.run(words, cwd=self.build.folder, capture_output=True, text=True)
        if done.returncode:
            raise Failure("it does not compile:\n" + done.stderr[-2000:])

    def compile(self, file, only):
        """Compiles the sources that include the changed `file`. Returns a dictionary from the
        build's objects to the new ones. With `only`, compiles only those sources of the library, at
        -O1, because kernels take long at -O3."""
        objects = {}
        for old in self.build.objects_of.get(str(ROOT / file), []):
            if not (old.startswith("CMakeFiles/celsius_") or old.startswith("tests/")):
                continue
            if only and old.startswith("CMakeFiles/") and not any(old.endswith(f"/{source}.o") for source in only):
                continue
            if old.startswith("tests/") and not any(old in self.build.command[t] for t in self.targets):
                continue
            objects[old] = str(self.out / f"{len(objects)}.o")
            words = list(self.build.command[old])
            for flag in ("-o", "-MF", "-MT"):
                words[words.index(flag) + 1] = objects[old] + (".d" if flag == "-MF" else "")
            for name in COPIED:
                words = [w.replace(str(ROOT / name) + "/", str(self.tree / name) + "/") if w.startswith("/")
                         else f"-I{self.tree / name}" if w == f"-I{ROOT / name}" else w for w in words]
            self.run([*words, "-w", *(["-O1"] if only else [])])
        if not objects:
            raise Failure(f"nothing in the build depends on {file}")
        return objects

    def link(self, target, objects):
        """Links a target of the build with the new objects and returns its path."""
        out = str(self.out / target.replace("/", "-"))
        words = [objects.get(word, word) for word in self.build.command[target]]
        words[words.index("-o") + 1] = out
        self.run(words)
        return out

    def celsius(self, objects):
        """Returns a script that runs the command with the changed library, or a changed command if
        the file belongs to the command."""
        build, preload = self.build, ""
        binary = str(build.folder / "celsius")
        if build.linked_with("celsius", objects):
            binary = self.link("celsius", objects)
        if build.linked_with(build.library, objects):
            preload = f"LD_PRELOAD={shlex.quote(self.link(build.library, objects))} "
        script = self.out / "celsius"
        script.write_text(f'#!/bin/sh\n{preload}exec {shlex.quote(binary)} "$@"\n')
        script.chmod(0o755)
        return str(script)

    def fails(self, test, objects):
        """Whether a test fails with the new objects; without any, as it was built."""
        command, environment, folder = self.build.tests[test]
        environment = {**os.environ, **environment}
        target = os.path.relpath(command[0], self.build.folder)
        if target in self.build.command:
            command = [self.link(target, objects)] if objects else command
        elif objects:
            environment["CELSIUS_BIN"] = self.celsius(objects)
        began, limit = time.monotonic(), max(SECONDS, 10 * self.build.seconds.get(test, SECONDS))
        try:
            done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, timeout=limit,
                                  stdin=subprocess.DEVNULL)
        except subprocess.TimeoutExpired:
            return True
        if not objects:
            self.build.seconds[test] = time.monotonic() - began
        return done.returncode != 0

    def red_rows(self, objects, all_cases):
        """Returns the claims of `celsius verify` that fail."""
        binary = self.celsius(objects) if objects else str(self.build.folder / "celsius")
        words = [binary, "verify", *([] if all_cases else ["--quick"]), "--json", "--threads", "1"]
        done = subprocess.run(words, capture_output=True, text=True, timeout=5 * SECONDS, stdin=subprocess.DEVNULL)
        if done.returncode not in (0, 1):
            raise Failure(f"verify ends with {done.returncode}: {done.stderr[-500:]}")
        return [row["claim"] for row in json.loads(done.stdout) if not row["pass"]]

    def try_mutation(self, mutation):
        """Raises Failure unless all named tests and rows see the mutation."""
        text = mutate(mutation)
        for test in mutation["red"]:
            if test not in self.build.tests:
                raise Failure(f"there is no test {test}, or it is not built")
        commands = [os.path.relpath(self.build.tests[test][0][0], self.build.folder) for test in mutation["red"]]
        self.targets = [target for target in commands if target in self.build.command]
        shutil.rmtree(self.out, ignore_errors=True)
        self.out.mkdir()
        path = self.tree / mutation["file"]
        path.write_text(text)
        try:
            objects = self.compile(mutation["file"], mutation["only"])
            green = [test for test in mutation["red"] if not self.fails(test, objects)]
            if mutation["rows"]:
                red = self.red_rows(objects, mutation["all_cases"])
                green += [row for row in mutation["rows"] if not any(row in claim for claim in red)]
        finally:
            shutil.copyfile(ROOT / mutation["file"], path)
        if green:
            raise Failure("not seen by " + "; ".join(green))


def unchanged(worker, chosen):
    """Returns the tests and rows that fail without a mutation."""
    wrong = [test for test in sorted({t for m in chosen for t in m["red"]})
             if test in worker.build.tests and worker.fails(test, {})]
    if any(m["rows"] for m in chosen):
        wrong += worker.red_rows({}, False)
    return wrong


def run(build, chosen, jobs):
    """Tries the mutations, `jobs` at a time. Returns the number that were not seen."""
    lost = 0
    with tempfile.TemporaryDirectory(prefix="celsius-mutate-") as folder:
        workers = queue.SimpleQueue()
        for k in range(jobs):
            workers.put(Worker(build, os.path.join(folder, str(k))))

        def attempt(mutation):
            worker, began, problem = workers.get(), time.monotonic(), None
            try:
                worker.try_mutation(mutation)
            except (Failure, subprocess.TimeoutExpired) as failure:
                problem = str(failure)
            workers.put(worker)
            return mutation, problem, time.monotonic() - began

        worker = workers.get()
        wrong = unchanged(worker, chosen)
        workers.put(worker)
        for test in wrong:
            print(f"fails without any mutation: {test}")
        with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
            for mutation, problem, seconds in pool.map(attempt, chosen):
                lost += problem is not None
                print(f"{'NOT SEEN' if problem else 'seen':8}  {seconds:5.1f} s  {mutation['file']}: {mutation['breaks']}"
                      + (f"\n          {problem}" if problem else ""), flush=True)
    return lost + len(wrong)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("build", nargs="?", default=ROOT / "build/release", type=pathlib.Path)
    parser.add_argument("--count", type=int, help="try this many, chosen at random (default: all)")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6), help="seed of the choice (default: random)")
    parser.add_argument("--match", default="", help="try only those whose description or file contains this")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="number of mutations tried at once")
    parser.add_argument("--list", action="append", type=pathlib.Path, metavar="FILE", help="read FILE instead of tests/mutations/*.toml")
    parser.add_argument("--check", action="store_true", help="only check that the list is up to date")
    options = parser.parse_args()
    try:
        chosen = [m for m in load(options.list or sorted(HERE.glob("*.toml"))) if options.match.lower() in (m["breaks"] + " " + m["file"]).lower()]
    except (Failure, OSError, tomllib.TOMLDecodeError) as failure:
        sys.exit(f"mutations: {failure}")
    stale = 0
    for mutation in chosen:
        try:
            mutate(mutation)
            check_rows(mutation)
        except Failure as failure:
            print(f"{mutation['breaks']}: {failure}")
            stale += 1
    if options.check or stale:
        print(f"mutations: {len(chosen)} in the list, {stale} stale")
        return bool(stale)
    if options.count is not None and options.count < len(chosen):
        print(f"mutations: {options.count} of {len(chosen)}, chosen with --seed {options.seed}")
        chosen = random.Random(options.seed).sample(chosen, options.count)
    began = time.monotonic()
    lost = run(Build(options.build.resolve()), chosen, max(1, options.jobs))
    print(f"mutations: {len(chosen)} tried, {lost} failed, {time.monotonic() - began:.0f} s")
    return bool(lost)


if __name__ == "__main__":
    sys.exit(main())

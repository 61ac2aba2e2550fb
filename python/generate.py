"""Writes the declarations of the binding, for cffi, from the public headers.

    generate.py CC INCLUDE OUT

CC is a C compiler, INCLUDE the folder that holds celsius/celsius.h, OUT the file to write. Every
public function, struct, enum and constant appears in it. The C compiler checks the binding against
the real headers, so a mistake here stops the build.
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

# The standard headers that the public headers include. Empty ones take their place, because cffi
# knows the standard types itself.
STANDARD = ["stdbool.h", "stddef.h", "stdint.h"]

# What the binding adds: functions of binding.c, and callbacks that Python implements. The callbacks
# take a handle, made by ffi.new_handle, as `user`.
BINDING = """
typedef struct CelpyHooks { void *handle; double next; bool stopped; } CelpyHooks;
bool celpy_stop(void *hooks);
void celpy_hooks_reset(CelpyHooks *hooks);
typedef struct CelpyLoop {
  CelAgent *agent; const CelOutcome *outcome; void *actions; CelpyHooks *hooks;
} CelpyLoop;
CelStatus celpy_update(const CelpyLoop *loop);
CelStatus celpy_advance(const CelpyLoop *loop, bool update);
extern "Python" {
  bool celpy_should_stop(void *user);
  void celpy_note(void *user, const char *text);
  void celpy_progress(void *user, const CelProgress *progress);
  void celpy_episode(void *user, double episode_return, int64_t length);
  CelStatus celpy_updated(void *user, CelAgent *agent);
  double celpy_schedule(double progress_remaining, void *user);
  bool celpy_solving(void *user, const CelSolveProgress *now);
  bool celpy_q_learning(void *user, const CelQLearningProgress *now);
  bool celpy_conservative(void *user, int64_t iteration, const CelConservativeStep *step);
  void celpy_checked(void *user, const CelCheck *check);
  void celpy_plotting(void *user, const char *text);
}
"""


def preprocess(compiler: str, include: Path) -> str:
    """The public headers as one text, without macros and comments."""
    with tempfile.TemporaryDirectory() as stubs:
        for name in STANDARD:
            (Path(stubs) / name).touch()
        return subprocess.run(
            [compiler, "-E", "-P", "-U__GNUC__", "-nostdinc", "-I", stubs, "-I", str(include),
             str(include / "celsius" / "celsius.h")],
            check=True, capture_output=True, text=True).stdout  # fmt: skip


def declarations(text: str) -> str:
    """Removes what cffi does not need: compile-time checks and the bodies of inline functions."""
    text = re.sub(r"enum \{ CEL_CHECK_\w+ = [^}]*\};?", "", text)
    return re.sub(r"static inline ([^{;]+)\{[^}]*\}", r"\1;", text)


def constants(include: Path) -> list[str]:
    """Declares the macros that are values. The C compiler fills them in."""
    found = {}
    for header in sorted((include / "celsius").glob("*.h")):
        text = header.read_text(encoding="utf-8").replace("\\\n", " ")
        for name, value in re.findall(r"^#define (CEL_[A-Z0-9_]+) +(\S.*)$", text, re.MULTILINE):
            value = value.split("//")[0].strip()
            if value.startswith('"'):
                found[name] = f"static char *const {name};"
            elif re.fullmatch(r"[\w\s()|<]*", value) and "__" not in value:
                found[name] = f"#define {name} ..."
    return list(found.values())


def main() -> None:
    compiler, include, out = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    lines = [declarations(preprocess(compiler, include)), *constants(include), BINDING]
    out.write_text("\n".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()

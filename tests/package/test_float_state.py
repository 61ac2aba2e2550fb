"""Every exported function that computes first sets the library's floating-point state.

See src/base/floats.h. The test reads the machine code of libcelsius.so. It reports an exported
function that reaches floating-point arithmetic, a number conversion of the C library, or a call by
pointer without setting the state first. So a new public function cannot be forgotten.
"""
import os
import platform
import re
import subprocess
import sys

# Computes exactly: every rounding direction gives the same number, and none is subnormal.
EXACT = {"cel_rng_uniform"}
# Calls the hook of the host program just before the program ends.
END = {"celi_assert_failed"}

ARITHMETIC = re.compile(
    r"v?(add|sub|mul|div|sqrt|min|max|ucomi|comi|round|rndscale|fn?m(add|sub)[0-9]+|cmp\w*)"
    r"(ss|sd|ps|pd)$"
    r"|v?cvt\w+$|f(add|sub|mul|div|ild|ist|com|ucom|sqrt)\w*$")
NUMBERS_IN_C_LIBRARY = re.compile(
    r"(__isoc99_|__)?(strto(d|f|ld)|v?f?s?n?printf|v?s?scanf|exp|exp2|expm1|log|log2|log10|log1p|"
    r"pow|sin|cos|tan|sincos|asin|acos|atan2?|sinh|cosh|tanh|l?l?r(int|ound)|nearbyint|floor|ceil|"
    r"trunc|fmod|hypot|cbrt|erfc?|[lt]gamma(_r)?|"
    r"fma|ldexp|[a-z0-9]{2,}f)(_l|_chk)?$")


INSTRUCTION = re.compile(
    r"\s+[0-9a-f]+:\t(?:(?:bnd|notrack|rep[nz]*|lock) )*(\S+)\s*(.*)$")


def lines(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


class Code:
    """The operations and calls of each function of a shared object."""

    def __init__(self, path):
        self.calls, self.computes, self.guarded, self.by_pointer = {}, {}, set(), {}
        name = None
        for line in lines("objdump", "-d", "--no-show-raw-insn", path):
            if head := re.match(r"[0-9a-f]+ <(.+)>:$", line):
                name = head[1]
                self.calls[name] = set()
            elif name and (row := INSTRUCTION.match(line)):
                self.read(name, row[1], row[2])

    def read(self, name, op, rest):
        if op == "stmxcsr":
            self.guarded.add(name)
        elif ARITHMETIC.match(op):
            self.computes.setdefault(name, op)
        elif op.startswith(("call", "j")):
            target = re.search(r"<([^>+]+)(?:\+0x[0-9a-f]+)?>", rest)
            if target and target[1] != name:
                self.calls[name].add(target[1])
            elif "*" in rest and op.startswith("call"):
                self.by_pointer[name] = rest

    def unguarded(self, name, path, seen):
        """The calls from `name` to arithmetic under the caller's state, or None."""
        path = path + [name]
        if name.endswith("@plt"):
            return path if NUMBERS_IN_C_LIBRARY.match(name[:-4]) else None
        if name in self.guarded or name in seen or name in END:
            return None
        seen.add(name)
        if name in self.computes:
            return path + [self.computes[name]]
        if name in self.by_pointer:
            return path + ["a call by pointer"]
        ways = (self.unguarded(callee, path, seen) for callee in sorted(self.calls.get(name, ())))
        return next((way for way in ways if way), None)


def main():
    if platform.machine() not in ("x86_64", "AMD64"):
        print("skipped: this test reads x86-64 code only")
        return 0
    path = os.path.join(os.environ["CELSIUS_BUILD_DIR"], "libcelsius.so")
    exported = {row.split()[-1] for row in lines("nm", "-D", "--defined-only",
                                                 path) if " T cel_" in row}
    code = Code(path)
    ways = {name: code.unguarded(name, [], set()) for name in sorted(exported)}
    faults = [way for name, way in ways.items() if way and name not in EXACT]
    for way in faults:
        print(f"{way[0]} computes under the caller's floating-point state; add CELI_FLOATS "
              f"({' > '.join(way)})")
    guarded = len(exported & code.guarded)
    print(f"{len(exported)} exported functions, {guarded} set the state, "
          f"{len(exported) - guarded} need not set it")
    # A change of compiler or objdump must not make this test find nothing.
    seen = {"cel_agent_update", "cel_policy_act", "cel_solve", "cel_vecenv_step"} <= code.guarded
    if not seen or len(exported) < 200 or not ways["cel_rng_uniform"]:
        print("the machine code could not be parsed")
        return 1
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())

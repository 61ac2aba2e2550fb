#!/usr/bin/env python3
"""Makes PyPI's PyTorch for Linux work on a machine without CUDA, and without CUDA's 4.3 GB.

    pip install --no-deps torch
    python bench/peers/cpu_torch.py

PyPI's wheel for Linux x86-64 is the CUDA build. Its libraries depend on about twelve CUDA
libraries, so `import torch` fails without them, although nothing on the CPU calls them. This script
writes a stand-in for each of them into torch/lib: a shared object of the same name, whose functions
all return 100, "no CUDA device". It does not change PyTorch's own files. PyTorch then finds no GPU
and computes on the CPU with the same code as always. At the end the script computes a matrix
product and its gradient as a check.

Run it again after every change of the torch package. It needs gcc and the objdump of binutils.
Exit codes: 0 done (or nothing to do), 1 failed, with the reason on standard error.
"""

import argparse
import importlib.util
import pathlib
import re
import subprocess
import sys
import tempfile

# Libraries that only a CUDA build needs. PyTorch's own ones (libc10_cuda) do not match.
CUDA_LIBRARY = re.compile(r"^lib(cu|nccl|nvrtc|nvshmem|nvJitLink|nvToolsExt)[A-Za-z_]*\.so")
# Their C symbols. PyTorch's own start with _Z (C++) or torch.
CUDA_SYMBOL = re.compile(r"^(__cuda|cu|nccl|nvrtc|nvshmem|nvJitLink|nvtx)")
# These functions return a text. All others return a status.
TEXT_SYMBOL = re.compile(r"(String|Name|ErrorStr)$|^ncclGetLastError$")

CHECK = """
import torch
assert not torch.cuda.is_available()
x = torch.arange(6.0).reshape(2, 3).requires_grad_()
(x @ x.T).sum().backward()
assert torch.equal(x.grad, 2 * x.sum(0, keepdim=True).expand(2, 3)), x.grad
print("torch", torch.__version__, "computes on the CPU")
"""


def objdump(flag, path):
    return subprocess.run(
        ["objdump", flag, str(path)], check=True, capture_output=True, text=True
    ).stdout.splitlines()


def needed(path):
    """The names of the shared objects that the file depends on."""
    return [line.split()[1] for line in objdump("-p", path) if line.split()[:1] == ["NEEDED"]]


def undefined(path):
    """(symbol, version) of each undefined symbol of the file. The version may be ''."""
    for line in objdump("-T", path):
        if "*UND*" not in line:
            continue
        fields = line.split("*UND*", 1)[1].split()  # size, version (may be absent), name
        version = fields[1].strip("()") if len(fields) > 2 else ""
        yield fields[-1], "" if version == "Base" else version


def collect(lib_dir):
    """{library: {version: {symbols}}} that PyTorch's libraries need from CUDA's."""
    wanted, unversioned = {}, set()
    for path in sorted(lib_dir.glob("*.so*")):
        if CUDA_LIBRARY.match(path.name):
            continue  # a stand-in of an earlier run, or a bundled library
        for name in needed(path):
            if CUDA_LIBRARY.match(name):
                wanted.setdefault(name, {})
        for symbol, version in undefined(path):
            if CUDA_LIBRARY.match(version):
                wanted.setdefault(version, {}).setdefault(version, set()).add(symbol)
            elif CUDA_SYMBOL.match(symbol):
                unversioned.add(symbol)
    if wanted:  # a symbol without a version may be in any library
        first = next((name for name in wanted if name.startswith("libcudart")), min(wanted))
        wanted[first].setdefault("", set()).update(unversioned)
    return wanted


def write_stub(lib_dir, name, versions, work):
    """Compiles lib_dir/name, which defines the given symbols under the given versions."""
    symbols = sorted(set().union(*versions.values())) if versions else []
    source, script = work / "stub.c", work / "stub.map"
    lines = []
    for symbol in symbols:
        if TEXT_SYMBOL.search(symbol):
            lines.append(f'const char *{symbol}(void) {{ return "no CUDA on this machine"; }}')
        else:
            lines.append(f"long {symbol}(void) {{ return 100; }}")
    source.write_text("\n".join(lines) + "\n")
    command = ["gcc", "-shared", "-fPIC", "-fno-builtin", "-w", "-O1", f"-Wl,-soname,{name}"]
    named = {version: names for version, names in versions.items() if version}
    if named:
        script.write_text(
            "".join(f"{v} {{ global: {'; '.join(sorted(s))}; }};\n" for v, s in named.items())
        )
        command.append(f"-Wl,--version-script={script}")
    subprocess.run([*command, "-o", str(lib_dir / name), str(source)], check=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.parse_args()
    spec = importlib.util.find_spec("torch")
    if spec is None or not spec.submodule_search_locations:
        sys.exit("cpu_torch: torch is not installed: pip install --no-deps torch")
    lib_dir = pathlib.Path(spec.submodule_search_locations[0]) / "lib"
    try:
        wanted = collect(lib_dir)
        with tempfile.TemporaryDirectory() as work:
            for name, versions in sorted(wanted.items()):
                write_stub(lib_dir, name, versions, pathlib.Path(work))
    except (OSError, subprocess.CalledProcessError) as error:
        sys.exit(f"cpu_torch: {error} (gcc and objdump are needed: apt-get install gcc binutils)")
    print(f"cpu_torch: {len(wanted)} CUDA libraries replaced in {lib_dir}")
    check = subprocess.run([sys.executable, "-c", CHECK], check=False)
    if check.returncode:
        sys.exit("cpu_torch: this torch does not run with stand-ins; 'pip install torch' installs "
                 "the CUDA libraries themselves (4.3 GB)")


if __name__ == "__main__":
    main()

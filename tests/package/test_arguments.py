"""Calls every public function with each pointer NULL in turn, and with zeroed structs.

A call must be refused and must never crash. The functions and their parameters are read from the
public headers and compared with the symbols that libcelsius.so exports, so a new function is tested
automatically. Each call is made in a forked child. A parameter that may be NULL is listed in
NULLABLE. Every other one must give CEL_E_ARGUMENT if the function returns a status.
"""
import ctypes
import glob
import os
import re
import subprocess
import sys
import tempfile
import unittest

SOURCE, BUILD = os.environ["CELSIUS_SOURCE_DIR"], os.environ["CELSIUS_BUILD_DIR"]
SO = os.path.join(BUILD, "libcelsius.so")
ARGUMENT, STATE = 2, 13
SCRATCH = 1 << 20

# Parameters that may be NULL according to the headers.
NULLABLE = {
    "cel_agent_act": {"episode_start"},
    "cel_agent_create": {"config", "options"},
    "cel_agent_load": {"extra", "replay_folder"},
    "cel_agent_save": {"extra", "replay_folder"},
    "cel_agent_save_alone": {"note"},
    "cel_agent_update_watched": {"stop", "user"},
    "cel_certify": {"options"},
    "cel_conservative_iteration": {"config", "last"},
    "cel_env_check": {"options"},
    "cel_env_spec_create": {"config", "options"},
    "cel_evaluate": {"lengths", "result", "returns"},
    "cel_evaluate_watched": {"hooks", "lengths", "result", "returns"},
    "cel_export": {"name"},
    "cel_fail": {"format"},
    "cel_fail_in": {"format"},
    "cel_fields_find": {"table"},
    "cel_fields_get": {"text"},
    "cel_learn": {"hooks"},
    "cel_mdp_env_spec": {"options"},
    "cel_mdp_states_where": {"count"},
    "cel_solve_total": {"target"},
    "cel_mdp_evaluate": {"Q", "bound"},
    "cel_mdp_generate": {"config"},
    "cel_multigoal_solve": {"grid"},
    "cel_plot_certificate": {"title"},
    "cel_plot_error": {"point", "subtitle", "title"},
    "cel_plot_grid": {"options", "subtitle"},
    "cel_plot_runs": {"folders", "options"},
    "cel_plot_sweep": {"point", "subtitle", "title"},
    "cel_policy_project": {"weight", "within"},
    "cel_q_certificate": {"bound", "residual"},
    "cel_q_learning": {"config"},
    "cel_render": {"options"},
    "cel_render_gif": {"options"},
    "cel_run_model": {"which"},
    "cel_run_open": {"which"},
    "cel_safetensors_write": {"meta"},
    "cel_safetensors_write_list": {"meta"},
    "cel_set_assert_hook": {"hook"},
    "cel_setup_get": {"text"},
    "cel_setup_train": {"hooks", "result"},
    "cel_space_describe": {"text"},
    "cel_soft_policy_gradient": {"weight"},
    "cel_svgd_run": {"data", "options"},
    "cel_tensors_declare": {"place"},
    "cel_train": {"algo_config", "env_config", "env_options", "hooks", "result"},
    "cel_train_resume": {"hooks", "result"},
    "cel_verify": {"options"},
    "cel_yaml_read": {"sections"},
    "cel_yaml_write": {"sections"},
}

# Opaque structs. Callers fill in all others, so a zeroed one must be refused.
OPAQUE = {"CelAgent", "CelPolicy", "CelTensors", "CelSafetensors", "CelGuarantee", "CelMdpBuilder",
          "CelFile", "CelZoo"}


def pieces(text):
    """Splits at the commas outside of parentheses."""
    parts, depth, now = [], 0, ""
    for c in text:
        depth += (c == "(") - (c == ")")
        if c == "," and depth == 0:
            parts.append(now.strip())
            now = ""
        else:
            now += c
    return [part for part in parts + [now.strip()] if part not in ("", "void")]


class Parameter:
    def __init__(self, text):
        self.array = bool(re.search(r"\[[^\]]*\]$", text))
        bare = re.sub(r"\[[^\]]*\]$", "", text)
        self.name = "..." if text == "..." else re.search(r"(\w+)$", bare).group(1)
        self.type = " ".join(bare[: len(bare) - len(self.name)].split())
        self.pointer = "*" in self.type or self.array or self.type == "CelScore"


class Function:
    def __init__(self, result, name, parameters):
        self.result, self.name = " ".join(result.split()), name
        self.parameters = [Parameter(p) for p in pieces(" ".join(parameters.split()))]


def read_headers():
    functions = {}
    for path in sorted(glob.glob(os.path.join(SOURCE, "include", "celsius", "*.h"))):
        with open(path) as file:
            text = re.sub(r"//[^\n]*", "", file.read())
        for match in re.finditer(r"CEL_API\s+([^;{]*?)\b(cel_\w+)\s*\(([^;]*?)\)\s*"
                                 r"(?:CEL_WARN_UNUSED|CEL_PRINTF\([^)]*\))?\s*;", text, re.S):
            function = Function(*match.groups())
            functions[function.name] = function
    return functions


class Meta(ctypes.Structure):
    _fields_ = [("key", ctypes.c_char_p), ("value", ctypes.c_char_p)]


class Color(ctypes.Structure):
    _fields_ = [(name, ctypes.c_float) for name in "rgba"]


class Large(ctypes.Structure):
    """Memory for any struct that is returned by value through a hidden pointer."""
    _fields_ = [("bytes", ctypes.c_char * (1 << 17))]


NUMBERS = {"int": ctypes.c_int, "int64_t": ctypes.c_int64, "uint64_t": ctypes.c_uint64,
           "bool": ctypes.c_bool,
           "uint32_t": ctypes.c_uint32, "size_t": ctypes.c_size_t, "unsigned": ctypes.c_uint,
           "double": ctypes.c_double, "CelStatus": ctypes.c_int}
# Numbers that make a call valid; 1 for all others.
SENSIBLE = {"gamma": 0.9, "alpha": 0.1, "tolerance": 1e-6, "method": 0, "mode": 2, "p": 0, "i": 0,
            "begin": 0, "end": 1,
            "roles": 3, "ndim": 1, "size": 64, "n_meta": 0, "low": 0.0, "high": 1.0,
            "n_sections": 0, "abi": 1}


class World:
    """Valid arguments by type. They are made once, because the children cannot change them."""

    def __init__(self):
        self.so = so = ctypes.CDLL(SO)
        self.folder = tempfile.mkdtemp(prefix="celsius-arguments-")
        self.kept = []
        path = os.path.join(self.folder, "file.safetensors").encode()

        def call(name, *args, result=ctypes.c_int):
            function = getattr(so, name)
            function.restype = result
            value = function(*args)
            if result is ctypes.c_int and value != 0:
                so.cel_error.restype = ctypes.c_char_p
                raise RuntimeError(f"{name}: {so.cel_error().decode()}")
            return value

        def made(name, *args):
            out = ctypes.c_void_p()
            call(name, ctypes.byref(out), *args)
            return out

        spec = made("cel_env_spec_create", b"FrozenLake-v1", None, None)
        mdp = made("cel_mdp_generate", b"frozenlake-4x4", None)
        observation, action = self.zeros(1 << 17), self.zeros(1 << 17)
        box = call("cel_space_box", ctypes.c_int64(16), ctypes.c_double(0), ctypes.c_double(1),
                   result=Large)
        discrete = call("cel_space_discrete", ctypes.c_int64(4), result=Large)
        for space, value in ((observation, box), (action, discrete)):
            ctypes.memmove(space, ctypes.byref(value), 1 << 17)
        agent = made("cel_agent_create", b"ppo", None, observation, action, None)
        call("cel_agent_save_model", agent, path)
        tensors = ctypes.c_void_p()
        call("cel_tensors_create", ctypes.byref(tensors))
        so.cel_run_fields.restype = ctypes.c_void_p
        solution = ctypes.c_void_p()
        call("cel_multigoal_solve", self.plane(), ctypes.c_double(0.5), ctypes.c_double(1),
             self.bytes(ctypes.c_int64(56), ctypes.c_double(1e-2)), ctypes.byref(solution))
        self.by_type = {
            "CelAgent": agent, "CelEnvSpec": spec, "CelMdp": mdp, "CelTensors": tensors,
            "CelPolicy": made_policy(so, path), "CelSafetensors": made_file(so, path),
            "CelMdpBuilder": made("cel_mdp_builder_create", ctypes.c_int64(4), ctypes.c_double(0.9),
                                  ctypes.c_int64(0)),
            "CelGuarantee": made("cel_guarantee_create", mdp, agent, ctypes.c_double(0.9)),
            "CelSetup": made("cel_setup_create", b"ppo", b"CartPole-v1"), "CelSpace": observation,
            "CelMultigoal": self.plane(), "CelMultigoalSolution": solution,
            "CelField": ctypes.c_void_p(so.cel_run_fields()),
            "CelFile": made("cel_file_open", os.path.join(self.folder, "written").encode()),
            "CelZoo": made_zoo(so, os.path.join(self.folder, "zoo.yml")),
        }
        self.path = path
        self.pool = [self.zeros() for _ in range(12)]

    def zeros(self, size=SCRATCH):
        block = ctypes.create_string_buffer(size)
        self.kept.append(block)
        return block

    def bytes(self, *values):
        block = self.zeros(256)
        at = 0
        for value in values:
            ctypes.memmove(ctypes.byref(block, at), ctypes.byref(value), ctypes.sizeof(value))
            at += 8
        return block

    def plane(self):
        return self.bytes(*(ctypes.c_double(x) for x in (5, 1, 100, 1, 1, 1, 7, 0.1)))

    def argument(self, p, k):
        """A valid value of parameter number k."""
        if p.type == "CelColor":
            return Color(0, 0, 0, 1)
        if not p.pointer:
            kind = NUMBERS.get(p.type, ctypes.c_int)  # an enum is an int
            value = SENSIBLE.get(p.name, 1)
            return kind(value if kind is ctypes.c_double else int(value))
        base = re.sub(r"\b(const|struct)\b", "", p.type).replace(" ", "")
        name = base.rstrip("*")
        if base == "char*" and p.type.startswith("const"):
            return ctypes.c_char_p(self.path if p.name == "path" else b"x")
        if base.count("*") == 1 and name in self.by_type:
            return self.by_type[name]
        return self.pool[k % len(self.pool)]


def made_policy(so, path):
    out = ctypes.c_void_p()
    assert so.cel_policy_load(path, ctypes.byref(out)) == 0
    return out


def made_file(so, path):
    out = ctypes.c_void_p()
    assert so.cel_safetensors_open(path, ctypes.byref(out)) == 0
    return out


def made_zoo(so, path):
    with open(path, "w") as file:
        file.write("x: {n_envs: 2}\n")
    out = ctypes.c_void_p()
    assert so.cel_zoo_open(path.encode(), ctypes.byref(out)) == 0
    return out


def result_type(text):
    if text == "void":
        return None
    if text == "CelMeta":
        return Meta
    if "*" in text:
        return ctypes.c_void_p
    if text in NUMBERS:
        return NUMBERS[text]
    return Large


def attempt(world, function, args):
    """Makes the call in a child. Returns its status (None: no status) or "signal N"."""
    pid = os.fork()
    if pid == 0:
        try:
            os.chdir(world.folder)
            call = getattr(world.so, function.name)
            call.restype = result_type(function.result)
            value = call(*args)
            os._exit(100 + value if function.result == "CelStatus" and 0 <= value < 100 else 0)
        except BaseException as error:  # pylint: disable=broad-except
            print(f"{function.name}: {error!r}", file=sys.stderr)
            os._exit(99)
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status):
        return f"signal {os.WTERMSIG(status)}"
    code = os.WEXITSTATUS(status)
    if code == 99:
        return "the test itself failed; see the error output"
    return code - 100 if code >= 100 else None


# Slow functions, or ones with a callback. Only their required pointers are tested.
SLOW = {"cel_verify", "cel_verify_equations", "cel_train", "cel_train_resume", "cel_svgd_run"}


class Arguments(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.functions = read_headers()
        cls.world = World()

    @classmethod
    def tearDownClass(cls):
        subprocess.run(["rm", "-rf", cls.world.folder], check=True)

    def test_every_exported_function_is_declared(self):
        listed = subprocess.run(["nm", "-D", "--defined-only", "--format=posix", SO], check=True,
                                capture_output=True, text=True).stdout
        exported = {line.split()[0].split("@")[0] for line in listed.splitlines()}
        self.assertEqual(exported, set(self.functions))
        self.assertGreater(len(exported), 250)

    def test_null_in_turn(self):
        tried = 0
        for function in self.functions.values():
            for k, p in enumerate(function.parameters):
                if not p.pointer:
                    continue
                may = p.name in NULLABLE.get(function.name,
                                             ()) or function.name.endswith(("_destroy", "_close"))
                if may and function.name in SLOW:
                    continue
                args = [None if i == k else self.world.argument(q, i) for i,
                        q in enumerate(function.parameters)
                        if q.name != "..."]
                came = attempt(self.world, function, args)
                tried += 1
                with self.subTest(function=function.name, parameter=p.name):
                    self.assertNotIsInstance(came, str, came)
                    if function.result == "CelStatus" and not may:
                        self.assertIn(came, (ARGUMENT, STATE))
        self.assertGreater(tried, 400)

    def test_all_null(self):
        for function in self.functions.values():
            if not any(p.pointer for p in function.parameters):
                continue
            args = [None if p.pointer else self.world.argument(p, i) for i,
                    p in enumerate(function.parameters) if p.name != "..."]
            with self.subTest(function=function.name):
                self.assertNotIsInstance(attempt(self.world, function, args), str)

    def test_zeroed_structs(self):
        tried = 0
        for function in self.functions.values():
            if function.name in SLOW or function.name.endswith(("_destroy", "_close")):
                continue
            for k, p in enumerate(function.parameters):
                name = re.sub(r"\b(const|struct)\b", "", p.type).replace(" ", "")
                if not name.startswith("Cel") or name.count("*") != 1 or name.rstrip("*") in OPAQUE:
                    continue
                args = [self.world.pool[11] if i == k else self.world.argument(q, i)
                        for i, q in enumerate(function.parameters) if q.name != "..."]
                came = attempt(self.world, function, args)
                tried += 1
                with self.subTest(function=function.name, zeroed=p.name):
                    self.assertNotIsInstance(came, str, came)
        self.assertGreater(tried, 80)


if __name__ == "__main__":
    unittest.main()

"""Every member of every public config struct has a comment, with the range and the default of its field table.

A struct is found by its table's comment in the header, "Returns the field table of NAME.". The tables are read from
libcelsius.so, so a comment that contradicts the table fails here.
"""
import ctypes
import glob
import os
import re
import unittest

SOURCE, BUILD = os.environ["CELSIUS_SOURCE_DIR"], os.environ["CELSIUS_BUILD_DIR"]
TYPES = "bool int u64 double enum string path int_list schedule auto group".split()
SHARED = {"CelOnPolicyConfig", "CelOffPolicyConfig"}  # without a table of their own
VARIED = {"CelOffPolicyConfig", "CelOnPolicyConfig"}  # a comment names the defaults of several learners


class Field(ctypes.Structure):
    """CelField of celsius/field.h."""
    _fields_ = [("name", ctypes.c_char_p), ("type", ctypes.c_int), ("offset", ctypes.c_size_t), ("default", ctypes.c_char_p),
                ("min", ctypes.c_double), ("max", ctypes.c_double), ("unit", ctypes.c_char_p), ("choices", ctypes.c_char_p),
                ("group", ctypes.c_void_p), ("doc", ctypes.c_char_p), ("source", ctypes.c_char_p), ("omit_default", ctypes.c_bool)]


def read_headers():
    """Struct -> {member: (type, comment)}, and struct -> function of its table."""
    structs, tables = {}, {}
    for path in sorted(glob.glob(os.path.join(SOURCE, "include", "celsius", "*.h"))):
        with open(path) as file:
            text = file.read()
        for match in re.finditer(r"^typedef struct (\w+) \{\n(.*?)^\} \1;", text, re.S | re.M):
            members, comment = {}, []
            for line in match.group(2).split("\n"):
                if line.strip().startswith("///"):
                    comment.append(line.strip()[3:].strip())
                    continue
                found = re.match(r"\s*(.*?)[ *]\(?\*?(\w+)(?:\[\w+\])?(?:\)\(.*)?;", line)
                if found:
                    members[found.group(2)] = (found.group(1), " ".join(comment))
                comment = []
            structs[match.group(1)] = members
        for match in re.finditer(r"/// Returns the field table of (\w+)\.[^\n]*\nCEL_API const CelField \*(\w+)\(void\);", text):
            tables[match.group(1)] = match.group(2)
    return structs, tables


def read_table(so, function):
    call = getattr(so, function)
    call.restype = ctypes.POINTER(Field)
    table, fields, i = call(), [], 0
    while table[i].name:
        fields.append(table[i])
        i += 1
    return fields


def number(text):
    try:
        return float(text)
    except ValueError:
        return None


def has_range(comment, low, high):
    if low <= -1e300 and high >= 1e300:
        return True  # every number
    if 1 - 1e-15 < high < 1:
        return "just below 1" in comment
    return any(number(a) == low and number(b) == high for a, b in re.findall(r"(\S+) to ([^\s,;]+?)\.?(?=[\s,;]|$)", comment))


def has_default(comment, field, varied):
    default = (field.default or b"").decode()
    kind = TYPES[field.type]
    if kind == "enum":
        return re.search(rf"\bCEL_\w+_{re.escape(default.upper())}\b", comment) is not None
    if kind == "auto" and default == "auto":
        return 'default NAN ("auto")' in comment or 'Default NAN ("auto")' in comment
    if default == "auto":  # a list
        return 'efault n = -1 ("auto")' in comment
    if kind in ("string", "path"):
        return f'efault "{default}"' in comment
    words = [word.strip(".,;()") for word in re.split(r"[Dd]efault", comment, maxsplit=1)[-1].split()]
    words = words if varied else words[:1]
    return default in words or (number(default) is not None and number(default) in [number(word) for word in words])


class ConfigComments(unittest.TestCase):
    def setUp(self):
        self.so = ctypes.CDLL(os.path.join(BUILD, "libcelsius.so"))
        self.structs, self.tables = read_headers()

    def member(self, struct, name):
        """Type, comment and struct of a member; those of a shared struct count as the learner's own."""
        members = self.structs[struct]
        if name in members:
            return members[name][1], struct
        common = members.get("common", ("", ""))[0]
        return self.structs.get(common, {}).get(name, ("", None))[1], common

    def test_every_table_has_its_struct(self):
        declared = set()
        for path in glob.glob(os.path.join(SOURCE, "include", "celsius", "*.h")):
            with open(path) as file:
                declared |= set(re.findall(r"CEL_API const CelField \*(cel_\w+_fields)\(void\)", file.read()))
        self.assertEqual(declared, set(self.tables.values()))
        self.assertGreater(len(declared), 15)
        for struct in self.tables:
            self.assertIn(struct, self.structs)

    def test_fields(self):
        checked = 0
        for struct, function in self.tables.items():
            for field in read_table(self.so, function):
                name = field.name.decode()
                comment, owner = self.member(struct, name)
                with self.subTest(struct=struct, field=name):
                    self.assertTrue(comment, "a comment above the member, which says what it does")
                    if field.min < field.max:
                        self.assertTrue(has_range(comment, field.min, field.max),
                                        f"the range {field.min:g} to {field.max:g} in: {comment}")
                    if owner in VARIED:
                        comment += " default " + self.structs[struct]["common"][1]
                    self.assertTrue(has_default(comment, field, owner in VARIED), f"the default {field.default} in: {comment}")
                checked += 1
        self.assertGreater(checked, 250)

    def test_every_member_has_a_comment(self):
        for struct in list(self.tables) + sorted(SHARED) + ["CelAgentOptions", "CelEnvCheckOptions", "CelMdpLoadOptions",
                                                            "CelMultigoal", "CelRunHooks", "CelSvgdOptions", "CelVerifyOptions"]:
            for name, (_, comment) in self.structs[struct].items():
                with self.subTest(struct=struct, member=name):
                    self.assertGreater(len(comment.split()), 2)


if __name__ == "__main__":
    unittest.main()

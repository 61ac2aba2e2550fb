"""Reads pickles as data. Nothing is imported, called or evaluated.

A pickle is a program for a small stack machine. This module runs that machine, but where a pickle
names a class or a function, the result is a `Name`, and where it calls one, an `Object` that holds
the name, the arguments and the state. Functions of `calls` make values of a few known calls.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .errors import FormatError

_DEPTH = 10_000  # values on the stack


@dataclass(frozen=True)
class Name:
    """A class or function that a pickle names: "torch.nn.modules.activation", "ReLU"."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


@dataclass(eq=False)
class Object:
    """What a call in a pickle would make."""

    name: Any
    arguments: tuple[Any, ...]
    state: Any = None
    items: list[Any] = field(default_factory=list)
    entries: list[tuple[Any, Any]] = field(default_factory=list)

    def get(self, key: str, default: Any = None) -> Any:
        """Returns an attribute of the object's state."""
        state = self.state
        if isinstance(state, tuple) and len(state) == 2 and isinstance(state[0], dict | None):
            state = {**(state[0] or {}), **(state[1] if isinstance(state[1], dict) else {})}
        return state.get(key, default) if isinstance(state, dict) else default


Call = Callable[[tuple[Any, ...]], Any]
_MARK = object()
_PUSHES = {
    "NONE": None, "NEWTRUE": True, "NEWFALSE": False,
}  # fmt: skip
_CONSTANTS = frozenset(
    "INT LONG LONG1 LONG4 BININT BININT1 BININT2 FLOAT BINFLOAT STRING BINSTRING SHORT_BINSTRING "
    "UNICODE BINUNICODE BINUNICODE8 SHORT_BINUNICODE BINBYTES BINBYTES8 SHORT_BINBYTES "
    "BYTEARRAY8".split()
)
_TUPLES = {"EMPTY_TUPLE": 0, "TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


class _Machine:
    def __init__(
        self, calls: Mapping[str, Call], persistent: Callable[[Any], Any] | None, strict: bool
    ) -> None:
        self.calls, self.persistent, self.strict = calls, persistent, strict
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def pop(self) -> Any:
        if not self.stack or self.stack[-1] is _MARK:
            raise FormatError("the pickle takes a value from an empty stack")
        return self.stack.pop()

    def pop_to_mark(self) -> list[Any]:
        for i in range(len(self.stack) - 1, -1, -1):
            if self.stack[i] is _MARK:
                values = self.stack[i + 1 :]
                del self.stack[i:]
                return values
        raise FormatError("the pickle has no mark where it needs one")

    def top(self, kind: type) -> Any:
        if not self.stack or not isinstance(self.stack[-1], kind):
            raise FormatError(f"the pickle needs a {kind.__name__} where it has another value")
        return self.stack[-1]

    def name(self, module: Any, name: Any) -> Any:
        if not isinstance(module, str) or not isinstance(name, str):
            raise FormatError("the pickle names a function by something that is no text")
        full = Name(module, name)
        if self.strict and str(full) not in self.calls:
            raise FormatError(f"the file names {full}, which is not allowed in it")
        return full

    def call(self, target: Any, arguments: Any) -> Any:
        if not isinstance(arguments, tuple):
            raise FormatError("the pickle calls a function with arguments that are no tuple")
        made = self.calls.get(str(target)) if isinstance(target, Name) else None
        if made is not None:
            return made(arguments)
        if self.strict or not isinstance(target, Name | Object):
            raise FormatError(f"the file calls {target}, which is not allowed in it")
        return Object(target, arguments)

    def build(self, state: Any) -> None:
        target = self.stack[-1] if self.stack else None
        if isinstance(target, Object):
            target.state = state
        elif (set_state := getattr(target, "set_pickle_state", None)) is not None:
            set_state(state)
        elif isinstance(target, dict) and isinstance(state, dict):
            pass  # attributes of an OrderedDict, such as torch's _metadata
        else:
            raise FormatError("the pickle sets the state of a value that has none")

    def append(self, values: list[Any]) -> None:
        target = self.stack[-1] if self.stack else None
        if isinstance(target, Object):
            target.items.extend(values)
        elif isinstance(target, list):
            target.extend(values)
        else:
            raise FormatError("the pickle appends to a value that is no list")

    def set_items(self, values: list[Any]) -> None:
        if len(values) % 2:
            raise FormatError("the pickle has a key without a value")
        target = self.stack[-1] if self.stack else None
        for key, value in zip(values[::2], values[1::2], strict=True):
            if isinstance(target, Object):
                target.entries.append((key, value))
            elif isinstance(target, dict) and isinstance(key, str | int | bytes | None):
                target[key] = value
            else:
                raise FormatError("the pickle has a key that is neither text nor number")

    def step(self, code: str, argument: Any) -> None:  # noqa: C901
        stack = self.stack
        if code in _CONSTANTS:
            stack.append(argument)
        elif code in _PUSHES:
            stack.append(_PUSHES[code])
        elif code == "MARK":
            stack.append(_MARK)
        elif code in ("PUT", "BINPUT", "LONG_BINPUT"):
            self.memo[argument] = self.top(object)
        elif code == "MEMOIZE":
            self.memo[len(self.memo)] = self.top(object)
        elif code in ("GET", "BINGET", "LONG_BINGET"):
            if argument not in self.memo:
                raise FormatError("the pickle refers to a value that it does not have")
            stack.append(self.memo[argument])
        elif code in _TUPLES:
            values = [self.pop() for _ in range(_TUPLES[code])]
            stack.append(tuple(reversed(values)))
        elif code == "TUPLE":
            stack.append(tuple(self.pop_to_mark()))
        elif code == "EMPTY_LIST":
            stack.append([])
        elif code == "LIST":
            stack.append(self.pop_to_mark())
        elif code == "EMPTY_DICT":
            stack.append({})
        elif code == "DICT":
            values = self.pop_to_mark()
            stack.append({})
            self.set_items(values)
        elif code in ("APPEND", "APPENDS"):
            values = [self.pop()] if code == "APPEND" else self.pop_to_mark()
            self.append(values)
        elif code in ("SETITEM", "SETITEMS"):
            if code == "SETITEM":
                value = self.pop()
                values = [self.pop(), value]
            else:
                values = self.pop_to_mark()
            self.set_items(values)
        elif code == "GLOBAL":
            module, _, name = str(argument).partition(" ")
            stack.append(self.name(module, name))
        elif code == "STACK_GLOBAL":
            name = self.pop()
            stack.append(self.name(self.pop(), name))
        elif code in ("REDUCE", "NEWOBJ"):
            arguments = self.pop()
            stack.append(self.call(self.pop(), arguments))
        elif code == "NEWOBJ_EX":
            self.pop()
            arguments = self.pop()
            stack.append(self.call(self.pop(), arguments))
        elif code == "BUILD":
            state = self.pop()
            self.build(state)
        elif code == "BINPERSID" and self.persistent:
            stack.append(self.persistent(self.pop()))
        elif code == "POP":
            self.pop()
        elif code == "POP_MARK":
            self.pop_to_mark()
        elif code not in ("PROTO", "FRAME"):
            raise FormatError(f"the pickle has the instruction {code}, which is not allowed in it")
        if len(stack) > _DEPTH:
            raise FormatError(f"the pickle has more than {_DEPTH} values on its stack")


def load(
    data: bytes,
    calls: Mapping[str, Call] | None = None,
    persistent: Callable[[Any], Any] | None = None,
    strict: bool = False,
) -> Any:
    """Returns what a pickle describes.

    calls: by "module.name", functions that make a value from the arguments of a call.
    persistent: makes a value from a persistent id. strict: other names and calls are errors.
    Raises FormatError.
    """
    machine = _Machine(calls or {}, persistent, strict)
    try:
        for code, argument, _ in pickletools.genops(data):
            if code.name == "STOP":
                if len(machine.stack) != 1 or machine.stack[0] is _MARK:
                    raise FormatError("the pickle does not end with one value")
                return machine.stack[0]
            machine.step(code.name, argument)
    except FormatError:
        raise
    except (ValueError, UnicodeError, OverflowError, RecursionError, MemoryError) as broken:
        raise FormatError(f"the pickle is broken: {broken}") from None
    raise FormatError("the pickle has no end")

"""The binding: every public function, exceptions by kind, config structs, arrays."""

import gc
import os
import re
import weakref
from pathlib import Path

import numpy as np
import pytest

import celsius
from celsius import errors
from celsius._fields import _KINDS, Config, rows
from celsius._native import array_view, check, contiguous, ffi, lib, own, pointer, text

INCLUDE = Path(__file__).parents[2] / "include" / "celsius"


def test_every_public_function_is_bound() -> None:
    names: set[str] = set()
    for header in INCLUDE.glob("*.h"):
        code = re.sub(r"//[^\n]*", "", header.read_text(encoding="utf-8"))
        names.update(re.findall(r"CEL_API[^;{]*?\b(cel_\w+)\(", code))
    assert len(names) > 250
    assert sorted(name for name in names if not hasattr(lib, name)) == []


def test_version_is_that_of_the_headers() -> None:
    assert celsius.__version__ == text(lib.CEL_VERSION)


def test_errors_by_kind(tmp_path: Path) -> None:
    out = ffi.new("CelPolicy **")
    missing = os.fsencode(tmp_path / "missing.safetensors")
    with pytest.raises(FileNotFoundError, match="missing.safetensors") as raised:
        check(lib.cel_policy_load(missing, out))
    assert isinstance(raised.value, celsius.Error)
    assert raised.value.status == lib.CEL_E_IO
    (tmp_path / "text").write_text("no model")
    with pytest.raises(errors.FormatError):
        check(lib.cel_policy_load(os.fsencode(tmp_path / "text"), out))
    info = ffi.new("CelAlgoInfo **")
    with pytest.raises(ValueError, match="did you mean 'sac'|sac"):
        check(lib.cel_algo_find(b"sax", info))


def test_every_status_has_an_exception() -> None:
    statuses = [getattr(lib, name) for name in dir(lib) if name.startswith("CEL_E_")]
    numbers = [s for s in statuses if text(lib.cel_status_name(s)).startswith("CEL_E_")]
    assert len(numbers) == 14
    for status in numbers:
        lib.cel_fail(status, b"%s", ffi.new("char[]", b"what happened"))
        with pytest.raises(celsius.Error, match="what happened") as raised:
            check(status)
        assert type(raised.value) is not celsius.Error
        assert raised.value.status == status


def test_fields_set_and_get() -> None:
    info = own_algo("sac")
    config = Config.of_size(info.fields, info.config_size)
    assert config.get("batch_size") == 256
    assert config.get("ent_coef") == "auto"
    config.set("batch_size", 64)
    config.set("net_arch", [32, 16])
    config.set("learning_rate", 0.1 + 0.2)
    config.set("layer_norm", True)
    config.set("noise", "ou")
    assert config.get("batch_size") == 64
    assert config.get("net_arch") == [32, 16]
    assert config.get("learning_rate") == 0.1 + 0.2
    assert config.get("layer_norm") is True
    assert config.get("noise") == "ou"
    with pytest.raises(errors.NameNotFoundError, match="batch_size"):
        config.set("batchsize", 3)
    with pytest.raises(errors.RangeError, match="batch_size"):
        config.set("batch_size", 0)
    with pytest.raises(TypeError, match="batch_size"):
        config.set("batch_size", lambda _: 3)


def test_schedule_as_a_function() -> None:
    info = own_algo("sac")
    config = Config.of_size(info.fields, info.config_size)
    config.set("learning_rate", lambda left: 0.5 * left)
    row = lib.cel_fields_find(info.fields, b"learning_rate")
    schedule = ffi.cast("CelSchedule *", ffi.cast("char *", config.data) + row.offset)
    assert lib.cel_schedule_at(schedule, 0.25) == 0.125
    config.set("learning_rate", lambda left: 1 / (left - 0.5))
    lib.cel_schedule_at(schedule, 0.5)
    with pytest.raises(ZeroDivisionError):
        check(0)


def test_rows_describe_every_field() -> None:
    for i in range(100):
        info = lib.cel_algo_at(i)
        if not info:
            break
        for row in rows(info.fields):
            assert row.name and row.doc, (text(info.name), row)
            assert (row.kind == "choice") == bool(row.choices)
    assert i > 8


def test_every_type_of_field_is_known() -> None:
    types = {getattr(lib, name) for name in dir(lib) if name.startswith("CEL_FIELD_")}
    assert types == {*_KINDS, lib.CEL_FIELD_GROUP}


def test_arrays_are_not_copied() -> None:
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    assert contiguous(array, np.float32) is array
    pointer(array)[5] = 7
    assert array[1, 2] == 7
    with pytest.raises(ValueError, match="shape"):
        contiguous(array, np.float32, (2, 4))
    assert pointer(None) == ffi.NULL


def test_view_keeps_its_owner() -> None:
    class Owner:
        pass

    owner = Owner()
    memory = ffi.new("double[]", [1.0, 2.0])
    view = array_view(memory, (2,), np.float64, owner)
    seen = weakref.ref(owner)
    del owner
    gc.collect()
    assert seen() is not None and view.tolist() == [1.0, 2.0] and not view.flags.writeable
    del view
    gc.collect()
    assert seen() is None


def test_own_frees() -> None:
    tensors = own(lib.cel_tensors_create, lib.cel_tensors_destroy)
    assert lib.cel_tensors_count(tensors) == 0


def own_algo(name: str) -> object:
    out = ffi.new("CelAlgoInfo **")
    check(lib.cel_algo_find(name.encode(), out))
    return out[0]

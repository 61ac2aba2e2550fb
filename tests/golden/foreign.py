"""Writes foreign.safetensors, a file of Python's safetensors package for tests/base/test_safetensors.c.

Every type that Celsius reads, a scalar, an empty tensor, a name that is not ASCII, metadata with escapes.
Run: python3 tests/golden/foreign.py
"""
import pathlib

import numpy as np
from safetensors.numpy import save_file

tensors = {
    "f32": (np.arange(6, dtype=np.float32) / 4 - 0.5).reshape(2, 3),
    "f64": np.array([0.1, -0.0, np.inf, np.nan, 5e-324]),
    "i32": np.array([-(2**31), 2**31 - 1], dtype=np.int32),
    "i64": np.array([[-(2**63)], [2**63 - 1]], dtype=np.int64),
    "u8": np.arange(5, dtype=np.uint8),
    "u32": np.array([2**32 - 1], dtype=np.uint32),
    "u64": np.array([2**64 - 1], dtype=np.uint64),
    "scalar": np.array(2.5, dtype=np.float64),
    "empty": np.zeros((0, 4), dtype=np.float32),
    "größe": np.array([1.5], dtype=np.float32),
}
metadata = {"format": "np", "quote": 'a "b" \\ c', "line": "a\nb\tc", "unicode": "π ≈ 3.14159 😀"}
save_file(tensors, pathlib.Path(__file__).with_name("foreign.safetensors"), metadata)

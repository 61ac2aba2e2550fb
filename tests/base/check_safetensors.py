"""Reads the file of tests/base/test_safetensors.c with Python's safetensors package."""
import sys

import numpy as np
from safetensors import safe_open

want = {
    "a.weight": (np.arange(6, dtype=np.float32) / 8).reshape(2, 3),
    "a.bias": np.array([np.inf, -0.0, np.nan], dtype=np.float32),
    "count": np.array(2**64 - 1, dtype=np.uint64),
    "x": np.array([0.1, 5e-324, -1.5]),
    "pixels": np.array([1, 2, 255], dtype=np.uint8),
    "none": np.zeros((0, 2), dtype=np.int32),
}
with safe_open(sys.argv[1], framework="numpy") as file:
    metadata = file.metadata()
    assert set(file.keys()) == set(want), list(file.keys())
    for name, values in want.items():
        got = file.get_tensor(name)
        assert got.dtype == values.dtype and got.shape == values.shape, (name, got)
        assert got.tobytes() == values.tobytes(), (name, got)
assert metadata["algo"] == "sac", metadata
assert metadata["note"] == 'a "b" \\ c\nd\té', metadata
assert len(metadata["digest"]) == 32 and len(metadata["header_digest"]) == 32, metadata

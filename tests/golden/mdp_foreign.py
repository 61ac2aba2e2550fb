"""Writes mdp_foreign.safetensors, a finite problem as somebody would write it with NumPy, for
tests/mdp/test_model_file.c: no reward by pair, no start, and thirds that are cut to ten digits.
Run: python3 tests/golden/mdp_foreign.py
"""
import pathlib

import numpy as np
from safetensors.numpy import save_file

third = 0.3333333333
tensors = {
    "pair": np.array([0, 2, 4, 5, 5]),  # state 3 is terminal
    "row": np.array([0, 2, 3, 6, 7, 8]),
    "next": np.array([0, 1, 3, 2, 1, 0, 3, 3], dtype=np.uint32),
    "probability": np.array([0.25, 0.75, 1.0, third, third, third, 1.0, 1.0]),
    "reward_next": np.array([1.0, 5.0, 2.0, 3.0, -1.0, -2.0, -1.0, 8.0]),
}
metadata = {"format": "celsius-mdp", "name": "foreign", "discount": "0.99"}
save_file(tensors, pathlib.Path(__file__).with_name("mdp_foreign.safetensors"), metadata)

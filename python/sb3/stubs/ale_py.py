"""Stands for ale_py, which Stable-Baselines3's tests import for Atari, also in child processes."""

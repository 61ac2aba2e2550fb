"""Runs RL Zoo's train.py or enjoy.py with Celsius' classes: main.py train|enjoy ARGUMENT..."""

import importlib
import sys

import celsius.zoo

script = sys.argv.pop(1)
celsius.zoo.register()
getattr(importlib.import_module(f"rl_zoo3.{script}"), script)()

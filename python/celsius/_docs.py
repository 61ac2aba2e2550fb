"""Docstrings of the learners: what each argument means, from the tables of fields in C."""

from __future__ import annotations

import inspect
from textwrap import fill
from typing import Any

from ._agent import config_of
from ._fields import Field, rows

# Arguments that have no field, or whose field says less than a user of Python needs.
ARGUMENTS = {
    "policy": '"MlpPolicy"; "MultiInputPolicy" where observations are a Dict or Tuple',
    "env": "an id, a Gymnasium environment or vector environment, or a VecEnv",
    "learning_rate": "a number, or a function of the part of training that remains, 1 to 0",
    "train_freq": "steps of each environment between updates; or (n, 'step') or (n, 'episode')",
    "action_noise": "added to the actions, scaled to [-1, 1]: an object of celsius.noise",
    "replay_buffer_class": "None; or a class of Stable-Baselines3, whose meaning the buffer in C "
    "then has",
    "replay_buffer_kwargs": "handle_timeout_termination; n_steps and gamma of NStepReplayBuffer",
    "optimize_memory_usage": "no effect on memory: each observation is stored once in any case. "
    "True warns as Stable-Baselines3 does",
    "rollout_buffer_class": "None, or RolloutBuffer or DictRolloutBuffer of Stable-Baselines3",
    "rollout_buffer_kwargs": "None: the buffer is in C",
    "use_rms_prop": "True: RMSprop; False: Adam",
    "rms_prop_eps": "term that RMSprop adds to the root of its moment",
    "sub_sampling_factor": "1: the line search uses every row",
    "stats_window_size": "episodes in the means of returns and lengths that are logged",
    "tensorboard_log": "folder for TensorBoard; None: none",
    "policy_kwargs": "the networks: net_arch, activation_fn, n_critics, optimizer_class, "
    "log_std_init and every field below",
    "verbose": "0: print nothing; 1: notes and logs",
    "seed": "of all random numbers; None: another one every time",
    "device": '"cpu" or "auto", which is the same',
    "_init_setup_model": "False: create no agent yet",
    "native": "True: the environment in C; False: Gymnasium's; None: in C where Celsius has it",
    "threads": "of the updates; any number gives the same bits",
}


def _item(name: str, said: str) -> str:
    return fill(
        f"{name}: {said}", 96, initial_indent="    ", subsequent_indent="        ",
        break_on_hyphens=False,
    )  # fmt: skip


def _said(row: Field) -> str:
    unit = f" [{row.unit}]" if row.unit else ""
    choices = f": {', '.join(row.choices)}" if row.choices else ""
    return f"{row.doc}{unit}{choices}. Default: {row.default}" if row.default else row.doc + unit


def arguments_of(cls: Any) -> dict[str, str]:
    """What each argument of a learner's constructor means."""
    fields = {row.name: row for row in rows(config_of(cls.ALGO).table)}
    out = {}
    for name, given in inspect.signature(cls.__init__).parameters.items():
        if name == "self" or given.kind is given.VAR_KEYWORD:
            continue
        row = fields.get(cls.RENAMED.get(name, name))
        out[name] = ARGUMENTS[name] if name in ARGUMENTS or row is None else row.doc
    return out


def describe(cls: Any) -> str:
    """The docstring of a learner: its first lines, its arguments, its further fields."""
    said = arguments_of(cls)
    taken = {cls.RENAMED.get(name, name) for name in said}
    more = [row for row in rows(config_of(cls.ALGO).table) if row.name not in taken]
    return "\n".join([
        inspect.cleandoc(cls.__doc__ or ""), "", "Arguments:",
        *(_item(name, text) for name, text in said.items()), "",
        "Further fields, by keyword only:", *(_item(row.name, _said(row)) for row in more), "",
    ])  # fmt: skip

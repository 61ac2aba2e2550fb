"""Celsius: maximum-entropy reinforcement learning in C, for Python.

The learners have the interface of Stable-Baselines3:

    import celsius

    model = celsius.SAC("MlpPolicy", "Pendulum-v1", verbose=1)
    model.learn(20_000)
    model.save("pendulum")
"""

from __future__ import annotations

# Exact problems, interchange, pictures and tables.
from . import mdp, native_env, sb3, tables, zoo  # isort: split

from ._certify import AgentCertificate, certify
from ._export import export, export_formats
from ._native import lib, text
from ._pictures import Picture, plot_error, plot_runs, plot_sweep
from ._verify import Check, Report, verify
from .errors import Error
from .evaluation import evaluate_policy
from .learners import (
    A2C,
    AC,
    DDPG,
    DQN,
    PPO,
    REINFORCE,
    SAC,
    SQL,
    TD3,
    TQC,
    TRPO,
    DiscreteSAC,
    SoftQ,
)
from .mdp import MDP
from .sb3 import from_sb3
from .vec_env import make_vec_env

__version__ = text(lib.cel_version())

__all__ = [
    "A2C", "AC", "DDPG", "DQN", "DiscreteSAC", "Error", "PPO", "REINFORCE", "SAC", "SQL", "SoftQ",
    "TD3", "TQC", "TRPO", "__version__", "evaluate_policy", "make_vec_env",
]  # fmt: skip
__all__ += [
    "MDP", "AgentCertificate", "Check", "Picture", "Report", "certify", "export", "export_formats",
    "from_sb3", "mdp", "plot_error", "plot_runs", "plot_sweep", "sb3", "tables", "verify", "zoo",
]  # fmt: skip

native_env.register_all()

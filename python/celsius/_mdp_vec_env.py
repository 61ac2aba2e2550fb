"""A finite problem as environments in C, for the learners."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._fields import Config
from ._native import ffi, lib, own
from ._spaces import Actions
from .errors import UnsupportedError
from .mdp import MDP
from .native_env import NativeVecEnv, gym_space
from .vec_env import VecEnv


class _Spec:
    """What NativeVecEnv needs of an environment: CelEnvSpec and its spaces."""

    def __init__(self, mdp: MDP, max_episode_steps: int) -> None:
        self.id, self.mdp = "mdp", mdp
        self.arguments = {"max_episode_steps": max_episode_steps}
        options = ffi.new("CelEnvOptions *")
        Config(lib.cel_env_option_fields(), options).set("max_episode_steps", max_episode_steps)
        self.c = own(lib.cel_mdp_env_spec, lib.cel_env_spec_destroy, mdp._c, options)
        self.observation_space = gym_space(self.c.observation)
        self.action_space = gym_space(self.c.action)

    def picture(self, state: NDArray[Any], size: int = 400) -> NDArray[Any]:
        raise UnsupportedError(
            "environments of a problem in memory have no pictures; "
            'mdp.to_env(render_mode="rgb_array") has'
        )


class MDPVecEnv(NativeVecEnv):
    """N copies of a problem, stepped in C. Observations are one-hot (S,), actions Discrete(A).

    An action that a state does not have counts as number (a mod n) of the state's n actions.
    """

    spec: Any

    def __init__(
        self, mdp: MDP, num_envs: int = 1, seed: int = 0, max_episode_steps: int = -1
    ) -> None:
        self.mdp = mdp
        self.spec = _Spec(mdp, max_episode_steps)
        VecEnv.__init__(self, num_envs, self.spec.observation_space, self.spec.action_space)
        self.metadata, self.render_mode = {"render_modes": []}, None
        self.codec = Actions(self.action_space)
        self._make(seed)

    def states_now(self) -> NDArray[np.int64]:
        """Returns the state of each environment (N,)."""
        return np.asarray(self.states[:, 0], np.int64)

    def __getstate__(self) -> dict[str, Any]:
        return {"mdp": self.mdp, "n": self.num_envs, "arguments": self.spec.arguments}

    def __setstate__(self, state: dict[str, Any]) -> None:
        MDPVecEnv.__init__(self, state["mdp"], state["n"], **state["arguments"])

"""A finite problem as a Gymnasium environment."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from .mdp import MDP


class MDPEnv(gymnasium.Env[Any, Any]):
    """A problem with observations Discrete(S) and actions Discrete(A), A = `mdp.actions`.

    An action that a state does not have counts as number (a mod n) of the state's n actions, as in
    the environment `mdp` of the library. info["action_mask"] (A,) int8 marks the others, and
    info["prob"] is the probability of the transition. Entering a terminal state, or a transition
    that ends the episode, terminates. A horizon truncates.
    """

    metadata = {"render_modes": ["ansi", "rgb_array"], "render_fps": 4}

    def __init__(self, mdp: MDP, render_mode: str | None = None) -> None:
        if mdp.actions == 0:
            raise ValueError("the problem has no action, so it cannot be an environment")
        terminal = np.diff(mdp.pair) == 0
        if np.any(mdp.start[terminal] > 0):
            s = int(np.flatnonzero(terminal & (mdp.start > 0))[0])
            raise ValueError(f"episodes may start in state {s}, which is terminal")
        if render_mode not in (None, *self.metadata["render_modes"]):
            raise ValueError(f"render_mode {render_mode!r} is not one of ansi, rgb_array")
        self.mdp = mdp
        self.render_mode = render_mode
        self.observation_space = spaces.Discrete(mdp.states)
        self.action_space = spaces.Discrete(mdp.actions)
        self._terminal = terminal
        self._begin = np.cumsum(mdp.start)
        self._state: int | None = None
        self._time = 0
        self._last: int | None = None

    def _mask(self, s: int) -> NDArray[np.int8]:
        mask = np.zeros(self.mdp.actions, np.int8)
        mask[self.mdp.pair_action[self.mdp.pair[s] : self.mdp.pair[s + 1]]] = 1
        return mask

    def _draw(self, cumulative: NDArray[np.float64]) -> int:
        """Returns the first index whose cumulative probability is above a uniform number."""
        u = self.np_random.random() * cumulative[-1]
        return min(int(np.searchsorted(cumulative, u, side="right")), cumulative.size - 1)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self._state, self._time, self._last = self._draw(self._begin), 0, None
        return self._state, {"prob": 1.0, "action_mask": self._mask(self._state)}

    def _pair(self, s: int, action: int) -> int:
        mdp = self.mdp
        first, end = int(mdp.pair[s]), int(mdp.pair[s + 1])
        numbers = mdp.pair_action[first:end]
        i = int(np.searchsorted(numbers, action))
        if i < numbers.size and numbers[i] == action:
            return first + i
        return first + action % (end - first)

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        mdp, s = self.mdp, self._state
        if s is None or self._terminal[s]:
            raise gymnasium.error.ResetNeeded("the episode has ended; call reset")
        a = int(action)
        if not 0 <= a < mdp.actions:
            raise ValueError(f"action {a} does not exist; it must be 0 to {mdp.actions - 1}")
        p = self._pair(s, a)
        begin, end = int(mdp.row[p]), int(mdp.row[p + 1])
        t = begin + self._draw(np.cumsum(mdp.probability[begin:end]))
        following = int(mdp.next[t])
        reward = mdp.reward[p] if mdp.reward_next is None else mdp.reward_next[t]
        ends = mdp.ends is not None and bool(mdp.ends[t])
        terminated = ends or bool(self._terminal[following])
        self._state, self._last = following, a
        self._time += 1
        truncated = 0 < mdp.horizon <= self._time and not terminated
        info = {"prob": float(mdp.probability[t]), "action_mask": self._mask(following)}
        return following, float(reward), terminated, truncated, info

    def render(self) -> Any:
        if self.render_mode is None:
            gymnasium.logger.warn("render_mode is None; give it to to_env(render_mode=...)")
            return None
        if self.render_mode == "ansi":
            last = "" if self._last is None else f" after action {self._last}"
            return f"step {self._time}: state {self._state}{last}\n"
        return self._draw_picture()

    def _draw_picture(self) -> NDArray[np.uint8]:
        """Returns a strip or grid of cells (H, W, 3): the current state is dark."""
        grid = self.mdp._c.grid
        if grid:
            rows, columns = int(grid.rows), int(grid.columns)
            flat = np.array([grid.state[i] for i in range(rows * columns)], np.int64)
        else:
            columns = int(np.ceil(np.sqrt(self.mdp.states)))
            rows = -(-self.mdp.states // columns)
            flat = np.full(rows * columns, -1, np.int64)
            flat[: self.mdp.states] = np.arange(self.mdp.states)
        cells = flat.reshape(rows, columns)
        size = max(4, 256 // max(rows, columns))
        color = np.full((*cells.shape, 3), 235, np.uint8)
        color[cells < 0] = (120, 120, 120)
        known = np.where(cells >= 0, cells, 0)
        color[(cells >= 0) & self._terminal[known]] = (200, 215, 235)
        if self._state is not None:
            color[cells == self._state] = (20, 60, 120)
        image = np.repeat(np.repeat(color, size, axis=0), size, axis=1)
        image[::size] = image[:, ::size] = 255
        return image

"""Certificates of trained agents: what was learned against the exact answer."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ._fields import Config
from ._interrupt import interruptible
from ._model import Floats
from ._native import array_view, check, ffi, lib, own_result, path_bytes, text
from ._pictures import Figure, choose
from .errors import UnsupportedError

Path = str | os.PathLike[str]


@dataclass(frozen=True)
class Measure:
    """One row of a certificate. NaN: not available, and the note says why."""

    name: str
    label: str
    exact: float
    learned: float
    #: Distance of the learned value from the exact one, as the label says.
    off: float
    #: Standard error or error bound of the computation; NaN: negligible.
    error: float
    note: str


class AgentCertificate:
    """An agent against the exact solution at its temperature and discount.

    `certificate["soft_return"]` is a `Measure`; iterating gives all of them.
    """

    def __init__(self, c: Any, keep: Any) -> None:
        self._c, self._keep = c, keep
        self.algo, self.env = text(c.algo), text(c.env)
        #: Environment steps that the agent has observed.
        self.steps: int = c.steps
        self.alpha: float = c.alpha
        self.gamma: float = c.gamma
        #: Sup-norm error of the exact solution; a bound if `certified`, else an estimate.
        self.exact_error: float = c.exact_error
        self.certified: bool = c.certified
        self.measures = tuple(
            Measure(text(m.name), text(m.label), m.exact, m.learned, m.off, m.error, text(m.note))
            for m in (c.measure[i] for i in range(c.n))
        )

    def __getitem__(self, name: str) -> Measure:
        for measure in self.measures:
            if measure.name == name:
                return measure
        raise KeyError(f"{name}; the measures are {', '.join(m.name for m in self.measures)}")

    def __iter__(self) -> Iterator[Measure]:
        return iter(self.measures)

    def __len__(self) -> int:
        return len(self.measures)

    def __repr__(self) -> str:
        return (
            f"<AgentCertificate of {self.algo} on {self.env}: {len(self)} measures, alpha="
            f"{self.alpha:g}, gamma={self.gamma:g}>"
        )

    def _mdp(self, name: str, pairs: bool) -> Floats | None:
        found = self._c.mdp
        if found == ffi.NULL or getattr(found, name) == ffi.NULL:
            return None
        count = found.mdp.pairs if pairs else found.mdp.states
        return array_view(getattr(found, name), (count,), np.float64, self._c)

    @property
    def pi(self) -> Floats | None:
        """Learned policy (pairs,) on a finite problem, else None."""
        return self._mdp("pi", True)

    @property
    def V(self) -> Floats | None:
        """Exact values (S,) of the learned policy on a finite problem, else None."""
        return self._mdp("V", False)

    @property
    def Q(self) -> Floats | None:
        """Exact Q (pairs,) of the learned policy on a finite problem, else None."""
        return self._mdp("Q", True)

    @property
    def visits(self) -> Floats | None:
        """Discounted state distribution (S,) of the learned policy on a finite problem."""
        return self._mdp("visits", False)

    def plot(
        self, *, title: str = "", path: Path | None = None, backend: str | None = None
    ) -> Figure:
        """Draws the learned and the exact solution side by side, as `celsius certify --out` does.

        With matplotlib, the picture is an image in a figure.
        """
        label = ffi.new("char[]", title.encode()) if title else ffi.NULL

        def c_plot(name: bytes) -> int:
            return int(lib.cel_plot_certificate(self._c, label, name))

        def draw() -> Any:
            from ._pictures import new_figure

            picture = choose("png", None, c_plot, lambda: None)
            figure = new_figure(9.0, 6.0)
            if figure is None:
                return None
            import io

            from matplotlib.image import imread

            axes = figure.add_subplot()
            axes.imshow(imread(io.BytesIO(picture.png)))
            axes.set_axis_off()
            return figure

        return choose(backend, path, c_plot, draw)


def certify(
    run: Any,
    *,
    which: str | None = None,
    alpha: float | None = None,
    gamma: float | None = None,
    episodes: int = 400,
    seed: int = 10000,
    cells: int = 0,
) -> AgentCertificate:
    """Compares a trained agent with the exact solution of its problem.

    run: a run folder, or a learner whose environment is one of the library's (`mdp.to_vec_env()`,
    "LQR-v0", "FrozenLake-v1" with native=True, ...). which: the model of a run folder: "best",
    "final", a path, or None (best, else final, else the newest checkpoint).
    alpha, gamma: of the exact solution; None takes the agent's own.
    episodes, seed: episodes simulated on LQR-v0 and MultiGoal-v0.
    cells: of the plane's grid; 0: automatic.
    Raises ValueError where the environment has no exact solution.
    """
    agent, spec, keep = _opened(run, which)
    options = Config(lib.cel_certify_fields(), ffi.new("CelCertifyOptions *"))
    for name, value in (
        ("alpha", "auto" if alpha is None else alpha),
        ("gamma", "auto" if gamma is None else gamma),
        ("episodes", episodes), ("seed", seed), ("cells", cells),
    ):  # fmt: skip
        options.set(name, value)
    return AgentCertificate(own_certificate(agent, spec, options.data), keep)


def _opened(run: Any, which: str | None) -> tuple[Any, Any, Any]:
    """Returns the agent and the environment in C, and what keeps them alive."""
    if isinstance(run, str | os.PathLike):
        opened = own_run(run, which)
        return opened.agent, opened.spec, opened
    if not hasattr(run, "_agent"):
        raise TypeError(f"run is {type(run).__name__}; give the path of a run folder or a learner")
    if which is not None:
        raise ValueError("which is for run folders; a learner has one model")
    spec: Any = getattr(getattr(run, "env", None), "spec", None)
    if not hasattr(spec, "c"):
        raise UnsupportedError(
            "the learner's environment is not one of the library's, so its exact solution is "
            "not known; use mdp.to_vec_env() or native=True"
        )
    return run._agent.c, spec.c, (run._agent, spec)


def own_run(folder: Path, which: str | None) -> Any:
    """Opens a run folder. The run is closed when the object is collected."""
    out = ffi.new("CelRun **")
    model = ffi.NULL if which is None else ffi.new("char[]", os.fsencode(which))
    check(lib.cel_run_open(path_bytes(folder), model, out))
    return ffi.gc(out[0], lib.cel_run_close)


def own_certificate(agent: Any, spec: Any, options: Any) -> Any:
    """Computes a certificate, which is freed when the object is collected."""
    with interruptible():
        return own_result(lib.cel_certify, lib.cel_certificate_destroy, agent, spec, options)

"""Plots: matplotlib figures where matplotlib is installed, pictures of the library otherwise."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._fields import Config
from ._native import check, contiguous, ffi, keep_raised, lib, path_bytes, pointer, text

if TYPE_CHECKING:
    from .mdp import MDP, QLearning, Solution

Path = str | os.PathLike[str]


class Picture:
    """A PNG picture that the library drew. Notebooks show it."""

    def __init__(self, png: bytes) -> None:
        #: The bytes of the PNG file.
        self.png = png

    def __repr__(self) -> str:
        return f"<Picture: PNG of {len(self.png)} bytes>"

    def _repr_png_(self) -> bytes:
        return self.png

    def save(self, path: Path) -> None:
        """Writes the picture to a PNG file."""
        with open(path, "wb") as file:
            file.write(self.png)


Figure = Any  # matplotlib.figure.Figure or Picture


def new_figure(width: float, height: float) -> Any:
    """Returns an empty matplotlib figure, or None where matplotlib is not installed.

    The figure belongs to no window, so that plotting needs no display.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure as MatplotlibFigure
    except ImportError:
        return None
    figure = MatplotlibFigure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def choose(
    backend: str | None, path: Path | None, c_plot: Callable[[bytes], int], draw: Callable[[], Any]
) -> Figure:
    """Draws with one backend. c_plot: writes a file of this name, returns a status."""
    if backend not in (None, "matplotlib", "png"):
        raise ValueError(f"backend {backend!r} does not exist; choose matplotlib or png")
    if path is not None:
        check(c_plot(path_bytes(path)))
    if backend != "png":
        figure = draw()
        if figure is not None:
            return figure
        if backend == "matplotlib":
            raise ModuleNotFoundError("matplotlib is not installed: pip install matplotlib")
    with tempfile.TemporaryDirectory() as folder:
        name = os.path.join(folder, "plot.png")
        check(c_plot(os.fsencode(name)))
        with open(name, "rb") as file:
            return Picture(file.read())


def _options(table: Any, kind: str, values: dict[str, Any]) -> Config:
    config = Config(table, ffi.new(kind))
    for name, value in values.items():
        config.set(name, value)
    return config


# ---- grid worlds


def _grid(mdp: MDP) -> tuple[NDArray[np.int64], NDArray[np.int8]]:
    """Returns the state of each cell (rows, columns), -1: a wall, and directions (A, 2)."""
    grid = mdp._c.grid
    if not grid:
        raise ValueError("only a grid world can be drawn; this problem has no grid")
    size = int(grid.rows * grid.columns)
    cells = np.frombuffer(ffi.buffer(grid.state, 8 * size), np.int64)
    moves = np.frombuffer(ffi.buffer(grid.direction, 2 * int(grid.actions)), np.int8)
    return (
        cells.reshape(int(grid.rows), int(grid.columns)).copy(),
        moves.reshape(int(grid.actions), 2).copy(),
    )


def _ends(mdp: MDP) -> NDArray[np.bool_]:
    """Returns which states (S,) end every episode that enters them, or have no actions."""
    alive = mdp.start > 0
    inside = np.ones(mdp.transitions, dtype=bool) if mdp.ends is None else mdp.ends == 0
    alive[mdp.next[inside].astype(np.int64)] = True
    # a state whose only way in is from itself is not entered
    into = mdp.next.astype(np.int64)
    from_state = mdp.pair_state[np.repeat(np.arange(mdp.pairs), np.diff(mdp.row))]
    entered = np.zeros(mdp.states, dtype=bool)
    entered[into[into != from_state]] = True
    return np.asarray((entered & ~alive) | (np.diff(mdp.pair) == 0))


def plot_grid(
    mdp: MDP, V: ArrayLike, pi: ArrayLike | None = None, *, title: str = "",
    path: Path | None = None, backend: str | None = None, subtitle: str = "", width: int = 0,
    arrows: bool = True, numbers: bool = True,
) -> Figure:  # fmt: skip
    """Draws values (S,) as colors and a policy (pairs,) as arrows. See `MDP.plot`."""
    values = contiguous(V, np.float64, (mdp.states,))
    policy = contiguous(mdp.uniform() if pi is None else mdp.policy(pi), np.float64, (mdp.pairs,))
    with_arrows = arrows and pi is not None
    options = _options(
        lib.cel_plot_grid_fields(), "CelGridPlotOptions *",
        {"title": title, "width": width, "arrows": with_arrows, "numbers": numbers},
    )  # fmt: skip
    note = ffi.new("char[]", subtitle.encode()) if subtitle else ffi.NULL

    def c_plot(name: bytes) -> int:
        return int(
            lib.cel_plot_grid(mdp._c, pointer(values), pointer(policy), note, name, options.data)
        )

    def draw() -> Any:
        cells, moves = _grid(mdp)
        figure = new_figure(
            max(3.0, 0.6 * cells.shape[1] + 1.4), max(2.5, 0.6 * cells.shape[0] + 1)
        )
        if figure is None:
            return None
        axes = figure.add_subplot()
        known = np.where(cells < 0, 0, cells)
        over = (cells >= 0) & _ends(mdp)[known]
        image = np.ma.masked_where((cells < 0) | over, values[known])
        shown = axes.imshow(image, cmap="viridis")
        axes.set_facecolor("0.6")
        figure.colorbar(shown, ax=axes, label="V, reward units")
        axes.set_xticks([])
        axes.set_yticks([])
        axes.set_title("\n".join(part for part in (title or mdp.name, subtitle) if part))
        table = np.nan_to_num(mdp.table(policy))
        for (row, column), s in np.ndenumerate(cells):
            if over[row, column]:
                axes.text(column, row, "end", ha="center", va="center", fontsize=7)
            if s < 0 or over[row, column]:
                continue
            color = "k" if shown.norm(values[s]) > 0.6 else "w"
            if numbers and cells.size <= 400:
                axes.text(
                    column, row + 0.44, f"{values[s]:.3g}", ha="center", fontsize=6, color=color
                )
            for a, move in enumerate(moves if with_arrows else []):
                length = 0.34 * float(table[s, a]) if a < table.shape[1] else 0.0
                if length > 0.02 and move.any():
                    axes.arrow(
                        column, row - 0.06, length * int(move[1]), length * int(move[0]),
                        color=color, head_width=min(0.12, 0.5 * length), length_includes_head=True,
                    )  # fmt: skip
        return figure

    return choose(backend, path, c_plot, draw)


# ---- temperatures


def sweep_points(solutions: Sequence[Solution]) -> NDArray[Any]:
    """Returns alpha, value, hard_return and entropy of solutions of one problem, by temperature.

    value: J with the entropy, reward units. hard_return: rewards of the same policy alone.
    entropy: nats per step, the mean over the discounted state distribution.
    """
    kind = [("alpha", "f8"), ("value", "f8"), ("hard_return", "f8"), ("entropy", "f8")]
    out = np.zeros(len(solutions), kind)
    for i, found in enumerate(solutions):
        mdp = found.mdp
        if found.horizon:
            raise ValueError("a sweep is drawn for problems without a horizon")
        plain = mdp.evaluate(found.pi, alpha=0.0, gamma=found.gamma)
        d = mdp.discounted_distribution(found.pi, gamma=found.gamma)
        with np.errstate(divide="ignore", invalid="ignore"):
            terms = np.where(found.pi > 0, -found.pi * np.log(found.pi), 0.0)
        entropy = np.bincount(mdp.pair_state, terms, mdp.states)
        weight = d * (np.diff(mdp.pair) > 0)
        total = weight.sum()
        out[i] = (found.alpha, found.J, plain.J, float(weight @ entropy / total) if total else 0.0)
    return np.sort(out, order="alpha")


def plot_sweep(
    solutions: Sequence[Solution], *, title: str = "", path: Path | None = None,
    backend: str | None = None,
) -> Figure:  # fmt: skip
    """Draws value, return and entropy over the temperature.

    solutions: of one problem, such as `mdp.sweep([0, 0.01, 0.1, 1])`. See `MDP.plot` for the rest.
    """
    points = sweep_points(solutions)
    array = ffi.new("CelSweepPoint[]", max(1, len(points)))
    for i, point in enumerate(points):
        array[i] = tuple(float(v) for v in point)
    label = ffi.new("char[]", title.encode()) if title else ffi.NULL

    def c_plot(name: bytes) -> int:
        return int(lib.cel_plot_sweep(array, len(points), label, ffi.NULL, name))

    def draw() -> Any:
        figure = new_figure(6.0, 6.0)
        if figure is None:
            return None
        positive = points["alpha"][points["alpha"] > 0]
        floor = float(positive.min()) / 3 if positive.size else 1e-3
        axes = figure.subplots(3, 1, sharex=True)
        for row, (name, unit) in enumerate(
            [("value", "reward"), ("hard_return", "reward"), ("entropy", "nats per step")]
        ):
            axes[row].plot(points["alpha"], points[name], "o-")
            axes[row].set_ylabel(f"{name.replace('_', ' ')}, {unit}")
            axes[row].grid(alpha=0.3)
        axes[2].set_xscale("symlog", linthresh=floor)
        axes[2].set_xlabel("temperature alpha, reward per nat")
        axes[0].set_title(title or solutions[0].mdp.name)
        return figure

    return choose(backend, path, c_plot, draw)


# ---- learning from samples


def plot_error(
    learned: QLearning, *, title: str = "", path: Path | None = None, backend: str | None = None
) -> Figure:
    """Draws the error of Q-learning and its certified bound over rounds.

    The error is drawn where it was recorded: `mdp.q_learning(exact=mdp.solve(...))`.
    """
    history = learned.history
    points = ffi.new("CelErrorPoint[]", max(1, len(history)))
    for i, row in enumerate(history):
        error = 0.0 if np.isnan(row["error"]) else float(row["error"])  # 0 is not drawn
        points[i] = (float(row["round"]), error, float(row["bound"]))
    label = ffi.new("char[]", title.encode()) if title else ffi.NULL

    def c_plot(name: bytes) -> int:
        return int(lib.cel_plot_error(points, len(history), label, ffi.NULL, name))

    def draw() -> Any:
        figure = new_figure(6.0, 4.0)
        if figure is None:
            return None
        axes = figure.add_subplot()
        axes.loglog(history["round"], history["bound"], "o-", label="certified bound")
        if not np.all(np.isnan(history["error"])):
            axes.loglog(history["round"], history["error"], "o-", label="error of Q")
        axes.set_xlabel("rounds")
        axes.set_ylabel("sup-norm, reward units")
        axes.grid(alpha=0.3, which="both")
        axes.legend()
        axes.set_title(title or learned.mdp.name)
        return figure

    return choose(backend, path, c_plot, draw)


# ---- learning curves


def plot_runs(
    runs: Path | Sequence[Path], *, key: str = "", x: str = "time/total_timesteps", title: str = "",
    path: Path | None = None, backend: str | None = None,
    note: Callable[[str], None] | None = None, **options: Any,
) -> Figure:  # fmt: skip
    """Draws learning curves of run folders.

    key: columns of progress.csv, separated by commas; "": returns of training and evaluations.
    x: the column along the x axis. note: called with messages, such as that two folders hold one
    run. options: those of `celsius plot`, such as width, smooth, band, log_y; they apply to the
    library's picture (`path`, or backend "png"). matplotlib draws one line per run.
    """
    folders = [runs] if isinstance(runs, str | os.PathLike) else list(runs)
    config = _options(
        lib.cel_plot_fields(), "CelPlotOptions *", {"key": key, "x": x, "title": title, **options}
    )
    handle = ffi.new_handle(note)
    if note is not None:
        config.data.note = lib.celpy_plotting
        config.data.user = handle
    names = [ffi.new("char[]", path_bytes(folder)) for folder in folders]
    array = ffi.new("char *[]", names)
    if options and backend is None and path is None:
        backend = "png"  # the options would have no effect on the lines of matplotlib

    def c_plot(name: bytes) -> int:
        return int(lib.cel_plot_runs(array, len(names), name, config.data))

    def draw() -> Any:
        figure = new_figure(7.0, 4.5)
        return None if figure is None else _draw_runs(figure, folders, key, x, title)

    return choose(backend, path, c_plot, draw)


def _draw_runs(figure: Any, folders: Sequence[Path], key: str, x: str, title: str) -> Any:
    from .tables import columns, run_folders

    keys = [k.split("+") for k in key.split(",")] if key else [
        ["rollout/ep_rew_mean", "eval/mean_reward"]
    ]  # fmt: skip
    axes = figure.subplots(len(keys), 1, sharex=True, squeeze=False)[:, 0]
    for folder in folders:
        for run in run_folders(folder):
            found = columns(os.path.join(run, "progress.csv"))
            for panel, names in zip(axes, keys, strict=True):
                for name in names:
                    if name not in found or x not in found:
                        missing = name if name not in found else x
                        raise ValueError(f"{run}: progress.csv has no column {missing!r}")
                    there = ~np.isnan(found[name])
                    label = f"{os.path.basename(os.path.normpath(run))}: {name}"
                    panel.plot(found[x][there], found[name][there], ".-", label=label)
    for panel in axes:
        panel.grid(alpha=0.3)
        panel.legend(fontsize=7)
    axes[-1].set_xlabel(x)
    axes[0].set_title(title)
    return figure


@ffi.def_extern(onerror=keep_raised)
def celpy_plotting(user: Any, message: Any) -> None:
    ffi.from_handle(user)(text(message))

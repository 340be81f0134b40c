"""Plots of docs/how-it-decides.md, from the recorded noise: uv run python benchmarks/measure_plots.py"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

sys.path.insert(0, str(Path(__file__).parent))

import measure

import noise
from perforch.measure.verdict import FUTILITY_ERROR, boundary

OUT = Path(__file__).parents[1] / "docs" / "images"
COUNT = 1000


def save(figure: Figure, name: str) -> None:
    OUT.mkdir(parents=True, exist_ok=True)
    figure.savefig(OUT / name, format="svg", metadata={"Date": None})


def boundaries() -> None:
    figure = Figure(figsize=(6.4, 3.2), layout="constrained")
    axes = figure.subplots()
    numbers = np.arange(1, 61)
    axes.plot(numbers, numbers, color="0.7", linewidth=1, label="every pair a win")
    for level, label in ((0.01, "1 decision"), (0.001, "10 decisions")):
        needed = np.array(boundary(level, 60), float)
        needed[needed > numbers] = np.nan
        axes.step(numbers, needed, where="mid", label=f"wins for a claim, {label}")
    stop = np.array(boundary(FUTILITY_ERROR, 60), float)
    stop[stop > numbers] = np.nan
    axes.step(numbers, stop, where="mid", linestyle=":", color="tab:red", label="misses of 4 % to give up")
    axes.plot(numbers, numbers / 2, color="0.7", linestyle="--", linewidth=1, label="a fair coin")
    axes.set_xlabel("pairs")
    axes.set_ylabel("pairs counted")
    axes.legend(fontsize="small", frameon=False)
    save(figure, "decision-boundaries.svg")


def power() -> None:
    figure = Figure(figsize=(6.4, 3.2), layout="constrained")
    axes = figure.subplots()
    effects = np.array([0, 0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.08, 0.1])
    for kind, style in (("reserved", "-"), ("contended", "--")):
        names = [name for name in noise.usable() if name.startswith(kind)]
        shares = [np.mean([measure.ours(name, 1 / (1 + e), COUNT)[0] for name in names]) for e in effects]
        axes.plot(
            effects * 100,
            np.array(shares) * 100,
            style,
            marker="o",
            markersize=3,
            color="tab:blue",
            label=f"perforch, {kind} CPU",
        )
        for label, colour in (
            ("benchstat (10 runs, Mann-Whitney 5 %)", "tab:orange"),
            ("best of 5, gain > 5 %", "tab:green"),
        ):
            rule, size = measure.OTHERS[label]
            found = [
                np.mean([rule(*measure.blocks(name, 1 / (1 + e), size, COUNT)).mean() for name in names])
                for e in effects
            ]
            axes.plot(
                effects * 100,
                np.array(found) * 100,
                style,
                color=colour,
                linewidth=1,
                label=f"{label}, {kind}",
            )
    axes.set_xlabel("true gain, %")
    axes.set_ylabel('"faster", % of comparisons')
    axes.legend(fontsize="x-small", frameon=False)
    save(figure, "decision-power.svg")


def main() -> None:
    mpl.rcParams["svg.hashsalt"] = "perforch"
    boundaries()
    power()


if __name__ == "__main__":
    main()

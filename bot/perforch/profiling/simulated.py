"""What the simulated panel says: the paper's tables 8 and 18 by its rates, strategies side by side, and its answers as real code.

Everything here is simulated and says so in every row.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

from perforch.llm.model import Reply, ReplyKind
from perforch.profiling import panel, published, worlds
from perforch.result import Stage
from perforch.settings import ModelSettings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from perforch.profiling.items import Item
    from perforch.rankings.memory import Memory

STRATEGIES = ("paper", "cost", "best-of-n")


def models(memory: Memory, language: str) -> list[ModelSettings]:
    """The paper's models that have rates in a language; they are never called."""
    stages = (Stage.GENERATE, Stage.FIX)
    names = dict.fromkeys(name for stage in stages for name in memory.peers(stage, "correctness", language))
    return [ModelSettings(name=name, provider="openai") for name in names]


def table8(
    memory: Memory, *, mode: str, languages: Sequence[str], problems: int, seed: int, repetitions: int
) -> list[dict[str, Any]]:
    """Pass rates and calls with the interval of 95 % of simulated suites."""
    rows = []
    for language in languages:
        for row in panel.table(
            memory, mode=mode, language=language, problems=problems, seed=seed, repetitions=repetitions
        ):
            rows.append(
                {
                    "simulated": True,
                    "model": row.label,
                    "language": row.language,
                    "pass_percent": round(row.rate, 2),
                    "low": round(row.low, 2),
                    "high": round(row.high, 2),
                    "calls": round(row.calls, 1),
                }
            )
    return rows


def table18(languages: Sequence[str]) -> list[dict[str, Any]]:
    """Predicted calls of the refine stage for execution time from the counts of table 16."""
    rows = []
    for suite in ("humaneval-x", "effibench-x"):
        for language in languages:
            entered = published.calls("PerfOrch(Best-of-Five)", "time", suite, language) / panel.FIXERS
            first = published.refinements("PerfOrch(Top1 Only)", "time", suite, language)
            total = published.refinements("PerfOrch", "time", suite, language)
            paper = published.calls("PerfOrch", "time", suite, language)
            predicted = panel.refine_calls(entered, first, total)
            rows.append(
                {
                    "simulated": True,
                    "suite": suite,
                    "language": language,
                    "calls": round(predicted, 1),
                    "published": paper,
                    "deviation_percent": round(100 * (predicted / paper - 1), 2),
                }
            )
    return rows


def strategies(
    memory: Memory, *, seed: int, languages: Sequence[str], problems: int, names: Sequence[str] = STRATEGIES
) -> list[dict[str, Any]]:
    """Strategies on the same simulated problems."""
    rows = []
    for language in languages:
        made = worlds.world(memory, tau=0.3, hardness=0, language=language, seed=seed)
        for strategy, outcome in worlds.play(made, names, problems=problems).items():
            rows.append(
                {
                    "simulated": True,
                    "strategy": strategy,
                    "language": language,
                    "pass_percent": round(outcome.solved, 2),
                    "calls_per_problem": round(outcome.calls, 3),
                    "usd_per_problem": round(outcome.cost, 6),
                }
            )
    return rows


class Answers:
    """Models that answer with the suite's own code: the canonical solution as often as the paper says, else the buggy one.

    A problem's difficulty is shared by all of them, as in `panel`.
    """

    def __init__(self, memory: Memory, seed: int) -> None:
        self._memory = memory
        self._seed = seed
        self.solved: set[str] = set()

    async def ask(self, model: ModelSettings, item: Item) -> Reply:
        """Never leaves this process."""
        problem = item.problem
        cell = self._memory.peers(item.stage, "correctness", str(problem.language)).get(model.name)
        rate = cell.raw_successes / cell.raw_attempts if cell is not None and cell.raw_attempts else 0.0
        difficulty = random.Random(f"{self._seed} {problem.id}").gauss(0, 1)
        draw = random.Random(f"{self._seed} {problem.id} {model.name} {item.stage}").random()
        right = draw < panel.success_given(rate, difficulty, panel.RHO)
        if right:
            self.solved.add(problem.id)
        code = problem.solution("canonical" if right else "buggy")
        return Reply(ReplyKind.TEXT, model.name, text=f"```\n{code}\n```", returned_model=model.name)

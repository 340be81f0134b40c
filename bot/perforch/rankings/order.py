"""In which order to ask models: one formula, three settings.

score = value - lambda * price per success. `paper` takes the raw weighted sum of the paper (equation 4) per
attempt as the value and no price; `best-of-n` the shrunken expected gain and no price; `cost` the gain of a
success and a price, which for generate and fix (where every success is worth the same) is the order of price
per success.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from perforch.rankings import posterior

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from perforch.rankings.memory import Cell, Memory
    from perforch.settings import ModelSettings

PRICE_WEIGHT = 5.0  # lambda of `cost`: log-gain that a dollar must buy
FALLBACK_PRICE = 0.01  # USD a call, where neither caller, evidence, settings nor catalogue know
TYPICAL_TOKENS = 1500  # in and out, of one call
STYLE = 0.1  # the most that people's reactions can take off a value
LIMIT = 5  # the paper asks at most five models a stage
SHORTLIST = 4  # of a chain, chosen by promise and ordered by price (simulated: 0.1 points and 22 % of the money; five: 0.3 points, 22 %)
STRATEGIES = ("paper", "cost", "best-of-n")


@dataclass(frozen=True, slots=True)
class Ranked:
    """One place in the order.

    Attributes:
        terms: every number that led to the score: rate (language), category_rate, chance (given what failed),
            gain (ln before/after given success; 1 in generate and fix), value, price (USD a call),
            price_per_success, attempts and successes behind it.
        why: the same in one sentence.
    """

    model: ModelSettings
    score: float
    terms: Mapping[str, float]
    why: str

    @property
    def name(self) -> str:
        """The model's name in the settings."""
        return self.model.name


@dataclass(frozen=True, slots=True)
class _Task:
    stage: str
    metric: str
    language: str
    categories: tuple[str, ...]


def order(
    memory: Memory,
    models: Sequence[ModelSettings],
    *,
    stage: str,
    language: str,
    categories: Sequence[str] = (),
    metric: str = "time",
    strategy: str = "cost",
    failed: Sequence[str] = (),
    generator: str | None = None,
    prices: Mapping[str, float] | None = None,
    limit: int | None = LIMIT,
) -> tuple[Ranked, ...]:
    """Rank `models` for one task, best first.

    Args:
        metric: what refine optimises; generate and fix are judged by correctness whatever it says.
        failed: names of models that already failed on this task in this stage; they are left out, and what
            their failure says about the others is taken into account.
        generator: name of the model whose code is being fixed; unlikely to repair it, so it comes late.
        prices: USD of one call by model name, where the caller knows better.
        limit: length of the order; None for all.
    """
    stage, language = str(stage), str(language)
    task = _Task(stage, _metric_of(stage, str(metric)), language, tuple(map(str, categories)))
    by_name = {model.name: model for model in models}
    candidates = [model for model in models if model.name not in failed]
    chain = [by_name[name] for name in failed if name in by_name]
    ranked = []
    for model in candidates:
        price = _price(memory, model, task, prices or {})
        if strategy == "paper":
            entry, ties = _paper(memory, model, task, price)
        else:
            entry, ties = _shrunk(memory, model, task, price, strategy, chain, failed, generator)
        ranked.append((entry, ties))
    ranked.sort(key=lambda pair: (-round(pair[0].score, 12), *(-tie for tie in pair[1]), pair[0].name))
    entries = [entry for entry, _ in ranked]
    if strategy == "cost":
        entries = _shortlisted(entries, places=max(SHORTLIST - len(failed), 1))
    return tuple(entries[:limit])


def _shortlisted(entries: Sequence[Ranked], *, places: int) -> list[Ranked]:
    """The models with the best expected gain first, both parts in the order they had.

    Cheap models that rarely succeed must not take all the places of a chain: price decides the order, not who
    is in it.
    """
    promising = sorted(entries, key=lambda entry: -entry.terms["gain"] * entry.terms["chance"])[:places]
    return [
        *(entry for entry in entries if entry in promising),
        *(entry for entry in entries if entry not in promising),
    ]


def _metric_of(stage: str, metric: str) -> str:
    return {"refine": metric, "categorise": "agreement"}.get(stage, "correctness")


def _names(model: ModelSettings) -> tuple[str, str]:
    return model.name, model.provider_model


def _family_name(memory: Memory, model: ModelSettings) -> str | None:
    family = memory.catalogue.family(*_names(model), declared=model.family)
    return family.name if family else None


def _identities(memory: Memory, model: ModelSettings) -> tuple[str, ...]:
    """Names under which evidence about this very model is stored."""
    listed = memory.catalogue.known(*_names(model))
    return tuple(dict.fromkeys([model.name, *([listed.name] if listed else [])]))


def _ancestors(memory: Memory, model: ModelSettings) -> tuple[str, ...]:
    family = memory.catalogue.family(*_names(model), declared=model.family)
    own = _identities(memory, model)
    return tuple(name for name in (family.evidence if family else ()) if name not in own)


def _cells(memory: Memory, names: Sequence[str], task: _Task, category: str = "") -> list[Cell]:
    found = (memory.cell(name, task.stage, task.metric, task.language, category) for name in names)
    return [cell for cell in found if cell is not None]


# --- paper
# -----------------------------------------------------------------------------------------------------------


def _paper(
    memory: Memory, model: ModelSettings, task: _Task, price: float
) -> tuple[Ranked, tuple[float, ...]]:
    """The paper's own order: equation 4 over the task's categories, from counts as they stand."""
    names = _identities(memory, model)
    inherited = not any(_cells(memory, names, task))
    if inherited:
        names = _ancestors(memory, model)
    whole = _cells(memory, names, task)
    parts = [cell for category in task.categories for cell in _cells(memory, names, task, category)]
    used = parts or whole
    attempts = sum(cell.raw_attempts for cell in used)
    weighted = _weighted_sum(used, whole)
    successes = sum(cell.raw_successes for cell in used)
    value = weighted / attempts if attempts else 0.0
    # The paper lists category results of the five best models only; the others come after those it lists.
    listed = 1.0 if parts or not task.categories or task.stage == "refine" else 0.0
    if not listed:
        value -= 1.0
    rate = _raw_rate(whole)
    terms = {
        "weighted_sum": weighted,
        "attempts": float(attempts),
        "successes": float(successes),
        "rate": rate,
        "value": value,
        "price": price,
    }
    place = " and ".join(task.categories) if parts else task.language
    origin = f" (inherited from {', '.join(names)})" if inherited and names else ""
    why = (
        f"{successes} of {attempts} in {place}, weighted sum {weighted:.2f}{origin}"
        if attempts
        else "no evidence"
    )
    if not listed and attempts:
        why += ", not listed for this category"
    return Ranked(model, value, terms, why), (rate, *_tie_breaks(memory, names, task))


def _weighted_sum(used: Sequence[Cell], whole: Sequence[Cell]) -> float:
    """Equation 4; successes of unknown size count as the mean of those known in this language."""
    known = sum(cell.improvement_successes for cell in whole)
    mean = sum(cell.improvement for cell in whole) / known if known else 0.0
    unknown = sum(cell.raw_successes - cell.improvement_successes for cell in used)
    return sum(cell.improvement for cell in used) + unknown * mean


def _raw_rate(cells: Sequence[Cell]) -> float:
    attempts = sum(cell.raw_attempts for cell in cells)
    return sum(cell.raw_successes for cell in cells) / attempts if attempts else 0.0


def _tie_breaks(memory: Memory, names: Sequence[str], task: _Task) -> tuple[float, float]:
    """Between equals: who has category evidence in this language, then who is better over all languages."""
    keys = [
        key
        for key in memory.cells
        if key.model in names and key.stage == task.stage and key.metric == task.metric
    ]
    detailed = any(key.category and key.language == task.language for key in keys)
    overall = [memory.cells[key] for key in keys if not key.category]
    return float(detailed), _raw_rate(overall)


# --- cost and best-of-n
# ----------------------------------------------------------------------------------------------


def _shrunk(
    memory: Memory,
    model: ModelSettings,
    task: _Task,
    price: float,
    strategy: str,
    chain: Sequence[ModelSettings],
    failed: Sequence[str],
    generator: str | None,
) -> tuple[Ranked, tuple[float, ...]]:
    names = _identities(memory, model)
    own = _cells(memory, names, task)
    ancestors = _cells(memory, _ancestors(memory, model), task)
    stage_mean = memory.stage_mean(task.stage, task.metric, task.language)
    family_rate = _pooled_rate(ancestors)
    prior = posterior.inherited_rate(family_rate, stage_mean)
    successes, attempts = sum(cell.successes for cell in own), sum(cell.attempts for cell in own)
    rate = posterior.language_rate(prior, successes, attempts)
    in_category = _category_rate(memory, names, task, rate)
    family = _family_name(memory, model)
    chance = posterior.conditional_rate(
        in_category,
        stage=task.stage,
        after_failure=bool(failed),
        same_family=family is not None and any(_family_name(memory, other) == family for other in chain),
        is_generator=generator is not None and model.name == generator and task.stage == "fix",
    )
    gain = _gain(memory, own, ancestors, task) if task.stage == "refine" else 1.0
    per_success = price / max(chance, 1e-6)
    acceptance = _acceptance(memory, names, task)
    value = (gain if strategy == "cost" else gain * chance) * (1 - STYLE + STYLE * acceptance)
    price_weight = PRICE_WEIGHT if strategy == "cost" else 0.0
    score = posterior.index(value, per_success, price_weight)
    terms = {
        "prior": prior,
        "attempts": attempts,
        "successes": successes,
        "rate": rate,
        "category_rate": in_category,
        "chance": chance,
        "gain": gain,
        "acceptance": acceptance,
        "value": value,
        "price": price,
        "price_per_success": per_success,
        "price_weight": price_weight,
    }
    return Ranked(model, score, terms, _why(task, terms, family, bool(ancestors), failed)), (chance, attempts)


def _pooled_rate(cells: Sequence[Cell]) -> float | None:
    attempts = sum(cell.attempts for cell in cells)
    return sum(cell.successes for cell in cells) / attempts if attempts else None


def _category_rate(memory: Memory, names: Sequence[str], task: _Task, rate: float) -> float:
    shifts = []
    for category in task.categories:
        cells = _cells(memory, names, task, category)
        attempts = sum(cell.attempts for cell in cells)
        if attempts:
            difficulty = memory.difficulty(task.stage, task.metric, task.language, category)
            shifts.append((sum(cell.successes for cell in cells), attempts, difficulty))
    tau = memory.category_sd(task.stage, task.metric, task.language)
    return posterior.category_rate(rate, shifts, tau=tau)


def _gain(memory: Memory, own: Sequence[Cell], ancestors: Sequence[Cell], task: _Task) -> float:
    stage_gain = memory.stage_gain(task.stage, task.metric, task.language)
    inherited_successes = sum(cell.log_gain_successes for cell in ancestors)
    prior = stage_gain
    if inherited_successes:
        prior = (stage_gain + sum(cell.log_gain for cell in ancestors) / inherited_successes) / 2
    return posterior.mean_gain(
        prior, sum(cell.log_gain for cell in own), sum(cell.log_gain_successes for cell in own)
    )


def _acceptance(memory: Memory, names: Sequence[str], task: _Task) -> float:
    """How often people keep what this model writes, 1 where nothing is known; never part of the chance."""
    cells = [memory.cell(name, task.stage, "acceptance", task.language) for name in names]
    known = [cell for cell in cells if cell is not None]
    return posterior.language_rate(
        1.0, sum(cell.successes for cell in known), sum(cell.attempts for cell in known)
    )


def _price(memory: Memory, model: ModelSettings, task: _Task, prices: Mapping[str, float]) -> float:
    if model.name in prices:
        return prices[model.name]
    if model.price_input_per_million is not None or model.price_output_per_million is not None:
        per_million = (model.price_input_per_million or 0.0) + (model.price_output_per_million or 0.0)
        return per_million * TYPICAL_TOKENS / 1e6
    for cell in _cells(memory, _identities(memory, model), task):
        if cell.cost_attempts:
            return cell.cost / cell.cost_attempts
    hint = memory.catalogue.price(*_names(model))
    return FALLBACK_PRICE if hint is None else hint


def _why(
    task: _Task, terms: Mapping[str, float], family: str | None, inherited: bool, failed: Sequence[str]
) -> str:
    if terms["attempts"]:
        base = f"{terms['successes']:.0f} of {terms['attempts']:.0f} in {task.language}"
    elif inherited:
        base = f"inherits from family {family}"
    else:
        base = "no evidence, taken as average"
    parts = [base, f"chance {terms['chance']:.0%}" + (f" after {len(failed)} failed" if failed else "")]
    if task.stage == "refine":
        parts.append(f"gain {terms['gain']:.2f} when it succeeds")
    if terms["price_weight"]:
        parts.append(f"${terms['price_per_success']:.4f} a success")
    return ", ".join(parts)

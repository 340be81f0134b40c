"""Changes of rank as a Markdown table, for the pull request that brings new evidence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perforch.report import escape, numbers

if TYPE_CHECKING:
    from perforch.rankings.changes import Changes, Rank

ROWS = 150  # GitHub takes 65,536 characters of text; a row has at most 300
_HEAD = """\
| Stage | Language | Model | Rank | 90 % of draws | Success rate (95 %) | Tries | Gain | Cost of a call |
|---|---|---|--:|--:|--:|--:|--:|--:|"""


def markdown(changes: Changes) -> str:
    """The text of the pull request: what is new, what it cost, and every rank in the orders that it touches."""
    if not changes.added:
        return "No new evidence."
    lines = [
        f"{numbers.count(changes.added, 'new record')} on {numbers.count(changes.models, 'model')}: "
        f"{numbers.count(changes.attempts, 'try', 'tries')}, {numbers.money(changes.cost_usd)}, "
        f"{numbers.duration(changes.seconds)}.",
    ]
    if changes.removed:
        lines.append(f"**{numbers.count(changes.removed, 'record')} would be removed**: look at the files.")
    moved = changes.moved
    names = {rank.model for rank in moved}
    lines.append(
        f"{numbers.count(len(moved), 'rank')} of {numbers.count(len(names), 'model')} changed."
        if moved
        else "No rank changed."
    )
    ranks = sorted(
        changes.ranks,
        key=lambda rank: (rank not in moved, rank.before is not None, rank.stage, rank.language, rank.after),
    )
    lines += ["", _HEAD, *(_row(rank) for rank in ranks[:ROWS])]
    if len(ranks) > ROWS:
        lines.append(f"\n{len(ranks) - ROWS} more rows: `perforch rankings show`.")
    lines += [
        "",
        "<sub>Rank 1 is asked first. 90 % of draws: where the model would stand if its rate and gain were what the counts "
        "leave open; ranges that overlap are no proof of a difference. Merging changes which models are asked, never what is accepted.</sub>",
    ]
    return "\n".join(lines)


def _row(rank: Rank) -> str:
    if rank.before is None and rank.attempts:
        place = f"new → {rank.after}"
    elif rank.before in (None, rank.after):
        place = str(rank.after)
    else:
        assert rank.before is not None
        place = f"**{rank.before} → {rank.after}** {'▲' if rank.after < rank.before else '▼'}"
    spread = str(rank.low) if rank.low == rank.high else f"{rank.low}–{rank.high}"
    rate = "–"
    if rank.attempts:
        rate = f"{rank.successes / rank.attempts:.0%} ({rank.rate_low:.0%}–{rank.rate_high:.0%})"
    gain = "–" if rank.gain is None else f"{rank.gain:.2f}×"
    cells = (
        rank.stage, rank.language, escape.code(rank.model, 80), place, spread, rate, f"{rank.attempts:.0f}", gain,
        numbers.money(rank.price),
    )  # fmt: skip
    return f"| {' | '.join(cells)} |"

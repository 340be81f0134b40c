from __future__ import annotations

from perforch.stages.attempts import explanation


def test_the_explanation_is_prose_outside_the_code() -> None:
    text = "A set makes lookups constant. It keeps order.\n```python\ndef f(): pass\n```\nA third sentence."
    assert explanation(text) == "A set makes lookups constant. It keeps order."


def test_an_unterminated_block_is_left_out() -> None:
    assert explanation("Faster.\n```go\nfunc f() {") == "Faster."


def test_it_is_bounded() -> None:
    assert len(explanation("x" * 10_000_000)) <= 600

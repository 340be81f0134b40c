"""Candidates that are wrong and try to pass for right: none is accepted, and the run goes on to one that is right."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from optimize_world import RIGHT, models, optimize, pairs, write_replies

from perforch.llm.replay import ReplayServer

if TYPE_CHECKING:
    from pathlib import Path

# Name -> the body of `double(items)`.
FORGED = {
    "leaves": "import os\nos._exit(0)",
    "leaves without an import": "found = [c for c in ().__class__.__base__.__subclasses__() if c.__name__ == '_wrap_close']\n"
    "found[0].__init__.__globals__['_exit'](0)",
    "exits": "raise SystemExit(0)",
    "exits by a builtin": "exit(0)",
    "says that it passed": "print('1 passed in 0.01s')\nprint('test_pairs.py::test_double PASSED')\nprint('OK')\nreturn [0]",
    "skips": "import pytest\npytest.skip('later')",
    "skips by an exception": "import unittest\nraise unittest.SkipTest('later')",
    "passes early": "import pytest\nraise pytest.exit.Exception('done', 0)",
    "changes the tests": "import test_pairs\ntest_pairs.test_double = lambda: None\nreturn [0]",
    "changes unittest": "import unittest\nunittest.TestCase.assertEqual = lambda *a: None\nreturn [0]",
    "changes the reports": "import _pytest.reports as r\nr.TestReport.outcome = 'passed'\nreturn [0]",
    "changes the harness": "import sys\nfor m in list(sys.modules.values()):\n    if 'perforch' in getattr(m, '__name__', ''):\n"
    "        m.__dict__.clear()\nreturn [0]",
    "looks at its caller": "import sys\nreturn eval(sys._getframe(1).f_code.co_consts[2])",
    "looks at its caller by a traceback": "try:\n    1 / 0\nexcept ZeroDivisionError as e:\n    return e.__traceback__.tb_frame.f_back.f_locals",
    "equals everything": "class Same(list):\n    def __eq__(self, other):\n        return True\nreturn Same()",
    "equals everything by type": "return type('Same', (), {'__eq__': lambda a, b: True})()",
    "compares all as equal": "import builtins\nbuiltins.AssertionError = type('X', (Exception,), {})\nreturn [0]",
    "needs everything": "return [0] * 10 ** 12",
    "knows the test": "return [2, 4]",
    "recursion": "return double(items)",
    "kills": "import os, signal\nos.kill(os.getppid(), signal.SIGKILL)\nos.kill(-1, signal.SIGKILL)",
    "writes the report": "import glob\nfor p in glob.glob('/out/**', recursive=True) + glob.glob('/tmp/**', recursive=True):\n    try:\n"
    "        open(p, 'w').write('{}')\n    except OSError:\n        pass\nreturn [0]",
    "evaluates": "return eval('__import__(\"os\")._exit(0)')",
    "decorates": "return getattr(__builtins__, '__import__', None)",
}  # fmt: skip
AT_ONCE = 4  # models asked one after the other in a run
NAMES = sorted(FORGED)


@pytest.mark.parametrize(
    "names", [NAMES[n : n + AT_ONCE] for n in range(0, len(NAMES), AT_ONCE)], ids="-".join
)
def test_a_forged_success_is_none(tmp_path: Path, names: list[str]) -> None:
    repository = pairs(tmp_path / "repository")
    replies = {"right/fix/pairs.py__double.md": RIGHT}
    for number, name in enumerate(names):
        body = FORGED[name].replace("\n", "\n    ")
        replies[f"m{number}/fix/pairs.py__double.md"] = f"```python\ndef double(items):\n    {body}\n```\n"
    with ReplayServer(write_replies(tmp_path / "replies", replies)) as server:
        config = tmp_path / "perforch.yml"
        forged = [f"m{number}" for number in range(len(names))]
        cheap = json.loads(
            models(server.url, *forged, price_input_per_million=0, price_output_per_million=0).partition(":")[
                2
            ]
        )
        dear = json.loads(
            models(server.url, "right", price_input_per_million=9, price_output_per_million=9).partition(":")[
                2
            ]
        )
        config.write_text(json.dumps({"models": [*cheap, *dear], "categories": "local"}))
        done = optimize(repository.path, tmp_path / "out", "--config", str(config), "--stage", "fix")
    assert done.code == 0, done.err
    (function,) = done.result.functions
    outcomes = {attempt.model: (attempt.outcome.value, attempt.detail) for attempt in function.attempts}
    accepted = {
        names[int(model[1:])]
        for model, (outcome, _) in outcomes.items()
        if outcome == "accepted" and model != "right"
    }
    assert accepted - {"knows the test"} == set(), outcomes
    assert len(outcomes) >= 2 or accepted
    assert function.verdict.value == "fixed"

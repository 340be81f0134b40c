"""A suite's data by address and checksum, from a real server on loopback."""

from __future__ import annotations

import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, ClassVar

import pytest

from perforch.errors import UsageError
from perforch.profiling import humanevalpack
from perforch.profiling.download import fetch
from perforch.result import Language

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ROW = (
    b'{"task_id": "Python/0", "prompt": "def f(n):\\n", "declaration": "def f(n):\\n", "canonical_solution": "    return n\\n", '
    b'"test": "check(f)", "signature": "f(n)", "entry_point": "f"}\n'
)
DIGEST = hashlib.sha256(ROW).hexdigest()


class Handler(BaseHTTPRequestHandler):
    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        if self.path == "/moved":
            self.send_response(302)
            self.send_header("location", "/python")
            self.end_headers()
            return
        if self.path == "/missing":
            self.send_error(404)
            return
        body = ROW if self.path != "/other" else b"something else"
        self.send_response(200)
        self.send_header("content-length", str(len(body) + (10 if self.path == "/half" else 0)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def address() -> Iterator[str]:
    Handler.asked.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize("path", ["/python", "/moved"])
def test_it_is_fetched_once(address: str, tmp_path: Path, path: str) -> None:
    target = tmp_path / "cache" / "a.jsonl"
    for _ in range(2):
        assert fetch(f"{address}{path}", DIGEST, target, hint="by hand").read_bytes() == ROW
    assert Handler.asked.count(path) == 1


@pytest.mark.parametrize(
    ("path", "said"), [("/other", "sha256"), ("/missing", "404"), ("/half", "cannot be fetched")]
)
def test_nothing_else_is_kept(address: str, tmp_path: Path, path: str, said: str) -> None:
    target = tmp_path / "a.jsonl"
    with pytest.raises(UsageError, match=said) as caught:
        fetch(f"{address}{path}", DIGEST, target, hint="by hand")
    assert caught.value.hint == "by hand"
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_copy_is_fetched_again(address: str, tmp_path: Path) -> None:
    target = tmp_path / "a.jsonl"
    target.write_bytes(ROW[:10])
    assert fetch(f"{address}/python", DIGEST, target, hint="").read_bytes() == ROW


def test_the_suite_fetches_what_it_was_not_given(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(humanevalpack.SHA256, Language.PYTHON, DIGEST)
    suite = humanevalpack.HumanEvalPack(f"{address}/{{folder}}", tmp_path)
    assert [problem.id for problem in suite.load(None, [Language.PYTHON])] == ["Python/0"]
    with pytest.raises(UsageError, match="sha256"):
        suite.load(None, [Language.GO])


def test_without_a_network_the_remedy_is_said(tmp_path: Path) -> None:
    suite = humanevalpack.HumanEvalPack("http://127.0.0.1:1/{folder}", tmp_path)
    with pytest.raises(UsageError) as caught:
        suite.load(None, [Language.RUST])
    assert "--data" in (caught.value.hint or "")

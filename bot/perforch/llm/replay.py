"""A local server that answers from files in the formats of the providers: for demonstrations and tests, over
real HTTP.

A folder of replies looks like this; a reply is Markdown, as a model would write it:

    replies/<model>/<stage>/<function>.md      the answer to the first prompt about that function
    replies/<model>/<stage>/<function>.2.md    to the second different prompt, and so on; optional

`<function>` is `path::name` with every character other than letters, digits, dot, dash and underscore
replaced by `_`, such as
`src_a.py__Class.method`. The function and the stage are found in the prompt itself. Where there is no file,
the answer is a polite sentence without code.
"""

from __future__ import annotations

import gzip
import hashlib
import re
import socket
import threading
from collections import Counter, defaultdict, deque
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Literal, cast, get_args

from perforch.llm import wire

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path
    from types import TracebackType

DECLINED = "I see no change here that I am sure of, so I would leave the function as it is."
_MAX_REQUEST = 16 * 1024 * 1024
_STAGE = re.compile(r"^Stage: ([a-z]+)$", re.MULTILINE)
_FUNCTION = re.compile(r"^Function: (.+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong instead of an answer.

    Attributes:
        kind: status: an error with `status` and perhaps `retry_after`; redirect: to the same place; half: the
            connection ends in the middle of the body; cut: it is reset there; garbage: bytes that are no JSON;
            latin: JSON that is not UTF-8; html: a page with status 200; huge: 20 MB; bomb: 20 MB in a few bytes of
            gzip; drip: one byte of the answer after the other, slowly; other_model: the answer of a model that was
            not asked; hang: nothing until the server stops; reset: the connection is reset; none: no fault; or one
            of `wire.Odd`.
        message: what a `status` says; `{key}` becomes the key that came with the request.
        delay: seconds to wait before anything is sent.
    """

    kind: Literal[
        "none", "status", "redirect", "half", "cut", "garbage", "latin", "html", "huge", "bomb", "drip",
        "other_model", "hang", "reset", "no_choices", "null", "refusal", "tool", "cut_short",
    ] = "status"  # fmt: skip
    status: int = 500
    retry_after: str = ""
    message: str = "scripted fault"
    delay: float = 0.0


class ReplayServer:
    """Answers on a loopback port from the time it is made until `close`.

    Args:
        folder: replies, laid out as above.
        faults: what goes wrong, one for each request in the order of arrival; after the last one nothing
            does.
        always: what goes wrong with every request to a model, by the model's name.

    Attributes:
        requests: how often each prompt was received, by the digest of `digest`.
        log: model, stage and function of every prompt, in the order of arrival.
    """

    def __init__(
        self, folder: Path, *, faults: Iterable[Fault] = (), always: Mapping[str, Fault] | None = None
    ) -> None:
        self._folder = folder
        self._faults = deque(faults)
        self._always = dict(always or {})
        self._lock = threading.Lock()
        self._asked: dict[tuple[str, str, str], list[str]] = defaultdict(list)
        self.requests: Counter[str] = Counter()
        self.log: list[tuple[str, str, str]] = []
        self.closing = threading.Event()
        self._server = _Server(self)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), name="replay", daemon=True
        )
        self._thread.start()

    @property
    def url(self) -> str:
        """Where it answers, without a path; the chat format is below `/v1`."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> ReplayServer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop answering; requests that hang are let go."""
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def next_fault(self, model: str) -> Fault:
        """Take the fault of the request that has just arrived."""
        with self._lock:
            if model in self._always:
                return self._always[model]
            return self._faults.popleft() if self._faults else Fault("none")

    def answer(self, asked: wire.Asked) -> str:
        """Find the reply to a prompt, and count it."""
        stage, function = _first(_STAGE, asked.user), _first(_FUNCTION, asked.user)
        place = (asked.model, stage, function)
        mark = digest(asked.system, asked.user)
        with self._lock:
            self.requests[mark] += 1
            self.log.append(place)
            if mark not in self._asked[place]:
                self._asked[place].append(mark)
            turn = self._asked[place].index(mark) + 1
        folder = self._folder / safe(asked.model) / safe(stage)
        for number in range(turn, 0, -1):
            file = folder / f"{safe(function)}{f'.{number}' if number > 1 else ''}.md"
            if stage and function and file.is_file():
                return file.read_text(encoding="utf-8")
        return DECLINED


def digest(system: str, user: str) -> str:
    """Name a prompt."""
    return hashlib.sha256(f"{system}\0{user}".encode("utf-8", "replace")).hexdigest()


def safe(text: str) -> str:
    """A text as a file name without directories."""
    return re.sub(r"[^A-Za-z0-9._-]", "_", text).lstrip(".")[:200]


def _first(pattern: re.Pattern[str], text: str) -> str:
    found = pattern.search(text[:4000])
    return found[1] if found else ""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, replay: ReplayServer) -> None:
        self.replay = replay
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """Stay silent: clients that go away in the middle are part of the exercise."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server
    timeout = 60

    def log_message(self, format: str, *args: object) -> None:
        """Print nothing."""

    def do_POST(self) -> None:
        length = int(self.headers.get("content-length", "0"))
        if not 0 <= length <= _MAX_REQUEST:
            self._send(413, wire.write_error(None, 413, "the request is too large"))
            return
        body = self.rfile.read(length)
        try:
            asked = wire.read(self.path, body)
        except wire.WireError as error:
            status = 404 if str(error) == "no such path" else 400
            self._send(status, wire.write_error(None, status, str(error)))
            return
        replay = self.server.replay
        text = replay.answer(asked)
        fault = replay.next_fault(asked.model)
        if fault.delay:
            replay.closing.wait(fault.delay)
        if fault.kind == "other_model":
            asked = replace(asked, model="another-model")
        mark = digest(asked.system, asked.user)[:24]
        if fault.kind in {"none", "other_model"}:
            self._send(200, wire.write(asked, text, mark))
        else:
            self._fail(fault, asked, text, mark)

    def _fail(self, fault: Fault, asked: wire.Asked, text: str, mark: str) -> None:
        answer = wire.write(asked, text, mark)
        if fault.kind == "status":
            extra = {"retry-after": fault.retry_after} if fault.retry_after else {}
            said = fault.message.replace("{key}", self._key())
            self._send(fault.status, wire.write_error(asked.format, fault.status, said), **extra)
        elif fault.kind == "redirect":
            self._send(307, b"", location=self.path)
        elif fault.kind in get_args(wire.Odd):
            self._send(200, wire.write_odd(asked, cast("wire.Odd", fault.kind), text, mark))
        elif fault.kind == "latin":
            self._send(200, wire.write(asked, "caf\u00e9", mark).replace(b"\\u00e9", b"\xe9"))
        elif fault.kind == "bomb":
            body = gzip.compress(b'{"padding": "' + b"x" * (20 * 1024 * 1024) + b'"}', 1)
            self._send(200, body, **{"content-encoding": "gzip"})
        elif fault.kind == "drip":
            self._head(200, len(answer))
            for number in range(len(answer)):
                self.wfile.write(answer[number : number + 1])
                if self.server.replay.closing.wait(0.2):
                    break
            self.close_connection = True
        elif fault.kind == "garbage":
            self._send(200, b"\xff\xfe{{{ not json \x00" * 10)
        elif fault.kind == "html":
            self._send(200, b"<!doctype html><title>Gateway</title>", **{"content-type": "text/html"})
        elif fault.kind == "huge":
            self._send(200, b'{"padding": "' + b"x" * (20 * 1024 * 1024) + b'"}')
        elif fault.kind == "half":
            self._head(200, len(answer))
            self.wfile.write(answer[: len(answer) // 2])
            self._hang_up()
        elif fault.kind == "cut":
            self._head(200, len(answer))
            self.wfile.write(answer[: len(answer) // 2])
            self.wfile.flush()
            self._reset()
        elif fault.kind == "hang":
            self.server.replay.closing.wait()
            self.close_connection = True
        else:
            self._reset()

    def _reset(self) -> None:
        """Close abortively: the peer sees a reset."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.close_connection = True

    def _key(self) -> str:
        names = ("authorization", "x-api-key", "x-goog-api-key")
        return next(
            (self.headers[name].removeprefix("Bearer ") for name in names if name in self.headers), ""
        )

    def _head(self, status: int, length: int, **headers: str) -> None:
        self.send_response(status)
        fields = {"content-type": "application/json", "content-length": str(length), "x-request-id": "replay"}
        for name, value in {**fields, **headers}.items():
            self.send_header(name, value)
        self.end_headers()

    def _send(self, status: int, body: bytes, **headers: str) -> None:
        self._head(status, len(body), **headers)
        try:
            self.wfile.write(body)
        except OSError:  # the client has had enough
            self.close_connection = True

    def _hang_up(self) -> None:
        self.wfile.flush()
        self.connection.shutdown(socket.SHUT_RDWR)
        self.close_connection = True

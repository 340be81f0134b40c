"""The main process's side of the courier: starts it, hands it requests, hears of replies."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from perforch.llm import frames

if TYPE_CHECKING:
    from perforch.llm.store import Store

_ROOT = str(Path(__file__).resolve().parents[2])
_START = "import sys; sys.path[:0] = [one for one in sys.argv[1].split(':') if one not in sys.path]; from perforch.llm.courier import main; main()"
START_SECONDS = 30.0


class CarrierError(Exception):
    """The courier could not be started, or ended before it had answered. `sent` is False if nothing went out."""

    def __init__(self, message: str, *, sent: bool = True) -> None:
        super().__init__(message)
        self.sent = sent


class Carrier:
    """Hands requests to a courier. One courier lives as long as this object; it is replaced if it dies.

    Args:
        store: where the courier writes.
        proxy: URL of an HTTP proxy for https requests, or None.
    """

    def __init__(self, store: Store, *, proxy: str | None = None) -> None:
        self._store = store
        self._proxy = proxy
        self._lock = threading.Lock()
        self._courier: Courier | None = None

    def courier(self) -> Courier:
        """The courier; started if none runs. Takes about a third of a second then.

        Raises:
            CarrierError: it does not start.
        """
        with self._lock:
            if self._courier is None or self._courier.ended:
                self._courier = _launch(self._store, self._proxy)
            return self._courier

    def close(self) -> None:
        """Let the courier go: it finishes what is in flight, however long that takes, and ends.

        Does not wait for that.
        """
        with self._lock:
            if self._courier is not None:
                self._courier.dismiss()
            self._courier = None


class Courier:
    """One running courier process, as the main process sees it."""

    def __init__(self, owner: int, pipe: BinaryIO, answers: BinaryIO) -> None:
        self.owner = owner
        self._pipe = pipe
        self._answers = answers
        self._lock = threading.Lock()
        self._waiting: dict[int, Future[None]] = {}
        self._number = 0
        self._thread = threading.Thread(target=self._listen, name="courier", daemon=True)
        self._thread.start()

    @property
    def ended(self) -> bool:
        """No more can be handed to it."""
        return self._pipe.closed

    def send(
        self, *, key: str, url: str, headers: dict[str, str], body: str, timeout: float, mask: str = ""
    ) -> Future[None]:
        """Hand over one announced request. The future is done when what came back is in the store.

        `mask` is the API key in `headers`; where a response repeats it, it is masked before it is stored.

        The future raises CarrierError when that cannot happen any more.
        """
        future: Future[None] = Future()
        with self._lock:
            self._number += 1
            message = {
                "id": self._number,
                "key": key,
                "url": url,
                "headers": headers,
                "body": body,
                "timeout": timeout,
                "mask": mask,
            }
            self._waiting[self._number] = future
            try:
                _write(self._pipe, frames.pack(message))
            except (OSError, ValueError):  # ValueError: the pipe was closed when the courier ended
                del self._waiting[self._number]
                future.set_exception(CarrierError("the courier process has ended"))
        return future

    def dismiss(self) -> None:
        """End the pipe, which tells the courier to finish and go."""
        with self._lock:
            self._pipe.close()
            idle = not self._waiting
        if idle:
            self._thread.join(timeout=START_SECONDS)

    def _listen(self) -> None:
        while (answer := frames.read(self._answers)) is not None:
            with self._lock:
                future = self._waiting.pop(int(answer["id"]), None)
            if future is None or not future.set_running_or_notify_cancel():
                continue
            if answer["problem"]:
                future.set_exception(CarrierError(str(answer["problem"]), sent=bool(answer["sent"])))
            else:
                future.set_result(None)
        self._answers.close()
        with self._lock:
            self._pipe.close()
            lost = list(self._waiting.values())
            self._waiting.clear()
        for future in lost:
            if future.set_running_or_notify_cancel():
                future.set_exception(CarrierError("the courier process has ended"))


def _places() -> list[str]:
    """Where this process finds modules; never the working directory."""
    return list(dict.fromkeys((_ROOT, *(place for place in sys.path if place.startswith("/")))))


def _launch(store: Store, proxy: str | None) -> Courier:
    owner = store.new_owner()
    requests_read, requests_write = os.pipe2(os.O_CLOEXEC)
    answers_read, answers_write = os.pipe2(os.O_CLOEXEC)
    pipe, answers = os.fdopen(requests_write, "wb", buffering=0), os.fdopen(answers_read, "rb")
    try:
        # An empty environment: what is not there cannot be read from /proc/<pid>/environ. No inherited
        # stderr: whoever waits for the end of our output must not wait for the courier.
        subprocess.run(
            [sys.executable, "-I", "-c", _START, ":".join(_places())],
            stdin=requests_read,
            stdout=answers_write,
            stderr=subprocess.DEVNULL,
            env={},
            cwd="/",
            start_new_session=True,
            timeout=START_SECONDS,
            check=True,
        )
        os.close(requests_read)
        os.close(answers_write)
        requests_read = answers_write = -1
        _write(pipe, frames.pack({"store": str(store.path.resolve()), "owner": owner, "proxy": proxy}))
        answer = frames.read(answers)
    except (OSError, subprocess.SubprocessError) as error:
        pipe.close()
        answers.close()
        message = f"the courier process cannot be started: {error}"
        raise CarrierError(message) from error
    finally:
        for descriptor in (requests_read, answers_write):
            if descriptor >= 0:
                os.close(descriptor)
    if answer is None or not answer.get("ready"):
        pipe.close()
        answers.close()
        message = f"the courier process does not work: {(answer or {}).get('problem', 'it ended at once')}"
        raise CarrierError(message)
    return Courier(owner, pipe, answers)


def _write(pipe: BinaryIO, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[pipe.write(rest) :]

"""The courier: a small process of its own that carries requests to providers and writes what comes back to
the store.

A request that is on its way when the main process is killed has been paid for. So the main process never
sends anything itself: it hands each request to the courier over a pipe (keys travel in that pipe, never by
environment or arguments). When the pipe ends, because the main process finished or died, the courier
completes what is in flight, stores it, and ends; it never tries anything twice. A restarted run waits for it
and finds the answers.

This module is the courier's side. It imports httpx and the standard library only.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

# httpx imports its own command line (click, rich) when it finds them; that would be half of our start-up
# time.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]
import httpx  # noqa: E402

from perforch.llm import frames  # noqa: E402
from perforch.llm import store as stores  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_BODY = 4 * 1024 * 1024
MAX_AT_ONCE = 8  # requests to one server; more only earn rate limits and full accept queues
_PR_SET_DUMPABLE = 4
_KEPT_HEADERS = (
    "content-type",
    "retry-after",
    "retry-after-ms",
    "x-should-retry",
    "x-request-id",
    "request-id",
    "x-amzn-requestid",
    "x-amzn-errortype",
)


class _Courier:
    def __init__(self, path: Path, owner: int, proxy: str | None) -> None:
        self.path = path
        self.owner = owner
        self.store = stores.Store(path)
        self.lock = stores.claim(path, owner)
        self.proxy = proxy
        self.ending = False
        self._clients: dict[str, httpx.AsyncClient] = {}
        self._slots: dict[str, asyncio.Semaphore] = {}

    def client(self, url: str) -> httpx.AsyncClient:
        """The client for a scheme; made at the first need, because loading certificates takes time."""
        scheme = url.partition(":")[0]
        if scheme not in self._clients:
            self._clients[scheme] = httpx.AsyncClient(
                trust_env=False,
                follow_redirects=False,
                proxy=self.proxy if scheme == "https" else None,
                verify=scheme == "https",
                timeout=httpx.Timeout(None, connect=10.0),
                limits=httpx.Limits(max_connections=None, max_keepalive_connections=20),
            )
        return self._clients[scheme]

    async def carry(self, message: dict[str, Any]) -> None:
        """Do one exchange: wait for a free slot, announce, send, store, then tell."""
        deadline = time.monotonic() + message["timeout"]
        slots = self._slots.setdefault(urlsplit(message["url"]).netloc, asyncio.Semaphore(MAX_AT_ONCE))
        async with slots:
            if self.ending:  # nothing new goes out for a process that is gone
                return
            message["timeout"] = deadline - time.monotonic()
            await self._carry(message)

    async def _carry(self, message: dict[str, Any]) -> None:
        key = message["key"]
        problem = ""
        sent = False
        try:
            if message["timeout"] <= 0:
                self.store.withdraw(key, self.owner)
                problem = "other requests to the same server took all the time"
            elif self.store.sent(key, self.owner):
                sent = True
                started = time.monotonic()
                status, headers, body, failure = await self.exchange(message)
                if mask := message["mask"]:  # some servers echo the headers of a request
                    body = body.replace(mask.encode(), b"***")
                    headers = {name: value.replace(mask, "***") for name, value in headers.items()}
                self.store.answered(
                    key,
                    self.owner,
                    status=status,
                    headers=headers,
                    body=body,
                    failure=failure,
                    seconds=time.monotonic() - started,
                )
            else:
                problem = "the announced request has disappeared from the reply store"
        except stores.StoreError as error:
            problem = error.message
        tell({"id": message["id"], "problem": problem, "sent": sent})

    async def exchange(self, message: dict[str, Any]) -> tuple[int, dict[str, str], bytes, str]:
        """Send one request; never raises for what the network or the server does."""
        status, headers, body = 0, {}, bytearray()
        failure = ""
        try:
            async with (
                asyncio.timeout(message["timeout"]),
                self.client(message["url"]).stream(
                    "POST", message["url"], headers=message["headers"], content=message["body"].encode()
                ) as response,
            ):
                status = response.status_code
                headers = {
                    name: response.headers[name][:500] for name in _KEPT_HEADERS if name in response.headers
                }
                # Compression is not asked for: a few bytes could otherwise unfold into gigabytes.
                if response.headers.get("content-encoding", "identity") != "identity":
                    failure = "encoding"
                else:
                    async for chunk in response.aiter_raw(65536):
                        body += chunk
                        if len(body) > MAX_BODY:
                            failure = "too_large"
                            body.clear()
                            break
        except (TimeoutError, httpx.ReadTimeout, httpx.WriteTimeout):
            failure = "timeout"
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError):
            failure = "connect"
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, OSError, UnicodeError, ValueError):
            # Texts of these errors may quote headers, keys included, so only the kind is passed on.
            failure = "broken"
        return status, headers, bytes(body), failure


def tell(document: Mapping[str, Any]) -> None:
    """Write to the main process, which may be gone."""
    data = frames.pack(document)
    try:
        while data:
            data = data[os.write(1, data) :]
    except OSError:
        return


async def _serve() -> None:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader),
        open(0, "rb", buffering=0),  # noqa: SIM115
    )
    first = await _message(reader)
    if first is None:
        return
    try:
        courier = _Courier(Path(first["store"]), first["owner"], first["proxy"])
    except stores.StoreError as error:
        tell({"problem": error.message})
        return
    tell({"ready": True})
    tasks: set[asyncio.Task[None]] = set()
    while (message := await _message(reader)) is not None:
        task = asyncio.create_task(courier.carry(message))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
    courier.ending = True
    if tasks:
        await asyncio.gather(*tasks)
    courier.store.close()


async def _message(reader: asyncio.StreamReader) -> dict[str, Any] | None:
    """Read one message; None at the end of the pipe, also in the middle of one."""
    try:
        length = frames.length(await reader.readexactly(frames.HEAD))
        return frames.unpack(await reader.readexactly(length))
    except (asyncio.IncompleteReadError, OSError):
        return None


def main() -> None:
    """Become independent of the process that started us, then serve until the pipe ends."""
    # Nobody of the same user may read the keys from our memory or descriptors.
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    # The starter waits for its child; the grandchild belongs to init, so nobody has to reap it and no one's
    # end ends it.
    if os.fork():
        os._exit(0)
    os.chdir("/")
    asyncio.run(_serve())

"""A run that is killed at random moments and started again asks every prompt once and loses no answer."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from perforch.llm.replay import Fault, ReplayServer
from perforch.llm.store import Store, is_alive

if TYPE_CHECKING:
    from pathlib import Path

KILLS = 10
PROMPTS = 60

PROGRAM = """
import asyncio, json, sys
from pathlib import Path
from perforch.llm.client import Client
from perforch.llm.model import Prompt
from perforch.settings import Budget, ModelSettings

folder, url, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
model = ModelSettings(name="m", provider="openai-compatible", base_url=url + "/v1", timeout_seconds=30)


async def main():
    with Client(folder / "replies.sqlite", Budget(calls=1000), run="r", environment={}) as client:
        async def one(number):
            return await client.complete(model, Prompt("s", f"Stage: fix\\nFunction: a::f{number}"))
        replies = await asyncio.gather(*(one(number) for number in range(count)))
        print(json.dumps([[reply.kind, reply.text, client.budget.spent.calls] for reply in replies]))


asyncio.run(main())
"""


def start(tmp_path: Path, server: ReplayServer) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(tmp_path), server.url, str(PROMPTS)],
        stdout=subprocess.PIPE,
        start_new_session=True,
    )


def test_killed_runs_ask_every_prompt_once(tmp_path: Path) -> None:
    chance = random.Random(4)
    faults = [Fault("none", delay=chance.uniform(0.05, 0.8)) for _ in range(PROMPTS * 2)]
    kills = 0
    with ReplayServer(tmp_path / "none", faults=faults) as server:
        for attempt in range(KILLS):
            before = sum(server.requests.values())
            process = start(tmp_path, server)
            # Until something is on its way (mostly), then a random moment more.
            deadline = time.monotonic() + 3
            while (
                attempt % 3
                and sum(server.requests.values()) == before
                and time.monotonic() < deadline
                and process.poll() is None
            ):
                time.sleep(0.002)
            time.sleep(chance.uniform(0, 0.15))
            if process.poll() is None:
                # The whole process group goes, as a runner kills a job; the courier stands outside of it.
                os.killpg(process.pid, signal.SIGKILL)
                kills += 1
            process.communicate()
        assert kills >= KILLS // 2
        last = start(tmp_path, server)
        output, _ = last.communicate(timeout=60)
        replies = json.loads(output)
        assert [reply[0] for reply in replies] == ["text"] * PROMPTS
        assert {reply[2] for reply in replies} == {PROMPTS}
        assert len(server.requests) == PROMPTS
        assert set(server.requests.values()) == {1}


def test_the_courier_leaves_when_its_work_is_done(tmp_path: Path) -> None:
    with ReplayServer(tmp_path / "none") as server:
        start(tmp_path, server).communicate(timeout=60)
    store = Store(tmp_path / "replies.sqlite")
    deadline = time.monotonic() + 10
    while is_alive(store.path, 1) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not is_alive(store.path, 1)
    store.close()

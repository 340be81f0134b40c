from __future__ import annotations

import asyncio
import random

import pytest

from perforch.stages.turns import PLACE, Turns


async def walk(turns: Turns, place: int, steps: int, seen: list[int]) -> None:
    PLACE.set(place)
    for _ in range(steps):
        async with turns:
            seen.append(place)
            await asyncio.sleep(0)


def test_one_function_is_finished_before_the_next() -> None:
    async def run() -> list[int]:
        turns, seen = Turns(1), list[int]()
        await asyncio.gather(*(walk(turns, place, 3, seen) for place in (2, 0, 1)))
        return seen

    assert asyncio.run(run()) == [0, 0, 0, 1, 1, 1, 2, 2, 2]


@pytest.mark.parametrize("most", [1, 2, 5])
def test_never_more_than_allowed_and_nobody_is_forgotten(most: int) -> None:
    source = random.Random(most)
    inside = highest = 0
    ended: list[int] = []

    async def work(turns: Turns, number: int) -> None:
        nonlocal inside, highest
        PLACE.set(source.randrange(4))
        async with turns:
            inside += 1
            highest = max(highest, inside)
            for _ in range(source.randrange(5)):
                await asyncio.sleep(0)
            inside -= 1
        ended.append(number)

    async def run() -> int:
        turns = Turns(most)
        tasks = [asyncio.create_task(work(turns, number)) for number in range(40)]
        await asyncio.sleep(0)
        cancelled = source.sample(tasks[most:], 10)
        for task in cancelled:
            task.cancel()
            await asyncio.sleep(0)
        endings = await asyncio.gather(*tasks, return_exceptions=True)
        async with turns:  # all places are free again
            pass
        return sum(isinstance(ending, asyncio.CancelledError) for ending in endings)

    gone = asyncio.run(run())
    assert 0 < highest <= most
    assert len(ended) + gone == 40


def test_a_turn_given_to_one_who_is_gone_is_passed_on() -> None:
    async def run() -> None:
        turns, seen = Turns(1), list[int]()
        await turns.__aenter__()
        await asyncio.sleep(0)
        first = asyncio.create_task(walk(turns, 1, 1, seen))
        second = asyncio.create_task(walk(turns, 2, 1, seen))
        await asyncio.sleep(0)
        await turns.__aexit__()
        await asyncio.sleep(0)
        first.cancel()  # after it was given the turn, before it could take it
        await asyncio.gather(first, second, return_exceptions=True)
        assert seen == [2]

    asyncio.run(asyncio.wait_for(run(), 10))


def test_tasks_of_a_task_have_its_place() -> None:
    async def child() -> int:
        return PLACE.get()

    async def run() -> int:
        PLACE.set(7)
        return await asyncio.create_task(child())

    assert asyncio.run(run()) == 7

"""What do the same programs cost with asyncio? (Python 3.11 and later: TaskGroup, timeout.)"""
import asyncio

import measure

HOUR_SECONDS = 3600


def spawn(pause):
    async def run(n, mark):
        ended = 0

        async def task():
            nonlocal ended
            if pause:
                await asyncio.sleep(0)
            ended += 1

        async with asyncio.TaskGroup() as group:
            for _ in range(n):
                group.create_task(task())
        return ended

    return run


async def gather(n, mark):
    async def one():
        await asyncio.sleep(0)
        return 1

    return sum(await asyncio.gather(*[one() for _ in range(n)]))


async def cancel(n, mark):
    asleep = 0

    async def task():
        nonlocal asleep
        asleep += 1
        await asyncio.sleep(HOUR_SECONDS)

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(task()) for _ in range(n)]
        while asleep < n:
            await asyncio.sleep(0)
        mark()
        for each in tasks:
            each.cancel()
    return sum(each.cancelled() for each in tasks)


async def nested(n, mark):
    opened = 0

    async def level(depth):
        nonlocal opened
        opened += 1
        async with asyncio.TaskGroup() as group:
            if depth > 1:
                group.create_task(level(depth - 1))

    await level(n)
    return opened


def channel(capacity):
    async def run(n, mark):
        queue = asyncio.Queue(capacity)
        in_order = 0

        async def send():
            for i in range(n):
                await queue.put(i)

        async def receive():
            nonlocal in_order
            for i in range(n):
                if await queue.get() == i:
                    in_order += 1

        async with asyncio.TaskGroup() as group:
            group.create_task(send())
            group.create_task(receive())
        return in_order

    return run


async def bare_body(n, mark):
    for _ in range(n):
        await asyncio.sleep(0)
    return n


async def time_limit(n, mark):
    for _ in range(n):
        async with asyncio.timeout(HOUR_SECONDS):
            await asyncio.sleep(0)
    return n


async def live_time_limits(n, mark):
    gate = asyncio.Event()
    waiting = ended = 0

    async def task():
        nonlocal waiting, ended
        async with asyncio.timeout(HOUR_SECONDS):
            waiting += 1
            await gate.wait()
        ended += 1

    async with asyncio.TaskGroup() as group:
        for _ in range(n):
            group.create_task(task())
        while waiting < n:
            await asyncio.sleep(0)
        gate.set()
    return ended


async def limiter(n, mark):
    semaphore = asyncio.Semaphore(100)
    ended = 0

    async def task():
        nonlocal ended
        async with semaphore:
            await asyncio.sleep(0)
            ended += 1

    async with asyncio.TaskGroup() as group:
        for _ in range(n):
            group.create_task(task())
    return ended


SIDES = {
    ("spawn", "asyncio.TaskGroup"): spawn(pause=False),
    ("spawn-yield", "asyncio.TaskGroup"): spawn(pause=True),
    ("gather", "asyncio.gather"): gather,
    ("cancel", "asyncio.TaskGroup"): cancel,
    ("nested", "asyncio.TaskGroup"): nested,
    ("nested-deep", "asyncio.TaskGroup"): nested,
    ("channel-0", "asyncio.Queue(1)"): channel(1),
    ("channel-1024", "asyncio.Queue(1024)"): channel(1024),
    ("time-limit", "asyncio, bare body"): bare_body,
    ("time-limit", "asyncio.timeout"): time_limit,
    ("live-time-limits", "asyncio.timeout"): live_time_limits,
    ("limiter", "asyncio.Semaphore"): limiter,
}

if __name__ == "__main__":
    measure.main(SIDES, lambda function, n, mark: asyncio.run(function(n, mark)))

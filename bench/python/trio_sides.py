"""What do the same programs cost with Trio?"""
import trio

import measure

HOUR_SECONDS = 3600


def spawn(pause):
    async def run(n, mark):
        ended = 0

        async def task():
            nonlocal ended
            if pause:
                await trio.lowlevel.checkpoint()
            ended += 1

        async with trio.open_nursery() as nursery:
            for _ in range(n):
                nursery.start_soon(task)
        return ended

    return run


async def gather(n, mark):
    results = [0] * n

    async def one(i):
        await trio.lowlevel.checkpoint()
        results[i] = 1

    async with trio.open_nursery() as nursery:
        for i in range(n):
            nursery.start_soon(one, i)
    return sum(results)


async def cancel(n, mark):
    asleep = ended = 0

    async def task():
        nonlocal asleep, ended
        asleep += 1
        try:
            await trio.sleep(HOUR_SECONDS)
        finally:
            ended += 1

    async with trio.open_nursery() as nursery:
        for _ in range(n):
            nursery.start_soon(task)
        while asleep < n:
            await trio.lowlevel.checkpoint()
        mark()
        nursery.cancel_scope.cancel()
    return ended


async def nested(n, mark):
    opened = 0

    async def level(depth):
        nonlocal opened
        opened += 1
        async with trio.open_nursery() as nursery:
            if depth > 1:
                nursery.start_soon(level, depth - 1)

    await level(n)
    return opened


def channel(capacity):
    async def run(n, mark):
        sender, receiver = trio.open_memory_channel(capacity)
        in_order = 0

        async def send():
            for i in range(n):
                await sender.send(i)

        async def receive():
            nonlocal in_order
            for i in range(n):
                if await receiver.receive() == i:
                    in_order += 1

        async with trio.open_nursery() as nursery:
            nursery.start_soon(send)
            nursery.start_soon(receive)
        return in_order

    return run


async def bare_body(n, mark):
    for _ in range(n):
        await trio.lowlevel.checkpoint()
    return n


async def time_limit(n, mark):
    for _ in range(n):
        with trio.move_on_after(HOUR_SECONDS):
            await trio.lowlevel.checkpoint()
    return n


async def live_time_limits(n, mark):
    gate = trio.Event()
    waiting = ended = 0

    async def task():
        nonlocal waiting, ended
        with trio.move_on_after(HOUR_SECONDS):
            waiting += 1
            await gate.wait()
        ended += 1

    async with trio.open_nursery() as nursery:
        for _ in range(n):
            nursery.start_soon(task)
        while waiting < n:
            await trio.lowlevel.checkpoint()
        gate.set()
    return ended


async def limiter(n, mark):
    tokens = trio.CapacityLimiter(100)
    ended = 0

    async def task():
        nonlocal ended
        async with tokens:
            await trio.lowlevel.checkpoint()
            ended += 1

    async with trio.open_nursery() as nursery:
        for _ in range(n):
            nursery.start_soon(task)
    return ended


SIDES = {
    ("spawn", "Trio"): spawn(pause=False),
    ("spawn-yield", "Trio"): spawn(pause=True),
    ("gather", "Trio"): gather,
    ("cancel", "Trio"): cancel,
    ("nested", "Trio"): nested,
    ("nested-deep", "Trio"): nested,
    ("channel-0", "Trio"): channel(0),
    ("channel-1024", "Trio"): channel(1024),
    ("time-limit", "Trio, bare body"): bare_body,
    ("time-limit", "trio.move_on_after"): time_limit,
    ("live-time-limits", "Trio"): live_time_limits,
    ("limiter", "trio.CapacityLimiter"): limiter,
}

if __name__ == "__main__":
    measure.main(SIDES, lambda function, n, mark: trio.run(function, n, mark))

"""Coroutines: tasks, gather, cancellation, async for, async with, async comprehensions."""

import asyncio

import oracle


async def work(name, steps, log):
    for step in range(steps):
        await asyncio.sleep(0)
        log.append((name, step))
    return name, steps


async def numbers(n):
    for i in range(n):
        await asyncio.sleep(0)
        yield i


class Resource:
    def __init__(self, log):
        self.log = log

    async def __aenter__(self):
        await asyncio.sleep(0)
        self.log.append("enter")
        return self

    async def __aexit__(self, kind, error, traceback):
        self.log.append("exit" if kind is None else kind.__name__)
        return kind is LookupError


class Ready:
    """An awaitable written by hand."""

    def __await__(self):
        yield
        return "ready"


async def forever(log):
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        log.append("cancelled")
        raise


async def main():
    log = []
    done = await asyncio.gather(*[work(chr(97 + i), 3 + i, log) for i in range(4)])
    async with Resource(log):
        total = sum([i async for i in numbers(10)])
    async with Resource(log):
        raise LookupError("swallowed")
    task = asyncio.ensure_future(forever(log))
    await asyncio.sleep(0)
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        log.append("seen")
    ready = await Ready()

    queue = asyncio.Queue(maxsize=2)

    async def produce():
        for i in range(8):
            await queue.put(i)

    producer = asyncio.ensure_future(produce())
    taken = [await queue.get() for _ in range(8)]
    await producer

    unfinished = numbers(5)
    await unfinished.__anext__()
    await unfinished.aclose()
    print("async_tasks", done, total, ready, taken, len(log), log[-4:])


asyncio.run(main())
oracle.dump()  # what asyncio's modules do at exit is not of interest

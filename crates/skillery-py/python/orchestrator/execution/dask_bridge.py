"""The way from a run to a Dask cluster, as a program: ``python -m orchestrator.execution.dask_bridge tcp://host:port``.

Lines of JSON come in: ``{"probe": sandbox}`` first, then ``{"id", "attempt"}`` and ``{"cancel": id}``. Lines go out:
first ``{"hello": {"version", "workers"}}``, ``{"unreachable": why}`` or ``{"broken": why}``, then ``{"id", "attempted"}``
or ``{"id", "lost": why}``. It ends with its standard input. It is trusted code, and no skill runs in it.
"""

from __future__ import annotations

import json
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    import asyncio
    from typing import Any, BinaryIO, Dict, Optional

#: Seconds to reach the scheduler in.
CONNECT = 5
#: Seconds between two looks at whether there are workers, and how many looks find none before attempts are given up.
LOOK = 1.0
LOOKS = 5
#: Seconds that an attempt may take to end by itself when it is cancelled, before Dask is told to forget it.
FAREWELL = 5


class Bridge:
    """A connected client, and the attempts that are under way."""

    def __init__(self, client: Any, output: BinaryIO) -> None:
        import uuid

        self.client = client
        self.output = output
        self.run = uuid.uuid4().hex
        self.under_way: "Dict[int, asyncio.Future[Any]]" = {}
        #: Attempts that were given up, with the reason.
        self.lost: Dict[int, str] = {}

    def say(self, **words: Any) -> None:
        self.write(json.dumps(words))

    def write(self, line: str) -> None:
        self.output.write(line.encode() + b"\n")
        self.output.flush()

    def name(self, number: int) -> str:
        return "skillery-{}-{}".format(self.run, number)

    async def hello(self, sandbox: Any) -> None:
        from orchestrator import _native

        from . import dask_worker

        found = await self.client.run(dask_worker.probe, json.dumps(sandbox), on_error="return")
        workers = {
            worker: {"error": said(answer)} if isinstance(answer, BaseException) else answer
            for worker, answer in found.items()
        }
        self.say(hello={"version": _native.VERSION, "workers": workers})

    async def attempt(self, number: int, payload: str) -> None:
        from distributed import Event

        from . import dask_worker

        name = self.name(number)
        future = self.client.submit(dask_worker.run_attempt, name, payload, key=name, pure=False, retries=0)
        self.under_way[number] = future
        try:
            answer = await future
        except BaseException as error:  # also what Dask takes for a cancellation
            self.say(id=number, lost=self.lost.pop(number, None) or said(error))
        else:
            self.write('{"id":%d,"attempted":%s}' % (number, answer))
        finally:
            del self.under_way[number]
            future.release()
            await Event(name, client=self.client).clear()

    async def cancel(self, number: int) -> None:
        import asyncio

        from . import dask_worker

        future = self.under_way.get(number)
        if future is None:
            return
        runs = await self.client.run(dask_worker.cancel, self.name(number), on_error="ignore")
        if any(runs.values()):
            await asyncio.wait([asyncio.ensure_future(waited(future))], timeout=FAREWELL)
        if number in self.under_way:
            await future.cancel()

    async def watch(self) -> None:
        """Gives up what waits for workers of which none is left."""
        import asyncio

        absent = 0
        while True:
            await asyncio.sleep(LOOK)
            absent = absent + 1 if self.under_way and not await self.client.nthreads() else 0
            if absent >= LOOKS:
                for number, future in list(self.under_way.items()):
                    self.lost[number] = "the cluster has no workers left"
                    await future.cancel()
                absent = 0

    async def serve(self, orders: "asyncio.Queue[Optional[bytes]]") -> None:
        """Does what is ordered, until the end of the orders."""
        import asyncio

        tasks = {asyncio.ensure_future(self.watch())}
        while True:
            line = await orders.get()
            if line is None:
                break
            order = json.loads(line)
            if "cancel" in order:
                work = self.cancel(order["cancel"])
            else:
                work = self.attempt(order["id"], json.dumps(order["attempt"]))
            task = asyncio.ensure_future(work)
            # Nobody else holds on to it.
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        for number in list(self.under_way):
            await self.cancel(number)


async def waited(future: Any) -> None:
    try:
        await future
    except BaseException:
        pass


def said(error: BaseException) -> str:
    """What an exception says, or what it is where it says nothing."""
    return "{}: {}".format(type(error).__name__, error) if str(error) else type(error).__name__


async def begin(address: str, output: BinaryIO) -> None:
    import asyncio
    import threading
    import warnings

    loop = asyncio.get_running_loop()
    orders: "asyncio.Queue[Optional[bytes]]" = asyncio.Queue()

    def read() -> None:
        for line in sys.stdin.buffer:
            loop.call_soon_threadsafe(orders.put_nowait, line)
        loop.call_soon_threadsafe(orders.put_nowait, None)

    def refuse(**words: str) -> None:
        output.write(json.dumps(words).encode() + b"\n")
        output.flush()

    threading.Thread(target=read, daemon=True).start()
    first = await orders.get()
    if first is None:
        return
    try:
        from distributed import Client
    except ImportError as error:
        return refuse(broken="the package `distributed` is not installed there ({})".format(error))
    # Inputs are as large as they are.
    warnings.filterwarnings("ignore", message="Sending large graph")
    try:
        client = await Client(address, asynchronous=True, timeout=CONNECT, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        return refuse(unreachable=said(error))
    bridge = Bridge(client, output)
    try:
        await bridge.hello(json.loads(first)["probe"])
        await bridge.serve(orders)
    finally:
        await client.close(timeout=FAREWELL)


def main() -> None:
    """Takes standard output away from whoever else would print there, and begins."""
    import asyncio

    output = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    asyncio.run(begin(sys.argv[1], output))


if __name__ == "__main__":
    main()

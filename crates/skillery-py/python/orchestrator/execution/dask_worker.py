"""What runs on the workers of a Dask cluster: one attempt in the sandbox of that machine. `dask_bridge` calls it."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List

#: Seconds between two looks at whether the attempt is still wanted.
LOOK = 0.25
#: How many cancelled attempts are remembered that had not begun.
MOST_CANCELLED = 1_000
#: States of a task that runs, and is wanted.
WANTED = ("executing", "long-running", "resumed")

_running: "Dict[str, Any]" = {}
_cancelled: "List[str]" = []


class LostAttempt(RuntimeError):
    """The worker that began an attempt is gone. Whether to try again is for the caller of the run to say."""


async def probe(sandbox: str) -> Dict[str, Any]:
    """Tells what this machine is: the version of the package, and what keeps skills in.

    Args:
        sandbox: What is demanded, as JSON.
    """
    import asyncio
    import json

    from orchestrator import _native

    layers = await asyncio.get_running_loop().run_in_executor(None, _native.probe_sandbox, sandbox, _python())
    return {"version": _native.VERSION, "sandbox": json.loads(layers)}


def run_attempt(name: str, payload: str) -> str:
    """Makes one attempt, and waits for its end.

    Args:
        name: The attempt, among all of the cluster.
        payload: What to run, as JSON.

    Returns:
        What came of it, as JSON.

    Raises:
        LostAttempt: If it was begun before, by a worker that is gone: Dask would run it again unasked.
    """
    from distributed import Event, get_worker

    from orchestrator import _native

    begun = Event(name)
    if begun.is_set():
        raise LostAttempt("the worker that ran it has ended")
    begun.set()
    worker = get_worker()
    task = worker.get_current_task()
    _running[name] = attempt = _native.Attempt(payload, _python())
    try:
        if name in _cancelled:
            attempt.cancel()
        while True:
            answer = attempt.wait(LOOK)
            if answer is not None:
                return answer
            known = worker.state.tasks.get(task)
            if known is None or known.state not in WANTED:
                # Whoever wanted it has gone, or never needs it now.
                attempt.cancel()
    finally:
        del _running[name]


def cancel(name: str) -> bool:
    """Kills what runs of an attempt, now or as soon as it begins. Returns whether it runs here."""
    _cancelled.append(name)
    del _cancelled[:-MOST_CANCELLED]
    attempt = _running.get(name)
    if attempt is not None:
        attempt.cancel()
    return attempt is not None


def _python() -> str:
    return os.environ.get("SKILLERY_PYTHON") or sys.executable

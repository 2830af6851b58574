"""Runs of workflows: begun, resumed, looked at, ended.

What happens in a run is kept in the folder ``runs`` of ``SKILLERY_HOME``, so that one that was cut short can go on where
it was. Secrets are in none of it.
"""

from __future__ import annotations

import os

from .workflows import Workflow, _json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, List, Mapping, Optional

    OnEvent = Optional[Callable[[Dict[str, Any]], None]]


async def execute_workflow(
    workflow: Workflow,
    inputs: Optional[Mapping[str, Any]] = None,
    *,
    timeout_seconds: Optional[float] = None,
    jobs: Optional[int] = None,
    secrets: Optional[Mapping[str, str]] = None,
    on_event: OnEvent = None,
    keep: bool = True,
    allow_weaker_sandbox: bool = False,
    executor: Any = None,
) -> Dict[str, Dict[str, Any]]:
    """Runs a workflow of installed skills, for real. A step that fails is part of the result, and no exception.

    Cancelling the task kills what runs, and all its processes, before the cancellation goes on.

    Args:
        workflow: The workflow.
        inputs: The workflow's inputs by name. Values that JSON has.
        timeout_seconds: Seconds for one attempt of a step that sets none; 60 when left out.
        jobs: How many steps may run at once; as many as there are processors when left out.
        secrets: Values of the secrets that the workflow names; what is not here comes from the environment variable of
            that name. They are taken out of everything that the run tells, returns or keeps.
        on_event: Called in the event loop with each event of the run, a dict whose ``event`` is ``run-started``,
            ``step-started``, ``step-output``, ``step-denied``, ``step-retrying``, ``step-kept``, ``step-finished`` or
            ``run-finished``, and whose ``run_id`` is what :func:`resume_workflow` takes; before it ``packages-started`` and
            ``packages-finished`` where packages are installed.
        keep: Whether what happens is kept, so that the run can be resumed and looked at.
        allow_weaker_sandbox: Whether skills run even where this machine cannot keep them in completely.
        executor: Where steps run: this machine when left out; ``dask://host:port``, the address of a Dask scheduler, or
            a client of `distributed`. This Python then needs that package, and the workers this one.

    Returns:
        A dict with a dict for each step, by name, in order:

        * ``status``: ``success``, ``failed``, ``timed-out``, ``out-of-memory``, ``denied``, ``skipped`` or ``cancelled``;
        * ``output``: what the skill's function returned;
        * ``skill`` and ``version``: what ran;
        * ``inputs``: the arguments, with their references replaced;
        * ``latency_ms``: milliseconds of the last attempt, the start of its process included;
        * ``attempts``: how often it was started;
        * ``stdout`` and ``stderr``: the end of what it wrote;
        * ``error``: unless it succeeded, a dict with ``type``, ``message`` and perhaps ``traceback`` and ``rule``, else
          ``None``;
        * ``reason``: why it was skipped, if it was;
        * ``items``: for a step with ``foreach``, such a dict for each item;
        * ``steps``: for a step that is a workflow, such a dict with ``name`` for each of its steps.

    Raises:
        WorkflowError: A ``ValueError``. If the workflow cannot begin, for example because a skill is not installed.
        RegistryError: If there is no Python to run skills with, skills cannot be kept in on this machine, or the
            executor cannot be used.
    """
    from orchestrator import _native

    options = _options(timeout_seconds, jobs, secrets, workflow.folder, keep, allow_weaker_sandbox, executor)
    run = _native.start_workflow(
        _json(workflow.to_dict(), "the workflow"),
        _json(dict(inputs or {}), "`inputs`"),
        options,
        on_event is not None,
    )
    return await _follow(run, on_event)


async def resume_workflow(
    run_id: str,
    *,
    timeout_seconds: Optional[float] = None,
    jobs: Optional[int] = None,
    secrets: Optional[Mapping[str, str]] = None,
    on_event: OnEvent = None,
    allow_weaker_sandbox: bool = False,
    executor: Any = None,
) -> Dict[str, Dict[str, Any]]:
    """Goes on with a run that was cut short, or tries again what failed. Steps that have succeeded do not run again, as
    long as what they were given is the same. Skills are those that the run began with, in the same versions.

    Args:
        run_id: The run: its id, the beginning of it, or ``last``.
        timeout_seconds: Seconds for one attempt of a step that sets none; those of the run when left out.
        jobs: As for :func:`execute_workflow`.
        secrets: As for :func:`execute_workflow`; they were not kept.
        on_event: As for :func:`execute_workflow`.
        allow_weaker_sandbox: As for :func:`execute_workflow`.
        executor: As for :func:`execute_workflow`.

    Returns:
        What :func:`execute_workflow` returns, of the whole run.

    Raises:
        ValueError: If the run has succeeded, goes on in another process, or what it began with is not there any more.
        NotFoundError: If there is no such run.
    """
    from orchestrator import _native

    options = _options(timeout_seconds, jobs, secrets, None, True, allow_weaker_sandbox, executor)
    return await _follow(_native.resume_run(_native.run_find(run_id), options, on_event is not None), on_event)


def list_workflow_runs(limit: int = 20) -> List[Dict[str, Any]]:
    """Lists the runs of this machine, the newest first.

    Args:
        limit: How many.

    Returns:
        For each a dict with ``run_id``, ``workflow``, ``state`` (``running``, ``interrupted``, ``success``, ``failed`` or
        ``cancelled``), ``started_at``, ``last_event_at`` and ``steps``, their number.
    """
    from orchestrator import _native

    return _native.run_list(limit)


def get_workflow_run(run_id: str) -> Dict[str, Any]:
    """Tells what came of a run, so far.

    Args:
        run_id: The run: its id, the beginning of it, or ``last``.

    Returns:
        A dict with ``run_id``, ``workflow``, ``state``, ``started_at``, ``inputs``, ``skills`` (the versions that were
        chosen), ``latency_ms``, ``steps`` (as :func:`execute_workflow` returns them, by name) and ``events``.

    Raises:
        NotFoundError: If there is no such run.
    """
    from orchestrator import _native

    found = _native.run_read(run_id)
    found["steps"] = _by_name(found["steps"])
    return found


def cancel_workflow_run(run_id: str) -> None:
    """Ends a run that goes on in another process.

    Args:
        run_id: The run: its id, the beginning of it, or ``last``.

    Raises:
        ValueError: If it has ended.
        NotFoundError: If there is no such run.
    """
    from orchestrator import _native

    _native.run_cancel(run_id)


def prune_workflow_runs(keep: int) -> List[str]:
    """Forgets old runs; those that are going on stay.

    Args:
        keep: How many to keep, the newest.

    Returns:
        The ids of those that are gone.
    """
    from orchestrator import _native

    return _native.run_prune(keep)


def _options(
    timeout_seconds: Optional[float],
    jobs: Optional[int],
    secrets: Optional[Mapping[str, str]],
    folder: Optional[str],
    keep: bool,
    allow_weaker_sandbox: bool,
    executor: Any,
) -> str:
    import sys

    from .configuration import get_registry_config
    from .executors import executor_options

    options = {
        "python": os.environ.get("SKILLERY_PYTHON") or sys.executable or None,
        "timeout_seconds": timeout_seconds,
        "jobs": jobs,
        "verify_signature": get_registry_config().verify_signature,
        "allow_weaker_sandbox": allow_weaker_sandbox,
        **executor_options(executor),
        "folder": folder or os.getcwd(),
        "secrets": dict(secrets or {}),
        "keep": keep,
    }
    return _json(options, "the options")


async def _follow(run: Any, on_event: OnEvent) -> Dict[str, Dict[str, Any]]:
    """Waits for the end of a run, and tells what happens."""
    import asyncio
    import threading

    loop = asyncio.get_running_loop()
    ended: "asyncio.Future[Dict[str, Any]]" = loop.create_future()

    def tell(function: Callable[[Any], Any], argument: Any) -> None:
        try:
            loop.call_soon_threadsafe(function, argument)
        except RuntimeError:  # the loop was closed, so nobody waits any more
            run.cancel()

    def read() -> None:
        event: Any = True
        while event is not None:
            try:
                event, report = run.next()
            except Exception as error:
                return tell(ended.set_exception, error)
            if event is not None and on_event is not None:
                tell(on_event, event)
        tell(ended.set_result, report)

    # No daemon: the interpreter waits for it before it takes itself apart. It ends soon after the run is cancelled.
    threading.Thread(target=read, name="orchestrator-run").start()
    try:
        report = await asyncio.shield(ended)
    except asyncio.CancelledError:
        run.cancel()
        while not ended.done():
            try:
                await asyncio.wait([ended])
            except asyncio.CancelledError:
                continue
        ended.exception()  # or it would be called an exception that nobody looked at
        raise
    finally:
        run.cancel()  # for whoever closes the coroutine instead of cancelling its task
    return _by_name(report["steps"])


def _by_name(steps: List[Dict[str, Any]]) -> Dict[str, Dict[str, Any]]:
    return {step.pop("name"): step for step in steps}

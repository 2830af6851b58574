"""Workflows: installed skills in an order, with the values that flow between them.

Each step runs in a Python process of its own, in a sandbox, with a time limit. What it may do beyond computing stands in
``policy.toml`` in the home folder. In the inputs of a step, however deep, ``${name}``
stands for an input of the workflow, ``${step_output}`` for what an earlier step returned, ``${step_key}`` or
``${step.output.key}`` for a part of that. A text that is one reference becomes the typed value; ``$${`` is a plain
``${``.
"""

from __future__ import annotations

import os

from .skills import Skill

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, Iterable, List, Mapping, Optional, Union

    PathLike = Union[str, "os.PathLike[str]"]


class Workflow:
    """A workflow. Made by :func:`create_workflow`, filled by :func:`add_step`.

    Attributes:
        name: What it is called.
        description: What it is for.
        steps: Its steps in order, each a dict as in the workflow's JSON.
    """

    def __init__(self, name: str, description: str = "", steps: Optional[Iterable[Mapping[str, Any]]] = None) -> None:
        self.name = name
        self.description = description
        self.steps: List[Dict[str, Any]] = [dict(step) for step in steps or ()]

    def to_dict(self) -> Dict[str, Any]:
        """The document, as `skillery workflow run` reads it."""
        return {"name": self.name, "description": self.description, "steps": self.steps}

    def __repr__(self) -> str:
        return "Workflow(name={!r}, steps={!r})".format(self.name, [step.get("name") for step in self.steps])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Workflow) and self.to_dict() == other.to_dict()

    __hash__ = None  # type: ignore[assignment]


def create_workflow(name: str, description: str = "") -> Workflow:
    """Begins a workflow.

    Args:
        name: What it is called.
        description: What it is for.

    Returns:
        A workflow without steps.
    """
    return Workflow(name, description)


def add_step(
    workflow: Workflow,
    step_name: str,
    skill: Union[str, Skill],
    inputs: Optional[Mapping[str, Any]] = None,
    *,
    on_error: str = "stop",
    retries: Optional[int] = None,
    retry_delay: float = 1.0,
    timeout_seconds: Optional[float] = None,
    parallel: bool = False,
    needs: Optional[Iterable[str]] = None,
) -> Workflow:
    """Adds a step to a workflow.

    Args:
        workflow: The workflow.
        step_name: What other steps call it: letters, digits, ``_`` and ``-``; unique in the workflow.
        skill: The installed skill: its name or id, optionally with ``@version`` or ``@range``; or a :class:`Skill`,
            which means exactly its version.
        inputs: The arguments of the skill's function, by name. Values that JSON has; texts may have references.
        on_error: What a failure means: ``stop`` skips the rest, ``continue`` only the steps that need this one,
            ``retry`` tries again three times and then stops.
        retries: How often to try again.
        retry_delay: Seconds before the first retry; doubled for each further one.
        timeout_seconds: Seconds for one attempt; 60 when nobody says.
        parallel: Whether the step may run beside its neighbours that are parallel too.
        needs: Steps that must have succeeded before, beside those that the inputs refer to.

    Returns:
        The workflow.

    Raises:
        ValueError: If something is wrong with the step; it is not added then.
    """
    step: Dict[str, Any] = {
        "name": step_name,
        "skill": "{}@{}".format(skill.id, skill.version) if isinstance(skill, Skill) else skill,
        "inputs": dict(inputs or {}),
        "on_error": on_error,
        "retry_delay_seconds": retry_delay,
    }
    if retries is not None:
        step["retries"] = retries
    if timeout_seconds is not None:
        step["timeout_seconds"] = timeout_seconds
    if parallel:
        step["parallel"] = True
    if needs:
        step["needs"] = [needs] if isinstance(needs, str) else list(needs)

    from orchestrator import _native

    document = workflow.to_dict()
    document["steps"] = [*workflow.steps, step]
    _native.validate_workflow(_json(document, "the step"))
    workflow.steps.append(step)
    return workflow


async def execute_workflow(
    workflow: Workflow,
    inputs: Optional[Mapping[str, Any]] = None,
    *,
    timeout_seconds: Optional[float] = None,
    jobs: Optional[int] = None,
    on_event: Optional[Callable[[Dict[str, Any]], None]] = None,
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
        on_event: Called in the event loop with each event of the run, a dict whose ``event`` is ``run-started``,
            ``step-started``, ``step-output``, ``step-denied``, ``step-retrying``, ``step-finished`` or
            ``run-finished``.
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
        * ``reason``: why it was skipped, if it was.

    Raises:
        WorkflowError: A ``ValueError``. If the workflow cannot begin, for example because a skill is not installed.
        RegistryError: If there is no Python to run skills with, skills cannot be kept in on this machine, or the
            executor cannot be used.
    """
    import asyncio
    import sys
    import threading

    from orchestrator import _native

    from .configuration import get_registry_config
    from .executors import executor_options

    options = {
        "python": os.environ.get("SKILLERY_PYTHON") or sys.executable or None,
        "timeout_seconds": timeout_seconds,
        "jobs": jobs,
        "verify_signature": get_registry_config().verify_signature,
        "allow_weaker_sandbox": allow_weaker_sandbox,
        **executor_options(executor),
    }
    run = _native.start_workflow(
        _json(workflow.to_dict(), "the workflow"),
        _json(dict(inputs or {}), "`inputs`"),
        _json(options, "the options"),
        on_event is not None,
    )
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
    return {step.pop("name"): step for step in report["steps"]}


def save_workflow(workflow: Workflow, path: PathLike) -> None:
    """Writes a workflow as JSON, as `skillery workflow run` reads it.

    Args:
        workflow: The workflow.
        path: The file; replaced if it is there.
    """
    import json

    with open(path, "w", encoding="utf-8") as file:
        json.dump(workflow.to_dict(), file, indent=2, ensure_ascii=False, allow_nan=False)
        file.write("\n")


def load_workflow(path: PathLike) -> Workflow:
    """Reads a workflow that was written as JSON.

    Args:
        path: The file.

    Raises:
        ValueError: If something is wrong with the workflow.
    """
    import json

    from orchestrator import _native

    with open(path, encoding="utf-8") as file:
        text = file.read()
    _native.validate_workflow(text)
    document = json.loads(text)
    return Workflow(document["name"], document.get("description", ""), document.get("steps"))


def _json(value: Any, what: str) -> str:
    import json

    from .errors import InvalidInputError

    try:
        return json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidInputError("{} has a value that JSON has not: {}".format(what, error), "invalid-input") from error

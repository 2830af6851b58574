"""One skill, called like a function. Inside a skill, the same name calls another skill in the same way."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, Mapping, Optional


def execute_skill(
    name: str,
    /,
    inputs: Optional[Mapping[str, Any]] = None,
    *,
    timeout_seconds: Optional[float] = None,
    on_event: Optional[Callable[[Dict[str, Any]], None]] = None,
    executor: Any = None,
    allow_weaker_sandbox: bool = False,
    **arguments: Any,
) -> Any:
    """Runs an installed skill in the sandbox, waits for it, and returns what it returned.

    The same line works inside of a skill, for those skills that its file names in ``[tool.skillery]``; there,
    ``on_event``, ``executor`` and ``allow_weaker_sandbox`` are for whoever runs the outermost one.

    Args:
        name: The skill: its name or id, optionally with ``@version`` or ``@range``.
        inputs: The arguments of the skill's function, by name. Values that JSON has.
        timeout_seconds: The longest it may take; 60 when left out. Never more than it is granted.
        on_event: Called with each event of the run, a dict, as in :func:`execute_workflow`. Skills that are called
            are steps named like ``outer/inner#1``.
        executor: Where it runs, as in :func:`execute_workflow`.
        allow_weaker_sandbox: Whether it runs even where this machine cannot keep it in completely.
        **arguments: More inputs. One that is called like an argument above is given in ``inputs``.

    Returns:
        What the skill's function returned.

    Raises:
        SkillError: If the skill did not succeed.
        WorkflowError: A ``ValueError``. If it cannot begin, for example because it, or a skill that it calls, is not
            installed.
        RegistryError: If there is no Python to run skills with, or skills cannot be kept in on this machine.
    """
    from orchestrator import _native

    from .errors import SkillError
    from .runs import _options
    from .workflows import _json

    given = dict(inputs or {})
    for key in arguments:
        if key in given:
            raise TypeError("the input `{}` is given twice".format(key))
    given.update(arguments)
    options = _options(timeout_seconds, None, None, None, False, allow_weaker_sandbox, executor)
    run = _native.start_skill(name, _json(given, "`inputs`"), options, on_event is not None)
    outcome = _wait(run, on_event)
    error = outcome["error"]
    if error is not None:
        raise SkillError(outcome["status"], error["type"], error["message"], name)
    return outcome["output"]


def _wait(run: Any, on_event: Optional[Callable[[Dict[str, Any]], None]]) -> Dict[str, Any]:
    """What came of a run. Ctrl-C kills what runs before it goes on."""
    import queue
    import threading

    told: "queue.SimpleQueue[Any]" = queue.SimpleQueue()

    def read() -> None:
        event: Any = True
        while event is not None:
            try:
                event, outcome = run.next()
            except Exception as error:
                return told.put((None, None, error))
            told.put((event, outcome, None))

    thread = threading.Thread(target=read, name="orchestrator-run")
    thread.start()
    try:
        while True:
            event, outcome, error = told.get()
            if error is not None:
                raise error
            if event is None:
                return outcome
            if on_event is not None:
                on_event(event)
    finally:
        run.cancel()
        thread.join()

"""Workflows: installed skills in a graph, with the values that flow between them.

Each step runs in a Python process of its own, in a sandbox, with a time limit. What it may do beyond computing stands in
``policy.toml`` in the home folder. In the inputs of a step, however deep, ``${name}``
stands for an input of the workflow, ``${step_output}`` for what another step returned, ``${step_key}`` or
``${step.output.key}`` for a part of that. A text that is one reference becomes the typed value; ``$${`` is a plain
``${``.
"""

from __future__ import annotations

import os

from .skills import Skill

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Iterable, List, Mapping, Optional, Union

    PathLike = Union[str, "os.PathLike[str]"]


class Workflow:
    """A workflow. Made by :func:`create_workflow`, filled by :func:`add_step`.

    Attributes:
        name: What it is called.
        description: What it is for.
        steps: Its steps in order, each a dict as in the workflow's file.
        inputs: What a run is given: types by name, or dicts with ``type``, ``description`` and ``default``; ``None`` for
            whatever it is given.
        secrets: Names of the secrets that steps refer to as ``${secrets.NAME}``.
        outputs: What it returns where it is a step of another workflow; empty for the outputs of its steps.
        folder: Where workflows that are steps are looked up; the working folder where it is ``None``.
    """

    def __init__(
        self,
        name: str,
        description: str = "",
        steps: Optional[Iterable[Mapping[str, Any]]] = None,
        inputs: Optional[Mapping[str, Any]] = None,
        secrets: Optional[Iterable[str]] = None,
        outputs: Optional[Mapping[str, Any]] = None,
    ) -> None:
        self.name = name
        self.description = description
        self.steps: List[Dict[str, Any]] = [dict(step) for step in steps or ()]
        self.inputs: Optional[Dict[str, Any]] = None if inputs is None else dict(inputs)
        self.secrets: List[str] = list(secrets or ())
        self.outputs: Dict[str, Any] = dict(outputs or {})
        self.folder: Optional[str] = None

    def to_dict(self) -> Dict[str, Any]:
        """The document, as `skillery workflow run` reads it."""
        document: Dict[str, Any] = {"name": self.name, "description": self.description}
        if self.inputs is not None:
            document["inputs"] = self.inputs
        if self.secrets:
            document["secrets"] = self.secrets
        document["steps"] = self.steps
        if self.outputs:
            document["outputs"] = self.outputs
        return document

    def __repr__(self) -> str:
        return "Workflow(name={!r}, steps={!r})".format(self.name, [step.get("name") for step in self.steps])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Workflow) and self.to_dict() == other.to_dict()

    __hash__ = None  # type: ignore[assignment]

    @classmethod
    def _of_document(cls, document: Mapping[str, Any], folder: Optional[str]) -> Workflow:
        names = ("name", "description", "steps", "inputs", "secrets", "outputs")
        workflow = cls(**{name: document[name] for name in names if name in document})
        workflow.folder = folder
        return workflow


def create_workflow(
    name: str,
    description: str = "",
    *,
    inputs: Optional[Mapping[str, Any]] = None,
    secrets: Optional[Iterable[str]] = None,
    outputs: Optional[Mapping[str, Any]] = None,
) -> Workflow:
    """Begins a workflow.

    Args:
        name: What it is called.
        description: What it is for.
        inputs: What a run is given, by name: ``string``, ``integer``, ``number``, ``boolean``, ``list``, ``object`` or
            ``any``, or a dict with ``type``, ``description`` and ``default``. Without it, a run takes whatever it is given.
        secrets: Names of the secrets that steps refer to as ``${secrets.NAME}``.
        outputs: What it returns where it is a step of another workflow, with references as in a step's inputs.

    Returns:
        A workflow without steps.
    """
    return Workflow(name, description, inputs=inputs, secrets=secrets, outputs=outputs)


def add_step(
    workflow: Workflow,
    step_name: str,
    skill: Union[str, Skill, None] = None,
    inputs: Optional[Mapping[str, Any]] = None,
    *,
    on_error: str = "stop",
    retries: Optional[int] = None,
    retry_delay: float = 1.0,
    retry_backoff: float = 2.0,
    retry_jitter: float = 0.25,
    timeout_seconds: Optional[float] = None,
    parallel: bool = False,
    needs: Optional[Iterable[str]] = None,
    when: Union[str, bool, None] = None,
    foreach: Any = None,
    idempotency_key: Optional[str] = None,
    subworkflow: Optional[str] = None,
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
        retry_delay: Seconds before the first retry.
        retry_backoff: What the wait is multiplied by from one retry to the next; none is longer than five minutes.
        retry_jitter: How far a wait may be off, as a part of itself.
        timeout_seconds: Seconds for one attempt; 60 when nobody says.
        parallel: Whether the step may run beside others, as soon as what it refers to has ended. A step that may not waits
            for all above it, and all below wait for it.
        needs: Steps that must have succeeded before, beside those that it refers to.
        when: A reference, or an expression such as ``"${count_output} > 3"``; the step is skipped where it is not true.
        foreach: A list, a reference to one, or a dict with ``items``, ``max_items`` (1,000 when left out) and
            ``max_parallel``: the step runs for each item, ``${item}`` and ``${index}`` in its inputs, and returns a list.
        idempotency_key: A text, with references, that the function is given as ``idempotency_key``; the same in each
            attempt, also after a resumption.
        subworkflow: Instead of a skill, a workflow: a file, or the name of one that was saved.

    Returns:
        The workflow.

    Raises:
        ValueError: If something is wrong with the step; it is not added then.
    """
    step: Dict[str, Any] = {"name": step_name}
    if isinstance(skill, Skill):
        step["skill"] = "{}@{}".format(skill.id, skill.version)
    elif skill is not None:
        step["skill"] = skill
    if subworkflow is not None:
        step["workflow"] = subworkflow
    step["inputs"] = dict(inputs or {})
    step["on_error"] = on_error
    if retries is not None or (on_error == "retry" and subworkflow is None):
        step["retry"] = {
            "limit": 3 if retries is None else retries,
            "delay_seconds": retry_delay,
            "backoff": retry_backoff,
            "jitter": retry_jitter,
        }
    if timeout_seconds is not None:
        step["timeout_seconds"] = timeout_seconds
    if not parallel:
        step["parallel"] = False
    if needs:
        step["needs"] = [needs] if isinstance(needs, str) else list(needs)
    for name, value in (("when", when), ("foreach", foreach), ("idempotency_key", idempotency_key)):
        if value is not None:
            step[name] = value

    from orchestrator import _native

    document = workflow.to_dict()
    document["steps"] = [*workflow.steps, step]
    checked = _native.check_workflow(_json(document, "the step"))
    workflow.steps.append(checked["steps"][-1])
    workflow.inputs = checked.get("inputs")
    return workflow


def save_workflow(workflow: Workflow, path: Optional[PathLike] = None) -> None:
    """Writes a workflow as JSON, as `skillery workflow run` reads it.

    Args:
        workflow: The workflow.
        path: The file; replaced if it is there. Without it, the workflow is kept in the home folder under its name, which
            then is like that of a skill: ``a-z``, ``0-9``, ``.``, ``_`` and ``-``.

    Raises:
        ValueError: If something is wrong with the workflow, its name is none to keep it under, or, without ``path``, its
            steps name workflows that are files, which are not kept with it.
    """
    import json

    from orchestrator import _native

    document = _native.check_workflow(_json(workflow.to_dict(), "the workflow"))
    text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    if path is None:
        _native.workflow_save(workflow.name, text)
    else:
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)


def load_workflow(name: PathLike) -> Workflow:
    """Reads a workflow, YAML or JSON.

    Args:
        name: The file, or the name that the workflow was saved under.

    Raises:
        ValueError: If something is wrong with the workflow, with line and column.
        NotFoundError: If no workflow was saved under the name.
    """
    from orchestrator import _native

    text = os.fspath(name)
    if not os.path.exists(text) and _native.is_saved_name(text):
        return Workflow._of_document(_native.parse_workflow(_native.workflow_text(text)), None)
    with open(text, encoding="utf-8") as file:
        document = _native.parse_workflow(file.read())
    return Workflow._of_document(document, os.path.dirname(os.path.abspath(text)))


def list_workflows() -> List[str]:
    """Lists the names of the workflows that were saved."""
    from orchestrator import _native

    return _native.workflow_list()


def delete_workflow(name: str) -> bool:
    """Deletes a workflow that was saved. Its runs stay.

    Args:
        name: The name.

    Returns:
        Whether there was one.
    """
    from orchestrator import _native

    return _native.workflow_delete(name)


def visualize_workflow(workflow: Workflow, format: str = "mermaid") -> str:
    """Draws which step waits for which.

    Args:
        workflow: The workflow.
        format: ``mermaid`` for Markdown, ``svg`` for a picture.

    Returns:
        The text of the drawing.

    Raises:
        ValueError: If something is wrong with the workflow.
    """
    from orchestrator import _native

    return _native.draw_workflow(_json(workflow.to_dict(), "the workflow"), format)


def _json(value: Any, what: str) -> str:
    import json

    from .errors import InvalidInputError

    try:
        return json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidInputError("{} has a value that JSON has not: {}".format(what, error), "invalid-input") from error

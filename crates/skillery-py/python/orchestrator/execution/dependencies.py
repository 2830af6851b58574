"""Which installed skills need which.

A skill lists the skills that it calls in its file, in the block of PEP 723::

    # /// script
    # [tool.skillery]
    # skills = ["acme/slugify@^1", "email_validator"]
    # ///

Each is a name or an id, with ``@version`` or ``@range`` behind it where that matters, and is looked up among what is
installed. A graph has every skill in its current version, and every other version that one of those asks for.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Optional


def get_dependency_graph(name: Optional[str] = None) -> Dict[str, Any]:
    """What installed skills need.

    Args:
        name: One skill, by its id or its name alone; all when left out.

    Returns:
        A dict with

        * ``skills``: a dict for each version, by id: ``id``, ``version``, ``current``, ``dependencies``, and ``problem``,
          which says why its file cannot be read, or is ``None``. Each of the ``dependencies`` is a dict with ``wanted``,
          as the file has it, and ``state``:

          * ``resolved``, with the ``id`` and the ``version`` that are installed;
          * ``missing``: there is no such skill;
          * ``unsatisfied``, with the ``id`` and the versions ``present``, none of which fits;
          * ``ambiguous``, with the ``candidates`` that have the name;
          * ``invalid``, with the ``reason`` why the text names no skill;

        * ``cycles``: a list of ids for each circle, the first of which is the last, too.

    Raises:
        ValueError: If the skill is not installed, or several have the name.
    """
    from orchestrator import _native

    graph = _native.graph_get(name)
    for skill in graph["skills"]:
        skill["id"] = _bare(skill["id"])
        for dependency in skill["dependencies"]:
            if "id" in dependency:
                dependency["id"] = _bare(dependency["id"])
            if "candidates" in dependency:
                dependency["candidates"] = [_bare(id) for id in dependency["candidates"]]
    graph["cycles"] = [[_bare(id) for id in cycle] for cycle in graph["cycles"]]
    return graph


def get_dependency_order(name: Optional[str] = None) -> List[Dict[str, str]]:
    """Installed skills, each after those that it needs. What is missing is left out.

    Args:
        name: One skill, by its id or its name alone, and what it needs; all when left out.

    Returns:
        A dict with ``id`` and ``version`` for each.

    Raises:
        ValueError: If skills depend on each other in a circle (``dependency-cycle``), which the message shows; or if the
            skill is not installed, or several have the name.
    """
    from orchestrator import _native

    return [{**place, "id": _bare(place["id"])} for place in _native.graph_order(name)]


def get_skill_dependents(name: str) -> List[Dict[str, Any]]:
    """The installed skills that need this one.

    Args:
        name: Its id, or its name alone where only one installed skill has it.

    Returns:
        A dict for each, those first that list it themselves: ``id``, ``version``, ``wanted`` (what it lists: this skill, or
        the one that leads to it), ``direct``, and whether that is ``satisfied`` by what is installed.

    Raises:
        ValueError: If the skill is not installed, or several have the name.
    """
    from orchestrator import _native

    return [{**found, "id": _bare(found["id"])} for found in _native.graph_dependents(name)]


def visualize_dependency_graph(name: Optional[str] = None, format: str = "text") -> str:
    """Draws what installed skills need.

    Args:
        name: One skill, by its id or its name alone; all when left out.
        format: ``text`` for a tree, ``mermaid`` or ``dot`` for a drawing that Mermaid or Graphviz makes.

    Returns:
        The text. What is missing, and circles, are marked. In a tree, ``(*)`` stands for what is written out above. Skills
        without a namespace are shown where they are kept, in ``local``.

    Raises:
        ValueError: If the format is not known, the skill is not installed, or several have the name.
    """
    from orchestrator import _native

    return _native.graph_draw(format, name)


def _bare(id: str) -> str:
    """The id as :attr:`Skill.id` has it."""
    from .skills import LOCAL_NAMESPACE

    prefix = LOCAL_NAMESPACE + "/"
    return id[len(prefix) :] if id.startswith(prefix) and id.count("/") == 1 else id

"""What a registry knows of how skills are used: installs, who is ahead, what needs what, how sound a version is.

All functions ask the configured registry, and return what it answers: dicts as in its REST API. How skills do on this
machine is in :mod:`orchestrator.execution.metrics`, what installed skills need in
:mod:`orchestrator.execution.dependencies`.
"""

from __future__ import annotations

from .skill_registry import _registry
from .skills import _count

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Optional

__all__ = [
    "get_leaderboard",
    "get_namespace_usage",
    "get_registry_adoption",
    "get_registry_dependencies",
    "get_registry_dependents",
    "get_registry_health",
    "get_registry_usage",
]


def get_registry_usage(
    skill_id: str,
    by: str = "day",
    days: int = 28,
    version: Optional[str] = None,
    program: Optional[str] = None,
) -> Dict[str, Any]:
    """How often a skill was installed in the last days: together, over time, by version and by program.

    Args:
        skill_id: ``org/name``.
        by: How days are put together: ``day``, ``week`` or ``month``.
        days: Of how many days, rounded up to whole units.
        version: The version that alone counts, by its exact name; all when left out.
        program: The program that alone counts, such as ``git``; all when left out. With a version it is told by ``day``
            only, and where the registry withholds figures about few users, to admins of the namespace only.

    Raises:
        ValueError: If there is no such skill or version, or what is asked for is not told.
        ConnectionError: If the registry cannot be reached.
    """
    return _ask("usage", id=skill_id, by=by, days=_count(days, "days"), version=version, program=program)


def get_namespace_usage(
    namespace: str, by: str = "day", days: int = 28, program: Optional[str] = None
) -> Dict[str, Any]:
    """The same of all skills of a namespace and below it, for its members."""
    return _ask("namespace", namespace=namespace, by=by, days=_count(days, "days"), program=program)


def get_registry_adoption(skill_id: str) -> Dict[str, Any]:
    """Which versions of a skill are in use, and how many users still have one that was taken back.

    Admins of the namespace get the names of these, too. A figure that the registry withholds is ``None``.
    """
    return _ask("adoption", id=skill_id)


def get_registry_dependencies(
    skill_id: str,
    version: Optional[str] = None,
    depth: Optional[int] = None,
    limit: Optional[int] = None,
    offset: Optional[int] = None,
) -> Dict[str, Any]:
    """What a version needs, and what that needs.

    Args:
        skill_id: ``org/name``.
        version: A version or a range; the latest when left out.
        depth: How far to look; 1 for what is needed at once.
        limit: The most skills to return.
        offset: Skills to pass over.
    """
    return _ask("dependencies", id=skill_id, version=version, **_rows(depth, limit, offset))


def get_registry_dependents(
    skill_id: str,
    version: Optional[str] = None,
    depth: Optional[int] = None,
    limit: Optional[int] = None,
    offset: Optional[int] = None,
) -> Dict[str, Any]:
    """What a change of a skill reaches: the skills whose latest version needs it, and those that need these.

    Args:
        skill_id: ``org/name``.
        version: A version that it may change to, published or not: each that needs it directly says whether it would
            take it.
        depth: How far to look; 1 for what needs it directly.
        limit: The most skills to return.
        offset: Skills to pass over.
    """
    return _ask("dependents", id=skill_id, version=version, **_rows(depth, limit, offset))


def get_registry_health(skill_id: str, version: Optional[str] = None) -> Dict[str, Any]:
    """How sound a version is, the latest when none is named: points, why so many, and what would bring the rest."""
    return _ask("health", id=skill_id, version=version)


def get_leaderboard(
    of: str = "authors", period: str = "month", limit: Optional[int] = None, offset: Optional[int] = None
) -> Dict[str, Any]:
    """Whose skills others use: users who are signed in and of another org, each counted once.

    Args:
        of: ``authors`` or ``teams``.
        period: ``week``, ``month`` or ``all``.
        limit: The most places to return.
        offset: Places to pass over.
    """
    rows = _rows(None, limit, offset)
    del rows["depth"]
    return _ask("leaderboard", of=of, period=period, **rows)


def _rows(depth: Optional[int], limit: Optional[int], offset: Optional[int]) -> Dict[str, Any]:
    return {
        "depth": None if depth is None else _count(depth, "depth"),
        "limit": None if limit is None else _count(limit, "limit"),
        "offset": None if offset is None else _count(offset, "offset"),
    }


def _ask(what: str, **fields: Any) -> Dict[str, Any]:
    import json

    return _registry()._native.insight(json.dumps({"what": what, **fields}))

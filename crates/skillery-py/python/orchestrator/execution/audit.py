"""The audit of a registry: who did what, when and from where, and what was refused.

Admins of the registry see all of it; admins of a namespace see what concerns it. The functions ask the configured registry,
see :mod:`orchestrator.execution.configuration`.
"""

from __future__ import annotations

from .skill_registry import _registry
from .skills import _count

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Optional

__all__ = ["generate_audit_report", "get_audit_logs", "get_version_installs"]


def get_audit_logs(
    actor: Optional[str] = None,
    subject: Optional[str] = None,
    action: Optional[str] = None,
    outcome: Optional[str] = None,
    since: Optional[str] = None,
    until: Optional[str] = None,
    namespace: Optional[str] = None,
    limit: int = 100,
) -> List[Dict[str, Any]]:
    """What was done and what was refused, the newest first.

    Args:
        actor: Only what this user did: a name or an id.
        subject: Only what is about this: a skill, a namespace and all below it, a user, the id of a token.
        action: Only actions that begin so, for example ``version.``.
        outcome: ``allowed`` or ``denied``; both when left out.
        since: From then on: a time, a day like ``2026-01-31``, or how long ago, for example ``7d``.
        until: Before then, in the same forms.
        namespace: Only what concerns this namespace, and what lies below.
        limit: The most entries to return.

    Returns:
        Dicts with ``id``, ``time``, ``outcome``, ``action``, ``actor``, ``subject``, ``code`` and what else is known; of
        what was refused several times within a minute, ``times`` and ``last_time``.

    Raises:
        NotAllowedError: If you are an admin neither of the registry nor of a namespace.
        ConnectionError: If the registry cannot be reached.
    """
    import json

    query = {
        "actor": actor,
        "subject": subject,
        "action": action,
        "outcome": outcome,
        "since": since,
        "until": until,
        "namespace": namespace,
    }
    return _registry()._native.audit(json.dumps(query), _count(limit, "limit"))


def generate_audit_report(days: int = 30, namespace: Optional[str] = None) -> Dict[str, Any]:
    """What happened in the last days, counted, with what an auditor asks for first.

    Args:
        days: Of so many days.
        namespace: Only what concerns this namespace, and what lies below.

    Returns:
        A dict with the numbers ``allowed`` and ``denied``; the counts ``actions``, ``actors``, ``denied_by_code`` and
        ``denied_by_caller``, each a list of dicts with ``name`` and ``times``; and the lists ``members``, ``releases``
        (with ``approved_by``), ``break_glass`` and ``policies``.

    Raises:
        NotAllowedError: If you are an admin neither of the registry nor of the namespace.
        ConnectionError: If the registry cannot be reached.
    """
    return _registry()._native.audit_report(_count(days, "days"), namespace)


def get_version_installs(skill_id: str, version: str, limit: int = 50, offset: int = 0) -> Dict[str, Any]:
    """Which signed-in users have downloaded a version, the last first. For admins of the namespace.

    Args:
        skill_id: ``org/name``.
        version: The version, for example ``1.0.0``.
        limit: The most users to return, at most 200.
        offset: Users to pass over.

    Returns:
        A dict with ``total``, and ``installs``: dicts with ``user``, ``downloads``, ``first_at`` and ``last_at``. Whoever was not
        signed in is counted only, see :func:`get_registry_usage`.

    Raises:
        ValueError: If there is no such skill or version.
        NotAllowedError: If you are no admin of the namespace.
        ConnectionError: If the registry cannot be reached.
    """
    native = _registry()._native
    return native.version_installs(skill_id, version, _count(limit, "limit"), _count(offset, "offset"))

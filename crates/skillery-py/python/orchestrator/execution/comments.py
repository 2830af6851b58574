"""What people say of skills: comments, answers to reviews, and reports of abuse.

The functions ask the configured registry, see :mod:`orchestrator.execution.configuration`.
"""

from __future__ import annotations

from .skill_registry import _registry
from .skills import _count

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Optional

__all__ = [
    "add_skill_comment",
    "answer_review",
    "delete_skill_comment",
    "edit_skill_comment",
    "get_comment_history",
    "get_reports",
    "get_skill_comments",
    "hide_review",
    "hide_skill_comment",
    "remove_review_answer",
    "reopen_report",
    "report_abuse",
    "resolve_report",
    "unhide_review",
    "unhide_skill_comment",
]


def get_skill_comments(
    skill_id: str, parent: Optional[str] = None, limit: int = 50, offset: int = 0
) -> List[Dict[str, Any]]:
    """The comments on a skill: threads, the newest first; or the answers to one of them, the oldest first.

    Args:
        skill_id: ``org/name``.
        parent: The id of the comment whose answers are wanted.
        limit: The most comments to return. Fewer come where there are no more.
        offset: Comments to skip.

    Returns:
        Dicts with ``id``, ``author``, ``text`` (Markdown), ``created_at``, ``edited_at``, ``hidden``, ``reply_count`` and
        ``replies``, the first three answers. ``author`` and ``text`` are ``None`` where you may not see them.

    Raises:
        NotFoundError: If there is no such skill or comment.
        ConnectionError: If the registry cannot be reached.
    """
    from orchestrator import _native

    return _native.comments_list(_registry()._native, skill_id, parent, _count(limit, "limit"), _count(offset, "offset"))


def add_skill_comment(skill_id: str, text: str, parent: Optional[str] = None) -> Dict[str, Any]:
    """Says something about a skill, or answers a comment.

    Args:
        skill_id: ``org/name``.
        text: What, in Markdown. Whoever sees the skill reads it.
        parent: The id of the comment that it answers. Answers are not answered.

    Returns:
        The comment, as in :func:`get_skill_comments`.

    Raises:
        NotFoundError: If there is no such skill or comment.
        ValueError: If the text is empty or too long.
        ConnectionError: If the registry cannot be reached.
    """
    from orchestrator import _native

    return _native.comment_add(_registry()._native, skill_id, text, parent)


def edit_skill_comment(skill_id: str, comment: str, text: str) -> Dict[str, Any]:
    """Lets a comment of yours say something else. Moderators see what it said.

    Args:
        skill_id: ``org/name``.
        comment: Its id.
        text: What it says from now on.

    Returns:
        The comment, as in :func:`get_skill_comments`.

    Raises:
        NotAllowedError: If it is not yours.
        NotFoundError: If there is no such comment.
        ConnectionError: If the registry cannot be reached.
    """
    return _change(skill_id, {"action": "edit", "comment": comment, "text": text})


def delete_skill_comment(skill_id: str, comment: str) -> None:
    """Takes a comment of yours back. Moderators go on seeing it.

    Args:
        skill_id: ``org/name``.
        comment: Its id.

    Raises:
        NotAllowedError: If it is not yours.
        NotFoundError: If there is no such comment.
        ConnectionError: If the registry cannot be reached.
    """
    _change(skill_id, {"action": "delete", "comment": comment})


def hide_skill_comment(skill_id: str, comment: str, reason: str) -> Dict[str, Any]:
    """Hides a comment. Moderators and its author go on seeing it. For admins of the namespace.

    Args:
        skill_id: ``org/name``.
        comment: Its id.
        reason: Why, for moderators and the author.

    Returns:
        The comment, as in :func:`get_skill_comments`.

    Raises:
        NotAllowedError: If you are no admin of the namespace.
        NotFoundError: If there is no such comment.
        ConnectionError: If the registry cannot be reached.
    """
    return _change(skill_id, {"action": "hide", "comment": comment, "reason": reason})


def unhide_skill_comment(skill_id: str, comment: str) -> None:
    """Shows a comment again that was hidden. For admins of the namespace.

    Args:
        skill_id: ``org/name``.
        comment: Its id.

    Raises:
        NotAllowedError: If you are no admin of the namespace, wrote it yourself, or an admin of the registry has hidden it.
        NotFoundError: If there is no such comment.
        ConnectionError: If the registry cannot be reached.
    """
    _change(skill_id, {"action": "unhide", "comment": comment})


def get_comment_history(skill_id: str, comment: str) -> List[Dict[str, Any]]:
    """What a comment said before it was edited, the oldest first. For admins of the namespace.

    Args:
        skill_id: ``org/name``.
        comment: Its id.

    Returns:
        Dicts with ``text`` and ``until``.

    Raises:
        NotAllowedError: If you are no admin of the namespace.
        NotFoundError: If there is no such comment.
        ConnectionError: If the registry cannot be reached.
    """
    from orchestrator import _native

    return _native.comment_texts(_registry()._native, skill_id, comment)


def answer_review(skill_id: str, user: str, text: str) -> Dict[str, Any]:
    """Answers a review for the authors of the skill, in place of an earlier answer. For publishers of the namespace.

    Args:
        skill_id: ``org/name``.
        user: Whose review it is.
        text: What. Whoever sees the review reads it, and the reviewer is told.

    Returns:
        A dict with ``author``, ``text``, ``at``, ``outdated`` and ``salt``. The log has the SHA-256 of the salt, a line feed
        and the text.

    Raises:
        NotAllowedError: If you are no publisher of the namespace.
        NotFoundError: If the user has not rated the skill.
        ConnectionError: If the registry cannot be reached.
    """
    return _change(skill_id, {"action": "answer", "user": user, "text": text})


def remove_review_answer(skill_id: str, user: str) -> None:
    """Takes the answer to a review back. For publishers of the namespace.

    Args:
        skill_id: ``org/name``.
        user: Whose review it is.

    Raises:
        NotAllowedError: If you are no publisher of the namespace.
        NotFoundError: If there is no such review.
        ConnectionError: If the registry cannot be reached.
    """
    _change(skill_id, {"action": "remove_answer", "user": user})


def hide_review(skill_id: str, user: str, reason: str) -> None:
    """Hides the text of a review, and what was answered. The stars count on. For admins of the namespace.

    Args:
        skill_id: ``org/name``.
        user: Whose review it is.
        reason: Why, for moderators and the author.

    Raises:
        NotAllowedError: If you are no admin of the namespace.
        NotFoundError: If the user has not rated the skill.
        ConnectionError: If the registry cannot be reached.
    """
    _change(skill_id, {"action": "hide_review", "user": user, "reason": reason})


def unhide_review(skill_id: str, user: str) -> None:
    """Shows the text of a review again. For admins of the namespace.

    Args:
        skill_id: ``org/name``.
        user: Whose review it is.

    Raises:
        NotAllowedError: If you are no admin of the namespace, wrote it yourself, or an admin of the registry has hidden it.
        NotFoundError: If the user has not rated the skill.
        ConnectionError: If the registry cannot be reached.
    """
    _change(skill_id, {"action": "unhide_review", "user": user})


def report_abuse(
    skill_id: str,
    reason: str,
    comment: Optional[str] = None,
    review: Optional[str] = None,
    answer: Optional[str] = None,
    text: str = "",
) -> None:
    """Reports a skill to moderators, or a comment, a review or an answer that stands with it.

    Args:
        skill_id: ``org/name``.
        reason: ``spam``, ``abuse``, ``malicious``, ``rights``, ``privacy`` or ``other``.
        comment: The id of the comment.
        review: The name of the user whose review it is.
        answer: The name of the user whose review was answered so.
        text: What there is to say about it. Only admins of the registry learn who reports.

    Raises:
        NotFoundError: If there is nothing of the kind.
        ValueError: If you have reported it already.
        ConnectionError: If the registry cannot be reached.
    """
    import json

    from orchestrator import _native

    about = {
        "skill": skill_id,
        "comment": comment,
        "review": review,
        "answer": answer,
        "text": text,
    }
    _native.report_add(_registry()._native, json.dumps(about), reason)


def get_reports(
    namespace: Optional[str] = None, resolved: bool = False, limit: int = 50, offset: int = 0
) -> List[Dict[str, Any]]:
    """What was reported and is yours to decide about, the oldest first; or what was resolved, the last first.

    Args:
        namespace: Only of this namespace, and what lies below.
        resolved: Those that are resolved, in place of those that are open.
        limit: The most reports to return.
        offset: Reports to skip.

    Returns:
        Dicts with ``id``, ``kind``, ``skill``, ``comment``, ``review``, ``answer``, ``accused``, ``said`` (what it said
        then, and of a skill its newest version), ``reason``, ``text``, ``created_at``, ``resolution``, ``changed`` (it says
        something else by now) and ``former``, what the report was before it was made anew; for admins of the registry with
        ``reporter``.

    Raises:
        NotAllowedError: If you are an admin neither of the registry nor of a namespace.
        ConnectionError: If the registry cannot be reached.
    """
    from orchestrator import _native

    return _native.reports_list(_registry()._native, namespace, bool(resolved), _count(limit, "limit"), _count(offset, "offset"))


def resolve_report(report: str, resolution: str) -> None:
    """Says what was done about a report.

    Args:
        report: Its id.
        resolution: What was done.

    Raises:
        NotFoundError: If there is no such report, or it is not yours to decide about.
        ValueError: If it is resolved already.
        ConnectionError: If the registry cannot be reached.
    """
    from orchestrator import _native

    _native.report_decide(_registry()._native, report, resolution)


def reopen_report(report: str) -> None:
    """Opens a report again that was resolved.

    Args:
        report: Its id.

    Raises:
        NotFoundError: If there is no such report, or it is not yours to decide about.
        ValueError: If it is open.
        ConnectionError: If the registry cannot be reached.
    """
    from orchestrator import _native

    _native.report_decide(_registry()._native, report, None)


def _change(skill_id: str, change: Dict[str, Any]) -> Any:
    import json

    from orchestrator import _native

    return _native.said_change(_registry()._native, skill_id, json.dumps(change))

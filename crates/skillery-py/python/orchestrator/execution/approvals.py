"""Approvals: what waits to be handed out, what changed in it, what is said about it, and deciding.

Where a namespace demands approvals, what is published there waits until enough reviewers have approved it. A version is named by
the skill's id and its number, and so is what is decided about it: other bytes are always another version, and no approval is
moved from one to the other. The functions talk to the configured registry, see :mod:`orchestrator.execution.configuration`.
"""

from __future__ import annotations

from .skill_registry import RegistrySkill, _registry
from .skills import Skill, _count

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Iterable, List, Optional, Union

__all__ = [
    "add_approval_comment",
    "get_approval",
    "get_code_diff",
    "get_my_approvals",
    "get_pending_approvals",
    "get_skill_change_history",
    "provide_approval",
    "publish_approved_skill",
    "record_skill_change",
    "request_approval",
    "resolve_approval_comment",
]


def request_approval(
    skill: Union[Skill, str],
    version: Optional[str] = None,
    changes: Optional[str] = None,
    org: Optional[str] = None,
    tags: Optional[Iterable[str]] = None,
    license: Optional[str] = None,
    homepage: Optional[str] = None,
    repository: Optional[str] = None,
) -> Dict[str, Any]:
    """Asks for approval of a version: publishes it, so that it waits, or names one that is published.

    Asking again does nothing. Where nothing demands approvals, what is published is handed out at once, and the ``status``
    says so.

    Args:
        skill: What to publish, as :func:`publish_skill` takes it; or the id ``org/name`` of a version that is published.
        version: The version, where ``skill`` is an id.
        changes: What changed, for reviewers and later readers: see :func:`record_skill_change`.
        org: The namespace to publish in, as for :func:`publish_skill`; so are the others below.
        tags: Topics to be found by.
        license: The licence.
        homepage: The project's page.
        repository: Where the source is kept.

    Returns:
        How far the version is: see :func:`get_approval`.

    Raises:
        ValueError: If it cannot be published, or there is no such version.
        ConnectionError: If the registry cannot be reached.
    """
    if isinstance(skill, str):
        from .errors import InvalidInputError

        if version is None:
            raise InvalidInputError("say which `version` of `{}`".format(skill), "invalid-input")
        skill_id = skill
    else:
        published = _registry().publish_skill(skill, org, tags, license, homepage, repository)
        skill_id, version = published.id, published.version
    if changes is not None:
        record_skill_change(skill_id, version, changes)
    return get_approval(skill_id, version)


def provide_approval(
    skill_id: str,
    version: str,
    decision: str = "approved",
    comment: str = "",
    digest: Optional[str] = None,
    sign: bool = False,
) -> Dict[str, Any]:
    """Decides about a version that waits. The last approval that is needed releases it.

    What is decided about are the bytes of ``digest``, else those of the installed version, else those of the digest that the
    registry names and its log has. Other bytes are refused. Nobody approves what they published or signed.

    Args:
        skill_id: ``org/name``.
        version: The version.
        decision: ``approved``; ``changes-requested``, and it waits on; ``rejected``, and it is never handed out.
        comment: Why, for members of the namespace; needed for all but approving.
        digest: SHA-256 of the bundle that you have looked at elsewhere.
        sign: Whether to sign the decision with the enrolled SSH key. A policy may demand that of approvals.

    Returns:
        How far the version is now: see :func:`get_approval`.

    Raises:
        ValueError: If you may not decide that, the version is not one that waits, or no key to sign with is known.
        ConnectionError: If the registry cannot be reached.
    """
    import json

    from orchestrator import _native

    form = {"decision": decision, "comment": comment, "digest": digest, "sign": bool(sign)}
    return _native.approval_decide(_registry()._native, skill_id, version, json.dumps(form))


def add_approval_comment(
    skill_id: str,
    version: str,
    text: str,
    path: Optional[str] = None,
    line: Optional[int] = None,
    thread: Optional[str] = None,
    against: Optional[str] = None,
) -> Dict[str, Any]:
    """Says something about a version, one of its files or a line of it; or answers.

    Args:
        skill_id: ``org/name``.
        version: The version.
        text: What, for members of the namespace who see the version.
        path: The file that it is about.
        line: The line of the file, counted from 1.
        thread: The id of the thread that it answers; it stands where that stands.
        against: The older version whose file and line it is about, in place of those of ``version``.

    Returns:
        The thread: a dict with ``id``, ``path``, ``line``, ``resolved_by`` and ``comments``, each with ``author``, ``text``
        and ``created_at``.

    Raises:
        ValueError: If there is no such version, file, line or thread, or you may not.
        ConnectionError: If the registry cannot be reached.
    """
    import json

    from orchestrator import _native

    form = {
        "text": text,
        "thread": thread,
        "path": path,
        "line": None if line is None else _count(line, "line"),
        "against": against,
    }
    return _native.approval_comment(_registry()._native, skill_id, version, json.dumps(form))


def resolve_approval_comment(skill_id: str, version: str, thread: str, resolved: bool = True) -> Dict[str, Any]:
    """Resolves a thread of comments, or opens it again.

    Args:
        skill_id: ``org/name``.
        version: The version.
        thread: The id of the thread.
        resolved: Whether it is resolved.

    Returns:
        The thread, as :func:`add_approval_comment` returns it.

    Raises:
        ValueError: If there is no such thread, or you are neither its author, nor a reviewer, nor who published the version.
        ConnectionError: If the registry cannot be reached.
    """
    from orchestrator import _native

    return _native.approval_resolve(_registry()._native, skill_id, version, thread, bool(resolved))


def get_approval(skill_id: str, version: str) -> Dict[str, Any]:
    """How far a version is: what is demanded, who has decided what, and what is said about it.

    Args:
        skill_id: ``org/name``.
        version: The version.

    Returns:
        A dict with ``id``, ``version``, ``status`` (``pending``, ``published``, ``rejected`` and others), ``digest``,
        ``publisher``, ``demanded`` (a dict with ``approvals`` and ``role``, or ``None``), ``given`` (approvals that count),
        ``decisions`` (each with ``user``, ``decision``, ``comment``, ``decided_at``, ``log_index`` and ``counts``, and
        ``signed`` where it is), ``stages``, ``policies`` (entries of the log that demand them), ``threads``, ``unresolved``
        and ``comments``: threads, as :func:`add_approval_comment` returns them.

        Each of the ``stages``, of which all must be complete, has ``namespace``, ``name``, ``approvals`` and ``role`` (how
        many people, and as what at least), ``given`` (the names of those that count), ``is_open`` and ``is_complete``; and
        where it asks for that, ``group`` and ``signed``.

        Only where there is something to say, there are ``changelog`` (what changed, as its publisher or an admin says),
        ``newer`` (a version that was published since), ``facts`` (what of the policy's conditions is true), ``held_for``
        (why it waits again), ``due_since`` (it should be looked at again) and ``forced`` (a dict with ``by``, ``at``,
        ``reason``, ``salt`` and ``log_index``: it was released by force).

    Raises:
        ValueError: If the id or the version is none, there is no such version, or not for this token: with the ``code``
            ``skill-not-found``, ``version-not-found`` or another one.
        ConnectionError: If the registry cannot be reached.
    """
    from orchestrator import _native

    return _native.approval_get(_registry()._native, skill_id, version)


def get_pending_approvals(
    namespace: Optional[str] = None,
    needs_me: bool = False,
    limit: int = 50,
    offset: int = 0,
    due: bool = False,
) -> List[Dict[str, Any]]:
    """Versions that wait where you are a reviewer, the oldest first.

    Args:
        namespace: Only in this namespace and below it.
        needs_me: Only what your approval would count for now.
        limit: The most to return, up to 200.
        offset: How many to pass over.
        due: What is handed out and due to be looked at again, or was released by force, in place of what waits.

    Returns:
        Dicts with ``id``, ``version``, ``status``, ``publisher``, ``description``, ``published_at``, ``given``, ``mine``
        (what you have decided, or ``None``), ``changes_requested`` and ``unresolved``; with ``due`` also ``due_since``, or
        ``forced_by`` and ``forced_reason``.

    Raises:
        ValueError: If no token is configured, or you are no reviewer of the namespace.
        ConnectionError: If the registry cannot be reached.
    """
    return _listed(limit, offset, namespace=namespace, needs_me=bool(needs_me), due=bool(due))


def get_my_approvals(state: str = "pending", limit: int = 50, offset: int = 0) -> List[Dict[str, Any]]:
    """What you have published and asked approval for.

    Args:
        state: ``pending`` for what waits, the oldest first; ``decided`` for the rest, the last decision first.
        limit: The most to return, up to 200.
        offset: How many to pass over.

    Returns:
        Dicts as :func:`get_pending_approvals` returns them, with ``decided_at``.

    Raises:
        ValueError: If no token is configured, or the state is none.
        ConnectionError: If the registry cannot be reached.
    """
    return _listed(limit, offset, state=state, mine=True)


def publish_approved_skill(skill_id: str, version: str) -> RegistrySkill:
    """The version that was approved, as it is handed out now.

    The registry releases a version with the last approval that is needed, so there is nothing left to do then.

    Args:
        skill_id: ``org/name``.
        version: The version.

    Returns:
        The skill. Its version is the latest one; that is not ``version`` where a higher one is handed out.

    Raises:
        ValueError: If something is missing: the message says how many approvals it has and needs, stage by stage where there
            are some, and of whom. Also if it was rejected, yanked or quarantined, or there is no such version.
        ConnectionError: If the registry cannot be reached.
    """
    from .errors import InvalidInputError, NotFoundError

    approval = get_approval(skill_id, version)
    status = approval["status"]
    if status == "pending":
        waiting = [one["user"] for one in approval["decisions"] if one["decision"] == "changes-requested"]
        message = "{} {} waits: {}".format(approval["id"], approval["version"], _missing(approval))
        if waiting:
            message += "; {} asked for changes".format(", ".join(waiting))
        raise InvalidInputError(message, "not-approved")
    if status != "published":
        raise InvalidInputError("{} {} is {}".format(approval["id"], approval["version"], status), "not-approved")
    found = _registry().get_skill(approval["id"])
    if found is None:
        raise NotFoundError("there is no skill `{}` here".format(approval["id"]), "skill-not-found")
    return found


def record_skill_change(skill_id: str, version: str, changes: str) -> str:
    """Says what changed with a version, for reviewers and for whoever reads the history.

    As long as the version waits it can be said otherwise. Of one that is handed out it is said once, and stays.

    Args:
        skill_id: ``org/name``.
        version: The version, which is published.
        changes: What changed.

    Returns:
        What is kept.

    Raises:
        ValueError: If the version is handed out and something else was said, there is no such version, or you may not publish
            there.
        ConnectionError: If the registry cannot be reached.
    """
    from orchestrator import _native

    return _native.changelog_set(_registry()._native, skill_id, version, changes)["changelog"]


def get_skill_change_history(
    skill_id: str, version: Optional[str] = None, limit: int = 50
) -> List[Dict[str, Any]]:
    """What the registry's log says of a skill, the newest first.

    Args:
        skill_id: ``org/name``.
        version: Only what is about this version.
        limit: The most to return.

    Returns:
        Dicts with ``log_index``, ``time``, ``action`` (``version.published``, ``version.approved``, ``version.released``
        and others), ``version``, ``actor`` (the id of a user), and of what was published ``publisher`` (a name, where you may
        see the version) and ``changelog``.

    Raises:
        ValueError: If there is no such skill.
        ConnectionError: If the registry cannot be reached.
    """
    from orchestrator import _native

    return _native.skill_history(_registry()._native, skill_id, version, _count(limit, "limit"))


def get_code_diff(
    skill_id: str,
    version: str,
    from_version: Optional[str] = None,
    path: Optional[str] = None,
    as_patch: bool = False,
) -> Union[Dict[str, Any], str]:
    """What changed from one version to another.

    Characters that nobody would see are written out, such as ``⟨U+202E⟩``; a patch has the text as it is.

    Args:
        skill_id: ``org/name``.
        version: The newer version.
        from_version: The older version, or ``none``; the last one that was approved before when left out.
        path: Only this file.
        as_patch: Whether to return a patch, which ``git apply`` takes.

    Returns:
        A dict with ``from``, ``to``, ``files`` (each with ``path``, ``status``, ``added``, ``removed`` and ``hunks`` of
        ``lines``), ``fields``, ``dependencies``, ``permissions`` and new ``findings``; or the patch.

    Raises:
        ValueError: If there is no such version or file, or not for this token.
        ConnectionError: If the registry cannot be reached.
    """
    from orchestrator import _native

    return _native.code_diff(_registry()._native, skill_id, version, from_version, path, bool(as_patch))


def _missing(approval: Dict[str, Any]) -> str:
    stages = approval["stages"]
    missing = [stage for stage in stages if not stage["is_complete"]]
    # One stage for which every reviewer counts has a name that nobody gave it.
    if not missing or (len(stages) == 1 and not stages[0].get("group") and not stages[0].get("signed")):
        demanded = approval["demanded"] or {"approvals": 1, "role": "reviewer"}
        return "{} of {} approvals are given, {}".format(
            approval["given"], demanded["approvals"], _by_whom(demanded["role"])
        )
    return "; ".join(map(_missing_of, missing))


def _missing_of(stage: Dict[str, Any]) -> str:
    message = "stage `{}` of `{}` ".format(stage["name"], stage["namespace"])
    if not stage["is_open"]:
        message += "is not open yet and "
    message += "has {} of {} approvals".format(len(stage["given"]), stage["approvals"])
    if stage["given"]:
        message += " ({})".format(", ".join(stage["given"]))
    message += ", {}".format(_by_whom(stage["role"]))
    if stage.get("group"):
        message += " in the group `{}`".format(stage["group"])
    if stage.get("signed"):
        message += ", signed"
    return message


def _by_whom(role: str) -> str:
    return "each by {} {} or above".format("an" if role[0] in "aeiou" else "a", role)


def _listed(limit: int, offset: int, **wanted: Any) -> List[Dict[str, Any]]:
    import json

    from orchestrator import _native

    form = {"namespace": None, "state": None, "mine": False, "needs_me": False, "due": False, **wanted}
    form.update(limit=_count(limit, "limit"), offset=_count(offset, "offset"))
    return _native.approval_list(_registry()._native, json.dumps(form))

"""How installed skills do on this machine: how often they run, how that ends, how long it takes, what you think of them.

Every step that :func:`execute_workflow` or ``skillery workflow run`` starts is recorded when it has ended, by skill and
version: status, time and date, nothing of inputs and outputs. It stays in the folder ``metrics`` of ``SKILLERY_HOME``.
Where ``share_usage`` is on (``skillery config set share_usage true``), the registry that a skill came from is told the
counts.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Optional

#: Runs that a skill needs to be compared by how often it succeeds, or by how long it takes.
MINIMUM_RUNS = 5


class SkillMetrics:
    """What is known of a skill, or of one of its versions.

    Attributes:
        id: Its id; the bare name for a skill without a namespace.
        version: The version; ``None`` for all versions together.
        runs: Executions that came to an end, cancelled ones too.
        succeeded: Those that succeeded.
        failed: Those that did not: failed, timed out, out of memory, denied.
        cancelled: Those that somebody stopped.
        success_rate: The part that succeeded of those that succeeded or failed, from 0 to 1; ``None`` when there are none.
        statuses: Executions by how they ended: ``success``, ``failed``, ``timed-out``, ``out-of-memory``, ``denied``,
            ``cancelled``.
        latency_ms: Milliseconds of those that were not cancelled, a dict with ``count``, ``mean``, ``min``, ``p50``,
            ``p90``, ``p99`` and ``max``; ``None`` when no time is known. Percentiles are off by at most a hundredth.
        first_used: When the first was recorded (RFC 3339), or ``None``.
        last_used: When the last was, or ``None``.
        rating: Your rating from 1 to 5, or ``None``. It is of the skill, whatever the version.
        review: What you wrote with it, or ``None``.
        versions: The same of each version that ran, the highest first.
    """

    def __init__(self, id: str, version: Optional[str], fields: Dict[str, Any]) -> None:
        self.id = id
        self.version = version
        self.runs: int = fields["runs"]
        self.succeeded: int = fields["succeeded"]
        self.failed: int = fields["failed"]
        self.cancelled: int = fields["cancelled"]
        self.success_rate: Optional[float] = fields["success_rate"]
        self.statuses: Dict[str, int] = fields["statuses"]
        latency = fields["latency"]
        self.latency_ms: Optional[Dict[str, float]] = (
            None if latency is None else {name.replace("_ms", ""): value for name, value in latency.items()}
        )
        self.first_used: Optional[str] = fields["first_used"]
        self.last_used: Optional[str] = fields["last_used"]
        rated = fields.get("rating") or {}
        self.rating: Optional[float] = rated.get("rating")
        self.review: Optional[str] = rated.get("review")
        self.versions: List[SkillMetrics] = [
            SkillMetrics(id, inner["version"], inner) for inner in fields.get("versions", ())
        ]

    def __repr__(self) -> str:
        return "SkillMetrics(id={!r}, version={!r}, runs={!r}, success_rate={!r})".format(
            self.id, self.version, self.runs, self.success_rate
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SkillMetrics) and vars(self) == vars(other)

    __hash__ = None  # type: ignore[assignment]


def record_skill_execution(
    name: str,
    success: bool = True,
    latency_ms: Optional[float] = None,
    version: Optional[str] = None,
    status: Optional[str] = None,
) -> None:
    """Records an execution of an installed skill that no workflow ran.

    Args:
        name: Its id, or its name alone where only one installed skill has it.
        success: Whether it succeeded.
        latency_ms: Milliseconds that it took; more than a day counts as a day. Left out, only the run is counted.
        version: Which version ran; the current one when left out.
        status: How it ended, in place of ``success``: ``success``, ``failed``, ``timed-out``, ``out-of-memory``, ``denied``
            or ``cancelled``.

    Raises:
        ValueError: If the skill or the version is not installed, or an argument is not valid.
        RegistryError: If it cannot be written.
    """
    from orchestrator import _native

    _native.metrics_record(name, status or ("success" if success else "failed"), latency_ms, version)


def get_skill_metrics(name: str, version: Optional[str] = None) -> Optional[SkillMetrics]:
    """What is known of a skill.

    Args:
        name: Its id, or its name alone where only one skill has it.
        version: Only of this version; of all together when left out.

    Returns:
        What is known; all zero for what is installed and never ran. ``None`` for a skill or version that is not installed
        and of which nothing was recorded.

    Raises:
        ValueError: If several skills have the name, or the text is no name or no version.
    """
    from orchestrator import _native

    found = _native.metrics_get(name, version)
    return None if found is None else _metrics(found, version)


def get_all_metrics() -> List[SkillMetrics]:
    """What is known of every skill that ran or was rated here, by id. Those that were removed are still in it."""
    from orchestrator import _native

    return [_metrics(found) for found in _native.metrics_all()]


def get_top_skills(metric: str = "usage", limit: int = 10, minimum_runs: int = MINIMUM_RUNS) -> List[SkillMetrics]:
    """The best skills first.

    Left out is what has nothing to be compared by. Where two are equal, the one that ran more often is first, then the one
    that ran last, then by id.

    Args:
        metric: ``usage``: runs, the most first. ``success_rate``: the highest first. ``rating``: yours, the highest first.
            ``latency``: the median, the shortest first.
        limit: How many at most.
        minimum_runs: With ``success_rate`` and ``latency``, how many runs a skill needs that were not cancelled; one that
            ran once and went well is not yet better than all others.

    Raises:
        ValueError: If the metric is not known, or a number is below 0.
    """
    from orchestrator import _native

    return [_metrics(found) for found in _native.metrics_top(metric, limit, minimum_runs)]


def rate_skill(name: str, rating: float, review: Optional[str] = None) -> SkillMetrics:
    """Rates an installed skill on this machine, in place of an earlier rating. No registry is told; for that there is
    :func:`rate_registry_skill`.

    Args:
        name: Its id, or its name alone where only one installed skill has it.
        rating: From 1 to 5, kept to one decimal.
        review: What you think of it.

    Returns:
        What is known of the skill now.

    Raises:
        ValueError: If the skill is not installed, or an argument is not valid.
        RegistryError: If it cannot be written.
    """
    from orchestrator import _native

    _native.metrics_rate(name, rating, review)
    return _metrics(_native.metrics_get(name))


def print_metrics_report(limit: int = 20) -> None:
    """Prints the skills that ran most, with success, time and rating. `skillery stats` shows more.

    Args:
        limit: How many at most.
    """
    skills = get_top_skills(limit=limit)
    if not skills:
        print("Nothing ran yet.")
        return
    rows = [("SKILL", "RUNS", "SUCCESS", "P50 MS", "P90 MS", "P99 MS", "RATING", "LAST USED")]
    for skill in skills:
        latency = skill.latency_ms or {}
        ended = skill.succeeded + skill.failed
        rows.append(
            (
                skill.id,
                str(skill.runs),
                # Rounded down: only what never failed has 100 %. In whole numbers, as 0.29 * 100 is below 29.
                "{} %".format(skill.succeeded * 100 // ended) if ended else "-",
                *("{:.1f}".format(latency[part]) if latency else "-" for part in ("p50", "p90", "p99")),
                "-" if skill.rating is None else "{:.1f}".format(skill.rating),
                (skill.last_used or "-")[:10],
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for first, *others, last in rows:
        cells = [first.ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(others, widths[1:])), last]
        print("  ".join(cells))


def _metrics(fields: Dict[str, Any], version: Optional[str] = None) -> SkillMetrics:
    from .dependencies import _bare

    return SkillMetrics(_bare(fields["id"]), version, fields)

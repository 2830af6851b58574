"""Publish, find, rate, install and run the skills of AI agents.

>>> from orchestrator.execution import configure_registry, search_registry
>>> configure_registry(url="http://127.0.0.1:8700", token="sky_...", org="acme")  # doctest: +SKIP
>>> search_registry(query="email", min_rating=3.5)  # doctest: +SKIP

Groups of functions, which all raise the classes of :mod:`orchestrator.execution.errors`:

* a registry, :mod:`orchestrator.execution.skill_registry`, what waits for approval there,
  :mod:`orchestrator.execution.approvals`, how its skills are used, :mod:`orchestrator.execution.insight`, and who did what,
  :mod:`orchestrator.execution.audit`;
* the skills that are installed on this machine, :mod:`orchestrator.execution.skills`, which of them need which,
  :mod:`orchestrator.execution.dependencies`, and how they do, :mod:`orchestrator.execution.metrics`;
* workflows of installed skills, :mod:`orchestrator.execution.workflows`, and their runs,
  :mod:`orchestrator.execution.runs`; one skill like a function, :mod:`orchestrator.execution.calling`.

Importing this package loads nothing but these small modules: what does the work is loaded by the first call.
"""

from __future__ import annotations

from .approvals import (
    add_approval_comment,
    get_approval,
    get_code_diff,
    get_my_approvals,
    get_pending_approvals,
    get_skill_change_history,
    provide_approval,
    publish_approved_skill,
    record_skill_change,
    request_approval,
    resolve_approval_comment,
)
from .audit import generate_audit_report, get_audit_logs
from .calling import execute_skill
from .configuration import RegistryConfig, configure_registry, get_registry_config
from .dependencies import (
    get_dependency_graph,
    get_dependency_order,
    get_skill_dependents,
    visualize_dependency_graph,
)
from .errors import (
    InvalidInputError,
    NotAllowedError,
    NotFoundError,
    RegistryError,
    RegistryUnavailableError,
    RegistryWarning,
    SkillError,
    TokenRequiredError,
    VerificationError,
    WorkflowError,
)
from .insight import (
    get_leaderboard,
    get_namespace_usage,
    get_registry_adoption,
    get_registry_dependencies,
    get_registry_dependents,
    get_registry_health,
    get_registry_usage,
)
from .metrics import (
    SkillMetrics,
    get_all_metrics,
    get_skill_metrics,
    get_top_skills,
    print_metrics_report,
    rate_skill,
    record_skill_execution,
)
from .runs import (
    cancel_workflow_run,
    execute_workflow,
    get_workflow_run,
    list_workflow_runs,
    prune_workflow_runs,
    resume_workflow,
)
from .skill_registry import (
    RegistrySkill,
    SkillRegistry,
    add_signing_secret,
    download_registry_skill,
    get_registry_ratings,
    get_registry_skill,
    publish_skill,
    rate_registry_skill,
    search_registry,
    trending_skills,
)
from .skills import (
    Skill,
    get_skill,
    get_skill_version,
    get_skill_versions,
    list_skills,
    remove_skill,
    rollback_skill,
    save_skill,
    update_skill,
)
from .workflows import (
    Workflow,
    add_step,
    create_workflow,
    delete_workflow,
    list_workflows,
    load_workflow,
    save_workflow,
    visualize_workflow,
)

__all__ = [
    "InvalidInputError",
    "NotAllowedError",
    "NotFoundError",
    "RegistryConfig",
    "RegistryError",
    "RegistrySkill",
    "RegistryUnavailableError",
    "RegistryWarning",
    "Skill",
    "SkillError",
    "SkillMetrics",
    "SkillRegistry",
    "TokenRequiredError",
    "VerificationError",
    "Workflow",
    "WorkflowError",
    "add_approval_comment",
    "add_signing_secret",
    "add_step",
    "cancel_workflow_run",
    "configure_registry",
    "create_workflow",
    "delete_workflow",
    "download_registry_skill",
    "execute_skill",
    "execute_workflow",
    "generate_audit_report",
    "get_all_metrics",
    "get_approval",
    "get_audit_logs",
    "get_code_diff",
    "get_dependency_graph",
    "get_dependency_order",
    "get_leaderboard",
    "get_my_approvals",
    "get_namespace_usage",
    "get_pending_approvals",
    "get_registry_adoption",
    "get_registry_config",
    "get_registry_dependencies",
    "get_registry_dependents",
    "get_registry_health",
    "get_registry_ratings",
    "get_registry_skill",
    "get_registry_usage",
    "get_skill",
    "get_skill_change_history",
    "get_skill_dependents",
    "get_skill_metrics",
    "get_skill_version",
    "get_skill_versions",
    "get_top_skills",
    "get_workflow_run",
    "list_skills",
    "list_workflow_runs",
    "list_workflows",
    "load_workflow",
    "print_metrics_report",
    "provide_approval",
    "prune_workflow_runs",
    "publish_approved_skill",
    "publish_skill",
    "rate_registry_skill",
    "rate_skill",
    "record_skill_change",
    "record_skill_execution",
    "remove_skill",
    "request_approval",
    "resolve_approval_comment",
    "resume_workflow",
    "rollback_skill",
    "save_skill",
    "save_workflow",
    "search_registry",
    "trending_skills",
    "update_skill",
    "visualize_dependency_graph",
    "visualize_workflow",
]

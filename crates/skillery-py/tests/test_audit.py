"""The audit from Python: who did what, what was refused, and what came of it."""

import pytest

from conftest import CALC_CODE
from orchestrator.execution import (
    InvalidInputError,
    Skill,
    configure_registry,
    generate_audit_report,
    get_audit_logs,
    publish_skill,
)
from orchestrator.execution.errors import RegistryError


def test_changes_and_refusals_are_found_and_counted(configured, registry, code_file):
    publish_skill(Skill("looked_at", code_file(CALC_CODE)), org="audited")
    done = get_audit_logs(subject="audited", action="version.", outcome="allowed", limit=10)
    assert [entry["action"] for entry in done] == ["version.published"]
    assert done[0]["subject"].startswith("audited/looked_at") and done[0]["actor"]
    assert get_audit_logs(subject="audited", since="2999-01-01") == []
    report = generate_audit_report(days=1, namespace="audited")
    counted = {count["name"]: count["times"] for count in report["actions"]}
    assert counted["version.published"] == 1
    for part in ("members", "releases", "break_glass", "policies"):
        assert isinstance(report[part], list)


def test_what_cannot_be_asked_says_why(configured, registry):
    with pytest.raises(InvalidInputError):
        get_audit_logs(outcome="perhaps")
    with pytest.raises(InvalidInputError):
        generate_audit_report(days=0)
    configure_registry(url=registry.url, token="")
    with pytest.raises(RegistryError):
        get_audit_logs()

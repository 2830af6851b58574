"""The audit from Python: who did what, what was refused, and what came of it."""

import time

import pytest

from conftest import CALC_CODE, ask
from orchestrator.execution import (
    InvalidInputError,
    Skill,
    configure_registry,
    download_registry_skill,
    generate_audit_report,
    get_audit_logs,
    get_version_installs,
    publish_skill,
)
from orchestrator.execution.errors import RegistryError


def test_changes_and_refusals_are_found_and_counted(configured, registry, code_file):
    publish_skill(Skill("looked_at", code_file(CALC_CODE), "1.0.0"), org="audited")
    done = get_audit_logs(subject="audited", action="version.", outcome="allowed", limit=10)
    assert [entry["action"] for entry in done] == ["version.published"]
    assert done[0]["subject"].startswith("audited/looked_at") and done[0]["actor"]
    assert get_audit_logs(subject="audited", since="2999-01-01") == []
    report = generate_audit_report(days=1, namespace="audited")
    counted = {count["name"]: count["times"] for count in report["actions"]}
    assert counted["version.published"] == 1
    ask(registry, "POST", "/users", {"name": "looker"})
    download_registry_skill("audited/looked_at", version="1.0.0")
    # Installs are written down a moment later.
    deadline = time.monotonic() + 60
    while not (installs := get_version_installs("audited/looked_at", "1.0.0"))["total"]:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert (installs["total"], installs["installs"][0]["user"]) == (1, "admin")
    with pytest.raises(ValueError, match="no version 9.9.9"):
        get_version_installs("audited/looked_at", "9.9.9")
    ask(registry, "PUT", "/orgs/audited/members/looker", {"role": "reader"})
    ask(registry, "PUT", "/orgs/audited/policy", {"approvals": 1})
    report = generate_audit_report(days=1, namespace="audited")
    assert (report["members"][0]["action"], report["members"][0]["affected"]) == ("member.set", "looker")
    assert [entry["action"] for entry in report["policies"]] == ["policy.set"]
    assert (report["releases"], report["break_glass"]) == ([], [])


def test_what_cannot_be_asked_says_why(configured, registry):
    with pytest.raises(InvalidInputError):
        get_audit_logs(outcome="perhaps")
    with pytest.raises(InvalidInputError):
        generate_audit_report(days=0)
    for wrong in (-1, "x", True, 1.9):
        with pytest.raises(InvalidInputError, match="`limit` is a whole number"):
            get_audit_logs(limit=wrong)
        with pytest.raises(InvalidInputError, match="`days` is a whole number"):
            generate_audit_report(days=wrong)
    configure_registry(url=registry.url, token="")
    with pytest.raises(RegistryError):
        get_audit_logs()

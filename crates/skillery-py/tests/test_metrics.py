"""How skills do, from Python: recorded by real runs and by hand."""

import asyncio
import json
import urllib.request

import pytest

from conftest import CALC_CODE
from orchestrator.execution import (
    RegistryError,
    Skill,
    SkillMetrics,
    add_step,
    create_workflow,
    download_registry_skill,
    execute_workflow,
    get_all_metrics,
    get_skill_metrics,
    get_top_skills,
    print_metrics_report,
    publish_skill,
    rate_skill,
    record_skill_execution,
    remove_skill,
    save_skill,
    update_skill,
)


@pytest.fixture
def calculator(code_file):
    return save_skill(Skill("calculator", code_file(CALC_CODE), "1.0.0"))


def test_what_is_recorded_by_hand_adds_up(calculator):
    assert get_all_metrics() == [] and get_skill_metrics("nothing") is None
    fresh = get_skill_metrics("calculator")
    assert (fresh.id, fresh.runs, fresh.success_rate, fresh.latency_ms, fresh.versions) == ("calculator", 0, None, None, [])
    for latency in (10.0, 20.0, 30.0, 40):
        record_skill_execution("calculator", latency_ms=latency)
    record_skill_execution("calculator", success=False, latency_ms=1000.0)
    record_skill_execution("calculator", status="timed-out")
    record_skill_execution("calculator", status="cancelled", latency_ms=5e9)
    update_skill("calculator", description="x")
    record_skill_execution("calculator", latency_ms=1)
    record_skill_execution("calculator", latency_ms=1, version="1.0.0")

    found = get_skill_metrics("calculator")
    assert isinstance(found, SkillMetrics)
    assert (found.runs, found.succeeded, found.failed, found.cancelled) == (9, 6, 2, 1)
    assert found.success_rate == 6 / 8 and found.version is None
    assert found.statuses == {"success": 6, "failed": 1, "timed-out": 1, "cancelled": 1}
    assert set(found.latency_ms) == {"count", "mean", "min", "p50", "p90", "p99", "max"}
    assert (found.latency_ms["count"], found.latency_ms["min"], found.latency_ms["max"]) == (7, 1.0, 1000.0)
    assert found.latency_ms["p50"] == pytest.approx(20, rel=0.01)
    assert found.first_used < found.last_used
    assert [(version.version, version.runs) for version in found.versions] == [("1.0.1", 1), ("1.0.0", 8)]
    one = get_skill_metrics("calculator", "1.0.1")
    assert (one.version, one.runs, one.latency_ms["p99"]) == ("1.0.1", 1, 1.0)
    assert get_skill_metrics("calculator", "9.0.0") is None
    assert get_all_metrics() == [found]
    # What was removed is remembered.
    remove_skill("calculator")
    assert get_skill_metrics("calculator") == found


def test_bad_input_is_refused_and_records_nothing(calculator):
    for call, code in (
        (lambda: record_skill_execution("nothing"), "not-installed"),
        (lambda: record_skill_execution("calculator", version="9.0.0"), "version-not-installed"),
        (lambda: record_skill_execution("calculator", version="one"), "invalid-version"),
        (lambda: record_skill_execution("calculator", latency_ms=-1), "invalid-input"),
        (lambda: record_skill_execution("calculator", latency_ms=float("nan")), "invalid-input"),
        (lambda: record_skill_execution("calculator", status="skipped"), "invalid-input"),
        (lambda: record_skill_execution("Bad Name"), "invalid-id"),
        (lambda: get_skill_metrics("calculator", "^1"), "invalid-version"),
        (lambda: get_top_skills("speed"), "invalid-input"),
        (lambda: get_top_skills(limit=-1), "invalid-input"),
        (lambda: rate_skill("calculator", 5.5), "invalid-input"),
        (lambda: rate_skill("calculator", float("nan")), "invalid-input"),
        (lambda: rate_skill("calculator", 5, "x" * 10001), "invalid-input"),
        (lambda: rate_skill("nothing", 5), "not-installed"),
    ):
        with pytest.raises(ValueError) as raised:
            call()
        assert isinstance(raised.value, RegistryError) and raised.value.code == code, raised.value
    assert get_all_metrics() == []


def test_runs_are_recorded(calculator, code_file):
    save_skill(Skill("breaks", code_file("def breaks():\n    raise KeyError('x')\n"), org="acme"))
    workflow = create_workflow("sums")
    add_step(workflow, "sum", "calculator", {"a": 1})
    add_step(workflow, "bad", "breaks", on_error="retry", retries=1, retry_delay=0.001)
    add_step(workflow, "never", "calculator")
    assert asyncio.run(execute_workflow(workflow))["never"]["status"] == "skipped"
    sums, breaks = get_skill_metrics("calculator"), get_skill_metrics("acme/breaks")
    assert (sums.runs, sums.succeeded, sums.versions[0].version) == (1, 1, "1.0.0")
    assert sums.latency_ms["p50"] > 0
    assert (breaks.runs, breaks.statuses) == (1, {"failed": 1}), "a step is one run, however often it was tried"


def test_metrics_that_cannot_be_written_keep_no_run_from_going_on(calculator, home):
    (home / "metrics").write_text("no folder")
    workflow = create_workflow("sums")
    add_step(workflow, "sum", "calculator", {"a": 1})
    assert asyncio.run(execute_workflow(workflow))["sum"]["output"] == 1
    with pytest.raises(RegistryError) as raised:
        record_skill_execution("calculator")
    assert raised.value.code == "disk" and not isinstance(raised.value, ValueError)


def test_rates_are_rounded_down_and_no_further(calculator, capsys):
    for number in range(100):
        record_skill_execution("calculator", success=number < 29, latency_ms=1)
    print_metrics_report()
    assert "  29 %  " in capsys.readouterr().out


def test_the_best_come_first_and_the_report_shows_them(calculator, code_file, capsys):
    print_metrics_report()
    assert capsys.readouterr().out == "Nothing ran yet.\n"
    save_skill(Skill("fast", code_file(CALC_CODE), org="acme"))
    for _ in range(6):
        record_skill_execution("calculator", latency_ms=12.5)
    for _ in range(5):
        record_skill_execution("fast", latency_ms=2.5)
    record_skill_execution("calculator", success=False, latency_ms=12.5)
    assert [skill.id for skill in get_top_skills()] == ["calculator", "acme/fast"]
    assert [skill.id for skill in get_top_skills("success_rate")] == ["acme/fast", "calculator"]
    assert [skill.id for skill in get_top_skills("latency", 1)] == ["acme/fast"]
    assert get_top_skills("latency", minimum_runs=8) == [] and get_top_skills("rating") == []
    rated = rate_skill("calculator", 4.44, "Adds up")
    assert (rated.rating, rated.review) == (4.4, "Adds up")
    assert rate_skill("calculator", 3).review is None
    assert [skill.rating for skill in get_top_skills("rating")] == [3.0]
    print_metrics_report()
    lines = capsys.readouterr().out.splitlines()
    day = get_skill_metrics("fast").last_used[:10]
    assert lines == [
        "SKILL       RUNS  SUCCESS  P50 MS  P90 MS  P99 MS  RATING  LAST USED",
        "calculator     7     85 %    12.5    12.5    12.5     3.0  " + day,
        "acme/fast      5    100 %     2.5     2.5     2.5       -  " + day,
    ]


def test_counts_are_shared_where_that_is_wanted(configured, registry, code_file, monkeypatch):
    publish_skill(Skill("shared", code_file("def shared():\n    return 1\n"), "1.0.0"))
    download_registry_skill("acme/shared")
    workflow = create_workflow("once")
    add_step(workflow, "once", "shared")
    asyncio.run(execute_workflow(workflow))
    monkeypatch.setenv("SKILLERY_SHARE_USAGE", "true")
    record_skill_execution("shared", success=False)
    asyncio.run(execute_workflow(workflow))

    def told():
        with urllib.request.urlopen(registry.url + "/api/v1/skills/acme/shared/usage") as answer:
            return json.load(answer)["versions"]

    # It is told after the run, beside what the program does next.
    for _ in range(2000):
        if told():
            break
    assert [(version["version"], version["runs"], version["failed"]) for version in told()] == [("1.0.0", 2, 1)]

"""Runs that are kept, and what a workflow can say, from Python."""

import asyncio
import json

import pytest

from orchestrator.execution import (
    InvalidInputError,
    NotFoundError,
    Skill,
    WorkflowError,
    add_step,
    cancel_workflow_run,
    create_workflow,
    delete_workflow,
    execute_workflow,
    get_workflow_run,
    list_workflow_runs,
    list_workflows,
    load_workflow,
    prune_workflow_runs,
    resume_workflow,
    save_skill,
    save_workflow,
    visualize_workflow,
)

ECHO = "def echo(**values):\n    return values\n"
DOUBLE = "def double(n):\n    return n * 2\n"
#: Fails until somebody has mended it, and leaves a mark each time.
FLAKY = """\
import os


def flaky(folder):
    with open(os.path.join(folder, "marks"), "a") as file:
        file.write("x")
    if not os.path.exists(os.path.join(folder, "mended")):
        raise ValueError("not mended")
    return "done"
"""


@pytest.fixture
def skills(code_file):
    for name, code in (("echo", ECHO), ("double", DOUBLE), ("flaky", FLAKY)):
        save_skill(Skill(name, code_file(code)))


def run(workflow, inputs=None, **options):
    return asyncio.run(execute_workflow(workflow, inputs, **options))


def test_lists_conditions_and_typed_inputs(skills):
    w = create_workflow("flow", inputs={"numbers": "list", "limit": {"type": "integer", "default": 3}})
    add_step(w, "each", "double", {"n": "${item}"}, foreach="${numbers}", parallel=True)
    add_step(w, "many", "echo", {"at": "${index}"}, foreach={"items": "${each_output}", "max_items": 5}, parallel=True)
    add_step(w, "few", "echo", when="${each_output} | length < ${limit}", parallel=True)
    results = run(w, {"numbers": [1, 2, 3]})
    assert results["each"]["output"] == [2, 4, 6]
    assert [item["output"]["at"] for item in results["many"]["items"]] == [0, 1, 2]
    assert (results["few"]["status"], results["few"]["reason"]) == ("skipped", "its condition is not true")
    with pytest.raises(WorkflowError, match="the input `numbers` is a list, and not an integer"):
        run(w, {"numbers": 3})
    with pytest.raises(WorkflowError, match="is not a condition"):
        add_step(w, "wrong", "echo", when="${each_output} >")
    with pytest.raises(WorkflowError, match="neither `skill` nor `workflow`"):
        add_step(w, "nothing")


def test_workflows_are_kept_by_name(skills, tmp_path):
    inner = create_workflow("inner", inputs={"n": "integer"}, outputs={"total": "${one_output}"})
    add_step(inner, "one", "double", {"n": "${n}"})
    assert list_workflows() == []
    save_workflow(inner)
    assert list_workflows() == ["inner"]
    assert load_workflow("inner") == inner
    outer = create_workflow("outer")
    add_step(outer, "sub", inputs={"n": 4}, subworkflow="inner")
    results = run(outer)
    assert results["sub"]["output"] == {"total": 8}
    assert results["sub"]["steps"][0]["name"] == "one"
    assert delete_workflow("inner") and not delete_workflow("inner")
    with pytest.raises(NotFoundError):
        load_workflow("inner")
    with pytest.raises(WorkflowError, match="none was saved"):
        run(outer)
    with pytest.raises(ValueError):
        save_workflow(create_workflow("Not A Name"))

    (tmp_path / "inner.yaml").write_text(json.dumps(inner.to_dict()))
    (tmp_path / "outer.yaml").write_text("name: outer\nsteps:\n  - {name: sub, workflow: inner.yaml, inputs: {n: 5}}\n")
    assert run(load_workflow(tmp_path / "outer.yaml"))["sub"]["output"] == {"total": 10}
    (tmp_path / "typo.yaml").write_text("name: typo\nsteps:\n  - name: one\n    skil: echo\n")
    with pytest.raises(WorkflowError, match="ine 4, column 5: unknown field `skil`"):
        load_workflow(tmp_path / "typo.yaml")


def test_a_saved_name_may_have_a_dot_and_files_are_not_saved_with_a_workflow(skills):
    inner = create_workflow("daily.report")
    add_step(inner, "one", "double", {"n": 4})
    save_workflow(inner)
    assert run(load_workflow("daily.report"))["one"]["output"] == 8
    outer = create_workflow("outer")
    add_step(outer, "file", subworkflow="inner.yaml")
    with pytest.raises(ValueError, match="`inner.yaml` is a file"):
        save_workflow(outer)
    assert "outer" not in list_workflows()


def test_time_limits_make_sense_and_are_kept(skills, code_file):
    w = create_workflow("flow")
    save_skill(Skill("waits", code_file("import time\n\n\ndef waits():\n    time.sleep(3600)\n")))
    add_step(w, "one", "waits")
    for seconds in (1e19, 604801, 0, -1):
        with pytest.raises(ValueError, match="at most 604800"):
            run(w, timeout_seconds=seconds)
    first = run(w, timeout_seconds=0.25)
    again = asyncio.run(resume_workflow("last"))
    assert first["one"]["status"] == again["one"]["status"] == "timed-out"
    assert first["one"]["error"]["message"] == again["one"]["error"]["message"]


def test_a_drawing(skills):
    w = create_workflow("flow")
    add_step(w, "a", "echo", parallel=True)
    add_step(w, "b", "echo", {"x": "${a_output}"}, parallel=True)
    assert "s0 --> s1" in visualize_workflow(w)
    assert visualize_workflow(w, "svg").startswith("<?xml")
    with pytest.raises(InvalidInputError):
        visualize_workflow(w, "png")


def test_a_run_that_failed_goes_on(skills, meeting):
    w = create_workflow("flow")
    add_step(w, "first", "double", {"n": 2})
    add_step(w, "flaky", "flaky", {"folder": str(meeting)})
    ids = []
    results = run(w, on_event=lambda event: ids.append(event["run_id"]))
    assert results["flaky"]["status"] == "failed"
    (meeting / "mended").touch()
    events = []
    again = asyncio.run(resume_workflow("last", on_event=events.append))
    assert again["flaky"]["output"] == "done" and again["first"]["output"] == 4
    assert (meeting / "marks").read_text() == "xx"
    assert [event["step"] for event in events if event["event"] == "step-kept"] == ["first"]

    (shown,) = list_workflow_runs()
    assert (shown["run_id"], shown["state"], shown["workflow"]) == (ids[0], "success", "flow")
    found = get_workflow_run(ids[0])
    assert found["steps"]["flaky"]["output"] == "done"
    assert found["skills"][0]["version"] == "0.1.0"
    with pytest.raises(ValueError, match="has ended"):
        asyncio.run(resume_workflow(ids[0]))
    with pytest.raises(ValueError, match="has ended"):
        cancel_workflow_run("last")
    assert prune_workflow_runs(0) == ids[:1]
    assert list_workflow_runs() == []
    with pytest.raises(NotFoundError):
        get_workflow_run(ids[0])


def test_a_run_need_not_be_kept(skills):
    w = create_workflow("flow")
    add_step(w, "one", "echo")
    run(w, keep=False)
    assert list_workflow_runs() == []


def test_secrets_are_shown_nowhere(skills, monkeypatch):
    w = create_workflow("flow", secrets=["API_KEY", "OTHER_KEY"])
    add_step(w, "one", "echo", {"key": "Bearer ${secrets.API_KEY}", "other": "${secrets.OTHER_KEY}"})
    monkeypatch.setenv("OTHER_KEY", "battery staple")
    events = []
    results = run(w, secrets={"API_KEY": "tr0ub4dor"}, on_event=events.append)
    assert results["one"]["output"] == {"key": "Bearer ***", "other": "***"}
    shown = json.dumps([results, events, get_workflow_run("last")])
    assert "tr0ub4dor" not in shown and "battery" not in shown
    with pytest.raises(WorkflowError, match="the secret `API_KEY` was not given"):
        run(w)


def test_an_idempotency_key_is_given(skills):
    w = create_workflow("flow")
    add_step(w, "one", "echo", idempotency_key="${run.id}-${order}")
    results = run(w, {"order": 7})
    assert results["one"]["output"]["idempotency_key"].endswith("-7")

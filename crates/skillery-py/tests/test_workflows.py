"""Workflows from Python: they really run."""

import asyncio
import fcntl
import http.server
import os
import threading

import pytest

from conftest import CALC_CODE, EMAIL_CODE
from orchestrator.execution import (
    RegistryError,
    Skill,
    Workflow,
    WorkflowError,
    add_step,
    configure_registry,
    create_workflow,
    execute_workflow,
    get_skill,
    load_workflow,
    save_skill,
    save_workflow,
    update_skill,
)

OUTCOME = {"status", "output", "skill", "version", "inputs", "latency_ms", "attempts", "stdout", "stderr", "error"}


@pytest.fixture
def skill(code_file):
    """Saves a skill that consists of one function."""

    def save(name, code, **arguments):
        return save_skill(Skill(name, code_file(code), **arguments))

    return save


def run(workflow, inputs=None, **options):
    return asyncio.run(execute_workflow(workflow, inputs, **options))


def test_values_flow_with_their_types(skill):
    skill("calculator", CALC_CODE, version="1.2.0")
    skill("email_validator", EMAIL_CODE, org="acme")
    w = create_workflow("sums", "Adds twice")
    assert add_step(w, "first", "calculator", {"a": "${number}", "b": 2}) is w
    add_step(w, "second", "calculator", {"a": "${first_output}", "b": "${first.output}"})
    add_step(w, "check", "acme/email_validator", {"email": "${second_output}@example.com"})
    results = run(w, {"number": 40})
    assert list(results) == ["first", "second", "check"]
    first = results["first"]
    assert set(first) == OUTCOME
    assert (first["status"], first["output"], first["error"]) == ("success", 42, None)
    assert (first["skill"], first["version"], first["inputs"]) == ("calculator", "1.2.0", {"a": 40, "b": 2})
    assert first["latency_ms"] > 0 and first["attempts"] == 1
    assert results["second"]["output"] == 84
    assert results["check"]["inputs"] == {"email": "84@example.com"}
    assert results["check"]["output"] == {"valid": True}


def test_a_failure_is_a_result(skill):
    skill("breaks", "def breaks():\n    print('before')\n    raise KeyError('x')\n")
    skill("calculator", CALC_CODE)
    w = create_workflow("failing")
    add_step(w, "bad", "breaks")
    add_step(w, "never", "calculator")
    results = run(w)
    bad, never = results["bad"], results["never"]
    assert (bad["status"], bad["output"], bad["stdout"]) == ("failed", None, "before\n")
    assert bad["error"]["type"] == "KeyError" and "raise KeyError" in bad["error"]["traceback"]
    assert never["status"] == "skipped" and "bad" in never["reason"]

    w = create_workflow("going on")
    add_step(w, "bad", "breaks", on_error="continue")
    add_step(w, "other", "calculator", {"a": 1})
    add_step(w, "needy", "calculator", needs=["bad"])
    assert [step["status"] for step in run(w).values()] == ["failed", "success", "skipped"]


def test_retries_and_time_limits(skill, meeting):
    marks = meeting / "marks"
    skill(
        "third_time",
        "def third_time(path):\n"
        "    with open(path, 'a+') as file:\n"
        "        file.write('x')\n"
        "        file.seek(0)\n"
        "        count = len(file.read())\n"
        "    assert count == 3\n"
        "    return count\n",
    )
    skill("sleeps", "import time\ndef sleeps():\n    time.sleep(600)\n")
    w = create_workflow("patient")
    add_step(w, "try", "third_time", {"path": str(marks)}, retries=2, retry_delay=0.001)
    add_step(w, "slow", "sleeps", timeout_seconds=0.2)
    results = run(w)
    assert (results["try"]["output"], results["try"]["attempts"]) == (3, 3)
    assert results["slow"]["status"] == "timed-out"
    w = create_workflow("default limit")
    add_step(w, "slow", "sleeps")
    assert run(w, timeout_seconds=0.2)["slow"]["status"] == "timed-out"


def make_fifo(meeting):
    """A named pipe that skills may open; its other end says when they run."""
    fifo = meeting / "fifo"
    os.mkfifo(fifo)
    fifo.chmod(0o666)
    return fifo


def test_parallel_steps_run_at_once(skill, meeting):
    # Each waits for the other, so that neither ends if they run one after the other.
    fifo = make_fifo(meeting)
    skill("reads", "def reads(path):\n    with open(path) as f:\n        return f.read()\n")
    skill("writes", "def writes(path):\n    with open(path, 'w') as f:\n        f.write('met')\n")
    w = create_workflow("meeting")
    add_step(w, "reader", "reads", {"path": str(fifo)}, parallel=True)
    add_step(w, "writer", "writes", {"path": str(fifo)}, parallel=True)
    assert run(w, jobs=2)["reader"]["output"] == "met"


def test_events_come_in_order(skill):
    skill("calculator", CALC_CODE)
    w = create_workflow("told")
    add_step(w, "add", "calculator")
    events = []
    run(w, on_event=events.append)
    assert [event["event"] for event in events] == ["run-started", "step-started", "step-finished", "run-finished"]
    assert len({event["run_id"] for event in events}) == 1


def test_a_reader_that_raises_does_not_stop_the_run(skill):
    skill("calculator", CALC_CODE)
    w = create_workflow("told")
    add_step(w, "add", "calculator")

    def reader(event):
        raise RuntimeError("the reader's own problem")

    async def main():
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
        return await execute_workflow(w, on_event=reader)

    assert asyncio.run(main())["add"]["status"] == "success"


WAITS = """
import fcntl, time
def waits(path):
    lock = open(path + '.lock', 'w')
    fcntl.flock(lock, fcntl.LOCK_EX)
    with open(path, 'w') as file:
        file.write('here')
    time.sleep(600)
"""


def assert_nobody_waits(fifo):
    """The lock is free when no process has it open any more."""
    with open("{}.lock".format(fifo)) as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_cancelling_kills_what_runs(skill, meeting):
    fifo = make_fifo(meeting)
    skill("waits", WAITS)
    w = create_workflow("endless")
    add_step(w, "wait", "waits", {"path": str(fifo)})

    async def main():
        task = asyncio.ensure_future(execute_workflow(w))
        assert await asyncio.get_running_loop().run_in_executor(None, fifo.read_text) == "here"
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert_nobody_waits(fifo)


def test_an_interpreter_that_ends_right_after_a_run_ends_well(skill, python):
    skill("calculator", CALC_CODE)
    code = (
        "import asyncio\n"
        "from orchestrator.execution import *\n"
        "w = create_workflow('short')\n"
        "add_step(w, 'add', 'calculator', {'a': 1})\n"
        "print(asyncio.run(execute_workflow(w, on_event=lambda event: None))['add']['output'])\n"
    )
    for _ in range(10):
        assert python(code) == "1\n"


def test_a_loop_that_is_closed_in_the_middle_leaves_nothing_behind(skill, python, meeting):
    fifo = make_fifo(meeting)
    skill("waits", WAITS)
    code = (
        "import asyncio\n"
        "from orchestrator.execution import *\n"
        "w = create_workflow('left')\n"
        "add_step(w, 'wait', 'waits', {'path': %r})\n"
        "loop = asyncio.new_event_loop()\n"
        "run = execute_workflow(w)\n"
        "task = loop.create_task(run)\n"
        "print(loop.run_until_complete(loop.run_in_executor(None, lambda: open(%r).read())))\n"
        "run.close()\n"
        "loop.close()\n"
    ) % (str(fifo), str(fifo))
    assert python(code) == "here\n"
    with open("{}.lock".format(fifo)) as file:
        # The kernel ends what the interpreter has left; the lock says when.
        fcntl.flock(file, fcntl.LOCK_EX)


def test_what_the_policy_does_not_grant_is_denied(skill, meeting, tmp_path):
    outside = tmp_path / "outside"
    outside.write_text("secret")
    skill("reads", "def reads(path):\n    return open(path).read()\n")
    w = create_workflow("curious")
    add_step(w, "read", "reads", {"path": str(outside)})
    events = []
    step = run(w, on_event=events.append)["read"]
    assert (step["status"], step["error"]["rule"]) == ("denied", "read")
    assert events[0]["sandbox"]["namespaces"] is True


def test_what_is_asked_for_is_granted_before_anything_runs(skill, home):
    class Hello(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"hello")

        def log_message(self, *arguments):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hello)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    host = "hello.localhost:{}".format(server.server_port)
    code = "# /// script\n# [tool.skillery.permissions]\n# hosts = ['{0}']\n# ///\nimport urllib.request\n" + (
        "def fetches():\n    return urllib.request.urlopen('http://{0}').read().decode()\n"
    )
    skill("fetches", code.format(host))
    w = create_workflow("fetching")
    add_step(w, "fetch", "fetches")
    with pytest.raises(WorkflowError, match="connect to `{}`".format(host)) as raised:
        run(w)
    assert raised.value.code == "not-granted"
    assert [problem["kind"] for problem in raised.value.problems] == ["not-granted"]
    assert "skillery policy grant" in raised.value.hint
    # With its namespace, or without it.
    for name in ("fetches", "local/fetches"):
        home.mkdir(exist_ok=True)
        (home / "policy.toml").write_text("[skills.'{}']\nhosts = ['{}']\n".format(name, host))
        assert run(w)["fetch"]["output"] == "hello"
    server.shutdown()
    server.server_close()


def test_a_policy_that_is_none_stops_the_run(skill, home):
    skill("calculator", CALC_CODE)
    (home / "policy.toml").write_text("[default]\nnetwork = true\n")
    w = create_workflow("curious")
    add_step(w, "add", "calculator")
    with pytest.raises(ValueError, match="unknown field `network`"):
        run(w)


def test_many_workflows_at_once(skill):
    skill("calculator", CALC_CODE)
    w = create_workflow("many")
    add_step(w, "add", "calculator", {"a": "${n}", "b": 1})

    async def main():
        return await asyncio.gather(*(execute_workflow(w, {"n": n}) for n in range(8)))

    assert [results["add"]["output"] for results in asyncio.run(main())] == list(range(1, 9))


def test_versions_are_pinned_by_reference_or_skill(skill, code_file):
    old = skill("calculator", CALC_CODE, version="1.0.0")
    update_skill("calculator", code_file("def calculator():\n    return 'new'\n"), bump_type="major")
    w = create_workflow("versions")
    add_step(w, "current", "calculator")
    add_step(w, "range", "calculator@^1")
    add_step(w, "object", old)
    results = run(w)
    assert [step["version"] for step in results.values()] == ["2.0.0", "1.0.0", "1.0.0"]
    assert results["current"]["output"] == "new"


def test_what_is_wrong_with_a_step_is_said_when_it_is_added():
    w = create_workflow("wrong")
    add_step(w, "good", "calculator")
    for arguments, kind in (
        (("good", "calculator"), "duplicate-step"),
        (("bad name", "calculator"), "bad-name"),
        (("x", "Bad Skill"), "bad-skill"),
        (("x", "calculator", {"a": "${x_output}"}), "cycle"),
        (("x", "calculator", {"a": "${"}), "bad-reference"),
    ):
        with pytest.raises(WorkflowError) as raised:
            add_step(w, *arguments)
        assert raised.value.problems[0]["kind"] == kind, raised.value
    for options in ({"on_error": "explode"}, {"retries": -1}, {"timeout_seconds": 0}, {"needs": ["nobody"]}):
        with pytest.raises(ValueError):
            add_step(w, "x", "calculator", **options)
    for value in (object(), float("nan"), {1, 2}):
        with pytest.raises(ValueError, match="JSON"):
            add_step(w, "x", "calculator", {"a": value})
    assert [step["name"] for step in w.steps] == ["good"]


def test_a_workflow_that_cannot_begin_says_why(skill):
    w = create_workflow("missing")
    add_step(w, "x", "not_installed", {"a": "${input}"})
    with pytest.raises(WorkflowError) as raised:
        run(w, {"other": 1})
    assert {problem["kind"] for problem in raised.value.problems} == {"skill-not-found", "unknown-input"}
    assert isinstance(raised.value, ValueError) and isinstance(raised.value, RegistryError)
    with pytest.raises(ValueError):
        run(create_workflow("empty"))
    installed = skill("calculator", CALC_CODE)
    with open(installed.code_path, "w") as file:
        file.write("def calculator(): steal()")
    w = create_workflow("altered")
    add_step(w, "x", "calculator")
    with pytest.raises(WorkflowError, match="digest"):
        run(w)


def test_a_workflow_is_a_file_too(skill, tmp_path):
    skill("calculator", CALC_CODE)
    w = create_workflow("kept", "In a file")
    add_step(w, "add", "calculator", {"a": 1}, retries=1, timeout_seconds=5, parallel=True)
    save_workflow(w, tmp_path / "w.json")
    loaded = load_workflow(tmp_path / "w.json")
    assert loaded == w and isinstance(loaded, Workflow)
    assert run(loaded)["add"]["output"] == 1
    (tmp_path / "w.json").write_text('{"name": "x", "stepz": []}')
    with pytest.raises(ValueError, match="stepz"):
        load_workflow(tmp_path / "w.json")


def test_skills_made_here_run_where_signatures_are_wanted(skill):
    configure_registry(verify_signature=True)
    skill("calculator", CALC_CODE)
    w = create_workflow("own")
    add_step(w, "add", "calculator")
    assert run(w)["add"]["status"] == "success"
    assert get_skill("calculator").signature is None

"""Steps on the machines of a Dask cluster: a real scheduler and real workers, on loopback."""

import asyncio
import fcntl
import json
import os
import signal
import socket
import subprocess
import sys

import pytest
from distributed import Client

from orchestrator.execution import RegistryError, Skill, add_step, create_workflow, execute_workflow, save_skill

#: Two of these come to an end only side by side.
MEETS = """\
import os, time
def meets(folder, me, other):
    open(os.path.join(folder, me), "w").close()
    while not os.path.exists(os.path.join(folder, other)):
        time.sleep(0.001)
    return me
"""

#: Holds a lock while it runs, with a child that does too; the first of them never ends.
HANGS = """\
import fcntl, os, signal, time
def hangs(folder):
    if os.path.exists(os.path.join(folder, "ended")):
        return "done"
    file = open(os.path.join(folder, "lock"), "w")
    fcntl.flock(file, fcntl.LOCK_EX)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.mkfifo(os.path.join(folder, "here"))
    os.close(os.open(os.path.join(folder, "here"), os.O_WRONLY))
    while True:
        time.sleep(3600)
"""


#: What differs from run to run.
TIMES = ("time", "run_id", "latency_ms", "delay_ms")


class Cluster:
    """A scheduler, workers with one thread each, and a client that looks at them."""

    def __init__(self, folder, workers=2, options=(), before=()):
        self.folder = folder
        file = str(folder / "scheduler.json")
        self.processes = []
        self.start("scheduler", "--port", "0", "--scheduler-file", file)
        for _ in range(workers):
            self.start("worker", "--scheduler-file", file, "--nthreads", "1", "--no-nanny", *options, before=before)
        self.client = Client(scheduler_file=file, set_as_default=False)
        if workers:
            self.client.wait_for_workers(workers)
        self.address = self.client.scheduler.address
        self.executor = self.address.replace("tcp://", "dask://")

    def start(self, *words, before=()):
        with open(str(self.folder / "log"), "ab") as log:
            process = subprocess.Popen(
                [*before, sys.executable, "-m", "dask", *words, "--host", "127.0.0.1", "--no-dashboard"],
                cwd=str(self.folder),
                env={**os.environ, "SKILLERY_HOME": str(self.folder / "home"), "SECRET": "of the worker"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self.processes.append(process)

    def pids(self):
        return self.client.run(os.getpid)

    def stop(self):
        self.client.close()
        for process in reversed(self.processes):
            process.kill()
            process.wait()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    cluster = Cluster(tmp_path_factory.mktemp("cluster"))
    yield cluster
    cluster.stop()


@pytest.fixture
def own_cluster(tmp_path):
    made = []

    def make(**options):
        folder = tmp_path / "cluster"
        folder.mkdir()
        made.append(Cluster(folder, **options))
        return made[0]

    yield make
    for cluster in made:
        cluster.stop()


@pytest.fixture
def save(home, code_file):
    def saved(name, code):
        return save_skill(Skill(name=name, code_path=code_file(code, name + ".py")))

    return saved


@pytest.fixture
def hangs(save, meeting):
    """A workflow of one step that hangs, and waiting until it does."""
    save("hangs", HANGS)
    workflow = create_workflow("w")
    add_step(workflow, "hangs", "hangs", {"folder": str(meeting)}, retries=1, retry_delay=0)
    return workflow


def arrival(folder):
    """Waits until the skill hangs: opening a pipe waits for its other end."""
    path = str(folder / "here")
    while not os.path.exists(path):
        os.sched_yield()
    os.close(os.open(path, os.O_RDONLY))


def unlocked(folder):
    """Waits until nobody holds the lock."""
    with open(str(folder / "lock")) as file:
        fcntl.flock(file, fcntl.LOCK_EX)


def without_times(value):
    if isinstance(value, dict):
        return {key: without_times(item) for key, item in value.items() if key not in TIMES}
    return [without_times(item) for item in value] if isinstance(value, list) else value


def run(workflow, inputs=None, **options):
    """What came of it, and what was told."""
    events = []
    results = asyncio.run(execute_workflow(workflow, inputs, on_event=events.append, **options))
    return without_times(results), without_times(events)


def test_results_and_events_are_those_of_this_machine(cluster, save, meeting, home, monkeypatch):
    monkeypatch.setenv("SECRET", "of the caller")
    (home / "policy.toml").write_text("[skills.tells]\nenvironment = ['SECRET']\nwrite = ['{}']\n[skills.calls]\nskills = ['tells']\n".format(meeting))
    save("tells", "import os, sys\ndef tells():\n    print('out')\n    print('err', file=sys.stderr)\n    return os.environ['SECRET']\n")
    save("reads", "def reads():\n    return open('/etc/shadow').read()\n")
    save("breaks", "def breaks():\n    raise ValueError('broken')\n")
    save("slow", "def slow():\n    while True: pass\n")
    save(
        "calls",
        "# /// script\n# [tool.skillery]\n# skills = ['tells']\n# ///\n"
        "from orchestrator.execution import execute_skill\n"
        "def calls(told):\n    return [told, execute_skill('tells')]\n",
    )
    workflow = create_workflow("w")
    add_step(workflow, "tells", "tells")
    add_step(workflow, "reads", "reads", on_error="continue")
    add_step(workflow, "breaks", "breaks", on_error="continue", retries=1, retry_delay=0)
    add_step(workflow, "slow", "slow", on_error="continue", timeout_seconds=0.5)
    add_step(workflow, "calls", "calls", {"told": "${tells_output}"})

    results_here, events_here = run(workflow)
    results, events = run(workflow, executor=cluster.executor)
    assert {name: result["status"] for name, result in results.items()} == {
        "tells": "success",
        "reads": "denied",
        "breaks": "failed",
        "slow": "timed-out",
        "calls": "success",
    }
    assert results["calls"]["output"] == ["of the caller", "of the caller"]
    assert results["reads"]["error"]["rule"] == "read"
    assert [event.get("step") for event in events if event["event"] == "step-output"] == [
        "tells", "tells", "calls/tells#1", "calls/tells#1",
    ]  # fmt: skip
    assert results == results_here
    assert events[0] == events_here[0]
    assert by_step(events) == by_step(events_here)


def by_step(events):
    """Of each step, what was told, in order; the two outputs of one step may come in either order."""
    told = {}
    for event in events[1:]:
        key = (event.get("step"), event.get("stream"))
        told.setdefault(key, []).append(event)
    return told


def test_steps_run_on_all_workers_at_once(cluster, save, meeting):
    save("meets", MEETS)
    workflow = create_workflow("w")
    for me, other in (("a", "b"), ("b", "a")):
        inputs = {"folder": str(meeting), "me": me, "other": other}
        add_step(workflow, me, "meets", inputs, parallel=True)
    # The workers have one thread each.
    for executor in (cluster.executor, cluster.client):
        results, _ = run(workflow, executor=executor, jobs=2)
        assert [result["output"] for result in results.values()] == ["a", "b"]
        (meeting / "a").unlink()
        (meeting / "b").unlink()


def test_the_command_line_runs_steps_there_too(cluster, save, home, tmp_path):
    from orchestrator.execution import save_workflow

    save("double", "def double(number):\n    return number * 2\n")
    workflow = create_workflow("w")
    add_step(workflow, "double", "local/double", {"number": "${number}"})
    save_workflow(workflow, tmp_path / "w.json")
    binary = os.environ.get("SKILLERY_BIN") or os.path.join(os.path.dirname(__file__), "../../../target/debug/skillery")
    command = [binary, "--json", "workflow", "run", str(tmp_path / "w.json"), "--input", "number:=21"]
    command += ["--executor", cluster.executor, "--executor-python", sys.executable]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["steps"][0]["output"] == 42


def test_a_worker_that_is_killed_costs_an_attempt(own_cluster, hangs, meeting):
    cluster = own_cluster()

    async def kill_its_worker():
        running = asyncio.ensure_future(execute_workflow(hangs, on_event=events.append, executor=cluster.address))
        await asyncio.get_running_loop().run_in_executor(None, arrival, meeting)
        (meeting / "ended").touch()
        (worker,) = [worker for worker, tasks in cluster.client.processing().items() if tasks]
        os.kill(cluster.pids()[worker], signal.SIGKILL)
        return await running

    events = []
    results = asyncio.run(kill_its_worker())
    assert (results["hangs"]["status"], results["hangs"]["attempts"], results["hangs"]["output"]) == ("success", 2, "done")
    (retrying,) = [event for event in events if event["event"] == "step-retrying"]
    assert retrying["error"]["type"] == "lost"
    assert "the worker that ran it has ended" in retrying["error"]["message"]
    unlocked(meeting)


def test_cancelling_leaves_nothing(cluster, hangs, meeting):
    async def cancel():
        running = asyncio.ensure_future(execute_workflow(hangs, on_event=events.append, executor=cluster.executor))
        await asyncio.get_running_loop().run_in_executor(None, arrival, meeting)
        running.cancel()
        await running

    events = []
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(cancel())
    unlocked(meeting)
    (finished,) = [event for event in events if event["event"] == "step-finished"]
    assert finished["outcome"]["status"] == "cancelled"


def test_a_caller_that_is_killed_leaves_nothing(cluster, hangs, meeting, home):
    code = "import asyncio, sys; from orchestrator.execution import *; asyncio.run(execute_workflow(load_workflow(sys.argv[1]), executor=sys.argv[2]))"
    from orchestrator.execution import save_workflow

    save_workflow(hangs, home / "w.json")
    caller = subprocess.Popen([sys.executable, "-c", code, str(home / "w.json"), cluster.executor])
    arrival(meeting)
    caller.kill()
    caller.wait()
    unlocked(meeting)


def test_what_does_not_fit_is_said_before_anything_runs(own_cluster, save, tmp_path):
    save("double", "def double(number=1):\n    return number * 2\n")
    workflow = create_workflow("w")
    add_step(workflow, "double", "double")

    def refused(executor):
        with pytest.raises(RegistryError) as raised:
            run(workflow, executor=executor)
        return raised.value

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = "dask://127.0.0.1:{}".format(free.getsockname()[1])
        error = refused(address)
        assert error.code == "no-executor"
        assert "cannot be reached" in str(error) and "dask scheduler" in error.hint
    assert refused("dask://").code == "invalid-executor"

    old = tmp_path / "old.py"
    old.write_text("from orchestrator import _native\n_native.VERSION = '0.0.1'\n")
    cluster = own_cluster(workers=1, options=["--preload", str(old)])
    error = refused(cluster.executor)
    assert "has version 0.0.1 of `skillery`, and this is version" in str(error)


def test_a_cluster_without_workers_is_no_executor(own_cluster, save):
    save("double", "def double(number=1):\n    return number * 2\n")
    workflow = create_workflow("w")
    add_step(workflow, "double", "double")
    with pytest.raises(RegistryError, match="has no workers"):
        run(workflow, executor=own_cluster(workers=0).executor)


def test_a_worker_whose_machine_lacks_a_layer_refuses(own_cluster, save):
    save("double", "def double(number=1):\n    return number * 2\n")
    workflow = create_workflow("w")
    add_step(workflow, "double", "double", retries=1, retry_delay=0)
    # In a namespace of users that may not make another one, as in some containers.
    command = "echo 0 > /proc/sys/user/max_user_namespaces && exec \"$@\""
    cluster = own_cluster(workers=1, before=["unshare", "--user", "--map-root-user", "sh", "-c", command, "sh"])
    results, _ = run(workflow, executor=cluster.executor)
    error = results["double"]["error"]
    assert (results["double"]["attempts"], error["type"]) == (2, "could-not-start")
    assert "the sandbox is not complete on this machine: missing namespaces" in error["message"]


def test_a_worker_without_python_for_skills_is_told(own_cluster, save, tmp_path):
    save("double", "def double(number=1):\n    return number * 2\n")
    workflow = create_workflow("w")
    add_step(workflow, "double", "double")
    lost = tmp_path / "lost.py"
    lost.write_text("import os\nos.environ['SKILLERY_PYTHON'] = '/nowhere/python3'\n")
    cluster = own_cluster(workers=1, options=["--preload", str(lost)])
    with pytest.raises(RegistryError, match="cannot run skills: .*nowhere"):
        run(workflow, executor=cluster.executor)

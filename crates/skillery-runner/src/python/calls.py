"""Skills that call skills: what a skill finds under the name `orchestrator.execution`, and nothing else of that name.

On the channel goes `{"call": {"id", "skill", "inputs", "seconds"}}`, and `{"id", "output"}` or `{"id", "error"}` comes back, in
whatever order. A skill that does not call pays nothing for it.
"""

import os
import sys

import _thread

# What a message has besides the inputs. Where these are too large by themselves, the runner says so.
ROOM = 1 << 16
WRITING = _thread.allocate_lock()
STARTING = _thread.allocate_lock()


class State:
    """Calls that wait for their answer, by number. The process is that which the runner answers to."""

    process = last = 0
    most = 0
    waiting = {}


class SkillError(Exception):
    """Another skill did not succeed.

    Attributes:
        status: How it ended: `failed`, `timed-out`, `out-of-memory`, `denied`, `cancelled`.
        type: The class of what it raised, or a word for what else went wrong.
        message: What happened.
        skill: The skill, as it was called.
    """

    undeclared = False

    def __init__(self, status, type, message, skill):
        super().__init__("skill `%s` is `%s`: %s: %s" % (skill, status, type, message))
        self.status = status
        self.type = type
        self.message = message
        self.skill = skill


class Waiter:
    def __init__(self):
        self.lock = _thread.allocate_lock()
        self.lock.acquire()
        self.answer = None


def execute_skill(
    name, /, inputs=None, *, timeout_seconds=None, on_event=None, executor=None, allow_weaker_sandbox=False, **arguments
):
    """Runs another skill, one that this skill names in its `[tool.skillery]`, and waits for it.

    Inputs are given as a dict, by keyword, or both. Returns what the skill returned. Raises `SkillError` where it did not
    succeed. The other arguments are for callers outside, except for the seconds to wait.
    """
    from . import worker

    if on_event is not None or executor is not None or allow_weaker_sandbox:
        raise TypeError("`on_event`, `executor` and `allow_weaker_sandbox` are for callers outside of a skill")
    given = dict(inputs or {})
    for key in arguments:
        if key in given:
            raise TypeError("the input `%s` is given twice" % key)
    given.update(arguments)
    if not isinstance(name, str):
        raise TypeError("the name of a skill is a text")
    if timeout_seconds is not None and not 0 < timeout_seconds < float("inf"):
        raise ValueError("`timeout_seconds` is a number above 0")
    call = {"skill": name, "inputs": given, "seconds": None if timeout_seconds is None else float(timeout_seconds)}
    try:
        call = worker.as_json(call, "call")
    except worker.Refused as refusal:
        what = str(refusal).partition(": ")[2].replace("`call.", "`")
        raise SkillError("failed", "bad-inputs", "what the skill is given is not JSON: " + what, name) from None
    waiter = ask(worker, call, name)
    waiter.lock.acquire()
    answer = waiter.answer
    if "error" not in answer:
        return answer["output"]
    error = answer["error"]
    failure = SkillError(error["status"], error["type"], error["message"], name)
    failure.undeclared = "undeclared" in error
    raise failure


def ask(worker, call, name):
    """Sends a call. What answers it sets is in the waiter when its lock can be had."""
    # Before the lock, which somebody else may have held when this process was forked.
    if State.process != os.getpid():
        raise SkillError("failed", "bad-protocol", "only the process that a skill began in can call others", name)
    with STARTING:
        if not State.last:
            _thread.start_new_thread(listen, (worker,))
        State.last += 1
        number = State.last
        State.waiting[number] = waiter = Waiter()
    message = worker.to_json({"call": dict(call, id=number)}).encode()
    if len(message) > State.most + ROOM:
        del State.waiting[number]
        what = "what the skill is given is %d bytes of JSON, and %d is the most" % (len(message), State.most)
        raise SkillError("failed", "inputs-too-large", what, name)
    with WRITING:
        worker.write(worker.CHANNEL, len(message).to_bytes(4, "big") + message)
    return waiter


def listen(worker):
    """Hands out the answers."""
    while True:
        answer = worker.read_message(worker.CHANNEL)
        waiter = State.waiting.pop(answer["id"])
        waiter.answer = answer
        waiter.lock.release()


def install():
    """Puts the module where skills import it from."""
    package, module = type(sys)("orchestrator"), type(sys)("orchestrator.execution")
    for made in (package, module):
        made.__path__ = []
        sys.modules[made.__name__] = made
    package.execution = module
    for exported in (execute_skill, SkillError):
        exported.__module__ = module.__name__
        setattr(module, exported.__name__, exported)
    module.__all__ = ["SkillError", "execute_skill"]


install()

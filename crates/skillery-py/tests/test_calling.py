"""One skill like a function, from outside and from inside of another one."""

import pickle

import pytest

from orchestrator.execution import Skill, SkillError, WorkflowError, execute_skill, save_skill

DOUBLE = "def double(number):\n    print('doubling', number)\n    return number * 2\n"
CALLS = """\
# /// script
# [tool.skillery]
# skills = ["double"]
# ///
from orchestrator.execution import SkillError, execute_skill

def quadruple(number):
    once = execute_skill("double", {"number": number})
    return execute_skill("double", number=once)
"""


@pytest.fixture
def save(home, code_file):
    def saved(name, code):
        return save_skill(Skill(name=name, code_path=code_file(code, name + ".py")))

    return saved


def test_a_skill_is_called_like_a_function(save):
    save("double", DOUBLE)
    assert execute_skill("double", {"number": 4}) == 8
    assert execute_skill("double@0.1.0", number=4, timeout_seconds=30) == 8
    # A text is a text: only workflows have references.
    assert execute_skill("double", number="${x}") == "${x}${x}"
    with pytest.raises(TypeError, match="`number` is given twice"):
        execute_skill("double", {"number": 1}, number=2)


def test_skills_call_each_other_and_it_is_told(save):
    save("double", DOUBLE)
    save("quadruple", CALLS)
    events = []
    assert execute_skill("quadruple", number=3, on_event=events.append) == 12
    told = [(event["event"], event.get("step")) for event in events]
    assert told == [
        ("run-started", None),
        ("step-started", "quadruple"),
        ("step-started", "quadruple/double#1"),
        ("step-output", "quadruple/double#1"),
        ("step-finished", "quadruple/double#1"),
        ("step-started", "quadruple/double#2"),
        ("step-output", "quadruple/double#2"),
        ("step-finished", "quadruple/double#2"),
        ("step-finished", "quadruple"),
        ("run-finished", None),
    ]


def test_a_failure_is_raised_and_says_how(save):
    save("breaks", "def breaks():\n    raise KeyError('lost')\n")
    with pytest.raises(SkillError) as raised:
        execute_skill("breaks")
    error = raised.value
    assert (error.status, error.type, error.message, error.skill) == ("failed", "KeyError", "'lost'", "breaks")
    assert str(error) == "skill `breaks` is `failed`: KeyError: 'lost'"
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.status, again.skill) == (str(error), "failed", "breaks")

    save("reads", "def reads():\n    return open('/etc/shadow').read()\n")
    with pytest.raises(SkillError) as raised:
        execute_skill("reads")
    assert raised.value.status == "denied"


def test_what_cannot_begin_is_no_failure_of_a_skill(save):
    with pytest.raises(WorkflowError, match="is not in the library"):
        execute_skill("nowhere")
    with pytest.raises(ValueError, match="`No skill` is not a skill"):
        execute_skill("No skill")
    save("quadruple", CALLS)
    with pytest.raises(WorkflowError, match="skill `double`: `double` is not in the library; it is called through `quadruple`"):
        execute_skill("quadruple", number=1)
    for executor, said in (("ray://h:1", "`ray://h:1` is no executor"), (7, "not of type `int`")):
        with pytest.raises(ValueError, match=said):
            execute_skill("quadruple", number=1, executor=executor)

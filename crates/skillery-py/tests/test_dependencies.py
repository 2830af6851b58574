"""Which skills need which, from Python."""

import pytest

from conftest import CALC_CODE
from orchestrator.execution import (
    Skill,
    get_dependency_graph,
    get_dependency_order,
    get_skill_dependents,
    get_skill_version,
    rollback_skill,
    save_skill,
    update_skill,
    visualize_dependency_graph,
)


@pytest.fixture
def save(code_file):
    def save(name, needs=(), version="1.0.0", org=None):
        listed = ", ".join('"{}"'.format(needed) for needed in needs)
        code = "# /// script\n# [tool.skillery]\n# skills = [{}]\n# ///\ndef main(): ...\n".format(listed)
        return save_skill(Skill(name, code_file(code), version, org=org))

    return save


def test_what_skills_need_is_looked_up(save):
    assert get_dependency_graph() == {"skills": [], "cycles": []}
    save("text")
    save("slugify", ["text"], org="acme")
    save("report", ["acme/slugify@^1", "gone", "text@>=2"], version="0.1.0")
    graph = get_dependency_graph("report")
    assert [(skill["id"], skill["version"]) for skill in graph["skills"]] == [
        ("acme/slugify", "1.0.0"),
        ("report", "0.1.0"),
        ("text", "1.0.0"),
    ]
    report = graph["skills"][1]
    assert report["current"] and report["problem"] is None
    assert report["dependencies"] == [
        {"wanted": "acme/slugify@^1", "state": "resolved", "id": "acme/slugify", "version": "1.0.0"},
        {"wanted": "gone", "state": "missing"},
        {"wanted": "text@>=2", "state": "unsatisfied", "id": "text", "present": ["1.0.0"]},
    ]
    assert [place["id"] for place in get_dependency_order()] == ["text", "acme/slugify", "report"]
    dependents = get_skill_dependents("text")
    assert [(d["id"], d["direct"], d["satisfied"]) for d in dependents] == [
        ("acme/slugify", True, True),
        ("report", True, False),
    ]
    assert "├── gone (missing)" in visualize_dependency_graph()
    assert visualize_dependency_graph(format="mermaid").startswith("graph TD\n")
    assert visualize_dependency_graph("slugify", format="dot").count("->") == 1


def test_circles_are_told_with_their_path(save):
    save("a", ["b"])
    save("b", ["c"])
    save("c", ["a"])
    save("alone")
    assert get_dependency_graph()["cycles"] == [["a", "b", "c", "a"]]
    with pytest.raises(ValueError, match="local/a -> local/b -> local/c -> local/a") as raised:
        get_dependency_order("b")
    assert raised.value.code == "dependency-cycle"
    assert get_dependency_order("alone") == [{"id": "alone", "version": "1.0.0"}]
    assert "cycle: local/a -> local/b -> local/c -> local/a" in visualize_dependency_graph()


def test_bad_input_says_so(save, code_file):
    save("same", org="acme")
    save("same", org="beta")
    for call, code in (
        (lambda: get_dependency_graph("gone"), "not-installed"),
        (lambda: get_dependency_graph("same"), "ambiguous-name"),
        (lambda: get_skill_dependents("gone"), "not-installed"),
        (lambda: get_skill_dependents("Bad Name"), "invalid-id"),
        (lambda: visualize_dependency_graph(format="svg"), "invalid-input"),
        (lambda: get_skill_version("same", "1.0.0"), "ambiguous-name"),
        (lambda: get_skill_version("acme/same", "^1"), "invalid-version"),
        (lambda: get_skill_version("acme/same", ""), "invalid-version"),
        (lambda: rollback_skill("same"), "ambiguous-name"),
        (lambda: rollback_skill("acme/same"), "version-not-installed"),
        (lambda: rollback_skill("acme/same", "one"), "invalid-version"),
        (lambda: update_skill("same", description="x"), "ambiguous-name"),
        (lambda: update_skill("acme/same", bump_type=""), "invalid-input"),
        (lambda: update_skill("acme/same", bump_type="MAJOR"), "invalid-input"),
    ):
        with pytest.raises(ValueError) as raised:
            call()
        assert raised.value.code == code, raised.value
    save_skill(Skill("broken", code_file("# /// script\n# [tool.skillery]\n# skilz = []\n# ///\n" + CALC_CODE)))
    (broken,) = get_dependency_graph("broken")["skills"]
    assert broken["problem"].startswith("line 3: ") and broken["dependencies"] == []


def test_exactly_one_version(save):
    save("text")
    save("text", version="1.1.0")
    assert get_skill_version("text", "1.0.0").version == "1.0.0"
    assert get_skill_version("text", "1.0.1") is None and get_skill_version("gone", "1.0.0") is None

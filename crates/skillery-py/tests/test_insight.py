"""What the registry knows of how skills are used."""

import time

import pytest

from orchestrator.execution import (
    download_registry_skill,
    get_leaderboard,
    get_namespace_usage,
    get_registry_adoption,
    get_registry_dependencies,
    get_registry_dependents,
    get_registry_health,
    get_registry_usage,
    publish_skill,
    Skill,
)
from orchestrator.execution.errors import InvalidInputError, NotFoundError


def publish(folder, name, needs=""):
    file = folder / (name + ".py")
    file.write_text(
        "# /// script\n# [tool.skillery]\n# skills = [{}]\n# ///\ndef {}(text):\n    return text\n".format(needs, name)
    )
    return publish_skill(Skill(name, str(file)), org="insight")


def until(ask, is_there):
    """Asks until it is there: the registry writes down some time after a download that there was one."""
    end = time.monotonic() + 20
    while True:
        found = ask()
        if is_there(found) or time.monotonic() > end:
            return found
        time.sleep(0.05)


def test_what_needs_what_and_how_it_is_used(configured, tmp_path):
    publish(tmp_path, "base")
    publish(tmp_path, "user", "'insight/base@^1'")
    needed = get_registry_dependencies("insight/user")
    assert [row["id"] for row in needed["dependencies"]] == ["insight/base"]
    reached = get_registry_dependents("insight/base", version="2.0.0", limit=1)
    assert (reached["total"], reached["accepting"]) == (1, 0)
    assert reached["dependents"][0]["needs"] == [{"id": "insight/base", "range": "^1"}]
    health = get_registry_health("insight/base")
    assert health["most"] == 100
    assert sum(part["points"] for part in health["parts"]) == health["points"]
    download_registry_skill("insight/base")
    usage = until(lambda: get_registry_usage("insight/base", by="week", days=7), lambda usage: usage["total"] > 0)
    assert (usage["total"], usage["by"]) == (1, "week")
    assert sum(period["installs"] for period in usage["periods"]) == 1
    only = get_registry_usage("insight/base", version=health["version"], program="skillery")
    assert (only["total"], only["version"], only["program"]) == (1, health["version"], "skillery")
    assert get_registry_usage("insight/base", program="git")["total"] == 0
    assert get_namespace_usage("insight", by="week", program="git")["total"] == 0
    assert [(one["id"], one["installs"]) for one in get_namespace_usage("insight")["skills"]] == [("insight/base", 1)]
    adoption = get_registry_adoption("insight/base")
    assert (adoption["latest"], adoption["versions"][0]["installs"]) == (health["version"], 1)
    # Whoever owns a skill is no consumer of it.
    board = get_leaderboard(of="teams", period="all", limit=200)
    assert "insight" not in [place["name"] for place in board["places"]]


def test_what_cannot_be_asked_says_why(configured):
    with pytest.raises(NotFoundError):
        get_registry_dependents("insight/nothing")
    with pytest.raises(NotFoundError):
        get_registry_usage("insight/base", version="9.9.9")
    for ask in (
        lambda: get_registry_usage("insight/base", by="year"),
        lambda: get_registry_usage("insight/base", version="^1"),
        lambda: get_registry_usage("insight/base", program="evil"),
        lambda: get_namespace_usage("insight", program="evil"),
        lambda: get_registry_usage("insight/base", days=-1),
        lambda: get_leaderboard(of="skills"),
        lambda: get_registry_dependents("base"),
        lambda: get_registry_dependents("insight/base", version="two"),
    ):
        with pytest.raises(InvalidInputError):
            ask()

"""The local library from Python."""

import pytest

from conftest import CALC_CODE, EMAIL_CODE
from orchestrator.execution import (
    Skill,
    download_registry_skill,
    get_skill,
    get_skill_versions,
    list_skills,
    publish_skill,
    remove_skill,
    rollback_skill,
    save_skill,
    update_skill,
)


def test_saved_changed_rolled_back_and_removed(code_file):
    assert get_skill("calculator") is None
    assert list_skills() == [] and get_skill_versions("calculator") == []
    made = Skill("calculator", code_file(CALC_CODE), "1.0.0", "Adds", tags=["math"])
    saved = save_skill(made)
    assert (saved.id, saved.version, saved.org, saved.registry) == ("calculator", "1.0.0", None, None)
    assert saved.code == CALC_CODE and saved.current and saved.license == "MIT"
    assert save_skill(made) == saved

    second = update_skill("calculator", code_file("def calculator():\n    return 2\n"), bump_type="minor")
    assert (second.version, second.tags, second.description) == ("1.1.0", ["math"], "Adds")
    third = update_skill("calculator", description="Adds more", bump_type="major")
    assert (third.version, third.code, third.description) == ("2.0.0", second.code, "Adds more")
    assert update_skill("calculator", tags=["sum"]).version == "2.0.1"
    assert get_skill_versions("calculator") == ["2.0.1", "2.0.0", "1.1.0", "1.0.0"]
    assert get_skill("calculator", "^1").version == "1.1.0"
    assert get_skill("calculator", "3.0.0") is None

    assert rollback_skill("calculator", "1.0.0").code == CALC_CODE
    assert get_skill("calculator").version == "1.0.0"
    assert [skill.version for skill in list_skills()] == ["1.0.0"]
    assert rollback_skill("calculator", "2.0.1").current
    assert rollback_skill("calculator").version == "2.0.0"
    assert remove_skill("calculator", "2.0.0") == ["2.0.0"]
    assert get_skill("calculator").version == "2.0.1"
    assert remove_skill("calculator") == ["2.0.1", "1.1.0", "1.0.0"]
    assert list_skills() == []


def test_what_is_not_there_or_not_possible_says_so(code_file):
    for call in (
        lambda: rollback_skill("nothing"),
        lambda: remove_skill("nothing"),
        lambda: update_skill("nothing", description="x"),
    ):
        with pytest.raises(ValueError) as raised:
            call()
        assert raised.value.code == "not-installed"
    save_skill(Skill("calc", code_file(CALC_CODE)))
    with pytest.raises(ValueError, match="patch"):
        update_skill("calc", bump_type="huge")
    with pytest.raises(ValueError) as raised:
        rollback_skill("calc", "9.0.0")
    assert raised.value.code == "version-not-installed"
    with pytest.raises(ValueError) as raised:
        save_skill(Skill("calc", code_file(EMAIL_CODE)))
    assert raised.value.code == "content-differs"
    for name in ("", "Calc", "../calc", "acme/..", "acme//calc"):
        with pytest.raises(ValueError):
            get_skill(name)


def test_a_name_that_several_have_lists_them(code_file):
    for org in ("acme", "beta"):
        save_skill(Skill("email_validator", code_file(EMAIL_CODE), org=org))
    with pytest.raises(ValueError, match="`acme/email_validator`, `beta/email_validator`") as raised:
        get_skill("email-validator")
    assert raised.value.code == "ambiguous-name"
    assert get_skill("beta/email-validator").id == "beta/email_validator"


def test_a_downloaded_skill_is_found_by_name_in_every_version(configured, code_file):
    for version in ("1.0.0", "1.1.0"):
        publish_skill(Skill("by_name", code_file(EMAIL_CODE), version, "Validates"))
        download_registry_skill("acme/by_name", version)
    skill = get_skill("by-name")
    assert (skill.id, skill.version, skill.description) == ("acme/by_name", "1.1.0", "Validates")
    assert skill.code == EMAIL_CODE and skill.registry.startswith("http://127.0.0.1:")
    assert get_skill_versions("by_name") == ["1.1.0", "1.0.0"]
    assert get_skill("by_name", "1.0.0").current is False
    # The next version of a downloaded skill is one that was made here, and can be published.
    changed = update_skill("by_name", code_file(CALC_CODE))
    assert (changed.version, changed.org, changed.registry) == ("1.1.1", "acme", None)
    assert publish_skill(changed).version == "1.1.1"


def test_reading_keeps_every_byte(code_file, tmp_path):
    path = tmp_path / "crlf.py"
    path.write_bytes("\ufeffdef crlf():\r\n    return 'é'\r\n".encode())
    saved = save_skill(Skill("crlf", path))
    with open(saved.code_path, "rb") as file:
        assert file.read() == path.read_bytes()
    assert saved.code.encode() == path.read_bytes()

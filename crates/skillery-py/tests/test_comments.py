"""Comments, answers to reviews and reports from Python."""

import pytest

from conftest import CALC_CODE
from orchestrator.execution import (
    InvalidInputError,
    NotFoundError,
    Skill,
    add_skill_comment,
    answer_review,
    configure_registry,
    delete_skill_comment,
    edit_skill_comment,
    get_comment_history,
    get_registry_ratings,
    get_reports,
    get_skill_comments,
    hide_review,
    hide_skill_comment,
    publish_skill,
    rate_registry_skill,
    remove_review_answer,
    reopen_report,
    report_abuse,
    resolve_report,
    unhide_review,
    unhide_skill_comment,
)
from orchestrator.execution.errors import RegistryError

ID = "talk/spoken_of"


def test_comments_are_said_answered_changed_and_hidden(configured, registry, code_file):
    publish_skill(Skill("spoken_of", code_file(CALC_CODE)), org="talk")
    thread = add_skill_comment(ID, "Works **well**")
    answer = add_skill_comment(ID, "Since when?", parent=thread["id"])
    (seen,) = get_skill_comments(ID)
    assert (seen["text"], seen["reply_count"], seen["replies"][0]["id"]) == ("Works **well**", 1, answer["id"])
    assert [one["id"] for one in get_skill_comments(ID, parent=thread["id"])] == [answer["id"]]
    assert edit_skill_comment(ID, thread["id"], "Works")["edited_at"]
    assert [one["text"] for one in get_comment_history(ID, thread["id"])] == ["Works **well**"]
    assert hide_skill_comment(ID, thread["id"], "advertising")["hidden"] is True
    unhide_skill_comment(ID, thread["id"])
    delete_skill_comment(ID, answer["id"])
    assert get_skill_comments(ID)[0]["replies"][0]["deleted_at"]
    with pytest.raises(NotFoundError):
        edit_skill_comment(ID, answer["id"], "again")
    for wrong in (-1, 2.7, True):
        with pytest.raises(InvalidInputError):
            get_skill_comments(ID, limit=wrong)
        with pytest.raises(InvalidInputError):
            get_reports(offset=wrong)
    configure_registry(url=registry.url, token="")
    with pytest.raises(RegistryError):
        add_skill_comment(ID, "x")


def test_reviews_are_answered_and_hidden_and_reports_resolved(configured, registry, code_file):
    publish_skill(Skill("spoken_of", code_file(CALC_CODE), version="1.1.0"), org="talk")
    rate_registry_skill(ID, 2, "Slow")
    assert answer_review(ID, "admin", "Mended")["text"] == "Mended"
    (review,) = get_registry_ratings(ID)["reviews"]
    assert (review["answer"]["text"], review["hidden"]) == ("Mended", False)
    remove_review_answer(ID, "admin")
    # The same again changes nothing.
    remove_review_answer(ID, "admin")
    with pytest.raises(NotFoundError):
        remove_review_answer(ID, "nobody")
    hide_review(ID, "admin", "names people")
    assert get_registry_ratings(ID)["reviews"][0]["hidden_reason"] == "names people"
    unhide_review(ID, "admin")
    report_abuse(ID, "abuse", review="admin", text="look")
    with pytest.raises(RegistryError):
        report_abuse(ID, "abuse", review="admin")
    with pytest.raises(InvalidInputError):
        report_abuse(ID, "boring")
    (report,) = get_reports(namespace="talk")
    assert (report["review"], report["said"], report["text"]) == ("admin", "Slow", "look")
    resolve_report(report["id"], "nothing to see")
    assert get_reports(namespace="talk") == []
    assert get_reports(namespace="talk", resolved=True)[0]["resolution"] == "nothing to see"
    reopen_report(report["id"])
    assert len(get_reports(namespace="talk")) == 1

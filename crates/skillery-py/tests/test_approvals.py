"""Approvals from Python: what waits, what changed, what is said about it, and deciding."""

import json
import os
import subprocess
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from conftest import CALC_CODE, ask
from orchestrator.execution import (
    InvalidInputError,
    NotAllowedError,
    NotFoundError,
    Skill,
    add_approval_comment,
    configure_registry,
    get_approval,
    get_code_diff,
    get_my_approvals,
    get_pending_approvals,
    get_registry_skill,
    get_skill_change_history,
    provide_approval,
    publish_approved_skill,
    publish_skill,
    record_skill_change,
    request_approval,
    resolve_approval_comment,
)

NEWER_CODE = "def tool(a=0, b=0):\n    return a + b + 1\n"


@pytest.fixture(scope="session")
def people(registry):
    """An org whose versions wait for two reviewers, and tokens of its people."""
    tokens = {}
    ask(registry, "POST", "/orgs", {"name": "gated"})
    for name, role in [("anna", "publisher"), ("rita", "reviewer"), ("rob", "reviewer")]:
        ask(registry, "POST", "/users", {"name": name})
        ask(registry, "PUT", "/orgs/gated/members/" + name, {"role": role})
        made = ask(registry, "POST", "/tokens", {"user": name, "scopes": ["read", "publish", "review"]})
        tokens[name] = made["token"]
    ask(registry, "PUT", "/orgs/gated/policy", {"approvals": 2})
    return tokens


@pytest.fixture
def act(registry, people):
    """Goes on as one of them."""

    def act(name):
        configure_registry(url=registry.url, token=people[name], org="gated")

    return act


def test_a_version_goes_from_a_request_to_its_release(act, code_file):
    act("anna")
    asked = request_approval(Skill("tool", code_file(CALC_CODE), "1.0.0", "Adds"), changes="The first one.")
    assert (asked["id"], asked["status"], asked["given"]) == ("gated/tool", "pending", 0)
    assert asked["demanded"] == {"approvals": 2, "role": "reviewer"}
    # Asking again does nothing, and the version can be named.
    assert request_approval("gated/tool", "1.0.0") == asked
    with pytest.raises(InvalidInputError, match="say which `version`"):
        request_approval("gated/tool")
    assert [one["id"] for one in get_my_approvals()] == ["gated/tool"]
    assert get_pending_approvals() == []
    with pytest.raises(InvalidInputError, match="gated/tool 1.0.0 waits: 0 of 2 approvals are given") as raised:
        publish_approved_skill("gated/tool", "1.0.0")
    assert raised.value.code == "not-approved"
    with pytest.raises(NotAllowedError):
        provide_approval("gated/tool", "1.0.0")

    act("rita")
    (waiting,) = get_pending_approvals(needs_me=True)
    assert (waiting["id"], waiting["publisher"], waiting["mine"]) == ("gated/tool", "anna", None)
    thread = add_approval_comment("gated/tool", "1.0.0", "Why 0?", path="scripts/tool.py", line=1)
    assert (thread["path"], thread["line"], thread["comments"][0]["author"]) == ("scripts/tool.py", 1, "rita")
    with pytest.raises(InvalidInputError):
        provide_approval("gated/tool", "1.0.0", "changes-requested")
    changed = provide_approval("gated/tool", "1.0.0", "changes-requested", "Say why.")
    assert (changed["status"], changed["unresolved"]) == ("pending", 1)
    assert get_pending_approvals(needs_me=True) == []
    with pytest.raises(InvalidInputError, match="none of `approved`"):
        provide_approval("gated/tool", "1.0.0", "perhaps")

    act("anna")
    with pytest.raises(InvalidInputError, match="rita asked for changes"):
        publish_approved_skill("gated/tool", "1.0.0")
    add_approval_comment("gated/tool", "1.0.0", "It is what nothing adds.", thread=thread["id"])
    assert resolve_approval_comment("gated/tool", "1.0.0", thread["id"])["resolved_by"] == "anna"
    seen = get_approval("gated/tool", "1.0.0")
    assert [one["text"] for one in seen["comments"][0]["comments"]] == ["Why 0?", "It is what nothing adds."]

    act("rob")
    assert provide_approval("gated/tool", "1.0.0", comment="ran it")["given"] == 1
    act("rita")
    with pytest.raises(InvalidInputError, match="digest"):
        provide_approval("gated/tool", "1.0.0", digest="0" * 64)
    released = provide_approval("gated/tool", "1.0.0", digest=seen["digest"])
    assert (released["status"], released["given"]) == ("published", 2)

    act("anna")
    assert publish_approved_skill("gated/tool", "1.0.0") == get_registry_skill("gated/tool")
    assert get_my_approvals() == []
    assert [one["status"] for one in get_my_approvals("decided")] == ["published"]
    # What is handed out keeps what was said of it.
    assert record_skill_change("gated/tool", "1.0.0", "The first one.") == "The first one."
    with pytest.raises(InvalidInputError):
        record_skill_change("gated/tool", "1.0.0", "Another one.")
    assert get_approval("gated/tool", "1.0.0")["changelog"] == "The first one."
    history = get_skill_change_history("gated/tool")
    assert [one["action"] for one in history] == [
        "version.released",
        "version.approved",
        "version.approved",
        "version.changes-requested",
        "version.published",
    ]
    assert (history[-1]["publisher"], history[-1]["changelog"]) == ("anna", "The first one.")
    assert get_skill_change_history("gated/tool", limit=1) == history[:1]
    assert get_skill_change_history("gated/tool", version="3.0.0") == []


def test_what_changed_is_a_dict_or_a_patch(act, code_file, tmp_path):
    act("anna")
    configure_registry(org="free")
    publish_skill(Skill("tool", code_file(CALC_CODE), "1.0.0", "Adds"))
    publish_skill(Skill("tool", code_file(NEWER_CODE), "1.1.0", "Adds one more"))
    diff = get_code_diff("free/tool", "1.1.0")
    assert (diff["from"]["version"], diff["to"]["version"]) == ("1.0.0", "1.1.0")
    (code,) = [file for file in diff["files"] if file["path"] == "scripts/tool.py"]
    assert (code["added"], code["removed"]) == (2, 2)
    assert {"field": "description", "before": "Adds", "after": "Adds one more"} in diff["fields"]
    assert get_code_diff("free/tool", "1.0.0")["from"] is None
    one = get_code_diff("free/tool", "1.0.0", from_version="1.1.0", path="scripts/tool.py")
    assert [file["path"] for file in one["files"]] == ["scripts/tool.py"]
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts" / "tool.py").write_text(CALC_CODE)
    patch = get_code_diff("free/tool", "1.1.0", path="scripts/tool.py", as_patch=True)
    subprocess.run(["git", "apply", "-"], input=patch.encode(), cwd=str(tmp_path), check=True)
    assert (tmp_path / "scripts" / "tool.py").read_text() == NEWER_CODE
    with pytest.raises(NotFoundError):
        get_code_diff("free/tool", "3.0.0")
    # Nothing is demanded there: what is asked for is handed out at once.
    asked = request_approval(Skill("tool", code_file(CALC_CODE), "1.2.0", "Adds"), changes="As before.")
    assert (asked["status"], asked["demanded"]) == ("published", None)
    assert publish_approved_skill("free/tool", "1.2.0").version == "1.2.0"


def test_what_was_rejected_is_never_published(act, code_file):
    act("anna")
    request_approval(Skill("refused", code_file(CALC_CODE), "1.0.0", "Adds"))
    act("rita")
    assert provide_approval("gated/refused", "1.0.0", "rejected", "no")["status"] == "rejected"
    # It cannot be looked at any more; the registry says why it is too late.
    with pytest.raises(InvalidInputError, match="rejected"):
        provide_approval("gated/refused", "1.0.0")
    act("anna")
    with pytest.raises(InvalidInputError, match="gated/refused 1.0.0 is rejected"):
        publish_approved_skill("gated/refused", "1.0.0")


def test_what_is_missing_is_said_stage_by_stage(registry, people, act, code_file):
    ask(registry, "POST", "/orgs", {"name": "staged"})
    for name, role in [("anna", "publisher"), ("rita", "reviewer"), ("rob", "reviewer")]:
        ask(registry, "PUT", "/orgs/staged/members/" + name, {"role": role})
    ask(registry, "PUT", "/orgs/staged/policy/groups/core", {"users": ["rita", "rob"]})
    stages = [{"name": "code", "approvals": 2, "group": "core"}, {"name": "safety", "approvals": 1, "role": "admin"}]
    ask(registry, "PUT", "/orgs/staged/policy", {"stages": stages})
    act("anna")
    request_approval(Skill("tool", code_file(CALC_CODE), "1.0.0", "Adds"), org="staged")
    act("rita")
    provide_approval("staged/tool", "1.0.0")
    act("anna")
    with pytest.raises(InvalidInputError) as raised:
        publish_approved_skill("staged/tool", "1.0.0")
    assert raised.value.code == "not-approved"
    assert str(raised.value) == (
        "staged/tool 1.0.0 waits: "
        "stage `code` of `staged` has 1 of 2 approvals (rita), each by a reviewer or above in the group `core`; "
        "stage `safety` of `staged` is not open yet and has 0 of 1 approvals, each by an admin or above"
    )


class Repeating(BaseHTTPRequestHandler):
    """A registry that shows the same two entries of its log for ever."""

    asked = 0

    def do_GET(self):
        type(self).asked += 1
        entry = '{"actor":"u","kind":"skill.starred","skill":"gated/tool","time":"2026-01-02T03:04:05Z","v":1}'
        answer = {"id": "gated/tool", "total": 0, "latest": None, "versions": []}
        if self.path.startswith("/api/v1/skills/gated/tool/log"):
            answer = {"id": "gated/tool", "entries": [{"index": index, "entry": entry} for index in (7, 5)]}
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


def test_a_registry_that_repeats_itself_is_not_asked_for_ever(home):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Repeating)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        configure_registry(url=f"http://127.0.0.1:{server.server_port}", org="gated")
        # Each entry once, though the page after them begins with the first again.
        history = get_skill_change_history("gated/tool")
        assert [one["log_index"] for one in history] == [7, 5]
        assert get_skill_change_history("gated/tool", version="1.0.0") == []
        assert Repeating.asked < 10
    finally:
        server.shutdown()
        server.server_close()


def test_approvals_are_signed_where_that_is_demanded(registry, people, act, home, code_file):
    ask(registry, "POST", "/orgs", {"name": "sealed"})
    for name, role in [("anna", "publisher"), ("rita", "reviewer")]:
        ask(registry, "PUT", "/orgs/sealed/members/" + name, {"role": role})
    ask(registry, "PUT", "/orgs/sealed/policy", {"approvals": 1, "signed_reviews": True})
    act("anna")
    # Both before a key is enrolled here, with which the author would sign them.
    request_approval(Skill("tool", code_file(CALC_CODE), "1.0.0", "Adds"), org="sealed")
    request_approval(Skill("tool", code_file(NEWER_CODE), "2.0.0", "Adds one more"), org="sealed")
    token = ask(registry, "POST", "/tokens", {"user": "rita", "scopes": ["read", "review", "admin"]})["token"]
    configure_registry(url=registry.url, token=token, org="sealed")
    with pytest.raises(InvalidInputError, match="signed"):
        provide_approval("sealed/tool", "1.0.0")
    with pytest.raises(InvalidInputError, match="no key to sign with"):
        provide_approval("sealed/tool", "1.0.0", sign=True)
    home.mkdir(exist_ok=True)
    key = home / "id_rita"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    environment = {**os.environ, "SKILLERY_REGISTRY": registry.url, "SKILLERY_TOKEN": token}
    subprocess.run([str(registry.binary), "key", "enrol", str(key)], env=environment, check=True)
    assert [one["version"] for one in get_pending_approvals("sealed", needs_me=True)] == ["1.0.0", "2.0.0"]
    assert get_pending_approvals(due=True) == []
    # Whatever is decided may be signed, and only an approval counts as one.
    asked = provide_approval("sealed/tool", "1.0.0", "changes-requested", "Say why.", sign=True)
    assert (asked["status"], asked["given"]) == ("pending", 0)
    (kept,) = get_approval("sealed/tool", "1.0.0")["decisions"]
    assert (kept["decision"], kept["signed"], kept["counts"]) == ("changes-requested", True, False)
    signed = provide_approval("sealed/tool", "1.0.0", sign=True)
    assert (signed["status"], signed["given"]) == ("published", 1)
    rejected = provide_approval("sealed/tool", "2.0.0", "rejected", "no", sign=True)
    assert (rejected["status"], rejected["given"]) == ("rejected", 0)
    assert [(one["user"], one["decision"], one["signed"]) for one in rejected["decisions"]] == [
        ("rita", "rejected", True)
    ]

"""A registry from Python: what comes back, and what goes wrong."""

import hashlib
import hmac
import multiprocessing
import os
import pickle
import signal
import socket
import subprocess
import sys
import urllib.request
import warnings

import pytest

from conftest import CALC_CODE, EMAIL_CODE
from orchestrator.execution import (
    InvalidInputError,
    NotAllowedError,
    NotFoundError,
    RegistryConfig,
    RegistryError,
    RegistrySkill,
    RegistryUnavailableError,
    RegistryWarning,
    Skill,
    SkillRegistry,
    TokenRequiredError,
    VerificationError,
    add_signing_secret,
    configure_registry,
    download_registry_skill,
    get_registry_facets,
    get_registry_ratings,
    get_registry_skill,
    get_skill,
    publish_skill,
    rate_registry_skill,
    search_registry,
    trending_skills,
)
from orchestrator.execution.errors import from_native

ATTRIBUTES = (
    "id name org version description code_hash signature tags rating rating_count install_count created_at updated_at "
    "author license homepage repository"
).split()


def publish(code_file, name, version="1.0.0", code=EMAIL_CODE, **arguments):
    return publish_skill(Skill(name, code_file(code), version), **arguments)


def test_a_published_skill_has_exactly_the_documented_attributes(configured, code_file):
    skill = Skill("attributes", code_file(EMAIL_CODE), "1.2.3", "All of them", tags=["own"])
    skill.homepage = "https://a.example.com"
    published = publish_skill(skill, tags=["x", "y"], license="Apache-2.0", repository="https://b.example.com")
    assert list(vars(published)) == ATTRIBUTES
    assert (published.id, published.name, published.org) == ("acme/attributes", "attributes", "acme")
    assert (published.version, published.license) == ("1.2.3", "Apache-2.0")
    assert (published.homepage, published.repository) == ("https://a.example.com", "https://b.example.com")
    assert sorted(published.tags) == ["x", "y"]
    assert published.code_hash == hashlib.sha256(EMAIL_CODE.encode()).hexdigest()
    assert get_registry_skill("acme/attributes") == published
    assert RegistrySkill(**vars(published)) == published
    assert "attributes" in repr(published)


def test_an_older_version_is_returned_as_it_was_published(configured, code_file):
    publish(code_file, "two", "2.0.0")
    published = publish(code_file, "two", "1.0.0", code=CALC_CODE)
    assert published.version == "1.0.0"
    assert published.code_hash == hashlib.sha256(CALC_CODE.encode()).hexdigest()
    assert get_registry_skill("acme/two").version == "2.0.0"


def test_publishing_again_is_safe_and_other_content_is_refused(configured, code_file):
    first = publish(code_file, "again")
    assert publish(code_file, "again") == first
    with pytest.raises(InvalidInputError) as raised:
        publish(code_file, "again", code=CALC_CODE)
    assert raised.value.code == "version-exists"
    assert raised.value.hint == "raise the version"


def test_nested_namespaces_and_the_configured_one(configured, code_file):
    assert publish(code_file, "nested", org="acme/email").id == "acme/email/nested"
    assert publish(code_file, "nested").id == "acme/nested"
    found = search_registry(org="acme/email", query="nested")
    assert [skill.id for skill in found] == ["acme/email/nested"]
    installed = download_registry_skill("acme/email/nested")
    installed.version = "1.1.0"
    assert publish_skill(installed).id == "acme/email/nested"


def test_without_a_token_nothing_is_published(registry, code_file):
    configure_registry(url=registry.url, org="acme")
    with pytest.raises(ValueError) as raised:
        publish(code_file, "no_token")
    assert isinstance(raised.value, TokenRequiredError)
    assert str(raised.value) == "Registry token required for publishing"
    assert "REGISTRY_TOKEN" in raised.value.hint
    # Also where the code is not there: a token is what the caller must get first.
    with pytest.raises(TokenRequiredError):
        publish_skill(Skill("no_token", "/nowhere.py"), org="acme")


def test_a_foreign_token_is_refused(registry, code_file):
    configure_registry(url=registry.url, token="sky_pat_0000000000000000000000000000000000")
    with pytest.raises(NotAllowedError) as raised:
        publish(code_file, "foreign", org="acme")
    assert raised.value.code == "invalid-token"


@pytest.mark.parametrize(
    "skill, code",
    [
        ({"name": "email validator"}, "invalid-id"),
        ({"name": "Email"}, "invalid-id"),
        ({"name": "../x"}, "invalid-id"),
        ({"name": "versions"}, "invalid-id"),
        ({"version": "1.0"}, "invalid-version"),
        ({"tags": "email"}, "invalid-input"),
        ({"tags": [1]}, "invalid-input"),
    ],
)
def test_bad_skills_are_refused_before_anything_is_sent(configured, code_file, skill, code):
    with pytest.raises(ValueError) as raised:
        publish_skill(Skill(**{"name": "good", "code_path": code_file(CALC_CODE), **skill}))
    assert raised.value.code == code


def test_a_skill_without_any_namespace_says_what_an_id_is(registry, code_file):
    configure_registry(url=registry.url, token=registry.token)
    with pytest.raises(ValueError, match="org/name"):
        publish(code_file, "bare")


@pytest.mark.parametrize("content", [b"", b" \n", b"\xff\xfe", b"x = '\0'"])
def test_code_that_is_no_code_is_refused(configured, tmp_path, content):
    path = tmp_path / "code.py"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="code.py"):
        publish_skill(Skill("bad_code", path))


def test_code_that_cannot_be_read_is_an_error_that_names_it(configured, tmp_path):
    with pytest.raises(RegistryError, match="nowhere.py"):
        publish_skill(Skill("nowhere", tmp_path / "nowhere.py"))
    with pytest.raises(ValueError, match="SKILL.md"):
        publish_skill(Skill("folder", tmp_path))


@pytest.mark.parametrize(
    "message, shown",
    [
        ("acme/email_validator 1.0.0 is quarantined", "acme/email_validator 1.0.0 is quarantined"),
        ("email_validator is not here", "email_validator is not here"),
        ("config.toml cannot be understood", "config.toml cannot be understood"),
        ("`acme` has no namespace", "`acme` has no namespace"),
        ("cannot read the code", "Cannot read the code"),
        ("", ""),
    ],
)
def test_a_message_never_changes_the_spelling_of_a_name(message, shown):
    assert str(from_native("invalid", "invalid-input", message, None)) == shown


def test_ids_are_checked_and_what_is_not_there_is_none(configured):
    assert get_registry_skill("acme/not_there") is None
    for function in (get_registry_skill, download_registry_skill, get_registry_ratings):
        with pytest.raises(ValueError, match="org/name") as raised:
            function("email_validator")
        assert raised.value.code == "invalid-id"
    with pytest.raises(ValueError, match="org/name"):
        rate_registry_skill("email_validator", 4)
    for function in (download_registry_skill, get_registry_ratings):
        with pytest.raises(NotFoundError, match="^Skill not found in registry: ") as raised:
            function("acme/not_there")
        assert raised.value.code == "skill-not-found" and raised.value.hint
        copy = pickle.loads(pickle.dumps(raised.value))
        assert (str(copy), copy.code, copy.hint) == (str(raised.value), raised.value.code, raised.value.hint)


def test_versions_and_ranges(configured, code_file):
    for version in ("1.0.0", "1.2.0", "1.10.0", "2.0.0", "3.0.0-rc.1"):
        publish(code_file, "ranged", version)
    install = lambda version: download_registry_skill("acme/ranged", version).version
    assert [install(v) for v in (None, "1.2.0", "^1", "~1.2", "3.0.0-rc.1")] == [
        "2.0.0",
        "1.2.0",
        "1.10.0",
        "1.2.0",
        "3.0.0-rc.1",
    ]
    with pytest.raises(NotFoundError) as raised:
        install("9.9.9")
    assert raised.value.code == "version-not-found"
    with pytest.raises(InvalidInputError) as raised:
        install("newest")
    assert raised.value.code == "invalid-version"


def test_ratings(configured, code_file, caplog):
    publish(code_file, "rated")
    assert rate_registry_skill("acme/rated", 4) is True
    assert rate_registry_skill("acme/rated", rating=4.5, review="Fine") is True
    ratings = get_registry_ratings("acme/rated")
    assert (ratings["average"], ratings["count"]) == (4.5, 1)
    assert ratings["histogram"] == {"1": 0, "2": 0, "3": 0, "4": 0, "5": 1}
    assert [(review["author"], review["text"]) for review in ratings["reviews"]] == [("admin", "Fine")]
    behind = get_registry_ratings("acme/rated", limit=1, offset=1)
    assert (behind["reviews"], behind["own"]["rating"], behind["own"]["text"]) == ([], 4.5, "Fine")
    for rating in (0, 0.99, 5.01, 6, float("nan"), float("inf")):
        assert rate_registry_skill("acme/rated", rating) is False
    assert rate_registry_skill("acme/not_there", 4) is False
    assert "skill-not-found" in caplog.text
    assert get_registry_ratings("acme/rated")["count"] == 1


def test_search_and_trending(configured, code_file):
    for number in range(3):
        publish(code_file, "found{}".format(number), tags=["found", "number{}".format(number)])
    for _ in range(2):
        download_registry_skill("acme/found1")
    ids = lambda skills: [skill.id for skill in skills]
    assert ids(search_registry(tags=["found"], sort="name")) == ["acme/found0", "acme/found1", "acme/found2"]
    assert ids(search_registry(tags=["found", "number2"])) == ["acme/found2"]
    assert ids(search_registry(tags=["found"], sort="name", limit=1, offset=1)) == ["acme/found1"]
    assert search_registry(tags=["found"], limit=0) == []
    assert search_registry(tags=["found"], min_rating=1) == []
    assert search_registry("nothing-has-this-word") == []
    assert len(search_registry(tags=["found"], publisher="admin")) == 3
    assert search_registry(tags=["found"], publisher="nobody") == []
    assert get_registry_facets(publisher="nobody")["tags"] == []
    counts = [skill.install_count for skill in trending_skills(limit=50)]
    assert counts == sorted(counts, reverse=True)
    assert len(trending_skills(2)) == 2
    facets = get_registry_facets(tags=["found"])
    assert facets["tags"][0] == {"name": "found", "count": 3}
    assert {"name": "number2", "count": 1} in facets["tags"]
    assert (facets["namespaces"], facets["truncated"]) == ([{"name": "acme", "count": 3}], False)
    first = get_registry_facets("found1", tags=["found"], limit=1)
    assert (first["tags"], first["truncated"]) == ([{"name": "found", "count": 1}], True)
    for arguments in ({"limit": -1}, {"limit": 201}, {"tags": "found"}, {"org": "A"}, {"min_rating": 6}):
        with pytest.raises(ValueError):
            get_registry_facets(**arguments)
    for arguments in (
        {"limit": -1},
        {"limit": 2.5},
        {"offset": -1},
        {"tags": "found"},
        {"sort": "x"},
        {"org": "A"},
        {"min_rating": 6},
        {"min_rating": float("nan")},
    ):
        with pytest.raises(ValueError):
            search_registry(**arguments)


def test_installs_are_counted(configured, code_file):
    publish(code_file, "counted")
    registry = SkillRegistry(configure_registry())
    for _ in range(3):
        registry.download_skill("acme/counted")
    # They are written in batches, at least once a second.
    while registry.get_skill("acme/counted").install_count < 3:
        pass
    assert registry.get_skill("acme/counted").install_count == 3


def test_the_signing_section_works_as_written(configured, registry, code_file, tmp_path, monkeypatch):
    published = publish(code_file, "signed", org="signing", secret="my_signing_secret_key")
    message = "signing/signed:" + published.code_hash
    assert published.signature == hmac.new(b"my_signing_secret_key", message.encode(), "sha256").hexdigest()
    assert oct((configured / "keys.toml").stat().st_mode)[-3:] == "600"
    publish(code_file, "unsigned", org="signing")

    configure_registry(verify_signature=True)
    assert download_registry_skill("signing/signed").signature == published.signature
    with pytest.raises(VerificationError, match="^Signature verification failed: `signing/unsigned`") as raised:
        download_registry_skill("signing/unsigned")
    assert raised.value.code == "signature-missing"
    assert get_skill("signing/unsigned") is None
    with pytest.raises(InvalidInputError) as raised:
        publish(code_file, "signed", "1.0.1", org="signing", secret="another")
    assert raised.value.code == "signature-mismatch"

    # A member on another machine gets the secret from the registry.
    monkeypatch.setenv("SKILLERY_HOME", str(tmp_path / "member"))
    configure_registry(url=registry.url, token=registry.token)
    assert download_registry_skill("signing/signed").name == "signed"
    # Somebody else needs it from the org.
    monkeypatch.setenv("SKILLERY_HOME", str(tmp_path / "stranger"))
    configure_registry(url=registry.url, token="")
    with pytest.raises(VerificationError) as raised:
        download_registry_skill("signing/signed")
    assert raised.value.code == "secret-unknown" and "add_signing_secret" in raised.value.hint
    add_signing_secret("signing", "wrong")
    with pytest.raises(ValueError) as raised:
        download_registry_skill("signing/signed")
    assert raised.value.code == "signature-mismatch"
    add_signing_secret("signing", "my_signing_secret_key")
    assert download_registry_skill("signing/signed").name == "signed"


def test_nobody_there_is_a_connection_error(code_file):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = "http://127.0.0.1:{}".format(taken.getsockname()[1])
        configure_registry(url=url, token="x", org="acme")
        for call in (
            lambda: publish(code_file, "nobody"),
            lambda: search_registry("x"),
            lambda: get_registry_skill("acme/x"),
            lambda: download_registry_skill("acme/x"),
        ):
            with pytest.raises(ConnectionError) as raised:
                call()
            assert isinstance(raised.value, RegistryUnavailableError)
            assert raised.value.code == "registry-unreachable"
        assert rate_registry_skill("acme/x", 4) is False


def test_a_silent_registry_times_out():
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        configure_registry(url="http://127.0.0.1:{}".format(silent.getsockname()[1]), timeout=0.05)
        with pytest.raises(ConnectionError) as raised:
            search_registry("x")
        assert raised.value.code == "registry-timed-out"


def test_what_was_downloaded_installs_offline(configured, code_file):
    import shutil

    for version in ("1.0.0", "1.1.0"):
        publish(code_file, "offline", version)
        assert download_registry_skill("acme/offline", version).from_cache is False
    shutil.rmtree(str(configured / "library"))
    with socket.socket() as nobody:
        # The same address, with nobody behind it, is what a cut cable looks like.
        nobody.bind(("127.0.0.1", 0))
        entries = configured / "cache"
        port = nobody.getsockname()[1]
        (folder,) = entries.iterdir()
        folder.rename(entries / "http%3a%2f%2f127.0.0.1%3a{}".format(port))
        configure_registry(url="http://127.0.0.1:{}".format(port))
        exact = download_registry_skill("acme/offline", "1.0.0")
        assert (exact.version, exact.from_cache) == ("1.0.0", True)
        assert download_registry_skill("acme/offline", "^1").version == "1.1.0"
        assert download_registry_skill("acme/offline").version == "1.1.0"
        with pytest.raises(ConnectionError):
            download_registry_skill("acme/offline", "^2")


def test_ctrl_c_ends_a_waiting_call():
    code = (
        "import socket, sys\n"
        "from orchestrator.execution import RegistryConfig, SkillRegistry\n"
        "silent = socket.socket(); silent.bind(('127.0.0.1', 0)); silent.listen()\n"
        "registry = SkillRegistry(RegistryConfig('http://127.0.0.1:%d' % silent.getsockname()[1], timeout=600))\n"
        "import threading\n"
        "threading.Thread(target=lambda: (silent.accept(), print('waiting', flush=True)), daemon=True).start()\n"
        "try:\n    registry.search('x')\nexcept KeyboardInterrupt:\n    print('interrupted')\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, universal_newlines=True)
    assert process.stdout.readline() == "waiting\n"
    process.send_signal(signal.SIGINT)
    assert process.communicate()[0] == "interrupted\n"
    assert process.returncode == 0


def _found(registry):
    return len(registry.search("email"))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="only Unix forks")
def test_a_registry_works_in_a_forked_process(configured, code_file):
    publish(code_file, "forked")
    registry = SkillRegistry()
    found = _found(registry)
    reader, writer = multiprocessing.Pipe(duplex=False)
    child = multiprocessing.get_context("fork").Process(target=lambda: writer.send(_found(registry)))
    child.start()
    child.join()
    assert reader.poll() and reader.recv() == found


def test_a_registry_of_its_own_configuration(configured, registry):
    other = SkillRegistry(RegistryConfig(registry.url, timeout=5))
    assert other.config.token is None
    assert isinstance(other.search(), list)
    with pytest.raises(ValueError, match="`url`"):
        SkillRegistry(RegistryConfig("nowhere"))


def test_what_should_be_known_is_warned_of(configured, registry, code_file, tmp_path, monkeypatch):
    publish(code_file, "warned")
    publish(code_file, "warned", "1.1.0")
    request = urllib.request.Request(
        registry.url + "/api/v1/skills/acme/warned/versions/1.0.0/yank",
        method="PUT",
        data=b'{"reason": "too short"}',
        headers={"Authorization": "Bearer " + registry.token, "Content-Type": "application/json"},
    )
    urllib.request.urlopen(request).close()
    monkeypatch.setenv("SKILLERY_HOME", str(tmp_path / "newcomer"))
    configure_registry(url=registry.url, token=registry.token)
    with pytest.warns(RegistryWarning, match="first contact with the log of .*; its key is pinned: SHA256:"):
        download_registry_skill("acme/warned")
    with pytest.warns(RegistryWarning, match="acme/warned 1.0.0 was yanked: too short"):
        download_registry_skill("acme/warned", version="1.0.0")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        download_registry_skill("acme/warned", version="1.1.0")


def test_what_is_demanded_and_missing_is_not_installed(configured, code_file):
    publish(code_file, "demanded")
    (configured / "config.toml").open("a").write('require = "signed"\n')
    with pytest.raises(VerificationError, match="is not signed as it must be") as raised:
        SkillRegistry(configure_registry()).download_skill("acme/demanded")
    assert raised.value.code == "not-signed" and isinstance(raised.value, ValueError)
    assert get_skill("acme/demanded") is None


def test_a_folder_is_published_and_comes_as_it_was(configured, tmp_path):
    folder = tmp_path / "form-filler"
    (folder / "scripts").mkdir(parents=True)
    (folder / "SKILL.md").write_text("---\nname: form-filler\ndescription: Fills in forms.\n---\n\nFill them in.\n")
    script = folder / "scripts" / "form_filler.py"
    script.write_text("def form_filler():\n    return 'filled'\n")
    script.chmod(0o755)
    published = publish_skill(Skill("form-filler", folder, "1.0.0"), org="acme", tags=["forms"])
    assert (published.description, published.tags) == ("Fills in forms.", ["forms"])
    skill = download_registry_skill("acme/form-filler")
    assert skill.code == script.read_text() and os.path.basename(skill.path) == "form-filler"
    assert os.access(os.path.join(skill.path, "scripts", "form_filler.py"), os.X_OK)
    (folder / "SKILL.md").write_text("---\nname: Other\n---\n")
    with pytest.raises(InvalidInputError) as raised:
        publish_skill(Skill("form-filler", folder, "1.1.0"), org="acme")
    assert raised.value.code == "invalid-bundle"
    with pytest.raises(InvalidInputError, match="SKILL.md"):
        publish_skill(Skill("form-filler", folder, "1.1.0", "Something else"), org="acme")

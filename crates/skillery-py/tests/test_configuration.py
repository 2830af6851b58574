"""Where the configuration comes from, who may read it, and what it never shows."""

import os
import stat

import pytest

from orchestrator.execution import RegistryConfig, SkillRegistry, configure_registry, get_registry_config


def test_without_any_configuration_it_is_the_local_registry():
    config = get_registry_config()
    assert config == RegistryConfig()
    assert vars(config) == {
        "url": "http://127.0.0.1:8700",
        "token": None,
        "org": None,
        "verify_signature": False,
        "timeout": 30,
    }


def test_what_is_left_out_stays_also_in_the_next_process(python):
    configure_registry(url="https://registry.example.com/", token="first", org="acme/email")
    config = configure_registry(timeout=1.5, verify_signature=True)
    assert vars(config) == {
        "url": "https://registry.example.com",
        "token": "first",
        "org": "acme/email",
        "verify_signature": True,
        "timeout": 1.5,
    }
    show = "from orchestrator.execution import get_registry_config; print(vars(get_registry_config()))"
    assert python(show) == "{}\n".format(vars(config))
    config = configure_registry(token="", org="")
    assert (config.token, config.org, config.timeout) == (None, None, 1.5)


def test_the_environment_overrides_the_file_and_arguments_override_both(python):
    configure_registry(url="https://file.example.com", token="file", org="file")
    code = (
        "from orchestrator.execution import configure_registry, get_registry_config\n"
        "print(vars(get_registry_config()))\n"
        "print(configure_registry(org='argument').org)\n"
    )
    printed = python(
        code,
        REGISTRY_URL="https://environment.example.com",
        REGISTRY_TOKEN="environment",
        REGISTRY_ORG="environment",
        REGISTRY_VERIFY_SIGNATURE="true",
    )
    first, second = printed.splitlines()
    assert eval(first) == {
        "url": "https://environment.example.com",
        "token": "environment",
        "org": "environment",
        "verify_signature": True,
        "timeout": 30,
    }
    assert second == "argument"


@pytest.mark.skipif(os.name != "posix", reason="other systems have no modes")
def test_only_the_owner_reads_the_file(home):
    configure_registry(token="hidden")
    assert stat.S_IMODE((home / "config.toml").stat().st_mode) == 0o600
    assert stat.S_IMODE(home.stat().st_mode) == 0o700


def test_the_token_is_never_shown():
    config = configure_registry(token="hidden")
    assert repr(config) == (
        "RegistryConfig(url='http://127.0.0.1:8700', token='***', org=None, verify_signature=False, timeout=30)"
    )
    assert "hidden" not in repr(SkillRegistry(config))
    assert "token=None" in repr(RegistryConfig())
    with pytest.raises(ValueError) as raised:
        configure_registry(token="hid den")
    assert "den" not in str(raised.value)


@pytest.mark.parametrize(
    "arguments",
    [
        {"url": "registry.example.com"},
        {"url": "ftp://registry.example.com"},
        {"url": "https://user:pass@registry.example.com"},
        {"org": "Acme"},
        {"org": "acme/../x"},
        {"timeout": 0},
        {"timeout": -1},
        {"timeout": float("nan")},
        {"timeout": float("inf")},
    ],
)
def test_a_bad_argument_is_named_and_changes_nothing(arguments):
    configure_registry(org="acme")
    before = get_registry_config()
    with pytest.raises(ValueError) as raised:
        configure_registry(token="new", **arguments)
    assert "`{}`".format(next(iter(arguments))) in str(raised.value)
    assert raised.value.code == "invalid-input"
    assert get_registry_config() == before


def test_a_damaged_file_is_named(home):
    home.mkdir()
    (home / "config.toml").write_text("token = 'hidden' nonsense")
    with pytest.raises(ValueError) as raised:
        get_registry_config()
    assert "config.toml" in str(raised.value) and "hidden" not in str(raised.value)

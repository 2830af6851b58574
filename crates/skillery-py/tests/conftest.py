"""A real registry for all tests, and a home of its own for each."""

import json
import os
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

#: What a test must not inherit from whoever runs it.
VARIABLES = (
    "REGISTRY_URL",
    "REGISTRY_TOKEN",
    "REGISTRY_ORG",
    "REGISTRY_VERIFY_SIGNATURE",
    "SKILLERY_REGISTRY",
    "SKILLERY_TOKEN",
    "SKILLERY_PYTHON",
    "SKILLERY_SHARE_USAGE",
)

EMAIL_CODE = '''\
import re


def email_validator(email):
    """Whether it looks like an address."""
    return {"valid": re.fullmatch(r"[^@\\s]+@[^@\\s]+\\.[^@\\s]+", email) is not None}
'''

CALC_CODE = "def calculator(a=0, b=0):\n    return a + b\n"


def ask(registry, method, path, body=None):
    request = urllib.request.Request(
        registry.url + "/api/v1" + path,
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": "Bearer " + registry.token, "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request) as answer:
        text = answer.read()
    return json.loads(text) if text else None


class Registry:
    """`skillery serve` on a free port, with its data in a temporary folder."""

    def __init__(self, folder):
        binary = os.environ.get("SKILLERY_BIN")
        if binary is None:
            binary = Path(__file__).resolve().parents[3] / "target" / "debug" / "skillery"
        self.binary = binary
        self.log = folder / "log"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [str(binary), "serve", "--json", "--data", str(folder / "data"), "--listen", "127.0.0.1:0"],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
            )
        # The one line comes when the registry answers.
        started = json.loads(self.process.stdout.readline() or self.log.read_text() or "null")
        self.url = started["url"]
        self.token = started["admin_token"]

    def stop(self):
        self.process.terminate()
        self.process.communicate()


@pytest.fixture(scope="session")
def registry(tmp_path_factory):
    registry = Registry(tmp_path_factory.mktemp("registry"))
    yield registry
    registry.stop()


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """An empty home, and no configuration from elsewhere."""
    from orchestrator.execution import configuration, skill_registry

    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    path = tmp_path / "home"
    monkeypatch.setenv("SKILLERY_HOME", str(path))
    monkeypatch.setattr(configuration, "_configured", {})
    monkeypatch.setattr(skill_registry, "_latest", None)
    return path


@pytest.fixture
def configured(registry, home):
    """The home, configured for the registry as its admin."""
    from orchestrator.execution import configure_registry

    configure_registry(url=registry.url, token=registry.token, org="acme")
    return home


@pytest.fixture
def meeting(home, tmp_path):
    """A folder that skills may write to, as the policy says."""
    folder = tmp_path / "meeting"
    folder.mkdir()
    # Where the tests are root, the skills are not.
    folder.chmod(0o777)
    home.mkdir(exist_ok=True)
    (home / "policy.toml").write_text("[default]\nwrite = ['{}']\n".format(folder))
    return folder


@pytest.fixture
def code_file(tmp_path):
    """Makes a file of code and returns its path."""

    def make(code, name="code.py"):
        path = tmp_path / name
        path.write_text(code)
        return path

    return make


@pytest.fixture
def python(home):
    """Runs code in a new process and returns what it prints."""

    def run(code, *options, **variables):
        done = subprocess.run(
            [sys.executable, *options, "-c", code],
            env={**os.environ, **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            universal_newlines=True,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run

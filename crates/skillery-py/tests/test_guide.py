"""Runs every snippet of `guide.md` as it is written."""

import re
from pathlib import Path

import pytest

from conftest import CALC_CODE, EMAIL_CODE

GUIDE = (Path(__file__).parent / "guide.md").read_text()
PLACEHOLDERS = ("your_auth_token", "secret_token", "token123", "mytoken", "your_token", "...")


def snippets():
    for section in re.split(r"^## ", GUIDE, flags=re.MULTILINE)[1:]:
        title, text = section.split("\n", 1)
        blocks = re.findall(r"^```(\S+) ?(\S*)\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)
        code = [body for language, _, body in blocks if language == "python"]
        output = [body for language, _, body in blocks if language == "output"]
        assert code and len(output) <= 1, title
        yield pytest.param("\n".join(code), output[0] if output else None, id=title.replace(" ", "-"))


@pytest.fixture
def world(configured, code_file):
    """What the guide takes for granted: some of its skills are there. Publishing them again changes nothing."""
    from orchestrator.execution import Skill, publish_skill, rate_registry_skill

    email = code_file(EMAIL_CODE, "validate_email.py")
    calc = code_file(CALC_CODE, "calc.py")
    publish_skill(
        Skill("email_validator", email, "1.0.0", "Validates email addresses"),
        org="acme",
        tags=["email", "validation", "utility"],
        license="MIT",
        homepage="https://github.com/acme/email-validator",
        repository="https://github.com/acme/email-validator.git",
    )
    assert rate_registry_skill("acme/email_validator", 4.5, "Works great, fast validation")
    return {"/path/to/validate_email.py": str(email), "/skills/calc.py": str(calc)}


@pytest.mark.parametrize("code, output", snippets())
def test_snippet(code, output, world, registry, python):
    for written, real in world.items():
        code = code.replace(written, real)
    for address in ("https://registry.your-company.com", "https://registry.company.com"):
        code = code.replace(address, registry.url)
    for placeholder in PLACEHOLDERS:
        code = re.sub(r"token=(['\"])" + re.escape(placeholder) + r"\1", "token={!r}".format(registry.token), code)
    printed = python(code)
    if output is not None:
        assert printed == output


def test_every_function_of_the_package_is_shown_or_tested_elsewhere():
    from orchestrator import execution

    elsewhere = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
    for name in execution.__all__:
        assert name in GUIDE or name in elsewhere, name

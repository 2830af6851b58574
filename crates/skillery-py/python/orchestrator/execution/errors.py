"""What can go wrong, as exceptions.

Every exception is a :class:`RegistryError` with a ``code`` for programs and a ``hint`` for people, and a
``ValueError`` or a ``ConnectionError`` besides, for programs that know only those. What the operating system gets
wrong, such as a disk that is full, is a plain :class:`RegistryError`.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Optional


class RegistryError(Exception):
    """The root of all exceptions of this package.

    Attributes:
        code: What went wrong, for programs: a code of the registry's closed list (``version-exists``), or one of
            the client's (``registry-unreachable``).
        hint: What to try, or ``None``.
    """

    def __init__(self, message: str, code: str = "error", hint: Optional[str] = None) -> None:
        super().__init__(message)
        self.code = code
        self.hint = hint
        if hint and hasattr(self, "add_note"):  # Python 3.11: shown below the traceback
            self.add_note("hint: " + hint)

    def __reduce__(self) -> Any:
        return (type(self), (str(self), self.code, self.hint))


class RegistryWarning(UserWarning):
    """Something that was done, and that somebody should know: a version that was yanked or waits for approval, a log
    that was met for the first time, or that was handed over to another key."""


class InvalidInputError(RegistryError, ValueError):
    """An argument, or what was published, is refused: a bad id, a version that exists with other content."""


class TokenRequiredError(RegistryError, ValueError):
    """What was asked for needs a token, and none is configured."""


class NotAllowedError(RegistryError, ValueError):
    """The token is not known, has expired, or does not allow this."""


class NotFoundError(RegistryError, ValueError):
    """There is no such skill or version, or not for this token."""


class VerificationError(RegistryError, ValueError):
    """What came is not what was published, not in the log as it came, or not what was demanded: digests, signatures,
    approvals, witnesses. Nothing was installed."""


class RegistryUnavailableError(RegistryError, ConnectionError):
    """The registry cannot be reached, did not answer in time, or cannot answer now."""


class WorkflowError(RegistryError, ValueError):
    """A workflow cannot be run as it is. Nothing of it has run.

    Attributes:
        problems: Everything that is wrong, each a dict with ``step`` (if it is about one), ``kind`` and ``message``.
    """

    problems: "list[dict[str, Any]]" = []


class SkillError(RegistryError):
    """A skill that was called did not succeed.

    Attributes:
        status: How it ended: ``failed``, ``timed-out``, ``out-of-memory``, ``denied``, ``cancelled``.
        type: The class of what it raised, or a word for what else went wrong.
        message: What happened.
        skill: The skill, as it was called.
    """

    def __init__(self, status: str, type: str, message: str, skill: str) -> None:
        super().__init__("skill `{}` is `{}`: {}: {}".format(skill, status, type, message), "skill-" + status)
        self.status = status
        self.type = type
        self.message = message
        self.skill = skill

    def __reduce__(self) -> Any:
        return (type(self), (self.status, self.type, self.message, self.skill))


_CLASSES = {
    "invalid": InvalidInputError,
    "token-required": TokenRequiredError,
    "not-allowed": NotAllowedError,
    "not-found": NotFoundError,
    "verification": VerificationError,
    "unavailable": RegistryUnavailableError,
    "workflow": WorkflowError,
}

#: What to try, where that is another thing in Python than on the command line.
_HINTS = {
    "token-required": "set one with `configure_registry(token=...)` or `REGISTRY_TOKEN`",
    "secret-unknown": "get the secret from the org and keep it with `add_signing_secret`, or use a token of a member",
    "signature-missing": "ask its publisher to sign it, or, to test, use `configure_registry(verify_signature=False)`",
    "content-differs": "find out which is the right one; `remove_skill` takes away the one that is here",
    "not-installed": "list what there is with `list_skills`, or install it with `download_registry_skill`",
    "registry-timed-out": "raise it with `configure_registry(timeout=...)`, or check the registry's URL",
    "invalid-workflow": "install missing skills with `download_registry_skill`",
}


def from_native(kind: str, code: str, message: str, hint: Optional[str]) -> RegistryError:
    """The exception for an error of the extension module. For use by the extension module."""
    if code == "skill-not-found":
        message = "Skill not found in registry: " + message
    if hint is not None:
        hint = _HINTS.get(code, hint)
    return _CLASSES.get(kind, RegistryError)(_sentence(message), code, hint)


def _sentence(message: str) -> str:
    """With a capital at its beginning where that is a plain word. An id, a path or a name stays as it is."""
    first = message.partition(" ")[0].rstrip(",:;")
    return message[:1].upper() + message[1:] if first.isalpha() and first.isascii() else message

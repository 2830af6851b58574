"""Which registry to talk to, and how:

1. what this process has passed to :func:`configure_registry`, else
2. the environment: ``REGISTRY_URL``, ``REGISTRY_TOKEN``, ``REGISTRY_ORG``, ``REGISTRY_VERIFY_SIGNATURE``, else
3. ``config.toml`` in ``SKILLERY_HOME``, which :func:`configure_registry` writes for its owner only (mode 0600).
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Optional

#: Where ``skillery serve`` listens that was started without any setting.
DEFAULT_URL = "http://127.0.0.1:8700"

#: Seconds that a request may take when nothing is configured.
DEFAULT_TIMEOUT = 30


class RegistryConfig:
    """The connection to one registry. Its representation does not show the token.

    Attributes:
        url: The registry's address, without ``/api/v1``.
        token: Who is asking; needed to publish and to rate.
        org: The namespace of a skill that is published without one.
        verify_signature: Whether to install only what is signed: with the HMAC where a secret is known, else by its author.
        timeout: Seconds that a request may take, retries included.
    """

    def __init__(
        self,
        url: str = DEFAULT_URL,
        token: Optional[str] = None,
        org: Optional[str] = None,
        verify_signature: bool = False,
        timeout: float = DEFAULT_TIMEOUT,
    ) -> None:
        self.url = url
        self.token = token
        self.org = org
        self.verify_signature = verify_signature
        self.timeout = timeout

    def __repr__(self) -> str:
        return "RegistryConfig(url={!r}, token={}, org={!r}, verify_signature={!r}, timeout={!r})".format(
            self.url, "'***'" if self.token else None, self.org, self.verify_signature, self.timeout
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RegistryConfig) and vars(self) == vars(other)

    __hash__ = None  # type: ignore[assignment]


#: What this process has passed to `configure_registry`.
_configured: "dict[str, Any]" = {}


def configure_registry(
    url: Optional[str] = None,
    token: Optional[str] = None,
    org: Optional[str] = None,
    verify_signature: Optional[bool] = None,
    timeout: Optional[float] = None,
) -> RegistryConfig:
    """Configures the connection to a registry, for this process and those to come.

    What is left out, or ``None``, stays as it is. In later processes the environment overrides what is kept.

    Args:
        url: The registry's address, for example ``https://registry.example.com``.
        token: Who is asking; needed to publish and to rate. An empty text removes the token.
        org: The namespace of a skill that is published without one. An empty text removes it.
        verify_signature: Whether to install only what is signed: with the HMAC where a secret is known, else by its author.
        timeout: Seconds that a request may take, retries included; 30 at first.

    Returns:
        The configuration as it is now.

    Raises:
        ValueError: If an argument is not valid. Nothing is changed then.
    """
    from orchestrator import _native

    kept = _native.save_configuration(url, token, org, verify_signature, timeout)
    for name, given, value in zip(("url", "token", "org"), (url, token, org), kept):
        if given is not None:
            _configured[name] = value
    if verify_signature is not None:
        _configured["verify_signature"] = verify_signature
    if timeout is not None:
        _configured["timeout"] = timeout
    return get_registry_config()


def get_registry_config() -> RegistryConfig:
    """The configuration that the functions of this module use.

    Raises:
        ValueError: If the environment or the file has a value that is not valid.
    """
    from orchestrator import _native

    url, token, org, verify_signature, timeout = _native.load_configuration()
    config = RegistryConfig(url, token, org, verify_signature, int(timeout) if timeout == int(timeout) else timeout)
    for name, value in _configured.items():
        setattr(config, name, value)
    return config

"""Takes secrets out of a text before it goes into a log, a ticket or a model's context."""

import re

# Each pattern marks the secret itself with the group `secret`; what stands around it stays readable.
_PATTERNS = [
    ("private-key", r"(?P<secret>-----BEGIN [A-Z ]*PRIVATE KEY-----.*?-----END [A-Z ]*PRIVATE KEY-----)"),
    ("aws-access-key", r"\b(?P<secret>(?:AKIA|ASIA)[A-Z0-9]{16})\b"),
    ("github-token", r"\b(?P<secret>gh[opsur]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{60,})\b"),
    ("json-web-token", r"\b(?P<secret>eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{8,})"),
    ("url-password", r"\b[a-z][a-z0-9+.-]*://[^\s/:@]+:(?P<secret>[^\s/@]+)@"),
    ("bearer-token", r"(?i:\bbearer)\s+(?P<secret>[\w.~+/-]{16,}=*)"),
    ("assignment", r"(?i:\b[\w-]*(?:password|passwd|secret|token|api[_-]?key))[\"']?\s*[:=]\s*[\"']?(?P<secret>[^\s\"',;]{6,})"),
]
_COMPILED = [(kind, re.compile(pattern, re.DOTALL)) for kind, pattern in _PATTERNS]


def redact_secrets(text, mark="[redacted {kind}]"):
    """Replaces what looks like a secret.

    Args:
        text: The text.
        mark: What stands in its place; `{kind}` becomes the kind of secret.

    Returns:
        A dict with `text`, `count` and `kinds`, the number of secrets by kind.
    """
    found = []
    for kind, pattern in _COMPILED:
        for match in pattern.finditer(text):
            start, end = match.span("secret")
            # An earlier pattern knows better what it is.
            if all(end <= other_start or start >= other_end for other_start, other_end, _ in found):
                found.append((start, end, kind))
    kinds, pieces, last = {}, [], 0
    for start, end, kind in sorted(found):
        kinds[kind] = kinds.get(kind, 0) + 1
        pieces += [text[last:start], mark.replace("{kind}", kind)]
        last = end
    return {"text": "".join(pieces) + text[last:], "count": len(found), "kinds": kinds}

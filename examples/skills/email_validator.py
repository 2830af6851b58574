"""Checks email addresses the way a sign-up form should: by their shape, without sending anything."""

import re

# RFC 5321: at most 64 bytes before the `@`, at most 254 in all. Quoted local parts are legal and unused; they are refused.
_LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")


def email_validator(email, allowed_domains=None):
    """Checks one address.

    Args:
        email: The address. Blanks around it do not count.
        allowed_domains: Domains that are accepted; all when not given. A domain includes its subdomains.

    Returns:
        A dict with `valid`, `email` (the domain in lower case, as it should be stored), `local`, `domain` and `reason`
        (empty when it is valid).
    """
    address = str(email).strip()
    local, at, domain = address.rpartition("@")
    domain = domain.rstrip(".")
    reason = _reason(address, local, at, domain) or _not_allowed(domain, allowed_domains)
    return {
        "valid": not reason,
        "email": "%s@%s" % (local, domain.lower()) if at else address,
        "local": local,
        "domain": domain.lower(),
        "reason": reason,
    }


def _reason(address, local, at, domain):
    if not at:
        return "there is no `@`"
    if len(address.encode()) > 254:
        return "it is longer than 254 bytes"
    if not 1 <= len(local.encode()) <= 64:
        return "the part before the `@` has 1 to 64 characters"
    if not _LOCAL.fullmatch(local):
        return "the part before the `@` has a character or a dot where none may be"
    try:
        labels = domain.encode("idna").decode("ascii").split(".") if domain else []
    except UnicodeError:
        return "the domain is not a name"
    if len(labels) < 2:
        return "the domain has no dot"
    if not all(_LABEL.fullmatch(label) for label in labels) or labels[-1].isdigit():
        return "the domain is not a name"
    return ""


def _not_allowed(domain, allowed_domains):
    if allowed_domains is None:
        return ""
    domain = "." + domain.lower()
    if any(domain.endswith("." + allowed.lower().strip(".")) for allowed in allowed_domains):
        return ""
    return "the domain is not one of the allowed ones"

"""Lets requests of Schemathesis meet what there is: most names that are made up are names of nothing.

`E2E_KNOWN` is a file with names that the registry has. Which of them stands in for what was generated follows from what was
generated, so that the same seed makes the same requests.
"""

import json
import os
import zlib

import schemathesis

with open(os.environ["E2E_KNOWN"], encoding="utf-8") as file:
    KNOWN = json.load(file)

# Of nobody.
PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKvOE8RsIidInfsEHM8hAvZafXHMjoca/7wB00zPE51g"


# More that belongs together, of what the stock always has; what the file says comes first.
STANDINGS = [
    {"id": "acme/shaky", "version": "1.0.1"},
    {"id": "acme/shaky", "version": "1.0.2"},
    {"id": "initech/reviewed", "version": "1.3.0"},
    {"id": "acme/shaky", "version": "1.0.0"},
    {"id": "acme/hostile", "version": "1.0.0"},
    {"id": "acme/docs/reports", "version": "1.0.0"},
]
TOGETHER = KNOWN["together"] + [
    {"where": "/versions/{version}/signature", "of": [{"id": "acme/docs/reports", "version": "1.0.0"}]},
    {"where": "/versions/{version}/statement", "of": [{"id": "acme/docs/reports", "version": "1.0.0"}]},
    {"where": "/break-glass", "of": [{"id": "initech/waiting", "version": "0.1.0"}]},
    {"where": "/versions/{version}/approvals", "of": [{"id": "initech/reviewed", "version": "1.3.0"}]},
    {"where": "/versions/{version}/files", "of": [{**one, "path": "SKILL.md"} for one in STANDINGS]},
    {"where": "/versions/{version}", "of": STANDINGS},
    {"where": "/skills/{id}", "of": [{"id": "acme/tool-00"}, {"id": "acme/shaky"}, {"id": "acme/hostile"}]},
]
USED = {"skill": "acme/tool-00", "version": "1.0.0", "runs": 3, "succeeded": 2, "failed": 1}
# Bodies that are taken: what is made at random seldom is.
BODIES = [
    ("/versions/{version}/approvals/comments", [{"text": "Why?"}]),
    ("/versions/{version}/approvals", [{"decision": "approved"}]),
    ("/hidden", [{"reason": "advertising"}]),
    ("/answer", [{"text": "Thank you"}]),
    ("/comments", [{"text": "Is it fast?"}]),
    ("/reports/", [{"resolution": "It is hidden"}]),
    ("/reports", [{"skill": "acme/tool-02", "reason": "spam"}]),
    ("/quarantine", [{"reason": "it does harm"}]),
    ("/yank", [{"reason": "it shakes"}]),
    ("/break-glass", [{"reason": "it cannot wait"}]),
    ("/notifications/webhooks", [{"url": "https://hooks.invalid/fuzzed"}]),
    ("/publishers", [{"kind": "github", "repository": "acme/fuzzed", "owner_id": "65", "workflow": "release.yml"}]),
    ("/policy/groups/", [{"users": ["ben"]}]),
    ("/policy", [{"approvals": 1, "role": "reviewer"}]),
    ("/signing-secret", [{"secret": "a secret that is long enough for all"}]),
    ("/keys/challenge", [{"public_key": PUBLIC_KEY}]),
    ("/rate", [{"rating": 4, "review": "It works"}]),
    ("/api/v1/usage", [{"batch": "6f1c1d3e-5a0b-4f5e-9d57-0c6a7f0f2b11", "entries": [USED]}]),
]


# Names and tokens of those who ask. They stand in answers, from which Schemathesis takes what it asks for later; whoever switches
# themselves off, or revokes their own token, is refused everything from then on.
ASKING = KNOWN["asking"]


def known(name, value, path):
    """A name that there is, in three cases of four, and where it would be that of who asks; else what was generated."""
    choices = KNOWN.get(name)
    if not choices:
        return value
    number = zlib.crc32(f"{path} {name} {value!r}".encode("utf-8", "backslashreplace"))
    is_asking = isinstance(value, str) and value.strip().lower() in ASKING
    return value if number % 4 == 3 and not is_asking else choices[number // 4 % len(choices)]


def replaced(context, values):
    """The parameters, with names that there are."""
    if not isinstance(values, dict):
        return values
    path = context.operation.path
    return {name: known(name, value, path) for name, value in values.items()}


def together(context, values):
    """In three cases of four, parameters that belong together: the id of a comment says nothing without that of its skill."""
    if not isinstance(values, dict):
        return values
    path = context.operation.path
    choices = next((group["of"] for group in TOGETHER if group["where"] in path), [])
    number = zlib.crc32(f"{path} {sorted(values.items())!r}".encode("utf-8", "backslashreplace"))
    if not choices or number % 4 == 3:
        return values
    choice = choices[number // 4 % len(choices)]
    return {name: choice.get(name, value) for name, value in values.items()}


@schemathesis.hook
def map_path_parameters(context, path_parameters):
    return together(context, replaced(context, path_parameters))


@schemathesis.hook
def map_query(context, query):
    return replaced(context, query)


@schemathesis.hook
def map_body(context, body):
    if not isinstance(body, dict):
        return body
    path = context.operation.path
    choices = next((choices for where, choices in BODIES if where in path), [])
    number = zlib.crc32(f"{path} {sorted(body.items())!r}".encode("utf-8", "backslashreplace"))
    if choices and number % 4 != 3:
        return dict(choices[number // 4 % len(choices)])
    return {name: known(f"body.{name}", value, path) for name, value in body.items()}

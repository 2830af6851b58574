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


def known(name, value, path):
    """A name that there is, in three cases of four; else what was generated."""
    if name == "path":
        name = "tile" if "/tile/" in path else "path"
    choices = KNOWN.get(name)
    if not choices:
        return value
    number = zlib.crc32(f"{path} {name} {value!r}".encode("utf-8", "backslashreplace"))
    return value if number % 4 == 3 else choices[number // 4 % len(choices)]


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
    choices = next((group["of"] for group in KNOWN["together"] if group["where"] in path), [])
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
    return {name: known(f"body.{name}", value, path) for name, value in body.items()}

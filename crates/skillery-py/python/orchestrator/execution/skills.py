"""The skills that are installed on this machine.

The library keeps every version that was ever installed or saved, and one of them is the *current* one: the one that
a workflow uses that names no version. It lies in the folder ``library`` of ``SKILLERY_HOME``, by default
``~/.local/share/skillery``.

A skill is named by its id (``acme/email_validator``) or by its last segment alone, as long as no other installed
skill has the same; ``-``, ``_`` and ``.`` compare equal.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterable, List, Optional, Union

    PathLike = Union[str, "os.PathLike[str]"]

#: Where a skill is kept that was saved without a namespace.
LOCAL_NAMESPACE = "local"


class Skill:
    """A skill on this machine: a Python file and what is said about it.

    Args:
        name: The last segment of its id: ``a-z``, ``0-9``, ``.``, ``_`` and ``-``.
        code_path: The Python file. The skill's function is the one named like the skill, else ``main`` or ``run``,
            else the only public one.
        version: A semantic version.
        description: What it is for.
        tags: Topics to be found by.
        org: The namespace, for example ``acme`` or ``acme/email``; ``None`` for a skill that has none yet.
        license: The licence; ``MIT`` when it is published without one.
        author: The author; the publisher when it is published without one.
        homepage: The project's page.
        repository: Where the source is kept.

    Attributes:
        id: ``org/name``; the bare name for a skill without a namespace.
        code_hash: SHA-256 of the code, for a skill of the library.
        digest: SHA-256 of the bundle, for a skill of the library.
        signature: The publisher's HMAC-SHA256, if there is one.
        registry: The address that it was downloaded from, or ``None``.
        path: The folder with its files, for a skill of the library.
        current: Whether it is the version that a workflow uses that names no version.
        from_cache: Whether it was installed from what was downloaded earlier, because the registry could not be
            reached.
        warning: Why its publisher took the version back, if so.
    """

    def __init__(
        self,
        name: str,
        code_path: PathLike,
        version: str = "0.1.0",
        description: str = "",
        tags: Optional[Iterable[str]] = None,
        org: Optional[str] = None,
        license: Optional[str] = None,
        author: Optional[str] = None,
        homepage: Optional[str] = None,
        repository: Optional[str] = None,
    ) -> None:
        self.name = name
        self.code_path = os.fspath(code_path)
        self.version = version
        self.description = description
        self.tags = list_of_texts(tags, "tags")
        self.org = org
        self.license = license
        self.author = author
        self.homepage = homepage
        self.repository = repository
        self.code_hash: Optional[str] = None
        self.digest: Optional[str] = None
        self.signature: Optional[str] = None
        self.registry: Optional[str] = None
        self.path: Optional[str] = None
        self.current = False
        self.from_cache = False
        self.warning: Optional[str] = None

    @property
    def id(self) -> str:
        return self.org + "/" + self.name if self.org else self.name

    @property
    def code(self) -> str:
        """The source, read from ``code_path``."""
        with open(self.code_path, encoding="utf-8", newline="") as file:
            return file.read()

    def __repr__(self) -> str:
        return "Skill(id={!r}, version={!r}, code_path={!r})".format(self.id, self.version, self.code_path)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Skill) and vars(self) == vars(other)

    __hash__ = None  # type: ignore[assignment]

    @classmethod
    def _installed(cls, fields: "dict[str, Any]") -> Skill:
        org, _, name = fields["id"].rpartition("/")
        skill = cls(
            name=name,
            code_path=fields["code_path"],
            version=fields["version"],
            description=fields["description"],
            tags=fields["tags"],
            org=None if org == LOCAL_NAMESPACE and fields["registry"] is None else org,
            license=fields["license"],
            author=fields["author"] or None,
            homepage=fields["homepage"],
            repository=fields["repository"],
        )
        skill.code_hash = fields["code_hash"]
        skill.digest = fields["digest"]
        skill.signature = fields["signature"]
        skill.registry = fields["registry"]
        skill.path = fields["path"]
        skill.current = fields["current"]
        skill.from_cache = fields.get("from_cache", False)
        skill.warning = fields.get("warning")
        return skill


def get_skill(name: str, version: Optional[str] = None) -> Optional[Skill]:
    """Looks up an installed skill.

    Args:
        name: Its id, or its name alone where only one installed skill has it.
        version: A version, or a range such as ``^1.2`` for the highest that fits; the current one when left out.

    Returns:
        The skill, or ``None`` when it, or the version, is not installed.

    Raises:
        ValueError: If several installed skills have the name, or name or version are not valid.
    """
    from orchestrator import _native

    found = _native.library_get(name, version)
    return None if found is None else Skill._installed(found)


def list_skills() -> List[Skill]:
    """Lists the installed skills, each in its current version, by id."""
    from orchestrator import _native

    return [Skill._installed(fields) for fields in _native.library_list()]


def get_skill_version(name: str, version: str) -> Optional[Skill]:
    """Looks up exactly one version of an installed skill.

    Args:
        name: Its id, or its name alone where only one installed skill has it.
        version: The version; a range is none.

    Returns:
        The skill in this version, or ``None`` when that is not installed.

    Raises:
        ValueError: If several installed skills have the name, or the text is no name or no version.
    """
    from orchestrator import _native

    found = _native.library_get_version(name, version)
    return None if found is None else Skill._installed(found)


def get_skill_versions(name: str) -> List[str]:
    """Lists the installed versions of a skill.

    Args:
        name: Its id, or its name alone where only one installed skill has it.

    Returns:
        The versions, the highest first; an empty list when the skill is not installed.

    Raises:
        ValueError: If several installed skills have the name.
    """
    from orchestrator import _native

    return [fields["version"] for fields in _native.library_versions(name)]


def save_skill(skill: Skill) -> Skill:
    """Saves a skill that was made here, so that workflows on this machine can use it, and makes it the current version.

    Args:
        skill: What to save. Without ``org`` it is kept under its bare name.

    Returns:
        The installed skill. Saving the same again changes nothing.

    Raises:
        ValueError: If the library has this version with other content, or a field is not valid.
        RegistryError: If the code cannot be read.
    """
    import json

    from orchestrator import _native

    return Skill._installed(_native.library_save(json.dumps(_form(skill, skill.id))))


def update_skill(
    name: str,
    code_path: Optional[PathLike] = None,
    bump_type: str = "patch",
    description: Optional[str] = None,
    tags: Optional[Iterable[str]] = None,
    license: Optional[str] = None,
) -> Skill:
    """Makes the next version of an installed skill on this machine. To get what its registry has, download it again.

    Args:
        name: Its id, or its name alone where only one installed skill has it.
        code_path: The new code; that of the current version when left out.
        bump_type: Which number rises: ``patch``, ``minor`` or ``major``.
        description: The new description; that of the current version when left out.
        tags: New tags; those of the current version when left out.
        license: The new licence; that of the current version when left out.

    Returns:
        The new version, which is the current one now. The others stay.

    Raises:
        ValueError: If the skill is not installed, or an argument is not valid.
        RegistryError: If the code cannot be read.
    """
    import json

    from orchestrator import _native

    change = {
        "code_path": None if code_path is None else os.fspath(code_path),
        "description": description,
        "tags": None if tags is None else list_of_texts(tags, "tags"),
        "license": license,
    }
    return Skill._installed(_native.library_change(name, bump_type, json.dumps(change)))


def rollback_skill(name: str, version: Optional[str] = None) -> Skill:
    """Makes an installed version the current one.

    Args:
        name: Its id, or its name alone where only one installed skill has it.
        version: Which; the highest below the current one when left out.

    Returns:
        The version that is the current one now. No version is removed.

    Raises:
        ValueError: If the skill or the version is not installed.
    """
    from orchestrator import _native

    return Skill._installed(_native.library_rollback(name, version))


def remove_skill(name: str, version: Optional[str] = None) -> List[str]:
    """Removes one version of an installed skill, or all of them, from this machine.

    Args:
        name: Its id, or its name alone where only one installed skill has it.
        version: Which; all when left out.

    Returns:
        The versions that were removed.

    Raises:
        ValueError: If the skill or the version is not installed.
    """
    from orchestrator import _native

    return _native.library_remove(name, version)


def _form(skill: Skill, id: str) -> "dict[str, Any]":
    """What the extension module wants to know about a skill."""
    return {
        "id": id,
        "version": skill.version,
        "code_path": os.path.abspath(skill.code_path),
        "description": skill.description or "",
        "tags": list_of_texts(skill.tags, "tags"),
        "license": skill.license,
        "homepage": skill.homepage,
        "repository": skill.repository,
        "author": skill.author,
    }


def list_of_texts(texts: Optional[Iterable[str]], name: str) -> List[str]:
    """A list of its own, of nothing but texts. A single text is a mistake: it would be taken for its letters."""
    if texts is None:
        return []
    listed = [texts] if isinstance(texts, (str, bytes)) else list(texts)
    if isinstance(texts, (str, bytes)) or not all(isinstance(text, str) for text in listed):
        from .errors import InvalidInputError

        raise InvalidInputError("`{}` is a list of texts".format(name), "invalid-input")
    return listed


def _count(number: int, name: str) -> int:
    if isinstance(number, bool) or not isinstance(number, int) or number < 0:
        from .errors import InvalidInputError

        raise InvalidInputError("`{}` is a whole number of 0 or more".format(name), "invalid-input")
    return number


def _search_form(
    query: Optional[str],
    tags: Optional[Iterable[str]],
    org: Optional[str],
    min_rating: Optional[float],
    limit: int,
    offset: int = 0,
    sort: Optional[str] = None,
    publisher: Optional[str] = None,
) -> str:
    import json

    if min_rating is not None and not 0 <= min_rating <= 5:
        from .errors import InvalidInputError

        raise InvalidInputError("`min_rating` is a number from 0 to 5", "invalid-input")
    form = {
        "query": query or "",
        "tags": list_of_texts(tags, "tags"),
        "org": org,
        "publisher": publisher,
        "min_rating": min_rating,
        "sort": sort,
        "limit": _count(limit, "limit"),
        "offset": _count(offset, "offset"),
    }
    return json.dumps(form)

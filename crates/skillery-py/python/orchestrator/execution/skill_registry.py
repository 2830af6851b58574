"""A registry of skills: publish, find, rate, download.

:class:`SkillRegistry` talks to one registry; the functions talk to the configured one, see
:mod:`orchestrator.execution.configuration`.
"""

from __future__ import annotations

import os

from .configuration import DEFAULT_TIMEOUT, DEFAULT_URL, RegistryConfig, configure_registry, get_registry_config
from .skills import Skill, _count, _form, _search_form, list_of_texts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Iterable, List, Optional

__all__ = [
    "DEFAULT_TIMEOUT",
    "DEFAULT_URL",
    "RegistryConfig",
    "RegistrySkill",
    "SkillRegistry",
    "add_signing_secret",
    "configure_registry",
    "download_registry_skill",
    "get_registry_config",
    "get_registry_facets",
    "get_registry_ratings",
    "get_registry_skill",
    "publish_skill",
    "rate_registry_skill",
    "search_registry",
    "trending_skills",
]


class RegistrySkill:
    """A published skill, as the registry describes it.

    Attributes:
        id: ``org/name``.
        name: The last segment of the id.
        org: The namespace.
        version: The latest version; of what :func:`publish_skill` returns, the one that was published.
        description: What it is for.
        code_hash: SHA-256 of the code, 64 hexadecimal digits.
        signature: The publisher's HMAC-SHA256, if there is one.
        tags: Topics.
        rating: The mean of all ratings, 1 to 5; 0 when there are none.
        rating_count: How many ratings there are.
        install_count: How often it was downloaded.
        created_at: When its first version was published, ISO 8601.
        updated_at: When this version was published, ISO 8601.
        author: The author.
        license: The licence, for example ``MIT``.
        homepage: The project's page, or ``None``.
        repository: Where the source is kept, or ``None``.
    """

    def __init__(
        self,
        id: str,
        name: str = "",
        org: str = "",
        version: str = "",
        description: str = "",
        code_hash: str = "",
        signature: Optional[str] = None,
        tags: Optional[List[str]] = None,
        rating: float = 0.0,
        rating_count: int = 0,
        install_count: int = 0,
        created_at: str = "",
        updated_at: str = "",
        author: str = "",
        license: str = "",
        homepage: Optional[str] = None,
        repository: Optional[str] = None,
    ) -> None:
        namespace, _, last = id.rpartition("/")
        self.id = id
        self.name = name or last
        self.org = org or namespace
        self.version = version
        self.description = description
        self.code_hash = code_hash
        self.signature = signature
        self.tags = [] if tags is None else tags
        self.rating = rating
        self.rating_count = rating_count
        self.install_count = install_count
        self.created_at = created_at
        self.updated_at = updated_at
        self.author = author
        self.license = license
        self.homepage = homepage
        self.repository = repository

    def __repr__(self) -> str:
        return "RegistrySkill(id={!r}, version={!r}, rating={!r}, install_count={!r})".format(
            self.id, self.version, self.rating, self.install_count
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RegistrySkill) and vars(self) == vars(other)

    __hash__ = None  # type: ignore[assignment]


class SkillRegistry:
    """A client of one registry. Any number of threads may use it.

    Args:
        config: The connection; the configured one when left out. Later changes to it have no effect.

    Raises:
        ValueError: If the configuration is not valid.
    """

    def __init__(self, config: Optional[RegistryConfig] = None) -> None:
        from orchestrator import _native

        config = get_registry_config() if config is None else config
        self.config = config
        self._native = _native.Registry(config.url, config.token, bool(config.verify_signature), float(config.timeout))

    def publish_skill(
        self,
        skill: Skill,
        org: Optional[str] = None,
        tags: Optional[Iterable[str]] = None,
        license: Optional[str] = None,
        homepage: Optional[str] = None,
        repository: Optional[str] = None,
        secret: Optional[str] = None,
    ) -> RegistrySkill:
        """Publishes a version of a skill. See :func:`publish_skill`."""
        import json

        namespace = org or skill.org or self.config.org
        form = _form(skill, "{}/{}".format(namespace, skill.name) if namespace else skill.name)
        if tags is not None:
            form["tags"] = list_of_texts(tags, "tags")
        # A folder says it itself.
        is_folder = os.path.isdir(form["code_path"])
        form["license"] = license or form["license"] or (None if is_folder else "MIT")
        form["homepage"] = homepage or form["homepage"]
        form["repository"] = repository or form["repository"]
        form["visibility"] = None
        published = self._native.publish(json.dumps(form), secret)
        # The record has the counts; what it says about the version is about the latest one, which may be another.
        record = self._record(published["id"]) or {"id": published["id"]}
        record.update(
            version=published["version"],
            code_hash=published["code_hash"],
            signature=published["signature"],
            created_at=published["created_at"],
            updated_at=published["updated_at"],
            homepage=form["homepage"],
            repository=form["repository"],
        )
        if is_folder:
            # What it says stands in its files, and the registry has read them.
            record.setdefault("description", "")
            record.setdefault("tags", form["tags"])
            record.setdefault("license", "")
        else:
            record.update(description=form["description"], tags=form["tags"], license=form["license"])
        return RegistrySkill(**record)

    def _record(self, skill_id: str) -> Optional[Dict[str, Any]]:
        """The record of a skill; ``None`` also where no version is handed out, as while the first one waits for approval."""
        from .errors import NotFoundError

        try:
            return self._native.skill(skill_id)
        except NotFoundError as error:
            if error.code == "version-not-found":
                return None
            raise

    def search(
        self,
        query: Optional[str] = None,
        tags: Optional[Iterable[str]] = None,
        org: Optional[str] = None,
        min_rating: Optional[float] = None,
        limit: int = 50,
        offset: int = 0,
        sort: Optional[str] = None,
        publisher: Optional[str] = None,
    ) -> List[RegistrySkill]:
        """Finds skills. See :func:`search_registry`."""
        form = _search_form(query, tags, org, min_rating, limit, offset, sort, publisher)
        return [RegistrySkill(**record) for record in self._native.search(form)]

    def get_facets(
        self,
        query: Optional[str] = None,
        tags: Optional[Iterable[str]] = None,
        org: Optional[str] = None,
        min_rating: Optional[float] = None,
        limit: int = 50,
        publisher: Optional[str] = None,
    ) -> Dict[str, Any]:
        """Counts the tags and namespaces of all that a search finds. See :func:`get_registry_facets`."""
        return self._native.facets(_search_form(query, tags, org, min_rating, limit, publisher=publisher))

    def get_skill(self, skill_id: str) -> Optional[RegistrySkill]:
        """Looks up a skill. See :func:`get_registry_skill`."""
        record = self._native.skill(skill_id)
        return None if record is None else RegistrySkill(**record)

    def download_skill(self, skill_id: str, version: Optional[str] = None) -> Skill:
        """Verifies and installs a version. See :func:`download_registry_skill`."""
        return Skill._installed(self._native.install(skill_id, version))

    def rate_skill(self, skill_id: str, rating: float, review: Optional[str] = None) -> bool:
        """Rates a skill. See :func:`rate_registry_skill`."""
        from .errors import RegistryError

        try:
            self._native.rate(skill_id, float(rating), review)
        except RegistryError as error:
            if error.code == "invalid-id":
                raise
            import logging

            logging.getLogger("orchestrator").warning("%s was not rated: %s (%s)", skill_id, error, error.code)
            return False
        return True

    def get_ratings(
        self, skill_id: str, limit: Optional[int] = None, offset: Optional[int] = None
    ) -> Dict[str, Any]:
        """Ratings and reviews of a skill. See :func:`get_registry_ratings`."""
        return self._native.ratings(
            skill_id,
            None if limit is None else _count(limit, "limit"),
            None if offset is None else _count(offset, "offset"),
        )

    def trending(self, limit: int = 10) -> List[RegistrySkill]:
        """The skills that are downloaded most. See :func:`trending_skills`."""
        found = self.search(limit=limit, sort="installs")
        # The counts may be newer than the index that found the skills.
        return sorted(found, key=lambda skill: -skill.install_count)


#: The client of the configured registry, while the configuration is the same.
_latest: Optional[SkillRegistry] = None


def add_signing_secret(org: str, secret: str) -> None:
    """Keeps the signing secret of an org on this machine, to verify what the org signed.

    Needed with ``verify_signature`` by those who are no members of the org: members get the secret from the registry.

    Args:
        org: Whose; of a nested namespace the first segment counts.
        secret: The secret, as the org's admin gave it to you.
    """
    from orchestrator import _native

    _native.add_signing_secret(get_registry_config().url, org, secret)


def publish_skill(
    skill: Skill,
    org: Optional[str] = None,
    tags: Optional[Iterable[str]] = None,
    license: Optional[str] = None,
    homepage: Optional[str] = None,
    repository: Optional[str] = None,
    secret: Optional[str] = None,
) -> RegistrySkill:
    """Publishes a version of a skill.

    A version never changes: publishing the same again does nothing, other content under the same version is refused.

    Args:
        skill: What to publish.
        org: The namespace, for example ``acme`` or ``acme/email``; the skill's own, else the configured one, when
            left out.
        tags: Topics to be found by; the skill's own when left out.
        license: The licence; the skill's own, else ``MIT``, when left out.
        homepage: The project's page; the skill's own when left out.
        repository: Where the source is kept; the skill's own when left out.
        secret: Signs with HMAC-SHA256 over ``id:code_hash``. The secret itself is kept on this machine, readable by
            its owner only; it is registered for the org where the token is its admin's and none is registered, so
            that the org's members can verify.

    Returns:
        The skill with the version that was published.

    Raises:
        ValueError: If no token is configured, the token does not allow it, the version exists with other content, or
            a field is not valid.
        ConnectionError: If the registry cannot be reached.
        RegistryError: If the code cannot be read.
    """
    return _registry().publish_skill(skill, org, tags, license, homepage, repository, secret)


def search_registry(
    query: Optional[str] = None,
    tags: Optional[Iterable[str]] = None,
    org: Optional[str] = None,
    min_rating: Optional[float] = None,
    limit: int = 50,
    offset: int = 0,
    sort: Optional[str] = None,
    publisher: Optional[str] = None,
) -> List[RegistrySkill]:
    """Finds skills.

    Args:
        query: Words of name, tags, description and text.
        tags: Topics that must all be there.
        org: This namespace and what is below it.
        min_rating: The lowest mean rating, 0 to 5.
        limit: The most skills to return.
        offset: How many to pass over.
        sort: ``relevance``, ``installs``, ``trending``, ``rating``, ``updated`` or ``name``; ``relevance`` with a
            query and ``installs`` without when left out.
        publisher: The name of the user who has published the latest version.

    Returns:
        The skills, best first; an empty list when none fits.

    Raises:
        ValueError: If an argument is not valid.
        ConnectionError: If the registry cannot be reached.
    """
    return _registry().search(query, tags, org, min_rating, limit, offset, sort, publisher)


def get_registry_facets(
    query: Optional[str] = None,
    tags: Optional[Iterable[str]] = None,
    org: Optional[str] = None,
    min_rating: Optional[float] = None,
    limit: int = 50,
    publisher: Optional[str] = None,
) -> Dict[str, Any]:
    """Counts the tags and namespaces of all that a search finds: what it can be narrowed down by.

    Args:
        query: Words of name, tags, description and text.
        tags: Topics that must all be there.
        org: This namespace and what is below it.
        min_rating: The lowest mean rating, 0 to 5.
        limit: The most tags, and the most namespaces, to return; at most 200.
        publisher: The name of the user who has published the latest version.

    Returns:
        A dict with ``tags`` and ``namespaces``, lists of dicts with ``name`` and ``count`` (skills), the commonest first, and
        ``truncated``: whether there are more of either. Tags are in lower case. Namespaces have ``-`` for ``_`` and ``.``, and
        each counts for those above it. Only skills that this token sees are counted.

    Raises:
        ValueError: If an argument is not valid.
        ConnectionError: If the registry cannot be reached.
    """
    return _registry().get_facets(query, tags, org, min_rating, limit, publisher)


def get_registry_skill(skill_id: str) -> Optional[RegistrySkill]:
    """Looks up a skill.

    Args:
        skill_id: ``org/name``.

    Returns:
        The skill in its latest version, or ``None`` when there is none of that id, or not for this token.

    Raises:
        ValueError: If the id is not one, for example because it has no namespace.
        ConnectionError: If the registry cannot be reached.
    """
    return _registry().get_skill(skill_id)


def download_registry_skill(skill_id: str, version: Optional[str] = None) -> Skill:
    """Downloads, verifies and installs a skill, and makes it the current version.

    Where the registry cannot be reached, a version that was downloaded earlier is installed, and the skill's
    ``from_cache`` says so.

    Args:
        skill_id: ``org/name``.
        version: A version, or a range such as ``^1.2`` for the highest that fits; the latest when left out.

    Returns:
        The installed skill.

    Raises:
        ValueError: If there is no such skill or version, or what came is not what was published; with
            ``verify_signature``, also if it is not signed: with the HMAC where a secret is known, else by its author. Nothing is
            installed then.
        ConnectionError: If the registry cannot be reached, and nothing that was downloaded earlier fits.
    """
    return _registry().download_skill(skill_id, version)


def rate_registry_skill(skill_id: str, rating: float, review: Optional[str] = None) -> bool:
    """Rates a skill. Rating it again replaces the first rating.

    Args:
        skill_id: ``org/name``.
        rating: From 1 to 5 stars, kept to one decimal.
        review: What you think of it.

    Returns:
        Whether the rating was taken. Why it was not is logged, as a warning of the logger ``orchestrator``.

    Raises:
        ValueError: If the id is not one, for example because it has no namespace.
    """
    return _registry().rate_skill(skill_id, rating, review)


def get_registry_ratings(
    skill_id: str, limit: Optional[int] = None, offset: Optional[int] = None
) -> Dict[str, Any]:
    """Ratings and reviews of a skill.

    Args:
        skill_id: ``org/name``.
        limit: The most reviews to return; 50 when left out.
        offset: How many reviews to pass over.

    Returns:
        A dict with ``average`` (1 to 5, or 0 where there are none), ``count``, ``histogram`` (ratings by star, ``"1"`` to
        ``"5"``), ``reviews``, ``next``: the ``offset`` to go on with, or ``None`` behind the last, and ``own``: what this
        token's user has given, like one of the reviews, or ``None``.

        The reviews are the newest first, fewer than ``limit`` where they are long. Each is a dict with ``author``,
        ``rating`` (1 to 5), ``text`` (empty where nothing was written, or it is not shown), ``created_at``, ``hidden``
        (whether a moderator has hidden the text), for moderators and its author ``hidden_reason`` and
        ``hidden_by_registry``, and ``answer``: ``None``, or a dict with ``author``, ``text``, ``at``, ``outdated`` (the
        review was written anew since) and ``salt``.

    Raises:
        ValueError: If the id is not one, there is no such skill or not for this token, or ``limit`` is more than the
            registry allows.
        ConnectionError: If the registry cannot be reached.
    """
    return _registry().get_ratings(skill_id, limit, offset)


def trending_skills(limit: int = 10) -> List[RegistrySkill]:
    """The skills that are downloaded most.

    Args:
        limit: The most skills to return.

    Returns:
        The skills, the most downloaded first.

    Raises:
        ConnectionError: If the registry cannot be reached.
    """
    return _registry().trending(limit)


def _registry() -> SkillRegistry:
    global _latest
    config = get_registry_config()
    latest = _latest
    if latest is None or latest.config != config:
        _latest = latest = SkillRegistry(config)
    return latest

"""Every verb by its path: loading domains and families, finding a verb."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from dhis2sh.errors import UsageError, did_you_mean
from dhis2sh.verbs import installed, nouns, plugin_catalogue
from dhis2sh.verbs.declaration import REGISTRY, Verb


@dataclass(frozen=True, slots=True)
class Family:
    """Sub-domains of one domain whose verbs are made from data when they are asked for.

    Parameters:
        names: each sub-domain with its other names, such as `visualizations` with `visualization` and `viz`.
        declare: puts the verbs of one sub-domain into the registry, or the one with the path that is given; what is there
            already stays.
    """

    names: Callable[[], Mapping[str, Sequence[str]]]
    declare: Callable[[str, str | None], None]


FAMILIES: dict[str, Family] = {}
"""The family of each domain that has one; the domain's module puts it here."""


def load_domain(domain: str) -> None:
    """Import what declares a domain's verbs: its module, and of a package those that its `MODULES` names.

    Raises `UsageError` for an unknown domain, and for a plugin that is broken.
    """
    module = installed.SHIPPED.get(domain)
    if module is not None:
        for name in getattr(importlib.import_module(module), "MODULES", ()):
            importlib.import_module(f"{module}.{name}")
        return
    if installed.plugins().get(domain) in _WHOLE:
        return
    plugin_catalogue.refuse_broken(domain)
    if domain not in installed.plugins():
        raise UsageError(
            f"there is no domain '{domain}'", hint=did_you_mean(domain, installed.domains()) or "dhis2 --help"
        )
    import_plugin(next(one for one in installed.declared() if one.domain == domain))


_WHOLE: set[str] = set()
"""The plugins' modules that have been imported, and whose verbs are their own."""


def import_plugin(one: installed.Declared) -> None:
    """Import a plugin, and see that what it declares is its own. Raises `UsageError` with what is wrong.

    A plugin that fails has declared nothing.
    """
    if one.module in _WHOLE:
        return
    before = set(REGISTRY)
    try:
        importlib.import_module(one.module)
        theirs = [verb for path, verb in REGISTRY.items() if path not in before and not _ours(verb)]
        plugin_catalogue.checked(one, theirs or [verb for verb in REGISTRY.values() if verb.domain == one.domain])
    except Exception as error:
        for path in [path for path, verb in REGISTRY.items() if path not in before and not _ours(verb)]:
            del REGISTRY[path]
        problem = error.message if isinstance(error, UsageError) else plugin_catalogue.why(one, error)
        plugin_catalogue.LATE[one] = problem
        raise plugin_catalogue.Unusable(one, problem) from error
    _WHOLE.add(one.module)


def _ours(verb: Verb) -> bool:
    return (verb.module or verb.function.__module__).startswith("dhis2sh.")


def load_verb(path: str, module: str) -> Verb | None:
    """One verb, with nothing imported but its own module, or its plugin; None where that does not declare it.

    Parameters:
        path: its path; `module` as the manifest has it.
    """
    words = path.split()
    if words[0] in installed.SHIPPED:
        importlib.import_module(module)
    else:
        load_domain(words[0])
    if path not in REGISTRY and words[0] in FAMILIES and len(words) > 2:
        FAMILIES[words[0]].declare(words[1], path)
    return REGISTRY.get(path)


def section_of(words: Sequence[str]) -> tuple[str, list[str]]:
    """Where words lead: a domain (`metadata`) or a sub-domain of a family (`metadata data-elements`), and what follows.

    Loads both. Raises `UsageError` for an unknown domain.
    """
    load_domain(words[0])
    family = FAMILIES.get(words[0])
    if family is None or len(words) < 2:
        return words[0], list(words[1:])
    for name, others in family.names().items():
        if words[1] == name or words[1] in others:
            family.declare(name, None)
            return f"{words[0]} {name}", list(words[2:])
    return words[0], list(words[1:])


def verbs_of(section: str) -> list[Verb]:
    """The loaded verbs of a domain or a sub-domain, by path; those of its sub-domains are not among them."""
    domain, _, name = section.partition(" ")
    family = FAMILIES.get(domain)
    inner: Mapping[str, Sequence[str]] = family.names() if family is not None and not name else {}
    return [
        verb
        for path, verb in sorted(REGISTRY.items())
        if f"{path} ".startswith(f"{section} ") and (path.split()[1:] or [""])[0] not in inner
    ]


def load_domains() -> dict[str, Verb]:
    """Import every domain; returns its verbs by path, without those of sub-domains that families make.

    Plugins that are broken are left out: `plugin_catalogue.broken` says which, and why.
    """
    for domain in installed.SHIPPED:
        load_domain(domain)
    for one in plugin_catalogue.whole():
        with suppress(UsageError):  # it is among the broken ones from now on
            import_plugin(one)
    return {verb.path: verb for domain in installed.domains() for verb in verbs_of(domain)}


def load_all() -> dict[str, Verb]:
    """Import every domain and make every family's verbs; returns the registry."""
    load_domains()
    for family in FAMILIES.values():
        for name in family.names():
            family.declare(name, None)
    return REGISTRY


def find(path: str) -> Verb:
    """A verb by its path or tool name, importing its domain. Raises `UsageError` with the nearest names."""
    words = path.replace("_", " ").replace("-", " ").split()
    if words:
        # a domain may have two words: `user-role` is looked for beside `user`
        meant = [domain for domain in installed.domains() if domain.split("-") == words[: domain.count("-") + 1]]
        for domain in meant or words[:1]:
            load_domain(domain)
        words = _canonical(words)
    wanted = " ".join(words)
    for declared in REGISTRY.values():
        if wanted in {declared.path.replace("-", " "), *(alias.replace("-", " ") for alias in declared.aliases)}:
            return declared
    of_type = nouns.spelled(path.replace("_", " ").replace("-", " ").split())
    if of_type is not None and of_type != path:
        with suppress(UsageError):
            return find(of_type)
    raise UsageError(f"there is no verb '{path}'", hint=did_you_mean(path, list(REGISTRY)) or "dhis2 verbs")


def _canonical(words: list[str]) -> list[str]:
    """The words of a path without hyphens, with a sub-domain loaded and under its first name."""
    family = FAMILIES.get(words[0])
    if family is None:
        return words
    spelled = {other.replace("-", " "): name for name, others in family.names().items() for other in (name, *others)}
    for size in range(len(words) - 1, 0, -1):  # the longest wins: `option groups` before `option`
        name = spelled.get(" ".join(words[1 : size + 1]))
        if name is not None:
            family.declare(name, None)
            return [words[0], *name.split("-"), *words[size + 1 :]]
    return words

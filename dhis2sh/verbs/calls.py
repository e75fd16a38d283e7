"""Python calls of verbs: `metadata.list("dataElements")` in the shell's namespace, `await`able and pipeable."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, cast

from dhis2sh.errors import Dhis2Error, UsageError
from dhis2sh.verbs import installed, manifest, nouns, plugin_catalogue
from dhis2sh.words import counted

if TYPE_CHECKING:
    from dhis2sh.profiles import Profile
    from dhis2sh.types import JsonObject
    from dhis2sh.verbs.declaration import Verb


class Domain:
    """One domain as an object: each verb a method, hyphens as underscores.

    Parameters:
        name: the path so far, such as `metadata`.
        call: runs a verb with arguments (on the surface's own loop).
    """

    def __init__(self, name: str, call: Callable[[Verb, Mapping[str, object]], Any]) -> None:
        self._name = name
        self._call = call

    def __getattr__(self, name: str) -> Any:
        """A verb of this domain, or a sub-domain. Raises `UsageError` for a plugin that is broken."""
        if name.startswith("_"):
            raise AttributeError(name)
        path = f"{self._name} {name.rstrip('_').replace('_', '-')}"
        section, rest = manifest.section_of(path.split())
        if not rest or any(known.startswith(f"{path} ") for known in self._paths()):
            return Domain(path if rest else section, self._call)
        if path not in self._paths():
            if (of_type := nouns.of_type(self._name)) is not None:
                return getattr(Domain(of_type, self._call), name)
            plugin_catalogue.refuse_broken(self._name)
            raise AttributeError(f"{self._name} has no verb '{name}'")
        return _bound(path, self._call)

    def __call__(self, *args: object, **options: object) -> Any:
        """A domain that is a verb itself: `await what("s46m5MS0hxu")`."""
        if self._name not in self._paths():
            plugin_catalogue.refuse_broken(self._name)
            raise TypeError(f"{self._name} has verbs and is none: {', '.join(self.__dir__()[:5])} ...")
        return _bound(self._name, self._call)(*args, **options)

    def _paths(self) -> list[str]:
        section, _ = manifest.section_of(self._name.split())
        return [str(verb["path"]) for verb in manifest.verbs(section)]

    def __dir__(self) -> list[str]:
        depth = len(self._name.split())
        words = [path.split()[depth] for path in self._paths() if path.startswith(f"{self._name} ")]
        return sorted({word.replace("-", "_") for word in [*words, *manifest.sections(self._name)]})

    def __repr__(self) -> str:
        sections = {name.replace("-", "_") for name in manifest.sections(self._name)}
        verbs = [word for word in self.__dir__() if word not in sections]
        more = f", and those of {len(sections)} types; {self._name}? tells more" if sections else ""
        return f"<{self._name}: {', '.join(verbs) or 'call it'}{more}>"


class ProfileDomain(Domain):
    """The domain `profile`, which is the active profile too: `profile.url`, and it says so when it is shown.

    Parameters:
        name, call: as for `Domain`.
        active: gives the active profile; raises our errors where there is none.
    """

    def __init__(
        self, name: str, call: Callable[[Verb, Mapping[str, object]], Any], active: Callable[[], Profile]
    ) -> None:
        super().__init__(name, call)
        self._active = active

    def __getattr__(self, name: str) -> Any:
        """A verb, else a field of the active profile (`name`, `url`, `username`, `read_only`, ...)."""
        try:
            return super().__getattr__(name)
        except AttributeError:
            if name.startswith("_"):
                raise
            return getattr(self._active(), name)

    def __dir__(self) -> list[str]:
        from dhis2sh.profiles import WRITABLE  # start-up: asked for behind the prompt

        return sorted({*super().__dir__(), "name", *WRITABLE})

    def __repr__(self) -> str:
        try:
            active = self._active()
        except Dhis2Error as error:
            return f"<profile: {error}>"
        marks = [name for name in ("production", "read_only") if getattr(active, name)]
        marks += [] if active.verify_tls else ["insecure"]
        user = f" as {active.username}" if active.username else ""
        return f"<profile {active.name}: {active.url}{user}{' [' + ', '.join(marks) + ']' if marks else ''}>"


def _bound(path: str, call: Callable[[Verb, Mapping[str, object]], Any]) -> Callable[..., Any]:
    def run(*args: object, **options: object) -> Any:
        from dhis2sh.verbs.registry import find  # start-up: the catalogue is enough until a verb is called

        verb = find(path)
        names = [param.name for param in verb.params if not param.option]
        if len(args) > len(names):
            told = (
                f"{path} takes {counted(len(names), 'value')} without a name ({', '.join(names)}), and got {len(args)}"
            )
            raise UsageError(told, hint=f"{path.replace(' ', '.').replace('-', '_')}? shows what it takes")
        return call(verb, {**dict(zip(names, args, strict=False)), **options})

    section, rest = manifest.section_of(path.split())
    found = manifest.domain(section)
    known = next((verb for verb in manifest.verbs(section) if verb["path"] == path), None)
    if known is not None:
        run.__signature__ = _signature(known)  # type: ignore[attr-defined]
    run.__name__ = path.replace(" ", "_").replace("-", "_")
    run.__doc__ = found["help"].get(" ".join(rest), path) if found else path
    return run


def _signature(verb: JsonObject) -> inspect.Signature:
    """What a verb takes, as Python writes it: what must be said without a name, the rest by it."""
    schema = cast("JsonObject", verb["input"])
    properties, required = (
        cast("dict[str, JsonObject]", schema["properties"]),
        cast("list[str]", schema.get("required") or []),
    )
    arguments = cast("list[str]", verb["arguments"])
    kinds = inspect.Parameter
    found = [
        kinds(
            name,
            kinds.POSITIONAL_OR_KEYWORD if name in arguments else kinds.KEYWORD_ONLY,
            default=kinds.empty if name in required else properties[name].get("default"),
        )
        for name in [*arguments, *(name for name in properties if name not in arguments)]
    ]
    return inspect.Signature(sorted(found, key=lambda item: (item.kind, item.default is not kinds.empty)))


def namespace(call: Callable[[Verb, Mapping[str, object]], Any]) -> dict[str, Domain]:
    """Every domain by name, hyphens as underscores."""
    return {name.replace("-", "_"): Domain(name, call) for name in installed.domains()}

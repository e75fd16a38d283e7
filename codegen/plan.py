"""From the manifests of one version to what is to be written: classes, enums, aliases, and a log of each decision."""

import json
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any, cast

from codegen import names
from codegen.errors import CodegenError
from codegen.patches import (
    DISCRIMINATORS,
    PATCHES,
    REFERENCE_MODELS,
    REFERENCES,
    UNDISCRIMINATED,
    UNWRAPPED,
    Discriminator,
    Patch,
)
from codegen.schemas import class_names, mend_constants, mend_kinds, resource_table, wire_name
from dhis2sh.models import facts

type Facts = dict[str, Any]

_SCALARS = {
    "TEXT": "str", "IDENTIFIER": "str", "URL": "str", "EMAIL": "str", "PASSWORD": "str", "PHONENUMBER": "str",
    "COLOR": "str", "GEOLOCATION": "str", "CONSTANT": "str", "DATE": "Timestamp", "INTEGER": "int", "NUMBER": "Number",
    "BOOLEAN": "bool",
}  # fmt: skip
_VALUES = {
    "any": "Any", "boolean": "bool", "integer": "int", "number": "Number", "string": "str",
    "string:date-time": "Timestamp", "string:uid": "Uid",
}  # fmt: skip
_ALIASES_DEEP = 20
_LONGEST = 1000  # characters of an annotation that names for plain values make when they are written out
_COMMON = 20  # in so many classes


@dataclass(frozen=True, slots=True)
class Field:
    """One attribute of a class."""

    name: str
    wire: str
    annotation: str  # without `| None`
    lazy: bool  # does the annotation name a class that its module does not hold when it is read?
    alias: bool  # is the key on the wire to be said?
    constant: str | None = None  # the tag of one variant of a oneOf


@dataclass(frozen=True, slots=True)
class Class:
    """One pydantic model."""

    name: str
    doc: str
    fields: tuple[Field, ...]
    tag: str | None = None  # the attribute whose value tells this variant


@dataclass(frozen=True, slots=True)
class Module:
    """One file of classes."""

    path: str  # below the version's folder, 'data_element' or 'components/tracker'
    doc: str
    classes: tuple[Class, ...]


@dataclass(slots=True)
class Plan:
    """All that is written of one version."""

    version: str
    modules: list[Module] = field(default_factory=list[Module])
    enums: dict[str, list[tuple[str, str]]] = field(default_factory=dict[str, list[tuple[str, str]]])
    property_names: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    aliases: dict[str, str] = field(default_factory=dict[str, str])
    resources: Facts = field(default_factory=dict[str, Any])
    log: list[str] = field(default_factory=list[str])

    @property
    def where(self) -> dict[str, list[str]]:
        """The names that each module defines, modules and names sorted."""
        table = {m.path.replace("/", "."): [c.name for c in m.classes] for m in self.modules}
        table |= {"aliases": [*self.aliases], "enums": [*self.enums], "property_names": [*self.property_names]}
        return {module: sorted(found) for module, found in sorted(table.items()) if found}


def plan(version: str, schemas: Facts, openapi: Facts) -> Plan:
    """Decide what is written of one version.

    Parameters:
        version: 'v42'.
        schemas: the manifest of /api/schemas.
        openapi: the manifest of the OpenAPI description.

    Raises:
        CodegenError: a manifest refers to what it does not describe, or cannot be expressed; the message names it.
    """
    return _Planner(version, schemas, openapi).run()


class _Planner:
    def __init__(self, version: str, schemas: Facts, openapi: Facts) -> None:
        self.plan = Plan(version)
        self.components: Facts = dict(openapi["components"])
        self.types = cast("list[Facts]", facts.expand(schemas)["schemas"])
        self.mended = mend_kinds(self.types)
        for place in mend_constants(self.types, self.components):
            self.plan.log.append(f"{place}: its constants are those of the OpenAPI description; the schema has none")
        self.used: dict[Patch, set[str]] = defaultdict(set)  # the places where each was used
        self.tagged: dict[str, Discriminator] = {}
        self.places: dict[Discriminator, list[str]] = defaultdict(list)  # where each was put in
        self.untagged: dict[str, str] = {}
        self.expanded: dict[str, str] = {}  # what stands for a component that is a plain value
        self._patch_components()
        self._name_all()

    def run(self) -> Plan:
        self._enums_of_schemas()
        self._values()
        classes = self._all_fields()
        self._tag(classes)
        self.plan.modules = self._modules(classes)
        self.plan.resources = resource_table(self.types, self.enum_names, self.models)
        self._write_log()
        return self.plan

    # -- names ---------------------------------------------------------------------------------------------------

    def _name_all(self) -> None:
        self.models = class_names([t["klass"] for t in self.types], {*names.CLASSES})  # by Java class
        self.type_of = {self.models[t["klass"]]: t for t in self.types}  # by class
        constants = [p.get("itemKlass", p["klass"]) for t in self.types for p in t["properties"] if "constants" in p]
        self.enum_names = class_names(constants, {*self.models.values(), *names.CLASSES})
        mine = {*self.models.values(), *self.enum_names.values()}
        wrong = [name for name in sorted(mine) if not name.isidentifier() or name == names.snake(name)]
        if wrong:
            raise CodegenError(f"schemas: the Java class {wrong[0]!r} has a name that no Python class can have")
        others = [name for name in self.components if name not in mine]
        self.python = {name: name for name in mine} | names.classes(others, mine)
        for name, made in self.python.items():
            if name != made:
                self.plan.log.append(f"component {name!r} is class {made}: Python cannot call it so")
        self.taken = {*self.python.values()}
        self.nested: dict[str, str] = {}  # class by the shape of an object that is described in place
        self.extra: dict[str, dict[str, str]] = {}  # the fields of those

    def _patch_components(self) -> None:
        for patch in PATCHES:
            if self.plan.version not in patch.versions:
                continue
            if patch.property is None and patch.owner in self.components:
                self.components[patch.owner] = json.loads(patch.shape) if patch.shape[0] in "[{" else patch.shape
                self.used[patch].add(patch.owner)
            elif patch.property is not None:
                self._add(patch.owner, {patch.property: "any"})  # its shape is the patch's
        for owner, inside in UNWRAPPED.items():
            self._add(owner, self._properties(inside))

    def _add(self, component: str, properties: Facts) -> None:
        """Give a component the properties that its description leaves out."""
        missing = {key: shape for key, shape in properties.items() if key not in self._properties(component)}
        if missing and self._is_class(self.components.get(component)):
            shape = cast("Facts", self.components[component])
            self.components[component] = shape | {"properties": shape["properties"] | missing}
            self.plan.log.append(f"{component}: {', '.join(sorted(missing))} added, which its description leaves out")

    def _patched(self, owner: str, wire: str) -> Any:
        for patch in PATCHES:
            if self.plan.version in patch.versions and patch.property == wire and patch.owner in ("*", owner):
                self.used[patch].add(f"{owner}.{wire}")
                return json.loads(patch.shape) if patch.shape[0] in "[{" else patch.shape
        return None

    # -- enums and values ----------------------------------------------------------------------------------------

    def _enums_of_schemas(self) -> None:
        self.by_constants: dict[tuple[str, ...], str] = {}
        for t in self.types:
            for p in t["properties"]:
                if "constants" in p:
                    self._enum(self.enum_names[p.get("itemKlass", p["klass"])], p["constants"])

    def _enum(self, name: str, constants: list[str]) -> str:
        self.plan.enums[name] = names.members(constants)
        self.by_constants.setdefault(tuple(sorted(constants)), name)
        return name

    def _values(self) -> None:
        """The components that are no objects: constants, and names for plain values."""
        for name, shape in sorted(self.components.items()):
            if isinstance(shape, dict) and "enum" in shape:
                constants = cast("list[str]", shape["enum"])
                if "PropertyNames" in name and names.can_be_made_later(constants):
                    self.plan.property_names[self.python[name]] = constants
                elif name not in self.plan.enums:
                    self._enum(self.python[name], constants)
        for name, shape in sorted(self.components.items()):
            if not self._is_class(shape) and not (isinstance(shape, dict) and "enum" in shape):
                self.plan.aliases[self.python[name]] = self._annotation(name, "", shape, (name,))

    @staticmethod
    def _is_class(shape: Any) -> bool:
        return isinstance(shape, dict) and "properties" in shape

    def _inline_enum(self, owner: str, wire: str, constants: list[str]) -> str:
        """Constants that are written out in place: an enum of that name where the same constants have one."""
        known = self.by_constants.get(tuple(sorted(constants)))
        if known:
            return known
        short = names.class_name(wire)
        name = (
            short
            if short not in self.taken | names.CLASSES
            else names.unique(self.python.get(owner, owner) + short, self.taken)
        )
        self.taken.add(name)
        return self._enum(name, constants)

    # -- fields --------------------------------------------------------------------------------------------------

    def _all_fields(self) -> dict[str, dict[str, str]]:
        """The annotation of each key on the wire, by class."""
        found: dict[str, dict[str, str]] = {}
        for name, t in self.type_of.items():
            described = self._properties(name)
            found[name] = {wire: self._annotation(name, wire, shape) for wire, shape in described.items()}
            for p in t["properties"]:
                wire = wire_name(p)
                found[name][wire] = self._of_schema(name, p, found[name].get(wire))
        for name, shape in self.components.items():
            if self._is_class(shape) and name not in self.type_of:
                described = self._properties(name)
                found[self.python[name]] = {w: self._annotation(name, w, s) for w, s in described.items()}
        return found | self.extra

    def _properties(self, name: str) -> Facts:
        shape = self.components.get(name)
        return cast("Facts", shape)["properties"] if self._is_class(shape) else {}

    def _of_schema(self, owner: str, p: Facts, described: str | None) -> str:
        """The annotation of a property of /api/schemas; `described` is what the OpenAPI description makes of it."""
        patched = self._patched(owner, wire_name(p))
        if patched is not None:
            return self._annotation(owner, wire_name(p), patched)
        if p["propertyType"] != "COLLECTION":
            return self._one(p, p["propertyType"], p["klass"], described)
        inside = described[5:-1] if described and described.startswith("list[") else None
        return f"list[{self._one(p, p.get('itemPropertyType'), p.get('itemKlass'), inside)}]"

    def _one(self, p: Facts, kind: str | None, klass: str | None, described: str | None) -> str:
        if "constants" in p:
            return self.enum_names[p.get("itemKlass", p["klass"])]
        if kind in _SCALARS:
            return _SCALARS[kind]
        model = self.models.get(klass or "")
        if kind == "REFERENCE":
            return self._referring(klass or "", model, described)
        if model and (described is None or described in ("Any", "Reference", model)):
            return model
        return described or self._by_java_class(klass or "")

    def _by_java_class(self, klass: str) -> str:
        """The component of that name, for a type that the OpenAPI description leaves out; of DHIS2's own classes alone."""
        tail = klass.rpartition(".")[2]
        free = tail in self.components and tail not in REFERENCES and tail not in self.type_of
        if klass.startswith("org.hisp.dhis.") and free:
            return self._annotation(tail, "", "#" + tail, ())
        return "Any"

    def _referring(self, klass: str, model: str | None, described: str | None) -> str:
        """A Reference to what lives on its own; the class itself where the server sends the object with its owner."""
        if REFERENCE_MODELS.get(klass) in self.components:
            return self.python[REFERENCE_MODELS[klass]]
        if model and not self.type_of[model].get("metadata"):
            return model
        small = described in self.python and described not in self.type_of and described in self.components
        return described if described and small else "Reference"

    def _annotation(self, owner: str, wire: str, shape: Any, seen: tuple[str, ...] = ()) -> str:
        """What Python calls a shape of the OpenAPI manifest."""
        patched = self._patched(owner, wire) if wire and not seen else None
        return self._expression(owner, wire, shape if patched is None else patched, seen)

    def _expression(self, owner: str, wire: str, shape: Any, seen: tuple[str, ...]) -> str:
        if isinstance(shape, str):
            if shape.startswith("!"):
                return self.python[shape[1:]]
            return self._named(owner, wire, shape, seen) if shape.startswith("#") else self._value(shape)
        if isinstance(shape, list):
            return f"list[{self._expression(owner, wire, shape[0], seen)}]"
        if "map" in shape:
            return f"dict[str, {self._expression(owner, wire, shape['map'], seen)}]"
        if "value" in shape:
            return self._value(shape["value"])
        if "enum" in shape:
            return self._inline_enum(owner, wire, shape["enum"])
        if "oneOf" in shape:
            return self._union(owner, wire, shape["oneOf"], seen)
        if "properties" in shape:
            return self._nested(owner, wire, shape)
        raise CodegenError(f"{owner}.{wire}: the manifest has a shape that is not known: {shape!r:.80}")

    @staticmethod
    def _value(shape: str) -> str:
        return _VALUES.get(shape) or _VALUES.get(shape.partition(":")[0]) or "Any"

    def _named(self, owner: str, wire: str, shape: str, seen: tuple[str, ...]) -> str:
        name = shape[1:]
        if name not in self.components:
            raise CodegenError(f"{owner}.{wire}: refers to component {name!r}, which is not described")
        target = self.components[name]
        if name in REFERENCES or (name in self.type_of and self.type_of[name].get("metadata")):
            return "Reference"
        if self._is_class(target) or name in self.plan.enums:
            return self.python[name]
        if isinstance(target, dict) and "enum" in target:
            return self.python[name]
        if name in seen or len(seen) > _ALIASES_DEEP:
            self.plan.log.append(f"{owner}.{wire}: {name!r} is defined by itself or too deep; its inside is any JSON")
            return "Any"
        if name not in self.expanded:
            made = self._expression(name, wire, target, (*seen, name))
            self.expanded[name] = made if len(made) <= _LONGEST else "Any"
        return self.expanded[name]

    def _nested(self, owner: str, wire: str, shape: Facts) -> str:
        """An object that is described in place: a Reference if it has an id only, else a class of its own."""
        properties = cast("Facts", shape["properties"])
        if {*properties} == {"id"}:
            return "Reference"
        key = json.dumps(properties, sort_keys=True)
        if key not in self.nested:
            stem = self.python.get(owner, owner) + names.class_name(wire or "object")
            name = self.nested[key] = names.unique(stem, self.taken | names.CLASSES)
            self.taken.add(name)
            self.extra[name] = {}
            self.extra[name] |= {w: self._annotation(name, w, s) for w, s in properties.items()}
        return self.nested[key]

    # -- oneOf ---------------------------------------------------------------------------------------------------

    def _union(self, owner: str, wire: str, options: list[Any], seen: tuple[str, ...]) -> str:
        found = list(dict.fromkeys(self._expression(owner, wire, option, seen) for option in options))
        if "Any" in found:
            return "Any"
        if not any(name in self.taken or "[" in name or name == "Reference" for name in found):
            return " | ".join(sorted(found))  # plain values; pydantic keeps the one that fits exactly
        place = f"{owner}.{wire}"
        variants = [option[1:] for option in options if isinstance(option, str) and option.startswith("#")]
        for discriminator in DISCRIMINATORS:
            if len(variants) == len(options) and {*variants} <= discriminator.tags.keys():
                self.tagged |= dict.fromkeys(variants, discriminator)
                self.places[discriminator].append(place)
                return self._tagged_union(discriminator, found)
        reason, quirk = UNDISCRIMINATED.get(wire, ("nothing is known that tells the variants apart", None))
        self.untagged[place] = f"{len(found)} variants: {reason}" + (f" (quirk {quirk})" if quirk else "")
        return "Any"

    @staticmethod
    def _tagged_union(discriminator: Discriminator, variants: list[str]) -> str:
        """The variants by their tag; one that a newer server adds stays a plain object."""
        union = " | ".join(sorted(variants))
        attribute = names.attributes([discriminator.property])[discriminator.property]
        tagged = f"Annotated[{union}, pydantic.Field(discriminator={attribute!r})]" if len(variants) > 1 else union
        return f"Annotated[{tagged} | dict[str, Any], pydantic.Field(union_mode='left_to_right')]"

    def _tag(self, classes: dict[str, dict[str, str]]) -> None:
        for component, discriminator in self.tagged.items():
            classes[self.python[component]][discriminator.property] = (
                f"Literal[{json.dumps(discriminator.tags[component])}]"
            )

    # -- modules -------------------------------------------------------------------------------------------------

    def _modules(self, classes: dict[str, dict[str, str]]) -> list[Module]:
        """A file for each resource, with what it is written with; the other components in families by their first word."""
        homes = names.modules(n for n, t in self.type_of.items() if t.get("relativeApiEndpoint"))
        paths: dict[str, list[str]] = defaultdict(list)
        rest: list[str] = []
        for name in sorted(classes):
            home = homes.get(name) or homes.get(name.removesuffix("Params"))
            if home:
                paths[home].append(name)
            else:
                rest.append(name)
        for name, family in _families(rest, self._uses(classes)).items():
            paths[f"components/{family}"].append(name)
        return [self._module(path, found, classes) for path, found in sorted(paths.items())]

    def _uses(self, classes: dict[str, dict[str, str]]) -> Counter[str]:
        """How many classes name each class."""
        return Counter(
            name
            for fields in classes.values()
            for name in set[str]().union(*map(names.words, fields.values())) & {*classes}
        )

    def _module(self, path: str, found: list[str], classes: dict[str, dict[str, str]]) -> Module:
        first = self.type_of.get(found[0])
        doc = (
            f"`{first['relativeApiEndpoint']}`"
            if first and "/" not in path
            else f"Components: {path.rpartition('/')[2]}"
        )
        return Module(path, doc, tuple(self._class(name, classes[name]) for name in found))

    def _class(self, name: str, fields: dict[str, str]) -> Class:
        component = next((c for c, made in self.python.items() if made == name), name)
        discriminator = self.tagged.get(component)
        tag = discriminator.property if discriminator else None
        attributes = names.attributes(fields)
        made = [
            Field(
                name=attributes[wire],
                wire=wire,
                annotation=annotation,
                lazy=self._is_lazy(annotation),
                alias=names.needs_alias(wire, attributes[wire]),
                constant=cast("Discriminator", discriminator).tags[component] if wire == tag else None,
            )
            for wire, annotation in sorted(fields.items(), key=lambda item: attributes[item[0]])
        ]
        return Class(name, self._doc(name, component), tuple(made), attributes[tag] if tag else None)

    def _doc(self, name: str, component: str) -> str:
        t = self.type_of.get(name)
        if t:
            return f"One of `{t['plural']}` ({t['klass']})."
        if component in self.components:
            return f"Component {component}."
        return "An object described in place."

    def _is_lazy(self, annotation: str) -> bool:
        return bool(names.words(annotation) & self.taken)

    # -- log -----------------------------------------------------------------------------------------------------

    def _write_log(self) -> None:
        log = self.plan.log
        log.extend(f"{kind}, though said to be another: {', '.join(found)}" for kind, found in self.mended.items())
        log.extend(f"patch {p} [{len(places)}]" for p, places in sorted(self.used.items(), key=lambda i: str(i[0])))
        for found, places in sorted(self.places.items(), key=lambda item: item[1]):
            log.append(f"discriminator `{found.property}` added to {', '.join(sorted({*places}))}: {found.reason}"
                       + (f" (quirk {found.quirk})" if found.quirk else ""))  # fmt: skip
        log.extend(f"discriminator left out of {place}, {reason}" for place, reason in sorted(self.untagged.items()))
        count = len({place for places in self.places.values() for place in places})
        log.append(f"{count} discriminators added, {len(self.untagged)} left out")
        classes = sum(len(m.classes) for m in self.plan.modules)
        log.append(
            f"{len(self.components)} components and {len(self.types)} types: {classes} classes in {len(self.plan.modules)} "
            f"modules, {len(self.plan.enums)} enums, {len(self.plan.property_names)} enums of property names, "
            f"{len(self.plan.aliases)} aliases"
        )


def _families(classes: list[str], uses: Counter[str]) -> dict[str, str]:
    """The file of each component: that of the common ones, else its first word where three share it, else its first letter.

    What most resources have as a part, such as `Sharing`, stands in one file, so that using one resource reads few files.
    """
    words = {name: names.first_word(name) for name in classes}
    count = Counter(words.values())
    return {
        name: "common" if uses[name] >= _COMMON else word if count[word] >= 3 else f"{names.initial(word)}_"
        for name, word in words.items()
    }

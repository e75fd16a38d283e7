"""`/api/openapi/openapi.json`: the compact manifest of the components that a server describes.

Facts only: names, types, references, constants, constraints of named values, what is required and what is read only; no
prose, no examples, no paths. A shape is written as short as JSON allows:

    "string", "string:date-time", "integer:int32", "boolean", "number:double", "any"
    "#DataElement"                          a reference to a component
    "!MapView"                              the same, sent whole although it lives on its own (in patches only)
    ["integer:int32"]                       a list
    {"map": "string"}                       an object whose keys are data
    {"oneOf": ["string", "#Axis"]}          one of several
    {"enum": ["SUM", "AVERAGE"]}            constants
    {"properties": {...}, "required": [...], "readOnly": [...]}
    {"value": "string:uid", "pattern": "...", "minLength": 11, "maxLength": 11}     a named value with constraints
"""

import json
from typing import Any, cast

from codegen.errors import CodegenError

type Facts = dict[str, Any]

_REF = "#/components/schemas/"
_DEPTH = 60  # DHIS2's deepest is 9
_CONSTRAINTS = ("pattern", "minLength", "maxLength", "minimum", "maximum")
_SCALARS = ("string", "integer", "number", "boolean")


def distil_openapi(answer: Facts) -> Facts:
    """The manifest of what `GET /api/openapi/openapi.json` answered.

    Parameters:
        answer: the decoded JSON of the whole answer.

    Raises:
        CodegenError: it is no OpenAPI description, or a component has a shape that nothing here can express; the message
            names the component.
    """
    components = answer.get("components")
    schemas = cast("Facts", components).get("schemas") if isinstance(components, dict) else None
    if not isinstance(schemas, dict):
        raise CodegenError("not an OpenAPI description: it has no object components.schemas")
    named = cast("dict[str, Any]", schemas)
    components = {name: _component(name, named[name]) for name in sorted(named)}
    for name, shape in components.items():
        try:
            json.dumps([name, shape], ensure_ascii=False).encode()
        except UnicodeEncodeError as error:
            raise CodegenError(f"component {name!r} holds half a character: {error.reason}") from error
    return {"openapi": answer.get("openapi", ""), "components": components}


def _component(name: str, node: Any) -> Any:
    shape = _shape(name, node, 0)
    if isinstance(shape, str) and not shape.startswith("#"):
        limits = {key: node[key] for key in _CONSTRAINTS if key in node}
        if limits:
            return {"value": shape} | limits
    return shape


def _shape(where: str, node: Any, depth: int) -> Any:
    """A node as the manifest writes it; `where` is the path that an error names."""
    if depth > _DEPTH:
        raise CodegenError(f"{where[:120]}: nested more than {_DEPTH} deep")
    if not isinstance(node, dict):
        raise CodegenError(f"{where}: a schema must be an object, not {type(node).__name__}")
    node = cast("Facts", node)
    if "$ref" in node:
        return _reference(where, node["$ref"])
    for key in ("oneOf", "anyOf"):
        if key in node:
            return _one_of(where, node[key], depth)
    if "allOf" in node:
        return _all_of(where, node, depth)
    if "enum" in node:
        return _enum(where, node)
    return _typed(where, node, depth)


def _typed(where: str, node: Facts, depth: int) -> Any:
    kind = node.get("type", "object" if "properties" in node or "additionalProperties" in node else "any")
    if isinstance(kind, list):  # OpenAPI 3.1; that a value may be null holds for every property anyhow
        kinds = [k for k in cast("list[Any]", kind) if k != "null"]
        return _one_of(where, [{**node, "type": k} for k in kinds], depth)
    if kind == "array":
        return [_shape(where + "[]", node.get("items", {}), depth + 1)]
    if kind == "object":
        return _object(where, node, depth)
    if kind == "any":
        return "any"
    if kind in _SCALARS:
        return f"{kind}:{node['format']}" if isinstance(node.get("format"), str) else kind
    raise CodegenError(f"{where}: unknown type {kind!r}")


def _reference(where: str, target: Any) -> str:
    if not isinstance(target, str) or not target.startswith(_REF):
        raise CodegenError(f"{where}: $ref {target!r} does not name a component")
    return "#" + target.removeprefix(_REF).replace("~1", "/").replace("~0", "~")


def _one_of(where: str, options: Any, depth: int) -> Any:
    if not isinstance(options, list) or not options:
        raise CodegenError(f"{where}: oneOf must be a list that is not empty")
    shapes = [_shape(f"{where}|{n}", option, depth + 1) for n, option in enumerate(cast("list[Any]", options))]
    unique = {json.dumps(shape, sort_keys=True): shape for shape in shapes}  # servers list some twice, in any order
    ordered = [unique[key] for key in sorted(unique)]
    return ordered[0] if len(ordered) == 1 else {"oneOf": ordered}


def _all_of(where: str, node: Facts, depth: int) -> Any:
    parts = node["allOf"]
    if isinstance(parts, list) and len(cast("list[Any]", parts)) == 1:
        return _shape(where, parts[0], depth + 1)
    raise CodegenError(f"{where}: allOf of several schemas is not understood; DHIS2 writes none")


def _enum(where: str, node: Facts) -> Facts:
    constants = node["enum"]
    if not isinstance(constants, list) or not constants:
        raise CodegenError(f"{where}: enum must be a list that is not empty")
    if not all(isinstance(c, str) for c in cast("list[Any]", constants)):
        raise CodegenError(f"{where}: enum of something else than text: {constants!r:.80}")
    return {"enum": list(dict.fromkeys(cast("list[str]", constants)))}


def _object(where: str, node: Facts, depth: int) -> Any:
    properties = node.get("properties")
    if properties is None:
        values = node.get("additionalProperties")
        return {"map": _shape(where + "{}", values, depth + 1)} if isinstance(values, dict) else "any"
    if not isinstance(properties, dict):
        raise CodegenError(f"{where}: properties must be an object, not {type(properties).__name__}")
    named = cast("dict[str, Any]", properties)
    shape: Facts = {"properties": {n: _shape(f"{where}.{n}", named[n], depth + 1) for n in sorted(named)}}
    required = sorted(str(n) for n in cast("list[Any]", node.get("required") or []))
    read_only = sorted(n for n, p in named.items() if isinstance(p, dict) and "readOnly" in p and p["readOnly"])
    return shape | ({"required": required} if required else {}) | ({"readOnly": read_only} if read_only else {})

"""Geometries of organisation units out of GeoJSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from dhis2sh.dhis2.geometry import shape_of
from dhis2sh.errors import UsageError
from dhis2sh.files import parse_json
from dhis2sh.types import JsonObject
from dhis2sh.words import counted

SHAPES = ("Point", "Polygon", "MultiPolygon")
"""The geometries that DHIS2 draws for a unit."""


def features_of(text: str, where: str) -> list[JsonObject]:
    """The features of a GeoJSON text; an array of rows is read as features too. Raises `UsageError`."""
    body = parse_json(text, where)
    if isinstance(body, dict):
        body = [body] if body.get("type") == "Feature" else body.get("features")
    features = [item for item in body if isinstance(item, dict)] if isinstance(body, list) else []
    if not features:
        raise UsageError(f"{where} has no features", hint='GeoJSON: {"type": "FeatureCollection", "features": [...]}')
    return features


def shapes_of(features: Sequence[JsonObject], where: str) -> tuple[dict[str, JsonObject], list[str]]:
    """The geometries by what names their unit, and the names of features that have none.

    Raises `UsageError` with the feature that is wrong.
    """
    shapes: dict[str, JsonObject] = {}
    bare: list[str] = []
    for number, feature in enumerate(features, 1):
        named = {**cast("JsonObject", feature.get("properties") or {}), **feature}
        text = next((value for key in ("id", "code", "name") if isinstance(value := named.get(key), str)), None)
        if text is None:
            raise UsageError(
                f"feature {number} of {where} names no unit", hint="its id, or one of its properties id, code, name"
            )
        shape = feature.get("geometry")
        if not isinstance(shape, dict):
            bare.append(text)
            continue
        if text in shapes:
            raise UsageError(f"{where}: '{text}' is there twice", hint="one feature for each unit")
        _check_shape(shape, f"feature {number} of {where} ('{text}')")
        shapes[text] = shape
    return shapes, bare


def _check_shape(shape: JsonObject, where: str) -> None:
    """Raise `UsageError` for a shape that is none of a unit, or is not on earth."""
    if shape.get("type") not in SHAPES:
        raise UsageError(
            f"{where} is a {shape.get('type')}", hint=f"a unit is a {', '.join(SHAPES[:-1])} or {SHAPES[-1]}"
        )
    if shape_of(where, shape) is None:
        raise UsageError(
            f"{where} has coordinates that are no place on earth", hint="longitude first, then latitude, in degrees"
        )


def outlined(shape: JsonObject) -> str:
    """A shape in words: `a Polygon of 238 points`."""
    read = shape_of("", shape)
    if read is None or shape.get("type") == "Point":
        return f"a {shape.get('type')}"
    return f"a {shape.get('type')} of {counted(sum(1 for _ in read.vertices()), 'point')}"

"""Numbers as analytics writes them: rounded half up, whole ones without a fraction, doubles as Java prints them."""

from __future__ import annotations

import math
from decimal import ROUND_HALF_UP, Decimal

DECIMALS = 2


def rounded(value: float, decimals: int = DECIMALS) -> float:
    """Rounded half up, as Java's `Precision.round`."""
    if value.is_integer():
        return value
    return float(Decimal(repr(value)).quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP))


def java_double(value: float) -> str:
    """A double as Java writes it: `1044.0`, and `1.2345678E7` from ten million on."""
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")
    size = abs(value)
    if value == 0 or 1e-3 <= size < 1e7:
        return repr(float(value)) if "e" not in repr(value) else format(Decimal(repr(value)), "f")
    digits = Decimal(repr(value)).as_tuple()
    text = "".join(map(str, digits.digits)).rstrip("0") or "0"
    exponent = len(digits.digits) + int(digits.exponent) - 1
    return f"{'-' if digits.sign else ''}{text[0]}.{text[1:] or '0'}E{exponent}"


def plain(value: float) -> str:
    """A value of a data element: `88039`, `25.67`."""
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else java_double(value)

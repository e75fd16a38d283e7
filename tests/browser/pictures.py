"""Pictures of Chromium's as rows of pixels, and how far two of them are from each other."""

import struct
import zlib
from itertools import batched


def pixels(picture: bytes) -> tuple[int, int, list[bytes]]:
    """Width, height, and the rows of a PNG of 8 bits a channel, each pixel as its red, green and blue."""
    assert picture[:8] == b"\x89PNG\r\n\x1a\n"
    width, height, depth, colour = struct.unpack(">IIBB", picture[16:26])
    assert depth == 8
    size = {2: 3, 6: 4}[colour]
    data, at = b"", 8
    while at < len(picture):
        length, kind = struct.unpack(">I4s", picture[at : at + 8])
        data += picture[at + 8 : at + 8 + length] if kind == b"IDAT" else b""
        at += length + 12
    raw, stride = zlib.decompress(data), width * size
    rows: list[bytes] = []
    before = bytes(stride)
    for y in range(height):
        start = y * (stride + 1)
        before = _unfiltered(raw[start], bytearray(raw[start + 1 : start + 1 + stride]), before, size)
        rows.append(before if size == 3 else bytes(b for one in batched(before, 4, strict=True) for b in one[:3]))
    return width, height, rows


def _unfiltered(kind: int, row: bytearray, up: bytes, size: int) -> bytes:
    if kind == 0:
        return bytes(row)
    for x in range(len(row)):
        left, above = row[x - size] if x >= size else 0, up[x]
        corner = up[x - size] if x >= size else 0
        if kind == 1:
            row[x] = (row[x] + left) & 255
        elif kind == 2:
            row[x] = (row[x] + above) & 255
        elif kind == 3:
            row[x] = (row[x] + (left + above) // 2) & 255
        else:
            a, b, c = abs(above - corner), abs(left - corner), abs(left + above - 2 * corner)
            row[x] = (row[x] + (left if a <= b and a <= c else above if b <= c else corner)) & 255
    return bytes(row)


def distance(one: bytes, other: bytes) -> float:
    """The share of pixels of two pictures of one size that are told apart by the eye."""
    (width, height, a), (*size, b) = pixels(one), pixels(other)
    assert [width, height] == size
    far = sum(
        any(abs(p - q) > 24 for p, q in zip(x, y, strict=True))
        for left, right in zip(a, b, strict=True)
        if left != right
        for x, y in zip(batched(left, 3, strict=True), batched(right, 3, strict=True), strict=True)
    )
    return far / (width * height)


def colours(picture: bytes, x: int, y: int, width: int, height: int) -> int:
    """How many colours there are in a part of a picture."""
    _, _, rows = pixels(picture)
    return len(
        {tuple(one) for row in rows[y : y + height] for one in batched(row[3 * x : 3 * (x + width)], 3, strict=True)}
    )

"""How the batch command prints: a table for people, or one of the data formats. A pipe never changes the format."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from dhis2sh import paths
from dhis2sh.errors import NotWritten, UsageError, did_you_mean
from dhis2sh.rows import formats
from dhis2sh.rows.registry import stages
from dhis2sh.rows.rows import AsRows, Rows, to_json, to_plain
from dhis2sh.rows.stream import Stream
from dhis2sh.show.rows import TableWriter, wide
from dhis2sh.surfaces import commands
from dhis2sh.surfaces.terminal import drawn
from dhis2sh.verbs.options import ENDINGS, FORMATS
from dhis2sh.words import on_screen

if TYPE_CHECKING:
    from dhis2sh.rows.sinks import Pouring
    from dhis2sh.types import JsonValue
    from dhis2sh.verbs.options import Options


def format_of(options: Options) -> str:
    """The format that is asked for: `--json`, `-o`, the ending of `--out`, else a table."""
    if options.json or options.jq:
        return "json"
    if options.format:
        return options.format
    ending = options.out.suffix.lstrip(".") if options.out else ""
    return ending if ending in ENDINGS else "table"


def check(options: Options) -> None:
    """Refuse an impossible format before anything is sent. Raises `UsageError`."""
    chosen = format_of(options)
    if chosen not in FORMATS:
        raise UsageError(
            f"there is no format '{chosen}'", hint=did_you_mean(chosen, FORMATS) or f"formats: {' '.join(FORMATS)}"
        )
    if chosen in formats.BINARY and options.out is None:
        raise UsageError(f"{chosen} wants a file", hint=f"--out FILE.{chosen}")


def write(result: object, options: Options) -> None:
    """Print a result, or write it to `--out`. Raises `Dhis2Error` when the file cannot be written."""
    chosen = format_of(options)
    if chosen in formats.BINARY:
        _stage(chosen, result, str(options.out), **_safety(chosen, options.safe))
        return
    seen = options.out is None and sys.stdout.isatty()
    colour = seen and "NO_COLOR" not in os.environ
    in_words = chosen in {"table", "wide"} and not options.jq
    commands.keep(result)
    if options.jq:
        text = "\n".join(_jq(options.jq, _told(result)))
        text = on_screen(text, json=True) if seen else text
    elif chosen == "wide" and isinstance(result, Rows):
        text = wide(cast("Rows[Any]", result), colour)
    elif in_words:
        text = drawn(result, width=None if seen else 0, colour=colour)
    else:
        text = formatted(result, chosen, safe=options.safe)
        text = on_screen(text, json="json" in chosen) if seen else text
    if options.out is None:
        sys.stdout.write(text + "\n" if text and not text.endswith("\n") else text)
        sys.stdout.flush()
        return
    if isinstance(result, Rows):
        formats.check_not_emptied(options.out, len(cast("Rows[Any]", result)))
    try:
        paths.write_atomic(options.out, text + "\n" if text and not text.endswith("\n") else text)
    except OSError as error:
        raise NotWritten.of(options.out, error, elsewhere="choose another --out") from error


def _told(result: object) -> JsonValue:
    """A result as JSON; the commands of what is ours to word name the profile that its line named."""
    if not commands.worded(result):
        return to_json(result)
    with commands.of_result(result):
        return commands.carried_in(to_json(result))


@contextmanager
def pouring(stream: Stream[Any], options: Options) -> Generator[Pouring]:
    """Where the batches of a stream go as they come: standard output, or `--out`, which appears when all are there.

    Raises `Dhis2Error` when the file cannot be written, `PipelineError` for a field that would be lost.
    """
    from dhis2sh.rows import sinks  # start-up: statistics and random, which most results do not need

    chosen = format_of(options)
    if chosen in formats.BINARY:
        make = partial(formats.file_writer, chosen, safe=options.safe)
        with sinks.binary_file(str(options.out), make) as writer, sinks.Pouring(stream, writer) as poured:
            yield poured
            formats.check_not_emptied(str(options.out), poured.count)
    elif options.out is not None:
        with (
            sinks.text_file(str(options.out)) as write,
            sinks.Pouring(stream, _writer(chosen, write, 0, options.safe)) as poured,
        ):
            yield poured
            formats.check_not_emptied(options.out, poured.count)
    else:
        seen = sys.stdout.isatty()
        write = _onto_screen(chosen) if seen else _printed
        wanted = None if seen and chosen != "wide" else 0
        with sinks.Pouring(stream, _writer(chosen, write, wanted, options.safe)) as poured:
            yield poured


def _printed(text: str) -> None:
    """Onto standard output at once: whoever reads it need not wait for the next batch."""
    sys.stdout.write(text)
    sys.stdout.flush()


def _onto_screen(chosen: str) -> formats.Write:
    """Onto a terminal, where what others wrote is shown and not obeyed; a table has seen to it itself."""
    if chosen in _TABLES:
        return _printed
    return lambda text: _printed(on_screen(text, json="json" in chosen))


_TABLES = {"table", "wide", "geojson"}
"""What a stream is drawn as, not written."""


def _writer(chosen: str, write: formats.Write, width: int | None, safe: bool) -> formats.Writer:
    """What writes a format. JSON has rows as they are, like that of other results."""
    if chosen in _TABLES:
        return TableWriter(write, width, colour=width is None and "NO_COLOR" not in os.environ)
    return formats.text_writer(chosen, write, safe=safe, whole=chosen in {"json", "ndjson"})


CHOSEN_PAGES = {"limit", "page", "page_size"}
"""Who says one of these knows that there is more."""


def remark(result: object, options: Options, arguments: Mapping[str, object], *, kept: bool = False) -> str | None:
    """What is to be said beside data that cannot say it: which file they went to, and that they are not all there is.

    Parameters:
        result: what was written; options: how.
        arguments: those of the verb.
        kept: the result went into a variable, so that no table is shown which would say it.
    """
    if not isinstance(result, Rows) or arguments.keys() & CHOSEN_PAGES:
        return None
    rows = cast("Rows[object]", result)
    if rows.page is not None and rows.page.truncated:
        counted = f"{rows.page} rows; {rows.page.more}"
    elif options.out is not None:
        counted = f"{len(rows):,} rows"
    else:
        return None
    if options.out is not None:
        return f"{options.out}: {counted}"
    return counted if kept or format_of(options) not in {"table", "wide"} else None


SEPARATED = ("csv", "tsv")


def _safety(chosen: str, safe: bool) -> dict[str, bool]:
    return {"safe": True} if safe and chosen in {*SEPARATED, "xlsx"} else {}


def formatted(result: object, chosen: str, *, safe: bool = False) -> str:
    """A result as text in one of the data formats.

    Parameters:
        result: what a verb returned; chosen: the format.
        safe: as of `dhis2sh.rows.formats.flat`.
    """
    if chosen == "json":
        return json.dumps(_told(result), indent=2, ensure_ascii=False)
    if chosen == "ndjson":
        items = cast("Rows[Any]", result).plain() if isinstance(result, Rows) else [_told(result)]
        return "\n".join(json.dumps(item, ensure_ascii=False) for item in items)
    if chosen == "wide":
        return wide(cast("Rows[Any]", result), False) if isinstance(result, Rows) else drawn(result, width=0)
    if chosen == "name":
        out = io.StringIO()
        formats.text_writer("name", out.write).add([to_plain(item) for item in _items(result)])
        return out.getvalue().removesuffix("\n")
    said = _told(result) if commands.worded(result) else result
    return str(_stage(chosen, said, **_safety(chosen, safe)))


def _items(result: object) -> list[object]:
    return cast("Rows[object]", result).items if isinstance(result, Rows) else [result]


def _stage(name: str, result: object, *arguments: str, **options: bool) -> object:
    """The sink of a pipeline writes the other formats too."""
    if isinstance(result, AsRows) and name != "yaml":
        result = result.as_rows()
    rows = cast("Rows[Any]", result) if isinstance(result, Rows) else Rows([to_plain(result)])
    return stages()[name].bind(*arguments, **options)(rows)


def _jq(expression: str, value: JsonValue) -> Iterator[str]:
    import jq  # heavy: a compiled program

    try:
        for item in cast("Any", jq).compile(expression).input_value(value):
            yield item if isinstance(item, str) else json.dumps(item, indent=2, ensure_ascii=False)
    except ValueError as error:
        raise UsageError(f"jq: {str(error).splitlines()[0]}", hint="try --jq '.[].id'") from error

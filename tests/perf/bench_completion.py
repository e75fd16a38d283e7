"""How long a key takes with a menu of names, through IPython's own completer, at three sizes of the name index."""

import random
import statistics
import tempfile
import time
from pathlib import Path

from tests.perf.rows import Row

WORDS = [
    "anc",
    "bcg",
    "opv",
    "doses",
    "given",
    "first",
    "second",
    "malaria",
    "cases",
    "confirmed",
    "under",
    "five",
    "years",
    "outpatient",
    "referral",
    "clinic",
    "ngele",
    "district",
    "health",
    "centre",
    "total",
    "male",
    "female",
    "follow",
    "up",
    "visit",
    "weight",
    "height",
    "screening",
    "positive",
    "negative",
    "stock",
]


def rows(quick: bool) -> list[Row]:
    from IPython.core.completer import provisionalcompleter
    from IPython.core.interactiveshell import InteractiveShell

    from dhis2sh.index.names import Hit, NameIndex
    from dhis2sh.surfaces.ipython import magics

    shell = InteractiveShell.instance()
    shell.Completer.use_jedi = False
    runner = magics.load(shell, "sandbox")
    chance = random.Random(1)
    found: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        for size in (1_000, 10_000, 100_000):
            index = NameIndex(Path(folder) / f"{size}.db")
            hits = [
                Hit(
                    f"u{n:010d}",
                    "dataElements" if n % 20 else "indicators",
                    " ".join(chance.choices(WORDS, k=5)),
                    f"C_{n}",
                )
                for n in range(size)
            ]
            index.put("dataElements", hits)
            runner.background._names, runner.background._indexed = index, runner.background._address()
            times: list[float] = []
            offered = 0
            with provisionalcompleter():
                for typed in (word[:length] for word in WORDS for length in range(2, len(word) + 1)):
                    line = f"metadata get {chance.choice(('dataElements', 'indicators'))} {typed}"
                    began = time.perf_counter()
                    offered += len(list(shell.Completer.completions(line, len(line))))
                    times.append((time.perf_counter() - began) * 1000)
            assert offered > len(times)
            p95 = statistics.quantiles(times[1:], n=20)[-1]
            found.append(
                Row(
                    f"completion of a UID among {size:,} names, p95",
                    p95,
                    statistics.median(times),
                    "ms (median: p50)",
                    30,
                )
            )
    runner.close()
    return found

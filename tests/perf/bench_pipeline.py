"""`where` over 100,000 rows."""

import statistics
import time

from tests.perf.rows import Row, runs


def rows(quick: bool) -> list[Row]:
    from dhis2sh.rows.registry import stages
    from dhis2sh.rows.rows import Rows

    many = Rows([{"name": f"ANC {n}", "valueType": "NUMBER" if n % 2 else "TEXT"} for n in range(100_000)])
    stage = stages()["where"].bind("valueType == 'NUMBER' and name.startswith('ANC')")
    times: list[float] = []
    for _ in range(runs(quick)):
        began = time.perf_counter()
        stage(many)
        times.append((time.perf_counter() - began) * 1000)
    return [Row("where over 100,000 rows", min(times), statistics.median(times), "ms", 150)]

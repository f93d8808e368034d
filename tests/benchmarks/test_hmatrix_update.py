"""The update benchmark counts what an update wrote, all of it where it compressed anew."""

from __future__ import annotations

from hmatrix_parts import update as benchmark
from support.operators import kernel, points

N = 200


def test_rows_of_an_update_and_of_building_anew() -> None:
    at = points(N)
    first, _ = benchmark.built(kernel(at), at, None)
    later = kernel(at, 0.5)
    again, anew = (benchmark.built(later, at, previous) for previous in (first, None))
    rows = benchmark._compared("case", 0.1, again, anew)
    assert {(row.rival, row.unit) for row in rows} == {
        (rival, unit) for rival in ("ours", "built anew") for unit in ("s", "x fewer bytes", "bytes written")
    }
    wrote = {row.rival: row.measured or 0.0 for row in rows if row.unit == "bytes written"}
    assert 0 < wrote["ours"] < 0.5 * wrote["built anew"]
    assert "blocks stay" in rows[0].note
    told = {**again[0].ledger, "update": {**again[0].ledger["update"], "outcome": "compressed anew"}}
    all_of_it = type(again[0])(again[0].module, again[0].reference, told)
    assert benchmark.written(all_of_it) == told["total"]["bytes_after"]

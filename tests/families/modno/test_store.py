"""Run folders of many operators: what is written is read back bit for bit, what was changed is refused by its name."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from edgepde_runtime import npz

from edgepde.errors import RunError
from edgepde.modno import branches, store
from edgepde.modno.cassette import Cassette
from edgepde.modno.encoding import Encoding
from edgepde.modno.model import SharedModel
from edgepde.train.run_folder import Run

SENSORS = 11


def shared(delta: int = 0) -> store.Shared:
    """A model of small sizes and two cassettes, one of them smaller than the model's room."""
    rng = np.random.default_rng(0)
    branch = branches.build({"kind": "gaussian", "inputs": 9, "features": 4, "units": 5})
    model = SharedModel(Encoding(np.arange(SENSORS) * 2.0 / SENSORS, 2.0, 4), branch, 3, 5, 3, delta)

    def one(name: str, rank: int, **more: Any) -> Cassette:
        wide = model.sizes.features
        return Cassette(
            name, name == "first", rng.normal(size=(2, 3, 5)).astype(np.float32), rng.normal(size=(wide, rank)),
            rng.normal(size=(rank, 3, 11)).astype(np.float32), 0.5, 2.0, -np.ones(SENSORS), np.ones(SENSORS), **more,
        )  # fmt: skip

    pair = {"left": rng.normal(size=(9, delta)), "right": rng.normal(size=(delta, 9))} if delta else {}
    made = [one("first", 3, notes={"chosen": "shared"}), one("second", 2, **pair).halved()]
    return store.Shared(model, {c.name: c for c in made}, {c.name: {"unit": "m"} for c in made})


def written(path: Path, delta: int = 0) -> store.Shared:
    """A finished run."""
    made = shared(delta)
    with Run.start(path, {"seed": 0}) as run:
        store.save(run, made, {"name": "two"}, {"operators": {}})
    return made


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run that no test changes."""
    path = tmp_path_factory.mktemp("modno") / "run"
    written(path)
    return path


@pytest.mark.parametrize("delta", [0, 2])
def test_what_is_read_gives_the_same_bits(tmp_path: Path, delta: int) -> None:
    made = written(tmp_path / "run", delta)
    read = store.load(tmp_path / "run").shared
    sensors = torch.randn(4, SENSORS, generator=torch.Generator().manual_seed(1))
    for name, cassette in made.cassettes.items():
        other = read.cassettes[name]
        for field in ("multiplier", "mixing", "basis", "low", "high"):
            mine, theirs = getattr(cassette, field), getattr(other, field)
            assert mine.dtype == theirs.dtype
            np.testing.assert_array_equal(mine, theirs)
        assert (other.frame, other.scale, other.horizon, other.notes) == (
            cassette.frame, cassette.scale, cassette.horizon, cassette.notes,
        )  # fmt: skip
        with torch.no_grad():
            a, b = (m.model(sensors, *m.model.slots(c)) for m, c in ((made, cassette), (read, other)))
        assert torch.equal(a, b)
    assert read.numbers == made.numbers
    assert read.cassettes["second"].basis.dtype == np.float16


def test_the_same_run_has_the_same_bytes(tmp_path: Path, finished: Path) -> None:
    written(tmp_path / "again")
    for name in ("first", "second"):
        file = f"cassettes/{name}.npz"
        assert (tmp_path / "again" / file).read_bytes() == (finished / file).read_bytes()


def _spec(change: Callable[[dict[str, Any]], None]) -> Callable[[Path], None]:
    def apply(run: Path) -> None:
        spec = json.loads((run / "spec.json").read_text())
        change(spec)
        (run / "spec.json").write_text(json.dumps(spec))

    return apply


def _member(name: str, value: Any, file: str = "first") -> Callable[[Path], None]:
    """Another value for a member (None: without it), with the sha256 in spec.json made to fit."""

    def apply(run: Path) -> None:
        path = run / f"cassettes/{file}.npz"
        with np.load(path) as held:
            arrays = dict(held)
        arrays = {n: v for n, v in (arrays | {name: value}).items() if v is not None}
        _replaced(run, file, npz.written(arrays))

    return apply


def _replaced(run: Path, file: str, data: bytes) -> None:
    (run / f"cassettes/{file}.npz").write_bytes(data)
    digest = hashlib.sha256(data).hexdigest()
    _spec(lambda spec: spec["modno"]["cassettes"][file].update(sha256=digest))(run)


def _pickled(run: Path) -> None:
    held = io.BytesIO()
    np.savez(held, multiplier=np.array([{"a": 1}], dtype=object), allow_pickle=True)
    _replaced(run, "first", held.getvalue())


def _cut(run: Path) -> None:
    path = run / "cassettes/first.npz"
    path.write_bytes(path.read_bytes()[:-40])


WRONG = {
    "a cut file": (_cut, "first.npz"),
    "an altered file": (
        lambda run: (run / "cassettes/first.npz").write_bytes(npz.written({"a": np.ones(1)})),
        "sha256",
    ),
    "a missing file": (lambda run: (run / "cassettes/second.npz").unlink(), "second.npz: cannot be read"),
    "one more file": (lambda run: (run / "cassettes/third.npz").write_bytes(b""), "third.npz"),
    "pickled data": (_pickled, "first.npz"),
    "NaN": (_member("mixing", np.full((14, 3), np.nan)), "mixing: expected finite"),
    "a lost member": (_member("basis", None), "expected"),
    "an unknown member": (_member("code", np.ones(1)), "code"),
    "another shape": (_member("mixing", np.ones((15, 3))), r"mixing: expected at most \[14, 3\], got \[15, 3\]"),
    "a larger basis": (_member("basis", np.ones((3, 4, 11))), r"basis: expected at most"),
    "half a frame": (_member("frame", np.array([0.5])), "frame: expected 0 or 1"),
    "no scale": (_member("scale", np.array([0.0])), "scale: expected a number above 0"),
    "two scales": (_member("scale", np.ones(2)), r"scale: expected \[1\]"),
    "no horizon": (_member("horizon", np.array([-1.0])), "horizon: expected a number above 0"),
    "a box upside down": (_member("low", np.full(SENSORS, 2.0)), "low <= high"),
    "a box of other sensors": (_member("high", np.ones(SENSORS + 1)), rf"high: expected \[{SENSORS}\]"),
    "half a delta": (_member("left", np.ones((9, 1))), "left and right"),
    "an unknown section": (_spec(lambda s: s["modno"].update(code="x")), "unknown keys"),
    "a name that is a path": (
        _spec(lambda s: [s["modno"][k].update({"../x": s["modno"][k]["first"]}) for k in ("cassettes", "operators")]),
        r"\.\./x",
    ),
    "an operator unheard of": (_spec(lambda s: s["modno"]["operators"].pop("first")), "same 1 to"),
    "an unknown size": (_spec(lambda s: s["architecture"].update(depth=2)), "architecture: expected"),
    "no whole number": (_spec(lambda s: s["architecture"].update(terms=2.5)), "architecture.terms: expected a whole"),
    "sizes beyond memory": (_spec(lambda s: s["architecture"].update(terms=65536, modes=65536)), "basis of at most"),
    "more modes than sensors": (_spec(lambda s: s["architecture"].update(input_modes=6)), "modes: expected 1 to 5"),
    "an unknown branch": (_spec(lambda s: s["architecture"]["branch"].update(kind="lstm")), "lstm"),
    "a branch of other sizes": (_spec(lambda s: s["architecture"]["branch"].update(units=6)), "tensor branch"),
    "a branch beyond memory": (_spec(lambda s: s["architecture"]["branch"].update(units=1 << 40)), "units: expected"),
    "an unknown precision": (_spec(lambda s: s["architecture"].update(dtype="float8")), "dtype: expected"),
    "no period": (_spec(lambda s: s["architecture"].update(period=None)), "period: expected a number"),
    "another family": (_spec(lambda s: s.update(family="network", network=s.pop("modno"))), "family: expected 'modno'"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_was_changed_is_refused_by_its_name(finished: Path, tmp_path: Path, what: str) -> None:
    change, told = WRONG[what]
    shutil.copytree(finished, tmp_path / "run")
    change(tmp_path / "run")
    with pytest.raises(RunError, match=told) as raised:
        store.load(tmp_path / "run")
    assert str(tmp_path / "run") in str(raised.value)


def test_a_run_that_is_not_finite_or_badly_named_is_not_written(tmp_path: Path) -> None:
    made = shared()
    first = made.cassettes["first"]
    first.mixing[0, 0] = np.inf
    with Run.start(tmp_path / "run", {"seed": 0}) as run:
        with pytest.raises(RunError, match="cassette first: mixing"):
            store.save(run, made, {"name": "two"}, {})
        with pytest.raises(RunError, match="operator 'a/b'"):
            store.save(run, store.Shared(made.model, {"a/b": first}, {"a/b": {}}), {"name": "two"}, {})
        assert not (tmp_path / "run/spec.json").exists()

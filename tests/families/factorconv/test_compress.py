"""Decoders compressed: bounds that hold, what an interrupted search keeps, what is said where nothing fits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from edgepde_export.exporting import export
from edgepde_runtime import bundle
from edgepde_runtime import load as loaded
from edgepde_runtime.box import Box
from edgepde_runtime.errors import NotVerified

from edgepde.errors import RunError
from edgepde.factorconv import compress, store
from edgepde.factorconv.decoder import Decoder
from edgepde.factorconv.examples import Examples
from edgepde.train import tensor_file
from edgepde.train.run_folder import Run

BOX = Box([-1.0, 0.5], [1.0, 2.0], ["a", "c"], ["m", "m/s"])
AXES = {name: np.linspace(0.0, 1.0, n) for name, n in (("t", 3), ("y", 4), ("x", 5))}
HOW = Decoder(parameters=2, times=3, rows=4, columns=5, hidden=(5, 8), rank=0, positions=12, axes=(2, 3, 3))


def simulator() -> store.Simulator:
    """A decoder whose core falls off: some of its positions and of its mixtures hardly matter."""
    module = HOW.seeded(0).double().eval()
    draw = np.random.default_rng(1)
    with torch.no_grad():
        module.core.weight.copy_(torch.from_numpy(draw.standard_normal((12, 8)) * 0.5 ** np.arange(12)[:, None]))
        for name in ("time", "row", "column"):
            axis = getattr(module, name)
            axis.copy_(torch.from_numpy(draw.standard_normal(tuple(axis.shape))))
    return store.Simulator(HOW, module.float(), BOX, "parameters", "u", "um", AXES)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "run"
    with Run.start(folder, {"seed": 0}) as opened:
        store.save(opened, simulator(), {"name": "wave"}, {})
    return folder


@pytest.fixture(scope="module")
def small(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("small") / "run"
    compress.compress_to(compress.of_run(run), folder, 1.0, seconds=20.0)
    return folder


def apart(run: Path) -> float:
    """The largest difference of a compressed run and its original on many inputs, corners among them."""
    made = store.load(run)
    assert made.reference is not None
    low, high = np.array(BOX.low), np.array(BOX.high)
    share = np.random.default_rng(2).uniform(-0.2, 1.2, (2000, 2)).clip(0.0, 1.0)
    x = torch.from_numpy(low + share * (high - low))
    pair = [one.module.double().eval() for one in (made.reference, made.simulator)]
    with torch.no_grad():
        return float((pair[0](x) - pair[1](x)).abs().max())


def test_the_bound_of_a_compressed_decoder_is_proved_and_holds(small: Path) -> None:
    made = store.load(small)
    ledger = made.run.ledger or {}
    assert made.reference is not None
    assert made.simulator.parameters < made.reference.parameters
    assert ledger["error"]["class"] == "sound"
    assert 0.0 < apart(small) <= ledger["error"]["value"] <= 1.0
    assert ledger["error"]["found"] >= 0.8 * apart(small)


def test_the_bundle_states_what_compression_cost(small: Path, tmp_path: Path) -> None:
    folder = export(small, tmp_path / "b", prove_seconds=2.0, log=lambda _: None)
    term = bundle.read(folder).certificate.outputs["u"].terms["compression"]
    assert term.class_ == "sound"
    made = store.load(small)
    assert made.reference is not None
    x = BOX.sample(200, np.random.default_rng(3)).astype(np.float32)
    with torch.no_grad():
        wanted = made.reference.module.double().eval()(torch.from_numpy(x).double()).numpy()
    difference = np.abs(loaded(folder, backend="reference")(x) - wanted).max()
    others = [
        bundle.read(folder).certificate.outputs["u"].terms[n].value for n in ("quantisation", "rounding", "activation")
    ]
    assert term.value is not None
    assert 0.0 < difference <= term.value + sum(v or 0.0 for v in others)


def test_where_nothing_fits_the_best_is_said_and_nothing_is_left(run: Path, tmp_path: Path) -> None:
    with pytest.raises(NotVerified, match="nothing smaller keeps an error of 1e-12: the best form is off by"):
        compress.compress_to(compress.of_run(run), tmp_path / "none", 1e-12, min_class="measured")
    assert not (tmp_path / "none").exists()


def test_a_proof_that_is_not_reached_is_said(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compress, "bound_difference", _useless)
    words = r"nothing within 1 is proved, at best 1e\+03 with \d+ numbers; give --min-class measured"
    with pytest.raises(NotVerified, match=words):
        compress.compress_to(compress.of_run(run), tmp_path / "none", 1.0)
    assert not (tmp_path / "none").exists()
    made = compress.compress_to(compress.of_run(run), tmp_path / "measured", 1.0, min_class="measured")
    assert made.ledger["error"]["class"] == "measured"
    assert apart(tmp_path / "measured") <= made.ledger["error"]["value"] <= 1.0


def test_an_interrupted_search_goes_on_where_it_was(
    run: Path, small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, proved = tmp_path / "small", compress.bound_difference
    monkeypatch.setattr(compress, "bound_difference", _interrupted)
    with pytest.raises(KeyboardInterrupt):
        compress.compress_to(compress.of_run(run), out, 1.0, seconds=20.0)
    kept = tensor_file.decode(out / "checkpoint" / "tried.safetensors")[1]["tried"]
    assert kept
    judged: list[Any] = []
    alone = compress._Search.alone
    monkeypatch.setattr(compress, "bound_difference", proved)
    monkeypatch.setattr(compress._Search, "alone", lambda self, m: judged.append(m) or alone(self, m))
    made = compress.compress_to(compress.of_run(run), out, 1.0, seconds=20.0)
    assert len(judged) == len(made.ledger["tried"]) - len(kept)
    assert made.ledger["tried"][: len(kept)] == kept
    assert json.loads((small / "ledger.json").read_text())["total"] == made.ledger["total"]


def test_damaged_notes_of_a_search_are_refused(run: Path, tmp_path: Path) -> None:
    identity = {"compressed": run.name, "of": store.load(run).run.spec["identity"], "max_error": "1.0"}
    identity |= {"method": "auto", "min_class": "sound", "seed": 0}
    with Run.start(tmp_path / "small", identity) as opened:
        opened.save("tried", {}, {"tried": [{"method": "decoder", "numbers": "7"}]})
    with pytest.raises(RunError, match="tried: expected what was tried"):
        compress.compress_to(compress.of_run(run), tmp_path / "small", 1.0)


def _interrupted(*_: Any, **__: Any) -> Any:
    raise KeyboardInterrupt


def _useless(*nets: Any, **how: Any) -> Any:
    from dataclasses import replace

    from edgepde.certify.engine import bound_difference

    made = bound_difference(*nets, **{**how, "seconds": 0.1})
    return replace(made, value=np.full_like(made.value, 1000.0))


def test_the_last_case_kept_is_not_taught() -> None:
    draw = np.random.default_rng(0)
    kept = Examples(draw.random((3, 2)), ("a", "c"), ("m", "m/s"), draw.random((3, 4, 2, 2)).astype(np.float32))
    taught = compress.to_teach(kept)
    assert taught is not None
    assert np.array_equal(taught.fields, kept.fields[:2])
    assert np.array_equal(taught.parameters, kept.parameters[:2])
    assert compress.to_teach(None) is compress.to_teach(Examples(*_first(taught))) is None


def _first(kept: Examples) -> tuple[Any, ...]:
    return kept.parameters[:1], kept.names, kept.units, kept.fields[:1]

"""The C of a model with slots: const pointers after its inputs, read where they lie, one set of bits for all rows."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from edgepde_export import native
from edgepde_export.c99 import generate
from edgepde_runtime import bundle as bundles
from edgepde_runtime import load, shelf, trust
from edgepde_runtime.backends.c99 import C99Backend
from edgepde_runtime.cassettes import Cassette, file_of
from edgepde_runtime.certificate import OutputCertificate, index
from edgepde_runtime.errors import BackendError
from edgepde_runtime.manifest import FileEntry
from edgepde_runtime.term import TERMS, Term
from support import cassette_bundles as made
from support.blocks_kernel import chunked
from support.kernel_libraries import STRICT, needs_cc

X = np.random.default_rng(0).uniform(-2, 2, (37, made.SENSORS)).astype(np.float32)
pytestmark = needs_cc


def arrays_of(held: Cassette) -> dict[str, np.ndarray]:
    """What test_golden.c is given of a cassette."""
    parts = {"slot": held.slots, "input": held.golden.inputs, "output": held.golden.outputs}
    return {f"{kind}/{name}": array for kind, arrays in parts.items() for name, array in arrays.items()}


@pytest.fixture(scope="module")
def sources() -> dict[str, bytes]:
    """c99/ of the model, its test with the cassette wave."""
    encoded, wave = made.model(), made.cassette("wave", 1)
    manifest = made.manifest(made.model_hash(encoded), {})
    return generate(encoded, manifest, made.unstated(manifest.model_hash), arrays_of(wave), wave.certificate)


@pytest.fixture(scope="module")
def compiled() -> C99Backend:
    found = native.backend(made.model(), (made.inputs(), (made.OUTPUT,)), lambda _: None, made.SPECS)
    assert found is not None
    return found


def test_slots_are_const_pointers_after_the_inputs(sources: dict[str, bytes]) -> None:
    header = sources["shared.h"].decode()
    run = " ".join(header.split("shared_run(")[1].split(");")[0].split())
    assert run == ("size_t B, const float *sensors, const uint16_t *basis, const float *scale, float *u, void *scratch")
    check = " ".join(header.split("shared_check(")[1].split(");")[0].split())
    assert check == "size_t B, const float *sensors, int *sensors_flags"
    assert "basis float16 [4, 5], the bits of halves: of one cassette, finite; not looked at" in header


@pytest.mark.parametrize("rows", [1, 5, 16, 37])
def test_every_row_has_the_contracts_bits(rows: int, compiled: C99Backend) -> None:
    features = compiled_features(X[:rows])
    for seed in (1, 2):
        slots = made.arrays(seed)
        got = compiled.fed(slots).run({"sensors": X[:rows]})["u"]
        expected = chunked(features, slots["basis"].astype(np.float32)) * slots["scale"]
        np.testing.assert_allclose(got, expected, rtol=0, atol=2e-6)
        for row in range(rows):
            np.testing.assert_array_equal(compiled.fed(slots).run({"sensors": X[row : row + 1]})["u"][0], got[row])


def compiled_features(x: np.ndarray) -> np.ndarray:
    features: np.ndarray = np.tanh(chunked(x, made.weights()))
    return features


def test_without_a_cassette_nothing_is_called(compiled: C99Backend) -> None:
    with pytest.raises(BackendError, match="expected a cassette for the model's slots"):
        compiled.run({"sensors": X})


def test_a_cassettes_arrays_are_read_where_they_lie(sources: dict[str, bytes]) -> None:
    text = sources["shared.c"].decode()
    assert "__builtin_memcpy" not in text.split("static int run_rows")[0].split("run_tile(")[0]
    assert "readout_" in text


def test_the_golden_test_holds_a_cassette_as_const_data(sources: dict[str, bytes], tmp_path: Path) -> None:
    native.unpacked(sources, tmp_path)
    text = sources["test_golden.c"].decode()
    assert "static const uint16_t basis[20]" in text
    for program in ("test_golden", "example"):
        words = ["cc", *STRICT, "-ffp-contract=off", "-fno-math-errno", f"{program}.c", "shared.c", "-o", program]
        done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        done = subprocess.run([f"./{program}"], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == (2 if program == "example" else 0), done.stdout
    spoilt = text.replace("static const uint16_t basis[20] = {0x", "static const uint16_t basis[20] = {0x4")
    (tmp_path / "test_golden.c").write_text(text.replace("scale[1] = {", "scale[1] = {2.0f * "))
    assert spoilt != text
    words = ["cc", "-ffp-contract=off", "-fno-math-errno", "test_golden.c", "shared.c", "-o", "wrong"]
    subprocess.run(words, cwd=tmp_path, check=True)
    assert subprocess.run(["./wrong"], cwd=tmp_path, capture_output=True, check=False).returncode == 1


def test_the_example_computes_once_a_cassette_is_filled_in(sources: dict[str, bytes], tmp_path: Path) -> None:
    native.unpacked(sources, tmp_path)
    text = sources["example.c"].decode()
    for change, code, said in (("{0}", 2, "nothing was computed"), ("{1}", 0, "basis is all zeros")):
        (tmp_path / "example.c").write_text(text.replace("scale[1] = {0}", f"scale[1] = {change}"))
        words = ["cc", *STRICT, "-ffp-contract=off", "-fno-math-errno", "example.c", "shared.c", "-o", "example"]
        subprocess.run(words, cwd=tmp_path, check=True)
        done = subprocess.run(["./example"], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == code
        assert said in done.stdout
        assert ("flags 0" in done.stdout) == (code == 0)


def test_the_header_says_that_c_does_not_know_a_cassettes_box(sources: dict[str, bytes]) -> None:
    header = sources["shared.h"].decode()
    assert "sensors float32 [B, 3], inside the box of all cassettes\n" in header
    assert "THIS CODE DOES NOT KNOW IT: flags are 0" in header
    assert "must check inputs against the box in the cassette's certificate" in header


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("sound", "at most 0.005 (sound); against the network in exact arithmetic at most 0.001 (sound)"),
        (
            "measured",
            "0.005 (measured, no bound over the box); against the network in exact arithmetic at most 0.001 (",
        ),
        ("statistical", "0.005 (statistical, no bound over the box); against"),
        ("not verified", "not verified; against the network in exact arithmetic at most 0.001 (sound)"),
    ],
)
def test_the_header_promises_no_more_than_the_class(model: str, said: str) -> None:
    encoded = made.model()
    manifest = made.manifest(made.model_hash(encoded), {})
    parts = {name: Term(0.0, "sound", "exact") for name in TERMS} | {"rounding": Term(1e-3, "sound", "proved")}
    parts["model"] = Term(None if model == "not verified" else 4e-3, model, "said so")
    stated = replace(made.unstated(manifest.model_hash), outputs=index([OutputCertificate.from_terms("u", "m", parts)]))
    text = generate(encoded, manifest, stated, {})["shared.h"].decode()
    assert f"error against the exact solution {said}" in text


def test_a_bundle_with_c_runs_every_cassette(
    sources: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = [made.cassette("wave", 1), made.cassette("kdv", 2, high=1.0)]
    extra = {f"c99/{name}": data for name, data in sources.items()}
    root = made.shared_bundle(tmp_path / "shared", held, extra=extra)
    monkeypatch.setattr(trust, "known", lambda _: True)
    model = load(root)
    assert model.backend == "c99"
    x = np.clip(X, -2, 1)
    for name, seed in (("wave", 1), ("kdv", 2)):
        np.testing.assert_allclose(model(x, cassette=name), made.exact(x, made.arrays(seed)), atol=1e-5)
        bound = model.bind(x, cassette=name)
        assert bound() == 0
        np.testing.assert_array_equal(bound.outputs["u"], model(x, cassette=name))
    with pytest.raises(Exception, match="s0"):
        model.bind(np.full((1, 3), 1.5, np.float32), cassette="kdv")()
    before = bundles.read(root).id
    shelf.write(root, held[:1], bundles.read(root).manifest)
    (root / file_of("kdv")).unlink()
    assert bundles.read(root).id == before
    assert isinstance(bundles.read(root).index.entries["wave"], FileEntry)

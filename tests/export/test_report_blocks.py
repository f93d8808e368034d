"""The page of a model with a layer in blocks: plot with ranks, histogram, storage ratio."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from edgepde_export.report import blocks, words
from edgepde_export.report.write import Asked, write
from edgepde_runtime.certificate import OutputCertificate
from edgepde_runtime.errors import ModelFileError
from edgepde_runtime.manifest import Column, InputSpec, OutputSpec
from support import bundles, onnx_writer

from edgepde.hmatrix.compressing import compress
from edgepde.hmatrix.config import HConfig
from edgepde.hmatrix.hmatrix import HMatrix

N = 96


def operator() -> HMatrix:
    """A kernel held partly in halves."""
    x = np.arange(N) / N
    return compress(1.0 / (np.abs(x[:, None] - x) + 0.02), HConfig(leaf=12, eps=1e-5), half=True)


def model(made: HMatrix, spoilt: str = "", cast: bool = False, twice: bool = False) -> bytes:
    """y = sum of the parts, applied to gathered x; twice: another layer on the same x."""
    w = onnx_writer
    nodes, held = [w.node("Gather", ["x", "order"], ["g"], {"axis": 1})], {"order": made.column_order}
    for layer in ("a", "b")[: 1 + twice]:
        for place, part in enumerate(made.packed(half=True)):
            names = [f"{layer}{place}_{name}" for name in ("column_groups", "right", "row_groups", "index", "left")]
            held |= dict(zip(names, part.arrays, strict=True))
            if cast:
                held[f"stored{place}"] = held.pop(names[1])
                nodes.append(w.node("Cast", [f"stored{place}"], [names[1]], {"to": 1}))
            attributes = {} if spoilt == "rows" else {"rows": part.rows}
            nodes.append(
                w.node("block_low_rank_apply", ["g", *names], [f"{layer}y{place}"], attributes, domain="edgepde")
            )
        nodes.append(w.node("Add", [f"{layer}y0", f"{layer}y1"], [f"{layer}y"]))
    if twice:
        nodes.append(w.node("Add", ["ay", "by"], ["u"]))
    else:
        nodes.append(w.node("Identity", ["ay"], ["u"]))
    if spoilt == "left":
        held["a0_left"] = held["a0_left"][1:]
    if spoilt == "computed":
        held["raw"] = held.pop("a0_left")
        nodes.insert(0, w.node("Abs", ["raw"], ["a0_left"]))
    values = w.value_info("x", "float32", ["M", N]), w.value_info("u", "float32", ["M", N])
    return w.model(w.graph(nodes, [values[0]], [values[1]], held), opsets={"": 20, "edgepde": 1})


def test_a_layer_is_the_sum_of_its_parts() -> None:
    made = operator()
    (layer,) = blocks.layers(model(made))
    assert len(layer.parts) == 2
    assert (layer.bytes, layer.dense) == (made.nbytes, 4 * N * N)
    np.testing.assert_allclose(sum(part.dense() for part in layer.parts), made.in_cluster_order())
    ((name, size, count, dense, _, stored, share),) = blocks.table([layer])
    assert (name, size) == ("layer 1", f"{N} × {N}")
    assert int(count) >= int(dense) > 0
    assert int(re.sub(r"\D", "", stored)) == made.nbytes
    assert float(share) == pytest.approx(made.bytes_ratio, rel=1e-2)


def test_two_layers_on_one_input_stay_two() -> None:
    found = blocks.layers(model(operator(), twice=True))
    assert [layer.name for layer in found] == ["layer 1", "layer 2"]
    assert [len(layer.parts) for layer in found] == [2, 2]


def test_stored_in_another_type() -> None:
    (layer,) = blocks.layers(model(operator(), cast=True))
    assert layer.bytes == operator().nbytes


def test_factors_that_are_computed_are_left_out() -> None:
    (layer,) = blocks.layers(model(operator(), "computed"))
    assert len(layer.parts) == 1


@pytest.mark.parametrize(("spoilt", "message"), [("rows", "attribute rows"), ("left", "left: expected")])
def test_blocks_that_do_not_fit(spoilt: str, message: str) -> None:
    with pytest.raises(ModelFileError, match=message):
        blocks.layers(model(operator(), spoilt))


def test_the_page_shows_blocks_ranks_and_storage(tmp_path: Path) -> None:
    made = operator()
    columns = tuple(Column(f"x{i}", "", -1.0, 1.0) for i in range(N))
    x = np.random.default_rng(0).uniform(-1, 1, (3, N)).astype(np.float32)
    bundle = bundles.write(
        tmp_path / "b",
        model(made),
        inputs=(InputSpec("x", "float32", ("M", N), columns),),
        outputs=(OutputSpec("u", "float32", ("M", N), ""),),
        golden={"input/x": x, "output/u": x.astype(np.float64) @ made.dense().T},
        entries=[OutputCertificate.from_terms("u", "", bundles.terms())],
        backends=("reference",),
    )
    write(bundle, tmp_path / "page.html", Asked(seconds="0.03", backend="reference"))
    page = (tmp_path / "page.html").read_text("utf-8")
    assert '<h2 id="blocks">' in page
    assert (
        f"{words.count(made.nbytes)} of {words.count(4 * N * N)} bytes in factors and dense blocks: storage ratio 0."
        in page
    )
    picture = page[page.index('id="blocks0-') :]
    written = [int(rank) for rank in re.findall(r">(\d+)</text>", picture[: picture.index("how many blocks")])]
    for rank in {block.rank for block in made.blocks if block.rank}:
        assert rank in written
    assert "how many blocks there are of each rank" in page


def test_a_page_without_blocks_has_no_such_section(tmp_path: Path) -> None:
    write(bundles.mlp_bundle(tmp_path / "b"), tmp_path / "page.html", Asked(seconds="0.03"))
    assert "blocks" not in (tmp_path / "page.html").read_text("utf-8").split("</style>")[1]

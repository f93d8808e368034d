"""From torch to ONNX: symbolic sizes, ops of our own domain, and who is blamed when it fails."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from edgepde_export.lowering import custom_ops
from edgepde_export.lowering.graph import IR_VERSION, OPSET, to_onnx
from edgepde_export.passes.clean import clean
from edgepde_export.passes.simplify import simplify
from edgepde_runtime.errors import ModelFileError, UnsupportedModel
from edgepde_runtime.ops.schema import Argument, Attribute, Op
from torch import Tensor, nn

from . import nets

TOY = Op(
    domain="edgepde",
    name="toy_power",
    since=1,
    inputs=(Argument("x", "T", ("n", "k")), Argument("scale", "T", ("k",), optional=True)),
    outputs=(Argument("y", "T", ("n", "k")),),
    attributes=(Attribute("power", "int", 2),),
)
BODY = """<domain: "edgepde", opset_import: ["" : 18]>
toy_power <power: int = 2> (x, scale) => (y) {
    wide = Constant <value_int: int = @power> ()
    p = CastLike (wide, x)
    q = Pow (x, p)
    y = Mul (q, scale)
}"""


@torch.library.custom_op("edgepde::toy_power", mutates_args=())
def toy_power(x: Tensor, scale: Tensor, power: int = 2) -> Tensor:
    return x**power * scale


@toy_power.register_fake
def _(x: Tensor, scale: Tensor, power: int = 2) -> Tensor:  # noqa: ARG001 - the op's own arguments
    return torch.empty_like(x)


class Toy(nn.Module):
    """Two inputs with a free size each, one of our ops, outputs of two dtypes."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.Linear(2, 3)
        self.scale = nn.Parameter(torch.rand(3))

    def forward(self, points: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        basis = torch.ops.edgepde.toy_power(self.layer(points), self.scale, power=3)
        return parameters @ basis.T, parameters.double().sum(1)


@pytest.fixture
def toy_room(monkeypatch: pytest.MonkeyPatch) -> None:
    def rooms() -> Iterator[tuple[Op, str]]:
        yield TOY, BODY

    monkeypatch.setattr(custom_ops, "rooms_with_body", rooms)


def exported_toy() -> onnx.ModelProto:
    inputs = {"points": torch.zeros(5, 2), "parameters": torch.zeros(4, 3)}
    return to_onnx(Toy().eval(), inputs, {"points": {0: "M"}, "parameters": {0: "B"}}, ["u", "residual"])


def dims(value: onnx.ValueInfoProto) -> list[str | int]:
    return [d.dim_param or d.dim_value for d in value.type.tensor_type.shape.dim]


@pytest.mark.usefixtures("toy_room")
class TestOurOps:
    """A toy op of our domain, through every step a real one takes."""

    def test_node_body_and_symbols_are_in_the_graph(self) -> None:
        model = exported_toy()
        nodes = [n for n in model.graph.node if n.domain == "edgepde"]
        assert [(n.op_type, [(a.name, a.i) for a in n.attribute]) for n in nodes] == [("toy_power", [("power", 3)])]
        assert [(f.domain, f.name) for f in model.functions] == [("edgepde", "toy_power")]
        assert {e.version for e in model.functions[0].opset_import if e.domain == ""} == {OPSET}
        assert {v.name: dims(v) for v in model.graph.input} == {"points": ["M", 2], "parameters": ["B", 3]}
        assert {v.name: dims(v) for v in model.graph.output} == {"u": ["B", "M"], "residual": ["B"]}
        assert model.ir_version == IR_VERSION

    @pytest.mark.parametrize("steps", [[], [simplify], [simplify, clean]], ids=["fresh", "simplified", "cleaned"])
    def test_stock_onnxruntime_runs_the_body(self, steps: list[object]) -> None:
        model = exported_toy()
        for step in steps:
            model = step(model)  # type: ignore[operator]
        assert [n.op_type for n in model.graph.node if n.domain == "edgepde"] == ["toy_power"]
        session = onnxruntime.InferenceSession(model.SerializeToString())
        points, parameters = torch.rand(7, 2), torch.rand(3, 3)
        u, residual = session.run(None, {"points": points.numpy(), "parameters": parameters.numpy()})
        with torch.no_grad():
            expected = Toy().eval()(points, parameters)
        np.testing.assert_allclose(u, expected[0].numpy(), rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(residual, expected[1].numpy(), rtol=1e-12)

    def test_onnx_itself_accepts_and_evaluates_the_file(self) -> None:
        model = clean(simplify(exported_toy()))
        onnx.checker.check_model(model)
        points, parameters = np.ones((2, 2), np.float32), np.ones((1, 3), np.float32)
        from onnx.reference import ReferenceEvaluator

        u = ReferenceEvaluator(model).run(None, {"points": points, "parameters": parameters})[0]
        assert u.shape == (1, 2)

    def test_a_body_that_does_not_parse_names_its_op(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(custom_ops, "rooms_with_body", lambda: iter([(TOY, "not a function")]))
        with pytest.raises(ModelFileError, match=r"edgepde.toy_power: body.onnxtxt does not parse"):
            exported_toy()

    def test_a_body_of_another_op_is_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(custom_ops, "rooms_with_body", lambda: iter([(TOY, BODY.replace("toy_power", "other"))]))
        with pytest.raises(ModelFileError, match=r"edgepde.toy_power: .* defines edgepde.other"):
            exported_toy()

    def test_a_torch_op_the_room_does_not_declare_is_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        bare = Op("edgepde", "toy_power", 1, TOY.inputs, TOY.outputs)
        monkeypatch.setattr(custom_ops, "rooms_with_body", lambda: iter([(bare, BODY)]))
        with pytest.raises(ModelFileError, match=r"torch declares \['power'\]"):
            exported_toy()


def lowered(module: nn.Module) -> onnx.ModelProto:
    return to_onnx(module.eval(), {"x": torch.rand(3, 2)}, {"x": {0: "M"}}, ["y"])


@pytest.mark.parametrize(
    ("middle", "said"),
    [
        (nets.Branching(), r"module 1 \(Branching\): torch.export refused it"),
        (nets.Bessel(), r"module 1 \(Bessel\): node bessel_j0 \(.*\) has no ONNX form"),
        (nets.Recurrent(), r"module 1.memory \(LSTM\): torch.export refused it: .*specialized it to be a constant"),
    ],
)
def test_the_module_that_cannot_be_exported_is_named_in_one_line(middle: nn.Module, said: str) -> None:
    with pytest.raises(UnsupportedModel, match=said) as caught:
        lowered(nets.around(middle))
    assert "\n" not in str(caught.value)


def test_a_wrong_number_of_outputs_is_refused() -> None:
    with pytest.raises(UnsupportedModel, match="the module returns 1 tensors"):
        to_onnx(nets.mlp().eval(), {"x": torch.rand(3, 2)}, {"x": {0: "M"}}, ["y", "z"])


def test_exporting_says_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    lowered(nets.mlp())
    out, err = capfd.readouterr()
    assert (out, err) == ("", "")


def test_exporting_leaves_no_hook_on_the_module() -> None:
    module = nets.mlp()
    lowered(module)
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in module.modules())

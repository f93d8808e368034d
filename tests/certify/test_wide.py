"""Networks with very many outputs: the bounds hold against everything tried, and are near what is attained."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from edgepde_runtime.box import Box
from numpy.typing import NDArray
from torch import Tensor, nn

from edgepde.certify import expanding, forward, forward_rounding, rounding_steps, wide
from edgepde.certify.attack import attack
from edgepde.certify.convolution import Convolution
from edgepde.certify.engine import bound_difference
from edgepde.certify.family import Family
from edgepde.certify.from_module import from_module
from edgepde.certify.network import Affine, Input, Network, Node, Pointwise, Scale, Structured, value_of
from edgepde.certify.prove import Lineage, prove
from edgepde.certify.rounding import Arithmetic, bound_rounding
from edgepde.certify.rules._enclosure import Taylor
from edgepde.certify.sensor import Accuracy, bound_sensitivity

Array = NDArray[Any]
CHUNK = 16
ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
    "gelu": nn.GELU,
    "leaky": lambda: nn.LeakyReLU(0.125),
}


@pytest.fixture(autouse=True)
def everything_is_wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small networks take the way of the large ones, searches are short."""
    monkeypatch.setattr(expanding, "MANY", 0)
    monkeypatch.setattr(expanding, "MOST", 0)
    monkeypatch.setattr(wide, "WORK", 1 << 18)


def generator(activation: str, seed: int, middle: list[nn.Module] | None = None) -> nn.Module:
    """Three numbers -> [4, 6, 6]."""
    torch.manual_seed(seed)
    act = ACTIVATIONS[activation]
    between = middle or [nn.Upsample(scale_factor=2, mode="bilinear"), nn.Conv2d(3, 3, 3, padding=1), act()]
    return nn.Sequential(
        nn.Linear(3, 12), act(), nn.Linear(12, 27), act(), nn.Unflatten(1, (3, 3, 3)), *between,
        nn.Conv2d(3, 4, 3, padding=1, padding_mode="replicate"),
    ).eval()  # fmt: skip


class Decoder(nn.Module):
    """Three numbers -> coefficients -> [4, 6, 6] by bases."""

    def __init__(self, ranks: tuple[int, int, int] = (2, 3, 3), seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.ranks = ranks
        self.mlp = nn.Sequential(nn.Linear(3, 10), nn.SiLU(), nn.Linear(10, 10), nn.Tanh(), nn.Linear(10, 18))
        for axis, (n, r) in enumerate(zip((4, 6, 6), (2, 3, 3), strict=True)):
            self.register_buffer(f"basis{axis}", torch.linalg.qr(torch.randn(n, r))[0].contiguous())

    def forward(self, x: Tensor) -> Tensor:
        c = self.mlp(x).reshape(-1, 2, 3, 3)[:, : self.ranks[0], : self.ranks[1], : self.ranks[2]]
        for axis, r in enumerate(self.ranks):
            basis = self.get_buffer(f"basis{axis}")[:, :r]
            c = (c.transpose(1 + axis, -1) @ basis.T).transpose(1 + axis, -1)
        return c


def halves(module: nn.Module) -> None:
    """All numbers rounded to halves."""
    for values in (*module.parameters(), *module.buffers()):
        values.data.copy_(values.data.half().to(values.dtype))


def worst(f: Network, g: Network, box: Box, seed: int = 0) -> float:
    """The largest |f - g| of any output that random points and climbs find."""
    low, high = (torch.tensor(side, dtype=torch.float64) for side in (box.low, box.high))
    found = attack(
        lambda x: (f(x) - g(x)).abs().amax(dim=1, keepdim=True), low, high, seed=seed, samples=800, steps=20, starts=8
    )
    return float(found.value)


BOX = Box([-1.0, 0.2, -0.5], [1.0, 0.7, 2.0])
CASES: dict[str, Callable[[], nn.Module]] = {
    **{name: (lambda name=name: generator(name, 1)) for name in ACTIVATIONS},  # type: ignore[misc]
    "pooled": lambda: generator("silu", 2, [nn.Upsample(scale_factor=4), nn.AvgPool2d(2), nn.MaxPool2d(2, 1, 1)]),
    "transposed": lambda: generator("tanh", 3, [nn.ConvTranspose2d(3, 3, 4, 2, 1), nn.Tanh()]),
    "instance": lambda: generator("silu", 4, [nn.Conv2d(3, 3, 3, padding=1), nn.InstanceNorm2d(3, eps=0.1), nn.SiLU()]),
    "decoder": Decoder,
}


@pytest.mark.parametrize(("name", "change"), [(n, ("halves", "large")[i % 2]) for i, n in enumerate(CASES)])
def test_nothing_exceeds_the_bound_of_a_difference(name: str, change: str) -> None:
    f, g = CASES[name](), CASES[name]()
    if change == "halves":
        halves(g)
    else:
        for place, values in enumerate(g.parameters()):
            values.data.add_(0.05 * torch.randn(values.shape, generator=torch.Generator().manual_seed(place)))
    of_f, of_g = from_module(f, 3), from_module(g, 3)
    made = bound_difference(of_f, of_g, BOX, seconds=60.0, boxes=12)
    assert made.value.shape == (1,)
    assert made.how == "pair"
    assert worst(of_f, of_g, BOX) <= made.value[0]
    assert made.found[0] <= made.value[0]
    assert np.array_equal(made.low.min(axis=0), BOX.low)
    assert np.array_equal(made.high.max(axis=0), BOX.high)


def test_a_decoder_with_less_of_its_core_is_bounded_tightly() -> None:
    f, g = Decoder(), Decoder((2, 3, 2))
    of_f, of_g = from_module(f, 3), from_module(g, 3)
    made = bound_difference(of_f, of_g, BOX, seconds=60.0, boxes=1500)
    assert made.how == "pair"
    assert worst(of_f, of_g, BOX) <= made.value[0]
    assert made.tightness[0] < 1.5


def test_different_students_are_bounded_apart() -> None:
    f, g = generator("silu", 1), generator("silu", 1, [nn.Upsample(scale_factor=2), nn.Conv2d(3, 3, 3, padding=1)])
    of_f, of_g = from_module(f, 3), from_module(g, 3)
    made = bound_difference(of_f, of_g, BOX, seconds=60.0, boxes=8)
    assert made.how == "parting"
    assert worst(of_f, of_g, BOX) <= made.value[0]
    other = from_module(nn.Sequential(nn.Linear(3, 144), nn.Tanh()), 3)
    made = bound_difference(of_f, other, BOX, seconds=60.0, boxes=8)
    assert made.how == "apart"
    assert worst(of_f, other, BOX) <= made.value[0]


def test_equal_networks_differ_by_nothing() -> None:
    f = from_module(generator("silu", 1), 3)
    made = bound_difference(f, f, BOX)
    assert made.value.tolist() == [0.0]
    assert made.how == "equal"


def test_many_inputs_and_families() -> None:
    torch.manual_seed(0)
    f = nn.Sequential(nn.Unflatten(1, (2, 5, 5)), nn.Conv2d(2, 3, 3, padding=1), nn.SiLU(), nn.Conv2d(3, 2, 3)).eval()
    g = nn.Sequential(nn.Unflatten(1, (2, 5, 5)), nn.Conv2d(2, 3, 3, padding=1), nn.SiLU(), nn.Conv2d(3, 2, 3)).eval()
    g.load_state_dict(f.state_dict())
    halves(g)
    of_f, of_g = from_module(f, 50), from_module(g, 50)
    box = Box([-1.0] * 50, [1.0] * 50)
    made = bound_difference(of_f, of_g, box, seconds=60.0, boxes=4)
    assert worst(of_f, of_g, box) <= made.value[0] < np.inf
    family = Family(np.zeros(50), np.eye(50)[:2], [-1.0] * 2, [1.0] * 2, 1e-3)
    narrow = bound_difference(of_f, of_g, family, seconds=60.0, boxes=4)
    draw = np.random.default_rng(0)
    x = torch.from_numpy(family.at(draw.uniform(-1, 1, (500, 2))) + 1e-3 * draw.uniform(-1, 1, (500, 50)))
    assert float((of_f(x) - of_g(x)).abs().max()) <= narrow.value[0] < made.value[0]


def computed(net: Network, x: Array) -> Array:
    """The network in float32, every sum of products in chunks of 16 by fma, then chunk after chunk."""
    values = [x.astype(np.float32)]
    with np.errstate(over="ignore"):
        for node in expanding.unrolled(net).nodes[1:]:
            given = [values[s] for s in node.sources]
            values.append(_rounded(node, given))
    return values[-1]


def _rounded(node: Node, given: list[Array]) -> Array:
    if not isinstance(node, Affine):
        exact = value_of(node, [torch.from_numpy(v.astype(np.float64)) for v in given])
        return np.asarray(exact.numpy(), np.float32)
    weight, total = node.weight.numpy(), np.broadcast_to(node.bias.numpy(), (len(given[0]), len(node.bias)))
    for first in range(0, weight.shape[1], CHUNK):
        chain: Array = np.zeros(total.shape)
        for k in range(first, min(first + CHUNK, weight.shape[1])):
            chain = (chain + given[0][:, k, None].astype(np.float64) * weight[:, k]).astype(np.float32)
        total = (total.astype(np.float64) + chain).astype(np.float32)
    return np.asarray(total, np.float32)


@pytest.mark.parametrize("name", [n for n in CASES if n != "instance"])
@pytest.mark.parametrize("order", ["c99", "any"])
def test_float32_stays_within_the_rounding_bound(name: str, order: Any) -> None:
    module = CASES[name]()
    net = from_module(module, 3)
    made = bound_rounding(net, BOX, Arithmetic("float32", order), seconds=60.0, boxes=4)
    bound = float(made.rounding[0] + made.activation[0])
    x = np.random.default_rng(1).uniform(BOX.low, BOX.high, (400, 3)).astype(np.float32)
    x = np.clip(x, np.array(BOX.low, np.float32), np.array(BOX.high, np.float32)).astype(np.float32)
    exact = net(torch.from_numpy(x.astype(np.float64))).numpy()
    with torch.no_grad():
        theirs = module(torch.from_numpy(x)).reshape(len(x), -1).double().numpy()
    ours = computed(net, x) if order == "c99" else theirs
    off = float(np.abs(ours - exact).max())
    assert 0.0 < off <= bound < np.inf


def chain(seed: int, change: float, nodes: int) -> tuple[Network, Network]:
    """One number through 1 x 1 convolutions and tanh, f and g: nothing can cancel, so bounds are nearly attained."""
    draw = torch.Generator().manual_seed(seed)
    pair: tuple[list[Node], list[Node]] = ([Input(1)], [Input(1)])
    for place in range(nodes):
        w = 0.5 + torch.rand(1, 1, 1, 1, generator=draw, dtype=torch.float64)
        b = torch.randn(1, generator=draw, dtype=torch.float64)
        for side, more in zip(pair, (0.0, change), strict=True):
            held = (w * (1.0 + more)).float().double(), (b - more).float().double()
            side.append(Convolution((len(side) - 1,), *held, (1, 1, 1), (1, 1), (0,) * 4, (1, 1)))
            if place < nodes - 1:
                side.append(Pointwise((len(side) - 1,), "tanh"))
    return Network(tuple(pair[0])), Network(tuple(pair[1]))


def exceeded(change: float) -> int:
    """Over sharp pairs: boxes where the model of the difference misses a value."""
    wrong = 0
    for seed in range(8):
        f, g = chain(seed, change, 3)
        low = torch.linspace(-2.0, 1.5, 30, dtype=torch.float64)[:, None]
        for half in (0.0, 1e-3, 0.1, 0.5):
            domain = forward.Domain(low[0] * 0.0 - 3.0, low[0] * 0.0 + 3.0)
            out, _ = forward.Difference.of(f, g, domain)(low - half, low + half)
            made = forward.worst(out, out.linear[:, :, 0] * 0.0, low * 0.0 + half).magnitude()[:, 0]
            for x in (low - half, low, low + half):
                wrong += int(((f(x) - g(x)).abs()[:, 0] > made * (1.0 + 1e-12) + 1e-15).sum())
    return wrong


def halved(method: Callable[..., Tensor]) -> Callable[..., Tensor]:
    return lambda *given: 0.5 * method(*given)


def test_sharp_chains_break_nothing() -> None:
    assert exceeded(0.3) == exceeded(1e-3) == 0


def test_a_change_of_weights_left_out_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Structured, "less", lambda self, other: self.with_numbers(*(0.0 * v for _, v in self.numbers)))
    assert exceeded(1e-3) > 0


def test_remainders_that_are_not_carried_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Structured, "absolute", lambda self, x: 0.0 * self.times(x))
    assert exceeded(0.3) > 0


def adverse(net: Network, x: Array, unit: float) -> Array:
    """A device that errs upwards by half a unit in the last place in every product and sum of 1 x 1 convolutions."""
    h = x.astype(np.float64)
    for node in net.nodes[1:]:
        if isinstance(node, Convolution):
            for step in (h * float(node.weight), None):
                exact = step if step is not None else h + float(node.bias)
                h = exact + 0.999 * unit * 2.0 ** np.floor(np.log2(np.maximum(np.abs(exact), 1e-300)))
        else:
            h = np.tanh(h)
    return h


def device_exceeds(nodes: int = 2) -> int:
    """Points where that device exceeds the rounding bound without the part of functions."""
    wrong = 0
    for seed in range(8):
        net, _ = chain(seed, 0.0, nodes)
        how = Arithmetic("float32", "c99", {"tanh": 0.0})
        made = bound_rounding(net, Box([0.5], [1.0]), how, seconds=60.0, boxes=32)
        x = np.linspace(0.5, 1.0, 500)[:, None]
        off = np.abs(adverse(net, x, 2.0**-24) - net(torch.from_numpy(x)).numpy())
        wrong += int((off > made.rounding[0] + 1e-14).sum())
    return wrong


def test_the_worst_device_keeps_to_the_bound() -> None:
    assert device_exceeds(1) == device_exceeds(2) == device_exceeds(3) == 0


@pytest.mark.parametrize(
    "mutation",
    [
        ("gamma", Arithmetic, "gamma", lambda *_: 0.0),
        ("slope", rounding_steps, "carried", lambda n, s, off: 0.0 * off[0]),
    ],
    ids=lambda m: m[0],
)
def test_roundings_left_out_are_seen(mutation: tuple[str, Any, str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    _, where, name, change = mutation
    monkeypatch.setattr(where, name, change)
    monkeypatch.setattr(forward_rounding, "carried", rounding_steps.carried)
    assert device_exceeds(3) > 0


def test_the_slope_of_many_terms_is_nearly_attained() -> None:
    """All weights and inputs of one sign: the difference is the bound."""
    one = torch.ones(1, 1, 3, 3, dtype=torch.float64)
    none = torch.zeros(1, dtype=torch.float64)
    nets = [
        Network(
            (Input(36), Convolution((0,), w * one, none, (1, 6, 6), (1, 1), (1,) * 4, (1, 1)), Pointwise((1,), "relu"))
        )
        for w in (1.0, 1.01)
    ]
    box = Box([0.5] * 36, [1.0] * 36)
    made = bound_difference(nets[0], nets[1], box, seconds=60.0, boxes=4)
    assert 0.09 <= made.value[0] <= 0.12


def test_all_terms_are_proved_and_add_up() -> None:
    f, h = Decoder(), Decoder((2, 3, 2))
    of_f, of_h = from_module(f, 3), from_module(h, 3)
    halves(h)
    of_g = from_module(h, 3)
    proof = prove(Lineage(of_f, of_h, of_g, "float32"), BOX, seconds=6.0)
    assert proof.compression is not None
    total = float(proof.compression.value[0] + proof.quantisation.value[0] + proof.rounding.rounding[0])
    x = torch.rand(500, 3, dtype=torch.float64) * torch.tensor([2.0, 0.5, 2.5]) + torch.tensor([-1.0, 0.2, -0.5])
    assert float((of_f(x) - of_g(x)).abs().max()) <= total < np.inf


def test_inexact_inputs_of_a_wide_network() -> None:
    net = from_module(generator("silu", 1), 3)
    made = bound_sensitivity(net, BOX, {"x0": Accuracy(0.01)}, seconds=60.0, boxes=8)
    x = torch.rand(500, 3, dtype=torch.float64) * torch.tensor([2.0, 0.5, 2.5]) + torch.tensor([-1.0, 0.2, -0.5])
    moved = x + torch.tensor([0.01, 0.0, 0.0])
    assert float((net(moved) - net(x)).abs().max()) <= made.value[0] < np.inf


def test_units_that_are_0_everywhere_cost_a_linear_tail_nothing() -> None:
    module = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 16), nn.Unflatten(1, (1, 4, 4)), nn.Conv2d(1, 2, 3))
    module = module.double()
    with torch.no_grad():
        for values in module.parameters():
            values.copy_(values.float())
        module[0].bias[:2] = -50.0  # type: ignore[index,operator]
    made = bound_rounding(from_module(module, 3), BOX, seconds=60.0, boxes=8)
    assert 0.0 < made.rounding[0] < 1e-5


def test_remainders_of_the_waist_pass_the_tail_with_their_sizes() -> None:
    """y = W h + c for h = P(s) + e, |e| <= rest: off P's own image by |W| rest, which signs attain; of a pair too."""
    torch.manual_seed(0)
    zero, one = torch.zeros(5, dtype=torch.float64), torch.ones(3, dtype=torch.float64)
    maps = [torch.randn(5, 3, dtype=torch.float64) for _ in range(2)]
    f, g = (forward.Tail(w, w.sum(dim=1), zero, one, w.abs()) for w in maps)
    both = torch.cat([maps[0], maps[0] - maps[1]], dim=1)
    for tail, weight in ((f, maps[0]), (f.less(g), both)):
        n = weight.shape[1]
        h = Taylor(torch.randn(2, 3, n, dtype=torch.float64), torch.rand(2, n, dtype=torch.float64))
        made = tail(h)
        shifted = made.poly - h.poly @ weight.T
        assert torch.allclose(shifted[:, 0], tail.bias.expand(2, 5))
        assert torch.allclose(shifted[:, 1:], torch.zeros(1, dtype=torch.float64))
        most = h.rest @ weight.abs().T
        assert bool((made.rest >= most).all())
        assert torch.allclose(made.rest, most)


@pytest.mark.parametrize("order", ["c99", "any"])
def test_roundings_behind_the_waist_count(order: Any) -> None:
    """A head without roundings, 2 x and relu: what is left is the tail's own."""
    torch.manual_seed(0)
    kernel = torch.randn(6, 8, 3, 3).double()
    none = torch.zeros(6, dtype=torch.float64)
    tail = Convolution((2,), kernel, none, (8, 4, 4), (1, 1), (1,) * 4, (1, 1))
    doubled = Scale((0,), torch.full((128,), 2.0).double(), torch.zeros(128).double())
    net = Network((Input(128), doubled, Pointwise((1,), "relu"), tail))
    how = Arithmetic("float32", order, {"relu": 0.0})
    made = bound_rounding(net, Box([0.5] * 128, [1.0] * 128), how, seconds=60.0, boxes=2)
    x = torch.rand(200, 128).float() / 2.0 + 0.5
    computed = tail.times((2.0 * x).float()).double()
    found = float((computed - net(x.double())).abs().max())
    assert 1e-7 < found <= made.rounding[0] < 1e3 * found

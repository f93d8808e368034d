"""How close is the proved bound on a whole field to the worst that a search finds, for networks of many outputs?

Simulators as they are before training (a decoder, generators, a U-Net), their numbers rounded to halves; the bound on
what that changes, and on float32, in the seconds given. Deep convolutions on large boxes are where it is loose.
"""

from __future__ import annotations

import copy

import torch
from _harness import OURS, Row, closing, on_one_thread, parser, publish, say
from edgepde_runtime.box import Box
from torch import nn

from edgepde.certify.engine import bound_difference
from edgepde.certify.from_module import from_module
from edgepde.certify.rounding import bound_rounding
from edgepde.factorconv import decoder, generator, unet
from edgepde.factorconv.description import Generator, UNet

SECONDS, QUICK, POINTS = 60.0, 3.0, 32
TIGHT = 3.0


def cases(quick: bool) -> dict[str, tuple[nn.Module, int, float | None]]:
    """By name: a module, its inputs and how tight its bound is to be."""
    n = 16 if quick else 32
    made: dict[str, tuple[nn.Module, int, float | None]] = {
        "decoder": (
            _rotated(decoder.build(decoder.Decoder(rank=0, times=n, rows=n, columns=n))),
            6,
            None if quick else TIGHT,
        ),
        "generator": (generator.build(Generator(times=n, rows=n, columns=n, coarse=(n // 4, n // 4))), 6, None),
    }
    if not quick:
        made["generator, shared factors"] = (generator.build(Generator(form="shared")), 6, None)
        made["U-Net, a box of frames"] = (unet.build(UNet()), 2 * n * n, None)
    return made


def _rotated(module: decoder.DecoderModule) -> decoder.DecoderModule:
    """With orthonormal bases that are not the first unit vectors."""
    with torch.no_grad():
        for basis in (module.time, module.row, module.column):
            basis.copy_(torch.linalg.qr(torch.randn_like(basis).T)[0].T)
    return module


def answered(name: str, module: nn.Module, inputs: int, target: float | None, seconds: float) -> list[Row]:
    """Bound over found, for halves; the rounding bound over what torch shows at random points."""
    say(f"{name}: {seconds:g} s for each bound")
    module = module.eval()
    stored = copy.deepcopy(module)
    with torch.no_grad():
        for values in stored.parameters():
            values.copy_(values.half().float())
    f, g = from_module(module, inputs), from_module(stored, inputs)
    box = Box([-1.0] * inputs, [1.0] * inputs)
    made = bound_difference(f, g, box, seconds=seconds)
    rounding = bound_rounding(g, box, seconds=0.25 * seconds)
    whole = float(rounding.rounding[0] + rounding.activation[0])
    x = torch.rand(POINTS, inputs) * 2.0 - 1.0
    with torch.no_grad():
        field = stored(x).double()
        seen = float((field.reshape(POINTS, -1) - g(x.double())).abs().max())
    field_size = f"{f.outputs} outputs of at most {float(field.abs().max()):.3g}"
    halves = f"{made.value[0]:.3g} proved, {made.found[0]:.3g} found, {made.boxes} boxes, {made.how}; {field_size}"
    floats = f"{whole:.3g} proved, {seen:.3g} seen with torch, {rounding.boxes} boxes"
    return [
        Row(f"{name}: halves", OURS, "bound / found", float(made.tightness[0]), target, note=halves),
        Row(f"{name}: float32", OURS, "bound / seen", whole / seen, note=floats),
    ]


def main() -> None:
    """Build, bound, print."""
    args = parser(__doc__ or "").parse_args()
    on_one_thread()
    torch.set_num_threads(1)
    torch.manual_seed(args.seed)
    seconds = QUICK if args.quick else SECONDS
    rows = [row for name, case in cases(args.quick).items() for row in answered(name, *case, seconds)]
    publish(args, rows, {"threads": 1, "seconds": seconds}, ["random numbers, not trained ones"], closing(rows))


if __name__ == "__main__":
    main()

"""`edgepde export`: from a run, a module or an ONNX file to a bundle."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from edgepde_runtime.certificate import OutputCertificate

LOOSE = 3.0
TripleList = Annotated[
    list[str] | None,
    typer.Option("--cc", metavar="TRIPLE", help="Compile the C code for this machine too, into lib/; repeatable."),
]
TargetList = Annotated[
    list[str] | None,
    typer.Option("--target", help="What to write: onnx (always), c99 (the model as C code); repeatable."),
]
Name = Annotated[
    str | None,
    typer.Option(
        "--name",
        metavar="NAME",
        help="What the bundle and its C functions are called: letters, digits, ., _ and -. Without it a network is "
        "called after the --out folder and a run after its problem.",
    ),
]
Ram = Annotated[
    str | None, typer.Option("--max-ram-kb", metavar="K", help="Most RAM of the compiled model: scratch and stack.")
]
Flash = Annotated[
    str | None, typer.Option("--max-flash-kb", metavar="K", help="Most flash of the compiled model: weights and code.")
]

MaxError = Annotated[
    str | None,
    typer.Option(
        "--max-error",
        metavar="E",
        help="Largest error after the model's own: 1e-3; u=1e-3,u_x=1e-2; u=1e-2,u[x=0.4:0.6]=1e-4 for a hot spot.",
    ),
]
MinClass = Annotated[
    str | None,
    typer.Option(
        "--min-class",
        metavar="sound|statistical|measured",
        help="Weakest class of those terms that may pass; sound where --max-error is given.",
    ),
]
Precision = Annotated[
    str,
    typer.Option(
        "--precision",
        metavar="f32|f16w|i8w",
        help="How weight matrices are stored: as they are, as halves, as bytes with a scale per row.",
    ),
]
Blocks = Annotated[
    str,
    typer.Option(
        "--blocks",
        metavar="auto|op|plain|dense",
        help="How layers in blocks ship: the fastest here, as our op, in standard nodes, merged back.",
    ),
]
Convolutions = Annotated[
    str,
    typer.Option(
        "--convolutions",
        metavar="auto|op|plain|dense",
        help="How factorised convolutions ship: the fastest here, as our op, in standard nodes, merged to a dense one.",
    ),
]
Accuracy = Annotated[
    str | None,
    typer.Option(
        "--input-accuracy",
        metavar="nu=1%,x=1e-3",
        help="How wrong inputs may be, relative or absolute: adds what that costs to the total, as the term sensor.",
    ),
]
FamilyFile = Annotated[
    Path | None,
    typer.Option(
        "--family",
        metavar="FILE.npz",
        help="For networks of many columns: the inputs are mean + a modes, low <= a <= high (arrays so named).",
    ),
]
ProveSeconds = Annotated[
    float,
    typer.Option("--prove-seconds", metavar="S", help="Time for proving; a bound stopped early holds, less tightly."),
]
Derivatives = Annotated[
    str | None,
    typer.Option(
        "--derivatives",
        metavar="u_x,u_xx,laplacian",
        help="Outputs to append: derivatives of the output, called u here, by coordinates of one letter.",
    ),
]
ResidualOf = Annotated[
    str | None,
    typer.Option(
        "--residual",
        metavar="NAME|FILE.py:NAME",
        help="Append the residual of an equation, with a threshold: flag 4 tells when an answer stops obeying it.",
    ),
]
GridText = Annotated[
    str | None,
    typer.Option(
        "--grid",
        metavar="t=0:1*32,y=0:1*32,x=0:1*32",
        help="Where the values of a module's field are, slowest axis first, units in brackets behind: x=0:1*32[m]; of "
        "a run of many operators where its field is wanted, t as fractions of a horizon: t=0.1:1*10,x=0:1.98*100.",
    ),
]
Form = Annotated[
    str | None,
    typer.Option(
        "--derivative-form",
        metavar="auto|exact|stencil",
        help="Derivatives of a network of points: Taylor series through it, values around the point, or the better.",
    ),
]
FalseAlarm = Annotated[
    float | None,
    typer.Option(
        "--false-alarm",
        metavar="P",
        help="How often fresh inputs of the box may exceed the residual's threshold; 0.01 where not given.",
    ),
]
WithReference = Annotated[
    bool,
    typer.Option("--with-reference", help="Ship the float64 reference too, for `verify --attack` on the device."),
]


def command(
    *,
    source: Annotated[
        str, typer.Argument(metavar="RUN|FILE.py:callable|MODEL.onnx", help="What to export.", show_default=False)
    ],
    out: Annotated[Path, typer.Option("--out", metavar="BUNDLE", help="Folder to write; an older bundle is replaced.")],
    domain: Annotated[
        str | None,
        typer.Option(
            "--domain", metavar="LOW:HIGH,...", help="Box of inputs: x=-1:1,t=0:1; f=-1:1*600 is 600 columns."
        ),
    ] = None,
    name: Name = None,
    target: TargetList = None,
    cc: TripleList = None,
    max_error: MaxError = None,
    min_class: MinClass = None,
    precision: Precision = "f32",
    blocks: Blocks = "auto",
    convolutions: Convolutions = "auto",
    derivatives: Derivatives = None,
    residual: ResidualOf = None,
    grid: GridText = None,
    derivative_form: Form = None,
    false_alarm: FalseAlarm = None,
    input_accuracy: Accuracy = None,
    family: FamilyFile = None,
    prove_seconds: ProveSeconds = 60.0,
    with_reference: WithReference = False,
    max_ram_kb: Ram = None,
    max_flash_kb: Flash = None,
    data: Annotated[
        Path | None, typer.Option("--data", metavar="FILE.npz", help="True values, to measure the model's own error.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the points that are compared.")] = 0,
) -> None:
    """Write the bundle a device runs: model, certificate, golden data and a card.

    A run of `edgepde train` knows its box; a module of your own (FILE.py:callable, called without arguments) or an ONNX
    file needs --domain. For a network of few inputs the error on the device is proved over the whole box. Nothing is
    written where a layer is unsupported (exit 3, the layer is named), an error above --max-error was found, RAM or
    flash is above its limit (exit 1), or the bound could not be proved below --max-error or has a class below
    --min-class (exit 4).

    --derivatives and --residual append outputs: a network of points (x, t, ... in columns) is differentiated itself; a
    field on a grid by kernels of few taps, with --grid unless its run knows the zone. The next stage is `edgepde
    verify BUNDLE`.
    """
    from ..exporting import export
    from ..lowering.options import Naming

    made = export(
        source,
        out,
        domain=domain,
        naming=None if name is None else Naming(name=name),
        targets=target or ("onnx",),
        cc=cc or (),
        max_ram_kb=max_ram_kb,
        max_flash_kb=max_flash_kb,
        max_error=max_error,
        min_class=min_class,
        precision=precision,
        blocks=blocks,
        convolutions=convolutions,
        derivatives=derivatives,
        residual=residual,
        grid=grid,
        derivative_form=derivative_form,
        false_alarm=false_alarm,
        input_accuracy=input_accuracy,
        family=family,
        prove_seconds=prove_seconds,
        with_reference=with_reference,
        data=data,
        seed=seed,
        log=lambda line: typer.echo(line, err=True),
    )
    _tell(made)


def _tell(made: Path) -> None:
    from edgepde_runtime import bundle
    from edgepde_runtime.term import upward

    written = bundle.read(made)
    typer.echo(f"{made}: {written.size / 1024:.1f} KB, id {written.id[:12]}")
    for key, entry in written.certificate.outputs.items():
        device = (
            "not verified" if entry.device_total is None else f"{upward(entry.device_total)} ({entry.device_class})"
        )
        total = "not verified" if entry.total is None else f"{upward(entry.total)} ({entry.total_class})"
        typer.echo(f"  {key}: error on the device {device}, total {total} {entry.unit}".rstrip())
        for line in _remarks(entry):
            typer.echo(f"    {line}")
    typer.echo(f"next: {shlex.join(['edgepde', 'verify', str(made)])}")


def _remarks(entry: OutputCertificate) -> list[str]:
    """What a reader should know of the bound before relying on it."""
    from edgepde_runtime.certificate_rules import REFERENCE
    from edgepde_runtime.term import SENSOR, upward

    lines = []
    if entry.found is not None and entry.found.against == REFERENCE and entry.tightness_total is not None:
        times = f"the bound is {entry.tightness_total:.3g} x that"
        lines.append(f"worst |reference - device| found {upward(entry.found.value)}: {times}")
    loose = entry.tightness_compression
    if loose is not None and loose > LOOSE:
        lines.append(
            f"the compression term is {loose:.3g} x the worst found: too many inputs, or too steep, for --prove-seconds"
        )
    if (sensor := entry.terms.get(SENSOR)) is not None and sensor.value is not None:
        lines.append(f"inaccurate inputs cost {upward(sensor.value)} of the total ({sensor.class_})")
    return lines

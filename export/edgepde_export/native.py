"""The C99 target: c99/ with its plan, lib/<triple>/, and the backend they make while the certificate is measured."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias, final

import numpy as np
from edgepde_runtime import compiler, dynload, library
from edgepde_runtime.backends.c99 import C99Backend
from edgepde_runtime.certificate import BoxEntry, Certificate, OutputCertificate, index
from edgepde_runtime.errors import CompilerError, InputError, UnsupportedModel
from edgepde_runtime.limits import positive
from edgepde_runtime.manifest import FORMAT_VERSION, InputSpec, Manifest, OutputSpec, SlotSpec
from edgepde_runtime.onnxfile import model_hash, parse
from edgepde_runtime.plan import Plan
from edgepde_runtime.term import TERMS, Term
from numpy.typing import NDArray

from .passes.simplify import Log, to_stderr

Golden: TypeAlias = Mapping[str, NDArray[np.floating]]
Signature = tuple[tuple[InputSpec, ...], tuple[OutputSpec, ...]]
TARGET = "c99"
ELSEWHERE = "; --target onnx runs it"


@final
@dataclass(frozen=True)
class Native:
    """What was asked of the C99 target: triples to compile for, and limits in KB."""

    cc: tuple[str, ...] = ()
    max_ram_kb: float | None = None
    max_flash_kb: float | None = None
    log: Log = to_stderr

    def files(
        self,
        model: bytes,
        manifest: Manifest,
        certificate: Certificate,
        golden: Golden,
        tested: Certificate | None = None,
    ) -> dict[str, bytes]:
        """The files of c99/ and lib/ by their name in the bundle; `manifest` does not list them yet.

        tested: the certificate of the golden data, where it is another.
        Raises UnsupportedModel naming the node, CompilerError, BoundExceeded above a limit, NotVerified where a limit
        cannot be checked.
        """
        from .c99 import plan

        sources = generate(model, manifest, certificate, golden, tested)
        made = {f"c99/{name}": data for name, data in sources.items()}
        with tempfile.TemporaryDirectory(prefix="edgepde-") as temporary:
            folder = unpacked(sources, Path(temporary) / "c99")
            planned = plan.make(folder, Plan(manifest.model_hash, _weights(model), ()), self.cc, self.log)
            plan.enforce(planned, self.max_ram_kb, self.max_flash_kb, self.cc)
            for triple in self.cc:
                name = library.file_name(library.stem_of(folder), triple)
                self.log(f"c99: compiling lib/{triple}/{name}")
                built = library.build(folder, Path(temporary) / name, triple)
                made[f"lib/{triple}/{name}"] = built.path.read_bytes()
                self.log(f"c99: lib/{triple}/{name}: {built.path.stat().st_size} bytes by {built.compiler}")
        return {**made, "c99/plan.json": planned.to_json().encode()}


def asked(
    targets: tuple[str, ...], cc: tuple[str, ...], max_ram_kb: object, max_flash_kb: object, log: Log
) -> Native | None:
    """What was asked of the C99 target, None where nothing was.

    Raises InputError for an option that needs the target, a wrong or repeated triple; BudgetError for a limit that is
    not above 0; CompilerError for a triple nobody here compiles for.
    """
    given = {"--cc": cc, "--max-ram-kb": max_ram_kb, "--max-flash-kb": max_flash_kb}
    if TARGET not in targets:
        for name, value in given.items():
            if value:
                raise InputError(f"{name} is about the C99 code: add --target {TARGET}")
        return None
    if len(set(cc)) != len(cc):
        raise InputError(f"--cc: expected each triple once, got {', '.join(cc)}")
    for triple in cc:
        _try(triple)
    limits = [
        None if given[name] is None else positive(given[name], name) for name in ("--max-ram-kb", "--max-flash-kb")
    ]
    return Native(cc, limits[0], limits[1], log)


def _try(triple: str) -> None:
    """Compiles one line for a triple; raises InputError for what is none, CompilerError with what is complained of."""
    try:
        found = compiler.for_target(triple)
        with tempfile.TemporaryDirectory(prefix="edgepde-") as temporary:
            (Path(temporary) / "empty.c").write_text("extern int edgepde_empty;\n")
            found.run(["-std=c99", "-c", "empty.c", "-o", "empty.o"], Path(temporary))
    except CompilerError as error:
        raise CompilerError(f"--cc {triple}: {error}") from None


def generate(
    model: bytes, manifest: Manifest, certificate: Certificate, golden: Golden, tested: Certificate | None = None
) -> Mapping[str, bytes]:
    """The files of c99/ by name; raises UnsupportedModel naming the node that has no C, and what runs it."""
    from .c99 import generate as write

    try:
        return write(model, manifest, certificate, golden, tested)
    except UnsupportedModel as error:
        raise UnsupportedModel(f"{str(error).removesuffix(ELSEWHERE)}{ELSEWHERE}") from error


def backend(model: bytes, signature: Signature, log: Log, slots: tuple[SlotSpec, ...] = ()) -> C99Backend | None:
    """The model compiled for this machine, to be measured before there is a bundle; None without a compiler.

    Raises UnsupportedModel naming the node that has no C, CompilerError where the C does not compile.
    """
    inputs, outputs = signature
    manifest = Manifest(FORMAT_VERSION, "model", model_hash(model), {}, {}, inputs, outputs, slots)
    sources = generate(model, manifest, _unmeasured(manifest), _middle(inputs))
    found = compiler.find()
    if found is None:
        log(f"not measured: backend c99: {compiler.NO_COMPILER}")
        return None
    with tempfile.TemporaryDirectory(prefix="edgepde-") as temporary:
        folder = unpacked(sources, Path(temporary) / "c99")
        sets = ", ".join(library.instruction_sets(found, Path(temporary)))
        log(f"c99: compiling the C code for {sets} with {found.words}")
        try:
            built = library.build(folder, Path(temporary) / "model.so")
        except CompilerError as error:
            raise CompilerError(f"c99/ does not compile: {error}") from None
        data = built.path.read_bytes()
    log(f"c99: compiled by {built.compiler} for {', '.join(built.isas)}")
    return C99Backend(manifest, dynload.load(data, "the compiled model"), "the compiled model")


def writable(model: bytes, signature: Signature) -> str:
    """Empty where the model can be written as C, else why not, the node named."""
    inputs, outputs = signature
    manifest = Manifest(FORMAT_VERSION, "model", model_hash(model), {}, {}, inputs, outputs)
    try:
        generate(model, manifest, _unmeasured(manifest), _middle(inputs))
    except UnsupportedModel as error:
        return str(error)
    return ""


def unpacked(sources: Mapping[str, bytes], folder: Path) -> Path:
    """The files written below `folder`, which is returned."""
    for name, data in sources.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


def _middle(inputs: tuple[InputSpec, ...]) -> Golden:
    """One row of each input, in the middle of its box."""
    rows = {s.name: [[(c.low + c.high) / 2 for c in s.columns]] for s in inputs}
    return {f"input/{s.name}": np.array(rows[s.name], dtype=s.dtype) for s in inputs}


def _weights(model: bytes) -> int:
    return sum(array.nbytes for array in parse(model).graph.initializers.values())


def _unmeasured(manifest: Manifest) -> Certificate:
    """A certificate that says nothing yet."""
    terms = dict.fromkeys(TERMS, Term.not_verified("not measured yet"))
    entries = [OutputCertificate.from_terms(o.name, o.unit, terms) for o in manifest.outputs if not o.diagnostic]
    box = tuple(BoxEntry(s.name, c.name, c.unit, c.low, c.high) for s in manifest.inputs for c in s.columns)
    return Certificate(manifest.model_hash, (TARGET,), box, (), "none", index(entries))

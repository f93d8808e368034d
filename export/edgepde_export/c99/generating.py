"""generate(): a model, what goes in and out, its bound -> the files of c99/."""

from __future__ import annotations

from importlib import resources

import edgepde_runtime
from edgepde_runtime.certificate import Certificate
from edgepde_runtime.errors import UnsupportedModel
from edgepde_runtime.manifest import Manifest
from edgepde_runtime.onnxfile import parse
from edgepde_runtime.rooms import folders

from . import header, project, source
from .program import program


def generate(
    model: bytes,
    manifest: Manifest,
    certificate: Certificate,
    golden: project.Golden,
    tested: Certificate | None = None,
) -> dict[str, bytes]:
    """The files of c99/ by name, but for plan.json; the same bytes for the same arguments.

    golden: members of golden.npz, for test_golden.c; an empty one leaves that file out. Of a model with slots: those
    of a cassette, slot/<name> among them. tested: the certificate that test_golden.c asks, where it is another.

    Raises UnsupportedModel naming the node and why the C99 target cannot take it.
    """
    made = program(parse(model), manifest)
    banner = f"/* Generated; model_hash {manifest.model_hash}. SPDX-License-Identifier: Apache-2.0 */"
    text = source.write(made, banner)
    files = {f"{made.name}.c": text.text, f"{made.name}.h": header.write(made, text, manifest, certificate)}
    files |= project.files(made, golden, tested or certificate)
    files |= {f"kernels/{name}": content for name, content in kernels(text.kernels).items()}
    return {name: content.encode() for name, content in sorted(files.items())}


def kernels(needed: tuple[str, ...]) -> dict[str, str]:
    """The kernel files needed and those they include, by name."""
    found: dict[str, str] = {}
    queue = [*needed, "generic.h"]
    while queue:
        name = queue.pop()
        if name in found:
            continue
        found[name] = _kernel(name)
        included = (line.split('"')[1] for line in found[name].splitlines() if line.startswith('#include "'))
        queue.extend(included)
    return found


def _kernel(name: str) -> str:
    root = resources.files(edgepde_runtime)
    stem = name.removesuffix(".h")
    places = [root / "kernels" / name, *(root / "ops" / room / name for room in folders() if room == stem)]
    for place in places:
        if place.is_file():
            return place.read_text("utf-8")
    raise UnsupportedModel(f"kernel file {name} is missing from edgepde-runtime")

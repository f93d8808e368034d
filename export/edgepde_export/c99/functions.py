"""Static functions and kernel files that steps call: lane functions, and kernels cut to a type and an activation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import final

from .value import BYTES

LETTERS = "abcd"
MOST_OPERANDS = len(LETTERS)

Steps = tuple[tuple[str, tuple[int, ...]], ...]
"""Expressions, the last is the result: a template and what fills it, operand i or, as ~j, the result of step j."""


def spelled_step(step: tuple[str, tuple[int, ...]]) -> str:
    """A step in C."""
    template, used = step
    return template.format(*(LETTERS[i] if i >= 0 else f"t{~i}" for i in used))


@final
@dataclass
class Functions:
    """Static functions and kernel files that the operations of one program need, each once."""

    kernels: dict[str, None] = field(default_factory=dict)
    definitions: dict[str, str] = field(default_factory=dict)
    _names: dict[tuple[str, ...], str] = field(default_factory=dict)

    def kernel(self, *files: str) -> None:
        """Kernel headers that are needed."""
        self.kernels.update(dict.fromkeys(files))

    def lane(self, code: str, arity: int, steps: Steps, files: tuple[str, ...]) -> str:
        """The name of a lane function that takes these steps."""
        self.kernel(*files)
        template, used = steps[-1]
        plain = template.split("(")[0]
        if (
            len(steps) == 1
            and used == tuple(range(arity))
            and template == f"{plain}({', '.join(map('{{{}}}'.format, used))})"
        ):
            return plain
        key = ("lane", code, str(arity), repr(steps))
        if key not in self._names:
            name = self._names[key] = f"lane_{len(self._names)}"
            parameters = ", ".join(f"ep_{code} {LETTERS[i]}" for i in range(arity))
            lines = [f"    const ep_{code} t{j} = {spelled_step(step)};" for j, step in enumerate(steps[:-1])]
            body = "\n".join([*lines, f"    return {spelled_step(steps[-1])};"])
            self.definitions[name] = f"static inline ep_{code} {name}({parameters}) {{\n{body}\n}}\n"
        return self._names[key]

    def map(self, code: str, arity: int, lane: str) -> str:
        """The name of a function that applies a lane function to arrays."""
        self.kernel("map.h")
        return self._included("map", "map.h", code, {"EP_OP": lane, "EP_ARITY": str(arity)})

    def dense(self, code: str, act: str, weights: str) -> str:
        """The prefix of a dense layer with this activation and weights of this type."""
        self.kernel("dense.h")
        macros = {"EP_ACT": act, "EP_ACTS": str(int(act != f"ep_same_{code}"))}
        if weights != code:
            self.kernel("stored.h")
            macros["EP_STORED"] = str(8 * BYTES[weights])
        return self._included("dense", "dense.h", code, macros)

    def blocks(self, code: str, factors: str) -> str:
        """The prefix of a product with packed blocks whose factors are of this type."""
        macros = {"EP_INDEX": "int32_t"}
        if factors != code:
            macros["EP_STORED"] = str(8 * BYTES[factors])
        self.kernel("block_low_rank_apply.h", "stored.h")
        return self._included("blocks", "block_low_rank_apply.h", code, macros)

    def weighted(self, stem: str, file: str, code: str, weights: str) -> str:
        """The prefix of what a kernel file defines for numbers of one type and weights of this one."""
        self.kernel(file)
        return self._included(stem, file, code, {"EP_STORED": str(8 * BYTES[weights])} if weights != code else {})

    def included(self, stem: str, file: str, code: str, macros: Mapping[str, str] | None = None) -> str:
        """The name or prefix of what a kernel file defines for one element type and these macros."""
        self.kernel(file)
        return self._included(stem, file, code, dict(macros or {}))

    def _included(self, stem: str, file: str, code: str, macros: dict[str, str]) -> str:
        key = (file, code, *macros.values())
        if key not in self._names:
            name = self._names[key] = f"{stem}_{len(self._names)}"
            defined = {"EP_NAME": name, "EP_TYPE": code, **macros}
            text = "".join(f"#define {k} {v}\n" for k, v in defined.items()) + f'#include "kernels/{file}"\n'
            self.definitions[name] = text + "".join(f"#undef {k}\n" for k in defined)
        return self._names[key]

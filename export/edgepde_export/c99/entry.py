"""What the generated file offers: a function per part of the graph, with its sizes, inputs, outputs and checks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from edgepde_runtime.errors import UnsupportedModel

from .dims import Factor, flat, numbers, spelled, symbols
from .value import C_TYPES, Value


@dataclass(frozen=True)
class Input:
    """A parameter: rows and columns of one type; `box` low and high per column, empty where nothing is checked."""

    name: str
    value: Value
    box: tuple[tuple[float, float], ...] = ()

    @property
    def rows(self) -> str:
        """The symbol of its rows, "" where all sizes are numbers."""
        return next(iter(symbols(self.value.shape)), "")

    @property
    def columns(self) -> int:
        """Numbers per row."""
        return self.value.count


@dataclass(frozen=True)
class Output:
    """A result; `threshold` makes it a residual per row, `diagnostic` keeps it when a row fails."""

    name: str
    value: Value
    diagnostic: bool = False
    threshold: float | None = None

    @property
    def symbols(self) -> tuple[str, ...]:
        """Its free sizes in order."""
        return symbols(self.value.shape)

    @property
    def factors(self) -> list[Factor]:
        """Its sizes in the order of a flat index."""
        return flat(self.value.shape)


@dataclass(frozen=True)
class Entry:
    """One function: `<model>_<name>`; `outer` is the symbol looped over around the tiles, `lane` that of their rows."""

    name: str
    symbols: tuple[str, ...]
    outer: str | None
    lane: str | None
    inputs: tuple[Input, ...]
    outputs: tuple[Output, ...]

    @property
    def names(self) -> list[str]:
        """Inputs, then outputs, in order."""
        return [*(i.name for i in self.inputs), *(o.name for o in self.outputs)]

    def direct(self) -> list[Output]:
        """Outputs that steps may write where the caller wants them, where rows run one by one: whole stores."""
        stores = [o.value.store for o in self.outputs]
        given = {i.value.store for i in self.inputs}
        return [
            o
            for o in self.outputs
            if self.lane in o.symbols and o.value.varying and o.value.store.kind == "scratch"
            if o.value.count == o.value.store.count and o.value.apart is None
            if stores.count(o.value.store) == 1 and o.value.store not in given
        ]

    def check(self) -> None:
        """Raises UnsupportedModel for an output whose rows would not lie together."""
        for output in self.outputs:
            names = output.symbols
            if not self.symbols:
                continue
            alone = ((self.lane,),) if self.outer is None else ((self.outer,), (self.outer, self.lane))
            if len(names) > len(set(names)) or names not in alone:
                raise UnsupportedModel(
                    f"output {output.name!r}: expected sizes beginning with {self.outer or self.lane}, "
                    f"got {spelled(output.value.shape)}"
                )
            if any(isinstance(f, int) for f in output.factors[: len(names)]):
                raise UnsupportedModel(
                    f"output {output.name!r}: expected rows first, got {spelled(output.value.shape)}"
                )

    def parameters(self, ids: Mapping[str, str]) -> list[str]:
        """The C parameters, scratch last."""
        found = [f"size_t {ids[s]}" for s in self.symbols]
        found += [f"const {C_TYPES[i.value.code]} *{ids[i.name]}" for i in self.inputs]
        found += [f"{C_TYPES[o.value.code]} *{ids[o.name]}" for o in self.outputs]
        return [*found, "void *scratch"]


def product(factors: list[Factor], ids: Mapping[str, str]) -> str:
    """Factors as a C expression of sizes."""
    number = numbers(factors)
    names = [ids[f] for f in factors if isinstance(f, str)]
    return " * ".join([*names, str(number)] if number != 1 or not names else names)


def after(factors: list[Factor], i: int, ids: Mapping[str, str]) -> str:
    """Elements from one index of factor i to the next."""
    return product(factors[i + 1 :], ids)

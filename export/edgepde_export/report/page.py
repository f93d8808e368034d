"""The page: the collected facts, drawn and put into the template."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from edgepde_runtime.latency import FLOOR
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from ..errors import TargetError
from . import blocks, card, coefficient, headline, histogram, maps, operators, plots, tables, words, zone_plots
from .arrays import parameter_columns, point_columns
from .collect import Collected
from .fields import Shown, output

LARGEST = 1_500_000
SHARPNESS = (144, 96, 60, 36)


@dataclass(frozen=True)
class Row:
    """One parameter's maps with the words above them."""

    title: str
    figures: str
    maps: tuple[tuple[str, Markup], ...]


def render(facts: Collected) -> str:
    """The whole page, at most LARGEST bytes: maps are drawn coarser until it fits. Raises TargetError where none is."""
    for dpi in SHARPNESS:
        page = _render(facts, dpi)
        if len(page.encode()) <= LARGEST:
            return page
    raise TargetError(f"{facts.path}: expected a page of at most {LARGEST} bytes, got {len(page.encode())}")


def _render(facts: Collected, dpi: int) -> str:
    loader = PackageLoader("edgepde_export.report", ".")
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    environment.filters |= {"figure": words.number, "bound": words.bound, "unit": words.unit}
    return environment.get_template("page.html.j2").render(
        facts=facts,
        name=facts.bundle.manifest.name,
        verdict=facts.verdict,
        certificate=facts.bundle.certificate,
        count=words.count,
        points=words.count(facts.economy.points),
        parameter_names=[words.labelled(c.name, c.unit) for c in parameter_columns(facts.bundle)],
        classes=tables.CLASS_WORDS,
        checks=[tables.check(c) for c in facts.verdict.checks],
        tables=tables.tables(facts),
        rows=_rows(facts, dpi),
        cases=_cases(facts, dpi),
        operators=operators.panels(facts.bundle, dpi),
        coefficients=coefficient.draws(facts.bundle, dpi),
        drawings=_drawings(facts),
        layers=blocks.drawn(facts.layers),
        layer_table=list(blocks.table(facts.layers)),
        card=card.render(facts.bundle.card),
        **headline.words_on_top(facts),
    )


def _rows(facts: Collected, dpi: int) -> list[Row]:
    arrays, spec = facts.arrays, output(facts.bundle)
    if arrays.axis0 is None or arrays.axis1 is None:
        return []
    columns = point_columns(facts.bundle)
    names = [words.labelled(c.name, c.unit) for c in columns] if len(columns) == 2 else ["axis 0", "axis 1"]
    plane = maps.Plane(arrays.axis0, arrays.axis1, *names)
    scale = maps.error_scale(facts.shown)
    label = words.labelled(spec.name, spec.unit)
    rows = []
    for one in facts.shown:
        both = [one.predicted] + ([] if one.exact is None else [one.exact])
        ends = (min(float(a.min()) for a in both), max(float(a.max()) for a in both))
        key = f"field{one.index}"
        drawn = [(f"predicted {label}", maps.field(one.predicted, plane, ends, "predicted field", f"{key}p", dpi))]
        if one.exact is not None:
            drawn.append((f"exact {label}", maps.field(one.exact, plane, ends, "exact field", f"{key}e", dpi)))
        if one.exact is not None and scale is not None:
            wrong = maps.error(one.predicted - one.exact, plane, scale, "error map", f"{key}d", dpi)
            drawn.append((f"|error| of {label}" if scale.log else f"error of {label}", wrong))
        rows.append(Row(_title(facts, one), _figures(facts, one), tuple(drawn)))
    return rows


def _cases(facts: Collected, dpi: int) -> list[zone_plots.Case]:
    spec = output(facts.bundle)
    return zone_plots.cases(facts.zone, words.labelled(spec.name, spec.unit), spec.unit, dpi)


def _title(facts: Collected, one: Shown) -> str:
    columns = parameter_columns(facts.bundle)
    where = [
        f"{c.name} = {words.plain(v)} {words.unit(c.unit)}".rstrip()
        for c, v in zip(columns, one.parameter, strict=True)
    ]
    return f"{one.rank.capitalize()}: {', '.join(where)}" if where else one.rank.capitalize()


def _figures(facts: Collected, one: Shown) -> str:
    if facts.errors is None:
        return "no exact field to compare with"
    relative, largest = facts.errors.relative[one.index], facts.errors.largest[one.index]
    return (
        f"relative L² {words.number(relative)}, largest {words.number(largest)} {words.unit(output(facts.bundle).unit)}"
    )


def _drawings(facts: Collected) -> dict[str, Markup]:
    """Every drawing but the maps, by name; absent where its arrays are."""
    arrays, limits = facts.arrays, facts.limits
    drawn: dict[str, Markup] = {}
    parameters = parameter_columns(facts.bundle)
    if arrays.collocation is not None:
        drawn["points"] = plots.points(arrays.collocation, arrays.validation, point_columns(facts.bundle))
    if arrays.snapshots is not None and parameters:
        drawn["snapshots"] = plots.snapshots(arrays.snapshots, parameters)
    if arrays.greedy_error is not None:
        drawn["greedy"] = plots.greedy(arrays.greedy_error)
    if facts.errors is not None and arrays.parameters is not None and parameters:
        marked = {one.index: one.rank for one in facts.shown}
        drawn["errors"] = plots.errors(arrays.parameters[:, 0], facts.errors.relative, marked, parameters[0])
    budget = {name: t for name, t in (("p50", limits.p50_us), ("p99", limits.p99_us)) if t is not None}
    samples: dict[str, Any] = dict(facts.verdict.samples)
    drawn["latency"] = histogram.latency(samples[facts.verdict.backend], samples[FLOOR], budget, "latency")
    if (growth := zone_plots.growth(facts.zone)) is not None:
        drawn["growth"] = growth
    if facts.field_latency is not None:
        drawn["field_latency"] = histogram.latency(facts.field_latency, samples[FLOOR], {}, "wholefield")
    return drawn

"""The page about all benchmarks: every figure with its goal, and what it was measured beside.

A run replaces the sections of what it measured; the others stay as they were measured last.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log2
from pathlib import Path

import msgspec

from tests.benchmarks.measuring import Figure

_ROW, _BAR, _LEFT, _RIGHT = 22, 12, 430, 190
_REACH = 3.0
"""Powers of two on either side of a goal that the plot shows."""
_GOOD, _BAD = "#2e7d32", "#c62828"


@dataclass(frozen=True)
class Section:
    """One benchmark: what it measures, on what and when, what it said meanwhile, and its figures."""

    name: str
    about: str
    run: str
    said: Sequence[str]
    figures: Sequence[Figure]


@dataclass(frozen=True)
class Told:
    """What figures cannot say."""

    notes: str
    """Which limits there are, and what was tried."""
    limits: Mapping[str, str]
    """Beginnings of figures' names, and what keeps these from their goals."""

    def limit(self, figure: Figure) -> str | None:
        """In a sentence or two, with the notes that tell more."""
        names = [name for name in self.limits if figure.name.startswith(name)]
        return self.limits[max(names, key=len)] if names else None


def kept_sections(page: Path) -> list[Section]:
    """What the page has."""
    kept = page.with_suffix(".json")
    return msgspec.json.decode(kept.read_bytes(), type=list[Section]) if kept.exists() else []


def merge(page: Path, measured: Sequence[Section], order: Sequence[str], told: Told) -> None:
    """Write the page with the measured sections and those it has of other benchmarks of `order`, and beside it the plot
    and the figures."""
    by_name = {section.name: section for section in (*kept_sections(page), *measured)}
    sections = [by_name[name] for name in order if name in by_name]
    missing = [name for name in order if name not in by_name]
    page.with_suffix(".json").write_bytes(msgspec.json.format(msgspec.json.encode(sections)) + b"\n")
    plot = page.with_suffix(".svg")
    plot.write_text(_plot([figure for section in sections for figure in section.figures]), encoding="utf-8")
    page.write_text(_page(sections, missing, told, plot.name), encoding="utf-8")


def _page(sections: Sequence[Section], missing: Sequence[str], told: Told, plot: str) -> str:
    figures = [figure for section in sections for figure in section.figures]
    reached = sum(figure.is_reached for figure in figures)
    parts = [
        "# Benchmarks",
        "Written by `python -m tests.benchmarks --report`, or in parts with names after it. Contenders are measured in"
        " turn in one run, and figures are medians of the rounds' ratios; times and rates alone hold for this machine"
        " only.",
        f"{reached} of {len(figures)} figures reach their goal."
        + (f" Not measured yet: {', '.join(missing)}." if missing else ""),
        f"![Each figure against its goal: to the right of the line it is better]({plot})",
        _missed(sections, told),
        told.notes.strip(),
        *map(_section, sections),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _missed(sections: Sequence[Section], told: Told) -> str:
    rows = [
        f"| [{section.name}](#{section.name}) | {figure.name} | {_value(figure)} | {_goal(figure)} |"
        f" {told.limit(figure) or ''} |"
        for section in sections
        for figure in section.figures
        if not figure.is_reached
    ]
    if not rows:
        return ""
    table = ["| section | figure | value | goal | what the limit is |", "|---|---|--:|--:|---|", *rows]
    return "\n".join(["## Missed, and why", "", *table])


def _section(section: Section) -> str:
    table = ["| figure | value | goal | | |", "|---|--:|--:|---|---|", *map(_row, section.figures)]
    said = ["```text", *section.said, "```"] if section.said else []
    return "\n".join(
        [f"## {section.name}", "", section.about, "", f"Run: {section.run}", "", *table, *([""] if said else []), *said]
    )


def _row(figure: Figure) -> str:
    mark = "reached" if figure.is_reached else "**missed**"
    return f"| {figure.name} | {_value(figure)} | {_goal(figure)} | {mark} | {figure.detail} |"


def _value(figure: Figure) -> str:
    return f"{figure.value:.3g} {figure.unit}"


def _goal(figure: Figure) -> str:
    return f"{'≤' if figure.at_most else '≥'} {figure.goal:g} {figure.unit}"


def _plot(figures: Sequence[Figure]) -> str:
    """Bars from the goal, on a logarithmic scale: to the right what is better, to the left what is worse."""
    middle, unit = _LEFT + _RIGHT, _RIGHT / _REACH
    width, height = _LEFT + 2 * _RIGHT + 10, (len(figures) + 1) * _ROW + 8
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="sans-serif"'
        ' font-size="12">',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
    ]
    for power in range(-int(_REACH), int(_REACH) + 1):
        x = middle + power * unit
        lines.append(f'<line x1="{x:.0f}" y1="{_ROW}" x2="{x:.0f}" y2="{height}" stroke="{_grid(power)}"/>')
        lines.append(f'<text x="{x:.0f}" y="15" text-anchor="middle" fill="#555555">{_scale(power)}</text>')
    for place, figure in enumerate(figures, 1):
        y = place * _ROW + 6
        length = max(-_REACH, min(_REACH, log2(max(_share(figure), 1e-9)))) * unit
        color = _GOOD if figure.is_reached else _BAD
        lines.append(
            f'<text x="{_LEFT - 8}" y="{y + 11}" text-anchor="end" fill="#222222">{_escaped(figure.name)}</text>'
        )
        lines.append(
            f'<rect x="{middle + min(0.0, length):.1f}" y="{y}" width="{max(abs(length), 1):.1f}" height="{_BAR}"'
            f' fill="{color}"/>'
        )
    return "\n".join([*lines, "</svg>"]) + "\n"


def _share(figure: Figure) -> float:
    """How many times as good as its goal."""
    return max(figure.goal, 1e-9) / max(figure.value, 1e-9) if figure.at_most else figure.value / figure.goal


def _grid(power: int) -> str:
    return "#222222" if power == 0 else "#dddddd"


def _scale(power: int) -> str:
    return "goal" if power == 0 else f"{2**power:g} x" if power > 0 else f"1/{2**-power} x"


def _escaped(text: str) -> str:
    marks: Mapping[str, str] = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
    return "".join(marks.get(sign, sign) for sign in text)

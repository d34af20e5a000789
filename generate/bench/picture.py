"""The picture of a measurement: tokens a second over batch and context, as SVG without a library.

A panel for each context, a group of bars for each batch, a bar with its interval for each system.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any
from xml.sax.saxutils import escape

from generate.bench.report import name_of

Row = Mapping[str, Any]

# Okabe and Ito's colours, which people who see colours differently can tell apart, and greys for peers.
PEERS = ("#bbbbbb", "#999999", "#777777", "#555555", "#dddddd")
OURS = ("#56b4e9", "#e69f00", "#009e73", "#cc79a7", "#f0e442", "#0072b2", "#d55e00")
HEIGHT, LEFT, TOP, BOTTOM = 240, 64, 40, 44
BAR, GROUP_GAP, PANEL_GAP, LEGEND_LINE = 22, 28, 48, 20
TICKS = 6
"""The most steps of the axis."""


def draw(rows: Sequence[Row], title: str) -> str:
    """An SVG document."""
    names = list(dict.fromkeys(name_of(row) for row in rows))
    colours = _colours(rows, names)
    contexts = list(dict.fromkeys(row["context"] for row in rows))
    ticks = _ticks(max(row["high"] for row in rows))
    bars: list[str] = []
    x = float(LEFT)
    for context in contexts:
        panel = [row for row in rows if row["context"] == context]
        drawn, width = _panel(panel, names, colours, x, ticks[-1])
        bars += drawn
        x += width + PANEL_GAP
    width = max(x - PANEL_GAP + 20, 480.0)
    base = TOP + HEIGHT + BOTTOM
    parts = [*_axis(ticks, width), *bars, *_legend(names, colours, base)]
    height = base + LEGEND_LINE * math.ceil(len(names) / 2) + 16
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height}" '
        f'viewBox="0 0 {width:.0f} {height}" font-family="sans-serif" font-size="12" fill="#222">'
    )
    heading = f'<text x="{LEFT}" y="20" font-size="14" font-weight="bold">{escape(title)}</text>'
    background = '<rect width="100%" height="100%" fill="white"/>'
    return "\n".join((head, background, heading, *parts, "</svg>", ""))


def _colours(rows: Sequence[Row], names: Sequence[str]) -> dict[str, str]:
    """Greys for those who have a model of their own loaded, colours for ours."""
    systems = {name_of(row): row["system"] for row in rows}
    peers = [name for name in names if systems[name].startswith(("transformers", "llama.cpp"))]
    ours = [name for name in names if name not in peers]
    return {name: PEERS[place % len(PEERS)] for place, name in enumerate(peers)} | {
        name: OURS[place % len(OURS)] for place, name in enumerate(ours)
    }


def _panel(
    rows: Sequence[Row], names: Sequence[str], colours: Mapping[str, str], left: float, top: float
) -> tuple[list[str], float]:
    """The bars of one context, and how wide they are."""
    parts: list[str] = []
    x = left
    for batch in dict.fromkeys(row["batch"] for row in rows):
        group = sorted(
            (row for row in rows if row["batch"] == batch), key=lambda row: names.index(name_of(row))
        )
        start = x
        for row in group:
            parts += _bar(row, colours[name_of(row)], x, top)
            x += BAR
        middle = (start + x) / 2
        parts.append(_text(middle, TOP + HEIGHT + 16, f"batch {batch}"))
        x += GROUP_GAP
    width = x - GROUP_GAP - left
    context = rows[0]["context"]
    parts.append(_text(left + width / 2, TOP + HEIGHT + 34, f"context {context:,}", weight="bold"))
    return parts, width


def _bar(row: Row, colour: str, x: float, top: float) -> list[str]:
    value, low, high = (_y(row[key], top) for key in ("tokens_per_s", "low", "high"))
    middle = x + BAR / 2
    label = f"{row['tokens_per_s']:.0f}" if row["tokens_per_s"] >= 10 else f"{row['tokens_per_s']:.1f}"
    told = f"{name_of(row)}: {row['tokens_per_s']:.1f} tokens/s [{row['low']:.1f}, {row['high']:.1f}]"
    return [
        f'<rect x="{x + 1:.1f}" y="{value:.1f}" width="{BAR - 2}" height="{TOP + HEIGHT - value:.1f}" '
        f'fill="{colour}"><title>{escape(told)}</title></rect>',
        f'<path d="M{middle:.1f} {low:.1f}V{high:.1f}M{middle - 3:.1f} {low:.1f}h6M{middle - 3:.1f} '
        f'{high:.1f}h6" stroke="#222" fill="none"/>',
        _text(middle, min(value, high) - 4, label, size=9),
    ]


def _axis(ticks: Sequence[float], width: float) -> list[str]:
    parts = [
        f'<text transform="rotate(-90)" x="{-(TOP + HEIGHT / 2):.0f}" y="14" text-anchor="middle">'
        "tokens/s (decoding, whole batch)</text>"
    ]
    for value in ticks:
        y = _y(value, ticks[-1])
        stroke = "#e6e6e6" if value else "#222"
        parts.append(f'<path d="M{LEFT - 6} {y:.1f}H{width - 12:.0f}" stroke="{stroke}"/>')
        parts.append(f'<text x="{LEFT - 10}" y="{y + 4:.1f}" text-anchor="end">{value:g}</text>')
    return parts


def _legend(names: Sequence[str], colours: Mapping[str, str], base: float) -> list[str]:
    parts = []
    for place, name in enumerate(names):
        x = LEFT + 230 * (place % 2)
        y = base + LEGEND_LINE * (place // 2) + 12
        parts.append(f'<rect x="{x}" y="{y - 10}" width="12" height="12" fill="{colours[name]}"/>')
        parts.append(f'<text x="{x + 18}" y="{y}">{escape(name)}</text>')
    return parts


def _text(x: float, y: float, text: str, *, size: int = 12, weight: str = "normal") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="middle" font-size="{size}" '
        f'font-weight="{weight}">{escape(text)}</text>'
    )


def _y(value: float, top: float) -> float:
    return TOP + HEIGHT * (1 - value / top)


def _ticks(value: float) -> list[float]:
    """From 0 to the first tick that is not below the value, in steps that people can read."""
    power = 10 ** math.floor(math.log10(value / TICKS))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power * TICKS >= value)
    return [step * number for number in range(math.ceil(value / step) + 1)]

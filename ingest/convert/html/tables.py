"""Tables: which hold data and which only lay a page out, and the grid of those that hold data."""

from __future__ import annotations

from ingest.convert.html.tree import Element, tag_of, text_of

_MOST_SPANNED = 50_000
"""Cells that spans may add to a table; beyond them a span counts as one cell."""
_WIDEST = 100
_TALL = ("p", "ul", "ol", "pre", "blockquote", "h1", "h2", "h3", "h4", "dl", "x-callout", "figure")


def own_rows(table: Element) -> list[Element]:
    """The table's rows, without those of tables in its cells."""
    rows = []
    for child in table:
        if tag_of(child) == "tr":
            rows.append(child)
        elif tag_of(child) in ("thead", "tbody", "tfoot"):
            if any(tag_of(cell) in ("td", "th") for cell in child):
                rows.append(child)  # cells without their row
            rows += [row for row in child if tag_of(row) == "tr"]
    return rows


def is_data_table(table: Element) -> bool:
    """Whether rows and columns mean something: more than one of a column, no blocks or tables in cells."""
    if table.get("role") in ("presentation", "none") or table.find(".//table") is not None:
        return False
    rows = own_rows(table)
    widths = [sum(tag_of(cell) in ("td", "th") for cell in row) for row in rows]
    if not widths or max(widths) < 2:
        return False
    cells = [cell for row in rows for cell in row if tag_of(cell) in ("td", "th")]
    if (
        any(cell.tag == "th" for cell in cells)
        or table.find("thead") is not None
        or table.find("caption") is not None
    ):
        return True
    filled = [cell for cell in cells if text_of(cell) or cell.find(".//img") is not None]
    tall = sum(sum(1 for _ in cell.iter(*_TALL)) > 2 for cell in filled)
    if tall and tall * 4 >= len(filled):
        return False
    if len(rows) == 1 and len(filled) < 2:
        return False
    long = [len(text_of(cell)) for cell in filled]
    return not (len(filled) <= 4 and long and max(long) > 1000)


def table_rows(table: Element) -> list[list[Element | None]]:
    """The grid row by row; a cell that spans several places fills the first and leaves the others empty."""
    grid: list[list[Element | None]] = []
    hanging: dict[int, int] = {}
    added = 0
    for row in own_rows(table):
        line: list[Element | None] = []
        for cell in row:
            if tag_of(cell) not in ("td", "th"):
                continue
            _hang(line, hanging)
            columns, deep = _span(cell.get("colspan")), _span(cell.get("rowspan"))
            added += columns * deep - 1
            if added > _MOST_SPANNED:
                columns = deep = 1
            for offset in range(columns):
                if deep > 1:
                    hanging[len(line)] = deep - 1
                line.append(cell if offset == 0 else None)
        _hang(line, hanging)
        grid.append(line)
    return _without_empty_columns(grid)


def _hang(line: list[Element | None], hanging: dict[int, int]) -> None:
    """Cells that hang down from the rows above."""
    while hanging.get(len(line), 0) > 0:
        hanging[len(line)] -= 1
        line.append(None)


def _span(value: str | None) -> int:
    return (
        min(int(value), _WIDEST) if value and value.isdecimal() and 0 < len(value) < 6 and int(value) else 1
    )


def _without_empty_columns(grid: list[list[Element | None]]) -> list[list[Element | None]]:
    width = max(map(len, grid), default=0)
    used = [False] * width
    for row in grid:
        for column, cell in enumerate(row):
            if cell is not None and not used[column]:
                used[column] = (
                    bool(text_of(cell)) or next(cell.iter("img", "x-math", "x-ref"), None) is not None
                )
    return [[cell for column, cell in enumerate(row) if used[column]] for row in grid]

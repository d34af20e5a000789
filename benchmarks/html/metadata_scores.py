"""How often title, author, date, site and language of a page are what a person would say.

    python -m benchmarks.html.metadata_scores --data DIR --articles DIR --json FILE

The folders are those of ``python -m benchmarks html``. A value is right when it equals the reference after a
mild normalisation: case, white space, kinds of quotation marks; authors as a set of names, dates as a day
(UTC), languages by their primary subtag. A value where the reference has none is counted apart, as false;
since the articles' references are often silent where a page is not, they are also scored completed.
Rules are made with one half of the pages (`tune`); the other (`watch`) shows what they are worth.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.html.data import Page, articles, completed, markdown_pages
from benchmarks.html.metadata_systems import FIELDS, SYSTEMS, Find

NAMES = {
    "title": ("title",),
    "author": ("author", "byline"),
    "date": ("published", "publishedTime"),
    "site": ("site", "siteName"),
    "language": ("lang",),
}
"""Our names, and the references'."""

ACCURACY = ("title", "author", "date", "site")
"""What the accuracy of metadata as a whole counts: some systems do not tell the language."""

_QUOTES = str.maketrans("‘’‚‛“”„«»`´", "''''\"\"\"\"\"''")
_BETWEEN_NAMES = re.compile(r"\s*(?:[;,&|/\n]|\s(?:and|und|et|y)\s)\s*")
_BYLINE = re.compile(r"^(?:written\s+)?(?:by|von|par)\s+", re.IGNORECASE)
_FORMS = ("%Y-%m-%dT%H:%M:%S%z", "%B %d, %Y")

Counts = dict[str, int]


def reference(page: Page, field: str) -> object:
    """What the page's reference says, in the form in which it is compared; None for nothing."""
    return normalise(field, next(filter(None, map(page.declared.get, NAMES[field])), None))


def normalise(field: str, value: Any) -> object:
    """A value in the form in which it is compared; None for nothing."""
    if not value:
        return None
    if field == "author":
        texts = value if isinstance(value, list) else [value]
        parts = (part for text in texts for part in _BETWEEN_NAMES.split(_BYLINE.sub("", str(text).strip())))
        return frozenset(filter(None, map(_plain, parts))) or None
    if field == "date":
        return _day(value)
    if field == "language":
        return re.split("[-_]", str(value))[0].lower()
    return _plain(str(value)) or None


def _plain(text: str) -> str:
    return " ".join(text.translate(_QUOTES).casefold().split())


def _day(value: object) -> object:
    """The UTC day of a moment, or the text where it is no date."""
    if isinstance(value, str):
        value = _moment(value) or value
    if isinstance(value, datetime):
        return (value.astimezone(UTC) if value.tzinfo else value).date()
    return value if isinstance(value, date) else str(value)


def _moment(text: str) -> datetime | None:
    for form in _FORMS:
        try:
            return datetime.strptime(text, form)
        except ValueError:
            continue
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def measure(pages: Iterable[Page], systems: Mapping[str, Find]) -> dict[str, dict[str, dict[str, Counts]]]:
    """Counts by half ("all" as well), system and field.

    Returns:
        Of `pages` with a value in the reference so many were `right`; of the `empty` ones so many `false`.
    """
    result: dict[str, dict[str, dict[str, Counts]]] = {}
    for page in pages:
        fields = [field for field in FIELDS if set(NAMES[field]) & set(page.declared)]
        for name, find in systems.items():
            found = find(page.html)
            for field in fields:
                gold, ours = reference(page, field), normalise(field, found.get(field))
                for half in ("all", page.half):
                    counts = (
                        result.setdefault(half, {})
                        .setdefault(name, {})
                        .setdefault(field, {"pages": 0, "right": 0, "empty": 0, "false": 0})
                    )
                    counts["pages" if gold else "empty"] += 1
                    counts["right"] += gold is not None and gold == ours
                    counts["false"] += gold is None and ours is not None
    return result


def show(result: Mapping[str, Mapping[str, Mapping[str, Counts]]], title: str) -> None:
    """Tables of the share of right values; below it that over all pages, where none may be right as well."""
    for half, systems in result.items():
        table = Table("system", *FIELDS, "all but language", title=f"metadata of {title}, {half}")
        for name, fields in systems.items():
            cells = (_cell(fields[field]) if field in fields else "" for field in FIELDS)
            table.add_row(name, *cells, _cell(_together(fields)))
        Console(width=120).print(table)


def _together(fields: Mapping[str, Counts]) -> Counts:
    found = [fields[field] for field in ACCURACY if field in fields]
    return {key: sum(counts[key] for counts in found) for key in found[0]}


def _cell(counts: Counts) -> str:
    share = f"{counts['right'] / counts['pages']:.3f}" if counts["pages"] else "-"
    both = counts["right"] + counts["empty"] - counts["false"]
    overall = both / (counts["pages"] + counts["empty"])
    return f"{share} of {counts['pages']}\n{overall:.3f} ({counts['false']} false)"


def run(data: Path | None, article_pages: Path | None, names: Iterable[str]) -> dict[str, Any]:
    """Measure and show both sets, as far as they are given."""
    systems = {name: SYSTEMS[name]() for name in names}
    of_articles = articles(article_pages) if article_pages else []
    sets = {
        "markdown": markdown_pages(data) if data else [],
        "articles": of_articles,
        "articles, completed": completed(of_articles),
    }
    results = {name: measure(pages, systems) for name, pages in sets.items() if pages}
    for name, result in results.items():
        show(result, name)
    return results


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.html.metadata_scores",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data", type=Path, metavar="DIR", help="pages with their markdown")
    parser.add_argument("--articles", type=Path, metavar="DIR", help="pages with their main content")
    parser.add_argument("--systems", default=",".join(SYSTEMS), metavar="NAMES", help="default: all")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the counts there")
    args = parser.parse_args()
    results = run(args.data, args.articles, args.systems.split(","))
    if args.json:
        args.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

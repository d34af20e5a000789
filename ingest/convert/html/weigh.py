"""What stands below every element: text, links, paragraphs; counted in one walk."""

from __future__ import annotations

from dataclasses import dataclass

from ingest.convert.html.tree import HEADINGS, Element, tag_of

_COMMAS = ",،，、﹐︐⹁"


@dataclass(slots=True)
class Weight:
    """Sums over an element and everything below it."""

    letters: int = 0
    linked: float = 0.0
    """Letters in links; a link within the page counts for a third."""
    commas: int = 0
    paragraphs: int = 0
    items: int = 0
    images: int = 0
    headed: int = 0
    """Letters in headings."""
    links: int = 0

    @property
    def link_density(self) -> float:
        return self.linked / self.letters if self.letters else 0.0


def weigh(root: Element) -> dict[Element, Weight]:
    weights: dict[Element, Weight] = {}
    for element in reversed(list(root.iter())):
        own = weights.setdefault(element, Weight())
        tag = tag_of(element)
        if not tag:
            own = weights[element] = Weight()
        elif element.text:
            own.letters += len(" ".join(element.text.split()))
            own.commas += sum(element.text.count(comma) for comma in _COMMAS)
        if tag == "a":
            own.linked = own.letters * (0.3 if element.get("href", "").startswith("#") else 1.0)
            own.links += 1
        elif tag == "p":
            own.paragraphs += 1
        elif tag == "li":
            own.items += 1
        elif tag == "img":
            own.images += 1
        elif tag in HEADINGS:
            own.headed = own.letters
        elif tag == "x-math":
            own.letters += len(element.get("tex", ""))
        parent = element.getparent()
        if parent is None or element is root:
            continue
        above = weights.setdefault(parent, Weight())
        _add(above, own)
        if element.tail:
            above.letters += len(" ".join(element.tail.split()))
            above.commas += sum(element.tail.count(comma) for comma in _COMMAS)
    return weights


def _add(above: Weight, own: Weight) -> None:
    above.letters += own.letters
    above.linked += own.linked
    above.commas += own.commas
    above.paragraphs += own.paragraphs
    above.items += own.items
    above.images += own.images
    above.headed += own.headed
    above.links += own.links

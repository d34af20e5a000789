"""What the nodes of a page say of it in the words of schema.org."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from ingest.convert.page_metadata.json_ld import MAX_ITEMS, Node, types_of
from ingest.convert.page_metadata.texts import letters, line

_ARTICLE = re.compile(r"Article$|Posting$|^Report$|Review$|^Thesis$")
_PAGE = re.compile(r"Page$")
_WORKS = {
    "CreativeWork", "Recipe", "HowTo", "Book", "Chapter", "Dataset", "VideoObject", "PodcastEpisode",
    "Course", "Question", "Movie", "Episode", "SoftwareSourceCode", "LearningResource", "Guide", "Message"
}  # fmt: skip
_SITES = {"WebSite", "Blog"}
_SERIALS = {
    "Periodical",
    "Newspaper",
    "PublicationIssue",
    "PublicationVolume",
    "CreativeWorkSeries",
    "PodcastSeries",
}
_OTHERS = {
    "Organization",
    "Person",
    "ImageObject",
    "BreadcrumbList",
    "ListItem",
    "SearchAction",
    "Corporation",
}
_NAME_PARTS = ("givenName", "additionalName", "familyName")
_MAX_DEPTH = 3


class SchemaOrg:
    """The nodes that are about the page itself: an article, a work of another kind, the page as such."""

    def __init__(self, nodes: list[Node], titles: Iterable[str]) -> None:
        """Take the nodes of `json_ld.nodes_of`.

        Args:
            nodes: outer ones first.
            titles: what the page calls itself, which tells its article from others that it lists.
        """
        self._nodes = nodes
        self._titles = [title for title in map(letters, titles) if title]
        self._by_id = {node["@id"]: node for node in reversed(nodes) if isinstance(node.get("@id"), str)}
        ranked: dict[int, list[Node]] = {}
        for node in nodes:
            ranked.setdefault(_rank(types_of(node)), []).append(node)
        self._subjects = [node for rank in range(4) for node in self._subject(ranked.get(rank, []))]

    def texts(self, *keys: str) -> list[str]:
        """The texts of the first of some properties that has any."""
        for node in self._subjects:
            for key in keys:
                if found := [text for value in _listed(node.get(key)) if (text := self._text(value))]:
                    return found
        return []

    def titles(self) -> list[str]:
        """Headline and name; what the page's own title confirms first."""
        for node in self._subjects:
            found = [text for key in ("headline", "name") if (text := self._text(node.get(key)))]
            if found:
                return sorted(found, key=lambda text: not self._is_confirmed(letters(line(text))))
        return []

    def people(self) -> list[str]:
        """Names of the authors."""
        for node in self._subjects:
            for key in ("author", "creator"):
                if found := [name for value in _listed(node.get(key)) for name in self._names(value)]:
                    return found
        return []

    def sites(self) -> list[str]:
        """Names of who publishes the page, and of what it is a part of."""
        return [name for owner in islice(self._owners(), MAX_ITEMS) for name in self._names(owner)[:1]]

    def _subject(self, nodes: list[Node]) -> list[Node]:
        """The node of one rank that is the page's; none where a page lists many."""
        named = [node for node in nodes if any(self._is_confirmed(name) for name in self._own_titles(node))]
        if named or len(nodes) < 2:
            return (named or nodes)[:1]
        titles = {name for node in nodes for name in self._own_titles(node)}
        return nodes[:1] if len(titles) < 2 else []

    def _own_titles(self, node: Node) -> list[str]:
        return [name for key in ("headline", "name") if (name := letters(line(self._text(node.get(key)))))]

    def _is_confirmed(self, title: str) -> bool:
        """Whether the page calls itself so; a short part of its title may be the name of its site."""
        return any(
            title == known
            or (title in known and 2 * len(title) > len(known))
            or (len(known) > 8 and known in title)
            for known in self._titles
        )

    def _owners(self) -> Iterator[Any]:
        for node in self._subjects:
            yield from _listed(node.get("publisher"))
            for value in _listed(node.get("isPartOf")):
                if types_of(self._resolved(value)) & (_SITES | _SERIALS):
                    yield value
        yield from (node for node in self._nodes if types_of(node) & _SITES)
        for node in self._nodes:
            yield from _listed(node.get("publisher"))

    def _names(self, value: Any, depth: int = 0) -> list[str]:
        if isinstance(value, str):
            return [value]
        if depth == _MAX_DEPTH:
            return []
        if isinstance(value, list):
            return [name for item in value[:MAX_ITEMS] for name in self._names(item, depth + 1)]
        node = self._resolved(value)
        if node.get("name"):
            return self._names(node["name"], depth + 1)
        first, *middle, last = (line(self._text(node.get(key))) for key in _NAME_PARTS)
        return [" ".join(filter(None, [first, *middle, last]))] if first and last else []

    def _text(self, value: Any) -> str:
        if isinstance(value, dict):
            node = self._resolved(value)
            value = next(
                (node[key] for key in ("name", "@value", "alternateName", "@id") if key in node), None
            )
        return value if isinstance(value, str) else ""

    def _resolved(self, value: Any) -> Node:
        """A node itself, or the one that a bare reference points at."""
        if not isinstance(value, dict):
            return {}
        target = value.get("@id")
        return self._by_id.get(target, value) if "name" not in value and isinstance(target, str) else value


def _rank(types: set[str]) -> int:
    if any(_ARTICLE.search(name) for name in types):
        return 0
    if types & _WORKS:
        return 1
    if types & (_SITES | _SERIALS | _OTHERS):
        return 9
    return 2 if any(_PAGE.search(name) for name in types) else 3


def _listed(value: Any) -> list[Any]:
    return value[:MAX_ITEMS] if isinstance(value, list) else [] if value is None else [value]

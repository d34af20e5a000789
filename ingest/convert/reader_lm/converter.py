"""Pages to markdown by a reader model, each one checked; what fails stays with the default converter.

reader = open_reader(settings)
for converted in reader.rewrite([(data, default.convert(data, ".html"))]):
    print(converted.body, converted.origins["body"])
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from textwrap import shorten
from typing import TYPE_CHECKING

import lxml.html

from configs.errors import ModelError
from configs.models import catalogue
from configs.sections import IngestSettings
from configs.settings import Settings
from ingest.convert.base import BODY, Converted, Converter, load_converter, tidy
from ingest.convert.page import read_page
from ingest.convert.reader_lm.choice import reader_folder, reader_name, reader_notice
from ingest.convert.reader_lm.clean import clean_page
from ingest.convert.reader_lm.guards import Evidence, Limits, find_fault, loops
from ingest.convert.reader_lm.pieces import UncuttableError, cut

if TYPE_CHECKING:  # the engine is loaded when the first page comes
    from ingest.convert.reader_lm.model import Piece, ReaderModel, Written

FENCES = ("```markdown\n", "```md\n")


@dataclass
class _Page:
    """A page on its way through the model."""

    default: Converted
    evidence: Evidence | None = None
    pieces: Sequence[Piece] = ()
    problem: str | None = None
    """Why the model does not get it."""


class ReaderConverter:
    """Converts pages with a model that is loaded when the first page comes.

    The body is the model's; metadata is the default converter's, as is the body where a guard finds
    fault with the model's: then a note says why, and ``origins["body"]`` too.
    """

    def __init__(self, name: str, load: Callable[[], ReaderModel], settings: IngestSettings) -> None:
        self.name = name
        self.notice = reader_notice(name)
        """A line about the licence, to be shown when it is used."""
        self._load, self._settings = load, settings
        self._model: ReaderModel | None = None
        self._default: Converter | None = None

    def convert(self, data: bytes, suffix: str) -> Converted:
        """Convert one page.

        Raises:
            InputError: the default converter cannot convert it.
            ModelError: the model cannot be loaded.
        """
        if self._default is None:
            self._default = load_converter("html", self._settings)
        return self.rewrite([(data, self._default.convert(data, suffix))])[0]

    def rewrite(self, pages: Sequence[tuple[bytes, Converted]]) -> list[Converted]:
        """The same side by side for pages that the default converter has converted; in order.

        Raises:
            ModelError: the model cannot be loaded, or its device fails.
        """
        return [converted for converted, _ in self.rewrite_measured(pages)]

    def rewrite_measured(
        self, pages: Sequence[tuple[bytes, Converted]]
    ) -> list[tuple[Converted, list[Written]]]:
        """What `rewrite` gives, and what the model wrote of each page's pieces."""
        if self._model is None:
            self._model = self._load()
        model = self._model
        read = [self._read(model, data, converted) for data, converted in pages]
        try:
            written = iter(model.write([piece for page in read for piece in page.pieces]))
        except RuntimeError as error:  # as torch says that a device's memory is full
            self.close()
            raise ModelError(
                f"{self.name} failed: {shorten(str(error), 200)}; lower generate.kv_cache_mb or "
                "ingest.reader_tokens, or set ingest.html=default"
            ) from error
        except BaseException:  # a time limit or Ctrl-C may have left the engine within a step
            self.close()
            raise
        found = []
        for page in read:
            of_page = [next(written) for _ in page.pieces]
            found.append((self._finish(page, of_page), of_page))
        return found

    def close(self) -> None:
        """Give the model's memory back; it is loaded again if another page comes."""
        self._model = None

    def _read(self, model: ReaderModel, data: bytes, converted: Converted) -> _Page:
        """The page in pieces for the model, or why it does not get any."""
        page = _Page(converted)
        try:
            tree, _ = read_page(data)
            if tree is None:
                return page
            clean = clean_page(tree)
            page.evidence = evidence = Evidence(clean)
            if evidence.spoken:
                pieces = self._cut(model, clean)
                page.pieces = [model.piece(html, lambda text: loops(text, evidence)) for html in pieces]
        except UncuttableError as error:
            page.problem = f"the page is not for it: {error}"
        except Exception as error:  # one odd page must not stop the others
            page.problem = f"it does not get the page: {type(error).__name__}: {error}"
        return page

    def _cut(self, model: ReaderModel, page: lxml.html.HtmlElement) -> list[str]:
        limit = self._settings.reader_page_tokens
        budget = min(self._settings.reader_tokens, model.room())
        return cut(page, budget, model.measure, limit=limit)

    def _finish(self, page: _Page, written: Sequence[Written]) -> Converted:
        problem, body = page.problem, ""
        if problem is None:
            if page.evidence is None or not page.evidence.spoken:
                return page.default  # a page without a word
            body = tidy("\n\n".join(filter(None, (unfenced(part.text) for part in written))))
            problem = self._find_fault(body, page.evidence, written)
            if problem is None and not body and page.default.body:
                problem = "it wrote nothing"
        if problem is None:
            origins = {**page.default.origins, BODY: self.name}
            return replace(page.default, body=body, regions=(), origins=origins)
        note = f"{self.name}: {problem}; converted without it"
        origins = {**page.default.origins, BODY: f"default ({self.name}: {problem})"}
        return replace(page.default, notes=(*page.default.notes, note), origins=origins)

    def _find_fault(self, body: str, evidence: Evidence, written: Sequence[Written]) -> str | None:
        limits = Limits(self._settings.reader_max_ratio, self._settings.reader_max_invented)
        return find_fault(body, evidence, limits, finished=all(part.finished for part in written))


def unfenced(markdown: str) -> str:
    """Without the code fence that some models put around all they write."""
    text = markdown.strip()
    for fence in FENCES:
        if text.startswith(fence) and text.endswith("\n```"):
            return text[len(fence) : -len("\n```")].strip()
    return text


def open_reader(settings: Settings) -> ReaderConverter | None:
    """The reader model that the settings choose on this machine; None: pages go to the default converter.

    Raises:
        ModelError: the settings insist on a model that is not here.
    """
    name = reader_name(settings)
    if name is None:
        return None
    folder = reader_folder(name, settings)
    model = catalogue().get(folder.name)

    def load() -> ReaderModel:
        from ingest.convert.reader_lm.model import load_reader

        return load_reader(
            folder,
            settings.generate,
            instruction=model.instruction if model else None,
            penalty=settings.ingest.reader_penalty,
            max_ratio=settings.ingest.reader_max_ratio,
            costs_file=settings.costs_file,
        )

    return ReaderConverter(folder.name, load, settings.ingest)

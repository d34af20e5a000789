"""Web pages that a reader model converts: in this process, where its engine is, many at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from configs.errors import InputError
from configs.sections import IngestSettings
from configs.settings import Settings
from ingest.convert.base import load_converter, time_limit
from ingest.convert.kinds import KINDS
from ingest.convert.reader_lm.converter import ReaderConverter
from ingest.plan import Task
from ingest.prepare import Outcome, Preparer, convert, failed
from ingest.reading import read_source


def may_have_pages(task: Task) -> bool:
    """Whether a task is a page, or a container that may hold some."""
    return task.kind == "html" or KINDS[task.kind].container


def prepare_pages(
    tasks: Sequence[Task], reader: ReaderConverter, settings: Settings, *, chunked: bool
) -> Iterator[tuple[Task, Outcome | None]]:
    """The outcomes of pages and containers, each with its task; None says that a task is done.

    Pages are converted as many at a time as the engine runs; those in containers one by one.
    """
    preparer = Preparer(settings, chunked=chunked, converters={"html": reader})
    for task in tasks:
        if KINDS[task.kind].container:
            for outcome in preparer.prepare(task):
                yield task, outcome
            yield task, None
    pages = iter([task for task in tasks if task.kind == "html"])
    while group := list(islice(pages, settings.generate.max_running)):
        yield from _convert(group, reader, preparer, settings.ingest)
    reader.close()


def _convert(
    tasks: Sequence[Task], reader: ReaderConverter, preparer: Preparer, settings: IngestSettings
) -> Iterator[tuple[Task, Outcome | None]]:
    """By rules first, within the limit of time, and then by the model, which has limits of its own."""
    default = load_converter("html", settings)
    read, pages = [], []
    for task in tasks:
        try:
            data, stamp = read_source(task.source, settings.max_file_mb)
            with time_limit(settings.convert_timeout_s):
                pages.append((data, convert(default, data, ".html")))
            read.append((task, data, stamp))
        except InputError as error:
            yield task, failed(task, error)
            yield task, None
    for (task, data, stamp), converted in zip(read, reader.rewrite(pages), strict=True):
        try:
            yield task, preparer.finish(task, data, stamp, converted)
        except InputError as error:
            yield task, failed(task, error)
        yield task, None

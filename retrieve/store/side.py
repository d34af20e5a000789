"""Side files: a writer's working folder, published as a copy so that the writer may keep it open."""

from __future__ import annotations

import filecmp
from pathlib import Path

from retrieve.store.files import copy_tree, remove, sizes, sync_tree

WORKING_SIDE = "writing-side"


class WorkingSide:
    """The writer's own copy of the published side files; its path stays the same over commits."""

    def __init__(self, folder: Path, published: str | None) -> None:
        self._folder = folder
        self.path = folder / WORKING_SIDE
        remove(self.path)
        if published:
            copy_tree(folder / published, self.path)
        else:
            self.path.mkdir()

    def publish(self, published: str | None, name: str) -> str | None:
        """Copy to the folder ``name`` if anything changed; the folder to be named from now on."""
        if not sizes(self.path) and published is None:
            return None
        if published is not None and _same(self.path, self._folder / published):
            return published
        copy_tree(self.path, self._folder / name)
        sync_tree(self._folder / name)
        return name


def _same(a: Path, b: Path) -> bool:
    names = sizes(a)
    return names == sizes(b) and not any(filecmp.cmpfiles(a, b, list(names), shallow=False)[1:])

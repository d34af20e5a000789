"""The files in an archive, one at a time; nothing is written to disk.

An archive comes from anywhere: its names, sizes, links and nesting are claims. Names are only labels
here, sizes are counted while unpacking, and whatever is refused is handed on with its reason while
the rest goes on.
"""

from __future__ import annotations

from ingest.archives.unpack import ArchiveLimits
from ingest.archives.walk import REST, is_archive, members, wanted

__all__ = ["REST", "ArchiveLimits", "is_archive", "members", "wanted"]

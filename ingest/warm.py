"""What the server that forks the workers imports, so that each of them begins with it.

Only that server imports this module: pages and the language of a text are what most folders need, and
loading the tables for them takes a worker longer than converting a hundred files.
"""

from __future__ import annotations

import ingest.convert.html.body
import ingest.convert.page_metadata
import ingest.pool  # noqa: F401
import retrieve.embed  # noqa: F401
from ingest.fields.languages import detect_language

detect_language("The tables of languages are read when the first text is long enough to tell its own. " * 3)

"""Source code and files of settings: fenced, a section a function, class or table."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from configs.sections import IngestSettings
from ingest.convert.base import Converted, refuse_binary, tidy
from ingest.convert.encoding import decode
from ingest.convert.languages import DATA, LANGUAGES
from ingest.convert.markup import blocks, fence, heading
from ingest.convert.properties import declared

MAX_SECTIONS = 5_000
LARGE = 40
"""Lines from which on a class is cut along its own functions, too."""
_LONGEST_LINE = 400
"""Characters: a longer line is data or was made by a program, and defines nothing that is looked for."""

_WORDS = (
    r"async|export|default|public|private|protected|internal|static|final|abstract|virtual|override|sealed"
    r"|partial|readonly|unsafe|extern|inline|const|constexpr|pub(?:\([\w: ]{1,20}\))?|open|data|case|suspend"
    r"|synchronized|native|declare|fileprivate|mutating|local|global|template|implicit|lazy|record|typedef"
)
_DEFINES = re.compile(
    rf"""(?P<indent>[ \t]*)(?:(?:{_WORDS})\s+){{0,6}}
    (?P<kind>def|defp|defmodule|defmacro|class|func|function\*?|fn|fun|sub|proc|struct|enum|union|trait|interface
        |impl(?:<[^>]{{0,80}}>)?|module|namespace|object|protocol|extension|actor|record|contract|package\s+body
        |macro_rules!|type)
    \s+(?:\([^()]{{0,100}}\)\s*)?(?P<name>[\w.:$!?]+)""",
    re.VERBOSE,
)
_SQL = re.compile(
    r"""(?P<indent>)\s{0,8}(?:create|alter)\s+(?:or\s+replace\s+)?(?:temp(?:orary)?\s+|unique\s+|materialized\s+)?
    (?P<kind>table|view|index|function|procedure|trigger|type|schema)\s+(?:if\s+not\s+exists\s+)?
    (?P<name>["`\[\]\w.]+)""",
    re.VERBOSE | re.IGNORECASE,
)
_C_LIKE = re.compile(
    r"(?P<indent>)(?P<kind>)[A-Za-z_][\w:<>,*&\[\] ]{0,120}[\s*&]"
    r"(?P<name>(?!(?:if|for|while|switch|return|defined)\b)~?[A-Za-z_][\w:~]{0,80})\s?\([^;=]*$"
)
_ASSIGNED = re.compile(
    r"(?P<indent>)(?P<kind>)(?:export\s+)?(?:const|let|var)\s+(?P<name>[\w$]+)\s*(?::[^=]{1,80})?=\s*"
    r"(?:async\s*)?(?:function\b|\([^)]{0,200}\)\s*(?::[^=]{1,60})?=>|\w+\s*=>)"
)
_SHELL = re.compile(r"(?P<indent>)(?P<kind>)(?P<name>[\w-]{1,60})\s*\(\)\s*\{?")
_R_LIKE = re.compile(r"(?P<indent>)(?P<kind>)(?P<name>[\w.]{1,60})\s*(?:<-|=)\s*function\b")
_LATEX = re.compile(
    r"(?P<indent>)\s{0,4}\\(?P<kind>chapter|section|subsection|subsubsection)\*?\{(?P<name>[^{}]{1,120})\}"
)
_METHOD = re.compile(
    rf"(?P<indent>[ \t]+)(?P<kind>)(?:@\w+\s+)?(?:(?:{_WORDS})\s+){{0,6}}(?:[\w<>\[\],.?]+\s+){{0,2}}"
    r"(?P<name>(?!if\b|for\b|while\b|switch\b|catch\b|return\b|else\b|new\b|using\b|lock\b|do\b|synchronized\b)"
    r"[A-Za-z_$][\w$]*)\s?\([^;={}]*\{?$"
)
_EXTRA = {
    "sql": (_SQL,),
    "c": (_C_LIKE,),
    "cpp": (_C_LIKE,),
    "cuda": (_C_LIKE,),
    "objectivec": (_C_LIKE,),
    "javascript": (_ASSIGNED,),
    "typescript": (_ASSIGNED,),
    "jsx": (_ASSIGNED,),
    "tsx": (_ASSIGNED,),
    "vue": (_ASSIGNED,),
    "bash": (_SHELL,),
    "r": (_R_LIKE,),
    "latex": (_LATEX,),
}
_WITH_METHODS = {"java", "csharp", "javascript", "typescript", "tsx", "jsx", "dart", "php", "groovy"}
_CONTAINERS = {
    "class",
    "interface",
    "struct",
    "enum",
    "trait",
    "module",
    "object",
    "record",
    "defmodule",
    "impl",
}
_ABOVE = re.compile(r"[ \t]*(?:@|#|//|/\*|\*|--|%|;;|\[\w|template\s*<|'''|\"\"\")")


@dataclass(frozen=True)
class Definition:
    """A line on which something is defined."""

    line: int
    indent: int
    title: str
    container: bool


class CodeConverter:
    """The text is kept to the letter; only headings and fences are put around its parts."""

    def convert(self, data: bytes, suffix: str) -> Converted:
        language = LANGUAGES.get(suffix, suffix.lstrip("."))
        refuse_binary(data, "source code")
        text, note = decode(data)
        lines = tidy(text.removeprefix("\ufeff")).split("\n")
        metadata, origins = declared({"code_language": language}, "suffix")
        notes = (note,) if note else ()
        sections = [] if language in DATA else list(_sections(lines, language))[:MAX_SECTIONS]
        return Converted(tidy(_body(lines, sections, language)), metadata, notes, origins)


def _body(lines: list[str], sections: list[tuple[int, int, str]], language: str) -> str:
    """The lines with a heading before each section: its first line, level and title."""
    starts = [start for start, _, _ in sections]
    parts = [_fenced(lines[: starts[0] if starts else len(lines)], language)]
    for (start, level, title), end in zip(sections, [*starts, len(lines)][1:], strict=True):
        parts += [heading(level, title), _fenced(lines[start:end], language)]
    return blocks(parts)


def _fenced(lines: list[str], language: str) -> str:
    text = "\n".join(lines)
    return fence(text.strip("\n"), language) if text.strip() else ""


def _sections(lines: list[str], language: str) -> Iterator[tuple[int, int, str]]:
    """Where a section starts, the level of its heading and its title."""
    found = [one for number, line in enumerate(lines) if (one := _definition(number, line, language))]
    top = min((one.indent for one in found), default=0)
    outer = [one for one in found if one.indent == top]
    ends = [*(one.line for one in outer), len(lines)][1:]
    last = 0
    for definition, end in zip(outer, ends, strict=True):
        start = _with_comment(lines, definition.line, last)
        yield start, 2, definition.title
        last = definition.line + 1
        if definition.container and end - definition.line > LARGE:
            inside = [one for one in found if definition.line < one.line < end and one.indent > top]
            level = min((one.indent for one in inside), default=0)
            for method in (one for one in inside if one.indent == level):
                yield _with_comment(lines, method.line, last), 3, method.title
                last = method.line + 1


def _definition(number: int, line: str, language: str) -> Definition | None:
    if not line or len(line) > _LONGEST_LINE or line.isspace():
        return None
    patterns = (*_EXTRA.get(language, ()), *((_DEFINES,) if language not in ("sql", "latex") else ()))
    match = next((found for pattern in patterns if (found := pattern.match(line))), None)
    if match is None and language in _WITH_METHODS:
        match = _METHOD.match(line)
    if match is None or (match["kind"] == "type" and language in ("python", "ruby", "bash", "lua")):
        return None
    kind = match["kind"].split("<")[0]
    indent = len(match["indent"].expandtabs(4))
    title = match["name"] if language == "latex" else " ".join(filter(None, (kind, match["name"])))
    return Definition(number, indent, title.rstrip(":<"), kind in _CONTAINERS)


def _with_comment(lines: list[str], line: int, last: int) -> int:
    """The first line of the comment, decorators or attributes that stand right above a definition."""
    while line > last and _ABOVE.match(lines[line - 1]):
        line -= 1
    return line


def converter(settings: IngestSettings) -> CodeConverter:
    return CodeConverter()

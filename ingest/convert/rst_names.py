"""Directives and roles that docutils does not know, such as Sphinx's, for the time of one document."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

_DIRECTIVE = re.compile(r"^[ \t]*\.\. (?:\|[^|\n]{1,80}\| )?([A-Za-z][\w:+.-]{0,60})::", re.MULTILINE)
_ROLE = re.compile(r":([A-Za-z][\w:+.-]{0,60}):`")
_TARGET = re.compile(r"\s*<[^<>]*>$")
_UNSEEN = frozenset(
    [
        "toctree",
        "index",
        "currentmodule",
        "module",
        "highlight",
        "only",
        "tabularcolumns",
        "date",
        "literalinclude",
    ]
)
"""Of the directives: those that say nothing to a reader (``date`` says when it was read, not written)."""
_CODE = frozenset(["code", "code-block", "sourcecode", "parsed-literal", "prompt", "ipython"])
"""Of the directives: those of code, whose options docutils knows but a few of."""
_SINCE = {
    "versionadded": "New in version",
    "versionchanged": "Changed in version",
    "deprecated": "Deprecated since version",
}
_WORDS = frozenset(
    ["term", "ref", "doc", "numref", "any", "abbr", "guilabel", "menuselection", "download", "eq"]
)
"""Of the roles: those that mark words; the others mark names of code."""


class _Options(dict[str, Callable[[Any], Any]]):
    """Takes whatever option a directive is given."""

    def __missing__(self, name: str) -> Callable[[Any], Any]:
        return str


@contextmanager
def known(text: str) -> Iterator[None]:
    """Let docutils read what a text uses and it does not know: directives keep content, roles their words.

    Its tables of both are the whole process's; they are put back, so that no document changes the next.
    """
    from docutils.parsers.rst import directives, roles
    from docutils.parsers.rst.languages import en

    before = dict(directives._directives), dict(roles._roles)
    try:
        for name in {found.lower() for found in _DIRECTIVE.findall(text)}:
            ours = name in _UNSEEN or name in _CODE
            if ours or (name not in en.directives and name not in directives._directive_registry):
                directives.register_directive(name, _directive(name))
        for name in {found.lower() for found in _ROLE.findall(text)}:
            if name not in en.roles and name not in roles._role_registry:
                roles.register_local_role(name, _role)
        yield
    finally:
        for table, kept in ((directives._directives, before[0]), (roles._roles, before[1])):
            table.clear()
            table.update(kept)


def _directive(name: str) -> Any:
    from docutils import nodes
    from docutils.parsers.rst import Directive

    class Kept(Directive):  # type: ignore[misc]  # docutils tells no types
        has_content = True
        optional_arguments = 1
        final_argument_whitespace = True
        option_spec = _Options()

        def run(self) -> list[Any]:
            if name in _UNSEEN:
                return []
            if name in _CODE:
                text = "\n".join(self.content)
                language = "".join(self.arguments[:1]).split()[:1]
                return [nodes.literal_block(text, text, classes=["code", *language])]
            found: list[Any] = []
            if self.arguments:
                signature = nodes.paragraph()
                lines = [line.strip() for line in self.arguments[0].splitlines()]
                if ":" in name:  # an object of some domain: one line a signature
                    signature += [nodes.literal(line, line) for line in lines]
                else:
                    words = " ".join(filter(None, (_SINCE.get(name), *lines)))
                    signature += self.state.inline_text(words, self.lineno)[0]
                found.append(signature)
            container = nodes.container()
            self.state.nested_parse(self.content, self.content_offset, container)
            return [*found, *container.children]

    return Kept


def _role(
    name: str, rawtext: str, text: str, lineno: int, inliner: Any, options: Any = None, content: Any = ()
) -> Any:
    from docutils import nodes
    from docutils.utils import unescape

    words = _TARGET.sub("", unescape(text)).lstrip("~!")
    kind = nodes.inline if name.lower() in _WORDS else nodes.literal
    return [kind(rawtext, words)], []

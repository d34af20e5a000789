"""Which programming language a code block is in, as its highlighter names it."""

from __future__ import annotations

import re

from ingest.convert.html.tree import Element, word_set

_PREFIXED = re.compile(
    r"(?:language|lang|highlight-source|highlight-text|highlight|brush|code|syntax|prism|shj-lang|sourcecode)"
    r"[-:_]([a-z0-9+#._-]{1,30})"
)
_NAMED = re.compile(
    r"(?:language|lang|highlight-source|highlight-text|highlight|brush|code|syntax|prism|hljs|shj-lang|"
    r"sourcecode)"
    r"[-:_ ]\s*([a-z0-9+#._-]{1,30})"
)
LANGUAGES = word_set(
    "abap actionscript ada apache apex applescript arduino asm assembly astro awk bash bat batch bibtex c "
    "c# c++ caml clj clojure cmake cobol coffeescript common-lisp console cpp crystal cs csharp css csv cuda "
    "cypher cython d dart delphi diff django docker dockerfile dot elisp elixir elm erlang erb f# fish "
    "fortran "
    "fsharp gdscript gherkin git glsl go golang gradle graphql groovy haml handlebars haskell haxe hcl hlsl "
    "html http ini java javascript jinja jinja2 js json json5 jsonc jsx julia kotlin kt latex lean lean4 "
    "less "
    "lisp llvm lua make makefile markdown markup mathematica matlab md mdx mermaid mips nasm nginx nim nix "
    "objc objective-c objectivec ocaml octave pascal patch perl php plain plaintext postgres postgresql "
    "powershell prolog properties protobuf ps1 pug puppet purescript py py3 pycon python python3 qml r "
    "racket "
    "rb reason regex rs rst ruby rust sas sass scala scheme scss sh shell shell-session sml solidity sparql "
    "sql sshconfig stata svelte swift systemd systemverilog tcl terraform tex text toml ts tsx twig txt "
    "typescript vb vbnet verilog vhdl vim vue wasm wgsl x86asm xml xquery xslt yaml yml zig zsh"
)
_NO_LANGUAGE = frozenset(
    (
        "none",
        "plain",
        "plaintext",
        "text",
        "txt",
        "auto",
        "undefined",
        "default",
        "nohighlight",
        "block",
        "wrapper",
        "snippet",
        "toolbar",
        "blocks",
    )
)
_ATTRIBUTES = (
    "data-lang",
    "data-language",
    "data-code-language",
    "language",
    "lang",
    "data-programming-language",
)
_LOOK_UP = 4  # ancestors that may name the language


def language_of(block: Element) -> str | None:
    """The language that a code block, what is in it or what frames it is named after; None where unknown."""
    inner = [element for element in block.iter("code", "pre", "span", "div") if element.attrib][:8]
    around: list[Element] = []
    for ancestor in block.iterancestors():
        if (
            ancestor.tag not in ("div", "figure", "pre", "code-block", "span", "td", "tr", "tbody", "table")
            or len(around) == _LOOK_UP
        ):
            break
        around.append(ancestor)
    for element in [block, *inner, *around]:
        for name in _ATTRIBUTES:
            value = element.get(name, "").strip().lower()
            if (
                value
                and (name != "lang" or value in LANGUAGES - {"md", "cs", "sh", "go"})
                and re.fullmatch(r"[\w+#.-]{1,30}", value)
            ):
                value = value.removeprefix("language-").removeprefix("lang-")
                return None if value in _NO_LANGUAGE else value
        if found := _by_class(element):
            return None if found in _NO_LANGUAGE else found
    return None


def _by_class(element: Element) -> str | None:
    names = element.get("class", "").lower()[:500]
    for word in names.split():
        match = _PREFIXED.fullmatch(word)
        if match is not None and (match[1] in LANGUAGES or word.startswith(("language-", "lang-"))):
            return match[1].removeprefix("language-").removeprefix("lang-")
    match = _NAMED.search(names)
    if match is not None and match[1] in LANGUAGES:
        return match[1]
    words = names.split()
    if {"hljs", "highlight", "sourcecode", "code", "prettyprint", "chroma", "shiki", "hl"} & set(words):
        return next((word for word in words if word in LANGUAGES), None)
    return None


def names_language(element: Element) -> bool:
    return bool(_NAMED.search(element.get("class", "").lower()))

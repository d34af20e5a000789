"""Which language a file of source code is written in, by its suffix."""

from __future__ import annotations

_BY_LANGUAGE = {
    "python": ".py .pyi .pyw",
    "javascript": ".js .mjs .cjs",
    "jsx": ".jsx",
    "typescript": ".ts .mts .cts",
    "tsx": ".tsx",
    "vue": ".vue .svelte",
    "java": ".java",
    "kotlin": ".kt .kts",
    "scala": ".scala .sc",
    "groovy": ".groovy .gradle",
    "c": ".c .h",
    "cpp": ".cc .cpp .cxx .hpp .hh .hxx .ipp",
    "cuda": ".cu .cuh",
    "objectivec": ".m .mm",
    "csharp": ".cs",
    "fsharp": ".fs .fsx",
    "go": ".go",
    "rust": ".rs",
    "zig": ".zig",
    "swift": ".swift",
    "dart": ".dart",
    "ruby": ".rb .rake",
    "php": ".php",
    "perl": ".pl .pm",
    "lua": ".lua",
    "r": ".r",
    "julia": ".jl",
    "haskell": ".hs",
    "elixir": ".ex .exs",
    "erlang": ".erl .hrl",
    "clojure": ".clj .cljs",
    "ocaml": ".ml .mli",
    "nim": ".nim",
    "bash": ".sh .bash .zsh",
    "powershell": ".ps1 .psm1",
    "sql": ".sql",
    "solidity": ".sol",
    "latex": ".tex",
}
_DATA_BY_LANGUAGE = {
    "yaml": ".yaml .yml",
    "toml": ".toml",
    "ini": ".ini .cfg .conf .properties",
    "xml": ".xml .xsd .xsl",
    "hcl": ".tf .hcl",
    "protobuf": ".proto",
    "graphql": ".graphql .gql",
    "makefile": ".mk",
    "cmake": ".cmake",
    "diff": ".diff .patch",
    "bibtex": ".bib",
    "json5": ".json5 .jsonc",
}
DATA = frozenset(_DATA_BY_LANGUAGE)
"""Languages in which nothing is defined that could be a section of its own."""

LANGUAGES = {
    suffix: language
    for table in (_BY_LANGUAGE, _DATA_BY_LANGUAGE)
    for language, suffixes in table.items()
    for suffix in suffixes.split()
}
"""Language by suffix, in lower case with its dot."""

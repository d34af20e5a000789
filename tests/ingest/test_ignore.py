"""Ignore files, by their own rules and beside git's."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from configs.settings import load_settings
from ingest.ignore import OWN, Rules, parse_rules
from ingest.listing import list_sources

PIECES = [
    *"ab*?/!# -.{",
    *("**", "/**/", "**/", "***", "[ab]", "[!a]", "[^b-]", "[]a]", "[[:alpha:]]", "[a-", "[", "]"),
    *("\\", "\\a", "\\*", "\\ ", "é", "ab"),
]
NAMES = ["a", "b", "ab", "ba", "é", "a b", "a*", "[a", "-", "!a", "#a", "a.b", "a "]
PATTERN = st.lists(st.sampled_from(PIECES), min_size=1, max_size=6).map("".join)
FILE = st.lists(PATTERN, max_size=4).map("\n".join)
PATH = st.lists(st.sampled_from(NAMES), min_size=1, max_size=4).map("/".join)


def kept(folder: Path, name: str = ".gitignore") -> set[str]:
    """The files below a folder that its ignore files leave in."""
    found: set[str] = set()

    def walk(path: str, rules: Rules) -> None:
        rules = rules.within(path, (name,))
        for entry in os.scandir(path):
            if entry.name in (".git", name) or rules.ignores(entry.path, entry.is_dir()):
                continue
            if entry.is_dir():
                walk(entry.path, rules)
            else:
                found.add(os.path.relpath(entry.path, folder))

    walk(str(folder), Rules())
    return found


def compare(folder: Path, rules: dict[str, str], paths: list[str]) -> None:
    subprocess.run(["git", "init", "-q", folder], check=True)
    for path in paths:
        try:
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).touch()
        except OSError:
            continue  # a file and a folder of one name
    for sub, text in rules.items():
        if (folder / sub).is_dir():
            (folder / sub / ".gitignore").write_text(text)
    listing = ["git", "-C", str(folder), "ls-files", "-o", "-z", "--exclude-per-directory=.gitignore"]
    names = subprocess.run(listing, check=True, capture_output=True).stdout.split(b"\0")
    assert kept(folder) == {os.fsdecode(n) for n in names if n and not n.endswith(b".gitignore")}


needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


@needs_git
@pytest.mark.parametrize("examples", [30, pytest.param(600, marks=pytest.mark.deep)])
def test_git_decides_the_same(tmp_path: Path, examples: int) -> None:
    count = 0

    @settings(max_examples=examples, suppress_health_check=[HealthCheck.too_slow])
    @given(
        rules=st.fixed_dictionaries({"": FILE, "a": FILE, "a/b": FILE}),
        paths=st.lists(PATH, min_size=10, max_size=25),
    )
    def check(rules: dict[str, str], paths: list[str]) -> None:
        nonlocal count
        count += 1
        compare(tmp_path / str(count), rules, paths)

    check()


@needs_git
def test_git_decides_the_same_about_what_people_write(tmp_path: Path) -> None:
    rules = (
        "# build\n/build/\n*.log\n!keep.log\ndocs/**/draft-*\n**/cache\nfoo/*\n!foo/keep/\nsecret\\ \n"
        "*.tmp   \r\n[Tt]humbs.db\nnode_modules/\n\\#x\n\\!y\na/**/z\nq**/r\ntail/**\n"
    )
    paths = [
        *("build/a", "x/build/a", "e.log", "x/keep.log", "docs/draft-1", "docs/x/y/draft-2", "docs/final"),
        *(
            "x/cache/a",
            "cache",
            "foo/a",
            "foo/keep/b",
            "secret ",
            "secret",
            "i.tmp",
            "Thumbs.db",
            "thumbs.db",
        ),
        *(
            "x/node_modules/m",
            "node_modules2/m",
            "#x",
            "!y",
            "a/z",
            "a/b/z",
            "a/b/c/z",
            "qr",
            "q/r",
            "qx/y/r",
        ),
        *("tail/x/y", "tail2", "x/foo/a"),
    ]
    compare(tmp_path, {"": rules, "x": "!e.log\nkeep.log\n"}, paths)


def test_hostile_patterns_take_no_time() -> None:
    patterns = [
        "a*" * 400 + "b",
        "**/a*a/" * 100 + "b",
        "**/" * 300 + "b",
        "*[a]" * 200 + "b",
        "a**" * 300 + "b",
    ]
    rules = Rules((("/r", tuple(parse_rules("\n".join(f"{p}\n/{p}" for p in patterns).encode()))),))
    for path in ("/r/" + "a" * 4000, "/r/" + "a/" * 2000 + "c", "/r/" + "aa/aa/" * 600):
        assert not rules.ignores(path, False)


def tree(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("x")
    return folder


@pytest.fixture
def listed() -> Callable[..., list[str]]:
    """Paths that a listing of a folder takes."""

    def listed(folder: Path, **changes: object) -> list[str]:
        found = list_sources(
            [str(folder)],
            load_settings().ingest.model_copy(update=changes),
            accepts=lambda path: path.endswith(".md"),
        )
        assert found.failures == []
        return [source.path for source in found.sources]

    return listed


def test_a_folder_leaves_out_what_its_ignore_files_name(
    tmp_path: Path, listed: Callable[..., list[str]]
) -> None:
    root = tree(tmp_path / "docs", "a.md", "old/b.md", "new/c.md", "new/d.md", "new/sub/e.md")
    (root / ".gitignore").write_text("old/\nd.md\n")
    (root / "new" / OWN).write_text("!d.md\nsub\n")
    assert listed(root) == ["a.md", "new/c.md", "new/d.md"]
    assert listed(root, gitignore=False) == ["a.md", "new/c.md", "new/d.md", "old/b.md"]


def test_our_own_file_overrules_gits_in_the_same_folder(
    tmp_path: Path, listed: Callable[..., list[str]]
) -> None:
    root = tree(tmp_path / "docs", "a.md", "generated.md")
    (root / ".gitignore").write_text("generated.md\n")
    (root / OWN).write_text("a.md\n!generated.md\n")
    assert listed(root) == ["generated.md"]


def test_rules_from_above_hold_up_to_the_top_of_the_repository(
    tmp_path: Path, listed: Callable[..., list[str]]
) -> None:
    (tmp_path / ".gitignore").write_text("*.md\n")  # outside the repository
    repository = tree(tmp_path / "repo", ".git/HEAD", "docs/a.md", "docs/draft.md", "docs/build/b.md")
    (repository / ".gitignore").write_text("draft.md\n/docs/build\n")
    assert listed(repository / "docs") == ["a.md"]
    assert listed(repository / "docs" / "build") == ["b.md"]  # it was named
    shutil.rmtree(repository / ".git")
    assert listed(repository / "docs") == ["a.md", "build/b.md", "draft.md"]


def test_ignore_files_that_are_no_files_say_nothing(tmp_path: Path, listed: Callable[..., list[str]]) -> None:
    root = tree(tmp_path / "docs", "a.md", "one/b.md", "two/c.md", "three/d.md")
    (tmp_path / "all").write_text("*\n")
    (root / ".gitignore").symlink_to(tmp_path / "all")
    os.mkfifo(root / "one" / ".gitignore")
    (root / "two" / ".gitignore").mkdir()
    (root / "three" / ".gitignore").write_bytes(b"\xff\xfe\n\x00\n" + b"x" * 100_000)
    assert listed(root) == ["a.md", "one/b.md", "three/d.md", "two/c.md"]


def test_a_link_is_no_folder_to_ignore_rules(tmp_path: Path, listed: Callable[..., list[str]]) -> None:
    root = tree(tmp_path / "docs", "a.md")
    tree(tmp_path / "other", "b.md", "c.md")
    (root / "linked").symlink_to(tmp_path / "other")
    (root / ".gitignore").write_text("linked/\nlinked/c.md\n")
    assert listed(root) == ["a.md", "linked/b.md"]

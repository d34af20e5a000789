"""Which files are found, under which root, in which order."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

import pytest

from configs.sections import IngestSettings
from configs.settings import load_settings
from ingest.given import expand
from ingest.globs import any_glob, compile_glob
from ingest.listing import list_sources
from ingest.sources import Listing, Scope


def listed(
    *paths: Path | str, roots: tuple[Path, ...] = (), avoid: tuple[Path, ...] = (), **changes: object
) -> Listing:
    settings: IngestSettings = load_settings().ingest.model_copy(update=changes)
    return list_sources(
        [str(path) for path in paths],
        settings,
        accepts=lambda path: path.endswith((".md", ".txt")),
        known_roots=[str(root) for root in roots],
        avoid=avoid,
    )


def names(listing: Listing) -> list[str]:
    return [source.path for source in listing.sources]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    visible = ("b.md", "a.md", "sub/c.md", "sub/deep/d.txt", "h.bin")
    for name in (*visible, ".hidden/e.md", ".f.md", "node_modules/g.md"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("x")
    return root


def test_a_folder_is_walked_in_order_without_hidden_and_excluded_files(tree: Path) -> None:
    listing = listed(tree)
    assert names(listing) == ["a.md", "b.md", "sub/c.md", "sub/deep/d.txt"]
    assert {source.root for source in listing.sources} == {str(tree)}
    assert listing.skipped == {".bin": 1}
    assert listing.failures == []


def test_include_and_exclude(tree: Path) -> None:
    assert names(listed(tree, include=["sub/**"])) == ["sub/c.md", "sub/deep/d.txt"]
    assert names(listed(tree, include=["*.txt"])) == ["sub/deep/d.txt"]
    assert names(listed(tree, exclude=["sub/deep/**", "b.md"])) == ["a.md", "node_modules/g.md", "sub/c.md"]


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("*.md", "a.md", True),
        ("*.md", "s/a.md", False),
        ("**/*.md", "a.md", True),
        ("**/*.md", "s/t/a.md", True),
        ("s/**", "s/t/a.md", True),
        ("s/**/a.md", "s/a.md", True),
        ("?.md", "ab.md", False),
        ("[ab].md", "b.md", True),
        ("[!ab].md", "b.md", False),
        ("[!ab].md", "/.md", False),
        ("[a.md", "[a.md", True),
        ("a.md", "axmd", False),
    ],
)
def test_globs(pattern: str, path: str, matches: bool) -> None:
    assert bool(compile_glob(pattern).fullmatch(path)) is matches


def test_a_pattern_without_a_slash_means_any_depth() -> None:
    assert any_glob(["*.tmp.md"])("a/b/c.tmp.md")


def test_link_loops_end_and_nothing_is_read_twice(tree: Path) -> None:
    (tree / "sub" / "loop").symlink_to(tree)
    (tree / "again").symlink_to(tree / "sub")
    (tree / "latest.md").symlink_to("a.md")
    assert names(listed(tree)) == ["a.md", "b.md", "sub/c.md", "sub/deep/d.txt"]


def test_links_that_lead_elsewhere_are_followed(tree: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "x.md").write_text("x")
    (tree / "linked").symlink_to(other)
    (tree / "one.md").symlink_to(tree / ".hidden" / "e.md")
    assert names(listed(tree)) == ["a.md", "b.md", "linked/x.md", "one.md", "sub/c.md", "sub/deep/d.txt"]


def test_a_dangling_link_and_a_pipe_fail_alone(tree: Path) -> None:
    (tree / "gone.md").symlink_to("nowhere.md")
    os.mkfifo(tree / "pipe.md")
    listing = listed(tree)
    assert {failure.path for failure in listing.failures} == {"gone.md", "pipe.md"}
    assert len(listing.sources) == 4


def test_what_is_behind_a_link_that_leads_nowhere_is_unread_and_not_gone(tree: Path) -> None:
    (tree / "mounted").symlink_to(tree.parent / "not-mounted-now")
    (tree / "library.so").symlink_to("library.so.1")
    listing = listed(tree)
    assert [(failure.path, failure.error) for failure in listing.failures] == [
        ("mounted", "a link that leads nowhere")
    ]
    assert listing.is_unread(str(tree / "library.so" / "a.md"))
    assert listing.is_unread(str(tree / "mounted" / "sub" / "a.md"))
    assert not listing.is_unread(str(tree / "mounted.md"))
    by_pattern = listed(tree / "**" / "*.md")
    assert not by_pattern.failures
    assert by_pattern.is_unread(str(tree / "mounted" / "a.md"))


def test_a_tilde_before_a_name_is_part_of_the_name(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tree / "~$a.md").write_text("Locked.")
    monkeypatch.chdir(tree)
    assert [source.path for source in listed("~$a.md").sources] == ["~$a.md"]
    monkeypatch.setenv("HOME", str(tree))
    assert [source.path for source in listed("~/~$a.md").sources] == ["~$a.md"]


def test_sockets_loops_and_what_vanishes_fail_alone(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tree / "self.md").symlink_to("self.md")
    (tree / "one").symlink_to("two")
    (tree / "two").symlink_to("one")
    monkeypatch.chdir(tree)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("talk.md")
        real = os.scandir

        def scandir(path: str) -> Any:
            if path == str(tree / "sub" / "deep"):
                raise FileNotFoundError(2, "No such file or directory")
            if path == str(tree / "sub"):
                (tree / "sub" / "c.md").unlink()
            return real(path)

        monkeypatch.setattr("ingest.walk.os.scandir", scandir)
        listing = listed(tree)
    assert names(listing) == ["a.md", "b.md"]
    errors = {failure.path: failure.error for failure in listing.failures}
    assert "symbolic links" in errors["self.md"]
    assert errors["talk.md"] == "not a regular file"
    assert "cannot be listed: No such file" in errors["sub/deep"]
    assert str(tree / "sub" / "deep") in listing.unread  # what is known of it is kept


def test_a_path_that_may_not_be_looked_at_is_a_failure(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Path.stat

    def stat(path: Path, **options: Any) -> Any:
        if path.name == "a.md":
            raise PermissionError(13, "Permission denied")
        return real(path, **options)

    monkeypatch.setattr("ingest.listing.Path.stat", stat)
    assert [f.error for f in listed(tree / "a.md").failures] == ["cannot be read: Permission denied"]


def test_a_file_has_its_folder_as_root_unless_a_known_root_holds_it(tree: Path) -> None:
    assert [s.key for s in listed(tree / "sub" / "c.md").sources] == [(str(tree / "sub"), "c.md")]
    assert [s.key for s in listed(tree / "sub" / "c.md", roots=(tree,)).sources] == [(str(tree), "sub/c.md")]
    assert [s.key for s in listed(tree / "sub", tree).sources] == [s.key for s in listed(tree).sources]


def test_an_unsupported_file_that_is_named_fails(tree: Path) -> None:
    assert "no converter for .bin" in listed(tree / "h.bin").failures[0].error


def test_a_glob_is_rooted_where_its_magic_begins(tree: Path) -> None:
    listing = listed(f"{tree}/**/*.txt")
    assert [source.key for source in listing.sources] == [(str(tree), "sub/deep/d.txt")]
    assert listing.scopes[0].covers(str(tree / "sub" / "new.txt"))
    assert not listing.scopes[0].covers(str(tree / "a.md"))


def test_missing_paths_are_counted(tree: Path) -> None:
    listing = listed(tree, tree / "nowhere", f"{tree}/*.docx")
    assert listing.missing == 2
    assert [failure.error for failure in listing.failures] == ["no such file or folder", "no file matches"]


def test_a_name_with_magic_characters_that_exists_is_a_name(tree: Path) -> None:
    (tree / "[x].md").write_text("x")
    assert names(listed(tree / "[x].md")) == ["[x].md"]


def test_avoided_folders_are_not_entered(tree: Path) -> None:
    assert names(listed(tree, avoid=(tree / "sub",))) == ["a.md", "b.md"]


def test_a_name_that_is_not_utf8_fails_alone(tree: Path) -> None:
    Path(os.fsdecode(bytes(tree) + b"/\xff.md")).write_text("x")
    listing = listed(tree)
    assert "not valid UTF-8" in listing.failures[0].error
    listing.failures[0].path.encode()


def test_a_mark_in_a_path_says_where_its_root_ends(tree: Path) -> None:
    assert [s.key for s in listed(f"{tree}/./sub/deep/d.txt").sources] == [(str(tree), "sub/deep/d.txt")]
    assert [s.key for s in listed(f"{tree}/./sub/deep").sources] == [(str(tree), "sub/deep/d.txt")]
    assert listed(f"{tree}/./sub").roots == []  # not given whole
    assert [s.key for s in listed(f"{tree}/sub/./../a.md").sources] == [(str(tree), "a.md")]


def test_a_list_on_stdin(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tree)

    def stdin(text: bytes) -> list[str]:
        return expand(["-", "b.md"], lambda size: text[:size])

    assert stdin(b"a.md\r\n\nsub/c.md\n") == [f"{tree}/./a.md", f"{tree}/./sub/c.md", "b.md"]
    assert stdin(b"a\nb.md\0/x/y.md\0") == [f"{tree}/./a\nb.md", "/x/y.md", "b.md"]
    assert stdin(b"https://host/x\n\xff.md") == ["https://host/x", f"{tree}/./\udcff.md", "b.md"]
    assert stdin(b"./a.md\n././sub/c.md\n./\n.hidden") == [
        f"{tree}/./a.md",
        f"{tree}/./sub/c.md",
        f"{tree}/./.",
        f"{tree}/./.hidden",
        "b.md",
    ]
    assert stdin(b"") == ["b.md"]
    found = listed(*stdin(b"sub/c.md\nnowhere.md\nsub/deep/d.txt\n"))
    assert [s.key for s in found.sources] == [
        (str(tree), "b.md"),
        (str(tree), "sub/c.md"),
        (str(tree), "sub/deep/d.txt"),
    ]
    assert found.missing == 1


def test_what_many_paths_cover_is_found_without_trying_each(tree: Path) -> None:
    listing = Listing(
        scopes=[Scope(f"/x/{i}.md", is_file=True) for i in range(50_000)] + [Scope("/y", "*.md")],
        unread=[f"/z/{i}" for i in range(50_000)],
    )
    assert sum(listing.covers(f"/x/{i}.md") for i in range(0, 100_000, 2)) == 25_000
    assert listing.covers("/y/a.md")
    assert not listing.covers("/y/sub/a.md")
    assert listing.is_unread("/z/77/deep/in/a.md")
    assert listing.is_unread("/z/77")
    assert not listing.is_unread("/z/770000/a.md")

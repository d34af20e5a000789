"""What is read from archives, under which names, and what is refused why."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import io
import lzma
import stat
import tarfile
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs.errors import InputError
from configs.settings import load_settings
from ingest.archives import REST, ArchiveLimits, is_archive, members, wanted
from ingest.members import Member

LIMITS = ArchiveLimits(files=50, mb=20.0, file_mb=5.0, ratio=100.0, depth=3)
GOOD = {"a.md": b"# A\n", "sub/b.txt": b"b\n"}


def zipped(files: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name, (2024, 5, 6, 7, 8, 10)), data, method)
    return buffer.getvalue()


def tarred(files: Mapping[str, bytes], *extra: tarfile.TarInfo, form: int = tarfile.PAX_FORMAT) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form, encoding="utf-8") as archive:
        for info in extra:
            archive.addfile(info)
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(data), 1714979290
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., list[Member]]:
    """The members of these bytes in a file of this name."""

    def read(name: str, data: bytes, limits: ArchiveLimits = LIMITS) -> list[Member]:
        file = tmp_path / name
        file.write_bytes(data)
        return list(members(file, limits))

    return read


def data_of(found: list[Member]) -> dict[str, bytes | None]:
    return {member.name: member.data for member in found if member.error is None}


def errors_of(found: list[Member]) -> dict[str, str]:
    return {member.name: member.error for member in found if member.error is not None}


@pytest.mark.parametrize(
    ("name", "pack"),
    [
        ("x.zip", zipped),
        ("x.ZIP", lambda files: zipped(files, zipfile.ZIP_STORED)),
        ("bz.zip", lambda files: zipped(files, zipfile.ZIP_BZIP2)),
        ("x.tar", tarred),
        ("gnu.tar", lambda files: tarred(files, form=tarfile.GNU_FORMAT)),
        ("x.tar.gz", lambda files: gzip.compress(tarred(files))),
        ("x.v1.2.tgz", lambda files: gzip.compress(tarred(files))),
        ("x.tar.bz2", lambda files: bz2.compress(tarred(files))),
        ("x.tar.xz", lambda files: lzma.compress(tarred(files))),
    ],
)
def test_every_form_gives_its_files_in_order_with_their_times(
    read: Callable[..., list[Member]], name: str, pack: Callable[[Mapping[str, bytes]], bytes]
) -> None:
    found = read(name, pack(GOOD))
    assert data_of(found) == GOOD
    assert [member.name for member in found] == list(GOOD)
    assert found[0].modified == datetime(2024, 5, 6, 7, 8, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "pack"), [("n.txt.gz", gzip.compress), ("n.txt.bz2", bz2.compress), ("n.txt.xz", lzma.compress)]
)
def test_one_compressed_file_is_an_archive_of_itself(
    read: Callable[..., list[Member]], name: str, pack: Callable[[bytes], bytes]
) -> None:
    # Two streams one after the other are one file, and padding after them is none.
    assert data_of(read(name, pack(b"one ") + pack(b"two") + b"\0" * 100)) == {"n.txt": b"one two"}


def test_which_names_are_archives() -> None:
    assert all(map(is_archive, ("a.zip", "a.tar", "a.b.TAR.GZ", "a.tgz", "n.txt.gz")))
    assert not any(map(is_archive, ("a.docx", "zip", "a.epub", "tar.gz.md")))


def test_hidden_files_and_resource_forks_are_passed_over(read: Callable[..., list[Member]]) -> None:
    noise = {"__MACOSX/._a.md": b"x", ".git/b.md": b"x", "sub/.c.md": b"x", "./d.md": b"d"}
    assert data_of(read("x.tar", tarred(noise))) == {"d.md": b"d"}
    assert data_of(read("x.zip", zipped(noise))) == {"d.md": b"d"}


@pytest.mark.parametrize("pack", [("x.zip", zipped), ("x.tar", tarred)])
def test_names_that_lead_elsewhere_are_refused_and_the_rest_goes_on(
    read: Callable[..., list[Member]], pack: tuple[str, Callable[[Mapping[str, bytes]], bytes]]
) -> None:
    bad = {
        "../up.md": "leads out",
        "a/../../up2.md": "leads out",
        "..\\up3.md": "leads out",
        "/etc/root.md": "absolute",
        "C:\\windows.md": "absolute",
        "line\nbreak.md": "control characters",
        "esc\x1b[2J.md": "control characters",
        "n" * 1200 + ".md": "longer than",
    }
    found = read(pack[0], pack[1]({**dict.fromkeys(bad, b"x"), **GOOD}))
    assert data_of(found) == GOOD
    assert len(errors_of(found)) == len(bad)
    for (name, error), reason in zip(errors_of(found).items(), bad.values(), strict=True):
        assert reason in error
        assert ".." not in name.split("/")
        assert not name.startswith("/")


def test_links_and_devices_in_a_tar_are_refused(read: Callable[..., list[Member]]) -> None:
    kinds = {
        "soft.md": tarfile.SYMTYPE,
        "hard.md": tarfile.LNKTYPE,
        "pipe.md": tarfile.FIFOTYPE,
        "char.md": tarfile.CHRTYPE,
        "block.md": tarfile.BLKTYPE,
    }
    infos = []
    for name, kind in kinds.items():
        info = tarfile.TarInfo(name)
        info.type, info.linkname = kind, "/etc/passwd"
        infos.append(info)
    found = read("x.tar", tarred(GOOD, *infos))
    assert data_of(found) == GOOD
    errors = errors_of(found)
    assert set(errors) == set(kinds)
    assert "link" in errors["soft.md"]
    assert "link" in errors["hard.md"]
    assert all("device" in errors[name] for name in ("pipe.md", "char.md", "block.md"))


def test_links_in_a_zip_are_refused(read: Callable[..., list[Member]]) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        info = zipfile.ZipInfo("link.md")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, "/etc/passwd")
        archive.writestr("a.md", "a")
    found = read("x.zip", buffer.getvalue())
    assert (data_of(found), list(errors_of(found))) == ({"a.md": b"a"}, ["link.md"])


def test_the_first_of_two_members_of_one_name_is_read(read: Callable[..., list[Member]]) -> None:
    found = read("x.tar", tarred({"a.md": b"1"})[:1024] + tarred({"./a.md": b"2", "b.md": b"3"}))
    assert data_of(found) == {"a.md": b"1", "b.md": b"3"}
    assert list(errors_of(found)) == ["a.md (2)"]


def test_encrypted_and_oddly_packed_members_are_refused(read: Callable[..., list[Member]]) -> None:
    data = zipped({"secret.md": b"x" * 50, **GOOD})
    central = data.index(b"PK\x01\x02")
    encrypted = bytearray(data)
    encrypted[6] |= 1
    encrypted[central + 8] |= 1
    found = read("x.zip", bytes(encrypted))
    assert data_of(found) == GOOD
    assert "encrypted" in errors_of(found)["secret.md"]
    found = read("y.zip", zipped({"odd.md": b"x" * 50}, zipfile.ZIP_LZMA))
    assert "method 14" in errors_of(found)["odd.md"]


def test_a_lie_about_a_size_is_found_while_unpacking(read: Callable[..., list[Member]]) -> None:
    data = bytearray(zipped({"big.md": b"0123456789abcdef" * 65536 * 6, **GOOD}))
    for at in (22, data.index(b"PK\x01\x02") + 24):  # the unpacked size, in both headers
        data[at : at + 4] = (10).to_bytes(4, "little")
    found = read("x.zip", bytes(data))
    assert data_of(found) == GOOD
    assert set(errors_of(found)) == {"big.md"}


def bomb(megabytes: int) -> bytes:
    """Deflated zeros: about a thousandth of their size."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    block = bytes(1_000_000)
    return b"".join([*(packer.compress(block) for _ in range(megabytes)), packer.flush()])


def test_bombs_end_early_with_bounded_memory(read: Callable[..., list[Member]]) -> None:
    bombs = {
        "x.zip": zipped({"bomb.md": bytes(30_000_000), **GOOD}),
        "x.tar.gz": gzip.compress(tarred({**GOOD, "bomb.md": bytes(30_000_000)})),
        "x.tar.xz": lzma.compress(tarred({**GOOD, "bomb.md": bytes(30_000_000)})),
        "x.tar.bz2": bz2.compress(tarred({**GOOD, "bomb.md": bytes(30_000_000)})),
    }
    tracemalloc.start()
    for name, data in bombs.items():
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        found = read(name, data)
        assert tracemalloc.get_traced_memory()[1] - before < 12_000_000, name
        assert data_of(found) == GOOD
        assert [error for error in errors_of(found).values() if "archive_ratio" in error], name
    tracemalloc.stop()
    with pytest.raises(InputError, match="archive_ratio"):
        read("bomb.txt.gz", bomb(10))


def test_many_small_steps_are_counted_together(read: Callable[..., list[Member]]) -> None:
    import random

    text = random.Random(1).randbytes(3_000_000)
    files = {f"{i}.md": text for i in range(10)}
    for name, data in (("x.zip", zipped(files)), ("x.tar", tarred(files))):
        found = read(name, data)
        assert list(data_of(found)) == [f"{i}.md" for i in range(6)], name
        assert found[-1].name == REST
        assert "archive_mb = 20" in str(found[-1].error)


def test_more_entries_than_allowed_end_the_reading(read: Callable[..., list[Member]]) -> None:
    files = {f"{i}.md": b"x" for i in range(60)}
    for name, data in (("x.zip", zipped(files)), ("x.tar", tarred(files))):
        found = read(name, data)
        assert len(data_of(found)) == 50, name
        assert "archive_files = 50" in errors_of(found)[REST]
    folders = zipped({f"{i}/": b"" for i in range(60)})
    with pytest.raises(InputError, match="archive_files"):
        read("folders.zip", folders)


def test_a_directory_too_large_for_memory_is_not_read(read: Callable[..., list[Member]]) -> None:
    data = zipped({f"{i:0>600}.md": b"" for i in range(1200)}, zipfile.ZIP_STORED)
    with pytest.raises(InputError, match="archive_files"):
        read("x.zip", data)


def test_archives_in_archives(read: Callable[..., list[Member]]) -> None:
    inner = gzip.compress(tarred({"deep.md": b"deep"}))
    found = read("x.zip", zipped({"in/inner.tar.gz": inner, "n.txt.gz": gzip.compress(b"n"), **GOOD}))
    assert data_of(found) == {"in/inner.tar.gz/deep.md": b"deep", "n.txt.gz/n.txt": b"n", **GOOD}
    nested = zipped(GOOD)
    for level in range(4):
        nested = zipped({f"level{level}.zip": nested, "here.md": b"x"})
    found = read("deep.zip", nested)
    assert list(data_of(found)) == ["level3.zip/level2.zip/here.md", "level3.zip/here.md", "here.md"]
    assert "archive_depth = 3" in errors_of(found)["level3.zip/level2.zip/level1.zip"]


def test_a_tree_of_archives_shares_one_budget(read: Callable[..., list[Member]]) -> None:
    """42.zip: each level multiplies the one below by sixteen."""
    level = zipped({"0.md": b"word " * 150_000})
    for _ in range(2):
        level = zipped({f"{i:x}.zip": level + bytes([i]) for i in range(16)}, zipfile.ZIP_STORED)
    found = read("42.zip", level)
    assert len(data_of(found)) < 40
    assert "ingest.archive_" in errors_of(found)[REST]


def test_an_archive_that_contains_itself(read: Callable[..., list[Member]], tmp_path: Path) -> None:
    """A quine unpacks to itself: the same bytes again and again (here made by a reader that lies)."""
    from ingest.archives import walk

    class Quine(walk._Walk):
        def _items(self, stream: object, name: str):  # type: ignore[no-untyped-def]
            yield walk.Item("r.zip", None, None, lambda: b"the same")

    found = list(Quine(LIMITS, lambda name: True).archive(io.BytesIO(), "r.zip", "", ()))
    assert errors_of(found) == {"r.zip/r.zip": "an archive that contains itself"}


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("x.zip", b""),
        ("x.zip", b"not a zip"),
        ("x.zip", zipped(GOOD)[:-30]),
        ("x.tar", b"not a tar" * 100),
        ("x.tar.gz", b"\x1f\x8bnonsense"),
        ("x.tar.gz", gzip.compress(tarred(GOOD))[:20]),
        ("x.tar.xz", b"\xfd7zXZ\0nonsense"),
        ("x.txt.gz", gzip.compress(b"text" * 100)[:-9]),
    ],
    ids=lambda value: value if isinstance(value, str) else "data",  # packed bytes have a time in them
)
def test_what_is_no_archive_fails_as_a_whole(
    read: Callable[..., list[Member]], name: str, data: bytes
) -> None:
    with pytest.raises(InputError):
        read(name, data)


def test_a_cut_tar_gives_what_is_whole_and_says_so(read: Callable[..., list[Member]]) -> None:
    data = tarred({"a.md": b"a" * 2000, "b.md": b"b" * 2000})
    for end in (4096, 3584 + 100):  # in the data of the second member, and in its header
        found = read("x.tar", data[: end - 1000 if end > 4000 else end])
        assert data_of(found) == {"a.md": b"a" * 2000}
        assert "damaged" in errors_of(found)[REST]


def test_damaged_members_of_a_zip_fail_alone(read: Callable[..., list[Member]]) -> None:
    data = bytearray(zipped({"bad.md": bytes(range(256)) * 8, **GOOD}))
    data[60:70] = b"\xff" * 10
    found = read("x.zip", bytes(data))
    assert data_of(found) == GOOD
    assert "damaged" in errors_of(found)["bad.md"]


def test_names_that_are_not_utf8(read: Callable[..., list[Member]]) -> None:
    info = tarfile.TarInfo("caf\udce9.md")
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT, errors="surrogateescape") as tar:
        tar.addfile(info)
    found = read("x.tar", buffer.getvalue())
    assert errors_of(found) == {"caf\ufffd.md": "its name is not valid UTF-8"}
    utf8 = zipped({"cafX.md": b"x"}).replace(b"cafX", b"ca\xc3\xa9")  # UTF-8 without the flag
    assert list(data_of(read("x.zip", utf8))) == ["caé.md"]
    dos = zipped({"cafX.md": b"x"}).replace(b"cafX", b"caf\x82")
    assert list(data_of(read("y.zip", dos))) == ["café.md"]


def test_huge_or_negative_header_sizes_in_a_tar(read: Callable[..., list[Member]]) -> None:
    def header(kind: bytes, size: int) -> bytes:
        info = tarfile.TarInfo("x.md")
        info.type, info.size = kind, size
        return info.tobuf(tarfile.GNU_FORMAT)

    for first in (header(tarfile.XHDTYPE, 1 << 40), header(tarfile.REGTYPE, -512)):
        found = read("x.tar", tarred({"a.md": b"a"})[:1024] + first + bytes(2048))
        assert data_of(found) == {"a.md": b"a"}
        assert "impossible size" in errors_of(found)[REST]


def test_the_rules_of_folders_hold_in_archives() -> None:
    settings = load_settings().ingest.model_copy(update={"exclude": ["docs/x.zip/old/**", "*.tmp.md"]})
    wants = wanted(settings, lambda name: name.endswith(".md"), "docs/x.zip")
    assert wants("new/a.md")
    assert wants("inner.zip")
    assert not wants("old/a.md")
    assert not wants("old/inner.zip/a.md")
    assert not wants("a.tmp.md")
    assert not wants("a.bin")


@given(cut=st.integers(0, 5000), noise=st.binary(min_size=1, max_size=20), form=st.sampled_from("ztgbx"))
def test_whatever_the_bytes_only_input_errors_come(
    tmp_path_factory: pytest.TempPathFactory, cut: int, noise: bytes, form: str
) -> None:
    files = {**GOOD, "c.md": bytes(range(256)) * 4}
    tar = tarred(files)
    packed = {"z": zipped(files), "t": tar, "g": gzip.compress(tar), "b": bz2.compress(tar)}
    data = packed.get(form) or lzma.compress(tar)
    at = cut % len(data)
    name = {"z": "x.zip", "t": "x.tar", "g": "x.tgz", "b": "x.tbz2", "x": "x.txz"}[form]
    file = tmp_path_factory.mktemp("noise") / name
    file.write_bytes(data[:at] + noise + data[at + len(noise) :])
    with contextlib.suppress(InputError):
        found = list(members(file, LIMITS))
        assert len({member.name for member in found}) == len(found)

"""Downloads from a server that truncates, corrupts and lies; archives that mean harm."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import tarfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fastcnn import cli
from fastcnn.data import FetchError, fetch, load, write_idx
from fastcnn.data.sources import SOURCES, RemoteFile, Source
from fastcnn.data.unpack import UnpackError, unpack

CONTENT = bytes(np.random.default_rng(0).integers(0, 256, 300_000, np.uint8))


@dataclass
class Server:
    """What it sends: `files`, and of the next answers only the first `cuts` bytes."""

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    cuts: list[int] = field(default_factory=list)
    ignores_ranges: bool = False
    wrong_range: bool = False
    hides_length: bool = False
    requests: list[tuple[str, str | None]] = field(default_factory=list)

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        asked = handler.headers["Range"]
        self.requests.append((handler.path, asked))
        content = self.files.get(handler.path)
        if content is None:
            handler.send_error(404)
            return
        start = 0
        if asked is not None and not self.ignores_ranges:
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
            told = start + 1 if self.wrong_range else start
            handler.send_response(206)
            handler.send_header("Content-Range", f"bytes {told}-{len(content) - 1}/{len(content)}")
        else:
            handler.send_response(200)
        if not self.hides_length:
            handler.send_header("Content-Length", str(len(content) - start))
        handler.end_headers()
        end = start + self.cuts.pop(0) if self.cuts else None
        handler.wfile.write(content[start:end])


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "*")


@pytest.fixture
def server() -> Iterator[Server]:
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.answer(self)

        def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        state.url = f"http://127.0.0.1:{running.server_port}/"
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield state
        running.shutdown()
        thread.join()


def remote(content: bytes = CONTENT, name: str = "file.bin", **members: int) -> RemoteFile:
    return RemoteFile(name, len(content), hashlib.sha256(content).hexdigest(), members)


def get(server: Server, root: Path, *mirrors: str, file: RemoteFile | None = None) -> Path:
    file = remote() if file is None else file
    source = Source(mirrors or (server.url,), (file,))
    return fetch("set", root, sources={"set": source}) / file.name


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_file_is_fetched_once(server: Server, tmp_path: Path) -> None:
    server.files["/file.bin"] = CONTENT
    seen = []
    source = {"set": Source((server.url,), (remote(),))}
    folder = fetch("set", tmp_path / "new", progress=lambda *done: seen.append(done), sources=source)
    assert folder == tmp_path / "new" / "set" and (folder / "file.bin").read_bytes() == CONTENT
    assert [done for _, done, _ in seen] == sorted({done for _, done, _ in seen})
    assert seen[-1] == ("file.bin", len(CONTENT), len(CONTENT))
    fetch("set", tmp_path / "new", sources=source)
    assert server.requests == [("/file.bin", None)] and left_in(tmp_path) == ["file.bin"]


def test_truncated_download_goes_on_where_it_ended(server: Server, tmp_path: Path) -> None:
    server.files["/file.bin"], server.cuts = CONTENT, [100_000, 50_000]
    assert get(server, tmp_path).read_bytes() == CONTENT
    assert [asked for _, asked in server.requests] == [None, "bytes=100000-", "bytes=150000-"]


def test_next_call_goes_on_where_the_last_one_ended(server: Server, tmp_path: Path) -> None:
    server.files["/file.bin"], server.cuts = CONTENT, [100_000, 0, 0]
    with pytest.raises(FetchError, match=r"file.bin: the connection ended after 100,000 of 300,000 bytes"):
        get(server, tmp_path)
    assert left_in(tmp_path) == ["file.bin.partial"]
    assert get(server, tmp_path).read_bytes() == CONTENT
    assert server.requests[-1] == ("/file.bin", "bytes=100000-") and left_in(tmp_path) == ["file.bin"]


def test_whole_partial_file_needs_no_server(server: Server, tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "file.bin.partial").write_bytes(CONTENT)
    assert get(server, tmp_path).read_bytes() == CONTENT and not server.requests


@pytest.mark.parametrize("rest", [b"", b"x" * 1000, CONTENT + b"more", b"x" * len(CONTENT)])
@pytest.mark.parametrize("ignores_ranges", [False, True])
def test_wrong_partial_file_is_replaced(
    server: Server, tmp_path: Path, rest: bytes, ignores_ranges: bool
) -> None:
    server.files["/file.bin"], server.ignores_ranges = CONTENT, ignores_ranges
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "file.bin.partial").write_bytes(rest)
    assert get(server, tmp_path).read_bytes() == CONTENT and left_in(tmp_path) == ["file.bin"]


def test_another_part_than_asked_for_is_refused(server: Server, tmp_path: Path) -> None:
    server.files["/file.bin"], server.cuts, server.wrong_range = CONTENT, [100_000], True
    with pytest.raises(FetchError, match="another part than was asked for"):
        get(server, tmp_path)


@pytest.mark.parametrize("hides_length", [False, True])
def test_corrupt_file_is_refused_and_not_kept(server: Server, tmp_path: Path, hides_length: bool) -> None:
    server.files["/file.bin"], server.hides_length = CONTENT[:-1] + b"!", hides_length
    with pytest.raises(FetchError, match=f"the SHA-256 is not {hashlib.sha256(CONTENT).hexdigest()}"):
        get(server, tmp_path)
    assert left_in(tmp_path) == [] and len(server.requests) == 1


@pytest.mark.parametrize("content", [CONTENT + b"more", b"<html>sign in</html>"])
def test_another_size_is_refused_before_it_is_read(server: Server, tmp_path: Path, content: bytes) -> None:
    server.files["/file.bin"] = content
    with pytest.raises(FetchError, match=f"{len(content):,} bytes, expected 300,000"):
        get(server, tmp_path)
    assert left_in(tmp_path) == []


def test_endless_answer_is_not_read_to_the_end(server: Server, tmp_path: Path) -> None:
    server.files["/file.bin"], server.hides_length = CONTENT * 50, True
    with pytest.raises(FetchError, match="more than the 300,000 bytes expected"):
        get(server, tmp_path)
    assert left_in(tmp_path) == []


def test_next_mirror_is_tried_and_all_failures_are_told(server: Server, tmp_path: Path) -> None:
    server.files |= {"/bad/file.bin": CONTENT[::-1], "/good/file.bin": CONTENT}
    nowhere = "http://127.0.0.1:9/"
    mirrors = [nowhere, server.url + "missing/", server.url + "bad/"]
    with pytest.raises(
        FetchError, match=r"127.0.0.1:9/.*refused.*HTTP status 404.*bad/file.bin: the SHA-256"
    ):
        get(server, tmp_path, *mirrors)
    assert get(server, tmp_path, *mirrors, server.url + "good/").read_bytes() == CONTENT


def test_file_of_someone_else_is_left_alone(server: Server, tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "file.bin").write_bytes(b"mine")
    with pytest.raises(FetchError, match=r"file\.bin is not the file that was published; remove it"):
        get(server, tmp_path)
    assert (tmp_path / "set" / "file.bin").read_bytes() == b"mine"


def test_unknown_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        ValueError, match="no dataset 'imagenet' to fetch; there are mnist, fashion-mnist, cifar10"
    ):
        fetch("imagenet", tmp_path)


def entry(name: str, content: bytes = b"content", **fields: Any) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for key, value in fields.items():
        setattr(info, key, value)
    return info, content


def make_archive(*entries: tuple[tarfile.TarInfo, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for info, content in entries:
            tar.addfile(info, io.BytesIO(content) if info.isreg() else None)
    return buffer.getvalue()


WANTED = entry("set/a.bin", b"A" * 500), entry("set/b.bin", b"B" * 100)
MEMBERS = {"set/a.bin": 500, "set/b.bin": 500}


def test_wanted_members_are_unpacked_and_nothing_else(server: Server, tmp_path: Path) -> None:
    archive = make_archive(entry("set", b"", type=tarfile.DIRTYPE), entry("set/readme.html"), *WANTED)
    server.files["/data.tar.gz"] = archive
    file = replace(remote(archive, "data.tar.gz"), members=MEMBERS)
    path = get(server, tmp_path, file=file)
    assert left_in(tmp_path) == ["a.bin", "b.bin"] and path.parent == tmp_path / "set"
    assert (tmp_path / "set" / "a.bin").read_bytes() == b"A" * 500
    get(server, tmp_path, file=file)
    assert len(server.requests) == 1


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tuple[tarfile.TarInfo, bytes]:
    return entry(name, b"", type=kind, linkname=target)


@pytest.mark.parametrize(
    ("hostile", "message"),
    [
        ([entry("../evil")], r"'\.\./evil' points out"),
        ([entry("set/../../evil")], "points out"),
        ([entry("/tmp/evil")], "'/tmp/evil' points out"),
        ([entry("..\\evil")], "points out"),
        ([entry("C:\\evil")], "points out"),
        ([link("set/evil", "/etc/passwd")], "neither a plain file nor a folder"),
        ([link("set/evil", "../../.."), entry("set/evil/x")], "neither a plain file nor a folder"),
        ([link("set/evil", "set/a.bin", tarfile.LNKTYPE)], "neither a plain file nor a folder"),
        ([entry("set/pipe", b"", type=tarfile.FIFOTYPE)], "neither a plain file nor a folder"),
        ([entry("set/device", b"", type=tarfile.CHRTYPE)], "neither a plain file nor a folder"),
        ([entry("set/huge", bytes(501))], r"'set/huge' is larger than 500 bytes"),
        ([entry("set/a.bin", b"again")], r"'set/a.bin' comes twice"),
        ([entry(f"set/{i}", b"") for i in range(1000)], "too many entries"),
    ],
)
@pytest.mark.parametrize("first", [False, True])
def test_hostile_archive_is_refused_and_writes_nothing(
    tmp_path: Path, hostile: list[tuple[tarfile.TarInfo, bytes]], message: str, first: bool
) -> None:
    folder = tmp_path / "outer" / "folder"
    folder.mkdir(parents=True)
    archive = folder / "data.tar.gz"
    archive.write_bytes(make_archive(*([*hostile, *WANTED] if first else [*WANTED, *hostile])))
    with pytest.raises(UnpackError, match=message):
        unpack(archive, MEMBERS, folder)
    assert left_in(tmp_path) == ["data.tar.gz"]


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (entry("set/b.bin", bytes(400)), "larger than 300 bytes"),
        (link("set/b.bin", "/etc/passwd"), "neither a plain file"),
        (link("set/b.bin", "set/a.bin", tarfile.LNKTYPE), "neither a plain file"),
        (entry("set/b.bin", b"", type=tarfile.DIRTYPE), "is a folder"),
        (entry("b.bin"), r"missing in it: set/b\.bin"),
    ],
)
def test_wanted_member_must_be_a_file_of_its_size(
    tmp_path: Path, wanted: tuple[tarfile.TarInfo, bytes], message: str
) -> None:
    (tmp_path / "data.tar.gz").write_bytes(make_archive(WANTED[0], wanted))
    with pytest.raises(UnpackError, match=message):
        unpack(tmp_path / "data.tar.gz", {"set/a.bin": 500, "set/b.bin": 300}, tmp_path)
    assert left_in(tmp_path) == ["data.tar.gz"]


@pytest.mark.parametrize("broken", ["cut", "not gzip", "not tar", "empty"])
def test_broken_archive_is_refused(tmp_path: Path, broken: str) -> None:
    noise = entry("set/a.bin", CONTENT[:500]), WANTED[1]
    whole = make_archive(*noise)
    content = {
        "cut": whole[: len(whole) - 300],
        "not gzip": CONTENT,
        "not tar": gzip.compress(CONTENT),
        "empty": b"",
    }
    (tmp_path / "data.tar.gz").write_bytes(content[broken])
    with pytest.raises(UnpackError, match=r"broken archive|missing in it"):
        unpack(tmp_path / "data.tar.gz", MEMBERS, tmp_path)
    assert left_in(tmp_path) == ["data.tar.gz"]


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(mutations=st.data())
def test_mutated_archive_is_unpacked_whole_or_refused(tmp_path: Path, mutations: st.DataObject) -> None:
    content = bytearray(gzip.decompress(make_archive(entry("set/other"), *WANTED)))
    header = 512 * mutations.draw(st.sampled_from([0, 2, 4]))  # each file is a header and a block
    for _ in range(mutations.draw(st.integers(1, 4))):
        content[header + mutations.draw(st.integers(0, 511))] = mutations.draw(st.integers(0, 255))
    content[header + 148 : header + 156] = b" " * 8
    content[header + 148 : header + 156] = b"%06o\0 " % sum(content[header : header + 512])
    folder = tmp_path / "outer" / "folder"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "data.tar.gz").write_bytes(gzip.compress(content))
    try:
        unpack(folder / "data.tar.gz", MEMBERS, folder)
    except UnpackError:
        assert left_in(tmp_path) == ["data.tar.gz"]
    else:
        assert left_in(tmp_path) == ["a.bin", "b.bin", "data.tar.gz"]
        (folder / "a.bin").unlink()
        (folder / "b.bin").unlink()


def test_unpacking_replaces_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(b"old")
    outside = tmp_path / "outside"
    outside.write_bytes(b"outside")
    os.symlink(outside, tmp_path / "b.bin")
    (tmp_path / "data.tar.gz").write_bytes(make_archive(*WANTED))
    unpack(tmp_path / "data.tar.gz", MEMBERS, tmp_path)
    assert (tmp_path / "a.bin").read_bytes() == b"A" * 500 and outside.read_bytes() == b"outside"
    assert not (tmp_path / "b.bin").is_symlink()


def test_sources_are_complete() -> None:
    for name, source in SOURCES.items():
        assert source.mirrors and all(mirror.endswith("/") for mirror in source.mirrors), name
        for file in source.files:
            assert len(bytes.fromhex(file.sha256)) == 32 and file.size > 0
    assert len({file.sha256 for source in SOURCES.values() for file in source.files}) == 10


def test_command_makes_the_data_known_by_name(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    files = []
    for name, array in {
        "train-images-idx3-ubyte.gz": np.zeros((6, 5, 4), np.uint8),
        "train-labels-idx1-ubyte.gz": np.array([0, 1, 2, 0, 1, 2], np.uint8),
        "t10k-images-idx3-ubyte.gz": np.zeros((1, 5, 4), np.uint8),
        "t10k-labels-idx1-ubyte.gz": np.array([1], np.uint8),
    }.items():
        write_idx(tmp_path / name, array)
        server.files[f"/{name}"] = (tmp_path / name).read_bytes()
        files.append(remote(server.files[f"/{name}"], name))
    monkeypatch.setattr("fastcnn.data.fetching.SOURCES", {"mnist": Source((server.url,), tuple(files))})
    monkeypatch.setenv("FASTCNN_DATA", str(tmp_path / "root"))
    assert cli.main(["fetch", "mnist"]) == 0
    output = capsys.readouterr()
    assert output.out == f"mnist is in {tmp_path}/root/mnist; try: fastcnn train --data mnist\n"
    assert output.err.splitlines()[0] == "train-images-idx3-ubyte.gz: 0.0 MB"
    assert len(load("mnist").train) == 6
    assert cli.main(["fetch", "mnist", "--to", str(tmp_path / "other"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"data": "mnist", "folder": f"{tmp_path}/other/mnist"}


def test_command_tells_what_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    nowhere = {"mnist": Source(("http://127.0.0.1:9/",), (remote(),))}
    monkeypatch.setattr("fastcnn.data.fetching.SOURCES", nowhere)
    assert cli.main(["fetch", "mnist", "--to", str(tmp_path)]) == 1
    assert capsys.readouterr().err.startswith("fastcnn: error: http://127.0.0.1:9/file.bin: ")
    assert cli.main(["fetch", "cifar"]) == 2
    assert "no dataset 'cifar' to fetch; did you mean cifar10?" in capsys.readouterr().err
    assert cli.main(["fetch", "imagenet"]) == 2
    assert "known: mnist, fashion-mnist, cifar10, cifar100" in capsys.readouterr().err

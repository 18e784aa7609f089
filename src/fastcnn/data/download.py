"""Downloading a file: whole and checked, or not at all."""

from __future__ import annotations

import http.client
import os
import urllib.error
import urllib.request
from pathlib import Path

from fastcnn.data.sources import CHUNK, FetchError, Progress, RemoteFile, sha256

_ATTEMPTS = 3  # per mirror, each going on where the last one ended
_SECONDS = 30  # without a byte


def download(file: RemoteFile, mirrors: tuple[str, ...], path: Path, progress: Progress | None) -> None:
    """Makes `path` the file that was published, from the first mirror that has it; what comes until then is
    in PATH.partial, where the next attempt goes on.

    Raises:
        FetchError: no mirror has it.
        OSError: the folder can't be written.
    """
    partial = path.with_name(f"{path.name}.partial")
    failures = []
    for mirror in mirrors:
        for _ in range(_ATTEMPTS):
            resumes = partial.exists()
            try:
                _go_on(mirror + file.name, file, partial, progress)
                if sha256(partial) == file.sha256:
                    os.replace(partial, path)
                    return
                partial.unlink()
                failure = f"the SHA-256 is not {file.sha256}"
                if resumes:  # perhaps what there was is to blame
                    continue
            except _UnfitError as error:
                failure = str(error)
            except urllib.error.HTTPError as error:
                failure = f"HTTP status {error.code}"
            except urllib.error.URLError as error:
                failure = str(error.reason)
            except (http.client.HTTPException, ConnectionError, TimeoutError) as error:
                failure = str(error) or type(error).__name__
                continue  # goes on with what there is
            break
        failures.append(f"{mirror + file.name}: {failure}")
    raise FetchError("; ".join(failures))


class _UnfitError(Exception):
    """What the server sends can't be the file."""


def _go_on(url: str, file: RemoteFile, partial: Path, progress: Progress | None) -> None:
    """Appends to `partial` until it has the file's size."""
    have = partial.stat().st_size if partial.exists() else 0
    if have == file.size:
        return
    headers = {"User-Agent": "fastcnn", "Accept-Encoding": "identity"}
    if 0 < have < file.size:
        headers["Range"] = f"bytes={have}-"
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=_SECONDS) as response:
        goes_on = response.status == 206 and _begins_at(response.headers.get("Content-Range", ""), have)
        if response.status == 206 and not goes_on:
            raise _UnfitError("the server sends another part than was asked for")
        have = have if goes_on else 0
        length = response.headers.get("Content-Length")
        if length is not None and have + int(length) != file.size:
            raise _UnfitError(f"{have + int(length):,} bytes, expected {file.size:,}")
        with open(partial, "ab" if goes_on else "wb") as target:
            while chunk := response.read(CHUNK):
                have += len(chunk)
                if have > file.size:
                    partial.unlink()
                    raise _UnfitError(f"more than the {file.size:,} bytes expected")
                target.write(chunk)
                if progress is not None:
                    progress(file.name, have, file.size)
            target.flush()
            os.fsync(target.fileno())
    if have < file.size:
        raise ConnectionError(f"the connection ended after {have:,} of {file.size:,} bytes")


def _begins_at(content_range: str, start: int) -> bool:
    return content_range.startswith(f"bytes {start}-")

"""Files that are there as a whole or not at all, even if the process is killed."""

import errno
import glob
import hashlib
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CHUNK = 1 << 20
FULL = (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """Write a file or folder under another name, which then takes the place of the
    target. With an error, nothing is left of it.

    target (Path): The file or folder.
    YIELDS (Path): The path to write to, in the same folder.
    RAISES (OSError): If there is no space left, with the target and what to do.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    name = f"{_hidden(target)}{uuid.uuid4().hex}"
    new, old = target.with_name(f"{name}.new"), target.with_name(f"{name}.old")
    try:
        yield new
        if new.is_dir() and hasattr(os, "sync"):
            os.sync()  # once for all files
        sync(new)
        if target.is_dir():
            target.rename(old)  # a folder can't be renamed to one that has files
        new.replace(target)
        sync(target.parent)
    except OSError as e:
        # What is raised by a write, unlike by an open, names no file.
        if e.errno not in FULL:
            raise
        message = (
            f"{e.strerror}. What is finished is kept. Make space, and give the same "
            "command again"
        )
        raise OSError(e.errno, message, str(target)) from e
    finally:
        for path in (new, old):
            remove(path)


def remove_unfinished(target: Path) -> None:
    """Remove what a process that was killed in `replacing` has left.

    target (Path): The file or folder.
    """
    if target.parent.is_dir():
        pattern = glob.escape(_hidden(target))
        for ending in ("new", "old"):
            for path in target.parent.glob(f"{pattern}*.{ending}"):
                remove(path)


def sync(path: Path) -> None:
    """Wait until a file or folder is on the disk.

    path (Path): The file or folder.
    RAISES (OSError): If it can't be written to the disk.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:  # Windows opens no folders
        return
    try:
        os.fsync(descriptor)
    except OSError as e:  # nor syncs what was opened to be read
        if e.errno in (*FULL, errno.EIO):
            raise
    finally:
        os.close(descriptor)


def remove(path: Path) -> None:
    """Remove a file or folder, if it is there.

    path (Path): The file or folder.
    """
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _hidden(target: Path) -> str:
    return f".{target.name[:100]}."


def hash_file(path: Path) -> str:
    """RETURNS (str): The SHA-256 of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def hash_folder(folder: Path) -> str:
    """RETURNS (str): The SHA-256 of the files in a folder and of their names."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            name = path.relative_to(folder).as_posix()
            digest.update(f"{name}\0{hash_file(path)}\n".encode())
    return digest.hexdigest()

"""Download packages with the ordinary clients, check them, hand them to the readers. Nothing is installed.

    pip download (npm pack, apt-get download) -> size and sha256 -> rows into the cache -> the file is deleted

A file that somebody offers in a folder is taken instead, after the same check: a class needs one download.
Order: what is needed, one source, the clients, the check, what can go wrong, weights.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from tqdm import tqdm

from byhand.data import cache, read
from byhand.data.sources import Collection, DataError, File, Source, collection, collections, home
from byhand.install import NO_NETWORK, tail

TRIES = "2"  # of pip, after the first


class UnreachableError(DataError):
    """The package index does not answer: no other package need be tried."""


# ---- what is needed


def fetch(wanted: Iterable[Source], offered: Path | None = None, quiet: bool = False) -> list[DataError]:
    """See that the rows of these sources are in the cache. What could not be had is returned, in words."""
    failed: list[DataError] = []
    todo = [source for source in dict.fromkeys(wanted) if not cache.raw_file(source).is_file()]
    files = {file: None for source in todo for file in source.files}
    if files and not quiet:
        size = sum(file.bytes for file in files) / 1e6
        print(f"Fetching {size:.0f} MB: {', '.join(dict.fromkeys(map(str, todo)))}.", flush=True)
    with staging() as folder, bar(files, quiet) as progress:
        for source in todo:
            progress.set_description(str(source))
            try:
                paths = [get(source, file, folder, offered, progress) for file in source.files]
                cache.save_raw(source, rows(source, paths))
            except UnreachableError as error:
                return [*failed, error]
            except DataError as error:
                failed.append(error)
    return failed


def rows(source: Source, paths: list[Path]) -> list[read.Row]:
    """What the source's reader finds in its files. Raises DataError if they cannot be read."""
    archive: read.Archive = read.open_archive(paths[0])
    for path in paths[1:]:
        archive = {**archive, **read.open_archive(path)}
    try:
        return list(read.READERS[source.reader](archive, source))
    except (KeyError, ValueError) as error:
        raise DataError(
            f"{source} is not built as data/sources.toml says ({type(error).__name__}: {error}).\n"
            f"  {without(source)}\n  Next: update the course; if that does not help, report it."
        ) from error


@contextlib.contextmanager
def staging() -> Iterator[Path]:
    """A folder for downloads, on the disk where the texts will be, deleted at the end."""
    home().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=home(), prefix="download-", ignore_cleanup_errors=True) as name:
        yield Path(name)


def bar(files: Iterable[File], quiet: bool) -> tqdm[None]:
    total = sum(file.bytes for file in files)
    return tqdm(
        total=total,
        unit="B",
        unit_scale=True,
        disable=True if quiet or not total else None,
        leave=False,
        delay=0.3,
    )


# ---- one file


def get(source: Source, file: File, folder: Path, offered: Path | None, progress: tqdm[None]) -> Path:
    """The checked file of a source: offered, or downloaded into `folder`."""
    path = folder / file.name
    if path.is_file():  # two sources, one package
        return path
    given = find(file, offered)
    if given is None:
        given = download(source, file, folder, progress)
    check(source, file, given)
    return given


def find(file: File, offered: Path | None) -> Path | None:
    """The file in the offered folder, by its name; a Debian package has its version in it."""
    if offered is None:
        return None
    patterns = (file.name, f"{file.name}_*.deb")
    return next((path for pattern in patterns for path in sorted(offered.glob(pattern))), None)


def download(source: Source, file: File, folder: Path, progress: tqdm[None]) -> Path:
    """Let the client of this source download one file."""
    before = set(folder.iterdir())
    inside = folder / "now"  # where pip unpacks a download while it comes
    inside.mkdir(exist_ok=True)
    settings = {**os.environ, "TMPDIR": str(inside), "TEMP": str(inside), "TMP": str(inside)}
    command = COMMANDS[source.client](source, file, folder)
    with (folder / "log").open("w+b") as log:
        process = subprocess.Popen(
            command, cwd=folder, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=settings
        )
        try:
            start = progress.n
            while process.poll() is None:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(timeout=0.2)
                progress.update(min(file.bytes, size(inside)) + start - progress.n)
        finally:
            process.terminate()  # does nothing to a process that has ended
            process.wait()
        log.seek(0)
        said = log.read().decode("utf-8", "replace")
    new = sorted({path for path in folder.iterdir() if path.is_file() and path.name != "log"} - before)
    if process.returncode or not new:
        raise trouble(source, said)
    progress.update(file.bytes + start - progress.n)
    return new[0]


def size(folder: Path) -> int:
    """Bytes of all files below a folder that is being written."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += os.stat(os.path.join(place, name)).st_size
    return total


# ---- the clients


def pip(source: Source, file: File, folder: Path) -> list[str]:
    options = [
        "--no-deps",
        "--only-binary=:all:",
        "--disable-pip-version-check",
        "--no-input",
        "--progress-bar",
        "off",
    ]
    if source.python:
        options += ["--python-version", source.python]
    wanted = f"{source.package}=={source.version}"
    return [
        sys.executable,
        "-m",
        "pip",
        "download",
        *options,
        "--retries",
        TRIES,
        "--dest",
        str(folder),
        wanted,
    ]


def npm(source: Source, file: File, folder: Path) -> list[str]:
    return [program("npm", source, "install Node.js"), "pack", f"{source.package}@{source.version}"]


def apt(source: Source, file: File, folder: Path) -> list[str]:
    return [program("apt-get", source, "on Debian or Ubuntu it is there"), "download", file.name]


COMMANDS = {"pip": pip, "npm": npm, "apt": apt}


def program(name: str, source: Source, hint: str) -> str:
    found = shutil.which(name)
    if found is None:
        names = " and ".join(file.name for file in source.files)
        raise DataError(
            f"{source} is fetched with {name}, which this machine does not have ({hint}).\n"
            f"  {without(source)}\n"
            f"  Next: fetch {names} on another machine, then `byhand data NAME --from FOLDER`."
        )
    return found


# ---- the check


def check(source: Source, file: File, path: Path) -> None:
    """Refuse a file that is not the one that data/sources.toml names."""
    if not file.sha256:
        return
    found = path.stat().st_size
    if found != file.bytes:
        kind = "is cut off" if found < file.bytes else "is another file"
        problem = f"{kind}: it has {found:,} bytes, not {file.bytes:,}"
    elif (digest := sha256(path)) != file.sha256:
        problem = f"was changed: its sha256 is {digest[:12]}…, not {file.sha256[:12]}…"
    else:
        return
    raise DataError(
        f"{source}: {file.name} {problem}. Nothing of it was read.\n  {without(source)}\n"
        "  Next: run the same command again; if it stays so, `pip cache purge`, or ask those who run your\n"
        "  package index."
    )


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


# ---- what can go wrong


def trouble(source: Source, said: str) -> DataError:
    """Why a download failed, what is missing without it, and the next step."""
    what = f"{source} ({source.megabytes:.1f} MB) could not be downloaded"
    if NO_NETWORK.search(said):
        return UnreachableError(
            f"{what}: the package index cannot be reached.\n  {without(source)}\n"
            "  Next: check the connection (behind a proxy: HTTPS_PROXY), then run the same command again;\n"
            "  or take the files from a machine that has them: `byhand data --from FOLDER`."
        )
    if "No module named pip" in said:
        return UnreachableError(
            f"{what}: this Python has no pip.\n  {without(source)}\n  Next: {sys.executable} -m ensurepip"
        )
    if "No matching distribution" in said:
        return DataError(
            f"{what}: your package index does not have it.\n  {without(source)}\n"
            "  Next: use another index (pip's PIP_INDEX_URL), or `byhand data --from FOLDER`."
        )
    return DataError(
        f"{what}. {source.client} says:\n{tail(said)}\n  {without(source)}\n  Next: mend what it says."
    )


def without(source: Source) -> str:
    """What is missing without a source, and what is not."""
    lost = [collection(name) for name in collections() if uses(collection(name), source)]
    names = " and ".join(f"{one.name} (lesson {one.lessons})" for one in lost)
    return f"Without it there is no {names}; lessons 01 to 05 need no data."


def uses(wanted: Collection, source: Source) -> bool:
    made_of = {*wanted.made_of(True), *wanted.made_of(False)}
    return any(other.package == source.package for other in made_of)


# ---- weights


def weights(wanted: Collection, offered: Path | None = None, quiet: bool = False) -> None:
    """Fetch a model's files, saying first how large they are."""
    (source,) = wanted.made_of(share_alike=True)
    (file,) = source.files
    if os.environ.get("BYHAND_GRADING"):
        raise DataError(f"{wanted.name} is not here, and nothing is fetched while grading.")
    print(f"Fetching {wanted.about}: {source.megabytes:.0f} MB, once ({source}).", flush=True)
    with staging() as folder, bar([file], quiet) as progress:
        path = get(source, file, folder, offered, progress)
        archive = read.open_archive(path)
        for name in read.matching(archive, source):
            cache.write(home() / wanted.name / Path(name).name, archive[name])
    cache.write_about(wanted, {"share_alike": True})

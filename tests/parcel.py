"""Made-up packages for the tests of byhand.data: a wheel with translations, and a sources.toml that names it.

Order: words, packages, sources.toml.
"""

from __future__ import annotations

import hashlib
import io
import itertools
import json
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

VERBS = {"open": "打开", "close": "关闭", "move": "移动", "paint": "粉刷", "sell": "出售", "clean": "清洁"}
COLOURS = {"red": "红色", "green": "绿色", "blue": "蓝色", "yellow": "黄色", "black": "黑色"}
THINGS = {
    "door": "门窗",
    "chair": "椅子",
    "garden": "花园",
    "kitchen": "厨房",
    "bicycle": "自行车",
    "river": "河流",
}


def sentences() -> list[tuple[str, str]]:
    """180 short made-up translations."""
    every = itertools.product(VERBS.items(), COLOURS.items(), THINGS.items())
    return [(f"Please {v} the {c} {t}", f"请{w}{d}的{u}") for (v, w), (c, d), (t, u) in every]


def wheel(folder: Path, name: str, files: Mapping[str, bytes], version: str = "1.0") -> Path:
    """A wheel that pip accepts, holding these files."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{version}-py3-none-any.whl"
    info = f"{name}-{version}.dist-info"
    more = {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/RECORD": b"",
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for place, content in {**files, **more}.items():
            archive.writestr(zipfile.ZipInfo(place), content)
    return path


def graded(name: str, pairs: list[tuple[str, str]]) -> dict[str, bytes]:
    """A file of graded sentences, as the reader `hsk` expects it."""
    listed = [{"chinese": chinese, "translation": {"en": english}} for english, chinese in pairs]
    return {f"{name}/sentences.json": json.dumps(listed).encode()}


def tar(files: Mapping[str, bytes], mode: str = "w:gz") -> bytes:
    """A tar archive of these files."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode=mode) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return made.getvalue()


def debian(files: Mapping[str, bytes]) -> bytes:
    """A Debian package of these files."""
    members = {"debian-binary": b"2.0\n", "control.tar.xz": b"odd", "data.tar.xz": tar(files, "w:xz")}
    packed = b"!<arch>\n"
    for name, content in members.items():
        packed += f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(content):<10}`\n".encode()
        packed += content + b"\n" * (len(content) % 2)
    return packed


# ---- sources.toml


def source(path: Path, name: str, reader: str = "hsk", more: str = "", options: str = "") -> str:
    """The lines of sources.toml for a wheel."""
    content = path.read_bytes()
    return f"""
[sources.{name}]
package = "{path.name.split("-")[0]}"
version = "1.0"
licence = "CC0"
attribution = "nobody"
page = "https://example.org"
reader = "{reader}"
options = {{ files = "*/sentences.json"{options} }}
files = [{{ name = "{path.name}", bytes = {len(content)}, sha256 = "{hashlib.sha256(content).hexdigest()}" }}]
{more}
"""


def collection(name: str, sources: str, more: str = "", kind: str = "pairs") -> str:
    """The lines of sources.toml for a collection; sources: names with commas."""
    names = ", ".join(f'"{one}"' for one in sources.split(","))
    return f"""
[collections.{name}]
kind = "{kind}"
lessons = "07"
about = "made up"
sources = [{names}]
parts = [100, 100]
{more}
"""

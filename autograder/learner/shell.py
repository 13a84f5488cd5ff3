"""Run a learner's cells in an IPython shell and keep what they show, as nbformat outputs.

    warm() once, before any fork        run(number, label, text) -> outputs and how it ended

Streams, display(), figures (inline, as PNG), results and errors are kept up to a number of bytes.
Everything here runs beside the learner's code and may be tampered with by it; the judge checks what
it is told. Order: Outputs (the collector), the shell's parts that write to it, run and warm.
"""

from __future__ import annotations

import base64
import os
import re
import subprocess
import sys
import types
from collections.abc import Mapping
from typing import Any

from IPython.core.compilerop import CachingCompiler
from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher
from IPython.core.inputtransformer2 import TransformerManager
from IPython.core.interactiveshell import InteractiveShell

MIMES = ("text/plain", "text/html", "text/markdown", "text/latex", "image/png", "image/jpeg", "image/svg+xml")
MAX_OUTPUTS = 200
CELL = "<cell "  # how file names of cells begin in tracebacks
_MAGIC = re.compile(  # what IPython may read otherwise than Python does; a little more than that
    r"\A\s|^[^\S\n]*(?:[%!?,;/]|>>>|\.\.\.)|^[^\S\n]+$|\?|=\s*[%!]|In \[\d"
    r"|[\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]",  # lines end there for IPython
    re.MULTILINE,
)
_ASYNC = re.compile(r"await|async")


class Outputs:
    """What the running cell has shown so far."""

    def __init__(self) -> None:
        self.most = 1 << 20
        self.muted = True
        self.clear_next = False
        self.start()

    def start(self) -> None:
        self.items: list[dict[str, Any]] = []
        self.size = 0
        self.full = False

    def room(self, size: int) -> bool:
        """Whether `size` more bytes may be kept; says so once when not."""
        if self.muted or self.full:
            return False
        self.size += size
        self.full = self.size > self.most or len(self.items) >= MAX_OUTPUTS
        return not self.full

    def stream(self, name: str, text: str) -> None:
        left = self.most - self.size
        if self.muted or self.full or not text:
            return
        self._clear()
        self.room(len(text.encode("utf-8", "replace")))
        text = text[: max(0, left)]
        if self.items and self.items[-1].get("name") == name:
            self.items[-1]["parts"].append(text)
        else:
            self.items.append({"output_type": "stream", "name": name, "parts": [text]})

    def add(self, item: dict[str, Any]) -> None:
        if self.room(_weight(item)):
            self._clear()
            self.items.append(item)

    def clear(self, wait: bool) -> None:
        self.clear_next = True
        if not wait:
            self._clear()

    def _clear(self) -> None:
        if self.clear_next:
            self.clear_next = False
            self.items.clear()

    def taken(self) -> list[dict[str, Any]]:
        """All outputs, streams joined; the collector is empty and muted afterwards."""
        items = [
            {"output_type": "stream", "name": item["name"], "text": "".join(item["parts"])}
            if "parts" in item
            else item
            for item in self.items
        ]
        if self.full:
            text = f"\nThe rest of this cell's output was left out: it is more than {self.most:,} bytes.\n"
            items.append({"output_type": "stream", "name": "stderr", "text": text})
        self.start()
        self.muted = True
        return items


def _weight(value: Any) -> int:
    if isinstance(value, dict):
        return sum(_weight(key) + _weight(part) for key, part in value.items())
    if isinstance(value, list):
        return sum(map(_weight, value))
    return len(value) if isinstance(value, str) else 8


OUTPUTS = Outputs()


class _Stream:
    """Stands for sys.stdout and sys.stderr."""

    encoding, errors = "utf-8", "replace"

    def __init__(self, name: str) -> None:
        self.name = name

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        OUTPUTS.stream(self.name, text)
        return len(text)

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Nothing is held back."""

    def isatty(self) -> bool:
        return False

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return 1 if self.name == "stdout" else 2


class _Publisher(DisplayPublisher):
    def publish(self, data: Any, *_: Any, **__: Any) -> None:
        OUTPUTS.add({"output_type": "display_data", "data": bundle(data), "metadata": {}})

    def clear_output(self, wait: bool = False) -> None:
        OUTPUTS.clear(wait)


class _Hook(DisplayHook):
    def write_output_prompt(self) -> None:
        """The prompt is not part of a notebook's output."""

    def write_format_data(self, format_dict: Any, md_dict: Any = None) -> None:
        item = {"output_type": "execute_result", "data": bundle(format_dict), "metadata": {}}
        OUTPUTS.add(item | {"execution_count": self.prompt_count})

    def finish_displayhook(self) -> None:
        """Nothing was begun."""


def bundle(data: Mapping[str, Any]) -> dict[str, str]:
    """The representations that feedback can show, images as base64 text."""
    kept = {}
    for mime in MIMES:
        value = data.get(mime)
        if isinstance(value, bytes):
            value = base64.b64encode(value).decode("ascii")
        if isinstance(value, str):
            kept[mime] = value
    return kept


class _Compiler(CachingCompiler):
    label = ""

    def get_code_name(self, raw_code: str, transformed_code: str, number: int) -> str:
        return f"{CELL}{self.label}>"


class Shell(InteractiveShell):
    """IPython without terminal, history file and threads."""

    def init_io(self) -> None:
        """The streams are ours already."""

    def transform_cell(self, raw_cell: str) -> str:
        """As IPython does; where nothing can be magic, without the search, a third of what a cell takes."""
        own = TransformerManager()  # type: ignore[no-untyped-call]
        added = self.input_transformers_post or vars(self.input_transformer_manager) != vars(own)
        if is_plain(raw_cell) and not added:
            return raw_cell if raw_cell.endswith("\n") else raw_cell + "\n"
        return super().transform_cell(raw_cell)  # type: ignore[no-any-return, no-untyped-call]

    def should_run_async(self, raw_cell: str, *, transformed_cell: Any = None, **details: Any) -> bool:
        """As IPython does; it compiles the cell to know, which no cell without the words needs."""
        if transformed_cell is not None and not _ASYNC.search(transformed_cell):
            return False
        return bool(super().should_run_async(raw_cell, transformed_cell=transformed_cell, **details))

    def enable_gui(self, gui: Any = None) -> None:
        """There is no window here."""

    def enable_matplotlib(self, gui: Any = None) -> tuple[str, str]:
        """Figures stay inline, whatever `%matplotlib` asks for."""
        return "inline", "inline"

    def ask_exit(self) -> None:
        """A notebook does not end with exit()."""

    def system(self, cmd: str) -> None:  # `!command`
        shell = ["/bin/sh", "-c", self.var_expand(cmd, depth=1)]  # type: ignore[no-untyped-call]
        try:
            with subprocess.Popen(shell, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
                assert process.stdout is not None
                while part := process.stdout.read1(65536):  # type: ignore[attr-defined]
                    OUTPUTS.stream("stdout", part.decode("utf-8", "replace"))
            self.user_ns["_exit_code"] = process.returncode
        except OSError as error:
            OUTPUTS.stream("stderr", f"{error}\n")

    def _showtraceback(self, etype: Any, evalue: Any, stb: list[str]) -> None:
        item = {"output_type": "error", "ename": etype.__name__, "evalue": _said(evalue), "traceback": stb}
        OUTPUTS.add(
            item if _weight(item) < 100_000 else item | {"traceback": stb[-1:], "evalue": "(very long)"}
        )


def is_plain(cell: str) -> bool:
    """Whether Python reads these lines as IPython does: no magic, no prompt, no question, no shell."""
    return "\n" in cell.rstrip("\n") and not _MAGIC.search(cell)


def _said(error: Any) -> str:
    try:
        return str(error)
    except Exception:
        return ""


def warm() -> Shell:
    """The shell, made once; shows a figure and an error, so that what loads lazily is loaded."""
    if Shell.initialized():
        return Shell.instance()
    os.environ["MPLBACKEND"] = "module://matplotlib_inline.backend_inline"
    sys.stdout, sys.stderr = _Stream("stdout"), _Stream("stderr")
    from traitlets.config import Config

    config = Config()
    config.HistoryManager.enabled = False
    config.InteractiveShell.colors = "neutral"
    config.Completer.use_jedi = False
    shell = Shell.instance(
        config=config,
        display_pub_class=_Publisher,
        displayhook_class=_Hook,
        compiler_class=_Compiler,
        user_module=types.ModuleType("__main__", "A learner's notebook."),
    )
    _inline(shell)
    run(shell, "warm", "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()\n1/0", 1 << 20)
    run(shell, "warm", "from IPython.display import HTML, display\ndisplay(HTML('a'))\n1+1", 1 << 20)
    for _ in range(10):  # until Python has specialised what every cell runs through
        run(shell, "warm", "import numpy as np\n\n\ndef f(x):\n    return x", 1 << 20)
    shell.reset(new_session=True)  # type: ignore[no-untyped-call]
    shell.user_ns.pop("plt", None)
    shell.execution_count = 1
    return shell


def _inline(shell: Shell) -> None:
    import matplotlib
    from matplotlib_inline.backend_inline import configure_inline_support, flush_figures

    backend = "module://matplotlib_inline.backend_inline"
    matplotlib.use(backend)
    configure_inline_support(shell, backend)  # type: ignore[no-untyped-call]
    if flush_figures not in shell.events.callbacks["post_execute"]:
        shell.events.register("post_execute", flush_figures)


def run(shell: Shell, label: str, text: str, most: int) -> tuple[list[dict[str, Any]], BaseException | None]:
    """Run one cell: its outputs, and the error that ended it, if any."""
    OUTPUTS.start()
    OUTPUTS.most, OUTPUTS.muted = most, False
    _Compiler.label = label
    error: BaseException | None = None
    try:
        result = shell.run_cell(text, store_history=True)  # type: ignore[no-untyped-call]
        error = result.error_before_exec or result.error_in_exec
    except BaseException as unusual:  # IPython itself was tampered with, or interrupted
        error = unusual
        OUTPUTS.add({"output_type": "error", "ename": type(unusual).__name__, "evalue": "", "traceback": []})
    return OUTPUTS.taken(), error

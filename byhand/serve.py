"""Start JupyterLab for one person on this machine, and say where it is.

    serve.lab(root, "work/01_scoring/01_scoring.ipynb", work, variables, port=8888, browser=True)

Only this machine can reach it, with a token that is in the address it prints. It asks the internet
for nothing. Its log and settings lie in the learner's folder, .byhand/.
Order: lab, the port, settings, the command, waiting until it answers.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

from byhand.cli import UserError
from byhand.doctor import is_free

PORT = 8888
TRIES = 50
PATIENCE = 120.0  # seconds: a first start on a slow disk imports much

SETTINGS = {
    "@jupyterlab/apputils-extension:notification": {
        "fetchNews": "false",
        "checkForUpdates": False,
        "doNotDisturbMode": False,
    },
    # Messages of checks name lines, so lines have numbers.
    "@jupyterlab/notebook-extension:tracker": {"codeCellConfig": {"lineNumbers": True}},
}
PAGE = {"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True}}


def lab(root: Path, page: str, work: Path, variables: dict[str, str], port: int, browser: bool) -> int:
    """Serve `root` and open `page` in it until Ctrl+C. Raises UserError if JupyterLab does not start."""
    chosen = free_port(port)
    if chosen != port:
        print(f"Port {port} is in use, perhaps by another JupyterLab; this one takes {chosen}.")
    own = work / ".byhand"
    environment, token = surroundings(own, variables), secrets.token_hex(16)
    log = own / "lab.log"
    on_ending(signal.default_int_handler)
    with log.open("w", encoding="utf-8") as file:
        process = subprocess.Popen(
            command(root, page, chosen, browser),
            cwd=root,
            env={**environment, "JUPYTER_TOKEN": token},
            stdout=file,
            stderr=subprocess.STDOUT,
        )
    base = f"http://127.0.0.1:{chosen}"
    try:
        wait_until_it_answers(process, chosen, log)
        print(f"JupyterLab is at\n  {base}/lab/tree/{quote(page)}?token={token}")
        print(f"Instructors grade at {base}/formgrader. Ctrl+C here stops both.", flush=True)
        process.wait()
    except KeyboardInterrupt:
        print("\nStopping JupyterLab …", flush=True)
    finally:
        on_ending(signal.SIG_IGN)  # a second Ctrl+C must not leave the server behind
        stop(process)
    print(f"JupyterLab has stopped. Your work is in {work}.")
    return 0


def free_port(first: int) -> int:
    """The first port from `first` on that nobody listens to."""
    for port in range(first, min(first + TRIES, 65536)):
        if is_free(port):
            return port
    raise UserError(f"no port from {first} to {first + TRIES - 1} is free. Next: byhand lab --port 9900.")


def surroundings(own: Path, variables: dict[str, str]) -> dict[str, str]:
    """The environment of the server, with our settings where JupyterLab looks for them."""
    settings = own / "labconfig"
    try:
        settings.mkdir(parents=True, exist_ok=True)
        for name, content in {"default_setting_overrides": SETTINGS, "page_config": PAGE}.items():
            (settings / f"{name}.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise UserError(f"{own} cannot be written: {error}. Next: byhand lab --folder FOLDER.") from error
    paths = [variables.get("JUPYTER_CONFIG_PATH") or os.environ.get("JUPYTER_CONFIG_PATH", ""), str(own)]
    return {**os.environ, **variables, "JUPYTER_CONFIG_PATH": os.pathsep.join(filter(None, paths))}


def command(root: Path, page: str, port: int, browser: bool) -> list[str]:
    """JupyterLab's command line."""
    options = {
        "ServerApp.root_dir": root,
        "ServerApp.ip": "127.0.0.1",
        "ServerApp.port": port,
        "ServerApp.port_retries": 0,
        "ServerApp.open_browser": browser,
        "ServerApp.allow_root": hasattr(os, "geteuid") and os.geteuid() == 0,  # as in a container
        "LabApp.default_url": f"/lab/tree/{quote(page)}",
        "LabApp.news_url": None,
        "LabApp.check_for_updates_class": "jupyterlab.handlers.announcements.NeverCheckForUpdate",
        "LabApp.extension_manager": "readonly",
        "JupyterApp.answer_yes": True,
    }
    return [sys.executable, "-m", "jupyterlab", *(f"--{name}={value}" for name, value in options.items())]


def wait_until_it_answers(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    """Return when the port is served. Raises UserError, with the log's last words, if that fails."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        if process.poll() is not None:
            said = log.read_text(encoding="utf-8", errors="replace").strip().splitlines() or [
                "it gave no reason"
            ]
            raise UserError(
                f"JupyterLab did not start: {said[-1].strip()}\n"
                f"  All it said is in {log}. Next: byhand doctor."
            )
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.1)
    raise UserError(
        f"JupyterLab did not answer within {PATIENCE:.0f} s. All it said is in {log}. Next: byhand doctor."
    )


def on_ending(action: Any) -> None:
    """What Ctrl+C, a closed terminal and a polite kill do from now on."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), action)


def stop(process: subprocess.Popen[bytes]) -> None:
    """End the server and its kernels, gently first."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

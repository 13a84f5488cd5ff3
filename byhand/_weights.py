"""Weights and training states as safetensors files: nothing that is read here can run.

Order: write and read, what fits what, a model's tensors, an optimizer's state.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

Tensors = dict[str, Tensor]
_STATE = "optimizer."


class WeightsError(Exception):
    """Weights that are missing, broken, or of another model. Says which, and what next."""

    def _render_traceback_(self) -> list[str]:
        return [str(self)]


def write(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write a file that is, whatever happens, either the old one or the new one."""
    plain = {name: part.detach().to("cpu", copy=True).contiguous() for name, part in tensors.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    with open(part, "wb") as target:
        target.write(save(plain, dict(metadata)))
        target.flush()
        os.fsync(target.fileno())
    part.replace(path)


def read(path: Path) -> tuple[Tensors, dict[str, str]]:
    """Tensors and metadata of a file. Raises FileNotFoundError, or WeightsError for any other file."""
    if not path.is_file():
        raise FileNotFoundError(path)
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, dict(file.metadata() or {})  # noqa: SIM118 - no dict
    except (SafetensorError, OSError, ValueError, RuntimeError) as problem:
        why = str(problem).rstrip(".")
        raise WeightsError(f"{path} is not a whole safetensors file ({why}). Train again.") from None


def read_own(file: str | Path) -> tuple[Tensors, dict[str, str]]:
    """The same of the file that a training cell writes; WeightsError if there is none, too."""
    try:
        return read(Path(file))
    except FileNotFoundError:
        raise WeightsError(
            f"there are no weights: {file} is not beside the notebook. "
            "Run the training cell to its end; it writes that file. Hand it in with the notebook."
        ) from None


def broken(tensors: Mapping[str, Tensor]) -> str:
    """'' or the name of the first tensor that holds nan or infinite numbers, in a sentence."""
    names = (name for name, part in tensors.items() if not bool(part.isfinite().all()))
    name = next(names, "")
    return f"{name} holds numbers that are nan or infinite." if name else ""


def misfit(want: Mapping[str, Tensor], got: Mapping[str, Tensor]) -> str:
    """'' or the first difference in names and shapes between a model and a file."""
    missing = [name for name in want if name not in got]
    extra = [name for name in got if name not in want]
    if missing:
        return f"the file lacks {missing[0]}{_more(missing)}"
    if extra:
        return f"the model has no {extra[0]}{_more(extra)}"
    for name, part in want.items():
        if got[name].shape != part.shape:
            return f"{name} is {tuple(got[name].shape)} in the file, {tuple(part.shape)} in the model"
        if got[name].is_floating_point() != part.is_floating_point():
            return f"{name} is {got[name].dtype} in the file, {part.dtype} in the model"
    return ""


def _more(names: list[str]) -> str:
    return f" and {len(names) - 1} more" if len(names) > 1 else ""


def kept(state: Mapping[str, Tensor], keep: Callable[[str], bool] | None) -> Tensors:
    return {name: part for name, part in state.items() if keep is None or keep(name)}


def copy_into(model: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Copy tensors that fit into the model's own, whatever the float dtype and device."""
    state = model.state_dict()
    with torch.no_grad():
        for name, part in tensors.items():
            state[name].copy_(part)


def of_optimizer(optimizer: torch.optim.Optimizer) -> Tensors:
    """Everything the optimizer remembers, as tensors called optimizer.<parameter>.<what>."""
    state = optimizer.state_dict()["state"]
    return {
        f"{_STATE}{number}.{what}": torch.as_tensor(value)
        for number, known in state.items()
        for what, value in known.items()
        if value is not None
    }


def into_optimizer(optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Give the optimizer back what of_optimizer took; settings such as the rate stay its own."""
    state: dict[int, dict[str, Tensor]] = {}
    for name, part in tensors.items():
        if name.startswith(_STATE):
            number, what = name.removeprefix(_STATE).split(".", 1)
            state.setdefault(int(number), {})[what] = part
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})

"""On the learner's side: what stands for callables, objects and modules that a test passed in.

A call, or a public attribute, is asked of the judge's object; see questions.JudgePeer.perform.
"""

from __future__ import annotations

from typing import Any

from autograder.wire.encode import Handle
from autograder.wire.peer import Peer


class _Passed:
    """An object of the judge's: calls and public attributes are asked of it."""

    def __init__(self, peer: Peer, number: int) -> None:
        self.__dict__.update(_peer=peer, _judge_number=number, _itself=id(self))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._peer.ask("call", self._judge_number, (args, kwargs))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return self._peer.ask("get", self._judge_number, (name,))


_STAND_INS: tuple[type, ...] = (_Passed,)


def number_of(value: Any) -> int:
    """The judge's number of what stand_in() represents, else 0; a copy of it is the learner's."""
    known = vars(value) if isinstance(value, _STAND_INS) else {}
    passed = known.get("_judge_number", 0) if known.get("_itself") == id(value) else 0
    return passed if type(passed) is int else 0


def stand_in(peer: Peer, handle: Handle) -> Any:
    """What represents the judge's object of this handle."""
    if handle.module:
        return _passed_module()(peer, handle.id)
    return _Passed(peer, handle.id)


def _passed_module() -> type:
    """The class of stand-ins for torch modules, made when torch is there."""
    if len(_STAND_INS) == 1:
        _define_passed_module()
    return _STAND_INS[1]


def _define_passed_module() -> None:
    global _STAND_INS
    import torch

    class PassedModule(torch.nn.Module):
        """A torch module of the judge's: it can be registered; calls and other attributes are asked of it."""

        def __init__(self, peer: Peer, number: int) -> None:
            super().__init__()
            self.__dict__.update(_peer=peer, _judge_number=number, _itself=id(self))

        def forward(self, *args: Any, **kwargs: Any) -> Any:
            return self._peer.ask("call", self._judge_number, (args, kwargs))

        @property
        def training(self) -> Any:
            """The judge's, as it is now; torch's own layers keep a flag of their own."""
            return self._peer.ask("get", self._judge_number, ("training",))

        @training.setter
        def training(self, mode: bool) -> None:
            """Set by train(), over there."""

        def train(self, mode: bool = True) -> Any:
            self._peer.ask("train", self._judge_number, (mode,))
            return super().train(mode)

        def __getattr__(self, name: str) -> Any:
            if name.startswith("_"):
                raise AttributeError(name)
            return self._peer.ask("get", self._judge_number, (name,))

    _STAND_INS = (_Passed, PassedModule)

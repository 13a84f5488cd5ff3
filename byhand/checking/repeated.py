"""Checks that many exercises repeat, in one line each: random inputs, a reference, sizes that do not fit.

byhand.check offers them as its own. Order: random inputs, agrees, learns, refuses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from byhand.checking import behaviour, numbers


def normal(*shape: int) -> NDArray[np.float64]:
    """A float64 array of normal random numbers, others at each call."""
    from byhand import check

    return check.draws().normal(size=shape)


def randn(*shape: int, dtype: Any = None) -> Any:
    """A tensor of normal random numbers, float64 unless told; others at each call."""
    import torch

    from byhand import check

    return torch.randn(shape, generator=check.generator(), dtype=dtype or torch.float64)


def agrees(
    call: str,
    function: Callable[..., Any],
    reference: Callable[..., Any],
    cases: Iterable[Sequence[Any]],
    *,
    dtypes: Sequence[str] = ("float64", "float32"),
    every: bool = True,
    make: Callable[..., Any] = normal,
    **rules: Any,
) -> None:
    """function equals the reference for each case in each dtype, and leaves its inputs alone.

    every: False tries dtypes after the first with the first and the last case only.

    call: "dot(query, keys)"; its names appear in messages. cases: the arguments of each; a tuple stands for
    random numbers of that shape, drawn by make (check.randn for tensors). The reference gets float64; its
    result takes the dtype. rules: what check.values takes besides (axes, tolerance, note, known_wrong).
    """
    __tracebackhide__ = True
    from byhand import check

    given_cases, tries = list(cases), []
    for place, case in enumerate(given_cases):
        arguments = [make(*one) if isinstance(one, tuple) else one for one in case]
        want = reference(*arguments)
        for dtype in dtypes if every or place in (0, len(given_cases) - 1) else dtypes[:1]:
            given = [_cast(one, dtype) for one in arguments]
            told = f"{call} with {_told(call, given)}, {dtype}"
            tries.append((told, given, [behaviour.copy(one) for one in given], _result(want, given, dtype)))
    results = check.host.results(function, [given for _, given, _, _ in tries])
    for told, given, before, wanted in tries:
        try:
            got = next(results)
        except Exception as error:  # the learner's: its text alone does not say for which inputs
            error.add_note(f"The call was {told}. {rules.get('note') or ''}".rstrip())
            raise
        if text := behaviour.difference(call, before, given, (), check.host.type_name):
            raise check.CheckFailed(text)
        check.values(told, got, wanted, **rules)


def _cast(one: Any, dtype: str) -> Any:
    if numbers.is_array(one):
        return one.astype(dtype) if one.dtype.kind == "f" else one
    if numbers.is_tensor(one):
        return one.to(_torch(dtype)) if one.is_floating_point() else one
    return one


def _result(want: Any, given: Sequence[Any], dtype: str) -> Any:
    """What is wanted, in the dtype: tensors where the inputs are tensors, else arrays."""
    if isinstance(want, tuple):
        return tuple(_result(part, given, dtype) for part in want)
    if numbers.is_tensor(want):
        return _cast(want, dtype)
    if any(numbers.is_tensor(one) for one in given):
        import torch

        return torch.tensor(want, dtype=_torch(dtype))
    return np.array(want, dtype)


def _torch(dtype: str) -> Any:
    import torch

    return getattr(torch, dtype)


def _told(call: str, given: Sequence[Any]) -> str:
    """The arguments in words: arrays by their shapes, the rest as they are."""
    names = behaviour.argument_names(call, len(given))
    sized = [tuple(one.shape) if hasattr(one, "shape") else repr(one) for one in given]
    return ", ".join(f"{name} {size}" for name, size in zip(names, sized, strict=True))


def learns(
    call: str,
    layer: Any,
    forward: Callable[..., Any],
    inputs: Mapping[str, Any],
    cotangent: Any,
    want: Mapping[str, Any],
) -> None:
    """The gradients of sum(cotangent · forward(*inputs)) arrive at inputs and parameters, as wanted.

    want: the gradient of each input or parameter of the layer, by its name.
    """
    from byhand import check

    leaves = {name: tensor.detach().clone().requires_grad_() for name, tensor in inputs.items()}
    layer.zero_grad()
    output = forward(*leaves.values())
    check.true(call, output.requires_grad, "the result is cut off from its gradient.")
    (output * cotangent).sum().backward()
    found = {name: leaf.grad for name, leaf in leaves.items()}
    found |= {name: part.grad for name, part in layer.named_parameters()}
    for name, slope in want.items():
        check.true(call, found[name] is not None, f"no gradient arrives at {name}; is it detached?")
        check.values(f"the gradient of {name} in {call}", found[name], slope)


def refuses(
    name: str,
    function: Callable[..., Any],
    cases: Iterable[Sequence[Any]],
    *,
    error: type[Exception] = ValueError,
    mentions: Sequence[Any] = (),
    make: Callable[..., Any] = np.ones,
) -> None:
    """function raises this error for each case: tuples stand for ones of that shape, the rest is passed.

    A case may begin with digits that its message must mention, too, "35" for 3 and 5, or with a list of
    what it must mention.
    """
    from byhand import check

    maker = f"{'np' if make is np.ones else 'torch'}.{make.__name__}"
    for case in cases:
        numbers, arguments = (case[0], case[1:]) if isinstance(case[0], str | list) else ("", case)
        sizes = [one[0] if isinstance(one, tuple) and len(one) == 1 else one for one in arguments]
        texts = [f"{maker}({size})" if isinstance(one, tuple) else repr(one)
                 for one, size in zip(arguments, sizes, strict=True)]  # fmt: skip
        made = [make(one) if isinstance(one, tuple) else one for one in arguments]
        call = f"{name}({', '.join(texts)})"
        check.raises(call, partial(function, *made), error, (*mentions, *numbers))

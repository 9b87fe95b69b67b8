"""Where results are shown without knowing who shows them.

A result lives to the left of the rooms that draw it and write it. It asks a socket by name ("forest"), and the front
door has plugged in where the answer is found ("metagrove.plots.forest:forest"). Nothing is imported until it is asked.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from metagrove.core.errors import UnknownName

__all__ = ["plug", "socket"]

_PLUGS: dict[str, str] = {}


def plug(name: str, target: str) -> None:
    """Say that `name` is answered by `target`, written `module:function`."""
    _PLUGS[name] = target


def socket(name: str) -> Any:
    """The function plugged in under `name`, imported now."""
    try:
        module, _, function = _PLUGS[name].partition(":")
    except KeyError:
        raise UnknownName("view of a result", name, _PLUGS) from None
    return getattr(import_module(module), function)

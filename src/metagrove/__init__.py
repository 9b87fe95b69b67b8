"""metagrove: published clinical papers in, pooled evidence out.

>>> import metagrove as mg
>>> mg.__version__
'0.1.0'
"""

from importlib import import_module as _import_module
from typing import Any as _Any

from metagrove.core.sockets import plug as _plug

__version__ = "0.1.0"

# Each public name and the module that holds it; imported when first asked for, so that `import metagrove` stays light.
_HOME = {
    "MetagroveError": "metagrove.core.errors",
    "DataError": "metagrove.core.errors",
    "SpecError": "metagrove.core.errors",
    "UnknownName": "metagrove.core.errors",
    "MethodError": "metagrove.core.errors",
    "ConvergenceError": "metagrove.core.errors",
    "digitize": "metagrove.app.figures",
}

# Views that results ask for by name; see metagrove.core.sockets.
_VIEWS: dict[str, str] = {}

for _name, _target in _VIEWS.items():
    _plug(_name, _target)

__all__ = sorted(_HOME)  # noqa: PLE0605


def __getattr__(name: str) -> _Any:
    if name in _HOME:
        return getattr(_import_module(_HOME[name]), name)
    raise AttributeError(f"module 'metagrove' has no attribute '{name}'")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]

"""Has a request just the parameters that its method takes, each of its type? Pure; trusts no field."""

from rheocore.config import small
from rheocore.refusal import invalid


def typed(wanted, params):
    """Raise invalid_params unless params has just the wanted names and types."""
    if not isinstance(params, dict):
        raise invalid("params", "an object is needed")
    for name in params:
        if name not in wanted:
            raise invalid(str(name)[:32], "no such parameter")
    for name in wanted:
        kind = wanted[name]
        optional = isinstance(kind, tuple)
        if optional:
            kind = kind[0]
        if name not in params:
            if not optional:
                raise invalid(name, "missing")
        elif not (small(params[name]) if kind is int else isinstance(params[name], kind)):
            raise invalid(name, "wrong type")

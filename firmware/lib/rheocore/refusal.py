"""A request that cannot be met now, in the words of the message table. Nothing else."""


class StateError(Exception):
    """The call is not possible; the message table has the words. args: (error name, parameters)."""


def invalid(field, why):
    """The refusal of a parameter."""
    return StateError("invalid_params", {"field": field, "why": why})


def refuse(params):
    """Raise StateError "refused" with these parameters; None: nothing is refused."""
    if params:
        raise StateError("refused", params)

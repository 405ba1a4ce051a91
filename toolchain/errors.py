"""The errors a user can meet, each one sentence that names the thing, the cause and the way out.

The command line prints them without a traceback and leaves with their exit code.
"""


class ToolchainError(Exception):
    """Something went wrong that the user can mend; the message is for them."""

    exit_code = 1


class BadInputError(ToolchainError):
    """What the user gave cannot be used: a path, a model, an option, labels."""

    exit_code = 2


class SourceError(ToolchainError):
    """A model could not be fetched, or what came is not the model that was asked for."""


class UnreachableError(SourceError):
    """Nothing answered: the host is unknown, refused, or silent. Another source may do."""


class PinMismatchError(SourceError):
    """What was fetched differs from the digest pinned in the lock file."""


class MissingToolError(ToolchainError):
    """A program or a built part that the work needs is not there."""

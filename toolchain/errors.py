"""The errors a user can meet: each one sentence that names the thing, the cause and what to do.

The command line prints them without a traceback and exits with their exit code.
"""


class ToolchainError(Exception):
    """Something went wrong that the user can fix; the message is for them."""

    exit_code = 1


class BadInputError(ToolchainError):
    """The user's input cannot be used: a path, a model, an option, labels."""

    exit_code = 2


class SourceError(ToolchainError):
    """A model could not be fetched, or another model came than the one asked for."""


class UnreachableError(SourceError):
    """Nothing answered: the host is unknown, refused or silent. Another source may work."""


class PinMismatchError(SourceError):
    """Checksum mismatch: the fetched model is not the one that the lock file pins."""


class MissingToolError(ToolchainError):
    """A program or a built file that is needed is missing."""

"""The errors that people see as one sentence."""


class GanLabError(Exception):
    """Base of every error whose message is meant for the person at the keyboard.

    The command line prints it as one line and exits with code 2; in Python it is raised as it is.
    """


class ConfigurationError(GanLabError, ValueError):
    """A key, a file or a device that was asked for cannot be used: seen by whoever typed it."""


class DataError(GanLabError):
    """A data set is missing, empty, unreadable or could not be downloaded: seen by who trains on it."""


class Refused(BaseException):
    """A run was refused inside Hydra: passes through Hydra, which reports `Exception` its own way.

    Only the command line sees it, and prints it as it prints a `GanLabError`.
    """

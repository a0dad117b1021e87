"""The errors that people see as one sentence."""


class GanLabError(Exception):
    """Base of every error whose message is meant for the person at the keyboard.

    The command line prints it as one line and exits with ``exit_code``; in Python it is raised as it is.
    """

    exit_code = 2


class ConfigurationError(GanLabError, ValueError):
    """A key, a file or a device that was asked for cannot be used: seen by whoever typed it."""


class DataError(GanLabError):
    """A data set is missing, empty, unreadable or could not be downloaded: seen by who trains on it."""


class RunBusyError(GanLabError):
    """Another process trains this run at the moment; seen by whoever comes second."""


class RunFailedError(GanLabError):
    """A run that had begun could not go on; its log says more. The same command takes it up again."""

    exit_code = 1


class HydraPassthrough(BaseException):
    """A `GanLabError` on its way through Hydra, which reports every `Exception` in its own way.

    Only the command line sees it, and prints the error inside.
    """

    def __init__(self, error: GanLabError) -> None:
        super().__init__(str(error))
        self.exit_code = error.exit_code

"""Whether the loggers of a sweep can be used, before its first run begins."""

import json
from collections.abc import Iterable

from omegaconf import DictConfig

from gan_lab.runs.naming import to_plain


def check_loggers(configs: Iterable[DictConfig]) -> None:
    """Build every logger once; raise ConfigurationError for one that would refuse run after run.

    PyTorch is imported only if there is a logger.
    """
    tried: set[str] = set()
    for cfg in configs:
        loggers = to_plain(cfg).get("logger") or {}
        for name, node in loggers.items():
            digest = json.dumps([name, node], sort_keys=True, default=repr)
            if digest not in tried:
                from gan_lab.config.loggers import build_logger

                tried.add(digest)
                build_logger(cfg, str(name))

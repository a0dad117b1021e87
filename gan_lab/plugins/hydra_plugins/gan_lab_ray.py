"""Ray's launcher as gan-lab wants it: when it gives up, nothing of it goes on behind the sweep's back.

Hydra imports this module at every start, also where the extra ``ray`` is not installed.
"""

from collections.abc import Sequence
from contextlib import suppress

from hydra.core.utils import JobReturn

with suppress(ImportError):
    from hydra_plugins.hydra_ray_launcher import ray_launcher

    class Ray(ray_launcher.RayLauncher):  # type: ignore[misc]
        """One task a run."""

        def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
            import ray

            try:
                returns: Sequence[JobReturn] = super().launch(job_overrides, initial_job_idx)
            except BaseException:
                # It raises at the first task that is lost. The sweep launches again what has not ended, which
                # must not be trained twice at a time.
                ray.shutdown()
                raise
            return returns

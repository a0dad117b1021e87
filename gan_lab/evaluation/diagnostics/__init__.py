"""Why an activation does what it does: what both networks look like from inside, on a fixed probe batch.

`Probe` plays the two turns once on a copy of a seed's networks and keeps what passed through; each diagnostic
reads numbers from that. The run itself is never touched, so it ends in the same bits with and without.
"""

from gan_lab.evaluation.diagnostics.probe import (
    ActivationRecord,
    Diagnostic,
    Probe,
    ProbedNetwork,
    ProbeResult,
    WeightLayer,
)

__all__ = ["ActivationRecord", "Diagnostic", "Probe", "ProbeResult", "ProbedNetwork", "WeightLayer"]

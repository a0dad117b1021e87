"""Why an activation does what it does: what both networks look like from inside, on a fixed probe batch.

`Probe` computes both losses once on a copy of a seed's networks and records what passes through; each
diagnostic reads numbers from that. The run itself is never touched: it ends in the same bits without them.
"""

from gan_lab.evaluation.diagnostics.probe import Probe
from gan_lab.evaluation.diagnostics.records import (
    ActivationRecord,
    Diagnostic,
    ProbedNetwork,
    ProbeResult,
    TensorDiagnostic,
    WeightLayer,
)

__all__ = [
    "ActivationRecord",
    "Diagnostic",
    "Probe",
    "ProbeResult",
    "ProbedNetwork",
    "TensorDiagnostic",
    "WeightLayer",
]

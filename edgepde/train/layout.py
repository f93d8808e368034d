"""The names of everything that lies in a run folder."""

CHECKPOINT = "checkpoint"
IDENTITY = "checkpoint/identity.json"
LOCK = "checkpoint/lock"
WEIGHTS = "weights.safetensors"
SPEC = "spec.json"
REFERENCE = "reference.safetensors"
LEDGER = "ledger.json"
CASSETTES = "cassettes"
SWEEP = "sweep.json"
PICTURE = "sweep.png"
ENTRIES = frozenset({CHECKPOINT, WEIGHTS, SPEC, REFERENCE, LEDGER, CASSETTES, SWEEP, PICTURE})

"""Relations from many documents: exactly once each, whatever is interrupted.

`apply` is a whole run. Below it, `apply_shard` is the unit of work that every engine
calls: a shard in, one part of the result out.
"""

from ..output.writers.results import Selection
from .manifest import make_manifest
from .run import Outcome, apply
from .settings import Settings
from .shard import apply_shard

__all__ = [
    "Outcome",
    "Selection",
    "Settings",
    "apply",
    "apply_shard",
    "make_manifest",
]

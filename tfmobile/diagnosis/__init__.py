"""Name what quantization, or the data, does wrong to a model, and the fix.

``explain`` looks at the layers of a quantized model, ``headline`` sums up.
"""

from __future__ import annotations

from tfmobile.diagnosis.effects import tied
from tfmobile.diagnosis.explanation import Explanation, explain, remaining
from tfmobile.diagnosis.headline import headline

__all__ = ["Explanation", "explain", "headline", "remaining", "tied"]

"""Name what quantization, or the data, does wrong to a model, and the fix."""

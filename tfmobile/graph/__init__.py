"""The graph every model format loads into and every pass works on. TensorFlow is met only in graphdef.py and run.py."""

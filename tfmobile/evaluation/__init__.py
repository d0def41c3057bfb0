"""Accuracy of .tflite models on data, with confidence intervals, each against the first on the same samples."""

from tfmobile.evaluation.evaluation import evaluate as evaluate

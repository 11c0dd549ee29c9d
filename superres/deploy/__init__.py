"""From a trained network to a model file and its card."""

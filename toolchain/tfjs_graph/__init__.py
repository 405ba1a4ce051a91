"""Reads TF.js graph models: the weights in their shards, and their graph as TensorFlow's."""

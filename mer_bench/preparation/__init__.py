"""Frames -> the input of models, computed once: optical flow and strain in one memory-mapped store per data set."""

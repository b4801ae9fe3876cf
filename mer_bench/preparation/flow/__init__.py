"""Optical flow: the methods, the arrays of a clip, and flow that others published as pictures."""

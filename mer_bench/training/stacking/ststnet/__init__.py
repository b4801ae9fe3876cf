"""The optional compiled kernel of STSTNet.

Nothing but the table of kernels in stacking/strategy.py knows this folder, so it can be deleted with that entry.
"""

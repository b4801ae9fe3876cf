# Half the frames at a fifth of the area, for a CPU: an override of the full model, whose blocks then see 4, 2 and 1 steps
# of time.
input = dict(frames=8, size=48)
model = dict(backbone=dict(max_kernel_t=(7, 3, 1, 1)))

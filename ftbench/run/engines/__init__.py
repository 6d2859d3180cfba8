"""The engines: each carries out the compiled app's training, and nothing else."""

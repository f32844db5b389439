"""Launch files: they start machines under Slurm, KubeRay or Ray's cluster launcher, and a sweep on them."""

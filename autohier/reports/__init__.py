"""Reports on the records of sweeps, on fusions, on the stage store and on prepared clips."""

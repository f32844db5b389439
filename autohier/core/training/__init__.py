"""Training: the loop, its losses and schedule, evaluation, seeding and devices."""

"""Small trainings, on one process or several."""

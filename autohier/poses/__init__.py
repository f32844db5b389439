"""Poses of videos that have none: pose estimators, persons followed over time, and files of poses."""

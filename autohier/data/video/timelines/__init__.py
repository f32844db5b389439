"""Timelines of videos: which frames a player shows and when, by container and codec."""

"""Preprocessing: from a dataset's videos and skeletons to what a recognizer is fed."""

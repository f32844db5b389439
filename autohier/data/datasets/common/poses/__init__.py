"""Poses as sources store them: their files, conversion to skeletons, and checks of units and layouts."""

"""Reading clips, and preparing them for evaluation on arrays: the part of clip inputs without torch."""

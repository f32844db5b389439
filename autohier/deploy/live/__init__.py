"""Recognition in the last frames of a video while it is read: window, poses, network, labels over time."""

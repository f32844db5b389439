"""``autohier launch``: start machines and a sweep on them."""

"""Forms of clips: what recognizers of each kind read of a store."""

"""Report of a sweep as one self-contained HTML page."""

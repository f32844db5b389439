"""Contract suites for packages that extend autohier; they need pytest."""

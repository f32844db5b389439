"""Small source datasets that tests write."""

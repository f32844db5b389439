"""Commands on what a sweep found: its page, figures, ablation and importances."""

"""Commands on datasets: prepare, check, show and export."""

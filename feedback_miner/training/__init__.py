"""Fit what ships in ``models/``: the split rule, labelled sets, heads. Serving never imports this package."""

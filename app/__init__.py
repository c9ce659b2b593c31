"""The review dashboard: layout, widgets and session state. What it shows is computed in ``medclassify``."""

"""Tables, figures and runs -> one HTML page. pandas and jinja2; no torch, no Hydra."""

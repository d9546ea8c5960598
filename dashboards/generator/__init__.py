"""Makes the dashboards and rules from the catalogue of metrics."""

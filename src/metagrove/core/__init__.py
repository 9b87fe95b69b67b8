"""What everything shares: values, results, registries, units and errors."""

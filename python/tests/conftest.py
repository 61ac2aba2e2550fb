"""Settings of the package's tests."""

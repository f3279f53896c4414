"""The files in examples/deployment, and Containerfile, fit the service."""

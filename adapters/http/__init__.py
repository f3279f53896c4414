"""The service over HTTP: a Litestar application, and publish as a bare ASGI endpoint within it."""

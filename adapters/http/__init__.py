"""The service over HTTP: a Litestar application, with publish as a bare ASGI endpoint."""

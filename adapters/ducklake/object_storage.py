"""Parquet files in S3, or in a store that has its interface."""

from __future__ import annotations

import os
from collections.abc import Mapping
from urllib.parse import urlsplit

from adapters.ducklake.sql import quoted

SCHEMES = ("s3",)

EXTENSIONS = ("httpfs", "aws")
"""DuckDB's extensions for S3, and for finding credentials as Amazon's tools do."""

_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")
_REGIONS = ("AWS_REGION", "AWS_DEFAULT_REGION")
_VIRTUAL_HOSTS = "AWS_VIRTUAL_HOSTED_STYLE_REQUEST"


def is_url(files: str | None) -> bool:
    """Return whether files are at a URL rather than in a directory."""
    return files is not None and "://" in files


def is_object_store(files: str | None) -> bool:
    """Return whether files are in an object store."""
    return files is not None and urlsplit(files).scheme in SCHEMES


def checked(files: str) -> str:
    """Return a directory or a URL unchanged. Raises ValueError if files cannot be there."""
    scheme, separator, place = files.partition("://")
    if separator and scheme not in (*SCHEMES, "file"):
        raise ValueError(f"a directory or s3://bucket/prefix, not to {scheme}://")
    if separator and not place.strip("/"):
        raise ValueError(f"a directory or s3://bucket/prefix, and {files} is neither")
    return files


def secret(environment: Mapping[str, str] = os.environ) -> str:
    """Return the statement that gives a DuckDB the credentials and the endpoint.

    Credentials are found as Amazon's tools find them, and renewed: in variables such as
    AWS_ACCESS_KEY_ID, in profiles, or by the machine's role. AWS_ENDPOINT_URL names another
    server. Its buckets are in the path, unless AWS_VIRTUAL_HOSTED_STYLE_REQUEST is true.
    """
    options = ["TYPE s3", "PROVIDER credential_chain", "REFRESH auto"]
    if region := _first(environment, _REGIONS):
        options.append(f"REGION {quoted(region)}")
    if endpoint := _first(environment, _ENDPOINTS):
        parts = urlsplit(endpoint if "://" in endpoint else f"https://{endpoint}")
        in_host = environment.get(_VIRTUAL_HOSTS, "").lower() in ("true", "1")
        options += [
            f"ENDPOINT {quoted(parts.netloc + parts.path.rstrip('/'))}",
            f"URL_STYLE {quoted('vhost' if in_host else 'path')}",
            f"USE_SSL {str(parts.scheme == 'https').lower()}",
        ]
    return f"CREATE SECRET ({', '.join(options)})"


def _first(environment: Mapping[str, str], names: tuple[str, ...]) -> str:
    return next((value for name in names if (value := environment.get(name))), "")

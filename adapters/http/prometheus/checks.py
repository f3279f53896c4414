"""Paths beside Prometheus' HTTP API with which clients check a connection."""

from __future__ import annotations

from collections.abc import Sequence

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath, SkipValidation

from adapters.http.api.administration import AnyRequest, token_in
from adapters.http.failures import ProblemResponse
from adapters.http.prometheus.answers import RETRY_HEADERS, text_answer
from adapters.http.prometheus.api import PREFIXES, PrometheusApi
from application.readiness import ReadinessHandler

BASES = [prefix.removesuffix("/api/v1") for prefix in PREFIXES]
"""What clients are given as the address of a Prometheus."""


@get(
    [*filter(None, BASES), *(f"{base}/-/healthy" for base in BASES)],
    name="prometheus_healthy",
)
async def healthy(
    request: AnyRequest,
    prometheus: NamedDependency[PrometheusApi],
    organization: FromPath[str | None] = None,
    team: FromPath[str | None] = None,
) -> Response[bytes]:
    return await _checked(request, prometheus, organization, team, ())


@get([f"{base}/-/ready" for base in BASES], name="prometheus_ready")
async def ready(
    request: AnyRequest,
    prometheus: NamedDependency[PrometheusApi],
    readiness: NamedDependency[SkipValidation[ReadinessHandler]],
    organization: FromPath[str | None] = None,
    team: FromPath[str | None] = None,
) -> Response[bytes]:
    report = await readiness()
    return await _checked(request, prometheus, organization, team, report.problems)


async def _checked(
    request: AnyRequest,
    prometheus: PrometheusApi,
    organization: str | None,
    team: str | None,
    problems: Sequence[str],
) -> Response[bytes]:
    """Answer with a text: a 503 if there are problems. A token that may not read is refused."""
    prometheus.grant(token_in(request), organization, team)
    if problems:
        return ProblemResponse(text_answer(503, "; ".join(problems), RETRY_HEADERS))
    return ProblemResponse(text_answer(200, "PromQL is served below api/v1."))

"""Everything the service does, at a glance."""

from __future__ import annotations

from msgspec import Struct

from application.access import AccessControl
from application.create_team import CreateTeamHandler
from application.issue_token import IssueTokenHandler
from application.list_metric_names import ListMetricNamesHandler
from application.look_ups import LookUps
from application.publish_metrics import PublishMetricsHandler
from application.read_metrics import ReadMetricsHandler
from application.register_organization import RegisterOrganizationHandler
from application.revoke_token import RevokeTokenHandler


class ManageOrganizations(Struct, frozen=True):
    """What is done to and asked about organizations. Each call may block on the log."""

    register_organization: RegisterOrganizationHandler
    create_team: CreateTeamHandler
    issue_token: IssueTokenHandler
    revoke_token: RevokeTokenHandler
    look_ups: LookUps


class Queries(Struct, frozen=True):
    """What is asked of the projections. No call blocks the event loop."""

    list_metric_names: ListMetricNamesHandler
    read_metrics: ReadMetricsHandler


class UseCases(Struct, frozen=True):
    """What a worker does for its clients."""

    access: AccessControl
    publish_metrics: PublishMetricsHandler
    manage: ManageOrganizations
    queries: Queries

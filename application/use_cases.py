"""Everything the service does, at a glance."""

from __future__ import annotations

from msgspec import Struct

from application.organizations.access import AccessControl
from application.organizations.create_team import CreateTeamHandler
from application.organizations.issue_token import IssueTokenHandler
from application.organizations.look_ups import LookUps
from application.organizations.register_organization import RegisterOrganizationHandler
from application.organizations.revoke_token import RevokeTokenHandler
from application.projections.watch import ProjectionWatch
from application.publishing.publish_metrics import PublishMetricsHandler
from application.reading.list_metric_names import ListMetricNamesHandler
from application.reading.read_metrics import ReadMetricsHandler


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
    projections: ProjectionWatch

"""The tests of one host's HTTP, with each request to the next of two hosts.

Left out is what concerns a single process: connections, heads, shutdown, its own metrics, and the
validation of bodies, which depends on nothing that hosts share.
"""

from __future__ import annotations

from tests.e2e.test_databases import test_a_body_is_stored_for_its_owner
from tests.e2e.test_operations import (
    test_commands_share_the_log_of_a_running_service,
    test_it_is_live_and_ready,
)
from tests.e2e.test_otlp import test_requests_of_both_media_types_are_stored_for_their_owner
from tests.e2e.test_publish import (
    test_a_body_of_undeclared_length_is_accepted,
    test_an_empty_array_is_accepted_and_appends_nothing,
    test_the_basic_user_name_may_be_given_as_curl_does,
    test_the_events_provenance_is_the_tokens_id,
    test_the_receipt_is_the_events_place_in_the_log,
    test_two_points_of_one_series_at_one_time_are_both_kept,
)
from tests.e2e.test_refused_access import (
    test_a_revoked_token_is_refused,
    test_a_team_token_is_only_for_its_team,
    test_a_token_without_the_scope_is_refused,
    test_an_expired_token_is_refused,
    test_an_unknown_team_is_not_found,
    test_an_unknown_token_is_refused,
    test_another_organizations_token_is_refused,
    test_without_credentials_an_answer_does_not_reveal_what_exists,
)
from tests.e2e.test_remote_write import test_requests_of_both_versions_are_stored_for_their_owner
from tests.e2e.test_retries import (
    test_a_body_is_the_same_however_it_was_compressed,
    test_a_refused_batch_does_not_use_up_its_key,
    test_each_organization_has_its_own_keys,
    test_of_many_simultaneous_attempts_one_is_stored,
    test_the_same_body_under_other_keys_or_none_is_stored_each_time,
    test_the_same_key_and_body_answer_with_the_first_receipt,
    test_the_same_key_with_another_body_is_refused,
)
from tests.e2e.test_stored_points import test_a_thousand_points_are_one_event_and_come_back_exactly
from tests.e2e.test_tokens import (
    test_a_token_is_43_characters_after_a_prefix,
    test_an_owner_has_at_most_three_active_tokens_per_scope_set,
    test_the_last_active_token_of_an_owner_can_only_be_revoked_by_the_command_line,
    test_the_last_use_of_a_token_is_shown_for_active_tokens,
)

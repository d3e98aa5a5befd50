//! Every hostile case that is tried, and by what: in components, in processes, by clients, in bundles.

use std::{collections::BTreeSet, fs, path::Path};

/// Where a case is tried: a file of the repository and a test in it.
type Tests = &'static [&'static str];

/// A case, the tests in shared mode, and those in isolated mode or outside of plugins.
const CASES: &[(&str, Tests, Tests)] = &[
    // Computing and memory.
    (
        "an endless loop",
        &["hostile/exhaust.rs::a_loop_ends_when_its_time_to_compute_is_used_up"],
        &["subprocess/garbage.rs::one_that_does_not_answer_in_time_is_given_up_and_its_place_is_free_again"],
    ),
    (
        "as many endless loops as may be",
        &["hostile/exhaust.rs::as_many_loops_as_are_allowed_leave_room_for_others"],
        &["hostile/processes.rs::a_crowd_before_a_process_waits_or_is_sent_away"],
    ),
    (
        "a start that never ends",
        &["lifecycle/failed_start.rs::a_start_that_never_ends_is_ended"],
        &["subprocess/starts.rs::one_that_never_answers_fails_when_its_time_is_up"],
    ),
    (
        "memory without end",
        &[
            "hostile/exhaust.rs::memory_ends_at_its_limit_and_is_given_back",
            "hostile/exhaust.rs::a_plugin_that_breaks_for_want_of_memory_is_told_so",
        ],
        &["subprocess/crashes.rs::a_process_that_eats_memory_gets_no_more_than_its_limit"],
    ),
    ("several memories and tables", &["../src/wasm/limits.rs::memories_and_tables_are_counted_together"], &[]),
    (
        "an allocator, a tidying and an instruction without end",
        &["hostile/canonical.rs::what_the_host_calls_and_reads_of_a_guest_is_bounded_too"],
        &[],
    ),
    (
        "a start section without end, and a table of all elements",
        &["hostile/canonical.rs::what_the_host_calls_and_reads_of_a_guest_is_bounded_too"],
        &[],
    ),
    ("waiting for nothing, again and again", &["hostile/exhaust.rs::who_waits_for_nothing_again_and_again_computes"], &[]),
    (
        "a server outside for which there is no time",
        &["hostile/quotas.rs::no_patience_is_a_timeout"],
        &["subprocess/egress.rs::what_is_granted_is_reached_by_the_proxy_and_nothing_else"],
    ),
    ("a handle that was given back", &["hostile/faults.rs::each_is_one_requests_error_and_the_author_reads_why"], &[]),
    (
        "millions of nothings, and lengths beyond all memory",
        &["hostile/canonical.rs::what_the_host_calls_and_reads_of_a_guest_is_bounded_too"],
        &[],
    ),
    ("a stack without end", &["hostile/exhaust.rs::a_stack_ends"], &[]),
    (
        "sleep past the deadline",
        &["hostile/exhaust.rs::waiting_is_not_computing_and_ends_at_the_wall"],
        &["subprocess/garbage.rs::one_that_does_not_answer_in_time_is_given_up_and_its_place_is_free_again"],
    ),
    (
        "faults on every call",
        &["hostile/quarantine.rs::five_traps_in_a_minute_end_it_with_a_reason_and_a_reload_tries_again"],
        &["subprocess/crashes.rs::a_process_that_ends_again_and_again_is_left_alone"],
    ),
    (
        "a component that takes long to compile",
        &["hostile/compile.rs::a_compiler_that_takes_too_much_is_ended_and_nobody_else_feels_it"],
        &[],
    ),
    (
        "what another tenant left in memory",
        &["wasm/leak.rs::a_place_of_the_pool_is_clean", "wasm/instances.rs::a_warm_instance_remembers_within_one_laboratory"],
        &["subprocess/tokens.rs::another_laboratory_has_its_own_process_and_sees_nothing"],
    ),
    // Host calls.
    ("host calls in a loop", &["hostile/exhaust.rs::a_loop_shares_its_thread"], &[]),
    (
        "handles without end",
        &[
            "hostile/quotas.rs::handles_end_at_their_limit",
            "wasm/instances.rs::a_warm_instance_that_leaks_handles_goes_before_it_has_none",
        ],
        &["hostile/processes.rs::a_process_opens_no_more_files_than_its_limit"],
    ),
    (
        "a very long argument",
        &["hostile/quotas.rs::one_call_does_not_fill_the_hosts_memory"],
        &["hostile/processes.rs::a_process_saves_no_longer_documents_than_its_limit"],
    ),
    (
        "a very deep document",
        &["hostile/quotas.rs::a_document_that_is_too_deep_is_refused", "hostile/tables.rs::deep_values_break_nothing"],
        &["hostile/processes.rs::a_document_of_a_process_that_is_too_deep_is_refused"],
    ),
    (
        "a schema that takes years, or the stack",
        &[
            "hostile/faults.rs::a_schema_that_would_never_end_is_not_begun",
            "../src/context/schema_work.rs::what_would_never_end_is_not_begun",
        ],
        &["../src/context/schema_work.rs::what_would_never_end_is_not_begun"],
    ),
    (
        "a pattern that could backtrack",
        &["../src/context/schema.rs::a_pattern_that_could_backtrack_answers_at_once"],
        &["../src/context/schema.rs::a_pattern_that_could_backtrack_answers_at_once"],
    ),
    (
        "an answer that is none",
        &["hostile/faults.rs::what_is_no_response_does_not_reach_the_client"],
        &["subprocess/garbage.rs::what_is_not_a_response_is_a_bad_gateway"],
    ),
    (
        "a length that is not the body's",
        &["hostile/faults.rs::what_is_no_response_does_not_reach_the_client"],
        &["subprocess/garbage.rs::a_body_that_breaks_off_or_is_too_long_never_looks_whole"],
    ),
    (
        "trailers with forbidden names",
        &["subprocess/trailers.rs::shared_plugins_are_not_troubled_by_them"],
        &["subprocess/trailers.rs::a_plugin_sends_those_that_it_announces_and_may_to_clients_that_take_them"],
    ),
    (
        "a request body that is never read",
        &["hostile/bodies.rs::a_body_that_is_never_read_stays_with_its_sender"],
        &["subprocess/bulk.rs::a_gigabyte_goes_up"],
    ),
    (
        "a response body without end",
        &["hostile/bodies.rs::an_endless_answer_is_cut_off_at_its_limit"],
        &["subprocess/garbage.rs::a_body_that_breaks_off_or_is_too_long_never_looks_whole"],
    ),
    (
        "log lines without end",
        &["hostile/floods.rs::a_log_is_bounded", "hostile/floods.rs::the_standard_output_is_bounded"],
        &["subprocess/endings.rs::one_that_prints_without_end_is_bounded_and_answers"],
    ),
    (
        "a long log line with escapes",
        &["../src/context/logs.rs::lines_are_cut_and_disarmed"],
        &["../src/context/logs.rs::lines_are_cut_and_disarmed"],
    ),
    (
        "imports that were not declared",
        &[
            "wasm/grants.rs::a_component_that_imports_more_than_it_declares_does_not_start",
            "../src/wasm/imports.rs::anything_else_is_refused_by_name",
        ],
        &[],
    ),
    // Data.
    (
        "statements of a session or a server",
        &["hostile/tables.rs::statements_of_a_session_or_a_server_are_refused"],
        &["../src/store/tables/postgres/door/admit.rs::what_reaches_further_stays_outside"],
    ),
    (
        "tables of another",
        &["hostile/tables.rs::nobody_reaches_the_tables_of_another"],
        &["hostile/prisoners.rs::it_reads_nobody_elses_files"],
    ),
    (
        "a query without end",
        &[
            "hostile/tables.rs::statements_end_with_their_time",
            "hostile/tables.rs::answers_end_at_their_rows",
            "hostile/tables.rs::answers_end_at_their_bytes",
        ],
        &[],
    ),
    (
        "tables without end",
        &["hostile/tables.rs::tables_end_at_their_quota"],
        &["hostile/processes.rs::a_process_takes_no_more_room_for_its_tables_than_its_limit"],
    ),
    (
        "a transaction that is held open",
        &["hostile/tables.rs::who_waits_for_himself_is_told", "hostile/tables.rs::one_plugin_does_not_slow_another"],
        &[],
    ),
    (
        "a migration without end",
        &["lifecycle/migrations/failures.rs::a_migration_that_never_ends_ends_at_its_limit"],
        &["conformance/history.rs::a_migration_of_a_process_that_never_ends_ends_at_its_limit"],
    ),
    (
        "a migration that fails half-way",
        &["lifecycle/migrations/failures.rs::a_migration_that_fails_half_way_leaves_nothing"],
        &["lifecycle/migrations/python.rs::a_python_component_has_tables_with_a_history"],
    ),
    (
        "a migration that was edited",
        &["lifecycle/migrations/failures.rs::histories_that_do_not_fit_are_refused_before_anything_happens"],
        &[],
    ),
    (
        "a migration that hides what it destroys",
        &["lifecycle/migrations/destruction.rs::a_migration_that_hides_what_it_destroys_is_refused"],
        &[],
    ),
    (
        "files without end",
        &[
            "hostile/quotas.rs::artifacts_end_at_their_quota",
            "hostile/quotas.rs::the_cache_ends_at_its_quota",
            "hostile/recount.rs::a_killed_server_neither_forgets_files_nor_counts_them_twice",
        ],
        &[
            "hostile/processes.rs::a_process_keeps_no_more_files_than_its_limit",
            "hostile/processes.rs::a_process_keeps_no_more_in_its_cache_than_its_limit",
        ],
    ),
    (
        "objects and documents without end",
        &["hostile/quotas.rs::objects_end_at_their_quota", "hostile/quotas.rs::documents_end_at_their_limit"],
        &["hostile/processes.rs::a_process_puts_no_more_objects_than_its_quota"],
    ),
    // Network.
    (
        "addresses of the machine and its network",
        &[
            "../src/context/http_out.rs::only_public_addresses_are_public",
            "../src/context/http_out.rs::only_a_literal_address_reaches_inside",
        ],
        &["subprocess/egress.rs::what_is_granted_is_reached_by_the_proxy_and_nothing_else"],
    ),
    (
        "a name that leads inside",
        &["../src/context/http_out.rs::only_a_literal_address_reaches_inside"],
        &["subprocess/egress.rs::what_is_granted_is_reached_by_the_proxy_and_nothing_else"],
    ),
    ("a server that does not prove who it is", &["wasm/outbound.rs::a_server_that_does_not_prove_who_it_is_gets_nothing"], &[]),
    (
        "a way around the proxy",
        &[],
        &[
            "subprocess/egress.rs::what_is_granted_is_reached_by_the_proxy_and_nothing_else",
            "subprocess/sandbox.rs::it_reaches_the_platform_and_what_is_granted",
        ],
    ),
    (
        "outbound requests without end",
        &[
            "hostile/quotas.rs::outbound_requests_at_once_end_at_their_limit",
            "hostile/quotas.rs::outbound_requests_in_a_minute_end_at_their_limit",
        ],
        &[
            "subprocess/egress.rs::a_process_has_so_many_outbound_requests_at_once",
            "subprocess/egress.rs::a_process_has_so_many_outbound_requests_in_a_minute",
        ],
    ),
    (
        "outbound bodies without end",
        &["hostile/quotas.rs::outbound_bodies_end_at_their_limit"],
        &["subprocess/egress.rs::a_process_sends_and_gets_no_longer_bodies_than_its_limit"],
    ),
    (
        "an answer that leads elsewhere",
        &["hostile/quotas.rs::outbound_bodies_end_at_their_limit"],
        &["subprocess/egress.rs::what_is_granted_is_reached_by_the_proxy_and_nothing_else"],
    ),
    // Bundles.
    (
        "entries that lead out of the directory",
        &[
            "../src/bundle/layout.rs::names_that_could_leave_the_target",
            "../src/bundle/tests.rs::symlinks_and_directories_are_refused",
        ],
        &[],
    ),
    (
        "bundles made to mislead",
        &[
            "../src/bundle/tests.rs::hostile_bundles_are_refused_by_name",
            "../src/bundle/tests.rs::bytes_around_the_zip_are_refused",
        ],
        &[],
    ),
    (
        "bundles that unpack to too much",
        &["lifecycle/bundles.rs::a_bundle_that_unpacks_to_more_or_less_than_it_says_is_refused"],
        &["lifecycle/bundles.rs::a_bundle_that_unpacks_to_more_or_less_than_it_says_is_refused"],
    ),
    (
        "damaged and altered bundles",
        &[
            "../src/bundle/tests.rs::a_damaged_bundle_never_panics",
            "lifecycle/bundles.rs::an_altered_bundle_is_refused_naming_the_entry",
        ],
        &["subprocess/packages.rs::wheels_that_are_not_what_was_locked_are_refused"],
    ),
    ("other bytes under the same version", &["lifecycle/install.rs::a_changed_bundle_needs_a_new_version"], &[]),
    (
        "manifests that cannot be",
        &["../src/domain/manifest.rs::what_is_wrong_is_named"],
        &["../src/domain/manifest.rs::what_is_wrong_is_named"],
    ),
    // Processes.
    (
        "a fork bomb",
        &[],
        &["hostile/processes.rs::a_fork_bomb_is_put_out", "hostile/prisoners.rs::a_fork_bomb_ends_with_all_its_children"],
    ),
    (
        "a child that goes elsewhere",
        &[],
        &[
            "hostile/processes.rs::children_that_went_elsewhere_are_counted_too",
            "subprocess/killed_host.rs::a_killed_platform_leaves_no_process_and_starts_again",
        ],
    ),
    ("one that ignores that it is to end", &[], &["subprocess/endings.rs::one_that_ignores_sigterm_ends_with_its_children"]),
    ("one that ends again and again", &[], &["subprocess/crashes.rs::a_process_that_ends_again_and_again_is_left_alone"]),
    ("sockets of neighbours", &[], &["hostile/prisoners.rs::it_does_not_find_its_neighbours_sockets"]),
    (
        "files of neighbours and of the platform",
        &[],
        &[
            "hostile/prisoners.rs::it_reads_nobody_elses_files",
            "hostile/prisoners.rs::it_changes_neither_its_program_nor_runs_another",
        ],
    ),
    (
        "system calls that open the machine",
        &[],
        &["hostile/prisoners.rs::it_makes_no_system_call_that_opens_the_machine", "hostile/prisoners.rs::it_signals_nobody_else"],
    ),
    (
        "packages that run code when they are built",
        &[],
        &[
            "subprocess/packages.rs::a_package_without_a_wheel_is_built_only_where_an_administrator_allows_it",
            "subprocess/sandbox.rs::a_plugin_that_is_only_described_is_held_too",
        ],
    ),
    // Identity.
    ("a token of another, or an old one", &[], &["subprocess/tokens.rs::a_token_is_good_for_one_plugin_while_it_runs"]),
    (
        "a program's token at another plugin, or at the platform",
        &["people/service_tokens.rs::a_program_reaches_nothing_but_its_plugin"],
        &["people/service_tokens.rs::a_program_reaches_nothing_but_its_plugin"],
    ),
    (
        "acting for somebody who does not ask",
        &["wasm/grants.rs::a_plugin_may_no_more_than_the_person_who_uses_it"],
        &[
            "subprocess/tokens.rs::a_plugin_acts_for_those_whom_its_process_serves_or_served",
            "subprocess/tokens.rs::a_plugin_cannot_lend_a_person_more_than_they_have",
        ],
    ),
    (
        "a grant that was taken away",
        &["lifecycle/terms.rs::what_is_taken_away_is_refused_and_what_is_given_is_there"],
        &["lifecycle/terms.rs::what_is_taken_away_is_refused_and_what_is_given_is_there"],
    ),
    (
        "an answer that speaks for the site",
        &["wasm/requests.rs::a_plugin_does_not_speak_for_the_site"],
        &["subprocess/headers.rs::a_plugin_cannot_speak_for_the_platform"],
    ),
    (
        "a client that says who it is",
        &["wasm/requests.rs::what_a_client_says_of_itself_is_not_believed"],
        &["subprocess/headers.rs::a_client_cannot_say_who_it_is"],
    ),
    // Clients.
    (
        "requests that can be read in two ways",
        &["http/framing.rs::what_could_be_read_in_two_ways_is_refused_and_ends_the_connection"],
        &["http/framing.rs::what_can_be_read_in_one_way_only_reaches_the_plugin_in_proper_form"],
    ),
    (
        "paths that can be read in two ways",
        &["wasm/requests.rs::paths_that_can_be_read_in_two_ways_are_refused"],
        &["subprocess/headers.rs::odd_paths_and_tunnels_are_refused_before_the_plugin"],
    ),
    ("heads without end", &["http/framing.rs::heads_are_bounded"], &["http/framing.rs::heads_are_bounded"]),
    (
        "thousands of connections of one address",
        &["hostile/slow_clients.rs::the_connections_of_one_address_leave_room_for_those_of_others"],
        &["hostile/slow_clients.rs::the_connections_of_one_address_leave_room_for_those_of_others"],
    ),
    (
        "all of it, one after the other",
        &["hostile/siege.rs::a_server_goes_on_whatever_is_done_to_it"],
        &["hostile/siege.rs::a_server_goes_on_whatever_is_done_to_it"],
    ),
    (
        "an upgrade that nobody asked for",
        &["subprocess/sockets.rs::shared_plugins_have_none_and_say_so"],
        &[
            "subprocess/sockets.rs::what_is_no_handshake_never_reaches_the_plugin",
            "subprocess/sockets.rs::an_answer_that_is_none_is_the_plugins_fault_and_nothing_of_it_passes",
        ],
    ),
    (
        "a thousand slow clients",
        &[
            "hostile/slow_clients.rs::a_thousand_slow_clients_keep_nobody_from_being_served",
            "hostile/bodies.rs::a_slow_reader_holds_no_memory_and_ends",
        ],
        &["subprocess/sockets.rs::a_flood_waits_for_a_client_that_does_not_read"],
    ),
    (
        "a flood to one plugin",
        &[
            "hostile/crowds.rs::so_many_at_once_so_many_waiting_and_the_rest_is_sent_away",
            "hostile/crowds.rs::who_asks_too_often_within_a_second_is_sent_away",
        ],
        &[
            "hostile/processes.rs::a_crowd_before_a_process_waits_or_is_sent_away",
            "hostile/processes.rs::who_asks_a_process_too_often_is_sent_away",
        ],
    ),
    (
        "a flood to all plugins of a laboratory",
        &["hostile/laboratories.rs::one_laboratorys_flood_over_all_its_plugins_leaves_room_for_others"],
        &["hostile/laboratories.rs::one_laboratorys_flood_over_all_its_plugins_leaves_room_for_others"],
    ),
    (
        "a flood to some plugins of a laboratory",
        &["hostile/laboratories.rs::one_plugins_flood_leaves_room_for_the_others_of_its_laboratory"],
        &["hostile/laboratories.rs::one_plugins_flood_leaves_room_for_the_others_of_its_laboratory"],
    ),
    (
        "bodies that are too long",
        &["hostile/bodies.rs::a_body_that_says_it_is_too_long_is_refused_before_the_plugin_is_asked"],
        &["subprocess/headers.rs::a_body_that_is_too_long_is_refused_whether_it_says_so_or_not"],
    ),
    ("passwords that are tried", &["people/attacks.rs::wrong_passwords_lock_out_who_tries_them_and_nobody_else"], &[]),
    (
        "pages of other sites",
        &["http/access.rs::a_cookie_changes_nothing_for_another_site"],
        &["subprocess/sockets.rs::another_sites_page_opens_none_with_the_visitors_cookie"],
    ),
    ("anything whatever", &["hostile/fuzzed.rs::the_corpora_break_nothing"], &["hostile/fuzzed.rs::the_corpora_break_nothing"]),
];

#[test]
fn every_case_is_tried_by_a_test() {
    let (mut tests, mut variants) = (BTreeSet::new(), 0);
    for (case, shared, isolated) in CASES {
        assert!(!shared.is_empty() || !isolated.is_empty(), "{case} is tried by nothing");
        variants += usize::from(!shared.is_empty()) + usize::from(!isolated.is_empty());
        for path in shared.iter().chain(*isolated) {
            let (file, name) = path.split_once("::").unwrap();
            let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap_or_else(|_| panic!("{file}"));
            let at = text.find(&format!("fn {name}(")).unwrap_or_else(|| panic!("{case}: {path} is not there"));
            let before: Vec<&str> = text[..at].lines().rev().take(3).collect();
            assert!(before.iter().any(|line| line.trim_start().starts_with("#[")), "{path} is no test");
            tests.insert(path);
        }
    }
    println!("{} hostile cases in {variants} variants, by {} tests", CASES.len(), tests.len());
}

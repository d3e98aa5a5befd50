//! Every limit has a test that reaches it, in each mode in which it holds.

use std::{any::type_name_of_val, collections::BTreeSet, fs, path::Path};

use mint_domain::{Mode, limit::TABLE};

use super::{bodies, crowds, exhaust, floods, jobs, processes, quotas, tables};
use crate::subprocess::{crashes, egress, endings, garbage, headers};
use crate::{conformance::history as conformance, lifecycle::migrations};

/// How a limit is tried in one mode.
enum Tried {
    /// By these tests.
    By(Vec<Test>),
    /// It does not hold in this mode.
    Not,
}

/// A test: that it exists is checked by the compiler.
struct Test {
    /// Path of the function.
    name: &'static str,
    _run: fn(),
}

macro_rules! by {
    ($($test:path),+ $(,)?) => { Tried::By(vec![$(Test { name: type_name_of_val(&$test), _run: $test }),+]) };
}

/// Limit, shared mode, isolated mode.
fn trials() -> Vec<(&'static str, Tried, Tried)> {
    vec![
        (
            "instance_memory_bytes_max",
            by![exhaust::memory_ends_at_its_limit_and_is_given_back, exhaust::a_plugin_that_breaks_for_want_of_memory_is_told_so],
            Tried::Not,
        ),
        ("process_memory_bytes_max", Tried::Not, by![crashes::a_process_that_eats_memory_gets_no_more_than_its_limit]),
        ("cpu_ms_max", by![exhaust::a_loop_ends_when_its_time_to_compute_is_used_up], Tried::Not),
        (
            "wall_ms_max",
            by![exhaust::waiting_is_not_computing_and_ends_at_the_wall],
            by![garbage::one_that_does_not_answer_in_time_is_given_up_and_its_place_is_free_again],
        ),
        (
            "concurrency_max",
            by![crowds::who_has_waited_for_long_enough_is_sent_away],
            by![processes::who_waits_for_a_process_too_long_is_sent_away],
        ),
        (
            "requests_per_second_max",
            by![crowds::who_asks_too_often_within_a_second_is_sent_away],
            by![processes::who_asks_a_process_too_often_is_sent_away],
        ),
        (
            "queue_max",
            by![crowds::so_many_at_once_so_many_waiting_and_the_rest_is_sent_away],
            by![processes::a_crowd_before_a_process_waits_or_is_sent_away],
        ),
        (
            "request_body_bytes_max",
            by![bodies::a_body_that_says_it_is_too_long_is_refused_before_the_plugin_is_asked],
            by![headers::a_body_that_is_too_long_is_refused_whether_it_says_so_or_not],
        ),
        (
            "response_body_bytes_max",
            by![bodies::an_endless_answer_is_cut_off_at_its_limit, bodies::a_short_answer_that_is_too_long_names_its_limit],
            by![garbage::a_body_that_breaks_off_or_is_too_long_never_looks_whole],
        ),
        ("handles_max", by![quotas::handles_end_at_their_limit], Tried::Not),
        ("host_memory_bytes_max", by![quotas::one_call_does_not_fill_the_hosts_memory], Tried::Not),
        (
            "files_bytes_max",
            by![quotas::artifacts_end_at_their_quota],
            by![processes::a_process_keeps_no_more_files_than_its_limit],
        ),
        (
            "cache_bytes_max",
            by![quotas::the_cache_ends_at_its_quota],
            by![processes::a_process_keeps_no_more_in_its_cache_than_its_limit],
        ),
        (
            "objects_bytes_max",
            by![quotas::objects_end_at_their_quota],
            by![processes::a_process_puts_no_more_objects_than_its_quota],
        ),
        (
            "database_bytes_max",
            by![tables::tables_end_at_their_quota],
            by![processes::a_process_takes_no_more_room_for_its_tables_than_its_limit],
        ),
        ("database_statement_ms_max", by![tables::statements_end_with_their_time], Tried::Not),
        ("database_rows_max", by![tables::answers_end_at_their_rows], Tried::Not),
        (
            "migration_ms_max",
            by![migrations::a_migration_that_never_ends_ends_at_its_limit],
            by![conformance::a_migration_of_a_process_that_never_ends_ends_at_its_limit],
        ),
        (
            "jobs_concurrency_max",
            by![jobs::jobs_beyond_those_at_once_wait],
            by![jobs::jobs_of_a_process_beyond_those_at_once_wait],
        ),
        ("job_ms_max", by![jobs::a_job_ends_with_its_time], by![jobs::a_job_of_a_process_ends_with_its_time]),
        (
            "jobs_queue_max",
            by![jobs::jobs_beyond_those_that_may_wait_are_refused],
            by![jobs::jobs_of_a_process_beyond_those_that_may_wait_are_refused],
        ),
        (
            "outbound_concurrency_max",
            by![quotas::outbound_requests_at_once_end_at_their_limit],
            by![egress::a_process_has_so_many_outbound_requests_at_once],
        ),
        (
            "outbound_per_minute_max",
            by![quotas::outbound_requests_in_a_minute_end_at_their_limit],
            by![egress::a_process_has_so_many_outbound_requests_in_a_minute],
        ),
        (
            "outbound_body_bytes_max",
            by![quotas::outbound_bodies_end_at_their_limit],
            by![egress::a_process_sends_and_gets_no_longer_bodies_than_its_limit],
        ),
        (
            "log_bytes_per_minute_max",
            by![floods::a_log_is_bounded, floods::the_standard_output_is_bounded],
            by![endings::one_that_prints_without_end_is_bounded_and_answers],
        ),
        (
            "processes_max",
            Tried::Not,
            by![
                processes::a_process_has_no_more_children_than_its_limit,
                processes::children_that_went_elsewhere_are_counted_too
            ],
        ),
        ("open_files_max", Tried::Not, by![processes::a_process_opens_no_more_files_than_its_limit]),
        (
            "document_bytes_max",
            by![quotas::documents_end_at_their_limit],
            by![processes::a_process_saves_no_longer_documents_than_its_limit],
        ),
    ]
}

#[test]
fn every_limit_is_reached_by_a_test() {
    let trials = trials();
    let tried: Vec<&str> = trials.iter().map(|(limit, ..)| *limit).collect();
    let limits: Vec<&str> = TABLE.iter().map(|row| row.name).collect();
    assert_eq!(tried, limits, "a limit without a test, or a test without a limit");
    let mut seen = BTreeSet::new();
    for ((limit, shared, isolated), row) in trials.iter().zip(TABLE) {
        let mut tests = 0;
        for (mode, tried) in [(Mode::Shared, shared), (Mode::Isolated, isolated)] {
            let reached = matches!(tried, Tried::By(_));
            assert_eq!(
                reached,
                row.modes.include(mode),
                "{limit} is declared for {:?}, and reached in {mode}: {reached}",
                row.modes
            );
        }
        for mode in [shared, isolated] {
            match mode {
                Tried::By(by) => {
                    for test in by {
                        names_the_limit(test.name, limit);
                        assert!(seen.insert(test.name), "{} stands for two limits", test.name);
                        tests += 1;
                    }
                }
                Tried::Not => assert!(!row.elsewhere.is_empty(), "{limit}: say what there is instead"),
            }
        }
        assert!(tests > 0, "{limit} is reached by no test");
    }
}

/// Limits that the kernel refuses a process more of, and tells nobody.
const NOT_COUNTED: [&str; 2] = ["process_memory_bytes_max", "open_files_max"];

/// Whether a function of a file, or one of the file's that it calls, asks for the counter.
fn counts(text: &str, function: &str) -> bool {
    let body = |function: &str| {
        let from = text.find(&format!("fn {function}(")).unwrap_or(text.len());
        let rest = &text[from..];
        &rest[..rest.find("\n}\n").unwrap_or(rest.len())]
    };
    let asks = |function: &str| body(function).contains("counted(") || body(function).contains("counted_and_told(");
    let helpers = ["floods", "fills", "forks", "crowd", "overlong", "queue"];
    asks(function) || helpers.into_iter().any(|helper| body(function).contains(&format!("{helper}(")) && asks(helper))
}

/// The function is a test that runs, and its file sets and names the limit.
fn names_the_limit(test: &str, limit: &str) {
    let path: Vec<&str> = test.split("::").skip(1).collect();
    let (function, modules) = path.split_last().unwrap();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("{}.rs", modules.join("/")));
    let text = fs::read_to_string(&file).unwrap();
    let at = text.find(&format!("async fn {function}(")).unwrap_or_else(|| panic!("{test} is not in {}", file.display()));
    let attribute = text[..at].lines().rev().nth(1).unwrap();
    assert!(attribute.starts_with("#[tokio::test"), "{test} is not a test: {attribute}");
    assert!(text.contains(&format!("\"{limit}\"")), "{} never speaks of {limit}", file.display());
    assert!(NOT_COUNTED.contains(&limit) || counts(&text, function), "{test} does not look whether {limit} is counted");
}

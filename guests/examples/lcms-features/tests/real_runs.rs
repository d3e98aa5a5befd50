//! The analysis of real runs against figures from independent tools.
#![allow(clippy::expect_used, clippy::panic, reason = "they are tests, helpers included")]

use std::fs::File;
use std::path::PathBuf;

use lcms_features::analysis::{Survey, ion_chromatogram};
use lcms_features::report::{Parameters, Report};

/// The files lie in the tests of the repository, or where `MINT_TEST_DATA` says.
fn run(name: &str) -> File {
    let directory = std::env::var_os("MINT_TEST_DATA")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../tests/data"), PathBuf::from);
    let path = directory.join(name);
    File::open(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn analyse(name: &str) -> Report {
    let survey = Survey::new(run(name), Parameters::default()).expect("survey");
    survey.complete(run(name)).expect("report")
}

#[track_caller]
fn close(found: f64, expected: f64, relative: f64) {
    assert!((found / expected - 1.0).abs() < relative, "{found} is not {expected}");
}

#[test]
fn the_bsa_digest_has_the_known_figures() {
    let report = analyse("BSA1.mzML.gz");
    let summary = &report.summary;
    assert_eq!((summary.spectra, summary.spectra_ms1), (1684, 564));
    close(summary.rt_start_s, 1501.414, 1e-6);
    close(summary.rt_end_s, 2499.518, 1e-6);
    close(summary.total_ion_current, 4.292_509e9, 2e-7);
    close(summary.base_peak.mz, 395.23931, 1e-8);
    close(summary.base_peak.height, 11_977_811.0, 1e-9);
    close(summary.base_peak.rt_s, 1941.743, 1e-6);
    close(summary.base_peak.area, 1.455_193e8, 4e-7);
    assert_eq!(report.chromatograms.total_ion.len(), 564);
    close(report.chromatograms.total_ion.iter().sum(), summary.total_ion_current, 1e-12);
}

#[test]
fn the_highest_feature_is_the_base_peak() {
    let report = analyse("BSA1.mzML.gz");
    let first = report.features.first().expect("features");
    close(first.mz, 395.23931, 1e-5);
    close(first.height, 11_977_811.0, 1e-9);
    close(first.rt_s, 1941.743, 1e-6);
    assert!(first.rt_start_s < first.rt_s && first.rt_s < first.rt_end_s);
    assert!(first.snr > 100.0);
    for (feature, next) in report.features.iter().zip(report.features.iter().skip(1)) {
        assert!(feature.height >= next.height && feature.id + 1 == next.id);
    }
}

#[test]
fn the_ion_chromatogram_has_the_known_area() {
    let chromatogram = ion_chromatogram(run("BSA1.mzML.gz"), 395.23931, 10.0).expect("chromatogram");
    assert_eq!(chromatogram.rt_s.len(), 564);
    close(chromatogram.area, 1.455_193e8, 4e-7);
}

#[test]
fn minutes_zlib_and_an_index_are_read() {
    let report = analyse("example.mzML.gz");
    assert_eq!(report.summary.spectra, 11);
    close(report.summary.rt_start_s, 0.001_465_899_8 * 60.0, 1e-9);
    close(report.summary.base_peak.mz, 74.097, 1e-4);
}

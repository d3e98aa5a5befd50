//! Files that are wrong: the refusal names the place and the cause.
#![allow(clippy::expect_used, clippy::panic, reason = "they are tests, helpers included")]

use std::io::{Cursor, Read, Write};
use std::path::PathBuf;

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use lcms_features::analysis::{AnalysisError, Survey};
use lcms_features::report::Parameters;

fn example() -> Vec<u8> {
    let directory = std::env::var_os("MINT_TEST_DATA")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../tests/data"), PathBuf::from);
    std::fs::read(directory.join("example.mzML.gz")).expect("the example run")
}

fn example_xml() -> String {
    let mut xml = String::new();
    GzDecoder::new(Cursor::new(example())).read_to_string(&mut xml).expect("gzip");
    xml
}

fn refusal(file: impl AsRef<[u8]>) -> AnalysisError {
    Survey::new(file.as_ref(), Parameters::default()).expect_err("a refusal")
}

#[track_caller]
fn refused(file: impl AsRef<[u8]>, words: &[&str]) {
    let said = refusal(file).to_string();
    for word in words {
        assert!(said.contains(word), "{word:?} is not in {said:?}");
    }
}

#[test]
fn other_files_are_not_mzml() {
    refused("", &["not mzML", "no XML element", "byte 0"]);
    refused("mz,intensity\n1,2\n", &["not mzML", "begins with text"]);
    refused([0x89, b'P', b'N', b'G', 0, 1, 2], &["not mzML"]);
    refused("<html><body/></html>", &["not mzML", "<html>"]);
}

#[test]
fn broken_xml_is_named() {
    refused("<mzML><run></mzML>", &["XML is broken", "run"]);
    refused("<mzML><run", &["truncated"]);
    let garbage = example_xml().replacen("</scanList>", "</scan>", 1);
    assert!(matches!(refusal(garbage).place(), Some(place) if place.spectrum_index == Some(0)));
}

#[test]
fn truncated_files_name_the_spectrum() {
    let xml = example_xml();
    let (at, _) = xml.match_indices("<binary>").nth(8).expect("nine arrays");
    let cut = xml.get(..at + 100).expect("ASCII");
    refused(cut, &["truncated", "spectrum 4", "scan=5", "<binary>"]);
    refused(xml.get(..at + 3).expect("ASCII"), &["truncated", "spectrum 4"]);
    let file = example();
    refused(file.get(..file.len() / 2).expect("half"), &["gzip", "spectrum"]);
    refused(file.get(..5).expect("start"), &["gzip"]);
}

#[test]
fn damaged_gzip_is_named() {
    let mut file = example();
    let middle = file.len() / 2;
    for byte in file.iter_mut().skip(middle).take(64) {
        *byte = !*byte;
    }
    let said = refusal(file).to_string();
    assert!(said.contains("byte"), "{said}");
}

#[test]
fn arrays_of_another_length_are_named() {
    let xml = example_xml().replacen("defaultArrayLength=\"917\"", "defaultArrayLength=\"918\"", 1);
    refused(xml, &["spectrum 0", "scan=1", "<binary>", "declares 918 values"]);
}

#[test]
fn a_huge_declared_array_is_not_allocated() {
    let xml = example_xml().replacen("defaultArrayLength=\"917\"", "defaultArrayLength=\"1342177280\"", 1);
    refused(xml, &["spectrum 0", "declares 1342177280 values"]);
    let xml = example_xml().replacen("defaultArrayLength=\"917\"", "defaultArrayLength=\"-1\"", 1);
    refused(xml, &["spectrum", "\"-1\" is not a whole number"]);
}

#[test]
fn base64_rubbish_is_named() {
    let xml = example_xml().replacen("<binary>", "<binary>*", 1);
    refused(xml, &["spectrum 0", "<binary>", "'*' at character 0"]);
}

#[test]
fn arrays_that_do_not_belong_together_are_named() {
    let xml = example_xml();
    let at = xml.find("<binaryDataArray ").expect("array");
    let (before, after) = xml.split_at(at);
    let end = after.find("</binaryDataArray>").expect("end") + "</binaryDataArray>".len();
    let without = format!("{before}{}", after.get(end..).expect("rest"));
    refused(without, &["spectrum 0", "0 m/z values and 917 intensities"]);
}

#[test]
fn a_run_without_ms1_is_refused() {
    let xml = example_xml().replace("MS:1000579", "MS:1000580");
    let xml = xml.replace("name=\"ms level\" value=\"1\"", "name=\"ms level\" value=\"2\"");
    refused(xml, &["11 spectra", "none of MS level 1"]);
    refused("<mzML><run><spectrumList/></run></mzML>", &["0 spectra"]);
}

#[test]
fn profile_spectra_say_what_to_do() {
    refused(example_xml().replace("MS:1000127", "MS:1000128"), &["spectrum 0", "profile", "peak picking"]);
}

#[test]
fn spectra_without_a_time_or_out_of_order_are_refused() {
    refused(example_xml().replacen("MS:1000016", "MS:1000000", 1), &["spectrum 0", "scan start time"]);
    refused(example_xml().replacen("value=\"0.0014658998\"", "value=\"99\"", 1), &["spectrum 1", "sort"]);
}

#[test]
fn one_endless_element_is_refused() {
    let endless =
        Cursor::new(b"<mzML><run><spectrumList><spectrum id=\"a\" index=\"0\"><x>".to_vec()).chain(std::io::repeat(b'A'));
    let said = Survey::new(endless, Parameters::default()).expect_err("a refusal").to_string();
    assert!(said.contains("without a tag") && said.contains("spectrum 0"), "{said}");
}

#[test]
fn endless_nesting_is_refused() {
    refused(format!("<mzML>{}", "<a>".repeat(10_000)), &["nested more than"]);
}

#[test]
fn gzip_and_plain_are_the_same() {
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(example_xml().as_bytes()).expect("memory");
    let packed = packed.finish().expect("memory");
    let report = |file: &[u8]| {
        let survey = Survey::new(file, Parameters::default()).expect("survey");
        survey.complete(file).expect("report")
    };
    assert_eq!(report(&packed), report(example_xml().as_bytes()));
}

#[test]
fn groups_of_parameters_are_followed() {
    let group = "<referenceableParamGroup id=\"common\"><cvParam accession=\"MS:1000579\" name=\"MS1 spectrum\"/>\
                 <cvParam accession=\"MS:1000511\" name=\"ms level\" value=\"1\"/></referenceableParamGroup>";
    let xml = example_xml()
        .replacen("<referenceableParamGroup ", &format!("{group}<referenceableParamGroup "), 1)
        .replace("<cvParam cvRef=\"MS\" accession=\"MS:1000579\" name=\"MS1 spectrum\" value=\"\"/>", "")
        .replace(
            "<cvParam cvRef=\"MS\" accession=\"MS:1000511\" name=\"ms level\" value=\"1\"/>",
            "<referenceableParamGroupRef ref=\"common\"/>",
        );
    let survey = Survey::new(xml.as_bytes(), Parameters::default()).expect("survey");
    assert_eq!(survey.complete(xml.as_bytes()).expect("report").summary.spectra_ms1, 11);
    refused(xml.replacen("ref=\"common\"", "ref=\"missing\"", 1), &["referenceableParamGroup \"missing\""]);
}

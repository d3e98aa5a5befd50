//! The routes, all below `/experiments/{id}`.

use std::io::Read;

use mint_sdk::json::json;
use mint_sdk::{Error, Request, Response, Result, Route, Router, log, objects, platform, results};
use serde::{Deserialize, Serialize};

use crate::analysis::{AnalysisError, Survey, ion_chromatogram};
use crate::mzml::MzmlError;
use crate::output::{chart, features_csv};
use crate::report::{Chromatograms, Feature, Parameters, Report, Summary};

pub(crate) static ROUTER: Router = Router::new(&[
    Route::post("/experiments/{id}/analyse", analyse),
    Route::get("/experiments/{id}/result", result),
    Route::get("/experiments/{id}/features.json", features_as_json),
    Route::get("/experiments/{id}/features.csv", features_as_csv),
    Route::get("/experiments/{id}/chromatogram.svg", chromatogram),
    Route::get("/experiments/{id}/xic", xic),
]);

/// What `analyse` is asked.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    object: String,
    min_height: Option<f64>,
    min_snr: Option<f64>,
    ppm: Option<f64>,
}

/// Which bytes a result is about.
#[derive(Serialize, Deserialize)]
struct Subject {
    key: String,
    size: u64,
    sha256: String,
}

/// The saved result: the report and its subject.
#[derive(Serialize, Deserialize)]
struct Saved {
    object: Subject,
    #[serde(flatten)]
    report: Report,
}

/// Analyses an object and saves the result; answers 201 with the figures.
fn analyse(request: Request) -> Result<Response> {
    let experiment = request.parse_parameter("id")?;
    let order: Order = request.json()?;
    let parameters = parameters(&order)?;
    let subject = subject(experiment, &order.object)?;
    let survey = Survey::new(open(experiment, &subject)?, parameters).map_err(refusal)?;
    let report = survey.complete(open(experiment, &subject)?).map_err(refusal)?;
    let summary = report.summary.clone();
    results::save(experiment, results::DEFAULT_KEY, &Saved { object: subject, report })?;
    log::info(&told(&order.object, &summary));
    let url = |name: &str| format!("{}/experiments/{experiment}/{name}", request.prefix());
    let answer = json!({
        "experiment_id": experiment,
        "object": order.object,
        "summary": summary,
        "links": {
            "result": url("result"),
            "features_json": url("features.json"),
            "features_csv": url("features.csv"),
            "chromatogram": url("chromatogram.svg"),
        },
    });
    Ok(Response::json(&answer)?.status(201))
}

/// The whole result as it was saved.
fn result(request: Request) -> Result<Response> {
    let artifact = platform::results::load(request.parse_parameter("id")?, results::DEFAULT_KEY, None, None)?;
    Ok(Response::bytes("application/json", artifact.result))
}

fn features_as_json(request: Request) -> Result<Response> {
    let fields = fields(&["features", "parameters"]);
    let id = request.parse_parameter("id")?;
    let artifact = platform::results::load(id, results::DEFAULT_KEY, None, Some(&fields))?;
    Ok(Response::bytes("application/json", artifact.result))
}

fn features_as_csv(request: Request) -> Result<Response> {
    #[derive(Deserialize)]
    struct Part {
        features: Vec<Feature>,
    }
    let part: Part = results::load(request.parse_parameter("id")?, results::DEFAULT_KEY, Some(&fields(&["features"])))?;
    Ok(Response::bytes("text/csv; charset=utf-8; header=present", features_csv(&part.features))
        .header("content-disposition", "attachment; filename=\"features.csv\""))
}

fn chromatogram(request: Request) -> Result<Response> {
    #[derive(Deserialize)]
    struct Part {
        features: Vec<Feature>,
        chromatograms: Chromatograms,
    }
    let fields = fields(&["features", "chromatograms"]);
    let part: Part = results::load(request.parse_parameter("id")?, results::DEFAULT_KEY, Some(&fields))?;
    Ok(Response::bytes("image/svg+xml", chart(&part.chromatograms, &part.features)))
}

/// The chromatogram of one m/z, measured now in the object that the result is about.
fn xic(request: Request) -> Result<Response> {
    #[derive(Deserialize)]
    struct Part {
        object: Subject,
    }
    let experiment = request.parse_parameter("id")?;
    let mz = positive("mz", request.parse_query("mz")?)?
        .ok_or_else(|| Error::invalid_field("mz", "is missing; ask for ?mz=395.23931&ppm=10"))?;
    let ppm = tolerance(request.parse_query("ppm")?)?;
    let part: Part = results::load(experiment, results::DEFAULT_KEY, Some(&fields(&["object"])))?;
    let chromatogram = ion_chromatogram(open(experiment, &part.object)?, mz, ppm).map_err(refusal)?;
    Response::json(&chromatogram)
}

fn fields(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn parameters(order: &Order) -> Result<Parameters> {
    let default = Parameters::default();
    Ok(Parameters {
        ppm: tolerance(order.ppm)?,
        min_height: positive("min_height", order.min_height)?,
        min_snr: positive("min_snr", order.min_snr)?.unwrap_or(default.min_snr),
    })
}

fn tolerance(ppm: Option<f64>) -> Result<f64> {
    match positive("ppm", ppm)? {
        Some(ppm) if ppm > 1000.0 => Err(Error::invalid_field("ppm", "is above 1000, which joins neighbouring ions")),
        Some(ppm) => Ok(ppm),
        None => Ok(Parameters::default().ppm),
    }
}

fn positive(field: &str, value: Option<f64>) -> Result<Option<f64>> {
    match value {
        Some(value) if !(value.is_finite() && value > 0.0) => Err(Error::invalid_field(field, "must be a number above 0")),
        other => Ok(other),
    }
}

fn subject(experiment: i64, key: &str) -> Result<Subject> {
    let info = objects::info(experiment, key)?;
    Ok(Subject { key: info.key, size: info.size, sha256: info.sha256 })
}

/// The bytes of an object, if they are still the ones that `subject` means.
fn open(experiment: i64, subject: &Subject) -> Result<impl Read> {
    let reader = objects::get(experiment, &subject.key)?;
    if objects::info(experiment, &subject.key)?.sha256 != subject.sha256 {
        let message = format!("the object {:?} was replaced; analyse it again", subject.key);
        return Err(Error::new(409, "resource.conflict", message));
    }
    Ok(reader)
}

fn told(object: &str, summary: &Summary) -> String {
    format!(
        "{object}: {} spectra, {} of MS level 1, {} features; base peak m/z {:.5} with height {:.0} at {:.3} s",
        summary.spectra,
        summary.spectra_ms1,
        summary.features,
        summary.base_peak.mz,
        summary.base_peak.height,
        summary.base_peak.rt_s
    )
}

/// A file that is wrong is the client's; one that cannot be fetched is the platform's.
fn refusal(error: AnalysisError) -> Error {
    if let AnalysisError::Mzml(MzmlError::Source(_)) = error {
        return Error::new(503, "service.unavailable", error.to_string());
    }
    let refusal = Error::invalid(error.to_string());
    match error.place() {
        Some(place) => refusal.with_details(json!(place)),
        None => refusal,
    }
}

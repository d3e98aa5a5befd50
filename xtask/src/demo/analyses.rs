//! The two analyses that the demonstration shows.

use std::{fs, path::Path};

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::{client::Client, figures::Table};
use crate::{paths, run::during_async};

pub(super) const PROJECT: &str = "Demo";

const RUN: &str = "BSA1.mzML.gz";
const TABLE: &str = "ryegrass.csv";

/// Features of a run of the bovine-serum-albumin digest; returns the path of their list as CSV.
pub(super) async fn lcms(client: &Client, dir: &Path, table: &mut Table) -> Result<String> {
    let id = experiment(client, "BSA digest", "lcms", RUN).await?;
    let base = format!("/api/lcms-features/experiments/{id}");
    let (path, order) = (format!("{base}/analyse"), json!({"object": RUN}));
    let found = during_async(&format!("Analysing {RUN} with lcms-features"), client.post(&path, &order)).await?;

    println!("\n{RUN}: LC-MS run of a protein digest, by lcms-features (Rust, a component in the server's process)");
    table.heading();
    table.row("spectra", &found, "/summary/spectra", "1684")?;
    table.row("  of MS level 1", &found, "/summary/spectra_ms1", "564")?;
    table.row("first retention time, s", &found, "/summary/rt_start_s", "1501.414")?;
    table.row("last retention time, s", &found, "/summary/rt_end_s", "2499.518")?;
    table.row("summed MS1 ion current, counts", &found, "/summary/total_ion_current", "4.292509e9")?;
    table.row("base peak, m/z", &found, "/summary/base_peak/mz", "395.23931")?;
    table.row("  height, counts", &found, "/summary/base_peak/height", "11,977,811")?;
    table.row("  retention time, s", &found, "/summary/base_peak/rt_s", "1941.743")?;
    table.row("  area within ±10 ppm, counts × s", &found, "/summary/base_peak/area", "1.455193e8")?;
    let features = found.pointer("/summary/features").and_then(Value::as_u64).context("the analysis counts no features")?;
    println!("  {:<34} {features:>14}", "chromatographic features");

    for (what, name) in [("JSON", "features.json"), ("CSV", "features.csv"), ("SVG", "chromatogram.svg")] {
        link(client, what, &format!("{base}/{name}"));
    }
    keep(client, &format!("{base}/chromatogram.svg"), &dir.join("chromatogram.svg")).await?;
    Ok(format!("{base}/features.csv"))
}

/// The four-parameter log-logistic model on the ryegrass table.
pub(super) async fn dose_response(client: &Client, dir: &Path, table: &mut Table) -> Result<()> {
    let id = experiment(client, "Ryegrass under ferulic acid", "dose-response", TABLE).await?;
    let base = format!("/api/dose-response/experiments/{id}");
    let (path, order) = (format!("{base}/fit"), json!({"object": TABLE}));
    let found = during_async(&format!("Fitting {TABLE} with dose-response"), client.post(&path, &order)).await?;

    println!("\n{TABLE}: dose-response curve, by dose-response (Python with numpy and scipy, a process of its own)");
    table.heading();
    for (name, meaning, estimate, error) in [
        ("b", "slope", "2.98222", "0.46506"),
        ("c", "lower limit, cm", "0.48141", "0.21219"),
        ("d", "upper limit, cm", "7.79296", "0.18857"),
        ("e", "EC50, mM", "3.05795", "0.18573"),
    ] {
        table.row(&format!("{name}, {meaning}"), &found, &format!("/parameters/{name}/estimate"), estimate)?;
        table.row("  standard error", &found, &format!("/parameters/{name}/standard_error"), error)?;
    }
    table.row("EC50, 95 % interval from, mM", &found, "/ec50/lower", "2.67053")?;
    table.row("  to, mM", &found, "/ec50/upper", "3.44538")?;

    for (what, name) in [("JSON", "result"), ("SVG", "plot.svg")] {
        link(client, what, &format!("{base}/{name}"));
    }
    keep(client, &format!("{base}/plot.svg"), &dir.join("dose-response.svg")).await
}

/// An experiment with one file of the repository's data.
async fn experiment(client: &Client, name: &str, kind: &str, file: &str) -> Result<i64> {
    let draft = json!({"name": name, "experiment_type": kind, "project": PROJECT});
    let made = client.post("/api/experiments", &draft).await?;
    let id = made.get("id").and_then(Value::as_i64).context("the new experiment has no id")?;
    client.upload(&format!("/api/experiments/{id}/objects/{file}"), &paths::root().join("tests/data").join(file)).await?;
    Ok(id)
}

fn link(client: &Client, what: &str, path: &str) {
    println!("  {what:<5} {}", client.url(path));
}

/// Keeps a chart as a file, which opens without a sign-in.
async fn keep(client: &Client, path: &str, file: &Path) -> Result<()> {
    fs::write(file, client.get_bytes(path).await?)?;
    println!("  {:<5} {}", "copy", file.display());
    Ok(())
}

//! The three things that the demonstration shows.

use std::{fs, path::Path};

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::{array, client::Client};
use crate::{paths, run::say};

/// The same greeting from Rust and from Python.
pub(super) async fn hello(client: &Client) -> Result<()> {
    println!("\nHello, from two languages in the server's own process");
    for plugin in ["hello", "hello-python"] {
        let path = format!("/api/{plugin}/");
        let answer = client.get(&path).await?;
        println!("  {:<14} {}", plugin, answer.get("message").and_then(Value::as_str).unwrap_or_default());
    }
    Ok(())
}

/// Features of a run of the bovine-serum-albumin digest.
pub(super) async fn lcms(client: &Client, dir: &Path) -> Result<()> {
    let id = client.experiment("BSA digest", "lcms", &data("BSA1.mzML.gz")).await?;
    let base = format!("/api/lcms-features/experiments/{id}");
    say("Analysing BSA1.mzML.gz by lcms-features (shared)");
    let answer = client.post(&format!("{base}/analyse"), &json!({"object": "BSA1.mzML.gz"})).await?;
    let summary = answer.get("summary").context("the analysis gave no summary")?;
    let peak = summary.get("base_peak").context("the summary has no base peak")?;
    println!("\nLC-MS features of BSA1.mzML.gz, by a component in the server's process");
    println!("  spectra            {} ({} of MS level 1)", number(summary, "spectra"), number(summary, "spectra_ms1"));
    println!("  retention times    {:.3} to {:.3} s", number(summary, "rt_start_s"), number(summary, "rt_end_s"));
    println!("  MS1 ion current    {:.6e}", number(summary, "total_ion_current"));
    println!(
        "  base peak          m/z {:.5}, height {:.0} at {:.3} s",
        number(peak, "mz"),
        number(peak, "height"),
        number(peak, "rt_s")
    );
    println!("  its ±10 ppm area   {:.6e}", number(peak, "area"));
    println!("  features           {}", number(summary, "features"));
    let found = client.get(&format!("{base}/features.json")).await?;
    println!("    {:>10} {:>9} {:>12} {:>12} {:>7}", "m/z", "time, s", "height", "area", "S/N");
    for feature in array(&found, "/features").take(5) {
        let value = |name: &str| number(feature, name);
        println!(
            "    {:>10.5} {:>9.2} {:>12.0} {:>12.4e} {:>7.0}",
            value("mz"),
            value("rt_s"),
            value("height"),
            value("area"),
            value("snr")
        );
    }
    link(client, &base, &["features.json", "features.csv", "chromatogram.svg"]);
    picture(client, &format!("{base}/chromatogram.svg"), &dir.join("bsa-chromatogram.svg")).await
}

/// The four-parameter log-logistic model on the ryegrass table.
pub(super) async fn dose_response(client: &Client, dir: &Path) -> Result<()> {
    let id = client.experiment("Ryegrass under ferulic acid", "dose-response", &data("ryegrass.csv")).await?;
    let base = format!("/api/dose-response/experiments/{id}");
    say("Fitting ryegrass.csv by dose-response (isolated)");
    let fit = client.post(&format!("{base}/fit"), &json!({"object": "ryegrass.csv"})).await?;
    println!("\nDose response of ryegrass.csv, by a supervised Python process (numpy, scipy)");
    for (name, meaning) in [("b", "slope"), ("c", "lower limit"), ("d", "upper limit"), ("e", "EC50")] {
        let parameter = fit.pointer(&format!("/parameters/{name}")).context("the fit lacks a parameter")?;
        println!("  {name}  {meaning:<12} {:.5} ± {:.5}", number(parameter, "estimate"), number(parameter, "standard_error"));
    }
    let ec50 = fit.get("ec50").context("the fit has no EC50")?;
    let percent = 100.0 * number(ec50, "confidence");
    println!("  EC50, {percent:.0} % confidence: {:.5} to {:.5}", number(ec50, "lower"), number(ec50, "upper"));
    link(client, &base, &["result", "plot.svg"]);
    picture(client, &format!("{base}/plot.svg"), &dir.join("ryegrass-curve.svg")).await
}

fn data(file: &str) -> std::path::PathBuf {
    paths::root().join("tests/data").join(file)
}

fn number(value: &Value, name: &str) -> f64 {
    value.get(name).and_then(Value::as_f64).unwrap_or(f64::NAN)
}

fn link(client: &Client, base: &str, names: &[&str]) {
    for name in names {
        println!("  {}", client.url(&format!("{base}/{name}")));
    }
}

/// Keeps a picture beside the data, for those links want a sign-in.
async fn picture(client: &Client, path: &str, file: &Path) -> Result<()> {
    fs::write(file, client.get_bytes(path).await?)?;
    println!("  {}", file.display());
    Ok(())
}

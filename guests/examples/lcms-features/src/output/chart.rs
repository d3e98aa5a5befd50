use std::fmt::Write;

use super::scale::{Scale, short};
use crate::report::{Chromatograms, Feature};

const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 440.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 940.0;
const TOP: f64 = 56.0;
const BOTTOM: f64 = 384.0;
/// Features with a mark, at most.
const MARKED_MAX: usize = 12;
/// Labels closer than this would lie on each other.
const LABEL_WIDTH: f64 = 58.0;
const LABEL_HEIGHT: f64 = 14.0;

const STYLE: &str = "text{font:12px system-ui,sans-serif;fill:#333}.title{font-weight:600;font-size:14px}\
.grid{stroke:#e4e4e4}.axis{stroke:#555}.tic{fill:#9db7d5;fill-opacity:.45;stroke:#4a78ad}\
.bpc{fill:none;stroke:#c2542d;stroke-width:1.2}.mark{fill:#222}\
.label{font-size:11px;text-anchor:middle;paint-order:stroke;stroke:#fff;stroke-width:3px;stroke-linejoin:round}";

/// Total-ion and base-peak chromatograms with the highest features as an SVG picture of 960 × 440.
pub fn chart(chromatograms: &Chromatograms, features: &[Feature]) -> String {
    let Chromatograms { rt_s, total_ion, base_peak } = chromatograms;
    let highest = total_ion.iter().copied().fold(0.0, f64::max);
    let times = (rt_s.first().copied().unwrap_or(0.0), rt_s.last().copied().unwrap_or(0.0));
    let x = Scale::new(times, (LEFT, RIGHT));
    let y = Scale::new((0.0, highest * 1.08), (BOTTOM, TOP));
    let mut svg = String::with_capacity(64 * 1024);
    let _ = write!(
        svg,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" width=\"{WIDTH}\" height=\"{HEIGHT}\" role=\"img\" \
         aria-label=\"Total-ion and base-peak chromatograms\"><style>{STYLE}</style>\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#fff\"/>"
    );
    axes(&mut svg, x, y);
    let base = y.place(0.0);
    let outline = points(rt_s, total_ion, x, y);
    let _ = write!(svg, "<polygon class=\"tic\" points=\"{LEFT},{base:.1} {outline}{RIGHT},{base:.1}\"/>");
    let _ = write!(svg, "<polyline class=\"bpc\" points=\"{}\"/>", points(rt_s, base_peak, x, y));
    marks(&mut svg, features, x, y);
    legend(&mut svg, features.len().min(MARKED_MAX));
    svg.push_str("</svg>\n");
    svg
}

fn axes(svg: &mut String, x: Scale, y: Scale) {
    for value in y.marks(8) {
        let at = y.place(value);
        let _ = write!(
            svg,
            "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{RIGHT}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            LEFT - 8.0,
            at + 4.0,
            short(value)
        );
    }
    for value in x.marks(8) {
        let at = x.place(value);
        let _ = write!(
            svg,
            "<line class=\"axis\" x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{BOTTOM}\" y2=\"{:.1}\"/>\
             <text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
            BOTTOM + 5.0,
            BOTTOM + 19.0,
            (value * 1000.0).round() / 1000.0
        );
    }
    let _ = write!(
        svg,
        "<path class=\"axis\" fill=\"none\" d=\"M{LEFT},{TOP}V{BOTTOM}H{RIGHT}\"/>\
         <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">retention time (s)</text>\
         <text transform=\"translate(16,{:.1}) rotate(-90)\" text-anchor=\"middle\">intensity (counts)</text>",
        (LEFT + RIGHT) / 2.0,
        BOTTOM + 40.0,
        (TOP + BOTTOM) / 2.0
    );
}

/// A line over time; of the spectra that fall on one pixel only the highest is drawn.
fn points(rt_s: &[f64], values: &[f64], x: Scale, y: Scale) -> String {
    let mut line = String::new();
    let mut column: Option<(f64, f64)> = None;
    let mut put = |(at, value): (f64, f64)| {
        let _ = write!(line, "{at:.1},{:.1} ", y.place(value));
    };
    for (time, value) in rt_s.iter().zip(values) {
        let at = x.place(*time);
        match &mut column {
            Some((place, highest)) if at.floor() == place.floor() => {
                if *value > *highest {
                    (*place, *highest) = (at, *value);
                }
            }
            _ => {
                if let Some(done) = column.replace((at, *value)) {
                    put(done);
                }
            }
        }
    }
    if let Some(done) = column {
        put(done);
    }
    line
}

/// Marks the highest features at their apex with their m/z, leaving out labels that would lie on another.
fn marks(svg: &mut String, features: &[Feature], x: Scale, y: Scale) {
    let mut labels: Vec<(f64, f64)> = Vec::new();
    let mut texts = String::new();
    for feature in features.iter().take(MARKED_MAX) {
        let (at, top) = (x.place(feature.rt_s), y.place(feature.height));
        let _ = write!(
            svg,
            "<circle class=\"mark\" cx=\"{at:.1}\" cy=\"{top:.1}\" r=\"3\"><title>m/z {:.4}, {:.1} s, height {}, \
             area {}, S/N {:.0}</title></circle>",
            feature.mz,
            feature.rt_s,
            short(feature.height),
            short(feature.area),
            feature.snr
        );
        let label = (at.clamp(LEFT + LABEL_WIDTH / 2.0, RIGHT - LABEL_WIDTH / 2.0), top - 8.0);
        let overlaps = |other: &(f64, f64)| (other.0 - label.0).abs() < LABEL_WIDTH && (other.1 - label.1).abs() < LABEL_HEIGHT;
        if !labels.iter().any(overlaps) {
            let _ = write!(texts, "<text class=\"label\" x=\"{:.1}\" y=\"{:.1}\">{:.4}</text>", label.0, label.1, feature.mz);
            labels.push(label);
        }
    }
    svg.push_str(&texts);
}

fn legend(svg: &mut String, marked: usize) {
    let _ = write!(
        svg,
        "<text class=\"title\" x=\"{LEFT}\" y=\"24\">Chromatograms of MS level 1</text>\
         <rect class=\"tic\" x=\"{LEFT}\" y=\"34\" width=\"22\" height=\"9\"/><text x=\"98\" y=\"43\">total ion</text>\
         <line class=\"bpc\" x1=\"170\" x2=\"192\" y1=\"39\" y2=\"39\"/><text x=\"198\" y=\"43\">base peak</text>\
         <circle class=\"mark\" cx=\"281\" cy=\"39\" r=\"3\"/>\
         <text x=\"291\" y=\"43\">the {marked} highest features, by m/z</text>"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(length: u32) -> Chromatograms {
        let rt_s: Vec<f64> = (0..length).map(f64::from).collect();
        Chromatograms { total_ion: rt_s.clone(), base_peak: rt_s.clone(), rt_s }
    }

    #[test]
    fn a_long_run_is_one_point_a_pixel() {
        let svg = chart(&run(50_000), &[]);
        assert!(svg.len() < 100_000, "{}", svg.len());
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
    }

    #[test]
    fn features_are_marked_and_labels_do_not_overlap() {
        let feature = |mz: f64| Feature {
            id: 1,
            mz,
            rt_s: 5.0,
            rt_start_s: 4.0,
            rt_end_s: 6.0,
            height: 5.0,
            area: 9.0,
            snr: 10.0,
            scans: 5,
        };
        let svg = chart(&run(10), &[feature(395.23931), feature(500.0)]);
        assert_eq!(svg.matches("<circle class=\"mark\" cx").count(), 3);
        assert!(svg.contains(">395.2393</text>") && !svg.contains(">500.0000</text>"));
    }

    #[test]
    fn nothing_is_still_a_picture() {
        assert!(!chart(&Chromatograms::default(), &[]).contains("NaN"));
    }
}

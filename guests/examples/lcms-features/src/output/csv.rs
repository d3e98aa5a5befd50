use std::fmt::Write;

use crate::report::Feature;

/// The features as CSV (RFC 4180) with a heading; times in seconds, intensities in counts.
pub fn features_csv(features: &[Feature]) -> String {
    let mut csv = String::from("id,mz,rt_s,rt_start_s,rt_end_s,height,area,snr,scans\r\n");
    for feature in features {
        let Feature { id, mz, rt_s, rt_start_s, rt_end_s, height, area, snr, scans } = feature;
        // Writing to a string cannot fail.
        let _ = write!(csv, "{id},{mz:.5},{rt_s:.3},{rt_start_s:.3},{rt_end_s:.3},{height:.1},{area:.1},{snr:.1},{scans}\r\n");
    }
    csv
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_feature_is_a_line() {
        let feature = Feature {
            id: 1,
            mz: 395.239_311_68,
            rt_s: 1_941.743_29,
            rt_start_s: 1930.0,
            rt_end_s: 1960.5,
            height: 11_977_811.0,
            area: 1.4e8,
            snr: 812.25,
            scans: 17,
        };
        let csv = features_csv(&[feature]);
        let mut lines = csv.split("\r\n");
        assert_eq!(lines.next(), Some("id,mz,rt_s,rt_start_s,rt_end_s,height,area,snr,scans"));
        assert_eq!(lines.next(), Some("1,395.23931,1941.743,1930.000,1960.500,11977811.0,140000000.0,812.2,17"));
    }
}

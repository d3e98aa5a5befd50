//! Features that may be reported, without holding more than can be.

use crate::report::Feature;

/// The longest list of features in a result.
const KEPT_MAX: usize = 5_000;
/// The lower ones are dropped whenever so many are held.
const HELD_MAX: usize = 4 * KEPT_MAX;

/// The highest features so far.
#[derive(Debug, Default)]
pub(super) struct Candidates {
    held: Vec<Feature>,
    dropped: bool,
}

impl Candidates {
    pub(super) fn push(&mut self, feature: Feature) {
        self.held.push(feature);
        if self.held.len() >= HELD_MAX {
            self.cut();
        }
    }

    fn cut(&mut self) {
        self.held.sort_by(|a, b| b.height.total_cmp(&a.height));
        self.dropped |= self.held.len() > KEPT_MAX;
        self.held.truncate(KEPT_MAX);
    }

    /// The features of at least this height, highest first and numbered, and whether there were more of them.
    pub(super) fn finish(mut self, min_height: f64) -> (Vec<Feature>, bool) {
        self.held.retain(|feature| feature.height >= min_height);
        self.cut();
        for (id, feature) in (1..).zip(&mut self.held) {
            feature.id = id;
        }
        let is_cut = self.dropped && self.held.len() == KEPT_MAX;
        (self.held, is_cut)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn feature(height: f64) -> Feature {
        Feature { id: 0, mz: 1.0, rt_s: 0.0, rt_start_s: 0.0, rt_end_s: 0.0, height, area: 0.0, snr: 9.0, scans: 5 }
    }

    #[test]
    fn the_highest_stay_in_order() {
        let mut candidates = Candidates::default();
        (0..30_000).for_each(|height| candidates.push(feature(f64::from(height))));
        let (features, is_cut) = candidates.finish(10.0);
        assert!(is_cut);
        assert_eq!(features.len(), KEPT_MAX);
        assert_eq!(features.first().map(|first| (first.id, first.height)), Some((1, 29_999.0)));
    }

    #[test]
    fn low_ones_do_not_count() {
        let mut candidates = Candidates::default();
        (0..30_000).for_each(|height| candidates.push(feature(f64::from(height))));
        let (features, is_cut) = candidates.finish(29_990.0);
        assert_eq!((features.len(), is_cut), (10, false));
    }
}

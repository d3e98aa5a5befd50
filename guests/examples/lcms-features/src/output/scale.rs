//! From values to places on an axis, with round marks.

/// A linear axis.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scale {
    /// First and last value.
    pub(super) values: (f64, f64),
    /// Where they are drawn.
    pub(super) places: (f64, f64),
}

impl Scale {
    pub(super) fn new(values: (f64, f64), places: (f64, f64)) -> Self {
        // A run of one spectrum still needs an axis.
        let last = if values.1 > values.0 { values.1 } else { values.0 + 1.0 };
        Self { values: (values.0, last), places }
    }

    pub(super) fn place(self, value: f64) -> f64 {
        let part = (value - self.values.0) / (self.values.1 - self.values.0);
        self.places.0 + part * (self.places.1 - self.places.0)
    }

    /// Round values on the axis, about `count` of them.
    pub(super) fn marks(self, count: u32) -> Vec<f64> {
        let step = round_step((self.values.1 - self.values.0) / f64::from(count.max(1)));
        let first = (self.values.0 / step).ceil();
        let last = (self.values.1 / step).floor();
        (0..=4 * count).map(|at| first + f64::from(at)).take_while(|at| *at <= last).map(|at| at * step).collect()
    }
}

/// The next of 1, 2, 5 times a power of ten.
fn round_step(step: f64) -> f64 {
    let power = 10f64.powf(step.log10().floor());
    let factor = [1.0, 2.0, 5.0].into_iter().find(|factor| factor * power >= step * (1.0 - 1e-9)).unwrap_or(10.0);
    factor * power
}

/// A number of counts in a few characters, such as `1.2e7`.
pub(super) fn short(value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    let power = value.abs().log10().floor();
    let digits = format!("{:.1}", value / 10f64.powf(power));
    format!("{}e{power}", digits.trim_end_matches(".0"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_round_and_inside() {
        let marks = Scale::new((1501.4, 2499.5), (0.0, 100.0)).marks(5);
        assert_eq!(marks, [1600.0, 1800.0, 2000.0, 2200.0, 2400.0]);
        assert_eq!(Scale::new((0.0, 0.0), (0.0, 1.0)).marks(2), [0.0, 0.5, 1.0]);
    }

    #[test]
    fn values_find_their_place() {
        assert!((Scale::new((0.0, 10.0), (100.0, 0.0)).place(2.5) - 75.0).abs() < 1e-9);
    }

    #[test]
    fn counts_are_short() {
        assert_eq!([short(0.0), short(2e7), short(11_977_811.0)], ["0", "2e7", "1.2e7"]);
    }
}

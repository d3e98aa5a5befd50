//! Figures beside what independent tools found.

use anyhow::{Context as _, Result};
use serde_json::Value;

/// Prints figures and counts those that are right.
#[derive(Debug, Default)]
pub(super) struct Table {
    rows: usize,
    agreeing: usize,
}

impl Table {
    /// The line above the figures of one analysis.
    pub(super) fn heading(&self) {
        println!("  {:<34} {:>14} {:>14}", "", "found", "expected");
    }

    /// Prints the number at `pointer` of `found` beside `expected`, with as many digits.
    pub(super) fn row(&mut self, name: &str, found: &Value, pointer: &str, expected: &str) -> Result<()> {
        let value = found.pointer(pointer).and_then(Value::as_f64);
        let value = value.with_context(|| format!("the plugin's answer has no number {pointer}"))?;
        let expected = Expected::parse(expected)?;
        let agrees = expected.agrees(value);
        self.rows += 1;
        self.agreeing += usize::from(agrees);
        let mark = if agrees { "agrees" } else { "DIFFERS" };
        println!("  {name:<34} {:>14} {:>14}  {mark}", expected.write(value), expected.text);
        Ok(())
    }

    pub(super) fn all_agree(&self) -> bool {
        self.agreeing == self.rows
    }

    pub(super) fn verdict(&self) -> String {
        format!(
            "{} of {} figures agree with those of independent tools, within one unit of the last digit",
            self.agreeing, self.rows
        )
    }
}

/// A published number, such as `1684`, `11,977,811`, `395.23931` or `4.292509e9`; its digits say how exact it is.
struct Expected<'a> {
    text: &'a str,
    value: f64,
    decimals: usize,
    exponent: i32,
}

impl<'a> Expected<'a> {
    fn parse(text: &'a str) -> Result<Self> {
        let (digits, exponent) = text.split_once('e').unwrap_or((text, "0"));
        let decimals = digits.split_once('.').map_or(0, |(_, decimals)| decimals.len());
        let value = text.replace(',', "").parse().with_context(|| format!("`{text}` is no number"))?;
        Ok(Self { text, value, decimals, exponent: exponent.parse()? })
    }

    /// One unit of the last published digit.
    fn unit(&self) -> f64 {
        10_f64.powi(self.exponent - i32::try_from(self.decimals).unwrap_or(i32::MAX))
    }

    /// Less than one unit in the last digit apart; for whole numbers: equal.
    fn agrees(&self, found: f64) -> bool {
        (found - self.value).abs() < self.unit()
    }

    fn write(&self, found: f64) -> String {
        let digits = format!("{:.*}", self.decimals, found / 10_f64.powi(self.exponent));
        if self.exponent != 0 {
            return format!("{digits}e{}", self.exponent);
        }
        if self.text.contains(',') { grouped(&digits) } else { digits }
    }
}

/// `11977811` as `11,977,811`.
fn grouped(digits: &str) -> String {
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_written_like_the_expected_ones() {
        for (expected, found, written) in [
            ("1684", 1684.0, "1684"),
            ("11,977,811", 11_977_811.0, "11,977,811"),
            ("395.23931", 395.239_311_68, "395.23931"),
            ("4.292509e9", 4_292_508_921.5, "4.292509e9"),
        ] {
            let expected = Expected::parse(expected).unwrap();
            assert!(expected.agrees(found), "{written}");
            assert_eq!(expected.write(found), written);
        }
    }

    #[test]
    fn a_unit_in_the_last_digit_is_too_much() {
        for (expected, found) in [("1684", 1685.0), ("3.05795", 3.057_97), ("1.455193e8", 145_519_500.0), ("1", f64::NAN)] {
            assert!(!Expected::parse(expected).unwrap().agrees(found), "{found}");
        }
    }
}

//! Bytes taken apart into values.

use serde_json::Value;

/// What is left of the bytes.
#[derive(Clone, Copy, Debug)]
pub struct Pieces<'a>(pub &'a [u8]);

impl<'a> Pieces<'a> {
    /// A byte; 0 when none is left.
    pub fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    /// A whole number, often one at an edge.
    pub fn number(&mut self) -> i64 {
        match self.byte() {
            0 => i64::MIN,
            1 => i64::MAX,
            2 => -1,
            3 => 0,
            4 => i64::from(u32::MAX),
            5 => i64::from_le_bytes(std::array::from_fn(|_| self.byte())),
            small => i64::from(small) - 6,
        }
    }

    /// A text up to the next 0x1F.
    pub fn text(&mut self) -> String {
        String::from_utf8_lossy(self.bytes()).into_owned()
    }

    /// A text, or none.
    pub fn maybe(&mut self) -> Option<String> {
        (self.byte() % 2 == 1).then(|| self.text())
    }

    /// A JSON value: as it stands there, or a text.
    pub fn json(&mut self) -> Value {
        let text = self.text();
        serde_json::from_str(&text).unwrap_or(Value::String(text))
    }

    /// Bytes up to the next 0x1F.
    pub fn bytes(&mut self) -> &'a [u8] {
        let end = self.0.iter().position(|byte| *byte == 0x1f).unwrap_or(self.0.len());
        let (piece, rest) = self.0.split_at(end);
        self.0 = rest.get(1..).unwrap_or_default();
        piece
    }
}

//! Rows as `COPY … FROM STDIN` reads them.

use std::io::Write as _;

use crate::tables::{Row, Value};

/// Appends a row.
pub(super) fn append(row: &Row, out: &mut Vec<u8>) {
    for (at, value) in row.iter().enumerate() {
        if at > 0 {
            out.push(b'\t');
        }
        // Writing into memory does not fail.
        let _written = match value {
            Value::Null => out.write_all(b"\\N"),
            Value::Boolean(flag) => write!(out, "{flag}"),
            Value::Integer(number) => write!(out, "{number}"),
            Value::Real(number) if number.is_nan() => out.write_all(b"NaN"),
            Value::Real(number) if number.is_infinite() => {
                out.write_all(if *number > 0.0 { b"Infinity".as_slice() } else { b"-Infinity" })
            }
            // Printed with as many digits as tell it from every other.
            Value::Real(number) => write!(out, "{number:e}"),
            Value::Text(text) => escaped(text, out),
            Value::Blob(bytes) => write!(out, "\\\\x{}", hex::encode(bytes)),
        };
    }
    out.push(b'\n');
}

fn escaped(text: &str, out: &mut Vec<u8>) -> std::io::Result<()> {
    for byte in text.bytes() {
        match byte {
            b'\\' => out.extend(b"\\\\"),
            b'\n' => out.extend(b"\\n"),
            b'\r' => out.extend(b"\\r"),
            b'\t' => out.extend(b"\\t"),
            other => out.push(other),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_has_a_form() {
        let mut out = Vec::new();
        let text = Value::Text("a\tb\\N\n\r".to_owned());
        append(&vec![Value::Null, Value::Boolean(true), Value::Integer(-7), Value::Real(0.1), text], &mut out);
        append(&vec![Value::Real(f64::NEG_INFINITY), Value::Blob(vec![0, 255])], &mut out);
        let expected = "\\N\ttrue\t-7\t1e-1\ta\\tb\\\\N\\n\\r\n-Infinity\t\\\\x00ff\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}

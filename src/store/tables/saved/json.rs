//! A row as a line of JSON. What JSON has no form for is an object with one field.

use serde_json::{Value as Json, json};

use crate::tables::{Error, Result, Row, Value};

/// Appends a row.
pub(in crate::tables) fn write_row(row: Row, out: &mut Vec<u8>) -> Result<()> {
    let fields: Vec<Json> = row.into_iter().map(field).collect();
    serde_json::to_writer(&mut *out, &fields).map_err(|error| Error::Outage(error.to_string()))?;
    out.push(b'\n');
    Ok(())
}

/// A row with so many fields.
pub(in crate::tables) fn read_row(line: &[u8], fields: usize) -> Result<Row> {
    let broken = || Error::Statement("A row cannot be read.".to_owned());
    let row: Vec<Json> = serde_json::from_slice(line).map_err(|_| broken())?;
    if row.len() != fields {
        return Err(broken());
    }
    row.into_iter().map(|field| value(field).ok_or_else(broken)).collect()
}

/// Rows within a larger document.
pub(super) mod rows {
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer, de::Error as _};

    use super::{Json, Row, field, value};

    pub(in crate::tables) fn serialize<S: Serializer>(rows: &[Row], serializer: S) -> Result<S::Ok, S::Error> {
        let rows: Vec<Vec<Json>> = rows.iter().map(|row| row.iter().cloned().map(field).collect()).collect();
        rows.serialize(serializer)
    }

    pub(in crate::tables) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Row>, D::Error> {
        let rows = Vec::<Vec<Json>>::deserialize(deserializer)?;
        let read = |row: Vec<Json>| row.into_iter().map(value).collect::<Option<Row>>();
        rows.into_iter().map(read).collect::<Option<_>>().ok_or_else(|| D::Error::custom("a row cannot be read"))
    }
}

fn field(value: Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Boolean(flag) => flag.into(),
        Value::Integer(number) => number.into(),
        Value::Real(number) if number.is_finite() => number.into(),
        Value::Real(number) => json!({ "real": number.to_string() }),
        Value::Text(text) => text.into(),
        Value::Blob(bytes) => json!({ "blob": hex::encode(bytes) }),
    }
}

fn value(field: Json) -> Option<Value> {
    Some(match field {
        Json::Null => Value::Null,
        Json::Bool(flag) => Value::Boolean(flag),
        Json::Number(number) => match number.as_i64() {
            Some(whole) => Value::Integer(whole),
            None => Value::Real(number.as_f64()?),
        },
        Json::String(text) => Value::Text(text),
        Json::Object(object) => {
            let (name, held) = object.into_iter().next()?;
            match (name.as_str(), held.as_str()?) {
                ("blob", text) => Value::Blob(hex::decode(text).ok()?),
                ("real", text) => Value::Real(text.parse().ok()?),
                _ => return None,
            }
        }
        Json::Array(_) => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_comes_back() {
        let row = vec![
            Value::Null,
            Value::Boolean(true),
            Value::Integer(i64::MIN),
            Value::Integer(9_007_199_254_740_993),
            Value::Real(1.0),
            Value::Real(-0.0),
            Value::Real(0.1 + 0.2),
            Value::Real(f64::MAX),
            Value::Real(f64::NEG_INFINITY),
            Value::Text("Zürich \"\\\n\u{2028} 🧪".to_owned()),
            Value::Blob(vec![0, 255]),
        ];
        let mut line = Vec::new();
        write_row(row.clone(), &mut line).unwrap();
        assert_eq!(line.iter().filter(|byte| **byte == b'\n').count(), 1);
        assert_eq!(read_row(&line, row.len()).unwrap(), row);
        assert!(read_row(&line, 1).is_err() && read_row(b"[[1]]", 1).is_err() && read_row(b"x", 1).is_err());
        let mut line = Vec::new();
        write_row(vec![Value::Real(f64::NAN)], &mut line).unwrap();
        assert!(matches!(*read_row(&line, 1).unwrap(), [Value::Real(number)] if number.is_nan()));
    }
}

//! Values on the wire.

use std::error::Error as StdError;

use postgres_protocol::types as wire;
use serde_json::Value as Json;
use time::{
    Duration, OffsetDateTime,
    format_description::{BorrowedFormatItem, well_known::Rfc3339},
    macros::{datetime, format_description},
};
use tokio_postgres::types::{Format, FromSql, IsNull, Kind, ToSql, Type, private::BytesMut, to_sql_checked};

use crate::tables::Value;

type Fault = Box<dyn StdError + Sync + Send>;

/// The type that a parameter has by itself. Texts and nothing take that of their place.
pub(super) fn type_of(value: &Value) -> Type {
    match value {
        Value::Null | Value::Text(_) => Type::UNKNOWN,
        Value::Boolean(_) => Type::BOOL,
        Value::Integer(_) => Type::INT8,
        Value::Real(_) => Type::FLOAT8,
        Value::Blob(_) => Type::BYTEA,
    }
}

impl ToSql for Value {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Fault> {
        match self {
            Self::Null => return Ok(IsNull::Yes),
            Self::Boolean(flag) => wire::bool_to_sql(*flag, out),
            Self::Integer(number) => wire::int8_to_sql(*number, out),
            Self::Real(number) => wire::float8_to_sql(*number, out),
            Self::Text(text) => wire::text_to_sql(text, out),
            Self::Blob(bytes) => wire::bytea_to_sql(bytes, out),
        }
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    /// Text is read by the server as a literal of whatever type its place asks for.
    fn encode_format(&self, _: &Type) -> Format {
        if matches!(self, Self::Text(_)) { Format::Text } else { Format::Binary }
    }

    to_sql_checked!();
}

impl<'a> FromSql<'a> for Value {
    fn from_sql(kind: &Type, raw: &'a [u8]) -> Result<Self, Fault> {
        Ok(match *kind {
            Type::BOOL => Self::Boolean(wire::bool_from_sql(raw)?),
            Type::INT2 => Self::Integer(wire::int2_from_sql(raw)?.into()),
            Type::INT4 => Self::Integer(wire::int4_from_sql(raw)?.into()),
            Type::INT8 => Self::Integer(wire::int8_from_sql(raw)?),
            Type::OID => Self::Integer(wire::oid_from_sql(raw)?.into()),
            Type::FLOAT4 => Self::Real(wire::float4_from_sql(raw)?.into()),
            Type::FLOAT8 => Self::Real(wire::float8_from_sql(raw)?),
            Type::NUMERIC => numeric(raw).ok_or("not a decimal")?,
            Type::BYTEA => Self::Blob(raw.to_owned()),
            Type::TEXT | Type::VARCHAR | Type::BPCHAR | Type::NAME | Type::UNKNOWN | Type::JSON => {
                Self::Text(wire::text_from_sql(raw)?.to_owned())
            }
            Type::CHAR => Self::Text(raw.iter().filter(|byte| **byte != 0).map(|byte| char::from(*byte)).collect()),
            Type::JSONB => Self::Text(wire::text_from_sql(raw.get(1..).unwrap_or_default())?.to_owned()),
            Type::UUID => Self::Text(uuid(raw)),
            Type::TIMESTAMPTZ => Self::Text(moment(wire::timestamp_from_sql(raw)?)?),
            Type::TIMESTAMP => Self::Text(at(wire::timestamp_from_sql(raw)?)?.format(MOMENT)?),
            Type::DATE => Self::Text(at(i64::from(wire::date_from_sql(raw)?).saturating_mul(DAY_MICROS))?.format(DAY)?),
            Type::TIME => Self::Text(at(wire::time_from_sql(raw)?)?.format(HOUR)?),
            _ if matches!(kind.kind(), Kind::Array(_)) => Self::Text(Json::from(array(kind, raw)?).to_string()),
            _ => return Err(format!("a column of type `{kind}` is not handed out: cast it to `text`").into()),
        })
    }

    fn from_sql_null(_: &Type) -> Result<Self, Fault> {
        Ok(Self::Null)
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

const DAY_MICROS: i64 = 24 * 60 * 60 * 1_000_000;
const DAY: &[BorrowedFormatItem<'static>] = format_description!("[year]-[month]-[day]");
const HOUR: &[BorrowedFormatItem<'static>] = format_description!("[hour]:[minute]:[second].[subsecond digits:6]");
const MOMENT: &[BorrowedFormatItem<'static>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:6]");
/// Sign of a negative decimal.
const NEGATIVE: i64 = 0x4000;

/// A decimal: digits to the base of 10,000, the first with this weight. Whole when no decimal places are shown.
fn numeric(raw: &[u8]) -> Option<Value> {
    let mut words = raw.chunks_exact(2).map(|pair| Some(i64::from(i16::from_be_bytes(pair.try_into().ok()?))));
    let mut word = || words.next().flatten();
    let (count, weight, sign, scale) = (word()?, word()?, word()?, word()?);
    if sign != 0 && sign != NEGATIVE {
        return Some(Value::Real(match sign & 0xffff {
            0xd000 => f64::INFINITY,
            0xf000 => f64::NEG_INFINITY,
            _ => f64::NAN,
        }));
    }
    let digits: Vec<i64> = (0..count).map(|_| word()).collect::<Option<_>>()?;
    let whole = || {
        let places = usize::try_from(weight + 1).ok().filter(|places| scale == 0 && *places <= 6)?;
        let at = |place: usize| digits.get(place).copied().unwrap_or(0);
        let sum = (0..places).try_fold(0_i64, |sum, place| sum.checked_mul(10_000)?.checked_add(at(place)))?;
        Some(if sign == NEGATIVE { -sum } else { sum })
    };
    if let Some(number) = whole() {
        return Some(Value::Integer(number));
    }
    let text: String = digits.iter().map(|digit| format!("{digit:04}")).collect();
    let exponent = (weight + 1 - count) * 4;
    let number: f64 =
        format!("{}{}e{exponent}", if sign == NEGATIVE { "-" } else { "" }, if text.is_empty() { "0" } else { &text })
            .parse()
            .ok()?;
    Some(Value::Real(number))
}

fn uuid(raw: &[u8]) -> String {
    let hex = hex::encode(raw);
    let parts = [(0, 8), (8, 12), (12, 16), (16, 20), (20, 32)].map(|(from, to)| hex.get(from..to).unwrap_or_default());
    parts.join("-")
}

/// In RFC 3339, of microseconds since 2000.
fn moment(micros: i64) -> Result<String, Fault> {
    Ok(at(micros)?.format(&Rfc3339)?)
}

fn at(micros: i64) -> Result<OffsetDateTime, Fault> {
    let at = datetime!(2000-01-01 0:00 UTC).checked_add(Duration::microseconds(micros));
    Ok(at.ok_or("a moment that no calendar has: cast it to `text`")?)
}

/// The elements of an array of one dimension.
fn array(kind: &Type, raw: &[u8]) -> Result<Vec<Json>, Fault> {
    let element = |value| match value {
        Value::Null => Json::Null,
        Value::Boolean(flag) => flag.into(),
        Value::Integer(number) => number.into(),
        Value::Real(number) => number.into(),
        Value::Text(text) => text.into(),
        Value::Blob(bytes) => hex::encode(bytes).into(),
    };
    Ok(Vec::<Value>::from_sql(kind, raw)?.into_iter().map(element).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal(words: &[u16]) -> Value {
        let raw: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).collect();
        numeric(&raw).unwrap()
    }

    #[test]
    fn decimals_are_whole_or_real() {
        assert_eq!(decimal(&[0, 0, 0, 0]), Value::Integer(0));
        assert_eq!(decimal(&[1, 1, 0, 0, 3]), Value::Integer(30_000));
        assert_eq!(decimal(&[2, 1, 0x4000, 0, 1, 2345]), Value::Integer(-12_345));
        assert_eq!(decimal(&[2, 0, 0, 2, 1, 5000]), Value::Real(1.5));
        assert_eq!(decimal(&[1, 0xffff, 0x4000, 1, 5000]), Value::Real(-0.5));
        assert_eq!(decimal(&[1, 0, 0, 16, 2]), Value::Real(2.0));
        assert_eq!(decimal(&[5, 4, 0, 0, 922, 3372, 368, 5477, 5807]), Value::Integer(i64::MAX));
        assert_eq!(decimal(&[1, 20, 0, 0, 1]), Value::Real(1e80));
        assert!(matches!(decimal(&[0, 0, 0xc000, 0]), Value::Real(number) if number.is_nan()));
        assert_eq!(numeric(&[0, 9, 0, 0]), None);
    }

    #[test]
    fn other_types_have_one_form() {
        assert_eq!(moment(1_500_000).unwrap(), "2000-01-01T00:00:01.5Z");
        assert!(moment(i64::MAX).is_err());
        let read = |kind: Type, hexadecimal: &str| Value::from_sql(&kind, &hex::decode(hexadecimal).unwrap()).unwrap();
        let text = |text: &str| Value::Text(text.to_owned());
        assert_eq!(read(Type::DATE, "00000001"), text("2000-01-02"));
        assert_eq!(read(Type::TIME, "000000000016e360"), text("00:00:01.500000"));
        assert_eq!(read(Type::TIMESTAMP, "000000000016e360"), text("2000-01-01T00:00:01.500000"));
        let pair = "0000000100000000000000150000000200000001000000020001000000020002";
        assert_eq!(read(Type::INT2_ARRAY, pair), text("[1,2]"));
        assert_eq!(read(Type::INT2_VECTOR, pair), text("[1,2]"));
        assert_eq!(uuid(&[0xab; 16]), "abababab-abab-abab-abab-abababababab");
    }
}

//! Numbers out of `<binary>`: base64, perhaps zlib, then little-endian floats or integers.

use std::io::Read;

use base64::DecodeError;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, Engine, GeneralPurpose, GeneralPurposeConfig};
use flate2::read::ZlibDecoder;

use super::param::{Number, Param};

/// The most numbers that one array may have: tens of times what a centroided spectrum holds.
pub(super) const VALUES_MAX: u64 = 500_000;

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What an array holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Mz,
    Intensity,
}

/// What a `binaryDataArray` says about itself.
#[derive(Debug, Default)]
pub(super) struct Header {
    pub(super) kind: Option<Kind>,
    number: Option<Number>,
    zlib: bool,
    unknown_compression: Option<String>,
    /// The length it declares; checked, never trusted.
    length: Option<u64>,
}

impl Header {
    pub(super) fn new(length: Option<u64>) -> Self {
        Self { length, ..Self::default() }
    }

    pub(super) fn apply(&mut self, param: &Param) {
        match param {
            Param::MzArray => self.kind = Some(Kind::Mz),
            Param::IntensityArray => self.kind = Some(Kind::Intensity),
            Param::Number(number) => self.number = Some(*number),
            Param::Zlib => self.zlib = true,
            Param::OtherCompression(name) => self.unknown_compression = Some(name.clone()),
            Param::Plain | Param::MsLevel(_) | Param::Centroid | Param::Profile | Param::ScanStart(_) => {}
        }
    }
}

/// The numbers of an array.
///
/// # Errors
///
/// A sentence that says what is wrong with it.
pub(super) fn decode(text: &mut Vec<u8>, header: &Header) -> Result<Vec<f64>, String> {
    if let Some(name) = &header.unknown_compression {
        return Err(format!("the array is compressed by {name:?}; convert the file with zlib or no compression"));
    }
    let number = header.number.ok_or("the array does not say whether its numbers have 32 or 64 bits")?;
    if let Some(declared) = header.length.filter(|&declared| declared > VALUES_MAX) {
        return Err(format!("the array declares {declared} values; a spectrum may have {VALUES_MAX}"));
    }
    text.retain(|byte| !byte.is_ascii_whitespace());
    let mut bytes = BASE64.decode(&text).map_err(|error| base64_fault(&error))?;
    if header.zlib && !bytes.is_empty() {
        bytes = inflate(&bytes, header.length.unwrap_or(VALUES_MAX) * number.width() as u64)?;
    }
    if bytes.len() % number.width() != 0 {
        return Err(format!("the array has {} bytes, no multiple of {}", bytes.len(), number.width()));
    }
    let found = (bytes.len() / number.width()) as u64;
    match header.length {
        Some(declared) if declared != found => Err(format!("the array declares {declared} values and has {found}")),
        None if found > VALUES_MAX => Err(format!("the array has {found} values; a spectrum may have {VALUES_MAX}")),
        _ => numbers(&bytes, number),
    }
}

/// Unpacks at most `bytes_max` bytes: an array that holds more than it declares is never unpacked as a whole.
fn inflate(packed: &[u8], bytes_max: u64) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    ZlibDecoder::new(packed)
        .take(bytes_max + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| format!("the zlib data of the array is damaged: {error}"))?;
    if bytes.len() as u64 > bytes_max {
        return Err(format!("the array unpacks to more than the {bytes_max} bytes that it declares"));
    }
    Ok(bytes)
}

fn numbers(bytes: &[u8], number: Number) -> Result<Vec<f64>, String> {
    let values: Vec<f64> = match number {
        Number::Float64 => words::<8>(bytes).map(f64::from_le_bytes).collect(),
        Number::Float32 => words::<4>(bytes).map(|word| f64::from(f32::from_le_bytes(word))).collect(),
        Number::Int32 => words::<4>(bytes).map(|word| f64::from(i32::from_le_bytes(word))).collect(),
        #[expect(clippy::cast_precision_loss, reason = "counts of ions are far below 2^53")]
        Number::Int64 => words::<8>(bytes).map(|word| i64::from_le_bytes(word) as f64).collect(),
    };
    match values.iter().position(|value| !value.is_finite()) {
        Some(index) => Err(format!("value {index} of the array is not a finite number")),
        None => Ok(values),
    }
}

fn words<const WIDTH: usize>(bytes: &[u8]) -> impl Iterator<Item = [u8; WIDTH]> + '_ {
    bytes.chunks_exact(WIDTH).map(|chunk| {
        let mut word = [0; WIDTH];
        word.copy_from_slice(chunk);
        word
    })
}

fn base64_fault(error: &DecodeError) -> String {
    match error {
        DecodeError::InvalidByte(offset, byte) => {
            format!("the base64 has {:?} at character {offset}", char::from(*byte))
        }
        DecodeError::InvalidLength(length) => format!("the base64 has {length} characters, which no data has"),
        other => format!("the base64 is broken: {other}"),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::ZlibEncoder;

    use super::*;

    fn header(params: &[Param], length: u64) -> Header {
        let mut header = Header::new(Some(length));
        params.iter().for_each(|param| header.apply(param));
        header
    }

    fn packed(values: &[f64]) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
        values.iter().for_each(|value| encoder.write_all(&value.to_le_bytes()).expect("memory"));
        BASE64.encode(encoder.finish().expect("memory")).into_bytes()
    }

    const DOUBLE: Param = Param::Number(Number::Float64);

    #[test]
    fn zlib_and_plain_numbers_are_read() {
        assert_eq!(decode(&mut packed(&[1.5, 2.5]), &header(&[DOUBLE, Param::Zlib], 2)), Ok(vec![1.5, 2.5]));
        let floats = [1.5f32, -2.0].iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<_>>();
        let mut text = format!(" {}\n", BASE64.encode(floats)).into_bytes();
        assert_eq!(decode(&mut text, &header(&[Param::Number(Number::Float32)], 2)), Ok(vec![1.5, -2.0]));
        assert_eq!(decode(&mut Vec::new(), &header(&[DOUBLE, Param::Zlib], 0)), Ok(vec![]));
    }

    #[test]
    fn lengths_are_checked_and_not_trusted() {
        let fault = |length| decode(&mut packed(&[1.5, 2.5]), &header(&[DOUBLE, Param::Zlib], length)).expect_err("fault");
        assert!(fault(3).contains("declares 3 values and has 2"));
        assert!(fault(1).contains("more than the 8 bytes"));
        assert!(fault(1_342_177_280).contains("declares 1342177280 values"));
    }

    #[test]
    fn a_bomb_is_not_unpacked() {
        let mut text = packed(&vec![0.0; 1_000_000]);
        assert!(decode(&mut text, &header(&[DOUBLE, Param::Zlib], 10)).expect_err("fault").contains("80 bytes"));
    }

    #[test]
    fn rubbish_is_named() {
        let fault = |text: &[u8], params: &[Param]| decode(&mut text.to_vec(), &header(params, 1)).expect_err("fault");
        assert!(fault(b"AA!A", &[DOUBLE]).contains("'!' at character 2"));
        assert!(fault(b"AAAA", &[DOUBLE]).contains("no multiple of 8"));
        assert!(fault(b"AAAAAAAAAAA=", &[DOUBLE, Param::Zlib]).contains("zlib"));
        assert!(fault(b"AAAA", &[]).contains("32 or 64 bits"));
        assert!(fault(b"AAAAAAAA+H8=", &[DOUBLE]).contains("not a finite number"));
        assert!(fault(b"", &[Param::OtherCompression("MS-Numpress".to_owned())]).contains("MS-Numpress"));
    }
}

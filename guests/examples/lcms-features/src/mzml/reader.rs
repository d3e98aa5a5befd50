use std::collections::BTreeMap;
use std::io::Read;

use quick_xml::errors::SyntaxError;
use quick_xml::events::{BytesStart, Event};

use super::element::Element;
use super::error::{Fault, MzmlError, Place};
use super::param::Param;
use super::source::{PieceTooLarge, Source, SourceFailure};
use super::spectrum::{Partial, Spectrum};

/// The most bytes between two tags: the base64 of the largest array that is read.
const PIECE_BYTES_MAX: u64 = 8 * 1024 * 1024;
/// mzML nests some ten levels deep.
const DEPTH_MAX: usize = 64;
/// Real files have a handful of parameter groups.
const GROUPED_PARAMS_MAX: usize = 10_000;

/// Of which spectra the arrays are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Levels {
    /// All of them, so that every fault of the file is found.
    All,
    /// MS level 1 only; the others come without arrays.
    First,
}

/// Reads the spectra of an mzML file one after the other.
pub struct Reader<R: Read> {
    xml: quick_xml::Reader<Source<R>>,
    buffer: Vec<u8>,
    levels: Levels,
    open: Vec<Element>,
    /// Bytes of XML before the piece being looked at.
    byte: u64,
    groups: BTreeMap<String, Vec<Param>>,
    group: Option<String>,
    grouped_params: usize,
    partial: Option<Partial>,
    spectra: u64,
    has_root: bool,
}

impl<R: Read> Reader<R> {
    /// Begins to read a file, plain or gzip.
    ///
    /// # Errors
    ///
    /// When the file cannot be fetched.
    pub fn new(file: R, levels: Levels) -> Result<Self, MzmlError> {
        let source = Source::new(file, PIECE_BYTES_MAX).map_err(|error| MzmlError::Source(error.to_string()))?;
        Ok(Self {
            xml: quick_xml::Reader::from_reader(source),
            buffer: Vec::new(),
            levels,
            open: Vec::new(),
            byte: 0,
            groups: BTreeMap::new(),
            group: None,
            grouped_params: 0,
            partial: None,
            spectra: 0,
            has_root: false,
        })
    }

    /// The next spectrum; none at the end of a complete file.
    ///
    /// # Errors
    ///
    /// What is wrong with the file, and where.
    pub fn next_spectrum(&mut self) -> Result<Option<Spectrum>, MzmlError> {
        let mut buffer = std::mem::take(&mut self.buffer);
        let result = self.read(&mut buffer);
        self.buffer = buffer;
        result
    }

    fn read(&mut self, buffer: &mut Vec<u8>) -> Result<Option<Spectrum>, MzmlError> {
        loop {
            buffer.clear();
            self.byte = self.xml.buffer_position();
            self.xml.get_mut().begin_piece();
            let event = match self.xml.read_event_into(buffer) {
                Ok(event) => event,
                Err(error) => return Err(self.xml_error(&error)),
            };
            let done = match event {
                Event::Start(start) => self.start(&start).map(|element| {
                    self.open.push(element);
                    None
                }),
                Event::Empty(start) => self.start(&start).and_then(|element| self.end(&element)),
                Event::End(_) => match self.open.pop() {
                    Some(element) => self.end(&element),
                    None => Ok(None),
                },
                Event::Text(text) => self.text(&text).map(|()| None),
                Event::CData(text) => self.text(&text).map(|()| None),
                Event::Eof => return self.end_of_file(),
                _ => Ok(None),
            };
            match done {
                Ok(None) => {}
                Ok(spectrum) => return Ok(spectrum),
                Err(fault) => return Err(self.invalid(fault)),
            }
        }
    }

    /// What an element begins. It is not yet among the open ones.
    fn start(&mut self, start: &BytesStart<'_>) -> Result<Element, Fault> {
        let element = Element::new(start.local_name().as_ref());
        if !self.has_root {
            if !matches!(element, Element::IndexedMzml | Element::Mzml) {
                return Err(Fault::NotMzml(format!("its root element is <{}>", element.name())));
            }
            self.has_root = true;
        }
        if self.open.len() >= DEPTH_MAX {
            return Err(Fault::TooLarge(format!("elements are nested more than {DEPTH_MAX} deep")));
        }
        match (&element, &mut self.partial) {
            (Element::Spectrum, None) => self.partial = Some(self.begin_spectrum(start)?),
            (Element::Spectrum, Some(_)) => return Err(Fault::Content("a spectrum within a spectrum".to_owned())),
            (Element::DataArray, Some(partial)) => {
                partial.begin_array(whole_number(start, "arrayLength")?, self.byte);
            }
            (Element::ParamGroup, _) => {
                let id = attribute(start, "id")?.unwrap_or_default();
                self.groups.insert(id.clone(), Vec::new());
                self.group = Some(id);
            }
            (Element::Other(name), _) if &**name == "cvParam" => self.param(start)?,
            (Element::Other(name), _) if &**name == "referenceableParamGroupRef" => self.group_reference(start)?,
            _ => {}
        }
        Ok(element)
    }

    fn begin_spectrum(&self, start: &BytesStart<'_>) -> Result<Partial, Fault> {
        let id = attribute(start, "id")?.unwrap_or_default();
        let spectrum = Spectrum { index: self.spectra, id, byte: self.byte, ..Spectrum::default() };
        Ok(Partial::new(spectrum, whole_number(start, "defaultArrayLength")?))
    }

    fn param(&mut self, start: &BytesStart<'_>) -> Result<(), Fault> {
        if self.partial.is_none() && self.group.is_none() {
            return Ok(());
        }
        let [mut accession, mut name, mut value, mut unit] = [const { String::new() }; 4];
        for attribute in start.attributes().with_checks(false) {
            let attribute = attribute.map_err(|error| Fault::Xml(error.to_string()))?;
            let target = match attribute.key.as_ref() {
                b"accession" => &mut accession,
                b"name" => &mut name,
                b"value" => &mut value,
                b"unitAccession" => &mut unit,
                _ => continue,
            };
            target.push_str(&String::from_utf8_lossy(&attribute.value));
        }
        let Some(param) = Param::new(&accession, &name, &value, &unit).map_err(Fault::Content)? else { return Ok(()) };
        if let Some(group) = self.group.as_ref().and_then(|id| self.groups.get_mut(id)) {
            self.grouped_params += 1;
            if self.grouped_params > GROUPED_PARAMS_MAX {
                return Err(Fault::TooLarge(format!("more than {GROUPED_PARAMS_MAX} terms in parameter groups")));
            }
            group.push(param);
        } else if let Some(partial) = &mut self.partial {
            apply(partial, self.open.last(), &param);
        }
        Ok(())
    }

    fn group_reference(&mut self, start: &BytesStart<'_>) -> Result<(), Fault> {
        let Some(partial) = &mut self.partial else { return Ok(()) };
        let id = attribute(start, "ref")?.unwrap_or_default();
        let group = self.groups.get(&id).ok_or_else(|| Fault::Content(format!("there is no referenceableParamGroup {id:?}")))?;
        group.iter().for_each(|param| apply(partial, self.open.last(), param));
        Ok(())
    }

    fn text(&mut self, text: &[u8]) -> Result<(), Fault> {
        if !self.has_root && !text.trim_ascii().is_empty() {
            return Err(Fault::NotMzml("it begins with text, not with an XML element".to_owned()));
        }
        let wanted = self.open.last() == Some(&Element::Binary);
        if let Some(partial) = self.partial.as_mut().filter(|partial| wanted && self.levels.want(&partial.spectrum)) {
            if partial.text.is_empty() {
                partial.text_byte = self.byte;
            }
            if (partial.text.len() + text.len()) as u64 > PIECE_BYTES_MAX {
                return Err(Fault::TooLarge(format!("an array of more than {PIECE_BYTES_MAX} bytes")));
            }
            partial.text.extend_from_slice(text);
        }
        Ok(())
    }

    /// What an element ends. It is no longer among the open ones.
    fn end(&mut self, element: &Element) -> Result<Option<Spectrum>, Fault> {
        match (element, &mut self.partial) {
            (Element::ParamGroup, _) => self.group = None,
            (Element::DataArray, Some(partial)) if self.levels.want(&partial.spectrum) => {
                if let Err(why) = partial.end_array() {
                    self.byte = partial.text_byte;
                    self.open.push(Element::Binary);
                    return Err(Fault::Content(why));
                }
            }
            (Element::Spectrum, Some(partial)) => {
                partial.check().map_err(Fault::Content)?;
                self.spectra += 1;
                return Ok(self.partial.take().map(|partial| partial.spectrum));
            }
            _ => {}
        }
        Ok(None)
    }

    fn end_of_file(&self) -> Result<Option<Spectrum>, MzmlError> {
        match self.open.last() {
            Some(element) => Err(self.invalid(Fault::Truncated(element.name().to_owned()))),
            None if !self.has_root => Err(self.invalid(Fault::NotMzml("it has no XML element".to_owned()))),
            None => Ok(None),
        }
    }

    fn invalid(&self, fault: Fault) -> MzmlError {
        let spectrum = self.partial.as_ref().map(|partial| &partial.spectrum);
        let place = Place {
            byte: self.byte,
            element: self.open.last().map(|element| element.name().to_owned()),
            spectrum_index: spectrum.map(|spectrum| spectrum.index),
            spectrum_id: spectrum.map(|spectrum| spectrum.id.clone()),
        };
        MzmlError::Invalid { place, fault }
    }

    fn xml_error(&mut self, error: &quick_xml::Error) -> MzmlError {
        self.byte = self.xml.buffer_position();
        let fault = match error {
            quick_xml::Error::Io(error) => {
                let inner = error.get_ref();
                if let Some(failure) = inner.and_then(|inner| inner.downcast_ref::<SourceFailure>()) {
                    return MzmlError::Source(failure.to_string());
                }
                match inner.and_then(|inner| inner.downcast_ref::<PieceTooLarge>()) {
                    Some(too_large) => Fault::TooLarge(too_large.to_string()),
                    None if self.xml.get_ref().is_gzip() => Fault::Gzip(error.to_string()),
                    None => return MzmlError::Source(error.to_string()),
                }
            }
            quick_xml::Error::Syntax(SyntaxError::InvalidBangMarkup) if self.has_root => Fault::Xml(error.to_string()),
            quick_xml::Error::Syntax(_) if self.has_root => {
                Fault::Truncated(self.open.last().map_or("?", Element::name).to_owned())
            }
            quick_xml::Error::Syntax(why) => Fault::NotMzml(why.to_string()),
            other => Fault::Xml(other.to_string()),
        };
        self.invalid(fault)
    }
}

impl Levels {
    fn want(self, spectrum: &Spectrum) -> bool {
        self == Self::All || spectrum.level == Some(1)
    }
}

/// A term belongs to the element around it.
fn apply(partial: &mut Partial, around: Option<&Element>, param: &Param) {
    match around {
        Some(Element::Spectrum) => partial.apply(param),
        Some(Element::Scan) => partial.apply_to_scan(param),
        Some(Element::DataArray) => {
            if let Some(header) = &mut partial.array {
                header.apply(param);
            }
        }
        _ => {}
    }
}

fn attribute(start: &BytesStart<'_>, name: &str) -> Result<Option<String>, Fault> {
    let attribute = start.try_get_attribute(name).map_err(|error| Fault::Xml(error.to_string()))?;
    Ok(attribute.map(|attribute| String::from_utf8_lossy(&attribute.value).into_owned()))
}

fn whole_number(start: &BytesStart<'_>, name: &str) -> Result<Option<u64>, Fault> {
    attribute(start, name)?
        .map(|text| {
            let fault = || Fault::Content(format!("the attribute {name}={text:?} is not a whole number"));
            text.trim().parse().map_err(|_| fault())
        })
        .transpose()
}

//! Short texts that plugins and people give.

use mint_domain::Refusal;
use serde_json::json;

/// A text of 1 to `max` characters, without the blanks around it.
///
/// # Errors
/// `VALIDATION_ERROR`, naming the field.
pub(crate) fn required(field: &str, text: &str, max: usize) -> Result<String, Refusal> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > max {
        return Err(Refusal::invalid(format!("`{field}` has 1 to {max} characters.")).with(json!({ "field": field })));
    }
    Ok(text.to_owned())
}

/// A text of up to `max` characters; blank is none.
///
/// # Errors
/// `VALIDATION_ERROR`, naming the field.
pub(crate) fn optional(field: &str, text: Option<&str>, max: usize) -> Result<Option<String>, Refusal> {
    match text.map(str::trim).filter(|text| !text.is_empty()) {
        Some(text) => required(field, text, max).map(Some),
        None => Ok(None),
    }
}

//! Request bodies: a JSON object whose numbers are kept as the digits that were sent.

use super::refusal::Refusal;
use crate::dialect::depth::is_shallow;
use sonic_rs::{JsonType, JsonValueTrait as _, LazyValue};
use std::borrow::Cow;

/// The fields of a JSON object. Of a key that occurs twice the last value counts; unknown keys are ignored.
#[derive(Debug)]
pub(super) struct Fields<'a> {
    fields: Vec<(Cow<'a, str>, LazyValue<'a>)>,
}

impl<'a> Fields<'a> {
    /// Reads a text that must be one JSON object and nothing else.
    pub(super) fn parse(json: &'a [u8]) -> Option<Self> {
        let text = std::str::from_utf8(json).ok().filter(|text| is_shallow(text))?;
        let value: LazyValue<'a> = sonic_rs::from_str(text).ok()?;
        Self::of(value)
    }

    /// No fields at all.
    pub(super) const fn empty() -> Self {
        Self { fields: Vec::new() }
    }

    /// Reads a text that must be one JSON list of objects and nothing else.
    pub(super) fn parse_list(json: &'a [u8]) -> Option<Vec<Self>> {
        let text = std::str::from_utf8(json).ok().filter(|text| is_shallow(text))?;
        let list: LazyValue<'a> = sonic_rs::from_str(text).ok()?;
        list.into_array_iter()?.map(|row| Self::of(row.ok()?)).collect()
    }

    /// The names of all fields.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.fields.iter().map(|(name, _)| name.as_ref())
    }

    /// The text of a value as it was sent, null included.
    pub(super) fn raw(&self, name: &str) -> Option<&str> {
        let (_, value) = self.fields.iter().rev().find(|(known, _)| known == name)?;
        Some(value.as_raw_str().trim())
    }

    /// The fields of a value that must be an object.
    pub(super) fn of(value: LazyValue<'a>) -> Option<Self> {
        let pairs = value.into_object_iter()?;
        Some(Self { fields: pairs.map(Result::ok).collect::<Option<_>>()? })
    }

    /// A value that is there and not null.
    pub(super) fn get(&self, name: &str) -> Option<&LazyValue<'a>> {
        let (_, value) = self.fields.iter().rev().find(|(known, _)| known == name)?;
        (value.get_type() != JsonType::Null).then_some(value)
    }

    /// A text, or a number as the digits that were sent. Other types are refused, an empty text counts as absent.
    pub(super) fn text(&self, name: &str) -> Result<Option<Cow<'_, str>>, Refusal> {
        let Some(value) = self.get(name) else { return Ok(None) };
        match value.get_type() {
            JsonType::String => {
                let text = value.as_str().ok_or_else(|| Refusal::bad_param(name, value.as_raw_str()))?;
                Ok((!text.is_empty()).then_some(Cow::Borrowed(text)))
            }
            JsonType::Number => Ok(Some(Cow::Borrowed(value.as_raw_str().trim()))),
            JsonType::Null | JsonType::Boolean | JsonType::Object | JsonType::Array => {
                Err(Refusal::bad_param(name, value.as_raw_str()))
            }
        }
    }

    /// As [`Self::text`], for what must be there.
    pub(super) fn required(&self, name: &str) -> Result<Cow<'_, str>, Refusal> {
        self.text(name)?.ok_or_else(|| Refusal::missing(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_their_digits() {
        let json = br#"{"a": "x\u0041", "n": 0.10, "e": 6.521e-05, "nul": null, "b": true, "empty": "", "a": "last"}"#;
        let fields = Fields::parse(json).expect("an object");
        let text = |name: &str| fields.text(name).map(|text| text.map(Cow::into_owned));
        assert_eq!(text("a"), Ok(Some("last".to_owned())));
        assert_eq!(text("n"), Ok(Some("0.10".to_owned())));
        assert_eq!(text("e"), Ok(Some("6.521e-05".to_owned())));
        assert_eq!((text("nul"), text("none"), text("empty")), (Ok(None), Ok(None), Ok(None)));
        assert_eq!(text("b").map_err(|refusal| refusal.label), Err("INVALID_PARAM_VALUE"));
        assert_eq!(fields.required("none").map_err(|refusal| refusal.label), Err("MISSING_REQUIRED_PARAM"));
    }

    #[test]
    fn garbage_is_refused_without_harm() {
        let deep = "[".repeat(64 * 1024);
        let deep_object = "{\"a\":".repeat(16 * 1024);
        for garbage in ["", "null", "[]", "{", "{}x", "{\"a\"}", "{a:1}", "\u{0}", &deep, &deep_object] {
            assert!(Fields::parse(garbage.as_bytes()).is_none(), "{garbage:.20}");
        }
        assert!(Fields::parse(b"\xff\xfe").is_none());
        assert!(Fields::parse(b"{}").is_some());
    }
}

//! Query strings: decoding, and the texts a client may have signed.

use super::refusal::Refusal;
pub(super) use crate::dialect::percent::decode;
use std::borrow::Cow;

/// The parameters of a query, decoded, in the order they came.
#[derive(Debug, Default)]
pub(super) struct Query<'a> {
    pairs: Vec<(Cow<'a, str>, Cow<'a, str>)>,
}

impl<'a> Query<'a> {
    /// Splits and decodes a raw query. A parameter without `=` has an empty value.
    pub(super) fn parse(raw: &'a str) -> Self {
        let pair = |part: &'a str| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            (decode(name), decode(value))
        };
        Self { pairs: raw.split('&').filter(|part| !part.is_empty()).map(pair).collect() }
    }

    /// The first value of a parameter; an empty value counts as absent.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.pairs
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_ref())
            .filter(|v| !v.is_empty())
    }

    /// A parameter that must be there.
    pub(super) fn required(&self, name: &str) -> Result<&str, Refusal> {
        self.get(name).ok_or_else(|| Refusal::missing(name))
    }

    /// A whole number between the bounds, or the default when absent.
    pub(super) fn number(&self, name: &str, default: u64, bounds: (u64, u64)) -> Result<u64, Refusal> {
        let Some(text) = self.get(name) else { return Ok(default) };
        let number = text.parse().ok().filter(|number| (bounds.0..=bounds.1).contains(number));
        number.ok_or_else(|| Refusal::bad_param(name, text))
    }

    /// A whole number, if the parameter is there.
    pub(super) fn optional_number(&self, name: &str) -> Result<Option<i64>, Refusal> {
        let parse = |text: &str| text.parse().map_err(|_| Refusal::bad_param(name, text));
        self.get(name).map(parse).transpose()
    }

    /// A truth value; clients in Python send `True`.
    pub(super) fn flag(&self, name: &str) -> Result<bool, Refusal> {
        match self.get(name) {
            None => Ok(false),
            Some(text) if text.eq_ignore_ascii_case("true") || text == "1" => Ok(true),
            Some(text) if text.eq_ignore_ascii_case("false") || text == "0" => Ok(false),
            Some(text) => Err(Refusal::bad_param(name, text)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_typed_at_the_edge() {
        let query = Query::parse("currency_pair=BTC_USDT&with_id=True&limit=5&bad=x&empty=&flag");
        assert_eq!(query.get("currency_pair"), Some("BTC_USDT"));
        assert_eq!((query.get("empty"), query.get("flag"), query.get("none")), (None, None, None));
        assert_eq!(query.flag("with_id"), Ok(true));
        assert!(query.flag("bad").is_err());
        assert_eq!(query.number("limit", 10, (1, 100)), Ok(5));
        assert_eq!(query.number("none", 10, (1, 100)), Ok(10));
        assert_eq!(
            query.number("limit", 10, (6, 100)).map_err(|refusal| refusal.label),
            Err("INVALID_PARAM_VALUE")
        );
        assert_eq!(query.required("none").map_err(|refusal| refusal.label), Err("MISSING_REQUIRED_PARAM"));
    }
}

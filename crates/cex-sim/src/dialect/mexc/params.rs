//! Parameters of a call: from the query and from form text in the body, whatever the content type says.

use super::refusal::Refusal;
use crate::dialect::percent;
use std::borrow::Cow;

/// Decoded parameters, those of the query first: of a name that is in both, the query's value counts.
#[derive(Debug, Default)]
pub(super) struct Params<'a> {
    pairs: Vec<(Cow<'a, str>, Cow<'a, str>)>,
}

impl<'a> Params<'a> {
    /// Splits and decodes a raw query and a raw body. A parameter without `=` has an empty value.
    pub(super) fn parse(query: &'a str, body: &'a str) -> Self {
        let pair = |part: &'a str| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            (percent::decode(name), percent::decode(value))
        };
        let parts = query.split('&').chain(body.split('&'));
        Self { pairs: parts.filter(|part| !part.is_empty()).map(pair).collect() }
    }

    /// Parameters that are decoded already.
    pub(super) fn of(pairs: Vec<(Cow<'a, str>, Cow<'a, str>)>) -> Self {
        Self { pairs }
    }

    /// The first value of a parameter; an empty value counts as absent.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let mut values =
            self.pairs.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_ref());
        values.find(|value| !value.is_empty())
    }

    /// A parameter that must be there.
    pub(super) fn required(&self, name: &str) -> Result<&str, Refusal> {
        self.get(name).ok_or_else(|| Refusal::mandatory(name))
    }

    /// A whole number, if the parameter is there.
    pub(super) fn number(&self, name: &str) -> Result<Option<i64>, Refusal> {
        let parse = |text: &str| text.parse().map_err(|_| Refusal::mandatory(name));
        self.get(name).map(parse).transpose()
    }

    /// How many rows: what is asked for within the bounds, which are not told to clients that exceed them.
    pub(super) fn limit(&self, default: usize, most: usize) -> Result<usize, Refusal> {
        let Some(asked) = self.number("limit")? else { return Ok(default) };
        Ok(usize::try_from(asked.max(1)).unwrap_or(most).min(most))
    }

    /// A list separated by commas; nothing when the parameter is absent.
    pub(super) fn list(&self, name: &str) -> impl Iterator<Item = &str> {
        self.get(name)
            .into_iter()
            .flat_map(|list| list.split(','))
            .map(str::trim)
            .filter(|item| !item.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_query_wins_over_the_body() {
        let params = Params::parse("symbol=A%2CB&side=&limit=7", "symbol=X&side=BUY&quantity=1+2&flag");
        assert_eq!(params.get("symbol"), Some("A,B"));
        assert_eq!(params.list("symbol").collect::<Vec<_>>(), ["A", "B"]);
        assert_eq!(params.get("side"), Some("BUY"), "an empty value counts as absent");
        assert_eq!(params.get("quantity"), Some("1 2"));
        assert_eq!((params.get("flag"), params.get("none")), (None, None));
        assert_eq!(params.required("none").map_err(|refusal| refusal.code), Err(700_004));
        assert_eq!((params.limit(5, 10), params.limit(5, 6)), (Ok(7), Ok(6)));
        assert_eq!(params.number("side").map_err(|refusal| refusal.code), Err(700_004));
    }

    #[test]
    fn limits_stay_within_their_bounds() {
        for (query, expected) in [("", 5), ("limit=0", 1), ("limit=-3", 1), ("limit=99999999999", 10)] {
            assert_eq!(Params::parse(query, "").limit(5, 10), Ok(expected), "{query}");
        }
    }
}

//! Which stream an imported event goes to.

use std::str::FromStr;

/// A text in which attributes in braces stand for their values: `{source}`, `shop-{subject}`.
///
/// Of several, as in `{subject|source}`, the first counts that the event has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StreamTemplate(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    /// The attributes to look for, in this order.
    FirstOf(Vec<String>),
}

/// What `--stream` may look like.
const FORM: &str = "a stream is a name, or made of attributes: {source}, shop-{subject|type}";

impl StreamTemplate {
    /// The name for an event; the attributes that it lacks when it has none of those asked for.
    pub(crate) fn fill(&self, value: impl Fn(&str) -> Option<String>) -> Result<String, String> {
        let mut name = String::new();
        for part in &self.0 {
            match part {
                Part::Text(text) => name += text,
                Part::FirstOf(attributes) => {
                    let value = attributes.iter().find_map(|attribute| value(attribute));
                    name += &value.ok_or_else(|| attributes.join(" and no "))?;
                }
            }
        }
        Ok(name)
    }
}

impl Default for StreamTemplate {
    /// The subject; the source for events without one, as `subject` is optional.
    fn default() -> Self {
        Self(vec![Part::FirstOf(vec!["subject".to_owned(), "source".to_owned()])])
    }
}

impl FromStr for StreamTemplate {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, behind)) = rest.split_once('{') {
            let (inside, after) = behind.split_once('}').ok_or(FORM)?;
            let attributes: Vec<String> = inside.split('|').map(str::to_owned).collect();
            if before.contains('}') || !attributes.iter().all(|name| is_attribute(name)) {
                return Err(FORM);
            }
            parts.extend([Part::Text(before.to_owned()), Part::FirstOf(attributes)]);
            rest = after;
        }
        if text.is_empty() || rest.contains('}') {
            return Err(FORM);
        }
        parts.push(Part::Text(rest.to_owned()));
        parts.retain(|part| *part != Part::Text(String::new()));
        Ok(Self(parts))
    }
}

/// Small letters and digits, which is all that CloudEvents allow; the data is no attribute.
fn is_attribute(name: &str) -> bool {
    let is_allowed = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit();
    !name.is_empty() && name != "data" && name.chars().all(is_allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(template: &str) -> Result<String, String> {
        let template: StreamTemplate = template.parse().unwrap();
        template.fill(|name| match name {
            "source" => Some("/s".to_owned()),
            "type" => Some("T".to_owned()),
            _ => None,
        })
    }

    #[test]
    fn attributes_stand_for_their_values_and_the_first_that_is_there_counts() {
        assert_eq!(fill("orders").unwrap(), "orders");
        assert_eq!(fill("{source}").unwrap(), "/s");
        assert_eq!(fill("a-{subject|source}-{type}z").unwrap(), "a-/s-Tz");
        assert_eq!(fill("a-{subject|partitionkey}").unwrap_err(), "subject and no partitionkey");
        assert_eq!("{subject|source}".parse(), Ok(StreamTemplate::default()));
    }

    #[test]
    fn what_is_no_template_is_refused() {
        for bad in ["", "{", "}", "{}", "a}", "{a", "{a|}", "{Subject}", "{data}", "{a{b}}"] {
            assert_eq!(bad.parse::<StreamTemplate>(), Err(FORM), "{bad}");
        }
    }
}

//! A record of an export: objects can be looked into and changed, all other values keep the text that they have.

use std::borrow::Cow;
use std::collections::HashSet;

use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::super::json_file::KeySeed;
use super::super::json_text::{append_compact, append_string, parse_message};

/// Objects within objects that are looked into; what lies deeper keeps its text.
const MAX_DEPTH: usize = 16;

/// A JSON value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Node<'a> {
    /// Members in the order of the file; no key stands twice.
    Object(Vec<(Cow<'a, str>, Node<'a>)>),
    /// Any other value, as JSON text.
    Raw(Cow<'a, str>),
}

impl<'a> Node<'a> {
    /// Parses a text; the error is a reason for the user.
    pub(super) fn parse(text: &'a str) -> Result<Self, String> {
        Self::parse_within(text.trim(), 0)
    }

    /// A string.
    pub(super) fn string(text: &str) -> Self {
        let mut json = Vec::new();
        append_string(text, &mut json);
        // A JSON string of UTF-8 text is UTF-8.
        Self::Raw(Cow::Owned(String::from_utf8(json).unwrap_or_default()))
    }

    fn parse_within(text: &'a str, depth: usize) -> Result<Self, String> {
        if !text.starts_with('{') || depth >= MAX_DEPTH {
            return Ok(Self::Raw(Cow::Borrowed(text)));
        }
        let mut deserializer = serde_json::Deserializer::from_str(text);
        let members = deserializer
            .deserialize_map(Members)
            .and_then(|members| deserializer.end().map(|()| members))
            .map_err(|error| format!("not valid JSON: {}", parse_message(&error)))?;
        let mut seen = HashSet::with_capacity(members.len());
        if let Some((key, _)) = members.iter().find(|(key, _)| !seen.insert(key.clone())) {
            return Err(format!("the key {key:?} stands twice in an object"));
        }
        let nodes = members
            .into_iter()
            .map(|(key, value)| Ok((key, Self::parse_within(value.get(), depth + 1)?)))
            .collect::<Result<_, String>>()?;
        Ok(Self::Object(nodes))
    }

    /// The value at `path`, whose keys are separated by points.
    pub(super) fn get(&self, path: &str) -> Option<&Node<'a>> {
        path.split('.').try_fold(self, |node, key| match node {
            Self::Object(members) => members.iter().find(|(name, _)| name == key).map(|(_, value)| value),
            Self::Raw(_) => None,
        })
    }

    /// The text at `path`: strings without quotes and escapes, numbers and booleans as written. `None` for null,
    /// empty strings, objects and arrays.
    pub(super) fn text(&self, path: &str) -> Option<Cow<'_, str>> {
        self.get(path)?.as_text()
    }

    pub(super) fn as_text(&self) -> Option<Cow<'_, str>> {
        let Self::Raw(raw) = self else { return None };
        match raw.as_bytes() {
            [] | [b'[' | b'{' | b'n', ..] | b"\"\"" => None,
            [b'"', ..] if !raw.contains('\\') => Some(Cow::Borrowed(&raw[1..raw.len() - 1])),
            [b'"', ..] => serde_json::from_str::<String>(raw).ok().map(Cow::Owned),
            _ => Some(Cow::Borrowed(raw)),
        }
    }

    /// Takes the value at `path` away.
    pub(super) fn take(&mut self, path: &str) -> Option<Node<'a>> {
        let Self::Object(members) = self else { return None };
        match path.split_once('.') {
            Some((key, rest)) => members.iter_mut().find(|(name, _)| name == key)?.1.take(rest),
            None => {
                let at = members.iter().position(|(name, _)| name == path)?;
                Some(members.remove(at).1)
            }
        }
    }

    /// Gives `key` a value, in place of one that it has.
    pub(super) fn set(&mut self, key: &'static str, value: Node<'a>) {
        let Self::Object(members) = self else { return };
        match members.iter_mut().find(|(name, _)| name == key) {
            Some((_, known)) => *known = value,
            None => members.push((Cow::Borrowed(key), value)),
        }
    }

    /// The elements of an array, owned; none of what is no array.
    ///
    /// # Errors
    /// A reason for the user, if an element has a key twice.
    pub(super) fn elements(&self) -> Result<Vec<Node<'static>>, String> {
        let Self::Raw(raw) = self else { return Ok(Vec::new()) };
        let raws: Vec<&RawValue> = serde_json::from_str(raw).unwrap_or_default();
        raws.into_iter().map(|raw| Node::parse(raw.get()).map(Node::into_owned)).collect()
    }

    /// Makes the object of which a string is the text, as exports have it that know no nested values.
    ///
    /// # Errors
    /// A reason for the user.
    pub(super) fn unfold(&mut self, key: &'static str) -> Result<(), String> {
        let Some(text) = self.text(key).filter(|text| text.trim_start().starts_with('{')) else {
            return Ok(());
        };
        let node = Node::parse(&text)?.into_owned();
        self.set(key, node);
        Ok(())
    }

    pub(super) fn into_owned(self) -> Node<'static> {
        match self {
            Self::Object(members) => Node::Object(
                members
                    .into_iter()
                    .map(|(key, node)| (Cow::Owned(key.into_owned()), node.into_owned()))
                    .collect(),
            ),
            Self::Raw(raw) => Node::Raw(Cow::Owned(raw.into_owned())),
        }
    }

    /// Whether nothing but nulls is in it.
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::Object(members) => members.iter().all(|(_, node)| node.is_empty()),
            Self::Raw(raw) => raw == "null",
        }
    }

    /// Appends the value as compact JSON, without nulls and objects of nothing else.
    pub(super) fn append(&self, out: &mut Vec<u8>) {
        match self {
            Self::Object(members) => {
                out.push(b'{');
                for (index, (key, node)) in members.iter().filter(|(_, node)| !node.is_empty()).enumerate() {
                    if index > 0 {
                        out.push(b',');
                    }
                    append_string(key, out);
                    out.push(b':');
                    node.append(out);
                }
                out.push(b'}');
            }
            Self::Raw(raw) => append_compact(raw, out),
        }
    }
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Vec<(Cow<'de, str>, &'de RawValue)>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some(key) = map.next_key_seed(KeySeed)? {
            members.push((key, map.next_value()?));
        }
        Ok(members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(node: &Node<'_>) -> String {
        let mut out = Vec::new();
        node.append(&mut out);
        String::from_utf8(out).expect("UTF-8")
    }

    #[test]
    fn paths_reach_into_objects_and_the_rest_stays() {
        let text = r#"{"a":{"$b":"x\n","n":1.50,"e":""},"l":[1, {"k":null}],"z":null}"#;
        let mut node = Node::parse(text).expect("JSON");
        assert_eq!(node.text("a.$b").as_deref(), Some("x\n"));
        assert_eq!(node.text("a.n").as_deref(), Some("1.50"));
        for nothing in ["a.e", "z", "l", "a", "a.q", "a.n.q"] {
            assert_eq!(node.text(nothing), None, "{nothing}");
        }
        assert_eq!(node.get("l").expect("an array").elements().expect("elements").len(), 2);
        assert!(node.take("a.$b").is_some() && node.take("a.$b").is_none());
        node.set("z", Node::string("\"q\""));
        assert_eq!(json(&node), r#"{"a":{"n":1.50,"e":""},"l":[1,{"k":null}],"z":"\"q\""}"#);
        node.take("a.n");
        node.take("a.e");
        node.take("z");
        assert_eq!(json(&node), r#"{"l":[1,{"k":null}]}"#);
    }

    #[test]
    fn strings_unfold_and_wrong_objects_are_told() {
        let mut node = Node::parse(r#"{"p":"{\"k\":1}","q":"x"}"#).expect("JSON");
        node.unfold("p").expect("an object");
        node.unfold("q").expect("left alone");
        assert_eq!(json(&node), r#"{"p":{"k":1},"q":"x"}"#);
        for (wrong, reason) in
            [(r#"{"k":1,"k":2}"#, "twice"), (r#"{"k":{"l":1,"l":1}}"#, "twice"), ("{", "not valid")]
        {
            assert!(Node::parse(wrong).expect_err("refused").contains(reason), "{wrong}");
        }
        let deep = format!("{}1{}", "{\"a\":".repeat(100), "}".repeat(100));
        assert_eq!(json(&Node::parse(&deep).expect("kept")), deep);
    }
}

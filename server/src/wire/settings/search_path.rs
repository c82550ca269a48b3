//! Lists of schemas: `"$user", public`.

/// The schemas of a list; `None` if it is malformed. Empty text is the empty list.
pub(super) fn parse(list: &str) -> Option<Vec<String>> {
    let mut schemas = Vec::new();
    let mut rest = list.trim();
    if rest.is_empty() {
        return Some(schemas);
    }
    loop {
        let (schema, tail) = if let Some(quoted) = rest.strip_prefix('"') {
            quoted_name(quoted)?
        } else {
            let end = rest.find(|c: char| c == ',' || c.is_whitespace()).unwrap_or(rest.len());
            let (name, tail) = rest.split_at(end);
            if name.is_empty() || name.contains('"') {
                return None;
            }
            (name.to_lowercase(), tail)
        };
        schemas.push(schema);
        match tail.trim_start() {
            "" => return Some(schemas),
            tail => rest = tail.strip_prefix(',')?.trim_start(),
        }
    }
}

/// The name up to the closing quote, and what follows.
fn quoted_name(text: &str) -> Option<(String, &str)> {
    let mut name = String::new();
    let mut rest = text;
    loop {
        let (part, tail) = rest.split_once('"')?;
        name.push_str(part);
        match tail.strip_prefix('"') {
            Some(tail) => {
                name.push('"');
                rest = tail;
            }
            None => return Some((name, tail)),
        }
    }
}

/// A list as it is kept and shown, with quotes where a name needs them.
pub(super) fn shown(schemas: &[String]) -> String {
    let names: Vec<String> = schemas.iter().map(|schema| quoted(schema)).collect();
    names.join(", ")
}

/// A name, in quotes if it would not be read back as the same without.
pub(crate) fn quoted(name: &str) -> String {
    let plain = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    if plain { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_and_written_as_postgres_does() {
        let list = "\"a b\", C,\"D\" , \"$user\", \"\"";
        let schemas = parse(list).unwrap();
        assert_eq!(schemas, ["a b", "c", "D", "$user", ""]);
        assert_eq!(shown(&schemas), "\"a b\", c, \"D\", \"$user\", \"\"");
        assert_eq!(parse(" "), Some(Vec::new()));
        assert_eq!(parse("\"a\"\"b\""), Some(vec!["a\"b".to_owned()]));
        for wrong in ["a,,b", "a,", "a b", "\"a", ","] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}

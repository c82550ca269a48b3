//! The text of arrays: `{a,"b,c",NULL}` and `{{1,2},{3,4}}`.

/// An item of an array.
enum Item {
    /// A value; `None` for NULL.
    Value(Option<String>),
    /// An array, as it is written.
    Array(String),
}

/// The items of an array of one dimension; `None` if it is malformed or has more.
pub(crate) fn array_items(text: &str) -> Option<Vec<Option<String>>> {
    let values = items(text)?.into_iter().map(|item| match item {
        Item::Value(value) => Some(value),
        Item::Array(_) => None,
    });
    values.collect()
}

/// The arrays that an array of more than one dimension consists of; `None` if it is malformed or has one dimension.
pub(crate) fn sub_arrays(text: &str) -> Option<Vec<String>> {
    if dimensions(text)? < 2 {
        return None;
    }
    let arrays = items(text)?.into_iter().map(|item| match item {
        Item::Value(_) => None,
        Item::Array(array) => Some(array),
    });
    arrays.collect()
}

/// How many dimensions the array has; `None` if it is malformed. Arrays in arrays are of one size.
pub(crate) fn dimensions(text: &str) -> Option<usize> {
    shape(text).map(|shape| shape.len())
}

/// The size of each dimension.
fn shape(text: &str) -> Option<Vec<usize>> {
    let items = items(text)?;
    let inner: Option<Vec<&str>> = items
        .iter()
        .map(|item| match item {
            Item::Value(_) => None,
            Item::Array(array) => Some(array.as_str()),
        })
        .collect();
    let mut sizes = vec![items.len()];
    match inner.as_deref() {
        Some([first, rest @ ..]) => {
            let shape_of_first = shape(first).filter(|sizes| sizes.first() != Some(&0))?;
            if rest.iter().any(|array| shape(array).as_ref() != Some(&shape_of_first)) {
                return None;
            }
            sizes.extend(shape_of_first);
        }
        _ if items.iter().any(|item| matches!(item, Item::Array(_))) => return None,
        _ => {}
    }
    Some(sizes)
}

fn items(text: &str) -> Option<Vec<Item>> {
    let inner = text.trim().strip_prefix('{')?.strip_suffix('}')?;
    let mut items = Vec::new();
    if inner.trim().is_empty() {
        return Some(items);
    }
    let mut chars = inner.chars().peekable();
    loop {
        while chars.next_if(|c| c.is_whitespace()).is_some() {}
        match chars.peek()? {
            '"' => {
                let quoted = quoted(&mut chars)?;
                items.push(Item::Value(Some(quoted)));
            }
            '{' => items.push(Item::Array(nested(&mut chars)?)),
            _ => items.push(Item::Value(word(&mut chars)?)),
        }
        while chars.next_if(|c| c.is_whitespace()).is_some() {}
        match chars.next() {
            None => return Some(items),
            Some(',') => {}
            Some(_) => return None,
        }
    }
}

type Chars<'a> = std::iter::Peekable<std::str::Chars<'a>>;

/// What stands in the quotes that begin here.
fn quoted(chars: &mut Chars<'_>) -> Option<String> {
    let mut value = String::new();
    chars.next();
    loop {
        match chars.next()? {
            '"' => return Some(value),
            '\\' => value.push(chars.next()?),
            other => value.push(other),
        }
    }
}

/// The value without quotes that begins here; `None` inside for NULL.
fn word(chars: &mut Chars<'_>) -> Option<Option<String>> {
    let mut value = String::new();
    while let Some(c) = chars.next_if(|c| *c != ',') {
        match c {
            '{' | '}' | '"' => return None,
            '\\' => value.push(chars.next()?),
            other => value.push(other),
        }
    }
    let value = value.trim_end();
    if value.is_empty() {
        return None;
    }
    Some((!value.eq_ignore_ascii_case("null")).then(|| value.to_owned()))
}

/// The array that begins here, with its braces.
fn nested(chars: &mut Chars<'_>) -> Option<String> {
    let mut array = String::new();
    let (mut depth, mut in_quotes) = (0_usize, false);
    loop {
        let c = chars.next()?;
        array.push(c);
        match c {
            '\\' => array.push(chars.next()?),
            '"' => in_quotes = !in_quotes,
            '{' if !in_quotes => depth += 1,
            '}' if !in_quotes => {
                depth -= 1;
                if depth == 0 {
                    return Some(array);
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // What PostgreSQL 15 reads and refuses.
    #[test]
    fn items_of_one_dimension() {
        assert_eq!(
            array_items(r#"{a, "b,\"c", "NULL", null}"#).unwrap(),
            [Some("a".to_owned()), Some("b,\"c".to_owned()), Some("NULL".to_owned()), None]
        );
        assert_eq!(array_items(" {} ").unwrap(), [] as [Option<String>; 0]);
        for wrong in ["a", "{a", "{{a}}", "{a,}", "{\"a}", "{a}b", "{\"a\"b}"] {
            assert_eq!(array_items(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn arrays_in_arrays_are_of_one_size() {
        for (text, expected) in [
            ("{}", Some(1)),
            ("{1,NULL}", Some(1)),
            ("{{1,2}, {3,4}}", Some(2)),
            (r#"{{"}",b},{"\"{",NULL}}"#, Some(2)),
            ("{{{1},{2}},{{3},{4}}}", Some(3)),
            ("{{1,2},{3}}", None),
            ("{{1,2},3}", None),
            ("{1,{2}}", None),
            ("{{}}", None),
            ("{{1},NULL}", None),
            ("{{1}", None),
        ] {
            assert_eq!(dimensions(text), expected, "{text}");
        }
        assert_eq!(sub_arrays("{{1, 2} ,{3,4}}").unwrap(), ["{1, 2}", "{3,4}"]);
        assert_eq!(sub_arrays("{1,2}"), None);
    }
}

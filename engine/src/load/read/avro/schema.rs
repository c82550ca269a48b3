//! The schema in an Avro header.

use std::collections::HashMap;

use serde_json::Value;

/// Types within types, at most.
const MAX_DEPTH: usize = 64;

/// What a value is and how it is encoded.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Shape {
    Null,
    Boolean,
    Int,
    Long,
    Float,
    Double,
    Bytes,
    String,
    Fixed(usize),
    Enum(Vec<String>),
    Array(Box<Shape>),
    Map(Box<Shape>),
    Union(Vec<Shape>),
    /// Index of a record of the [`Schema`]: a record may hold itself.
    Record(usize),
    Logical(Logical, Box<Shape>),
}

/// What a value means beyond its encoding.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Logical {
    Decimal {
        precision: u8,
        scale: i8,
    },
    Date,
    /// Units per second.
    TimeOfDay(i64),
    Timestamp {
        per_second: i64,
        local: bool,
    },
    Uuid,
}

type Fields = Vec<(String, Shape)>;

/// A schema whose values are records.
#[derive(Debug)]
pub(super) struct Schema {
    records: Vec<Fields>,
    root: usize,
}

impl Schema {
    /// Parses the JSON text of a schema; the error is a sentence for the user.
    pub(super) fn parse(text: &[u8]) -> Result<Self, String> {
        let value: Value =
            serde_json::from_slice(text).map_err(|_| "its schema is not valid JSON".to_owned())?;
        let mut parser = Parser { records: Vec::new(), named: HashMap::new() };
        match parser.shape(&value, "", 0)? {
            Shape::Record(root) => Ok(Self { records: parser.records, root }),
            _ => Err("its values are no records; expected one record for each touchpoint".to_owned()),
        }
    }

    /// The fields of the records of the file.
    pub(super) fn fields(&self) -> &Fields {
        self.record(self.root)
    }

    pub(super) fn root(&self) -> usize {
        self.root
    }

    pub(super) fn record(&self, index: usize) -> &Fields {
        &self.records[index]
    }
}

struct Parser {
    records: Vec<Fields>,
    named: HashMap<String, Shape>,
}

impl Parser {
    fn shape(&mut self, value: &Value, namespace: &str, depth: usize) -> Result<Shape, String> {
        if depth > MAX_DEPTH {
            return Err(format!("its schema nests types more than {MAX_DEPTH} deep"));
        }
        match value {
            Value::String(name) => self.by_name(name, namespace),
            Value::Array(branches) => {
                let shapes: Result<Vec<Shape>, String> =
                    branches.iter().map(|branch| self.shape(branch, namespace, depth + 1)).collect();
                Ok(Shape::Union(shapes?))
            }
            Value::Object(object) => {
                let text = |key: &str| object.get(key).and_then(Value::as_str);
                let Some(kind) = text("type") else {
                    // {"type": {...}} and {"type": [...]} stand for what is in them.
                    let inner = object.get("type").ok_or("its schema has a type without a name")?;
                    return self.shape(inner, namespace, depth + 1);
                };
                let shape = match kind {
                    "array" | "map" => {
                        let key = if kind == "array" { "items" } else { "values" };
                        let inner = object
                            .get(key)
                            .ok_or_else(|| format!("its schema has a {kind} without {key}"))?;
                        let inner = Box::new(self.shape(inner, namespace, depth + 1)?);
                        if kind == "array" { Shape::Array(inner) } else { Shape::Map(inner) }
                    }
                    "record" | "error" => return self.record(value, namespace, depth),
                    "enum" => {
                        let symbols = object.get("symbols").and_then(Value::as_array);
                        let symbols = symbols.ok_or("its schema has an enum without symbols")?;
                        let symbols = symbols.iter().filter_map(Value::as_str).map(str::to_owned).collect();
                        self.remember(text("name"), text("namespace"), namespace, Shape::Enum(symbols))
                    }
                    "fixed" => {
                        let size = object.get("size").and_then(Value::as_u64);
                        let size = size.and_then(|size| usize::try_from(size).ok());
                        let fixed = Shape::Fixed(size.ok_or("its schema has a fixed without a size")?);
                        let fixed = logical(object, fixed);
                        return Ok(self.remember(text("name"), text("namespace"), namespace, fixed));
                    }
                    primitive => self.by_name(primitive, namespace)?,
                };
                Ok(logical(object, shape))
            }
            _ => Err("its schema has a type that is neither name, union nor object".to_owned()),
        }
    }

    fn record(&mut self, value: &Value, namespace: &str, depth: usize) -> Result<Shape, String> {
        let text = |key: &str| value.get(key).and_then(Value::as_str);
        let full = full_name(text("name").unwrap_or_default(), text("namespace").unwrap_or(namespace));
        let inner = full.rsplit_once('.').map_or("", |(space, _)| space).to_owned();
        let index = self.records.len();
        self.records.push(Vec::new());
        self.named.insert(full, Shape::Record(index));
        let fields = value.get("fields").and_then(Value::as_array);
        let mut shapes = Vec::new();
        for field in fields.ok_or("its schema has a record without fields")? {
            let name =
                field.get("name").and_then(Value::as_str).ok_or("its schema has a field without a name")?;
            let shape =
                field.get("type").ok_or_else(|| format!("its schema gives field {name:?} no type"))?;
            let shape = self.shape(shape, &inner, depth + 1)?;
            // A logical type may stand beside the type of a field, too.
            let shape =
                field.as_object().map_or_else(|| shape.clone(), |field| logical(field, shape.clone()));
            shapes.push((name.to_owned(), shape));
        }
        self.records[index] = shapes;
        Ok(Shape::Record(index))
    }

    fn remember(&mut self, name: Option<&str>, own: Option<&str>, namespace: &str, shape: Shape) -> Shape {
        let full = full_name(name.unwrap_or_default(), own.unwrap_or(namespace));
        self.named.insert(full, shape.clone());
        shape
    }

    fn by_name(&self, name: &str, namespace: &str) -> Result<Shape, String> {
        Ok(match name {
            "null" => Shape::Null,
            "boolean" => Shape::Boolean,
            "int" => Shape::Int,
            "long" => Shape::Long,
            "float" => Shape::Float,
            "double" => Shape::Double,
            "bytes" => Shape::Bytes,
            "string" => Shape::String,
            other => {
                let known = self.named.get(&full_name(other, namespace)).or_else(|| self.named.get(other));
                known.cloned().ok_or_else(|| format!("its schema names an unknown type {other:?}"))?
            }
        })
    }
}

fn full_name(name: &str, namespace: &str) -> String {
    if namespace.is_empty() || name.contains('.') { name.to_owned() } else { format!("{namespace}.{name}") }
}

/// The shape with the logical type that `object` adds; one that does not fit its encoding is left out, as the
/// specification wants it.
fn logical(object: &serde_json::Map<String, Value>, shape: Shape) -> Shape {
    let number = |key: &str| object.get(key).and_then(Value::as_u64);
    let Some(name) = object.get("logicalType").and_then(Value::as_str) else { return shape };
    let timestamp = |per_second, local| Some(Logical::Timestamp { per_second, local });
    let found = match (name, &shape) {
        ("decimal", Shape::Bytes | Shape::Fixed(_)) => {
            let precision = number("precision").and_then(|p| u8::try_from(p).ok()).filter(|p| *p <= 38);
            let scale = i8::try_from(number("scale").unwrap_or(0)).ok().filter(|scale| *scale <= 38);
            precision.zip(scale).map(|(precision, scale)| Logical::Decimal { precision, scale })
        }
        ("date", Shape::Int) => Some(Logical::Date),
        ("time-millis", Shape::Int) => Some(Logical::TimeOfDay(1_000)),
        ("time-micros", Shape::Long) => Some(Logical::TimeOfDay(1_000_000)),
        ("timestamp-millis", Shape::Long) => timestamp(1_000, false),
        ("timestamp-micros", Shape::Long) => timestamp(1_000_000, false),
        ("timestamp-nanos", Shape::Long) => timestamp(1_000_000_000, false),
        ("local-timestamp-millis", Shape::Long) => timestamp(1_000, true),
        ("local-timestamp-micros", Shape::Long) => timestamp(1_000_000, true),
        ("local-timestamp-nanos", Shape::Long) => timestamp(1_000_000_000, true),
        ("uuid", Shape::Fixed(16)) => Some(Logical::Uuid),
        _ => None,
    };
    match found {
        Some(logical) => Shape::Logical(logical, Box::new(shape)),
        None => shape,
    }
}

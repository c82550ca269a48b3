//! The columns that `--extra columns` adds to the table, known before the first row is read.

use arrow::datatypes::{DataType, Field};

use super::options::{ExtraColumns, InputFormat, ReadOptions};
use super::recognise;
use super::source::SourceFile;
use super::targets::Targets;
use crate::load::error::LoadError;
use crate::schema;

/// Characters that other Delta readers refuse in column names.
const REFUSED_IN_NAMES: [char; 12] = [' ', ',', ';', '{', '}', '(', ')', '\n', '\t', '=', '\r', '"'];

/// The extra columns of all files together; empty unless [`ExtraColumns::Columns`].
///
/// First the new names of `--map` and `--set`, then the unmapped columns in the order in which files have them. CSV
/// and JSON columns are text. Parquet and Avro keep integers, floats, booleans, dates, decimals and text; timestamps are
/// stored in UTC microseconds, whole numbers in 64 bits, floats in double precision. A column whose type differs
/// between files is text if it is text in one of them. Names that
/// differ only by case are one column. Blocks; reads JSON files as a whole.
///
/// # Errors
/// [`LoadError::Input`] for nested and other types, for types of several files that do not fit together, and for
/// names that cannot be columns.
pub fn extra_fields(files: &[SourceFile], options: &ReadOptions) -> Result<Vec<Field>, LoadError> {
    if options.extra != ExtraColumns::Columns {
        return Ok(Vec::new());
    }
    let mut extra = ExtraFields { fields: Vec::new(), typed: Vec::new() };
    for (target, _) in options.mapping.iter().chain(&options.constants) {
        extra.add_option_target(target)?;
    }
    let targets = Targets::new(options, &extra.fields)?;
    for file in files {
        let (format, columns) = recognise::columns(file, options)?;
        let may_lack_columns = matches!(format, InputFormat::Ndjson | InputFormat::Avro);
        extra.add_file(file, may_lack_columns, &columns, &targets)?;
    }
    Ok(extra.fields)
}

struct ExtraFields {
    fields: Vec<Field>,
    /// Whether a file has told the column's type; until then it is text.
    typed: Vec<bool>,
}

impl ExtraFields {
    fn add_option_target(&mut self, name: &str) -> Result<(), LoadError> {
        let canonical = schema::load_schema();
        let is_canonical = canonical.fields().iter().any(|f| f.name().eq_ignore_ascii_case(name));
        let is_physical = schema::is_physical(&name.to_ascii_lowercase());
        if is_canonical || is_physical || self.find(name).is_some() {
            // Checked, and refused where wrong, when the options are matched.
            return Ok(());
        }
        if let Some(problem) = name_problem(name) {
            return Err(LoadError::Argument(format!("{problem}; choose another name in --map or --set")));
        }
        self.fields.push(Field::new(name, DataType::Utf8, true));
        self.typed.push(false);
        Ok(())
    }

    fn add_file(
        &mut self,
        file: &SourceFile,
        may_lack_columns: bool,
        columns: &[Field],
        targets: &Targets,
    ) -> Result<(), LoadError> {
        let names: Vec<String> = columns.iter().map(|c| c.name().clone()).collect();
        let canonical_width = schema::load_schema().fields().len();
        let mut leftovers = Vec::new();
        if may_lack_columns {
            // Keys may be missing from one file of many, so mapped ones are not insisted on.
            for (index, name) in names.iter().enumerate() {
                match targets.key_columns(&file.display, name)? {
                    Some(filled) => {
                        for target in filled.into_iter().filter(|target| *target >= canonical_width) {
                            self.add(file, targets.name(target), columns[index].data_type())?;
                        }
                    }
                    None => leftovers.push(index),
                }
            }
        } else {
            let matched = targets.match_present(&file.display, &names)?;
            for (target, column) in matched.by_target.iter().enumerate().skip(canonical_width) {
                if let Some(column) = column {
                    self.add(file, targets.name(target), columns[*column].data_type())?;
                }
            }
            leftovers = matched.leftovers;
        }
        for index in leftovers {
            let name = &names[index];
            let taken = schema::is_physical(&name.to_ascii_lowercase()) || targets.find(name).is_some();
            if taken {
                return Err(LoadError::input(&file.display, targets.column_problem(name)));
            }
            if let Some(problem) = name_problem(name) {
                return Err(LoadError::input(
                    &file.display,
                    format!(
                        "{problem}; rename it with --map NEW_NAME='\"{name}\"', or use --extra properties"
                    ),
                ));
            }
            let alike = names.iter().enumerate().find(|(i, n)| *i != index && n.eq_ignore_ascii_case(name));
            if let Some((_, other)) = alike {
                return Err(LoadError::input(
                    &file.display,
                    format!(
                        "columns {name:?} and {other:?} differ only by case; rename one with --map NEW_NAME={other}"
                    ),
                ));
            }
            self.add(file, name, columns[index].data_type())?;
        }
        Ok(())
    }

    fn add(&mut self, file: &SourceFile, name: &str, data_type: &DataType) -> Result<(), LoadError> {
        let Some(stored) = stored_type(data_type) else {
            return Err(LoadError::input(
                &file.display,
                format!(
                    "column {name:?} has type {data_type}, which cannot be a table column; use --extra properties, or leave it out of the file"
                ),
            ));
        };
        let Some(index) = self.find(name) else {
            self.fields.push(Field::new(name, stored, true));
            self.typed.push(true);
            return Ok(());
        };
        let known = self.fields[index].data_type();
        let common = if self.typed[index] { common_type(known, &stored) } else { Some(stored) };
        let Some(common) = common else {
            return Err(LoadError::input(
                &file.display,
                format!(
                    "column {name:?} has type {data_type} here and {known} in another file; load them apart, or use --extra properties"
                ),
            ));
        };
        self.fields[index] = Field::new(self.fields[index].name(), common, true);
        self.typed[index] = true;
        Ok(())
    }

    fn find(&self, name: &str) -> Option<usize> {
        self.fields.iter().position(|f| f.name().eq_ignore_ascii_case(name))
    }
}

fn name_problem(name: &str) -> Option<String> {
    if name.is_empty() {
        return Some("a column without a name cannot be a table column".to_owned());
    }
    let refused = name.chars().find(|c| REFUSED_IN_NAMES.contains(c))?;
    Some(format!("column {name:?} cannot be a table column, since its name holds {refused:?}"))
}

/// The type in the table of a column of a file; `None` for types that have none. Whole numbers and floats get the widest
/// type of theirs at once: what a later file has fits, and no column needs to be widened.
fn stored_type(data_type: &DataType) -> Option<DataType> {
    Some(match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => DataType::Utf8,
        DataType::Dictionary(_, value) => stored_type(value)?,
        DataType::Boolean => DataType::Boolean,
        whole if whole.is_integer() => DataType::Int64,
        float if float.is_floating() => DataType::Float64,
        DataType::Date32 | DataType::Date64 => DataType::Date32,
        DataType::Timestamp(_, _) => schema::timestamp_type(),
        DataType::Decimal32(precision, scale)
        | DataType::Decimal64(precision, scale)
        | DataType::Decimal128(precision, scale)
            if *scale >= 0 =>
        {
            DataType::Decimal128(*precision, *scale)
        }
        _ => return None,
    })
}

/// The type that holds the values of both; `None` if there is none.
fn common_type(a: &DataType, b: &DataType) -> Option<DataType> {
    if a == b {
        return Some(a.clone());
    }
    (*a == DataType::Utf8 || *b == DataType::Utf8).then_some(DataType::Utf8)
}

#[cfg(test)]
mod tests;

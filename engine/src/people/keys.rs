//! From a person's rows to groups: the person alone, or the person and further keys.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, UInt32Array};
use arrow::compute::{cast, take};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::{Result, internal_err};
use datafusion::logical_expr::EmitTo;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::aggregates::group_values::new_group_values;
use datafusion::physical_plan::aggregates::order::GroupOrdering;

use super::assemble::Assembled;
use super::few_values;
use crate::schema;

/// A key of a GROUP BY that has the person among its keys.
#[derive(Debug, Clone)]
pub enum Key {
    /// The person.
    Person,
    /// What follows from the person: an expression over a batch of the people's ids.
    OfPerson(Arc<dyn PhysicalExpr>),
    /// Anything else, an expression over the rows; a column that comes as codes stands as it is.
    Further(Arc<dyn PhysicalExpr>),
}

/// The keys of a GROUP BY.
#[derive(Debug, Clone)]
pub struct Keys {
    keys: Vec<Key>,
    /// The number of the person, then the further keys.
    grouped: SchemaRef,
    ids: SchemaRef,
}

/// Which group each row of a bucket is in, and the keys of the groups.
#[derive(Debug)]
pub struct Groups {
    /// The group of each row; `None` if each person is one.
    pub indices: Option<Vec<usize>>,
    /// How many groups there are.
    pub count: usize,
    /// For each key its value in each group.
    pub columns: Vec<ArrayRef>,
}

impl Keys {
    /// The keys whose values have the types of `fields`.
    pub fn new(keys: Vec<Key>, fields: &[Arc<Field>]) -> Self {
        let further = keys.iter().zip(fields).filter(|(key, _)| matches!(key, Key::Further(_)));
        let mut grouped = vec![Arc::new(Field::new("person", DataType::UInt32, false))];
        grouped.extend(further.map(|(_, field)| Arc::clone(field)));
        let id = Field::new(schema::USER_ID, schema::sql_type(&DataType::Utf8), false);
        Self { keys, grouped: Arc::new(Schema::new(grouped)), ids: Arc::new(Schema::new(vec![id])) }
    }

    /// The keys.
    pub fn keys(&self) -> &[Key] {
        &self.keys
    }

    /// Groups the rows of a bucket.
    pub fn group(&self, rows: &Assembled) -> Result<Groups> {
        let ids: ArrayRef = Arc::new(rows.persons.ids());
        if self.grouped.fields().len() == 1 {
            let columns = self.columns(&ids, &[])?;
            return Ok(Groups { indices: None, count: rows.persons.len(), columns });
        }
        let mut further = Vec::new();
        for key in &self.keys {
            if let Key::Further(expr) = key {
                further.push(expr.evaluate(&rows.batch)?.into_array(rows.batch.num_rows())?);
            }
        }
        let types: Vec<DataType> =
            self.grouped.fields().iter().skip(1).map(|field| field.data_type().clone()).collect();
        if let Some(groups) = few_values::group(&rows.offsets, &further)? {
            let further = groups.values(&types)?;
            let count = groups.persons.len();
            let ids = take(&ids, &UInt32Array::from(groups.persons), None)?;
            let columns = self.columns(&ids, &further)?;
            return Ok(Groups { indices: Some(groups.indices), count, columns });
        }
        let persons = person_of_rows(rows);
        // Numbers of people fit: rows are counted in 32 bits.
        let mut keys: Vec<ArrayRef> =
            vec![Arc::new(UInt32Array::from_iter_values(persons.iter().map(|person| *person as u32)))];
        for (column, wanted) in further.iter().zip(&types) {
            keys.push(cast(column, wanted)?);
        }
        let mut values = new_group_values(Arc::clone(&self.grouped), &GroupOrdering::None)?;
        let mut indices = persons;
        values.intern(&keys, &mut indices)?;
        let count = values.len();
        let emitted = values.emit(EmitTo::All)?;
        let [persons, further @ ..] = emitted.as_slice() else {
            return internal_err!("groups without a person");
        };
        let ids = take(&ids, persons, None)?;
        Ok(Groups { indices: Some(indices), count, columns: self.columns(&ids, further)? })
    }

    /// For each key its values; `ids` has the person of each group.
    fn columns(&self, ids: &ArrayRef, further: &[ArrayRef]) -> Result<Vec<ArrayRef>> {
        let people = RecordBatch::try_new(Arc::clone(&self.ids), vec![Arc::clone(ids)])?;
        let mut further = further.iter();
        let mut columns = Vec::with_capacity(self.keys.len());
        for key in &self.keys {
            columns.push(match key {
                Key::Person => Arc::clone(ids),
                Key::OfPerson(expr) => expr.evaluate(&people)?.into_array(ids.len())?,
                Key::Further(_) => match further.next() {
                    Some(column) => Arc::clone(column),
                    None => return internal_err!("a key has no values"),
                },
            });
        }
        Ok(columns)
    }
}

/// The number of the person of each row.
pub(super) fn person_of_rows(rows: &Assembled) -> Vec<usize> {
    let mut persons = Vec::with_capacity(rows.batch.num_rows());
    for (person, range) in rows.offsets.windows(2).enumerate() {
        persons.resize(range[1] as usize, person);
    }
    persons
}

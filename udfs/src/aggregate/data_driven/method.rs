//! The second step: the cells of all people, and a report over them.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, StringArray, StructArray};
use arrow::datatypes::{DataType, Field, Fields};
use datafusion::common::{Result, exec_err, internal_err};
use datafusion::logical_expr::function::AccumulatorArgs;

use super::cells::AllCells;
use super::report::{KeyRow, KeyRows, key_fields};
use crate::aggregate::buffered::{Buffered, Call, Kept, SortedRows, list};
use crate::journey::counterfactual::counterfactual;
use crate::journey::markov::{Chain, MAX_ORDER, Target, attribute, best_order, intervals};
use crate::journey::shapley::{EXACT_KEYS, Games, Worth, exact, in_order, sampled};

/// Keys of a state, joined.
const JOINED: &str = " > ";
const NO_NULLS: &str =
    "there are no journeys without a conversion: effects tell only how journeys pass a key";
const LINEAR: &str = "equal shares: with worth => 'volume' this is linear attribution over distinct keys";

/// What is reported.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// `order` 0: the best one. `smoothing` in bits.
    Markov {
        order: usize,
        smoothing: u64,
        draws: usize,
        seed: u64,
    },
    Transitions {
        order: usize,
    },
    Shapley {
        worth: Worth,
        ordered: bool,
        pairs: usize,
        seed: u64,
    },
    Counterfactual,
}

/// The aggregate; its arguments are the fields of cells in their order.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct MethodCall {
    pub(crate) function: &'static str,
    pub(crate) kind: Kind,
}

impl MethodCall {
    /// Names and types of the columns.
    pub(crate) fn fields(&self, value: &DataType) -> Fields {
        let mut fields = key_fields(value);
        let number = |name: &str| Field::new(name, DataType::Float64, true);
        match self.kind {
            Kind::Markov { .. } => {
                fields.extend(
                    ["removal_effect", "removal_effect_value", "conversions_low", "conversions_high"]
                        .map(number),
                );
                fields.push(Field::new("markov_order", DataType::Int64, true));
                fields.push(Field::new("warning", DataType::Utf8, true));
            }
            Kind::Transitions { .. } => {
                fields = vec![
                    Field::new("source", DataType::Utf8, true),
                    Field::new("target", DataType::Utf8, true),
                    Field::new("count", DataType::Int64, true),
                    number("probability"),
                ];
            }
            Kind::Shapley { .. } => {
                fields.extend(["shapley_value", "error_bound"].map(number));
                fields.push(Field::new("method", DataType::Utf8, true));
            }
            Kind::Counterfactual => {}
        }
        Fields::from(fields)
    }

    fn chain(&self, cells: &AllCells, order: usize) -> Result<Chain> {
        let journeys_given = matches!(self.kind, Kind::Markov { order: 0, .. });
        let mut chain = Chain::new(order);
        let mut fits = true;
        for (path, (passes, exits)) in &cells.cells {
            if journeys_given {
                fits &= chain.add_journeys(path, *exits);
                continue;
            }
            if let Some((key, state)) = path.split_last()
                && *passes > 0
            {
                fits &= chain.add_passes(state, *key, *passes);
            }
            if exits.conversions > 0 || exits.nulls > 0 {
                fits &= chain.add_exits(path, *exits);
            }
        }
        if fits { Ok(chain) } else { self.too_many() }
    }

    fn too_many<T>(&self) -> Result<T> {
        exec_err!("{}: there are more journeys, or there is more value, than can be counted", self.function)
    }

    fn markov(&self, cells: &AllCells, rows: &mut KeyRows) -> Result<()> {
        let Kind::Markov { order, smoothing, draws, seed } = self.kind else {
            return internal_err!("{}: this is no chain", self.function);
        };
        let smoothing = f64::from_bits(smoothing);
        let order = match order {
            0 => match best_order(&cells.journeys(), MAX_ORDER) {
                Some(order) => order,
                None => return self.too_many(),
            },
            order => order,
        };
        let chain = self.chain(cells, order)?;
        let exits = chain.exits();
        let found = attribute(&chain, smoothing);
        let drawn = if draws > 0 { intervals(&chain, smoothing, draws, seed) } else { vec![] };
        let warning = (exits.nulls == 0 && !found.keys.is_empty()).then(|| NO_NULLS.to_owned());
        let of_key = |(index, key): (usize, &crate::journey::markov::KeyEffect)| {
            let interval = drawn.get(index);
            KeyRow {
                key: key.key,
                conversions: Some(key.conversions),
                value_weight: key.removal_effect_value.unwrap_or(0.0),
                numbers: vec![
                    Some(key.removal_effect),
                    key.removal_effect_value.filter(|_| cells.has_value),
                    interval.map(|interval| interval.low),
                    interval.map(|interval| interval.high),
                ],
                integers: vec![i64::try_from(order).ok()],
                texts: vec![warning.clone()],
            }
        };
        let of_keys: Vec<KeyRow> = found.keys.iter().enumerate().map(of_key).collect();
        rows.push(cells, &of_keys, exits.value, exits.conversions);
        Ok(())
    }

    fn shapley(&self, cells: &AllCells, rows: &mut KeyRows) -> Result<()> {
        let Kind::Shapley { worth, ordered, pairs, seed } = self.kind else {
            return internal_err!("{}: this is no game", self.function);
        };
        let Some(games) = Games::new(cells.journeys()) else {
            return self.too_many();
        };
        let mut bounds = vec![None; games.keys().len()];
        let (values, method) = if ordered {
            (in_order(&games, worth, cells.journeys()), "in the orders of journeys".to_owned())
        } else if let Some(values) = exact(&games, worth) {
            (values, if worth == Worth::Volume { LINEAR.to_owned() } else { "exact".to_owned() })
        } else {
            let drawn = sampled(&games, worth, pairs, seed);
            bounds = drawn.iter().map(|key| Some(key.error_bound)).collect();
            let method = format!("sampled: more than {EXACT_KEYS} keys, {pairs} pairs of orders");
            (drawn.into_iter().map(|key| key.values).collect(), method)
        };
        let exits = games.exits();
        let sum: f64 = values.iter().map(|value| value[0]).sum();
        let of_key = |(index, key): (usize, &u32)| KeyRow {
            key: *key,
            conversions: (sum > 0.0).then(|| exits.conversions as f64 * values[index][0] / sum),
            value_weight: values[index][1],
            numbers: vec![Some(values[index][0]), bounds[index]],
            integers: vec![],
            texts: vec![Some(method.clone())],
        };
        let of_keys: Vec<KeyRow> = games.keys().iter().enumerate().map(of_key).collect();
        rows.push(cells, &of_keys, exits.value, exits.conversions);
        Ok(())
    }

    fn counterfactual(&self, cells: &AllCells, rows: &mut KeyRows) -> Result<()> {
        let Some(credit) = counterfactual(cells.journeys()) else {
            return self.too_many();
        };
        let of_key = |(key, sums): (&u32, &[f64; 2])| KeyRow {
            key: *key,
            conversions: Some(sums[0]),
            value_weight: sums[1],
            ..KeyRow::default()
        };
        let of_keys: Vec<KeyRow> = credit.iter().map(of_key).collect();
        let (mut conversions, mut value) = (0_u64, 0_i128);
        for (_, exits) in cells.journeys() {
            let sums = (conversions.checked_add(exits.conversions), value.checked_add(exits.value));
            let (Some(all), Some(worth)) = sums else {
                return self.too_many();
            };
            (conversions, value) = (all, worth);
        }
        rows.push(cells, &of_keys, value, conversions);
        Ok(())
    }
}

impl Buffered for MethodCall {
    fn name(&self) -> &'static str {
        self.function
    }

    fn parameter_names(&self) -> Vec<String> {
        vec![]
    }

    fn coerce(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
        Ok(arg_types.to_vec())
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        let [_, _, _, value, _] = arg_types else {
            return internal_err!("{}: cells have {} fields", self.function, arg_types.len());
        };
        let item = DataType::Struct(self.fields(value));
        Ok(DataType::List(Arc::new(Field::new_list_field(item, true))))
    }

    fn kept_types(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
        Ok(arg_types.to_vec())
    }

    fn call(&self, args: &AccumulatorArgs) -> Result<Arc<dyn Call>> {
        match args.expr_fields {
            [_, _, _, value, _] => {
                Ok(Arc::new(Running { method: self.clone(), value_type: value.data_type().clone() }))
            }
            fields => internal_err!("{}: cells have {} fields", self.function, fields.len()),
        }
    }
}

#[derive(Debug)]
struct Running {
    method: MethodCall,
    value_type: DataType,
}

impl Call for Running {
    fn name(&self) -> &'static str {
        self.method.function
    }

    fn keep(&self, arguments: &[ArrayRef]) -> Result<Kept> {
        Ok(Kept { columns: arguments.to_vec(), rows: None })
    }

    fn needs_order(&self) -> bool {
        false
    }

    fn evaluate(&self, rows: &SortedRows) -> Result<ArrayRef> {
        let fields = self.method.fields(&self.value_type);
        let mut counts = Vec::with_capacity(rows.group_count());
        if let Kind::Transitions { order } = self.method.kind {
            let mut built = TransitionRows::default();
            for group in rows.groups() {
                let before = built.counts.len();
                let cells = AllCells::read(self.name(), rows, group)?;
                built.push(self.name(), &cells, &self.method.chain(&cells, order)?)?;
                counts.push(built.counts.len() - before);
            }
            return list(self.name(), counts, Arc::new(StructArray::try_new(fields, built.columns(), None)?));
        }
        let mut built = KeyRows::default();
        for group in rows.groups() {
            let before = built.len();
            let cells = AllCells::read(self.name(), rows, group)?;
            match self.method.kind {
                Kind::Shapley { .. } => self.method.shapley(&cells, &mut built)?,
                Kind::Counterfactual => self.method.counterfactual(&cells, &mut built)?,
                _ => self.method.markov(&cells, &mut built)?,
            }
            counts.push(built.len() - before);
        }
        let columns = built.finish(&fields, &self.value_type)?;
        list(self.name(), counts, Arc::new(StructArray::try_new(fields, columns, None)?))
    }
}

#[derive(Debug, Default)]
struct TransitionRows {
    sources: Vec<String>,
    targets: Vec<String>,
    counts: Vec<i64>,
    probabilities: Vec<f64>,
}

impl TransitionRows {
    fn push(&mut self, function: &str, cells: &AllCells, chain: &Chain) -> Result<()> {
        let name = |state: &[u32]| {
            let names = state.iter().filter_map(|key| cells.names.get(*key as usize).map(String::as_str));
            if state.is_empty() { "(start)".to_owned() } else { names.collect::<Vec<_>>().join(JOINED) }
        };
        for transition in chain.transitions() {
            self.sources.push(name(&transition.source));
            self.targets.push(match &transition.target {
                Target::State(state) => name(state),
                Target::Conversion => "(conversion)".to_owned(),
                Target::Null => "(null)".to_owned(),
            });
            match i64::try_from(transition.count) {
                Ok(count) => self.counts.push(count),
                Err(_) => return exec_err!("{function}: there are more journeys than can be counted"),
            }
            self.probabilities.push(transition.probability);
        }
        Ok(())
    }

    fn columns(self) -> Vec<ArrayRef> {
        vec![
            Arc::new(StringArray::from(self.sources)),
            Arc::new(StringArray::from(self.targets)),
            Arc::new(Int64Array::from(self.counts)),
            Arc::new(Float64Array::from(self.probabilities)),
        ]
    }
}

use arrow::array::StringArray;
use arrow::datatypes::Int32Type;
use proptest::prelude::*;

use super::*;

fn batch(texts: Vec<Option<String>>) -> RecordBatch {
    let schema = Arc::new(Schema::new(vec![
        Field::new(schema::USER_ID, DataType::Utf8, true),
        Field::new("channel", DataType::Utf8, true),
    ]));
    let texts: ArrayRef = Arc::new(StringArray::from(texts));
    RecordBatch::try_new(schema, vec![Arc::clone(&texts), texts]).expect("batch")
}

fn type_of(batch: &RecordBatch) -> &DataType {
    batch.column(1).data_type()
}

#[test]
fn a_column_that_does_not_repeat_stays_text_from_then_on() {
    let distinct = |from: usize| batch((from..from + 5_000).map(|i| Some(format!("v{i}"))).collect());
    let codes = Codes::new(&distinct(0).schema());
    let first = codes.encode(&distinct(0)).expect("encoded");
    let second = codes.encode(&distinct(5_000)).expect("encoded");
    assert_eq!((type_of(&first), type_of(&second)), (&DataType::UInt16, &DataType::Utf8));

    let mut both = [first, second];
    codes.make_alike(&mut both).expect("alike");
    assert_eq!(both, [distinct(0), distinct(5_000)]);
}

#[test]
fn money_is_held_in_eight_bytes_and_comes_back() {
    let most = 10_i128.pow(18) - 1;
    let amounts = Decimal128Array::from(vec![Some(0), None, Some(most), Some(-most), Some(-1)]);
    let money: ArrayRef = Arc::new(amounts.with_precision_and_scale(18, 4).expect("money"));
    let wide = Decimal128Array::from(vec![1; 5]).with_precision_and_scale(38, 4).expect("decimals");
    let plain = RecordBatch::try_from_iter([("revenue", money), ("wide", Arc::new(wide) as ArrayRef)])
        .expect("batch");
    let codes = Codes::new(&plain.schema());
    let held = codes.encode(&plain).expect("encoded");
    assert_eq!(held.column(0).data_type(), &DataType::Int64);
    assert_eq!(held.column(1), plain.column(1));
    assert_eq!(codes.decode(&held).expect("decoded").columns(), plain.columns());
    assert_eq!(codes.as_dictionaries(&held).expect("decoded").columns(), plain.columns());
}

/// A dictionary may be that of a whole file, of which a batch has few values.
#[test]
fn values_that_no_row_has_do_not_count() {
    let values: ArrayRef = Arc::new(StringArray::from_iter_values((0..100_000).map(|n| n.to_string())));
    let rows = |keys: Vec<Option<i32>>| {
        let coded = DictionaryArray::<Int32Type>::try_new(keys.into(), Arc::clone(&values)).expect("keys");
        RecordBatch::try_from_iter([("channel", Arc::new(coded) as ArrayRef)]).expect("batch")
    };
    let (first, second) =
        (rows(vec![Some(7), None, Some(99_999), Some(7)]), rows(vec![Some(99_999), Some(8)]));
    let text = Schema::new(vec![Field::new("channel", DataType::Utf8, true)]);
    let codes = Codes::new(&text);
    for (batch, expected) in [(&first, vec![0, column::NULL, 1, 0]), (&second, vec![1, 2])] {
        let coded = codes.encode(batch).expect("encoded");
        assert_eq!(coded.column(0).as_primitive::<UInt16Type>().values(), expected.as_slice());
        let texts = codes.decode(&coded).expect("decoded");
        assert_eq!(texts.column(0), &cast(batch.column(0), &DataType::Utf8).expect("text"));
    }
}

#[test]
fn more_values_than_codes_stay_text() {
    let many = batch((0..400_000).map(|i| Some((i % 70_000).to_string())).collect());
    let codes = Codes::new(&many.schema());
    assert_eq!(codes.encode(&many).expect("encoded"), many);
}

proptest! {
    #[test]
    fn codes_come_back_as_the_text_they_stand_for(
        rows in prop::collection::vec(prop::option::of("[a-c]{0,2}"), 0..60),
        more in prop::collection::vec(prop::option::of("[a-d]{0,2}"), 0..60),
    ) {
        let codes = Codes::new(&batch(Vec::new()).schema());
        let encoded = [rows, more].map(|rows| {
            let plain = batch(rows);
            (codes.encode(&plain).expect("encoded"), plain)
        });
        for (encoded, plain) in encoded {
            prop_assert_eq!(type_of(&encoded), &DataType::UInt16);
            prop_assert_eq!(encoded.column(0), plain.column(0));
            prop_assert_eq!(encoded.column(1).null_count(), 0);
            prop_assert_eq!(&codes.decode(&encoded).expect("text"), &plain);
            let dictionaries = codes.as_dictionaries(&encoded).expect("dictionaries");
            let text = arrow::compute::cast(dictionaries.column(1), &DataType::Utf8).expect("text");
            prop_assert_eq!(text.as_ref(), plain.column(1).as_ref());
        }
    }
}

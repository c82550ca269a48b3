//! Generated rows as Arrow record batches.

use arrow::array::{
    ArrayRef, Decimal128Builder, Float64Builder, RecordBatch, StringBuilder, TimestampMicrosecondBuilder,
};
use arrow::datatypes::SchemaRef;
use std::sync::Arc;

use crate::error::Result;
use crate::generator::EventIter;
use crate::generator::event::{Event, ShortText};
use crate::schema::{MONEY_PRECISION, MONEY_SCALE, TIME_ZONE, touchpoint_schema};

/// Iterator over batches of at most `batch_rows` rows with the schema [`touchpoint_schema`]; no empty batches.
#[derive(Debug)]
pub struct EventBatches {
    events: EventIter,
    batch_rows: usize,
    schema: SchemaRef,
    json: Vec<u8>,
}

impl EventBatches {
    /// `batch_rows` of 0 means 1.
    pub fn new(events: EventIter, batch_rows: usize) -> Self {
        Self { events, batch_rows: batch_rows.max(1), schema: touchpoint_schema(), json: Vec::new() }
    }
}

impl Iterator for EventBatches {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        let first = self.events.next()?;
        let mut columns = Columns::new(self.batch_rows);
        columns.append(&first, &mut self.json);
        for event in self.events.by_ref().take(self.batch_rows - 1) {
            columns.append(&event, &mut self.json);
        }
        Some(columns.finish(&self.schema))
    }
}

/// Builders of the columns, in the order of the schema.
struct Columns {
    event_id: StringBuilder,
    user_id: StringBuilder,
    anonymous_id: StringBuilder,
    ts: TimestampMicrosecondBuilder,
    received_at: TimestampMicrosecondBuilder,
    event: StringBuilder,
    channel: StringBuilder,
    source: StringBuilder,
    medium: StringBuilder,
    campaign: StringBuilder,
    page: StringBuilder,
    referrer: StringBuilder,
    device: StringBuilder,
    country: StringBuilder,
    revenue: Decimal128Builder,
    cost: Decimal128Builder,
    currency: StringBuilder,
    score: Float64Builder,
    properties: StringBuilder,
}

impl Columns {
    fn new(rows: usize) -> Self {
        let text = |bytes_per_row: usize| StringBuilder::with_capacity(rows, rows * bytes_per_row);
        Self {
            event_id: text(17),
            user_id: text(8),
            anonymous_id: text(17),
            ts: TimestampMicrosecondBuilder::with_capacity(rows),
            received_at: TimestampMicrosecondBuilder::with_capacity(rows),
            event: text(12),
            channel: text(12),
            source: text(12),
            medium: text(12),
            campaign: text(8),
            page: text(14),
            referrer: text(6),
            device: text(8),
            country: text(2),
            revenue: Decimal128Builder::with_capacity(rows),
            cost: Decimal128Builder::with_capacity(rows),
            currency: text(1),
            score: Float64Builder::with_capacity(rows),
            properties: text(16),
        }
    }

    fn append(&mut self, event: &Event, json: &mut Vec<u8>) {
        self.event_id.append_value(event.event_id.as_str());
        self.user_id.append_value(event.user_id.as_str());
        self.anonymous_id.append_option(event.anonymous_id.as_ref().map(ShortText::as_str));
        self.ts.append_value(event.ts_us);
        self.received_at.append_value(event.received_at_us);
        self.event.append_value(event.event);
        self.channel.append_option(event.channel);
        self.source.append_option(event.source);
        self.medium.append_option(event.medium);
        self.campaign.append_option(event.campaign);
        self.page.append_option(event.page);
        self.referrer.append_option(event.referrer);
        self.device.append_option(event.device);
        self.country.append_option(event.country);
        self.revenue.append_option(event.revenue_e4.map(i128::from));
        self.cost.append_option(event.cost_e4.map(i128::from));
        self.currency.append_option(event.currency);
        self.score.append_option(event.score.map(f64::from));
        let properties = event.properties.map(|properties| {
            json.clear();
            properties.write_json(json);
            // Built from text only, so the fallback is never taken.
            std::str::from_utf8(json).unwrap_or_default()
        });
        self.properties.append_option(properties);
    }

    fn finish(mut self, schema: &SchemaRef) -> Result<RecordBatch> {
        let money = |mut builder: Decimal128Builder| -> Result<ArrayRef> {
            let array = builder.finish().with_precision_and_scale(MONEY_PRECISION, MONEY_SCALE)?;
            Ok(Arc::new(array))
        };
        let columns: Vec<ArrayRef> = vec![
            Arc::new(self.event_id.finish()),
            Arc::new(self.user_id.finish()),
            Arc::new(self.anonymous_id.finish()),
            Arc::new(self.ts.finish().with_timezone(TIME_ZONE)),
            Arc::new(self.received_at.finish().with_timezone(TIME_ZONE)),
            Arc::new(self.event.finish()),
            Arc::new(self.channel.finish()),
            Arc::new(self.source.finish()),
            Arc::new(self.medium.finish()),
            Arc::new(self.campaign.finish()),
            Arc::new(self.page.finish()),
            Arc::new(self.referrer.finish()),
            Arc::new(self.device.finish()),
            Arc::new(self.country.finish()),
            money(self.revenue)?,
            money(self.cost)?,
            Arc::new(self.currency.finish()),
            Arc::new(self.score.finish()),
            Arc::new(self.properties.finish()),
        ];
        Ok(RecordBatch::try_new(SchemaRef::clone(schema), columns)?)
    }
}

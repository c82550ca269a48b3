//! Rows of `pg_timezone_names`.

use chrono::{Offset, Utc};
use chrono_tz::{OffsetComponents, OffsetName, TZ_VARIANTS};

use super::rows::{Row, row};

/// Every zone with its abbreviation, its distance from UTC and whether it is summer there now.
pub(super) fn names() -> Vec<Row> {
    let now = Utc::now();
    TZ_VARIANTS
        .iter()
        .map(|zone| {
            let offset = *now.with_timezone(zone).offset();
            row! {
                name: zone.name(),
                abbrev: offset.abbreviation().unwrap_or_default(),
                utc_offset: format!("{} seconds", offset.fix().local_minus_utc()),
                is_dst: !offset.dst_offset().is_zero(),
            }
        })
        .collect()
}

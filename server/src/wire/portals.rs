//! `MOVE` over a portal of the protocol, which is a cursor too: drivers skip rows of theirs by it.

use futures::StreamExt;
use futures::sink::{Sink, SinkExt};
use pgwire::api::portal::PortalExecutionState;
use pgwire::api::store::{Entry, PortalStore};
use pgwire::api::{ClientInfo, ClientPortalStore};
use pgwire::error::{PgWireError, PgWireResult};
use pgwire::messages::PgWireBackendMessage;

use super::cancel::{Interrupt, lock};
use super::connection::Connection;
use super::cursor_statements::{Fetch, Rows};
use super::execute::complete;

impl Connection {
    /// Moves the portal that `fetch` names forward and says so; false if it is about a cursor, or a portal that has not
    /// begun or has ended.
    ///
    /// # Errors
    /// Those of the portal's query.
    pub(super) async fn move_portal<C>(
        &self,
        client: &mut C,
        fetch: &Fetch,
        interrupt: &Interrupt,
    ) -> PgWireResult<bool>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let count = match fetch.rows {
            Rows::Forward(None) => None,
            Rows::Forward(Some(count)) => usize::try_from(count).ok(),
            _ => return Ok(false),
        };
        let is_cursor = lock(&self.cursors).get(&fetch.cursor).is_ok();
        if !fetch.moves || is_cursor || (count.is_none() && fetch.rows != Rows::Forward(None)) {
            return Ok(false);
        }
        let Some(Entry::Value(portal)) = client.portal_store().get_portal(&fetch.cursor) else {
            return Ok(false);
        };
        let state = portal.state();
        let mut state = state.lock().await;
        let PortalExecutionState::Suspended(response) = &mut *state else { return Ok(false) };
        let mut moved = 0;
        let mut at_end = false;
        while !at_end && count.is_none_or(|count| moved < count) {
            match interrupt.guard(response.data_rows().next()).await? {
                Some(row) => {
                    row?;
                    moved += 1;
                }
                None => at_end = true,
            }
        }
        if at_end {
            *state = PortalExecutionState::Finished;
        }
        drop(state);
        client.feed(complete("MOVE", Some(moved))).await?;
        Ok(true)
    }
}

//! Who a client is: users of the store, checked by SCRAM and nothing else.

pub mod scram;

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Mutex;
use wayfare_engine::store::access_list::AccessList;
use wayfare_engine::{Engine, Role, StoreError};

use scram::{ScramError, Verifier};

/// How old the list of users may be at a log-in. A change counts for log-ins after that; an attacker's attempts cost
/// the store no more than one reading in that time.
const LIST_AGE: Duration = Duration::from_secs(2);

/// Who may connect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Access {
    /// Everybody who reaches the server, as an admin, under any name: on the loopback address only.
    #[default]
    Anyone,
    /// The users of the store, with their passwords.
    Users,
}

/// What a log-in is checked against.
#[derive(Debug)]
pub(crate) struct Candidate {
    pub(crate) verifier: Verifier,
    /// `None` for a user that does not exist, whom no password lets in.
    pub(crate) role: Option<Role>,
}

/// Looks users up for log-ins.
#[derive(Debug)]
pub(crate) struct Users {
    engine: Arc<Engine>,
    // For decoys while the store has no list, with a secret of its own.
    fallback_secret: String,
    list: Mutex<Option<(Instant, Arc<AccessList>)>>,
}

impl Users {
    pub(crate) fn new(engine: Arc<Engine>) -> Result<Self, ScramError> {
        // A verifier of nothing in particular is as random as its salt.
        let fallback_secret = Verifier::of_password("")?.to_string();
        Ok(Self { engine, fallback_secret, list: Mutex::new(None) })
    }

    /// What `name` is checked against, existing or not: with the same work in both cases.
    ///
    /// # Errors
    /// The list of users cannot be read.
    pub(crate) async fn candidate(&self, name: &str) -> Result<Candidate, StoreError> {
        let list = self.list().await?;
        let secret = match list.decoy_secret() {
            "" => &self.fallback_secret,
            secret => secret,
        };
        // Made in any case, so that the time does not tell.
        let decoy = Verifier::decoy(secret.as_bytes(), name);
        let known = list.user(name).and_then(|user| Some((Verifier::parse(&user.verifier)?, user.role)));
        Ok(match known {
            Some((verifier, role)) => Candidate { verifier, role: Some(role) },
            None => Candidate { verifier: decoy, role: None },
        })
    }

    async fn list(&self) -> Result<Arc<AccessList>, StoreError> {
        // Held while reading: many log-ins at once read once.
        let mut kept = self.list.lock().await;
        match kept.as_ref() {
            Some((read_at, list)) if read_at.elapsed() < LIST_AGE => Ok(Arc::clone(list)),
            _ => {
                let list = Arc::new(self.engine.store().access_list().await?);
                *kept = Some((Instant::now(), Arc::clone(&list)));
                Ok(list)
            }
        }
    }
}

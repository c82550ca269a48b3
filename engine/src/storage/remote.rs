//! Clients of remote stores: credentials and endpoints from the clouds' usual environment variables, and how long a
//! request may take.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::http::HttpBuilder;
use object_store::{
    BackoffConfig, ClientConfigKey, ClientOptions, ObjectStore, ObjectStoreScheme, RetryConfig,
};
use url::Url;

use super::reliable::ReliableStore;
use crate::error::StoreError;

/// Environment variables with these prefixes configure remote stores.
const ENV_PREFIXES: [&str; 3] = ["AWS_", "GOOGLE_", "AZURE_"];
/// A request that has not ended after this time is made again.
const MAX_REQUEST_TIME: Duration = Duration::from_secs(30);
const MIN_REQUEST_TIME: Duration = Duration::from_millis(200);
const CONNECT_TIME: Duration = Duration::from_secs(5);
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// Bounded by time, not by number.
const MAX_RETRIES: usize = 10_000;

/// How long remote stores are waited for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// A fault that lasts longer ends what is being done. An operation that fails is often followed by one that looks
    /// at what became of it, so that each gets a part.
    deadline: Duration,
}

impl Patience {
    pub(super) fn new(deadline: Duration) -> Self {
        Self { deadline }
    }

    /// How long one operation is tried again.
    pub(super) fn operation(self) -> Duration {
        self.deadline / 3
    }

    fn request(self) -> Duration {
        (self.deadline / 8).clamp(MIN_REQUEST_TIME, MAX_REQUEST_TIME)
    }

    fn retries(self) -> RetryConfig {
        RetryConfig {
            backoff: BackoffConfig { init_backoff: FIRST_PAUSE, max_backoff: LONGEST_PAUSE, base: 2.0 },
            max_retries: MAX_RETRIES,
            retry_timeout: self.operation(),
        }
    }

    fn client(self, plain_http: bool) -> ClientOptions {
        ClientOptions::new()
            .with_timeout(self.request())
            .with_connect_timeout(CONNECT_TIME.min(self.request()))
            .with_allow_http(plain_http)
    }
}

/// The client for the store of `url`.
pub(super) fn build(
    scheme: &ObjectStoreScheme,
    url: &Url,
    patience: Patience,
) -> Result<Arc<dyn ObjectStore>, StoreError> {
    let store = client(scheme, url, patience, &environment())
        // The root of the URL alone: what follows may hold a signature.
        .map_err(|e| StoreError::io("open", super::without_secrets(url), e))?;
    Ok(Arc::new(ReliableStore::new(store, patience.operation())))
}

fn client(
    scheme: &ObjectStoreScheme,
    url: &Url,
    patience: Patience,
    settings: &[(String, String)],
) -> object_store::Result<Arc<dyn ObjectStore>> {
    let (retries, options) = (patience.retries(), patience.client(allows_plain_http(url, settings)));
    Ok(match scheme {
        ObjectStoreScheme::AmazonS3 => {
            let builder = AmazonS3Builder::new()
                .with_url(url.as_str())
                .with_retry(retries)
                .with_client_options(options);
            let known = known::<AmazonS3ConfigKey>(settings);
            Arc::new(known.into_iter().fold(builder, |b, (key, value)| b.with_config(key, value)).build()?)
        }
        ObjectStoreScheme::GoogleCloudStorage => {
            let builder = GoogleCloudStorageBuilder::new()
                .with_url(url.as_str())
                .with_retry(retries)
                .with_client_options(options);
            let known = known::<GoogleConfigKey>(settings);
            Arc::new(known.into_iter().fold(builder, |b, (key, value)| b.with_config(key, value)).build()?)
        }
        ObjectStoreScheme::MicrosoftAzure => {
            let builder = MicrosoftAzureBuilder::new()
                .with_url(url.as_str())
                .with_retry(retries)
                .with_client_options(options);
            let known = known::<AzureConfigKey>(settings);
            Arc::new(known.into_iter().fold(builder, |b, (key, value)| b.with_config(key, value)).build()?)
        }
        _ => {
            // The query stays with every request: it may be a signature.
            let mut base = url.clone();
            base.set_path("");
            base.set_fragment(None);
            let builder =
                HttpBuilder::new().with_url(base.as_str()).with_retry(retries).with_client_options(options);
            let known = known::<ClientConfigKey>(settings);
            Arc::new(known.into_iter().fold(builder, |b, (key, value)| b.with_config(key, value)).build()?)
        }
    })
}

/// The settings whose keys are of this kind of store; others belong to other stores.
fn known<K: FromStr>(settings: &[(String, String)]) -> Vec<(K, String)> {
    settings.iter().filter_map(|(key, value)| Some((key.parse().ok()?, value.clone()))).collect()
}

/// An endpoint with plain `http` is meant: it needs no second permission.
fn allows_plain_http(url: &Url, settings: &[(String, String)]) -> bool {
    let is_endpoint = |key: &str| key.contains("endpoint") || key == "google_base_url";
    url.scheme() == "http"
        || settings.iter().any(|(key, value)| is_endpoint(key) && value.starts_with("http://"))
        || settings.iter().any(|(key, value)| key == "azure_storage_use_emulator" && value != "false")
}

/// Settings of remote stores from the environment, keys in lower case.
fn environment() -> Vec<(String, String)> {
    let mut settings = Vec::new();
    for (key, value) in std::env::vars() {
        if ENV_PREFIXES.iter().any(|prefix| key.starts_with(prefix)) {
            settings.extend(translated(&key.to_ascii_lowercase(), value));
        }
    }
    settings
}

/// A setting under the names that the clients know.
fn translated(key: &str, value: String) -> Vec<(String, String)> {
    match key {
        "azure_storage_connection_string" => connection_string(&value),
        "azure_storage_account" => vec![("azure_storage_account_name".to_owned(), value)],
        "azure_storage_key" => vec![("azure_storage_account_key".to_owned(), value)],
        _ => vec![(key.to_owned(), value)],
    }
}

/// The parts of an Azure connection string that say where and who.
fn connection_string(text: &str) -> Vec<(String, String)> {
    let parts = text.split(';').filter_map(|part| part.split_once('='));
    let named = parts.filter_map(|(name, value)| {
        let key = match name {
            "AccountName" => "azure_storage_account_name",
            "AccountKey" => "azure_storage_account_key",
            "BlobEndpoint" => "azure_storage_endpoint",
            "SharedAccessSignature" => "azure_storage_sas_key",
            _ => return None,
        };
        Some((key.to_owned(), value.to_owned()))
    });
    named.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::commit::DISCARD_TIME;

    #[test]
    fn usual_names_of_azure_are_understood() {
        let settings = translated(
            "azure_storage_connection_string",
            "DefaultEndpointsProtocol=http;AccountName=me;AccountKey=a2V5==;BlobEndpoint=http://host:1/me"
                .to_owned(),
        );
        let expected = [
            ("azure_storage_account_name", "me"),
            ("azure_storage_account_key", "a2V5=="),
            ("azure_storage_endpoint", "http://host:1/me"),
        ];
        assert_eq!(settings, expected.map(|(k, v)| (k.to_owned(), v.to_owned())));
        for (usual, known) in [
            ("azure_storage_account", "azure_storage_account_name"),
            ("azure_storage_key", "azure_storage_account_key"),
        ] {
            assert_eq!(translated(usual, "x".to_owned()), [(known.to_owned(), "x".to_owned())]);
        }
    }

    #[test]
    fn every_kind_of_store_is_built_from_its_settings() {
        let settings = [
            ("aws_access_key_id", "a"),
            ("aws_secret_access_key", "s3cret"),
            ("aws_region", "eu-west-1"),
            ("google_skip_signature", "true"),
            ("azure_storage_account_name", "me"),
            ("azure_storage_account_key", "a2V5"),
            ("aws_no_such_setting", "x"),
        ]
        .map(|(k, v)| (k.to_owned(), v.to_owned()));
        let patience = Patience::new(Duration::from_secs(120));
        for location in [
            "s3://bucket/a",
            "s3a://bucket/a",
            "gs://bucket/a",
            "az://container/a",
            "abfss://container@me.dfs.core.windows.net/a",
            "http://host:8080/a.csv?signature=s3cret",
            "https://host/a.csv",
        ] {
            let url = Url::parse(location).expect("a URL");
            let (scheme, _) = ObjectStoreScheme::parse(&url).expect("a known scheme");
            let store = client(&scheme, &url, patience, &settings).expect(location);
            assert!(!store.to_string().contains("s3cret") || location.contains("signature"), "{store}");
        }
    }

    #[test]
    fn waiting_is_bounded_by_the_deadline() {
        let deadline = super::super::DEFAULT_DEADLINE;
        assert!(deadline <= Duration::from_secs(120));
        let patience = Patience::new(deadline);
        // The last try of an operation, and of the one that looks what became of it, begin within their time; then
        // what was written is removed.
        assert!((patience.operation() + patience.request()) * 2 + DISCARD_TIME <= deadline);
        assert!(patience.request() <= MAX_REQUEST_TIME);
    }
}

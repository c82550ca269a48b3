//! TLS of the server: certificate and key from files, taken anew when the files change.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use aws_lc_rs::digest;
use pgwire::tokio::TlsAcceptor;
use pgwire::tokio::tokio_rustls::rustls;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, version};
use x509_certificate::{CapturedX509Certificate, SignatureAlgorithm};

/// The name of the protocol inside TLS: clients that begin with TLS at once must ask for it.
pub(crate) const ALPN: &[u8] = b"postgresql";

/// Whether connections are encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsMode {
    /// Connections without TLS are refused.
    Require,
    /// The client chooses.
    Allow,
}

/// Where certificate and key are, and who must use them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsOptions {
    /// Whether connections without TLS are refused.
    pub mode: TlsMode,
    /// PEM file: the server's certificate, then those between it and the root.
    pub certificate: PathBuf,
    /// PEM file: the private key of the first certificate.
    pub key: PathBuf,
}

/// Why a certificate or key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read the {what} {path:?}: {source}")]
    Read { what: &'static str, path: PathBuf, source: io::Error },
    /// A file does not hold what it should.
    #[error("the {what} {path:?} cannot be used: {reason}")]
    Unusable { what: &'static str, path: PathBuf, reason: String },
}

/// A certificate in use.
pub(crate) struct Identity {
    pub(crate) acceptor: TlsAcceptor,
    /// The certificate's hash as `tls-server-end-point` defines it; `None` where it defines none (Ed25519).
    pub(crate) end_point: Option<Vec<u8>>,
    // What the files held, to see a change.
    contents: [Vec<u8>; 2],
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identity")
    }
}

/// The certificate of a server. A change of the files counts for connections after [`Self::reload`].
#[derive(Debug)]
pub(crate) struct Tls {
    options: TlsOptions,
    current: RwLock<Arc<Identity>>,
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// [`TlsError`], naming the file.
    pub(crate) fn open(options: TlsOptions) -> Result<Self, TlsError> {
        let identity = identity(&options, contents(&options)?)?;
        Ok(Self { options, current: RwLock::new(Arc::new(identity)) })
    }

    pub(crate) fn requires(&self) -> bool {
        self.options.mode == TlsMode::Require
    }

    pub(crate) fn current(&self) -> Arc<Identity> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads the files again; `false` if they are as before. With an error the certificate before stays in use.
    ///
    /// # Errors
    /// [`TlsError`], naming the file.
    pub(crate) fn reload(&self) -> Result<bool, TlsError> {
        let contents = contents(&self.options)?;
        if self.current().contents == contents {
            return Ok(false);
        }
        let identity = Arc::new(identity(&self.options, contents)?);
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = identity;
        Ok(true)
    }
}

const CERTIFICATE: &str = "certificate";
const KEY: &str = "private key";

fn contents(options: &TlsOptions) -> Result<[Vec<u8>; 2], TlsError> {
    let read = |what, path: &Path| {
        std::fs::read(path).map_err(|source| TlsError::Read { what, path: path.to_owned(), source })
    };
    Ok([read(CERTIFICATE, &options.certificate)?, read(KEY, &options.key)?])
}

fn identity(options: &TlsOptions, contents: [Vec<u8>; 2]) -> Result<Identity, TlsError> {
    let bad_certificate =
        |reason: String| TlsError::Unusable { what: CERTIFICATE, path: options.certificate.clone(), reason };
    let bad_key = |reason: String| TlsError::Unusable { what: KEY, path: options.key.clone(), reason };

    let chain: Result<Vec<CertificateDer<'static>>, _> =
        CertificateDer::pem_slice_iter(&contents[0]).collect();
    let chain = chain.map_err(|e| bad_certificate(format!("not PEM: {e}")))?;
    let Some(first) = chain.first() else {
        return Err(bad_certificate("it holds no certificate in PEM form".to_owned()));
    };
    let parsed = CapturedX509Certificate::from_der(first.as_ref())
        .map_err(|_| bad_certificate("its first certificate is damaged".to_owned()))?;
    let end_point = end_point(&parsed);
    let now = chrono::Utc::now();
    if parsed.validity_not_after() < now || parsed.validity_not_before() > now {
        tracing::warn!(path = ?options.certificate, "the certificate is not valid now: clients that check it will refuse it");
    }

    let key = PrivateKeyDer::from_pem_slice(&contents[1]).map_err(|e| match e {
        rustls::pki_types::pem::Error::NoItemsFound => {
            bad_key("it holds no private key in PEM form, or one that is encrypted".to_owned())
        }
        other => bad_key(format!("not PEM: {other}")),
    })?;
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(&[&version::TLS13, &version::TLS12])
        .map_err(|e| bad_certificate(e.to_string()))?
        .with_no_client_auth()
        .with_single_cert(chain, key);
    let mut config = config.map_err(|e| match e {
        rustls::Error::InconsistentKeys(_) => bad_key("it is not the key of the certificate".to_owned()),
        rustls::Error::InvalidCertificate(e) => bad_certificate(format!("{e:?}")),
        other => bad_key(other.to_string()),
    })?;
    config.alpn_protocols = vec![ALPN.to_vec()];
    Ok(Identity { acceptor: TlsAcceptor::from(Arc::new(config)), end_point, contents })
}

/// RFC 5929, section 4.1: the hash of the certificate by the hash function of its signature, SHA-256 in place of
/// MD5 and SHA-1.
fn end_point(certificate: &CapturedX509Certificate) -> Option<Vec<u8>> {
    let algorithm = match certificate.signature_algorithm()? {
        SignatureAlgorithm::RsaSha1 | SignatureAlgorithm::RsaSha256 | SignatureAlgorithm::EcdsaSha256 => {
            &digest::SHA256
        }
        SignatureAlgorithm::RsaSha384 | SignatureAlgorithm::EcdsaSha384 => &digest::SHA384,
        SignatureAlgorithm::RsaSha512 => &digest::SHA512,
        SignatureAlgorithm::Ed25519 | SignatureAlgorithm::NoSignature(_) => return None,
    };
    Some(digest::digest(algorithm, certificate.constructed_data()).as_ref().to_vec())
}

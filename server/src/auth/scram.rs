//! SCRAM-SHA-256 and SCRAM-SHA-256-PLUS: RFC 5802, RFC 7677, and RFC 5929 for the binding to a TLS certificate.
//!
//! A server keeps a [`Verifier`], from which neither the password nor anything to log in with can be told. The exchange
//! costs it two HMACs, for a user that exists as for one that does not.

use std::fmt;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::{digest, hmac, pbkdf2, rand};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Without channel binding.
pub const SCRAM_SHA_256: &str = "SCRAM-SHA-256";
/// With channel binding.
pub const SCRAM_SHA_256_PLUS: &str = "SCRAM-SHA-256-PLUS";
/// The one kind of channel binding that clients of PostgreSQL know.
const END_POINT: &str = "tls-server-end-point";
/// Rounds of PBKDF2 that a client makes: what PostgreSQL asks for, and every driver does. One number for all users:
/// users that do not exist are answered with it too.
const ITERATIONS: u32 = 4_096;
const HASH_BYTES: usize = 32;
const SALT_BYTES: usize = 16;
const NONCE_BYTES: usize = 18;

type Hash = [u8; HASH_BYTES];

/// Why an exchange failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScramError {
    /// The client breaks the protocol.
    #[error("malformed SCRAM message: {0}")]
    Malformed(&'static str),
    /// The binding to the certificate does not hold, as when somebody stands in between.
    #[error("SCRAM channel binding check failed")]
    Binding,
    /// The password is wrong, or there is no such user.
    #[error("wrong password")]
    WrongPassword,
    /// The system has no random numbers.
    #[error("no random numbers")]
    Random,
}

/// What a server knows about a password.
#[derive(Clone, PartialEq, Eq)]
pub struct Verifier {
    iterations: u32,
    salt: Vec<u8>,
    stored_key: Hash,
    server_key: Hash,
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Verifier")
    }
}

impl Verifier {
    /// The verifier of `password` with a random salt. Takes some milliseconds.
    ///
    /// # Errors
    /// [`ScramError::Random`].
    pub fn of_password(password: &str) -> Result<Self, ScramError> {
        Ok(Self::with_salt(password, random::<SALT_BYTES>()?.to_vec(), ITERATIONS))
    }

    fn with_salt(password: &str, salt: Vec<u8>, iterations: u32) -> Self {
        let salted = salted_password(password, &salt, iterations);
        let client_key = hmac(&salted, &[b"Client Key"]);
        Self {
            iterations,
            salt,
            stored_key: sha_256(&client_key),
            server_key: hmac(&salted, &[b"Server Key"]),
        }
    }

    /// A verifier that no password fits, always the same one for `user` and `secret`: what is answered for a user
    /// that does not exist.
    pub fn decoy(secret: &[u8], user: &str) -> Self {
        let part = |label: &[u8]| hmac(secret, &[label, user.as_bytes()]);
        Self {
            iterations: ITERATIONS,
            salt: part(b"salt:")[..SALT_BYTES].to_vec(),
            stored_key: part(b"stored:"),
            server_key: part(b"server:"),
        }
    }

    /// Reads the form that [`fmt::Display`] writes; PostgreSQL keeps verifiers in it too.
    pub fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix(SCRAM_SHA_256)?.strip_prefix('$')?;
        let (head, keys) = rest.split_once('$')?;
        let (iterations, salt) = head.split_once(':')?;
        let (stored_key, server_key) = keys.split_once(':')?;
        let key = |text: &str| STANDARD.decode(text).ok()?.try_into().ok();
        Some(Self {
            iterations: iterations.parse().ok().filter(|n| *n >= ITERATIONS)?,
            salt: STANDARD.decode(salt).ok().filter(|salt| !salt.is_empty())?,
            stored_key: key(stored_key)?,
            server_key: key(server_key)?,
        })
    }
}

impl fmt::Display for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { iterations, salt, stored_key, server_key } = self;
        let [salt, stored_key, server_key] =
            [salt.as_slice(), stored_key, server_key].map(|part| STANDARD.encode(part));
        write!(f, "{SCRAM_SHA_256}${iterations}:{salt}${stored_key}:{server_key}")
    }
}

/// The server's side of one exchange, after its first message.
pub struct Exchange {
    verifier: Verifier,
    /// What the client's last message must repeat: the header of its first one, and the certificate's hash.
    binding: Vec<u8>,
    nonce: String,
    /// `client-first-message-bare "," server-first-message ","`.
    so_far: String,
}

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Exchange")
    }
}

impl Exchange {
    /// Takes the client's first message under `mechanism`, and returns the answer.
    ///
    /// `end_point`: the hash of the certificate of the TLS connection, if [`SCRAM_SHA_256_PLUS`] was offered.
    ///
    /// # Errors
    /// [`ScramError`]; also if the client says that it knows channel binding and the server does not, which it does.
    pub fn begin(
        verifier: Verifier,
        mechanism: &str,
        end_point: Option<&[u8]>,
        client_first: &[u8],
    ) -> Result<(Self, String), ScramError> {
        let nonce = STANDARD.encode(random::<NONCE_BYTES>()?);
        Self::begin_with_nonce(verifier, mechanism, end_point, client_first, &nonce)
    }

    fn begin_with_nonce(
        verifier: Verifier,
        mechanism: &str,
        end_point: Option<&[u8]>,
        client_first: &[u8],
        server_nonce: &str,
    ) -> Result<(Self, String), ScramError> {
        let message = text(client_first)?;
        // gs2-cbind-flag "," [authzid] "," client-first-message-bare
        let mut parts = message.splitn(3, ',');
        let (Some(flag), Some(authzid), Some(bare)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(ScramError::Malformed("too few parts"));
        };
        if !authzid.is_empty() {
            return Err(ScramError::Malformed("an authorization identity is not supported"));
        }
        let mut binding = format!("{flag},{authzid},").into_bytes();
        match (mechanism, flag) {
            (SCRAM_SHA_256, "n") => {}
            (SCRAM_SHA_256, "y") if end_point.is_none() => {}
            // The client saw no offer of channel binding, but there was one: somebody took it away.
            (SCRAM_SHA_256, "y") => return Err(ScramError::Binding),
            (SCRAM_SHA_256_PLUS, flag) if flag.strip_prefix("p=") == Some(END_POINT) => {
                binding.extend_from_slice(end_point.ok_or(ScramError::Binding)?);
            }
            _ => return Err(ScramError::Malformed("the channel binding does not fit the mechanism")),
        }
        // The user is that of the start-up packet; the one named here is ignored, as PostgreSQL does.
        let mut attributes = bare.split(',');
        let (Some(user), Some(nonce)) = (attributes.next(), attributes.next()) else {
            return Err(ScramError::Malformed("too few attributes"));
        };
        if !user.starts_with("n=") {
            return Err(ScramError::Malformed("expected a user name"));
        }
        let client_nonce = nonce.strip_prefix("r=").filter(|nonce| is_printable(nonce));
        let client_nonce = client_nonce.ok_or(ScramError::Malformed("expected a nonce"))?;
        let nonce = format!("{client_nonce}{server_nonce}");
        let answer = format!("r={nonce},s={},i={}", STANDARD.encode(&verifier.salt), verifier.iterations);
        let so_far = format!("{bare},{answer},");
        Ok((Self { verifier, binding, nonce, so_far }, answer))
    }

    /// Takes the client's last message, and returns the server's proof that it knows the password too.
    ///
    /// # Errors
    /// [`ScramError`].
    pub fn finish(self, client_final: &[u8]) -> Result<String, ScramError> {
        let message = text(client_final)?;
        let (without_proof, proof) =
            message.rsplit_once(",p=").ok_or(ScramError::Malformed("expected a proof"))?;
        let mut attributes = without_proof.split(',');
        let (Some(binding), Some(nonce)) = (attributes.next(), attributes.next()) else {
            return Err(ScramError::Malformed("too few attributes"));
        };
        let binding = binding.strip_prefix("c=").and_then(|binding| STANDARD.decode(binding).ok());
        let binding = binding.ok_or(ScramError::Malformed("expected a channel binding"))?;
        if nonce.strip_prefix("r=") != Some(&self.nonce) {
            return Err(ScramError::Malformed("the nonce does not match"));
        }
        if !same(&binding, &self.binding) {
            return Err(ScramError::Binding);
        }
        let proof: Hash = STANDARD
            .decode(proof)
            .ok()
            .and_then(|proof| proof.try_into().ok())
            .ok_or(ScramError::Malformed("the proof has the wrong length"))?;
        let Verifier { stored_key, server_key, .. } = &self.verifier;
        let spoken = [self.so_far.as_bytes(), without_proof.as_bytes()];
        let signature = hmac(stored_key, &spoken);
        let client_key: Hash = std::array::from_fn(|i| proof[i] ^ signature[i]);
        if !same(&sha_256(&client_key), stored_key) {
            return Err(ScramError::WrongPassword);
        }
        Ok(format!("v={}", STANDARD.encode(hmac(server_key, &spoken))))
    }
}

fn text(message: &[u8]) -> Result<&str, ScramError> {
    std::str::from_utf8(message).map_err(|_| ScramError::Malformed("not UTF-8"))
}

fn is_printable(nonce: &str) -> bool {
    !nonce.is_empty() && nonce.bytes().all(|byte| byte.is_ascii_graphic())
}

fn same(a: &[u8], b: &[u8]) -> bool {
    verify_slices_are_equal(a, b).is_ok()
}

fn random<const N: usize>() -> Result<[u8; N], ScramError> {
    let mut bytes = [0; N];
    rand::fill(&mut bytes).map_err(|_| ScramError::Random)?;
    Ok(bytes)
}

fn salted_password(password: &str, salt: &[u8], iterations: u32) -> Hash {
    // A password that cannot be prepared is taken as it is, by clients too.
    let prepared = stringprep::saslprep(password).unwrap_or(password.into());
    let mut salted = [0; HASH_BYTES];
    let iterations = std::num::NonZeroU32::new(iterations).unwrap_or(std::num::NonZeroU32::MIN);
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, iterations, salt, prepared.as_bytes(), &mut salted);
    salted
}

fn hmac(key: &[u8], parts: &[&[u8]]) -> Hash {
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, key));
    for part in parts {
        context.update(part);
    }
    let tag = context.sign();
    std::array::from_fn(|i| tag.as_ref()[i])
}

fn sha_256(bytes: &[u8]) -> Hash {
    let hash = digest::digest(&digest::SHA256, bytes);
    std::array::from_fn(|i| hash.as_ref()[i])
}

#[cfg(test)]
mod tests {
    use super::*;

    // The example of RFC 7677, section 3.
    const SALT: &str = "W22ZaJ0SNY7soEsUEjb6gQ==";
    const SERVER_NONCE: &str = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
    const CLIENT_FIRST: &[u8] = b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO";
    const CLIENT_FINAL: &str = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                                p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";

    fn pencil() -> Verifier {
        Verifier::with_salt("pencil", STANDARD.decode(SALT).unwrap(), 4_096)
    }

    fn begin(verifier: Verifier, first: &[u8]) -> Result<(Exchange, String), ScramError> {
        Exchange::begin_with_nonce(verifier, SCRAM_SHA_256, None, first, SERVER_NONCE)
    }

    #[test]
    fn the_example_of_the_standard() {
        let (exchange, answer) = begin(pencil(), CLIENT_FIRST).unwrap();
        assert_eq!(answer, format!("r=rOprNGfwEbeRWgbNEkqO{SERVER_NONCE},s={SALT},i=4096"));
        let proof = exchange.finish(CLIENT_FINAL.as_bytes()).unwrap();
        assert_eq!(proof, "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
    }

    #[test]
    fn a_wrong_password_and_a_user_that_does_not_exist_fail_alike() {
        let salt = STANDARD.decode(SALT).unwrap();
        for verifier in [Verifier::with_salt("pencils", salt, 4_096), Verifier::decoy(b"secret", "user")] {
            let (exchange, _) = begin(verifier, CLIENT_FIRST).unwrap();
            assert_eq!(exchange.finish(CLIENT_FINAL.as_bytes()), Err(ScramError::WrongPassword));
        }
    }

    #[test]
    fn decoys_look_like_verifiers_and_stay_the_same() {
        let decoy = Verifier::decoy(b"secret", "nobody");
        assert_eq!(decoy, Verifier::decoy(b"secret", "nobody"));
        assert_ne!(decoy.salt, Verifier::decoy(b"secret", "nobodz").salt);
        assert_ne!(decoy.salt, Verifier::decoy(b"other", "nobody").salt);
        let real = Verifier::of_password("x").unwrap();
        assert_eq!((decoy.salt.len(), decoy.iterations), (real.salt.len(), real.iterations));
    }

    #[test]
    fn verifiers_are_kept_as_postgres_keeps_them() {
        let verifier = pencil();
        let text = verifier.to_string();
        assert!(text.starts_with(&format!("SCRAM-SHA-256$4096:{SALT}$")), "{text}");
        assert_eq!(Verifier::parse(&text), Some(verifier));
        assert!(!format!("{:?}", pencil()).contains(SALT));
        for bad in ["", "md5abc", "SCRAM-SHA-256$4096:$:", "SCRAM-SHA-256$1:AAAA$AAAA:AAAA"] {
            assert_eq!(Verifier::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn passwords_are_prepared() {
        // RFC 4013: a non-breaking space is a space, a soft hyphen nothing.
        let salt = vec![1; 16];
        let plain = Verifier::with_salt("a b", salt.clone(), 4_096);
        assert_eq!(plain, Verifier::with_salt("a\u{a0}b\u{ad}", salt, 4_096));
    }

    #[test]
    fn what_is_malformed_is_refused() {
        for bad in [
            &b""[..],
            b"n,,",
            b"n,,n=user",
            b"n,,r=x,n=user",
            b"n,a=other,n=user,r=x",
            b"p=tls-unique,,n=user,r=x",
            b"x,,n=user,r=x",
            b"n,,n=user,r=",
            b"\xff,,n=user,r=x",
        ] {
            assert!(matches!(begin(pencil(), bad), Err(ScramError::Malformed(_))), "{bad:?}");
        }
        for bad in [
            "",
            "c=biws,r=other,p=AAAA",
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=AAAA",
            "r=x,c=biws,p=AAAA",
            "c=%,r=x,p=",
        ] {
            let (exchange, _) = begin(pencil(), CLIENT_FIRST).unwrap();
            assert!(matches!(exchange.finish(bad.as_bytes()), Err(ScramError::Malformed(_))), "{bad:?}");
        }
    }

    #[test]
    fn the_certificate_is_part_of_the_exchange() {
        let end_point = [7; 32];
        let begin = |mechanism, header: &str, end_point| {
            let first = format!("{header}n=user,r=abc");
            Exchange::begin_with_nonce(pencil(), mechanism, end_point, first.as_bytes(), "def")
        };
        // An offer that the client did not see.
        assert_eq!(begin(SCRAM_SHA_256, "y,,", Some(&end_point[..])).unwrap_err(), ScramError::Binding);
        assert!(begin(SCRAM_SHA_256, "y,,", None).is_ok());
        assert_eq!(
            begin(SCRAM_SHA_256_PLUS, "p=tls-server-end-point,,", None).unwrap_err(),
            ScramError::Binding
        );
        assert!(begin(SCRAM_SHA_256_PLUS, "n,,", Some(&end_point[..])).is_err());

        let salted = salted_password("pencil", &STANDARD.decode(SALT).unwrap(), 4_096);
        for (seen, expected) in [([7; 32], Ok(())), ([8; 32], Err(ScramError::Binding))] {
            let header = "p=tls-server-end-point,,";
            let (exchange, answer) = begin(SCRAM_SHA_256_PLUS, header, Some(&end_point[..])).unwrap();
            let bound = [header.as_bytes(), &seen].concat();
            let without_proof = format!("c={},r=abcdef", STANDARD.encode(bound));
            let spoken = format!("n=user,r=abc,{answer},{without_proof}");
            let client_key = hmac(&salted, &[b"Client Key"]);
            let signature = hmac(&sha_256(&client_key), &[spoken.as_bytes()]);
            let proof: Hash = std::array::from_fn(|i| client_key[i] ^ signature[i]);
            let last = format!("{without_proof},p={}", STANDARD.encode(proof));
            assert_eq!(exchange.finish(last.as_bytes()).map(|_| ()), expected);
        }
    }
}

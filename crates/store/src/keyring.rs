//! Keys: one master key outside the database, keys derived from it, and data keys wrapped by it.

use std::fmt;

use aws_lc_rs::hkdf;
use aws_lc_rs::hmac;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use habeas_domain::IdentifierType;
use habeas_environment::Environment;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::error::StoreError;

const NONCE: usize = 24;

/// 32 bytes that everything else is derived from or wrapped by. Never in the database, never printed.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct MasterKey([u8; 32]);

/// Text that is not a master key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a master key is 64 hexadecimal digits (32 bytes); this is something else")]
pub struct InvalidMasterKey;

impl MasterKey {
    /// A new key.
    #[must_use]
    pub fn generate(environment: &Environment) -> Self {
        Self(environment.random())
    }

    /// Reads 64 hexadecimal digits; space around them is ignored.
    ///
    /// # Errors
    /// If the text is anything else. The text is not repeated.
    pub fn parse(text: &str) -> Result<Self, InvalidMasterKey> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text.trim(), &mut bytes).map_err(|_| InvalidMasterKey)?;
        Ok(Self(bytes))
    }

    /// As it is kept in a key file.
    #[must_use]
    pub fn to_text(&self) -> Zeroizing<String> {
        Zeroizing::new(hex::encode(self.0))
    }

    fn derive(&self, purpose: &str) -> [u8; 32] {
        struct Length;
        impl hkdf::KeyType for Length {
            fn len(&self) -> usize {
                32
            }
        }
        let mut bytes = [0; 32];
        let purpose = [purpose.as_bytes()];
        let derived = hkdf::Salt::new(hkdf::HKDF_SHA256, b"habeas").extract(&self.0);
        // Both calls fail only for outputs longer than 255 blocks; this is one.
        let filled = derived.expand(&purpose, Length).and_then(|material| material.fill(&mut bytes));
        debug_assert!(filled.is_ok());
        bytes
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("MasterKey([redacted])")
    }
}

/// Everything derived from one master key.
struct Derived {
    id: String,
    wrapping: XChaCha20Poly1305,
    lookup: hmac::Key,
    audit: hmac::Key,
    seal: Ed25519KeyPair,
}

impl Derived {
    fn from(master: &MasterKey) -> Result<Self, StoreError> {
        let seal = Ed25519KeyPair::from_seed_unchecked(&master.derive("audit seal"))
            .map_err(|_| StoreError::Corrupt("the master key"))?;
        Ok(Self {
            id: hex::encode(&master.derive("key id")[..4]),
            wrapping: XChaCha20Poly1305::new(&master.derive("key wrapping").into()),
            lookup: hmac::Key::new(hmac::HMAC_SHA256, &master.derive("lookup")),
            audit: hmac::Key::new(hmac::HMAC_SHA256, &master.derive("audit")),
            seal,
        })
    }
}

/// The master key in use and those before it.
pub struct Keyring {
    current: Derived,
    previous: Vec<Derived>,
}

impl fmt::Debug for Keyring {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Keyring({} and {} previous)", self.current.id, self.previous.len())
    }
}

/// A data key as it is stored.
#[derive(Clone, Debug)]
pub struct WrappedKey {
    /// Which master key wrapped it.
    pub key_id: String,
    /// The sealed key.
    pub bytes: Vec<u8>,
}

impl Keyring {
    /// A keyring of the key in use and the ones before it.
    ///
    /// # Errors
    /// If a key cannot be used.
    pub fn new(current: &MasterKey, previous: &[MasterKey]) -> Result<Self, StoreError> {
        Ok(Self {
            current: Derived::from(current)?,
            previous: previous.iter().map(Derived::from).collect::<Result<_, _>>()?,
        })
    }

    /// Short public id of the key in use.
    #[must_use]
    pub fn key_id(&self) -> &str {
        &self.current.id
    }

    fn all(&self) -> impl Iterator<Item = &Derived> {
        std::iter::once(&self.current).chain(&self.previous)
    }

    fn with_id(&self, key_id: &str) -> Result<&Derived, StoreError> {
        self.all()
            .find(|derived| derived.id == key_id)
            .ok_or_else(|| StoreError::MasterKeyUnknown { key_id: key_id.to_owned() })
    }

    /// A new data key for `purpose` of `owner`, and how it is stored.
    ///
    /// # Errors
    /// If the cipher fails, which it does not for such short texts.
    pub fn new_data_key(
        &self,
        environment: &Environment,
        owner: &str,
        purpose: &str,
    ) -> Result<(DataKey, WrappedKey), StoreError> {
        let plain = Zeroizing::new(environment.random::<32>());
        let bytes = seal(&self.current.wrapping, environment, &key_context(owner, purpose), &*plain)?;
        Ok((DataKey::from_bytes(&plain), WrappedKey { key_id: self.current.id.clone(), bytes }))
    }

    /// Opens a stored data key.
    ///
    /// # Errors
    /// If it was wrapped by a master key that is not here, for another owner, or altered.
    pub fn unwrap(&self, wrapped: &WrappedKey, owner: &str, purpose: &str) -> Result<DataKey, StoreError> {
        let wrapping = &self.with_id(&wrapped.key_id)?.wrapping;
        let plain =
            Zeroizing::new(open(wrapping, &key_context(owner, purpose), &wrapped.bytes, "data_keys")?);
        let bytes: &[u8; 32] =
            plain.as_slice().try_into().map_err(|_| StoreError::SealBroken("data_keys"))?;
        Ok(DataKey::from_bytes(bytes))
    }

    /// The keyed hash under which an identifier is filed now.
    #[must_use]
    pub fn lookup(&self, kind: IdentifierType, value: &str) -> Vec<u8> {
        lookup_with(&self.current.lookup, kind, value)
    }

    /// Every keyed hash under which an identifier may have been filed, the newest first.
    #[must_use]
    pub fn lookups(&self, kind: IdentifierType, value: &str) -> Vec<Vec<u8>> {
        self.all().map(|derived| lookup_with(&derived.lookup, kind, value)).collect()
    }

    /// A keyed fingerprint of something that must be compared but not kept: an API key, a vendor's account.
    #[must_use]
    pub fn fingerprint(&self, purpose: &str, value: &[u8]) -> Vec<u8> {
        fingerprint_with(&self.current.lookup, purpose, value)
    }

    /// Every fingerprint the value may have, the newest first.
    #[must_use]
    pub fn fingerprints(&self, purpose: &str, value: &[u8]) -> Vec<Vec<u8>> {
        self.all().map(|derived| fingerprint_with(&derived.lookup, purpose, value)).collect()
    }

    pub(crate) fn audit_mac(&self, message: &[u8]) -> Vec<u8> {
        hmac::sign(&self.current.audit, message).as_ref().to_vec()
    }

    pub(crate) fn audit_mac_is(&self, key_id: &str, message: &[u8], mac: &[u8]) -> Result<bool, StoreError> {
        Ok(hmac::verify(&self.with_id(key_id)?.audit, message, mac).is_ok())
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.current.seal.sign(message).as_ref().to_vec()
    }

    pub(crate) fn public_key(&self) -> Vec<u8> {
        self.current.seal.public_key().as_ref().to_vec()
    }

    /// Whether one of our keys has this public half: a seal by any other key is a forgery.
    pub(crate) fn is_ours(&self, public_key: &[u8]) -> bool {
        self.all().any(|derived| derived.seal.public_key().as_ref() == public_key)
    }

    pub(crate) fn key_check(&self, environment: &Environment) -> Result<Vec<u8>, StoreError> {
        seal(&self.current.wrapping, environment, b"installation", b"habeas")
    }

    pub(crate) fn passes_check(&self, key_id: &str, key_check: &[u8]) -> bool {
        self.with_id(key_id)
            .is_ok_and(|derived| open(&derived.wrapping, b"installation", key_check, "installation").is_ok())
    }
}

fn key_context(owner: &str, purpose: &str) -> Vec<u8> {
    format!("data_keys/{owner}/{purpose}").into_bytes()
}

fn lookup_with(key: &hmac::Key, kind: IdentifierType, value: &str) -> Vec<u8> {
    fingerprint_with(key, kind.as_str(), kind.comparable(value).as_bytes())
}

fn fingerprint_with(key: &hmac::Key, purpose: &str, value: &[u8]) -> Vec<u8> {
    let mut context = hmac::Context::with_key(key);
    context.update(purpose.as_bytes());
    context.update(&[0]);
    context.update(value);
    context.sign().as_ref().to_vec()
}

/// What a data key is for; each purpose can be destroyed on its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyPurpose {
    /// Records, uploads, the package.
    Content,
    /// Identifiers, notes, mails.
    Case,
    /// A connection's credentials.
    Settings,
}

impl KeyPurpose {
    /// As it is stored.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Content => "content",
            Self::Case => "case",
            Self::Settings => "settings",
        }
    }
}

/// A key that seals the values of one owner for one purpose.
#[derive(Clone)]
pub struct DataKey {
    cipher: XChaCha20Poly1305,
    lookup: hmac::Key,
}

/// What the key of large contents is derived with. Its first byte stands in no text, so it is no fingerprint's value.
const STREAM_KEY: &[u8] = b"\xffobjects";

impl fmt::Debug for DataKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("DataKey([redacted])")
    }
}

impl DataKey {
    fn from_bytes(bytes: &[u8; 32]) -> Self {
        Self {
            cipher: XChaCha20Poly1305::new(bytes.into()),
            lookup: hmac::Key::new(hmac::HMAC_SHA256, bytes),
        }
    }

    /// Seals `plain` for one place: column and row. Elsewhere it will not open.
    ///
    /// # Errors
    /// If the cipher fails, which it does not below 256 GiB.
    pub fn seal(
        &self,
        environment: &Environment,
        place: Place<'_>,
        plain: &[u8],
    ) -> Result<Sealed, StoreError> {
        seal(&self.cipher, environment, place.context().as_bytes(), plain).map(Sealed)
    }

    /// Opens what was sealed for that place.
    ///
    /// # Errors
    /// If it was sealed with another key, for another place, or altered.
    pub fn open(&self, place: Place<'_>, sealed: &Sealed) -> Result<Zeroizing<Vec<u8>>, StoreError> {
        open(&self.cipher, place.context().as_bytes(), &sealed.0, place.column).map(Zeroizing::new)
    }

    /// The cipher for large contents, which are sealed piece by piece.
    pub(crate) fn stream_cipher(&self) -> XChaCha20Poly1305 {
        let mut derived = Zeroizing::new([0_u8; 32]);
        derived.copy_from_slice(hmac::sign(&self.lookup, STREAM_KEY).as_ref());
        XChaCha20Poly1305::new(&(*derived).into())
    }

    /// A keyed hash that tells equal values of this owner apart from different ones, and dies with the key.
    #[must_use]
    pub fn fingerprint(&self, value: &str) -> Vec<u8> {
        hmac::sign(&self.lookup, value.as_bytes()).as_ref().to_vec()
    }
}

/// Where a sealed value stands: moving it to another row or column breaks the seal.
#[derive(Clone, Copy, Debug)]
pub struct Place<'p> {
    /// `table.column`.
    pub column: &'static str,
    /// The row's id.
    pub row: &'p str,
}

impl Place<'_> {
    fn context(&self) -> String {
        format!("{}/{}", self.column, self.row)
    }
}

/// A sealed value: the only form in which personal data and secrets reach the database.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed(Vec<u8>);

impl Sealed {
    /// From the database.
    #[must_use]
    pub const fn from_stored(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// For the database.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Sealed({} bytes)", self.0.len())
    }
}

fn seal(
    cipher: &XChaCha20Poly1305,
    environment: &Environment,
    context: &[u8],
    plain: &[u8],
) -> Result<Vec<u8>, StoreError> {
    let nonce = environment.random::<NONCE>();
    let sealed = cipher
        .encrypt(&XNonce::from(nonce), Payload { msg: plain, aad: context })
        .map_err(|_| StoreError::SealBroken("a new value"))?;
    let mut bytes = nonce.to_vec();
    bytes.extend(sealed);
    Ok(bytes)
}

fn open(
    cipher: &XChaCha20Poly1305,
    context: &[u8],
    sealed: &[u8],
    what: &'static str,
) -> Result<Vec<u8>, StoreError> {
    let (nonce, sealed) = sealed.split_first_chunk::<NONCE>().ok_or(StoreError::SealBroken(what))?;
    cipher
        .decrypt(&XNonce::from(*nonce), Payload { msg: sealed, aad: context })
        .map_err(|_| StoreError::SealBroken(what))
}

#[cfg(test)]
mod tests {
    use super::*;
    use habeas_environment::TestClock;

    fn environment() -> Environment {
        Environment::for_test(&TestClock::at("2026-03-01T00:00:00Z"), 1)
    }

    fn keyring(seed: u8) -> Keyring {
        Keyring::new(&MasterKey([seed; 32]), &[]).unwrap()
    }

    #[test]
    fn a_sealed_value_opens_only_in_its_place_and_with_its_key() {
        let (environment, keyring) = (environment(), keyring(1));
        let (key, wrapped) = keyring.new_data_key(&environment, "req_1", "content").unwrap();
        let place = Place { column: "records.content", row: "rec_1" };
        let sealed = key.seal(&environment, place, b"secret").unwrap();
        assert_eq!(&*key.open(place, &sealed).unwrap(), b"secret");
        assert!(key.open(Place { row: "rec_2", ..place }, &sealed).is_err());
        let (other, _) = keyring.new_data_key(&environment, "req_1", "content").unwrap();
        assert!(other.open(place, &sealed).is_err());
        let again = keyring.unwrap(&wrapped, "req_1", "content").unwrap();
        assert_eq!(&*again.open(place, &sealed).unwrap(), b"secret");
        assert!(keyring.unwrap(&wrapped, "req_2", "content").is_err());
    }

    #[test]
    fn an_altered_value_does_not_open() {
        let environment = environment();
        let (key, _) = keyring(1).new_data_key(&environment, "req_1", "case").unwrap();
        let place = Place { column: "requests.details", row: "req_1" };
        let mut bytes = key.seal(&environment, place, b"secret").unwrap().0;
        for at in [0, NONCE, bytes.len() - 1] {
            bytes[at] ^= 1;
            assert!(key.open(place, &Sealed(bytes.clone())).is_err());
            bytes[at] ^= 1;
        }
        assert!(key.open(place, &Sealed(vec![1; 10])).is_err());
    }

    #[test]
    fn after_rotation_old_keys_open_and_old_lookups_are_found() {
        let environment = environment();
        let old = keyring(1);
        let (_, wrapped) = old.new_data_key(&environment, "req_1", "case").unwrap();
        let filed = old.lookup(IdentifierType::Email, "Ana@example.test");
        let rotated = Keyring::new(&MasterKey([2; 32]), &[MasterKey([1; 32])]).unwrap();
        assert!(rotated.unwrap(&wrapped, "req_1", "case").is_ok());
        assert!(rotated.lookups(IdentifierType::Email, "ana@example.test").contains(&filed));
        let unknown = keyring(3).unwrap(&wrapped, "req_1", "case").unwrap_err();
        assert!(matches!(unknown, StoreError::MasterKeyUnknown { .. }));
    }

    #[test]
    fn nothing_secret_prints() {
        let master = MasterKey::parse(&"ab".repeat(32)).unwrap();
        assert_eq!(format!("{master:?}"), "MasterKey([redacted])");
        assert!(MasterKey::parse("abc").is_err());
        assert!(!format!("{:?}", keyring(1)).contains("0101"));
    }
}

//! Cursors: where a page ended and what it was filtered by, authenticated, so that one that was tampered with is refused
//! and never answered with somebody else's rows.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use serde::{Serialize, de::DeserializeOwned};
use sha2::Sha256;
use tonic::Status;

use super::status::invalid;

/// Bytes of a tag: 128 bits can't be guessed.
const TAG_LENGTH: usize = 16;

/// The layout of what cursors carry. A program that lays it out otherwise counts on, so that no cursor of another one is
/// taken for something that it isn't; its reader begins anew. It stands first: no cursor begins with a hyphen, which a
/// command line would take for an option.
const LAYOUT: u8 = 2;

/// Which list a cursor belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum List {
    Accounts = 1,
    History = 2,
    Holds = 3,
    Keys = 4,
}

fn tag(key: &[u8; 32], list: List, payload: &[u8]) -> Option<Hmac<Sha256>> {
    let mut mac = <Hmac<Sha256>>::new_from_slice(key).ok()?;
    mac.update(&[list as u8, LAYOUT]);
    mac.update(payload);
    Some(mac)
}

/// A cursor for the next page: layout, tag, and what is carried.
pub(super) fn seal<T: Serialize>(key: &[u8; 32], list: List, carried: &T) -> String {
    // Writing to memory fails for no type that cursors carry; an empty cursor would end a list.
    let payload = postcard::to_allocvec(carried).unwrap_or_default();
    let full = tag(key, list, &payload).map(|mac| mac.finalize().into_bytes()).unwrap_or_default();
    URL_SAFE_NO_PAD.encode([&[LAYOUT], &full[..TAG_LENGTH], &payload].concat())
}

/// What a cursor carries.
pub(super) fn open<T: DeserializeOwned>(key: &[u8; 32], list: List, cursor: &str) -> Result<T, Status> {
    let refused =
        || invalid("cursor", "a cursor exactly as an answer to this very list gave it; start again without one");
    let bytes = URL_SAFE_NO_PAD.decode(cursor).map_err(|_garbled| refused())?;
    let (_, tagged) = bytes.split_first().filter(|(layout, _)| **layout == LAYOUT).ok_or_else(refused)?;
    let (found, payload) = tagged.split_at_checked(TAG_LENGTH).ok_or_else(refused)?;
    let mac = tag(key, list, payload).ok_or_else(refused)?;
    mac.verify_truncated_left(found).map_err(|_forged| refused())?;
    postcard::from_bytes(payload).map_err(|_layout| refused())
}

#[cfg(test)]
mod tests {
    use super::{List, open, seal};

    #[test]
    fn a_cursor_opens_for_its_list_alone_and_never_looks_like_an_option() {
        for key in 0..=255 {
            let cursor = seal(&[key; 32], List::Keys, &key);
            assert_eq!(open::<u8>(&[key; 32], List::Keys, &cursor).ok(), Some(key));
            assert!(open::<u8>(&[key; 32], List::Holds, &cursor).is_err());
            assert!(open::<u8>(&[!key; 32], List::Keys, &cursor).is_err());
            assert!(cursor.starts_with(|first: char| first.is_ascii_alphanumeric()), "{cursor}");
        }
    }
}

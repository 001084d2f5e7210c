//! Cursors: where a page ended and what it was filtered by, authenticated, so that one that was tampered with, or that was
//! given to somebody else, is refused and never answered with somebody else's rows.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sha2::Sha256;

use super::{failure::ReadError, reader::Reader};
use crate::ledger::{AccountId, AccountKind};

/// Bytes of a tag: 128 bits can't be guessed.
const TAG_LENGTH: usize = 16;

/// The layout of what cursors carry. A program that lays it out otherwise counts on, so that no cursor of another one is
/// taken for something that it isn't; its reader begins anew. It stands first: no cursor begins with a hyphen, which a
/// command line would take for an option.
const LAYOUT: u8 = 3;

/// What is expected of a filter beside a cursor.
pub(super) const RESTATED: &str = "the same as for the page before, or nothing: the cursor carries it";

/// Which list a cursor belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum List {
    Accounts = 1,
    History = 2,
    Holds = 3,
    Keys = 4,
}

/// Where cursors are made and read: the ledger's key, the reader whom they are for, the list that they are of.
#[derive(Clone, Copy)]
pub(super) struct Seal<'a> {
    pub(super) key: &'a [u8; 32],
    pub(super) reader: Reader,
    pub(super) list: List,
}

impl Seal<'_> {
    fn tag(&self, layout: u8, payload: &[u8]) -> Option<Hmac<Sha256>> {
        let mut mac = <Hmac<Sha256>>::new_from_slice(self.key).ok()?;
        mac.update(&[self.list as u8, layout, self.reader.number()]);
        mac.update(payload);
        Some(mac)
    }

    fn sealed(&self, layout: u8, payload: &[u8]) -> String {
        let full = self.tag(layout, payload).map(|mac| mac.finalize().into_bytes()).unwrap_or_default();
        URL_SAFE_NO_PAD.encode([&[layout], &full[..TAG_LENGTH], payload].concat())
    }

    /// A cursor for the next page: layout, tag, and what is carried.
    pub(super) fn close<T: Serialize>(&self, carried: &T) -> String {
        // Writing to memory fails for no type that cursors carry; an empty cursor would end a list.
        self.sealed(LAYOUT, &postcard::to_allocvec(carried).unwrap_or_default())
    }

    /// What a cursor carries.
    pub(super) fn open<T: DeserializeOwned>(&self, cursor: &str) -> Result<T, ReadError> {
        let refused = || {
            let expected = "a cursor exactly as an answer to this very list gave it; start again without one";
            ReadError::invalid("cursor", expected)
        };
        let bytes = URL_SAFE_NO_PAD.decode(cursor).map_err(|_garbled| refused())?;
        let (_, tagged) = bytes.split_first().filter(|(layout, _)| **layout == LAYOUT).ok_or_else(refused)?;
        let (found, payload) = tagged.split_at_checked(TAG_LENGTH).ok_or_else(refused)?;
        let mac = self.tag(LAYOUT, payload).ok_or_else(refused)?;
        mac.verify_truncated_left(found).map_err(|_forged| refused())?;
        postcard::from_bytes(payload).map_err(|_layout| refused())
    }

    /// Where a page begins and what it is filtered by: as it is asked for, or as its cursor carries it.
    pub(super) fn begin(&self, cursor: Option<&str>, asked: ListCursor) -> Result<ListCursor, ReadError> {
        let Some(cursor) = cursor else { return Ok(asked) };
        let carried: ListCursor = self.open(cursor)?;
        let account_field = if self.list == List::Holds { "payer" } else { "account" };
        let checks = [
            ("kind", asked.kind.is_none() || asked.kind == carried.kind),
            (account_field, asked.account.is_none() || asked.account == carried.account),
            ("station", asked.station.is_none() || asked.station == carried.station),
        ];
        match checks.into_iter().find(|(_, same)| !same) {
            Some((field, _)) => Err(ReadError::invalid(field, RESTATED)),
            None => Ok(carried),
        }
    }

    /// The cursor that leads on to a row, where there is one.
    pub(super) fn lead_on(&self, from: ListCursor, next: Option<u64>) -> Option<String> {
        next.map(|next| self.close(&ListCursor { next, ..from }))
    }
}

/// A cursor over a list that has its rows in a fixed order: what it is filtered by, and the row that comes next.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ListCursor {
    pub(super) kind: Option<AccountKind>,
    /// The account that rows belong to: of keys, or the payer of holds.
    pub(super) account: Option<AccountId>,
    pub(super) station: Option<AccountId>,
    pub(super) next: u64,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests stop at the first surprise")]

    use super::*;

    const KEY: [u8; 32] = [7; 32];
    const OURS: Seal<'_> = Seal { key: &KEY, reader: Reader::Local, list: List::Accounts };
    const CARRIED: ListCursor =
        ListCursor { kind: Some(AccountKind::Resident), account: None, station: Some(AccountId([3; 16])), next: 300 };

    #[track_caller]
    fn refused(seal: &Seal<'_>, cursor: &str) {
        let error = seal.begin(Some(cursor), ListCursor::default()).unwrap_err();
        assert!(matches!(error, ReadError::FieldInvalid { field: "cursor", .. }), "{cursor}: {error:?}");
    }

    #[test]
    fn a_cursor_opens_for_its_own_list_reader_and_ledger_alone() {
        let cursor = OURS.close(&CARRIED);
        assert_eq!(OURS.begin(Some(&cursor), ListCursor::default()), Ok(CARRIED));
        for list in [List::History, List::Holds, List::Keys] {
            refused(&Seal { list, ..OURS }, &cursor);
        }
        refused(&Seal { reader: Reader::Public, ..OURS }, &cursor);
        refused(&Seal { key: &[8; 32], ..OURS }, &cursor);
    }

    #[test]
    fn a_cursor_of_another_layout_is_refused_however_well_it_is_sealed() {
        let payload = postcard::to_allocvec(&CARRIED).unwrap();
        assert_eq!(OURS.sealed(LAYOUT, &payload), OURS.close(&CARRIED));
        for layout in [0, LAYOUT - 1, LAYOUT + 1, u8::MAX] {
            refused(&OURS, &OURS.sealed(layout, &payload));
            let mut bytes = URL_SAFE_NO_PAD.decode(OURS.close(&CARRIED)).unwrap();
            *bytes.first_mut().unwrap() = layout;
            refused(&OURS, &URL_SAFE_NO_PAD.encode(bytes));
            // Sealed as another layout, and passed off as this one.
            let mut bytes = URL_SAFE_NO_PAD.decode(OURS.sealed(layout, &payload)).unwrap();
            *bytes.first_mut().unwrap() = LAYOUT;
            refused(&OURS, &URL_SAFE_NO_PAD.encode(bytes));
        }
        // The layout before had no reader in its tag.
        let mut mac = <Hmac<Sha256>>::new_from_slice(&KEY).unwrap();
        mac.update(&[List::Accounts as u8, 2]);
        mac.update(&payload);
        let full = mac.finalize().into_bytes();
        refused(&OURS, &URL_SAFE_NO_PAD.encode([&[2], &full[..TAG_LENGTH], &payload].concat()));
    }

    #[test]
    fn a_cursor_with_any_bit_changed_cut_off_or_added_is_refused() {
        let cursor = OURS.close(&CARRIED);
        let bytes = URL_SAFE_NO_PAD.decode(&cursor).unwrap();
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut tampered = bytes.clone();
                *tampered.get_mut(at).unwrap() ^= 1 << bit;
                refused(&OURS, &URL_SAFE_NO_PAD.encode(tampered));
            }
            refused(&OURS, &URL_SAFE_NO_PAD.encode(bytes.get(..at).unwrap()));
        }
        for length in 0..cursor.len() {
            refused(&OURS, &cursor[..length]);
        }
        for garbage in
            ["", "-", "nonsense", "\u{4e16}", " ", &format!("{cursor}A"), &format!("{cursor}="), &cursor.repeat(2)]
        {
            refused(&OURS, garbage);
        }
        refused(&OURS, &OURS.sealed(LAYOUT, b""));
        refused(&OURS, &OURS.sealed(LAYOUT, b"sealed, and no list's"));
    }

    #[test]
    fn a_filter_beside_a_cursor_is_the_one_it_carries_or_none() {
        let cursor = OURS.close(&CARRIED);
        let with = |asked: ListCursor| OURS.begin(Some(&cursor), asked);
        assert_eq!(with(ListCursor { next: 0, ..CARRIED }), Ok(CARRIED));
        let (other, nobody) = (Some(AccountId([4; 16])), ListCursor::default());
        for (field, asked) in [
            ("kind", ListCursor { kind: Some(AccountKind::Station), ..CARRIED }),
            ("account", ListCursor { account: other, ..CARRIED }),
            ("station", ListCursor { station: other, ..nobody }),
        ] {
            assert_eq!(with(asked), Err(ReadError::invalid(field, RESTATED)));
        }
        let holds = Seal { list: List::Holds, ..OURS };
        let asked = ListCursor { account: other, ..nobody };
        assert_eq!(holds.begin(Some(&holds.close(&CARRIED)), asked), Err(ReadError::invalid("payer", RESTATED)));
    }

    #[test]
    fn no_cursor_looks_like_an_option() {
        for key in 0..=255 {
            let cursor = Seal { key: &[key; 32], ..OURS }.close(&key);
            assert!(cursor.starts_with(|first: char| first.is_ascii_alphanumeric()), "{cursor}");
        }
    }
}

//! [Cosignatures] of C2SP, `cosignature/v1`: a witness signs that a checkpoint is the newest one it knows at a time.
//!
//! [Cosignatures]: https://c2sp.org/tlog-cosignature

use ed25519_zebra::SigningKey;

use super::{
    WitnessKey,
    note::{Note, NoteSignature},
};
use crate::format::signature::{self, Claim};

/// Seconds since 1970 that a cosignature can't be beyond.
const TIME_S_MAX: u64 = i64::MAX.cast_unsigned();

/// Why a note with a line in the name of a witness isn't cosigned by it. In order of precedence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CosignatureError {
    /// Not eight bytes of time and 64 of signature.
    #[error("the cosignature of {name} has {found} bytes, expected 72")]
    LengthMismatch {
        /// The witness, as its own key is named.
        name: String,
        /// Bytes of the line's base64, after the four of the key hash.
        found: usize,
    },
    /// No time at all, or one beyond 2^63 - 1 seconds.
    #[error("the cosignature of {name} has the time {time_s}, expected 1 to 2^63 - 1 seconds")]
    TimeOutOfRange {
        /// The witness, as its own key is named.
        name: String,
        /// In seconds since 1970.
        time_s: u64,
    },
    /// Not by that key, or not over that time and text.
    #[error("the cosignature of {name} is invalid")]
    SignatureInvalid {
        /// The witness, as its own key is named.
        name: String,
    },
}

/// What is signed.
fn message(time_s: u64, text: &str) -> String {
    format!("cosignature/v1\ntime {time_s}\n{text}")
}

/// Cosigns the text of a checkpoint, and gives the line that goes below it. `name` and `key` are those of the witness.
#[must_use]
pub fn cosign(text: &str, name: &WitnessKey, time_s: u64, key: &SigningKey) -> String {
    let signed = key.sign(message(time_s, text).as_bytes()).to_bytes();
    let signature = [time_s.to_be_bytes().as_slice(), &signed].concat();
    NoteSignature { name: name.name(), key_hash: name.key_hash(), signature }.to_string()
}

/// The line by which a witness cosigned a note, and when, in seconds since 1970. Only the first line in its name
/// counts, as with other signatures.
///
/// # Errors
/// In the order of [`CosignatureError`]. A note whose line in the name of a known witness is wrong is malformed, whoever
/// else cosigned it.
pub fn cosigned<'n, 'a>(
    note: &'n Note<'a>,
    witness: &WitnessKey,
) -> Result<Option<(&'n NoteSignature<'a>, u64)>, CosignatureError> {
    let is_its = |line: &&NoteSignature<'a>| (line.name, line.key_hash) == (witness.name(), witness.key_hash());
    let Some(line) = note.signatures().iter().find(is_its) else { return Ok(None) };
    let name = || witness.name().to_owned();
    let length = || CosignatureError::LengthMismatch { name: name(), found: line.signature.len() };
    let (time, signature) = line.signature.split_first_chunk::<8>().ok_or_else(length)?;
    let Ok(signature) = signature.try_into() else { return Err(length()) };
    let time_s = u64::from_be_bytes(*time);
    if time_s == 0 || time_s > TIME_S_MAX {
        return Err(CosignatureError::TimeOutOfRange { name: name(), time_s });
    }
    let message = message(time_s, note.text());
    if signature::verify(Claim { public_key: *witness.public_key(), signature, message: message.as_bytes() }) {
        Ok(Some((line, time_s)))
    } else {
        Err(CosignatureError::SignatureInvalid { name: name() })
    }
}

/// A signed note and the lines of witnesses below it, of each witness its own: only those that verify where they stand, so
/// that no line makes the note worth less to those who refuse it for one that is wrong.
#[must_use]
pub fn below<'a>(note: &str, lines: impl IntoIterator<Item = (&'a WitnessKey, &'a str)>) -> String {
    let mut cosigned_note = note.to_owned();
    for (witness, line) in lines {
        let grown = format!("{cosigned_note}{line}");
        let verifies = Note::parse(grown.as_bytes()).is_ok_and(|parsed| {
            // The text is still the note's, which has a blank line right after it.
            let is_its_text = note.strip_prefix(parsed.text()).is_some_and(|rest| rest.starts_with('\n'));
            is_its_text && matches!(cosigned(&parsed, witness), Ok(Some(_)))
        });
        if verifies {
            cosigned_note = grown;
        }
    }
    cosigned_note
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests stop at the first surprise")]

    use super::*;
    use crate::format::{checkpoint, signature::PrivateKey};

    const NAME: &str = "witness.example/w1";

    fn witness(seed: u8) -> (PrivateKey, WitnessKey) {
        let key = PrivateKey::from_seed([seed; 32]);
        let name = WitnessKey::new(NAME, key.public_key()).unwrap();
        (key, name)
    }

    fn note() -> String {
        checkpoint::sign("timebank.example", 3, &[7; 32], PrivateKey::from_seed([1; 32]).signing_key())
    }

    fn text() -> String {
        Note::parse(note().as_bytes()).unwrap().text().to_owned()
    }

    fn check(note: &str, expected: &Result<Option<u64>, CosignatureError>) {
        let note = Note::parse(note.as_bytes()).unwrap();
        let found = cosigned(&note, &witness(2).1).map(|found| found.map(|(_, time_s)| time_s));
        assert_eq!(&found, expected, "{note:?}");
    }

    #[test]
    fn a_cosigned_checkpoint_says_when() {
        let (key, name) = witness(2);
        check(&note(), &Ok(None));
        for time_s in [1, 1_679_315_147, TIME_S_MAX] {
            check(&format!("{}{}", note(), cosign(&text(), &name, time_s, key.signing_key())), &Ok(Some(time_s)));
        }
    }

    #[test]
    fn a_cosignature_without_a_time_or_beyond_all_times_is_refused() {
        let (key, name) = witness(2);
        for time_s in [0, TIME_S_MAX + 1] {
            let cosigned = format!("{}{}", note(), cosign(&text(), &name, time_s, key.signing_key()));
            check(&cosigned, &Err(CosignatureError::TimeOutOfRange { name: NAME.into(), time_s }));
        }
    }

    #[test]
    fn a_cosignature_over_another_time_or_text_is_invalid() {
        let (key, name) = witness(2);
        let invalid = || Err(CosignatureError::SignatureInvalid { name: NAME.into() });
        let other = text().replace("\n3\n", "\n4\n");
        check(&format!("{}{}", note(), cosign(&other, &name, 9, key.signing_key())), &invalid());
        let signed = key.sign(message(9, &text()).as_bytes());
        let at = |time_s: u64| [time_s.to_be_bytes().as_slice(), &signed].concat();
        let line = |signature| NoteSignature { name: NAME, key_hash: name.key_hash(), signature }.to_string();
        check(&format!("{}{}", note(), line(at(9))), &Ok(Some(9)));
        check(&format!("{}{}", note(), line(at(10))), &invalid());
        // Signed as a note is, without a time in front of the text.
        let plain = [9_u64.to_be_bytes().as_slice(), &key.sign(text().as_bytes())].concat();
        check(&format!("{}{}", note(), line(plain)), &invalid());
        let short = |found| Err(CosignatureError::LengthMismatch { name: NAME.into(), found });
        check(&format!("{}{}", note(), line(signed.to_vec())), &short(64));
        check(&format!("{}{}", note(), line(vec![1])), &short(1));
    }

    #[test]
    fn a_cosignature_of_another_key_is_not_looked_at_and_the_first_of_a_key_counts() {
        let ((key, name), (other, other_name)) = (witness(2), witness(3));
        let (good, text) = (cosign(&text(), &name, 9, key.signing_key()), text());
        let foreign = cosign(&text, &other_name, 9, other.signing_key());
        check(&format!("{}{foreign}", note()), &Ok(None));
        let again = cosign(&text, &name, 10, key.signing_key());
        check(&format!("{}{foreign}{good}{again}", note()), &Ok(Some(9)));
    }

    #[test]
    fn only_lines_that_verify_stand_below_a_note() {
        let ((key, name), (other_key, other)) = (witness(2), witness(3));
        let line = |text: &str| cosign(text, &name, 9, key.signing_key());
        let other_line = cosign(&text(), &other, 9, other_key.signing_key());
        let (note, valid) = (note(), line(&text()));
        let check = |lines: &[(&WitnessKey, &str)], expected: &[&str]| {
            assert_eq!(below(&note, lines.iter().copied()), format!("{note}{}", expected.concat()), "{lines:?}");
        };
        check(&[(&name, &valid), (&other, &other_line)], &[&valid, &other_line]);
        let moved = format!("evil\n\n{}", line(&format!("{note}evil\n")));
        for bad in [line("other\n"), moved, "evil\n".to_owned(), other_line.clone(), String::new()] {
            check(&[(&name, &bad), (&other, &other_line)], &[&other_line]);
        }
    }
}

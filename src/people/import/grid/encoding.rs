//! Bytes as text: marks, encodings, and guesses at them.

use encoding_rs::{BIG5, DecoderResult, Encoding, GB18030, SHIFT_JIS, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

use super::{Problem, text::line_ends};

/// Bytes looked at for a guess, from the first that isn't ASCII on: as much as a thousand rows.
const SAMPLE_BYTES: usize = 256 * 1_024;
/// Share of characters that must be common ones, in percent, and how far the best must be ahead of the next.
const COMMON_MIN: usize = 80;
const AHEAD_MIN: usize = 15;

/// Characters that tables of people, places and hours are full of, simplified and traditional: what decides where a
/// short text makes sense in two encodings.
const FREQUENT: &str = "的一是在不了有人我他这個个上们来到时大地为子中你说生国年着就那和要她出也得里后自以会家可下而过天去能对小多\
                        王李张張刘劉陈陳杨楊黄黃赵趙吴吳周徐孙孫马馬朱胡郭何高林罗羅郑鄭梁谢謝宋唐许許邓鄧冯馮韩韓曹曾蔡\
                        姓名日月期时時间間分钟鐘小服务務地点點站号號志愿願者义義工社区區老活动動街道路村市县縣省明华華红紅\
                        丽麗伟偉芳秀英娜敏静靜强強军軍洋勇艳艷杰傑涛濤";

/// What bytes were decoded to.
pub(super) struct Decoded {
    pub(super) text: String,
    pub(super) encoding: &'static Encoding,
    /// Whether a byte order mark named the encoding; it is no part of the text.
    pub(super) bom: bool,
}

/// Decodes a file: by its mark, else by the label given, else as UTF-8.
///
/// # Errors
///
/// In this order: [`Problem::UnknownEncoding`], [`Problem::Nul`] (of bytes, so not for UTF-16), [`Problem::Cut`] or
/// [`Problem::Encoding`], [`Problem::Nul`] of text.
pub(super) fn decode(bytes: Vec<u8>, label: Option<&str>) -> Result<Decoded, Problem> {
    let named =
        label.map(|label| named(label).ok_or_else(|| Problem::UnknownEncoding(label.to_owned()))).transpose()?;
    let mark = Encoding::for_bom(&bytes);
    let (encoding, skipped) = mark.unwrap_or((named.unwrap_or(UTF_8), 0));
    let wide = encoding == UTF_16LE || encoding == UTF_16BE;
    if let Some(position) = bytes.iter().position(|byte| *byte == 0).filter(|_| !wide) {
        let before = String::from_utf8_lossy(bytes.get(..position).unwrap_or_default());
        return Err(Problem::Nul { line: line_ends(&before) + 1 });
    }
    let text = if encoding == UTF_8 && mark.is_none() {
        // The usual case copies nothing.
        String::from_utf8(bytes).map_err(|error| {
            let (valid, at_end) = (error.utf8_error().valid_up_to(), error.utf8_error().error_len().is_none());
            let bytes = error.into_bytes();
            let valid = String::from_utf8_lossy(bytes.get(..valid).unwrap_or_default());
            Fault { line: line_ends(&valid) + 1, at_end }.problem(&bytes, encoding)
        })?
    } else {
        strict(bytes.get(skipped..).unwrap_or_default(), encoding).map_err(|fault| fault.problem(&bytes, encoding))?
    };
    match text.find('\0') {
        Some(position) => Err(Problem::Nul { line: line_ends(text.get(..position).unwrap_or_default()) + 1 }),
        None => Ok(Decoded { text, encoding, bom: mark.is_some() }),
    }
}

/// An encoding by its name on the web, or by Windows' number for it.
fn named(label: &str) -> Option<&'static Encoding> {
    let number = label.trim().to_ascii_lowercase();
    let label = match number.trim_start_matches("cp").trim_start_matches('-') {
        "936" | "54936" => "gb18030",
        "950" => "big5",
        "932" => "shift_jis",
        "949" => "euc-kr",
        "1200" => "utf-16le",
        "65001" => "utf-8",
        _ => label,
    };
    Encoding::for_label_no_replacement(label.as_bytes())
}

/// Where decoding stopped.
struct Fault {
    line: u64,
    at_end: bool,
}

impl Fault {
    fn problem(&self, bytes: &[u8], encoding: &'static Encoding) -> Problem {
        let (line, name) = (self.line, encoding.name());
        if self.at_end {
            return Problem::Cut { line, encoding: name };
        }
        let guess = guess_encoding(bytes).into_iter();
        let others = [GB18030, WINDOWS_1252, BIG5].into_iter();
        let mut candidates: Vec<String> = Vec::new();
        for candidate in guess.chain(others).filter(|candidate| *candidate != encoding) {
            // Its most usual name; whoever writes Latin-1 on Windows means Windows' own.
            let candidate =
                if candidate == WINDOWS_1252 { "latin1".to_owned() } else { candidate.name().to_lowercase() };
            let candidate = format!("\"{candidate}\"");
            if !candidates.contains(&candidate) {
                candidates.push(candidate);
            }
        }
        Problem::Encoding { line, encoding: name, candidates: candidates.join(" or ") }
    }
}

/// Decodes without replacing anything.
fn strict(bytes: &[u8], encoding: &'static Encoding) -> Result<String, Fault> {
    let mut decoder = encoding.new_decoder_without_bom_handling();
    // Most letters are ASCII in most files; the rest is added as it comes.
    let mut text = String::with_capacity(bytes.len() + bytes.len() / 8 + 16);
    let mut rest = bytes;
    loop {
        let (result, read) = decoder.decode_to_string_without_replacement(rest, &mut text, true);
        rest = rest.get(read..).unwrap_or_default();
        match result {
            DecoderResult::InputEmpty => return Ok(text),
            DecoderResult::OutputFull => text.reserve(rest.len() + rest.len() / 2 + 16),
            DecoderResult::Malformed(..) => {
                return Err(Fault { line: line_ends(&text) + 1, at_end: rest.is_empty() });
            }
        }
    }
}

/// The encoding that bytes are most likely in: what a byte order mark says, UTF-8 where they are valid, else UTF-16
/// without its mark, GB18030, Big5, Shift JIS or Windows-1252. None where two are about as likely, or none is.
///
/// It is a guess for suggestions: text of some ten Chinese characters or three accented words is told reliably; other
/// alphabets (Cyrillic, Greek, Central European ones) aren't known.
#[must_use]
pub(crate) fn guess_encoding(bytes: &[u8]) -> Option<&'static Encoding> {
    if let Some((encoding, _)) = Encoding::for_bom(bytes) {
        return Some(encoding);
    }
    if bytes.contains(&0) {
        return wide(bytes.get(..SAMPLE_BYTES & !1).unwrap_or(bytes));
    }
    if std::str::from_utf8(bytes).is_ok() {
        return Some(UTF_8);
    }
    let from = bytes.iter().position(|byte| !byte.is_ascii())?.saturating_sub(1);
    let sample = bytes.get(from..)?;
    let sample = sample.get(..SAMPLE_BYTES).unwrap_or(sample);
    let mut scores: Vec<(usize, usize, &'static Encoding)> = [
        (GB18030, double(sample, |lead, next| next >= 0xA1 && matches!(lead, 0xA1..=0xA3 | 0xB0..=0xD7), false)),
        (BIG5, double(sample, |lead, _| matches!(lead, 0xA1..=0xC6), false)),
        (SHIFT_JIS, double(sample, |lead, _| matches!(lead, 0x81..=0x83 | 0x88..=0x97), true)),
        (WINDOWS_1252, western(sample)),
    ]
    .into_iter()
    .filter_map(|(encoding, common)| {
        let mut text = String::with_capacity(sample.len() * 3);
        let mut decoder = encoding.new_decoder_without_bom_handling();
        let (result, _) = decoder.decode_to_string_without_replacement(sample, &mut text, false);
        let strange = text.chars().filter(|sign| !sign.is_ascii()).count().max(1);
        let frequent = text.chars().filter(|sign| FREQUENT.contains(*sign)).count();
        matches!(result, DecoderResult::InputEmpty).then_some((common + frequent * 100 / strange, common, encoding))
    })
    .collect();
    scores.sort_by_key(|(score, _, _)| std::cmp::Reverse(*score));
    let (best, common, encoding) = scores.first()?;
    let next = scores.get(1).map_or(0, |(score, _, _)| *score);
    (*common >= COMMON_MIN && *best >= next + AHEAD_MIN).then_some(*encoding)
}

/// Of characters of two bytes, how many in a hundred are common; `single` where a byte from 0xA1 to 0xDF stands alone.
fn double(bytes: &[u8], is_common: impl Fn(u8, u8) -> bool, single: bool) -> usize {
    let (mut all, mut common, mut rest) = (0, 0, bytes);
    while let Some((lead, after)) = rest.split_first() {
        rest = after;
        if lead.is_ascii() {
            continue;
        }
        all += 1;
        if single && matches!(lead, 0xA1..=0xDF) {
            continue;
        }
        let Some((next, after)) = after.split_first() else { break };
        rest = after;
        common += usize::from(is_common(*lead, *next));
    }
    common * 100 / all.max(1)
}

/// Of bytes beyond ASCII, how many in a hundred stand as accented letters do in words, or as signs beside ASCII.
fn western(bytes: &[u8]) -> usize {
    let (mut all, mut common) = (0, 0);
    for run in bytes.chunk_by(|left, right| left.is_ascii() == right.is_ascii()).collect::<Vec<_>>().windows(3) {
        let [before, run, after] = run else { continue };
        if run.first().is_none_or(u8::is_ascii) {
            continue;
        }
        all += run.len();
        let beside = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphabetic);
        let in_word = beside(before.last()) || beside(after.first());
        // All of the last two rows but the signs for times and by.
        let is_latin = |byte: &u8| *byte >= 0xC0 && ![0xD7, 0xF7].contains(byte);
        let is_letter = |byte: &u8| is_latin(byte) || matches!(byte, 0x8A | 0x8C | 0x8E | 0x9A | 0x9C | 0x9E | 0x9F);
        let is_sign = |byte: &u8| {
            matches!(byte, 0x80 | 0x85 | 0x91..=0x97 | 0xA0 | 0xA3 | 0xA7 | 0xAA | 0xAB | 0xB0 | 0xBA | 0xBB)
        };
        let fits = |byte: &u8| is_sign(byte) || is_letter(byte) && in_word;
        if run.len() <= 2 {
            common += run.iter().filter(|byte| fits(byte)).count();
        }
    }
    common * 100 / all.max(1)
}

/// UTF-16 without its mark: the order in which ASCII makes up more of it, if no character is NUL.
fn wide(bytes: &[u8]) -> Option<&'static Encoding> {
    let (pairs, []) = bytes.as_chunks::<2>() else { return None };
    let ascii = |order: fn([u8; 2]) -> u16| {
        let is_ascii = |pair: &&[u8; 2]| matches!(order(**pair), 0x09 | 0x0A | 0x0D | 0x20..=0x7E);
        pairs.iter().filter(is_ascii).count()
    };
    if pairs.contains(&[0, 0]) {
        return None;
    }
    let (little, big) = (ascii(u16::from_le_bytes), ascii(u16::from_be_bytes));
    let enough = |count: usize, other: usize| count * 10 >= pairs.len() && count >= other * 4;
    match (enough(little, big), enough(big, little)) {
        (true, false) => Some(UTF_16LE),
        (false, true) => Some(UTF_16BE),
        (true, true) | (false, false) => None,
    }
}

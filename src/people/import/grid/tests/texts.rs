//! Delimited texts.

use encoding_rs::{BIG5, Encoding, GB18030, SHIFT_JIS, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

use super::{super::text::rows, super::*, error_of, rows_of, shown};

fn parsed(text: &str) -> Vec<(u64, Vec<String>)> {
    rows_of(text, &Options::default())
}

fn texts(rows: &[(u64, &[&str])]) -> Vec<(u64, Vec<String>)> {
    rows.iter().map(|(number, cells)| (*number, cells.iter().map(|cell| (*cell).to_owned()).collect())).collect()
}

#[test]
fn lines_are_counted_as_editors_do() {
    let lines = ["id,note", "1,x", "", " , ", "2,\"a", "", "b\"", ",,,", "3,y"];
    for end in ["\n", "\r\n", "\r"] {
        let note = format!("a{end}{end}b");
        let expected = texts(&[(1, &["id", "note"]), (2, &["1", "x"]), (5, &["2", &note]), (9, &["3", "y"])]);
        for last in ["", end] {
            assert_eq!(parsed(&(lines.join(end) + last)), expected, "{end:?} {last:?}");
        }
    }
    assert_eq!(parsed("a\rb\n\rc\r\n\nd"), texts(&[(1, &["a"]), (2, &["b"]), (4, &["c"]), (6, &["d"])]));
    assert_eq!(parsed("\u{feff}\n\u{a0},\u{3000}\na,"), texts(&[(3, &["a", ""])]));
}

#[test]
fn quotes_mean_something_only_at_the_start_of_a_cell() {
    for (text, cells) in [
        ("\"a,b\",c", &["a,b", "c"][..]),
        ("\"a\"\"b\",\"\"", &["a\"b", ""]),
        ("\"\"\"\"", &["\""]),
        ("20\" cut,c", &["20\" cut", "c"]),
        ("=\"0042\",c", &["=\"0042\"", "c"]),
        (" \"a\",b\"", &[" \"a\"", "b\""]),
        ("\"a\",", &["a", ""]),
        (" a , b ", &[" a ", " b "]),
        ("张三,，", &["张三", "，"]),
    ] {
        for end in ["", "\n", "\r\n", "\r"] {
            assert_eq!(parsed(&format!("{text}{end}")), texts(&[(1, cells)]), "{text:?} {end:?}");
        }
    }
    for (text, expected) in [
        ("a,b\n1,\"x\n2,y\n", "the quote opened on line 2 is never closed"),
        ("a,b\n1,\"\"\"x", "opened on line 2 is never closed"),
        ("\"", "opened on line 1"),
        ("a,b\n\"x\" ,y\n", "line 2: ' ' follows the quote that closes a cell begun on line 2"),
        ("a,b\n1,\"x\n2,\"y\"\n", "line 3: 'y' follows the quote that closes a cell begun on line 2"),
        ("a,b\r\n\r\n1,\"x\"\"y\"z\r\n", "line 3: 'z' follows"),
    ] {
        let found = error_of(text, &Options::default());
        assert!(found.contains(expected), "{found}");
    }
}

#[test]
fn a_quote_that_swallows_rows_is_told_from_a_note_over_lines() {
    let wide = "id,who,at,from,to\n1,ann,s1,9,10\n2,bob,s1,9,10\n3,cat,s1,9,10\n4,dan,s1,9,10\n";
    let swallowed = |text: &str| match rows(text, 1, ',') {
        Ok(rows) => Ok(rows.len()),
        Err(Problem::QuoteSwallows { opened, line }) => Err((opened, line)),
        Err(problem) => panic!("{problem}"),
    };
    let thrice = "id,who,note\n1,ann,fine\n2,bob,fine\n3,cat,fine\n4,dan,fine\n";
    let twice = "id,note\n1,fine\n2,good\n3,fine\n4,good\n";
    let words = "name,place\nann,park\nbob,park\ncat,hall\n";
    for (text, expected) in [
        // A quote too many before a cell on one row, and one on a later row.
        (wide.replace("1,ann,s1", "1,\"ann,s1").replace("3,cat,s1,9,10", "3,cat,s1,9,10\""), Err((2, 3))),
        (wide.replace("2,bob", "2,\"bob").replace("3,cat,s1,9,10", "3,cat,s1,9\",10"), Err((3, 4))),
        (wide.replace("1,ann", "\"1,ann").replace("2,bob,s1,9,10", "2,bob,s1,9,10\""), Err((2, 3))),
        // Notes.
        (wide.replace("bob", "\"came late\nleft early\""), Ok(5)),
        (wide.replace("bob", "\"came late, sorry\nleft early, too, sorry\nback, at nine\""), Ok(5)),
        // Few columns.
        (thrice.replace("1,ann,fine", "1,\"ann,fine").replace("2,bob,fine", "2,bob\",fine"), Err((2, 3))),
        (thrice.replace("1,ann,fine", "1,ann,\"fine").replace("3,cat,fine", "3,cat,fine\""), Err((2, 3))),
        (thrice.replace("2,bob,fine", "2,bob,\"came late, sorry\nleft early, too\nwell, well, well\""), Ok(5)),
        (thrice.replace("2,bob,fine", "2,bob,\"fine\narrived at 9, left at 10\""), Ok(5)),
        (twice.replace("1,fine", "1,\"fine").replace("3,fine", "3,fine\""), Err((2, 3))),
        (twice.replace("2,good", "2,\"came late, sorry\nleft early, too\""), Ok(5)),
        (twice.replace("2,good", "2,\"came late\nleft early\n\n- well\""), Ok(5)),
        (words.replace("ann,park", "ann,\"park").replace("cat,hall", "cat,hall\""), Err((2, 3))),
        (words.replace("park", "\"park\nnear the gate\""), Ok(4)),
    ] {
        assert_eq!(swallowed(&text), expected, "{text}");
    }
}

#[test]
fn excels_own_line_sets_the_delimiter_and_is_no_row() {
    for (text, delimiter) in
        [("sep=;\r\na;b\r\n", ';'), ("SEP=\t\na\tb", '\t'), ("\u{feff}\"sep=|\"\ra|b", '|'), ("Sep=，\na，b", '，')]
    {
        let options = Options { delimiter: Some('#'), ..Options::default() };
        let (rows, form) = read_bytes(text.into(), &options).unwrap();
        assert_eq!(shown(&rows), [(2, vec!["a", "b"])], "{text:?}");
        assert!(matches!(form, Form::Text { delimiter: found, .. } if found == delimiter), "{text:?}");
    }
    let options = |delimiter| Options { delimiter: Some(delimiter), ..Options::default() };
    assert_eq!(rows_of("sep=;;\na;b", &options(';'))[0].0, 1);
    assert_eq!(rows_of("a；b；c", &options('；')), texts(&[(1, &["a", "b", "c"])]));
    assert!(error_of("a\"b", &options('"')).contains("cannot part cells"));
    assert!(error_of("sep=\"\na", &options(',')).contains("cannot part cells"));
}

#[test]
fn texts_are_decoded_strictly() {
    let named = |encoding: &str| Options { encoding: Some(encoding.to_owned()), ..Options::default() };
    let wide = |text: &str, bytes: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(bytes).collect::<Vec<u8>>();
    let gb = GB18030.encode("id,who\n1,张三\n").0.into_owned();
    for (bytes, options, encoding, bom) in [
        (b"\xef\xbb\xbfid,who\n1,\xe5\xbc\xa0\xe4\xb8\x89\n".to_vec(), named("gb18030"), UTF_8, true),
        (gb.clone(), named("GBK"), encoding_rs::GBK, false),
        (gb.clone(), named("cp936"), GB18030, false),
        (BIG5.encode("id,who\n1,張三\n").0.into_owned(), named("big5"), BIG5, false),
        (wide("\u{feff}id,who\n1,张三\n", u16::to_le_bytes), Options::default(), UTF_16LE, true),
        (wide("\u{feff}id,who\n1,张三\n", u16::to_be_bytes), named("utf-8"), UTF_16BE, true),
        (wide("id,who\n1,张三\n", u16::to_le_bytes), named("utf-16le"), UTF_16LE, false),
    ] {
        let (rows, form) = read_bytes(bytes, &options).unwrap();
        assert!(["张三", "張三"].contains(&rows[1].cells.get(1).unwrap()), "{encoding:?}");
        assert_eq!(form, Form::Text { encoding, bom, delimiter: ',', crlf: false });
    }
    let none = Options::default;
    let latin = b"id,who\r\n1,Andr\xe9,\r\n".to_vec();
    for (bytes, options, expected) in [
        (latin.clone(), none(), "line 2 is not UTF-8: set `encoding`, for example \"latin1\""),
        (gb.clone(), none(), "line 2 is not UTF-8: set `encoding`, for example \"gb18030\" or \"latin1\""),
        (latin.clone(), named("gb18030"), "line 2 is not gb18030: set `encoding`, for example \"latin1\" or"),
        ([gb.as_slice(), "2,李四\n".as_bytes()].concat(), none(), "line 2 is not UTF-8"),
        ([b"id,who\n1,\xe5\xbc\xa0\n".as_slice(), &gb[7..]].concat(), none(), "line 3 is not UTF-8"),
        (latin, named("klingon"), "encoding \"klingon\" is unknown; expected utf-8"),
        (b"id,who\n1,\xe5\xbc".to_vec(), none(), "line 2, the last, ends amid a character of UTF-8"),
        (gb[..gb.len() - 2].to_vec(), named("gb18030"), "line 2, the last, ends amid a character of gb18030"),
        (b"a\nb\0c\n".to_vec(), none(), "line 2 holds NUL bytes: it is no text; is it UTF-16"),
        (wide("id,张\n", u16::to_le_bytes), none(), "line 1 holds NUL bytes"),
        (b"\xff\xfea\0\n\0\0\0".to_vec(), none(), "line 2 holds NUL bytes"),
        (b"\xff\xfea\0b".to_vec(), none(), "line 1, the last, ends amid a character of UTF-16LE"),
    ] {
        let found = error_of(bytes, &options);
        assert!(found.contains(expected), "{found}");
    }
    assert_eq!(rows_of(b"1,Andr\xe9".to_vec(), &named("latin1")), texts(&[(1, &["1", "André"])]));
}

#[test]
fn encodings_are_guessed_honestly() {
    let chinese = "姓名,服务时间,地点\n张伟,2026-03-05,社区活动中心\n李娜,2026-03-06,街道办事处\n";
    let taiwan = "姓名,服務時間,地點\n陳志明,2026-03-05,社區活動中心\n林淑芬,2026-03-06,老人服務站\n";
    let japan = "名前,日付,場所\n田中さくら,2026-03-05,公民館でのボランティア\n鈴木たろう,2026-03-06,図書館\n";
    let france = "nom,lieu\nAndré Léger,Orléans\nZoë Müller,Besançon – «Accueil»\n";
    for (text, encoding) in
        [(chinese, GB18030), (taiwan, BIG5), (japan, SHIFT_JIS), (france, WINDOWS_1252), ("id,张三", GB18030)]
    {
        assert_eq!(guess_encoding(&encoding.encode(text).0), Some(encoding), "{text}");
        assert_eq!(guess_encoding(text.as_bytes()), Some(UTF_8));
        let utf_16 = |bytes: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(bytes).collect::<Vec<u8>>();
        assert_eq!(guess_encoding(&utf_16(u16::to_le_bytes)), Some(UTF_16LE), "{text}");
        assert_eq!(guess_encoding(&utf_16(u16::to_be_bytes)), Some(UTF_16BE), "{text}");
    }
    assert_eq!(guess_encoding(b"plain"), Some(UTF_8));
    assert_eq!(guess_encoding(b"\xff\xfe"), Some(UTF_16LE));
    let russian = Encoding::for_label(b"windows-1251").unwrap().encode("имя,место\nАнна Иванова,парк\n").0;
    for unsure in [&b"\xe9"[..], b"\0\0\0\0", b"a\0b", b"\x80\xff\xff\x80\xff", &russian] {
        assert_eq!(guess_encoding(unsure), None, "{unsure:x?}");
    }
}

#[test]
fn delimiters_are_guessed_by_even_rows() {
    for (text, expected) in [
        ("a,b\n1,2\n", Some(',')),
        ("name;hours;day\nAnna;1,5;2026\nBob;2,5;2026\n", Some(';')),
        ("a\tb\tc\n1,5\t2\t3\n", Some('\t')),
        ("a|b\n1|2", Some('|')),
        ("sep=;\na,b\n1,2", Some(';')),
        ("a,\"x;y;z\"\n1,\"x;y;z\"\n", Some(',')),
        ("a,b\n1,\"x\ny\",3\n2,3\n4,5\n6,7\n7,8\n", Some(',')),
        ("name\nann\n", None),
        ("a,b\nc\nd\n", None),
        ("", None),
    ] {
        assert_eq!(guess_delimiter(text), expected, "{text:?}");
    }
}

//! The recorder and the model of a disk on traces that fit a line: what they take for synced, and what they refuse.

use std::path::{Path, PathBuf};

use super::{
    disk::{Disk, Image},
    fate::{Chance, Kind},
    recorder::Recorder,
    trace,
};

const ROOT: &str = "/r";

/// A trace in letters as they are read: `strace -xx` writes all texts and paths in hexadecimal.
fn traced(text: &str) -> String {
    let mut traced = String::new();
    for (number, part) in text.split('`').enumerate() {
        traced += &if number % 2 == 0 { part.to_owned() } else { trace::escaped(part.as_bytes()) };
    }
    traced
}

fn recorded(text: &str, left: &[(&str, &str)]) -> Result<Disk, String> {
    let mut recorder = Recorder::new(Path::new(ROOT), &Image::default());
    recorder.take(&trace::parse(&traced(text), 1)?, &image(left))?;
    Ok(recorder.disk)
}

fn image(files: &[(&str, &str)]) -> Image {
    Image(files.iter().map(|(path, text)| (PathBuf::from(path), Some(text.as_bytes().to_vec()))).collect())
}

/// A folder after a power cut, where all that isn't synced is lost, or kept.
fn after(disk: &Disk, line: usize, kind: Kind) -> Image {
    disk.image(line, &mut Chance::new(kind, &[], fastrand::Rng::with_seed(1)))
}

/// A file is made, written, synced and named, and its folder synced, while another thread goes on.
const REPLACED: &str = r#"10 openat(AT_FDCWD<`/`>, "`/r/new`", O_RDWR|O_CREAT|O_EXCL, 0600) = 3<`/r/new`>
10 write(3<`/r/new`>, "`word`", 4 <unfinished ...>
11 openat(AT_FDCWD<`/`>, "`/r`", O_RDONLY|O_CLOEXEC) = 4<`/r`>
10 <... write resumed>) = 4
10 fsync(3<`/r/new`> <unfinished ...>
11 sync_file_range(3<`/r/new`>, 0, 4, SYNC_FILE_RANGE_WRITE) = 0
10 <... fsync resumed>) = 0
10 rename("`/r/new`", "`/r/file`") = 0
11 fsync(4<`/r`>) = 0
10 +++ exited with 0 +++
"#;

#[test]
fn a_sync_counts_once_it_has_returned_and_a_name_once_its_folder_is_synced() {
    let disk = recorded(REPLACED, &[("file", "word")]).unwrap();
    let check = |line: usize, kind: Kind, expected: &[(&str, &str)]| {
        assert_eq!(after(&disk, line, kind), image(expected), "after line {line}, {}", kind.name());
    };
    check(1, Kind::AllLost, &[]);
    check(1, Kind::AllKept, &[("new", "")]);
    check(2, Kind::AllKept, &[("new", "word")]);
    check(6, Kind::OnlyNames, &[("new", "")]);
    check(6, Kind::Zeros, &[("new", "\0\0\0\0")]);
    check(7, Kind::OnlyNames, &[("new", "word")]);
    check(7, Kind::AllLost, &[]);
    check(8, Kind::AllLost, &[]);
    check(8, Kind::AllKept, &[("file", "word")]);
    check(9, Kind::AllLost, &[("file", "word")]);
}

#[test]
fn a_sync_covers_only_what_had_ended_when_it_began() {
    let text = r#"10 openat(AT_FDCWD<`/`>, "`/r/a`", O_RDWR|O_CREAT, 0600) = 3<`/r/a`>
10 pwrite64(3<`/r/a`>, "`1`", 1, 0) = 1
10 pwrite64(3<`/r/a`>, "`2`", 1, 1 <unfinished ...>
11 fdatasync(3<`/r/a`>) = 0
10 <... pwrite64 resumed>) = 1
10 fdatasync(3<`/r/a`> <unfinished ...>
"#;
    let disk = recorded(text, &[("a", "12")]).unwrap();
    let kept = |line: usize| disk.begun(line).iter().map(|(_, is_synced)| *is_synced).collect::<Vec<_>>();
    assert_eq!(kept(4), [false, true, false], "a name, a write, and one that was under way");
    assert_eq!(kept(6), [false, true, false], "the second sync never returns");
}

#[test]
fn torn_writes_keep_whole_sectors_of_what_the_cache_had() {
    let (old, new) = ("o".repeat(8_192), "n".repeat(8_192));
    let text = format!(
        r#"10 openat(AT_FDCWD<`/`>, "`/r/a`", O_RDWR|O_CREAT, 0600) = 3<`/r/a`>
10 openat(AT_FDCWD<`/`>, "`/r`", O_RDONLY) = 4<`/r`>
10 pwrite64(3<`/r/a`>, "`{old}`", 8192, 0) = 8192
10 fsync(3<`/r/a`>) = 0
10 fsync(4<`/r`>) = 0
10 pwrite64(3<`/r/a`>, "`{new}`", 8192, 0) = 8192
"#
    );
    let disk = recorded(&text, &[("a", &new)]).unwrap();
    for (kind, sector) in [(Kind::Torn512, 512), (Kind::Torn4096, 4_096)] {
        let mut mixed = 0;
        for seed in 0..50 {
            let image = disk.image(6, &mut Chance::new(kind, &[2], fastrand::Rng::with_seed(seed)));
            let content = image.0[Path::new("a")].clone().unwrap();
            assert!(
                content.chunks(sector).all(|sector| sector.iter().all(|byte| *byte == sector[0])),
                "{}",
                kind.name()
            );
            mixed += usize::from(content.contains(&b'o') && content.contains(&b'n'));
        }
        assert!(mixed > 0, "{}: no write was torn", kind.name());
    }
}

#[test]
fn a_call_that_is_not_known_and_may_change_a_file_of_the_folder_fails_the_recorder() {
    let check = |call: &str, expected: &str| {
        let text = format!("10 openat(AT_FDCWD<`/`>, \"`/r/a`\", O_RDWR|O_CREAT, 0600) = 3<`/r/a`>\n10 {call}\n");
        let found = recorded(&text, &[("a", "")]).err().unwrap_or_else(|| "nothing".to_owned());
        assert!(found.contains(expected), "{call}: {found}");
    };
    let unknown = "what it does isn't known";
    check("fallocate(3<`/r/a`>, 0, 0, 4096) = 0", unknown);
    check("copy_file_range(5<`/x`>, NULL, 3<`/r/a`>, NULL, 9, 0) = 9", unknown);
    check("symlink(\"`a`\", \"`/r/b`\") = 0", unknown);
    check("truncate(\"`/r/a`\", 9) = 0", unknown);
    check("ioctl(3<`/r/a`>, BTRFS_IOC_CLONE, 5<`/x`>) = 0", unknown);
    check("renameat2(AT_FDCWD<`/`>, \"`/r/a`\", AT_FDCWD<`/`>, \"`/r/b`\", RENAME_EXCHANGE) = 0", unknown);
    check("mmap(NULL, 4096, PROT_READ|PROT_WRITE, MAP_SHARED, 3<`/r/a`>, 0) = 0x7f00", "without calls");
    check("io_uring_setup(8, {flags=0}) = 7<`anon_inode:[io_uring]`>", "doesn't name");
    check("clone(child_stack=NULL, flags=SIGCHLD) = 11", "the same files");
    check("write(3<`/r/a`>, \"`wo`\"..., 4) = 4", "isn't whole");
    check("write(3<`/r/a`>, \"`word`\", 4) = 2", "2 of 4 bytes");
    check("write(9<`/r/a`>, \"`word`\", 4) = 4", "the system says otherwise");
    check("rename(\"`/r/a`\", \"`/x`\") = 0", "out of it");
    check("close(3<`/r/a`>) = 0", "nothing");
    // It is told by what is there in the end.
    check("write(3<`/r/a`>, \"`word`\", 4) = 4", "what was traced isn't what is there");
}

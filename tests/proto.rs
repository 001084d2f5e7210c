//! The checked-in bindings and descriptor are exactly what `proto/` generates.
//!
//! `UPDATE=1 cargo test --test proto` writes them anew.
#![allow(clippy::expect_used, reason = "a test stops at the first surprise")]

use std::{fs, path::Path};

const PROTO_FILES: [&str; 2] = ["timebank/v1/sheet.proto", "timebank/v1/ledger_service.proto"];

#[test]
fn the_bindings_are_not_stale() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let descriptors = protox::compile(PROTO_FILES, [root.join("proto")]).expect("the protos compile");
    let mut without_comments = descriptors.clone();
    for file in &mut without_comments.file {
        file.source_code_info = None;
    }
    let out = tempfile::tempdir().expect("a folder");
    tonic_prost_build::configure()
        .out_dir(out.path())
        .bytes(".")
        // The genesis is twice as large as any other event, and comes once.
        .boxed(".timebank.v1.Event.kind.ledger_created")
        .client_mod_attribute("timebank.v1", "#[cfg(feature = \"service\")]")
        .server_mod_attribute("timebank.v1", "#[cfg(feature = \"service\")]")
        .emit_rerun_if_changed(false)
        .compile_fds(descriptors)
        .expect("bindings are generated");
    let bindings = fs::read(out.path().join("timebank.v1.rs")).expect("the bindings");
    let descriptor = prost::Message::encode_to_vec(&without_comments);
    check(&root.join("src/format/proto/timebank.v1.rs"), &bindings);
    check(&root.join("src/format/proto/descriptor.bin"), &descriptor);
}

fn check(path: &Path, expected: &[u8]) {
    if std::env::var_os("UPDATE").is_some() {
        fs::create_dir_all(path.parent().expect("a parent")).expect("the folder");
        fs::write(path, expected).expect("written");
    }
    let found = fs::read(path).unwrap_or_default();
    assert!(found == expected, "{} is stale: run `UPDATE=1 cargo test --test proto`", path.display());
}

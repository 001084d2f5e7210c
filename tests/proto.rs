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
        .build_server(false)
        .emit_rerun_if_changed(false)
        .compile_fds(descriptors.clone())
        .expect("bindings are generated");
    tonic_build::manual::Builder::new().build_client(false).out_dir(out.path()).compile(&[service(&descriptors)]);
    let server = fs::read(out.path().join("timebank.v1.LedgerService.rs")).expect("the server");
    let bindings = fs::read(out.path().join("timebank.v1.rs")).expect("the bindings");
    let descriptor = prost::Message::encode_to_vec(&without_comments);
    check(&root.join("src/format/proto/timebank.v1.rs"), &bindings);
    check(&root.join("src/format/proto/descriptor.bin"), &descriptor);
    check(&root.join("src/server/generated/ledger_service.rs"), &server);
}

/// Methods whose requests bring sheets: the server takes them apart itself, within limits and beside the threads that carry
/// connections.
const WITH_SHEETS: [&str; 4] = ["Submit", "SubmitList", "SubmitStream", "DryRun"];

/// The service as the server implements it.
fn service(descriptors: &prost_types::FileDescriptorSet) -> tonic_build::manual::Service {
    let service = descriptors.file.iter().flat_map(|file| &file.service).next().expect("a service");
    let mut built = tonic_build::manual::Service::builder().name(service.name()).package("timebank.v1");
    for method in &service.method {
        let message = |name: &str| format!("crate::format::proto::{}", name.trim_start_matches(".timebank.v1."));
        let (input, output) = (message(method.input_type()), message(method.output_type()));
        let received = WITH_SHEETS.contains(&method.name());
        let mut one = tonic_build::manual::Method::builder()
            .name(snake_case(method.name()))
            .route_name(method.name())
            .input_type(if received { format!("crate::server::Received<{input}>") } else { input })
            .output_type(output)
            .codec_path(if received { "crate::server::ReceivedCodec" } else { "crate::server::MessageCodec" });
        if method.client_streaming() {
            one = one.client_streaming();
        }
        if method.server_streaming() {
            one = one.server_streaming();
        }
        built = built.method(one.build());
    }
    built.build()
}

fn snake_case(name: &str) -> String {
    let mut snake = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.extend(letter.to_lowercase());
    }
    snake
}

fn check(path: &Path, expected: &[u8]) {
    if std::env::var_os("UPDATE").is_some() {
        fs::create_dir_all(path.parent().expect("a parent")).expect("the folder");
        fs::write(path, expected).expect("written");
    }
    let found = fs::read(path).unwrap_or_default();
    assert!(found == expected, "{} is stale: run `UPDATE=1 cargo test --test proto`", path.display());
}

//! Only canonical form is accepted: otherwise one signed event could mean two things to two parsers.

use std::sync::OnceLock;

use prost::Message;
use prost_types::{
    DescriptorProto, FieldDescriptorProto, FileDescriptorSet,
    field_descriptor_proto::{Label, Type},
};

use crate::{format::proto, ledger::Rejection};

/// Deepest nesting of our messages is 3 (event > service > interval); a fault is looked for no deeper than this.
const DEPTH_MAX: usize = 8;

/// Decodes a message and refuses it unless encoding it again gives the very same bytes. `scratch` is reused.
///
/// # Errors
/// Path of the field within the message (may be empty), with [`Rejection::EncodingInvalid`] or
/// [`Rejection::EncodingNotCanonical`].
pub(super) fn decode<M: Message + Default>(
    name: &'static str,
    bytes: &bytes::Bytes,
    scratch: &mut Vec<u8>,
) -> Result<M, (String, Rejection)> {
    let message = M::decode(bytes.clone())
        .map_err(|error| (String::new(), Rejection::EncodingInvalid { message: name, problem: error.to_string() }))?;
    scratch.clear();
    scratch.reserve(message.encoded_len());
    // Encoding into a vector that grows can't fail.
    let _infallible = message.encode(scratch);
    if scratch.as_slice() == bytes.as_ref() {
        return Ok(message);
    }
    let (path, problem) = descriptor(name)
        .and_then(|descriptor| fault(bytes, descriptor, DEPTH_MAX))
        .unwrap_or_else(|| (String::new(), "it differs from its own re-encoding".to_owned()));
    Err((path, Rejection::EncodingNotCanonical { problem }))
}

/// The descriptor of a message of our package, by its simple name.
fn descriptor(name: &str) -> Option<&'static DescriptorProto> {
    static SET: OnceLock<FileDescriptorSet> = OnceLock::new();
    let set = SET.get_or_init(|| FileDescriptorSet::decode(proto::DESCRIPTOR).unwrap_or_default());
    let name = name.rsplit('.').next()?;
    set.file.iter().flat_map(|file| &file.message_type).find(|message| message.name() == name)
}

/// The first field that isn't in canonical form, and in what way.
fn fault(mut bytes: &[u8], message: &'static DescriptorProto, depth: usize) -> Option<(String, String)> {
    let mut previous = 0;
    let mut oneofs_seen = Vec::new();
    while !bytes.is_empty() {
        let (tag, tag_is_minimal) = varint(&mut bytes)?;
        let number = i32::try_from(tag >> 3).ok()?;
        let Some(field) = message.field.iter().find(|field| field.number() == number) else {
            return Some((String::new(), format!("{} has no field {number}", message.name())));
        };
        let found = |problem: &str| Some((field.name().to_owned(), problem.to_owned()));
        let value = match tag & 7 {
            0 => Value::Varint(varint(&mut bytes)?),
            1 => Value::Bytes(take(&mut bytes, 8)?),
            2 => {
                let (length, minimal) = varint(&mut bytes)?;
                if !minimal {
                    return found("its length is longer than it need be");
                }
                Value::Bytes(take(&mut bytes, usize::try_from(length).ok()?)?)
            }
            5 => Value::Bytes(take(&mut bytes, 4)?),
            _ => return found("groups are not allowed"),
        };
        if !tag_is_minimal {
            return found("its tag is longer than it need be");
        }
        if number < previous {
            return found("it stands after a field of a higher number");
        }
        if number == previous && field.label() != Label::Repeated {
            return found("it stands twice");
        }
        previous = number;
        if let Some(oneof) = field.oneof_index {
            if oneofs_seen.contains(&oneof) {
                return found("another member of its oneof is present");
            }
            oneofs_seen.push(oneof);
        }
        if let Some(problem) = value_fault(field, &value, depth) {
            let (path, problem) = problem;
            let separator = if path.is_empty() { "" } else { "." };
            return Some((format!("{}{separator}{path}", field.name()), problem));
        }
    }
    None
}

/// A field's value on the wire.
enum Value<'a> {
    Varint((u64, bool)),
    Bytes(&'a [u8]),
}

fn value_fault(field: &'static FieldDescriptorProto, value: &Value<'_>, depth: usize) -> Option<(String, String)> {
    let here = |problem: &str| Some((String::new(), problem.to_owned()));
    let may_be_default = field.oneof_index.is_some() || field.label() == Label::Repeated;
    match value {
        Value::Varint((_, false)) => here("its varint is longer than it need be"),
        Value::Varint(_) if field.label() == Label::Repeated => here("a list of numbers has to be packed"),
        Value::Bytes(bytes) if field.r#type() == Type::Message => {
            let name = field.type_name();
            fault(bytes, descriptor(name)?, depth.checked_sub(1)?)
        }
        Value::Varint((0, true)) | Value::Bytes([]) if !may_be_default => here("it is present with its default value"),
        Value::Bytes([]) if field.r#type() == Type::Enum => here("it is present without any value"),
        Value::Varint(_) | Value::Bytes(_) => None,
    }
}

/// A varint, and whether it is as short as it can be.
fn varint(bytes: &mut &[u8]) -> Option<(u64, bool)> {
    let mut value = 0_u64;
    for position in 0..10 {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << (7 * position);
        if byte < 0x80 {
            return Some((value, byte != 0 || position == 0));
        }
    }
    None
}

fn take<'a>(bytes: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(taken)
}

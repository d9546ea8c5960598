//! How a call failed, as HTTP: a status and a google.rpc.Status in JSON (google.rpc.Code,
//! google/rpc/status.proto).

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::{Bytes, BytesMut};
use prost_reflect::prost::Message as _;
use prost_reflect::prost_types::Any;
use prost_reflect::{DescriptorPool, DynamicMessage, Value};
use serde::Serialize;
use serde_json::value::RawValue;

use super::{Options, json};
use crate::grpc::descriptor::builtin;
use crate::grpc::status::Code;
use crate::grpc::transcode::any;

/// Padded or not: both are sent.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// How a call ended, as its trailers say.
#[derive(Clone, Copy, Debug)]
pub struct Status<'a> {
    /// As in `grpc-status`.
    pub code: Code,
    /// As in `grpc-message`, without escapes.
    pub message: &'a str,
    /// The value of `grpc-status-details-bin`, as it came; empty if there is none.
    pub details: &'a [u8],
}

/// A failed call as an HTTP answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The status of the answer.
    pub http_status: u16,
    /// Its body: a google.rpc.Status, `application/json`.
    pub json: Bytes,
    /// Details that are not in it, by the names of their types: those are in no descriptor here, or
    /// what was sent is not of them. A name is empty where none could be read.
    pub left_out: Vec<String>,
}

#[derive(Serialize)]
struct Json<'a> {
    code: u8,
    message: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    details: &'a [Box<RawValue>],
}

/// As in google/rpc/status.proto, of which only the details are wanted.
const DETAILS: u32 = 3;

impl Failure {
    /// The answer for a status that has to do with no method: of details only those that everybody
    /// knows are in it.
    pub fn of(status: &Status<'_>) -> Self {
        let known = builtin::message("google.protobuf.Any");
        let types = known.map(|any| any.parent_pool().clone());
        Self::new(status, &types.unwrap_or_default(), Options::default())
    }

    /// The answer for a status; `types` are those of the method that was called.
    pub(super) fn new(status: &Status<'_>, types: &DescriptorPool, options: Options) -> Self {
        let (mut details, mut left_out) = (Vec::new(), Vec::new());
        match sent(status.details) {
            None => left_out.push(String::new()),
            Some(sent) => {
                for detail in sent {
                    match written(&detail, types, options) {
                        Some(json) => details.push(json),
                        None => left_out.push(
                            detail
                                .type_url
                                .rsplit('/')
                                .next()
                                .unwrap_or_default()
                                .to_owned(),
                        ),
                    }
                }
            }
        }
        let json = Json {
            code: status.code.number(),
            message: status.message,
            details: &details,
        };
        Self {
            http_status: status.code.to_http(),
            json: serde_json::to_vec(&json).unwrap_or_default().into(),
            left_out,
        }
    }
}

/// The details as they were sent. `None` if these are none.
fn sent(value: &[u8]) -> Option<Vec<Any>> {
    let status = BASE64.decode(value).ok()?;
    let status = DynamicMessage::decode(builtin::message("google.rpc.Status")?, &*status).ok()?;
    let details = status.get_field_by_number(DETAILS)?;
    let detail = |value: &Value| Any::decode(&*value.as_message()?.encode_to_vec()).ok();
    details.as_list()?.iter().map(detail).collect()
}

/// A detail as JSON, if its type is known to the method or to everybody.
fn written(detail: &Any, types: &DescriptorPool, options: Options) -> Option<Box<RawValue>> {
    let ours = builtin::message("google.protobuf.Any")?;
    let theirs = types.get_message_by_name("google.protobuf.Any");
    theirs.into_iter().chain([ours]).find_map(|kind| {
        let any = DynamicMessage::decode(kind, &*detail.encode_to_vec()).ok()?;
        if !any::is_bounded(&any) {
            return None;
        }
        let mut out = BytesMut::new();
        json::whole(&any, &options.serialize(), &mut out).ok()?;
        serde_json::from_slice(&out).ok()
    })
}

//! A subscriber that calls a method of gRPC, which answers with a stream. It ends when the subscriber leaves
//! or its deadline has passed, when the gateway ends, or when it can go on no more: then the trailers say why,
//! and where the subscriber was.

use bytes::Bytes;
use http::{HeaderName, HeaderValue};
use prost::Message as _;
use weir_protocols::grpc::status::Code as Status;
use weir_protocols::grpc::transcode::Message;
use weir_protocols::grpc::transcode::response::Options;
use weir_telemetry::Code;

use super::ask::Asked;
use super::course::Course;
use super::message::Messenger;
use super::voice::Voice;
use super::{Subscribe, stream};
use crate::action::grpc::served::Served;
use crate::action::template::Values;
use crate::config::routes::method::subscribe::{Asks, Call};
use crate::error::GatewayError;
use crate::grpc_events::SubscribeRequest;
use crate::large;
use crate::proxy::{Downstream, Request, reply};

/// How long a question may be, in bytes.
const MAX_QUESTION: u32 = 64 << 10;

/// Where a subscriber was, among the trailers of a call that cannot go on.
const CURSOR: HeaderName = HeaderName::from_static("weir-cursor");

/// Answers until it ends.
pub(super) async fn run(
    action: &Subscribe,
    call: &Call,
    request: &mut Request,
    down: &mut Downstream,
) -> Result<(), GatewayError> {
    let mut served = Served::begin(request, down, &call.method.path, MAX_QUESTION)?;
    let message = served.message(down).await?;
    let json = json(&call.method.input, message.clone())?;
    let values = Values {
        body: &json,
        ..Values::of(request, down.head())
    };
    let topic = action.topic(&values)?;
    let said = said(call, message, &json)?;
    let asked = Asked::said(&action.config, &values, down.head(), said)?;
    let opened = action.open(request, down, topic, &asked).await?;
    let voice = Voice::Messages(Messenger {
        tells: call.tells,
        message: call.method.output.clone(),
        topic: opened.topic,
        seal: opened.seal,
    });
    let reading = (opened.reader, asked.filter);
    let mut course = Course::new(action, &opened.session, reading, voice, opened.tally);
    if let Some(instead) = served.open(request, down).await? {
        return reply::send(request, down, instead).await;
    }
    let mut first = Vec::new();
    course.voice.here(&mut first, course.at());
    served.send(request, down, first.into()).await?;
    down.flush().await?;
    loop {
        let next = next(&served, request, down, &mut course).await;
        course.tally.note(request);
        match next {
            Ok(told) => served.send(request, down, told).await?,
            Err(error) => {
                let cursor = course.cursor();
                let cursor = HeaderValue::try_from(cursor).ok();
                let cursor = cursor.map(|cursor| (CURSOR, cursor));
                return served.fail(request, down, error, cursor).await;
            }
        }
    }
}

/// What it is told next, while it waits for that.
async fn next(
    served: &Served,
    request: &mut Request,
    down: &mut Downstream,
    course: &mut Course<'_>,
) -> Result<Bytes, GatewayError> {
    let told = stream::next(request, down, course);
    match served.deadline() {
        None => told.await,
        Some(deadline) => match tokio::time::timeout_at(deadline.into(), told).await {
            Ok(told) => told,
            Err(_) => Err(Served::late()),
        },
    }
}

/// The message as templates look into it.
fn json(message: &Message, bytes: Bytes) -> Result<Vec<u8>, GatewayError> {
    let options = Options {
        preserve_field_names: true,
        ..Options::default()
    };
    let written = large::work(bytes.len(), || message.write(bytes, options));
    written.map(|json| json.to_vec()).map_err(|fault| {
        let text = format!("The message is no {}.", message.name());
        GatewayError::public(Code::RequestBodyInvalid, text)
            .rpc(Status::InvalidArgument)
            .source(fault)
    })
}

/// What a subscriber asks for beside what the route says.
fn said(call: &Call, message: Bytes, json: &[u8]) -> Result<SubscribeRequest, GatewayError> {
    let field = match &call.asks {
        Asks::Own => {
            return SubscribeRequest::decode(message).map_err(|fault| {
                GatewayError::new(Code::RequestBodyInvalid)
                    .rpc(Status::InvalidArgument)
                    .source(fault)
            });
        }
        Asks::Message(field) => field.as_deref(),
    };
    let json: serde_json::Value = serde_json::from_slice(json).unwrap_or_default();
    let cursor = field.and_then(|field| json.get(field)?.as_str());
    Ok(SubscribeRequest {
        cursor: cursor.unwrap_or_default().to_owned(),
        ..SubscribeRequest::default()
    })
}

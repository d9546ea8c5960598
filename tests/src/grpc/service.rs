//! The test service: does what each request says the response shall be.
//!
//! It knows nothing of HTTP, and compresses nothing.

use std::collections::VecDeque;
use std::time::Duration;

use futures_util::stream::{self, Stream};
use tonic::codegen::BoxStream;
use tonic::{Code, Request, Response, Status, Streaming};

use super::record::{Call, Record};
use super::testing::test_service_server::TestService;
use super::testing::{
    EchoStatus, Empty, Payload, ResponseParameters, SimpleRequest, SimpleResponse,
    StreamingInputCallRequest, StreamingInputCallResponse, StreamingOutputCallRequest,
    StreamingOutputCallResponse,
};

/// No request may ask for more in one message.
const LARGEST: usize = 16 << 20;

#[derive(Debug)]
pub(super) struct Service {
    pub(super) record: Record,
}

type Requests = Streaming<StreamingOutputCallRequest>;
type Responses = BoxStream<StreamingOutputCallResponse>;

#[tonic::async_trait]
impl TestService for Service {
    async fn empty_call(&self, _: Request<Empty>) -> Result<Response<Empty>, Status> {
        self.record.begin().done();
        Ok(Response::new(Empty {}))
    }

    async fn unary_call(
        &self,
        request: Request<SimpleRequest>,
    ) -> Result<Response<SimpleResponse>, Status> {
        self.record.begin().done();
        let request = request.into_inner();
        asked_for(request.response_status)?;
        Ok(Response::new(SimpleResponse {
            payload: Some(payload(request.response_size)?),
            ..SimpleResponse::default()
        }))
    }

    async fn cacheable_unary_call(
        &self,
        request: Request<SimpleRequest>,
    ) -> Result<Response<SimpleResponse>, Status> {
        self.unary_call(request).await
    }

    type StreamingOutputCallStream = Responses;
    async fn streaming_output_call(
        &self,
        request: Request<StreamingOutputCallRequest>,
    ) -> Result<Response<Responses>, Status> {
        let mut answers = Answers::new(self.record.begin(), None);
        answers.take(request.into_inner());
        Ok(Response::new(Box::pin(answers.stream())))
    }

    async fn streaming_input_call(
        &self,
        request: Request<Streaming<StreamingInputCallRequest>>,
    ) -> Result<Response<StreamingInputCallResponse>, Status> {
        let mut call = self.record.begin();
        let mut requests = request.into_inner();
        let mut size = 0;
        while let Some(request) = next(&mut requests).await? {
            size += request.payload.map_or(0, |payload| payload.body.len());
        }
        call.done();
        let size = i32::try_from(size).map_err(|_| Status::out_of_range("too much came along"))?;
        Ok(Response::new(StreamingInputCallResponse {
            aggregated_payload_size: size,
        }))
    }

    type FullDuplexCallStream = Responses;
    async fn full_duplex_call(
        &self,
        request: Request<Requests>,
    ) -> Result<Response<Responses>, Status> {
        let answers = Answers::new(self.record.begin(), Some(request.into_inner()));
        Ok(Response::new(Box::pin(answers.stream())))
    }

    type HalfDuplexCallStream = Responses;
    async fn half_duplex_call(
        &self,
        request: Request<Requests>,
    ) -> Result<Response<Responses>, Status> {
        let mut answers = Answers::new(self.record.begin(), None);
        let mut requests = request.into_inner();
        while let Some(request) = next(&mut requests).await? {
            answers.take(request);
        }
        Ok(Response::new(Box::pin(answers.stream())))
    }

    async fn unimplemented_call(&self, _: Request<Empty>) -> Result<Response<Empty>, Status> {
        Err(Status::unimplemented("no server implements this"))
    }
}

/// What a stream of responses still owes.
struct Answers {
    call: Call,
    requests: Option<Requests>,
    due: VecDeque<Due>,
}

enum Due {
    Response(ResponseParameters),
    End(Status),
}

impl Answers {
    fn new(call: Call, requests: Option<Requests>) -> Answers {
        Answers {
            call,
            requests,
            due: VecDeque::new(),
        }
    }

    fn take(&mut self, request: StreamingOutputCallRequest) {
        self.due
            .extend(request.response_parameters.into_iter().map(Due::Response));
        let end = asked_for(request.response_status).err();
        self.due.extend(end.map(Due::End));
    }

    fn stream(self) -> impl Stream<Item = Result<StreamingOutputCallResponse, Status>> + Send {
        stream::unfold(Some(self), |answers| async move {
            let mut answers = answers?;
            let answer = answers.next().await?;
            let rest = answer.is_ok().then_some(answers);
            Some((answer, rest))
        })
    }

    async fn next(&mut self) -> Option<Result<StreamingOutputCallResponse, Status>> {
        loop {
            match self.due.pop_front() {
                Some(Due::Response(parameters)) => return Some(respond(&parameters).await),
                Some(Due::End(status)) => {
                    self.call.done();
                    return Some(Err(status));
                }
                None => match self.request().await {
                    Ok(Some(request)) => self.take(request),
                    Ok(None) => {
                        self.call.done();
                        return None;
                    }
                    Err(status) => return Some(Err(status)),
                },
            }
        }
    }

    async fn request(&mut self) -> Result<Option<StreamingOutputCallRequest>, Status> {
        match &mut self.requests {
            Some(requests) => next(requests).await,
            None => Ok(None),
        }
    }
}

/// The next request, or `None` when the client has said that it was the last.
async fn next<T>(requests: &mut Streaming<T>) -> Result<Option<T>, Status> {
    let next = requests.message().await;
    if matches!(next, Ok(None)) {
        // tonic says the same of a call that was cancelled; who waits once more is dropped then.
        tokio::task::yield_now().await;
    }
    next
}

async fn respond(parameters: &ResponseParameters) -> Result<StreamingOutputCallResponse, Status> {
    let interval = u64::try_from(parameters.interval_us).unwrap_or(0);
    tokio::time::sleep(Duration::from_micros(interval)).await;
    Ok(StreamingOutputCallResponse {
        payload: Some(payload(parameters.size)?),
    })
}

fn payload(size: i32) -> Result<Payload, Status> {
    match usize::try_from(size) {
        Ok(size) if size <= LARGEST => Ok(Payload {
            body: vec![0; size],
            ..Payload::default()
        }),
        _ => Err(Status::invalid_argument(format!(
            "no payload has {size} bytes"
        ))),
    }
}

fn asked_for(status: Option<EchoStatus>) -> Result<(), Status> {
    match status {
        Some(EchoStatus { code, message }) if code != 0 => {
            Err(Status::new(Code::from_i32(code), message))
        }
        _ => Ok(()),
    }
}

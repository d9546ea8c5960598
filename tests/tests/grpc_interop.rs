//! gRPC's interoperability cases by tonic's client: past the gateway and through it, in the clear and
//! under TLS. What passes past it has to pass through it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use futures_util::stream;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::metadata::MetadataValue;
use tonic::transport::Channel;
use tonic::{Code, Request, Status, Streaming};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
use weir_tests::grpc::Scene;
use weir_tests::grpc::scene::Way;
use weir_tests::grpc::testing::test_service_client::TestServiceClient;
use weir_tests::grpc::testing::unimplemented_service_client::UnimplementedServiceClient;
use weir_tests::grpc::testing::{
    EchoStatus, Empty, Payload, ResponseParameters, SimpleRequest, StreamingInputCallRequest,
    StreamingOutputCallRequest, StreamingOutputCallResponse,
};
use weir_tests::wait;

/// What the cases send and ask for, in the order they do.
const REQUESTS: [usize; 4] = [27_182, 8, 1_828, 45_904];
const RESPONSES: [i32; 4] = [31_415, 9, 2_653, 58_979];

/// The characters a status may not lose: white space, and more than one byte or two.
const SPECIAL: &str = "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n";

/// Runs a case on each way.
async fn on_each_way(case: impl AsyncFn(&Way<'_>, TestServiceClient<Channel>)) {
    let scene = Scene::start().await;
    for way in scene.ways() {
        let client = TestServiceClient::new(way.connect().await);
        wait::for_end(way.name, case(&way, client)).await;
    }
}

fn zeros(size: usize) -> Option<Payload> {
    Some(Payload {
        body: vec![0; size],
        ..Payload::default()
    })
}

/// A request of that size for responses of those.
fn asking(size: usize, responses: &[i32]) -> StreamingOutputCallRequest {
    let parameters = |size: &i32| ResponseParameters {
        size: *size,
        ..ResponseParameters::default()
    };
    StreamingOutputCallRequest {
        payload: zeros(size),
        response_parameters: responses.iter().map(parameters).collect(),
        ..StreamingOutputCallRequest::default()
    }
}

fn ending(code: Code, message: &str) -> Option<EchoStatus> {
    Some(EchoStatus {
        code: code.into(),
        message: message.to_owned(),
    })
}

type Answers = Streaming<StreamingOutputCallResponse>;

/// How long each response is, to the end of the stream.
async fn sizes(mut answers: Answers) -> Vec<usize> {
    let mut sizes = Vec::new();
    while let Some(answer) = answers.message().await.unwrap() {
        sizes.push(answer.payload.unwrap().body.len());
    }
    sizes
}

/// A call to which requests can be given one by one.
async fn duplex(
    client: &mut TestServiceClient<Channel>,
) -> (mpsc::Sender<StreamingOutputCallRequest>, Answers) {
    let (requests, sent) = mpsc::channel(1);
    let call = client.full_duplex_call(ReceiverStream::new(sent));
    (requests, call.await.unwrap().into_inner())
}

#[tokio::test]
async fn empty_unary() {
    on_each_way(async |way, mut client| {
        let answer = client.empty_call(Empty {}).await.unwrap();
        assert_eq!(answer.into_inner(), Empty {}, "{}", way.name);
    })
    .await;
}

#[tokio::test]
async fn large_unary() {
    on_each_way(async |way, mut client| {
        let request = SimpleRequest {
            response_size: 314_159,
            payload: zeros(271_828),
            ..SimpleRequest::default()
        };
        let answer = client.unary_call(request).await.unwrap().into_inner();
        assert_eq!(answer.payload.unwrap().body.len(), 314_159, "{}", way.name);
    })
    .await;
}

#[tokio::test]
async fn client_streaming() {
    on_each_way(async |way, mut client| {
        let requests = REQUESTS.map(|size| StreamingInputCallRequest {
            payload: zeros(size),
            ..StreamingInputCallRequest::default()
        });
        let call = client.streaming_input_call(stream::iter(requests));
        let answer = call.await.unwrap().into_inner();
        assert_eq!(answer.aggregated_payload_size, 74_922, "{}", way.name);
    })
    .await;
}

#[tokio::test]
async fn server_streaming() {
    on_each_way(async |way, mut client| {
        let call = client.streaming_output_call(asking(0, &RESPONSES));
        let answers = call.await.unwrap().into_inner();
        let wanted = RESPONSES.map(|size| usize::try_from(size).unwrap());
        assert_eq!(sizes(answers).await, wanted, "{}", way.name);
    })
    .await;
}

#[tokio::test]
async fn ping_pong() {
    on_each_way(async |way, mut client| {
        let (requests, mut answers) = duplex(&mut client).await;
        for (size, wanted) in REQUESTS.into_iter().zip(RESPONSES) {
            requests.send(asking(size, &[wanted])).await.unwrap();
            let answer = answers.message().await.unwrap().unwrap();
            let size = i32::try_from(answer.payload.unwrap().body.len());
            assert_eq!(size, Ok(wanted), "{}", way.name);
        }
        drop(requests);
        assert_eq!(answers.message().await.unwrap(), None, "{}", way.name);
    })
    .await;
}

#[tokio::test]
async fn bidirectional_streaming_with_all_requests_first() {
    on_each_way(async |way, mut client| {
        let requests = REQUESTS.into_iter().zip(RESPONSES);
        let requests: Vec<_> = requests
            .map(|(size, wanted)| asking(size, &[wanted]))
            .collect();
        let call = client.half_duplex_call(stream::iter(requests));
        let answers = call.await.unwrap().into_inner();
        let wanted = RESPONSES.map(|size| usize::try_from(size).unwrap());
        assert_eq!(sizes(answers).await, wanted, "{}", way.name);
    })
    .await;
}

#[tokio::test]
async fn empty_stream() {
    on_each_way(async |way, mut client| {
        let call = client.full_duplex_call(stream::empty());
        let answers = call.await.unwrap().into_inner();
        assert_eq!(sizes(answers).await, [0; 0], "{}", way.name);
    })
    .await;
}

/// Responses of which the last is due when nobody waits any more.
fn sleepy(responses: &[i32]) -> StreamingOutputCallRequest {
    let mut request = asking(27_182, responses);
    request.response_parameters.push(ResponseParameters {
        size: 1,
        interval_us: i32::MAX,
        ..ResponseParameters::default()
    });
    request
}

/// The server gets to know of it: what nobody waits for is not finished in vain.
///
/// tonic cancels a call when its answer is dropped, but not before all requests are sent.
#[tokio::test]
async fn cancel_before_the_first_response() {
    on_each_way(async |way, mut client| {
        let record = way.server.record();
        let abandoned = record.abandoned();
        let call = client.streaming_output_call(sleepy(&[])).await;
        assert_eq!(record.abandoned(), abandoned, "{}", way.name);
        drop(call.unwrap());
        record.wait_for_abandoned(abandoned + 1).await;
    })
    .await;
}

#[tokio::test]
async fn cancel_after_the_first_response() {
    on_each_way(async |way, mut client| {
        let record = way.server.record();
        let abandoned = record.abandoned();
        let call = client.streaming_output_call(sleepy(&[31_415])).await;
        let mut answers = call.unwrap().into_inner();
        assert!(answers.message().await.unwrap().is_some(), "{}", way.name);
        assert_eq!(record.abandoned(), abandoned, "{}", way.name);
        drop(answers);
        record.wait_for_abandoned(abandoned + 1).await;
    })
    .await;
}

/// tonic minds a deadline until the head of the answer comes, so that the one response of a stream of
/// requests has to be what is late.
#[tokio::test]
async fn timeout_on_a_sleeping_server() {
    on_each_way(async |way, mut client| {
        let record = way.server.record();
        let abandoned = record.abandoned();
        let mut requests = Request::new(stream::pending());
        requests.set_timeout(Duration::from_millis(200));
        let status = client.streaming_input_call(requests).await.unwrap_err();
        // Either by the client's clock or by the server's, which tonic calls so.
        let codes = [Code::DeadlineExceeded, Code::Cancelled];
        assert!(codes.contains(&status.code()), "{}: {status:?}", way.name);
        record.wait_for_abandoned(abandoned + 1).await;
    })
    .await;
}

#[tokio::test]
async fn status_code_and_message() {
    on_each_way(async |way, mut client| {
        let end = ending(Code::Unknown, "test status message");
        said(way, &mut client, end, Code::Unknown, "test status message").await;
    })
    .await;
}

#[tokio::test]
async fn special_status_message() {
    on_each_way(async |way, mut client| {
        let end = ending(Code::Unknown, SPECIAL);
        said(way, &mut client, end, Code::Unknown, SPECIAL).await;
    })
    .await;
}

#[tokio::test]
async fn every_status_code() {
    on_each_way(async |way, mut client| {
        for number in 1..=16 {
            let code = Code::from_i32(number);
            said(way, &mut client, ending(code, "why"), code, "why").await;
        }
    })
    .await;
}

/// Of a call of one response, which ends with its head, and of streams, which end behind it.
async fn said(
    way: &Way<'_>,
    client: &mut TestServiceClient<Channel>,
    end: Option<EchoStatus>,
    code: Code,
    message: &str,
) {
    let request = SimpleRequest {
        response_status: end.clone(),
        ..SimpleRequest::default()
    };
    let is = |status: Status| {
        assert_eq!(
            (status.code(), status.message()),
            (code, message),
            "{}",
            way.name
        );
    };
    is(client.unary_call(request).await.unwrap_err());
    for responses in [&[][..], &[7]] {
        let (requests, mut answers) = duplex(client).await;
        let request = StreamingOutputCallRequest {
            response_status: end.clone(),
            ..asking(1, responses)
        };
        requests.send(request).await.unwrap();
        for _ in responses {
            assert!(answers.message().await.unwrap().is_some(), "{}", way.name);
        }
        is(answers.message().await.unwrap_err());
    }
}

#[tokio::test]
async fn unimplemented_method_and_service() {
    on_each_way(async |way, mut client| {
        let status = client.unimplemented_call(Empty {}).await.unwrap_err();
        assert_eq!(status.code(), Code::Unimplemented, "{}", way.name);
        let mut client = UnimplementedServiceClient::new(way.connect().await);
        let status = client.unimplemented_call(Empty {}).await.unwrap_err();
        assert_eq!(status.code(), Code::Unimplemented, "{}", way.name);
    })
    .await;
}

#[tokio::test]
async fn custom_metadata() {
    const INITIAL: &str = "x-grpc-test-echo-initial";
    const TRAILING: &str = "x-grpc-test-echo-trailing-bin";
    const BYTES: [u8; 6] = [0xab, 0, 0xff, b'\n', 0xcd, 1];
    fn with_metadata<T>(message: T) -> Request<T> {
        let mut request = Request::new(message);
        let metadata = request.metadata_mut();
        metadata.insert(INITIAL, "test_initial_metadata_value".parse().unwrap());
        metadata.insert_bin(TRAILING, MetadataValue::from_bytes(&BYTES));
        request
    }
    on_each_way(async |way, mut client| {
        let request = SimpleRequest {
            response_size: 314_159,
            payload: zeros(271_828),
            ..SimpleRequest::default()
        };
        let answer = client.unary_call(with_metadata(request)).await.unwrap();
        // tonic puts both into one map when there is one response.
        let metadata = answer.metadata();
        let initial = metadata.get(INITIAL).unwrap();
        assert_eq!(initial, "test_initial_metadata_value", "{}", way.name);
        let trailing = metadata.get_bin(TRAILING).unwrap().to_bytes().unwrap();
        assert_eq!(trailing[..], BYTES, "{}", way.name);

        let requests = with_metadata(stream::iter([asking(27_182, &[31_415])]));
        let answer = client.full_duplex_call(requests).await.unwrap();
        let initial = answer.metadata().get(INITIAL).unwrap();
        assert_eq!(initial, "test_initial_metadata_value", "{}", way.name);
        assert!(
            answer.metadata().get_bin(TRAILING).is_none(),
            "{}",
            way.name
        );
        let mut answers = answer.into_inner();
        while answers.message().await.unwrap().is_some() {}
        let trailers = answers.trailers().await.unwrap().unwrap();
        let trailing = trailers.get_bin(TRAILING).unwrap().to_bytes().unwrap();
        assert_eq!(trailing[..], BYTES, "{}", way.name);
    })
    .await;
}

/// Most of these calls wait for one another, so that they do run at once.
#[tokio::test]
async fn many_calls_on_one_connection() {
    on_each_way(async |way, client| {
        let mut calls = Vec::new();
        for _ in 0..50 {
            let mut client = client.clone();
            calls.push(duplex(&mut client).await);
        }
        for (requests, _) in &calls {
            requests.send(asking(8, &[2_653])).await.unwrap();
        }
        for (requests, mut answers) in calls {
            assert!(answers.message().await.unwrap().is_some(), "{}", way.name);
            drop(requests);
            assert_eq!(answers.message().await.unwrap(), None, "{}", way.name);
        }
    })
    .await;
}

#[tokio::test]
async fn health() {
    on_each_way(async |way, _| {
        let mut client = HealthClient::new(way.connect().await);
        let service = "grpc.testing.TestService".to_owned();
        let answer = client.check(HealthCheckRequest { service }).await.unwrap();
        let status = answer.into_inner().status();
        assert_eq!(status, ServingStatus::Serving, "{}", way.name);
        let service = "no.such.Service".to_owned();
        let status = client
            .check(HealthCheckRequest { service })
            .await
            .unwrap_err();
        assert_eq!(status.code(), Code::NotFound, "{}", way.name);
    })
    .await;
}

#[tokio::test]
async fn reflection() {
    on_each_way(async |way, _| {
        let mut client = ServerReflectionClient::new(way.connect().await);
        let request = ServerReflectionRequest {
            host: String::new(),
            message_request: Some(MessageRequest::ListServices(String::new())),
        };
        let call = client.server_reflection_info(stream::iter([request]));
        let mut answers = call.await.unwrap().into_inner();
        let answer = answers.message().await.unwrap().unwrap();
        let Some(MessageResponse::ListServicesResponse(list)) = answer.message_response else {
            panic!("{}: {answer:?}", way.name);
        };
        let names: Vec<_> = list.service.into_iter().map(|one| one.name).collect();
        let wanted = "grpc.testing.TestService".to_owned();
        assert!(names.contains(&wanted), "{}: {names:?}", way.name);
    })
    .await;
}

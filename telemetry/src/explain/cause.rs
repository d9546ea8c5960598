//! Why a request failed or was slow, as far as its record allows a guess, and what in it says so.

use super::words::Took;
use crate::code::Code;
use crate::record::{Attempt, Record};

/// One sentence or two; `None` where the code says all that is known.
pub fn likely_cause(record: &Record) -> Option<String> {
    let Some(code) = record.code else {
        return of_an_answer(record);
    };
    let failed = record.attempts.iter().rev().find(|a| a.code == Some(code));
    if let Some(attempt) = failed
        && let Some(cause) = of_an_attempt(record, attempt, code)
    {
        return Some(cause);
    }
    Some(match code {
        Code::DestinationUnavailable => {
            "every endpoint was out of traffic before this request came, by health checks or \
             because earlier answers failed; it met no failure itself"
                .to_owned()
        }
        Code::BreakerOpen => {
            "earlier requests failed so often that the breaker opened; this one met no failure \
             itself"
                .to_owned()
        }
        Code::ConnectionLimitReached => {
            "more requests were in flight than the upstream may have; usually it has \
             become slow, and they pile up"
                .to_owned()
        }
        Code::RequestDeadlineExceeded => deadline(record),
        Code::ClientDisconnected => left(record),
        Code::KafkaUnavailable | Code::KafkaOutcomeUnknown => {
            let kafka = record.kafka.as_ref()?;
            format!(
                "no broker of {} acknowledged the record within {}",
                kafka.cluster,
                Took(kafka.took)
            )
        }
        _ => return None,
    })
}

fn of_an_attempt(record: &Record, attempt: &Attempt, code: Code) -> Option<String> {
    let endpoint = &attempt.endpoint;
    Some(match code {
        Code::ConnectionTerminated => terminated(attempt),
        Code::ConnectionRefused => {
            let refused = record.attempts.iter().filter(|a| a.code == Some(code));
            let mut endpoints: Vec<_> = refused.map(|a| &*a.endpoint).collect();
            endpoints.sort_unstable();
            endpoints.dedup();
            match endpoints[..] {
                [one] => format!(
                    "the host of {one} answers and nobody listens there: its process is down, or \
                     its port is another"
                ),
                _ => format!(
                    "all {} endpoints tried refuse connections: the service is down, or listens \
                     elsewhere",
                    endpoints.len()
                ),
            }
        }
        Code::ConnectionTimeout => format!(
            "{endpoint} did not answer for {}: packets to it are dropped, or it is too busy to accept",
            Took(attempt.total)
        ),
        Code::HttpResponseTimeout => format!(
            "{endpoint} took {} bytes of the request and sent nothing for {}, which is as long as \
             `timeouts.first_byte` waits",
            attempt.bytes_sent,
            Took(
                attempt
                    .total
                    .saturating_sub(attempt.connect.unwrap_or_default())
            )
        ),
        Code::ResponseStalled => format!(
            "{endpoint} began to answer and then stopped sending, for as long as \
             `timeouts.stream_idle` waits"
        ),
        Code::HttpResponseIncomplete => format!(
            "{endpoint} closed the connection amid its answer, {} after its first byte: it crashed, \
             was stopped, or cut the answer itself",
            Took(attempt.body.unwrap_or_default())
        ),
        Code::ProviderRateLimited => format!(
            "{} answered 429: the account's limit there is reached",
            attempt.upstream
        ),
        Code::ProviderOverloaded | Code::ProviderError => match attempt.status {
            Some(status) => format!("{} answered {status}", attempt.upstream),
            None => return None,
        },
        Code::ProviderCredentialRejected => format!(
            "{} does not take the key that this gateway has for it: it was revoked, or is another \
             account's",
            attempt.upstream
        ),
        _ => return None,
    })
}

fn terminated(attempt: &Attempt) -> String {
    let endpoint = &attempt.endpoint;
    if let Some(race) = attempt.keep_alive_race {
        return format!(
            "a keep-alive race: {endpoint} {} a connection that had been idle for {} just as this \
             request was sent on it",
            race.how,
            Took(attempt.connection_idle)
        );
    }
    if attempt.reused {
        return format!(
            "{endpoint} ended a connection that was in use, {} after it was opened: a restart, or a \
             limit of its own on age or requests",
            Took(attempt.connection_age)
        );
    }
    format!(
        "{endpoint} ended a new connection after {} bytes of the request: it crashed on it, or \
         speaks another protocol",
        attempt.bytes_sent
    )
}

fn deadline(record: &Record) -> String {
    match &record.attempts[..] {
        [] => "its time was over before anybody was asked".to_owned(),
        [one] => format!(
            "{} had not answered within the request's {}",
            one.endpoint,
            Took(record.duration)
        ),
        all => format!(
            "{} attempts used up the request's {} between them",
            all.len(),
            Took(record.duration)
        ),
    }
}

fn left(record: &Record) -> String {
    let after = Took(record.duration);
    let waited = record.upstream_wait > record.duration / 2;
    match record.attempts.last().filter(|_| waited) {
        Some(attempt) => format!(
            "the client gave up after {after}, most of which {} was waited for: the client's own \
             timeout is about that long",
            attempt.upstream
        ),
        None => format!("the client went away after {after}, and nobody else was slow"),
    }
}

/// What there is to say where nothing failed here: an upstream's own error, or where the time went.
fn of_an_answer(record: &Record) -> Option<String> {
    let last = record.attempts.last();
    if let Some(error) = record.error_type() {
        let who = last.map_or("the upstream", |attempt| &attempt.endpoint);
        return Some(format!(
            "{who} itself answered {error}, which was passed on as it is: look there"
        ));
    }
    let (gateway, upstream) = (record.gateway_time, record.upstream_wait);
    let client = record.client_wait();
    let most = gateway.max(upstream).max(client);
    if most.is_zero() || record.long_lived {
        return None;
    }
    let whose = match most {
        most if most == upstream => last.map_or("upstreams", |attempt| &attempt.upstream),
        most if most == client => "the client",
        _ => "the gateway itself",
    };
    Some(format!(
        "most of its time, {} of {}, was {whose}'s",
        Took(most),
        Took(record.duration)
    ))
}

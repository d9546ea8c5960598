//! The way of one subscriber through a topic, told piece by piece: by itself while it is behind, or asks for some
//! records only; and else by what all are told alike.

use bytes::Bytes;
use tokio::time::{Instant, sleep_until};

use super::Subscribe;
use super::feed::{Listener, PACE};
use super::filter::Filter;
use super::reader::{Came, Reader};
use super::shown::Shown;
use super::tally::{self, Tally};
use super::voice::Voice;
use crate::error::GatewayError;
use crate::kafka::{Positions, Session};

/// So many records are told of at once.
const FEW: usize = 256;

/// A subscriber's way.
pub(super) struct Course<'a> {
    action: &'a Subscribe,
    session: &'a Session,
    reader: Reader,
    filter: Filter,
    pub(super) voice: Voice,
    /// Once it is told what all are.
    listener: Option<Listener>,
    /// When it is told next what was written meanwhile.
    due: Instant,
    /// Why there is nothing after what it was told.
    failed: Option<GatewayError>,
    pub(super) tally: Tally,
}

impl<'a> Course<'a> {
    /// Begins where the reader is.
    pub(super) fn new(
        action: &'a Subscribe,
        session: &'a Session,
        (reader, filter): (Reader, Filter),
        voice: Voice,
        tally: Tally,
    ) -> Self {
        Self {
            action,
            session,
            reader,
            filter,
            voice,
            listener: None,
            due: Instant::now(),
            failed: None,
            tally,
        }
    }

    /// What it is told next. May be dropped while pending: nothing is lost.
    pub(super) async fn next(&mut self) -> Result<Bytes, GatewayError> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        loop {
            if let Some(listener) = &mut self.listener {
                if let Some(chunk) = listener.next().await? {
                    let age = tally::age([&chunk.oldest]);
                    self.tally.told(chunk.records, age, listener.lag);
                    return Ok(chunk.bytes.clone());
                }
                self.reader.go_on(Positions::clone(listener.at()));
                self.listener = None;
            }
            let most = match self.until_all_are_told_alike().await? {
                Some(most) => most,
                None => continue,
            };
            if self.reader.joined().is_some() {
                sleep_until(self.due).await;
            }
            let told = match self.reader.next(most).await? {
                Came::Joined => continue,
                Came::Gaps(gaps) => {
                    let mut out = Vec::new();
                    self.voice.gaps(&mut out, &gaps, self.reader.at())?;
                    out
                }
                Came::Records(records) => self.tell(&records),
            };
            self.due = Instant::now() + PACE;
            if !told.is_empty() {
                return Ok(told.into());
            }
            if let Some(error) = self.failed.take() {
                return Err(error);
            }
        }
    }

    /// Tells of those that pass, up to the first that cannot be told.
    fn tell(&mut self, records: &[Shown]) -> Vec<u8> {
        let (mut out, mut told) = (Vec::new(), 0);
        for shown in records {
            self.reader.pass(shown);
            if !self.filter.passes(shown) {
                continue;
            }
            let said = self.voice.record(&mut out, shown, self.reader.at());
            self.failed = said.err();
            if self.failed.is_some() {
                break;
            }
            told += 1;
        }
        let age = tally::age(records.iter().map(|shown| &shown.record)).filter(|_| told > 0);
        self.tally.told(told, age, self.reader.lag());
        out
    }

    /// How many records it is told of by itself before it can be told what all are; none, if that is now.
    async fn until_all_are_told_alike(&mut self) -> Result<Option<usize>, GatewayError> {
        if !self.filter.is_empty() || self.reader.joined().is_none() {
            return Ok(Some(FEW));
        }
        let feed = self.action.feed(self.session, &self.voice, &self.reader);
        let feed = feed.await?;
        let place = match self.reader.joined() {
            Some(follower) => follower.place(),
            None => return Ok(Some(FEW)),
        };
        let Some(boundary) = feed.boundary(place) else {
            return Ok(Some(FEW));
        };
        let before = boundary.place - place;
        if before > 0 {
            return Ok(Some(FEW.min(usize::try_from(before).unwrap_or(FEW))));
        }
        if !self.reader.at().are_same(&boundary.at) {
            // It had some of what comes, in some partition.
            return Ok(Some(FEW));
        }
        self.listener = Some(feed.listen(boundary));
        Ok(None)
    }

    /// Where it is, as it may come again with it.
    pub(super) fn cursor(&self) -> String {
        self.voice.cursor(self.at())
    }

    /// Where it is.
    pub(super) fn at(&self) -> &Positions {
        match &self.listener {
            Some(listener) => listener.at(),
            None => self.reader.at(),
        }
    }
}

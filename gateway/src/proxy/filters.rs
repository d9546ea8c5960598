//! The body filters of one direction of one request.
//!
//! With no filter, a chunk passes untouched and unbuffered.

use bytes::{Bytes, BytesMut};

use crate::error::GatewayError;
use crate::policy::{Filter, Unit, Units};

/// Filters in the order a body passes them.
#[derive(Default)]
pub(crate) struct Filters(Vec<Box<dyn Filter>>);

impl Filters {
    /// Adds a filter after those already there.
    pub(crate) fn push(&mut self, filter: Box<dyn Filter>) {
        self.0.push(filter);
    }

    /// Whether bodies pass untouched.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Passes a chunk of bytes through all filters.
    pub(crate) fn pass(&mut self, chunk: Bytes) -> Result<Bytes, GatewayError> {
        self.run_one(Unit::Bytes(chunk))
    }

    /// Passes one unit through all filters.
    pub(crate) fn run_one(&mut self, unit: Unit) -> Result<Bytes, GatewayError> {
        match (self.0.as_mut_slice(), unit) {
            ([], unit) => Ok(unit.into_bytes()),
            ([one], Unit::Bytes(chunk)) => one.bytes(chunk),
            (_, unit) => self.run_all(unit),
        }
    }

    fn run_all(&mut self, unit: Unit) -> Result<Bytes, GatewayError> {
        let mut units = Units::default();
        units.push(unit);
        self.run(0, units)
    }

    /// Asks the filters for what they can give without seeing more.
    pub(crate) fn flush(&mut self) -> Result<Bytes, GatewayError> {
        let mut rest = Units::default();
        for i in 0..self.0.len() {
            let mut units = Units::default();
            self.0[i].flush(&mut units)?;
            rest.push(Unit::Bytes(self.run(i + 1, units)?));
        }
        Ok(rest.into_bytes())
    }

    /// Tells the filters that the body is over; what they held back comes out.
    pub(crate) fn end(&mut self) -> Result<Option<Bytes>, GatewayError> {
        let mut rest = BytesMut::new();
        for i in 0..self.0.len() {
            let mut units = Units::default();
            self.0[i].end(&mut units)?;
            rest.extend_from_slice(&self.run(i + 1, units)?);
        }
        Ok((!rest.is_empty()).then(|| rest.freeze()))
    }

    fn run(&mut self, from: usize, mut units: Units) -> Result<Bytes, GatewayError> {
        for filter in &mut self.0[from..] {
            let mut out = Units::default();
            for unit in units {
                filter.unit(unit, &mut out)?;
            }
            units = out;
        }
        Ok(units.into_bytes())
    }
}

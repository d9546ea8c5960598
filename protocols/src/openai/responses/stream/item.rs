//! What is told of an item while it comes into being. Knows no other items.

use std::borrow::Cow;

use super::wire::{Part, Piece, emit};
use crate::openai::responses::wire::{Content, Item, Summary};

/// An item of the output, and the stream it is told in.
pub(super) struct Telling<'w> {
    pub(super) item: &'w mut Item<'static>,
    /// Where it stands in the output.
    pub(super) at: usize,
    pub(super) sequence: &'w mut u64,
    pub(super) out: &'w mut Vec<u8>,
}

impl Telling<'_> {
    /// It begins; of a call all but its arguments is known.
    pub(super) fn added(self) {
        self.whole("response.output_item.added");
    }

    /// More text, or more of the model's declining: each in a part of its own.
    pub(super) fn say(mut self, more: &str, refuses: bool) {
        self.part(refuses);
        self.said(more);
    }

    /// Begins another part, if the last is of the other sort.
    fn part(&mut self, refuses: bool) {
        let Item::Message { id, content, .. } = &mut *self.item else {
            return;
        };
        let piece = |content_index| Piece {
            item_id: Some(id),
            output_index: self.at,
            content_index: Some(content_index),
            ..Piece::default()
        };
        let next = content.len();
        match content.last() {
            Some(Content::OutputText { .. }) if !refuses => return,
            Some(Content::Refusal { .. }) if refuses => return,
            Some(last) => part_done(self.out, self.sequence, piece(next - 1), last),
            None => {}
        }
        let empty = Cow::Borrowed("");
        content.push(match refuses {
            true => Content::Refusal { refusal: empty },
            false => Content::text(empty),
        });
        let added = Piece {
            part: content.last().map(Part::Content),
            ..piece(next)
        };
        let kind = "response.content_part.added";
        emit(self.out, self.sequence, kind, &added);
    }

    /// Adds to the last part.
    fn said(self, more: &str) {
        let Item::Message { id, content, .. } = self.item else {
            return;
        };
        let mut piece = Piece {
            item_id: Some(id),
            output_index: self.at,
            content_index: content.len().checked_sub(1),
            delta: Some(more),
            ..Piece::default()
        };
        let kind = match content.last_mut() {
            Some(Content::OutputText { text, .. }) => {
                text.to_mut().push_str(more);
                piece.logprobs = Some([]);
                "response.output_text.delta"
            }
            Some(Content::Refusal { refusal }) => {
                refusal.to_mut().push_str(more);
                "response.refusal.delta"
            }
            None => return,
        };
        emit(self.out, self.sequence, kind, &piece);
    }

    /// More of what the model thinks, told as a summary of one part.
    pub(super) fn think(self, more: &str) {
        let Item::Reasoning { id, summary, .. } = self.item else {
            return;
        };
        let piece = || Piece {
            item_id: Some(id),
            output_index: self.at,
            summary_index: Some(0),
            ..Piece::default()
        };
        if summary.is_empty() {
            summary.push(Summary::new(Cow::Borrowed("")));
            let part = summary.first().map(Part::Summary);
            let piece = Piece { part, ..piece() };
            let kind = "response.reasoning_summary_part.added";
            emit(self.out, self.sequence, kind, &piece);
        }
        if let Some(part) = summary.first_mut() {
            part.text.to_mut().push_str(more);
        }
        let delta = Some(more);
        let piece = Piece { delta, ..piece() };
        let kind = "response.reasoning_summary_text.delta";
        emit(self.out, self.sequence, kind, &piece);
    }

    /// More of what a function is called with.
    pub(super) fn argue(self, more: &str) {
        let Item::FunctionCall { id, arguments, .. } = self.item else {
            return;
        };
        arguments.to_mut().push_str(more);
        let piece = Piece {
            item_id: Some(id),
            output_index: self.at,
            delta: Some(more),
            ..Piece::default()
        };
        let kind = "response.function_call_arguments.delta";
        emit(self.out, self.sequence, kind, &piece);
    }

    /// It is done, with this status; all of it is told again.
    pub(super) fn done(self, status: &'static str) {
        self.item.set_status(status);
        let piece = Piece {
            item_id: Some(self.item.id()),
            output_index: self.at,
            ..Piece::default()
        };
        match &*self.item {
            Item::Reasoning { summary, .. } => {
                if let Some(part) = summary.last() {
                    summary_done(self.out, self.sequence, piece, part);
                }
            }
            Item::Message { content, .. } => {
                if let Some(part) = content.last() {
                    let content_index = Some(content.len() - 1);
                    let piece = Piece {
                        content_index,
                        ..piece
                    };
                    part_done(self.out, self.sequence, piece, part);
                }
            }
            Item::FunctionCall {
                name, arguments, ..
            } => {
                let piece = Piece {
                    name: Some(name),
                    arguments: Some(arguments),
                    ..piece
                };
                let kind = "response.function_call_arguments.done";
                emit(self.out, self.sequence, kind, &piece);
            }
        }
        self.whole("response.output_item.done");
    }

    fn whole(self, kind: &'static str) {
        let piece = Piece {
            output_index: self.at,
            item: Some(self.item),
            ..Piece::default()
        };
        emit(self.out, self.sequence, kind, &piece);
    }
}

fn part_done<'a>(out: &mut Vec<u8>, sequence: &mut u64, piece: Piece<'a>, part: &'a Content<'a>) {
    let (kind, said) = match part {
        Content::OutputText { text, .. } => (
            "response.output_text.done",
            Piece {
                text: Some(text),
                logprobs: Some([]),
                ..piece
            },
        ),
        Content::Refusal { refusal } => (
            "response.refusal.done",
            Piece {
                refusal: Some(refusal),
                ..piece
            },
        ),
    };
    emit(out, sequence, kind, &said);
    let ended = Piece {
        item_id: said.item_id,
        output_index: said.output_index,
        content_index: said.content_index,
        part: Some(Part::Content(part)),
        ..Piece::default()
    };
    emit(out, sequence, "response.content_part.done", &ended);
}

fn summary_done<'a>(
    out: &mut Vec<u8>,
    sequence: &mut u64,
    piece: Piece<'a>,
    part: &'a Summary<'a>,
) {
    let said = Piece {
        summary_index: Some(0),
        text: Some(&part.text),
        ..piece
    };
    emit(out, sequence, "response.reasoning_summary_text.done", &said);
    let ended = Piece {
        item_id: said.item_id,
        output_index: said.output_index,
        summary_index: Some(0),
        part: Some(Part::Summary(part)),
        ..Piece::default()
    };
    emit(
        out,
        sequence,
        "response.reasoning_summary_part.done",
        &ended,
    );
}

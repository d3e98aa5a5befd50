//! What a driver has asked and the server has not answered yet.

use std::{collections::VecDeque, io, time::Duration};

use tokio::time::Instant;

use super::frame;

/// Messages that may wait for answers. Drivers that send many rows at once stay far below.
const UNANSWERED_MAX: usize = 100_000;
/// State of a session outside of a transaction, as the server tells it.
const IDLE: u8 = b'I';

/// The messages that wait for an answer, by their letters, and since when the first of them does.
#[derive(Debug)]
pub(super) struct Progress {
    asked: VecDeque<u8>,
    since: Instant,
    in_transaction: bool,
}

impl Progress {
    pub(super) fn new() -> Self {
        Self { asked: VecDeque::new(), since: Instant::now(), in_transaction: false }
    }

    /// A driver sent a message of this kind.
    pub(super) fn asked(&mut self, kind: u8) -> io::Result<()> {
        if !matches!(kind, b'B' | b'C' | b'D' | b'E' | b'P' | b'Q' | b'S') {
            return Ok(());
        }
        if self.asked.len() >= UNANSWERED_MAX {
            return Err(frame::broken("too many messages wait for an answer"));
        }
        if self.asked.is_empty() {
            self.since = Instant::now();
        }
        self.asked.push_back(kind);
        Ok(())
    }

    /// The server sent a message of this kind; `state` is that of the session, where the message tells it.
    pub(super) fn answered(&mut self, kind: u8, state: Option<u8>) {
        let ends = |asked: u8| match asked {
            b'P' => kind == b'1',
            b'B' => kind == b'2',
            b'C' => kind == b'3',
            b'D' => matches!(kind, b'T' | b'n'),
            b'E' => matches!(kind, b'C' | b'I' | b's'),
            _ => false,
        };
        match kind {
            // All until here is answered; in an error, what was not done is left out.
            b'Z' => {
                let at = self.asked.iter().position(|asked| matches!(asked, b'Q' | b'S'));
                self.asked.drain(..at.map_or(0, |at| at + 1));
                self.in_transaction = state.is_some_and(|state| state != IDLE);
            }
            b'E' => {
                let at = self.asked.iter().position(|asked| matches!(asked, b'Q' | b'S'));
                self.asked.drain(..at.unwrap_or(self.asked.len()));
            }
            _ if self.asked.front().is_some_and(|asked| ends(*asked)) => {
                self.asked.pop_front();
            }
            _ => return,
        }
        self.since = Instant::now();
    }

    /// For how long the server works, and for how long a transaction is left open, as [`Self::works_for`] and
    /// [`Self::rests_for`] tell.
    pub(super) fn pause(&self) -> (Option<Duration>, Option<Duration>) {
        (self.works_for(), self.rests_for())
    }

    /// For how long the server has worked on one message; none when it waits itself.
    pub(super) fn works_for(&self) -> Option<Duration> {
        (!self.asked.is_empty()).then(|| self.since.elapsed())
    }

    /// For how long a transaction has been open in which nothing happens.
    fn rests_for(&self) -> Option<Duration> {
        (self.asked.is_empty() && self.in_transaction).then(|| self.since.elapsed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(asked: &[u8], answered: &[u8]) -> Progress {
        let mut progress = Progress::new();
        for kind in asked {
            progress.asked(*kind).unwrap();
        }
        for kind in answered {
            progress.answered(*kind, Some(b'T'));
        }
        progress
    }

    #[test]
    fn each_message_waits_for_its_own_answer() {
        for (asked, answered, left) in [
            ("Q", "", "Q"),
            ("Q", "TDDC", "Q"),
            ("Q", "TDDCZ", ""),
            ("PDS", "1tTZ", ""),
            ("BES", "2DDC", "S"),
            ("BESBES", "2CZ", "BES"),
            ("BES", "E", "S"),
            ("BESQ", "EZ", "Q"),
            ("BE", "2s", ""),
            ("BE", "2DDN", "E"),
            ("H", "", ""),
        ] {
            let progress = after(asked.as_bytes(), answered.as_bytes());
            assert_eq!(progress.asked, left.as_bytes(), "{asked} {answered}");
            assert_eq!(progress.works_for().is_some(), !left.is_empty(), "{asked} {answered}");
        }
    }

    #[test]
    fn a_transaction_rests_between_its_statements() {
        assert!(after(b"Q", b"CZ").rests_for().is_some());
        assert!(after(b"QQ", b"CZ").rests_for().is_none());
        let mut progress = after(b"Q", b"CZ");
        progress.asked(b'Q').unwrap();
        progress.answered(b'Z', Some(IDLE));
        assert!(progress.rests_for().is_none());
    }
}

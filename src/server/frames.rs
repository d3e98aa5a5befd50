//! Where the frames of a WebSocket begin and end. What they say is nobody's business here.

/// The close frame of whoever goes away (1001), as servers send it …
pub(crate) const GOING_AWAY: &[u8] = &[0x88, 0x02, 0x03, 0xe9];
/// … and as clients do, with a mask that changes nothing.
pub(crate) const GOING_AWAY_MASKED: &[u8] = &[0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe9];

/// How far a stream of frames has come.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    /// What is known of the head of the frame that is under way.
    head: Vec<u8>,
    /// Bytes of its payload that have not come yet.
    left: u64,
}

impl Frames {
    /// Whether the last byte was the last of a frame.
    pub(crate) fn is_between(&self) -> bool {
        self.left == 0 && self.head.is_empty()
    }

    /// Notes bytes that passed. Gives how many: all of them.
    pub(crate) fn pass(&mut self, bytes: &[u8]) -> usize {
        let mut rest = bytes;
        while let Some(after) = rest.get(self.pass_one(rest)..).filter(|after| !after.is_empty()) {
            rest = after;
        }
        bytes.len()
    }

    /// Notes bytes up to the end of the frame that is under way, or that begins with them. Gives how many those are.
    pub(crate) fn pass_one(&mut self, bytes: &[u8]) -> usize {
        let mut passed = 0;
        for byte in bytes {
            if self.left > 0 {
                break;
            }
            passed += 1;
            self.head.push(*byte);
            if let Some(payload) = payload(&self.head) {
                self.head.clear();
                self.left = payload;
                if payload == 0 {
                    return passed;
                }
            }
        }
        let payload = self.left.min((bytes.len() - passed) as u64);
        self.left -= payload;
        passed + payload as usize
    }
}

/// Bytes after a head; none while the head is not whole.
fn payload(head: &[u8]) -> Option<u64> {
    let second = head.get(1)?;
    let mask = if second & 0x80 == 0 { 0 } else { 4 };
    let wide = match second & 0x7f {
        126 => 2,
        127 => 8,
        _ => 0,
    };
    if head.len() < 2 + wide + mask {
        return None;
    }
    let length = head.get(2..2 + wide)?.iter().fold(0, |length, byte| length << 8 | u64::from(*byte));
    Some(if wide == 0 { u64::from(second & 0x7f) } else { length })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(payload: usize, is_masked: bool) -> Vec<u8> {
        let mask = if is_masked { 0x80 } else { 0 };
        let mut frame = vec![0x82];
        match payload {
            0..126 => frame.push(mask | payload as u8),
            126..65_536 => {
                frame.push(mask | 126);
                frame.extend((payload as u16).to_be_bytes());
            }
            _ => {
                frame.push(mask | 127);
                frame.extend((payload as u64).to_be_bytes());
            }
        }
        frame.extend([7; 4].iter().filter(|_| is_masked));
        frame.extend(vec![0xff; payload]);
        frame
    }

    #[test]
    fn frames_end_where_their_heads_say() {
        for is_masked in [true, false] {
            for payload in [0, 1, 125, 126, 65_535, 65_536] {
                let frame = frame(payload, is_masked);
                let mut whole = Frames::default();
                assert_eq!(whole.pass_one(&[frame.as_slice(), &[0x81]].concat()), frame.len(), "{payload}");
                assert!(whole.is_between());
                let mut byte_by_byte = Frames::default();
                for (number, byte) in frame.iter().enumerate() {
                    assert_eq!(byte_by_byte.pass(&[*byte]), 1);
                    assert_eq!(byte_by_byte.is_between(), number + 1 == frame.len(), "{payload}: {number}");
                }
            }
        }
        let mut many = Frames::default();
        let bytes = [frame(3, true), frame(0, true), frame(200, true)].concat();
        assert_eq!(many.pass(&bytes), bytes.len());
        assert!(many.is_between());
        many.pass(&[0x82, 0xff, 0xff]);
        assert!(!many.is_between());
    }
}

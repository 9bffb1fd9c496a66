//! What the tracer tells the guard, as bytes: one packet a message.

/// The most bytes that one change covers.
pub const MAX_BYTES: usize = 16;
/// How many changes one packet carries.
pub(super) const MAX_UNDOS: usize = 512;
/// The length of one change in a packet.
const UNDO: usize = 2 + 8 + 2 * MAX_BYTES;
/// The length of what precedes them: kind, 7 unused bytes, key, process, another key.
const HEADER: usize = 32;
/// How many keys one packet carries.
pub(super) const MAX_KEYS: usize = 1024;
/// The longest packet.
pub(super) const MAX_PACKET: usize = HEADER + UNDO * MAX_UNDOS;

/// How one change of a program's memory is undone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Undo {
    /// Bytes of code: where the new ones stand, the old ones are written.
    Code {
        /// The run-time address of the first.
        address: u64,
        /// What the tracer wrote: at most [`MAX_BYTES`].
        new: Vec<u8>,
        /// What stood there; as long as `new`.
        old: Vec<u8>,
    },
    /// A semaphore that was counted up: where its value is at least `raised`, it is counted down.
    Semaphore {
        /// Its run-time address.
        address: u64,
        /// Its value after it was counted up.
        raised: u16,
    },
    /// A [`shield`](super::shield) that is to be told when all else has been undone.
    Shield {
        /// Its run-time address.
        address: u64,
    },
}

impl Undo {
    /// The run-time address of what is undone.
    pub(super) fn address(&self) -> u64 {
        match self {
            Undo::Code { address, .. }
            | Undo::Semaphore { address, .. }
            | Undo::Shield { address } => *address,
        }
    }
}

/// A message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Message {
    /// An address space, whose memory's descriptor comes with it, and a process in it.
    Watch { key: u64, pid: i32 },
    /// As `Watch`, of a forked child, whose memory has the same changes as that of `from`.
    Copy { key: u64, pid: i32, from: u64 },
    /// Further changes of it.
    Changed { key: u64, undos: Vec<Undo> },
    /// These are as they were, or gone.
    Forget { keys: Vec<u64> },
    /// The tracer ends by itself.
    Dismiss,
}

impl Message {
    /// The packet. Changes beyond the first [`MAX_UNDOS`] are left out, keys beyond the first [`MAX_KEYS`], and so are
    /// bytes beyond [`MAX_BYTES`].
    pub fn encode(&self) -> Vec<u8> {
        let (kind, key, pid, from): (u8, u64, i32, u64) = match self {
            Message::Watch { key, pid } => (1, *key, *pid, 0),
            Message::Changed { key, .. } => (2, *key, 0, 0),
            Message::Forget { .. } => (3, 0, 0, 0),
            Message::Dismiss => (4, 0, 0, 0),
            Message::Copy { key, pid, from } => (5, *key, *pid, *from),
        };
        let mut packet = vec![kind, 0, 0, 0, 0, 0, 0, 0];
        packet.extend_from_slice(&key.to_ne_bytes());
        packet.extend_from_slice(&i64::from(pid).to_ne_bytes());
        packet.extend_from_slice(&from.to_ne_bytes());
        match self {
            Message::Changed { undos, .. } => {
                let undos = undos.iter().take(MAX_UNDOS);
                undos.for_each(|undo| encode_undo(undo, &mut packet));
            }
            Message::Forget { keys } => {
                let keys = keys.iter().take(MAX_KEYS);
                packet.extend(keys.flat_map(|key| key.to_ne_bytes()));
            }
            _ => {}
        }
        packet
    }

    /// Reads a packet; `None` for one that makes no sense.
    pub fn decode(packet: &[u8]) -> Option<Message> {
        let (header, rest) = packet.split_first_chunk::<HEADER>()?;
        let word = |at: usize| Some(u64::from_ne_bytes(*header.get(at..)?.first_chunk()?));
        let (key, from) = (word(8)?, word(24)?);
        let pid = i32::try_from(word(16)?.cast_signed());
        Some(match header.first()? {
            1 => Message::Watch {
                key,
                pid: pid.ok()?,
            },
            2 => Message::Changed {
                key,
                undos: rest.chunks(UNDO).map(decode_undo).collect::<Option<_>>()?,
            },
            3 => {
                let keys = rest.as_chunks().0.iter();
                let keys = keys.map(|key| u64::from_ne_bytes(*key)).collect();
                Message::Forget { keys }
            }
            4 => Message::Dismiss,
            5 => Message::Copy {
                key,
                pid: pid.ok()?,
                from,
            },
            _ => return None,
        })
    }
}

fn encode_undo(undo: &Undo, packet: &mut Vec<u8>) {
    let mut put = |kind: u8, address: u64, new: &[u8], old: &[u8]| {
        let length = new.len().min(old.len()).min(MAX_BYTES);
        packet.extend_from_slice(&[kind, u8::try_from(length).unwrap_or(0)]);
        packet.extend_from_slice(&address.to_ne_bytes());
        for bytes in [new, old] {
            let mut padded = [0; MAX_BYTES];
            let filled = padded.iter_mut().zip(bytes.iter().take(length));
            filled.for_each(|(to, byte)| *to = *byte);
            packet.extend_from_slice(&padded);
        }
    };
    match undo {
        Undo::Code { address, new, old } => put(1, *address, new, old),
        Undo::Semaphore { address, raised } => {
            let bytes = raised.to_ne_bytes();
            put(2, *address, &bytes, &bytes);
        }
        Undo::Shield { address } => put(3, *address, &[], &[]),
    }
}

fn decode_undo(bytes: &[u8]) -> Option<Undo> {
    let bytes: &[u8; UNDO] = bytes.first_chunk()?;
    let [kind, length, rest @ ..] = bytes;
    let (address, rest) = rest.split_first_chunk()?;
    let address = u64::from_ne_bytes(*address);
    let (new, old) = rest.split_first_chunk::<MAX_BYTES>()?;
    let length = usize::from(*length);
    Some(match kind {
        1 => Undo::Code {
            address,
            new: new.get(..length)?.to_vec(),
            old: old.get(..length)?.to_vec(),
        },
        2 => Undo::Semaphore {
            address,
            raised: u16::from_ne_bytes(*new.first_chunk()?),
        },
        3 => Undo::Shield { address },
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn undo() -> impl Strategy<Value = Undo> {
        let code = (any::<u64>(), 0..=MAX_BYTES).prop_flat_map(|(address, length)| {
            let bytes = || proptest::collection::vec(any::<u8>(), length);
            (bytes(), bytes()).prop_map(move |(new, old)| Undo::Code { address, new, old })
        });
        let semaphore =
            any::<(u64, u16)>().prop_map(|(address, raised)| Undo::Semaphore { address, raised });
        let shield = any::<u64>().prop_map(|address| Undo::Shield { address });
        prop_oneof![code, semaphore, shield]
    }

    proptest! {
        #[test]
        fn messages_are_read_as_they_were_written(
            key in any::<u64>(),
            pid in any::<i32>(),
            from in any::<u64>(),
            keys in proptest::collection::vec(any::<u64>(), 0..MAX_KEYS),
            undos in proptest::collection::vec(undo(), 0..20),
        ) {
            let messages = [
                Message::Watch { key, pid },
                Message::Changed { key, undos },
                Message::Copy { key, pid, from },
                Message::Forget { keys },
                Message::Dismiss,
            ];
            for message in messages {
                let packet = message.encode();
                prop_assert!(packet.len() <= MAX_PACKET);
                prop_assert_eq!(Message::decode(&packet), Some(message));
            }
        }

        #[test]
        fn any_packet_is_read_without_harm(packet in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Message::decode(&packet);
        }
    }
}

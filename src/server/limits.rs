//! How much of everything there may be at the edge, all of it within one budget; `docs/limits.md` tells operators of it.
//!
//! | what | most | MiB |
//! |---|---|---|
//! | bytes charged to connections: requests, calls, messages, sheets under way, answers not taken | [`EDGE_BYTES_MAX`] | 96 |
//! | lent while connections that were sent away end | [`CONNECTION_BYTES_MAX`] | 32 |
//! | bytes that arrived and nobody has read yet | [`CONNECTIONS_MAX`] x [`WINDOW_BYTES`] | 64 |
//! | a connection's own buffers, 32 KiB of HTTP/2 and 8 of the system | [`CONNECTIONS_MAX`] x 40 KiB | 20 |
//! | sheets queued for the writer whose sender is gone | `QUEUE_BYTES_MAX` of the sequencer | 64 |
//! | entries read for subscribers | [`READS_SHARED_MAX`] x 320 KiB | 5 |
//! | together | | 281 |
//!
//! Beside 256 MiB that the log's store may cache, and what the ledger itself needs, that stays below 1 GiB.

use std::time::Duration;

/// Bytes that all connections together make the process hold: 21 of the largest requests, in a tenth of a small machine's
/// 1 GiB. Beyond it the connection goes that held most for longest.
pub(super) const EDGE_BYTES_MAX: usize = 96 * 1_024 * 1_024;
/// Bytes of one connection, a third of all: a stream of small sheets keeps 50,000 events under way with it, twice what a
/// commit takes. Where there are many, each has as much as is left for others.
pub(super) const CONNECTION_BYTES_MAX: usize = 32 * 1_024 * 1_024;
/// Whoever holds less than this is lent some of what others are about to give back, the more the less it is: a call that asks
/// a balance finds 8 MiB that a call for the largest entry doesn't.
pub(super) const LITTLE_BYTES: usize = 1_024 * 1_024;
/// What a call takes by itself: its task, its head and HTTP/2's own state of it (15 KB of a quiet stream were measured), and a
/// small message and a small answer.
pub(super) const CALL_BYTES: usize = 16 * 1_024 + 2 * SMALL_BYTES;
/// What of it a request takes that waits for its turn: HTTP/2's state, and its task: an estimate, from the classes of
/// sizes that the allocator held while 12,000 waited.
pub(super) const ARRIVED_BYTES: usize = 6 * 1_024;
/// Messages and answers of most calls are smaller than this: they are counted with the call, not one by one.
pub(super) const SMALL_BYTES: usize = 1_024;
/// What an event takes from the moment it is decoded until its receipt is taken, beside its own bytes: 256 decoded, and a
/// receipt of some 400.
pub(super) const EVENT_BYTES: usize = 656;

/// What the answer to a sheet takes beside its events: a publication or a refusal, at most 2,836 bytes and mostly a few.
pub(super) const RESULT_BYTES: usize = 2 * 1_024;
/// What an event takes while it is tried: 256 decoded, and its outcome. The largest trial, 56,000 events in 4.5 MiB, fits into
/// a connection's share.
pub(super) const TRIED_EVENT_BYTES: usize = 384;
/// Sheets of one stream under way: enough for two commits of the smallest kind of sheets.
pub(super) const STREAM_SHEETS_MAX: usize = 4_096;

/// Trials at a time: they hold the writer up, some 50 ms for the largest.
pub(super) const TRIALS_MAX: usize = 1;

/// Connections that are kept: whoever comes then takes the place of the one that does least. Clients keep one open for days,
/// so it is not how many stations there are, but how many of them do something in the same minute.
pub(super) const CONNECTIONS_MAX: usize = 512;
/// Connections that were told to go and are not gone yet: as many as end in [`FAREWELL`] where 64 come in a second.
pub(super) const CLOSING_MAX: usize = 64;
/// Fewer connections than these are no service.
pub(super) const CONNECTIONS_MIN: usize = 8;
/// Descriptors for everything that isn't a connection, besides those that are open at a start: files of rows and runs, a
/// snapshot and a checkpoint that are being written, witnesses that are asked.
pub(super) const DESCRIPTORS_RESERVED: usize = 128;
/// Connections that wait for a thread to take them: beyond it they wait in the kernel.
pub(super) const CONNECTIONS_WAITING_MAX: usize = 64;

/// Calls under way on all connections: twice as many as there are connections. All that begin at once are before whoever
/// comes next. Beyond it the connection goes that has most of them.
pub(super) const CALLS_MAX: usize = 1_024;
/// Calls under way on one connection. More wait at the client, as HTTP/2 has it.
pub(super) const STREAMS_PER_CONNECTION_MAX: u32 = 100;
/// Bytes of a connection that arrived and nobody has read: what HTTP/2 lets a client send ahead, for one call and for all.
pub(super) const WINDOW_BYTES: u32 = 128 * 1_024;
/// Bytes of a connection that are worked off at a time, before others of its thread have their turn: a frame of the usual
/// size, or 960 pings.
pub(super) const TURN_BYTES: usize = 16 * 1_024;
/// What tasks of a thread take before it looks again for what has come in: 40 calls of 12 us, the shortest there are. Without
/// optimization they take some ten times as long.
pub(super) const PASS: Duration = Duration::from_micros(if cfg!(debug_assertions) { 5_000 } else { 500 });
/// What connections that did less than others may take beside it, without waiting for their turn.
pub(super) const CREDIT_PASS: Duration = PASS;
/// What a connection that did less than others may be ahead of them, and a new one is behind: 20 passes. With four, each that
/// had rested for a moment was before whoever calls a hundred times a second: 22 of them at a time, some 2 ms each, have been
/// seen.
pub(super) const CREDIT: Duration = Duration::from_micros(if cfg!(debug_assertions) { 100_000 } else { 10_000 });
/// For how long a connection is new, has no credit, and how many times the time of its tasks counts. Whoever opens connection
/// after connection, of which each is closed for what it holds, had most of a thread: 140 of them at a time have been seen.
pub(super) const NEW_FOR: Duration = Duration::from_secs(1);
pub(super) const NEW_COSTS: u32 = 8;
/// What a task counts at most for one turn: more was most likely the processor's, which had somebody else's work to do.
pub(super) const TASK_MAX: Duration = Duration::from_micros(if cfg!(debug_assertions) { 10_000 } else { 1_000 });
/// Bytes of a request's head, names and values with 32 for each, as HTTP/2 counts them.
pub(super) const HEAD_BYTES_MAX: u32 = 16 * 1_024;
/// Bytes of a head of HTTP/1.1, and of what comes before it is looked at: the least that hyper takes.
pub(super) const HTTP1_BYTES_MAX: usize = 8 * 1_024;

/// Largest message of a list of sheets: 4 MiB of them and an eighth of that for its framing.
pub(super) const LIST_MESSAGE_BYTES_MAX: usize = 4 * 1_024 * 1_024 + 512 * 1_024;
/// Largest message of one sheet: twice the largest sheet, so that whoever sends one that is too large is told so by the rule.
pub(super) const SHEET_MESSAGE_BYTES_MAX: usize = 512 * 1_024;
/// Largest message of anything else: 1,000 places of 20 bytes are the longest question there is.
pub(super) const MESSAGE_BYTES_MAX: usize = 64 * 1_024;
/// Bytes of a message that are decoded where connections are carried. More of them go to another thread.
pub(super) const DECODED_AT_ONCE_MAX: usize = 64 * 1_024;
/// Bytes of a list that are decoded at a time, so that its first sheets are under way while the last are decoded.
pub(super) const DECODED_TOGETHER_BYTES: usize = 256 * 1_024;
/// Threads that decode messages: one of the two of a small machine is left to everybody else.
pub(super) const DECODING_MAX: usize = 1;

/// Blocking threads of each of the server's runtimes: all lanes of reads, and whoever decodes, with some to spare.
pub(super) const BLOCKING_THREADS_MAX: usize = 16;
/// How long such a thread waits for more to do: what it keeps of memory goes when it does.
pub(super) const BLOCKING_THREAD_WAIT: Duration = Duration::from_secs(1);

/// How long a connection has to ask something: its first head. Tests wait for this and for [`STALL`].
pub(super) const HEAD_WAIT: Duration = Duration::from_secs(if cfg!(debug_assertions) { 2 } else { 10 });
/// How long a request or an answer may make no progress.
pub(super) const STALL: Duration = Duration::from_secs(if cfg!(debug_assertions) { 5 } else { 30 });
/// Bytes a second that a message has to make besides, what a modem of 33,600 baud does: a second for each is added to
/// [`STALL`].
pub(super) const PACE: usize = 4 * 1_024;
/// Bytes of an answer for each that its client may send to take it: two updates of windows, 13 bytes each, for a frame of
/// 16 KiB are one in 630.
pub(super) const TAKEN_PER_BYTE: usize = 256;
/// Bytes of an answer that go out before their trailers without waiting for anybody to take them.
pub(super) const UNTAKEN_SMALL: usize = 16 * 1_024;
/// Bytes of a stream of answers that nobody has taken yet; the next are made when they are.
pub(super) const UNTAKEN_MAX: usize = 64 * 1_024;
/// How long a shutdown waits for clients to take their answers.
pub(super) const GRACE: Duration = Duration::from_secs(10);
/// How long a connection that was told to go has for it.
pub(super) const FAREWELL: Duration = Duration::from_secs(1);

/// Subscriptions of all connections: each of them is told of each commit.
pub(super) const SUBSCRIBERS_MAX: usize = 512;
/// Bytes of entries read at a time for subscribers.
pub(super) const READ_BYTES: usize = 64 * 1_024;
/// Reads that are kept for the subscribers who come to the same place next.
pub(super) const READS_SHARED_MAX: usize = 16;

/// How long a message of so many bytes may take.
pub(super) fn patience(bytes: usize) -> Duration {
    STALL + Duration::from_secs((bytes / PACE) as u64)
}

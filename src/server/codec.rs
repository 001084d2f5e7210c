//! How messages are read and written: with small buffers, and those with sheets as they were received, for whoever answers
//! them takes them apart.

use std::marker::PhantomData;

use bytes::{Buf, Bytes};
use prost::Message;
use tonic::{
    Status,
    codec::{BufferSettings, Codec, DecodeBuf, Decoder},
};
use tonic_prost::ProstCodec;

/// Bytes that a call's buffers begin with: most requests and answers fit, and a quiet stream keeps no more. Those of 8 KiB
/// that tonic begins with are more than a thread's cache takes: 4 % of a short call's time.
const BUFFER_BYTES: usize = 1_024;
/// Bytes of small answers of a stream that go out together, as tonic has it.
const TOGETHER_BYTES: usize = 32 * 1_024;

/// Both, for tonic.
fn buffers() -> BufferSettings {
    BufferSettings::new(BUFFER_BYTES, TOGETHER_BYTES)
}

/// Takes decoded messages, and answers with encoded ones.
#[derive(Debug)]
pub struct MessageCodec<T, U>(PhantomData<(T, U)>);

impl<T, U> Default for MessageCodec<T, U> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T: Message + Send + 'static, U: Message + Default + Send + 'static> Codec for MessageCodec<T, U> {
    type Encode = T;
    type Decode = U;
    type Encoder = <ProstCodec<T, U> as Codec>::Encoder;
    type Decoder = <ProstCodec<T, U> as Codec>::Decoder;

    fn encoder(&mut self) -> Self::Encoder {
        ProstCodec::<T, U>::raw_encoder(buffers())
    }

    fn decoder(&mut self) -> Self::Decoder {
        ProstCodec::<T, U>::raw_decoder(buffers())
    }
}

/// A message that was received, not decoded yet.
#[derive(Debug, Clone)]
pub struct Received<T> {
    bytes: Bytes,
    message: PhantomData<fn() -> T>,
}

impl<T> Received<T> {
    /// Its bytes.
    #[must_use]
    pub fn bytes(self) -> Bytes {
        self.bytes
    }
}

impl<T: Message + Default> Received<T> {
    /// The whole message, however large it becomes.
    ///
    /// # Errors
    /// It is none.
    pub fn decode(self) -> Result<T, prost::DecodeError> {
        T::decode(self.bytes)
    }
}

/// Takes messages as they are, and answers with encoded ones.
#[derive(Debug)]
pub struct ReceivedCodec<T, U>(PhantomData<(T, U)>);

impl<T, U> Default for ReceivedCodec<T, U> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T: Message + Send + 'static, U: Message + Default + Send + 'static> Codec for ReceivedCodec<T, Received<U>> {
    type Encode = T;
    type Decode = Received<U>;
    type Encoder = <ProstCodec<T, U> as Codec>::Encoder;
    type Decoder = ReceivedDecoder<U>;

    fn encoder(&mut self) -> Self::Encoder {
        ProstCodec::<T, U>::raw_encoder(buffers())
    }

    fn decoder(&mut self) -> Self::Decoder {
        ReceivedDecoder(PhantomData)
    }
}

/// Hands bytes on.
#[derive(Debug)]
pub struct ReceivedDecoder<U>(PhantomData<fn() -> U>);

impl<U> Decoder for ReceivedDecoder<U> {
    type Item = Received<U>;
    type Error = Status;

    fn decode(&mut self, bytes: &mut DecodeBuf<'_>) -> Result<Option<Received<U>>, Status> {
        Ok(Some(Received { bytes: bytes.copy_to_bytes(bytes.remaining()), message: PhantomData }))
    }

    fn buffer_settings(&self) -> BufferSettings {
        buffers()
    }
}
